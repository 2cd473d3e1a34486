#include "base/buf.h"

#include "guard.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void test_builds(void **state)
{
    char storage[128];
    struct buf b;

    (void)state;
    buf_init(&b, storage, sizeof(storage));
    buf_str(&b, "a");
    buf_char(&b, '-');
    buf_span(&b, (struct span){"b\0c", 3});
    buf_bytes(&b, NULL, 0);
    buf_int(&b, INT64_MIN);
    buf_char(&b, ' ');
    buf_int(&b, INT64_MAX);
    buf_char(&b, ' ');
    buf_int(&b, 0);
    buf_int(&b, -1);
    buf_hex(&b, "\x00\x9f\xff", 3);
    static const char expected[] = "a-b\0c-9223372036854775808 9223372036854775807 0-1009fff";
    assert_int_equal(buf_done(&b), 0);
    assert_int_equal(buf_view(&b).n, sizeof(expected) - 1);
    assert_memory_equal(buf_view(&b).p, expected, sizeof(expected) - 1);
    assert_string_equal(buf_text(&b), expected);
    assert_int_equal(buf_view(&b).n, sizeof(expected) - 1);
}

/* What does not fit is left out whole, and so is all that follows. */
static void test_overflow_sticks(void **state)
{
    struct guard g;
    struct buf b;

    (void)state;
    guard_open(&g, 8);
    buf_init(&b, guard_put(&g, "????????", 8), 8);
    buf_str(&b, "1234567");
    buf_hex(&b, "x", 1);
    assert_int_equal(buf_done(&b), -1);
    buf_char(&b, '8');
    assert_int_equal(buf_view(&b).n, 7);
    assert_null(buf_text(&b));
    buf_reset(&b);
    assert_int_equal(buf_done(&b), 0);
    buf_str(&b, "12345678");
    assert_int_equal(buf_done(&b), 0);
    assert_null(buf_text(&b)); /* no room for the NUL */
    assert_int_equal(buf_done(&b), 0);
    buf_bytes(&b, NULL, 0);
    assert_int_equal(buf_done(&b), 0);
    buf_bytes(&b, "x", SIZE_MAX);
    assert_int_equal(buf_done(&b), -1);
    buf_reset(&b);
    buf_hex(&b, "x", SIZE_MAX / 2 + 2);
    assert_int_equal(buf_done(&b), -1);
    assert_int_equal(buf_view(&b).n, 0);
    buf_reset(&b);
    buf_int(&b, -1234567);
    assert_int_equal(buf_done(&b), 0);
    buf_reset(&b);
    buf_int(&b, -12345678);
    assert_int_equal(buf_done(&b), -1);
    guard_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_builds),
        cmocka_unit_test(test_overflow_sticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
