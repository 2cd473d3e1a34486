/* Cooldowns. */

#include "base/log.h"
#include "planner/cooldown.h"

#include "guard.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define LENGTH 300000 /* ms */
#define T0 INT64_C(5000000)
#define KEY span_of("solaria/web")

static struct cooldowns c;

static int begin(void **state)
{
    (void)state;
    memset(&c, 0xa5, sizeof(c));
    cooldown_init(&c);
    log_to(-1);
    return 0;
}

static void test_a_key_without_one_passes(void **state)
{
    (void)state;
    assert_true(cooldown_passes(&c, KEY, SEVERITY_INFO, LENGTH, T0));
    assert_int_equal(cooldown_suppressed(&c, KEY), 0);
    assert_int_equal(c.table.count, 0);
}

static void test_repeats_are_counted_until_its_end(void **state)
{
    (void)state;
    cooldown_start(&c, KEY, SEVERITY_ERROR, LENGTH, T0);
    assert_false(cooldown_passes(&c, KEY, SEVERITY_ERROR, LENGTH, T0));
    assert_false(cooldown_passes(&c, KEY, SEVERITY_INFO, LENGTH, T0 + 1));
    assert_false(cooldown_passes(&c, KEY, SEVERITY_ERROR, LENGTH, T0 + LENGTH - 1));
    assert_int_equal(cooldown_suppressed(&c, KEY), 3);
    assert_true(cooldown_passes(&c, KEY, SEVERITY_INFO, LENGTH, T0 + LENGTH));
    assert_int_equal(cooldown_suppressed(&c, KEY), 3);
    assert_true(cooldown_passes(&c, span_of("solaria/db"), SEVERITY_INFO, LENGTH, T0));
}

static void test_what_another_planner_suppressed_is_counted_where_there_is_an_entry(void **state)
{
    (void)state;
    cooldown_count(&c, KEY, 3);
    assert_int_equal(c.table.count, 0);
    cooldown_start(&c, KEY, SEVERITY_ERROR, LENGTH, T0);
    cooldown_count(&c, KEY, 3);
    assert_int_equal(cooldown_suppressed(&c, KEY), 3);
    cooldown_count(&c, KEY, UINT32_MAX - 4);
    assert_int_equal(cooldown_suppressed(&c, KEY), UINT32_MAX - 1);
    cooldown_count(&c, KEY, 2);
    assert_int_equal(cooldown_suppressed(&c, KEY), UINT32_MAX);
    assert_false(cooldown_passes(&c, KEY, SEVERITY_ERROR, LENGTH, T0 + LENGTH - 1));
}

static void test_started_anew_with_nothing_suppressed(void **state)
{
    (void)state;
    cooldown_start(&c, KEY, SEVERITY_ERROR, LENGTH, T0);
    assert_false(cooldown_passes(&c, KEY, SEVERITY_ERROR, LENGTH, T0));
    cooldown_start(&c, KEY, SEVERITY_ERROR, LENGTH, T0 + LENGTH - 1);
    assert_int_equal(cooldown_suppressed(&c, KEY), 0);
    assert_false(cooldown_passes(&c, KEY, SEVERITY_ERROR, LENGTH, T0 + 2 * LENGTH - 2));
    assert_true(cooldown_passes(&c, KEY, SEVERITY_ERROR, LENGTH, T0 + 2 * LENGTH - 1));
}

static void test_a_higher_severity_passes_and_then_counts_as_the_start(void **state)
{
    (void)state;
    for (int s = SEVERITY_INFO; s < SEVERITY_CRITICAL; s++) {
        enum severity severity = (enum severity)s;
        enum severity higher = (enum severity)(s + 1);
        cooldown_start(&c, KEY, severity, LENGTH, T0);
        assert_false(cooldown_passes(&c, KEY, severity, LENGTH, T0 + 1));
        assert_true(cooldown_passes(&c, KEY, higher, LENGTH, T0 + 1));
        assert_int_equal(cooldown_suppressed(&c, KEY), 1);
        cooldown_start(&c, KEY, higher, LENGTH, T0 + 2);
        assert_false(cooldown_passes(&c, KEY, higher, LENGTH, T0 + 3));
    }
}

static void test_the_setting_in_force_counts_at_once(void **state)
{
    (void)state;
    cooldown_start(&c, KEY, SEVERITY_ERROR, LENGTH, T0);
    assert_false(cooldown_passes(&c, KEY, SEVERITY_ERROR, LENGTH, T0 + 1000));
    assert_true(cooldown_passes(&c, KEY, SEVERITY_ERROR, 1000, T0 + 1000));
    assert_false(cooldown_passes(&c, KEY, SEVERITY_ERROR, 1001, T0 + 1000));
    assert_false(cooldown_passes(&c, KEY, SEVERITY_ERROR, 2 * LENGTH, T0 + LENGTH));
}

