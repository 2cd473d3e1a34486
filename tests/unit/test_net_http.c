/* HTTP calls over connections that do what the test says, with a loop of its own and a virtual
 * clock: what is sent, each way in which a call ends, and what becomes of its connection. */

#include "net/http.c" /* not the one that is answered by a test */
#include "net/http_pool.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define T0 INT64_C(5000000)
#define WALL INT64_C(1790856000000) /* 2026-10-01T12:00:00Z */
#define LIMIT 8000

/* ---- A loop that stands still until it is told ---- */

static struct loop loop;
static unsigned timers_left;

int loop_timer_set(struct loop *l, struct loop_timer *timer, int64_t deadline_ms)
{
    loop_timer_clear(l, timer);
    if (timers_left == 0)
        return -1;
    timers_left--;
    timer->deadline_ms = deadline_ms;
    timer->set = true;
    l->timers[l->timer_count++] = timer;
    return 0;
}

void loop_timer_clear(struct loop *l, struct loop_timer *timer)
{
    unsigned kept = 0;
    if (!timer->set)
        return;
    timer->set = false;
    timers_left++;
    for (unsigned i = 0; i < l->timer_count; i++)
        if (l->timers[i] != timer)
            l->timers[kept++] = l->timers[i];
    l->timer_count = kept;
}

/* One turn at this time: what was due when it began runs, what that sets does not. */
static void turn(int64_t at_ms)
{
    struct loop_timer *due[LOOP_TIMERS_MAX];
    unsigned count = 0;
    loop.now.boot_ms = at_ms;
    for (unsigned i = 0; i < loop.timer_count; i++)
        if (loop.timers[i]->deadline_ms <= at_ms)
            due[count++] = loop.timers[i];
    for (unsigned i = 0; i < count; i++) {
        if (!due[i]->set || due[i]->deadline_ms > at_ms)
            continue;
        loop_timer_clear(&loop, due[i]);
        due[i]->due(&loop, due[i]->arg);
    }
}

/* ---- Connections ---- */

struct line {
    struct conn *conn;
    int64_t deadline_ms;
    size_t room; /* bytes that conn_write() takes before it says 0 */
    bool no_write;
    char sent[80000];
    size_t sent_n;
    unsigned writes;
    const char *coming;
    size_t coming_n;
    size_t piece;       /* of coming at a read */
    enum conn_read end; /* once nothing is coming */
    unsigned reads;
};

static struct line lines[HTTP_CONNS_MAX]; /* by the order in which they were opened first */
static unsigned line_count;
static unsigned opens;      /* in all */
static unsigned closes;     /* in all */
static unsigned no_opening; /* of the next so many */

static struct line *line_of(const struct conn *conn)
{
    for (unsigned i = 0; i < line_count; i++)
        if (lines[i].conn == conn)
            return &lines[i];
    return NULL;
}

static void set_conn_error(struct conn *conn, const char *error)
{
    (void)snprintf(conn->error, sizeof(conn->error), "%s", error);
}

int conn_open(struct conn *conn, struct loop *l, const struct url *url, int64_t deadline_ms)
{
    struct line *line = line_of(conn);
    assert_int_equal(conn->stage, CONN_CLOSED);
    assert_non_null(conn->changed);
    assert_ptr_equal(l, &loop);
    if (line == NULL) {
        assert_in_range(line_count, 0, HTTP_CONNS_MAX - 1);
        line = &lines[line_count++];
        line->conn = conn;
    }
    opens++;
    line->deadline_ms = deadline_ms;
    line->room = sizeof(line->sent);
    line->no_write = false;
    line->sent_n = 0;
    line->writes = 0;
    line->coming_n = 0;
    line->piece = SIZE_MAX;
    line->end = CONN_READ_LATER;
    line->reads = 0;
    conn->loop = l;
    conn->url = *url;
    conn->stage = CONN_RESOLVING;
    conn->error[0] = '\0';
    if (no_opening == 0)
        return 0;
    no_opening--;
    conn->stage = CONN_FAILED;
    set_conn_error(conn, "connecting to nobody: Connection refused");
    return -1;
}

void conn_close(struct conn *conn)
{
    if (conn->stage == CONN_CLOSED)
        return;
    conn->stage = CONN_CLOSED;
    closes++;
}

ptrdiff_t conn_write(struct conn *conn, const char *bytes, size_t n)
{
    struct line *line = line_of(conn);
    assert_int_equal(conn->stage, CONN_OPEN);
    assert_true(n > 0);
    line->writes++;
    if (line->no_write) {
        conn->stage = CONN_FAILED;
        set_conn_error(conn, "writing to nobody: Broken pipe");
        return -1;
    }
    if (n > line->room)
        n = line->room;
    assert_true(line->sent_n + n <= sizeof(line->sent));
    memcpy(line->sent + line->sent_n, bytes, n);
    line->sent_n += n;
    line->room -= n;
    return (ptrdiff_t)n;
}

enum conn_read conn_read(struct conn *conn, char *bytes, size_t cap, size_t *n)
{
    struct line *line = line_of(conn);
    assert_int_equal(conn->stage, CONN_OPEN);
    line->reads++;
    *n = 0;
    if (line->coming_n == 0) {
        if (line->end == CONN_READ_FAILED) {
            conn->stage = CONN_FAILED;
            set_conn_error(conn, "reading from nobody: Connection reset by peer");
        }
        return line->end;
    }
    *n = line->coming_n < cap ? line->coming_n : cap;
    *n = *n < line->piece ? *n : line->piece;
    memcpy(bytes, line->coming, *n);
    line->coming += *n;
    line->coming_n -= *n;
    return CONN_READ_SOME;
}

