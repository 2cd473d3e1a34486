#ifndef PLANNER_DEPLOYMENT_H
#define PLANNER_DEPLOYMENT_H
/* Deployments by key: faults inside one are held until it completes (dropped), fails (handled) or
 * has lasted DEPLOYMENT_HOLD_MS (handled). Events may be read in any order; their own times tell.
 */

#include "base/clock.h"
#include "base/json_write.h"
#include "base/limits.h"
#include "base/table.h"

struct deployment {
    struct table_key key;
    bool started;       /* started_ms is known */
    bool completed;     /* ended_ms is known, and it was a success */
    bool failed;        /* ended_ms is known, and it was none */
    int64_t started_ms; /* the events' own times */
    int64_t ended_ms;
    int64_t floor_ms;      /* the newest end of an older deployment: what it spans lies after it */
    int64_t hold_until_ms; /* boot clock */
    int64_t read_ms;       /* boot clock, when it was last heard of */
};

struct deployments {
    struct table table;
    bool changed; /* since somebody saved it and cleared this */
    struct deployment entries[DEPLOYMENTS_MAX];
    char keys[DEPLOYMENT_KEYS_BYTES];
};

enum deployment_view {
    DEPLOYMENT_NONE,   /* the fault is outside any: go on */
    DEPLOYMENT_HOLDS,  /* it runs: wait */
    DEPLOYMENT_COVERS, /* it completed, and the fault lies inside: drop */
};

void deployment_init(struct deployments *d);

/* arrived_boot_ms: when the event arrived, on the boot clock (the hold runs from there). A full
 * table loses the one heard of longest ago (log line). */
void deployment_start(struct deployments *d, struct span key, int64_t at_ms,
                      int64_t arrived_boot_ms);
void deployment_end(struct deployments *d, struct span key, bool success, int64_t at_ms,
                    int64_t boot_ms);

enum deployment_view deployment_look(const struct deployments *d, struct span key, int64_t at_ms,
                                     int64_t boot_ms);
/* Until when the running deployment of this key holds; 0 where none does. */
int64_t deployment_hold_until(const struct deployments *d, struct span key, int64_t boot_ms);

/* The members of an entry's JSON object for the state file, the hold's end as wall-clock
 * milliseconds. */
void deployment_save(struct json_write *w, const struct deployments *d,
                     const struct deployment *entry, struct now now);
/* Takes one back; a hold ends DEPLOYMENT_HOLD_MS from now at the latest, wherever the clock went.
 * 0, or -1 where the object makes no sense. */
int deployment_load(struct deployments *d, struct span object, struct now now);

#endif
