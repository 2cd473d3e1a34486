#ifndef SOURCE_REDIS_STREAM_H
#define SOURCE_REDIS_STREAM_H
/* Events from Redis streams (REDIS_STREAM), at least once: consumer group "planner", consumer
 * NODE_NAME. An entry is acknowledged (XACK) only when redis_stream_finished() says so. What is
 * offered and unfinished is remembered, up to STREAM_ENTRIES_MAX; there is no reading beyond.
 *
 * 1. First our own pending entries (after a restart), then new ones, as many as there is room for:
 *    XREADGROUP with BLOCK on the reader's connection, all else on the commands' one.
 * 2. Every STREAM_RENEW_MS what is held is claimed anew (XCLAIM ... JUSTID); every
 *    STREAM_TAKE_OVER_MS what is idle for STREAM_IDLE_MS, of a dead consumer, is taken over.
 * 3. What is no event, or was delivered over STREAM_DELIVERIES_MAX times, goes to "<stream>:dead"
 *    (fields: id, reason, deliveries, and those of the entry), is acknowledged then, and counted.
 * 4. A group that is missing is made: from the last id that was seen (saved is the last one with
 *    nothing unfinished before it); from "0" where the stream's newest id is below that; from "$"
 *    only where the stream was never read before. What is held is made pending in it, too.
 * 5. After a loss of the connection what is held stays held; acknowledgements are sent again. */

#include "net/redis.h"

enum stream_took {
    STREAM_ENDED,   /* acknowledge it */
    STREAM_KEPT,    /* unfinished until redis_stream_finished(ref) */
    STREAM_NO_SLOT, /* offer it again when there is room: redis_stream_turn() */
    STREAM_REFUSED, /* it is no event: reason */
};

struct redis_stream_ops {
    /* bytes: one JSON document (flat fields were made one). origin: "<stream>:<id>". Where it is
     * STREAM_REFUSED, *reason is a short name, which lives for ever. */
    enum stream_took (*event)(void *ctx, struct span bytes, struct span origin, uint32_t ref,
                              const char **reason);
    /* It goes to the dead stream without being offered. */
    void (*refused)(void *ctx, struct span origin, const char *reason);
    /* How many more events find a slot? */
    unsigned (*free_slots)(void *ctx);
};

struct redis_stream_settings {
    struct span streams;  /* comma list of 1 to STREAMS_MAX names; kept valid, as the next is */
    const char *consumer; /* NODE_NAME */
    bool once;            /* reads what is there, and waits for nothing */
};

struct redis_stream_counts {
    uint64_t entries, acknowledged;
    uint64_t dead, taken_over; /* put into dead streams; from other consumers */
    uint32_t held, doomed;     /* not acknowledged yet; of them, not in the dead stream yet */
    bool changed;              /* the last ids have, since they were saved, */
    bool found;                /* and one of a stream that was never read before is among them */
};

/* There is one. reader has REDIS_OFF, its name and target stand, its ops are set here; commands is
 * the owner's. 0, or -1 and what is wrong with the names in why (REDIS_WHY_MAX + 1 bytes). */
int redis_stream_open(struct loop *loop, struct redis *reader, struct redis *commands,
                      const struct redis_stream_settings *settings,
                      const struct redis_stream_ops *ops, void *ctx, uint64_t seed, char *why);
void redis_stream_close(void);
/* The commands' connection became ready, or was lost. */
void redis_stream_commands(bool ready);
/* Once a turn of the loop: sends whatever is to be sent. */
void redis_stream_turn(void);
/* The event behind ref has come to its end. */
void redis_stream_finished(uint32_t ref);

/* once: anything to read or to acknowledge? Not, when no connection came in REDIS_CONNECT_MS. */
bool redis_stream_reading(void);
/* Is anything not acknowledged? once: or was a stream not read up to its end? */
bool redis_stream_unfinished(void);
const struct redis_stream_counts *redis_stream_counts(void);

/* The line of stream number *at for the state file, and the next *at; false behind the last. */
bool redis_stream_save(struct buf *out, uint32_t *at);
void redis_stream_saved(void); /* counts->changed and ->found are false now */
/* Takes a line back, before redis_stream_open(). 0, or -1 where it makes no sense. */
int redis_stream_load(struct span object);

/* For the check of REDIS_STREAM: the same as redis_stream_open(). */
int redis_stream_check(struct span streams, char *why);

#endif
