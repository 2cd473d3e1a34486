/* Connections over loopback sockets, with a resolver and a TLS of our own and a virtual clock. */

#include "net/conn.h"

#include "net/lookup.h"

#include "loopback.h"
#include "patient.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
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
#define LIMIT_MS 8000

/* ---- The resolver ---- */

static const char *addresses = "";

enum lookup_result lookup_name(const char *host, union resolve_address *found, unsigned cap,
                               unsigned *count)
{
    char words[256], *rest = NULL;

    *count = 0;
    if (strcmp(host, "hangs") == 0)
        for (;;)
            pause();
    if (strcmp(host, "name") != 0)
        return LOOKUP_NO_NAME;
    snprintf(words, sizeof(words), "%s", addresses);
    for (char *word = strtok_r(words, " ", &rest); word != NULL && *count < cap;
         word = strtok_r(NULL, " ", &rest)) {
        union resolve_address *a = &found[(*count)++];
        memset(a, 0, sizeof(*a));
        a->any.sa_family = strchr(word, ':') != NULL ? AF_INET6 : AF_INET;
        (void)inet_pton(a->any.sa_family, word,
                        a->any.sa_family == AF_INET6 ? (void *)&a->v6.sin6_addr
                                                     : (void *)&a->v4.sin_addr);
    }
    return LOOKUP_FOUND;
}

/* ---- Calls that the network would answer ---- */

static int socket_error, connect_error;
static bool at_once; /* connect(2) succeeds in the call */
static unsigned connects;

static bool is_192_0_2(const struct sockaddr *a)
{
    const struct sockaddr_in *v4 = (const void *)a;

    return a->sa_family == AF_INET && ntohl(v4->sin_addr.s_addr) >> 8 == 0xc00002;
}

/* Of 192.0.2.0/24 there is no host: the kernel would say so at once if there were no network. */
int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t n)
{
    int (*real)(int, const struct sockaddr *, socklen_t);
    const struct sockaddr *a = address.__sockaddr__;
    int fails = is_192_0_2(a) ? ENETUNREACH : connect_error;
    int flags = fcntl(fd, F_GETFL);

    *(void **)&real = dlsym(RTLD_NEXT, "connect");
    connects++;
    if (at_once)
        (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    int result = fails != ENETUNREACH ? real(fd, a, n) : -1; /* one interrupted goes on by itself */
    int error = errno;
    if (at_once)
        (void)fcntl(fd, F_SETFL, flags);
    errno = fails != 0 ? fails : error;
    return fails != 0 ? -1 : result;
}

int socket(int family, int type, int protocol)
{
    int (*real)(int, int, int);

    *(void **)&real = dlsym(RTLD_NEXT, "socket");
    errno = socket_error;
    return socket_error != 0 ? -1 : real(family, type, protocol);
}

/* ---- A TLS that says everything in plain bytes ----
 * The server's H is go on, O open, B bad certificate, C close_notify. What
 * is written goes out sixteen bytes at a time, what comes is taken in eight at a time. */

static struct {
    const char *refuses; /* why tls_start() fails */
    bool open, closed;
    unsigned starts, ends;
    char in[8], out[16];
    size_t in_n, out_n;
    char host[64];
    bool host_is_address;
    uint16_t port;
} t;

static int tls_fail(struct tls *tls, const char *why)
{
    snprintf(tls->error, sizeof(tls->error), "%s", why);
    return -1;
}

int tls_start(struct tls *tls, const char *host, bool host_is_address, uint16_t port,
              struct now now)
{
    assert_int_equal(now.boot_ms, virtual.boot_ms);
    t.starts++;
    t.open = t.closed = false;
    t.in_n = 0;
    t.out_n = 5;
    memcpy(t.out, "HELLO", 5);
    snprintf(t.host, sizeof(t.host), "%s", host);
    t.host_is_address = host_is_address;
    t.port = port;
    return t.refuses != NULL ? tls_fail(tls, t.refuses) : 0;
}

static int take_in(struct tls *tls, int fd)
{
    ssize_t n = recv(fd, t.in, sizeof(t.in), MSG_DONTWAIT);

    if (n == 0)
        return tls_fail(tls, "cut short");
    if (n < 0)
        return errno == EAGAIN ? 0 : tls_fail(tls, strerror(errno));
    t.in_n = (size_t)n;
    char last = t.in[n - 1];
    if (!t.open) {
        t.in_n = 0;
        t.open = last == 'O';
        t.closed = last == 'C';
        if (last == 'B')
            return tls_fail(tls, "bad certificate");
    } else if (last == 'C') {
        t.in_n--;
        t.closed = true;
    }
    return 1;
}

int tls_pump(struct tls *tls, int fd)
{
    int taken = 1;

    assert_true(fcntl(fd, F_GETFD) >= 0);
    while (t.out_n > 0) {
        ssize_t n = send(fd, t.out, t.out_n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            break;
        t.out_n -= (size_t)n;
        memmove(t.out, t.out + n, t.out_n);
    }
    while (t.in_n == 0 && !t.closed && taken > 0)
        taken = take_in(tls, fd);
    if (taken < 0)
        return -1;
    return (t.in_n == 0 && !t.closed ? POLLIN : 0) | (t.out_n > 0 ? POLLOUT : 0);
}

bool tls_is_open(const struct tls *tls)
{
    (void)tls;
    return t.open;
}

bool tls_is_closed(const struct tls *tls)
{
    (void)tls;
    return t.open && t.closed;
}

size_t tls_write(struct tls *tls, const char *bytes, size_t n)
{
    (void)tls;
    if (t.out_n > 0)
        return 0;
    t.out_n = n < sizeof(t.out) ? n : sizeof(t.out);
    memcpy(t.out, bytes, t.out_n);
    return t.out_n;
}

size_t tls_read(struct tls *tls, char *bytes, size_t cap)
{
    size_t n = t.in_n < cap ? t.in_n : cap;

    (void)tls;
    memcpy(bytes, t.in, n);
    t.in_n -= n;
    memmove(t.in, t.in + n, t.in_n);
    return n;
}

void tls_end(struct tls *tls, int fd)
{
    (void)tls;
    assert_true(fcntl(fd, F_GETFD) >= 0);
    t.ends++;
}

/* ---- Servers ---- */

static int server = -1, peer = -1;
static uint16_t port;
static char pattern[1 << 16]; /* what is sent; sockets have room for a little more */

/* -1 where somebody else is there. */
static int bind_at(const char *text, uint16_t at)
{
    const int on = 1;
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(at)};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(at)};
    bool is_v6 = strchr(text, ':') != NULL;
    int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), result;

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    if (is_v6) {
        assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
        result = bind(fd, (struct sockaddr *)&v6, sizeof(v6));
    } else {
        assert_int_equal(inet_pton(AF_INET, text, &v4.sin_addr), 1);
        result = bind(fd, (struct sockaddr *)&v4, sizeof(v4));
    }
    if (result == 0)
        return fd;
    assert_int_equal(errno, EADDRINUSE);
    assert_int_equal(close(fd), 0);
    return -1;
}

