#ifndef PLANNER_INTAKE_H
#define PLANNER_INTAKE_H
/* A fault's way into the queue, or to an early end. */

#include "planner/planner.h"

struct newcomer {
    const struct event *event;
    struct handles_chain refs; /* after intake: what was not kept */
    int64_t arrived_ms;        /* boot clock */
    struct joined joined;      /* joined_start() where it is new, in */
    uint64_t identities[WORK_IDENTITIES_MAX];
    bool released; /* a deployment has held it for long enough */
    bool again;    /* it had a slot, and gets one */
    /* Filled in here. */
    int64_t looked_ms;
    int64_t due_ms;
    bool held;
    bool stale;
};

/* A fault that has just come. */
enum planner_took intake_fault(struct planner *p, struct newcomer *new, struct now now);

/* A piece that is out of the table (it was held, or waited behind another) goes the way of a new
 * event; the piece is freed. */
void intake_again(struct planner *p, struct work *work, struct now now);

/* Puts the piece that waits behind work, which is queued again, in its place or lets it join. */
void intake_merge_next(struct planner *p, struct work *work);

/* Was a recovery of all of them read that is not older? */
bool intake_recovered(const struct planner *p, const struct event *event,
                      const struct joined *joined, struct now now);
/* Where do they lie as to deployments of their key? A completed one must cover all of them. */
enum deployment_view intake_deployment(const struct planner *p, const struct event *event,
                                       const struct joined *joined, struct now now);

#endif
