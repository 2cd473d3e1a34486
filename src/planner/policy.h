#ifndef PLANNER_POLICY_H
#define PLANNER_POLICY_H
/* The five rules, applied after the answer, whatever the model said. */

#include "planner/event.h"
#include "planner/proposal.h"

struct policy_settings {
    struct span human_only_nodes; /* comma lists of globs */
    struct span notify_only_events;
    double confidence_floor;
};

/* Which rules changed something, by name, for details.policy. */
enum policy_rule {
    POLICY_HUMAN_ONLY_NODE = 1 << 0,
    POLICY_NOTIFY_ONLY_EVENT = 1 << 1,
    POLICY_CONFIDENCE_FLOOR = 1 << 2,
    POLICY_UNSAFE_NAME = 1 << 3, /* or the service is "all" */
    POLICY_CRITICAL_NOT_IGNORED = 1 << 4,
    POLICY_STALE = 1 << 5, /* not rules: why the rules table spoke */
    POLICY_CHAIN_EXHAUSTED = 1 << 6,
};
#define POLICY_RULES 7
const char *policy_rule_text(unsigned bit_number); /* "human_only_node", ... */

/* Does rule 1 hold for this event's node? It also raises the risk to critical. */
bool policy_human_only(const struct policy_settings *settings, const struct event *event);

/* Changes the proposal; the rules that did, as a set. */
unsigned policy_apply(const struct policy_settings *settings, const struct event *event,
                      struct proposal *proposal);

#endif
