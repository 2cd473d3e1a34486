#ifndef PLANNER_PROMPT_H
#define PLANNER_PROMPT_H
/* What a model is told: the instructions, which are ours, and the event, which is data from outside
 * and says so. Pure. */

#include "base/buf.h"
#include "planner/event.h"
#include "planner/policy.h"
#include "store/world.h"

/* The instructions of every question, and the same masked (planner/mask.h), which may be longer. */
struct prompt_system {
    struct span plain; /* views of the storage: not to be copied */
    struct span masked;
    char storage[PROMPT_SYSTEM_MAX];
    char masked_storage[2 * PROMPT_SYSTEM_MAX];
};

/* The home lab (topology, or our own words where it is empty), the four actions, the five rules as
 * they are set, the form of the answer. A topology over PROMPT_TOPOLOGY_MAX bytes is cut. */
void prompt_system(struct prompt_system *out, struct span topology,
                   const struct policy_settings *policy);

/* The event as one JSON document on one line, marked as data, with what the world says of its
 * service; details, then message, are shortened until it has at most PROMPT_EVENT_MAX bytes.
 * *document: where in out that line is. Fails out where it does not fit. */
void prompt_event(struct buf *out, const struct event *event, const struct world_facts *world,
                  uint32_t repeats, struct span *document);
/* The same message with its document masked. */
void prompt_mask(struct buf *out, struct span message, struct span document);

/* JSON Schemas of the answer: with bounds for servers that compile it into a grammar, and without,
 * for those that refuse bounds. */
struct span prompt_schema(void);
struct span prompt_schema_plain(void);

#endif