static void test_zero_seconds_suppress_nothing(void **state)
{
    (void)state;
    cooldown_start(&c, KEY, SEVERITY_ERROR, 0, T0);
    assert_true(cooldown_passes(&c, KEY, SEVERITY_ERROR, 0, T0));
}

/* Fills the table; the number i begins at T0 + i. */
static void fill(void)
{
    char key[32];
    for (int i = 0; i < COOLDOWNS_MAX; i++) {
        snprintf(key, sizeof(key), "n/%d", i);
        cooldown_start(&c, span_of(key), SEVERITY_ERROR, LENGTH, T0 + (i + 7) % COOLDOWNS_MAX);
    }
}

static void test_a_full_table_loses_what_is_over(void **state)
{
    (void)state;
    fill();
    /* A hundred are over. */
    cooldown_start(&c, KEY, SEVERITY_ERROR, LENGTH, T0 + LENGTH + 99);
    assert_int_equal(c.table.count, COOLDOWNS_MAX - 100 + 1);
    assert_false(cooldown_passes(&c, KEY, SEVERITY_ERROR, LENGTH, T0 + LENGTH + 99));
    for (uint32_t i = 0; i < c.table.count; i++)
        assert_true(cooldown_in_force(table_at(&c.table, i), LENGTH, T0 + LENGTH + 99));
}

static void test_a_full_table_loses_the_oldest(void **state)
{
    (void)state;
    fill();
    cooldown_start(&c, KEY, SEVERITY_ERROR, LENGTH, T0 + COOLDOWNS_MAX);
    assert_int_equal(c.table.count, COOLDOWNS_MAX);
    assert_non_null(table_find(&c.table, KEY));
    assert_null(table_find(&c.table, span_of("n/1017"))); /* began at T0 */
    assert_non_null(table_find(&c.table, span_of("n/1018")));
    /* One that is there needs no room. */
    cooldown_start(&c, KEY, SEVERITY_ERROR, LENGTH, T0 + COOLDOWNS_MAX + 1);
    assert_non_null(table_find(&c.table, span_of("n/1018")));
}

static void test_a_key_that_no_table_takes(void **state)
{
    static char key[TABLE_KEY_MAX + 1];
    (void)state;
    memset(key, 'k', sizeof(key));
    cooldown_start(&c, (struct span){key, sizeof(key)}, SEVERITY_ERROR, LENGTH, T0);
    assert_int_equal(c.table.count, 0);
}

/* ---- Saved and loaded ---- */

static struct span save(struct now now)
{
    static char text[1024];
    static struct buf out;
    struct json_write w;
    buf_init(&out, text, sizeof(text));
    json_write_init(&w, &out);
    json_write_object(&w, NULL);
    cooldown_save(&w, &c, table_find(&c.table, KEY), now);
    json_write_end_object(&w);
    assert_int_equal(buf_done(&out), 0);
    return buf_view(&out);
}

static void test_saved_as_a_wall_clock_stamp(void **state)
{
    struct now before = {.boot_ms = T0 + 500, .wall_ms = INT64_C(1780000000500)};
    struct now after = {.boot_ms = 3000, .wall_ms = INT64_C(1780000100000)};
    (void)state;
    cooldown_start(&c, KEY, SEVERITY_CRITICAL, LENGTH, T0);
    assert_false(cooldown_passes(&c, KEY, SEVERITY_ERROR, LENGTH, T0));
    struct span saved = save(before);
    assert_true(span_is(saved, "{\"key\":\"solaria/web\",\"began_ms\":1780000000000,"
                               "\"severity\":\"critical\",\"suppressed\":1}"));
    /* Another boot, 100 s later: it began before this boot. */
    cooldown_init(&c);
    assert_int_equal(cooldown_load(&c, saved, LENGTH, after), 0);
    assert_int_equal(cooldown_suppressed(&c, KEY), 1);
    const struct cooldown *entry = table_find(&c.table, KEY);
    assert_true(entry->began_ms == 3000 - 100000);
    assert_false(cooldown_passes(&c, KEY, SEVERITY_CRITICAL, LENGTH, 3000 + LENGTH - 100001));
    assert_true(cooldown_passes(&c, KEY, SEVERITY_CRITICAL, LENGTH, 3000 + LENGTH - 100000));
}

static void test_one_that_is_over_is_left_out(void **state)
{
    struct now now = {.boot_ms = T0, .wall_ms = INT64_C(1780000000000)};
    (void)state;
    cooldown_start(&c, KEY, SEVERITY_ERROR, LENGTH, T0);
    struct span saved = save(now);
    cooldown_init(&c);
    now.wall_ms += LENGTH;
    assert_int_equal(cooldown_load(&c, saved, LENGTH, now), 0);
    assert_int_equal(c.table.count, 0);
    now.wall_ms--;
    assert_int_equal(cooldown_load(&c, saved, LENGTH, now), 0);
    assert_int_equal(c.table.count, 1);
    cooldown_init(&c);
    assert_int_equal(cooldown_load(&c, saved, 0, now), 0);
    assert_int_equal(c.table.count, 0);
}

