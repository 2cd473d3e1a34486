/* HTTP calls over real sockets on the loopback device; the server is the test itself, between two
 * turns of the loop. */

#include "net/http.c" /* not the one that is answered by a test */

#include "loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define PATIENCE_MS 60000 /* for what must come */
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static struct loop loop;
static struct http_call call;
static unsigned dones;
static struct url server;
static struct http_request request;
static char body[48 * 1024];
static int listener;
static int64_t skipped_ms; /* the clocks are ahead by this */

static int64_t read_ms(clockid_t id)
{
    struct timespec t;

    assert_int_equal(clock_gettime(id, &t), 0);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct now clock_now(void)
{
    return (struct now){.boot_ms = read_ms(CLOCK_BOOTTIME) + skipped_ms,
                        .wall_ms = read_ms(CLOCK_REALTIME) + skipped_ms};
}

static void done(struct http_call *c)
{
    assert_ptr_equal(c, &call);
    dones++;
}

/* The server's place, where nobody listens yet. */
static void take_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    char text[64], why[URL_WHY_MAX];
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(text, sizeof(text), "http://127.0.0.1:%u", ntohs(address.sin_port));
    assert_int_equal(url_parse(&server, span_of(text), why), 0);
}

static int begin(void **state)
{
    (void)state;
    loop_init(&loop);
    take_port();
    assert_int_equal(listen(listener, 4), 0);
    memset(body, 'b', sizeof(body));
    request = (struct http_request){.server = &server,
                                    .method = "POST",
                                    .path = "/x",
                                    .body = {body, 10},
                                    .deadline_ms = loop.now.boot_ms + PATIENCE_MS};
    call.done = done;
    dones = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    http_cancel(&call);
    http_close_idle();
    assert_int_equal(loop.watch_count, 0);
    assert_int_equal(loop.timer_count, 0);
    assert_int_equal(close(listener), 0);
    return 0;
}

static void start(void)
{
    assert_int_equal(http_start(&call, &loop, &request), 0);
}

static void turn_until_done(void)
{
    while (dones == 0)
        assert_int_equal(loop_turn(&loop, PATIENCE_MS), 0);
    assert_int_equal(dones, 1);
    dones = 0;
}

/* What is ready now, once. */
static void turn(void)
{
    loopback_settle();
    assert_int_equal(loop_turn(&loop, 0), 0);
}

/* Turns until there is one. */
static int take_connection(void)
{
    const struct timeval limit = {.tv_sec = PATIENCE_MS / 1000};
    const struct timespec moment = {.tv_nsec = 1000000};
    struct pollfd p = {.fd = listener, .events = POLLIN};
    for (int i = 0; i < PATIENCE_MS && ppoll(&p, 1, &moment, NULL) == 0; i++)
        turn();
    assert_true(p.revents != 0);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    return fd;
}

/* Turns until the request's n bytes of body are all there. */
static void take_request(int fd, size_t n)
{
    static char text[64 * 1024];
    const char *head_end = NULL;
    size_t got = 0;
    while (head_end == NULL || got < (size_t)(head_end - text) + 4 + n) {
        turn();
        ssize_t k = recv(fd, text + got, sizeof(text) - got, MSG_DONTWAIT);
        assert_true(k > 0 || (k < 0 && errno == EAGAIN));
        got += k > 0 ? (size_t)k : 0;
        head_end = memmem(text, got, "\r\n\r\n", 4);
    }
    assert_int_equal(got, (size_t)(head_end - text) + 4 + n);
    assert_memory_equal(text, "POST /x HTTP/1.1\r\n", 18);
    assert_memory_equal(head_end + 4, body, n);
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void hang_up(int fd)
{
    assert_int_equal(close(fd), 0);
}

/* No FIN, but RST. */
static void hang_up_hard(int fd)
{
    const struct linger none = {.l_onoff = 1};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)), 0);
    hang_up(fd);
}

static void is_answered(int status, const char *text)
{
    assert_string_equal(call.error, "");
    assert_int_equal(call.result, HTTP_ANSWERED);
    assert_int_equal(call.parse.status, status);
    assert_int_equal(call.parse.body_n, strlen(text));
    assert_memory_equal(call.response, text, strlen(text));
}

/* A connection that has served once. */
static int serve_once(void)
{
    start();
    turn();
    int fd = take_connection();
    take_request(fd, 10);
    say(fd, ANSWER);
    turn_until_done();
    is_answered(200, "hello");
    assert_false(call.reused);
    return fd;
}

static void test_one_connection_serves_many(void **state)
{
    (void)state;
    int fd = serve_once();
    for (size_t i = 1; i <= sizeof(body); i *= 7) {
        request.body.n = i;
        start();
        take_request(fd, i);
        say(fd, ANSWER);
        turn_until_done();
        is_answered(200, "hello");
        assert_true(call.reused);
    }
    hang_up(fd);
}

