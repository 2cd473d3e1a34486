#ifndef PLANNER_DELAY_H
#define PLANNER_DELAY_H
/* A piece of work that cannot go on now: what is told of it, and when it is tried again. */

#include "planner/planner.h"

/* The piece is queued again, without a slot (where it has one) and without its claim. */
void delay_leave_slot(struct planner *p, struct work *work);

/* Something that is its own could not be read or finished: it is tried again, and the others go on
 * meanwhile. What there is of it is looked up then, by its own event: what waits behind goes on
 * waiting, so that another event does not take its place. */
void delay_alone(struct planner *p, struct work *work, int error, struct now now);

/* The disk did not take an action. The piece keeps its slot and its claim, so that the models are
 * not asked again, and nothing else is asked before there is room. */
void delay_for_disk(struct planner *p, struct work *work, int error, struct now now);

/* What a model would answer could not be written: none is asked before there is room. */
void delay_for_room(struct planner *p, struct work *work, int error, struct now now);

/* The chain gave no proposal. The waits get longer, until the rules table speaks. */
void delay_for_chain(struct planner *p, struct work *work, const char *reason, struct now now);

/* Another planner is at it: looked at again when its claim, of wait_ms, is over, or soon. */
void delay_for_claim(struct planner *p, struct work *work, const char *reason, int64_t wait_ms,
                     struct now now);

#endif
