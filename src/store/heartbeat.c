#include "store/heartbeat.h"

#include "store/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>

static const char directory[] = "state";
static const char name[] = "planner-agent.heartbeat";

_Static_assert(sizeof(TREE_HEARTBEAT) == sizeof(directory) + sizeof(name),
               "one path, in two parts");

int heartbeat_beat(const struct tree *tree)
{
    int dir = tree_look(tree, directory);

    if (dir < 0)
        return -1;
    int result = utimensat(dir, name, NULL, AT_SYMLINK_NOFOLLOW);
    if (result != 0 && errno == ENOENT) {
        int fd = tree_file(dir, name, 0644);
        tree_close(fd);
        result = fd < 0 ? -1 : 0;
    }
    tree_close(dir);
    return result;
}

int heartbeat_make(const struct tree *tree)
{
    static const struct timespec never[2];
    int dir = tree_look(tree, directory);
    struct stat st;

    if (dir < 0)
        return -1;
    int result = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW);
    if (result != 0 && errno == ENOENT) {
        int fd = tree_file(dir, name, 0644);
        result = fd < 0 ? -1 : futimens(fd, never);
        tree_close(fd);
    }
    tree_close(dir);
    return result;
}

int64_t heartbeat_last(const struct tree *tree)
{
    struct stat st;
    int dir = tree_look(tree, directory);

    if (dir < 0)
        return -1;
    int result = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW);
    tree_close(dir);
    if (result != 0)
        return -1;
    if (!S_ISREG(st.st_mode)) {
        errno = EINVAL;
        return -1;
    }
    return (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
}
