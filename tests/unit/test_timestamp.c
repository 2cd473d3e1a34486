#include "base/timestamp.h"

#include "guard.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LAST_MS INT64_C(253402300799999)

static const struct {
    const char *text;
    int64_t ms; /* -1: refused */
} cases[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"1970-01-01T00:00:00.001Z", 1},
    {"2001-09-09T01:46:40Z", INT64_C(1000000000000)},
    {"2026-01-02T03:04:05.678Z", INT64_C(1767323045678)},
    {"2026-01-02t03:04:05z", INT64_C(1767323045000)},
    {"2026-01-02 03:04:05", INT64_C(1767323045000)},
    {"2026-01-02T03:04", INT64_C(1767323040000)},
    {"2026-01-02T03:04Z", INT64_C(1767323040000)},
    {"2026-01-02T03:04+02:00", INT64_C(1767315840000)},
    {"2026-01-02T03:04:05,6789Z", INT64_C(1767323045678)},
    {"2026-01-02T03:04:05.6Z", INT64_C(1767323045600)},
    {"2026-01-02T03:04:05.000000999999999999999999999Z", INT64_C(1767323045000)},
    {"2026-01-02T03:04:05+00:00", INT64_C(1767323045000)},
    {"2026-01-02T03:04:05-0530", INT64_C(1767342845000)},
    {"2026-01-02T03:04:05+0530", INT64_C(1767303245000)},
    {"2026-01-02T03:04:05-05", INT64_C(1767341045000)},
    {"2016-12-31T23:59:60Z", INT64_C(1483228800000)}, /* a leap second */
    {"2016-12-31T23:59:60.5Z", INT64_C(1483228800500)},
    {"2000-02-29T00:00:00Z", INT64_C(951782400000)},
    {"2024-02-29T12:00:00Z", INT64_C(1709208000000)},
    {"9999-12-31T23:59:59.999Z", LAST_MS},
    {"1970-01-01T01:00:00+01:00", 0},
    {"1970-01-01T00:00:00+01:00", -1},
    {"9999-12-31T23:59:59.999-00:01", -1},
    {"9999-12-31T23:59:60Z", -1},
    {"", -1},
    {"2026", -1},
    {"2026-01-02", -1},
    {"2026-01-02T", -1},
    {"2026-01-02T03", -1},
    {"2026-01-02T03:", -1},
    {"2026-01-02T03:04:", -1},
    {"2026-01-02T03:04:05.", -1},
    {"2026-01-02T03:04:05.Z", -1},
    {"2026-01-02T03:04.5", -1},
    {"2026-01-02T03:04:05ZZ", -1},
    {"2026-01-02T03:04:05Z ", -1},
    {" 2026-01-02T03:04:05Z", -1},
    {"2026-01-02T03:04:05 Z", -1},
    {"2026-01-02T03:04:05+", -1},
    {"2026-01-02T03:04:05+1", -1},
    {"2026-01-02T03:04:05+01:", -1},
    {"2026-01-02T03:04:05+01:0", -1},
    {"2026-01-02T03:04:05+01000", -1},
    {"2026-01-02T03:04:05+24:00", -1},
    {"2026-01-02T03:04:05+01:60", -1},
    {"2026-01-02T24:00:00Z", -1},
    {"2026-01-02T03:60:00Z", -1},
    {"2026-01-02T03:04:61Z", -1},
    {"2026-00-02T03:04:05Z", -1},
    {"2026-13-02T03:04:05Z", -1},
    {"2026-01-00T03:04:05Z", -1},
    {"2026-01-32T03:04:05Z", -1},
    {"2026-04-31T03:04:05Z", -1},
    {"2026-02-29T03:04:05Z", -1},
    {"2100-02-29T03:04:05Z", -1},
    {"1969-12-31T23:59:59Z", -1},
    {"0000-01-01T00:00:00Z", -1},
    {"+2026-01-02T03:04:05Z", -1},
    {"2026-1-02T03:04:05Z", -1},
    {"2026/01/02T03:04:05Z", -1},
    {"2026-01-02X03:04:05Z", -1},
    {"20260102T030405Z", -1},
};

/* The length of the shortest text of a moment: a prefix of one is refused. */
#define SHORTEST (sizeof("2026-01-02T03:04") - 1)

