#include "net/http.h"

#include "net/http_field.h"
#include "net/http_pool.h"

#include <string.h>

/* Invariants of a call in flight (call->conn is set):
 * 1. Its connection is its own: the connection's callback is changed(), with the call.
 * 2. Its timer is set: for the deadline; where it failed before the loop ran, for the next turn.
 * 3. response holds the request only while it is handed to the connection, which is before any byte
 *    of the answer has come. */

#define READ_BYTES 8192 /* a turn of the loop reads in such pieces */

const char *http_stage_text(enum http_stage stage)
{
    switch (stage) {
    case HTTP_RESOLVING:
        return conn_stage_text(CONN_RESOLVING);
    case HTTP_CONNECTING:
        return conn_stage_text(CONN_CONNECTING);
    case HTTP_SECURING:
        return conn_stage_text(CONN_SECURING);
    case HTTP_SENDING:
        return "sending the request";
    case HTTP_WAITING:
        return "waiting for the answer";
    case HTTP_READING:
        break;
    }
    return "reading the answer";
}

/* ---- The end of a call ---- */

static void let_go(struct http_call *call, bool keep)
{
    struct http_conn *c = call->conn;

    call->conn = NULL;
    loop_timer_clear(call->loop, &call->timer);
    explicit_bzero(call->head, call->head_n);
    if (keep)
        http_pool_keep(c);
    else
        http_pool_drop(c);
}

/* The call is not ours any more after this. */
static void finish(struct http_call *call, enum http_result result, bool keep)
{
    call->result = result;
    let_go(call, keep);
    call->done(call);
}

static void set_error(struct http_call *call, const char *error)
{
    (void)span_cut_text(call->error, sizeof(call->error), error);
}

/* How far the connection is, while it is not open. */
static void note_stage(struct http_call *call, enum conn_stage stage)
{
    if (stage == CONN_RESOLVING)
        call->stage = HTTP_RESOLVING;
    else if (stage == CONN_CONNECTING)
        call->stage = HTTP_CONNECTING;
    else if (stage == CONN_SECURING)
        call->stage = HTTP_SECURING;
}

void http_cancel(struct http_call *call)
{
    if (call->conn == NULL)
        return;
    note_stage(call, call->conn->conn.stage);
    let_go(call, false);
}

static void time_out(struct http_call *call)
{
    struct buf b;

    note_stage(call, call->conn->conn.stage);
    buf_init(&b, call->error, sizeof(call->error));
    buf_str(&b, "no answer within ");
    buf_int(&b, call->limit_ms / 1000);
    if (call->limit_ms % 1000 >= 100) {
        buf_char(&b, '.');
        buf_int(&b, call->limit_ms % 1000 / 100);
    }
    buf_str(&b, " s (");
    buf_str(&b, http_stage_text(call->stage));
    buf_char(&b, ')');
    if (buf_text(&b) == NULL)
        set_error(call, "no answer in time");
    finish(call, HTTP_TIMED_OUT, false);
}

static void deadline_passed(struct loop *loop, void *arg)
{
    (void)loop;
    time_out(arg);
}

static void failed_at_once(struct loop *loop, void *arg)
{
    (void)loop;
    finish(arg, HTTP_BROKEN, false);
}

/* ---- The connection ---- */

static void changed(void *arg);

static void take_conn(struct http_call *call, struct http_conn *c)
{
    call->conn = c;
    c->conn.changed = changed;
    c->conn.arg = call;
}

/* As if nothing had been sent or come. */
static void start_over(struct http_call *call)
{
    call->sent = 0;
    call->reused = false;
    call->stage = HTTP_RESOLVING;
    call->tls_version = NULL;
    call->tls_suite = NULL;
    call->tls_resumed = false;
    http_parse_init(&call->parse, call->response, sizeof(call->response));
}