static int bound(const char *text, uint16_t at)
{
    int fd = bind_at(text, at);

    assert_true(fd >= 0);
    return fd;
}

/* They have the port at all addresses that tests use, and do not listen: nobody else gets it. */
static int held[4];

static void let_go(size_t count)
{
    while (count > 0)
        assert_int_equal(close(held[--count]), 0);
}

static bool hold_port(void)
{
    static const char *const homes[] = {"127.0.0.1", "127.0.0.2", "127.0.0.3", "::1"};
    struct sockaddr_in v4;
    socklen_t n = sizeof(v4);

    for (size_t i = 0; i < COUNT(held); i++) {
        held[i] = bind_at(homes[i], i > 0 ? port : 0);
        if (held[i] < 0) {
            let_go(i);
            return false;
        }
        if (i > 0)
            continue;
        assert_int_equal(getsockname(held[0], (struct sockaddr *)&v4, &n), 0);
        port = ntohs(v4.sin_port);
    }
    return true;
}

static void listen_at_home(void)
{
    const int small = sizeof(pattern);
    bool holds = false;

    for (int i = 0; i < 100 && !holds; i++)
        holds = hold_port();
    assert_true(holds);
    server = bound("127.0.0.1", port);
    assert_int_equal(setsockopt(server, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    assert_int_equal(listen(server, 8), 0);
}

static void take_peer(void)
{
    peer = accept4(server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(peer >= 0);
}

/* Of connections that are over already. */
static void take_the_dead(void)
{
    struct pollfd p = {.fd = server, .events = POLLIN};
    const struct timespec none = {0, 0};

    loopback_settle();
    while (ppoll(&p, 1, &none, NULL) > 0) {
        take_peer();
        assert_int_equal(close(peer), 0);
        peer = -1;
    }
}

/* A server that takes no more connections: what is sent to it is lost. */
struct black_hole {
    int fds[4];
};

static struct black_hole black_hole(const char *text)
{
    struct black_hole h = {.fds = {bound(text, port), -1, -1, -1}};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};

    assert_int_equal(listen(h.fds[0], 0), 0);
    assert_int_equal(inet_pton(AF_INET, text, &v4.sin_addr), 1);
    for (size_t i = 1; i < COUNT(h.fds); i++) {
        h.fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(h.fds[i], (struct sockaddr *)&v4, sizeof(v4));
        for (int packets = 0; packets < 3; packets++)
            loopback_settle();
    }
    connects = 0;
    return h;
}

static void fill_black_hole(const struct black_hole *h)
{
    for (size_t i = 0; i < COUNT(h->fds); i++)
        assert_int_equal(close(h->fds[i]), 0);
}

/* ---- The owner ---- */

static struct loop loop;
static struct conn conn;
static unsigned changes;
static void (*on_change)(void);
static bool inside; /* a call of ours */

static void changed(void *arg)
{
    assert_ptr_equal(arg, &conn);
    assert_false(inside);
    changes++;
    if (on_change != NULL)
        on_change();
}

static int count_fds(void)
{
    int count = 0;

    for (int i = 0; i < 256; i++)
        count += fcntl(i, F_GETFD) >= 0;
    return count;
}

static int fds_before;

static int setup(void **state)
{
    (void)state;
    loopback_settle(); /* it keeps a descriptor */
    fds_before = count_fds();
    virtual = (struct now){.boot_ms = T0, .wall_ms = 1};
    patience_ms = PATIENCE_MS;
    loop_init(&loop);
    resolve_forget();
    memset(&conn, 0, sizeof(conn));
    memset(&t, 0, sizeof(t));
    conn.changed = changed;
    conn.arg = &conn;
    on_change = NULL;
    changes = connects = 0;
    socket_error = connect_error = 0;
    at_once = false;
    listen_at_home();
    return 0;
}

/* Nothing is left: no descriptor, watch, timer or child. */
static int teardown(void **state)
{
    (void)state;
    conn_close(&conn);
    conn_close(&conn);
    assert_int_equal(conn.stage, CONN_CLOSED);
    patience_ms = PATIENCE_MS;
    for (int i = 0; i < 100 && loop.timer_count > 0; i++)
        assert_int_equal(loop_turn(&loop, -1), 0);
    assert_int_equal(loop.timer_count, 0);
    assert_int_equal(loop.watch_count, 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    if (peer >= 0)
        assert_int_equal(close(peer), 0);
    assert_int_equal(close(server), 0);
    let_go(COUNT(held));
    peer = server = -1;
    assert_int_equal(count_fds(), fds_before);
    assert_int_equal(t.ends, t.refuses != NULL ? 0 : t.starts);
    return 0;
}

static int open_within(const char *host, bool tls, int64_t limit_ms)
{
    char text[400], why[URL_WHY_MAX];
    struct url url;

    snprintf(text, sizeof(text), "%s://%s:%u", tls ? "https" : "http", host, port);
    assert_int_equal(url_parse(&url, span_of(text), why), 0);
    inside = true;
    int result = conn_open(&conn, &loop, &url, virtual.boot_ms + limit_ms);
    inside = false;
    memset(&url, '#', sizeof(url)); /* it is not needed any more */
    assert_int_equal(changes, 0);
    assert_int_not_equal(conn.stage, CONN_OPEN);
    return result;
}

static void open_conn(const char *host, bool tls)
{
    assert_int_equal(open_within(host, tls, LIMIT_MS), 0);
}

/* A child that looks a name up has the time that it needs, whatever the limit on our clock. */
static void turn(void)
{
    const struct timespec patience = {PATIENCE_MS / 1000, 0};
    struct pollfd p = {.fd = conn.resolve.watch.fd, .events = POLLIN};

    if (conn.stage == CONN_RESOLVING && patience_ms > 0)
        assert_int_equal(ppoll(&p, 1, &patience, NULL), 1);
    assert_int_equal(loop_turn(&loop, -1), 0);
}

/* Turns until changed() is called. */
static void wait_change(void)
{
    changes = 0;
    while (changes == 0)
        turn();
    assert_int_equal(changes, 1);
}

/* There is nothing to do, not even once, but to reap a child. */
static void assert_quiet(void)
{
    int64_t until = virtual.boot_ms + 20;
    unsigned turns = 0;

    changes = 0;
    for (; virtual.boot_ms < until; turns++)
        assert_int_equal(loop_turn(&loop, until - virtual.boot_ms), 0);
    assert_int_equal(changes, 0);
    assert_in_range(turns, 1, 2);
}

/* This text, whose %u is the port. */
static void expect_failure(const char *format)
{
    char text[256];

    assert_int_equal(conn.stage, CONN_FAILED);
    assert_int_equal(conn.fd, -1);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof(text), format, port);
#pragma GCC diagnostic pop
    assert_string_equal(conn.error, text);
    assert_int_equal(loop.watch_count, 0);
    assert_false(conn.timer.set);
    assert_quiet();
}

static void wait_open(void)
{
    wait_change();
    assert_string_equal(conn.error, "");
    assert_int_equal(conn.stage, CONN_OPEN);
    assert_false(conn.timer.set);
}

static void wait_failure(const char *format)
{
    wait_change();
    expect_failure(format);
}

static ptrdiff_t write_conn(const char *bytes, size_t n)
{
    inside = true;
    ptrdiff_t taken = conn_write(&conn, bytes, n);
    inside = false;
    return taken;
}

static enum conn_read read_conn(char *bytes, size_t cap, size_t *n)
{
    inside = true;
    enum conn_read result = conn_read(&conn, bytes, cap, n);
    inside = false;
    return result;
}

/* Reads this and no more. */
static void expect_read(const char *text)
{
    char bytes[256];
    size_t got = 0, n;

    while (got < strlen(text)) {
        assert_int_equal(read_conn(bytes + got, sizeof(bytes) - got, &n), CONN_READ_SOME);
        assert_in_range(n, 1, sizeof(bytes) - got);
        got += n;
    }
    assert_int_equal(got, strlen(text));
    assert_memory_equal(bytes, text, got);
    assert_int_equal(read_conn(bytes, sizeof(bytes), &n), CONN_READ_LATER);
    assert_int_equal(n, 0);
}

static void expect_read_result(enum conn_read result)
{
    char bytes[16];
    size_t n = 77;

    assert_int_equal(read_conn(bytes, sizeof(bytes), &n), result);
    assert_int_equal(n, 0);
}

static void say(const char *text)
{
    assert_int_equal(send(peer, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    loopback_settle();
}

static void close_peer(void)
{
    assert_int_equal(close(peer), 0);
    peer = -1;
    loopback_settle();
}

static void expect_heard(const char *text)
{
    char bytes[256];

    loopback_settle();
    assert_int_equal(recv(peer, bytes, sizeof(bytes), 0), strlen(text));
    assert_memory_equal(bytes, text, strlen(text));
}

static void open_plain(void)
{
    open_conn("127.0.0.1", false);
    wait_open();
    take_peer();
}

/* ---- Getting there ---- */

static void test_open(void **state)
{
    int on = 0;
    socklen_t n = sizeof(on);

    (void)state;
    open_conn("127.0.0.1", false);
    assert_int_equal(conn.stage, CONN_CONNECTING);
    wait_open();
    take_peer();
    assert_int_equal(fcntl(conn.fd, F_GETFD), FD_CLOEXEC);
    assert_true((fcntl(conn.fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_int_equal(getsockopt(conn.fd, IPPROTO_TCP, TCP_NODELAY, &on, &n), 0);
    assert_int_not_equal(on, 0);
    assert_quiet();
    assert_int_equal(write_conn("ping", 4), 4);
    expect_heard("ping");
    assert_quiet();
    say("pong");
    wait_change();
    expect_read("pong");
    assert_quiet();
    assert_int_equal(t.starts, 0);
}

static void test_open_by_name(void **state)
{
    (void)state;
    addresses = "127.0.0.1";
    open_conn("name", false);
    assert_int_equal(conn.stage, CONN_RESOLVING);
    wait_open();
    take_peer();
    conn_close(&conn);
    assert_int_equal(close(peer), 0);
    /* The second time the name is known. */
    changes = 0;
    open_conn("name", false);
    assert_int_equal(conn.stage, CONN_CONNECTING);
    wait_open();
    take_peer();
}

/* Which connect(2) may do, with an address of our own. */
static void test_open_at_once(void **state)
{
    (void)state;
    at_once = true;
    open_conn("127.0.0.1", false);
    wait_open();
    take_peer();
}

static void test_open_interrupted(void **state)
{
    (void)state;
    connect_error = EINTR;
    open_conn("127.0.0.1", false);
    wait_open();
    take_peer();
}

/* ---- Not getting there ---- */

static void test_no_name(void **state)
{
    char host[URL_HOST_MAX + 1];

    (void)state;
    open_conn("absent", false);
    wait_failure("looking up absent: no such name");
    assert_int_equal(conn_write(&conn, "x", 1), -1);
    expect_read_result(CONN_READ_FAILED);
    conn_close(&conn);
    changes = 0;
    /* Of a long one enough is shown, and the reason too. */
    memset(host, 'x', sizeof(host) - 1);
    for (size_t i = 60; i < sizeof(host) - 1; i += 60)
        host[i] = '.';
    host[sizeof(host) - 1] = '\0';
    open_conn(host, false);
    wait_failure("looking up xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...: "
                 "no such name");
}

static void test_lookup_hangs(void **state)
{
    (void)state;
    patience_ms = 0;
    assert_int_equal(open_within("hangs", false, 1000), 0);
    wait_change();
    assert_int_equal(virtual.boot_ms, T0 + 1000);
    expect_failure("looking up hangs: no answer from the name server");
}

static void test_refused(void **state)
{
    (void)state;
    assert_int_equal(close(server), 0);
    server = bound("127.0.0.1", port); /* but it does not listen */
    open_conn("127.0.0.1", false);
    wait_failure("connecting to 127.0.0.1 port %u: Connection refused");
}

static void test_failed_at_once(void **state)
{
    (void)state;
    assert_int_equal(open_within("192.0.2.1", false, LIMIT_MS), -1);
    expect_failure("connecting to 192.0.2.1 port %u: Network is unreachable");
    assert_int_equal(changes, 0);
    conn_close(&conn);
    socket_error = EMFILE;
    assert_int_equal(open_within("127.0.0.1", false, LIMIT_MS), -1);
    expect_failure("connecting to 127.0.0.1 port %u: Too many open files");
    conn_close(&conn);
    socket_error = EAFNOSUPPORT;
    assert_int_equal(open_within("[::1]", false, LIMIT_MS), -1);
    expect_failure("connecting to ::1 port %u: Address family not supported by protocol");
    socket_error = 0;
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
    assert_int_equal(open_within("127.0.0.1", false, LIMIT_MS), -1);
    for (size_t i = 0; i < COUNT(watches); i++)
        loop_unwatch(&loop, &watches[i]);
    expect_failure("connecting to 127.0.0.1 port %u: No buffer space available");
    conn_close(&conn);
    for (size_t i = 0; i < COUNT(timers); i++) {
        timers[i] = (struct loop_timer){.due = never};
        assert_int_equal(loop_timer_set(&loop, &timers[i], INT64_MAX), 0);
    }
    assert_int_equal(open_within("127.0.0.1", false, LIMIT_MS), -1);
    for (size_t i = 0; i < COUNT(timers); i++)
        loop_timer_clear(&loop, &timers[i]);
    expect_failure("connecting to 127.0.0.1 port %u: No buffer space available");
}

/* ---- One address after another ---- */

static void test_next_address(void **state)
{
    static const char *const cases[] = {
        "127.0.0.2 127.0.0.1",                     /* refused */
        "192.0.2.1 192.0.2.2 127.0.0.1",           /* unreachable, at once */
        "192.0.2.1 127.0.0.2 192.0.2.2 127.0.0.1", /* by turns */
    };
    int refuses = bound("127.0.0.2", port);

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        resolve_forget();
        addresses = cases[i];
        open_conn("name", false);
        wait_open();
        take_peer();
        assert_int_equal(write_conn("ping", 4), 4);
        expect_heard("ping");
        conn_close(&conn);
        close_peer();
        changes = 0;
        /* It is the first one next time. */
        connects = 0;
        open_conn("name", false);
        wait_open();
        assert_int_equal(connects, 1);
        take_peer();
        conn_close(&conn);
        close_peer();
        changes = 0;
    }
    assert_int_equal(close(refuses), 0);
}

static void test_ipv6_refused(void **state)
{
    int refuses = bound("::1", port);

    (void)state;
    addresses = "::1 127.0.0.1";
    open_conn("name", false);
    wait_open();
    assert_int_equal(connects, 2);
    take_peer();
    assert_int_equal(close(refuses), 0);
}

static void test_over_ipv6(void **state)
{
    (void)state;
    int v4 = server;
    server = bound("::1", port);
    assert_int_equal(listen(server, 8), 0);
    open_conn("[::1]", false);
    wait_open();
    take_peer();
    assert_int_equal(close(v4), 0);
}

static void test_last_error(void **state)
{
    int refuses = bound("127.0.0.2", port);

    (void)state;
    addresses = "192.0.2.1 127.0.0.2";
    open_conn("name", false);
    wait_failure("connecting to 127.0.0.2 port %u: Connection refused");
    conn_close(&conn);
    resolve_forget();
    addresses = "127.0.0.2 192.0.2.1";
    changes = 0;
    open_conn("name", false);
    wait_failure("connecting to 192.0.2.1 port %u: Network is unreachable");
    assert_int_equal(close(refuses), 0);
    conn_close(&conn);
    resolve_forget();
    addresses = "192.0.2.2 192.0.2.1";
    changes = 0;
    open_conn("name", false);
    wait_failure("connecting to 192.0.2.1 port %u: Network is unreachable");
}

/* The address that does not answer gets its share of the time. */
static void test_share(void **state)
{
    static const struct {
        const char *addresses;
        int64_t limit_ms;
        int64_t share_ms;
    } cases[] = {
        {"127.0.0.2 127.0.0.1", 8000, CONN_TRY_MS},
        {"127.0.0.2 127.0.0.1", 2 * CONN_TRY_MS + 2, CONN_TRY_MS},
        {"127.0.0.2 127.0.0.1", 1000, 500},
        {"127.0.0.2 127.0.0.1 192.0.2.1", 900, 300},
    };
    struct black_hole hole = black_hole("127.0.0.2");

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        resolve_forget();
        addresses = cases[i].addresses;
        changes = 0;
        patience_ms = PATIENCE_MS;
        assert_int_equal(open_within("name", false, cases[i].limit_ms), 0);
        int64_t began = virtual.boot_ms;
        while (conn.stage == CONN_RESOLVING)
            turn();
        assert_true(virtual.boot_ms < began + 100); /* a reaped child may have taken a moment */
        began = virtual.boot_ms;
        int64_t left = cases[i].limit_ms - (began - conn.deadline_ms + cases[i].limit_ms);
        assert_int_equal(conn.timer.deadline_ms - began,
                         left / (int64_t)conn.resolve.count < cases[i].share_ms
                             ? left / (int64_t)conn.resolve.count
                             : cases[i].share_ms);
        patience_ms = 0;
        while (connects < 2)
            turn();
        patience_ms = PATIENCE_MS;
        if (changes == 0)
            wait_open();
        assert_int_equal(conn.stage, CONN_OPEN);
        take_peer();
        conn_close(&conn);
        close_peer();
        connects = 0;
    }
    fill_black_hole(&hole);
}

static void test_deadline(void **state)
{
    struct black_hole hole = black_hole("127.0.0.2"), other = black_hole("127.0.0.3");

    (void)state;
    patience_ms = 0;
    /* The only one has all the time there is. */
    open_conn("127.0.0.2", false);
    wait_change();
    assert_int_equal(virtual.boot_ms, T0 + LIMIT_MS);
    expect_failure("connecting to 127.0.0.2 port %u: no answer");
    conn_close(&conn);
    /* And so has the last one. */
    patience_ms = PATIENCE_MS;
    addresses = "127.0.0.2 127.0.0.3";
    changes = 0;
    open_conn("name", false);
    while (conn.stage == CONN_RESOLVING)
        turn();
    patience_ms = 0;
    wait_change();
    assert_int_equal(virtual.boot_ms, conn.deadline_ms);
    expect_failure("connecting to 127.0.0.3 port %u: no answer");
    conn_close(&conn);
    /* Where the loop was held up, nobody is tried in vain. */
    connects = 0;
    changes = 0;
    open_conn("name", false);
    virtual.boot_ms += 2 * LIMIT_MS;
    wait_change();
    assert_int_equal(connects, 1);
    expect_failure("connecting to 127.0.0.2 port %u: no answer");
    conn_close(&conn);
    /* Nor is it said that nothing was tried. */
    changes = 0;
    assert_int_equal(open_within("127.0.0.2", false, 0), 0);
    wait_change();
    expect_failure("connecting to 127.0.0.2 port %u: no answer");
    fill_black_hole(&hole);
    fill_black_hole(&other);
}

/* ---- Unix sockets ---- */

static char socket_path[128];
static bool path_is_full; /* of the length that has just room */

/* A server of that kind in place of the one at home. */
static void listen_at_path(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(socket_path, sizeof(socket_path), "/tmp/planner-conn-%d-", (int)getpid());

    assert_int_equal(close(server), 0);
    if (path_is_full)
        memset(socket_path + n, 'x', URL_SOCKET_MAX - (size_t)n);
    assert_true(strlen(socket_path) <= URL_SOCKET_MAX);
    memcpy(address.sun_path, socket_path, strlen(socket_path));
    server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(server, 0), 0);
}

static int open_path(const char *path)
{
    struct url url = {.kind = URL_UNIX};

    snprintf(url.path, sizeof(url.path), "%s", path);
    changes = 0;
    inside = true;
    int result = conn_open(&conn, &loop, &url, virtual.boot_ms + LIMIT_MS);
    inside = false;
    assert_int_equal(changes, 0);
    assert_int_not_equal(conn.stage, CONN_OPEN);
    return result;
}

static void expect_path_failure(const char *step, const char *why)
{
    char text[256];

    snprintf(text, sizeof(text), "%s %s: %s", step, socket_path, why);
    expect_failure(text);
}

static void test_unix(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        path_is_full = i > 0;
        listen_at_path();
        assert_int_equal(open_path(socket_path), 0);
        assert_int_equal(conn.stage, CONN_CONNECTING);
        wait_open();
        take_peer();
        assert_int_equal(fcntl(conn.fd, F_GETFD), FD_CLOEXEC);
        assert_true((fcntl(conn.fd, F_GETFL) & O_NONBLOCK) != 0);
        assert_quiet();
        assert_int_equal(write_conn("ping", 4), 4);
        expect_heard("ping");
        say("pong");
        wait_change();
        expect_read("pong");
        assert_quiet();
        say("last");
        close_peer();
        wait_change();
        char bytes[8];
        size_t n;
        assert_int_equal(read_conn(bytes, sizeof(bytes), &n), CONN_READ_SOME);
        assert_int_equal(n, 4);
        expect_read_result(CONN_READ_END);
        assert_int_equal(write_conn("x", 1), -1);
        expect_path_failure("writing to", "Broken pipe");
        conn_close(&conn);
        assert_int_equal(unlink(socket_path), 0);
    }
    assert_int_equal(t.starts, 0);
}

static void test_unix_refused(void **state)
{
    char longer[sizeof(socket_path) + 1];

    (void)state;
    for (int i = 0; i < 2; i++) {
        path_is_full = i > 0;
        listen_at_path();
        connects = 0;
        assert_int_equal(close(server), 0);
        server = bound("127.0.0.1", port);
        assert_int_equal(open_path(socket_path), -1);
        expect_path_failure("connecting to", "Connection refused");
        conn_close(&conn);
        assert_int_equal(unlink(socket_path), 0);
        assert_int_equal(open_path(socket_path), -1);
        expect_path_failure("connecting to", "No such file or directory");
        conn_close(&conn);
        assert_int_equal(connects, 2);
    }
    socket_error = EMFILE;
    assert_int_equal(open_path(socket_path), -1);
    expect_path_failure("connecting to", "Too many open files");
    socket_error = 0;
    conn_close(&conn);
    /* One byte too long. */
    snprintf(longer, sizeof(longer), "%sx", socket_path);
    connects = 0;
    assert_int_equal(open_path(longer), -1);
    assert_non_null(strstr(conn.error, ": File name too long"));
    assert_int_equal(connects, 0);
}

/* Nobody takes connections: it is said at once, and closes cleanly. */
static void test_unix_full(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    path_is_full = false;
    listen_at_path();
    memcpy(address.sun_path, socket_path, strlen(socket_path));
    assert_int_equal(connect(other, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(open_path(socket_path), -1);
    expect_path_failure("connecting to", "Resource temporarily unavailable");
    assert_int_equal(close(other), 0);
    assert_int_equal(unlink(socket_path), 0);
}

static void test_unix_closed(void **state)
{
    (void)state;
    path_is_full = false;
    listen_at_path();
    assert_int_equal(open_path(socket_path), 0);
    conn_close(&conn);
    assert_int_equal(conn.fd, -1);
    assert_quiet();
    assert_int_equal(unlink(socket_path), 0);
}

/* ---- At any stage ---- */

static void test_close(void **state)
{
    struct black_hole hole = black_hole("127.0.0.2");

    (void)state;
    conn_close(&conn); /* it was never open */
    open_conn("hangs", false);
    assert_int_equal(conn.stage, CONN_RESOLVING);
    conn_close(&conn);
    open_conn("127.0.0.2", false);
    assert_int_equal(conn.stage, CONN_CONNECTING);
    conn_close(&conn);
    assert_int_equal(loop.watch_count, 0);
    open_conn("127.0.0.1", false);
    conn_close(&conn);
    open_conn("127.0.0.1", true);
    while (conn.stage != CONN_SECURING)
        turn();
    conn_close(&conn);
    assert_int_equal(t.ends, 1);
    assert_int_equal(changes, 0);
    assert_int_equal(conn_write(&conn, "x", 1), -1);
    expect_read_result(CONN_READ_FAILED);
    fill_black_hole(&hole);
}

static void close_it(void)
{
    conn_close(&conn);
}

static void open_again(void)
{
    on_change = NULL;
    conn_close(&conn);
    changes = 0;
    open_conn("127.0.0.1", false);
    changes = 1;
}

/* Within changed(), too. */
static void test_close_within(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "absent", "127.0.0.2"};
    int refuses = bound("127.0.0.2", port);

    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++) {
        on_change = close_it;
        changes = 0;
        open_conn(hosts[i], false);
        wait_change();
        assert_int_equal(conn.stage, CONN_CLOSED);
        on_change = open_again;
        changes = 0;
        open_conn(hosts[i], false);
        wait_change();
        wait_open();
        conn_close(&conn);
    }
    take_the_dead();
    changes = 0;
    open_plain();
    on_change = close_it;
    say("x");
    wait_change();
    assert_int_equal(conn.stage, CONN_CLOSED);
    assert_int_equal(close(refuses), 0);
}

/* ---- Open ---- */

/* The owner who does not read is told once; who reads a part of it, again. */
static void test_told_once(void **state)
{
    char byte;
    size_t n;

    (void)state;
    open_plain();
    say("abc");
    wait_change();
    assert_quiet();
    assert_int_equal(write_conn("x", 1), 1);
    assert_quiet();
    assert_int_equal(read_conn(&byte, 0, &n), CONN_READ_LATER);
    assert_int_equal(read_conn(&byte, 1, &n), CONN_READ_SOME);
    assert_int_equal(n, 1);
    assert_int_equal(byte, 'a');
    wait_change();
    assert_quiet();
    expect_read("bc");
    assert_quiet();
    say("d");
    wait_change();
    expect_read("d");
}

static void test_end(void **state)
{
    (void)state;
    open_plain();
    say("last");
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
    loopback_settle();
    wait_change();
    char bytes[16];
    size_t n;
    assert_int_equal(read_conn(bytes, sizeof(bytes), &n), CONN_READ_SOME);
    assert_int_equal(n, 4);
    wait_change();
    expect_read_result(CONN_READ_END);
    expect_read_result(CONN_READ_END);
    assert_quiet();
    /* It still listens. */
    assert_int_equal(write_conn("bye", 3), 3);
    expect_heard("bye");
    close_peer();
    assert_quiet();
}

/* Read in one go, it is not told of again. */
static void test_end_at_once(void **state)
{
    char bytes[16];
    size_t n;

    (void)state;
    open_plain();
    say("last");
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
    loopback_settle();
    wait_change();
    assert_int_equal(read_conn(bytes, sizeof(bytes), &n), CONN_READ_SOME);
    expect_read_result(CONN_READ_END);
    assert_quiet();
}

/* Of an error alone there is nothing to wait for until somebody has looked. */
static void test_error_alone(void **state)
{
    (void)state;
    open_plain();
    changes = 0;
    conn.watch.ready(&loop, conn.watch.arg, POLLERR);
    assert_int_equal(changes, 1);
    assert_int_equal(conn.watch.events, 0);
    expect_read_result(CONN_READ_LATER);
    assert_int_equal(conn.watch.events, POLLIN);
}

static void reset_peer(void)
{
    const struct linger now = {.l_onoff = 1};

    assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    close_peer();
}

static void test_reset(void **state)
{
    (void)state;
    open_plain();
    reset_peer();
    wait_change();
    assert_int_equal(conn.stage, CONN_OPEN);
    assert_quiet(); /* told once of this too */
    expect_read_result(CONN_READ_FAILED);
    expect_failure("reading from 127.0.0.1 port %u: Connection reset by peer");
    expect_read_result(CONN_READ_FAILED);
    assert_int_equal(write_conn("x", 1), -1);
    expect_failure("reading from 127.0.0.1 port %u: Connection reset by peer");
    conn_close(&conn);
    changes = 0;
    open_plain();
    reset_peer();
    assert_int_equal(write_conn("x", 1), -1);
    expect_failure("writing to 127.0.0.1 port %u: Connection reset by peer");
    expect_read_result(CONN_READ_FAILED);
    expect_failure("writing to 127.0.0.1 port %u: Connection reset by peer");
}

/* Without SIGPIPE. */
static void test_write_after_end(void **state)
{
    (void)state;
    open_plain();
    reset_peer();
    int error;
    socklen_t n = sizeof(error);
    assert_int_equal(getsockopt(conn.fd, SOL_SOCKET, SO_ERROR, &error, &n), 0);
    assert_int_equal(write_conn("x", 1), -1);
    expect_failure("writing to 127.0.0.1 port %u: Broken pipe");
}

static void fill_pattern(void)
{
    uint32_t x = 1;

    for (size_t i = 0; i < sizeof(pattern); i++) {
        x = x * 1664525 + 1013904223;
        pattern[i] = (char)(x >> 24);
    }
}

/* Writes while there is room. How many bytes of all there were. */
static size_t write_more(size_t put, size_t all)
{
    while (put < all) {
        size_t at = put % sizeof(pattern);
        ptrdiff_t n = write_conn(pattern + at, sizeof(pattern) - at);
        assert_in_range(n, 0, sizeof(pattern) - at);
        put += (size_t)n;
        if ((size_t)n < sizeof(pattern) - at)
            break;
    }
    return put;
}

static size_t drain(size_t got)
{
    char bytes[4096];
    ssize_t n;

    loopback_settle();
    while ((n = recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
        for (ssize_t i = 0; i < n; i++, got++)
            assert_int_equal(bytes[i], pattern[got % sizeof(pattern)]);
    return got;
}

/* Writes it until there is no room; drains the other end; and so on until all of it has come. */
static void write_through(unsigned times)
{
    const int small = sizeof(pattern);
    size_t put = 0, got = 0, all = times * sizeof(pattern);
    unsigned full = 0;

    assert_int_equal(setsockopt(conn.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    fill_pattern();
    while (got < all) {
        size_t before = put;
        put = write_more(put, all);
        assert_true(put > before || changes == 0); /* there was room, if so told */
        changes = 0;
        assert_int_equal(loop_turn(&loop, 20), 0);
        if (put < all && changes > 0) /* the kernel has found more */
            continue;
        full += put < all;
        got = drain(got);
        if (put < all && changes == 0)
            wait_change();
    }
    assert_in_range(full, 1, 1000);
    assert_quiet();
}

static void test_room(void **state)
{
    (void)state;
    open_plain();
    write_through(16);
    assert_int_equal(write_conn("", 0), 0);
}

/* ---- TLS ---- */

static void begin_tls(void)
{
    addresses = "127.0.0.1 127.0.0.2";
    open_conn("name", true);
    while (conn.stage != CONN_SECURING)
        turn();
    assert_int_equal(changes, 0);
    take_peer();
    expect_heard("HELLO");
}

static void open_tls(void)
{
    begin_tls();
    say("H");
    say("O");
    wait_open();
}

static void test_tls(void **state)
{
    (void)state;
    open_tls();
    assert_string_equal(t.host, "name");
    assert_false(t.host_is_address);
    assert_int_equal(t.port, port);
    assert_quiet();
    assert_int_equal(write_conn("0123456789abcdefghijklmnopqrstuvwxyz", 36), 36);
    expect_heard("0123456789abcdefghijklmnopqrstuvwxyz");
    assert_quiet();
    say("more than fits at once");
    wait_change();
    expect_read("more than fits at once");
    assert_quiet();
    conn_close(&conn);
    assert_int_equal(t.ends, 1);
}

static void test_tls_to_address(void **state)
{
    (void)state;
    t.refuses = "names only";
    open_conn("127.0.0.1", true);
    wait_failure("TLS with 127.0.0.1: names only");
    assert_true(t.host_is_address);
}

static void test_tls_handshake_fails(void **state)
{
    (void)state;
    begin_tls();
    say("B");
    wait_failure("TLS with name: bad certificate");
    assert_int_equal(t.ends, 1);
    assert_int_equal(close(peer), 0);
    conn_close(&conn);
    changes = 0;
    begin_tls();
    close_peer();
    wait_failure("TLS with name: cut short");
    conn_close(&conn);
    changes = 0;
    begin_tls();
    say("C");
    wait_failure("TLS with name: the server has closed the connection");
}

static void test_tls_handshake_hangs(void **state)
{
    (void)state;
    begin_tls();
    patience_ms = 0;
    wait_change();
    assert_int_equal(virtual.boot_ms, conn.deadline_ms);
    expect_failure("TLS with name: no answer in time");
}

static void test_tls_end(void **state)
{
    (void)state;
    open_tls();
    say("lastC");
    wait_change();
    char bytes[16];
    size_t n;
    assert_int_equal(read_conn(bytes, 3, &n), CONN_READ_SOME);
    assert_int_equal(read_conn(bytes, sizeof(bytes), &n), CONN_READ_SOME);
    assert_int_equal(n, 1);
    expect_read_result(CONN_READ_END);
    assert_quiet();
}

static void test_tls_cut_short(void **state)
{
    (void)state;
    open_tls();
    close_peer();
    wait_failure("TLS with name: cut short");
    expect_read_result(CONN_READ_FAILED);
    conn_close(&conn);
    changes = 0;
    /* Found out in a call, it is not told by another way. */
    open_tls();
    close_peer();
    expect_read_result(CONN_READ_FAILED);
    expect_failure("TLS with name: cut short");
    conn_close(&conn);
    changes = 0;
    open_tls();
    reset_peer();
    assert_int_equal(write_conn("x", 1), -1);
    expect_failure("TLS with name: Connection reset by peer");
}

/* What came while something was written is not forgotten. */
static void test_tls_reads_while_writing(void **state)
{
    (void)state;
    open_tls();
    say("early");
    assert_int_equal(write_conn("x", 1), 1);
    wait_change();
    assert_quiet();
    expect_read("early");
    say("C");
    assert_int_equal(write_conn("x", 1), 1);
    wait_change();
    expect_read_result(CONN_READ_END);
    assert_quiet();
}

/* It was read before the loop could tell. */
static void test_tls_reads_first(void **state)
{
    (void)state;
    open_tls();
    say("early");
    assert_int_equal(write_conn("x", 1), 1);
    expect_read("early");
    assert_quiet();
}

static void test_tls_told_once(void **state)
{
    char byte;
    size_t n;

    (void)state;
    open_tls();
    say("ab");
    wait_change();
    assert_quiet();
    assert_int_equal(read_conn(&byte, 1, &n), CONN_READ_SOME);
    expect_read("b");
    assert_quiet();
    say("c");
    wait_change();
    /* Read all of it, but not on until there is no more: what comes is told. */
    assert_int_equal(read_conn(&byte, 1, &n), CONN_READ_SOME);
    say("d");
    wait_change();
    expect_read("d");
}

static void test_tls_room(void **state)
{
    (void)state;
    open_tls();
    write_through(8);
}

/* ---- Words ---- */

static void test_stage_text(void **state)
{
    (void)state;
    assert_string_equal(conn_stage_text(CONN_CLOSED), "closed");
    assert_string_equal(conn_stage_text(CONN_RESOLVING), "looking up the name");
    assert_string_equal(conn_stage_text(CONN_CONNECTING), "connecting");
    assert_string_equal(conn_stage_text(CONN_SECURING), "in the TLS handshake");
    assert_string_equal(conn_stage_text(CONN_OPEN), "open");
    assert_string_equal(conn_stage_text(CONN_FAILED), "failed");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_open),
        TEST(test_open_by_name),
        TEST(test_open_at_once),
        TEST(test_open_interrupted),
        TEST(test_no_name),
        TEST(test_lookup_hangs),
        TEST(test_refused),
        TEST(test_failed_at_once),
        TEST(test_full_loop),
        TEST(test_next_address),
        TEST(test_ipv6_refused),
        TEST(test_over_ipv6),
        TEST(test_last_error),
        TEST(test_share),
        TEST(test_deadline),
        TEST(test_unix),
        TEST(test_unix_refused),
        TEST(test_unix_full),
        TEST(test_unix_closed),
        TEST(test_close),
        TEST(test_close_within),
        TEST(test_told_once),
        TEST(test_end),
        TEST(test_end_at_once),
        TEST(test_error_alone),
        TEST(test_reset),
        TEST(test_write_after_end),
        TEST(test_room),
        TEST(test_tls),
        TEST(test_tls_to_address),
        TEST(test_tls_handshake_fails),
        TEST(test_tls_handshake_hangs),
        TEST(test_tls_end),
        TEST(test_tls_cut_short),
        TEST(test_tls_reads_while_writing),
        TEST(test_tls_reads_first),
        TEST(test_tls_told_once),
        TEST(test_tls_room),
        cmocka_unit_test(test_stage_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
