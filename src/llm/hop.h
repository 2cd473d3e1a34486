#ifndef LLM_HOP_H
#define LLM_HOP_H
/* One hop of the chain: whom to ask, how long, and what came of it so far. */

#include "llm/breaker.h"
#include "llm/provider.h"

struct router_hop {
    const struct llm_provider *provider;
    const struct llm_server *server; /* NULL: it needs none */
    char model[LLM_MODEL_MAX + 1];   /* "" = the provider's only one */
    char label[LLM_MODEL_MAX + 1];   /* "provider/model" or "provider": in logs, metrics, actions */
    bool cloud;       /* what is sent leaves the home lab, and costs: masked, counted, capped */
    bool stays_cold;  /* its last warm-up failed, and no call has succeeded since: not waited for */
    int64_t limit_ms; /* of a visit: a call, its retry and the pause before that */
    struct breaker breaker;
    enum llm_outcome passed_over; /* told last, where it was not asked; else LLM_SUCCESS */
    uint32_t success;             /* answers taken */
    uint32_t fallback;            /* answers rejected */
    uint32_t error;               /* transport faults */
    uint64_t input_tokens;        /* of all its answers; 0 = it never told */
    uint64_t output_tokens;
};

#endif
