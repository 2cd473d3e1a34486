#ifndef STORE_TREE_H
#define STORE_TREE_H
/* The runtime tree (RUNTIME_PATH): where everything that is shared lies. Directories are opened by
 * path each time: over years one may be replaced or mounted over. */

#include "base/limits.h"

#include <sys/types.h>

struct tree {
    char path[RUNTIME_PATH_MAX + 1];
};

#define TREE_EVENTS "events"
#define TREE_WORLD "world"
#define TREE_STATE "state/planner-agent"
#define TREE_HEARTBEAT "state/planner-agent.heartbeat"

#define TREE_DIR_MODE 0755 /* what others read */

/* 0, or -1 where path is not absolute or too long. */
int tree_init(struct tree *tree, const char *path);

/* Opens the directory <tree>/<relative> ("." the tree itself): a descriptor for tree_close(), or
 * -1 with errno. */
int tree_open(const struct tree *tree, const char *relative);
/* The same for the names in it only: it is neither listed nor synced. */
int tree_look(const struct tree *tree, const char *relative);

/* close(2) of a descriptor that nothing was written to, or that was synced; errno stays. */
void tree_close(int fd);

/* fsync(2) of a directory: 0, or -1 with errno; 0 too where its file system knows no such thing. */
int tree_sync(int dir);

/* Opens a directory as tree_open() does, made with its parents where it is missing; below events,
 * where others write, too, with the mode of what it is in. */
int tree_open_made(const struct tree *tree, const char *relative, mode_t mode);

/* Opens a regular file for reading and writing in place, made where it is missing, with this mode
 * and the directory's owner and group where we may set them; never through a symlink. A descriptor
 * for the caller, or -1 with errno (EINVAL: something else has that name). */
int tree_file(int dir, const char *name, mode_t mode);

/* Makes what the daemon writes to and is missing (events, actions/pending, state; 0755, but
 * state/planner-agent 0700), and removes temporary files that a killed process of ours left there.
 * The tree itself must exist: an empty mount point is not to be filled. 0, or -1 with errno and the
 * directory, relative to the tree, in *failed. */
int tree_prepare(const struct tree *tree, const char **failed);

/* Can a file be made in <tree>/<relative>, written and synced? 0, or errno. Leaves nothing. */
int tree_probe(const struct tree *tree, const char *relative);
/* The same without the sync, and where the file system can, without a name: cheap, and nothing
 * reaches the disk. */
int tree_takes(const struct tree *tree, const char *relative);

#endif
