/* Recoveries and the faults that they cover, in any reading order. */

#include "base/hash.h"
#include "planner/recovery.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define T0 INT64_C(5000000)
#define AT INT64_C(1780000000000)
#define KEY span_of("solaria/web")

static struct recoveries r;

static int begin(void **state)
{
    (void)state;
    memset(&r, 0, sizeof(r));
    return 0;
}

static void note(const char *source, int64_t at_ms, int64_t boot_ms)
{
    recovery_note(&r, KEY, span_of(source), false, at_ms, boot_ms);
}

static bool covers(const char *source, int64_t at_ms)
{
    return recovery_covers(&r, KEY, span_of(source), false, at_ms, T0);
}

static void test_nothing_read_covers_nothing(void **state)
{
    (void)state;
    assert_false(covers("a", AT));
    assert_false(covers("", 0));
    assert_false(recovery_covers(&r, KEY, span_of(""), true, 0, 0));
}

static void test_one_that_is_not_older_covers(void **state)
{
    (void)state;
    note("a", AT, T0);
    assert_true(covers("a", AT - 1));
    assert_true(covers("a", AT));
    assert_false(covers("a", AT + 1));
    assert_false(recovery_covers(&r, span_of("solaria/db"), span_of("a"), false, AT - 1, T0));
}

static void test_the_same_source_or_none(void **state)
{
    (void)state;
    note("a", AT, T0);
    assert_false(covers("b", AT));
    assert_true(covers("", AT));
    note("", AT + 10, T0);
    assert_true(covers("b", AT + 10));
    assert_true(covers("a", AT + 10));
    assert_false(covers("", AT + 11));
}

static void test_each_source_has_its_own_newest(void **state)
{
    (void)state;
    note("a", AT + 20, T0);
    note("b", AT, T0);
    assert_true(covers("b", AT));
    assert_false(covers("b", AT + 10));
    assert_true(covers("a", AT + 20));
    assert_true(covers("", AT + 20));
}

static void test_an_older_one_read_later_changes_nothing(void **state)
{
    (void)state;
    note("a", AT, T0);
    note("a", AT - 1000, T0 + 1);
    assert_true(covers("a", AT));
    note("a", AT + 1000, T0 + 2);
    assert_true(covers("a", AT + 1000));
}

static void test_node_online_covers_node_offline_only(void **state)
{
    (void)state;
    recovery_note(&r, KEY, span_of("a"), true, AT, T0);
    assert_false(recovery_covers(&r, KEY, span_of("a"), false, AT, T0));
    assert_true(recovery_covers(&r, KEY, span_of("a"), true, AT, T0));
    assert_false(recovery_covers(&r, KEY, span_of("a"), true, AT + 1, T0));
    assert_false(recovery_covers(&r, KEY, span_of("b"), true, AT, T0));
}

static void test_node_online_and_another_recovery_are_two(void **state)
{
    (void)state;
    note("a", AT, T0);
    recovery_note(&r, KEY, span_of("a"), true, AT + 10, T0);
    assert_true(covers("a", AT));
    assert_false(covers("a", AT + 10));
    assert_true(recovery_covers(&r, KEY, span_of("a"), true, AT + 10, T0));
    /* A recovery of the key covers its node_offline as well. */
    note("a", AT + 20, T0);
    assert_true(recovery_covers(&r, KEY, span_of("a"), true, AT + 20, T0));
}

static void test_it_is_forgotten_ten_minutes_after_it_was_read(void **state)
{
    (void)state;
    note("a", AT, T0);
    assert_true(recovery_covers(&r, KEY, span_of("a"), false, AT, T0 + RECOVERY_MEMORY_MS - 1));
    assert_false(recovery_covers(&r, KEY, span_of("a"), false, AT, T0 + RECOVERY_MEMORY_MS));
    /* What was forgotten does not keep an older one out. */
    note("a", AT - 1000, T0 + RECOVERY_MEMORY_MS);
    assert_true(recovery_covers(&r, KEY, span_of("a"), false, AT - 1000, T0 + RECOVERY_MEMORY_MS));
    assert_false(recovery_covers(&r, KEY, span_of("a"), false, AT, T0 + RECOVERY_MEMORY_MS));
}

