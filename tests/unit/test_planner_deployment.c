/* Deployments and the faults inside them, in any reading order. */

#include "base/log.h"
#include "planner/deployment.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define T0 INT64_C(5000000) /* boot clock */
#define AT INT64_C(1780000000000)
#define KEY span_of("solaria/web")

static struct deployments d;

static int begin(void **state)
{
    (void)state;
    memset(&d, 0xa5, sizeof(d));
    deployment_init(&d);
    log_to(-1);
    return 0;
}

/* Times of events are seconds after AT. */
static void started(int at_s)
{
    deployment_start(&d, KEY, AT + at_s * 1000, T0);
}

static void completed(int at_s)
{
    deployment_end(&d, KEY, true, AT + at_s * 1000, T0);
}

static void failed(int at_s)
{
    deployment_end(&d, KEY, false, AT + at_s * 1000, T0);
}

static enum deployment_view look(int at_s)
{
    return deployment_look(&d, KEY, AT + at_s * 1000, T0);
}

static void test_none_read(void **state)
{
    (void)state;
    assert_int_equal(look(0), DEPLOYMENT_NONE);
    assert_true(deployment_hold_until(&d, KEY, T0) == 0);
}

static void test_started_holds_what_is_not_older(void **state)
{
    (void)state;
    started(10);
    assert_int_equal(look(9), DEPLOYMENT_NONE);
    assert_int_equal(look(10), DEPLOYMENT_HOLDS);
    assert_int_equal(look(100), DEPLOYMENT_HOLDS);
    assert_true(deployment_hold_until(&d, KEY, T0) == T0 + DEPLOYMENT_HOLD_MS);
    assert_int_equal(deployment_look(&d, span_of("solaria/db"), AT + 10000, T0), DEPLOYMENT_NONE);
    assert_true(deployment_hold_until(&d, span_of("solaria/db"), T0) == 0);
}

static void test_completed_covers_what_lies_inside(void **state)
{
    (void)state;
    started(10);
    completed(20);
    assert_int_equal(look(9), DEPLOYMENT_NONE);
    assert_int_equal(look(10), DEPLOYMENT_COVERS);
    assert_int_equal(look(20), DEPLOYMENT_COVERS);
    assert_int_equal(look(21), DEPLOYMENT_NONE);
    assert_true(deployment_hold_until(&d, KEY, T0) == 0);
}

static void test_completed_read_before_started(void **state)
{
    (void)state;
    completed(20);
    assert_int_equal(look(15), DEPLOYMENT_NONE);
    assert_true(deployment_hold_until(&d, KEY, T0) == 0);
    started(10);
    assert_int_equal(look(9), DEPLOYMENT_NONE);
    assert_int_equal(look(15), DEPLOYMENT_COVERS);
    assert_int_equal(look(21), DEPLOYMENT_NONE);
    assert_true(deployment_hold_until(&d, KEY, T0) == 0);
}

static void test_failed_holds_and_covers_nothing(void **state)
{
    (void)state;
    started(10);
    failed(20);
    for (int at = 5; at < 30; at++)
        assert_int_equal(look(at), DEPLOYMENT_NONE);
    assert_true(deployment_hold_until(&d, KEY, T0) == 0);
}

static void test_failed_read_before_started(void **state)
{
    (void)state;
    failed(20);
    started(10);
    for (int at = 5; at < 30; at++)
        assert_int_equal(look(at), DEPLOYMENT_NONE);
    assert_true(deployment_hold_until(&d, KEY, T0) == 0);
}

static void test_the_hold_ends_after_ten_minutes(void **state)
{
    int64_t end = T0 + DEPLOYMENT_HOLD_MS;
    (void)state;
    started(10);
    assert_int_equal(deployment_look(&d, KEY, AT + 15000, end - 1), DEPLOYMENT_HOLDS);
    assert_true(deployment_hold_until(&d, KEY, end - 1) == end);
    assert_int_equal(deployment_look(&d, KEY, AT + 15000, end), DEPLOYMENT_NONE);
    assert_true(deployment_hold_until(&d, KEY, end) == 0);
    /* It completes all the same: what is read late lies inside. */
    deployment_end(&d, KEY, true, AT + 3600000, end + 1);
    assert_int_equal(deployment_look(&d, KEY, AT + 15000, end + 2), DEPLOYMENT_COVERS);
}

