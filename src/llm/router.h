#ifndef LLM_ROUTER_H
#define LLM_ROUTER_H
/* The chain: hops in order, each with its limit, until one gives an answer that passes the check.
 * The callback runs from the loop, never from router_ask(), and exactly once a question unless
 * it is cancelled. */

#include "llm/ask.h"
#include "llm/warmup.h"

enum router_pay { ROUTER_MAY_PAY, ROUTER_OVER_BUDGET, ROUTER_NOT_COUNTED };

/* Nothing of the router may be called from pay(). */
struct router_ops {
    void (*answered)(void *arg, unsigned slot, const struct llm_answer *answer);
    /* Counts one paid call, durably, before it is made. NULL = no paid calls. Where it may not be
     * made, a reason in why (LLM_ERROR_MAX + 1 bytes). */
    enum router_pay (*pay)(void *arg, char *why);
};

struct router {
    struct loop *loop;
    const struct router_ops *ops;
    void *arg;
    uint64_t jitter;
    int64_t cold_ms;
    unsigned hop_count;
    struct router_hop hops[CHAIN_HOPS_MAX];
    struct warmups warmups;
    struct router_ask asks[ASKS_MAX];
};

/* *router is zeroed; what is not used of it is not touched. Without a chain, every question fails.
 * seed: any number. ops outlives the router. */
void router_init(struct router *router, struct loop *loop, const struct router_ops *ops, void *arg,
                 uint64_t seed);

struct chain;
/* Copies the chain. Nothing of the old one's settings is used any more: calls under way are
 * dropped, what is being asked starts anew. Counters of hops that stay go on (by label), breakers
 * are closed. cold_ms: for so long a question waits for a cold model before it is paid for. */
void router_set_chain(struct router *router, const struct chain *chain, int64_t cold_ms);

/* slot < ASKS_MAX, not in use. 0, or -1 where the loop is out of timers. */
int router_ask(struct router *router, unsigned slot, const struct llm_request *request);
/* Nothing happens where the slot is not in use. */
void router_cancel(struct router *router, unsigned slot);

#endif
