#include "base/clock.h"

#include <time.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void test_now(void **state)
{
    struct timespec boot, wall;

    (void)state;
    struct now before = clock_now();
    assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &boot), 0);
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &wall), 0);
    struct now after = clock_now();
    int64_t boot_ms = (int64_t)boot.tv_sec * 1000 + boot.tv_nsec / 1000000;
    int64_t wall_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
    assert_true(before.boot_ms <= boot_ms && boot_ms <= after.boot_ms);
    assert_true(before.wall_ms <= wall_ms && wall_ms <= after.wall_ms);
}

static void test_offset(void **state)
{
    (void)state;
    assert_true(clock_offset((struct now){.boot_ms = 5, .wall_ms = 1005}) == 1000);
    assert_true(clock_offset((struct now){.boot_ms = 1005, .wall_ms = 5}) == -1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_now),
        cmocka_unit_test(test_offset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
