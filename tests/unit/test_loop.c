#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* ---- A clock that moves only while poll(2) waits for it ---- */

static struct now virtual;
static int64_t step_ms; /* the wall clock is set by so much in the next wait */
static int last_timeout, polls, poll_error;

struct now clock_now(void)
{
    return virtual;
}

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
    static const struct timespec none = {0, 0};

    polls++;
    last_timeout = timeout;
    if (poll_error != 0) {
        errno = poll_error;
        poll_error = 0;
        return -1;
    }
    assert_true(timeout >= 0);
    int ready = ppoll(fds, n, &none, NULL);
    if (ready == 0) {
        virtual.boot_ms += timeout;
        virtual.wall_ms += timeout + step_ms;
        step_ms = 0;
    }
    return ready;
}

/* ---- What ran, in order ---- */

static char ran[64];

static void note(char c)
{
    size_t n = strlen(ran);

    if (n < sizeof(ran) - 1)
        ran[n] = c;
}

static struct loop loop;
static int in, out;

/* A timer that notes its letter, then does one thing. */
struct timed {
    struct loop_timer timer;
    char letter;
    void (*then)(struct timed *t);
};

static struct timed a, b, c;

static void due(struct loop *l, void *arg)
{
    struct timed *t = arg;

    assert_ptr_equal(l, &loop);
    assert_false(t->timer.set);
    note(t->letter);
    if (t->then != NULL)
        t->then(t);
}

/* A watch of the same kind. */
struct watched {
    struct loop_watch watch;
    char letter;
    void (*then)(struct watched *w);
    short revents;
};

static struct watched x, y;

static void ready(struct loop *l, void *arg, short revents)
{
    struct watched *w = arg;

    assert_ptr_equal(l, &loop);
    w->revents = revents;
    note(w->letter);
    if (w->then != NULL)
        w->then(w);
}

static int setup(void **state)
{
    int fds[2];

    (void)state;
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
        return -1;
    in = fds[0];
    out = fds[1];
    virtual = (struct now){.boot_ms = 1000, .wall_ms = 5000};
    loop_init(&loop);
    a = (struct timed){.timer = {.due = due, .arg = &a}, .letter = 'a'};
    b = (struct timed){.timer = {.due = due, .arg = &b}, .letter = 'b'};
    c = (struct timed){.timer = {.due = due, .arg = &c}, .letter = 'c'};
    x = (struct watched){.watch = {.fd = in, .events = POLLIN, .ready = ready, .arg = &x}};
    x.letter = 'x';
    y = (struct watched){.watch = {.fd = out, .events = POLLOUT, .ready = ready, .arg = &y}};
    y.letter = 'y';
    memset(ran, 0, sizeof(ran));
    polls = 0;
    poll_error = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return close(in) | close(out);
}

static void turn(int64_t wait_ms, const char *expected)
{
    memset(ran, 0, sizeof(ran));
    assert_int_equal(loop_turn(&loop, wait_ms), 0);
    assert_string_equal(ran, expected);
}

static void set(struct timed *t, int64_t deadline_ms)
{
    assert_int_equal(loop_timer_set(&loop, &t->timer, deadline_ms), 0);
}

/* ---- Timers ---- */

static void test_deadlines(void **state)
{
    (void)state;
    set(&a, 1300);
    set(&b, 1100);
    set(&c, 1300);
    turn(-1, "b");
    assert_int_equal(virtual.boot_ms, 1100);
    assert_int_equal(loop.now.boot_ms, 1100);
    turn(100, "");
    assert_int_equal(virtual.boot_ms, 1200);
    turn(-1, "ac"); /* in the order in which they were set */
    assert_int_equal(loop.timer_count, 0);
    turn(5, "");
    turn(0, "");
    assert_int_equal(virtual.boot_ms, 1305);
}

static void test_earliest_first(void **state)
{
    (void)state;
    set(&a, 900);
    set(&b, INT64_MIN);
    set(&c, 800);
    set(&c, 950); /* moved */
    turn(-1, "bac");
    assert_int_equal(last_timeout, 0);
    assert_int_equal(virtual.boot_ms, 1000);
}

static void set_again(struct timed *t)
{
    set(t, 0);
}

static void clear_b(struct timed *t)
{
    (void)t;
    loop_timer_clear(&loop, &b.timer);
    loop_timer_clear(&loop, &b.timer);
}

static void move_b(struct timed *t)
{
    (void)t;
    set(&b, 0);
}

static void set_c(struct timed *t)
{
    (void)t;
    set(&c, 0);
}

/* What a callback sets is for the next turn, however late it is. */
static void test_set_within(void **state)
{
    (void)state;
    a.then = set_again;
    set(&a, 1000);
    turn(-1, "a");
    turn(-1, "a");
    loop_timer_clear(&loop, &a.timer);
    a.then = set_c;
    set(&a, 1000);
    set(&b, 1000);
    turn(-1, "ab");
    turn(-1, "c");
}

