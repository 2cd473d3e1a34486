#ifndef LLM_METRICS_H
#define LLM_METRICS_H
/* What one question came to, and the counters of all hops, as others read them. */

#include "base/json_write.h"
#include "llm/hop.h"

struct metrics {
    int64_t wall_ms; /* since 1970 UTC */
    const char *node;
    struct span context;
    const struct llm_answer *answer;
    const struct router_hop *hops;
    unsigned hop_count;
};

/* Writes members into an object that the caller has begun. null is what is not known: tokens, a
 * status of HTTP, an error, the model where none answered. */
void metrics_write(struct json_write *w, const struct metrics *metrics);

#endif