const char *conn_stage_text(enum conn_stage stage)
{
    static const char *const texts[] = {[CONN_RESOLVING] = "looking up the name",
                                        [CONN_CONNECTING] = "connecting",
                                        [CONN_SECURING] = "in the TLS handshake"};
    return texts[stage];
}

const char *tls_version_text(const struct tls *t)
{
    assert_non_null(t);
    return "TLS 1.2";
}

const char *tls_suite_text(const struct tls *t)
{
    assert_non_null(t);
    return "SOME_SUITE";
}

static void open_up(struct line *line)
{
    line->conn->stage = CONN_OPEN;
    line->conn->changed(line->conn->arg);
}

static void break_off(struct line *line, const char *error)
{
    line->conn->stage = CONN_FAILED;
    set_conn_error(line->conn, error);
    line->conn->changed(line->conn->arg);
}

static void comes(struct line *line, const char *bytes, size_t n)
{
    line->coming = bytes;
    line->coming_n = n;
    while (line->coming_n > 0 && line->conn->stage == CONN_OPEN) {
        size_t before = line->coming_n;
        line->conn->changed(line->conn->arg);
        if (line->coming_n == before)
            break;
    }
}

static void answers(struct line *line, const char *text)
{
    comes(line, text, strlen(text));
}

static void ends(struct line *line, enum conn_read end)
{
    line->end = end;
    line->conn->changed(line->conn->arg);
}

static void has_room(struct line *line, size_t room)
{
    line->room = room;
    line->conn->changed(line->conn->arg);
}

/* ---- Callers ---- */

#define SECRET "sk-very-secret"

static struct http_call calls[HTTP_CONNS_MAX + 1];
static struct http_call *const call = &calls[0];
static unsigned dones;
static struct http_call *done_call;
static const struct http_request *done_starts; /* done() starts this one, once, with its struct */
static struct http_call *done_cancels;
static char big_body[HTTP_BODY_MAX];

static struct url server;
static struct http_request request;

static void done(struct http_call *c)
{
    assert_null(c->conn);
    assert_false(c->timer.set);
    assert_ptr_equal(c->arg, &dones);
    dones++;
    done_call = c;
    if (done_cancels != NULL)
        http_cancel(done_cancels);
    done_cancels = NULL;
    if (done_starts != NULL) {
        const struct http_request *next = done_starts;
        done_starts = NULL;
        assert_int_equal(http_start(c, &loop, next), 0);
    }
}

static struct url url_from(const char *text)
{
    char why[URL_WHY_MAX];
    struct url url;
    assert_int_equal(url_parse(&url, span_of(text), why), 0);
    return url;
}

static int begin(void **state)
{
    (void)state;
    loop = (struct loop){.now = {.boot_ms = T0, .wall_ms = WALL}};
    timers_left = LOOP_TIMERS_MAX;
    memset(calls, 0xa5, sizeof(calls));
    for (size_t i = 0; i < COUNT(calls); i++) {
        calls[i].conn = NULL;
        calls[i].done = done;
        calls[i].arg = &dones;
    }
    opens = closes = no_opening = dones = 0;
    done_call = done_cancels = NULL;
    done_starts = NULL;
    server = url_from("http://model.lan:11434/base");
    request = (struct http_request){.server = &server,
                                    .method = "POST",
                                    .path = "/api/chat",
                                    .headers = span_of("x-api-key: " SECRET "\r\n"),
                                    .body = span_of("{\"a\":1}"),
                                    .deadline_ms = T0 + LIMIT};
    return 0;
}

/* Every test ends with nothing in flight, and leaves nothing behind. */
static int end(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(calls); i++)
        http_cancel(&calls[i]);
    http_close_idle();
    assert_int_equal(loop.timer_count, 0);
    for (unsigned i = 0; i < line_count; i++)
        assert_int_equal(lines[i].conn->stage, CONN_CLOSED);
    assert_int_equal(opens, closes);
    return 0;
}

static void start(struct http_call *c)
{
    assert_int_equal(http_start(c, &loop, &request), 0);
    assert_non_null(c->conn);
}

static struct line *line_for(const struct http_call *c)
{
    return line_of(&c->conn->conn);
}

static bool holds_secret(const struct http_call *c)
{
    return memmem(c, sizeof(*c), SECRET, sizeof(SECRET) - 1) != NULL;
}

static void ended(struct http_call *c, enum http_result result, const char *error)
{
    assert_null(c->conn);
    assert_ptr_equal(done_call, c);
    assert_int_equal(c->result, result);
    assert_string_equal(c->error, error);
    assert_false(holds_secret(c));
}

static void is_answered(struct http_call *c, int status, const char *body)
{
    ended(c, HTTP_ANSWERED, "");
    assert_int_equal(c->parse.status, status);
    assert_int_equal(c->parse.body_n, strlen(body));
    assert_memory_equal(c->response, body, strlen(body));
    assert_int_equal(c->stage, HTTP_READING);
}

#define HEAD                                                                                       \
    "POST /base/api/chat HTTP/1.1\r\nHost: model.lan:11434\r\nUser-Agent: "                        \
    "planner-agent/" PLANNER_VERSION                                                               \
    "\r\nAccept: application/json\r\nAccept-Encoding: identity\r\n"
#define WHOLE                                                                                      \
    HEAD "Content-Type: application/json\r\nContent-Length: 7\r\nx-api-key: " SECRET               \
         "\r\n\r\n{\"a\":1}"
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static void sent_is(const struct line *line, const char *text)
{
    assert_int_equal(line->sent_n, strlen(text));
    assert_memory_equal(line->sent, text, line->sent_n);
}

