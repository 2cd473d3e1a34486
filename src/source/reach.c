#include "source/reach.h"

#include "source/feed.h"
#include "store/tree.h"

#include <errno.h>
#include <fcntl.h>

int reach_root(struct feed *f)
{
    struct stat st;
    int fd = tree_open(f->settings.tree, TREE_EVENTS);

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) != 0) {
        tree_close(fd);
        return -1;
    }
    f->root_device = st.st_dev;
    progress_root(&f->progress, st.st_ino);
    return fd;
}

static int open_below(int above, const char *name)
{
    int fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    tree_close(above);
    return fd;
}

int reach_dir(struct feed *f, const struct place *place)
{
    int fd = reach_root(f);

    if (fd >= 0)
        fd = open_below(fd, place->day);
    if (fd >= 0 && place->node[0] != '\0')
        fd = open_below(fd, place->node);
    return fd;
}

uint64_t reach_device(const struct feed *f, dev_t device)
{
    return device == f->root_device ? 0 : (uint64_t)device;
}

bool reach_is_absence(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

struct progress_file reach_file(const struct feed *f, const struct stat *st)
{
    return (struct progress_file){.device = reach_device(f, st->st_dev),
                                  .inode = st->st_ino,
                                  .ctime = st->st_ctim,
                                  .size = st->st_size};
}
