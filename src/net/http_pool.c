#include "net/http_pool.h"

#include <string.h>

static struct http_conn pool[HTTP_CONNS_MAX];

static bool serves(const struct http_conn *c, const struct url *server)
{
    const struct url *url = &c->conn.url;

    return url->port == server->port && url->tls == server->tls &&
           strcmp(url->host, server->host) == 0;
}

void http_pool_drop(struct http_conn *c)
{
    if (c->use == HTTP_CONN_IDLE)
        loop_timer_clear(c->conn.loop, &c->timer);
    conn_close(&c->conn);
    c->use = HTTP_CONN_FREE;
}

struct http_conn *http_pool_reuse(const struct url *server)
{
    for (unsigned i = 0; i < HTTP_CONNS_MAX; i++) {
        struct http_conn *c = &pool[i];
        if (c->use == HTTP_CONN_IDLE && serves(c, server)) {
            loop_timer_clear(c->conn.loop, &c->timer);
            c->use = HTTP_CONN_TAKEN;
            return c;
        }
    }
    return NULL;
}

struct http_conn *http_pool_fresh(void)
{
    struct http_conn *found = NULL;

    for (unsigned i = 0; i < HTTP_CONNS_MAX; i++) {
        struct http_conn *c = &pool[i];
        if (c->use == HTTP_CONN_FREE) {
            c->use = HTTP_CONN_TAKEN;
            return c;
        }
        if (c->use == HTTP_CONN_IDLE &&
            (found == NULL || c->timer.deadline_ms < found->timer.deadline_ms))
            found = c;
    }
    if (found != NULL) {
        http_pool_drop(found);
        found->use = HTTP_CONN_TAKEN;
    }
    return found;
}

/* Nothing was asked: the peer has closed, or sends what is no answer to anything. */
static void idle_changed(void *arg)
{
    http_pool_drop(arg);
}

static void idle_long(struct loop *loop, void *arg)
{
    (void)loop;
    http_pool_drop(arg);
}

void http_pool_keep(struct http_conn *c)
{
    struct loop *loop = c->conn.loop;

    c->conn.changed = idle_changed;
    c->conn.arg = c;
    c->timer.due = idle_long;
    c->timer.arg = c;
    c->use = HTTP_CONN_IDLE;
    if (loop_timer_set(loop, &c->timer, loop->now.boot_ms + HTTP_IDLE_MS) != 0)
        http_pool_drop(c);
}

void http_pool_close_idle(void)
{
    for (unsigned i = 0; i < HTTP_CONNS_MAX; i++)
        if (pool[i].use == HTTP_CONN_IDLE)
            http_pool_drop(&pool[i]);
}
