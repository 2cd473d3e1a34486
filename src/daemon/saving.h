#ifndef DAEMON_SAVING_H
#define DAEMON_SAVING_H
/* When state, status and heartbeat are written: as seldom as flash likes, as soon as a crash would
 * cost something. */

#include <stdbool.h>

struct daemon;

/* Sets up the timers. */
void saving_init(struct daemon *d);
/* Loads what the planner remembers; how far a source was read is its own. */
void saving_load(struct daemon *d);

/* Flash wears: the first change after a quiet minute is saved within a second, what follows it a
 * minute after that. A crash in between has the event handled again, where its action is found. */

/* Something was decided that should not be done again. */
void saving_soon(struct daemon *d);
/* The status has news. */
void saving_status(struct daemon *d);
/* Somebody wants to see it. */
void saving_status_now(struct daemon *d);
/* After each turn of the loop: what has changed, is the heartbeat due? */
void saving_look(struct daemon *d);

/* The start: what a killed planner owes, a first status, made while there is room for it, then a
 * first heartbeat. */
void saving_begin(struct daemon *d);
void saving_beat(struct daemon *d);
/* After a failure: a directory of ours was removed or replaced under us (error is ENOENT), and is
 * there again. */
bool saving_restore(struct daemon *d, int error);
/* All that has changed, and the status, now. False where the state could not be saved. */
bool saving_all(struct daemon *d, bool running);

#endif
