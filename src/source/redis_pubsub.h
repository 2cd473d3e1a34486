#ifndef SOURCE_REDIS_PUBSUB_H
#define SOURCE_REDIS_PUBSUB_H
/* Live events from the channels health_events and world_updates: at most once. A channel on which
 * nobody has published for SILENCE_WARN_SECONDS (since the start, or its last message) is named in
 * one warning an hour: a bus on which nobody publishes must not look healthy. */

#include "net/redis.h"

struct redis_pubsub_ops {
    /* A payload, as it came; origin is the channel, a number of this start and a running one, for
     * no two messages ever the same: "health_events:6ba1c07d.17". */
    void (*event)(void *ctx, struct span bytes, struct span origin);
    /* It was no string, or too large to be read; reason is a short name. */
    void (*refused)(void *ctx, struct span origin, const char *reason);
};

#define REDIS_PUBSUB_CHANNELS 2

struct redis_pubsub {
    struct redis redis; /* name, target, client_name: set by the owner */
    const struct redis_pubsub_ops *ops;
    void *ctx;
    struct redis_pubsub_channel {
        const char *name;
        uint64_t messages;
        int64_t last_ms;   /* boot clock: of the last message, or the start */
        int64_t warned_ms; /* boot clock; 0 = never */
        bool silent;       /* for longer than the setting, */
        bool warned;       /* and a warning has said so */
        size_t origin_n;   /* bytes of what is the same in the origins of all messages */
        char origin[64];
    } channels[REDIS_PUBSUB_CHANNELS];
    int64_t silence_ms; /* 0 = never warn */
    struct loop_timer timer;
};

/* p->redis.name, .target and .client_name, p->ops and p->ctx stand before; all else is zero. seed
 * is random: it is also the number of this start. */
void redis_pubsub_open(struct redis_pubsub *p, struct loop *loop, int64_t silence_ms,
                       uint64_t seed);
/* A reload. */
void redis_pubsub_set_silence(struct redis_pubsub *p, int64_t silence_ms);
void redis_pubsub_close(struct redis_pubsub *p);

#endif
