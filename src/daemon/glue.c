#include "daemon/glue.h"

#include "base/log.h"
#include "daemon/parts.h"
#include "daemon/saving.h"

#include <errno.h>

/* ---- The planner's way into the world ---- */

/* The rules table answers for nothing: what it says may be lost and said again. */
static int writable(void *ctx)
{
    struct daemon *d = ctx;

    if (!models_ask_servers(d->models))
        return 0;
    int error = tree_takes(&d->tree, actions_dir(ACTION_PENDING));
    if (error == ENOENT && saving_restore(d, ENOENT))
        error = tree_takes(&d->tree, actions_dir(ACTION_PENDING));
    faults_tried(&d->faults, FAULT_PROPOSE, error, d->loop.now.wall_ms);
    return error;
}

static void world(void *ctx, const struct event *event, struct world_facts *facts)
{
    const struct daemon *d = ctx;

    world_look(&d->tree, event->key, event->node, event->service, facts);
}

static int ask(void *ctx, unsigned slot, const struct llm_request *request)
{
    struct daemon *d = ctx;

    return router_ask(&d->router, slot, request);
}

static void cancel(void *ctx, unsigned slot)
{
    struct daemon *d = ctx;

    router_cancel(&d->router, slot);
}

static unsigned present(void *ctx, enum action_place place, const char *const *ids, size_t count)
{
    struct daemon *d = ctx;
    unsigned found = actions_present(&d->tree, place, ids, count);

    /* What is found is looked at, and that tells. */
    if (found == 0)
        faults_tried(&d->faults, FAULT_LOOK, 0, d->loop.now.wall_ms);
    return found;
}

static enum action_look look(void *ctx, enum action_place place, const char *id,
                             struct action_facts *facts)
{
    struct daemon *d = ctx;
    enum action_look result = actions_look(&d->tree, place, id, facts);

    faults_tried(&d->faults, FAULT_LOOK, result == ACTION_FAULT ? errno : 0, d->loop.now.wall_ms);
    return result;
}

static enum file_result propose(void *ctx, const char *id, struct span body)
{
    struct daemon *d = ctx;
    enum file_result result = actions_put(&d->tree, id, body);

    if (result == FILE_ABSENT && saving_restore(d, ENOENT))
        result = actions_put(&d->tree, id, body);
    bool failed = result != FILE_OK && result != FILE_EXISTS;

    faults_tried(&d->faults, FAULT_PROPOSE, failed ? errno : 0, d->loop.now.wall_ms);
    return result;
}

static int settle(void *ctx)
{
    struct daemon *d = ctx;
    int result = actions_settle(&d->tree);

    faults_tried(&d->faults, FAULT_PROPOSE, result != 0 ? errno : 0, d->loop.now.wall_ms);
    return result;
}

static int audit(void *ctx, const struct audit *event)
{
    struct daemon *d = ctx;
    int result = audit_put(&d->tree, event);

    faults_tried(&d->faults, FAULT_AUDIT, result != 0 ? errno : 0, d->loop.now.wall_ms);
    return result;
}

static void finished(void *ctx, uint32_t ref)
{
    struct daemon *d = ctx;

    d->ended++;
    files_finished(ref);
}

/* ---- Decisions ---- */

static enum log_level level_of(enum outcome outcome, bool new)
{
    switch (outcome) {
    case OUTCOME_BENIGN:
    case OUTCOME_NOT_WATCHED:
    case OUTCOME_PASSED_OVER:
    case OUTCOME_QUEUED:
        return LOG_DEBUG;
    case OUTCOME_WRITE_FAILED:
        return new ? LOG_WARNING : LOG_DEBUG; /* it is tried again and again */
    case OUTCOME_CHAIN_FAILED:
    case OUTCOME_QUEUE_FULL:
        return LOG_WARNING;
    default:
        return LOG_INFO;
    }
}

