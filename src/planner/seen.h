#ifndef PLANNER_SEEN_H
#define PLANNER_SEEN_H
/* The identities of the events that ended lately: the same event may come by two ways (as a file
 * and over Redis), the second one when every trace of the first has gone. The newest
 * SEEN_IDENTITIES_MAX are kept; 0 is no identity. */

#include "base/json_write.h"
#include "base/limits.h"

struct seen {
    uint64_t identities[SEEN_IDENTITIES_MAX]; /* a ring */
    int64_t noted_ms[SEEN_IDENTITIES_MAX];    /* boot clock; what was loaded: when it was */
    int64_t now_ms;
    uint32_t next;
    uint32_t empty; /* places from next on that are known to be */
    bool changed;   /* since it was saved */
};

/* Time goes on (boot clock): what ended SHARED_EVENT_MS ago is forgotten. An agent may count its
 * events from 1 again. */
void seen_turn(struct seen *s, int64_t boot_ms);

bool seen_has(const struct seen *s, uint64_t identity);
void seen_note(struct seen *s, uint64_t identity);

/* The member with entries from *at on of a line of the state file, and the next *at; false behind
 * the last. */
bool seen_save(const struct seen *s, struct json_write *w, uint32_t *at);
/* Takes a line back. 0, or -1 where it makes no sense. */
int seen_load(struct seen *s, struct span object);

#endif
