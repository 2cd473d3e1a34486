#include "planner/conclude.h"

#include "base/log.h"
#include "llm/rules.h"
#include "planner/action.h"
#include "planner/intake.h"
#include "planner/open.h"

#include <errno.h>
#include <string.h>

/* How long a look at the open actions is good enough for asking a model, milliseconds. The look
 * before the file is linked is never left out. */
#define LOOK_FRESH_MS 1000

/* Names may be taken between the look and the link: so often we look again at once. */
#define LINK_TRIES 3

/* ---- telling ---- */

void conclude_tell(struct planner *p, const struct decision *decision)
{
    struct decision d = *decision;
    p->counts[d.outcome]++;
    if (d.origin == NULL)
        d.origin = d.event == NULL ? "" : d.event->correlation_id;
    if (d.action_id == NULL)
        d.action_id = "";
    if (d.action == NULL)
        d.action = "";
    if (d.model == NULL)
        d.model = "";
    p->ops->decided(p->ctx, &d);
}

enum planner_took conclude_newcomer(struct planner *p, enum outcome outcome,
                                    const struct event *event, const char *reason)
{
    conclude_tell(p, &(struct decision){.outcome = outcome, .event = event, .reason = reason});
    return PLANNER_ENDED;
}

void conclude_release(struct planner *p, uint32_t ref)
{
    if (ref != NO_REF)
        p->ops->finished(p->ctx, ref);
}

void conclude_event(struct planner *p, struct work *work, enum outcome outcome, const char *reason)
{
    conclude_tell(p, &(struct decision){.outcome = outcome,
                                        .event = &work->event,
                                        .reason = reason,
                                        .suppressed = work->joined.count});
    conclude_release(p, work->ref);
    work->ref = NO_REF;
}

/* ---- slots ---- */

static bool has_slot(const struct work *work)
{
    return work->state == WORK_ASKED || work->state == WORK_DECIDED;
}

/* The piece is queued again, without a slot. */
static void leave_slot(struct planner *p, struct work *work)
{
    p->slots[work->slot].work = NULL;
    work->state = WORK_QUEUED;
}

bool conclude_is_written(const struct planner *p, const struct work *work, struct now now)
{
    struct open_actions open;
    bool tried = work->state == WORK_DECIDED || work->looked_ms == INT64_MIN;
    if (work->state == WORK_HELD || !tried)
        return false;
    open_look(&open, p, &work->event, true, now);
    return open.view == OPEN_OWN || open.view == OPEN_FAULT;
}

void conclude_take_back(struct planner *p, struct work *work)
{
    if (work->state == WORK_ASKED)
        p->ops->cancel(p->ctx, work->slot);
    if (has_slot(work))
        leave_slot(p, work);
    intake_merge_next(p, work);
}

/* The piece is at its end and what is told of it has been told. */
static void remove_piece(struct planner *p, struct work *work, struct now now)
{
    if (has_slot(work))
        leave_slot(p, work);
    conclude_release(p, work->ref);
    struct work *next = queue_remove(&p->queue, work);
    queue_free(&p->queue, work);
    if (next != NULL)
        intake_again(p, next, now);
}

void conclude_drop(struct planner *p, struct work *work, enum outcome outcome, const char *reason,
                   struct now now)
{
    if (work->state == WORK_ASKED)
        p->ops->cancel(p->ctx, work->slot);
    conclude_event(p, work, outcome, reason);
    remove_piece(p, work, now);
}

/* ---- ends and delays of a piece in a slot ---- */

static uint32_t suppressed(const struct planner *p, const struct work *work)
{
    return work->joined.count + cooldown_suppressed(&p->cooldowns, span_of(work->event.key));
}

/* A cooldown waits out repeats of what the chain has judged; what it has not judged has none. */
static void start_cooldown(struct planner *p, const struct work *work, struct now now)
{
    if (!work->stale && !work->exhausted)
        cooldown_start(&p->cooldowns, span_of(work->event.key), work->event.severity,
                       p->settings.cooldown_ms, now.boot_ms);
}

static void end_decided(struct planner *p, struct work *work, enum outcome outcome,
                        const char *action_id, struct now now)
{
    const struct planner_slot *slot = &p->slots[work->slot];
    conclude_tell(p, &(struct decision){.outcome = outcome,
                                        .event = &work->event,
                                        .reason = slot->proposal.reason,
                                        .action_id = action_id,
                                        .action = proposal_action_text(slot->proposal.action),
                                        .model = slot->model,
                                        .suppressed = suppressed(p, work)});
    start_cooldown(p, work, now);
    remove_piece(p, work, now);
}

