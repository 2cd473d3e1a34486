/* The arenas that hiredis lives in. */

#include "net/redis_memory.h"

#include <hiredis/alloc.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct redis_memory *arena;

static int setup(void **state)
{
    (void)state;
    arena = redis_memory_take();
    assert_non_null(arena);
    assert_null(redis_memory_use(arena));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_ptr_equal(redis_memory_use(NULL), arena);
    redis_memory_give_back(arena);
    return 0;
}

/* How many blocks of n bytes are there? They are chained by their first bytes. */
static size_t exhaust(size_t n, void **chain)
{
    size_t count = 0;

    *chain = NULL;
    for (void *p; (p = hi_malloc(n)) != NULL; count++) {
        memcpy(p, chain, sizeof(p));
        *chain = p;
    }
    return count;
}

static void free_all(void *chain)
{
    for (void *next; chain != NULL; chain = next) {
        memcpy(&next, chain, sizeof(next));
        hi_free(chain);
    }
}

static void test_take(void **state)
{
    struct redis_memory *more[REDIS_CONNECTIONS_MAX];

    (void)state;
    for (size_t i = 1; i < COUNT(more); i++) {
        more[i] = redis_memory_take();
        assert_non_null(more[i]);
        assert_ptr_not_equal(more[i], arena);
    }
    assert_ptr_not_equal(more[1], more[2]);
    assert_null(redis_memory_take());
    redis_memory_give_back(more[2]);
    assert_ptr_equal(redis_memory_take(), more[2]);
    for (size_t i = 1; i < COUNT(more); i++)
        redis_memory_give_back(more[i]);
}

static void test_sizes(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 70000; n += n < 600 ? 1 : 997) {
        char *p = hi_malloc(n), *q = hi_malloc(n);
        assert_non_null(p);
        assert_non_null(q);
        assert_int_equal((uintptr_t)p % sizeof(uint64_t), 0);
        assert_true(p + n <= q || q + n <= p);
        memset(p, 'p', n);
        memset(q, 'q', n);
        for (size_t i = 0; i < n; i++)
            assert_true(p[i] == 'p' && q[i] == 'q');
        hi_free(q);
        hi_free(p);
    }
    assert_null(hi_malloc(REDIS_MEMORY_MAX));
    assert_null(hi_malloc(REDIS_MEMORY_MAX + 1));
    assert_null(hi_malloc(SIZE_MAX));
    hi_free(NULL);
}

static void test_zeroed(void **state)
{
    (void)state;
    char *keep = hi_malloc(1), *p = hi_malloc(96);
    memset(p, 0xff, 96);
    hi_free(p);
    char *again = hi_calloc(12, 8);
    assert_ptr_equal(again, p);
    for (size_t i = 0; i < 96; i++)
        assert_int_equal(again[i], 0);
    assert_null(hi_calloc(SIZE_MAX / 2, 4));
    assert_null(hiredisAllocFns.callocFn(SIZE_MAX / 4 + 2, 4));
    assert_non_null(hiredisAllocFns.callocFn(4, 0));
    hi_free(again);
    hi_free(keep);
}

static void test_resize(void **state)
{
    (void)state;
    char *p = hi_realloc(NULL, 5);
    memcpy(p, "12345", 5);
    assert_ptr_equal(hi_realloc(p, 32), p);
    assert_ptr_equal(hi_realloc(p, 1), p);
    char *q = hi_realloc(p, 33);
    assert_ptr_not_equal(q, p);
    assert_memory_equal(q, "12345", 5);
    assert_ptr_equal(hi_malloc(20), p); /* it was given back */
    for (size_t n = 64; n < 300000; n *= 3) {
        q = hi_realloc(q, n);
        assert_non_null(q);
        assert_memory_equal(q, "12345", 5);
        memset(q + 5, 'x', n - 5);
    }
    /* What finds no room stays as it was. */
    assert_null(hi_realloc(q, REDIS_MEMORY_MAX));
    assert_memory_equal(q, "12345xxx", 8);
    hi_free(q);
    hi_free(p);
}

