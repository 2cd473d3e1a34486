#ifndef NET_CONN_H
#define NET_CONN_H
/* One connection to a server: name, address, TCP (or a unix socket, which needs neither), and TLS
 * where the URL says so, all within one deadline. Addresses are tried in turn: each but the last
 * gets its share of the time, at most CONN_TRY_MS, so that a broken IPv6 does not keep IPv4 from
 * answering. An error names the step and the address: "connecting to 192.0.2.1 port 11434:
 * Connection refused", or a socket's path.
 *
 * The callback runs from the loop only, never from a call of ours, and not after conn_close(). */

#include "net/resolve.h"
#include "net/tls.h"
#include "net/url.h"

enum conn_stage {
    CONN_CLOSED,
    CONN_RESOLVING,  /* "looking up the name" */
    CONN_CONNECTING, /* "connecting" */
    CONN_SECURING,   /* "in the TLS handshake" */
    CONN_OPEN,
    CONN_FAILED, /* until conn_close(); conn->error says why */
};

#define CONN_ERROR_MAX 223

/* 1. fd >= 0 exactly from CONN_CONNECTING to CONN_OPEN, and the watch is set then. 2. tls is in use
 * where secured. 3. timer is the deadline of CONN_CONNECTING and CONN_SECURING; in CONN_OPEN it is
 * set where changed() has to be called without poll(2). */
struct conn {
    struct loop *loop;
    struct url url;
    enum conn_stage stage;
    int fd;
    int64_t deadline_ms;
    unsigned address; /* being tried, or open */
    bool secured;
    struct resolve resolve;
    struct loop_watch watch;
    struct loop_timer timer;
    struct tls tls;
    /* Something changed: it opened, can be read or written, or failed. */
    void (*changed)(void *arg);
    void *arg;
    char error[CONN_ERROR_MAX + 1];
};

/* Starts; conn->changed and conn->arg stand before, all else is zero or was closed. deadline_ms
 * (boot clock) is for becoming CONN_OPEN, which is never in this call. 0, or -1 and conn->error
 * (stage CONN_FAILED): it failed at once. */
int conn_open(struct conn *conn, struct loop *loop, const struct url *url, int64_t deadline_ms);

/* Bytes taken, 0 to n; where it is less than n, changed() comes when there is room for more.
 * -1: failed, conn->error. */
ptrdiff_t conn_write(struct conn *conn, const char *bytes, size_t n);

/* Where changed() finds something to read, it is not called for that again before a read. */
enum conn_read {
    CONN_READ_SOME,  /* *n > 0 bytes: read on, or for what comes later changed() comes */
    CONN_READ_LATER, /* nothing now: changed() comes */
    CONN_READ_END,   /* the peer has closed, and said so: by TLS close_notify, or plain by FIN */
    CONN_READ_FAILED /* conn->error; a TLS stream cut short too */
};
enum conn_read conn_read(struct conn *conn, char *bytes, size_t cap, size_t *n);

/* At any stage. Says close_notify where TLS is open and there is room for it; waits for nothing. */
void conn_close(struct conn *conn);

const char *conn_stage_text(enum conn_stage stage);

#endif
