#ifndef NET_REDIS_H
#define NET_REDIS_H
/* One connection to a Redis server, kept for ever: name, address, TCP or a socket's path, TLS,
 * AUTH, SELECT, CLIENT SETNAME, PING, SUBSCRIBE; after a loss again, with full jitter from
 * REDIS_RETRY_FIRST_MS to REDIS_RETRY_LAST_MS.
 *
 * OFF -> CONNECTING -> GREETING -> READY; from each of the last three to WAITING, and back to
 * CONNECTING in its time: REDIS_REFUSED_MS where a server says no (only an operator can help).
 * Log lines, with the connection's name and the server: "redis_ready", "redis_lost"; and while it
 * cannot be reached "redis_unreachable" or "redis_refused", once for each reason in a row.
 * READY is dead, and lost, where the command that waits longest has had no answer within its limit
 * (since it was sent, or the one before was answered), and REDIS_CONNECT_MS more while anything
 * comes; quiet for REDIS_QUIET_MS, it is asked with PING, which has REDIS_PONG_MS. Callbacks run
 * from the loop only, or from redis_close() (answers that will not come), never from
 * redis_command(). In each of them the connection may be closed, and opened again; the struct stays
 * where it is till it returns. */

#include "net/redis_adapter.h"
#include "net/redis_calls.h"
#include "net/redis_url.h"

enum redis_state { REDIS_OFF, REDIS_WAITING, REDIS_CONNECTING, REDIS_GREETING, REDIS_READY };
/* "off", "waiting", "connecting", "logging in", "ready" */
const char *redis_state_text(enum redis_state state);

struct redis_ops { /* any may be NULL */
    void (*ready)(void *arg);
    void (*lost)(void *arg); /* READY ended, and all answers were called with NULL */
    /* A message of a subscribed channel. payload NULL: it was no string, or over RESP_BULK_MAX. */
    void (*message)(void *arg, struct span channel, const struct span *payload);
};

#define REDIS_WHY_MAX 223
struct redis {
    /* Set by the owner before redis_open(), and kept valid: */
    const char *name; /* in logs and `status`: "events", "commands", "stream" */
    const struct redis_target *target;
    const char *client_name;     /* for CLIENT SETNAME; NULL = none */
    const char *const *channels; /* to subscribe to, up to a NULL; NULL = none */
    const struct redis_ops *ops;
    void *arg;
    /* For reading: */
    enum redis_state state;
    int64_t since_ms;            /* wall clock: of the state */
    uint64_t losses;             /* of READY */
    bool broke;                  /* the last of them: over bytes that net/resp refused */
    unsigned outstanding;        /* commands without an answer */
    char why[REDIS_WHY_MAX + 1]; /* of the last failure; "" = none since it was READY */
    /* Its own; times are of the boot clock: */
    struct loop *loop;
    struct conn conn;
    struct redis_adapter adapter; /* in GREETING and READY */
    struct redis_calls calls;
    struct loop_timer timer;
    int64_t deadline_ms; /* of GREETING */
    int64_t ready_ms;    /* READY began */
    int64_t heard_ms;    /* something came */
    int64_t wait_ms;     /* the cap of the next wait */
    uint64_t jitter;     /* state of the generator */
    unsigned lives;      /* of openings and ends: a callback may have changed it */
    bool more;           /* there may be more to read, though nothing tells */
};

/* Begins; seed is any number. Nothing fails here: what does is a state. */
void redis_open(struct redis *r, struct loop *loop, uint64_t seed);
void redis_close(struct redis *r);

bool redis_is_ready(const struct redis *r);
/* Is there room beside the REDIS_KEPT_*, which are the claims'? What can wait asks this first. */
bool redis_has_room(const struct redis *r);

/* Sends a command of 1 to REDIS_ARGS_MAX arguments, which are copied, to be answered within
 * limit_ms (0 = REDIS_ANSWER_MS). 0, or -1: not READY, REDIS_CALLS_MAX are unanswered, or over
 * REDIS_OUTPUT_MAX bytes would wait to be sent; nothing was sent then, and answer does not come. */
int redis_command(struct redis *r, const struct span *args, size_t count, int64_t limit_ms,
                  redis_answer *answer, void *arg);
/* Does the answer say that the server did what it was asked (not NULL, no error)? */
bool redis_did(const struct redisReply *reply);

#endif
