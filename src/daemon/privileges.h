#ifndef DAEMON_PRIVILEGES_H
#define DAEMON_PRIVILEGES_H
/* --user: started as root, run as somebody else, for good. */

#include <stddef.h>

struct tree;

/* What is ours alone in the tree (state/planner-agent with its files, the heartbeat) is given to
 * the user where it is root's, then user, group and supplementary groups become the user's.
 * tree_prepare() went before. 0, or an exit code and a sentence in why (size bytes). */
int privileges_drop(const struct tree *tree, const char *user, char *why, size_t size);

#endif
