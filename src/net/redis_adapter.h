#ifndef NET_REDIS_ADAPTER_H
#define NET_REDIS_ADAPTER_H
/* hiredis' asynchronous context on a connection of ours that is open: what comes goes through
 * net/resp into its reader, its memory is an arena of net/redis_memory. It never sees a descriptor,
 * a clock or an event loop: who owns the connection says when to read and to write.
 *
 * hiredis is told that the context monitors (REDIS_MONITORING), and so gives each reply to the one
 * callback that it knows, in order: answers, messages of channels, and what nobody asked for. Which
 * is which is the owner's to say. hiredis' own tables of commands and channels stay empty, and with
 * them the assertions that a hostile server might make fail. */

#include "net/conn.h"
#include "net/resp.h"

struct redisAsyncContext;
struct redisReply; /* hiredis: <hiredis/hiredis.h> */

struct redis_adapter {
    /* Set by the owner, and kept valid: */
    struct conn *conn; /* CONN_OPEN from the start to the end */
    bool subscriber;
    /* A reply, never NULL, which lives as long as the call. It may end the adapter. */
    void (*reply)(void *arg, const struct redisReply *reply);
    void *arg;
    /* Why it failed; it lives as long as conn and adapter do. */
    const char *error;
    /* Its own: */
    struct redisAsyncContext *context; /* NULL: ended */
    struct redis_memory *memory;
    struct resp resp;
    bool wants_write;
    bool heard;   /* something came, in this read */
    bool nothing; /* but there is no more */
    bool running; /* hiredis is on the stack, and may not be freed */
    bool ended;   /* meanwhile */
};

/* 0, or -1 and error. Never from a reply. */
int redis_adapter_start(struct redis_adapter *a);
/* At any time, from a reply too: then it is over when that returns. The connection is not closed.
 */
void redis_adapter_end(struct redis_adapter *a);

/* Appends a command to what waits to be sent. 0, or -1: more than REDIS_OUTPUT_MAX would wait, or
 * there is no memory (the next flush fails). */
int redis_adapter_send(struct redis_adapter *a, const struct span *args, size_t count);
/* Bytes that wait to be sent; not where it has ended. */
size_t redis_adapter_waiting(const struct redis_adapter *a);
/* Writes what waits, as far as it goes: conn->changed() comes for the rest. Never from a reply. 0,
 * or -1 and error. */
int redis_adapter_flush(struct redis_adapter *a);

enum redis_adapter_read {
    REDIS_ADAPTER_ALL,    /* conn->changed() comes for more */
    REDIS_ADAPTER_MORE,   /* there may be more: call again in the next turn of the loop */
    REDIS_ADAPTER_FAILED, /* error */
    REDIS_ADAPTER_ENDED   /* in a reply */
};
/* Gives the replies that are there, of at most REDIS_READS_MAX reads. Never from a reply. */
enum redis_adapter_read redis_adapter_read(struct redis_adapter *a);

#endif