static void test_a_start_that_arrived_long_ago_holds_nothing(void **state)
{
    (void)state;
    deployment_start(&d, KEY, AT, T0 - DEPLOYMENT_HOLD_MS);
    assert_int_equal(look(5), DEPLOYMENT_NONE);
    assert_true(deployment_hold_until(&d, KEY, T0) == 0);
    deployment_start(&d, span_of("n/before-boot"), AT, -1000);
    assert_int_equal(deployment_look(&d, span_of("n/before-boot"), AT, 1000), DEPLOYMENT_HOLDS);
    /* Its completion covers all the same. */
    completed(20);
    assert_int_equal(look(5), DEPLOYMENT_COVERS);
}

static void test_a_start_read_twice_does_not_hold_longer(void **state)
{
    (void)state;
    started(10);
    deployment_start(&d, KEY, AT + 10000, T0 + 60000);
    assert_true(deployment_hold_until(&d, KEY, T0) == T0 + DEPLOYMENT_HOLD_MS);
}

static void test_a_start_read_again_after_the_end_begins_nothing(void **state)
{
    (void)state;
    started(10);
    completed(20);
    started(10);
    assert_int_equal(look(15), DEPLOYMENT_COVERS);
    assert_int_equal(look(25), DEPLOYMENT_NONE);
    completed(20);
    assert_int_equal(look(15), DEPLOYMENT_COVERS);
    started(5);
    assert_int_equal(look(7), DEPLOYMENT_NONE);
}

static void test_a_newer_start_while_one_runs_takes_its_place(void **state)
{
    (void)state;
    started(10);
    deployment_start(&d, KEY, AT + 50000, T0 + 40000);
    assert_int_equal(look(30), DEPLOYMENT_NONE);
    assert_int_equal(look(50), DEPLOYMENT_HOLDS);
    assert_true(deployment_hold_until(&d, KEY, T0) == T0 + 40000 + DEPLOYMENT_HOLD_MS);
    completed(60);
    assert_int_equal(look(30), DEPLOYMENT_NONE);
    assert_int_equal(look(55), DEPLOYMENT_COVERS);
}

static void test_an_older_end_does_not_end_what_runs(void **state)
{
    (void)state;
    started(30);
    completed(20);
    assert_int_equal(look(15), DEPLOYMENT_NONE);
    assert_int_equal(look(35), DEPLOYMENT_HOLDS);
    failed(25);
    assert_int_equal(look(35), DEPLOYMENT_HOLDS);
}

static void test_two_in_a_row(void **state)
{
    (void)state;
    started(10);
    completed(20);
    started(30);
    assert_int_equal(look(25), DEPLOYMENT_NONE);
    assert_int_equal(look(35), DEPLOYMENT_HOLDS);
    completed(40);
    assert_int_equal(look(25), DEPLOYMENT_NONE);
    assert_int_equal(look(35), DEPLOYMENT_COVERS);
    assert_int_equal(look(45), DEPLOYMENT_NONE);
}

/* Two deployments, 10 to 20 and 30 to 40, in each of the 24 reading orders: in the end the second
 * is known and nothing outside it is dropped or held. */
static void test_two_in_every_reading_order(void **state)
{
    (void)state;
    for (int order = 0; order < 256; order++) {
        int step[4] = {order & 3, order >> 2 & 3, order >> 4 & 3, order >> 6};
        if ((1 << step[0] | 1 << step[1] | 1 << step[2] | 1 << step[3]) != 15)
            continue;
        begin(NULL);
        for (int i = 0; i < 4; i++) {
            if (step[i] % 2 == 0)
                started(step[i] == 0 ? 10 : 30);
            else
                completed(step[i] == 1 ? 20 : 40);
        }
        if (look(35) != DEPLOYMENT_COVERS || look(25) != DEPLOYMENT_NONE ||
            look(45) != DEPLOYMENT_NONE || look(5) != DEPLOYMENT_NONE)
            fail_msg("%d%d%d%d", step[0], step[1], step[2], step[3]);
    }
}

