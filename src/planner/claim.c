#include "planner/claim.h"

#include "base/buf.h"

void claim_renew(struct planner *p, const struct work *work)
{
    if (work->claimed)
        p->ops->claim_ended(p->ctx, &p->queue.begun[work->slot], CLAIM_RENEW, NULL, 0);
}

void claim_drop(struct planner *p, struct work *work)
{
    if (work->claimed)
        p->ops->claim_ended(p->ctx, &p->queue.begun[work->slot], CLAIM_DROP, NULL, 0);
    work->claimed = false;
}

void claim_decided(struct planner *p, struct work *work)
{
    struct event room;

    p->ops->claim_ended(p->ctx, queue_event(&p->queue, work, &room), CLAIM_DECIDED,
                        work->joined.identities, work->joined.identity_count);
    work->claimed = false;
}

void claim_reason(char reason[CLAIM_REASON_SIZE], const char *words, const char *owner)
{
    struct buf b;

    buf_init(&b, reason, CLAIM_REASON_SIZE);
    buf_str(&b, words);
    if (owner[0] != '\0') {
        buf_str(&b, ": ");
        buf_str(&b, owner);
    }
    if (buf_text(&b) == NULL)
        span_cut_text(reason, CLAIM_REASON_SIZE, words);
}
