/* Names, with a resolver of our own in the child, real processes and a virtual clock. */

#include "net/resolve.h"

#include "net/child.h"
#include "net/lookup.h"
#include "net/names.h"

#include "patient.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define T0 INT64_C(5000000)
#define PATIENCE_MS 20000 /* for what must come */
#define ALARM_SLACK_S 60

/* ---- What fails in the parent ---- */

static bool no_fork, slow_death, orphaned;
static unsigned forks;
static int read_error;

ssize_t read(int fd, void *out, size_t n)
{
    errno = read_error;
    return read_error != 0 ? -1 : syscall(SYS_read, fd, out, n);
}

pid_t fork(void)
{
    pid_t (*real)(void);

    *(void **)&real = dlsym(RTLD_NEXT, "fork");
    forks++;
    errno = EAGAIN;
    return no_fork ? -1 : real();
}

/* The process of a child that waits for a dead disk does not go away. */
pid_t waitpid(pid_t pid, int *status, int options)
{
    pid_t (*real)(pid_t, int *, int);

    *(void **)&real = dlsym(RTLD_NEXT, "waitpid");
    return slow_death && options == WNOHANG ? 0 : real(pid, status, options);
}

/* What a child asked for. It gets more: the machine may be slow. */
static unsigned alarm_s;

unsigned alarm(unsigned seconds)
{
    unsigned (*real)(unsigned);

    *(void **)&real = dlsym(RTLD_NEXT, "alarm");
    if (seconds != 0)
        alarm_s = seconds;
    return real(seconds != 0 ? seconds + ALARM_SLACK_S : 0);
}

pid_t getppid(void)
{
    return orphaned ? 1 : (pid_t)syscall(SYS_getppid);
}

/* ---- The resolver in the child: the host's name is what it does ---- */

/* What the test has the child answer, one address or name of an act a word. */
static const char *script = "";

static void add(union resolve_address *found, unsigned cap, unsigned *count, const char *text)
{
    union resolve_address *a = &found[*count];

    assert_true(*count < cap);
    memset(a, 0, sizeof(*a));
    if (inet_pton(AF_INET, text, &a->v4.sin_addr) == 1)
        a->any.sa_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &a->v6.sin6_addr) == 1)
        a->any.sa_family = AF_INET6;
    else
        a->any.sa_family = AF_UNIX;
    ++*count;
}

/* What no look-up of ours would write. */
static _Noreturn void write_raw(const void *bytes, size_t n)
{
    for (int fd = 0; fd < 64; fd++)
        if (fcntl(fd, F_GETFL) >= 0 && write(fd, bytes, n) != (ssize_t)n)
            _exit(1);
    _exit(0);
}

static _Noreturn void write_answer(uint32_t count, sa_family_t family)
{
    struct {
        uint32_t result;
        uint32_t count;
        union resolve_address found[RESOLVE_ADDRESSES_MAX];
    } answer;

    memset(&answer, 'x', sizeof(answer));
    answer.result = LOOKUP_FOUND;
    answer.count = count;
    for (size_t i = 0; i < COUNT(answer.found); i++)
        answer.found[i].any.sa_family = i == 0 ? AF_INET : family;
    write_raw(&answer, sizeof(answer));
}

