/* Connections to a Redis that is this test: over loopback sockets, with a TLS of our own and a
 * virtual clock. */

#include "net/redis.h"

#include "base/log.h"
#include "net/redis_memory.h"

#include "loopback.h"
#include "patient.h"

#include <hiredis/async.h>

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define T0 INT64_C(5000000)
#define WALL0 INT64_C(1750000000000)

#define PING "*1\r\n$4\r\nPING\r\n"
#define MESSAGE(channel_n, channel, n, payload)                                                    \
    "*3\r\n$7\r\nmessage\r\n$" #channel_n "\r\n" channel "\r\n$" #n "\r\n" payload "\r\n"
#define SUBSCRIBED(n, channel, count)                                                              \
    "*3\r\n$9\r\nsubscribe\r\n$" #n "\r\n" channel "\r\n:" #count "\r\n"

/* ---- Calls of ours that are counted ---- */

static int peer = -1;
static unsigned sends;

ssize_t send(int fd, const void *bytes, size_t n, int flags)
{
    ssize_t (*real)(int, const void *, size_t, int);

    *(void **)&real = dlsym(RTLD_NEXT, "send");
    sends += fd != peer;
    return real(fd, bytes, n, flags);
}

/* ---- A TLS without secrets ----
 * All that came is taken in at once, so that poll(2) tells of none of it, and given in small
 * pieces. */

static struct {
    char in[65536], out[65536];
    size_t in_n, out_n;
    bool closed;
} t;

int tls_start(struct tls *tls, const char *host, bool host_is_address, uint16_t at, struct now now)
{
    (void)tls;
    (void)host;
    (void)host_is_address;
    (void)at;
    (void)now;
    memset(&t, 0, sizeof(t));
    return 0;
}

int tls_pump(struct tls *tls, int fd)
{
    (void)tls;
    assert_int_equal(write(fd, t.out, t.out_n), t.out_n);
    t.out_n = 0;
    if (t.in_n == 0) {
        ssize_t n = recv(fd, t.in, sizeof(t.in), MSG_DONTWAIT);
        t.closed = n == 0;
        t.in_n = n > 0 ? (size_t)n : 0;
    }
    return t.in_n > 0 || t.closed ? 0 : POLLIN;
}

bool tls_is_open(const struct tls *tls)
{
    (void)tls;
    return true;
}

bool tls_is_closed(const struct tls *tls)
{
    (void)tls;
    return t.closed && t.in_n == 0;
}

size_t tls_write(struct tls *tls, const char *bytes, size_t n)
{
    (void)tls;
    assert_true(n <= sizeof(t.out) - t.out_n);
    memcpy(t.out + t.out_n, bytes, n);
    t.out_n += n;
    return n;
}

size_t tls_read(struct tls *tls, char *bytes, size_t cap)
{
    size_t n = t.in_n < 10 ? t.in_n : 10;

    (void)tls;
    assert_true(n <= cap);
    memcpy(bytes, t.in, n);
    t.in_n -= n;
    memmove(t.in, t.in + n, t.in_n);
    return n;
}

void tls_end(struct tls *tls, int fd)
{
    (void)tls;
    (void)fd;
}

const char *tls_version_text(const struct tls *tls)
{
    (void)tls;
    return "TLS 1.2";
}

/* ---- The owner ---- */

static struct loop loop;
static struct redis r;
static struct redis_target target;
static char journal[8192]; /* what was called, in order */
static void (*inside)(void);
static bool calling; /* redis_command() */

static void note(const char *format, ...)
{
    size_t n = strlen(journal);
    va_list list;

    assert_false(calling);
    va_start(list, format);
    int k = vsnprintf(journal + n, sizeof(journal) - n, format, list);
    va_end(list);
    assert_true(k >= 0 && (size_t)k < sizeof(journal) - n);
    if (inside != NULL)
        inside();
}

static void ready(void *arg)
{
    assert_ptr_equal(arg, &r);
    assert_int_equal(r.state, REDIS_READY);
    note("ready ");
}

static void lost(void *arg)
{
    assert_ptr_equal(arg, &r);
    note("lost ");
}

static void message(void *arg, struct span channel, const struct span *payload)
{
    assert_ptr_equal(arg, &r);
    note("%.*s=%.*s ", (int)channel.n, channel.p, payload != NULL ? (int)payload->n : 4,
         payload != NULL ? payload->p : "NULL");
}

static const struct redis_ops ops = {ready, lost, message};
static char numbers[1024]; /* args of answers point into it */

static void answer(void *arg, const struct redisReply *reply)
{
    int number = (int)((char *)arg - numbers);

    assert_int_equal(redis_did(reply), reply != NULL && reply->type != REDIS_REPLY_ERROR);
    if (reply == NULL)
        note("%d:NULL ", number);
    else if (reply->type == REDIS_REPLY_INTEGER)
        note("%d:%lld ", number, reply->integer);
    else if (reply->type == REDIS_REPLY_NIL)
        note("%d:nil ", number);
    else if (reply->type == REDIS_REPLY_ARRAY)
        note("%d:*%zu ", number, reply->elements);
    else
        note("%d:%s ", number, reply->str);
}

static int command(int number, const char *text, int64_t limit_ms)
{
    struct span args[2] = {span_of("ECHO"), span_of(text)};

    calling = true;
    int result = redis_command(&r, args, 2, limit_ms, answer, numbers + number);
    calling = false;
    return result;
}

static void said(const char *expected)
{
    assert_string_equal(journal, expected);
    journal[0] = '\0';
}

/* ---- Logs ---- */

static int log_fd;
static char log_text[65536];

/* Lines of the event since the last call, and all that was logged in log_text. */
static unsigned logged(const char *event)
{
    unsigned count = 0;
    ssize_t n = pread(log_fd, log_text, sizeof(log_text) - 1, 0);

    assert_true(n >= 0);
    log_text[n] = '\0';
    assert_int_equal(ftruncate(log_fd, 0), 0);
    assert_int_equal(lseek(log_fd, 0, SEEK_SET), 0);
    for (const char *at = log_text; (at = strstr(at, event)) != NULL; at++)
        count++;
    return count;
}

/* ---- The server ---- */

static int server = -1;
static int held = -1; /* has the port too, and does not listen: nobody else gets it meanwhile */
static uint16_t port;
static char wire[1 << 20]; /* what we sent, and was not looked at */
static size_t wire_n;

/* Sets the port where it is 0. */
static int bound(uint16_t at)
{
    const int on = 1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(at)};
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    port = ntohs(a.sin_port);
    return fd;
}

static void start_listening(void)
{
    server = bound(port);
    assert_int_equal(listen(server, 16), 0);
}

static void stop_listening(void)
{
    assert_int_equal(close(server), 0);
    server = -1;
}

static void drop_peer(void)
{
    if (peer >= 0)
        assert_int_equal(close(peer), 0);
    peer = -1;
}

/* What can be done now, once. */
static void turn(void)
{
    loopback_settle();
    assert_int_equal(loop_turn(&loop, 0), 0);
}

/* What can be done without time going on. */
static void settle(void)
{
    for (int i = 0; i < 12; i++)
        turn();
    loopback_settle();
}

static void advance(int64_t ms)
{
    virtual.boot_ms += ms;
    virtual.wall_ms += ms;
    settle();
}

