#ifndef LLM_WARMUP_H
#define LLM_WARMUP_H
/* Models of local servers being loaded in the background: a client that hangs up aborts the load,
 * so that a hop's limit alone would never get a large model warm. One warm-up a hop, WARMUPS_MAX
 * in all, each within WARM_LIMIT_MS. */

#include "llm/hop.h"
#include "loop/loop.h"

struct warmups;

/* 1. hop != NULL: under way, and timer is set: it guards the call, or (ended) tells the end. */
struct warmup {
    struct warmups *all;
    const struct router_hop *hop; /* NULL = free */
    bool ended;
    int64_t started_ms;
    struct loop_timer timer;
    struct llm_call call;
};

struct warmups {
    struct loop *loop;
    /* Runs from the loop, once for each warm-up that is not stopped. */
    void (*ended)(void *arg, const struct router_hop *hop, bool success);
    void *arg;
    struct warmup pool[WARMUPS_MAX];
};

/* *warmups is zeroed; what is not used of it is not touched. */
void warmup_init(struct warmups *warmups, struct loop *loop,
                 void (*ended)(void *arg, const struct router_hop *hop, bool success), void *arg);

/* true: the hop's model is being loaded, by this or an earlier start. false: there is no room. The
 * hop stays in its place until the end or warmup_stop_all(). */
bool warmup_start(struct warmups *warmups, const struct router_hop *hop);
bool warmup_running(const struct warmups *warmups, const struct router_hop *hop);
/* When it was begun; INT64_MIN where it is not running. */
int64_t warmup_began(const struct warmups *warmups, const struct router_hop *hop);
bool warmup_any(const struct warmups *warmups);
/* Nothing is told of them any more. */
void warmup_stop_all(struct warmups *warmups);

#endif
