#include "planner/conclude.h"

#include "base/log.h"
#include "llm/rules.h"
#include "planner/action.h"
#include "planner/claim.h"
#include "planner/delay.h"
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

void conclude_release(struct planner *p, struct handles_chain *refs)
{
    uint64_t ref;
    while ((ref = handles_take(&p->queue.refs, refs)) != NO_REF)
        p->ops->finished(p->ctx, ref);
}

void conclude_release_loose(struct planner *p, struct handles_chain *refs)
{
    uint64_t ref = handles_take_loose(&p->queue.refs, refs);
    if (ref != NO_REF)
        p->ops->finished(p->ctx, ref);
}

void conclude_note(struct planner *p, const struct joined *joined)
{
    for (uint32_t i = 0; i < joined->identity_count; i++)
        seen_note(&p->seen, joined->identities[i]);
}

void conclude_event(struct planner *p, const struct work *work, enum outcome outcome,
                    const char *reason)
{
    struct event room;
    conclude_tell(p, &(struct decision){.outcome = outcome,
                                        .event = queue_event(&p->queue, work, &room),
                                        .reason = reason,
                                        .suppressed = work->joined.count});
}

/* ---- the end of a piece ---- */

/* Is there an action for the piece's event? */
static void look(struct open_actions *open, const struct planner *p, const struct work *work,
                 bool tried, struct now now)
{
    struct event room;
    open_look(open, p, queue_event(&p->queue, work, &room), tried, now);
}

bool conclude_is_written(const struct planner *p, const struct work *work, struct now now)
{
    struct open_actions open;
    bool tried = work->state == WORK_DECIDED || work->looked_ms == INT64_MIN;
    if (work->state == WORK_HELD || !tried)
        return false;
    look(&open, p, work, true, now);
    return open.view == OPEN_OWN || open.view == OPEN_FAULT;
}

/* Takes back the claim or question that waits for its answer. */
static void cancel(struct planner *p, const struct work *work)
{
    if (work->state == WORK_CLAIMING || work->state == WORK_ASKED)
        p->ops->cancel(p->ctx, work->slot);
}

void conclude_take_back(struct planner *p, struct work *work)
{
    cancel(p, work);
    delay_leave_slot(p, work);
    intake_merge_next(p, work);
}

/* The piece is at its end and what is told of it has been told. */
static void remove_piece(struct planner *p, struct work *work, struct now now)
{
    delay_leave_slot(p, work);
    conclude_release(p, &work->refs);
    struct work *next = queue_remove(&p->queue, work);
    queue_free(&p->queue, work);
    if (next != NULL)
        intake_again(p, next, now);
}

void conclude_drop(struct planner *p, struct work *work, enum outcome outcome, const char *reason,
                   struct now now)
{
    cancel(p, work);
    if (outcome != OUTCOME_QUEUE_FULL)
        conclude_note(p, &work->joined);
    conclude_event(p, work, outcome, reason);
    remove_piece(p, work, now);
}

static uint32_t suppressed(const struct planner *p, const struct work *work,
                           const struct event *event)
{
    return work->joined.count + cooldown_suppressed(&p->cooldowns, span_of(event->key));
}

/* A cooldown waits out repeats of what the chain has judged; what it has not judged has none. */
static void start_cooldown(struct planner *p, const struct work *work, const struct event *event,
                           struct now now)
{
    if (!work->stale && !work->exhausted)
        cooldown_start(&p->cooldowns, span_of(event->key), event->severity, p->settings.cooldown_ms,
                       now.boot_ms);
}

/* What it stands for was decided, now or before a crash: it is done, here and on the bus. */
static void end_judged(struct planner *p, struct work *work, struct now now)
{
    conclude_note(p, &work->joined);
    claim_decided(p, work);
    remove_piece(p, work, now);
}

static void end_decided(struct planner *p, struct work *work, enum outcome outcome,
                        const char *action_id, struct now now)
{
    const struct planner_slot *slot = &p->slots[work->slot];
    const struct event *event = &p->queue.begun[work->slot];
    conclude_tell(p, &(struct decision){.outcome = outcome,
                                        .event = event,
                                        .reason = slot->proposal.reason,
                                        .action_id = action_id,
                                        .action = proposal_action_text(slot->proposal.action),
                                        .model = slot->model,
                                        .suppressed = suppressed(p, work, event)});
    start_cooldown(p, work, event, now);
    end_judged(p, work, now);
}

/* ---- writing ---- */

