#ifndef DAEMON_REPORT_H
#define DAEMON_REPORT_H
/* What the status file says: one JSON object of less than STATUS_SIZE bytes. */

#include "base/buf.h"
#include "base/clock.h"

struct config;
struct decisions;
struct faults;
struct files_counts;
struct planner;
struct router;

struct report {
    struct now now;
    int64_t started_ms; /* wall clock */
    bool running;       /* false in the last one, of a planner that ended */
    bool once;
    bool offline;
    bool reading;        /* files_reading() */
    uint64_t unreadable; /* refused before they could be events */
    int64_t paid_calls;  /* budget_made() */
    const char *runtime; /* the tree in use */
    const struct config *config;
    const struct planner *planner;
    const struct router *router;
    const struct files_counts *files;
    const struct faults *faults;
    const struct decisions *decisions;
};

void report_write(const struct report *report, struct buf *out);

#endif