/* Without a turn. */
static void accept_peer(void)
{
    const struct timespec patience = {20, 0};
    struct pollfd p = {.fd = server, .events = POLLIN};

    assert_int_equal(ppoll(&p, 1, &patience, NULL), 1);
    peer = accept4(server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(peer >= 0);
}

/* One that is over already, where it came so far. */
static void drop_the_dead(void)
{
    const struct timespec none = {0, 0};
    struct pollfd p = {.fd = server, .events = POLLIN};

    settle();
    while (ppoll(&p, 1, &none, NULL) == 1) {
        accept_peer();
        drop_peer();
    }
}

static void take_peer(void)
{
    const int on = 1;

    drop_peer();
    settle();
    accept_peer();
    assert_int_equal(setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    wire_n = 0;
    settle();
}

static void hear(void)
{
    ssize_t n;

    settle();
    while ((n = recv(peer, wire + wire_n, sizeof(wire) - wire_n, 0)) > 0) {
        wire_n += (size_t)n;
        settle();
    }
}

/* This came, and nothing else. */
static void heard(const char *expected)
{
    hear();
    assert_int_equal(wire_n, strlen(expected));
    assert_memory_equal(wire, expected, wire_n);
    wire_n = 0;
}

static void say_n(const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t k = send(peer, bytes, n, MSG_NOSIGNAL);
        if (k < 0) {
            assert_int_equal(errno, EAGAIN);
            settle();
            continue;
        }
        bytes += k;
        n -= (size_t)k;
    }
    settle();
}

static void say(const char *text)
{
    say_n(text, strlen(text));
}

/* ---- From start to end ---- */

static int setup(void **state)
{
    (void)state;
    virtual = (struct now){.boot_ms = T0, .wall_ms = WALL0};
    patience_ms = 0;
    loop_init(&loop);
    memset(&r, 0, sizeof(r));
    memset(&target, 0, sizeof(target));
    journal[0] = '\0';
    inside = NULL;
    sends = 0;
    log_fd = memfd_create("log", MFD_CLOEXEC);
    assert_true(log_fd >= 0);
    log_init(LOG_DEBUG, LOG_JSON);
    log_to(log_fd);
    held = bound(0);
    start_listening();
    r.name = "test";
    r.target = &target;
    r.ops = &ops;
    r.arg = &r;
    return 0;
}

/* All memory is there again, and no timer and watch is left. */
static int teardown(void **state)
{
    struct redis_memory *all[REDIS_CONNECTIONS_MAX];

    (void)state;
    inside = NULL;
    redis_close(&r);
    redis_close(&r);
    assert_int_equal(r.state, REDIS_OFF);
    assert_int_equal(r.outstanding, 0);
    assert_int_equal(r.conn.stage, CONN_CLOSED);
    assert_int_equal(loop.watch_count, 0);
    assert_int_equal(loop.timer_count, 0);
    assert_null(redis_memory_use(NULL));
    for (size_t i = 0; i < COUNT(all); i++) {
        all[i] = redis_memory_take();
        assert_non_null(all[i]);
    }
    for (size_t i = 0; i < COUNT(all); i++)
        redis_memory_give_back(all[i]);
    drop_peer();
    if (server >= 0)
        stop_listening();
    assert_int_equal(close(held), 0);
    assert_int_equal(close(log_fd), 0);
    return 0;
}

/* %u in it is the port. */
static void set_url(const char *format)
{
    char text[1024], why[URL_WHY_MAX];
    const char *at = strstr(format, "%u");

    assert_non_null(at);
    snprintf(text, sizeof(text), "%.*s%u%s", (int)(at - format), format, port, at + 2);
    if (redis_url_parse(&target, span_of(text), why) != 0)
        fail_msg("%s: %s", text, why);
}

static void open_url(const char *format)
{
    set_url(format);
    redis_open(&r, &loop, 1);
    assert_int_equal(r.state, REDIS_CONNECTING);
}

/* Ready, with nothing in journal, log and wire. */
static void open_ready(void)
{
    open_url("redis://127.0.0.1:%u");
    take_peer();
    heard(PING);
    say("+PONG\r\n");
    said("ready ");
    assert_int_equal(r.state, REDIS_READY);
    assert_int_equal(logged("redis_ready"), 1);
}

static const char *const two_channels[] = {"one", "channel2", NULL};

static void open_subscribed(void)
{
    r.channels = two_channels;
    open_url("redis://127.0.0.1:%u");
    take_peer();
    say("+PONG\r\n" SUBSCRIBED(3, "one", 1) SUBSCRIBED(8, "channel2", 2));
    said("ready ");
    hear();
    wire_n = 0;
    logged("\n");
}

static void assert_lost(const char *why)
{
    assert_int_equal(r.state, REDIS_WAITING);
    assert_string_equal(r.why, why);
    assert_false(redis_is_ready(&r));
    assert_int_equal(r.conn.stage, CONN_CLOSED);
    assert_int_equal(command(99, "x", 0), -1);
}

static int64_t wait_left(void)
{
    assert_true(r.timer.set);
    return r.timer.deadline_ms - virtual.boot_ms;
}

/* ---- Logging in ---- */

#define AUTH2 "*2\r\n$4\r\nAUTH\r\n$2\r\np:\r\n"
#define AUTH3 "*3\r\n$4\r\nAUTH\r\n$4\r\nuser\r\n$4\r\npa@s\r\n"
#define SELECT12 "*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n"
#define SETNAME "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$6\r\nme:one\r\n"
#define SUBSCRIBE "*3\r\n$9\r\nSUBSCRIBE\r\n$3\r\none\r\n$8\r\nchannel2\r\n"

static void test_log_in(void **state)
{
    static const struct {
        const char *url, *client_name;
        bool subscribes;
        const char *asked, *answer, *server;
    } cases[] = {
        {"redis://127.0.0.1:%u", NULL, false, PING, "+PONG\r\n", ""},
        {"redis://:p%%3A@127.0.0.1:%u", NULL, false, AUTH2 PING, "+OK\r\n+PONG\r\n", ""},
        {"redis://user:pa%%40s@127.0.0.1:%u/12", "me:one", true,
         AUTH3 SELECT12 SETNAME PING SUBSCRIBE,
         "+OK\r\n+OK\r\n+OK\r\n+PONG\r\n" SUBSCRIBED(3, "one", 1) SUBSCRIBED(8, "channel2", 2),
         "/12"},
        {"redis://127.0.0.1:%u/12", NULL, false, SELECT12 PING, "+OK\r\n+PONG\r\n", "/12"},
        /* A name need not be taken, nor need PING work. */
        {"redis://127.0.0.1:%u", "me:one", false, SETNAME PING,
         "-NOPERM this user may not 'client|setname'\r\n-MISCONF no disk\r\n", ""},
        {"redis://127.0.0.1:%u/0", "me:one", true, SETNAME PING SUBSCRIBE,
         "-ERR unknown command\r\n+PONG\r\n" SUBSCRIBED(3, "one", 1) SUBSCRIBED(8, "channel2", 2),
         ""},
    };
    char url[128], expected[256];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        /* set_url() prints the port only. */
        size_t n = 0;
        for (const char *p = cases[i].url; *p != '\0'; p++)
            if (p[0] != '%' || p[1] != '%')
                url[n++] = *p;
        url[n] = '\0';
        r.client_name = cases[i].client_name;
        r.channels = cases[i].subscribes ? two_channels : NULL;
        sends = 0;
        open_url(url);
        assert_int_equal(r.since_ms, virtual.wall_ms);
        take_peer();
        assert_int_equal(r.state, REDIS_GREETING);
        heard(cases[i].asked);
        assert_int_equal(sends, 1);
        assert_int_equal(command(1, "x", 0), -1);
        advance(REDIS_CONNECT_MS - 1);
        /* Not before the last byte. */
        say_n(cases[i].answer, strlen(cases[i].answer) - 1);
        assert_int_equal(r.state, REDIS_GREETING);
        say("\n");
        said("ready ");
        assert_true(redis_is_ready(&r));
        assert_int_equal(r.since_ms, virtual.wall_ms);
        assert_int_equal(logged("\"redis_ready\""), 1);
        snprintf(expected, sizeof(expected),
                 "\"connection\":\"test\",\"server\":\"redis://127.0.0.1:%u%s\"}\n", port,
                 cases[i].server);
        assert_non_null(strstr(log_text, expected));
        heard("");
        redis_close(&r);
        said("");
        assert_int_equal(logged("\n"), 0);
        drop_peer();
    }
}

