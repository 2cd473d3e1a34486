#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H
/* The only place that reads a clock. */

#include <stdint.h>

struct now {
    int64_t boot_ms; /* CLOCK_BOOTTIME: never steps, runs through suspend; for deadlines */
    int64_t wall_ms; /* CLOCK_REALTIME since 1970 UTC: for stamps that people or files see */
};

struct now clock_now(void);

/* CLOCK_MONOTONIC, which stands still in a suspend: systemd compares it with its own. */
int64_t clock_monotonic_us(void);

/* The wall clock's distance from the boot clock; it changes only when the wall clock is set. */
int64_t clock_offset(struct now now);

#endif
