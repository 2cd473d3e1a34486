#ifndef PLANNER_RECOVERY_H
#define PLANNER_RECOVERY_H
/* Each key's newest recovery, a source: files are read in any order, so a fault that is read after
 * its recovery is known by its time. Kept RECOVERY_MEMORY_MS after it was read, and longer while
 * its key has work open (planner.c touches it). Keys and sources are kept as 64-bit hashes. */

#include "base/limits.h"
#include "base/span.h"

#include <stdint.h>

#define RECOVERY_WAYS 64 /* entries that are looked at for one key */

struct recovery {
    uint64_t key;
    uint64_t source; /* 0 = none named */
    int64_t at_ms;   /* the event's own time */
    int64_t read_ms; /* boot clock; 0 = free */
    bool node_only;  /* node_online: recovers from node_offline alone */
};

/* All zero = none was read. */
struct recoveries {
    struct recovery entry[RECOVERIES_MAX];
};

/* Remembers it where it is the newest of its key and source; where all it may take are in use
 * the one read longest ago goes. */
void recovery_note(struct recoveries *r, struct span key, struct span source, bool node_only,
                   int64_t at_ms, int64_t boot_ms);

/* Was a recovery read that is not older than a fault of this key, source and time? node_offline
 * says whether the fault is one. A source that is not named, on either side, matches all. */
bool recovery_covers(const struct recoveries *r, struct span key, struct span source,
                     bool node_offline, int64_t at_ms, int64_t boot_ms);

/* Keeps what is remembered of the key, by its hash_span(), for another RECOVERY_MEMORY_MS. */
void recovery_touch(struct recoveries *r, uint64_t key, int64_t boot_ms);

#endif
