#include "net/redis_adapter.h"

#include "base/buf.h"
#include "net/redis_memory.h"

#include <hiredis/async.h>

#include <string.h>

/* hiredis asks for 16 KiB. What the guard has held back is given with what comes next. */
#define RAW_BYTES (16384 - RESP_LINE_MAX)

/* Shared by all connections: used within a call. Pages that no command needed are never touched. */
static char raw[RAW_BYTES];
static char command[REDIS_OUTPUT_MAX];

/* ---- What hiredis calls ---- */

static ssize_t fail(redisContext *c, const char *why)
{
    struct redis_adapter *a = c->privdata;

    a->error = why;
    c->err = REDIS_ERR_OTHER;
    return -1;
}

static ssize_t read_some(redisContext *c, char *out, size_t cap)
{
    struct redis_adapter *a = c->privdata;
    size_t n, out_n = 0;

    if (a->resp.error != NULL)
        return fail(c, a->resp.error);
    switch (conn_read(a->conn, raw, sizeof(raw), &n)) {
    case CONN_READ_SOME:
        break;
    case CONN_READ_LATER:
        a->nothing = true;
        return 0;
    case CONN_READ_END:
        return fail(c, "the server has closed the connection");
    case CONN_READ_FAILED:
        return fail(c, a->conn->error);
    }
    a->heard = true;
    /* A socket that gave less than it could is empty, and poll(2) tells of what comes. Of what a
     * TLS engine holds it does not. */
    a->nothing = n < sizeof(raw) && !a->conn->secured;
    ptrdiff_t taken = resp_feed(&a->resp, raw, n, out, cap, &out_n);
    /* The replies before what is broken are sound: they are dealt with first. */
    if (taken < 0)
        a->nothing = false;
    else if ((size_t)taken < n)
        return fail(c, "a reply that finds no room");
    return (ssize_t)out_n;
}

static ssize_t write_some(redisContext *c)
{
    struct redis_adapter *a = c->privdata;
    ptrdiff_t n = conn_write(a->conn, c->obuf, sdslen(c->obuf));

    if (n > 0)
        explicit_bzero(c->obuf, (size_t)n); /* the arena would keep AUTH */
    return n < 0 ? fail(c, a->conn->error) : (ssize_t)n;
}

/* Of hiredis' six hooks the three that tell something: it is read whenever something comes, and the
 * deadlines are the owner's. */

static void add_write(void *arg)
{
    struct redis_adapter *a = arg;

    a->wants_write = true;
}

static void del_write(void *arg)
{
    struct redis_adapter *a = arg;

    a->wants_write = false;
}

static const redisContextFuncs functions = {
    .async_read = redisAsyncRead,
    .async_write = redisAsyncWrite,
    .read = read_some,
    .write = write_some,
};

/* NULL: the context is freed, and forgets its callback. */
static void replied(redisAsyncContext *context, void *reply, void *arg)
{
    struct redis_adapter *a = arg;

    (void)context;
    if (reply != NULL)
        a->reply(a->arg, reply);
}

/* ---- In and out of hiredis ---- */

static struct redis_memory *enter(struct redis_adapter *a)
{
    a->running = true;
    return redis_memory_use(a->memory);
}

static void leave(struct redis_adapter *a, struct redis_memory *before)
{
    (void)redis_memory_use(before);
    a->running = false;
    if (a->ended)
        redis_memory_give_back(a->memory);
}

/* After hiredis has read or written. 0, or -1 and error. */
static int check(struct redis_adapter *a)
{
    const redisContext *c = &a->context->c;

    if (c->err == REDIS_ERR_OOM)
        a->error = "no memory is left for its replies";
    else if (c->err != 0 && a->error == NULL)
        a->error = "a reply that makes no sense";
    else if (a->context->replies.head == NULL)
        a->error = "no memory is left for hiredis";
    return a->error != NULL ? -1 : 0;
}

/* ---- From start to end ---- */

/* A context that has one callback for all replies. It is put there by hand: hiredis would look into
 * the command that it comes with. NULL: there is no memory. */
