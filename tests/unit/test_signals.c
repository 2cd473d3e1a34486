#include "loop/signals.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static struct loop loop;
static struct signals signals;
static int arrived[8];
static int count;
static bool close_at_once;

static void on_signal(void *arg, int signal)
{
    assert_ptr_equal(arg, &loop);
    assert_in_range(count, 0, 7);
    arrived[count++] = signal;
    if (close_at_once)
        signals_close(&signals, &loop);
}

static int setup(void **state)
{
    (void)state;
    count = 0;
    close_at_once = false;
    loop_init(&loop);
    return signals_open(&signals, &loop, on_signal, &loop);
}

static int teardown(void **state)
{
    (void)state;
    signals_close(&signals, &loop);
    return loop.watch_count == 0 ? 0 : -1;
}

static void test_arrive(void **state)
{
    static const int all[] = {SIGHUP, SIGINT, SIGUSR1, SIGTERM};

    (void)state;
    assert_int_equal(fcntl(signals.watch.fd, F_GETFD), FD_CLOEXEC);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        count = 0;
        assert_int_equal(kill(getpid(), all[i]), 0);
        assert_int_equal(loop_turn(&loop, 1000), 0);
        assert_int_equal(count, 1);
        assert_int_equal(arrived[0], all[i]);
    }
    count = 0;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        assert_int_equal(kill(getpid(), all[i]), 0);
    assert_int_equal(loop_turn(&loop, 1000), 0);
    assert_int_equal(count, 4); /* all in one turn */
    assert_int_equal(loop_turn(&loop, 0), 0);
    assert_int_equal(count, 4);
}

static void test_close_within(void **state)
{
    (void)state;
    close_at_once = true;
    assert_int_equal(kill(getpid(), SIGHUP), 0);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    assert_int_equal(loop_turn(&loop, 1000), 0);
    assert_int_equal(count, 1);
    assert_int_equal(loop.watch_count, 0);
    /* The other one still waits for who opens next. */
    close_at_once = false;
    assert_int_equal(signals_open(&signals, &loop, on_signal, &loop), 0);
    assert_int_equal(loop_turn(&loop, 1000), 0);
    assert_int_equal(count, 2);
}

static void test_broken_pipe(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(write(fds[1], "x", 1), -1);
    assert_int_equal(close(fds[1]), 0);
}

static void test_no_watch_left(void **state)
{
    static struct loop_watch many[LOOP_WATCHES_MAX];
    struct signals more;

    (void)state;
    for (unsigned i = loop.watch_count; i < LOOP_WATCHES_MAX; i++)
        assert_int_equal(loop_watch(&loop, &many[i]), 0);
    int next = dup(0);
    assert_int_equal(close(next), 0);
    assert_int_equal(signals_open(&more, &loop, on_signal, &loop), -1);
    assert_int_equal(dup(0), next); /* nothing is left open */
    assert_int_equal(close(next), 0);
    signals_close(&more, &loop);
    loop_init(&loop);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_arrive),
        TEST(test_close_within),
        TEST(test_broken_pipe),
        TEST(test_no_watch_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
