#include "net/redis_calls.h"

void redis_calls_push(struct redis_calls *calls, unsigned count, struct redis_call call,
                      int64_t now_ms)
{
    if (count == 0) {
        calls->oldest_ms = now_ms;
        calls->first = 0; /* the memory of the places behind is seldom needed */
    }
    calls->ring[(calls->first + count) % REDIS_CALLS_MAX] = call;
}

struct redis_call redis_calls_pop(struct redis_calls *calls, int64_t now_ms)
{
    struct redis_call call = calls->ring[calls->first];

    calls->first = (calls->first + 1) % REDIS_CALLS_MAX;
    calls->oldest_ms = now_ms;
    return call;
}

int64_t redis_calls_deadline(const struct redis_calls *calls)
{
    return calls->oldest_ms + calls->ring[calls->first].limit_ms;
}