/* A short password may be a part of what a server says of itself. */
static void test_hidden(void **state)
{
    static const struct {
        const char *url, *answer, *said;
    } cases[] = {
        {"redis://:such@127.0.0.1:%u", "-ERR no such key\r\n", "1:ERR no such key "},
        {"redis://:sevenby@127.0.0.1:%u", "-ERR sevenby\r\n", "1:ERR sevenby "},
        {"redis://:eightbyt@127.0.0.1:%u", "-ERR x eightbyteightbyt\r\n",
         "1:ERR x **************** "},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        open_url(cases[i].url);
        take_peer();
        say("+OK\r\n+PONG\r\n");
        said("ready ");
        assert_int_equal(command(1, "x", 0), 0);
        settle();
        say(cases[i].answer);
        said(cases[i].said);
        redis_close(&r);
        (void)logged("\n");
    }
}

/* What a command was put together in does not keep it. */
__attribute__((no_sanitize("address"))) static void test_wiped(void **state)
{
    extern char __bss_start[], _end[];
    char word[] = "qwertyuiop-asdfghj";
    unsigned found = 0;

    (void)state;
    set_url("redis://127.0.0.1:%u");
    memcpy(target.password, word, sizeof(word));
    redis_open(&r, &loop, 1);
    take_peer();
    hear();
    assert_non_null(memmem(wire, wire_n, word, strlen(word)));
    explicit_bzero(wire, wire_n);
    explicit_bzero(target.password, sizeof(target.password));
    for (const char *at = __bss_start; at < _end - sizeof(word); at++) {
        size_t n = 0;
        while (n < sizeof(word) - 1 && at[n] == word[n])
            n++;
        found += n == sizeof(word) - 1;
    }
    redis_close(&r);
    assert_int_equal(found, 0);
}

static void test_refused(void **state)
{
    static const struct {
        const char *url, *answer, *why;
        bool refused;
    } cases[] = {
        {"redis://:secret@127.0.0.1:%u", "-WRONGPASS invalid username-password pair\r\n",
         "the password or user in REDIS_URL is wrong: WRONGPASS invalid username-password pair",
         true},
        {"redis://:secret@127.0.0.1:%u", "-ERR invalid password\r\n",
         "the password or user in REDIS_URL is wrong: ERR invalid password", true},
        {"redis://:secret@127.0.0.1:%u",
         "-ERR AUTH <password> called without any password configured\r\n",
         "REDIS_URL has a password, the server has none: ERR AUTH <password> called without any "
         "password configured",
         true},
        {"redis://:secret@127.0.0.1:%u", "-ERR Client sent AUTH, but no password is set\r\n",
         "REDIS_URL has a password, the server has none: ERR Client sent AUTH, but no password is "
         "set",
         true},
        {"redis://:secret@127.0.0.1:%u",
         "-ERR unknown command `AUTH`, with args beginning with: `sec`, \r\n",
         "the password or user in REDIS_URL is wrong: ERR unknown command ", true},
        {"redis://:secret@127.0.0.1:%u", "-ERR no such thing: secret!\r\n",
         "the password or user in REDIS_URL is wrong: ERR no such thing: ******!", true},
        {"redis://:secret@127.0.0.1:%u", "-LOADING the dataset\r\n",
         "the server is not ready: LOADING the dataset", false},
        {"redis://:secret@127.0.0.1:%u", "+OK\r\n+OK\r\n-NOPERM no 'ping' for you\r\n",
         "the user in REDIS_URL lacks a permission: NOPERM no 'ping' for you", true},
        {"redis://127.0.0.1:%u/7", "-ERR DB index is out of range\r\n",
         "the database in REDIS_URL is not there: ERR DB index is out of range", true},
        {"redis://127.0.0.1:%u/7", "-NOAUTH Authentication required.\r\n",
         "the server wants a password, and REDIS_URL has none: NOAUTH Authentication required.",
         true},
        {"redis://127.0.0.1:%u/7", "-NOPERM no\r\n",
         "the user in REDIS_URL lacks a permission: NOPERM no", true},
        {"redis://127.0.0.1:%u", "-ERR max number of clients reached\r\n",
         "the server is not ready: ERR max number of clients reached", false},
        {"redis://127.0.0.1:%u", "-DENIED Redis is running in protected mode\r\n",
         "the server is in protected mode: DENIED Redis is running in protected mode", true},
        {"redis://127.0.0.1:%u", "+OK\r\n-LOADING the dataset\r\n",
         "the server is not ready: LOADING the dataset", false},
        {"redis://127.0.0.1:%u", "+OK\r\n-MASTERDOWN no link\r\n",
         "the server is not ready: MASTERDOWN no link", false},
        {"redis://127.0.0.1:%u", "-NOAUTH Authentication required.\r\n-NOAUTH again\r\n",
         "the server wants a password, and REDIS_URL has none: NOAUTH again", true},
        {"redis://127.0.0.1:%u", "+OK\r\n-BUSY with a script\r\n",
         "the server is not ready: BUSY with a script", false},
        {"redis://127.0.0.1:%u", "+OK\r\n+PONG\r\n-NOPERM no channel\r\n",
         "the user in REDIS_URL lacks a permission: NOPERM no channel", true},
        {"redis://127.0.0.1:%u", "+OK\r\n+PONG\r\n-ERR whatever\r\n",
         "subscribing is refused: ERR whatever", true},
        {"redis://127.0.0.1:%u", "+OK\r\n+PONG\r\n+OK\r\n", "SUBSCRIBE has no sensible answer",
         false},
        {"redis://127.0.0.1:%u", "+OK\r\n+PONG\r\n" MESSAGE(3, "one", 1, "x"),
         "SUBSCRIBE has no sensible answer", false},
    };

    (void)state;
    r.client_name = "me:one";
    r.channels = two_channels;
    for (size_t i = 0; i < COUNT(cases); i++) {
        open_url(cases[i].url);
        take_peer();
        say(cases[i].answer);
        assert_lost(cases[i].why);
        if (cases[i].refused)
            assert_int_equal(wait_left(), REDIS_REFUSED_MS);
        else
            assert_in_range(wait_left(), 0, REDIS_RETRY_FIRST_MS);
        assert_int_equal(logged(cases[i].refused ? "\"level\":\"error\",\"event\":\"redis_refused\""
                                                 : "redis_unreachable"),
                         1);
        assert_null(strstr(log_text, "secret"));
        assert_int_equal(r.losses, 0);
        /* The same again is no news. */
        advance(wait_left());
        take_peer();
        say(cases[i].answer);
        assert_lost(cases[i].why);
        assert_int_equal(logged("\n"), 0);
        said("");
        redis_close(&r);
    }
}

