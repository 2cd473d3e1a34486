#ifndef LLM_ASK_H
#define LLM_ASK_H
/* One question on its way through the chain. Private to router.c. */

#include "llm/hop.h"
#include "loop/loop.h"

enum router_state {
    ROUTER_FREE,    /* nothing is asked */
    ROUTER_FIRST,   /* nothing was done yet */
    ROUTER_AT_HOP,  /* it comes next; or none is left */
    ROUTER_CALLING, /* its call is under way */
    ROUTER_CALLED,  /* that has ended, and nobody has looked at it */
    ROUTER_PAUSING, /* before its retry */
    ROUTER_LOOKING, /* a call is under way that tells whether its model is resident */
    ROUTER_LOOKED,  /* that has ended */
    ROUTER_WAITING, /* until its model is warm */
};

struct router;

/* 1. state != FREE: timer is set, but while router.c works on the question.
 * 2. request is valid while state != FREE; call is its provider's in CALLING and LOOKING.
 * 3. answer is the callback's until the slot is asked again: FIRST does not touch it.
 * 4. CALLING, CALLED, PAUSING: a visit is on, of whose end the hop's breaker is to be told. */
struct router_ask {
    struct router *router;
    enum router_state state;
    const struct llm_request *request;
    int64_t started_ms;
    unsigned hop;
    unsigned held;  /* a bit a hop: it came next, and could not be asked just then */
    bool called;    /* some hop was */
    bool insisting; /* the second pass: those that were held, whatever their breakers say */
    bool waited;    /* for a model, which is done once */
    bool free_only;
    /* Of the visit. */
    enum breaker_pass pass;
    bool retried;
    int64_t visit_ends_ms;
    int64_t call_started_ms;
    int64_t call_ended_ms;
    struct loop_timer timer;
    struct llm_answer answer;
    struct llm_call call;
};

#endif