/* The action is there. The audit event and the cooldown are what is left to do; after a failure
 * this is where we come back to. */
static int finish_written(struct planner *p, struct work *work, const struct audit *audit,
                          struct now now)
{
    struct event room;
    if (p->ops->audit(p->ctx, audit) != 0)
        return -1;
    if (queue_is_busy(work)) {
        end_decided(p, work, OUTCOME_PROPOSED, audit->action_id, now);
        return 0;
    }
    const struct event *event = queue_event(&p->queue, work, &room);
    conclude_tell(p, &(struct decision){.outcome = OUTCOME_RESUMED,
                                        .event = event,
                                        .reason = "its action was written before",
                                        .action_id = audit->action_id,
                                        .action = audit->action,
                                        .model = audit->model});
    /* The same event may be told twice: its cooldown is not made longer by that. */
    if (cooldown_passes(&p->cooldowns, span_of(event->key), event->severity,
                        p->settings.cooldown_ms, now.boot_ms))
        start_cooldown(p, work, event, now);
    end_judged(p, work, now);
    return 0;
}

/* The action is there, so that no other planner may write one, and the rest is tried again. */
static void delay_rest(struct planner *p, struct work *work, int error, struct now now)
{
    if (work->claimed)
        claim_decided(p, work);
    delay_alone(p, work, error, now);
}

/* An action of ours for this very event is there: from before a crash, or from a try of which we
 * do not know how far it came. */
