#include "planner/delay.h"

#include "base/log.h"
#include "planner/claim.h"
#include "planner/conclude.h"
#include "planner/intake.h"

void delay_leave_slot(struct planner *p, struct work *work)
{
    claim_drop(p, work);
    if (!queue_is_busy(work))
        return;
    p->slots[work->slot].work = NULL;
    work->state = WORK_QUEUED;
}

/* A single run has no later: the event stays unfinished. */
static void leave_unfinished(struct planner *p, struct work *work)
{
    delay_leave_slot(p, work);
    intake_merge_next(p, work);
    work->tries++;
    work->exhausted = false;
}

void delay_alone(struct planner *p, struct work *work, int error, struct now now)
{
    conclude_event(p, work, OUTCOME_WRITE_FAILED, log_errno(error));
    if (p->settings.once) {
        leave_unfinished(p, work);
        return;
    }
    delay_leave_slot(p, work);
    work->looked_ms = INT64_MIN;
    work->due_ms = now.boot_ms + WRITE_RETRY_MS;
}

void delay_for_disk(struct planner *p, struct work *work, int error, struct now now)
{
    conclude_event(p, work, OUTCOME_WRITE_FAILED, log_errno(error));
    if (p->settings.once) {
        leave_unfinished(p, work);
        return;
    }
    claim_renew(p, work);
    p->slots[work->slot].tried = true;
    work->due_ms = now.boot_ms + WRITE_RETRY_MS;
    p->write_blocked_until_ms = work->due_ms;
}

void delay_for_room(struct planner *p, struct work *work, int error, struct now now)
{
    conclude_event(p, work, OUTCOME_WRITE_FAILED, log_errno(error));
    if (p->settings.once) {
        leave_unfinished(p, work);
        return;
    }
    delay_leave_slot(p, work);
    intake_merge_next(p, work);
    p->write_blocked_until_ms = now.boot_ms + WRITE_RETRY_MS;
}

/* 0 to spread, so that nodes do not ask in step. */
static int64_t jitter(struct planner *p, int64_t spread)
{
    p->jitter = p->jitter * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((p->jitter >> 33) % (uint64_t)(spread + 1));
}

void delay_for_chain(struct planner *p, struct work *work, const char *reason, struct now now)
{
    int64_t deadline_ms = work->arrived_ms + p->settings.deadline_ms;
    conclude_event(p, work, OUTCOME_CHAIN_FAILED, reason);
    delay_leave_slot(p, work);
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
    /* A quarter of the wait up or down. */
    work->due_ms = now.boot_ms + work->wait_ms - work->wait_ms / 4 + jitter(p, work->wait_ms / 2);
    if (work->due_ms > deadline_ms)
        work->due_ms = deadline_ms;
}

/* Until that claim is over, but no longer than CLAIM_LOOK_MS: most planners decide, or give up,
 * long before, and the event has a slot. */
static int64_t bounded(int64_t wait_ms)
{
    if (wait_ms < 1)
        return 1;
    return wait_ms < CLAIM_LOOK_MS ? wait_ms : CLAIM_LOOK_MS;
}

void delay_for_claim(struct planner *p, struct work *work, const char *reason, int64_t wait_ms,
                     struct now now)
{
    conclude_event(p, work, OUTCOME_CLAIMED, reason);
    if (p->settings.once) {
        leave_unfinished(p, work);
        return;
    }
    delay_leave_slot(p, work);
    intake_merge_next(p, work);
    work->due_ms = now.boot_ms + bounded(wait_ms) + CLAIM_LATE_MIN_MS +
                   jitter(p, CLAIM_LATE_MAX_MS - CLAIM_LATE_MIN_MS);
}
