#include "daemon/supervisor.h"

#include "base/log.h"
#include "daemon/parts.h"
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define T0 INT64_C(1000000)
#define MINUTE INT64_C(60000)

/* The manager's end; a socket of the abstract name space, that leaves nothing behind. */
static int manager;
static char address[64];
static struct daemon d;

static void listen_as(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t n = strlen(name);

    memcpy(at.sun_path, name, n);
    at.sun_path[0] = '\0';
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(manager >= 0);
    assert_int_equal(bind(manager, (const struct sockaddr *)&at,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)),
                     0);
}

/* The next message, or "". */
static const char *told(void)
{
    static char text[256];
    ssize_t n = recv(manager, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void expect(const char *text)
{
    assert_string_equal(told(), text);
}

static void open_with(const char *usec, const char *pid)
{
    assert_int_equal(clearenv(), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", address, 1), 0);
    if (usec != NULL)
        assert_int_equal(setenv("WATCHDOG_USEC", usec, 1), 0);
    if (pid != NULL)
        assert_int_equal(setenv("WATCHDOG_PID", pid, 1), 0);
    supervisor_open(0);
    supervisor_ready(&d.loop);
    expect("READY=1");
}

static int setup(void **state)
{
    static int count;
    struct buf b;

    (void)state;
    buf_init(&b, address, sizeof(address));
    buf_str(&b, "@planner-agent-unit-");
    buf_int(&b, getpid());
    buf_char(&b, '-');
    buf_int(&b, count++);
    listen_as(buf_text(&b));
    memset(&d, 0, sizeof(d));
    d.loop.now = (struct now){.boot_ms = T0, .wall_ms = T0};
    return 0;
}

/* A manager that is gone ends the supervisor's socket too: each test begins without one. */
static int teardown(void **state)
{
    (void)state;
    assert_int_equal(close(manager), 0);
    supervisor_stopping();
    return 0;
}

/* The loop's time goes on; its timers run as loop_turn() runs them. */
static void pass(int64_t ms)
{
    d.loop.now.boot_ms += ms;
    for (unsigned i = d.loop.timer_count; i-- > 0;) {
        struct loop_timer *timer = d.loop.timers[i];
        if (timer->deadline_ms > d.loop.now.boot_ms)
            continue;
        loop_timer_clear(&d.loop, timer);
        timer->due(&d.loop, timer->arg);
    }
    supervisor_turn(d.loop.now);
}

static void test_environment_is_taken(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    assert_null(getenv("NOTIFY_SOCKET"));
    expect("");
    pass(100 * MINUTE);
    expect("");
}

static void test_watchdog(void **state)
{
    (void)state;
    open_with("300000000", NULL);
    expect("WATCHDOG=1");
    /* A turn that comes anyway: not too often, */
    pass(75000 - 1);
    expect("");
    pass(1);
    expect("WATCHDOG=1");
    /* and one of its own where none comes. */
    assert_int_equal(d.loop.timer_count, 1);
    assert_true(d.loop.timers[0]->deadline_ms == d.loop.now.boot_ms + 150000);
    /* With the heartbeat's turns it never needs its own. */
    for (int i = 0; i < 10; i++) {
        int64_t deadline_ms = d.loop.timers[0]->deadline_ms;
        pass(2 * MINUTE);
        assert_true(d.loop.now.boot_ms < deadline_ms);
        expect("WATCHDOG=1");
        expect("");
    }
    pass(150000);
    expect("WATCHDOG=1");
    expect("");
}

static void test_whose_watchdog(void **state)
{
    char own[32];
    struct buf b;

    (void)state;
    open_with("300000000", "1");
    expect("");
    buf_init(&b, own, sizeof(own));
    buf_int(&b, getpid());
    open_with("300000000", buf_text(&b));
    expect("WATCHDOG=1");
}

static void test_reload(void **state)
{
    static const char begin[] = "RELOADING=1\nMONOTONIC_USEC=";

    (void)state;
    open_with("300000000", NULL);
    expect("WATCHDOG=1");
    supervisor_reloading();
    const char *text = told();
    assert_memory_equal(text, begin, sizeof(begin) - 1);
    assert_true(strlen(text) > sizeof(begin));
    expect("");
    supervisor_reloaded();
    expect("READY=1");
    expect("WATCHDOG=1");
    supervisor_stopping();
    expect("STOPPING=1");
}

static void test_status(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    for (unsigned i = 0; i < FAULTS; i++) {
        d.faults.of[i].error = ENOSPC;
        supervisor_status(&d);
        assert_memory_equal(told(), "STATUS=Cannot ", sizeof("STATUS=Cannot ") - 1);
        supervisor_status(&d);
        expect("");
        d.faults.of[i].error = 0;
    }
}

/* What it has no room for comes later; meanwhile nothing else is told, and nobody waits long. */
static void test_full_queue(void **state)
{
    int filler = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int n = 0;

    (void)state;
    memcpy(at.sun_path, address, strlen(address));
    at.sun_path[0] = '\0';
    assert_int_equal(connect(filler, (const struct sockaddr *)&at,
                             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(address))),
                     0);
    while (send(filler, "X", 1, 0) == 1)
        n++;
    assert_int_equal(clearenv(), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", address, 1), 0);
    assert_int_equal(setenv("WATCHDOG_USEC", "300000000", 1), 0);
    supervisor_open(0);
    supervisor_ready(&d.loop);
    while (n-- > 0)
        expect("X");
    expect("");
    pass(WRITE_RETRY_MS - 1);
    expect("");
    pass(1);
    expect("READY=1");
    expect("WATCHDOG=1");
    expect("");
    assert_int_equal(close(filler), 0);
}

static void test_descriptors(void **state)
{
    char number[32];
    int fds[2], fd = -7;
    struct buf b;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    for (int i = 0; i < 2; i++) {
        buf_init(&b, number, sizeof(number));
        buf_int(&b, fds[i]);
        const char *why = supervisor_descriptor(buf_view(&b), &fd);
        assert_true((why == NULL) == (i == 1));
    }
    assert_int_equal(fd, fds[1]);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    (void)unsetenv("NOTIFY_SOCKET");
    supervisor_open(fd);
    supervisor_ready(&d.loop);
    assert_int_equal(read(fds[0], number, sizeof(number)), 1);
    assert_int_equal(number[0], '\n');
    assert_int_equal(read(fds[0], number, sizeof(number)), 0); /* it is closed */
    assert_int_equal(fcntl(fds[1], F_GETFD), -1);
    supervisor_ready(&d.loop); /* not twice */
    assert_int_equal(close(fds[0]), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_environment_is_taken),
        TEST(test_watchdog),
        TEST(test_whose_watchdog),
        TEST(test_reload),
        TEST(test_status),
        TEST(test_full_queue),
        TEST(test_descriptors),
    };

    log_to(-1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