/* What is long is cut; what is no text goes to the log as such. */
static void test_long_refusal(void **state)
{
    char text[RESP_LINE_MAX + 3] = "-ERR \x1b[2J\"";

    (void)state;
    memset(text + strlen(text), 'x', RESP_LINE_MAX - strlen(text));
    memcpy(text + RESP_LINE_MAX, "\r\n", 3);
    open_url("redis://127.0.0.1:%u/1");
    take_peer();
    say(text);
    assert_int_equal(r.state, REDIS_WAITING);
    assert_int_equal(strlen(r.why), REDIS_WHY_MAX);
    assert_int_equal(logged("redis_refused"), 1);
    assert_null(strchr(log_text, 0x1b));
    assert_true(strlen(log_text) < 600);
}

static void test_log_in_deadline(void **state)
{
    (void)state;
    open_url("redis://127.0.0.1:%u");
    take_peer();
    advance(REDIS_CONNECT_MS - 1);
    assert_int_equal(r.state, REDIS_GREETING);
    advance(1);
    assert_lost("no answer to the log-in in time");
    assert_int_equal(logged("redis_unreachable"), 1);
}

/* ---- Again ---- */

static void fail_once(void)
{
    for (int i = 0; i < 50 && r.state != REDIS_WAITING; i++)
        turn();
    assert_int_equal(r.state, REDIS_WAITING);
}

static void test_backoff(void **state)
{
    int64_t most[16] = {0}, sum = 0;

    (void)state;
    stop_listening();
    for (uint64_t seed = 0; seed < 40; seed++) {
        int64_t cap = REDIS_RETRY_FIRST_MS;
        set_url("redis://127.0.0.1:%u");
        redis_open(&r, &loop, seed * 77777);
        for (size_t i = 0; i < COUNT(most); i++) {
            fail_once();
            assert_in_range(wait_left(), 0, cap);
            if (wait_left() * 100 / cap > most[i])
                most[i] = wait_left() * 100 / cap;
            sum += wait_left() * 100 / cap;
            cap = 2 * cap < REDIS_RETRY_LAST_MS ? 2 * cap : REDIS_RETRY_LAST_MS;
            if (wait_left() > 0) {
                advance(wait_left() - 1);
                assert_int_equal(r.state, REDIS_WAITING);
            }
            virtual.boot_ms = r.timer.deadline_ms;
            assert_int_equal(loop_turn(&loop, 0), 0);
        }
        redis_close(&r);
        assert_int_equal(logged("redis_unreachable"), 1);
    }
    for (size_t i = 0; i < COUNT(most); i++)
        assert_in_range(most[i], 80, 100);
    assert_in_range(sum / 40 / (int64_t)COUNT(most), 40, 60);
    said("");
}

/* Takes the connection whose time has come, and logs in. */
static void again(void)
{
    assert_int_equal(r.state, REDIS_WAITING);
    advance(wait_left());
    take_peer();
    say("+PONG\r\n");
    assert_int_equal(r.state, REDIS_READY);
    hear();
    wire_n = 0;
}

static void test_backoff_reset(void **state)
{
    (void)state;
    open_ready();
    /* Who takes connections and drops them is not hammered. */
    for (int64_t cap = 2 * REDIS_RETRY_FIRST_MS; cap <= 8 * REDIS_RETRY_FIRST_MS; cap *= 2) {
        advance(REDIS_STEADY_MS - 1);
        drop_peer();
        settle();
        assert_lost("the server has closed the connection");
        assert_int_equal(r.wait_ms, cap);
        again();
        assert_string_equal(r.why, "");
    }
    advance(REDIS_STEADY_MS);
    drop_peer();
    settle();
    assert_int_equal(r.state, REDIS_WAITING);
    assert_in_range(wait_left(), 0, REDIS_RETRY_FIRST_MS);
    assert_int_equal(r.wait_ms, 2 * REDIS_RETRY_FIRST_MS);
    assert_int_equal(r.losses, 4);
    assert_int_equal(logged("redis_lost"), 4);
}

/* Each loss is told, and each other reason. */
static void test_log_lines(void **state)
{
    (void)state;
    open_ready();
    drop_peer();
    settle();
    assert_int_equal(logged("\"level\":\"warning\",\"event\":\"redis_lost\""), 1);
    assert_non_null(strstr(log_text, "\"error\":\"the server has closed the connection\"}"));
    stop_listening();
    for (int i = 0; i < 3; i++) {
        advance(wait_left());
        fail_once();
        assert_non_null(strstr(r.why, "Connection refused"));
        assert_int_equal(logged("\"level\":\"warning\",\"event\":\"redis_unreachable\""), i == 0);
    }
    start_listening();
    for (int i = 0; i < 3; i++) {
        advance(wait_left());
        take_peer();
        say("-LOADING\r\n");
        assert_int_equal(logged("redis_unreachable"), i == 0);
    }
    again();
    assert_int_equal(logged("redis_ready"), 1);
    drop_peer();
    settle();
    assert_int_equal(logged("redis_lost"), 1);
    said("ready lost ready lost " + strlen("ready "));
}

/* ---- Commands ---- */

static void test_answers(void **state)
{
    (void)state;
    open_ready();
    assert_int_equal(command(1, "a", 0), 0);
    assert_int_equal(command(2, "bc\r\n", 0), 0);
    assert_int_equal(r.outstanding, 2);
    heard("*2\r\n$4\r\nECHO\r\n$1\r\na\r\n*2\r\n$4\r\nECHO\r\n$4\r\nbc\r\n\r\n");
    say(":-5\r\n$2\r\nb");
    said("1:-5 ");
    say("c\r\n");
    said("2:bc ");
    for (int i = 3; i <= 7; i++)
        assert_int_equal(command(i, "", 0), 0);
    assert_int_equal(redis_command(&r, (struct span[]){span_of("X")}, 1, 0, NULL, NULL), 0);
    assert_int_equal(command(8, "", 0), 0);
    say("-ERR no\r\n*-1\r\n$-1\r\n*2\r\n:1\r\n*1\r\n+x\r\n+OK\r\n:9\r\n:10\r\n");
    said("3:ERR no 4:nil 5:nil 6:*2 7:OK 8:10 ");
    assert_int_equal(r.outstanding, 0);
    assert_int_equal(r.state, REDIS_READY);
    hear();
    wire_n = 0;
    /* What finds no room sets nothing off. */
    static char huge[REDIS_OUTPUT_MAX];
    memset(huge, 'h', sizeof(huge) - 1);
    assert_int_equal(command(9, huge, 0), -1);
    heard("");
}

static void test_arguments(void **state)
{
    struct span args[REDIS_ARGS_MAX + 1];

    (void)state;
    open_ready();
    for (size_t i = 0; i < COUNT(args); i++)
        args[i] = span_of("x");
    assert_int_equal(redis_command(&r, args, 0, 0, answer, numbers), -1);
    assert_int_equal(redis_command(&r, args, COUNT(args), 0, answer, numbers), -1);
    heard("");
    assert_int_equal(redis_command(&r, args, REDIS_ARGS_MAX, 0, answer, numbers), 0);
    hear();
    assert_int_equal(wire_n, strlen("*160\r\n") + REDIS_ARGS_MAX * strlen("$1\r\nx\r\n"));
}

