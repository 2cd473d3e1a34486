#ifndef PLANNER_OUTCOME_H
#define PLANNER_OUTCOME_H
/* What became of an event. Names are those of logs, counters and the status command. */

#include "planner/event.h"

enum outcome {
    /* The event's end. */
    OUTCOME_PROPOSED,        /* an action file was written */
    OUTCOME_IGNORED,         /* the answer was: ignore */
    OUTCOME_BENIGN,          /* nothing to do, no model asked */
    OUTCOME_NOT_WATCHED,     /* not one of WATCH_NODES */
    OUTCOME_ALREADY_OPEN,    /* an action for it is open */
    OUTCOME_REJECTED_LATELY, /* the operator rejected one within REPROPOSE_AFTER_SECONDS */
    OUTCOME_RESUMED,         /* its action was written before a crash; the rest is done now */
    OUTCOME_COOLDOWN,        /* a repeat, counted */
    OUTCOME_DUPLICATE,       /* this very event, by its id, was handled before */
    OUTCOME_SHARED,          /* another planner on the bus has decided it */
    OUTCOME_JOINED,          /* its key is in hand already: counted there */
    OUTCOME_RECOVERED,       /* a recovery that is not older was read */
    OUTCOME_DEPLOYED,        /* it lies inside a deployment that completed */
    OUTCOME_REFUSED,         /* not an event */
    OUTCOME_QUEUE_FULL,      /* dropped: a message that cannot be read again found no slot */
    OUTCOME_PASSED_OVER,     /* older than a first start looks back */
    /* Not the end yet. */
    OUTCOME_QUEUED,
    OUTCOME_HELD,         /* by a deployment */
    OUTCOME_CLAIMED,      /* another planner on the bus is at it; looked at again */
    OUTCOME_CHAIN_FAILED, /* every hop was rejected; tried again */
    OUTCOME_WRITE_FAILED, /* the action or the audit event could not be written; tried again */
    OUTCOMES
};
const char *outcome_text(enum outcome outcome); /* "proposed", ... */

/* What is told of an event when something became of it. Views of the planner's memory. */
struct decision {
    enum outcome outcome;
    const struct event *event; /* NULL where it was refused */
    const char *reason;        /* plain words, or the error's name; never NULL */
    const char *action_id;     /* "" where there is none */
    const char *action;        /* restart, redeploy, notify, ignore; "" where none was decided */
    const char *model;         /* "" where none was asked */
    const char *origin;        /* where the event came from */
    uint32_t suppressed;
};

#endif
