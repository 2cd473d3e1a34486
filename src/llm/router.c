#include "llm/router.h"

#include "llm/attempt.h"
#include "llm/chain.h"
#include "llm/visit.h"

#include <string.h>

static struct router_hop *hop_of(struct router_ask *ask)
{
    return &ask->router->hops[ask->hop];
}

static int64_t now_of(const struct router_ask *ask)
{
    return ask->router->loop->now.boot_ms;
}

static void advance(struct router_ask *ask);

static void due(struct loop *loop, void *arg);

/* 0, or -1 where the loop is out of timers: only where none was set before. */
static int set_timer(struct router_ask *ask, int64_t deadline_ms)
{
    ask->timer.due = due;
    ask->timer.arg = ask;
    return loop_timer_set(ask->router->loop, &ask->timer, deadline_ms);
}

/* What follows waits for the next turn. */
static void set_soon(struct router_ask *ask)
{
    /* It is set already, so that moving it does not fail. */
    if (set_timer(ask, now_of(ask)) != 0)
        advance(ask);
}

static void leave_hop(struct router_ask *ask)
{
    ask->hop++;
    ask->state = ROUTER_AT_HOP;
}

/* ---- Calls ---- */

/* The provider calls this from inside its own code. */
static void call_done(struct llm_call *call)
{
    struct router_ask *ask = call->arg;

    ask->state = ask->state == ROUTER_CALLING ? ROUTER_CALLED : ROUTER_LOOKED;
    ask->call_ended_ms = now_of(ask);
    set_soon(ask);
}

static void fill_call(struct router_ask *ask, enum llm_purpose purpose, int64_t deadline_ms)
{
    const struct router_hop *hop = hop_of(ask);
    struct llm_call *call = &ask->call;

    llm_call_reset(call, ask->router->loop);
    call->purpose = purpose;
    call->request = ask->request;
    call->server = hop->server;
    call->model = hop->model;
    call->cloud = hop->cloud;
    call->deadline_ms = deadline_ms;
    call->done = call_done;
    call->arg = ask;
}

/* A call over HTTP ends itself at its deadline and knows at which stage; another is ended. */
static int set_guard(struct router_ask *ask)
{
    int64_t grace_ms = ask->call.server != NULL ? CALL_GRACE_MS : 0;

    return set_timer(ask, ask->call.deadline_ms + grace_ms);
}

static void start_call(struct router_ask *ask, enum router_state under_way, enum router_state over)
{
    ask->state = under_way;
    if (hop_of(ask)->provider->start(&ask->call) == LLM_STARTED)
        return;
    ask->state = over;
    loop_timer_clear(ask->router->loop, &ask->timer);
}

/* Counts a paid call; else why not, in the call. */
static bool may_pay(struct router_ask *ask)
{
    const struct router *router = ask->router;
    char why[LLM_ERROR_MAX + 1] = "no paid calls are made here";

    if (router->ops->pay != NULL && router->ops->pay(router->arg, why) == ROUTER_MAY_PAY)
        return true;
    attempt_fail(&ask->call, LLM_OVER_BUDGET, why);
    return false;
}

/* The first call of a visit, or its retry. */
static void call_hop(struct router_ask *ask)
{
    ask->call_started_ms = now_of(ask);
    ask->call_ended_ms = ask->call_started_ms;
    fill_call(ask, LLM_ASK, ask->visit_ends_ms);
    ask->state = ROUTER_CALLED;
    if (set_guard(ask) != 0) {
        attempt_fail(&ask->call, LLM_NETWORK_ERROR, "the loop is out of timers");
    } else if (hop_of(ask)->cloud && !may_pay(ask)) {
        loop_timer_clear(ask->router->loop, &ask->timer);
    } else {
        ask->called = true;
        start_call(ask, ROUTER_CALLING, ROUTER_CALLED);
    }
}

/* ---- Whether a hop can be asked ---- */