static void tell_delay(struct planner *p, const struct work *work, enum outcome outcome,
                       const char *reason)
{
    conclude_tell(p, &(struct decision){.outcome = outcome,
                                        .event = &work->event,
                                        .reason = reason,
                                        .suppressed = work->joined.count});
}

/* A single run has no later: the event stays unfinished. */
static void leave_unfinished(struct planner *p, struct work *work)
{
    if (has_slot(work))
        leave_slot(p, work);
    intake_merge_next(p, work);
    work->tries++;
    work->exhausted = false;
}

/* Something that is its own could not be read or finished: it is tried again, and the others go on
 * meanwhile. What there is of it is looked up then, by its own event: what waits behind goes on
 * waiting, so that another event does not take its place. */
static void delay_alone(struct planner *p, struct work *work, int error, struct now now)
{
    tell_delay(p, work, OUTCOME_WRITE_FAILED, log_errno(error));
    if (p->settings.once) {
        leave_unfinished(p, work);
        return;
    }
    if (has_slot(work))
        leave_slot(p, work);
    work->looked_ms = INT64_MIN;
    work->due_ms = now.boot_ms + WRITE_RETRY_MS;
}

/* The disk did not take an action. The piece keeps its slot, so that the models are not asked
 * again, and nothing else is asked before there is room. */
static void delay_for_disk(struct planner *p, struct work *work, int error, struct now now)
{
    tell_delay(p, work, OUTCOME_WRITE_FAILED, log_errno(error));
    if (p->settings.once) {
        leave_unfinished(p, work);
        return;
    }
    p->slots[work->slot].tried = true;
    work->due_ms = now.boot_ms + WRITE_RETRY_MS;
    p->write_blocked_until_ms = work->due_ms;
}

/* What a model would answer could not be written: none is asked before there is room. */
static void delay_for_room(struct planner *p, struct work *work, int error, struct now now)
{
    tell_delay(p, work, OUTCOME_WRITE_FAILED, log_errno(error));
    if (p->settings.once) {
        leave_unfinished(p, work);
        return;
    }
    leave_slot(p, work);
    p->write_blocked_until_ms = now.boot_ms + WRITE_RETRY_MS;
}

/* A quarter of the wait up or down, so that nodes do not ask in step. */
static int64_t jittered(struct planner *p, int64_t wait_ms)
{
    p->jitter = p->jitter * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    int64_t spread = (int64_t)((p->jitter >> 33) % (uint64_t)(wait_ms / 2 + 1));
    return wait_ms - wait_ms / 4 + spread;
}

static void delay_for_chain(struct planner *p, struct work *work, const char *reason,
                            struct now now)
{
    int64_t deadline_ms = work->arrived_ms + p->settings.deadline_ms;
    tell_delay(p, work, OUTCOME_CHAIN_FAILED, reason);
    leave_slot(p, work);
    intake_merge_next(p, work);
    work->tries++;
    if (now.boot_ms >= deadline_ms) {
        work->exhausted = true;
        work->due_ms = now.boot_ms;
        return;
    }
    work->wait_ms = work->wait_ms == 0 ? RETRY_FIRST_MS : 2 * work->wait_ms;
    if (work->wait_ms > RETRY_LAST_MS)
        work->wait_ms = RETRY_LAST_MS;
    work->due_ms = now.boot_ms + jittered(p, work->wait_ms);
    if (work->due_ms > deadline_ms)
        work->due_ms = deadline_ms;
}

/* ---- writing ---- */

/* The action is there. The audit event and the cooldown are what is left to do; after a failure
 * this is where we come back to. */
static int finish_written(struct planner *p, struct work *work, const struct audit *audit,
                          struct now now)
{
    if (p->ops->audit(p->ctx, audit) != 0)
        return -1;
    if (has_slot(work)) {
        end_decided(p, work, OUTCOME_PROPOSED, audit->action_id, now);
        return 0;
    }
    conclude_tell(p, &(struct decision){.outcome = OUTCOME_RESUMED,
                                        .event = &work->event,
                                        .reason = "its action was written before",
                                        .action_id = audit->action_id,
                                        .action = audit->action,
                                        .model = audit->model});
    /* The same event may be told twice: its cooldown is not made longer by that. */
    if (cooldown_passes(&p->cooldowns, span_of(work->event.key), work->event.severity,
                        p->settings.cooldown_ms, now.boot_ms))
        start_cooldown(p, work, now);
    remove_piece(p, work, now);
    return 0;
}

/* An action of ours for this very event is there: from before a crash, or from a try of which we
 * do not know how far it came. */
