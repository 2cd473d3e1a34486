#ifndef PATIENT_H
#define PATIENT_H
/* A virtual clock for tests with real descriptors: it stands still while poll(2) waits for them, up
 * to patience_ms of real time and no longer than the loop wants to wait, and then leaps over all of
 * that time. The definitions here come before libc's and ours in the program of the one file that
 * includes this.
 */

#include "base/clock.h"

#include <poll.h>
#include <time.h>

static struct now virtual;
static int patience_ms;

struct now clock_now(void)
{
    return virtual;
}

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
    int wait_ms = timeout < patience_ms ? timeout : patience_ms;
    struct timespec wait = {wait_ms / 1000, wait_ms % 1000 * 1000000L};
    int ready = ppoll(fds, n, &wait, NULL);
    if (ready == 0) {
        virtual.boot_ms += timeout;
        virtual.wall_ms += timeout;
    }
    return ready;
}

#endif