static bool is_held(const struct router_ask *ask, unsigned hop)
{
    return (ask->held & (1U << hop)) != 0;
}

/* Is there anything to hope for from a later hop, and does the first such hop cost? */
static bool is_paid_next(const struct router_ask *ask)
{
    const struct router *router = ask->router;

    for (unsigned i = ask->hop + 1; i < router->hop_count; i++) {
        const struct router_hop *hop = &router->hops[i];
        if (hop->cloud && (ask->free_only || router->ops->pay == NULL))
            continue;
        if (ask->insisting ? is_held(ask, i)
                           : breaker_allows(&hop->breaker, now_of(ask)) &&
                                 !warmup_running(&router->warmups, hop))
            return hop->cloud;
    }
    return false;
}

/* The hop is not asked: that is told as an attempt, and costs nothing. */
static void pass_over(struct router_ask *ask, enum llm_outcome outcome, const char *why)
{
    llm_call_reset(&ask->call, ask->router->loop);
    attempt_fail(&ask->call, outcome, why);
    attempt_add(&ask->answer, hop_of(ask), &ask->call, ask->request->context, 0);
    leave_hop(ask);
}

static void hold(struct router_ask *ask, const char *why)
{
    ask->held |= 1U << ask->hop;
    pass_over(ask, LLM_BREAKER_OPEN, why);
}

static void visit(struct router_ask *ask)
{
    struct router_hop *hop = hop_of(ask);

    ask->pass = breaker_take(&hop->breaker, now_of(ask));
    if (ask->pass == BREAKER_HELD && !ask->insisting) {
        hold(ask, hop->breaker.probing ? "another call tries it" : "it failed too often lately");
        return;
    }
    ask->retried = false;
    ask->visit_ends_ms = now_of(ask) + hop->limit_ms;
    call_hop(ask);
}

/* ---- Cold models ---- */

/* The model is not there, and is being loaded: true where the question waits for it. However many
 * questions come, the time of waiting is counted once, from the start of the warm-up. */
static bool wait_for_model(struct router_ask *ask)
{
    const struct router *router = ask->router;
    int64_t until_ms = warmup_began(&router->warmups, hop_of(ask)) + router->cold_ms;

    if (ask->waited || hop_of(ask)->stays_cold || until_ms <= now_of(ask) || !is_paid_next(ask) ||
        set_timer(ask, until_ms) != 0)
        return false;
    ask->waited = true;
    ask->state = ROUTER_WAITING;
    return true;
}

static void warm(struct router_ask *ask)
{
    if (!warmup_start(&ask->router->warmups, hop_of(ask)) || !wait_for_model(ask))
        leave_hop(ask);
}

/* A local server that was reached did not answer in time: does it have the model in memory? */
static void look_at_model(struct router_ask *ask)
{
    if (warmup_running(&ask->router->warmups, hop_of(ask))) {
        warm(ask);
        return;
    }
    fill_call(ask, LLM_RESIDENT, now_of(ask) + RESIDENT_LIMIT_MS);
    if (set_guard(ask) != 0)
        leave_hop(ask);
    else
        start_call(ask, ROUTER_LOOKING, ROUTER_LOOKED);
}

static void model_looked_at(struct router_ask *ask)
{
    if (ask->call.outcome == LLM_SUCCESS && !ask->call.resident)
        warm(ask);
    else
        leave_hop(ask);
}

static void warmup_ended(void *arg, const struct router_hop *hop, bool success)
{
    struct router *router = arg;

    if (success)
        visit_restore(&router->hops[hop - router->hops]);
    else
        router->hops[hop - router->hops].stays_cold = true;
    for (unsigned slot = 0; slot < ASKS_MAX; slot++) {
        struct router_ask *ask = &router->asks[slot];
        if (ask->state != ROUTER_WAITING || hop_of(ask) != hop)
            continue;
        if (!success)
            hold(ask, "its model could not be loaded");
        set_soon(ask);
    }
}

