#include "planner/outcome.h"

const char *outcome_text(enum outcome outcome)
{
    static const char *const text[OUTCOMES] = {
        [OUTCOME_PROPOSED] = "proposed",
        [OUTCOME_IGNORED] = "ignored",
        [OUTCOME_BENIGN] = "benign",
        [OUTCOME_NOT_WATCHED] = "not_watched",
        [OUTCOME_ALREADY_OPEN] = "already_open",
        [OUTCOME_REJECTED_LATELY] = "rejected_lately",
        [OUTCOME_RESUMED] = "resumed",
        [OUTCOME_COOLDOWN] = "cooldown",
        [OUTCOME_DUPLICATE] = "duplicate",
        [OUTCOME_SHARED] = "shared",
        [OUTCOME_JOINED] = "joined",
        [OUTCOME_RECOVERED] = "recovered",
        [OUTCOME_DEPLOYED] = "deployed",
        [OUTCOME_REFUSED] = "refused",
        [OUTCOME_QUEUE_FULL] = "queue_full",
        [OUTCOME_PASSED_OVER] = "passed_over",
        [OUTCOME_QUEUED] = "queued",
        [OUTCOME_HELD] = "held",
        [OUTCOME_CLAIMED] = "claimed_elsewhere",
        [OUTCOME_CHAIN_FAILED] = "chain_failed",
        [OUTCOME_WRITE_FAILED] = "write_failed",
    };
    return text[outcome];
}