enum lookup_result lookup_name(const char *host, union resolve_address *found, unsigned cap,
                               unsigned *count)
{
    static const char bytes[600];
    char words[1024], *rest = NULL;

    *count = 0;
    if (alarm_s != RESOLVE_LIMIT_MS / 1000 + 1 || alarm(0) == 0)
        _exit(1);
    if (strcmp(host, "absent") == 0)
        return LOOKUP_NO_NAME;
    if (strcmp(host, "silent") == 0)
        return LOOKUP_NO_ANSWER;
    if (strcmp(host, "broken") == 0)
        return LOOKUP_FAILED;
    if (strcmp(host, "odd") == 0)
        return (enum lookup_result)77;
    if (strcmp(host, "hangs") == 0)
        for (;;)
            pause();
    if (strcmp(host, "crashes") == 0)
        (void)raise(SIGKILL);
    if (strcmp(host, "ends") == 0)
        _exit(0);
    if (strcmp(host, "short") == 0)
        write_raw(bytes, 20);
    if (strcmp(host, "long") == 0)
        write_raw(bytes, sizeof(bytes));
    if (strcmp(host, "too-many") == 0)
        write_answer(RESOLVE_ADDRESSES_MAX + 1, AF_INET);
    if (strcmp(host, "many") == 0)
        write_answer(RESOLVE_ADDRESSES_MAX, AF_INET);
    if (strcmp(host, "no-family") == 0)
        write_answer(2, AF_UNIX);
    if (strcmp(host, "slow") == 0)
        (void)usleep(50000);
    snprintf(words, sizeof(words), "%s", script);
    for (char *word = strtok_r(words, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        add(found, cap, count, word);
    return LOOKUP_FOUND;
}

/* ---- The test's side ---- */

static struct loop loop;

struct ask {
    struct resolve r;
    unsigned calls;
    bool found;
};

static struct ask one, two;

static void done(void *arg, bool found)
{
    struct ask *a = arg;

    assert_int_equal(a->r.child, 0);
    a->calls++;
    a->found = found;
}

/* All children are gone, and none of them is a zombie. */
static void assert_no_children(void)
{
    patience_ms = PATIENCE_MS;
    for (int i = 0; i < 100 && loop.timer_count > 0; i++)
        assert_int_equal(loop_turn(&loop, -1), 0);
    assert_int_equal(loop.timer_count, 0);
    assert_int_equal(loop.watch_count, 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static int setup(void **state)
{
    (void)state;
    virtual = (struct now){.boot_ms = T0, .wall_ms = 1};
    patience_ms = PATIENCE_MS;
    loop_init(&loop);
    resolve_forget();
    one = two = (struct ask){.calls = 0};
    one.r.done = two.r.done = done;
    one.r.arg = &one;
    two.r.arg = &two;
    no_fork = slow_death = orphaned = false;
    forks = 0;
    script = "";
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_no_children();
    return 0;
}

static enum resolve_start start(struct ask *a, const char *host)
{
    a->calls = 0;
    return resolve_start(&a->r, &loop, host, virtual.boot_ms + 60000);
}

/* The child has the time that it needs, whatever the limit on our clock. */
static void wait_done(const struct ask *a)
{
    const struct timespec patience = {PATIENCE_MS / 1000, 0};

    while (a->calls == 0) {
        struct pollfd p = {.fd = a->r.watch.fd, .events = POLLIN};
        if (patience_ms > 0)
            assert_int_equal(ppoll(&p, 1, &patience, NULL), 1);
        assert_int_equal(loop_turn(&loop, -1), 0);
    }
    assert_int_equal(a->calls, 1);
}

static const char *found_text(const struct resolve *r)
{
    static char text[1024];

    text[0] = '\0';
    for (unsigned i = 0; i < r->count; i++) {
        char one_text[INET6_ADDRSTRLEN];
        const union resolve_address *a = &r->found[i];
        bool is_v6 = a->any.sa_family == AF_INET6;
        assert_non_null(
            inet_ntop(a->any.sa_family,
                      is_v6 ? (const void *)&a->v6.sin6_addr : (const void *)&a->v4.sin_addr,
                      one_text, sizeof(one_text)));
        assert_int_equal(is_v6 ? a->v6.sin6_port : a->v4.sin_port, 0);
        size_t n = strlen(text);
        snprintf(text + n, sizeof(text) - n, "%s%s", i > 0 ? " " : "", one_text);
    }
    return text;
}

/* Asks, and expects this by a child. */
static void expect(struct ask *a, const char *host, const char *addresses)
{
    assert_int_equal(start(a, host), RESOLVE_STARTED);
    assert_int_equal(a->calls, 0);
    assert_int_equal(a->r.count, 0);
    wait_done(a);
    assert_true(a->found);
    assert_null(a->r.error);
    assert_string_equal(found_text(&a->r), addresses);
}

static void expect_error(struct ask *a, const char *host, const char *error)
{
    assert_int_equal(start(a, host), RESOLVE_STARTED);
    wait_done(a);
    assert_false(a->found);
    assert_int_equal(a->r.count, 0);
    assert_string_equal(a->r.error, error);
}

static void expect_kept(struct ask *a, const char *host, const char *addresses)
{
    assert_int_equal(start(a, host), RESOLVE_FOUND);
    assert_int_equal(a->calls, 0);
    assert_string_equal(found_text(&a->r), addresses);
}

static union resolve_address address(const char *text)
{
    union resolve_address found[1];
    unsigned count = 0;

    add(found, 1, &count, text);
    return found[0];
}

static void worked(const char *host, const char *text)
{
    union resolve_address a = address(text);

    if (a.any.sa_family == AF_INET)
        a.v4.sin_port = 1;
    else
        a.v6.sin6_port = 1;
    resolve_worked(host, &a);
}

/* ---- No child ---- */

static void test_plain(void **state)
{
    static const char *const cases[][2] = {
        {"192.0.2.1", "192.0.2.1"},
        {"2001:db8::1", "2001:db8::1"},
        {"localhost", "127.0.0.1 ::1"},
        {"LocalHost", "127.0.0.1 ::1"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_kept(&one, cases[i][0], cases[i][1]);
    assert_int_equal(forks, 0);
    resolve_cancel(&one.r);
}

static void test_overlong(void **state)
{
    char host[URL_HOST_MAX + 2];

    (void)state;
    memset(host, 'x', sizeof(host));
    host[sizeof(host) - 1] = '\0';
    assert_int_equal(start(&one, host), RESOLVE_FAILED);
    assert_string_equal(one.r.error, "no such name");
    assert_int_equal(forks, 0);
    host[sizeof(host) - 2] = '\0';
    script = "192.0.2.1";
    expect(&one, host, "192.0.2.1");
    expect_kept(&one, host, "192.0.2.1");
}

/* ---- What the child says ---- */

static void test_answers(void **state)
{
    static const char *const cases[][2] = {
        {"192.0.2.1", "192.0.2.1"},
        {"fe80::1 192.0.2.1", "fe80::1 192.0.2.1"},
        {"::1 127.0.0.1", "::1 127.0.0.1"},
        /* In turn, beginning with the first one's family. */
        {"2001:db8::1 2001:db8::2 2001:db8::3 192.0.2.1 192.0.2.2",
         "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2 2001:db8::3"},
        {"192.0.2.1 192.0.2.2 192.0.2.3 2001:db8::1", "192.0.2.1 2001:db8::1 192.0.2.2 192.0.2.3"},
        /* At most eight, both families among them. */
        {"2001:db8::1 2001:db8::2 2001:db8::3 2001:db8::4 2001:db8::5 2001:db8::6 2001:db8::7 "
         "2001:db8::8 2001:db8::9 192.0.2.1 192.0.2.2",
         "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2 2001:db8::3 2001:db8::4 2001:db8::5 "
         "2001:db8::6"},
        {"10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7 10.0.0.8 10.0.0.9",
         "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7 10.0.0.8"},
        /* Once is enough. */
        {"127.0.0.1 127.0.0.1 ::1 ::1 127.0.0.1 127.0.0.2", "127.0.0.1 ::1 127.0.0.2"},
        /* Lies. */
        {"0.0.0.0 192.0.2.1", "192.0.2.1"},
        {"0.255.0.1 1.0.0.1 223.255.255.255", "1.0.0.1 223.255.255.255"},
        {"224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 192.0.2.1", "192.0.2.1"},
        {":: ff02::1 ff0e::1 ::ffff:192.0.2.1 ::192.0.2.1 ::2 ::ffff:0:1 2001:db8::1",
         "2001:db8::1"},
        {":: 192.0.2.1 2001:db8::1", "192.0.2.1 2001:db8::1"},
        {"a-socket 192.0.2.1", "192.0.2.1"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        resolve_forget();
        script = cases[i][0];
        expect(&one, "name", cases[i][1]);
    }
}

static void test_scope(void **state)
{
    union resolve_address a = address("fe80::1");
    union resolve_address found[RESOLVE_ADDRESSES_MAX], b = a, c;
    bool fresh;

    (void)state;
    a.v6.sin6_scope_id = 3;
    b.v6.sin6_scope_id = 4;
    assert_false(names_same_address(&a, &b));
    c = address("0.0.0.0"); /* the same bytes in the same place */
    assert_false(names_same_address(&c, &a));
    found[0] = a;
    found[1] = b;
    names_keep("h", T0, found, 2);
    names_worked("h", &b);
    assert_int_equal(names_find("h", T0, found, &fresh), 2);
    assert_int_equal(found[0].v6.sin6_scope_id, 4);
}

static void test_errors(void **state)
{
    static const char *const cases[][2] = {
        {"absent", "no such name"},
        {"silent", "no answer from the name server"},
        {"broken", "the look-up failed"},
        {"odd", "the look-up failed"},
        {"crashes", "the look-up broke off"},
        {"ends", "the look-up broke off"},
        {"short", "the look-up's answer is malformed"},
        {"long", "the look-up's answer is malformed"},
        {"too-many", "the look-up's answer is malformed"},
        {"no-family", "the look-up's answer is malformed"},
        {"empty", "the name server gives no usable address"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_error(&one, cases[i][0], cases[i][1]);
    script = "0.0.0.0 ff02::1 255.255.255.255";
    expect_error(&one, "lies", "the name server gives no usable address");
    /* Nothing of it is kept. */
    script = "192.0.2.1";
    expect(&one, "lies", "192.0.2.1");
}

/* Of the child's bytes nothing is taken over but what an address is. */
static void test_raw(void **state)
{
    (void)state;
    expect(&one, "many",
           "120.120.120.120 120.120.120.120 120.120.120.120 120.120.120.120 "
           "120.120.120.120 120.120.120.120 120.120.120.120 120.120.120.120");
}

static void test_unreadable(void **state)
{
    (void)state;
    read_error = EIO;
    expect_error(&one, "absent", "the look-up broke off");
    read_error = 0;
}

static void test_slow(void **state)
{
    (void)state;
    script = "192.0.2.1";
    expect(&one, "slow", "192.0.2.1");
}

/* ---- Time ---- */

static void test_hangs(void **state)
{
    (void)state;
    patience_ms = 0;
    expect_error(&one, "hangs", "no answer from the name server");
    assert_int_equal(virtual.boot_ms, T0 + RESOLVE_LIMIT_MS);
    /* The caller's deadline, where it is earlier. */
    int64_t now = virtual.boot_ms;
    assert_int_equal(resolve_start(&one.r, &loop, "hangs", now + 700), RESOLVE_STARTED);
    one.calls = 0;
    wait_done(&one);
    assert_int_equal(virtual.boot_ms, now + 700);
    one.calls = 0;
    assert_int_equal(resolve_start(&one.r, &loop, "hangs", now), RESOLVE_STARTED);
    wait_done(&one);
    assert_int_equal(virtual.boot_ms, now + 700);
}

static void test_cancel(void **state)
{
    (void)state;
    assert_int_equal(start(&one, "hangs"), RESOLVE_STARTED);
    assert_int_equal(start(&two, "hangs"), RESOLVE_STARTED);
    pid_t child = one.r.child;
    assert_int_equal(kill(child, 0), 0);
    resolve_cancel(&one.r);
    resolve_cancel(&one.r);
    assert_int_equal(one.r.child, 0);
    resolve_cancel(&two.r);
    assert_no_children();
    assert_int_equal(one.calls + two.calls, 0);
    assert_int_equal(kill(child, 0), -1);
    /* One whose answer is there already. */
    script = "192.0.2.1";
    assert_int_equal(start(&one, "name"), RESOLVE_STARTED);
    struct pollfd fd = {.fd = one.r.watch.fd, .events = POLLIN};
    assert_int_equal(ppoll(&fd, 1, NULL, NULL), 1);
    resolve_cancel(&one.r);
    assert_int_equal(loop_turn(&loop, 0), 0);
    assert_int_equal(one.calls, 0);
}

/* ---- What is kept ---- */

static void test_fresh(void **state)
{
    (void)state;
    script = "192.0.2.1";
    expect(&one, "name", "192.0.2.1");
    script = "192.0.2.2";
    virtual.boot_ms += RESOLVE_FRESH_MS - 1;
    loop.now = virtual;
    expect_kept(&one, "name", "192.0.2.1");
    virtual.boot_ms += 1;
    loop.now = virtual;
    expect(&one, "name", "192.0.2.2");
    expect_kept(&one, "name", "192.0.2.2");
    resolve_forget();
    script = "192.0.2.3";
    expect(&one, "name", "192.0.2.3");
    assert_int_equal(forks, 3);
}

static void age(int64_t ms)
{
    virtual.boot_ms += ms;
    loop.now = virtual;
}

/* The last good answer serves where there is no new one, and the resolver is left alone then. */
static void test_last_good(void **state)
{
    static const char *const troubles[] = {"absent", "silent", "broken", "crashes", "short"};

    (void)state;
    for (size_t i = 0; i < COUNT(troubles); i++) {
        union resolve_address a = address("192.0.2.1");
        names_keep(troubles[i], loop.now.boot_ms, &a, 1);
        age(RESOLVE_FRESH_MS);
        expect(&one, troubles[i], "192.0.2.1");
        age(RESOLVE_RETRY_MS - 1);
        expect_kept(&one, troubles[i], "192.0.2.1");
        age(1);
        expect(&one, troubles[i], "192.0.2.1");
    }
}

static void test_last_good_in_time(void **state)
{
    union resolve_address a = address("192.0.2.1");

    (void)state;
    names_keep("hangs", T0, &a, 1);
    age(RESOLVE_FRESH_MS);
    int64_t began = virtual.boot_ms;
    patience_ms = 0;
    expect(&one, "hangs", "192.0.2.1");
    assert_int_equal(virtual.boot_ms, began + RESOLVE_KNOWN_LIMIT_MS);
    expect_kept(&one, "hangs", "192.0.2.1");
    /* Half of the time is left to use it. */
    age(RESOLVE_RETRY_MS);
    began = virtual.boot_ms;
    one.calls = 0;
    assert_int_equal(resolve_start(&one.r, &loop, "hangs", began + 1000), RESOLVE_STARTED);
    wait_done(&one);
    assert_true(one.found);
    assert_int_equal(virtual.boot_ms, began + 500);
}

static void test_least_recently_used(void **state)
{
    static const char *const hosts[] = {"a", "b", "c", "d", "e", "f", "g", "h"};

    (void)state;
    assert_int_equal(COUNT(hosts), RESOLVE_NAMES_MAX);
    script = "192.0.2.1";
    for (size_t i = 0; i < COUNT(hosts); i++)
        expect(&one, hosts[i], "192.0.2.1");
    expect_kept(&one, "a", "192.0.2.1");
    worked("b", "192.0.2.1");
    script = "192.0.2.9 192.0.2.1"; /* what worked for b says nothing of others */
    expect(&one, "new", script);
    expect_kept(&one, "a", "192.0.2.1"); /* it was used since */
    expect_kept(&one, "new", script);
    for (size_t i = 2; i < COUNT(hosts); i++)
        expect_kept(&one, hosts[i], "192.0.2.1");
    expect(&one, "b", script);
}

static void test_worked(void **state)
{
    (void)state;
    worked("name", "192.0.2.1"); /* nobody knows it */
    script = "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2";
    expect(&one, "name", script);
    worked("name", "192.0.2.9");
    expect_kept(&one, "name", script);
    worked("name", "2001:db8::2");
    expect_kept(&one, "name", "2001:db8::2 2001:db8::1 192.0.2.1 192.0.2.2");
    worked("name", "192.0.2.2");
    expect_kept(&one, "name", "192.0.2.2 2001:db8::2 2001:db8::1 192.0.2.1");
    worked("other", "192.0.2.1");
    expect_kept(&one, "name", "192.0.2.2 2001:db8::2 2001:db8::1 192.0.2.1");
    /* A new answer has its own order behind it; and all of it where that one is gone. */
    age(RESOLVE_FRESH_MS);
    expect(&one, "name", "192.0.2.2 2001:db8::1 192.0.2.1 2001:db8::2");
    age(RESOLVE_FRESH_MS);
    script = "192.0.2.1 192.0.2.3";
    expect(&one, "name", script);
    age(RESOLVE_FRESH_MS);
    script = "192.0.2.3 192.0.2.1";
    expect(&one, "name", script);
}

static void test_two_at_once(void **state)
{
    (void)state;
    script = "192.0.2.1";
    assert_int_equal(start(&one, "slow"), RESOLVE_STARTED);
    assert_int_equal(start(&two, "slow"), RESOLVE_STARTED);
    wait_done(&one);
    wait_done(&two);
    assert_string_equal(found_text(&one.r), "192.0.2.1");
    assert_string_equal(found_text(&two.r), "192.0.2.1");
}

/* A callback may start the next one in the same struct. */
static void again(void *arg, bool found)
{
    struct ask *a = arg;

    done(a, found);
    a->r.done = done;
    assert_int_equal(resolve_start(&a->r, &loop, "absent", virtual.boot_ms + 1000),
                     RESOLVE_STARTED);
}

static void test_start_within(void **state)
{
    (void)state;
    script = "192.0.2.1";
    one.r.done = again;
    assert_int_equal(start(&one, "name"), RESOLVE_STARTED);
    wait_done(&one);
    one.calls = 0;
    wait_done(&one);
    assert_string_equal(one.r.error, "no such name");
}

/* ---- Where we are out of something ---- */

static void test_no_child(void **state)
{
    union resolve_address a = address("192.0.2.1");

    (void)state;
    no_fork = true;
    int free_fd = dup(STDIN_FILENO);
    assert_int_equal(close(free_fd), 0);
    assert_int_equal(start(&one, "name"), RESOLVE_FAILED);
    assert_string_equal(one.r.error, "no look-up could be started");
    int next_fd = dup(STDIN_FILENO); /* nothing was left open */
    assert_int_equal(next_fd, free_fd);
    assert_int_equal(close(next_fd), 0);
    names_keep("name", T0, &a, 1);
    age(RESOLVE_FRESH_MS);
    expect_kept(&one, "name", "192.0.2.1");
    assert_int_equal(forks, 2);
    expect_kept(&one, "name", "192.0.2.1");
    assert_int_equal(forks, 2);
}

static void nothing(struct loop *l, void *arg, short revents)
{
    (void)l;
    (void)arg;
    (void)revents;
}

static void never(struct loop *l, void *arg)
{
    (void)l;
    (void)arg;
}

static void test_full_loop(void **state)
{
    static struct loop_watch watches[LOOP_WATCHES_MAX];
    static struct loop_timer timers[LOOP_TIMERS_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(watches); i++) {
        watches[i] = (struct loop_watch){.fd = -1, .ready = nothing};
        assert_int_equal(loop_watch(&loop, &watches[i]), 0);
    }
    assert_int_equal(start(&one, "hangs"), RESOLVE_FAILED);
    assert_int_equal(one.r.child, 0);
    for (size_t i = 0; i < COUNT(watches); i++)
        loop_unwatch(&loop, &watches[i]);
    assert_no_children();
    for (size_t i = 0; i < COUNT(timers); i++) {
        timers[i] = (struct loop_timer){.due = never};
        assert_int_equal(loop_timer_set(&loop, &timers[i], INT64_MAX), 0);
    }
    assert_int_equal(start(&one, "hangs"), RESOLVE_FAILED);
    assert_int_equal(loop.watch_count, 0);
    for (size_t i = 0; i < COUNT(timers); i++)
        loop_timer_clear(&loop, &timers[i]);
    /* Its end had no timer either: the next one reaps. */
    script = "192.0.2.1";
    expect(&one, "name", "192.0.2.1");
}

/* Waits until one is dead, and leaves it to be reaped. */
static void wait_zombie(void)
{
    siginfo_t info = {.si_pid = 0};

    for (int i = 0; i < PATIENCE_MS && info.si_pid == 0; i++) {
        assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | WNOHANG), 0);
        if (info.si_pid == 0)
            (void)usleep(1000);
    }
    assert_int_not_equal(info.si_pid, 0);
}

/* Children that do not die keep their places, and the loop goes on. */
static void test_slow_death(void **state)
{
    (void)state;
    slow_death = true;
    patience_ms = 0;
    for (int i = 0; i < CHILDREN_MAX; i++) {
        assert_int_equal(start(&one, "hangs"), RESOLVE_STARTED);
        resolve_cancel(&one.r);
    }
    assert_int_equal(forks, CHILDREN_MAX);
    assert_int_equal(start(&one, "hangs"), RESOLVE_FAILED);
    assert_int_equal(forks, CHILDREN_MAX);
    /* Looked at soon, then seldom. */
    assert_int_equal(loop.timer_count, 1);
    int64_t now = virtual.boot_ms;
    assert_int_equal(loop_turn(&loop, -1), 0);
    assert_int_equal(virtual.boot_ms, now + CHILD_REAP_SOON_MS);
    assert_int_equal(loop_turn(&loop, -1), 0);
    assert_int_equal(virtual.boot_ms, now + CHILD_REAP_SOON_MS + CHILD_REAP_LATE_MS);
    slow_death = false;
    wait_zombie();
    script = "192.0.2.1";
    patience_ms = PATIENCE_MS;
    expect(&one, "name", "192.0.2.1");
}

/* We died before the child asked to be told of it. */
static void test_dies_without_us(void **state)
{
    (void)state;
    script = "192.0.2.1";
    orphaned = true;
    expect_error(&one, "name", "the look-up broke off");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_plain),
        TEST(test_overlong),
        TEST(test_answers),
        TEST(test_scope),
        TEST(test_errors),
        TEST(test_slow),
        TEST(test_raw),
        TEST(test_unreadable),
        TEST(test_hangs),
        TEST(test_cancel),
        TEST(test_fresh),
        TEST(test_last_good),
        TEST(test_last_good_in_time),
        TEST(test_least_recently_used),
        TEST(test_worked),
        TEST(test_two_at_once),
        TEST(test_start_within),
        TEST(test_no_child),
        TEST(test_full_loop),
        TEST(test_slow_death),
        TEST(test_dies_without_us),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
