#include "planner/intake.h"

#include "base/glob.h"
#include "planner/conclude.h"
#include "planner/open.h"

#include <string.h>

bool intake_recovered(const struct planner *p, const struct event *event,
                      const struct joined *joined, struct now now)
{
    return !joined->mixed &&
           recovery_covers(&p->recoveries, span_of(event->key), span_of(event->source),
                           joined_is_node_offline(event), joined->newest_ms, now.boot_ms);
}

enum deployment_view intake_deployment(const struct planner *p, const struct event *event,
                                       const struct joined *joined, struct now now)
{
    const struct deployments *d = &p->deployments;
    struct span key = span_of(event->key);
    enum deployment_view view = deployment_look(d, key, event->at_ms, now.boot_ms);
    if (view == DEPLOYMENT_COVERS &&
        (deployment_look(d, key, joined->oldest_ms, now.boot_ms) != DEPLOYMENT_COVERS ||
         deployment_look(d, key, joined->newest_ms, now.boot_ms) != DEPLOYMENT_COVERS))
        return DEPLOYMENT_NONE;
    return view;
}

/* ---- the queue ---- */

static bool leads(const struct newcomer *new, const struct work *work)
{
    if (work->stale != new->stale)
        return work->stale;
    if (new->event->severity != (enum severity)work->severity)
        return new->event->severity > (enum severity)work->severity;
    return new->event->at_ms >= work->at_ms;
}

/* Its handles go over to the piece that stands for it from now on. Before a new leader that can be
 * read again a loose one of the old leader is of no more use. */
static enum planner_took keep(struct planner *p, struct work *work, struct newcomer *new,
                              bool leads)
{
    bool durable = !handles_empty(&new->refs);
    if (leads && durable)
        conclude_release_loose(p, &work->refs);
    handles_move(&p->queue.refs, &work->refs, &new->refs, leads);
    return leads || (durable && handles_empty(&new->refs)) ? PLANNER_KEEPS : PLANNER_ENDED;
}

static enum planner_took join(struct planner *p, struct work *work, struct newcomer *new)
{
    struct event leader;
    joined_add(&work->joined, queue_event(&p->queue, work, &leader), new->event);
    conclude_newcomer(p, OUTCOME_JOINED, new->event, "its key is in hand");
    return keep(p, work, new, false);
}

/* It leads from now on; false where its event has no room. */
static bool lead(struct planner *p, struct work *work, const struct newcomer *new)
{
    struct event room;
    const struct event *old = queue_event(&p->queue, work, &room);
    if (queue_replace(&p->queue, work, new->event) != 0)
        return false;
    joined_add(&work->joined, old, new->event);
    conclude_tell(p, &(struct decision){.outcome = OUTCOME_JOINED,
                                        .event = old,
                                        .reason = "a graver or newer event of its key leads",
                                        .suppressed = work->joined.count});
    work->stale = new->stale;
    work->looked_ms = new->looked_ms;
    if (new->held && work->state != WORK_HELD && !work->released) {
        work->state = WORK_HELD;
        work->due_ms = new->due_ms;
    } else if (!new->held && work->state == WORK_HELD) {
        work->state = WORK_QUEUED;
        work->due_ms = new->due_ms;
    }
    return true;
}

/* What can be read again waits; what cannot may take the place of what matters less. */
static bool make_room(struct planner *p, const struct newcomer *new, const struct work *own,
                      struct now now)
{
    if (!handles_empty(&new->refs))
        return false;
    struct work *least = queue_least(&p->queue, new->event, own);
    if (least == NULL)
        return false;
    conclude_drop(p, least, OUTCOME_QUEUE_FULL, "a graver event took its slot", now);
    return true;
}

static enum planner_took no_slot(struct planner *p, const struct newcomer *new)
{
    if (!handles_empty(&new->refs))
        return PLANNER_NO_SLOT;
    return conclude_newcomer(p, OUTCOME_QUEUE_FULL, new->event, "no slot is free");
}

