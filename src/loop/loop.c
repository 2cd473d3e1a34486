#include "loop/loop.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>

/* Invariants:
 * 1. watches[0..watch_count) and timers[0..timer_count) hold each registered struct once, in the
 *    order in which they were set.
 * 2. ready[] and due[] are what the turn now running will still call; clearing or moving a watch or
 *    timer takes it out of them, so that no callback follows. Setting adds nothing to them: what a
 *    callback sets runs in the next turn at the earliest.
 * 3. A timer is in timers[] exactly while its set is true. */

void loop_init(struct loop *loop)
{
    *loop = (struct loop){.now = clock_now()};
}

int loop_watch(struct loop *loop, struct loop_watch *watch)
{
    if (loop->watch_count == LOOP_WATCHES_MAX)
        return -1;
    loop->watches[loop->watch_count++] = watch;
    return 0;
}

void loop_unwatch(struct loop *loop, struct loop_watch *watch)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < LOOP_WATCHES_MAX; i++)
        if (loop->ready[i] == watch)
            loop->ready[i] = NULL;
    for (unsigned i = 0; i < loop->watch_count; i++)
        if (loop->watches[i] != watch)
            loop->watches[kept++] = loop->watches[i];
    loop->watch_count = kept;
}

int loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t deadline_ms)
{
    loop_timer_clear(loop, timer);
    if (loop->timer_count == LOOP_TIMERS_MAX)
        return -1;
    timer->deadline_ms = deadline_ms;
    timer->set = true;
    loop->timers[loop->timer_count++] = timer;
    return 0;
}

void loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
    unsigned kept = 0;

    if (!timer->set)
        return;
    timer->set = false;
    for (unsigned i = 0; i < LOOP_TIMERS_MAX; i++)
        if (loop->due[i] == timer)
            loop->due[i] = NULL;
    for (unsigned i = 0; i < loop->timer_count; i++)
        if (loop->timers[i] != timer)
            loop->timers[kept++] = loop->timers[i];
    loop->timer_count = kept;
}

/* Milliseconds for poll(2) until the first deadline or the limit. */
static int wait_for(const struct loop *loop, int64_t limit_ms)
{
    int64_t until = limit_ms;
    int64_t now = clock_now().boot_ms;

    for (unsigned i = 0; i < loop->timer_count; i++)
        if (loop->timers[i]->deadline_ms < until)
            until = loop->timers[i]->deadline_ms;
    if (until <= now)
        return 0;
    return until - now < LOOP_WAIT_MAX_MS ? (int)(until - now) : LOOP_WAIT_MAX_MS;
}

/* Notes which watches are ready, and their events in revents. */
static void note_ready(struct loop *loop, const struct pollfd *fds, unsigned count, short *revents)
{
    for (unsigned i = 0; i < count; i++) {
        loop->ready[i] = fds[i].revents != 0 ? loop->watches[i] : NULL;
        revents[i] = fds[i].revents;
    }
}

/* Notes the timers that are due, earliest first, equals in the order in which they were set. */
static unsigned note_due(struct loop *loop)
{
    unsigned count = 0;

    for (unsigned i = 0; i < loop->timer_count; i++) {
        struct loop_timer *timer = loop->timers[i];
        if (timer->deadline_ms > loop->now.boot_ms)
            continue;
        unsigned at = count++;
        for (; at > 0 && loop->due[at - 1]->deadline_ms > timer->deadline_ms; at--)
            loop->due[at] = loop->due[at - 1];
        loop->due[at] = timer;
    }
    return count;
}

/* poll(2), once. A watch without events waits for nothing, not even an error. */
static int poll_once(struct loop *loop, int64_t limit_ms, short *revents)
{
    struct pollfd fds[LOOP_WATCHES_MAX];
    unsigned count = loop->watch_count;

    for (unsigned i = 0; i < count; i++) {
        const struct loop_watch *w = loop->watches[i];
        fds[i] = (struct pollfd){.fd = w->events != 0 ? w->fd : -1, .events = w->events};
    }
    int ready = poll(fds, count, wait_for(loop, limit_ms));
    if (ready < 0 && errno != EINTR)
        return -1;
    loop->now = clock_now();
    if (ready <= 0)
        return 0;
    note_ready(loop, fds, count, revents);
    return ready;
}

static void run_ready(struct loop *loop, const short *revents)
{
    for (unsigned i = 0; i < LOOP_WATCHES_MAX; i++) {
        struct loop_watch *watch = loop->ready[i];
        loop->ready[i] = NULL;
        /* A callback may have changed what this one waits for. */
        if (watch != NULL && (revents[i] & (watch->events | POLLERR | POLLHUP | POLLNVAL)) != 0)
            watch->ready(loop, watch->arg, revents[i]);
    }
}

static void run_due(struct loop *loop, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct loop_timer *timer = loop->due[i];
        if (timer == NULL)
            continue;
        loop_timer_clear(loop, timer);
        timer->due(loop, timer->arg);
    }
}

/* A clock that is slewed goes on a little faster or slower: that is no step. */
static void note_step(struct loop *loop, struct now before)
{
    int64_t step_ms = loop->now.wall_ms - before.wall_ms - (loop->now.boot_ms - before.boot_ms);

    loop->step_ms = step_ms > CLOCK_STEP_MS || step_ms < -CLOCK_STEP_MS ? step_ms : 0;
}

int loop_turn(struct loop *loop, int64_t wait_ms)
{
    const struct now before = loop->now;
    short revents[LOOP_WATCHES_MAX] = {0};
    int64_t limit = INT64_MAX;
    unsigned due = 0;
    int ready;

    if (wait_ms >= 0 && wait_ms < INT64_MAX - loop->now.boot_ms)
        limit = loop->now.boot_ms + wait_ms;
    do {
        ready = poll_once(loop, limit, revents);
        if (ready < 0)
            return -1;
        due = note_due(loop);
        note_step(loop, before);
    } while (ready == 0 && due == 0 && loop->now.boot_ms < limit && loop->step_ms == 0);
    run_ready(loop, revents);
    run_due(loop, due);
    return 0;
}

int loop_run(struct loop *loop)
{
    while (!loop->stopped)
        if (loop_turn(loop, -1) != 0)
            return -1;
    return 0;
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}