static void test_a_start_in_the_future_counts_as_now(void **state)
{
    struct now now = {.boot_ms = T0, .wall_ms = INT64_C(1780000000000)};
    (void)state;
    cooldown_start(&c, KEY, SEVERITY_ERROR, LENGTH, T0);
    struct span saved = save(now);
    cooldown_init(&c);
    now.wall_ms = 1000; /* no clock battery */
    assert_int_equal(cooldown_load(&c, saved, LENGTH, now), 0);
    assert_false(cooldown_passes(&c, KEY, SEVERITY_ERROR, LENGTH, T0 + LENGTH - 1));
    assert_true(cooldown_passes(&c, KEY, SEVERITY_ERROR, LENGTH, T0 + LENGTH));
}

/* ---- Found ---- */

#define WALL INT64_C(1780000000000)

static void find(struct span key, enum severity severity, int64_t age_ms, int64_t boot_ms)
{
    const struct cooldown found = {.began_ms = WALL - age_ms, .severity = severity};
    cooldown_found(&c, key, &found, LENGTH, (struct now){.boot_ms = boot_ms, .wall_ms = WALL});
}

static void test_found_by_age(void **state)
{
    static const struct {
        int64_t age_ms;
        bool taken;
        int64_t began_ms;
    } cases[] = {
        {0, true, T0},
        {1, true, T0 - 1},
        {LENGTH - 1, true, T0 - LENGTH + 1},
        {LENGTH, false, 0},
        {WALL, false, 0},
        {-1, true, T0}, /* a start in the future counts as now */
        {WALL - INT64_C(253402300799000), true, T0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        cooldown_init(&c);
        find(KEY, SEVERITY_ERROR, cases[i].age_ms, T0);
        const struct cooldown *entry = table_find(&c.table, KEY);
        if (c.table.count != cases[i].taken || (entry != NULL) != cases[i].taken)
            fail_msg("%lld", (long long)cases[i].age_ms);
        if (entry == NULL)
            continue;
        assert_true(entry->began_ms == cases[i].began_ms);
        assert_int_equal(entry->severity, SEVERITY_ERROR);
        assert_int_equal(entry->suppressed, 0);
    }
    /* It began before this boot. */
    cooldown_init(&c);
    find(KEY, SEVERITY_ERROR, 1000, 3);
    assert_false(cooldown_passes(&c, KEY, SEVERITY_ERROR, LENGTH, LENGTH - 998));
    assert_true(cooldown_passes(&c, KEY, SEVERITY_ERROR, LENGTH, LENGTH - 997));
}

static void test_what_is_found_counts_where_it_is_newer(void **state)
{
    static const struct {
        int64_t age_ms;
        bool counts;
    } cases[] = {{1001, false}, {1000, false}, {999, true}, {-5, true}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        cooldown_init(&c);
        cooldown_start(&c, KEY, SEVERITY_WARNING, LENGTH, T0 - 1000);
        assert_false(cooldown_passes(&c, KEY, SEVERITY_INFO, LENGTH, T0));
        find(KEY, SEVERITY_ERROR, cases[i].age_ms, T0);
        assert_int_equal(c.table.count, 1);
        assert_int_equal(cooldown_suppressed(&c, KEY), !cases[i].counts);
        assert_int_equal(cooldown_passes(&c, KEY, SEVERITY_ERROR, LENGTH, T0), !cases[i].counts);
    }
}

/* Nothing makes room for it: all that would may be newer. */
static void test_what_is_found_needs_room(void **state)
{
    static char key[TABLE_KEY_MAX + 1];
    (void)state;
    fill();
    find(KEY, SEVERITY_ERROR, 0, T0 + COOLDOWNS_MAX);
    assert_int_equal(c.table.count, COOLDOWNS_MAX);
    assert_null(table_find(&c.table, KEY));
    find(span_of("n/5"), SEVERITY_CRITICAL, 0, T0 + COOLDOWNS_MAX);
    const struct cooldown *entry = table_find(&c.table, span_of("n/5"));
    assert_int_equal(entry->severity, SEVERITY_CRITICAL);
    cooldown_init(&c);
    memset(key, 'k', sizeof(key));
    find((struct span){key, sizeof(key)}, SEVERITY_ERROR, 0, T0);
    assert_int_equal(c.table.count, 0);
}

static void test_lines_that_make_no_sense(void **state)
{
    static const struct {
        const char *text;
        int result;
    } cases[] = {
        {"{\"key\":\"a/b\",\"began_ms\":1780000000000,\"severity\":\"error\",\"suppressed\":0}", 0},
        {"{\"x\":1,\"suppressed\":0,\"severity\":\"info\",\"began_ms\":-5,\"key\":\"a/b\"}", 0},
        {"{\"began_ms\":1780000000000,\"severity\":\"error\",\"suppressed\":0}", -1},
        {"{\"key\":\"a/b\",\"severity\":\"error\",\"suppressed\":0}", -1},
        {"{\"key\":\"a/b\",\"began_ms\":1780000000000,\"suppressed\":0}", -1},
        {"{\"key\":\"a/b\",\"began_ms\":1780000000000,\"severity\":\"error\"}", -1},
        {"{\"key\":\"\",\"began_ms\":1780000000000,\"severity\":\"error\",\"suppressed\":0}", -1},
        {"{\"key\":5,\"began_ms\":1780000000000,\"severity\":\"error\",\"suppressed\":0}", -1},
        {"{\"key\":\"a/b\",\"began_ms\":\"1\",\"severity\":\"error\",\"suppressed\":0}", -1},
        {"{\"key\":\"a/b\",\"began_ms\":1.5,\"severity\":\"error\",\"suppressed\":0}", -1},
        {"{\"key\":\"a/b\",\"began_ms\":9223372036854775807,\"severity\":\"error\","
         "\"suppressed\":0}",
         -1},
        {"{\"key\":\"a/b\",\"began_ms\":1780000000000,\"severity\":\"bad\",\"suppressed\":0}", -1},
        {"{\"key\":\"a/b\",\"began_ms\":1780000000000,\"severity\":\"fatal\",\"suppressed\":0}",
         -1},
        {"{\"key\":\"a/b\",\"began_ms\":1780000000000,\"severity\":\"error\",\"suppressed\":-1}",
         -1},
        {"{\"key\":\"a/b\",\"began_ms\":1780000000000,\"severity\":\"error\","
         "\"suppressed\":4294967296}",
         -1},
        {"[]", -1},
        {"", -1},
        {"{\"key\":\"a/b\"", -1},
    };
    struct now now = {.boot_ms = T0, .wall_ms = INT64_C(1780000000000)};
    struct guard g;
    (void)state;
    guard_open(&g, 256);
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = strlen(cases[i].text);
        const char *p = guard_put(&g, cases[i].text, n);
        if (cooldown_load(&c, (struct span){p, n}, LENGTH, now) != cases[i].result)
            fail_msg("%s", cases[i].text);
        for (size_t cut = 0; cut < n; cut++) {
            p = guard_put(&g, cases[i].text, cut);
            assert_int_equal(cooldown_load(&c, (struct span){p, cut}, LENGTH, now), -1);
        }
    }
    guard_close(&g);
    char text[512], key[TABLE_KEY_MAX + 2];
    memset(key, 'k', sizeof(key));
    for (int over = 0; over <= 1; over++) {
        key[TABLE_KEY_MAX + over] = '\0';
        snprintf(text, sizeof(text),
                 "{\"key\":\"%s\",\"began_ms\":1780000000000,\"severity\":\"error\","
                 "\"suppressed\":0}",
                 key);
        assert_int_equal(cooldown_load(&c, span_of(text), LENGTH, now), over == 0 ? 0 : -1);
        key[TABLE_KEY_MAX] = 'k';
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_key_without_one_passes, begin),
        cmocka_unit_test_setup(test_repeats_are_counted_until_its_end, begin),
        cmocka_unit_test_setup(
            test_what_another_planner_suppressed_is_counted_where_there_is_an_entry, begin),
        cmocka_unit_test_setup(test_started_anew_with_nothing_suppressed, begin),
        cmocka_unit_test_setup(test_a_higher_severity_passes_and_then_counts_as_the_start, begin),
        cmocka_unit_test_setup(test_the_setting_in_force_counts_at_once, begin),
        cmocka_unit_test_setup(test_zero_seconds_suppress_nothing, begin),
        cmocka_unit_test_setup(test_a_full_table_loses_what_is_over, begin),
        cmocka_unit_test_setup(test_a_full_table_loses_the_oldest, begin),
        cmocka_unit_test_setup(test_a_key_that_no_table_takes, begin),
        cmocka_unit_test_setup(test_saved_as_a_wall_clock_stamp, begin),
        cmocka_unit_test_setup(test_one_that_is_over_is_left_out, begin),
        cmocka_unit_test_setup(test_a_start_in_the_future_counts_as_now, begin),
        cmocka_unit_test_setup(test_found_by_age, begin),
        cmocka_unit_test_setup(test_what_is_found_counts_where_it_is_newer, begin),
        cmocka_unit_test_setup(test_what_is_found_needs_room, begin),
        cmocka_unit_test_setup(test_lines_that_make_no_sense, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
