#include "llm/warmup.h"

#include "base/log.h"

void warmup_init(struct warmups *warmups, struct loop *loop,
                 void (*ended)(void *arg, const struct router_hop *hop, bool success), void *arg)
{
    warmups->loop = loop;
    warmups->ended = ended;
    warmups->arg = arg;
}

/* The first that is of this hop (NULL: that is free); WARMUPS_MAX: none. */
static unsigned place_of(const struct warmups *warmups, const struct router_hop *hop)
{
    unsigned i = 0;

    while (i < WARMUPS_MAX && warmups->pool[i].hop != hop)
        i++;
    return i;
}

bool warmup_running(const struct warmups *warmups, const struct router_hop *hop)
{
    return place_of(warmups, hop) < WARMUPS_MAX;
}

int64_t warmup_began(const struct warmups *warmups, const struct router_hop *hop)
{
    unsigned place = place_of(warmups, hop);

    return place < WARMUPS_MAX ? warmups->pool[place].started_ms : INT64_MIN;
}

bool warmup_any(const struct warmups *warmups)
{
    for (unsigned i = 0; i < WARMUPS_MAX; i++)
        if (warmups->pool[i].hop != NULL)
            return true;
    return false;
}

/* The call is over: what came of it is told, and the place is free. */
static void tell(struct warmup *warmup)
{
    struct warmups *warmups = warmup->all;
    const struct router_hop *hop = warmup->hop;
    const struct llm_call *call = &warmup->call;
    int64_t took_ms = warmups->loop->now.boot_ms - warmup->started_ms;
    bool success = call->outcome == LLM_SUCCESS;

    if (success)
        LOG(LOG_INFO, "model_warm", LOG_STR("model", hop->label), LOG_INT("latency_ms", took_ms));
    else
        LOG(LOG_WARNING, "model_not_warmed", LOG_STR("model", hop->label),
            LOG_STR("outcome", llm_outcome_text(call->outcome)), LOG_INT("status", call->status),
            LOG_INT("latency_ms", took_ms), LOG_STR("error", call->error));
    warmup->hop = NULL;
    warmups->ended(warmups->arg, hop, success);
}

/* The end, or a call that did not see to its own deadline. */
static void due(struct loop *loop, void *arg)
{
    struct warmup *warmup = arg;

    (void)loop;
    if (!warmup->ended) {
        warmup->hop->provider->cancel(&warmup->call);
        warmup->call.outcome = LLM_TIMEOUT;
        span_cut_text(warmup->call.error, sizeof(warmup->call.error),
                      "the model was not loaded in time");
    }
    tell(warmup);
}

/* The provider calls this from inside its own code: what follows waits for the next turn. */
static void call_done(struct llm_call *call)
{
    struct warmup *warmup = call->arg;
    struct loop *loop = warmup->all->loop;

    warmup->ended = true;
    /* It is set, so that moving it does not fail. */
    if (loop_timer_set(loop, &warmup->timer, loop->now.boot_ms) != 0)
        tell(warmup);
}

bool warmup_start(struct warmups *warmups, const struct router_hop *hop)
{
    struct loop *loop = warmups->loop;

    if (warmup_running(warmups, hop))
        return true;
    unsigned place = place_of(warmups, NULL);
    if (place == WARMUPS_MAX)
        return false;
    struct warmup *warmup = &warmups->pool[place];
    struct llm_call *call = &warmup->call;
    llm_call_reset(call, loop);
    call->purpose = LLM_WARM;
    call->request = NULL;
    call->server = hop->server;
    call->model = hop->model;
    call->cloud = hop->cloud;
    call->deadline_ms = loop->now.boot_ms + WARM_LIMIT_MS;
    call->done = call_done;
    call->arg = warmup;
    warmup->all = warmups;
    warmup->timer.due = due;
    warmup->timer.arg = warmup;
    if (loop_timer_set(loop, &warmup->timer, call->deadline_ms + CALL_GRACE_MS) != 0)
        return false;
    warmup->hop = hop;
    warmup->started_ms = loop->now.boot_ms;
    warmup->ended = false;
    LOG(LOG_INFO, "model_warming", LOG_STR("model", hop->label),
        LOG_INT("limit_ms", WARM_LIMIT_MS));
    if (hop->provider->start(call) == LLM_ENDED)
        call_done(call);
    return true;
}

void warmup_stop_all(struct warmups *warmups)
{
    for (unsigned i = 0; i < WARMUPS_MAX; i++) {
        struct warmup *warmup = &warmups->pool[i];
        if (warmup->hop == NULL)
            continue;
        if (!warmup->ended)
            warmup->hop->provider->cancel(&warmup->call);
        loop_timer_clear(warmups->loop, &warmup->timer);
        warmup->hop = NULL;
    }
}
