/* What a child of ours is: what it has, what it ignores, how it ends. Real processes. */

#include "net/child.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define PATIENCE_S 60 /* for what must come */
#define LIVES_S 60    /* a child that has nothing to do with its own end */

static struct loop loop;
static bool old_kernel;

long syscall(long number, ...)
{
    long (*real)(long, ...);
    long a[5];
    va_list list;

    *(void **)&real = dlsym(RTLD_NEXT, "syscall");
    va_start(list, number);
    for (int i = 0; i < 5; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_close_range && old_kernel) {
        errno = ENOSYS;
        return -1;
    }
    return real(number, a[0], a[1], a[2], a[3], a[4]);
}

static int setup(void **state)
{
    (void)state;
    loop_init(&loop);
    old_kernel = false;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    while (loop.timer_count > 0)
        assert_int_equal(loop_turn(&loop, -1), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    return 0;
}

/* Waits for it; the bytes read, 0 at the end. */
static ssize_t read_end(int fd, void *out, size_t n)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    const struct timespec wait = {PATIENCE_S, 0};

    assert_int_equal(ppoll(&p, 1, &wait, NULL), 1);
    return read(fd, out, n);
}

struct sight {
    sigset_t blocked;
    bool ignores;
    int open; /* descriptors beside the pipe */
    unsigned alarm_s;
    int death_signal;
};

