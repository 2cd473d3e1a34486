#include "base/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* getdents64(2)'s record. */
struct record {
    uint64_t inode;
    int64_t offset;
    uint16_t length;
    uint8_t type;
    char name[];
};

/* Its types, as <dirent.h> has them. */
enum { RECORD_UNKNOWN = 0, RECORD_DIRECTORY = 4, RECORD_REGULAR = 8 };

int dir_open(struct dir *d, int base, const char *path)
{
    d->have = 0;
    d->at = 0;
    d->error = 0;
    d->fd = openat(base, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return d->fd >= 0 ? 0 : -1;
}

static int fill(struct dir *d)
{
    long n;

    do
        n = syscall(SYS_getdents64, d->fd, d->data, sizeof(d->data));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        d->error = errno;
    d->have = n > 0 ? (int)n : 0;
    d->at = 0;
    return d->have;
}

static enum dir_type type_of(uint8_t type)
{
    switch (type) {
    case RECORD_UNKNOWN:
        return DIR_UNKNOWN;
    case RECORD_DIRECTORY:
        return DIR_DIRECTORY;
    case RECORD_REGULAR:
        return DIR_REGULAR;
    default:
        return DIR_OTHER;
    }
}

int dir_next(struct dir *d, struct dir_entry *entry)
{
    struct record r;

    for (;;) {
        if (d->error == 0 && d->at == d->have && fill(d) == 0 && d->error == 0)
            return 0;
        if (d->error != 0) {
            errno = d->error;
            return -1;
        }
        const char *at = d->data + d->at;
        memcpy(&r, at, offsetof(struct record, name));
        d->at += r.length;
        const char *name = at + offsetof(struct record, name);
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        *entry = (struct dir_entry){.name = name, .type = type_of(r.type), .inode = r.inode};
        return 1;
    }
}

void dir_rewind(struct dir *d)
{
    d->have = 0;
    d->at = 0;
    d->error = lseek(d->fd, 0, SEEK_SET) == 0 ? 0 : errno;
}

void dir_close(struct dir *d)
{
    /* Only read from: there is nothing that close(2) could report. */
    if (d->fd >= 0)
        (void)close(d->fd);
    d->fd = -1;
}
