#include "llm/breaker.h"

bool breaker_allows(const struct breaker *b, int64_t now_ms)
{
    return !b->open || (!b->probing && now_ms >= b->open_until_ms);
}

enum breaker_pass breaker_take(struct breaker *b, int64_t now_ms)
{
    if (!breaker_allows(b, now_ms))
        return BREAKER_HELD;
    if (!b->open)
        return BREAKER_PASSED;
    b->probing = true;
    return BREAKER_PROBE;
}

void breaker_success(struct breaker *b)
{
    *b = (struct breaker){.open = false};
}

/* Opens, or opens again, for twice as long as the last time. */
static void open_longer(struct breaker *b, int64_t now_ms)
{
    b->wait_ms = b->wait_ms == 0 ? BREAKER_FIRST_MS : 2 * b->wait_ms;
    if (b->wait_ms > BREAKER_LAST_MS)
        b->wait_ms = BREAKER_LAST_MS;
    b->open = true;
    b->open_until_ms = now_ms + b->wait_ms;
}

void breaker_failure(struct breaker *b, enum breaker_pass pass, int64_t now_ms)
{
    if (pass == BREAKER_PROBE && b->probing) {
        b->probing = false;
        open_longer(b, now_ms);
    } else if (!b->open && ++b->failures >= BREAKER_FAILURES) {
        open_longer(b, now_ms);
    }
}

void breaker_open(struct breaker *b, enum breaker_pass pass, int64_t now_ms, int64_t wait_ms)
{
    breaker_dropped(b, pass);
    if (!b->open || b->open_until_ms < now_ms + wait_ms)
        b->open_until_ms = now_ms + wait_ms;
    b->open = true;
}

void breaker_dropped(struct breaker *b, enum breaker_pass pass)
{
    if (pass == BREAKER_PROBE)
        b->probing = false;
}
