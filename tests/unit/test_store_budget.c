#include "store/budget.h"

#include "base/limits.h"
#include "base/log.h"

#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define FILE_NAME TREE_STATE "/paid_calls"
#define DAY_MS (24 * 3600 * INT64_C(1000))
#define NOON INT64_C(1780056000000) /* 2026-05-29T12:00:00Z */

static int make_tree(void **state)
{
    static struct tree tree;

    log_to(-1);
    scratch_open(&tree);
    scratch_dirs(&tree, TREE_STATE);
    *state = &tree;
    return 0;
}

static int remove_tree(void **state)
{
    scratch_close(*state);
    return 0;
}

static void take(const struct tree *tree, int64_t limit, int64_t at, enum budget_result expected,
                 int64_t expected_made)
{
    int64_t made;

    assert_int_equal(budget_take(tree, limit, at, &made), expected);
    assert_int_equal(made, expected_made);
}

static void test_counts_to_the_limit(void **state)
{
    take(*state, 2, NOON, BUDGET_TAKEN, 1);
    take(*state, 2, NOON + 1, BUDGET_TAKEN, 2);
    take(*state, 2, NOON + 2, BUDGET_SPENT, 2);
    assert_int_equal(budget_made(*state, NOON), 2);
    take(*state, 3, NOON + 3, BUDGET_TAKEN, 3); /* somebody has raised it */
}

static void test_none_allowed_touches_nothing(void **state)
{
    take(*state, 0, NOON, BUDGET_SPENT, 0);
    assert_int_equal(scratch_count(*state, TREE_STATE), 0);
    assert_int_equal(budget_made(*state, NOON), 0);
}

static void test_a_new_day_begins_at_midnight(void **state)
{
    take(*state, 1, NOON, BUDGET_TAKEN, 1);
    take(*state, 1, NOON + DAY_MS / 2 - 1, BUDGET_SPENT, 1);
    take(*state, 1, NOON + DAY_MS / 2, BUDGET_TAKEN, 1);
}

static void test_a_clock_set_back_ends_no_day(void **state)
{
    take(*state, 2, NOON, BUDGET_TAKEN, 1);
    take(*state, 2, NOON - DAY_MS, BUDGET_TAKEN, 2);
    take(*state, 2, NOON - DAY_MS, BUDGET_SPENT, 2);
    take(*state, 2, NOON, BUDGET_SPENT, 2);
    take(*state, 2, 5000, BUDGET_SPENT, 2); /* 1970: not set yet */
    take(*state, 2, NOON, BUDGET_SPENT, 2);
    take(*state, 2, NOON + DAY_MS, BUDGET_TAKEN, 1);
}

static void test_a_count_from_the_far_future_is_not_waited_for(void **state)
{
    take(*state, 2, NOON + 1000 * DAY_MS, BUDGET_TAKEN, 1);
    take(*state, 2, NOON, BUDGET_TAKEN, 2); /* its count goes on, today */
    take(*state, 2, NOON, BUDGET_SPENT, 2);
    take(*state, 2, NOON + DAY_MS, BUDGET_TAKEN, 1);
}

static void test_what_cannot_be_read_back_is_spent(void **state)
{
    static const char *const damaged[] = {
        "",
        "{}",
        "{\"kind\":\"paid_calls\",\"version\":1}\n{\"day\":\"2026-05-29\"}\n{\"lines\":1}\n",
        "{\"kind\":\"paid_calls\",\"version\":1}\n{\"day\":\"2026-05-29\",\"calls\":-1}\n"
        "{\"lines\":1}\n",
        "{\"kind\":\"paid_calls\",\"version\":1}\n{\"day\":\"May\",\"calls\":1}\n{\"lines\":1}\n",
    };

    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        scratch_put(*state, FILE_NAME, damaged[i]);
        if (i % 2 == 0) /* who only looks must not give the day back */
            assert_int_equal(budget_made(*state, NOON), BUDGET_CALLS_MAX);
        take(*state, 50, NOON, BUDGET_SPENT, BUDGET_CALLS_MAX);
        take(*state, 50, NOON, BUDGET_SPENT, BUDGET_CALLS_MAX);
        take(*state, 50, NOON + DAY_MS, BUDGET_TAKEN, 1);
    }
}

/* Killed between putting the damaged file aside and writing a new one. */
static void test_what_was_put_aside_is_spent(void **state)
{
    scratch_put(*state, FILE_NAME ".damaged", "?");
    take(*state, 50, NOON, BUDGET_SPENT, BUDGET_CALLS_MAX);
    take(*state, 50, NOON, BUDGET_SPENT, BUDGET_CALLS_MAX);
    take(*state, 50, NOON + DAY_MS, BUDGET_TAKEN, 1);
}

static void test_what_cannot_be_counted_is_not_made(void **state)
{
    struct tree elsewhere;
    int64_t made;

    (void)state;
    assert_int_equal(tree_init(&elsewhere, "/nonexistent-tree"), 0);
    assert_int_equal(budget_take(&elsewhere, 50, NOON, &made), BUDGET_FAULT);
    assert_int_equal(errno, ENOENT);
}

static void test_the_lock_is_waited_for_a_little(void **state)
{
    int64_t made;
    int fd = open(scratch_path(*state, TREE_STATE), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(budget_take(*state, 50, NOON, &made), BUDGET_FAULT);
    assert_int_equal(errno, EWOULDBLOCK);
    assert_int_equal(close(fd), 0);
    take(*state, 50, NOON, BUDGET_TAKEN, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, make_tree, remove_tree)
    const struct CMUnitTest tests[] = {
        TEST(counts_to_the_limit),
        TEST(none_allowed_touches_nothing),
        TEST(a_new_day_begins_at_midnight),
        TEST(a_clock_set_back_ends_no_day),
        TEST(a_count_from_the_far_future_is_not_waited_for),
        TEST(what_cannot_be_read_back_is_spent),
        TEST(what_was_put_aside_is_spent),
        TEST(what_cannot_be_counted_is_not_made),
        TEST(the_lock_is_waited_for_a_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
