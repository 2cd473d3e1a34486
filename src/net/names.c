#include "net/names.h"

#include "base/span.h"

#include <string.h>

/* Invariant: count > 0 where host is not "". */
static struct name {
    char host[URL_HOST_MAX + 1];
    int64_t ask_ms; /* boot clock: from then on it is asked for anew */
    uint64_t used;  /* when it was last found or kept, by the count below */
    bool worked;    /* found[0] took a connection */
    unsigned count;
    union resolve_address found[RESOLVE_ADDRESSES_MAX];
} names[RESOLVE_NAMES_MAX];

static uint64_t uses;

bool names_same_address(const union resolve_address *a, const union resolve_address *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    if (a->any.sa_family == AF_INET)
        return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0 &&
           a->v6.sin6_scope_id == b->v6.sin6_scope_id;
}

static struct name *find(const char *host)
{
    for (size_t i = 0; i < RESOLVE_NAMES_MAX; i++)
        if (names[i].count > 0 && strcmp(names[i].host, host) == 0)
            return &names[i];
    return NULL;
}

/* A free one has never been used. */
static struct name *least_used(void)
{
    struct name *least = &names[0];

    for (size_t i = 1; i < RESOLVE_NAMES_MAX; i++)
        if (names[i].used < least->used)
            least = &names[i];
    return least;
}

/* Puts it first, where it is among them; the others keep their order. */
static bool put_first(struct name *name, const union resolve_address *address)
{
    for (unsigned i = 0; i < name->count; i++) {
        if (!names_same_address(&name->found[i], address))
            continue;
        union resolve_address first = name->found[i];
        memmove(&name->found[1], &name->found[0], i * sizeof(first));
        name->found[0] = first;
        return true;
    }
    return false;
}

unsigned names_find(const char *host, int64_t now_ms,
                    union resolve_address found[RESOLVE_ADDRESSES_MAX], bool *fresh)
{
    struct name *name = find(host);

    *fresh = false;
    if (name == NULL)
        return 0;
    name->used = ++uses;
    memcpy(found, name->found, name->count * sizeof(found[0]));
    *fresh = now_ms < name->ask_ms;
    return name->count;
}

void names_keep(const char *host, int64_t now_ms, const union resolve_address *found,
                unsigned count)
{
    struct name *name = find(host);

    if (name == NULL) {
        name = least_used();
        *name = (struct name){0};
        if (span_copy(name->host, sizeof(name->host), span_of(host)) != 0)
            return;
    }
    union resolve_address before = name->found[0];
    memcpy(name->found, found, count * sizeof(found[0]));
    name->count = count;
    name->worked = name->worked && put_first(name, &before);
    name->ask_ms = now_ms + RESOLVE_FRESH_MS;
    name->used = ++uses;
}

void names_failed(const char *host, int64_t now_ms)
{
    struct name *name = find(host);

    if (name != NULL)
        name->ask_ms = now_ms + RESOLVE_RETRY_MS;
}

void names_worked(const char *host, const union resolve_address *address)
{
    struct name *name = find(host);

    if (name != NULL && put_first(name, address))
        name->worked = true;
}

void names_forget(void)
{
    memset(names, 0, sizeof(names));
}
