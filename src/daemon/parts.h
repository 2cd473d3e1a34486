#ifndef DAEMON_PARTS_H
#define DAEMON_PARTS_H
/* All parts of the running planner, for the files of this room. */

#include "daemon/daemon.h"
#include "daemon/decisions.h"
#include "daemon/faults.h"
#include "daemon/models.h"
#include "loop/signals.h"
#include "planner/planner.h"
#include "store/tree.h"

struct daemon {
    const struct daemon_options *options;
    struct config configs[2];
    struct config *config; /* the one of them that is in force */
    struct models chains[2];
    const struct models *models; /* the one of them that belongs to config */
    struct tree tree;
    struct loop loop;
    struct signals signals;
    struct router router;
    struct planner planner;
    struct faults faults;
    struct decisions decisions;
    struct loop_timer save_timer;
    struct loop_timer status_timer;
    struct loop_timer beat_timer;
    struct loop_timer mend_timer;
    int lock;
    int stop_signal; /* 0 = none came */
    bool reload;     /* SIGHUP came */
    bool out_of_timers;
    bool outdated; /* only a new start reaches what was replaced: see confine.h */
    bool cooldowns_changed;
    const char *refusal;     /* why the last event was refused */
    bool no_slot;            /* an event found none since files_retry(), */
    uint64_t no_slot_ended;  /* when so many had ended */
    uint64_t ended;          /* events that came to their end */
    uint64_t unreadable;     /* files, messages, entries refused before they could be events */
    int64_t started_ms;      /* boot clock */
    int64_t before_ms;       /* wall clock: the last heartbeat before the start */
    int64_t beat_ms;         /* boot clock: the last heartbeat */
    int64_t state_saved_ms;  /* boot clock: the last try */
    int64_t status_saved_ms; /* boot clock */
};

#endif
