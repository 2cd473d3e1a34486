#ifndef PLANNER_CLAIM_H
#define PLANNER_CLAIM_H
/* What the bus is told of a piece of work whose key was claimed on it. */

#include "planner/planner.h"

/* The longest words that are used, with a name behind them. */
#define CLAIM_REASON_SIZE (48 + NAME_MAX_BYTES)

/* Where it is ours: it goes on, or nothing was decided and another planner may take it. */
void claim_renew(struct planner *p, const struct work *work);
void claim_drop(struct planner *p, struct work *work);
/* Decided, with a claim or, where the bus was lost meanwhile, without. */
void claim_decided(struct planner *p, struct work *work);

/* The words, and whose claim it is where that is known. */
void claim_reason(char reason[CLAIM_REASON_SIZE], const char *words, const char *owner);

#endif