static void resume(struct planner *p, struct work *work, const struct action_facts *facts,
                   struct now now)
{
    struct audit audit = {
        .node_name = p->settings.node_name,
        .created_at = facts->created_at,
        .action_id = facts->id,
        .correlation_id = facts->correlation_id,
        .action = facts->action,
        .target_node = facts->node,
        .target_service = facts->service,
        .model = facts->model,
        .confidence = facts->confidence,
        .requires_human = facts->requires_human,
    };
    if (p->ops->settle(p->ctx) != 0 || finish_written(p, work, &audit, now) != 0)
        delay_alone(p, work, errno, now);
}

/* What an open action means for a piece. True where the piece was dealt with. */
static bool settle_open(struct planner *p, struct work *work, const struct open_actions *open,
                        struct now now)
{
    switch (open->view) {
    case OPEN_NONE:
        return false;
    case OPEN_ACTION:
        conclude_drop(p, work, OUTCOME_ALREADY_OPEN, "an action for it is open", now);
        return true;
    case OPEN_REJECTED:
        conclude_drop(p, work, OUTCOME_REJECTED_LATELY, "the operator rejected one lately", now);
        return true;
    case OPEN_OWN:
        resume(p, work, &open->facts, now);
        return true;
    case OPEN_FAULT:
        delay_alone(p, work, errno, now);
        return true;
    }
    return false;
}

static const char *free_name(const struct open_actions *open, const struct action_names *names,
                             enum proposal_action action)
{
    if (names->plain[0] != '\0' && !open->plain_taken[action])
        return names->plain;
    return open->hashed_taken[action] ? NULL : names->hashed;
}

static enum file_result put_action(struct planner *p, const struct planner_slot *slot,
                                   const char *id, int64_t created_at)
{
    const struct work *work = slot->work;
    struct buf body;
    buf_init(&body, p->body, sizeof(p->body));
    action_write(&body, &(struct action_body){
                            .id = id,
                            .event = &work->event,
                            .proposal = &slot->proposal,
                            .policy = slot->policy,
                            .critical_risk = policy_human_only(&p->settings.policy, &work->event),
                            .model = slot->model,
                            .suppressed = suppressed(p, work),
                            .answer = &slot->answer,
                            .created_at = created_at,
                        });
    if (buf_done(&body) != 0) {
        errno = EFBIG;
        return FILE_FAULT;
    }
    return p->ops->propose(p->ctx, id, buf_view(&body));
}

static void finish_new(struct planner *p, const struct planner_slot *slot, const char *id,
                       int64_t created_at, struct now now)
{
    struct work *work = slot->work;
    struct audit audit = {
        .node_name = p->settings.node_name,
        .created_at = created_at,
        .action_id = id,
        .correlation_id = work->event.correlation_id,
        .action = proposal_action_text(slot->proposal.action),
        .target_node = work->event.node,
        .target_service = work->event.service,
        .model = slot->model,
        .confidence = slot->proposal.confidence_text,
        .requires_human = slot->proposal.requires_human,
    };
    if (finish_written(p, work, &audit, now) != 0)
        delay_alone(p, work, errno, now);
}

void conclude_write(struct planner *p, unsigned number, struct now now)
{
    struct planner_slot *slot = &p->slots[number];
    struct work *work = slot->work;
    enum proposal_action action = slot->proposal.action;
    if (action == PROPOSAL_IGNORE) {
        end_decided(p, work, OUTCOME_IGNORED, "", now);
        return;
    }
    struct action_names names;
    action_names(&names, action, &work->event);
    errno = EEXIST;
    for (int try = 0; try < LINK_TRIES; try++) {
        struct open_actions open;
        open_look(&open, p, &work->event, slot->tried, now);
        if (settle_open(p, work, &open, now))
            return;
        const char *id = free_name(&open, &names, action);
        if (id == NULL) {
            errno = EEXIST;
            break;
        }
        enum file_result result = put_action(p, slot, id, now.wall_ms / 1000);
        if (result == FILE_OK) {
            finish_new(p, slot, id, now.wall_ms / 1000, now);
            return;
        }
        if (result != FILE_EXISTS)
            break;
    }
    delay_for_disk(p, work, errno, now);
}

/* ---- asking ---- */

static int check_answer(void *arg, struct span object, char *why)
{
    struct proposal proposal;
    (void)arg;
    return proposal_parse(&proposal, object, why);
}

static struct llm_facts facts_of(const struct event *event)
{
    return (struct llm_facts){
        .type = span_of(event->type),
        .severity = span_of(severity_text(event->severity)),
        .node = span_of(event->node),
        .service = span_of(event->service),
        .message = span_of(event->message),
        .details = span_of(event->details),
    };
}

