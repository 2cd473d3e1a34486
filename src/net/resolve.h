#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H
/* Names to addresses, by the C library's resolver (/etc/hosts, /etc/resolv.conf) in a short-lived
 * child with a deadline: a hung resolver costs a timeout, never the loop. Answers are kept for
 * RESOLVE_FRESH_MS; the last good ones stay, and serve while the resolver gives none. Addresses and
 * "localhost" need no child.
 *
 * The child blocks no signal, keeps nothing of ours open but its pipe, dies with its parent and at
 * the deadline. */

#include "loop/loop.h"

#include <netinet/in.h>

union resolve_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct resolve {
    struct loop *loop;
    const char *host; /* the caller's, unchanged until the end */
    void (*done)(void *arg, bool found);
    void *arg;
    pid_t child; /* 0 = none runs */
    struct loop_watch watch;
    struct loop_timer timer;
    /* The answer: IPv4 and IPv6 in turn, the one that worked last time first; ports are 0. */
    unsigned count;
    union resolve_address found[RESOLVE_ADDRESSES_MAX];
    const char *error; /* plain words, where nothing was found: "no such name", ... */
    char bytes[512];   /* of the child's answer */
    size_t bytes_n;
};

enum resolve_start {
    RESOLVE_FOUND,   /* the answer is there; done() does not come */
    RESOLVE_STARTED, /* done() comes from the loop, unless resolve_cancel() is called */
    RESOLVE_FAILED,  /* r->error; done() does not come */
};

/* A look-up ends by the earlier of deadline_ms (boot clock) and RESOLVE_LIMIT_MS from now; where a
 * last good answer is at hand, by RESOLVE_KNOWN_LIMIT_MS or with half of the time left to use it.
 * r->done and r->arg stand before. */
enum resolve_start resolve_start(struct resolve *r, struct loop *loop, const char *host,
                                 int64_t deadline_ms);
void resolve_cancel(struct resolve *r);

/* This address of the host took a connection: it goes first next time. */
void resolve_worked(const char *host, const union resolve_address *address);
/* Forgets all answers (a reload). */
void resolve_forget(void);

#endif
