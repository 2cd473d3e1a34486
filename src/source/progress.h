#ifndef SOURCE_PROGRESS_H
#define SOURCE_PROGRESS_H
/* How far the event tree was read. Pure: no files, no clock. progress.c says why it is right. */

#include "base/clock.h"
#include "base/limits.h"
#include "source/hashes.h"

#include <time.h>

/* One state of one file. */
struct progress_file {
    uint64_t device; /* 0 = that of events/: such numbers change from boot to boot */
    uint64_t inode;
    struct timespec ctime;
    int64_t size; /* a coarse clock gives one ctime to a file half written and whole */
};

enum progress_view {
    PROGRESS_OLD,   /* it was there before the mark */
    PROGRESS_SEEN,  /* it was taken */
    PROGRESS_TAKES, /* it is to be taken */
};

struct progress {
    int64_t mark_ms;
    int64_t high_ms;
    int64_t high_boot_ms;               /* when it was raised, or the boot clock at the load */
    int64_t scan_high_ms;               /* rule 3, for the scan in hand */
    int64_t scan_boot_ms;               /* when it began */
    int64_t held_back_ms;               /* least ctime of what it had to leave; INT64_MAX: none */
    int64_t known_from_ms, known_to_ms; /* rule 6; nothing where from >= to */
    uint64_t root;                      /* inode of events/; 0 = unknown */
    uint32_t scan;                      /* its number, the stamp of directories */
    bool first;         /* the first start's scan has not ended: what is old is passed over */
    bool dirs_complete; /* dirs holds all that the last complete scan saw: rule 7 */
    bool dirs_full;     /* in the scan in hand: not all could be added */
    bool dirs_missed;   /* in the scan in hand: not all could be looked for; set by who finds it */
    bool changed;       /* since it was saved */
    bool forgot;        /* seen was full; reset by who logs it */
    struct hashes seen; /* stamp: seconds, of the ctime, or of the taking where that was too old */
    struct hashes dirs;
    uint64_t seen_hash[SEEN_MAX];
    uint32_t seen_stamp[SEEN_MAX];
    uint32_t seen_slots[2 * SEEN_MAX];
    uint64_t dir_hash[DIRS_MAX];
    uint32_t dir_stamp[DIRS_MAX];
    uint32_t dir_slots[2 * DIRS_MAX];
};

/* A first start. *p is static and zeroed, or in use. */
void progress_init(struct progress *p, int64_t lookback_ms, struct now now);

/* What does a scan do with it? mark_ms: p->mark_ms, or an earlier one of its directory's own. */
enum progress_view progress_look(struct progress *p, const struct progress_file *file,
                                 int64_t mark_ms, struct now now);
/* It was seen already (what inotify reports is asked only this). */
bool progress_seen(const struct progress *p, const struct progress_file *file);
/* It was taken: remember. */
void progress_took(struct progress *p, const struct progress_file *file, struct now now);
/* Something has this ctime (progress_took() says so too). */
void progress_saw(struct progress *p, int64_t ctime_ms, struct now now);
/* It could not be taken now: the mark must not pass it. */
void progress_left(struct progress *p, int64_t ctime_ms);

/* events/ has this inode now. Where it had another, none of its directories counts as new. */
void progress_root(struct progress *p, uint64_t inode);
bool progress_dir_is_new(const struct progress *p, uint64_t device, uint64_t inode);
/* It is there, and what is in it does not count as reported (any more). */
void progress_dir_known(struct progress *p, uint64_t device, uint64_t inode);

void progress_scan_begins(struct progress *p, int64_t lookback_ms, struct now now);
void progress_scan_ended(struct progress *p, bool read_everything);

/* What of seen has to outlive us where a scan begins at this mark: stamps of at least this. */
uint32_t progress_seen_from(int64_t mark_ms);

int64_t progress_ms(struct timespec t);

#endif