/* The graver, then the newer event stands for its key. The key's retry time and oldest arrival
 * stay: repeats must not put off the moment when a human hears of it. */
static enum planner_took merge(struct planner *p, struct work *work, struct newcomer *new,
                               struct now now)
{
    if (!leads(new, work))
        return join(p, work, new);
    while (!lead(p, work, new))
        if (!make_room(p, new, work, now))
            return handles_empty(&new->refs) ? join(p, work, new) : no_slot(p, new);
    return keep(p, work, new, true);
}

static enum planner_took settle_in(struct planner *p, struct work *work, struct newcomer *new)
{
    work->state = new->held ? WORK_HELD : WORK_QUEUED;
    work->arrived_ms = new->arrived_ms;
    work->looked_ms = new->looked_ms;
    work->due_ms = new->due_ms;
    work->stale = new->stale;
    joined_copy(&work->joined, &new->joined);
    work->released = new->released;
    return keep(p, work, new, true);
}

/* The key is in a slot, or unsure: only a graver event waits behind it. */
static enum planner_took wait_behind(struct planner *p, struct work *work, struct newcomer *new,
                                     struct now now)
{
    if (new->event->severity <= (enum severity)work->severity)
        return join(p, work, new);
    if (work->next != NULL)
        return merge(p, work->next, new, now);
    while (queue_add_next(&p->queue, work, new->event) == NULL)
        if (!make_room(p, new, NULL, now))
            return no_slot(p, new);
    return settle_in(p, work->next, new);
}

/* What can be read again leaves slots for what cannot. */
static bool is_backlog(const struct planner *p, const struct newcomer *new)
{
    return !new->again && !handles_empty(&new->refs) && queue_room(&p->queue, false) == 0;
}

static enum planner_took admit(struct planner *p, struct newcomer *new, struct now now)
{
    struct work *work = queue_find(&p->queue, span_of(new->event->key));
    if (work != NULL && (queue_is_busy(work) || queue_is_unsure(work)))
        return wait_behind(p, work, new, now);
    if (work != NULL)
        return merge(p, work, new, now);
    if (is_backlog(p, new))
        return PLANNER_NO_SLOT;
    while ((work = queue_add(&p->queue, new->event)) == NULL)
        if (!make_room(p, new, NULL, now))
            return no_slot(p, new);
    conclude_newcomer(p, new->held ? OUTCOME_HELD : OUTCOME_QUEUED, new->event,
                      new->held ? "a deployment of it is under way" : "its key has no work open");
    return settle_in(p, work, new);
}

/* What waited behind it has left the place of its own event, so that there is room for it here. */
static void merge_next(struct planner *p, struct work *work, struct work *next)
{
    struct event event, leader;
    struct newcomer new = {
        .event = queue_event(&p->queue, next, &event),
        .refs = next->refs,
        .looked_ms = next->looked_ms,
        .stale = next->stale,
    };
    queue_unload(&p->queue, next);
    joined_merge(&work->joined, queue_event(&p->queue, work, &leader), &next->joined);
    if (leads(&new, work) && lead(p, work, &new))
        keep(p, work, &new, true);
    else
        join(p, work, &new);
    conclude_release(p, &new.refs);
    queue_free(&p->queue, next);
}

void intake_merge_next(struct planner *p, struct work *work)
{
    struct work *next = work->next;
    work->next = NULL;
    if (next != NULL)
        merge_next(p, work, next);
}

/* ---- a fault ---- */

static bool watched(const struct planner *p, const struct event *event)
{
    return glob_list_match(p->settings.watch_nodes, span_of(event->node_as_came)) ||
           glob_list_match(p->settings.watch_nodes, span_of(event->node));
}

/* Its own time lies too far before its arrival for a model's answer to be of use. */
static bool stale(const struct planner *p, const struct event *event)
{
    return event->dated && event->arrived_ms - event->at_ms > p->settings.deadline_ms;
}

/* It is over before it had a piece of work. */
static enum planner_took end(struct planner *p, const struct newcomer *new, enum outcome outcome,
                             const char *reason)
{
    conclude_note(p, &new->joined);
    return conclude_newcomer(p, outcome, new->event, reason);
}

