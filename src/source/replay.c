#include "source/replay.h"

#include "base/buf.h"
#include "base/dir.h"
#include "base/file.h"
#include "base/log.h"
#include "source/files.h"
#include "source/place.h"
#include "source/progress.h"
#include "store/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* events/, a day, a node, and one more. */
#define DEPTH_MAX 4

struct replay {
    const struct files_ops *ops;
    void *ctx;
    int error;               /* errno of the first failure */
    char path[PATH_LEN_MAX]; /* of what is being read */
    size_t path_n;
    char bytes[EVENT_BYTES_MAX + 2]; /* the longest line, and CR LF */
};

static void failed(struct replay *r)
{
    if (r->error == 0)
        r->error = errno;
}

static void refuse(struct replay *r, const char *reason)
{
    r->ops->refused(r->ctx, (struct span){r->path, r->path_n}, reason);
}

/* ---- Events ---- */

static void offer(struct replay *r, struct span bytes, int64_t arrived_ms)
{
    struct files_event event = {.bytes = bytes,
                                .origin = {r->path, r->path_n},
                                .arrived_ms = arrived_ms,
                                .ref = UINT32_MAX,
                                .complete = true};

    (void)r->ops->event(r->ctx, &event); /* nothing is offered twice */
}

/* A line at this offset of the file. */
static void offer_line(struct replay *r, struct span line, const struct stat *st, int64_t offset)
{
    size_t path_n = r->path_n;
    struct buf b;

    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    if (span_trim(line).n == 0)
        return;
    if (line.n > EVENT_BYTES_MAX) {
        refuse(r, "too_large");
        return;
    }
    buf_init(&b, r->path + path_n, sizeof(r->path) - path_n);
    buf_char(&b, ':');
    buf_int(&b, (int64_t)st->st_ino);
    buf_char(&b, ':');
    buf_int(&b, offset);
    if (buf_done(&b) == 0)
        r->path_n += b.n;
    offer(r, line, progress_ms(st->st_ctim));
    r->path_n = path_n;
}

static void replay_lines(struct replay *r, int fd, const struct stat *st)
{
    bool skipping = false;
    int64_t offset = 0;

    for (;;) {
        ssize_t n = file_read_at(fd, r->bytes, sizeof(r->bytes), offset);
        if (n < 0)
            failed(r);
        if (n <= 0)
            return;
        char *end = memchr(r->bytes, '\n', (size_t)n);
        size_t length = end != NULL ? (size_t)(end - r->bytes) : (size_t)n;
        bool whole = end != NULL || length < sizeof(r->bytes);
        if (!whole && !skipping)
            refuse(r, "too_large");
        else if (whole && !skipping)
            offer_line(r, (struct span){r->bytes, length}, st, offset);
        skipping = !whole;
        offset += (int64_t)length + (end != NULL ? 1 : 0);
    }
}

static void replay_event(struct replay *r, int fd, const struct stat *st)
{
    ssize_t n = file_read_at(fd, r->bytes, EVENT_BYTES_MAX + 1, 0);

    if (n < 0)
        failed(r);
    else if (n > EVENT_BYTES_MAX)
        refuse(r, "too_large");
    else
        offer(r, (struct span){r->bytes, (size_t)n}, progress_ms(st->st_ctim));
}

/* ---- Files ---- */

static void replay_file(struct replay *r, int dir, const char *name, bool lines)
{
    struct stat st;
    int fd;

    switch (file_open(dir, name, &fd, &st)) {
    case FILE_OK:
        if (lines)
            replay_lines(r, fd, &st);
        else
            replay_event(r, fd, &st);
        tree_close(fd);
        return;
    case FILE_IRREGULAR:
        refuse(r, "irregular");
        return;
    case FILE_DENIED:
        refuse(r, "unreadable");
        return;
    case FILE_ABSENT:
        return;
    default:
        failed(r);
    }
}

/* Appends "/name" to the path. False where it does not fit. */
static bool descend(struct replay *r, const char *name)
{
    struct buf b;

    buf_init(&b, r->path + r->path_n, sizeof(r->path) - r->path_n);
    buf_char(&b, '/');
    buf_str(&b, name);
    if (buf_done(&b) == 0) {
        r->path_n += b.n;
        return true;
    }
    errno = ENAMETOOLONG;
    failed(r);
    return false;
}

static bool is_dir(int dir, const struct dir_entry *entry)
{
    struct stat st;

    if (entry->type != DIR_UNKNOWN)
        return entry->type == DIR_DIRECTORY;
    return fstatat(dir, entry->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static void replay_dir(struct replay *r, int fd)
{
    static struct dir dirs[DEPTH_MAX];
    size_t path_n[DEPTH_MAX] = {r->path_n};
    struct dir_entry entry;
    unsigned depth = 0;

    if (dir_open(&dirs[0], fd, ".") != 0) {
        failed(r);
        return;
    }
    for (;;) {
        struct dir *dir = &dirs[depth];
        r->path_n = path_n[depth];
        int found = dir_next(dir, &entry);
        if (found < 0)
            failed(r);
        if (found <= 0) {
            dir_close(dir);
            if (depth-- == 0)
                return;
            continue;
        }
        bool lines = place_is_log(entry.name);
        if (entry.name[0] == '.' || !descend(r, entry.name))
            continue;
        if (!lines && !place_is_event(entry.name) && is_dir(dir->fd, &entry)) {
            if (depth + 1 == DEPTH_MAX)
                continue;
            if (dir_open(&dirs[depth + 1], dir->fd, entry.name) == 0)
                path_n[++depth] = r->path_n;
            else
                failed(r);
        } else if (lines || place_is_event(entry.name)) {
            replay_file(r, dir->fd, entry.name, lines);
        }
    }
}

int replay_path(const char *path, const struct files_ops *ops, void *ctx)
{
    static struct replay r;
    struct stat st;
    const char *name = strrchr(path, '/');

    r.ops = ops;
    r.ctx = ctx;
    r.error = 0;
    r.path_n = strlen(path);
    if (span_copy(r.path, sizeof(r.path), span_of(path)) != 0) {
        errno = ENAMETOOLONG;
        return -1;
    }
    /* What is named is read even behind a symlink; what is found below is not. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) != 0)
        failed(&r);
    else if (S_ISDIR(st.st_mode))
        replay_dir(&r, fd);
    else if (!S_ISREG(st.st_mode))
        refuse(&r, "irregular");
    else if (place_is_log(name != NULL ? name + 1 : path))
        replay_lines(&r, fd, &st);
    else
        replay_event(&r, fd, &st);
    tree_close(fd);
    errno = r.error;
    return r.error == 0 ? 0 : -1;
}
