#include "llm/router.h"

#include "base/json_read.h"
#include "llm/chain.h"

#include <string.h>

void router_init(struct router *router, struct loop *loop,
                 void (*answered)(void *arg, unsigned slot, const struct llm_answer *answer),
                 void *arg)
{
    memset(router, 0, sizeof(*router));
    router->loop = loop;
    router->answered = answered;
    router->arg = arg;
    for (unsigned slot = 0; slot < ASKS_MAX; slot++)
        router->asks[slot].router = router;
}

/* ---- What became of an attempt ---- */

static void count(struct router_hop *hop, enum llm_outcome outcome)
{
    switch (outcome) {
    case LLM_SUCCESS:
        hop->success++;
        break;
    case LLM_REFUSAL:
    case LLM_INVALID_JSON:
    case LLM_SCHEMA_ERROR:
    case LLM_TRUNCATED:
        hop->fallback++;
        break;
    case LLM_TIMEOUT:
    case LLM_NETWORK_ERROR:
    case LLM_HTTP_ERROR:
        hop->error++;
        break;
    case LLM_BREAKER_OPEN:
    case LLM_OVER_BUDGET:
        break; /* it was not asked */
    }
}

/* What is wrong with the text as JSON, or NULL where it is an object. */
static const char *why_no_object(struct span text)
{
    static jsmntok_t tokens[PROPOSAL_BYTES_MAX / 2 + 2];
    struct json doc;

    enum json_error error = json_read(&doc, text.p, text.n, tokens,
                                      sizeof(tokens) / sizeof(tokens[0]), EVENT_DEPTH_MAX);
    if (error != JSON_OK)
        return json_error_text(error);
    return json_type(&doc, JSON_ROOT) == JSON_OBJECT ? NULL : "not a JSON object";
}

/* Looks at the text of a call that succeeded: the outcome, and why it is none in call->error. */
static void check_text(struct router_ask *ask)
{
    struct llm_call *call = &ask->call;
    struct span text = {call->text, call->text_len};
    char why[LLM_ERROR_MAX + 1];

    const char *no_object = why_no_object(text);
    if (no_object != NULL) {
        call->outcome = LLM_INVALID_JSON;
        span_cut(call->error, sizeof(call->error), span_of(no_object));
    } else if (ask->request->check(ask->request->check_arg, text, why) != 0) {
        call->outcome = LLM_SCHEMA_ERROR;
        span_cut(call->error, sizeof(call->error), span_of(why));
    } else {
        ask->answer.object = text;
    }
}

/* Takes what came of the hop being asked into the answer. */
static void record(struct router_ask *ask)
{
    struct llm_answer *answer = &ask->answer;
    struct llm_call *call = &ask->call;
    struct router_hop *hop = &ask->router->hops[ask->hop];

    if (call->outcome == LLM_SUCCESS)
        check_text(ask);
    struct llm_attempt *attempt = &answer->attempts[answer->attempt_count++];
    *attempt = (struct llm_attempt){
        .outcome = call->outcome,
        .status = call->status,
        .latency_ms = ask->router->loop->now.boot_ms - ask->hop_started_ms,
    };
    span_cut(attempt->model, sizeof(attempt->model), span_of(hop->label));
    span_cut(attempt->error, sizeof(attempt->error), span_of(call->error));
    count(hop, call->outcome);
    if (call->outcome == LLM_SUCCESS) {
        answer->success = true;
        span_cut(answer->model, sizeof(answer->model), span_of(hop->label));
    } else {
        ask->hop++;
    }
}

/* ---- The steps of a question ---- */

static void next_due(struct loop *loop, void *arg);

static unsigned slot_of(const struct router_ask *ask)
{
    return (unsigned)(ask - ask->router->asks);
}

static void finish(struct router_ask *ask)
{
    struct router *router = ask->router;

    ask->answer.latency_ms = router->loop->now.boot_ms - ask->started_ms;
    loop_timer_clear(router->loop, &ask->timer);
    ask->busy = false;
    router->answered(router->arg, slot_of(ask), &ask->answer);
}

/* 0, or -1 where the loop is out of timers. */
static int set_timer(struct router_ask *ask, void (*due)(struct loop *, void *),
                     int64_t deadline_ms)
{
    ask->timer.due = due;
    ask->timer.arg = ask;
    return loop_timer_set(ask->router->loop, &ask->timer, deadline_ms);
}