/* A call that leaves its connection idle. */
static struct line *leave_idle(void)
{
    start(call);
    struct line *line = line_for(call);
    open_up(line);
    answers(line, ANSWER);
    is_answered(call, 200, "hello");
    assert_int_equal(line->conn->stage, CONN_OPEN);
    dones = 0;
    return line;
}

/* ---- One call ---- */

static void test_a_call(void **state)
{
    (void)state;
    start(call);
    struct line *line = line_for(call);
    assert_int_equal(line->deadline_ms, T0 + LIMIT);
    assert_int_equal(line->writes, 0);
    open_up(line);
    sent_is(line, WHOLE);
    assert_int_equal(line->writes, 1);
    assert_int_equal(line->reads, 0);
    assert_int_equal(call->stage, HTTP_WAITING);
    assert_null(memmem(call->response, sizeof(call->response), SECRET, sizeof(SECRET) - 1));
    assert_int_equal(dones, 0);
    answers(line, ANSWER);
    assert_int_equal(dones, 1);
    assert_int_equal(line->reads, 1);
    is_answered(call, 200, "hello");
    assert_false(call->reused);
    assert_true(call->retry_after_ms == -1);
    assert_null(call->tls_version);
    assert_null(call->tls_suite);
    assert_false(call->tls_resumed);
    assert_int_equal(closes, 0);
}

static void test_without_a_body(void **state)
{
    (void)state;
    server = url_from("https://[::1]");
    request.method = "GET";
    request.path = "/v1/models";
    request.headers = request.body = (struct span){NULL, 0};
    start(call);
    open_up(line_for(call));
    sent_is(line_for(call),
            "GET /v1/models HTTP/1.1\r\nHost: [::1]\r\nUser-Agent: planner-agent/" PLANNER_VERSION
            "\r\nAccept: application/json\r\nAccept-Encoding: identity\r\n\r\n");
    answers(line_for(call), ANSWER);
    is_answered(call, 200, "hello");
}

static void test_tls_is_told_of(void **state)
{
    (void)state;
    server = url_from("https://api.example.com");
    for (int reused = 0; reused <= 1; reused++) {
        start(call);
        if (reused == 0)
            open_up(line_for(call));
        answers(line_for(call), ANSWER);
        is_answered(call, 200, "hello");
        assert_int_equal(call->reused, reused);
        assert_string_equal(call->tls_version, "TLS 1.2");
        assert_string_equal(call->tls_suite, "SOME_SUITE");
    }
    http_close_idle();
    for (int resumed = 0; resumed <= 1; resumed++) {
        start(call);
        struct line *line = line_for(call);
        line->conn->tls.resumed = resumed;
        open_up(line);
        answers(line, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        is_answered(call, 200, "");
        assert_string_equal(call->tls_version, "TLS 1.2");
        assert_string_equal(call->tls_suite, "SOME_SUITE");
        assert_int_equal(call->tls_resumed, resumed);
    }
}

static void test_the_answer_in_every_two_pieces(void **state)
{
    static const char text[] =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 Slow\r\nRetry-After: 2.5\r\n"
        "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    (void)state;
    for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
        start(call);
        struct line *line = line_for(call);
        if (cut == 1)
            open_up(line);
        line->reads = 0;
        comes(line, text, cut);
        assert_int_equal(dones, cut - 1);
        assert_int_equal(line->reads, 1);
        comes(line, text + cut, sizeof(text) - 1 - cut);
        assert_int_equal(dones, cut);
        is_answered(call, 429, "hello");
        assert_true(call->retry_after_ms == 2500);
    }
    assert_int_equal(opens, 1);
    start(call);
    line_for(call)->piece = 1;
    answers(line_for(call), text);
    is_answered(call, 429, "hello");
}

static void test_a_date_to_come_again(void **state)
{
    (void)state;
    start(call);
    open_up(line_for(call));
    answers(line_for(call), "HTTP/1.1 503 No\r\nRetry-After: Thu, 01 Oct 2026 12:00:30 GMT\r\n"
                            "Content-Length: 0\r\n\r\n");
    is_answered(call, 503, "");
    assert_true(call->retry_after_ms == 30000);
}

static void test_a_long_answer(void **state)
{
    static char text[HTTP_BODY_MAX + 200];
    (void)state;
    int n = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
                     HTTP_BODY_MAX);
    for (size_t i = 0; i < HTTP_BODY_MAX; i++)
        text[(size_t)n + i] = (char)(i * 7 + i / 256);
    start(call);
    open_up(line_for(call));
    comes(line_for(call), text, (size_t)n + HTTP_BODY_MAX);
    assert_int_equal(dones, 1);
    assert_int_equal(call->result, HTTP_ANSWERED);
    assert_int_equal(call->parse.body_n, HTTP_BODY_MAX);
    assert_memory_equal(call->response, text + n, HTTP_BODY_MAX);
}

/* ---- Sending ---- */

static void test_the_request_in_every_two_pieces(void **state)
{
    size_t n = sizeof(WHOLE) - 1;
    (void)state;
    for (size_t cut = 0; cut <= n; cut++) {
        start(call);
        struct line *line = line_for(call);
        line->room = cut;
        open_up(line);
        assert_int_equal(line->sent_n, cut);
        assert_int_equal(call->stage, cut < n ? HTTP_SENDING : HTTP_WAITING);
        assert_null(memmem(call->response, sizeof(call->response), SECRET, sizeof(SECRET) - 1));
        if (cut < n)
            has_room(line, n);
        assert_int_equal(call->stage, HTTP_WAITING);
        sent_is(line, WHOLE);
        answers(line, ANSWER);
        is_answered(call, 200, "hello");
        http_close_idle();
    }
}

