#ifndef LLM_VISIT_H
#define LLM_VISIT_H
/* A visit to a hop: a call, and perhaps one retry. What the end of a call means for what follows.
 */

#include "llm/hop.h"

/* Milliseconds to wait before the retry, where the call asks for one and the pause and something
 * worth the name after it fit into left_ms; else -1. *jitter is moved on. */
int64_t visit_pause(const struct llm_call *call, int64_t left_ms, uint64_t *jitter);

/* The visit is over with this call: tells the hop's breaker, and the log what comes of that.
 * retried: it was the second call, or would have been. */
void visit_settle(struct router_hop *hop, const struct llm_call *call, enum breaker_pass pass,
                  bool retried, int64_t now_ms);

/* The hop has shown otherwise that it works. */
void visit_restore(struct router_hop *hop);

#endif
