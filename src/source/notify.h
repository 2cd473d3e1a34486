#ifndef SOURCE_NOTIFY_H
#define SOURCE_NOTIFY_H
/* inotify(7) on the directories that scans find. */

#include "base/limits.h"
#include "loop/loop.h"
#include "source/place.h"

#include <stdint.h>
#include <sys/types.h>

struct feed;

struct notify_watch {
    struct place place; /* its name is "": a day's or a node's; all "": events/ itself */
    uint64_t key;       /* of the path and the inode it had */
};

struct notify {
    struct loop_watch watch; /* fd -1: there is no inotify */
    int above;               /* the watch of the directory that holds events/; -1: none */
    bool told;               /* that the kernel's limit is reached */
    unsigned count;
    int wd[WATCHES_MAX]; /* beside watches, dense: searched for each report */
    struct notify_watch watches[WATCHES_MAX];
};

/* Without inotify (it is logged) the periodic scan finds everything. */
void notify_open(struct feed *f);
void notify_close(struct feed *f);

/* Watches a directory (see struct notify_watch) whose state is *inode. */
void notify_add(struct feed *f, const struct place *place, uint64_t inode);

#endif
