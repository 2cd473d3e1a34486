#ifndef LLM_ROUTER_H
#define LLM_ROUTER_H
/* The chain: hops in order, each with its limit, until one gives an answer that passes the check.
 * The callback runs from the loop, never from router_ask(), and exactly once a question unless
 * it is cancelled. */

#include "llm/provider.h"
#include "loop/loop.h"

struct router_hop {
    const struct llm_provider *provider;
    char model[LLM_MODEL_MAX + 1]; /* "" = the provider's only one */
    char label[LLM_MODEL_MAX + 1]; /* "provider/model" or "provider": in logs, metrics, actions */
    int64_t limit_ms;
    uint32_t success;  /* answers taken */
    uint32_t fallback; /* answers rejected */
    uint32_t error;    /* transport faults */
};

struct router;

/* 1. busy: timer is set, and it is the limit of the hop being asked, or the next step.
 * 2. request is valid while busy; call belongs to its provider from start() to done() or cancel(),
 *    answer to the callback until the slot is asked again. */
struct router_ask {
    struct router *router;
    bool busy;
    const struct llm_request *request;
    unsigned hop; /* being asked, or next */
    int64_t started_ms;
    int64_t hop_started_ms;
    struct llm_call call;
    struct llm_answer answer;
    struct loop_timer timer;
};

struct router {
    struct loop *loop;
    struct router_hop hops[CHAIN_HOPS_MAX];
    unsigned hop_count;
    struct router_ask asks[ASKS_MAX];
    void (*answered)(void *arg, unsigned slot, const struct llm_answer *answer);
    void *arg;
};

void router_init(struct router *router, struct loop *loop,
                 void (*answered)(void *arg, unsigned slot, const struct llm_answer *answer),
                 void *arg);

/* Reads a chain, "provider[/model][@seconds],...". 0, or -1, a reason in why (128 bytes), and the
 * chain as it was. A hop that cannot be asked is left out (log line `hop_skipped`); what is being
 * asked starts anew. Counters of hops that stay go on. */
int router_set_chain(struct router *router, struct span chain, char *why);

/* slot < ASKS_MAX, not in use. 0, or -1 where the loop is out of timers. */
int router_ask(struct router *router, unsigned slot, const struct llm_request *request);
/* Nothing happens where the slot is not in use. */
void router_cancel(struct router *router, unsigned slot);

#endif
