#ifndef NET_HTTP_POOL_H
#define NET_HTTP_POOL_H
/* HTTP_CONNS_MAX connections, each free, in a call's hands, or idle: open, and waiting for the next
 * call to its server until HTTP_IDLE_MS have passed or the peer closes it. The lowest ones are
 * taken first, so that the memory of the others is never touched. */

#include "net/conn.h"

struct http_conn {
    struct conn conn; /* its callback is the call's while a call has it */
    enum { HTTP_CONN_FREE, HTTP_CONN_TAKEN, HTTP_CONN_IDLE } use;
    struct loop_timer timer; /* of HTTP_CONN_IDLE */
};

/* Takes an open one to this server, or NULL. */
struct http_conn *http_pool_reuse(const struct url *server);
/* Takes one that is not open, closing the longest idle one where all are in use; NULL where calls
 * have them all. */
struct http_conn *http_pool_fresh(void);

/* Give one back, open or closed. */
void http_pool_keep(struct http_conn *c);
void http_pool_drop(struct http_conn *c);

void http_pool_close_idle(void);

#endif
