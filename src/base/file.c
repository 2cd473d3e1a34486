#include "base/file.h"

#include "base/buf.h"
#include "base/dir.h"
#include "base/hash.h"
#include "base/number.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TEMP_PREFIX ".tmp-"
#define MODE_BITS 07777U
#define NO_REPLACE 1U /* RENAME_NOREPLACE of renameat2(2), which musl 1.2.5 does not have */

const char *file_result_text(enum file_result result)
{
    switch (result) {
    case FILE_OK:
        return "done";
    case FILE_ABSENT:
        return "no such file";
    case FILE_EXISTS:
        return "the name is taken";
    case FILE_IRREGULAR:
        return "not a regular file";
    case FILE_TOO_LARGE:
        return "too large";
    case FILE_DENIED:
        return "permission denied";
    case FILE_FAULT:
        return "input/output fault";
    }
    return "unknown";
}

/* Of an errno value. */
static enum file_result result_of(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return FILE_ABSENT;
    case EEXIST:
        return FILE_EXISTS;
    case ELOOP: /* a symlink */
    case ENXIO: /* a socket */
    case EISDIR:
        return FILE_IRREGULAR;
    case EACCES:
    case EPERM:
        return FILE_DENIED;
    default:
        return FILE_FAULT;
    }
}

/* Of a descriptor that was only read from: there is nothing that close(2) could report. */
static void close_quietly(int fd)
{
    int saved = errno;

    (void)close(fd);
    errno = saved;
}

/* ---- Reading ---- */

enum file_result file_open(int dir, const char *name, int *fd, struct stat *st)
{
    int opened = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (opened < 0)
        return result_of(errno);
    enum file_result result = FILE_OK;
    if (fstat(opened, st) != 0)
        result = result_of(errno);
    else if (!S_ISREG(st->st_mode))
        result = FILE_IRREGULAR;
    if (result != FILE_OK) {
        close_quietly(opened);
        return result;
    }
    *fd = opened;
    return FILE_OK;
}