static void resume(struct planner *p, struct work *work, const struct action_facts *facts,
                   struct now now)
{
    struct audit audit;
    audit_of(&audit, facts, p->settings.node_name);
    if (p->ops->settle(p->ctx) != 0 || finish_written(p, work, &audit, now) != 0)
        delay_rest(p, work, errno, now);
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
    const struct event *event = &p->queue.begun[slot->work->slot];
    struct buf body;
    buf_init(&body, p->body, sizeof(p->body));
    action_write(&body, &(struct action_body){
                            .id = id,
                            .event = event,
                            .proposal = &slot->proposal,
                            .policy = slot->policy,
                            .critical_risk = policy_human_only(&p->settings.policy, event),
                            .model = slot->model,
                            .suppressed = suppressed(p, slot->work, event),
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
    const struct event *event = &p->queue.begun[work->slot];
    struct audit audit = {
        .node_name = p->settings.node_name,
        .created_at = created_at,
        .action_id = id,
        .correlation_id = event->correlation_id,
        .action = proposal_action_text(slot->proposal.action),
        .target_node = event->node,
        .target_service = event->service,
        .model = slot->model,
        .confidence = slot->proposal.confidence_text,
        .requires_human = slot->proposal.requires_human,
    };
    if (finish_written(p, work, &audit, now) != 0)
        delay_rest(p, work, errno, now);
}

void conclude_write(struct planner *p, unsigned number, struct now now)
{
    struct planner_slot *slot = &p->slots[number];
    struct work *work = slot->work;
    const struct event *event = &p->queue.begun[number];
    enum proposal_action action = slot->proposal.action;
    if (action == PROPOSAL_IGNORE) {
        end_decided(p, work, OUTCOME_IGNORED, "", now);
        return;
    }
    struct action_names names;
    action_names(&names, action, event);
    errno = EEXIST;
    for (int try = 0; try < LINK_TRIES; try++) {
        struct open_actions open;
        open_look(&open, p, event, slot->tried, now);
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
    slot->policy =
        policy | policy_apply(&p->settings.policy, &p->queue.begun[number], &slot->proposal);
    span_cut_text(slot->model, sizeof(slot->model), model);
    slot->work->state = WORK_DECIDED;
    slot->work->due_ms = now.boot_ms;
    conclude_write(p, number, now);
}

/* The chain is of no use for it, but nothing vanishes: an alert in the words of the rules table. */
static void decide_by_rules(struct planner *p, unsigned number, struct now now)
{
    struct planner_slot *slot = &p->slots[number];
    struct llm_facts facts = facts_of(&p->queue.begun[number]);
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
    if (!slot->work->exhausted || slot->work->answer != slot->answer_number)
        memset(&slot->answer, 0, sizeof(slot->answer)); /* another event's */
    decide(p, number, slot->work->exhausted ? POLICY_CHAIN_EXHAUSTED : POLICY_STALE,
           rules_provider.name, now);
}

/* The event in words, plain and masked. Where it cannot be masked it does not leave the home lab.
 */
static void make_message(struct planner *p, struct planner_slot *slot)
{
    const struct work *work = slot->work;
    const struct event *event = &p->queue.begun[work->slot];
    struct world_facts world;
    struct span document;
    struct buf plain, masked;
    p->ops->world(p->ctx, event, &world);
    buf_init(&plain, slot->prompt, sizeof(slot->prompt));
    prompt_event(&plain, event, &world, suppressed(p, work, event), &document);
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
    const struct event *event = &p->queue.begun[number];
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

/* Nothing stands in its way any more. */
static void go_on(struct planner *p, unsigned number, struct now now)
{
    struct work *work = p->slots[number].work;
    work->state = WORK_ASKED;
    if (work->stale || work->exhausted)
        decide_by_rules(p, number, now);
    else
        ask(p, number, now);
}

/* Is there an action for it by now? True where the piece was dealt with. */
static bool look_again(struct planner *p, struct work *work, struct now now)
{
    struct open_actions open;
    if (now.boot_ms - LOOK_FRESH_MS <= work->looked_ms)
        return false;
    look(&open, p, work, work->looked_ms == INT64_MIN, now);
    if (settle_open(p, work, &open, now))
        return true;
    work->looked_ms = now.boot_ms;
    return false;
}

void conclude_begin(struct planner *p, struct work *work, unsigned number, struct now now)
{
    if (look_again(p, work, now))
        return;
    const struct event *event = queue_begin(&p->queue, work, number);
    p->slots[number].work = work;
    p->slots[number].tried = false;
    int error = p->ops->writable(p->ctx);
    if (error != 0) {
        delay_for_room(p, work, error, now);
        return;
    }
    if (p->ops->claim(p->ctx, number, event) != 0)
        go_on(p, number, now);
}

/* Another planner has decided it. It is a repeat, as one within a cooldown of our own is. */
static void end_shared(struct planner *p, struct work *work, const char *reason, struct now now)
{
    cooldown_count(&p->cooldowns, span_of(p->queue.begun[work->slot].key), work->joined.count + 1);
    delay_leave_slot(p, work);
    conclude_drop(p, work, OUTCOME_SHARED, reason, now);
}

/* Another planner has handled the leader; where others joined it, which may be news, the key alone
 * is asked for: what is done with the key is done with them. */
static void end_seen(struct planner *p, struct work *work, const char *reason, struct now now)
{
    if (work->joined.count == 0 || p->queue.begun[work->slot].identity == 0) {
        end_shared(p, work, reason, now);
        return;
    }
    if (p->ops->claim(p->ctx, work->slot, queue_forget_identity(&p->queue, work)) != 0)
        go_on(p, work->slot, now);
}

void conclude_claimed(struct planner *p, unsigned number, const struct claim_answer *answer,
                      struct now now)
{
    struct work *work = p->slots[number].work;
    char reason[CLAIM_REASON_SIZE];
    if (work == NULL || work->state != WORK_CLAIMING)
        return; /* it was taken back */
    switch (answer->view) {
    case CLAIM_OURS:
        work->claimed = true;
        p->slots[number].claim_ms = now.boot_ms + answer->lasts_ms;
        go_on(p, number, now);
        return;
    case CLAIM_ALONE:
        go_on(p, number, now);
        return;
    case CLAIM_TAKEN:
        claim_reason(reason, "another planner is at it", answer->owner);
        delay_for_claim(p, work, reason, answer->wait_ms, now);
        return;
    case CLAIM_DONE:
        claim_reason(reason, "another planner has decided it", answer->owner);
        end_shared(p, work, reason, now);
        return;
    case CLAIM_SEEN:
        claim_reason(reason, "another planner has handled this very event", answer->owner);
        end_seen(p, work, reason, now);
        return;
    }
}

void conclude_answer(struct planner *p, unsigned number, const struct llm_answer *answer,
                     struct now now)
{
    struct planner_slot *slot = &p->slots[number];
    char why[PROPOSAL_WHY_MAX];
    slot->answer = *answer;
    slot->answer.object = (struct span){0};
    slot->answer_number = ++p->answers;
    slot->work->answer = slot->answer_number;
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
    /* We stood still (a suspended machine): another planner may have decided meanwhile. */
    if (slot->work->claimed && now.boot_ms >= slot->claim_ms) {
        delay_for_claim(p, slot->work, "its claim ran out while the chain was asked", 0, now);
        return;
    }
    decide(p, number, 0, answer->model, now);
}