/* ---- The end of a call and of a visit ---- */

/* Once a visit. True where the question now pauses. */
static bool pause_for_retry(struct router_ask *ask)
{
    int64_t left_ms = ask->visit_ends_ms - now_of(ask);
    int64_t pause_ms = ask->retried ? -1 : visit_pause(&ask->call, left_ms, &ask->router->jitter);

    if (pause_ms < 0 || set_timer(ask, now_of(ask) + pause_ms) != 0)
        return false;
    ask->retried = true;
    ask->state = ROUTER_PAUSING;
    return true;
}

static void finish(struct router_ask *ask)
{
    struct router *router = ask->router;

    ask->answer.latency_ms = now_of(ask) - ask->started_ms;
    ask->state = ROUTER_FREE;
    router->ops->answered(router->arg, (unsigned)(ask - router->asks), &ask->answer);
}

static bool may_be_cold(struct router_ask *ask)
{
    const struct router_hop *hop = hop_of(ask);

    return ask->call.outcome == LLM_TIMEOUT && ask->call.reached && hop->provider->can_warm &&
           !hop->cloud;
}

static void call_ended(struct router_ask *ask)
{
    struct router_hop *hop = hop_of(ask);
    struct llm_call *call = &ask->call;
    struct llm_answer *answer = &ask->answer;

    if (call->outcome == LLM_SUCCESS)
        attempt_judge(call, ask->request, &answer->object);
    attempt_add(answer, hop, call, ask->request->context,
                ask->call_ended_ms - ask->call_started_ms);
    if (pause_for_retry(ask))
        return;
    visit_settle(hop, call, ask->pass, ask->retried, now_of(ask));
    if (call->outcome == LLM_SUCCESS) {
        answer->success = true;
        span_cut_text(answer->model, sizeof(answer->model), hop->label);
        finish(ask);
    } else if (may_be_cold(ask)) {
        look_at_model(ask);
    } else {
        leave_hop(ask);
    }
}

/* ---- The way of a question ---- */

/* The last answer of this slot is forgotten only here, so that the callback may ask again while it
 * looks at it. */
static void begin(struct router_ask *ask)
{
    /* What was paid for in vain before a reload is not paid for again. */
    ask->answer = (struct llm_answer){.paid_rejected = ask->free_only && !ask->request->free_only};
    ask->hop = 0;
    ask->held = 0;
    ask->called = false;
    ask->insisting = false;
    ask->waited = false;
    ask->state = ROUTER_AT_HOP;
}

/* No hop is left. */
static void end_of_chain(struct router_ask *ask)
{
    if (!ask->request->insist || ask->insisting || ask->called) {
        finish(ask);
        return;
    }
    ask->insisting = true;
    ask->hop = 0;
}

static void arrive(struct router_ask *ask)
{
    if (ask->hop == ask->router->hop_count) {
        end_of_chain(ask);
    } else if (ask->insisting && !is_held(ask, ask->hop)) {
        leave_hop(ask);
    } else if (hop_of(ask)->cloud && ask->free_only) {
        pass_over(ask, LLM_OVER_BUDGET,
                  "a paid answer to this event was refused or invalid before");
    } else if (!ask->insisting && warmup_running(&ask->router->warmups, hop_of(ask))) {
        if (!wait_for_model(ask))
            hold(ask, "its model is being loaded");
    } else {
        visit(ask);
    }
}