static void test_clear_within(void **state)
{
    (void)state;
    a.then = clear_b;
    set(&a, 1000);
    set(&b, 1000);
    set(&c, 1000);
    turn(-1, "ac");
    turn(0, "");
    a.then = move_b;
    set(&a, 1000);
    set(&b, 1000);
    set(&c, 1000);
    turn(-1, "ac");
    turn(-1, "b");
}

static void test_timers_full(void **state)
{
    static struct loop_timer many[LOOP_TIMERS_MAX + 1];

    (void)state;
    for (int i = 0; i < LOOP_TIMERS_MAX; i++) {
        many[i] = (struct loop_timer){.due = due, .arg = &a};
        assert_int_equal(loop_timer_set(&loop, &many[i], 2000), 0);
    }
    assert_int_equal(loop_timer_set(&loop, &many[LOOP_TIMERS_MAX], 2000), -1);
    assert_false(many[LOOP_TIMERS_MAX].set);
    assert_int_equal(loop_timer_set(&loop, &many[0], 3000), 0); /* a move takes no room */
    loop_timer_clear(&loop, &many[1]);
    assert_int_equal(loop_timer_set(&loop, &many[LOOP_TIMERS_MAX], 2000), 0);
}

/* poll(2) sleeps through a suspend; the clock of deadlines does not. */
static void test_suspend(void **state)
{
    (void)state;
    set(&a, 1000 + 10 * LOOP_WAIT_MAX_MS);
    turn(-1, "a");
    assert_int_equal(polls, 10);
    assert_int_equal(last_timeout, LOOP_WAIT_MAX_MS);
    virtual.boot_ms += 5; /* a callback took this long */
    polls = 0;
    turn(7, "");
    assert_int_equal(polls, 1);
    assert_int_equal(last_timeout, 2);
}

/* ---- Descriptors ---- */

static void drain(struct watched *w)
{
    char data[16];

    assert_true(read(w->watch.fd, data, sizeof(data)) > 0);
}

/* It ends the wait, and is told of for this turn alone; what is due waits for its own time. */
static void test_clock_is_set(void **state)
{
    static const struct {
        int64_t by_ms;
        int64_t told_ms;
        int64_t ends_ms; /* boot clock */
    } cases[] = {
        {CLOCK_STEP_MS, 0, 101000},
        {-CLOCK_STEP_MS, 0, 101000},
        {CLOCK_STEP_MS + 1, CLOCK_STEP_MS + 1, 1000 + LOOP_WAIT_MAX_MS},
        {-CLOCK_STEP_MS - 1, -CLOCK_STEP_MS - 1, 1000 + LOOP_WAIT_MAX_MS},
        {INT64_C(1780000000000), INT64_C(1780000000000), 1000 + LOOP_WAIT_MAX_MS},
        {-86400000, -86400000, 1000 + LOOP_WAIT_MAX_MS},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        virtual = (struct now){.boot_ms = 1000, .wall_ms = 5000};
        loop_init(&loop);
        a.timer.set = false;
        set(&a, 101000);
        step_ms = cases[i].by_ms;
        turn(-1, cases[i].told_ms == 0 ? "a" : "");
        assert_true(loop.step_ms == cases[i].told_ms);
        assert_true(loop.now.boot_ms == cases[i].ends_ms);
        if (cases[i].told_ms == 0)
            continue;
        turn(-1, "a");
        assert_true(loop.step_ms == 0 && loop.now.boot_ms == 101000);
    }
}

/* A suspend moves both clocks alike. */
static void test_suspend_is_no_step(void **state)
{
    (void)state;
    virtual.boot_ms += 8 * 3600000;
    virtual.wall_ms += 8 * 3600000;
    set(&a, 2000);
    turn(-1, "a");
    assert_true(loop.step_ms == 0);
}

static void test_watches(void **state)
{
    (void)state;
    assert_int_equal(loop_watch(&loop, &x.watch), 0);
    turn(10, "");
    assert_int_equal(write(out, "1", 1), 1);
    set(&a, 0);
    turn(-1, "xa"); /* descriptors, then deadlines */
    assert_int_equal(x.revents, POLLIN);
    turn(-1, "x"); /* by level */
    x.then = drain;
    turn(-1, "x");
    turn(0, "");
    assert_int_equal(loop_watch(&loop, &y.watch), 0);
    turn(-1, "y");
    assert_int_equal(write(out, "1", 1), 1);
    turn(-1, "xy");
    y.watch.events = 0;
    turn(0, "");
    loop_unwatch(&loop, &x.watch);
    loop_unwatch(&loop, &x.watch);
    assert_int_equal(loop.watch_count, 1);
}

