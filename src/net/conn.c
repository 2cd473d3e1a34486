#include "net/conn.h"

#include "base/buf.h"
#include "base/log.h"
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

#define PLACE_MAX 64 /* bytes of a host in an error: the reason behind it must be seen */

_Static_assert(URL_SOCKET_MAX + 1 == sizeof(((struct sockaddr_un *)NULL)->sun_path), "a path");

static bool is_unix(const struct conn *conn)
{
    return conn->url.kind == URL_UNIX;
}

/* ---- Errors ---- */

/* "STEP PLACE port PORT: WHY"; no port where it is 0. */
static void set_error(struct conn *conn, const char *step, const char *place, uint16_t port,
                      const char *why)
{
    char storage[2 * CONN_ERROR_MAX + PLACE_MAX], shown[URL_SOCKET_MAX + 1];
    struct buf b;

    span_cut_text(shown, is_unix(conn) ? sizeof(shown) : PLACE_MAX, place);
    buf_init(&b, storage, sizeof(storage));
    buf_str(&b, step);
    buf_str(&b, shown);
    if (port != 0) {
        buf_str(&b, " port ");
        buf_int(&b, port);
    }
    buf_str(&b, ": ");
    buf_str(&b, why);
    span_cut(conn->error, sizeof(conn->error), buf_view(&b));
}

/* Of the address that is tried or open. */
static void set_address_error(struct conn *conn, const char *step, const char *why)
{
    char storage[INET6_ADDRSTRLEN];
    struct buf b;

    if (is_unix(conn)) {
        set_error(conn, step, conn->url.path, 0, why);
        return;
    }
    buf_init(&b, storage, sizeof(storage));
    address_text(&b, &conn->resolve.found[conn->address]);
    const char *text = buf_text(&b);
    set_error(conn, step, text != NULL ? text : "", conn->url.port, why);
}

static void set_tls_error(struct conn *conn, const char *why)
{
    set_error(conn, "TLS with ", conn->url.host, 0, why);
}

/* ---- Ends ---- */

static void close_socket(struct conn *conn)
{
    if (conn->fd < 0)
        return;
    loop_unwatch(conn->loop, &conn->watch);
    if (conn->secured)
        tls_end(&conn->tls, conn->fd);
    conn->secured = false;
    /* What was not sent by now is of no use to anybody. */
    (void)close(conn->fd);
    conn->fd = -1;
}

/* conn->error stands. */
static void fail(struct conn *conn)
{
    loop_timer_clear(conn->loop, &conn->timer);
    close_socket(conn);
    conn->stage = CONN_FAILED;
}

static void fail_and_tell(struct conn *conn)
{
    fail(conn);
    conn->changed(conn->arg);
}

void conn_close(struct conn *conn)
{
    if (conn->stage == CONN_CLOSED)
        return;
    if (conn->stage == CONN_RESOLVING)
        resolve_cancel(&conn->resolve);
    fail(conn);
    conn->stage = CONN_CLOSED;
}

/* ---- Addresses ---- */

static int64_t address_deadline(const struct conn *conn)
{
    int64_t now = conn->loop->now.boot_ms;
    int64_t share = (conn->deadline_ms - now) / (conn->resolve.count - conn->address);

    if (conn->address + 1 == conn->resolve.count)
        return conn->deadline_ms;
    return now + (share < CONN_TRY_MS ? share : CONN_TRY_MS);
}

static int watch_socket(struct conn *conn)
{
    conn->watch.fd = conn->fd;
    conn->watch.events = POLLOUT;
    if (loop_watch(conn->loop, &conn->watch) != 0 ||
        loop_timer_set(conn->loop, &conn->timer, address_deadline(conn)) != 0) {
        errno = ENOBUFS;
        return -1;
    }
    return 0;
}

/* Also one that connects at once is looked at from the loop. 0, or -1 with errno. */
static int start_socket(struct conn *conn, const struct sockaddr *address, socklen_t size)
{
    const int on = 1;

    conn->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0)
        return -1;
    /* Without it everything works, later. */
    if (!is_unix(conn))
        (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if ((connect(conn->fd, address, size) != 0 && errno != EINPROGRESS && errno != EINTR) ||
        watch_socket(conn) != 0) {
        int error = errno;
        close_socket(conn);
        errno = error;
        return -1;
    }
    return 0;
}

static int start_unix(struct conn *conn)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (span_copy(address.sun_path, sizeof(address.sun_path), span_of(conn->url.path)) != 0) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return start_socket(conn, (const struct sockaddr *)&address, sizeof(address));
}

