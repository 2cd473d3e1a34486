#ifndef BASE_DIR_H
#define BASE_DIR_H
/* Directory entries by getdents64(2): opendir(3) allocates. */

#include <stdint.h>

struct dir {
    int fd;
    int have; /* bytes in data */
    int at;
    int error; /* errno of a failed read, else 0 */
    _Alignas(8) char data[8192];
};

enum dir_type { DIR_UNKNOWN, DIR_REGULAR, DIR_DIRECTORY, DIR_OTHER };

struct dir_entry {
    const char *name; /* in dir->data, until the next dir_next() */
    enum dir_type type;
    uint64_t inode;
};

/* Opens a directory below base (AT_FDCWD too), never following a symlink in its last part.
 * 0, or -1 with errno. dir->fd may be used with *at() calls until dir_close(). */
int dir_open(struct dir *d, int base, const char *path);
/* 1 and the next entry ("." and ".." are left out), 0 at the end, -1 with errno. */
int dir_next(struct dir *d, struct dir_entry *entry);
void dir_rewind(struct dir *d);
void dir_close(struct dir *d);

#endif