static void unwatch_both(struct watched *w)
{
    (void)w;
    loop_unwatch(&loop, &x.watch);
    loop_unwatch(&loop, &y.watch);
}

/* y is another watch when its turn comes: what was ready belonged to the first. */
static void watch_anew(struct watched *w)
{
    (void)w;
    loop_unwatch(&loop, &y.watch);
    assert_int_equal(loop_watch(&loop, &y.watch), 0);
}

static void pause_y(struct watched *w)
{
    (void)w;
    y.watch.events = 0;
}

static void watch_y(struct watched *w)
{
    (void)w;
    if (loop.watch_count == 1)
        assert_int_equal(loop_watch(&loop, &y.watch), 0);
}

static void test_changes_within(void **state)
{
    static void (*const changes[])(struct watched *) = {unwatch_both, watch_anew, pause_y};

    (void)state;
    assert_int_equal(write(out, "1", 1), 1);
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        assert_int_equal(loop_watch(&loop, &x.watch), 0);
        assert_int_equal(loop_watch(&loop, &y.watch), 0);
        x.then = changes[i];
        turn(-1, "x");
        unwatch_both(NULL);
        turn(0, "");
        y.watch.events = POLLOUT;
    }
    assert_int_equal(loop_watch(&loop, &x.watch), 0);
    x.then = watch_y;
    turn(-1, "x");
    turn(-1, "xy");
}

static void clear_a(struct watched *w)
{
    (void)w;
    loop_timer_clear(&loop, &a.timer);
    set(&b, 0);
}

static void unwatch_x(struct timed *t)
{
    (void)t;
    loop_unwatch(&loop, &x.watch);
}

static void test_across(void **state)
{
    (void)state;
    assert_int_equal(write(out, "1", 1), 1);
    assert_int_equal(loop_watch(&loop, &x.watch), 0);
    set(&a, 0);
    x.then = clear_a;
    turn(-1, "x");
    x.then = NULL;
    b.then = unwatch_x;
    turn(-1, "xb");
    turn(0, "");
}

static void test_hang_up(void **state)
{
    (void)state;
    assert_int_equal(loop_watch(&loop, &x.watch), 0);
    assert_int_equal(close(out), 0);
    turn(-1, "x");
    assert_int_equal(x.revents, POLLHUP);
    x.watch.events = 0;
    turn(0, "");
    x.watch.events = POLLIN;
    x.watch.fd = 1000;
    turn(-1, "x");
    assert_int_equal(x.revents, POLLNVAL);
    out = dup(in);
}

static void test_watches_full(void **state)
{
    static struct loop_watch many[LOOP_WATCHES_MAX + 1];
    char all[LOOP_WATCHES_MAX + 1] = "";

    (void)state;
    for (int i = 0; i <= LOOP_WATCHES_MAX; i++) {
        many[i] = (struct loop_watch){.fd = out, .events = POLLOUT, .ready = ready, .arg = &x};
        assert_int_equal(loop_watch(&loop, &many[i]), i < LOOP_WATCHES_MAX ? 0 : -1);
    }
    memset(all, 'x', LOOP_WATCHES_MAX);
    turn(-1, all);
    loop_unwatch(&loop, &many[5]);
    assert_int_equal(loop_watch(&loop, &many[LOOP_WATCHES_MAX]), 0);
    assert_ptr_equal(loop.watches[5], &many[6]);
}

/* ---- The run ---- */

static void stop(struct timed *t)
{
    (void)t;
    loop_stop(&loop);
}

static void test_run(void **state)
{
    (void)state;
    set(&a, 1500);
    set(&b, 2000);
    set(&c, 2500);
    b.then = stop;
    assert_int_equal(loop_run(&loop), 0);
    assert_string_equal(ran, "ab");
    assert_int_equal(loop_run(&loop), 0); /* stopped it stays */
    assert_string_equal(ran, "ab");
}

static void test_poll_fails(void **state)
{
    (void)state;
    set(&a, 2000);
    poll_error = EINTR;
    turn(-1, "a");
    assert_int_equal(polls, 2);
    set(&a, 3000);
    poll_error = ENOMEM;
    assert_int_equal(loop_turn(&loop, -1), -1);
    assert_int_equal(errno, ENOMEM);
    poll_error = EFAULT;
    assert_int_equal(loop_run(&loop), -1);
    turn(-1, "a");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_deadlines),    TEST(test_earliest_first),
        TEST(test_set_within),   TEST(test_clear_within),
        TEST(test_timers_full),  TEST(test_suspend),
        TEST(test_clock_is_set), TEST(test_suspend_is_no_step),
        TEST(test_watches),      TEST(test_changes_within),
        TEST(test_across),       TEST(test_hang_up),
        TEST(test_watches_full), TEST(test_run),
        TEST(test_poll_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