/* May run within http_start(), so it never ends the call itself. */
static void open_conn(struct http_call *call)
{
    struct conn *conn = &call->conn->conn;

    start_over(call);
    if (conn_open(conn, call->loop, call->request.server, call->request.deadline_ms) == 0)
        return;
    set_error(call, conn->error);
    call->timer.due = failed_at_once;
    (void)loop_timer_set(call->loop, &call->timer, call->loop->now.boot_ms); /* it only moves */
}

/* The connection, or what came over it, is of no use. One that was idle may have been closed by the
 * peer at any time before; as long as no answer has begun, that says nothing about the server. */
static void fail(struct http_call *call, const char *error)
{
    if (call->reused && !http_parse_began(&call->parse)) {
        conn_close(&call->conn->conn);
        open_conn(call);
    } else if (call->loop->now.boot_ms >= call->request.deadline_ms) {
        time_out(call);
    } else {
        set_error(call, error);
        finish(call, HTTP_BROKEN, false);
    }
}

static void note_tls(struct http_call *call)
{
    const struct conn *conn = &call->conn->conn;

    call->tls_version = conn->url.tls ? tls_version_text(&conn->tls) : NULL;
    call->tls_suite = conn->url.tls ? tls_suite_text(&conn->tls) : NULL;
    call->tls_resumed = conn->url.tls && conn->tls.resumed;
}

/* ---- Sending ---- */

static size_t request_bytes(const struct http_call *call)
{
    return call->head_n + call->request.body.n;
}

/* A server that has said no wants to hear no more. */
static bool is_sending(const struct http_call *call)
{
    return call->sent < request_bytes(call) && call->parse.status < 300;
}

/* What is to be sent next. At first, head and body are put together where the answer will come, so
 * that they leave in one piece. */
static struct span next_piece(struct http_call *call)
{
    const struct span body = call->request.body;

    if (call->sent >= call->head_n) {
        size_t sent = call->sent - call->head_n;
        return (struct span){body.p + sent, body.n - sent};
    }
    if (call->sent > 0 || body.n == 0 || request_bytes(call) > sizeof(call->response) ||
        http_parse_began(&call->parse))
        return (struct span){call->head + call->sent, call->head_n - call->sent};
    memcpy(call->response, call->head, call->head_n);
    memcpy(call->response + call->head_n, body.p, body.n);
    return (struct span){call->response, request_bytes(call)};
}

/* Sends what there is room for. */
static void send_request(struct http_call *call)
{
    struct conn *conn = &call->conn->conn;
    struct span piece;
    ptrdiff_t n;

    do {
        piece = next_piece(call);
        n = conn_write(conn, piece.p, piece.n);
        if (piece.p == call->response)
            explicit_bzero(call->response, call->head_n);
        if (n < 0) {
            fail(call, conn->error);
            return;
        }
        call->sent += (size_t)n;
    } while ((size_t)n == piece.n && is_sending(call));
    if (call->sent == request_bytes(call) && call->stage == HTTP_SENDING)
        call->stage = HTTP_WAITING;
}

/* ---- Receiving ---- */

static void answered(struct http_call *call, bool may_keep)
{
    if (call->parse.retry_after[0] != '\0')
        call->retry_after_ms =
            http_field_retry_after(span_of(call->parse.retry_after), call->loop->now.wall_ms);
    bool keep = may_keep && !call->request.once && call->parse.keep_alive &&
                call->sent == request_bytes(call);
    finish(call, HTTP_ANSWERED, keep);
}

static void closed(struct http_call *call)
{
    if (http_parse_end(&call->parse) == HTTP_PARSE_DONE)
        answered(call, false);
    else
        fail(call, call->parse.why);
}

/* false: the call has ended. */
static bool take_bytes(struct http_call *call, const char *bytes, size_t n)
{
    size_t used;
    enum http_parse_result result = http_parse_feed(&call->parse, bytes, n, &used);

    if (call->parse.status != 0)
        call->stage = HTTP_READING;
    if (result == HTTP_PARSE_MORE)
        return true;
    if (result == HTTP_PARSE_DONE)
        answered(call, used == n);
    else
        fail(call, call->parse.why);
    return false;
}

