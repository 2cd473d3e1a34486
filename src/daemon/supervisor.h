#ifndef DAEMON_SUPERVISOR_H
#define DAEMON_SUPERVISOR_H
/* Who started the daemon is told how it is: systemd and its like over NOTIFY_SOCKET (sd_notify(3)),
 * s6 and its like by a newline on a descriptor (`run --notify-fd`). Where nobody asks, nothing
 * happens; a failure is a log line at most. One a process: all memory is static. */

#include "base/clock.h"
#include "base/span.h"

struct daemon;
struct loop;

/* A descriptor for the newline, by its number. NULL and *fd, which no child inherits; or why not.
 */
const char *supervisor_descriptor(struct span number, int *fd);

/* Takes what the environment says out of it and connects the socket: afterwards there is no more
 * than send(2) to it. ready_fd: to be given the newline; 0 = none. */
void supervisor_open(int ready_fd);

/* The sources are open, the first status and heartbeat written: the backlog is read from now on.
 * The watchdog is fed from then on, by this loop's turns alone, at half its interval at the
 * latest. */
void supervisor_ready(struct loop *loop);
/* After each turn of the loop. */
void supervisor_turn(struct now now);
/* A line about how things are, for people; only where it differs from the last one. */
void supervisor_status(const struct daemon *d);

/* The configuration is read again; supervisor_reloaded() must follow. */
void supervisor_reloading(void);
void supervisor_reloaded(void);
void supervisor_stopping(void);

#endif
