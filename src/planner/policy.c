#include "planner/policy.h"

#include "base/glob.h"

const char *policy_rule_text(unsigned bit_number)
{
    static const char *const texts[POLICY_RULES] = {
        "human_only_node", "notify_only_event",    "confidence_floor",
        "unsafe_name",     "critical_not_ignored", "stale",
        "chain_exhausted",
    };

    return bit_number < POLICY_RULES ? texts[bit_number] : "unknown";
}

bool policy_human_only(const struct policy_settings *settings, const struct event *event)
{
    return glob_list_match(settings->human_only_nodes, span_of(event->node_as_came)) ||
           glob_list_match(settings->human_only_nodes, span_of(event->node));
}

/* The bit of a rule that sees to it that a human decides, where that is news. */
static unsigned require_human(struct proposal *proposal, enum policy_rule rule)
{
    if (proposal->requires_human)
        return 0;
    proposal->requires_human = true;
    return rule;
}

static unsigned only_notify(struct proposal *proposal, enum policy_rule rule)
{
    if (proposal->action == PROPOSAL_NOTIFY)
        return 0;
    proposal->action = PROPOSAL_NOTIFY;
    return rule;
}

/* What nobody can name for sure is not restarted. */
static bool is_nameable(const struct event *event)
{
    return event_plain_name(span_of(event->node_as_came)) &&
           event_plain_name(span_of(event->node)) && event_plain_name(span_of(event->service)) &&
           !span_is(span_of(event->service), "all");
}

unsigned policy_apply(const struct policy_settings *settings, const struct event *event,
                      struct proposal *proposal)
{
    unsigned rules = 0;
    bool changes_service =
        proposal->action == PROPOSAL_RESTART || proposal->action == PROPOSAL_REDEPLOY;

    if (policy_human_only(settings, event))
        rules |= require_human(proposal, POLICY_HUMAN_ONLY_NODE);
    if (glob_list_match(settings->notify_only_events, span_of(event->type)))
        rules |= only_notify(proposal, POLICY_NOTIFY_ONLY_EVENT);
    if (proposal->confidence < settings->confidence_floor)
        rules |= require_human(proposal, POLICY_CONFIDENCE_FLOOR);
    if (changes_service && !is_nameable(event)) {
        rules |= only_notify(proposal, POLICY_UNSAFE_NAME);
        rules |= require_human(proposal, POLICY_UNSAFE_NAME);
    }
    if (event->severity == SEVERITY_CRITICAL && proposal->action == PROPOSAL_IGNORE)
        rules |= only_notify(proposal, POLICY_CRITICAL_NOT_IGNORED);
    return rules;
}