static void test_the_request_byte_by_byte(void **state)
{
    (void)state;
    start(call);
    struct line *line = line_for(call);
    line->room = 0;
    open_up(line);
    for (size_t i = 0; i < sizeof(WHOLE) - 1; i++) {
        assert_int_equal(call->stage, HTTP_SENDING);
        has_room(line, 1);
    }
    assert_int_equal(call->stage, HTTP_WAITING);
    sent_is(line, WHOLE);
}

static void test_a_body_as_large_as_the_answer_may_be(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(big_body); i++)
        big_body[i] = (char)(i * 3 + i / 256);
    request.body = (struct span){big_body, sizeof(big_body)};
    for (size_t room = 0; room < 70000; room += 23331) {
        start(call);
        struct line *line = line_for(call);
        line->room = room;
        open_up(line);
        has_room(line, 2);
        has_room(line, sizeof(line->sent));
        assert_int_equal(line->sent_n, call->head_n + sizeof(big_body));
        assert_memory_equal(line->sent, HEAD, sizeof(HEAD) - 1);
        assert_memory_equal(line->sent + call->head_n, big_body, sizeof(big_body));
        answers(line, ANSWER);
        is_answered(call, 200, "hello");
        http_close_idle();
    }
}

/* Where head and body fit together just so, and where they do not. */
static void test_head_and_body_leave_together(void **state)
{
    (void)state;
    request.body = (struct span){big_body, 10000};
    start(call);
    size_t head = call->head_n;
    http_cancel(call);
    for (size_t more = 0; more <= 1; more++) {
        request.body.n = HTTP_BODY_MAX - head + more;
        start(call);
        assert_int_equal(call->head_n, head);
        struct line *line = line_for(call);
        open_up(line);
        assert_int_equal(line->writes, 1 + more);
        assert_int_equal(line->sent_n, HTTP_BODY_MAX + more);
        http_cancel(call);
    }
}

static void test_an_early_answer_stops_the_sending(void **state)
{
    (void)state;
    start(call);
    struct line *line = line_for(call);
    line->room = 50;
    open_up(line);
    answers(line, "HTTP/1.1 413 Too ");
    assert_int_equal(call->stage, HTTP_SENDING);
    has_room(line, 10); /* no status yet: it may be an interim one */
    assert_int_equal(line->sent_n, 60);
    answers(line, "Large\r\nContent-Length: 5\r\n\r\n");
    assert_int_equal(call->stage, HTTP_READING);
    has_room(line, 1000);
    assert_int_equal(line->sent_n, 60);
    answers(line, "large");
    assert_int_equal(dones, 1);
    is_answered(call, 413, "large");
    assert_int_equal(closes, 1); /* half a request lies in it */
}

static void test_an_early_answer_and_a_broken_pipe(void **state)
{
    (void)state;
    start(call);
    struct line *line = line_for(call);
    line->room = 50;
    open_up(line);
    line->no_write = true;
    answers(line, "HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge");
    assert_int_equal(dones, 1);
    is_answered(call, 413, "large");
    assert_int_equal(line->writes, 1);
}

static void test_an_answer_before_the_request(void **state)
{
    (void)state;
    start(call);
    struct line *line = line_for(call);
    line->room = 0;
    open_up(line);
    answers(line, "HTTP/1.1 408 Slow\r\nContent-Length: 5\r\n\r\nsl");
    has_room(line, 1000);
    assert_int_equal(line->sent_n, 0);
    answers(line, "ow!");
    is_answered(call, 408, "slow!");
}