static void test_a_touch_keeps_it(void **state)
{
    int64_t later = T0 + RECOVERY_MEMORY_MS - 1;
    (void)state;
    note("a", AT, T0);
    note("b", AT, T0);
    recovery_note(&r, span_of("solaria/db"), span_of("a"), false, AT, T0);
    recovery_touch(&r, hash_span(KEY), later);
    assert_true(recovery_covers(&r, KEY, span_of("a"), false, AT, later + RECOVERY_MEMORY_MS - 1));
    assert_true(recovery_covers(&r, KEY, span_of("b"), false, AT, later + RECOVERY_MEMORY_MS - 1));
    assert_false(recovery_covers(&r, KEY, span_of("a"), false, AT, later + RECOVERY_MEMORY_MS));
    assert_false(recovery_covers(&r, span_of("solaria/db"), span_of("a"), false, AT, later + 1));
    /* What was forgotten is not brought back. */
    recovery_touch(&r, hash_span(KEY), later + RECOVERY_MEMORY_MS);
    assert_false(recovery_covers(&r, KEY, span_of("a"), false, AT, later + RECOVERY_MEMORY_MS));
}

static void test_a_full_bucket_loses_what_was_read_longest_ago(void **state)
{
    char source[16];
    (void)state;
    for (int i = 0; i < RECOVERY_WAYS; i++) {
        snprintf(source, sizeof(source), "s%d", i);
        /* s3 is read first. */
        note(source, AT, T0 + (i == 3 ? 0 : 10 + i));
    }
    for (int i = 0; i < RECOVERY_WAYS; i++) {
        snprintf(source, sizeof(source), "s%d", i);
        assert_true(covers(source, AT));
    }
    note("new", AT, T0 + 100);
    assert_true(covers("new", AT));
    for (int i = 0; i < RECOVERY_WAYS; i++) {
        snprintf(source, sizeof(source), "s%d", i);
        assert_int_equal(covers(source, AT), i != 3);
    }
}

static void test_a_forgotten_one_makes_room(void **state)
{
    char source[16];
    int64_t later = T0 + RECOVERY_MEMORY_MS;
    (void)state;
    for (int i = 0; i < RECOVERY_WAYS; i++) {
        snprintf(source, sizeof(source), "s%d", i);
        note(source, AT, i == 5 ? T0 : later);
    }
    note("new", AT, later);
    for (int i = 0; i < RECOVERY_WAYS; i++) {
        snprintf(source, sizeof(source), "s%d", i);
        assert_int_equal(recovery_covers(&r, KEY, span_of(source), false, AT, later), i != 5);
    }
}

static void test_many_keys(void **state)
{
    char key[32];
    int covered = 0;
    (void)state;
    /* Half of what there is room for: all of them find a place. */
    for (int i = 0; i < RECOVERIES_MAX / 2; i++) {
        snprintf(key, sizeof(key), "n/%d", i);
        recovery_note(&r, span_of(key), span_of("a"), false, AT + i, T0);
    }
    for (int i = 0; i < RECOVERIES_MAX / 2; i++) {
        snprintf(key, sizeof(key), "n/%d", i);
        assert_false(recovery_covers(&r, span_of(key), span_of("a"), false, AT + i + 1, T0));
        covered += recovery_covers(&r, span_of(key), span_of("a"), false, AT + i, T0);
    }
    assert_int_equal(covered, RECOVERIES_MAX / 2);
}

static void test_a_clock_that_has_just_begun(void **state)
{
    (void)state;
    note("a", AT, 0);
    assert_true(recovery_covers(&r, KEY, span_of("a"), false, AT, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nothing_read_covers_nothing, begin),
        cmocka_unit_test_setup(test_one_that_is_not_older_covers, begin),
        cmocka_unit_test_setup(test_the_same_source_or_none, begin),
        cmocka_unit_test_setup(test_each_source_has_its_own_newest, begin),
        cmocka_unit_test_setup(test_an_older_one_read_later_changes_nothing, begin),
        cmocka_unit_test_setup(test_node_online_covers_node_offline_only, begin),
        cmocka_unit_test_setup(test_node_online_and_another_recovery_are_two, begin),
        cmocka_unit_test_setup(test_it_is_forgotten_ten_minutes_after_it_was_read, begin),
        cmocka_unit_test_setup(test_a_touch_keeps_it, begin),
        cmocka_unit_test_setup(test_a_full_bucket_loses_what_was_read_longest_ago, begin),
        cmocka_unit_test_setup(test_a_forgotten_one_makes_room, begin),
        cmocka_unit_test_setup(test_many_keys, begin),
        cmocka_unit_test_setup(test_a_clock_that_has_just_begun, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
