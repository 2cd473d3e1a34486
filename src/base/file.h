#ifndef BASE_FILE_H
#define BASE_FILE_H
/* Files that other programs read or that outlive us: read with suspicion, written whole. */

#include "base/span.h"

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

enum file_result {
    FILE_OK,
    FILE_ABSENT,    /* ENOENT, ENOTDIR */
    FILE_EXISTS,    /* the name is taken */
    FILE_IRREGULAR, /* a directory, symlink, FIFO, socket or device */
    FILE_TOO_LARGE,
    FILE_DENIED, /* EACCES, EPERM */
    FILE_FAULT,  /* anything else; errno says what */
};
const char *file_result_text(enum file_result result);

/* Opens a regular file for reading: O_NOFOLLOW, O_NONBLOCK (a FIFO cannot hold us), O_CLOEXEC;
 * its state in *st. The descriptor in *fd is the caller's after FILE_OK. */
enum file_result file_open(int dir, const char *name, int *fd, struct stat *st);

/* Reads a whole regular file of up to cap bytes; *st (may be NULL) as of the read. */
enum file_result file_read(int dir, const char *name, char *data, size_t cap, size_t *n,
                           struct stat *st);

/* Up to cap bytes from offset of fd; short only at the end of the file. -1: errno. */
ssize_t file_read_at(int fd, char *data, size_t cap, int64_t offset);

/* A file in the making: a temporary name (".tmp-" + hash + count + pid, not ending in .json) in the
 * directory of the final one, buffered writes, then one commit. Errors stick until the commit.
 * The file gets the directory's owner and group where we may set them, and the mode given.
 * dir, here and below, is a directory open for reading (no AT_FDCWD, no O_PATH). */
struct file_out {
    int dir; /* the caller's, kept open by it until commit or abort */
    int fd;
    int error;  /* errno of the first failure, else 0 */
    bool named; /* the commit gave it its name, whatever failed then */
    size_t n;
    char temp[64];
    char data[4096];
};

int file_out_open(struct file_out *out, int dir, const char *name, mode_t mode); /* 0 or -1 errno */
void file_out_write(struct file_out *out, struct span bytes);
/* fsync, then the name: replace = rename over what is there; else rename or link where the name is
 * free, FILE_EXISTS where it is not; then fsync of the directory. The temporary file is gone then.
 * FILE_FAULT after a failed directory fsync: the name is there, perhaps not durable. */
enum file_result file_out_commit(struct file_out *out, const char *name, bool replace);
void file_out_abort(struct file_out *out);

/* What was written to files since the start: writes that took place, and their bytes. */
struct file_writes {
    int64_t count;
    int64_t bytes;
};
struct file_writes file_writes(void);
/* One that was made elsewhere; n may be an error's -1. */
void file_wrote(ssize_t n);

/* The three steps at once. */
enum file_result file_put(int dir, const char *name, struct span bytes, mode_t mode, bool replace);

/* Removes temporary files of ours (".tmp-*") left in a directory by a process that is gone (its
 * pid is dead, or is ours). The number removed, or -1. */
int file_sweep(int dir);

/* What was just made in dir gets its mode, whatever the umask, and the directory's owner and group,
 * or at least the group, as far as we may. 0, or -1 with errno. */
int file_adopt(int dir, int fd, mode_t mode);

/* mkdir -p of a relative path below dir, through no symlink, "." or ".."; what is made gets the
 * mode (0: its parent's, but never writable by others) and its parent's owner and group. 0, or -1
 * with errno. */
int file_make_dirs(int dir, const char *path, mode_t mode);

#endif