static enum planner_took hold(struct planner *p, struct newcomer *new, struct now now)
{
    new->held = true;
    new->looked_ms = INT64_MIN;
    new->due_ms = deployment_hold_until(&p->deployments, span_of(new->event->key), now.boot_ms);
    return admit(p, new, now);
}

/* Is there a button for it already, or did it have its turn lately? Else it is queued. */
static enum planner_took queue_up(struct planner *p, struct newcomer *new, struct now now)
{
    const struct event *event = new->event;
    struct open_actions open;
    open_look(&open, p, event, true, now);
    new->looked_ms = now.boot_ms;
    switch (open.view) {
    case OPEN_ACTION:
        return end(p, new, OUTCOME_ALREADY_OPEN, "an action for it is open");
    case OPEN_REJECTED:
        return end(p, new, OUTCOME_REJECTED_LATELY, "the operator rejected one lately");
    case OPEN_OWN:
    case OPEN_FAULT:
        new->looked_ms = INT64_MIN; /* seen to when its turn comes */
        return admit(p, new, now);
    case OPEN_NONE:
        break;
    }
    if (!cooldown_passes(&p->cooldowns, span_of(event->key), event->severity,
                         p->settings.cooldown_ms, now.boot_ms))
        return end(p, new, OUTCOME_COOLDOWN, "a repeat within COOLDOWN_SECONDS");
    return admit(p, new, now);
}

static enum planner_took consider(struct planner *p, struct newcomer *new, struct now now)
{
    const struct event *event = new->event;
    if (intake_recovered(p, event, &new->joined, now))
        return end(p, new, OUTCOME_RECOVERED, "a recovery that is not older was read");
    new->stale = stale(p, event);
    new->due_ms = now.boot_ms;
    switch (intake_deployment(p, event, &new->joined, now)) {
    case DEPLOYMENT_COVERS:
        return end(p, new, OUTCOME_DEPLOYED, "it lies inside a deployment that completed");
    case DEPLOYMENT_HOLDS:
        if (!new->released)
            return hold(p, new, now);
        break;
    case DEPLOYMENT_NONE:
        break;
    }
    return queue_up(p, new, now);
}

static enum planner_took not_watched(struct planner *p, const struct newcomer *new)
{
    return conclude_newcomer(p, OUTCOME_NOT_WATCHED, new->event, "its node is not in WATCH_NODES");
}

/* The piece that stands for this very event. */
static struct work *in_hand(const struct planner *p, const struct event *event)
{
    struct work *work = queue_find(&p->queue, span_of(event->key));
    while (work != NULL && !joined_has(&work->joined, event))
        work = work->next;
    return work;
}

enum planner_took intake_fault(struct planner *p, struct newcomer *new, struct now now)
{
    const struct event *event = new->event;
    if (!watched(p, event))
        return not_watched(p, new);
    if (seen_has(&p->seen, event->identity))
        return conclude_newcomer(p, OUTCOME_DUPLICATE, event, "this very event was handled before");
    struct work *work = in_hand(p, event);
    if (work == NULL)
        return consider(p, new, now);
    conclude_newcomer(p, OUTCOME_DUPLICATE, event, "this very event is in hand");
    return keep(p, work, new, false);
}

void intake_again(struct planner *p, struct work *work, struct now now)
{
    struct event event;
    struct newcomer new = {
        .event = queue_event(&p->queue, work, &event),
        .refs = work->refs,
        .arrived_ms = work->arrived_ms,
        .released = work->released || (work->state == WORK_HELD && work->due_ms <= now.boot_ms),
        .again = true,
    };
    new.joined.identities = new.identities;
    joined_copy(&new.joined, &work->joined);
    queue_free(&p->queue, work); /* so that there is a piece for it again, and room */
    if (watched(p, new.event))
        consider(p, &new, now);
    else
        not_watched(p, &new);
    conclude_release(p, &new.refs);
}