static void test_in_small_pieces(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "5;a\r\nhello\r\n1\r\n!\r\n0\r\n\r\n";
    (void)state;
    start();
    turn();
    int fd = take_connection();
    take_request(fd, 10);
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        assert_int_equal(dones, 0);
        assert_int_equal(send(fd, text + i, 1, MSG_NOSIGNAL), 1);
        assert_int_equal(loop_turn(&loop, PATIENCE_MS), 0);
    }
    turn_until_done();
    is_answered(200, "hello!");
    hang_up(fd);
}

static void test_an_idle_connection_is_closed_by_the_peer(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        int fd = serve_once();
        assert_int_equal(loop.watch_count, 1);
        if (how == 0)
            hang_up(fd);
        else if (how == 1)
            hang_up_hard(fd);
        else
            say(fd, "?");
        assert_int_equal(loop_turn(&loop, PATIENCE_MS), 0);
        assert_int_equal(loop.watch_count, 0);
        assert_int_equal(loop.timer_count, 0);
        if (how == 2)
            hang_up(fd);
    }
}

/* The peer has closed it, and the loop has not seen it yet. */
static void test_a_stale_connection_is_replaced(void **state)
{
    (void)state;
    for (int how = 0; how < 2; how++) {
        int fd = serve_once();
        if (how == 0)
            hang_up(fd);
        else
            hang_up_hard(fd);
        start();
        for (int i = 0; i < 3; i++)
            turn();
        fd = take_connection();
        take_request(fd, 10);
        say(fd, ANSWER);
        turn_until_done();
        is_answered(200, "hello");
        assert_false(call.reused);
        hang_up(fd);
        http_close_idle();
    }
}

static void test_nobody_listens(void **state)
{
    char error[HTTP_ERROR_MAX + 1];
    (void)state;
    assert_int_equal(close(listener), 0);
    take_port();
    start();
    assert_int_equal(dones, 0);
    turn_until_done();
    assert_int_equal(call.result, HTTP_BROKEN);
    (void)snprintf(error, sizeof(error), "connecting to 127.0.0.1 port %u: Connection refused",
                   server.port);
    assert_string_equal(call.error, error);
}

/* The rest of the request meets a closed door; what was said before is heard. */
static void test_refused_early(void **state)
{
    const int small = 4096;
    (void)state;
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    request.body.n = sizeof(body);
    start();
    assert_int_equal(setsockopt(call.conn->conn.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)),
                     0);
    turn();
    int fd = take_connection();
    turn();
    assert_int_equal(call.stage, HTTP_SENDING);
    say(fd, "HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge");
    hang_up(fd);
    turn_until_done();
    is_answered(413, "large");
    assert_int_equal(loop.watch_count, 0);
}

static void test_up_to_the_end(void **state)
{
    (void)state;
    start();
    turn();
    int fd = take_connection();
    take_request(fd, 10);
    say(fd, "HTTP/1.0 200 OK\r\n\r\nhello");
    turn();
    assert_int_equal(dones, 0);
    hang_up(fd);
    turn_until_done();
    is_answered(200, "hello");
    /* Cut short by RST. */
    start();
    turn();
    fd = take_connection();
    take_request(fd, 10);
    say(fd, "HTTP/1.0 200 OK\r\n\r\nhello");
    turn();
    hang_up_hard(fd);
    turn_until_done();
    assert_int_equal(call.result, HTTP_BROKEN);
    assert_non_null(strstr(call.error, "Connection reset by peer"));
}

static void test_no_answer(void **state)
{
    (void)state;
    start();
    turn();
    int fd = take_connection();
    take_request(fd, 10);
    assert_int_equal(dones, 0);
    /* There is little time left now. */
    skipped_ms += request.deadline_ms - clock_now().boot_ms - 300;
    turn_until_done();
    assert_int_equal(call.result, HTTP_TIMED_OUT);
    assert_non_null(strstr(call.error, "(waiting for the answer)"));
    assert_true(loop.now.boot_ms >= request.deadline_ms);
    assert_int_equal(recv(fd, body, 1, 0), 0);
    hang_up(fd);
}

static void test_cancelled(void **state)
{
    (void)state;
    start();
    turn();
    int fd = take_connection();
    take_request(fd, 10);
    http_cancel(&call);
    assert_int_equal(recv(fd, body, 1, 0), 0);
    hang_up(fd);
    assert_int_equal(dones, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_connection_serves_many),
        TEST(test_in_small_pieces),
        TEST(test_an_idle_connection_is_closed_by_the_peer),
        TEST(test_a_stale_connection_is_replaced),
        TEST(test_nobody_listens),
        TEST(test_refused_early),
        TEST(test_up_to_the_end),
        TEST(test_no_answer),
        TEST(test_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
