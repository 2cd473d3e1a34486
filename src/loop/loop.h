#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H
/* One thread, one poll(2): descriptors, deadlines, signals. Watches and timers are their owners'
 * structs; the loop keeps pointers to LOOP_WATCHES_MAX and LOOP_TIMERS_MAX of them.
 *
 * A callback may set or clear any watch or timer, its own too. After a clear, its callback does
 * not run again. Callbacks run from loop_turn() only. */

#include "base/clock.h"
#include "base/limits.h"

#include <stdbool.h>

struct loop;

struct loop_watch {
    int fd;
    short events; /* POLLIN, POLLOUT; 0: not polled for now */
    void (*ready)(struct loop *loop, void *arg, short revents);
    void *arg;
};

struct loop_timer {
    int64_t deadline_ms; /* on the boot clock */
    void (*due)(struct loop *loop, void *arg);
    void *arg;
    bool set;
};

struct loop {
    struct now now;  /* read once a turn, after poll(2) */
    int64_t step_ms; /* so far was the wall clock set in this turn; 0: it was not */
    struct loop_watch *watches[LOOP_WATCHES_MAX];
    struct loop_timer *timers[LOOP_TIMERS_MAX];
    unsigned watch_count;
    unsigned timer_count;
    bool stopped;
    struct loop_watch *ready[LOOP_WATCHES_MAX]; /* of the turn that runs: loop.c only */
    struct loop_timer *due[LOOP_TIMERS_MAX];
};

void loop_init(struct loop *loop);

/* 0, or -1 where the fixed array is full. */
int loop_watch(struct loop *loop, struct loop_watch *watch);
void loop_unwatch(struct loop *loop, struct loop_watch *watch);

/* Sets or moves the deadline; timer->due and timer->arg stand before. A deadline that is past is
 * due in the next turn, never in this call. 0, or -1 where the fixed array is full. */
int loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t deadline_ms);
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);

/* Waits for the first of descriptor, deadline and loop->now + wait_ms (-1: no such limit), then
 * runs what is ready, then what is due, earliest first. That the wall clock was set ends the wait,
 * too, within LOOP_WAIT_MAX_MS. 0, or -1 with errno where poll(2) failed. */
int loop_turn(struct loop *loop, int64_t wait_ms);
/* Turns until loop_stop(). */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

#endif