/* Reads what is there. false: nothing is left to do, the call has ended or starts anew. */
static bool receive(struct http_call *call)
{
    struct conn *conn = &call->conn->conn;
    char bytes[READ_BYTES];
    size_t n;

    do {
        switch (conn_read(conn, bytes, sizeof(bytes), &n)) {
        case CONN_READ_SOME:
            if (!take_bytes(call, bytes, n))
                return false;
            break;
        case CONN_READ_LATER:
            return true;
        case CONN_READ_END:
            closed(call);
            return false;
        case CONN_READ_FAILED:
            fail(call, conn->error);
            return false;
        }
    } while (n == sizeof(bytes)); /* what is less was all that was there */
    return true;
}

/* An answer that comes early is read first: sending on to a peer that has closed would lose it. */
static void changed(void *arg)
{
    struct http_call *call = arg;
    struct conn *conn = &call->conn->conn;

    note_stage(call, conn->stage);
    if (conn->stage == CONN_FAILED) {
        fail(call, conn->error);
    } else if (conn->stage == CONN_OPEN && call->stage < HTTP_SENDING) {
        call->stage = HTTP_SENDING;
        note_tls(call);
        send_request(call);
    } else if (conn->stage == CONN_OPEN && receive(call) && is_sending(call)) {
        send_request(call);
    }
}

/* ---- The start ---- */

static int put_head(struct http_call *call)
{
    const struct http_request *request = &call->request;
    struct buf b;

    buf_init(&b, call->head, sizeof(call->head));
    buf_str(&b, request->method);
    buf_char(&b, ' ');
    buf_str(&b, request->server->path);
    buf_str(&b, request->path);
    buf_str(&b, " HTTP/1.1\r\nHost: ");
    url_authority(request->server, &b);
    buf_str(&b, "\r\nUser-Agent: planner-agent/" PLANNER_VERSION
                "\r\nAccept: application/json\r\nAccept-Encoding: identity\r\n");
    if (request->body.n > 0) {
        buf_str(&b, "Content-Type: application/json\r\nContent-Length: ");
        buf_int(&b, (int64_t)request->body.n);
        buf_str(&b, "\r\n");
    }
    if (request->once)
        buf_str(&b, "Connection: close\r\n");
    buf_span(&b, request->headers);
    buf_str(&b, "\r\n");
    call->head_n = b.n;
    return buf_done(&b);
}

/* All but the large arrays. */
static void reset(struct http_call *call, struct loop *loop, const struct http_request *request)
{
    call->loop = loop;
    call->request = *request;
    call->conn = NULL;
    call->timer = (struct loop_timer){.due = deadline_passed, .arg = call};
    call->limit_ms = request->deadline_ms - loop->now.boot_ms;
    if (call->limit_ms < 0)
        call->limit_ms = 0;
    call->result = HTTP_BROKEN;
    call->retry_after_ms = -1;
    call->error[0] = '\0';
    start_over(call);
}

/* What http_start() could not have: nothing is in flight. */
static int refuse(struct http_call *call, const char *error)
{
    loop_timer_clear(call->loop, &call->timer);
    explicit_bzero(call->head, call->head_n);
    set_error(call, error);
    return -1;
}

int http_start(struct http_call *call, struct loop *loop, const struct http_request *request)
{
    reset(call, loop, request);
    if (put_head(call) != 0)
        return refuse(call, "the head of the request is too large");
    if (loop_timer_set(loop, &call->timer, request->deadline_ms) != 0)
        return refuse(call, "the loop is out of timers");
    struct http_conn *c = request->once ? NULL : http_pool_reuse(request->server);
    bool reused = c != NULL;
    if (!reused)
        c = http_pool_fresh();
    if (c == NULL)
        return refuse(call, "all connections are in use");
    take_conn(call, c);
    if (!reused) {
        open_conn(call);
        return 0;
    }
    call->reused = true;
    call->stage = HTTP_SENDING;
    note_tls(call);
    send_request(call); /* what failed starts anew */
    return 0;
}

void http_close_idle(void)
{
    http_pool_close_idle();
}