/* A turn's commands are one write(2); there are as many as may be unanswered, and not one more. */
static void test_calls_max(void **state)
{
    char expected[16];

    (void)state;
    open_ready();
    for (int round = 0; round < 3; round++) {
        sends = 0;
        for (int i = 0; i < REDIS_CALLS_MAX; i++) {
            assert_int_equal(redis_has_room(&r), i < REDIS_CALLS_MAX - REDIS_KEPT_CALLS);
            assert_int_equal(command(i, "x", 0), 0);
        }
        assert_int_equal(command(999, "x", 0), -1);
        assert_int_equal(sends, 0);
        hear();
        assert_int_equal(sends, 1);
        assert_int_equal(wire_n, REDIS_CALLS_MAX * strlen("*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n"));
        wire_n = 0;
        for (int i = 0; i < REDIS_CALLS_MAX; i++) {
            say("+OK\r\n");
            snprintf(expected, sizeof(expected), "%d:OK ", i);
            said(expected);
        }
    }
}

/* What the server does not read waits, up to a limit, and is all there in the end. */
/* What waits leaves the last bytes to the claims. */
static void test_has_room(void **state)
{
    static char some[10000];

    (void)state;
    assert_false(redis_has_room(&r));
    memset(some, 's', sizeof(some) - 1);
    open_ready();
    while (redis_has_room(&r))
        assert_int_equal(command(0, some, 0), 0);
    assert_in_range(sdslen(r.adapter.context->c.obuf), REDIS_OUTPUT_MAX - REDIS_KEPT_BYTES,
                    REDIS_OUTPUT_MAX - REDIS_KEPT_BYTES + sizeof(some) + 30);
    assert_int_equal(command(1, some, 0), 0);
    hear();
    assert_true(redis_has_room(&r));
    redis_close(&r);
    assert_false(redis_has_room(&r));
    journal[0] = '\0';
}

static void test_output_max(void **state)
{
    static char big[100000];
    unsigned sent = 0;

    (void)state;
    memset(big, 'b', sizeof(big) - 1);
    open_ready();
    /* Until the socket is full. */
    for (size_t before; sent < 400; sent++) {
        before = sdslen(r.adapter.context->c.obuf);
        assert_int_equal(command(0, big, 0), 0);
        settle();
        if (sdslen(r.adapter.context->c.obuf) > before && before > 0)
            break;
    }
    sent++;
    while (command(1, big, 0) == 0) {
        sent++;
        settle();
    }
    size_t waits = sdslen(r.adapter.context->c.obuf);
    assert_in_range(waits, REDIS_OUTPUT_MAX - sizeof(big) - 30, REDIS_OUTPUT_MAX);
    assert_int_equal(r.outstanding, sent);
    assert_int_equal(r.state, REDIS_READY);
    assert_false(redis_has_room(&r));
    /* A small one finds room, until there is none for it. */
    assert_int_equal(command(2, "small", 0), 0);
    unsigned small = 1;
    while (r.outstanding < REDIS_CALLS_MAX - 1 && command(2, "small", 0) == 0)
        small++;
    assert_true(sdslen(r.adapter.context->c.obuf) <= REDIS_OUTPUT_MAX);
    for (size_t total = 0, all = sent * (strlen("*2\r\n$4\r\nECHO\r\n$99999\r\n\r\n") + 99999) +
                                 small * strlen("*2\r\n$4\r\nECHO\r\n$5\r\nsmall\r\n");
         total < all;) {
        wire_n = 0;
        hear();
        assert_true(wire_n > 0);
        total += wire_n;
        assert_true(total <= all);
    }
    assert_int_equal(sdslen(r.adapter.context->c.obuf), 0);
    assert_int_equal(command(3, big, 0), 0);
    /* One that is too large by itself. */
    static char huge[REDIS_OUTPUT_MAX];
    memset(huge, 'h', sizeof(huge) - 1);
    assert_int_equal(command(4, huge, 0), -1);
}

static void command_again(void)
{
    if (strlen(journal) < 40)
        assert_int_equal(redis_command(&r, (struct span[]){span_of("NEXT")}, 1, 0, answer, numbers),
                         0);
}

/* What a callback sets off goes out in its turn, in one piece. */
static void test_command_inside(void **state)
{
    (void)state;
    open_ready();
    assert_int_equal(command(1, "x", 0), 0);
    assert_int_equal(command(2, "x", 0), 0);
    hear();
    wire_n = 0;
    inside = command_again;
    sends = 0;
    assert_int_equal(send(peer, "+A\r\n+B\r\n", 8, 0), 8);
    turn();
    assert_int_equal(sends, 1);
    inside = NULL;
    said("1:A 2:B ");
    heard("*1\r\n$4\r\nNEXT\r\n*1\r\n$4\r\nNEXT\r\n");
    say("+C\r\n+D\r\n");
    said("0:C 0:D ");
}

/* ---- Dead ones ---- */

static void test_limits(void **state)
{
    static const struct {
        int64_t limit_ms, dead_ms;
    } cases[] = {{0, REDIS_ANSWER_MS}, {1, 1}, {13000, 13000}, {20000, 20000}};

    (void)state;
    open_ready();
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(command(1, "x", cases[i].limit_ms), 0);
        settle();
        advance(cases[i].dead_ms - 1);
        assert_int_equal(r.state, REDIS_READY);
        assert_int_equal(wait_left(), 1);
        advance(1);
        assert_lost("no answer in time");
        said("1:NULL lost ");
        again();
        said("ready ");
    }
}

/* The limit is for the oldest, from when it became that: pipelined ones wait for each other. */
static void test_limit_of_the_oldest(void **state)
{
    (void)state;
    open_ready();
    assert_int_equal(command(1, "x", 10000), 0);
    assert_int_equal(command(2, "x", 1000), 0);
    advance(9999);
    say("+OK\r\n");
    said("1:OK ");
    advance(999);
    assert_int_equal(command(3, "x", 0), 0);
    assert_int_equal(r.state, REDIS_READY);
    advance(1);
    assert_lost("no answer in time");
    said("2:NULL 3:NULL lost ");
}

/* An answer that is there is read before the clock is asked. */
static void test_late_but_there(void **state)
{
    (void)state;
    open_ready();
    assert_int_equal(command(1, "x", 0), 0);
    settle();
    assert_int_equal(send(peer, "+OK\r\n", 5, 0), 5);
    advance(3600 * 1000);
    said("1:OK ");
    assert_int_equal(r.state, REDIS_READY);
    heard("*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n");
}

/* A reply that never ends is none, however much of it comes. */
static void test_endless(void **state)
{
    (void)state;
    open_ready();
    assert_int_equal(command(1, "x", 0), 0);
    settle();
    say("*2\r\n$500000000\r\n");
    for (int i = 0; i < 2; i++) {
        loop.now.boot_ms += i == 0 ? REDIS_ANSWER_MS + REDIS_CONNECT_MS - 1 : 1;
        r.more = true; /* as behind a read that did not come to an end */
        r.timer.due(&loop, &r);
        assert_int_equal(r.state, i == 0 ? REDIS_READY : REDIS_WAITING);
    }
    assert_string_equal(r.why, "no answer in time");
    said("1:NULL lost ");
    assert_false(r.broke);
}

