#include "llm/visit.h"

#include "base/log.h"
#include "llm/attempt.h"

/* Even, from min to max. */
static int64_t random_between(uint64_t *jitter, int64_t min, int64_t max)
{
    *jitter = *jitter * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return min + (int64_t)((*jitter >> 33) % (uint64_t)(max - min + 1));
}

int64_t visit_pause(const struct llm_call *call, int64_t left_ms, uint64_t *jitter)
{
    int64_t latest_ms = left_ms - RETRY_REST_MS;

    if (!attempt_is_fault(call->outcome) || call->again != LLM_AGAIN_SOON ||
        latest_ms < RETRY_PAUSE_MIN_MS || call->again_ms > latest_ms)
        return -1;
    if (call->again_ms >= 0)
        return call->again_ms < RETRY_PAUSE_MIN_MS ? RETRY_PAUSE_MIN_MS : call->again_ms;
    if (latest_ms > RETRY_PAUSE_MAX_MS)
        latest_ms = RETRY_PAUSE_MAX_MS;
    return random_between(jitter, RETRY_PAUSE_MIN_MS, latest_ms);
}

static const char *advice_for(int status)
{
    switch (status) {
    case 401:
    case 403:
        return "check the API key and what it may do";
    case 402:
        return "check the account's credit";
    case 404:
        return "check the model's name and the server's address";
    default:
        return "check the API key, the account's credit and spending limit, and the model's name";
    }
}

static void tell_operator(const struct router_hop *hop, const struct llm_call *call)
{
    LOG(LOG_ERROR, "hop_needs_operator", LOG_STR("model", hop->label),
        LOG_INT("status", call->status), LOG_STR("error", call->error),
        LOG_STR("advice", advice_for(call->status)),
        LOG_INT("left_alone_for_ms", BREAKER_OPERATOR_MS));
}

/* A fault says how long the hop is left alone. */
static void fault(struct router_hop *hop, const struct llm_call *call, enum breaker_pass pass,
                  int64_t now_ms)
{
    if (call->again == LLM_AGAIN_OPERATOR) {
        tell_operator(hop, call);
        breaker_open(&hop->breaker, pass, now_ms, BREAKER_OPERATOR_MS);
    } else if (call->again != LLM_AGAIN_NO && call->again_ms > 0) {
        breaker_open(&hop->breaker, pass, now_ms,
                     call->again_ms < BREAKER_NAMED_MAX_MS ? call->again_ms : BREAKER_NAMED_MAX_MS);
    } else {
        breaker_failure(&hop->breaker, pass, now_ms);
    }
}

void visit_settle(struct router_hop *hop, const struct llm_call *call, enum breaker_pass pass,
                  bool retried, int64_t now_ms)
{
    struct breaker *breaker = &hop->breaker;
    struct breaker before = *breaker;

    if (call->outcome == LLM_OVER_BUDGET && !retried) {
        breaker_dropped(breaker, pass);
    } else if (call->outcome == LLM_OVER_BUDGET) {
        /* What was to be retried had failed. */
        breaker_failure(breaker, pass, now_ms);
    } else if (attempt_is_fault(call->outcome)) {
        fault(hop, call, pass, now_ms);
    } else {
        visit_restore(hop);
    }
    if (breaker->open && (!before.open || breaker->open_until_ms != before.open_until_ms))
        LOG(LOG_WARNING, "breaker_opened", LOG_STR("model", hop->label),
            LOG_INT("for_ms", breaker->open_until_ms - now_ms));
}

void visit_restore(struct router_hop *hop)
{
    if (hop->breaker.open)
        LOG(LOG_INFO, "breaker_closed", LOG_STR("model", hop->label));
    breaker_success(&hop->breaker);
    hop->stays_cold = false;
}
