#include "store/lock.h"

#include "store/tree.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/number.h"

#include <errno.h>
#include <limits.h>
#include <sys/file.h>
#include <unistd.h>

#define PID_TEXT_MAX 24 /* bytes of a pid and its newline */

static int lock_now(int fd)
{
    int result;

    do
        result = flock(fd, LOCK_EX | LOCK_NB);
    while (result != 0 && errno == EINTR);
    return result;
}

/* 0 where the file does not say. */
static long read_pid(int fd)
{
    char data[PID_TEXT_MAX];
    int64_t pid;
    ssize_t n = file_read_at(fd, data, sizeof(data), 0);

    if (n <= 0 || data[n - 1] != '\n')
        return 0;
    if (number_int((struct span){data, (size_t)n - 1}, 1, INT_MAX, &pid) != 0)
        return 0;
    return (long)pid;
}

static int write_pid(int fd)
{
    char data[PID_TEXT_MAX];
    struct buf b;

    buf_init(&b, data, sizeof(data));
    buf_int(&b, getpid());
    buf_char(&b, '\n');
    struct span text = buf_view(&b);
    if (ftruncate(fd, 0) != 0)
        return -1;
    ssize_t n = pwrite(fd, text.p, text.n, 0);
    file_wrote(n);
    return n == (ssize_t)text.n ? 0 : -1;
}

int lock_take(const struct tree *tree, long *holder)
{
    int dir = tree_open(tree, TREE_STATE);

    *holder = 0;
    if (dir < 0)
        return -1;
    int fd = tree_file(dir, "lock", 0600);
    tree_close(dir);
    if (fd < 0)
        return -1;
    if (lock_now(fd) != 0) {
        int error = errno;
        if (error == EWOULDBLOCK)
            *holder = read_pid(fd);
        tree_close(fd);
        errno = error;
        return -1;
    }
    /* The pid is news for a person; a full disk must not keep the planner from starting. What was
     * half written is no number with a newline, and reads as unknown. */
    (void)write_pid(fd);
    return fd;
}
