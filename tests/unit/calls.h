#ifndef CALLS_H
#define CALLS_H
/* System calls that a test stands before: files are given names, synced and removed through these.
 * The definitions here come before libc's in the program of the one file that includes this. */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum call {
    CALL_NONE,
    CALL_FLOCK,
    CALL_FSYNC,
    CALL_FSTATAT,
    CALL_LINKAT,
    CALL_RENAMEAT,
    CALL_RENAMEAT2,
    CALL_UNLINKAT
};

/* Asked before each call of them, with the name that a file gets, loses or is asked for (""
 * for flock and fsync); fd is the directory, or the file. 0: go on. Else the call fails with this
 * errno. NULL: no hook.
 */
static int (*calls_before)(enum call call, int fd, const char *name);

/* Is fd the directory of that path? */
static inline bool calls_is_dir(int fd, const char *path)
{
    struct stat a, b;

    return fstat(fd, &a) == 0 && S_ISDIR(a.st_mode) && stat(path, &b) == 0 &&
           a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (found == NULL)
        abort();
    return found;
}

/* 0, or the errno to fail with. The hook itself may make any call. */
static int ask(enum call call, int fd, const char *name)
{
    static bool asking;
    int error;

    if (calls_before == NULL || asking)
        return 0;
    asking = true;
    error = calls_before(call, fd, name);
    asking = false;
    return error;
}

#define FAIL_IF(error)                                                                             \
    do {                                                                                           \
        int failed_ = (error);                                                                     \
        if (failed_ != 0) {                                                                        \
            errno = failed_;                                                                       \
            return -1;                                                                             \
        }                                                                                          \
    } while (0)

int flock(int fd, int operation)
{
    int (*real)(int, int);

    *(void **)&real = next("flock");
    FAIL_IF(ask(CALL_FLOCK, fd, ""));
    return real(fd, operation);
}

int fsync(int fd)
{
    int (*real)(int);

    *(void **)&real = next("fsync");
    FAIL_IF(ask(CALL_FSYNC, fd, ""));
    return real(fd);
}

int fstatat(int dir, const char *restrict name, struct stat *restrict st, int flags)
{
    int (*real)(int, const char *, struct stat *, int);

    *(void **)&real = next("fstatat");
    FAIL_IF(ask(CALL_FSTATAT, dir, name));
    return real(dir, name, st, flags);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    int (*real)(int, const char *, int, const char *, int);

    *(void **)&real = next("linkat");
    FAIL_IF(ask(CALL_LINKAT, to_dir, to));
    return real(from_dir, from, to_dir, to, flags);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    int (*real)(int, const char *, int, const char *);

    *(void **)&real = next("renameat");
    FAIL_IF(ask(CALL_RENAMEAT, to_dir, to));
    return real(from_dir, from, to_dir, to);
}

int unlinkat(int dir, const char *name, int flags)
{
    int (*real)(int, const char *, int);

    *(void **)&real = next("unlinkat");
    FAIL_IF(ask(CALL_UNLINKAT, dir, name));
    return real(dir, name, flags);
}

/* Five arguments are the most that any caller here has. */
long syscall(long number, ...)
{
    long (*real)(long, ...);
    long a[5];
    va_list list;

    *(void **)&real = next("syscall");
    va_start(list, number);
    for (int i = 0; i < 5; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_renameat2)
        FAIL_IF(ask(CALL_RENAMEAT2, (int)a[2], (const char *)a[3]));
    return real(number, a[0], a[1], a[2], a[3], a[4]);
}

#endif
