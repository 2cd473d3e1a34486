#ifndef PLANNER_INTAKE_H
#define PLANNER_INTAKE_H
/* A fault's way into the queue, or to an early end. */

#include "planner/planner.h"

struct newcomer {
    const struct event *event;
    uint32_t ref;
    int64_t arrived_ms; /* boot clock */
    /* Filled in by intake_fault(). */
    int64_t looked_ms;
    int64_t due_ms;
    bool held;
    bool stale;
};

enum planner_took intake_fault(struct planner *p, struct newcomer *new, struct now now);

/* A piece that is out of the table (it was held, or waited behind another) goes the way of a new
 * event; the piece is freed. */
void intake_again(struct planner *p, struct work *work, struct now now);

/* Puts the piece that waits behind work, which is queued again, in its place or lets it join. */
void intake_merge_next(struct planner *p, struct work *work);

/* Was a recovery read that is not older than this fault? */
bool intake_recovered(const struct planner *p, const struct event *event, struct now now);
/* Where does this fault lie as to deployments of its key? */
enum deployment_view intake_deployment(const struct planner *p, const struct event *event,
                                       struct now now);

#endif