static int start_connect(struct conn *conn)
{
    union resolve_address a = conn->resolve.found[conn->address];
    bool is_v6 = a.any.sa_family == AF_INET6;

    if (is_unix(conn))
        return start_unix(conn);
    if (is_v6)
        a.v6.sin6_port = htons(conn->url.port);
    else
        a.v4.sin_port = htons(conn->url.port);
    return start_socket(conn, &a.any, is_v6 ? sizeof(a.v6) : sizeof(a.v4));
}

/* From conn->address on. 0: one is being tried. -1: all failed, conn->error is the last one's. */
static int try_addresses(struct conn *conn)
{
    conn->stage = CONN_CONNECTING;
    for (; conn->address < conn->resolve.count; conn->address++) {
        if (conn->address > 0 && conn->loop->now.boot_ms >= conn->deadline_ms)
            return -1;
        if (start_connect(conn) == 0)
            return 0;
        set_address_error(conn, "connecting to ", log_errno(errno));
    }
    return -1;
}

static void try_next(struct conn *conn, const char *why)
{
    set_address_error(conn, "connecting to ", why);
    close_socket(conn);
    conn->address++;
    if (try_addresses(conn) != 0)
        fail_and_tell(conn);
}

/* ---- Opening ---- */

static void opened(struct conn *conn)
{
    loop_timer_clear(conn->loop, &conn->timer);
    conn->stage = CONN_OPEN;
    conn->error[0] = '\0'; /* of the addresses before */
    if (!is_unix(conn))
        resolve_worked(conn->url.host, &conn->resolve.found[conn->address]);
    conn->changed(conn->arg);
}

/* -1 and conn->error. */
static int pump(struct conn *conn)
{
    int events = tls_pump(&conn->tls, conn->fd);

    if (events < 0) {
        set_tls_error(conn, conn->tls.error);
        return -1;
    }
    conn->watch.events = (short)events;
    return 0;
}

static void shake_hands(struct conn *conn)
{
    if (pump(conn) != 0) {
        fail_and_tell(conn);
    } else if (tls_is_open(&conn->tls)) {
        opened(conn);
    } else if (conn->watch.events == 0) {
        set_tls_error(conn, "the server has closed the connection");
        fail_and_tell(conn);
    }
}

static void secure(struct conn *conn)
{
    conn->stage = CONN_SECURING;
    (void)loop_timer_set(conn->loop, &conn->timer, conn->deadline_ms); /* it is set, and moves */
    if (tls_start(&conn->tls, conn->url.host, conn->url.kind != URL_NAME, conn->url.port,
                  conn->loop->now) != 0) {
        set_tls_error(conn, conn->tls.error);
        fail_and_tell(conn);
        return;
    }
    conn->secured = true;
    shake_hands(conn);
}

static void connected(struct conn *conn)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error != 0) {
        try_next(conn, log_errno(error));
        return;
    }
    conn->watch.events = POLLIN;
    if (conn->url.tls)
        secure(conn);
    else
        opened(conn);
}