ssize_t file_read_at(int fd, char *data, size_t cap, int64_t offset)
{
    size_t n = 0;

    while (n < cap) {
        ssize_t got = pread(fd, data + n, cap - n, (off_t)(offset + (int64_t)n));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    return (ssize_t)n;
}

enum file_result file_read(int dir, const char *name, char *data, size_t cap, size_t *n,
                           struct stat *st)
{
    struct stat own;
    char more;
    int fd;

    if (st == NULL)
        st = &own;
    enum file_result result = file_open(dir, name, &fd, st);
    if (result != FILE_OK)
        return result;
    ssize_t got = file_read_at(fd, data, cap, 0);
    ssize_t rest = got == (ssize_t)cap ? file_read_at(fd, &more, 1, got) : 0;
    if (got < 0 || rest < 0)
        result = result_of(errno);
    else if (rest > 0)
        result = FILE_TOO_LARGE;
    else
        *n = (size_t)got;
    close_quietly(fd);
    return result;
}

/* ---- Mode and owner ---- */

int file_adopt(int dir, int fd, mode_t mode)
{
    static struct stat parent, own;

    if (fstat(dir, &parent) != 0 || fstat(fd, &own) != 0)
        return -1;
    /* What passes its directory's group on keeps that. */
    mode |= own.st_mode & S_ISGID;
    /* Before it is given away: then it is no longer ours to chmod. Of a directory that passes more
     * on, filters may forbid it: what the kernel gave it then stays. */
    if ((own.st_mode & MODE_BITS) != mode && fchmod(fd, mode) != 0 && mode <= 0777)
        return -1;
    if (parent.st_uid == own.st_uid && parent.st_gid == own.st_gid)
        return 0;
    if (fchown(fd, parent.st_uid, parent.st_gid) == 0)
        return 0;
    if (fchown(fd, (uid_t)-1, parent.st_gid) == 0)
        return 0;
    /* EINVAL: an id without a mapping in our user namespace. */
    return errno == EPERM || errno == EINVAL ? 0 : -1;
}

/* ---- Writing ---- */

static struct file_writes writes;

struct file_writes file_writes(void)
{
    return writes;
}

void file_wrote(ssize_t n)
{
    if (n <= 0)
        return;
    writes.count++;
    writes.bytes += n;
}

/* No two alike: hashed under the process's own key, so that an earlier process with our pid, or one
 * in another pid namespace, has other names; and counted, for two files of one name. */
static int temp_name(struct file_out *out, const char *name)
{
    static uint32_t count;
    uint64_t hash = hash_span(span_of(name));
    struct buf b;

    buf_init(&b, out->temp, sizeof(out->temp));
    buf_str(&b, TEMP_PREFIX);
    buf_hex(&b, &hash, sizeof(hash));
    buf_char(&b, '-');
    buf_int(&b, count++);
    buf_char(&b, '-');
    buf_int(&b, getpid());
    return buf_text(&b) != NULL ? 0 : -1;
}

static void fail(struct file_out *out, int error)
{
    if (out->error == 0)
        out->error = error;
}

int file_out_open(struct file_out *out, int dir, const char *name, mode_t mode)
{
    out->dir = dir;
    out->fd = -1;
    out->error = 0;
    out->named = false;
    out->n = 0;
    if (strchr(name, '/') != NULL || temp_name(out, name) != 0) {
        fail(out, EINVAL);
        errno = EINVAL;
        return -1;
    }
    out->fd = openat(dir, out->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (out->fd < 0) {
        /* FILE_EXISTS is to be said of the final name only. */
        fail(out, errno == EEXIST ? EBUSY : errno);
        errno = out->error;
        return -1;
    }
    if (file_adopt(dir, out->fd, mode) != 0) {
        int error = errno;
        file_out_abort(out);
        fail(out, error);
        errno = error;
        return -1;
    }
    return 0;
}

static void write_all(struct file_out *out, const char *p, size_t n)
{
    while (n > 0 && out->error == 0) {
        ssize_t done = write(out->fd, p, n);
        file_wrote(done);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            fail(out, done < 0 ? errno : EIO);
            return;
        }
        p += done;
        n -= (size_t)done;
    }
}

static void flush(struct file_out *out)
{
    write_all(out, out->data, out->n);
    out->n = 0;
}

void file_out_write(struct file_out *out, struct span bytes)
{
    if (out->error != 0 || bytes.n == 0)
        return;
    if (bytes.n > sizeof(out->data) - out->n)
        flush(out);
    if (bytes.n > sizeof(out->data)) {
        write_all(out, bytes.p, bytes.n);
        return;
    }
    memcpy(out->data + out->n, bytes.p, bytes.n);
    out->n += bytes.n;
}

/* Takes the temporary name away; whatever became of the file, it is of no use. */
static void remove_temp(struct file_out *out)
{
    if (unlinkat(out->dir, out->temp, 0) != 0)
        fail(out, errno);
}

void file_out_abort(struct file_out *out)
{
    if (out->fd < 0)
        return;
    close_quietly(out->fd);
    out->fd = -1;
    remove_temp(out);
}

/* All bytes on the disk, the descriptor closed. */
static void finish(struct file_out *out)
{
    flush(out);
    if (out->error == 0 && fsync(out->fd) != 0)
        fail(out, errno);
    /* EINTR: Linux has closed it all the same. */
    if (close(out->fd) != 0 && errno != EINTR)
        fail(out, errno);
    out->fd = -1;
}

/* Gives the file its name where that is free: by a rename, which is one change of the directory.
 * File systems that cannot refuse to replace (EINVAL: NFS, some of FUSE), and containers whose
 * filter does not know the call, have the link. */
static int name_new(const struct file_out *out, const char *name, bool *renamed)
{
    *renamed = syscall(SYS_renameat2, out->dir, out->temp, out->dir, name, NO_REPLACE) == 0;
    if (*renamed)
        return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP && errno != EPERM)
        return -1;
    return linkat(out->dir, out->temp, out->dir, name, 0);
}

