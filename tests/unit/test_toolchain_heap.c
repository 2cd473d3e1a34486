/* toolchain/heap.c, under other names: the program's is the only one that takes over malloc(3). */

#include "base/limits.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#undef malloc
#undef calloc
#undef realloc
#undef free
#define malloc heap_malloc
#define calloc heap_calloc
#define realloc heap_realloc
#define free heap_free

void *heap_malloc(size_t n);
void *heap_calloc(size_t count, size_t size);
void *heap_realloc(void *old, size_t n);
void heap_free(void *p);

#include "../../toolchain/heap.c"

static int begin_anew(void **state)
{
    (void)state;
    memset(&heap, 0x55, sizeof(heap));
    heap.used = heap.last = 0;
    return 0;
}

static int is_inside(const void *p, size_t n)
{
    const unsigned char *b = p;

    return b >= heap.bytes && n <= (size_t)(heap.bytes + HEAP_BYTES - b);
}

static void test_blocks(void **state)
{
    unsigned char *blocks[40];

    (void)state;
    for (size_t n = 0; n < 40; n++) {
        blocks[n] = heap_malloc(n);
        assert_non_null(blocks[n]);
        assert_int_equal((uintptr_t)blocks[n] % ALIGNMENT, 0);
        assert_true(is_inside(blocks[n], n));
        memset(blocks[n], (int)n, n);
    }
    for (size_t n = 0; n < 40; n++)
        for (size_t i = 0; i < n; i++)
            assert_int_equal(blocks[n][i], n);
}

static void test_freed(void **state)
{
    void *a = heap_malloc(10), *b = heap_malloc(10);

    (void)state;
    heap_free(NULL);
    heap_free(a); /* stays taken: it is not the last */
    void *c = heap_malloc(10);
    assert_true((unsigned char *)c > (unsigned char *)b);
    heap_free(c);
    assert_ptr_equal(heap_malloc(10), c);
    heap_free(c);
    heap_free(c); /* nobody's now */
    heap_free(b);
    assert_ptr_equal(heap_malloc(10), c);
}

static void test_zeros(void **state)
{
    unsigned char *p = heap_malloc(100);

    (void)state;
    memset(p, 0xff, 100);
    heap_free(p);
    assert_ptr_equal(heap_calloc(4, 25), p);
    for (int i = 0; i < 100; i++)
        assert_int_equal(p[i], 0);
    errno = 0;
    assert_null(heap_calloc(SIZE_MAX / 16 + 1, 32));
    assert_int_equal(errno, ENOMEM);
}

static void test_resized(void **state)
{
    unsigned char *p = heap_realloc(NULL, 20);

    (void)state;
    memset(p, 7, 20);
    assert_ptr_equal(heap_realloc(p, 4000), p);
    memset(p, 7, 4000);
    unsigned char *behind = heap_malloc(1);
    *behind = 9;
    assert_ptr_equal(heap_realloc(p, 4000), p);
    unsigned char *moved = heap_realloc(p, 4001);
    assert_true(moved > behind);
    for (int i = 0; i < 4000; i++)
        assert_int_equal(moved[i], 7);
    assert_int_equal(*behind, 9);
}

static void test_full(void **state)
{
    static const size_t too_large[] = {HEAP_BYTES - ALIGNMENT + 1, HEAP_BYTES, SIZE_MAX - 8,
                                       SIZE_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(too_large) / sizeof(too_large[0]); i++) {
        errno = 0;
        assert_null(heap_malloc(too_large[i]));
        assert_int_equal(errno, ENOMEM);
    }
    unsigned char *p = heap_malloc(HEAP_BYTES - ALIGNMENT);
    assert_true(is_inside(p, HEAP_BYTES - ALIGNMENT));
    errno = 0;
    assert_null(heap_malloc(0));
    assert_int_equal(errno, ENOMEM);
    assert_null(heap_realloc(p, HEAP_BYTES - ALIGNMENT + 1));
    assert_ptr_equal(heap_realloc(p, 16), p);
    p[0] = 3;
    assert_null(heap_realloc(p, SIZE_MAX));
    assert_int_equal(p[0], 3);
    assert_non_null(heap_malloc(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_blocks, begin_anew),
        cmocka_unit_test_setup(test_freed, begin_anew),
        cmocka_unit_test_setup(test_zeros, begin_anew),
        cmocka_unit_test_setup(test_resized, begin_anew),
        cmocka_unit_test_setup(test_full, begin_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
