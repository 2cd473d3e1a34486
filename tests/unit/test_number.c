#include "base/number.h"

#include "guard.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_int(void **state)
{
    static const struct {
        const char *text;
        int64_t min, max;
        int result;
        int64_t value;
    } cases[] = {
        {"0", 0, 0, 0, 0},
        {"-0", 0, 0, 0, 0},
        {"007", 0, 9, 0, 7},
        {"9223372036854775807", INT64_MIN, INT64_MAX, 0, INT64_MAX},
        {"9223372036854775808", INT64_MIN, INT64_MAX, -1, 0},
        {"-9223372036854775808", INT64_MIN, INT64_MAX, 0, INT64_MIN},
        {"-9223372036854775809", INT64_MIN, INT64_MAX, -1, 0},
        {"18446744073709551616", INT64_MIN, INT64_MAX, -1, 0},
        {"99999999999999999999999999", INT64_MIN, INT64_MAX, -1, 0},
        {"1", 1, 5, 0, 1},
        {"5", 1, 5, 0, 5},
        {"6", 1, 5, -1, 0},
        {"0", 1, 5, -1, 0},
        {"-6", -5, 5, -1, 0},
        {"", 0, 9, -1, 0},
        {"-", -9, 9, -1, 0},
        {"--1", -9, 9, -1, 0},
        {"+1", 0, 9, -1, 0},
        {" 1", 0, 9, -1, 0},
        {"1 ", 0, 9, -1, 0},
        {"1.0", 0, 9, -1, 0},
        {"1e0", 0, 9, -1, 0},
        {"0x1", 0, 9, -1, 0},
        {"\xd9\xa1", 0, 9, -1, 0}, /* an Arabic digit */
    };
    struct guard g;

    (void)state;
    guard_open(&g, 64);
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t value = 4711;
        size_t n = strlen(cases[i].text);
        struct span text = {guard_put(&g, cases[i].text, n), n};
        assert_int_equal(number_int(text, cases[i].min, cases[i].max, &value), cases[i].result);
        assert_true(value == (cases[i].result == 0 ? cases[i].value : 4711));
        for (size_t k = 0; k < n; k++) {
            text = (struct span){guard_put(&g, cases[i].text, k), k};
            (void)number_int(text, cases[i].min, cases[i].max, &value);
        }
    }
    guard_close(&g);
}

/* length, complete: what number_scan() says of the whole text. */
static const struct {
    const char *text;
    size_t length;
    bool complete;
} scans[] = {
    {"", 0, false},         {"-", 1, false},    {"0", 1, true},         {"-0", 2, true},
    {"01", 1, true},        {"-01", 2, true},   {"10", 2, true},        {"1.", 2, false},
    {"1.5", 3, true},       {".5", 0, false},   {"1.5.", 3, true},      {"1e", 2, false},
    {"1e+", 3, false},      {"1E-05", 5, true}, {"1e5.", 3, true},      {"+1", 0, false},
    {"1,", 1, true},        {"--1", 1, false},  {"1.e5", 2, false},     {"Infinity", 0, false},
    {"NaN", 0, false},      {"0x10", 1, true},  {"1.25e+10x", 8, true}, {"-a", 1, false},
    {"123456789", 9, true},
};

static void test_scan(void **state)
{
    struct guard g;

    (void)state;
    guard_open(&g, 64);
    for (size_t i = 0; i < COUNT(scans); i++) {
        size_t n = strlen(scans[i].text);
        bool complete = !scans[i].complete;
        struct span s = {guard_put(&g, scans[i].text, n), n};
        assert_int_equal(number_scan(s, &complete), scans[i].length);
        assert_int_equal(complete, scans[i].complete);
        /* A shorter text never goes further. */
        for (size_t k = 0; k < n; k++) {
            size_t least = k < scans[i].length ? k : scans[i].length;
            s = (struct span){guard_put(&g, scans[i].text, k), k};
            assert_int_equal(number_scan(s, &complete), least);
        }
    }
    guard_close(&g);
}

