#ifndef SOURCE_PROGRESS_SAVE_H
#define SOURCE_PROGRESS_SAVE_H
/* Progress as lines: JSON objects of up to PROGRESS_LINE_MAX bytes. */

#include "base/buf.h"
#include "base/json_read.h"
#include "source/progress.h"

/* Where a walk over the lines stands; begins as zeroes, but for from_ms: the earliest mark that a
 * directory has of its own, or p->mark_ms. */
struct progress_walk {
    int64_t from_ms;
    uint32_t seen;
    uint32_t dirs;
    bool begun;
};

/* Appends the next line to *out; false where there is none. */
bool progress_save_line(const struct progress *p, struct buf *out, struct progress_walk *walk);

/* Takes one line back, after progress_init(). 1, 0 where it is none of these, -1 where it makes
 * no sense. */
int progress_save_load(struct progress *p, const struct json *doc);

#endif
