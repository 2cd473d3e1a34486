#include "net/resolve.h"

#include "base/span.h"
#include "net/child.h"
#include "net/lookup.h"
#include "net/names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* Addresses looked at, of which RESOLVE_ADDRESSES_MAX are kept: musl gives 48 at most. */
#define CANDIDATES_MAX 48

/* What the child writes, at once. */
struct answer {
    uint32_t result; /* enum lookup_result */
    uint32_t count;
    union resolve_address found[RESOLVE_ADDRESSES_MAX];
};

_Static_assert(sizeof(struct answer) < sizeof(((struct resolve *)0)->bytes),
               "there is room for it, and for one byte too many");

/* ---- In the child ---- */

/* Nobody can be connected to there; who names such an address has something else in mind. */
static bool is_usable(const union resolve_address *a)
{
    static const uint8_t zero[10];
    const uint8_t *b;

    switch (a->any.sa_family) {
    case AF_INET:
        b = (const uint8_t *)&a->v4.sin_addr;
        return b[0] != 0 && b[0] < 224; /* "this network"; multicast, reserved, broadcast */
    case AF_INET6:
        b = (const uint8_t *)&a->v6.sin6_addr;
        if (memcmp(b, zero, sizeof(zero)) == 0) /* unspecified, IPv4 in another dress */
            return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
        return b[0] != 0xff;
    default:
        return false;
    }
}

static bool is_among(const struct answer *answer, const union resolve_address *a)
{
    for (unsigned i = 0; i < answer->count; i++)
        if (names_same_address(&answer->found[i], a))
            return true;
    return false;
}

/* The next usable one of the family (or of any other) from *at on. */
static const union resolve_address *next(const union resolve_address *all, unsigned count,
                                         unsigned *at, sa_family_t family, bool other)
{
    while (*at < count) {
        const union resolve_address *a = &all[(*at)++];
        if (is_usable(a) && (a->any.sa_family != family) == other)
            return a;
    }
    return NULL;
}

/* The two families in turn, beginning with the first one's. */
static void pick(struct answer *answer, const union resolve_address *all, unsigned count)
{
    unsigned at[2] = {0, 0};
    bool left[2] = {true, true};
    unsigned first = 0;

    while (first < count && !is_usable(&all[first]))
        first++;
    if (first == count)
        return;
    for (unsigned other = 0; left[0] || left[1]; other = !other) {
        const union resolve_address *a;
        do
            a = next(all, count, &at[other], all[first].any.sa_family, other != 0);
        while (a != NULL && is_among(answer, a));
        left[other] = a != NULL;
        if (a != NULL && answer->count < RESOLVE_ADDRESSES_MAX)
            answer->found[answer->count++] = *a;
    }
}

static void look_up(const void *host, int fd)
{
    union resolve_address all[CANDIDATES_MAX];
    struct answer answer = {0};
    unsigned count = 0;

    answer.result = lookup_name(host, all, CANDIDATES_MAX, &count);
    if (answer.result == LOOKUP_FOUND)
        pick(&answer, all, count);
    /* Whether somebody still wants to know it, we cannot tell. */
    if (write(fd, &answer, sizeof(answer)) != (ssize_t)sizeof(answer))
        return;
}

/* ---- In the parent ---- */

static void end_child(struct resolve *r)
{
    loop_unwatch(r->loop, &r->watch);
    loop_timer_clear(r->loop, &r->timer);
    /* Only read from: there is nothing that close(2) could report. */
    (void)close(r->watch.fd);
    child_end(r->loop, r->child);
    r->child = 0;
}

/* The last good answer, where no new one is to be had. */
static bool fall_back(struct resolve *r, const char *why)
{
    int64_t now = r->loop->now.boot_ms;
    bool fresh;

    names_failed(r->host, now);
    r->count = names_find(r->host, now, r->found, &fresh);
    r->error = r->count > 0 ? NULL : why;
    return r->count > 0;
}

static void fail(struct resolve *r, const char *why)
{
    end_child(r);
    r->done(r->arg, fall_back(r, why));
}

/* Takes over what an address is, and nothing else of the child's bytes. */
static bool take_address(union resolve_address *out, const union resolve_address *in)
{
    memset(out, 0, sizeof(*out));
    out->any.sa_family = in->any.sa_family;
    switch (in->any.sa_family) {
    case AF_INET:
        out->v4.sin_addr = in->v4.sin_addr;
        return true;
    case AF_INET6:
        out->v6.sin6_addr = in->v6.sin6_addr;
        out->v6.sin6_scope_id = in->v6.sin6_scope_id;
        return true;
    default:
        return false;
    }
}

/* NULL: the answer is in found. Else why there is none. The child has read what a stranger sent,
 * and is believed no more than one. */