/* Goes on until something has to be waited for. */
static void advance(struct router_ask *ask)
{
    while (ask->state != ROUTER_FREE && !ask->timer.set) {
        switch (ask->state) {
        case ROUTER_FREE:
            return;
        case ROUTER_FIRST:
            begin(ask);
            break;
        case ROUTER_AT_HOP:
            arrive(ask);
            break;
        case ROUTER_PAUSING:
            call_hop(ask);
            break;
        case ROUTER_CALLING: /* it did not end itself */
            hop_of(ask)->provider->cancel(&ask->call);
            attempt_fail(&ask->call, LLM_TIMEOUT, "no answer within the hop's limit");
            ask->call_ended_ms = now_of(ask);
            ask->state = ROUTER_CALLED;
            break;
        case ROUTER_CALLED:
            call_ended(ask);
            break;
        case ROUTER_LOOKING:
            hop_of(ask)->provider->cancel(&ask->call);
            leave_hop(ask);
            break;
        case ROUTER_LOOKED:
            model_looked_at(ask);
            break;
        case ROUTER_WAITING:
            visit(ask);
            break;
        }
    }
}

static void due(struct loop *loop, void *arg)
{
    (void)loop;
    advance(arg);
}

int router_ask(struct router *router, unsigned slot, const struct llm_request *request)
{
    struct router_ask *ask = &router->asks[slot];

    ask->router = router;
    if (set_timer(ask, router->loop->now.boot_ms) != 0)
        return -1;
    ask->state = ROUTER_FIRST;
    ask->request = request;
    ask->free_only = request->free_only;
    ask->started_ms = router->loop->now.boot_ms;
    return 0;
}

/* Ends what is under way at the hop being asked. */
static void drop(struct router_ask *ask)
{
    if (ask->state == ROUTER_CALLING || ask->state == ROUTER_LOOKING)
        hop_of(ask)->provider->cancel(&ask->call);
    if (ask->state == ROUTER_CALLING || ask->state == ROUTER_CALLED || ask->state == ROUTER_PAUSING)
        breaker_dropped(&hop_of(ask)->breaker, ask->pass);
}

void router_cancel(struct router *router, unsigned slot)
{
    struct router_ask *ask = &router->asks[slot];

    if (ask->state == ROUTER_FREE)
        return;
    drop(ask);
    loop_timer_clear(router->loop, &ask->timer);
    ask->state = ROUTER_FREE;
}

/* ---- The chain itself ---- */

void router_init(struct router *router, struct loop *loop, const struct router_ops *ops, void *arg,
                 uint64_t seed)
{
    router->loop = loop;
    router->ops = ops;
    router->arg = arg;
    router->jitter = seed;
    router->cold_ms = 0;
    router->hop_count = 0;
    warmup_init(&router->warmups, loop, warmup_ended, router);
}

static void begin_anew(struct router_ask *ask)
{
    if (ask->state != ROUTER_FIRST && ask->answer.paid_rejected)
        ask->free_only = true;
    ask->state = ROUTER_FIRST;
    set_soon(ask);
}

static void keep_counters(const struct router *router, struct router_hop *hop)
{
    for (unsigned i = 0; i < router->hop_count; i++) {
        const struct router_hop *old = &router->hops[i];
        if (strcmp(old->label, hop->label) != 0)
            continue;
        hop->success = old->success;
        hop->fallback = old->fallback;
        hop->error = old->error;
        hop->input_tokens = old->input_tokens;
        hop->output_tokens = old->output_tokens;
    }
}

void router_set_chain(struct router *router, const struct chain *chain, int64_t cold_ms)
{
    struct router_hop hops[CHAIN_HOPS_MAX];

    for (unsigned slot = 0; slot < ASKS_MAX; slot++)
        drop(&router->asks[slot]);
    warmup_stop_all(&router->warmups);
    memcpy(hops, chain->hops, sizeof(hops));
    for (unsigned i = 0; i < chain->count; i++)
        keep_counters(router, &hops[i]);
    memcpy(router->hops, hops, sizeof(hops));
    router->hop_count = chain->count;
    router->cold_ms = cold_ms;
    for (unsigned slot = 0; slot < ASKS_MAX; slot++)
        if (router->asks[slot].state != ROUTER_FREE)
            begin_anew(&router->asks[slot]);
}
