#include "planner/planner.h"

#include "planner/conclude.h"
#include "planner/intake.h"

void planner_init(struct planner *p, const struct planner_settings *settings,
                  const struct planner_ops *ops, void *ctx, uint64_t seed)
{
    p->ops = ops;
    p->ctx = ctx;
    p->jitter = seed;
    p->write_blocked_until_ms = INT64_MIN;
    cooldown_init(&p->cooldowns);
    deployment_init(&p->deployments);
    planner_configure(p, settings);
}

void planner_configure(struct planner *p, const struct planner_settings *settings)
{
    p->settings = *settings;
    prompt_system(&p->system, settings->topology, &settings->policy);
    for (unsigned slot = 0; slot < ASKS_MAX; slot++) {
        if (p->slots[slot].work == NULL)
            continue; /* its memory is not touched before it is used */
        p->slots[slot].request.system = p->system.plain;
        p->slots[slot].request.system_masked = p->system.masked;
    }
}

/* ---- an event ---- */

/* Looks again at a key's work after a recovery or a deployment of it was read: it may be over, or
 * have to wait. */
static void review(struct planner *p, struct work *work, struct now now)
{
    struct event room;
    const struct event *event = queue_event(&p->queue, work, &room);
    if (conclude_is_written(p, work, now))
        return;
    if (intake_recovered(p, event, &work->joined, now)) {
        conclude_drop(p, work, OUTCOME_RECOVERED, "a recovery that is not older was read", now);
        return;
    }
    switch (intake_deployment(p, event, &work->joined, now)) {
    case DEPLOYMENT_COVERS:
        conclude_drop(p, work, OUTCOME_DEPLOYED, "it lies inside a deployment that completed", now);
        return;
    case DEPLOYMENT_HOLDS:
        if (work->state == WORK_HELD || work->released)
            return; /* a hold is not made longer by the next deployment */
        conclude_take_back(p, work);
        work->state = WORK_HELD;
        work->looked_ms = INT64_MIN;
        work->due_ms = deployment_hold_until(&p->deployments, span_of(event->key), now.boot_ms);
        return;
    case DEPLOYMENT_NONE:
        if (work->state == WORK_HELD) {
            work->due_ms = now.boot_ms; /* what held it does so no longer */
            work->released = true;
        }
        return;
    }
}

static void review_key(struct planner *p, const struct event *event, struct now now)
{
    struct work *work = queue_find(&p->queue, span_of(event->key));
    if (work != NULL)
        review(p, work, now);
}

static void join_held(struct planner *p, struct work *work, struct work *held)
{
    struct event leader, event;
    joined_add(&work->joined, queue_event(&p->queue, work, &leader),
               queue_event(&p->queue, held, &event));
    joined_merge(&work->joined, &leader, &held->joined);
    conclude_event(p, held, OUTCOME_JOINED, "its deployment failed");
    handles_move(&p->queue.refs, &work->refs, &held->refs, false);
    conclude_release(p, &held->refs);
    queue_free(&p->queue, held);
}

/* A failed deployment is a fault, and what it held joins it. */
static enum planner_took deployment_failed(struct planner *p, struct newcomer *new, struct now now)
{
    struct span key = span_of(new->event->key);
    deployment_end(&p->deployments, key, false, new->event->at_ms, now.boot_ms);
    struct work *held = queue_find(&p->queue, key);
    if (held == NULL || held->state != WORK_HELD || joined_has(&held->joined, new->event))
        return intake_fault(p, new, now);
    queue_remove(&p->queue, held);
    enum planner_took took = intake_fault(p, new, now);
    struct work *work = queue_find(&p->queue, key);
    if (took != PLANNER_KEEPS || work == NULL) {
        intake_again(p, held, now);
        return took;
    }
    join_held(p, work, held);
    return took;
}

/* Of its handle the source is told by what is returned, where the planner did not keep it. */
static enum planner_took take_fault(struct planner *p, const struct event *event,
                                    const struct arrival *arrival, bool failed_deployment,
                                    struct now now)
{
    struct newcomer new = {.event = event, .arrived_ms = arrival->boot_ms};
    struct handles *refs = &p->queue.refs;
    if (arrival->ref != NO_REF && handles_start(refs, &new.refs, arrival->ref, arrival->holds) != 0)
        return PLANNER_NO_SLOT;
    joined_start(&new.joined, new.identities, event);
    enum planner_took took =
        failed_deployment ? deployment_failed(p, &new, now) : intake_fault(p, &new, now);
    (void)handles_take(refs, &new.refs);
    return took;
}

static enum planner_took take(struct planner *p, const struct event *event,
                              const struct arrival *arrival, struct now now)
{
    struct span key = span_of(event->key);

    switch (event->kind) {
    case EVENT_FAULT:
    case EVENT_DEPLOYMENT_FAILED:
        return take_fault(p, event, arrival, event->kind == EVENT_DEPLOYMENT_FAILED, now);
    case EVENT_RECOVERY:
    case EVENT_NODE_ONLINE:
        recovery_note(&p->recoveries, key, span_of(event->source), event->kind == EVENT_NODE_ONLINE,
                      event->at_ms, now.boot_ms);
        review_key(p, event, now);
        break;
    case EVENT_DEPLOYMENT_STARTED:
        deployment_start(&p->deployments, key, event->at_ms, arrival->boot_ms);
        review_key(p, event, now);
        break;
    case EVENT_DEPLOYMENT_COMPLETED:
        deployment_end(&p->deployments, key, true, event->at_ms, now.boot_ms);
        review_key(p, event, now);
        break;
    case EVENT_BENIGN:
        break;
    }
    return conclude_newcomer(p, OUTCOME_BENIGN, event, "nothing to do");
}

