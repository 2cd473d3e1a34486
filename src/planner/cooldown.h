#ifndef PLANNER_COOLDOWN_H
#define PLANNER_COOLDOWN_H
/* Repeats of a decided fault are waited out: COOLDOWN_SECONDS a key. What is kept is when it began,
 * so that a changed value of the setting counts at once. Full: expired entries make room, then the
 * oldest is evicted (with a log line). */

#include "base/clock.h"
#include "base/json_write.h"
#include "base/limits.h"
#include "base/table.h"
#include "planner/event.h"

struct cooldown {
    struct table_key key;
    int64_t began_ms;    /* boot clock; negative where it began before this boot */
    uint32_t suppressed; /* events counted since */
    enum severity severity;
};

struct cooldowns {
    struct table table;
    struct cooldown entries[COOLDOWNS_MAX];
    char keys[COOLDOWN_KEYS_BYTES];
};

void cooldown_init(struct cooldowns *c);

/* May an event of this key and severity pass? One in force is counted in it; length_ms is the
 * setting. A severity above the one that started it passes. */
bool cooldown_passes(struct cooldowns *c, struct span key, enum severity severity,
                     int64_t length_ms, int64_t boot_ms);
/* Counts events that another planner's cooldown has suppressed, where the key has one of ours,
 * which may be over. */
void cooldown_count(struct cooldowns *c, struct span key, uint32_t events);
/* Starts it anew, with no suppressed events. */
void cooldown_start(struct cooldowns *c, struct span key, enum severity severity, int64_t length_ms,
                    int64_t boot_ms);
/* How many events the key's cooldown has suppressed so far. */
uint32_t cooldown_suppressed(const struct cooldowns *c, struct span key);
/* Is this entry's time not over? */
bool cooldown_in_force(const struct cooldown *entry, int64_t length_ms, int64_t boot_ms);

/* The members of an entry's JSON object for the state file, its start as wall-clock milliseconds.
 */
void cooldown_save(struct json_write *w, const struct cooldowns *c, const struct cooldown *entry,
                   struct now now);
/* Takes one back. A start in the future counts as now; one that is over is left out, and so is one
 * that is not newer than what the key has. 0, or -1 where the object makes no sense. */
int cooldown_load(struct cooldowns *c, struct span object, int64_t length_ms, struct now now);
/* The same for one that was not saved, its began_ms on the wall clock; nothing makes room for it.
 * Was it left out? Then false. */
bool cooldown_found(struct cooldowns *c, struct span key, const struct cooldown *found,
                    int64_t length_ms, struct now now);

#endif