/* The proposal stands; it is written at once. */
static void decide(struct planner *p, unsigned number, unsigned policy, const char *model,
                   struct now now)
{
    struct planner_slot *slot = &p->slots[number];
    slot->policy = policy | policy_apply(&p->settings.policy, &slot->work->event, &slot->proposal);
    span_cut(slot->model, sizeof(slot->model), span_of(model));
    slot->work->state = WORK_DECIDED;
    slot->work->due_ms = now.boot_ms;
    conclude_write(p, number, now);
}

/* The chain is of no use for it, but nothing vanishes: an alert in the words of the rules table. */
static void decide_by_rules(struct planner *p, unsigned number, struct now now)
{
    struct planner_slot *slot = &p->slots[number];
    struct llm_facts facts = facts_of(&slot->work->event);
    char text[PROPOSAL_BYTES_MAX];
    char why[PROPOSAL_WHY_MAX];
    struct buf out;
    buf_init(&out, text, sizeof(text));
    rules_propose(&out, &facts);
    if (proposal_parse(&slot->proposal, buf_view(&out), why) != 0) {
        delay_for_chain(p, slot->work, why, now);
        return;
    }
    slot->proposal.action = PROPOSAL_NOTIFY;
    if (!slot->work->exhausted)
        memset(&slot->answer, 0, sizeof(slot->answer));
    decide(p, number, slot->work->exhausted ? POLICY_CHAIN_EXHAUSTED : POLICY_STALE,
           rules_provider.name, now);
}

/* The event in words, plain and masked. Where it cannot be masked it does not leave the home lab.
 */
static void make_message(struct planner *p, struct planner_slot *slot)
{
    const struct work *work = slot->work;
    struct world_facts world;
    struct span document;
    struct buf plain, masked;
    p->ops->world(p->ctx, &work->event, &world);
    buf_init(&plain, slot->prompt, sizeof(slot->prompt));
    prompt_event(&plain, &work->event, &world, suppressed(p, work), &document);
    buf_init(&masked, slot->masked, sizeof(slot->masked));
    prompt_mask(&masked, buf_view(&plain), document);
    slot->message = (struct llm_message){.text = buf_view(&plain), .masked = buf_view(&masked)};
    slot->request.messages = &slot->message;
    slot->request.message_count = buf_done(&plain) == 0 ? 1 : 0;
    slot->request.free_only = work->free_only || buf_done(&masked) != 0;
}

static void ask(struct planner *p, unsigned number, struct now now)
{
    struct planner_slot *slot = &p->slots[number];
    const struct event *event = &slot->work->event;
    slot->request = (struct llm_request){
        .context = span_of(event->key),
        .facts = facts_of(event),
        .system = p->system.plain,
        .system_masked = p->system.masked,
        .schema = prompt_schema(),
        .schema_plain = prompt_schema_plain(),
        .insist = p->settings.once,
        .check = check_answer,
    };
    make_message(p, slot);
    if (p->ops->ask(p->ctx, number, &slot->request) != 0)
        delay_for_chain(p, slot->work, "the chain could not be asked", now);
}

void conclude_begin(struct planner *p, struct work *work, unsigned number, struct now now)
{
    if (now.boot_ms - LOOK_FRESH_MS > work->looked_ms) {
        struct open_actions open;
        open_look(&open, p, &work->event, work->looked_ms == INT64_MIN, now);
        if (settle_open(p, work, &open, now))
            return;
        work->looked_ms = now.boot_ms;
    }
    p->slots[number].work = work;
    p->slots[number].tried = false;
    work->slot = number;
    work->state = WORK_ASKED;
    int error = p->ops->writable(p->ctx);
    if (error != 0) {
        delay_for_room(p, work, error, now);
        return;
    }
    if (work->stale || work->exhausted)
        decide_by_rules(p, number, now);
    else
        ask(p, number, now);
}

void conclude_answer(struct planner *p, unsigned number, const struct llm_answer *answer,
                     struct now now)
{
    struct planner_slot *slot = &p->slots[number];
    char why[PROPOSAL_WHY_MAX];
    slot->answer = *answer;
    slot->answer.object = (struct span){0};
    slot->work->free_only |= answer->paid_rejected;
    if (!answer->success) {
        delay_for_chain(p, slot->work,
                        answer->attempt_count > 0 ? "every hop was rejected"
                                                  : "the chain has no hop that can be asked",
                        now);
        return;
    }
    if (proposal_parse(&slot->proposal, answer->object, why) != 0) {
        delay_for_chain(p, slot->work, why, now);
        return;
    }
    decide(p, number, 0, answer->model, now);
}
