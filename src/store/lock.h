#ifndef STORE_LOCK_H
#define STORE_LOCK_H
/* One planner a tree: flock(2) on state/planner-agent/lock, which holds our pid. */

struct tree;

/* A descriptor that holds the lock until it is closed; -1 with errno, EWOULDBLOCK where another
 * process has it (its pid in *holder, 0 where unknown). */
int lock_take(const struct tree *tree, long *holder);

#endif