static void test_real(void **state)
{
    static const struct {
        const char *text;
        double min, max;
        int result;
        double value;
    } cases[] = {
        {"0", 0, 1, 0, 0},
        {"1", 0, 1, 0, 1},
        {"0.7", 0, 1, 0, 0.7},
        {"1.0000001", 0, 1, -1, 0},
        {"-0.1", 0, 1, -1, 0},
        {"-0", 0, 1, 0, 0},
        {"1e2", 0, 100, 0, 100},
        {"12.5E-1", 0, 9, 0, 1.25},
        {"1e999", -1e308, 1e308, -1, 0},
        {"-1e999", -1e308, 1e308, -1, 0},
        {"1e-999", 0, 1, 0, 0},
        {"", 0, 1, -1, 0},
        {"01", 0, 9, -1, 0},
        {".5", 0, 9, -1, 0},
        {"5.", 0, 9, -1, 0},
        {"nan", 0, 9, -1, 0},
        {"inf", 0, 9, -1, 0},
        {"0x1p2", 0, 9, -1, 0},
        {" 1", 0, 9, -1, 0},
        {"1 ", 0, 9, -1, 0},
        {"1,5", 0, 9, -1, 0},
    };
    struct guard g;

    (void)state;
    guard_open(&g, 64);
    for (size_t i = 0; i < COUNT(cases); i++) {
        double value = 4711;
        size_t n = strlen(cases[i].text);
        struct span text = {guard_put(&g, cases[i].text, n), n};
        assert_int_equal(number_real(text, cases[i].min, cases[i].max, &value), cases[i].result);
        assert_true(value == (cases[i].result == 0 ? cases[i].value : 4711));
    }
    guard_close(&g);
}

/* No number is infinite, whatever the bounds. */
static void test_infinite(void **state)
{
    double value = 4711;

    (void)state;
    assert_int_equal(number_real(span_of("1e999"), -HUGE_VAL, HUGE_VAL, &value), -1);
    assert_int_equal(number_real(span_of("-1e999"), -HUGE_VAL, HUGE_VAL, &value), -1);
    assert_int_equal(number_real(span_of("1e308"), -HUGE_VAL, HUGE_VAL, &value), 0);
}

static double real(const char *text)
{
    double value;

    assert_int_equal(number_real(span_of(text), -HUGE_VAL, HUGE_VAL, &value), 0);
    return value;
}

/* What people and programs write: the nearest double. */
static void test_usual_reals_are_rounded_once(void **state)
{
    static const char *const usual[] = {
        "0.1",
        "0.15",
        "0.95",
        "3.14159265358979",
        "99.99",
        "1e22",
        "1.5e-22",
        "1234567890",
        "1780000000.123",
        "1780000000.123456",
        "-0.3",
        "100000.7",
        "0.00001",
        "5e-7",
        "123456789012345e-22",
        "1E+05",
        "0.30",
        "7.000",
        "0.000000e5",
        "12300e-2",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(usual); i++)
        assert_true(real(usual[i]) == strtod(usual[i], NULL));
}

static void test_other_reals_are_near(void **state)
{
    static const char *const other[] = {
        "12345678901234567890",
        "0.1234567890123456789012345",
        "1.797693134862315e308",
        "2.2250738585072014e-308",
        "1e300",
        "1e-300",
        "98765432109876543210e-40",
        "0.0000000000000000000000001",
        "33333333333333333333.333333333",
        "1000000000000000000000000",
        "123456789123456789e100",
        "9007199254740993",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(other); i++) {
        double exact = strtod(other[i], NULL);
        assert_true(fabs(real(other[i]) - exact) <= fabs(exact) * 2e-15);
    }
}

static void test_long_real(void **state)
{
    static char digits[200000];
    double value;

    (void)state;
    memset(digits, '0', sizeof(digits));
    digits[1] = '.';
    digits[sizeof(digits) - 1] = '1';
    assert_int_equal(number_real((struct span){digits, sizeof(digits)}, 0, 1, &value), 0);
    assert_true(value == 0);
    memcpy(digits + sizeof(digits) - 8, "5e199990", 8);
    assert_int_equal(number_real((struct span){digits, sizeof(digits)}, 0, 1, &value), 0);
    assert_true(fabs(value - 0.5) < 1e-15);
    memcpy(digits + 2, "1", 1);
    assert_int_equal(number_real((struct span){digits, sizeof(digits)}, 0, 1, &value), -1);
}

/* An exponent that no number could hold. */
static void test_huge_exponents(void **state)
{
    double value;

    (void)state;
    assert_true(real("1e-99999999999999999999999") == 0);
    assert_true(real("0e99999999999999999999999") == 0);
    assert_int_equal(number_real(span_of("1e99999999999999999999999"), 0, 1, &value), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_int),
        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_real),
        cmocka_unit_test(test_infinite),
        cmocka_unit_test(test_long_real),
        cmocka_unit_test(test_usual_reals_are_rounded_once),
        cmocka_unit_test(test_other_reals_are_near),
        cmocka_unit_test(test_huge_exponents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