static redisAsyncContext *make_context(struct redis_adapter *a)
{
    /* A context without a descriptor can close none. */
    const redisOptions options = {.type = REDIS_CONN_USERFD,
                                  .options = REDIS_OPT_NOAUTOFREE,
                                  .endpoint.fd = REDIS_INVALID_FD,
                                  .privdata = a};
    redisAsyncContext *context = redisAsyncConnectWithOptions(&options);
    redisCallback *callback = hi_calloc(1, sizeof(*callback));

    if (context == NULL || callback == NULL) {
        hi_free(callback);
        redisAsyncFree(context);
        return NULL;
    }
    callback->fn = replied;
    callback->privdata = a;
    context->replies.head = context->replies.tail = callback;
    context->c.funcs = &functions;
    /* Connected: else it would call connect(2) to see. */
    context->c.flags |= REDIS_CONNECTED | REDIS_MONITORING;
    context->ev.data = a;
    context->ev.addWrite = add_write;
    context->ev.delWrite = del_write;
    context->ev.cleanup = del_write;
    return context;
}

int redis_adapter_start(struct redis_adapter *a)
{
    a->error = NULL;
    a->ended = false;
    resp_init(&a->resp, a->subscriber);
    a->memory = redis_memory_take();
    if (a->memory == NULL) {
        a->error = "more connections than there is memory for";
        return -1;
    }
    struct redis_memory *before = enter(a);
    a->context = make_context(a);
    leave(a, before);
    if (a->context == NULL) {
        redis_memory_give_back(a->memory);
        a->error = "no memory is left for hiredis";
        return -1;
    }
    a->wants_write = false;
    return 0;
}

void redis_adapter_end(struct redis_adapter *a)
{
    redisAsyncContext *context = a->context;

    if (context == NULL)
        return;
    a->context = NULL;
    a->ended = true;
    if (a->running) {
        redisAsyncFree(context); /* when the reply in hand was dealt with */
        return;
    }
    struct redis_memory *before = enter(a);
    redisAsyncFree(context);
    leave(a, before);
}

/* ---- Out ---- */

static void format(struct buf *out, const struct span *args, size_t count)
{
    buf_char(out, '*');
    buf_int(out, (int64_t)count);
    buf_str(out, "\r\n");
    for (size_t i = 0; i < count; i++) {
        buf_char(out, '$');
        buf_int(out, (int64_t)args[i].n);
        buf_str(out, "\r\n");
        buf_span(out, args[i]);
        buf_str(out, "\r\n");
    }
}

int redis_adapter_send(struct redis_adapter *a, const struct span *args, size_t count)
{
    struct buf b;

    buf_init(&b, command, sizeof(command));
    format(&b, args, count);
    if (buf_done(&b) != 0 || b.n > REDIS_OUTPUT_MAX - sdslen(a->context->c.obuf))
        return -1;
    a->wants_write = true;
    struct redis_memory *before = redis_memory_use(a->memory);
    int result = redisAppendFormattedCommand(&a->context->c, b.p, b.n);
    (void)redis_memory_use(before);
    explicit_bzero(b.p, b.n); /* it may have been AUTH */
    return result == REDIS_OK ? 0 : -1;
}

size_t redis_adapter_waiting(const struct redis_adapter *a)
{
    return sdslen(a->context->c.obuf);
}

int redis_adapter_flush(struct redis_adapter *a)
{
    if (!a->wants_write)
        return 0;
    struct redis_memory *before = enter(a);
    redisAsyncHandleWrite(a->context);
    leave(a, before);
    return check(a);
}

/* ---- In ---- */

enum redis_adapter_read redis_adapter_read(struct redis_adapter *a)
{
    a->heard = a->nothing = false;
    for (unsigned i = 0; i < REDIS_READS_MAX && !a->nothing; i++) {
        struct redis_memory *before = enter(a);
        redisAsyncHandleRead(a->context);
        leave(a, before);
        if (a->ended)
            return REDIS_ADAPTER_ENDED;
        if (check(a) != 0)
            return REDIS_ADAPTER_FAILED;
    }
    return a->nothing ? REDIS_ADAPTER_ALL : REDIS_ADAPTER_MORE;
}