static void test_ping(void **state)
{
    (void)state;
    open_ready();
    advance(REDIS_QUIET_MS - 1);
    heard("");
    advance(1);
    heard(PING);
    assert_int_equal(r.outstanding, 1);
    advance(REDIS_PONG_MS - 1);
    say("+PONG\r\n");
    assert_int_equal(r.outstanding, 0);
    /* Anything that comes is as good, even an error. */
    advance(10000);
    assert_int_equal(command(1, "x", 0), 0);
    say("-ERR no\r\n");
    hear();
    wire_n = 0;
    advance(REDIS_QUIET_MS - 1);
    heard("");
    advance(1);
    heard(PING);
    say("-MISCONF no disk\r\n");
    advance(REDIS_QUIET_MS);
    heard(PING);
    advance(REDIS_PONG_MS - 1);
    assert_int_equal(r.state, REDIS_READY);
    advance(1);
    assert_lost("no answer in time");
    said("1:ERR no lost ");
}

/* No PING while a command waits: a read that blocks is asked by its own limit. */
static void test_no_ping_while_asked(void **state)
{
    (void)state;
    open_ready();
    assert_int_equal(command(1, "x", 30000), 0);
    hear();
    wire_n = 0;
    advance(29998);
    heard("");
    assert_int_equal(redis_command(&r, (struct span[]){span_of("X")}, 1, 0, NULL, NULL), 0);
    heard("*1\r\n$1\r\nX\r\n");
    say("*-1\r\n+OK\r\n");
    said("1:nil ");
    advance(REDIS_QUIET_MS - 1);
    heard("");
    advance(1);
    heard(PING);
}

/* Two wakes a PING: to send it, and to take its answer. */
static void test_idle(void **state)
{
    unsigned turns = 0, pings = 0;

    (void)state;
    open_ready();
    int64_t until = virtual.boot_ms + 10 * REDIS_QUIET_MS;
    patience_ms = 1;
    for (; virtual.boot_ms < until; turns++) {
        char bytes[64];
        assert_int_equal(loop_turn(&loop, -1), 0);
        loopback_settle();
        if (recv(peer, bytes, sizeof(bytes), 0) == (ssize_t)strlen(PING)) {
            pings++;
            assert_int_equal(send(peer, "+PONG\r\n", 7, 0), 7);
            loopback_settle();
        }
    }
    assert_int_equal(pings, 10);
    assert_in_range(turns, 19, 20);
}

/* ---- Losses ---- */

static void test_lost(void **state)
{
    (void)state;
    open_ready();
    for (int i = 1; i <= 4; i++)
        assert_int_equal(command(i, "x", 0), 0);
    say("+OK\r\n");
    hear();
    advance(1000);
    drop_peer();
    settle();
    said("1:OK 2:NULL 3:NULL 4:NULL lost ");
    assert_lost("the server has closed the connection");
    assert_int_equal(r.losses, 1);
    assert_int_equal(r.since_ms, virtual.wall_ms);
    again();
    said("ready ");
    assert_int_equal(command(5, "x", 0), 0);
    say(":5\r\n");
    said("5:5 ");
}

static void refuse_inside(void)
{
    assert_int_not_equal(r.state, REDIS_READY);
    assert_int_equal(redis_command(&r, (struct span[]){span_of("X")}, 1, 0, answer, numbers), -1);
}

static void test_lost_inside(void **state)
{
    (void)state;
    open_ready();
    assert_int_equal(command(1, "x", 0), 0);
    assert_int_equal(command(2, "x", 0), 0);
    inside = refuse_inside;
    advance(REDIS_ANSWER_MS);
    said("1:NULL 2:NULL lost ");
}

/* In the middle of an answer, by a reset. */
static void test_reset(void **state)
{
    const struct linger now = {1, 0};

    (void)state;
    open_ready();
    assert_int_equal(command(1, "x", 0), 0);
    settle();
    say("$5\r\nab");
    assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    drop_peer();
    settle();
    said("1:NULL lost ");
    assert_non_null(strstr(r.why, "Connection reset"));
}

static void test_broken(void **state)
{
    static const struct {
        const char *bytes, *said;
        bool broke;
    } cases[] = {
        {"HTTP/1.1 400 Bad Request\r\n", "1:NULL 2:NULL lost ", true},
        {"$-2\r\n", "1:NULL 2:NULL lost ", true},
        {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", "1:NULL 2:NULL lost ", true},
        {"%1\r\n+a\r\n+b\r\n", "1:NULL 2:NULL lost ", true},
        {",1.5\r\n", "1:NULL 2:NULL lost ", true},
        {"$1\r\nabc", "1:NULL 2:NULL lost ", true},
        {"*8193\r\n", "1:NULL 2:NULL lost ", true},
        {"$99999999999999999999\r\n", "1:NULL 2:NULL lost ", true},
        /* What came before is sound. */
        {"+OK\r\nHTTP", "1:OK 2:NULL lost ", true},
        {"+OK\r\n:5\r\n\r\n", "1:OK 2:5 lost ", true},
        /* What nobody asked for. */
        {"+OK\r\n:5\r\n:6\r\n", "1:OK 2:5 lost ", false},
        {"+OK\r\n:5\r\n" MESSAGE(3, "one", 1, "x"), "1:OK 2:5 lost ", false},
        {"+OK\r\n:5\r\n" SUBSCRIBED(3, "one", 1), "1:OK 2:5 lost ", false},
        {"+OK\r\n:5\r\n-ERR bye\r\n", "1:OK 2:5 lost ", false},
    };

    (void)state;
    open_ready();
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(command(1, "x", 0), 0);
        assert_int_equal(command(2, "x", 0), 0);
        settle();
        say(cases[i].bytes);
        said(cases[i].said);
        assert_true(r.why[0] != '\0');
        assert_int_equal(logged("redis_lost"), 1);
        assert_int_equal(r.broke, cases[i].broke);
        again();
        logged("\n");
        said("ready ");
    }
    say("-ERR bye\r\n");
    assert_lost("the server says: ERR bye");
}

/* ---- Messages ---- */

static void test_messages(void **state)
{
    (void)state;
    open_subscribed();
    say(MESSAGE(3, "one", 2, "ab") MESSAGE(8, "channel2", 0, ""));
    said("one=ab channel2= ");
    /* No string, and no channel. */
    say("*3\r\n$7\r\nmessage\r\n$3\r\none\r\n:5\r\n");
    said("one=NULL ");
    say("*3\r\n$7\r\nmessage\r\n$3\r\none\r\n$-1\r\n");
    said("one=NULL ");
    say("*3\r\n$7\r\nmessage\r\n$3\r\none\r\n*1\r\n:5\r\n");
    said("one=NULL ");
    /* PING is answered otherwise here, and messages are no answers to it. */
    advance(REDIS_QUIET_MS);
    heard(PING);
    say(MESSAGE(3, "one", 1, "c") "*2\r\n$4\r\npong\r\n$0\r\n\r\n" MESSAGE(3, "one", 1, "d"));
    said("one=c one=d ");
    assert_int_equal(r.outstanding, 0);
    advance(REDIS_QUIET_MS);
    heard(PING);
    say(MESSAGE(3, "one", 1, "e"));
    advance(REDIS_PONG_MS);
    assert_lost("no answer in time");
    said("one=e lost ");
}

/* What is too large is told without being kept. */
static void test_huge_message(void **state)
{
    static char bytes[RESP_BULK_MAX + 200];
    size_t n;

    (void)state;
    open_subscribed();
    for (size_t size = RESP_BULK_MAX; size <= RESP_BULK_MAX + 1; size++) {
        n = (size_t)snprintf(bytes, sizeof(bytes), "*3\r\n$7\r\nmessage\r\n$3\r\none\r\n$%zu\r\n",
                             size);
        memset(bytes + n, 'x', size);
        memcpy(bytes + n + size, "\r\n", 2);
        inside = NULL;
        r.ops = &(const struct redis_ops){ready, lost, NULL};
        say_n(bytes, n + size + 2); /* nobody listens, too */
        r.ops = &ops;
        if (size > RESP_BULK_MAX) {
            say_n(bytes, n + size + 2);
            said("one=NULL ");
        }
    }
    say(MESSAGE(3, "one", 2, "ok"));
    said("one=ok ");
}

