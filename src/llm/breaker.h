#ifndef LLM_BREAKER_H
#define LLM_BREAKER_H
/* A circuit breaker: BREAKER_FAILURES in a row open it for BREAKER_FIRST_MS, doubling to
 * BREAKER_LAST_MS; then one call may try (half-open). Success closes it. Pure; times on the boot
 * clock. */

#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

/* All zero: closed. */
struct breaker {
    unsigned failures; /* in a row, while it is closed */
    int64_t wait_ms;   /* of the last opening by failures; 0 = it was closed since */
    int64_t open_until_ms;
    bool open;    /* until a success, also when open_until_ms has passed */
    bool probing; /* half-open, and one call is on its way */
};

/* What a call is to the breaker; who made the call says it again when it ends. */
enum breaker_pass {
    BREAKER_HELD,   /* no call may be made */
    BREAKER_PASSED, /* one of many */
    BREAKER_PROBE,  /* the half-open one: others are held off until it has ended */
};
enum breaker_pass breaker_take(struct breaker *b, int64_t now_ms);
/* May a call be made? Takes nothing. */
bool breaker_allows(const struct breaker *b, int64_t now_ms);

/* How a call ended: one of these, once for each call. What was on its way when the breaker opened
 * and fails after that says nothing new. */
void breaker_success(struct breaker *b);
void breaker_failure(struct breaker *b, enum breaker_pass pass, int64_t now_ms);
/* The server named a time: open for so long at least, whatever was counted. */
void breaker_open(struct breaker *b, enum breaker_pass pass, int64_t now_ms, int64_t wait_ms);
/* It was dropped, and says nothing. */
void breaker_dropped(struct breaker *b, enum breaker_pass pass);

#endif
