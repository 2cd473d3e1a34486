/* base/clock.c for a program whose clocks jump, and fstat(2) to go with it, whose times are the
 * file system's. PLANNER_CLOCK names a file of lines, the first of them in force from the start:
 *
 *     REAL_MS WALL_MS BOOT_MS
 *
 * From REAL_MS on (CLOCK_REALTIME), the wall clock is off by WALL_MS, the boot clock by BOOT_MS. */

#include "base/clock.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int __real_fstat(int fd, struct stat *st);
int __real_fstatat(int dir, const char *name, struct stat *st, int flags);
int __wrap_fstat(int fd, struct stat *st);
int __wrap_fstatat(int dir, const char *name, struct stat *st, int flags);

static int64_t read_us(clockid_t id)
{
    struct timespec t;

    return clock_gettime(id, &t) == 0 ? (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 : 0;
}

/* What both are off by at this time. */
static struct now offset_at(int64_t real_ms)
{
    struct now offset = {0, 0};
    static char text[16384];
    static int fd = -1; /* stays open: who is confined may not open it again */
    const char *path = getenv("PLANNER_CLOCK");

    if (fd < 0 && path != NULL)
        fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? pread(fd, text, sizeof(text) - 1, 0) : 0;
    char *at = text;

    text[n > 0 ? n : 0] = '\0';
    for (bool first = true; n > 0 && *at != '\0'; first = false) {
        int64_t from_ms = strtol(at, &at, 10);
        int64_t wall_ms = strtol(at, &at, 10);
        int64_t boot_ms = strtol(at, &at, 10);
        if (*at != '\n')
            abort();
        at++;
        if (first || from_ms <= real_ms)
            offset = (struct now){.boot_ms = boot_ms, .wall_ms = wall_ms};
    }
    return offset;
}

struct now clock_now(void)
{
    int64_t real_ms = read_us(CLOCK_REALTIME) / 1000;
    struct now offset = offset_at(real_ms);

    return (struct now){.boot_ms = read_us(CLOCK_BOOTTIME) / 1000 + offset.boot_ms,
                        .wall_ms = real_ms + offset.wall_ms};
}

int64_t clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_offset(struct now now)
{
    return now.wall_ms - now.boot_ms;
}

/* ---- Times of files ---- */

static void shift(struct timespec *t)
{
    int64_t ms = (int64_t)t->tv_sec * 1000 + t->tv_nsec / 1000000;
    int64_t new_ms = ms + offset_at(ms).wall_ms;

    t->tv_sec = (time_t)(new_ms / 1000);
    t->tv_nsec = (long)(new_ms % 1000) * 1000000 + t->tv_nsec % 1000000;
}

static int shifted(int result, struct stat *st)
{
    if (result == 0) {
        shift(&st->st_mtim);
        shift(&st->st_ctim);
    }
    return result;
}

int __wrap_fstat(int fd, struct stat *st)
{
    return shifted(__real_fstat(fd, st), st);
}

int __wrap_fstatat(int dir, const char *name, struct stat *st, int flags)
{
    return shifted(__real_fstatat(dir, name, st, flags), st);
}