static void test_duplicate(void **state)
{
    void *chain;

    (void)state;
    char *p = hi_strdup("text");
    assert_string_equal(p, "text");
    exhaust(1000000, &chain);
    void *small;
    exhaust(32, &small);
    assert_null(hi_strdup("text"));
    free_all(small);
    free_all(chain);
    hi_free(p);
}

/* What one connection lets free does not get lost, in whatever order. */
static void test_again(void **state)
{
    void *chain;

    (void)state;
    size_t first = exhaust(64, &chain);
    assert_in_range(first, REDIS_MEMORY_MAX / 80, REDIS_MEMORY_MAX / 64);
    assert_null(hi_malloc(1)); /* of a class of which there is none */
    void *one = chain;
    memcpy(&chain, one, sizeof(chain));
    hi_free(one);
    assert_ptr_equal(hi_malloc(40), one);
    hi_free(one);
    free_all(chain);
    /* All are freed: the arena has no shape any more, and any other fits. */
    assert_int_equal(exhaust(REDIS_MEMORY_MAX / 4, &chain), 3);
    free_all(chain);
    assert_int_equal(exhaust(64, &chain), first);
    free_all(chain);
}

/* Each block stays in its arena, whichever is in use when it is grown or freed. */
static void test_arenas(void **state)
{
    void *chain, *chain2;

    (void)state;
    struct redis_memory *other = redis_memory_take();
    char *p = hi_malloc(10);
    size_t left = exhaust(100000, &chain);
    assert_ptr_equal(redis_memory_use(other), arena);
    char *q = hi_malloc(10);
    assert_int_equal(exhaust(100000, &chain2), left); /* a whole one, too */
    free_all(chain2);
    assert_null(hi_realloc(p, 100000)); /* in the first one, which is full */
    free_all(chain);
    p = hi_realloc(p, 100000);
    assert_non_null(p);
    assert_ptr_equal(redis_memory_use(arena), other);
    hi_free(q);
    hi_free(p);
    assert_ptr_equal(redis_memory_use(NULL), arena);
    assert_null(hi_malloc(1));
    assert_ptr_equal(redis_memory_use(arena), NULL);
    redis_memory_give_back(other);
}

/* Any order of calls: no two blocks overlap, none changes by itself. */
static void test_random(void **state)
{
    static struct {
        unsigned char *p;
        size_t n;
        unsigned char fill;
    } held[64];
    uint32_t seed = 1;

    (void)state;
    for (unsigned turn = 0; turn < 20000; turn++) {
        seed = seed * 1664525 + 1013904223;
        unsigned i = (seed >> 8) % COUNT(held);
        size_t n = (seed >> 14) % (turn % 50 == 0 ? 60000 : 300) + 1;
        for (size_t k = 0; k < held[i].n; k++)
            if (held[i].p[k] != held[i].fill)
                fail_msg("byte %zu of %zu", k, held[i].n);
        size_t kept = held[i].n < n ? held[i].n : n;
        if ((seed >> 4) % 3 == 0) {
            hi_free(held[i].p);
            held[i].p = NULL;
            held[i].n = kept = n = 0;
        } else {
            held[i].p = hi_realloc(held[i].p, n);
            assert_non_null(held[i].p);
        }
        for (size_t k = 0; k < kept; k++)
            assert_int_equal(held[i].p[k], held[i].fill);
        held[i].n = n;
        held[i].fill = (unsigned char)turn;
        if (n > 0)
            memset(held[i].p, held[i].fill, n);
    }
    for (unsigned i = 0; i < COUNT(held); i++)
        hi_free(held[i].p);
    void *chain;
    assert_int_equal(exhaust(REDIS_MEMORY_MAX / 4, &chain), 3);
    free_all(chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_take, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_zeroed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resize, setup, teardown),
        cmocka_unit_test_setup_teardown(test_duplicate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_arenas, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
    };

    return cmocka_run_group_tests_name("net/redis_memory", tests, NULL, NULL);
}
