#ifndef SOURCE_FEED_H
#define SOURCE_FEED_H
/* What the files of this room share: the one running source, and how a file in it becomes an event
 * that is offered. Who finds files (scan.c, notify.c) calls feed_entry(). */

#include "source/files.h"
#include "source/journal.h"
#include "source/notify.h"
#include "source/progress.h"
#include "source/refs.h"
#include "source/scan.h"

#include <sys/stat.h>

/* Its writer may still set its mode, times or links: that changes its ctime, but not its bytes. */
struct feed_recent {
    uint64_t device, inode, digest;
    int64_t ctime_ms;
};

struct feed {
    struct loop *loop;
    struct files_settings settings;
    const struct files_ops *ops;
    void *ctx;
    struct progress progress;
    struct refs refs;
    struct journals journals;
    struct scan scan;
    struct notify notify;
    struct files_counts counts;
    dev_t root_device;
    struct loop_timer work;
    int64_t next_scan_ms; /* boot clock */
    int64_t scan_end_ms;  /* of the last one */
    bool begun;           /* the first scan has */
    bool scanning;
    bool scan_now;      /* something happened that a scan is to look at */
    bool retry;         /* there is room again */
    bool left;          /* something found no slot in the last scan, or since */
    bool missed;        /* the scan in hand could not read everything */
    int scan_error;     /* its last errno */
    int logged_error;   /* the last errno that was logged; 0 since a scan had none */
    unsigned recent_at; /* the oldest */
    struct feed_recent recent[RECENT_MAX];
    char bytes[EVENT_BYTES_MAX + 2]; /* the longest line, and CR LF */
};

/* Looks at what has this name in the directory, and takes it where it counts. */
void feed_entry(struct feed *f, struct feed_dir *dir, const char *name);

/* Offers the event of a ref in REF_TAKING or REF_AGAIN. FILES_ENDED: the ref is free; FILES_KEPT:
 * it is REF_KEPT; else it is as it was. */
enum files_took feed_offer(struct feed *f, struct ref *ref, struct span bytes, bool complete);

/* The same for a whole file, n bytes in f->bytes, as of *st, with all that follows from it. */
void feed_offer_file(struct feed *f, struct feed_dir *dir, struct ref *ref, size_t n,
                     const struct stat *st, bool complete);

/* Opens the directory of a ref and looks at its file. False, and nothing open, where it is gone (so
 * is the ref then) or could not be looked at. */
bool feed_find(struct feed *f, struct feed_dir *dir, struct ref *ref, struct stat *st);
/* Tries what could not be read. */
void feed_unread(struct feed *f);
/* Offers what is unsure and due; all: whatever it is due. True where anything was offered. */
bool feed_settle(struct feed *f, bool all);
/* Boot clock; INT64_MAX: nothing is. */
int64_t feed_settle_due(const struct feed *f);

void feed_refuse(struct feed *f, const struct place *place, const char *reason);
/* The file of an unfinished event is gone. */
void feed_gone(struct feed *f, struct ref *ref);
/* A file or directory cannot be read now. */
void feed_fault(struct feed *f, const struct place *place, int error);
/* The directory must be listed by the next scan, from from_ms on. */
void feed_list_again(struct feed *f, const struct place *place, int64_t from_ms);
/* Something in the directory could not be taken now. */
void feed_left(struct feed *f, struct feed_dir *dir, int64_t ctime_ms);

#endif
