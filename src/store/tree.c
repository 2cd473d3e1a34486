#include "store/tree.h"

#include "base/buf.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int tree_init(struct tree *tree, const char *path)
{
    struct span s = span_of(path);

    tree->path[0] = '\0';
    if (s.n == 0 || s.p[0] != '/')
        return -1;
    while (s.n > 1 && s.p[s.n - 1] == '/')
        s.n--;
    return span_copy(tree->path, sizeof(tree->path), s);
}

static int open_at(int dir, const char *name, int flags, mode_t mode)
{
    int fd;

    do
        fd = openat(dir, name, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* What we write to is what it says, whoever may write beside it: no symlink is followed below the
 * tree, but for events itself, which often lies on another disk. */
static int enter(int dir, const char *name, int flags)
{
    bool may_link = strcmp(name, TREE_EVENTS) == 0;
    int fd = open_at(dir, name, flags | O_DIRECTORY | (may_link ? 0 : O_NOFOLLOW), 0);

    tree_close(dir);
    return fd;
}

/* Only the last one is opened to be read: the confinement hides the names in the others. */
static int reach(const struct tree *tree, const char *relative, int flags)
{
    char name[FILE_NAME_MAX + 1];
    struct span rest = span_of(relative);
    int fd = open_at(AT_FDCWD, tree->path, O_PATH | O_DIRECTORY, 0);

    while (fd >= 0 && rest.n > 0) {
        if (span_copy(name, sizeof(name), span_split(&rest, '/')) != 0) {
            tree_close(fd);
            errno = ENAMETOOLONG;
            return -1;
        }
        fd = enter(fd, name, rest.n > 0 ? O_PATH : flags);
    }
    return fd;
}

int tree_open(const struct tree *tree, const char *relative)
{
    return reach(tree, relative, O_RDONLY);
}

int tree_look(const struct tree *tree, const char *relative)
{
    return reach(tree, relative, O_PATH);
}

void tree_close(int fd)
{
    int saved = errno;

    /* Nothing is left to be written, so there is nothing that close(2) could report. */
    if (fd >= 0)
        (void)close(fd);
    errno = saved;
}

int tree_sync(int dir)
{
    return fsync(dir) == 0 || errno == EINVAL ? 0 : -1;
}

/* What is there is opened as it is: events may be a symlink to another disk. */
int tree_open_made(const struct tree *tree, const char *relative, mode_t mode)
{
    static const char events[] = TREE_EVENTS "/";
    int fd = tree_open(tree, relative);

    if (fd >= 0 || errno != ENOENT)
        return fd;
    const char *below = relative;
    if (strncmp(relative, events, sizeof(events) - 1) != 0) {
        fd = tree_open(tree, ".");
    } else {
        fd = tree_open_made(tree, TREE_EVENTS, mode);
        below += sizeof(events) - 1;
        mode = 0;
    }
    if (fd < 0)
        return -1;
    int made = file_make_dirs(fd, below, mode);
    tree_close(fd);
    return made == 0 ? tree_open(tree, relative) : -1;
}

static int make_file(int dir, const char *name, mode_t mode)
{
    int fd = open_at(dir, name, O_RDWR | O_CREAT | O_EXCL, mode);

    if (fd >= 0 && file_adopt(dir, fd, mode) != 0) {
        tree_close(fd);
        return -1;
    }
    return fd;
}

int tree_file(int dir, const char *name, mode_t mode)
{
    struct stat st;
    int fd = open_at(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);

    if (fd < 0 && errno == ENOENT) {
        fd = make_file(dir, name, mode);
        if (fd < 0 && errno == EEXIST) /* another made it in between */
            fd = open_at(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
    }
    if (fd < 0) {
        if (errno == ELOOP || errno == EISDIR || errno == ENXIO)
            errno = EINVAL;
        return -1;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        tree_close(fd);
        errno = EINVAL;
        return -1;
    }
    return fd;
}

int tree_prepare(const struct tree *tree, const char **failed)
{
    static const struct {
        const char *path;
        mode_t mode;
        bool sweep;
    } written[] = {
        {TREE_EVENTS, TREE_DIR_MODE, false},
        {"actions/pending", TREE_DIR_MODE, true},
        {"state", TREE_DIR_MODE, false}, /* the heartbeat there is for everybody */
        {TREE_STATE, 0700, true},
    };

    for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
        *failed = written[i].path;
        int dir = tree_open_made(tree, written[i].path, written[i].mode);
        if (dir < 0)
            return -1;
        int swept = written[i].sweep ? file_sweep(dir) : 0;
        tree_close(dir);
        if (swept < 0)
            return -1;
    }
    *failed = NULL;
    return 0;
}

/* A whole block: a full file system may still take the few bytes that fit into an inode. */
static int write_block(int fd)
{
    char block[4096];

    memset(block, '\n', sizeof(block));
    for (size_t done = 0; done < sizeof(block);) {
        ssize_t n = write(fd, block + done, sizeof(block) - done);
        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0)
            done += (size_t)n;
    }
    return 0;
}

static int probe(int dir, bool sync)
{
    struct file_out out;
    int error = 0;

    if (file_out_open(&out, dir, "probe", 0600) != 0)
        return errno;
    if (write_block(out.fd) != 0 || (sync && fsync(out.fd) != 0))
        error = errno;
    file_out_abort(&out);
    return error;
}

int tree_probe(const struct tree *tree, const char *relative)
{
    int dir = tree_open(tree, relative);

    if (dir < 0)
        return errno;
    int error = probe(dir, true);
    tree_close(dir);
    return error;
}

int tree_takes(const struct tree *tree, const char *relative)
{
    int dir = tree_open(tree, relative);
    int error = 0;

    if (dir < 0)
        return errno;
    int fd = openat(dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0) {
        error = write_block(fd) != 0 ? errno : 0;
        tree_close(fd);
    } else if (errno == ENOSPC || errno == EDQUOT || errno == EROFS || errno == EACCES ||
               errno == ENOENT) {
        error = errno;
    } else {
        error = probe(dir, false); /* it may know no files without a name */
    }
    tree_close(dir);
    return error;
}
