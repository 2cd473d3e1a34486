#ifndef DAEMON_FAULTS_H
#define DAEMON_FAULTS_H
/* What the disk will not do for us at the moment: logged once a change, counted, shown in the
 * status, over when it works again. */

#include <stdbool.h>
#include <stdint.h>

enum fault_kind {
    FAULT_PROPOSE,   /* writing an action */
    FAULT_LOOK,      /* reading actions */
    FAULT_AUDIT,     /* writing an audit event */
    FAULT_MEND,      /* writing those that a killed planner owes */
    FAULT_EVENTS,    /* reading the event tree */
    FAULT_STATE,     /* saving cooldowns and progress */
    FAULT_STATUS,    /* writing the status file */
    FAULT_HEARTBEAT, /* touching the heartbeat */
    FAULTS
};
/* "write actions", "read events", ... */
const char *faults_text(enum fault_kind kind);

struct fault {
    int error;        /* errno; 0 = none now */
    int64_t since_ms; /* wall clock */
    uint64_t count;   /* failures since the start */
};

struct faults {
    struct fault of[FAULTS];
    bool changed; /* since the reader of it set it to false */
};

/* What came of one try: error is 0 or its errno. errno itself stays. */
void faults_tried(struct faults *faults, enum fault_kind kind, int error, int64_t wall_ms);

#endif
