#ifndef PLANNER_PROPOSAL_H
#define PLANNER_PROPOSAL_H
/* A model's answer, checked. There is no field for a command, a host or a path, and there never
 * will be. */

#include "base/limits.h"
#include "base/span.h"

enum proposal_action { PROPOSAL_IGNORE, PROPOSAL_RESTART, PROPOSAL_REDEPLOY, PROPOSAL_NOTIFY };
const char *proposal_action_text(enum proposal_action action);

struct proposal {
    enum proposal_action action;
    bool requires_human;
    double confidence;
    char confidence_text[32]; /* the number as it came: it goes out as it came in */
    char reason[PROPOSAL_REASON_MAX + 1];
};

#define PROPOSAL_WHY_MAX 128

/* Takes one JSON object: all four members, right types and ranges, none twice; unknown ones are
 * ignored. 0, or -1 and the reason in why (PROPOSAL_WHY_MAX bytes). */
int proposal_parse(struct proposal *out, struct span object, char *why);

#endif
