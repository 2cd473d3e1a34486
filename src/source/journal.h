#ifndef SOURCE_JOURNAL_H
#define SOURCE_JOURNAL_H
/* The logs (events.jsonl) that are followed, up to LOGS_MAX, by (device, inode): how far each was
 * read. Pure: no files, no clock. */

#include "base/json_read.h"
#include "source/place.h"
#include "source/print.h"

#include <time.h>

enum journal_state {
    JOURNAL_FREE,
    JOURNAL_READ,    /* to its end, but for an unfinished line */
    JOURNAL_GROWN,   /* there is, or may be, something to read */
    JOURNAL_BLOCKED, /* its next line found no slot */
    JOURNAL_FOUND,   /* a rotated log that nobody knew: perhaps a copy that is being made */
};

struct journal {
    enum journal_state state;
    struct place place; /* its name now */
    uint64_t device;    /* as in struct progress_file */
    uint64_t inode;
    struct print at;     /* all lines before its offset were taken */
    struct print before; /* it was truncated: what it was like then */
    bool skipping;       /* inside a line that was refused for its length */
    bool denied;         /* it was refused for its permissions */
    int64_t floor_ms;    /* lines that begin before floor_end: struct files_event's floor_ms */
    int64_t floor_end;
    int64_t refused_size; /* its size when its unfinished last line was refused; 0 = it was not */
    /* Not saved: */
    struct timespec ctime; /* when it was last looked at */
    int64_t size;
    int64_t settle_ms; /* boot clock: its unfinished last line, or in FOUND all of it, is complete
                        * where it has not changed until then; 0 = there is no such thing */
    uint32_t scan;     /* the last one that saw it */
    unsigned missed;   /* listings of its directory since, without it */
};

struct journals {
    uint32_t count;     /* entries[0..count) are in use */
    int64_t dropped_ms; /* start of the newest day of which one had to be dropped; 0 = none */
    bool changed;
    struct journal entries[LOGS_MAX];
};

void journal_init(struct journals *j);

struct journal *journal_find(struct journals *j, uint64_t device, uint64_t inode);
/* A new one at offset 0, in JOURNAL_GROWN; NULL where the table is full. */
struct journal *journal_add(struct journals *j, const struct place *place, uint64_t device,
                            uint64_t inode, uint32_t scan);
/* Moves the last one into its place: pointers are valid until then. */
void journal_forget(struct journals *j, struct journal *log);

/* The one that is missed least: of the oldest day, not seen for the longest time. NULL where all
 * have work open. */
struct journal *journal_least(struct journals *j);
/* It goes though it is there. */
void journal_drop(struct journals *j, struct journal *log);
/* Was a log of this day perhaps followed once, and dropped since? */
bool journal_was_dropped(const struct journals *j, const char *day);

/* The line of entry *at, and the next *at; false behind the last. */
bool journal_save(const struct journals *j, struct buf *out, uint32_t *at);
/* 1, 0 where the line is another's, -1 where it makes no sense. A loaded log is JOURNAL_GROWN. */
int journal_load(struct journals *j, const struct json *doc);

#endif
