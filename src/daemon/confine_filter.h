#ifndef DAEMON_CONFINE_FILTER_H
#define DAEMON_CONFINE_FILTER_H
/* The system calls that the running planner and its look-up children make: seccomp(2). To start a
 * program or trace a process, or to call by another architecture's numbers, ends the process: who
 * does so is no longer the planner. Any other call it has no use for fails with ENOSYS, as on a
 * kernel that has no such call, and one whose arguments it has no use for with EPERM. */

#include <stdbool.h>

/* Does the kernel have it? */
bool confine_filter_exists(void);
/* For good, and for all children; no_new_privs is set. local: sockets of this machine may be made,
 * which Landlock does not see: what listens at one may do more than we. 0, or -1 with errno. */
int confine_filter_set(bool local);

#endif
