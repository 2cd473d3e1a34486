#ifndef PLANNER_OPEN_H
#define PLANNER_OPEN_H
/* Is there an action for this event already? One fault has one button. */

#include "planner/action.h"
#include "planner/planner.h"

enum open_view {
    OPEN_NONE,
    OPEN_ACTION,   /* one waits for the operator or the executor */
    OPEN_REJECTED, /* the operator rejected one lately, and the severity has not risen */
    OPEN_OWN,      /* we wrote one for this very event: before a crash, or just now */
    OPEN_FAULT,    /* the directories could not be read; errno */
};

struct open_actions {
    enum open_view view;
    struct action_facts facts; /* of the action behind the view */
    /* Names that stand for something else, by proposed action: they cannot be used. */
    bool plain_taken[PROPOSAL_NOTIFY + 1];
    bool hashed_taken[PROPOSAL_NOTIFY + 1];
};

/* ended: looks among the actions that have ended, too. One of them can only be our own for this
 * very event, so a second look in the life of a process has no need of it. */
void open_look(struct open_actions *out, const struct planner *p, const struct event *event,
               bool ended, struct now now);

#endif
