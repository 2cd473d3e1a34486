#ifndef PLANNER_ACTION_H
#define PLANNER_ACTION_H
/* From a proposal to the action file's id and body. */

#include "base/buf.h"
#include "llm/llm.h"
#include "planner/event.h"
#include "planner/proposal.h"

/* The names an action of this kind for this event may have: the plain one, and the one that is
 * used where the plain one is too long or stands for another node or service. */
struct action_names {
    char plain[ACTION_ID_MAX + 1]; /* "" where it would be too long */
    char hashed[ACTION_ID_MAX + 1];
};
/* action is not PROPOSAL_IGNORE. */
void action_names(struct action_names *out, enum proposal_action action, const struct event *event);

/* container_restart, redeploy, alert_only. */
const char *action_type(enum proposal_action action);

struct action_body {
    const char *id;
    const struct event *event;
    const struct proposal *proposal;
    unsigned policy;    /* policy_apply()'s set */
    bool critical_risk; /* rule 1 */
    const char *model;
    uint32_t suppressed;
    const struct llm_answer *answer; /* its attempts; NULL = none were made */
    int64_t created_at;              /* Unix seconds */
};
void action_write(struct buf *out, const struct action_body *body);

#endif