/* What the owner was told of is watched again when it has tried to use it. */
static void open_ready(struct conn *conn, short revents)
{
    if (conn->secured) {
        if (pump(conn) != 0)
            fail(conn);
    } else if ((revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
        conn->watch.events = 0;
    } else {
        conn->watch.events = (short)(conn->watch.events & ~revents);
    }
    conn->changed(conn->arg);
}

static void ready(struct loop *loop, void *arg, short revents)
{
    struct conn *conn = arg;

    (void)loop;
    if (conn->stage == CONN_CONNECTING)
        connected(conn);
    else if (conn->stage == CONN_SECURING)
        shake_hands(conn);
    else
        open_ready(conn, revents);
}

static void due(struct loop *loop, void *arg)
{
    struct conn *conn = arg;

    (void)loop;
    if (conn->stage == CONN_CONNECTING) {
        try_next(conn, "no answer");
    } else if (conn->stage == CONN_OPEN) {
        conn->changed(conn->arg);
    } else {
        set_tls_error(conn, "no answer in time");
        fail_and_tell(conn);
    }
}

static void resolved(void *arg, bool found)
{
    struct conn *conn = arg;

    if (!found)
        set_error(conn, "looking up ", conn->url.host, 0, conn->resolve.error);
    if (!found || try_addresses(conn) != 0)
        fail_and_tell(conn);
}

/* A socket's path stands for one address that needs no look-up. */
static enum resolve_start look_up(struct conn *conn)
{
    if (!is_unix(conn))
        return resolve_start(&conn->resolve, conn->loop, conn->url.host, conn->deadline_ms);
    conn->resolve.count = 1;
    return RESOLVE_FOUND;
}

int conn_open(struct conn *conn, struct loop *loop, const struct url *url, int64_t deadline_ms)
{
    conn->loop = loop;
    conn->url = *url;
    conn->stage = CONN_RESOLVING;
    conn->fd = -1;
    conn->deadline_ms = deadline_ms;
    conn->address = 0;
    conn->watch = (struct loop_watch){.ready = ready, .arg = conn};
    conn->timer = (struct loop_timer){.due = due, .arg = conn};
    conn->resolve.done = resolved;
    conn->resolve.arg = conn;
    conn->error[0] = '\0';
    switch (look_up(conn)) {
    case RESOLVE_STARTED:
        return 0;
    case RESOLVE_FOUND:
        if (try_addresses(conn) == 0)
            return 0;
        break;
    case RESOLVE_FAILED:
        set_error(conn, "looking up ", conn->url.host, 0, conn->resolve.error);
        break;
    }
    fail(conn);
    return -1;
}

/* ---- Open ---- */

/* The socket itself has failed. */
static void fail_using(struct conn *conn, const char *step)
{
    set_address_error(conn, step, log_errno(errno));
    fail(conn);
}

static ptrdiff_t write_plain(struct conn *conn, const char *bytes, size_t n)
{
    size_t taken = 0;

    while (taken < n) {
        ssize_t k = send(conn->fd, bytes + taken, n - taken, MSG_NOSIGNAL);
        if (k >= 0) {
            taken += (size_t)k;
        } else if (errno == EAGAIN) {
            conn->watch.events |= POLLOUT;
            break;
        } else if (errno != EINTR) {
            fail_using(conn, "writing to ");
            return -1;
        }
    }
    return (ptrdiff_t)taken;
}

static ptrdiff_t write_tls(struct conn *conn, const char *bytes, size_t n)
{
    size_t taken = 0, k;

    /* What was written before may have to go first. */
    if (pump(conn) != 0)
        goto failed;
    while (taken < n && (k = tls_write(&conn->tls, bytes + taken, n - taken)) > 0) {
        taken += k;
        if (pump(conn) != 0)
            goto failed;
    }
    /* The pump has taken something in, or the end: poll(2) will not tell of it. */
    if ((conn->watch.events & POLLIN) == 0 &&
        loop_timer_set(conn->loop, &conn->timer, conn->loop->now.boot_ms) != 0) {
        set_tls_error(conn, log_errno(ENOBUFS));
        goto failed;
    }
    return (ptrdiff_t)taken;

failed:
    fail(conn);
    return -1;
}

ptrdiff_t conn_write(struct conn *conn, const char *bytes, size_t n)
{
    if (conn->stage != CONN_OPEN)
        return -1;
    return conn->secured ? write_tls(conn, bytes, n) : write_plain(conn, bytes, n);
}

static enum conn_read read_plain(struct conn *conn, char *bytes, size_t cap, size_t *n)
{
    ssize_t k;

    do
        k = recv(conn->fd, bytes, cap, 0);
    while (k < 0 && errno == EINTR);
    if (k == 0) {
        conn->watch.events = (short)(conn->watch.events & ~POLLIN);
        return CONN_READ_END;
    }
    if (k < 0 && errno != EAGAIN) {
        fail_using(conn, "reading from ");
        return CONN_READ_FAILED;
    }
    conn->watch.events |= POLLIN;
    if (k < 0)
        return CONN_READ_LATER;
    *n = (size_t)k;
    return CONN_READ_SOME;
}

static enum conn_read read_tls(struct conn *conn, char *bytes, size_t cap, size_t *n)
{
    loop_timer_clear(conn->loop, &conn->timer); /* what it would have told is read now */
    *n = tls_read(&conn->tls, bytes, cap);
    if (*n == 0) {
        if (pump(conn) != 0) {
            fail(conn);
            return CONN_READ_FAILED;
        }
        *n = tls_read(&conn->tls, bytes, cap);
    }
    if (*n > 0) {
        /* There may be room for the next record now, which only the pump can tell. */
        conn->watch.events |= POLLIN;
        return CONN_READ_SOME;
    }
    return tls_is_closed(&conn->tls) ? CONN_READ_END : CONN_READ_LATER;
}

enum conn_read conn_read(struct conn *conn, char *bytes, size_t cap, size_t *n)
{
    *n = 0;
    if (conn->stage != CONN_OPEN)
        return CONN_READ_FAILED;
    /* recv(2) of nothing would look like the end. */
    if (cap == 0)
        return CONN_READ_LATER;
    return conn->secured ? read_tls(conn, bytes, cap, n) : read_plain(conn, bytes, cap, n);
}

const char *conn_stage_text(enum conn_stage stage)
{
    switch (stage) {
    case CONN_CLOSED:
        return "closed";
    case CONN_RESOLVING:
        return "looking up the name";
    case CONN_CONNECTING:
        return "connecting";
    case CONN_SECURING:
        return "in the TLS handshake";
    case CONN_OPEN:
        return "open";
    case CONN_FAILED:
        return "failed";
    }
    return "";
}
