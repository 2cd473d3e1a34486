#ifndef DAEMON_DECISIONS_H
#define DAEMON_DECISIONS_H
/* The last decisions, for the status command: a repeat of what an entry says already is counted in
 * it, an end takes the place of what was said on the way to it, and what comes in floods (benign
 * events, refused ones) may take a few places only. */

#include "base/json_write.h"
#include "base/limits.h"
#include "planner/outcome.h"

/* Texts are cut to fit. */
struct decisions_entry {
    uint64_t number; /* counts up; 0 = free */
    int64_t at_ms;   /* wall clock, of the last time */
    uint32_t times;
    uint32_t suppressed;
    enum outcome outcome;
    enum severity severity;
    bool has_event; /* else only outcome, reason and origin say something */
    char node[65];
    char service[65];
    char type[65];
    char action[17];
    char action_id[ACTION_ID_MAX + 1];
    char model[65];
    char reason[321];
    char origin[161];
};

/* Entries do not move; one place more than may be kept is for what is new. All zero = none yet. */
struct decisions {
    unsigned count;
    uint64_t numbers; /* the last one given */
    struct decisions_entry entry[DECISIONS_KEPT + 1];
};

/* True where it says something new, false where it was counted in an entry or is not kept. */
bool decisions_note(struct decisions *decisions, const struct decision *decision, int64_t wall_ms);

/* The newest whose number is less than this; NULL where there is none. */
const struct decisions_entry *decisions_before(const struct decisions *decisions, uint64_t number);

/* Writes the array "decisions", the newest first; the oldest are left out where there is no room:
 * reserve bytes of the buffer stay free. */
void decisions_write(const struct decisions *decisions, struct json_write *w, size_t reserve);

#endif