/* One that failed at 20 and one that runs since 30, in each reading order. */
static void test_a_failed_one_and_one_that_runs_in_every_reading_order(void **state)
{
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                    {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    (void)state;
    for (size_t o = 0; o < COUNT(orders); o++) {
        begin(NULL);
        for (int i = 0; i < 3; i++) {
            if (orders[o][i] == 1)
                failed(20);
            else
                started(orders[o][i] == 0 ? 10 : 30);
        }
        assert_int_equal(look(15), DEPLOYMENT_NONE);
        assert_int_equal(look(25), DEPLOYMENT_NONE);
        assert_int_equal(look(35), DEPLOYMENT_HOLDS);
    }
}

static void test_completed_after_failed_without_a_start_covers_nothing(void **state)
{
    (void)state;
    started(10);
    failed(20);
    completed(40);
    assert_int_equal(look(15), DEPLOYMENT_NONE);
    assert_int_equal(look(30), DEPLOYMENT_NONE);
    begin(NULL);
    started(10);
    completed(40);
    failed(20);
    assert_int_equal(look(15), DEPLOYMENT_NONE);
    assert_int_equal(look(30), DEPLOYMENT_NONE);
}

static void test_of_two_ends_at_one_time_the_failure_counts(void **state)
{
    (void)state;
    started(10);
    completed(20);
    failed(20);
    assert_int_equal(look(15), DEPLOYMENT_NONE);
    completed(20);
    assert_int_equal(look(15), DEPLOYMENT_NONE);
}

static void test_clocks_that_tell_seconds_only(void **state)
{
    (void)state;
    /* Begun and ended in one second. */
    started(10);
    completed(10);
    assert_int_equal(look(10), DEPLOYMENT_COVERS);
    begin(NULL);
    completed(10);
    started(10);
    assert_int_equal(look(10), DEPLOYMENT_COVERS);
    /* The next begins in the second in which one ended, whose end is read once more. */
    begin(NULL);
    started(10);
    completed(20);
    started(20);
    assert_int_equal(look(25), DEPLOYMENT_HOLDS);
    completed(20);
    assert_int_equal(look(25), DEPLOYMENT_HOLDS);
    started(20);
    assert_int_equal(look(25), DEPLOYMENT_HOLDS);
    completed(30);
    assert_int_equal(look(25), DEPLOYMENT_COVERS);
}

static void test_a_full_table_loses_the_one_heard_of_longest_ago(void **state)
{
    char key[32];
    (void)state;
    for (int i = 0; i < DEPLOYMENTS_MAX; i++) {
        snprintf(key, sizeof(key), "n/%d", i);
        deployment_start(&d, span_of(key), AT, T0 + (i + 5) % DEPLOYMENTS_MAX);
    }
    /* The oldest two are n/123 and n/124; of the first something is heard. */
    deployment_end(&d, span_of("n/123"), true, AT + 1000, T0 + 1000);
    deployment_start(&d, KEY, AT, T0 + 1001);
    assert_int_equal(d.table.count, DEPLOYMENTS_MAX);
    assert_int_equal(deployment_look(&d, span_of("n/123"), AT, T0), DEPLOYMENT_COVERS);
    assert_int_equal(deployment_look(&d, span_of("n/124"), AT, T0), DEPLOYMENT_NONE);
    assert_int_equal(deployment_look(&d, span_of("n/125"), AT, T0), DEPLOYMENT_HOLDS);
    assert_int_equal(deployment_look(&d, KEY, AT, T0), DEPLOYMENT_HOLDS);
    static char long_key[TABLE_KEY_MAX + 1];
    memset(long_key, 'k', sizeof(long_key));
    deployment_start(&d, (struct span){long_key, sizeof(long_key)}, AT, T0);
    deployment_end(&d, (struct span){long_key, sizeof(long_key)}, true, AT, T0);
    assert_int_equal(d.table.count, DEPLOYMENTS_MAX);
}

/* ---- Saved and loaded ---- */

static int reload(struct now saved_at, struct now loaded_at)
{
    char text[1024];
    struct json_write w;
    struct buf b;
    buf_init(&b, text, sizeof(text));
    json_write_init(&w, &b);
    json_write_object(&w, NULL);
    deployment_save(&w, &d, table_at(&d.table, 0), saved_at);
    json_write_end_object(&w);
    assert_int_equal(buf_done(&b), 0);
    deployment_init(&d);
    return deployment_load(&d, buf_view(&b), loaded_at);
}

static void test_a_hold_survives_a_restart(void **state)
{
    struct now now = {.boot_ms = T0, .wall_ms = AT + 10000};
    struct now after_boot = {.boot_ms = 1000, .wall_ms = AT + 70000}; /* a minute later */
    (void)state;
    started(10);
    assert_int_equal(reload(now, after_boot), 0);
    assert_true(deployment_hold_until(&d, KEY, 1000) == 1000 + DEPLOYMENT_HOLD_MS - 60000);
    assert_int_equal(deployment_look(&d, KEY, AT + 15000, 1000), DEPLOYMENT_HOLDS);
}

static void test_a_loaded_hold_is_bounded_when_the_clock_went_back(void **state)
{
    struct now now = {.boot_ms = T0, .wall_ms = AT};
    struct now before = {.boot_ms = 1000, .wall_ms = AT - INT64_C(86400000)};
    (void)state;
    started(10);
    assert_int_equal(reload(now, before), 0);
    assert_true(deployment_hold_until(&d, KEY, 1000) == 1000 + DEPLOYMENT_HOLD_MS);
}

/* What began before the first second of 1970, on a clock that was set back to its hours. */
static void test_a_hold_survives_1970(void **state)
{
    struct now in_1970 = {.boot_ms = T0 + 100000, .wall_ms = 40000};
    (void)state;
    started(10);
    assert_int_equal(reload(in_1970, in_1970), 0);
    assert_true(deployment_hold_until(&d, KEY, T0 + 100000) == T0 + DEPLOYMENT_HOLD_MS);
}

static void test_a_completed_window_survives_a_restart(void **state)
{
    struct now now = {.boot_ms = T0, .wall_ms = AT + 20000};
    (void)state;
    started(10);
    completed(20);
    assert_int_equal(reload(now, now), 0);
    assert_int_equal(look(9), DEPLOYMENT_NONE);
    assert_int_equal(look(15), DEPLOYMENT_COVERS);
    assert_int_equal(look(21), DEPLOYMENT_NONE);
}

static void test_what_makes_no_sense_is_not_loaded(void **state)
{
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "{\"key\":\"\"}",
        "{\"key\":\"a/b\",\"started_ms\":1}",
        "{\"key\":\"a/b\",\"started_ms\":\"1\",\"ended_ms\":1,\"floor_ms\":1,"
        "\"hold_until_ms\":1}",
        "{\"key\":\"a/b\",\"started_ms\":1,\"ended_ms\":1,\"floor_ms\":1,"
        "\"hold_until_ms\":-1}",
    };
    struct now now = {.boot_ms = T0, .wall_ms = AT};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        deployment_init(&d);
        assert_int_equal(deployment_load(&d, span_of(bad[i]), now), -1);
        assert_int_equal(d.table.count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_hold_survives_a_restart, begin),
        cmocka_unit_test_setup(test_a_loaded_hold_is_bounded_when_the_clock_went_back, begin),
        cmocka_unit_test_setup(test_a_hold_survives_1970, begin),
        cmocka_unit_test_setup(test_a_completed_window_survives_a_restart, begin),
        cmocka_unit_test_setup(test_what_makes_no_sense_is_not_loaded, begin),
        cmocka_unit_test_setup(test_none_read, begin),
        cmocka_unit_test_setup(test_started_holds_what_is_not_older, begin),
        cmocka_unit_test_setup(test_completed_covers_what_lies_inside, begin),
        cmocka_unit_test_setup(test_completed_read_before_started, begin),
        cmocka_unit_test_setup(test_failed_holds_and_covers_nothing, begin),
        cmocka_unit_test_setup(test_failed_read_before_started, begin),
        cmocka_unit_test_setup(test_the_hold_ends_after_ten_minutes, begin),
        cmocka_unit_test_setup(test_a_start_that_arrived_long_ago_holds_nothing, begin),
        cmocka_unit_test_setup(test_a_start_read_twice_does_not_hold_longer, begin),
        cmocka_unit_test_setup(test_a_start_read_again_after_the_end_begins_nothing, begin),
        cmocka_unit_test_setup(test_a_newer_start_while_one_runs_takes_its_place, begin),
        cmocka_unit_test_setup(test_an_older_end_does_not_end_what_runs, begin),
        cmocka_unit_test_setup(test_two_in_a_row, begin),
        cmocka_unit_test_setup(test_two_in_every_reading_order, begin),
        cmocka_unit_test_setup(test_a_failed_one_and_one_that_runs_in_every_reading_order, begin),
        cmocka_unit_test_setup(test_completed_after_failed_without_a_start_covers_nothing, begin),
        cmocka_unit_test_setup(test_of_two_ends_at_one_time_the_failure_counts, begin),
        cmocka_unit_test_setup(test_clocks_that_tell_seconds_only, begin),
        cmocka_unit_test_setup(test_a_full_table_loses_the_one_heard_of_longest_ago, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
