#ifndef SOURCE_BED_H
#define SOURCE_BED_H
/* A running file source on a tree of its own, with a taker that does what the events' text says:
 * it begins with "keep" (FILES_KEPT), "half" (FILES_UNSURE unless complete), "full" (FILES_KEPT
 * where bed.slots > 0, which then is one less, else FILES_NO_SLOT), "done" (FILES_KEPT, but it came
 * to its end within the call), anything else: FILES_ENDED. */

#include "loop/loop.h"
#include "source/files.h"
#include "store/tree.h"

struct bed_call {
    char origin[800];
    char text[64];
    enum files_took took;
    uint32_t ref;
    int64_t arrived_ms;
    int64_t floor_ms;
    bool complete;
};

struct bed {
    struct tree tree;
    struct loop loop;
    unsigned slots;
    unsigned count;
    struct bed_call calls[16384];
    unsigned refused_count;
    char refused[64][800];        /* "<reason> <origin>" */
    int64_t boot_skip, wall_skip; /* for the program's clock_now() */
    int64_t opened_ms;            /* of the wall clock: its day is today, wherever the clock goes */
};

extern struct bed bed;

/* A new tree; events/ and state/ are there. */
void bed_open(void);
void bed_close(void);

void bed_start(bool once);
/* Saves, and closes. */
void bed_stop(void);
/* Closes as it stands. */
void bed_kill(void);

/* Turns until nothing more happens by itself. */
void bed_run(void);
/* Lets time pass. */
void bed_pass(int64_t ms);
/* Lets time pass until there was one more scan. */
void bed_scan(void);
/* Waits until the file system's clock, which may be a coarse one, has moved: what is changed from
 * now on has a later ctime than what was changed before. */
void bed_tick(void);

/* "events/<today + days>/<node>/<name>", in static memory until the next call but seven. Today is
 * the day of bed_open(): midnight may come while a test runs, and it still means one directory. */
const char *bed_path(int days, const char *node, const char *name);
const char *bed_day(int days);
/* Writes a file of today (bed_path()'s), in node "n". */
void bed_put(const char *name, const char *text);
void bed_append(const char *path, const char *text);

/* How often an event of this text was taken; how often it was offered. */
unsigned bed_taken(const char *text);
unsigned bed_offered(const char *text);
/* The last call with it; fails where there is none. */
const struct bed_call *bed_call(const char *text);
/* How often a refusal with this reason and an origin that ends so was told. */
unsigned bed_refused(const char *reason, const char *origin_end);

#endif
