#include "base/clock.h"

#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec t;

    /* It fails only for a clock that the kernel lacks: Linux has all three since 2.6.39. */
    if (clock_gettime(id, &t) != 0)
        return 0;
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

struct now clock_now(void)
{
    return (struct now){.boot_ms = read_us(CLOCK_BOOTTIME) / 1000,
                        .wall_ms = read_us(CLOCK_REALTIME) / 1000};
}

int64_t clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_offset(struct now now)
{
    return now.wall_ms - now.boot_ms;
}