static enum planner_took refuse(struct planner *p, enum event_error error, struct span origin)
{
    char name[FILE_NAME_MAX + 1];
    span_cut(name, sizeof(name), origin);
    p->refused[error]++;
    conclude_tell(p, &(struct decision){.outcome = OUTCOME_REFUSED,
                                        .reason = event_error_text(error),
                                        .origin = name});
    return PLANNER_ENDED;
}

enum planner_took planner_event(struct planner *p, struct span bytes, const struct arrival *arrival,
                                struct now now)
{
    struct event event;
    enum event_error error =
        event_parse(&event, bytes, p->settings.aliases, arrival->origin, arrival->wall_ms);
    bool may_grow = error == EVENT_NOT_JSON || error == EVENT_NOT_UTF8;
    if (may_grow && !arrival->complete)
        return PLANNER_UNSURE;
    if (error != EVENT_OK)
        return refuse(p, error, arrival->origin);
    if (event.dated && event.at_ms < arrival->floor_ms)
        return conclude_newcomer(p, OUTCOME_PASSED_OVER, &event, "older than a first start takes");
    return take(p, &event, arrival, now);
}

/* ---- what is due ---- */

/* May it be asked? In a single run every event gets one try. */
static bool is_ready(const struct planner *p, const struct work *work, struct now now)
{
    return work->state == WORK_QUEUED && work->due_ms <= now.boot_ms &&
           (!p->settings.once || work->tries == 0 || work->exhausted);
}

/* The gravest comes first, then the one that arrived first. */
static struct work *next_ready(const struct planner *p, struct now now)
{
    struct work *best = NULL;
    for (uint32_t i = 0; i < p->queue.count; i++) {
        struct work *work = queue_at(&p->queue, i);
        if (!is_ready(p, work, now))
            continue;
        if (best == NULL || work->severity > best->severity ||
            (work->severity == best->severity && work->arrived_ms < best->arrived_ms))
            best = work;
    }
    return best;
}

static struct work *hold_that_ended(const struct planner *p, struct now now)
{
    for (uint32_t i = 0; i < p->queue.count; i++) {
        struct work *work = queue_at(&p->queue, i);
        if (work->state == WORK_HELD && work->due_ms <= now.boot_ms)
            return work;
    }
    return NULL;
}

static void release_holds(struct planner *p, struct now now)
{
    struct work *work;
    while ((work = hold_that_ended(p, now)) != NULL) {
        queue_remove(&p->queue, work);
        intake_again(p, work, now);
    }
}

static void remember_recoveries(struct planner *p, struct now now)
{
    for (uint32_t i = 0; i < p->queue.count; i++)
        recovery_touch(&p->recoveries, p->queue.hashes[i], now.boot_ms);
}

static void write_decided(struct planner *p, struct now now)
{
    for (unsigned slot = 0; slot < ASKS_MAX; slot++) {
        const struct work *work = p->slots[slot].work;
        if (work != NULL && work->state == WORK_DECIDED && work->due_ms <= now.boot_ms)
            conclude_write(p, slot, now);
    }
}

static void ask_what_is_ready(struct planner *p, struct now now)
{
    for (unsigned slot = 0; slot < p->settings.concurrency; slot++) {
        struct work *work;
        while (p->slots[slot].work == NULL && p->write_blocked_until_ms <= now.boot_ms &&
               (work = next_ready(p, now)) != NULL)
            conclude_begin(p, work, slot, now);
    }
}

static bool slot_is_free(const struct planner *p)
{
    for (unsigned slot = 0; slot < p->settings.concurrency; slot++) {
        if (p->slots[slot].work == NULL)
            return true;
    }
    return false;
}

/* What is with the bus or the chain has no time of its own here; what waits for a slot gets it by
 * an answer.
 */
static int64_t next_due(const struct planner *p, struct now now, bool backlog)
{
    bool may_ask = !backlog && slot_is_free(p);
    int64_t due = INT64_MAX;
    for (uint32_t i = 0; i < p->queue.count; i++) {
        const struct work *work = queue_at(&p->queue, i);
        int64_t at = work->due_ms;
        if (work->state == WORK_CLAIMING || work->state == WORK_ASKED ||
            (work->state == WORK_QUEUED && (!may_ask || (p->settings.once && work->tries > 0))))
            continue;
        if (work->state == WORK_QUEUED && at < p->write_blocked_until_ms)
            at = p->write_blocked_until_ms;
        if (at < due)
            due = at;
    }
    if (due == INT64_MAX)
        return -1;
    return due > now.boot_ms ? due : now.boot_ms;
}

int64_t planner_turn(struct planner *p, struct now now, bool backlog)
{
    seen_turn(&p->seen, now.boot_ms);
    release_holds(p, now);
    remember_recoveries(p, now);
    write_decided(p, now);
    if (!backlog)
        ask_what_is_ready(p, now);
    return next_due(p, now, backlog);
}

void planner_answered(struct planner *p, unsigned slot, const struct llm_answer *answer,
                      struct now now)
{
    conclude_answer(p, slot, answer, now);
}

void planner_claimed(struct planner *p, unsigned slot, const struct claim_answer *answer,
                     struct now now)
{
    conclude_claimed(p, slot, answer, now);
}

void planner_stop(struct planner *p)
{
    for (unsigned slot = 0; slot < ASKS_MAX; slot++) {
        struct work *work = p->slots[slot].work;
        if (work != NULL && work->state != WORK_DECIDED)
            conclude_take_back(p, work);
    }
}

bool planner_busy(const struct planner *p)
{
    struct now end_of_time = {.boot_ms = INT64_MAX};
    for (unsigned slot = 0; slot < ASKS_MAX; slot++) {
        if (p->slots[slot].work != NULL)
            return true;
    }
    return next_ready(p, end_of_time) != NULL;
}