/* The provider calls this from inside its own code: what follows waits for the next turn. The
 * timer is set, so moving it does not fail. */
static void call_done(struct llm_call *call)
{
    struct router_ask *ask = call->arg;

    record(ask);
    if (set_timer(ask, next_due, ask->router->loop->now.boot_ms) != 0)
        finish(ask);
}

static void fail_call(struct llm_call *call, enum llm_outcome outcome, const char *error)
{
    call->outcome = outcome;
    call->status = 0;
    span_cut(call->error, sizeof(call->error), span_of(error));
}

static void limit_due(struct loop *loop, void *arg)
{
    struct router_ask *ask = arg;

    ask->router->hops[ask->hop].provider->cancel(&ask->call);
    fail_call(&ask->call, LLM_TIMEOUT, "no answer within the hop's limit");
    record(ask);
    next_due(loop, ask);
}

static enum llm_start begin_call(struct router_ask *ask)
{
    struct router *router = ask->router;
    const struct router_hop *hop = &router->hops[ask->hop];
    struct llm_call *call = &ask->call;

    ask->hop_started_ms = router->loop->now.boot_ms;
    *call = (struct llm_call){
        .request = ask->request,
        .model = hop->model,
        .loop = router->loop,
        .deadline_ms = ask->hop_started_ms + hop->limit_ms,
        .done = call_done,
        .arg = ask,
    };
    if (set_timer(ask, limit_due, call->deadline_ms) != 0) {
        fail_call(call, LLM_NETWORK_ERROR, "the loop is out of timers");
        return LLM_ENDED;
    }
    return hop->provider->start(call);
}

/* Asks hops until one takes its time, or until there is an answer or no hop left. */
static void next_due(struct loop *loop, void *arg)
{
    struct router_ask *ask = arg;

    (void)loop;
    while (!ask->answer.success && ask->hop < ask->router->hop_count) {
        if (begin_call(ask) == LLM_STARTED)
            return;
        record(ask);
    }
    finish(ask);
}

/* The first step; the last answer of this slot is forgotten only here, so that the callback may
 * ask again while it looks at it. */
static void first_due(struct loop *loop, void *arg)
{
    struct router_ask *ask = arg;

    ask->answer = (struct llm_answer){.success = false};
    ask->hop = 0;
    next_due(loop, ask);
}

int router_ask(struct router *router, unsigned slot, const struct llm_request *request)
{
    struct router_ask *ask = &router->asks[slot];

    if (set_timer(ask, first_due, router->loop->now.boot_ms) != 0)
        return -1;
    ask->busy = true;
    ask->request = request;
    ask->started_ms = router->loop->now.boot_ms;
    return 0;
}

/* Ends the call of the hop being asked, where there is one. */
static void drop_call(struct router_ask *ask)
{
    if (ask->timer.due == limit_due)
        ask->router->hops[ask->hop].provider->cancel(&ask->call);
}

void router_cancel(struct router *router, unsigned slot)
{
    struct router_ask *ask = &router->asks[slot];

    if (!ask->busy)
        return;
    drop_call(ask);
    loop_timer_clear(router->loop, &ask->timer);
    ask->busy = false;
}

/* ---- A new chain ---- */

static void begin_anew(struct router_ask *ask)
{
    drop_call(ask);
    /* The timer is set: moving it does not fail. */
    if (set_timer(ask, first_due, ask->router->loop->now.boot_ms) != 0)
        ask->busy = false;
}

static void keep_counters(const struct router *router, struct router_hop *hop)
{
    for (unsigned i = 0; i < router->hop_count; i++) {
        const struct router_hop *old = &router->hops[i];
        if (strcmp(old->label, hop->label) == 0) {
            hop->success = old->success;
            hop->fallback = old->fallback;
            hop->error = old->error;
        }
    }
}

int router_set_chain(struct router *router, struct span chain, char *why)
{
    struct chain parsed;

    if (chain_parse(&parsed, chain, why) != 0)
        return -1;
    for (unsigned slot = 0; slot < ASKS_MAX; slot++)
        if (router->asks[slot].busy)
            begin_anew(&router->asks[slot]);
    for (unsigned i = 0; i < parsed.count; i++)
        keep_counters(router, &parsed.hops[i]);
    memcpy(router->hops, parsed.hops, sizeof(router->hops));
    router->hop_count = parsed.count;
    return 0;
}