/* EINVAL: a file system that has no such thing for directories. */
static int sync_dir(int dir)
{
    return fsync(dir) == 0 || errno == EINVAL ? 0 : -1;
}

enum file_result file_out_commit(struct file_out *out, const char *name, bool replace)
{
    bool renamed = false;

    if (out->fd < 0) {
        errno = out->error != 0 ? out->error : EBADF;
        return result_of(errno);
    }
    finish(out);
    if (out->error == 0) {
        out->named = (replace ? renameat(out->dir, out->temp, out->dir, name)
                              : name_new(out, name, &renamed)) == 0;
        if (!out->named)
            fail(out, errno);
        else
            renamed |= replace;
    }
    enum file_result result = out->error == 0 ? FILE_OK : result_of(out->error);
    if (!renamed)
        remove_temp(out);
    if (result == FILE_OK && sync_dir(out->dir) != 0)
        fail(out, errno);
    if (result == FILE_OK && out->error != 0)
        result = FILE_FAULT;
    errno = out->error;
    return result;
}

enum file_result file_put(int dir, const char *name, struct span bytes, mode_t mode, bool replace)
{
    struct file_out out;

    if (file_out_open(&out, dir, name, mode) != 0)
        return result_of(errno);
    file_out_write(&out, bytes);
    return file_out_commit(&out, name, replace);
}

/* ---- Directories ---- */

/* Is name a temporary file's whose process is gone? */
static bool is_stale(const char *name)
{
    struct span rest = span_of(name);
    int64_t pid;

    if (rest.n < sizeof(TEMP_PREFIX) || memcmp(name, TEMP_PREFIX, sizeof(TEMP_PREFIX) - 1) != 0)
        return false;
    const char *dash = strrchr(name, '-');
    if (number_int(span_of(dash + 1), 1, INT_MAX, &pid) != 0)
        return false;
    return pid == getpid() || (kill((pid_t)pid, 0) != 0 && errno == ESRCH);
}

int file_sweep(int dir)
{
    struct dir d;
    struct dir_entry entry;
    int removed = 0;
    int error = 0;
    int more;

    if (dir_open(&d, dir, ".") != 0)
        return -1;
    while ((more = dir_next(&d, &entry)) == 1) {
        if (entry.type == DIR_DIRECTORY || !is_stale(entry.name))
            continue;
        if (unlinkat(d.fd, entry.name, 0) == 0)
            removed++;
        else if (errno != ENOENT)
            error = errno;
    }
    if (more < 0)
        error = errno;
    dir_close(&d);
    errno = error;
    return error == 0 ? removed : -1;
}

/* Opens the directory name in parent; makes it where it is missing. -1: errno. The bit that passes
 * a group on is the kernel's to give: filters forbid us to. */
static int enter(int parent, const char *name, mode_t mode)
{
    struct stat st;
    if (mode == 0 && fstat(parent, &st) == 0)
        mode = st.st_mode & 01775;
    bool made = mkdirat(parent, name, mode) == 0;
    if (!made && errno != EEXIST)
        return -1;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || !made)
        return fd;
    if (file_adopt(parent, fd, mode) != 0 || sync_dir(parent) != 0) {
        close_quietly(fd);
        return -1;
    }
    return fd;
}

int file_make_dirs(int dir, const char *path, mode_t mode)
{
    char name[NAME_MAX + 1];
    struct span rest = span_of(path);
    int at = dir;

    while (rest.n > 0) {
        struct span part = span_split(&rest, '/');
        int next = -1;
        if (part.n == 0 || span_is(part, ".") || span_is(part, ".."))
            errno = EINVAL;
        else if (span_copy(name, sizeof(name), part) != 0)
            errno = ENAMETOOLONG;
        else
            next = enter(at, name, mode);
        if (at != dir)
            close_quietly(at);
        if (next < 0)
            return -1;
        at = next;
    }
    if (at != dir)
        close_quietly(at);
    return 0;
}