/* None of these makes hiredis assert anything, and none is taken for a message. */
static void test_hostile_subscriber(void **state)
{
    static const char *const cases[] = {
        SUBSCRIBED(3, "one", 1),
        SUBSCRIBED(5, "other", 1),
        "*3\r\n$11\r\nunsubscribe\r\n$3\r\none\r\n:0\r\n",
        "*3\r\n$12\r\npunsubscribe\r\n$3\r\none\r\n:0\r\n",
        "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n",
        "*3\r\n$10\r\npsubscribe\r\n$3\r\none\r\n:1\r\n",
        "*3\r\n$9\r\nsubscribe\r\n$3\r\none\r\n$1\r\n1\r\n",
        "*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$3\r\none\r\n$1\r\nx\r\n",
        "*3\r\n:1\r\n:2\r\n:3\r\n",
        "*3\r\n$-1\r\n$-1\r\n$-1\r\n",
        "*3\r\n$7\r\nmessage\r\n:1\r\n$1\r\nx\r\n",
        "*3\r\n*0\r\n$3\r\none\r\n$1\r\nx\r\n",
        "*2\r\n$7\r\nmessage\r\n$3\r\none\r\n",
        "*0\r\n",
        "$7\r\nmessage\r\n",
        "*-1\r\n",
        "-ERR bye\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        open_subscribed();
        say(MESSAGE(3, "one", 1, "a"));
        say(cases[i]);
        said("one=a lost ");
        assert_int_equal(r.state, REDIS_WAITING);
        redis_close(&r);
    }
}

/* ---- Closing ---- */

static void close_inside(void)
{
    redis_close(&r);
    assert_int_equal(r.state, REDIS_OFF);
}

static void reopen_inside(void)
{
    inside = NULL;
    redis_close(&r);
    redis_open(&r, &loop, 2);
    assert_int_equal(r.state, REDIS_CONNECTING);
}

static void test_close(void **state)
{
    (void)state;
    set_url("redis://127.0.0.1:%u");
    redis_close(&r);
    open_url("redis://127.0.0.1:%u");
    redis_close(&r);
    drop_the_dead();
    open_url("redis://127.0.0.1:%u");
    take_peer();
    assert_int_equal(r.state, REDIS_GREETING);
    redis_close(&r);
    settle();
    open_ready();
    assert_int_equal(command(1, "x", 0), 0);
    assert_int_equal(command(2, "x", 0), 0);
    redis_close(&r);
    said("1:NULL 2:NULL ");
    settle();
    open_ready();
    drop_peer();
    settle();
    said("lost ");
    assert_int_equal(r.state, REDIS_WAITING);
    redis_close(&r);
    advance(60000);
    said("");
}

/* From inside of each callback; nothing is called after it. */
static void test_close_inside(void **state)
{
    static const struct {
        bool subscriber;
        const char *bytes; /* NULL: the server closes */
        const char *said;
    } cases[] = {
        {true, MESSAGE(3, "one", 1, "a") MESSAGE(3, "one", 1, "b"), "one=a "},
        {false, "+OK\r\n+OK\r\n+OK\r\n", "1:OK 2:NULL 3:NULL "},
        {false, "+OK\r\nHTTP", "1:OK 2:NULL 3:NULL "},
        {false, NULL, "1:NULL 2:NULL 3:NULL "},
        {true, NULL, "lost "},
    };

    (void)state;
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT(cases); i++) {
            r.channels = NULL;
            if (cases[i].subscriber)
                open_subscribed();
            else
                open_ready();
            for (int k = 1; k <= 3 && !cases[i].subscriber; k++)
                assert_int_equal(command(k, "x", 0), 0);
            settle();
            inside = round == 0 ? close_inside : reopen_inside;
            if (cases[i].bytes != NULL) {
                say(cases[i].bytes);
            } else {
                drop_peer();
                settle();
            }
            inside = NULL;
            said(cases[i].said);
            if (round == 0) {
                assert_int_equal(r.state, REDIS_OFF);
                assert_int_equal(loop.timer_count + loop.watch_count, 0);
            } else {
                /* The new life has nothing of the old one. */
                take_peer();
                say("+PONG\r\n");
                if (cases[i].subscriber)
                    say(SUBSCRIBED(3, "one", 1) SUBSCRIBED(8, "channel2", 2));
                said("ready ");
                assert_int_equal(r.losses, 0);
                redis_close(&r);
            }
            logged("\n");
        }
    }
}

/* In ready(), with more behind the answer that made it so. */
static void test_close_in_ready(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        open_url("redis://127.0.0.1:%u");
        take_peer();
        inside = round == 0 ? close_inside : reopen_inside;
        say("+PONG\r\n+MORE\r\n");
        said("ready ");
        inside = NULL;
        assert_int_equal(r.state == REDIS_OFF, round == 0);
        redis_close(&r);
    }
}

/* ---- Much ---- */

static unsigned counted;

static void count(void *arg, struct span channel, const struct span *payload)
{
    (void)arg;
    (void)channel;
    counted += payload != NULL;
}

static void test_flood(void **state)
{
    static char bytes[1 << 20];
    static const char one[] = MESSAGE(3, "one", 1, "x");
    unsigned total = 0;
    size_t n = 0;

    (void)state;
    open_subscribed();
    for (; n + sizeof(one) < sizeof(bytes); n += sizeof(one) - 1, total++)
        memcpy(bytes + n, one, sizeof(one) - 1);
    r.ops = &(const struct redis_ops){.message = count};
    counted = 0;
    say_n(bytes, n);
    settle();
    assert_int_equal(counted, total);
    r.ops = &ops;
    say(MESSAGE(3, "one", 3, "end"));
    said("one=end ");
}

/* TLS: poll(2) does not tell what the engine holds, neither at the start nor later. */
static void test_tls(void **state)
{
    static char bytes[40000];
    static const char one[] = MESSAGE(3, "one", 1, "x");
    size_t n = 0, left = 0;

    (void)state;
    r.channels = two_channels;
    open_url("rediss://127.0.0.1:%u");
    settle();
    take_peer();
    hear();
    say("+PONG\r\n" SUBSCRIBED(3, "one", 1) SUBSCRIBED(8, "channel2", 2));
    said("ready ");
    assert_int_equal(logged("\"tls\":\"TLS 1.2\""), 1);
    for (; n + sizeof(one) < sizeof(bytes); n += sizeof(one) - 1, left++)
        memcpy(bytes + n, one, sizeof(one) - 1);
    r.ops = &(const struct redis_ops){.message = count};
    for (size_t at = 0; at < n; at += 4000) {
        counted = 0;
        assert_int_equal(send(peer, bytes + at, n - at < 4000 ? n - at : 4000, 0),
                         n - at < 4000 ? n - at : 4000);
        /* A bit a turn: others have theirs, too. */
        for (unsigned i = 1; i < 80; i++) {
            turn();
            assert_true(counted <= i * (REDIS_READS_MAX * 10 / (sizeof(one) - 1) + 1));
        }
        left -= counted;
    }
    assert_int_equal(left, 0);
    r.ops = &ops;
    /* And it is quiet then. */
    patience_ms = 1;
    int64_t before = virtual.boot_ms;
    assert_int_equal(loop_turn(&loop, 10000), 0);
    assert_int_equal(virtual.boot_ms, before + 10000);
    drop_peer();
    settle();
    assert_lost("the server has closed the connection");
    said("lost ");
}

