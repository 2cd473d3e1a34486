#ifndef LLM_RULES_H
#define LLM_RULES_H
/* The chain's built-in last hop: a table from event type to action. Deterministic, needs nothing.
 * Its confidence is below any sensible floor, so that a human is always asked. */

#include "base/buf.h"
#include "llm/provider.h"

extern const struct llm_provider rules_provider;

/* Writes the proposal for these facts, as a model would answer it; the reason names what was seen
 * (exit code, percentage, message). */
void rules_propose(struct buf *out, const struct llm_facts *facts);

#endif
