#include "net/redis_memory.h"

#include <hiredis/alloc.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define CLASS_FIRST 5 /* 32 bytes: what hiredis needs most often are 64 */
#define CLASSES 18    /* to 4 MiB */
#define CLASS_BYTES(order) ((size_t)1 << (CLASS_FIRST + (order)))

_Static_assert(CLASS_BYTES(CLASSES - 1) >= REDIS_MEMORY_MAX, "every size has its class");

/* Stands before what hiredis is given, for as long as the arena does. */
struct block {
    uint32_t order; /* its class */
    uint32_t arena;
};

/* What a freed block holds. */
struct link {
    struct block *next;
};

/* 1. bytes[0, used) are blocks without a gap. 2. live of them are in use; the others are in the
 * list of their class, whose links are where the caller's bytes were. */
struct redis_memory {
    bool taken;
    size_t used;
    size_t live;
    struct block *freed[CLASSES];
    _Alignas(struct block) unsigned char bytes[REDIS_MEMORY_MAX];
};

static struct redis_memory arenas[REDIS_CONNECTIONS_MAX];
static struct redis_memory *current;

static void begin_anew(struct redis_memory *m)
{
    m->used = m->live = 0;
    for (unsigned i = 0; i < CLASSES; i++)
        m->freed[i] = NULL;
}

static struct block *block_of(void *p)
{
    return (struct block *)p - 1;
}

static struct redis_memory *arena_of(void *p)
{
    return &arenas[block_of(p)->arena];
}

/* The first class that has room for n bytes. */
static unsigned order_of(size_t n)
{
    const size_t most = CLASS_BYTES(0) - 1;

    return (unsigned)(64 - CLASS_FIRST - __builtin_clzll((n - (n != 0)) | most));
}

static void *allocate(struct redis_memory *m, size_t n)
{
    struct block *block;

    if (m == NULL || n > REDIS_MEMORY_MAX)
        return NULL;
    unsigned order = order_of(n);
    block = m->freed[order];
    if (block != NULL) {
        struct link link;
        memcpy(&link, block + 1, sizeof(link));
        m->freed[order] = link.next;
    } else {
        size_t size = sizeof(*block) + CLASS_BYTES(order);
        if (size > sizeof(m->bytes) - m->used)
            return NULL;
        block = (struct block *)(void *)&m->bytes[m->used];
        *block = (struct block){order, (uint32_t)(m - arenas)};
        m->used += size;
    }
    m->live++;
    return block + 1;
}

/* ---- For hiredis ---- */

static void *give(size_t n)
{
    return allocate(current, n);
}

static void *give_zeroed(size_t count, size_t size)
{
    void *p;

    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    p = give(count * size);
    if (p != NULL)
        memset(p, 0, count * size);
    return p;
}

static void take_back(void *p)
{
    if (p == NULL)
        return;
    struct redis_memory *m = arena_of(p);
    struct block *block = block_of(p);
    const struct link link = {m->freed[block->order]};
    memcpy(p, &link, sizeof(link));
    m->freed[block->order] = block;
    if (--m->live == 0)
        begin_anew(m);
}

static void *resize(void *p, size_t n)
{
    if (p == NULL)
        return give(n);
    size_t has = CLASS_BYTES(block_of(p)->order);
    if (n <= has)
        return p;
    void *moved = allocate(arena_of(p), n);
    if (moved != NULL) {
        memcpy(moved, p, has);
        take_back(p);
    }
    return moved;
}

static char *duplicate(const char *text)
{
    size_t n = strlen(text) + 1;
    char *p = give(n);

    return p != NULL ? memcpy(p, text, n) : NULL;
}

/* ---- For the connections ---- */

struct redis_memory *redis_memory_take(void)
{
    hiredisAllocFuncs functions = {.mallocFn = give,
                                   .callocFn = give_zeroed,
                                   .reallocFn = resize,
                                   .strdupFn = duplicate,
                                   .freeFn = take_back};

    for (unsigned i = 0; i < REDIS_CONNECTIONS_MAX; i++) {
        struct redis_memory *m = &arenas[i];
        if (!m->taken) {
            (void)hiredisSetAllocators(&functions); /* returns those before */
            m->taken = true;
            begin_anew(m);
            return m;
        }
    }
    return NULL;
}

void redis_memory_give_back(struct redis_memory *memory)
{
    memory->taken = false;
}

struct redis_memory *redis_memory_use(struct redis_memory *memory)
{
    struct redis_memory *before = current;

    current = memory;
    return before;
}
