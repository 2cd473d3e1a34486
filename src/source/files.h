#ifndef SOURCE_FILES_H
#define SOURCE_FILES_H
/* Events from the tree: events/<date>/<node>/{*.json, events.jsonl}, by inotify(7) and by a
 * periodic scan (network file systems tell inotify nothing). What is unfinished, and how far all
 * else was read, is saved; progress.c says what a scan takes.
 * The tree is hostile: only directories and regular files are opened, never through a symlink. */

#include "base/span.h"
#include "loop/loop.h"

struct tree;

/* What the event's taker says of it. */
enum files_took {
    FILES_ENDED,
    FILES_KEPT,    /* unfinished until files_finished(ref) */
    FILES_NO_SLOT, /* stays unread: it is offered again by a later scan */
    FILES_UNSURE,  /* may be incomplete: it is offered again when it grew, or as complete after
                    * SETTLE_MS without change */
};

struct files_event {
    struct span bytes;
    struct span origin; /* "2026-01-01/node/file.json", for a line ":<inode>:<offset>" behind */
    int64_t arrived_ms; /* wall clock: ctime */
    int64_t floor_ms;   /* first start: what is dated before is passed over; else 0 */
    uint32_t ref;
    bool complete;
};

struct files_ops {
    enum files_took (*event)(void *ctx, const struct files_event *event);
    /* Could not be read, is too large, ...: reason is a short name. Told once a file. */
    void (*refused)(void *ctx, struct span origin, const char *reason);
};

struct files_counts {
    uint64_t scans;
    uint64_t files;       /* that were taken, and lines */
    uint64_t passed_over; /* at the first start */
    uint32_t unfinished;
    uint32_t watched; /* directories */
    bool overflowed;  /* inotify lost events; a scan follows */
    int error;        /* errno of the last failure to read the tree; 0 = none */
};

struct files_settings {
    const struct tree *tree;
    int64_t lookback_ms;
    bool once; /* no inotify, no settling wait */
};

/* All memory is static: there is one. Loads the progress; sets its timers and watches on the loop.
 * 0, or -1 with errno. */
int files_open(struct loop *loop, const struct files_settings *settings,
               const struct files_ops *ops, void *ctx);
void files_close(void);

/* Is the backlog (from the start, or of the scan in hand) not read to its end yet? */
bool files_reading(void);
/* There is room again: offer what found no slot. */
void files_retry(void);
/* The event behind ref has come to its end. */
void files_finished(uint32_t ref);
/* --once: offers as complete what was unsure. True where anything was offered. */
bool files_settle_all(void);
/* Are there events that were offered and not ended, or not offered for want of a slot? */
bool files_unfinished(void);

/* Has anything changed that files_save() would write? */
bool files_changed(void);
/* Saves the progress, durable. 0, or -1 with errno. */
int files_save(void);
const struct files_counts *files_counts(void);

/* Reads the events of one file, or of a directory and all below it, for replay: no progress, no
 * refs, everything complete. 0, or -1 with errno. */
int files_replay(const char *path, const struct files_ops *ops, void *ctx);

#endif