static void log_decision(const struct decision *decision, bool new)
{
    const struct event *event = decision->event;

    LOG(level_of(decision->outcome, new), "decision",
        LOG_STR("outcome", outcome_text(decision->outcome)), LOG_STR("node", event->node),
        LOG_STR("service", event->service), LOG_STR("type", event->type),
        LOG_STR("severity", severity_text(event->severity)), LOG_STR("action", decision->action),
        LOG_STR("action_id", decision->action_id), LOG_STR("model", decision->model),
        LOG_STR("reason", decision->reason), LOG_INT("suppressed", decision->suppressed),
        LOG_STR("correlation_id", event->correlation_id), LOG_STR("origin", decision->origin));
}

static void log_refusal(const struct decision *decision)
{
    LOG(LOG_WARNING, "event_refused", LOG_STR("outcome", outcome_text(decision->outcome)),
        LOG_STR("reason", decision->reason), LOG_STR("origin", decision->origin));
}

/* What a crash should not make us do again. */
static bool is_saved_soon(enum outcome outcome)
{
    return outcome == OUTCOME_PROPOSED || outcome == OUTCOME_IGNORED || outcome == OUTCOME_RESUMED;
}

static void decided(void *ctx, const struct decision *decision)
{
    struct daemon *d = ctx;
    bool new = decisions_note(&d->decisions, decision, d->loop.now.wall_ms);

    if (decision->event == NULL)
        log_refusal(decision);
    else
        log_decision(decision, new);
    if (is_saved_soon(decision->outcome) || decision->outcome == OUTCOME_COOLDOWN)
        d->cooldowns_changed = true;
    if (is_saved_soon(decision->outcome))
        saving_soon(d);
    else
        saving_status(d);
}

const struct planner_ops glue_planner_ops = {
    .writable = writable,
    .world = world,
    .ask = ask,
    .cancel = cancel,
    .present = present,
    .look = look,
    .propose = propose,
    .settle = settle,
    .audit = audit,
    .finished = finished,
    .decided = decided,
};

/* ---- The chain's way back ---- */

static void answered(void *arg, unsigned slot, const struct llm_answer *answer)
{
    struct daemon *d = arg;

    planner_answered(&d->planner, slot, answer, d->loop.now);
}

static enum router_pay pay(void *arg, char *why)
{
    const struct daemon *d = arg;

    return models_pay(&d->tree, d->config, d->loop.now.wall_ms, why);
}

const struct router_ops glue_router_ops = {
    .answered = answered,
    .pay = pay,
};

/* ---- Event files ---- */

/* When it arrived, on the boot clock: it may have been before this boot. */
static int64_t arrived_boot_ms(struct now now, int64_t arrived_ms)
{
    return arrived_ms < now.wall_ms ? now.boot_ms - (now.wall_ms - arrived_ms) : now.boot_ms;
}

static enum files_took file_event(void *ctx, const struct files_event *event)
{
    struct daemon *d = ctx;
    struct arrival arrival = {
        .origin = event->origin,
        .wall_ms = event->arrived_ms,
        .boot_ms = arrived_boot_ms(d->loop.now, event->arrived_ms),
        .floor_ms = event->floor_ms,
        .ref = event->ref,
        .complete = event->complete,
    };

    switch (planner_event(&d->planner, event->bytes, &arrival, d->loop.now)) {
    case PLANNER_ENDED:
        d->ended++;
        return FILES_ENDED;
    case PLANNER_KEEPS:
        return FILES_KEPT;
    case PLANNER_NO_SLOT:
        d->no_slot = true;
        d->no_slot_ended = d->ended;
        return FILES_NO_SLOT;
    case PLANNER_UNSURE:
        return FILES_UNSURE;
    }
    return FILES_ENDED;
}

static void file_refused(void *ctx, struct span origin, const char *reason)
{
    struct daemon *d = ctx;
    char name[FILE_NAME_MAX + 1];

    d->unreadable++;
    (void)span_cut(name, sizeof(name), origin);
    decided(d, &(struct decision){.outcome = OUTCOME_REFUSED,
                                  .reason = reason,
                                  .action_id = "",
                                  .action = "",
                                  .model = "",
                                  .origin = name});
}

const struct files_ops glue_files_ops = {
    .event = file_event,
    .refused = file_refused,
};
