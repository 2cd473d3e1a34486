#ifndef NET_REDIS_CALLS_H
#define NET_REDIS_CALLS_H
/* The commands of a connection that have no answer yet, oldest first: Redis answers in order. Pure.
 */

#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

struct redisReply; /* hiredis: <hiredis/hiredis.h> */

/* The answer, which lives as long as the call; an error has type REDIS_REPLY_ERROR. NULL: the
 * connection was lost before it came: nobody knows whether the command was carried out. */
typedef void redis_answer(void *arg, const struct redisReply *reply);

struct redis_call {
    redis_answer *answer; /* NULL = nobody waits */
    void *arg;
    int64_t limit_ms;
};

/* How many there are is the owner's to know: count, here before the call. */
struct redis_calls {
    struct redis_call ring[REDIS_CALLS_MAX];
    unsigned first;
    int64_t oldest_ms; /* boot clock: since then the first one is the oldest */
};

/* count < REDIS_CALLS_MAX */
void redis_calls_push(struct redis_calls *calls, unsigned count, struct redis_call call,
                      int64_t now_ms);
/* Takes the oldest off; there is one. */
struct redis_call redis_calls_pop(struct redis_calls *calls, int64_t now_ms);
/* When the oldest has had its time, on the boot clock; there is one. */
int64_t redis_calls_deadline(const struct redis_calls *calls);

#endif