static void test_an_answer_that_begins_before_the_request(void **state)
{
    (void)state;
    start(call);
    struct line *line = line_for(call);
    line->room = 0;
    open_up(line);
    answers(line, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
    has_room(line, 1000);
    sent_is(line, WHOLE);
    answers(line, "llo");
    is_answered(call, 200, "hello");
}

static void test_an_early_answer_that_wants_the_rest(void **state)
{
    (void)state;
    start(call);
    struct line *line = line_for(call);
    line->room = 0;
    open_up(line);
    answers(line, "HTTP/1.1 100 Continue\r\n\r\n");
    has_room(line, 10);
    answers(line, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
    has_room(line, 1000);
    sent_is(line, WHOLE);
    assert_int_equal(call->stage, HTTP_READING);
    answers(line, "llo");
    is_answered(call, 200, "hello");
    assert_int_equal(closes, 0);
}

static void test_an_early_end(void **state)
{
    (void)state;
    start(call);
    struct line *line = line_for(call);
    line->room = 10;
    open_up(line);
    ends(line, CONN_READ_END);
    ended(call, HTTP_BROKEN, "the peer closed the connection before the answer");
    assert_int_equal(line->sent_n, 10);
}

/* ---- Ends ---- */

/* Brings a fresh call to a stage. */
static struct line *bring_to(struct http_call *c, enum http_stage stage)
{
    start(c);
    struct line *line = line_for(c);
    if (stage < HTTP_SENDING) {
        line->conn->stage = (enum conn_stage)(CONN_RESOLVING + (int)stage);
        return line;
    }
    line->room = stage == HTTP_SENDING ? 10 : 1000;
    open_up(line);
    if (stage == HTTP_READING)
        answers(line, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell");
    return line;
}

static const char *const stage_texts[] = {"looking up the name",    "connecting",
                                          "in the TLS handshake",   "sending the request",
                                          "waiting for the answer", "reading the answer"};

static void test_the_deadline_at_each_stage(void **state)
{
    char error[128];
    (void)state;
    for (unsigned stage = HTTP_RESOLVING; stage <= HTTP_READING; stage++) {
        request.deadline_ms = loop.now.boot_ms + LIMIT;
        struct line *line = bring_to(call, (enum http_stage)stage);
        turn(request.deadline_ms - 1);
        assert_int_equal(dones, stage);
        turn(request.deadline_ms);
        assert_int_equal(dones, stage + 1);
        (void)snprintf(error, sizeof(error), "no answer within 8 s (%s)", stage_texts[stage]);
        ended(call, HTTP_TIMED_OUT, error);
        assert_int_equal(call->stage, stage);
        assert_string_equal(http_stage_text(call->stage), stage_texts[stage]);
        assert_int_equal(line->conn->stage, CONN_CLOSED);
        turn(request.deadline_ms + 100000);
        assert_int_equal(dones, stage + 1);
    }
}

static void test_how_long_it_was(void **state)
{
    static const struct {
        int64_t limit_ms;
        const char *text;
    } cases[] = {{1000, "no answer within 1 s (connecting)"},
                 {3450, "no answer within 3.4 s (connecting)"},
                 {60099, "no answer within 60 s (connecting)"},
                 {999, "no answer within 0.9 s (connecting)"},
                 {0, "no answer within 0 s (connecting)"},
                 {-2500, "no answer within 0 s (connecting)"}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        request.deadline_ms = loop.now.boot_ms + cases[i].limit_ms;
        (void)bring_to(call, HTTP_CONNECTING);
        assert_int_equal(dones, i);
        turn(loop.now.boot_ms + (cases[i].limit_ms > 0 ? cases[i].limit_ms : 0));
        assert_int_equal(dones, i + 1);
        ended(call, HTTP_TIMED_OUT, cases[i].text);
    }
}

static void test_cancelled_at_each_stage(void **state)
{
    (void)state;
    for (unsigned stage = HTTP_RESOLVING; stage <= HTTP_READING; stage++) {
        struct line *line = bring_to(call, (enum http_stage)stage);
        assert_true(holds_secret(call));
        http_cancel(call);
        assert_null(call->conn);
        assert_false(holds_secret(call));
        assert_int_equal(call->stage, stage);
        assert_int_equal(line->conn->stage, CONN_CLOSED);
        assert_int_equal(loop.timer_count, 0);
        http_cancel(call);
    }
    turn(T0 + 100000);
    assert_int_equal(dones, 0);
}

static void test_the_connection_fails_at_each_stage(void **state)
{
    (void)state;
    for (unsigned stage = HTTP_RESOLVING; stage <= HTTP_READING; stage++) {
        struct line *line = bring_to(call, (enum http_stage)stage);
        break_off(line, "it has failed");
        assert_int_equal(dones, stage + 1);
        ended(call, HTTP_BROKEN, "it has failed");
        assert_int_equal(call->stage, stage < HTTP_SENDING ? HTTP_RESOLVING : stage);
        assert_int_equal(opens, stage + 1); /* a fresh one is not replaced */
    }
}

static void test_a_write_fails(void **state)
{
    (void)state;
    for (size_t room = 0; room <= 10; room += 10) {
        start(call);
        struct line *line = line_for(call);
        line->room = room;
        line->no_write = room == 0;
        open_up(line);
        line->no_write = true;
        if (room > 0)
            has_room(line, 1000);
        ended(call, HTTP_BROKEN, "writing to nobody: Broken pipe");
    }
    assert_int_equal(dones, 2);
    assert_int_equal(opens, 2);
}

static void test_a_read_fails(void **state)
{
    (void)state;
    (void)bring_to(call, HTTP_READING);
    ends(line_for(call), CONN_READ_FAILED);
    ended(call, HTTP_BROKEN, "reading from nobody: Connection reset by peer");
    assert_int_equal(call->parse.status, 200);
}

static void test_the_answer_ends_early(void **state)
{
    (void)state;
    (void)bring_to(call, HTTP_READING);
    ends(line_for(call), CONN_READ_END);
    ended(call, HTTP_BROKEN, "the peer closed the connection within the body of the answer");
}

static void test_an_answer_up_to_the_end(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\n\r\nhello";
    (void)state;
    (void)bring_to(call, HTTP_WAITING);
    answers(line_for(call), text);
    assert_int_equal(dones, 0);
    ends(line_for(call), CONN_READ_END);
    is_answered(call, 200, "hello");
    assert_int_equal(closes, 1);
    /* Cut short, it may be anything. */
    (void)bring_to(call, HTTP_WAITING);
    answers(line_for(call), text);
    ends(line_for(call), CONN_READ_FAILED);
    ended(call, HTTP_BROKEN, "reading from nobody: Connection reset by peer");
}

static void test_what_is_not_http(void **state)
{
    (void)state;
    (void)bring_to(call, HTTP_WAITING);
    answers(line_for(call), "SSH-2.0-OpenSSH_9.2\r\n");
    assert_int_equal(dones, 1);
    ended(call, HTTP_BROKEN, "the answer is not HTTP");
    assert_int_equal(closes, 1);
}

static void test_what_fails_at_once_is_told_from_the_loop(void **state)
{
    (void)state;
    no_opening = 1;
    start(call);
    assert_int_equal(dones, 0);
    turn(T0);
    assert_int_equal(dones, 1);
    ended(call, HTTP_BROKEN, "connecting to nobody: Connection refused");
    /* Or is cancelled before. */
    no_opening = 1;
    start(call);
    http_cancel(call);
    turn(T0 + 1);
    assert_int_equal(dones, 1);
}

static void test_what_fails_at_the_deadline_has_timed_out(void **state)
{
    (void)state;
    struct line *line = bring_to(call, HTTP_WAITING);
    loop.now.boot_ms = T0 + LIMIT - 1;
    break_off(line, "in time");
    ended(call, HTTP_BROKEN, "in time");
    request.deadline_ms = loop.now.boot_ms + LIMIT;
    line = bring_to(call, HTTP_WAITING);
    loop.now.boot_ms += LIMIT;
    break_off(line, "too late");
    ended(call, HTTP_TIMED_OUT, "no answer within 8 s (waiting for the answer)");
}

/* ---- Connections that are kept ---- */

static void test_a_kept_connection_serves_again(void **state)
{
    (void)state;
    struct line *line = leave_idle();
    line->sent_n = 0;
    line->reads = line->writes = 0;
    start(call);
    assert_int_equal(opens, 1);
    assert_true(call->reused);
    assert_int_equal(call->stage, HTTP_WAITING); /* sent without a turn of the loop */
    sent_is(line, WHOLE);
    answers(line, ANSWER);
    assert_int_equal(dones, 1);
    is_answered(call, 200, "hello");
    assert_true(call->reused);
    assert_int_equal(line->writes, 1);
    assert_int_equal(line->reads, 1);
}

/* What costs has a connection of its own, and says so. */
static void test_what_is_sent_once_uses_no_kept_connection(void **state)
{
    (void)state;
    struct line *idle = leave_idle();
    request.once = true;
    struct line *line = bring_to(call, HTTP_WAITING);
    assert_ptr_not_equal(line, idle);
    assert_false(call->reused);
    assert_non_null(memmem(line->sent, line->sent_n, "\r\nConnection: close\r\n", 21));
    answers(line, ANSWER);
    assert_int_equal(line->conn->stage, CONN_CLOSED);
    request.once = false;
    start(call);
    assert_ptr_equal(line_for(call), idle);
}

static void test_a_kept_connection_times_out(void **state)
{
    (void)state;
    struct line *line = leave_idle();
    start(call);
    assert_ptr_equal(line_for(call), line);
    turn(T0 + LIMIT);
    ended(call, HTTP_TIMED_OUT, "no answer within 8 s (waiting for the answer)");
    assert_int_equal(line->conn->stage, CONN_CLOSED);
    assert_int_equal(opens, 1);
}

static void test_only_the_same_server_is_the_same(void **state)
{
    static const char *const others[] = {"http://model.lan:11435/base", "http://model2.lan:11434",
                                         "https://model.lan:11434"};
    (void)state;
    for (size_t i = 0; i < COUNT(others); i++) {
        server = url_from("http://model.lan:11434/base");
        (void)leave_idle();
        server = url_from(others[i]);
        start(call);
        assert_false(call->reused);
        http_cancel(call);
        http_close_idle();
    }
    server = url_from("http://model.lan:11434/base");
    struct line *line = leave_idle();
    server = url_from("http://MODEL.lan:11434/other/path");
    start(call);
    assert_ptr_equal(line_for(call), line);
    assert_true(call->reused);
}

static void test_what_is_not_kept(void **state)
{
    static const char *const texts[] = {
        ANSWER "H",
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n\n",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct line *line = bring_to(call, HTTP_WAITING);
        answers(line, texts[i]);
        assert_int_equal(dones, i + 1);
        assert_int_equal(call->result, HTTP_ANSWERED);
        assert_int_equal(line->conn->stage, CONN_CLOSED);
    }
}

static void test_no_timer_to_keep_it(void **state)
{
    (void)state;
    struct line *line = bring_to(call, HTTP_WAITING);
    line->coming = ANSWER;
    line->coming_n = sizeof(ANSWER) - 1;
    timers_left = UINT32_MAX; /* with the call's own one given back: 0 */
    line->conn->changed(line->conn->arg);
    is_answered(call, 200, "hello");
    assert_int_equal(line->conn->stage, CONN_CLOSED);
    timers_left = LOOP_TIMERS_MAX;
}

/* How a connection that was idle may fail before a byte of the answer has come. */
enum staleness { STALE_WRITE, STALE_WRITE_LATER, STALE_FAILED, STALE_END, STALE_READ, STALENESSES };

static void go_stale(struct line *line, enum staleness how)
{
    if (how == STALE_WRITE)
        line->no_write = true;
    else if (how == STALE_WRITE_LATER)
        line->room = 10;
    start(call);
    if (how == STALE_WRITE_LATER) {
        line->no_write = true;
        has_room(line, 1000);
    } else if (how == STALE_FAILED) {
        break_off(line, "stale");
    } else if (how == STALE_END) {
        ends(line, CONN_READ_END);
    } else if (how == STALE_READ) {
        ends(line, CONN_READ_FAILED);
    }
}

static void test_a_stale_connection_is_replaced(void **state)
{
    (void)state;
    for (unsigned how = 0; how < STALENESSES; how++) {
        struct line *line = leave_idle();
        unsigned before = opens;
        go_stale(line, (enum staleness)how);
        assert_int_equal(dones, 0);
        assert_int_equal(opens, before + 1);
        assert_false(call->reused);
        assert_int_equal(call->stage, HTTP_RESOLVING);
        line = line_for(call);
        assert_int_equal(line->deadline_ms, request.deadline_ms);
        open_up(line);
        sent_is(line, WHOLE);
        answers(line, ANSWER);
        assert_int_equal(dones, 1);
        is_answered(call, 200, "hello");
        http_close_idle();
    }
}

static void test_it_is_replaced_once(void **state)
{
    (void)state;
    for (unsigned how = 0; how < STALENESSES; how++) {
        struct line *line = leave_idle();
        unsigned before = opens;
        go_stale(line, (enum staleness)how);
        open_up(line_for(call));
        ends(line_for(call), CONN_READ_END);
        assert_int_equal(opens, before + 1);
        assert_int_equal(dones, 1);
        ended(call, HTTP_BROKEN, "the peer closed the connection before the answer");
        /* Or the second one cannot even be opened. */
        line = leave_idle();
        no_opening = 1;
        go_stale(line, (enum staleness)how);
        assert_int_equal(dones, 0);
        turn(T0);
        assert_int_equal(dones, 1);
        ended(call, HTTP_BROKEN, "connecting to nobody: Connection refused");
    }
}

static void test_the_deadline_covers_the_second_connection(void **state)
{
    (void)state;
    struct line *line = leave_idle();
    go_stale(line, STALE_WRITE);
    line_for(call)->conn->stage = CONN_CONNECTING;
    turn(T0 + LIMIT - 1);
    assert_int_equal(dones, 0);
    turn(T0 + LIMIT);
    ended(call, HTTP_TIMED_OUT, "no answer within 8 s (connecting)");
}

static void test_an_answer_that_began_is_not_asked_for_again(void **state)
{
    (void)state;
    for (unsigned how = STALE_FAILED; how < STALENESSES; how++) {
        struct line *line = leave_idle();
        unsigned before = opens;
        start(call);
        answers(line, "H");
        if (how == STALE_FAILED)
            break_off(line, "broken");
        else
            ends(line, how == STALE_END ? CONN_READ_END : CONN_READ_FAILED);
        assert_int_equal(dones, 1);
        assert_int_equal(call->result, HTTP_BROKEN);
        assert_int_equal(opens, before);
        assert_true(call->reused);
    }
}

static void test_stale_and_not_http(void **state)
{
    (void)state;
    struct line *line = leave_idle();
    start(call);
    answers(line, "?");
    assert_int_equal(opens, 1);
    ended(call, HTTP_BROKEN, "the answer is not HTTP");
}

/* ---- Idle ---- */

static void test_an_idle_connection_that_says_something(void **state)
{
    (void)state;
    struct line *line = leave_idle();
    line->conn->changed(line->conn->arg);
    assert_int_equal(line->conn->stage, CONN_CLOSED);
    assert_int_equal(loop.timer_count, 0);
    start(call);
    assert_false(call->reused);
}

static void test_idle_for_too_long(void **state)
{
    (void)state;
    loop.now.boot_ms = T0 + 500;
    struct line *line = leave_idle();
    turn(T0 + 500 + HTTP_IDLE_MS - 1);
    assert_int_equal(line->conn->stage, CONN_OPEN);
    turn(T0 + 500 + HTTP_IDLE_MS);
    assert_int_equal(line->conn->stage, CONN_CLOSED);
    assert_int_equal(dones, 0);
}

static void test_a_call_ends_the_idle_time(void **state)
{
    (void)state;
    struct line *line = leave_idle();
    turn(T0 + HTTP_IDLE_MS - 1);
    request.deadline_ms = loop.now.boot_ms + LIMIT;
    start(call);
    turn(T0 + HTTP_IDLE_MS + 5);
    assert_int_equal(line->conn->stage, CONN_OPEN);
    answers(line, ANSWER);
    turn(T0 + 2 * HTTP_IDLE_MS);
    assert_int_equal(line->conn->stage, CONN_OPEN);
    turn(T0 + 2 * HTTP_IDLE_MS + 5);
    assert_int_equal(line->conn->stage, CONN_CLOSED);
}

static void test_idle_ones_are_closed_on_demand(void **state)
{
    (void)state;
    struct line *line = leave_idle();
    server = url_from("http://other.lan");
    (void)bring_to(&calls[1], HTTP_WAITING);
    http_close_idle();
    assert_int_equal(line->conn->stage, CONN_CLOSED);
    assert_int_equal(loop.timer_count, 1);
    answers(line_for(&calls[1]), ANSWER);
    is_answered(&calls[1], 200, "hello");
}

static void test_the_lowest_connections_are_used(void **state)
{
    (void)state;
    start(&calls[0]);
    struct http_conn *lowest = calls[0].conn;
    start(&calls[1]);
    assert_ptr_equal(calls[1].conn, lowest + 1);
    http_cancel(&calls[0]);
    start(&calls[2]);
    assert_ptr_equal(calls[2].conn, lowest);
    http_cancel(&calls[1]);
    http_cancel(&calls[2]);
}

static void test_out_of_connections(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HTTP_CONNS_MAX; i++)
        start(&calls[i]);
    struct http_call *last = &calls[HTTP_CONNS_MAX];
    assert_int_equal(http_start(last, &loop, &request), -1);
    assert_null(last->conn);
    assert_string_equal(last->error, "all connections are in use");
    assert_false(holds_secret(last));
    assert_int_equal(loop.timer_count, HTTP_CONNS_MAX);
    http_cancel(&calls[5]);
    start(last);
    assert_int_equal(dones, 0);
}

static void test_the_longest_idle_one_gives_way(void **state)
{
    char text[64];
    struct line *idle[HTTP_CONNS_MAX];
    (void)state;
    for (unsigned i = 0; i < HTTP_CONNS_MAX; i++) {
        (void)snprintf(text, sizeof(text), "http://s%u.lan", i);
        server = url_from(text);
        /* The fourth is the oldest. */
        loop.now.boot_ms = T0 + (i == 3 ? 0 : 100 + i);
        idle[i] = leave_idle();
    }
    server = url_from("http://new.lan");
    request.deadline_ms = T0 + 2 * HTTP_IDLE_MS;
    start(call);
    assert_int_equal(opens, HTTP_CONNS_MAX + 1);
    assert_ptr_equal(line_for(call), idle[3]);
    for (unsigned i = 0; i < HTTP_CONNS_MAX; i++)
        assert_int_equal(idle[i]->conn->stage, i == 3 ? CONN_RESOLVING : CONN_OPEN);
    start(&calls[1]);
    assert_ptr_equal(line_for(&calls[1]), idle[0]);
    turn(T0 + HTTP_IDLE_MS); /* its idle time does not end any more */
    assert_int_equal(idle[3]->conn->stage, CONN_RESOLVING);
}

/* ---- What done() may do ---- */

static void test_done_may_start_the_next(void **state)
{
    struct url other = url_from("http://other.lan");
    struct http_request next = request;
    (void)state;
    next.server = &other;
    struct line *line = bring_to(call, HTTP_WAITING);
    done_starts = &request; /* over the same connection */
    answers(line, ANSWER);
    assert_int_equal(dones, 1);
    assert_ptr_equal(line_for(call), line);
    assert_true(call->reused);
    assert_int_equal(call->parse.status, 0);
    done_starts = &next; /* over another one, though this one is broken */
    break_off(line, "broken");
    /* It was replaced first. */
    assert_int_equal(dones, 1);
    open_up(line_for(call));
    break_off(line_for(call), "broken again");
    assert_int_equal(dones, 2);
    done_starts = &request;
    turn(T0 + LIMIT); /* from the deadline */
    assert_int_equal(dones, 3);
    assert_non_null(call->conn);
    assert_true(holds_secret(call));
}

static void test_done_may_cancel_another(void **state)
{
    (void)state;
    struct line *line = bring_to(&calls[1], HTTP_WAITING);
    (void)bring_to(&calls[2], HTTP_READING);
    done_cancels = &calls[2];
    answers(line, ANSWER);
    assert_int_equal(dones, 1);
    assert_null(calls[2].conn);
    /* Both due in one turn. */
    (void)bring_to(&calls[2], HTTP_CONNECTING);
    (void)bring_to(&calls[3], HTTP_CONNECTING);
    done_cancels = &calls[3];
    turn(T0 + LIMIT);
    assert_int_equal(dones, 2);
    assert_ptr_equal(done_call, &calls[2]);
}

/* ---- What cannot be started ---- */

static void test_out_of_timers(void **state)
{
    (void)state;
    timers_left = 0;
    assert_int_equal(http_start(call, &loop, &request), -1);
    timers_left = LOOP_TIMERS_MAX;
    assert_null(call->conn);
    assert_string_equal(call->error, "the loop is out of timers");
    assert_false(holds_secret(call));
    assert_int_equal(opens, 0);
}

static void test_a_head_that_is_too_large(void **state)
{
    static char headers[HTTP_REQUEST_HEAD_MAX];
    (void)state;
    start(call);
    size_t room = HTTP_REQUEST_HEAD_MAX - call->head_n + request.headers.n;
    http_cancel(call);
    memset(headers, 'x', sizeof(headers));
    memcpy(headers, SECRET, sizeof(SECRET) - 1);
    request.headers = (struct span){headers, room};
    start(call);
    assert_int_equal(call->head_n, HTTP_REQUEST_HEAD_MAX);
    http_cancel(call);
    request.headers.n++;
    assert_int_equal(http_start(call, &loop, &request), -1);
    assert_null(call->conn);
    assert_string_equal(call->error, "the head of the request is too large");
    assert_false(holds_secret(call));
    assert_int_equal(loop.timer_count, 0);
    assert_int_equal(opens, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_call),
        TEST(test_without_a_body),
        TEST(test_tls_is_told_of),
        TEST(test_the_answer_in_every_two_pieces),
        TEST(test_a_date_to_come_again),
        TEST(test_a_long_answer),
        TEST(test_the_request_in_every_two_pieces),
        TEST(test_the_request_byte_by_byte),
        TEST(test_a_body_as_large_as_the_answer_may_be),
        TEST(test_head_and_body_leave_together),
        TEST(test_an_early_answer_stops_the_sending),
        TEST(test_an_early_answer_and_a_broken_pipe),
        TEST(test_an_answer_before_the_request),
        TEST(test_an_answer_that_begins_before_the_request),
        TEST(test_an_early_answer_that_wants_the_rest),
        TEST(test_an_early_end),
        TEST(test_the_deadline_at_each_stage),
        TEST(test_how_long_it_was),
        TEST(test_cancelled_at_each_stage),
        TEST(test_the_connection_fails_at_each_stage),
        TEST(test_a_write_fails),
        TEST(test_a_read_fails),
        TEST(test_the_answer_ends_early),
        TEST(test_an_answer_up_to_the_end),
        TEST(test_what_is_not_http),
        TEST(test_what_fails_at_once_is_told_from_the_loop),
        TEST(test_what_fails_at_the_deadline_has_timed_out),
        TEST(test_a_kept_connection_serves_again),
        TEST(test_a_kept_connection_times_out),
        TEST(test_what_is_sent_once_uses_no_kept_connection),
        TEST(test_only_the_same_server_is_the_same),
        TEST(test_what_is_not_kept),
        TEST(test_no_timer_to_keep_it),
        TEST(test_a_stale_connection_is_replaced),
        TEST(test_it_is_replaced_once),
        TEST(test_the_deadline_covers_the_second_connection),
        TEST(test_an_answer_that_began_is_not_asked_for_again),
        TEST(test_stale_and_not_http),
        TEST(test_an_idle_connection_that_says_something),
        TEST(test_idle_for_too_long),
        TEST(test_a_call_ends_the_idle_time),
        TEST(test_idle_ones_are_closed_on_demand),
        TEST(test_the_lowest_connections_are_used),
        TEST(test_out_of_connections),
        TEST(test_the_longest_idle_one_gives_way),
        TEST(test_done_may_start_the_next),
        TEST(test_done_may_cancel_another),
        TEST(test_out_of_timers),
        TEST(test_a_head_that_is_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
