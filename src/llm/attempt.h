#ifndef LLM_ATTEMPT_H
#define LLM_ATTEMPT_H
/* What came of one call to a hop: judged, counted, told. */

#include "llm/hop.h"

/* Was the hop reached in vain, so that its breaker counts it: timeout, network, HTTP? */
bool attempt_is_fault(enum llm_outcome outcome);
/* Did it answer, and the answer was of no use? */
bool attempt_is_rejected(enum llm_outcome outcome);

/* Looks at the text of a call that succeeded: object, or another outcome and its reason in the
 * call. */
void attempt_judge(struct llm_call *call, const struct llm_request *request, struct span *object);

/* Sets how a call ended that its provider did not end. */
void attempt_fail(struct llm_call *call, enum llm_outcome outcome, const char *error);

/* Adds the call to the answer's attempts, the hop's counters and the log. */
void attempt_add(struct llm_answer *answer, struct router_hop *hop, const struct llm_call *call,
                 struct span context, int64_t latency_ms);

#endif
