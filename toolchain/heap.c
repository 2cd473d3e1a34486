/* The C library's allocator in the program: a small one over fixed memory, in place of musl's.
 * After start-up nobody allocates but the child that looks a name up, and that ends soon; before,
 * only
 * --user reads the user and its groups. No thread but one.
 *
 * Blocks lie one behind another, each behind its size. Only the last one is given back, or grows
 * where it is, which is what getline(3) wants. */

#include "base/limits.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 16 /* what malloc(3) promises */
#define ROUND_UP(n) (((n) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT)

/* 1. used is a multiple of ALIGNMENT. 2. last is where the newest block's bytes begin, 0 = there
 * was none. */
static struct {
    size_t used;
    size_t last;
    _Alignas(ALIGNMENT) unsigned char bytes[HEAP_BYTES];
} heap;

static size_t size_of(const void *p)
{
    size_t n;

    memcpy(&n, (const unsigned char *)p - ALIGNMENT, sizeof(n));
    return n;
}

static int is_last(const void *p)
{
    return heap.last != 0 && p == heap.bytes + heap.last;
}

/* The bytes at begin as the last block. NULL: there is no room. */
static void *put(size_t begin, size_t n)
{
    if (n > HEAP_BYTES || ROUND_UP(n) > HEAP_BYTES - begin) {
        errno = ENOMEM;
        return NULL;
    }
    memcpy(heap.bytes + begin - ALIGNMENT, &n, sizeof(n));
    heap.last = begin;
    heap.used = begin + ROUND_UP(n);
    return heap.bytes + begin;
}

void *malloc(size_t n)
{
    if (heap.used > HEAP_BYTES - ALIGNMENT) {
        errno = ENOMEM;
        return NULL;
    }
    return put(heap.used + ALIGNMENT, n);
}

void free(void *p)
{
    if (!is_last(p))
        return;
    heap.used = heap.last - ALIGNMENT;
}

void *calloc(size_t count, size_t size)
{
    size_t n;
    void *p;

    if (__builtin_mul_overflow(count, size, &n)) {
        errno = ENOMEM;
        return NULL;
    }
    p = malloc(n);
    if (p != NULL)
        memset(p, 0, n);
    return p;
}

void *realloc(void *old, size_t n)
{
    if (old == NULL)
        return malloc(n);
    if (is_last(old))
        return put(heap.last, n);
    if (n <= size_of(old))
        return old;
    void *p = malloc(n);
    if (p != NULL)
        memcpy(p, old, size_of(old));
    return p;
}