static void test_parse(void **state)
{
    struct guard g;

    (void)state;
    guard_open(&g, 64);
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = strlen(cases[i].text);
        int64_t ms = 4711;
        struct span text = {guard_put(&g, cases[i].text, n), n};
        int result = timestamp_parse(text, &ms);
        if (result != (cases[i].ms < 0 ? -1 : 0) ||
            ms != (cases[i].ms < 0 ? INT64_C(4711) : cases[i].ms))
            fail_msg("%s: %d, %lld", cases[i].text, result, (long long)ms);
        for (size_t k = 0; k < n; k++) {
            text = (struct span){guard_put(&g, cases[i].text, k), k};
            if (timestamp_parse(text, &ms) == 0)
                assert_true(k >= SHORTEST);
        }
    }
    guard_close(&g);
}

static void test_format(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } formats[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {INT64_C(1767323045678), "2026-01-02T03:04:05.678Z"},
        {INT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
        {INT64_C(1735689599999), "2024-12-31T23:59:59.999Z"},
        {LAST_MS, "9999-12-31T23:59:59.999Z"},
        {LAST_MS + 1, "9999-12-31T23:59:59.999Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
        {-1, "1970-01-01T00:00:00.000Z"},
        {INT64_MIN, "1970-01-01T00:00:00.000Z"},
    };
    struct guard g;

    (void)state;
    guard_open(&g, 64);
    for (size_t i = 0; i < COUNT(formats); i++) {
        char expected[TIMESTAMP_DATE_SIZE];
        memcpy(expected, formats[i].text, sizeof(expected));
        expected[sizeof(expected) - 1] = '\0';
        char *text = guard_put(&g, formats[i].text, TIMESTAMP_SIZE);
        memset(text, '?', TIMESTAMP_SIZE);
        timestamp_format(text, formats[i].ms);
        assert_string_equal(text, formats[i].text);
        char *date = guard_put(&g, text, TIMESTAMP_DATE_SIZE);
        timestamp_date(date, formats[i].ms);
        assert_string_equal(date, expected);
    }
    guard_close(&g);
}

/* Every day from 1970 to 9999, counted without a calendar formula. */
static void test_every_day(void **state)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t day = 0;
    char text[TIMESTAMP_SIZE], date[TIMESTAMP_DATE_SIZE];

    (void)state;
    for (int year = 1970; year <= 9999; year++) {
        int leap = (year % 4 == 0) - (year % 100 == 0) + (year % 400 == 0);
        for (int month = 1; month <= 12; month++) {
            int length = lengths[month - 1] + (month == 2 ? leap : 0);
            for (int d = 1; d <= length; d++, day++) {
                int64_t back = -1;
                timestamp_date(date, day * 86400000 + 86399999);
                assert_int_equal((date[0] - '0') * 1000 + (date[1] - '0') * 100 +
                                     (date[2] - '0') * 10 + date[3] - '0',
                                 year);
                assert_int_equal((date[5] - '0') * 10 + date[6] - '0', month);
                assert_int_equal((date[8] - '0') * 10 + date[9] - '0', d);
                assert_int_equal(timestamp_parse_date(span_of(date), &back), 0);
                assert_true(back == day * 86400000);
            }
        }
        timestamp_format(text, day * 86400000 - 1);
        int64_t back = 0;
        assert_int_equal(timestamp_parse(span_of(text), &back), 0);
        assert_true(back == day * 86400000 - 1);
    }
    assert_true(day * 86400000 - 1 == LAST_MS);
}

static void test_date(void **state)
{
    int64_t ms = 4711;

    (void)state;
    assert_int_equal(timestamp_parse_date(span_of("2026-01-02"), &ms), 0);
    assert_true(ms == INT64_C(1767312000000));
    ms = 4711;
    assert_int_equal(timestamp_parse_date(span_of("2026-02-29"), &ms), -1);
    assert_int_equal(timestamp_parse_date(span_of("2026-01-02Z"), &ms), -1);
    assert_int_equal(timestamp_parse_date(span_of("2026-01-0"), &ms), -1);
    assert_int_equal(timestamp_parse_date(span_of(""), &ms), -1);
    assert_int_equal(timestamp_parse_date(span_of("../../../../"), &ms), -1);
    assert_true(ms == 4711);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_every_day),
        cmocka_unit_test(test_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
