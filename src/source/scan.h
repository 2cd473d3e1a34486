#ifndef SOURCE_SCAN_H
#define SOURCE_SCAN_H
/* The walk over events/<day>/<node>/, a slice a loop turn. scan.c says what it lists. */

#include "base/dir.h"
#include "source/place.h"

struct feed;

/* A node's directory that is being looked at. */
struct feed_dir {
    int fd;
    struct place place; /* its name is "" */
    int64_t ctime_ms;
    int64_t mark_ms; /* what a scan takes in it */
    bool reported;   /* all in it counts, unless it was seen */
    bool own_mark;   /* it is listed for a reason of its own, not for its ctime */
    bool left;       /* something in it could not be taken now */
};

enum scan_level { SCAN_IDLE, SCAN_ROOT, SCAN_DAY, SCAN_NODE };

struct scan {
    enum scan_level level;
    struct dir dirs[SCAN_NODE + 1]; /* open: SCAN_ROOT to level */
    struct place day;               /* of SCAN_DAY */
    bool day_near;                  /* it is yesterday, today or tomorrow (UTC) */
    bool day_left;                  /* something in one of its nodes was left */
    struct feed_dir node;           /* of SCAN_NODE */
    uint64_t node_device, node_inode;
    int64_t begun_ms; /* boot clock */
    int64_t took_ms;  /* how long the last one took */
};

void scan_begin(struct feed *f);
/* Goes on, as far as the budget (entries) goes. True when it has come to its end. */
bool scan_slice(struct feed *f, unsigned *budget);
/* Gives it up. */
void scan_stop(struct feed *f);

#endif