static const char *read_answer(const struct resolve *r, union resolve_address *found,
                               unsigned *count)
{
    struct answer answer;

    if (r->bytes_n == 0)
        return "the look-up broke off";
    if (r->bytes_n != sizeof(answer))
        return "the look-up's answer is malformed";
    memcpy(&answer, r->bytes, sizeof(answer));
    switch (answer.result) {
    case LOOKUP_FOUND:
        break;
    case LOOKUP_NO_NAME:
        return "no such name";
    case LOOKUP_NO_ANSWER:
        return "no answer from the name server";
    default:
        return "the look-up failed";
    }
    if (answer.count == 0)
        return "the name server gives no usable address";
    if (answer.count > RESOLVE_ADDRESSES_MAX)
        return "the look-up's answer is malformed";
    for (*count = 0; *count < answer.count; ++*count)
        if (!take_address(&found[*count], &answer.found[*count]))
            return "the look-up's answer is malformed";
    return NULL;
}

static void answered(struct resolve *r)
{
    union resolve_address found[RESOLVE_ADDRESSES_MAX];
    int64_t now = r->loop->now.boot_ms;
    unsigned count;
    bool fresh;
    const char *why = read_answer(r, found, &count);

    if (why != NULL) {
        fail(r, why);
        return;
    }
    end_child(r);
    names_keep(r->host, now, found, count);
    r->count = names_find(r->host, now, r->found, &fresh);
    r->done(r->arg, true);
}

static void readable(struct loop *loop, void *arg, short revents)
{
    struct resolve *r = arg;
    ssize_t n;

    (void)loop;
    (void)revents;
    do {
        n = read(r->watch.fd, r->bytes + r->bytes_n, sizeof(r->bytes) - r->bytes_n);
        if (n > 0)
            r->bytes_n += (size_t)n;
    } while (n > 0 && r->bytes_n < sizeof(r->bytes));
    if (n >= 0)
        answered(r);
    else if (errno != EAGAIN && errno != EINTR)
        fail(r, "the look-up broke off");
}

static void due(struct loop *loop, void *arg)
{
    (void)loop;
    fail(arg, "no answer from the name server");
}

/* With an older answer at hand there is no point in waiting until no time is left to use it. */
static int64_t limit_of(int64_t now_ms, int64_t deadline_ms, bool known)
{
    int64_t limit = now_ms + (known ? RESOLVE_KNOWN_LIMIT_MS : RESOLVE_LIMIT_MS);

    if (known)
        deadline_ms = now_ms + (deadline_ms - now_ms) / 2;
    return deadline_ms < limit ? deadline_ms : limit;
}

static int start_child(struct resolve *r, int64_t limit_ms)
{
    r->bytes_n = 0;
    r->watch = (struct loop_watch){.events = POLLIN, .ready = readable, .arg = r};
    r->timer = (struct loop_timer){.due = due, .arg = r};
    pid_t pid = child_start(look_up, r->host, RESOLVE_LIMIT_MS / 1000 + 1, &r->watch.fd);
    if (pid < 0)
        return -1;
    r->child = pid;
    if (loop_watch(r->loop, &r->watch) != 0 || loop_timer_set(r->loop, &r->timer, limit_ms) != 0) {
        end_child(r);
        return -1;
    }
    return 0;
}

/* An address, or the name that needs no look-up. IPv4 first there: most servers of a home lab
 * listen on it only. */
static bool is_plain(struct resolve *r)
{
    memset(r->found, 0, sizeof(r->found));
    if (inet_pton(AF_INET6, r->host, &r->found[0].v6.sin6_addr) == 1) {
        r->found[0].any.sa_family = AF_INET6;
        r->count = 1;
    } else if (inet_pton(AF_INET, r->host, &r->found[0].v4.sin_addr) == 1) {
        r->found[0].any.sa_family = AF_INET;
        r->count = 1;
    } else if (span_is_nocase(span_of(r->host), "localhost")) {
        r->found[0].v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        r->found[0].any.sa_family = AF_INET;
        r->found[1].v6.sin6_addr = in6addr_loopback;
        r->found[1].any.sa_family = AF_INET6;
        r->count = 2;
    }
    return r->count > 0;
}

enum resolve_start resolve_start(struct resolve *r, struct loop *loop, const char *host,
                                 int64_t deadline_ms)
{
    int64_t now = loop->now.boot_ms;
    bool fresh;

    r->loop = loop;
    r->host = host;
    r->child = 0;
    r->count = 0;
    r->error = NULL;
    if (is_plain(r))
        return RESOLVE_FOUND;
    if (strlen(host) > URL_HOST_MAX) {
        r->error = "no such name";
        return RESOLVE_FAILED;
    }
    r->count = names_find(host, now, r->found, &fresh);
    if (fresh)
        return RESOLVE_FOUND;
    if (start_child(r, limit_of(now, deadline_ms, r->count > 0)) == 0) {
        r->count = 0;
        return RESOLVE_STARTED;
    }
    return fall_back(r, "no look-up could be started") ? RESOLVE_FOUND : RESOLVE_FAILED;
}

void resolve_cancel(struct resolve *r)
{
    if (r->child != 0)
        end_child(r);
}

void resolve_worked(const char *host, const union resolve_address *address)
{
    names_worked(host, address);
}

void resolve_forget(void)
{
    names_forget();
}