/* A server that speaks first: what it said is in the engine before there is anything to ask. */
static void test_tls_speaks_first(void **state)
{
    (void)state;
    open_url("rediss://127.0.0.1:%u");
    accept_peer();
    assert_int_equal(send(peer, "-ERR max number of clients\r\n", 28, 0), 28);
    settle();
    assert_lost("the server is not ready: ERR max number of clients");
}

/* The largest reply that net/resp lets through has room, however it is made up. */
static void test_largest_reply(void **state)
{
    static char bytes[1 << 20];
    static const unsigned sizes[] = {33, 100, 4000, 32769, 65536};

    (void)state;
    open_ready();
    for (size_t i = 0; i < COUNT(sizes); i++) {
        size_t count = RESP_REPLY_MAX / sizes[i], pad = RESP_ELEMENTS_MAX - 1 - count - count / 2;
        size_t n = (size_t)sprintf(bytes, "*2\r\n*%zu\r\n", count);
        if (count > RESP_ELEMENTS_MAX - 3)
            count = RESP_ELEMENTS_MAX - 3;
        n = (size_t)sprintf(bytes, "*2\r\n*%zu\r\n", count);
        for (size_t k = 0; k < count; k++) {
            n += (size_t)sprintf(bytes + n, "$%u\r\n", sizes[i]);
            memset(bytes + n, 's', sizes[i]);
            n += sizes[i];
            n += (size_t)sprintf(bytes + n, "\r\n");
        }
        pad = RESP_ELEMENTS_MAX - 2 - count;
        n += (size_t)sprintf(bytes + n, "*%zu\r\n", pad);
        for (size_t k = 0; k < pad; k++)
            n += (size_t)sprintf(bytes + n, ":%zu\r\n", k);
        for (int again_ = 0; again_ < 3; again_++) {
            assert_int_equal(command(1, "x", 0), 0);
            settle();
            say_n(bytes, n);
            for (int k = 0; k < 100; k++)
                turn();
            said("1:*2 ");
        }
    }
}

/* ---- Memory ---- */

/* Nothing is left of the connection's arena but blocks of this size and above. */
static void eat_memory(size_t least)
{
    struct redis_memory *before = redis_memory_use(r.adapter.memory);

    for (size_t n = 1 << 20; n >= least; n /= 2)
        while (hi_malloc(n) != NULL)
            continue;
    assert_ptr_equal(redis_memory_use(before), r.adapter.memory);
}

/* It ends, and comes back with all of its memory. */
static void test_no_memory(void **state)
{
    (void)state;
    unsigned survived = 0, ended = 0;
    for (size_t least = 1; least <= 4096; least *= 2) {
        for (int way = 0; way < 3; way++) {
            if (r.state == REDIS_OFF)
                open_ready();
            assert_int_equal(command(1, "x", 0), 0);
            settle();
            eat_memory(least);
            if (way == 0) {
                say("*3\r\n$5\r\nabcde\r\n*2\r\n+OK\r\n:1\r\n$5000\r\n");
                for (int i = 0; i < 5000 && r.state == REDIS_READY; i++)
                    say("x");
                settle();
                if (r.state == REDIS_READY)
                    say("\r\n");
            } else if (way == 1) {
                static char big[9000];
                memset(big, 'b', sizeof(big) - 1);
                assert_int_equal(command(2, big, 0), -1);
                settle();
            } else {
                say("*3\r\n+OK\r\n:1\r\n+OK\r\n");
            }
            settle();
            if (r.state == REDIS_READY) {
                /* There was enough of it. */
                survived++;
                said("1:*3 ");
                redis_close(&r);
            } else {
                ended++;
                assert_int_equal(r.state, REDIS_WAITING);
                assert_string_equal(r.why, "no memory is left for its replies");
                again();
                journal[0] = '\0';
                redis_close(&r);
            }
            drop_peer();
            logged("\n");
        }
    }
    assert_true(survived > 0 && ended > 30);
}

/* There is memory for so many, and one more fails as if it were not there. */
static void test_connections_max(void **state)
{
    struct redis_memory *taken[REDIS_CONNECTIONS_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(taken); i++)
        taken[i] = redis_memory_take();
    open_url("redis://127.0.0.1:%u");
    take_peer();
    assert_lost("more connections than there is memory for");
    for (size_t i = 0; i < COUNT(taken); i++)
        redis_memory_give_back(taken[i]);
    again();
    said("ready ");
}

/* A command of one, sent from an answer of another, stays out of its arena. */
static struct redis other;

static void command_to_other(void)
{
    static char big[30000];

    memset(big, 'b', sizeof(big) - 1);
    if (strcmp(journal, "1:OK ") == 0)
        for (int i = 0; i < 5; i++)
            assert_int_equal(redis_command(&other, (struct span[]){span_of(big)}, 1, 0, NULL, NULL),
                             0);
}

static void test_two(void **state)
{
    static const struct redis_ops none;

    (void)state;
    open_ready();
    int first = peer;
    peer = -1;
    other = (struct redis){.name = "other", .target = &target, .ops = &none};
    redis_open(&other, &loop, 3);
    take_peer();
    say("+PONG\r\n");
    assert_int_equal(other.state, REDIS_READY);
    int second = peer;
    peer = first;
    assert_int_equal(command(1, "x", 0), 0);
    inside = command_to_other;
    say("+OK\r\n");
    inside = NULL;
    said("1:OK ");
    redis_close(&r);
    /* Another one has the arena now, and does not meet the other's commands in it. */
    drop_peer();
    logged("\n");
    open_ready();
    eat_memory(1);
    redis_close(&r);
    drop_peer();
    peer = second;
    hear();
    wire_n = 0;
    say("+1\r\n+2\r\n+3\r\n+4\r\n+5\r\n");
    assert_int_equal(other.state, REDIS_READY);
    assert_int_equal(other.outstanding, 0);
    redis_close(&other);
}

static void test_texts(void **state)
{
    (void)state;
    assert_string_equal(redis_state_text(REDIS_OFF), "off");
    assert_string_equal(redis_state_text(REDIS_WAITING), "waiting");
    assert_string_equal(redis_state_text(REDIS_CONNECTING), "connecting");
    assert_string_equal(redis_state_text(REDIS_GREETING), "logging in");
    assert_string_equal(redis_state_text(REDIS_READY), "ready");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_log_in, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hidden, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wiped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_refusal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_in_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(test_backoff, setup, teardown),
        cmocka_unit_test_setup_teardown(test_backoff_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_arguments, setup, teardown),
        cmocka_unit_test_setup_teardown(test_calls_max, setup, teardown),
        cmocka_unit_test_setup_teardown(test_has_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_output_max, setup, teardown),
        cmocka_unit_test_setup_teardown(test_command_inside, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit_of_the_oldest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_late_but_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_endless, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ping, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_ping_while_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_inside, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_huge_message, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_subscriber, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_inside, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_in_ready, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flood, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tls_speaks_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_largest_reply, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connections_max, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two, setup, teardown),
        cmocka_unit_test(test_texts),
    };

    return cmocka_run_group_tests_name("net/redis", tests, NULL, NULL);
}