/* The body of a child that tells what it is. */
static void see(const void *arg, int fd)
{
    struct sight s = {.open = 0};
    struct sigaction action;

    (void)arg;
    (void)sigprocmask(SIG_SETMASK, NULL, &s.blocked);
    for (int i = 1; i < 32; i++)
        if (sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            s.ignores = true;
    for (int i = 0; i < 1024; i++)
        if (i != fd && fcntl(i, F_GETFD) >= 0)
            s.open++;
    s.alarm_s = alarm(0);
    (void)prctl(PR_GET_PDEATHSIG, &s.death_signal);
    if (write(fd, &s, sizeof(s)) != (ssize_t)sizeof(s))
        _exit(1);
}

static void check_sight(void)
{
    struct sight s;
    char byte;
    int end;
    pid_t pid = child_start(see, NULL, LIVES_S, &end);

    assert_true(pid > 0);
    assert_int_equal(fcntl(end, F_GETFD), FD_CLOEXEC);
    assert_true((fcntl(end, F_GETFL) & O_NONBLOCK) != 0);
    assert_int_equal(read_end(end, &s, sizeof(s)), sizeof(s));
    assert_int_equal(read_end(end, &byte, 1), 0);
    assert_int_equal(close(end), 0);
    child_end(&loop, pid);
    for (int i = 1; i < 32; i++)
        assert_int_equal(sigismember(&s.blocked, i), 0);
    assert_false(s.ignores);
    assert_int_equal(s.open, 0);
    assert_in_range(s.alarm_s, LIVES_S / 2, LIVES_S);
    assert_int_equal(s.death_signal, SIGKILL);
}

/* Whatever we block, ignore, or hold open. */
static void test_stands_alone(void **state)
{
    static const int ours[] = {SIGALRM, SIGPIPE, SIGXFSZ, SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    struct sigaction before[COUNT(ours)];
    sigset_t all, old;

    (void)state;
    assert_int_equal(sigfillset(&all), 0);
    assert_int_equal(sigprocmask(SIG_BLOCK, &all, &old), 0);
    for (size_t i = 0; i < COUNT(ours); i++) {
        const struct sigaction ignore = {.sa_handler = SIG_IGN};
        assert_int_equal(sigaction(ours[i], &ignore, &before[i]), 0);
    }
    int high = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 900);
    assert_true(high >= 900);
    check_sight();
    old_kernel = true;
    check_sight();
    old_kernel = false;
    assert_int_equal(close(high), 0);
    for (size_t i = 0; i < COUNT(ours); i++)
        assert_int_equal(sigaction(ours[i], &before[i], NULL), 0);
    assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
}

static void hang(const void *arg, int fd)
{
    (void)arg;
    if (write(fd, "x", 1) == 1)
        for (;;)
            pause();
}

static void end_at_once(const void *arg, int fd)
{
    (void)arg;
    (void)fd;
}

/* A lock of ours is ours alone, though a child hangs. */
static void test_lock_is_not_kept(void **state)
{
    char path[] = "/tmp/test-net-child-XXXXXX", byte;
    int fd = mkostemp(path, O_CLOEXEC), end;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    pid_t pid = child_start(hang, NULL, LIVES_S, &end);
    assert_int_equal(read_end(end, &byte, 1), 1);
    assert_int_equal(close(fd), 0);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    child_end(&loop, pid);
    assert_int_equal(close(fd) | close(end) | unlink(path), 0);
}

static void test_dies_by_itself(void **state)
{
    char byte;
    int end;

    (void)state;
    pid_t pid = child_start(hang, NULL, 5, &end);
    assert_int_equal(read_end(end, &byte, 1), 1);
    assert_int_equal(read_end(end, &byte, 1), 0);
    assert_int_equal(close(end), 0);
    child_end(&loop, pid);
}

/* We are a child here, and the test takes over what we leave behind. */
static void test_dies_with_us(void **state)
{
    int tell[2], status;
    pid_t left;

    (void)state;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
    pid_t us = fork();
    if (us == 0) {
        int end;
        left = child_start(hang, NULL, LIVES_S, &end);
        struct pollfd p = {.fd = end, .events = POLLIN};
        if (left < 0 || ppoll(&p, 1, NULL, NULL) != 1)
            _exit(1);
        _exit(write(tell[1], &left, sizeof(left)) == (ssize_t)sizeof(left) ? 0 : 1);
    }
    assert_true(us > 0);
    assert_int_equal(waitpid(us, &status, 0), us);
    assert_int_equal(status, 0);
    assert_int_equal(read(tell[0], &left, sizeof(left)), sizeof(left));
    assert_int_equal(waitpid(left, &status, 0), left);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(close(tell[0]) | close(tell[1]), 0);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

/* Whatever a child does about signals. */
static void play_deaf(const void *arg, int fd)
{
    for (int i = 1; i < 32; i++)
        (void)signal(i, SIG_IGN);
    (void)alarm(0);
    hang(arg, fd);
}

static void test_is_killed(void **state)
{
    char byte;
    int end;

    (void)state;
    pid_t pid = child_start(play_deaf, NULL, LIVES_S, &end);
    assert_int_equal(read_end(end, &byte, 1), 1);
    child_end(&loop, pid);
    assert_int_equal(read_end(end, &byte, 1), 0);
    assert_int_equal(close(end), 0);
}

/* Until child_end() its number is nobody else's, though others come and go, and whoever started us
 * had us ignore SIGCHLD. */
static void test_is_ours_until_the_end(void **state)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    const struct timespec moment = {0, 50000000};
    int ends[3];
    char byte;

    (void)state;
    assert_int_equal(sigaction(SIGCHLD, &ignore, NULL), 0);
    pid_t kept = child_start(end_at_once, NULL, LIVES_S, &ends[0]);
    pid_t other = child_start(hang, NULL, LIVES_S, &ends[1]);
    assert_int_equal(read_end(ends[0], &byte, 1), 0);
    assert_int_equal(nanosleep(&moment, NULL), 0);
    child_end(&loop, other);
    pid_t third = child_start(end_at_once, NULL, LIVES_S, &ends[2]);
    assert_int_equal(kill(kept, 0), 0);
    child_end(&loop, third);
    child_end(&loop, kept);
    for (size_t i = 0; i < COUNT(ends); i++)
        assert_int_equal(close(ends[i]), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_stands_alone), TEST(test_lock_is_not_kept),      TEST(test_dies_by_itself),
        TEST(test_dies_with_us), TEST(test_is_ours_until_the_end), TEST(test_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
