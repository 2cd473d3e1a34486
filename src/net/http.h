#ifndef NET_HTTP_H
#define NET_HTTP_H
/* HTTP/1.1 calls (RFC 9112): one struct a call, one deadline over all of it (name, connection, TLS,
 * sending, waiting, reading), cancel at any stage. Connections are ours, HTTP_CONNS_MAX of them,
 * kept open for the next call where the peer allows; one that proves to be dead before a byte of
 * the answer has come is replaced, once. Redirects are answers, never followed. */

#include "net/conn.h"
#include "net/http_parse.h"

/* All of it stays the caller's, unchanged until done() or http_cancel(). */
struct http_request {
    const struct url *server;
    const char *method;  /* "GET", "POST" */
    const char *path;    /* behind the server's own path: "/api/chat" */
    struct span headers; /* more lines, each ending in CRLF; Host, Content-Length, Content-Type
                            (JSON), Accept, Accept-Encoding and User-Agent are made here */
    struct span body;    /* empty = none */
    bool once; /* has a connection of its own: over a kept one, which may prove to be dead,
                  it could be sent twice (RFC 9110, section 9.2.2) */
    int64_t deadline_ms; /* boot clock */
};

enum http_result {
    HTTP_ANSWERED, /* a whole response, whatever its status */
    HTTP_TIMED_OUT,
    HTTP_BROKEN, /* name, network, TLS, or not HTTP: call->error */
};

enum http_stage {
    HTTP_RESOLVING, /* these three as conn has them */
    HTTP_CONNECTING,
    HTTP_SECURING,
    HTTP_SENDING,
    HTTP_WAITING, /* for the answer's status line */
    HTTP_READING,
};
/* "connecting", "waiting for the answer", ... */
const char *http_stage_text(enum http_stage stage);

#define HTTP_ERROR_MAX 223

struct http_conn;

struct http_call {
    struct loop *loop;
    struct http_request request;
    void (*done)(struct http_call *call);
    void *arg;
    struct http_conn *conn;  /* NULL = not in flight */
    struct loop_timer timer; /* the deadline; once the call has failed, done() */
    int64_t limit_ms;        /* from the start to the deadline */
    size_t sent;             /* of head and body */
    bool reused;             /* the connection had served before */
    size_t head_n;
    char head[HTTP_REQUEST_HEAD_MAX]; /* wiped at the end: it may hold a key */
    /* The answer; body is in response. */
    enum http_result result;
    enum http_stage stage; /* reached; HTTP_RESOLVING where it broke before it was open */
    struct http_parse parse;
    int64_t retry_after_ms;  /* -1 = not named */
    const char *tls_version; /* NULL = no TLS */
    const char *tls_suite;
    bool tls_resumed;
    char error[HTTP_ERROR_MAX + 1];
    char response[HTTP_BODY_MAX];
};

/* call->done and call->arg stand before; done() runs from the loop, exactly once unless the call is
 * cancelled. 0, or -1 where we are out of connections, timers or header room (call->error). */
int http_start(struct http_call *call, struct loop *loop, const struct http_request *request);
/* Nothing happens where it is not in flight. */
void http_cancel(struct http_call *call);

/* Closes connections that no call uses (a reload, the end). */
void http_close_idle(void);

#endif
