#include "daemon/glue.h"

#include "base/log.h"
#include "daemon/bus.h"
#include "daemon/parts.h"
#include "daemon/saving.h"

#include <errno.h>

/* The planner's refs: the source in the upper half, its own handle in the lower one. */
enum source { SOURCE_FILES, SOURCE_STREAMS };

static uint64_t ref_of(enum source source, uint32_t handle)
{
    return (uint64_t)source << 32 | handle;
}

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

static int claim(void *ctx, unsigned slot, const struct event *event)
{
    (void)ctx;
    return bus_claim(slot, event);
}

static void claim_ended(void *ctx, const struct event *event, enum claim_end end,
                        const uint64_t *identities, size_t count)
{
    (void)ctx;
    bus_claim_ended(event, end, identities, count);
}

/* A slot waits for one of them. */
static void cancel(void *ctx, unsigned slot)
{
    struct daemon *d = ctx;

    router_cancel(&d->router, slot);
    bus_cancel(slot);
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
    if (result == FILE_OK)
        bus_action(id, body);
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

static void finished(void *ctx, uint64_t ref)
{
    struct daemon *d = ctx;
    uint32_t handle = (uint32_t)ref;

    d->ended++;
    if (ref >> 32 == SOURCE_STREAMS)
        bus_finished(handle);
    else
        files_finished(handle);
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
    case OUTCOME_WRITE_FAILED: /* it is tried again and again */
        return new ? LOG_WARNING : LOG_DEBUG;
    case OUTCOME_CLAIMED: /* it is looked at again and again */
        return new ? LOG_INFO : LOG_DEBUG;
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

/* Perhaps of work that had a slot: what found none may be read again. */
static bool is_an_end(enum outcome outcome)
{
    return outcome < OUTCOME_QUEUED && outcome != OUTCOME_QUEUE_FULL;
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

    if (decision->event == NULL) {
        d->refusal = decision->reason;
        log_refusal(decision);
    } else {
        log_decision(decision, new);
    }
    if (is_an_end(decision->outcome))
        d->ended++;
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
    .claim = claim,
    .cancel = cancel,
    .claim_ended = claim_ended,
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

    bus_answered(d, d->planner.slots[slot].request.context, answer);
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

/* When it arrived, on the boot clock: it may have been before this boot. What arrived before the
 * clock was set (1970, on a node without a battery) or after now (it was set back) came just now:
 * its deadline is neither over nor far away. */
static int64_t arrived_boot_ms(struct now now, int64_t arrived_ms)
{
    return arrived_ms >= EVENT_AGE_FLOOR_MS && arrived_ms < now.wall_ms
               ? now.boot_ms - (now.wall_ms - arrived_ms)
               : now.boot_ms;
}

static enum files_took file_event(void *ctx, const struct files_event *event)
{
    struct daemon *d = ctx;
    struct arrival arrival = {
        .origin = event->origin,
        .wall_ms = event->arrived_ms,
        .boot_ms = arrived_boot_ms(d->loop.now, event->arrived_ms),
        .floor_ms = event->floor_ms,
        .ref = ref_of(SOURCE_FILES, event->ref),
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

static void refused(void *ctx, struct span origin, const char *reason)
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
    .refused = refused,
};

/* ---- Redis ---- */

static enum planner_took take(struct daemon *d, struct span bytes, struct span origin, uint64_t ref)
{
    struct arrival arrival = {
        .origin = origin,
        .wall_ms = d->loop.now.wall_ms,
        .boot_ms = d->loop.now.boot_ms,
        .ref = ref,
        .holds = ref != NO_REF,
        .complete = true,
    };

    return planner_event(&d->planner, bytes, &arrival, d->loop.now);
}

static void message(void *ctx, struct span bytes, struct span origin)
{
    (void)take(ctx, bytes, origin, NO_REF);
}

const struct redis_pubsub_ops glue_pubsub_ops = {
    .event = message,
    .refused = refused,
};

static enum stream_took entry(void *ctx, struct span bytes, struct span origin, uint32_t ref,
                              const char **reason)
{
    struct daemon *d = ctx;

    d->refusal = NULL;
    switch (take(d, bytes, origin, ref_of(SOURCE_STREAMS, ref))) {
    case PLANNER_KEEPS:
        return STREAM_KEPT;
    case PLANNER_NO_SLOT:
        return STREAM_NO_SLOT;
    case PLANNER_ENDED:
    case PLANNER_UNSURE: /* it is complete */
        break;
    }
    *reason = d->refusal;
    return d->refusal != NULL ? STREAM_REFUSED : STREAM_ENDED;
}

static unsigned free_slots(void *ctx)
{
    const struct daemon *d = ctx;

    unsigned room = queue_room(&d->planner.queue, d->no_slot);
    unsigned half = QUEUE_DURABLE_MAX / 2, count = d->planner.queue.count;

    /* Entries wait as well in Redis as here, at no cost of memory. Where files wait, which are read
     * again when half of it is free, that is not taken from them. */
    if (count >= half)
        return 0;
    return room < half - count ? room : half - count;
}

const struct redis_stream_ops glue_stream_ops = {
    .event = entry,
    .refused = refused,
    .free_slots = free_slots,
};
