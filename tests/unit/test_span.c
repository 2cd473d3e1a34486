#include "base/span.h"

#include "guard.h"

#include <limits.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
/* A literal with its own length, NULs in it included. */
#define BYTES(s)                                                                                   \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }

static void test_equality(void **state)
{
    static const struct {
        const char *a, *b;
        bool same, same_nocase;
    } cases[] = {
        {"", "", true, true},
        {"a", "a", true, true},
        {"a", "b", false, false},
        {"ab", "a", false, false},
        {"a", "ab", false, false},
        {"Az", "aZ", false, true},
        {"@", "`", false, false},
        {"[", "{", false, false},
        {"k", "\xe2\x84\xaa", false, false},
        {"\xc4", "\xe4", false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct span a = span_of(cases[i].a);
        assert_int_equal(span_eq(a, span_of(cases[i].b)), cases[i].same);
        assert_int_equal(span_is(a, cases[i].b), cases[i].same);
        assert_int_equal(span_is_nocase(a, cases[i].b), cases[i].same_nocase);
    }
    assert_true(span_eq(span_of(NULL), span_of("")));
    assert_int_equal(span_of(NULL).n, 0);
}

/* Whatever byte of whatever length differs. */
static void test_one_byte_differs(void **state)
{
    static const char text[] = "0123456789abcdef";
    char other[sizeof(text)];

    (void)state;
    for (size_t n = 0; n < sizeof(text); n++) {
        memcpy(other, text, sizeof(text));
        assert_true(span_eq((struct span){text, n}, (struct span){other, n}));
        for (size_t i = 0; i < n; i++) {
            other[i] ^= 0x40;
            assert_false(span_eq((struct span){text, n}, (struct span){other, n}));
            other[i] ^= 0x40;
        }
        other[n] ^= 0x40;
        assert_true(span_eq((struct span){text, n}, (struct span){other, n}));
    }
}

/* Any byte in texts of each length, among bytes that are nearly it. */
static void test_has(void **state)
{
    struct guard g;

    (void)state;
    guard_open(&g, 40);
    for (unsigned c = 0; c <= UCHAR_MAX; c++) {
        const char near[] = {(char)(c + 1), (char)(c - 1), (char)(c ^ 0x80)};
        for (size_t n = 0; n <= 40; n++) {
            char text[40];
            for (size_t i = 0; i < n; i++)
                text[i] = near[(c + n + i) % sizeof(near)];
            assert_false(span_has((struct span){guard_put(&g, text, n), n}, (char)c));
            size_t at = n > 0 ? (c * 7 + n) % n : 0;
            text[at] = (char)c;
            assert_int_equal(span_has((struct span){guard_put(&g, text, n), n}, (char)c), n > 0);
        }
    }
    assert_false(span_has((struct span){NULL, 0}, '\0'));
    guard_close(&g);
}

static void test_copy_of_each_length(void **state)
{
    static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyzABCD";
    struct guard from, to;

    (void)state;
    guard_open(&from, sizeof(text));
    guard_open(&to, sizeof(text));
    for (size_t n = 0; n < sizeof(text); n++) {
        struct span s = {guard_put(&from, text, n), n};
        char *dst = guard_put(&to, text, n + 1);
        memset(dst, '?', n + 1);
        assert_int_equal(span_copy(dst, n + 1, s), 0);
        assert_memory_equal(dst, text, n);
        assert_int_equal(dst[n], '\0');
    }
    guard_close(&to);
    guard_close(&from);
}

static void test_copy(void **state)
{
    static const struct {
        struct span from;
        size_t cap;
        int result;
        const char *to;
    } cases[] = {
        {BYTES("abc"), 4, 0, "abc"}, {BYTES("abc"), 3, -1, ""},  {BYTES(""), 1, 0, ""},
        {BYTES("a"), 1, -1, ""},     {BYTES("a\0b"), 8, -1, ""}, {BYTES("ab\0"), 8, -1, ""},
    };
    struct guard g;

    (void)state;
    guard_open(&g, 16);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *dst = guard_put(&g, "????????", cases[i].cap);
        assert_int_equal(span_copy(dst, cases[i].cap, cases[i].from), cases[i].result);
        assert_string_equal(dst, cases[i].to);
    }
    assert_int_equal(span_copy(NULL, 0, span_of("")), -1);
    guard_close(&g);
}

static void test_cut(void **state)
{
    static const struct {
        const char *from;
        size_t cap;
        const char *to;
    } cases[] = {
        {"", 4, ""},
        {"abc", 4, "abc"},
        {"abcd", 4, "..."},
        {"abcd", 5, "abcd"},
        {"abcdef", 6, "ab..."},
        {"a\xc3\xa4"
         "bcd",
         6, "a..."}, /* the cut would split the umlaut */
        {"a\xc3\xa4"
         "bcd",
         7,
         "a\xc3\xa4"
         "bcd"},
        {"a\xc3\xa4"
         "bcde",
         7, "a\xc3\xa4..."},
        {"\xf0\x9f\x98\x80xyz", 5, "..."},
        {"\xf0\x9f\x98\x80xyz", 7, "..."},
        {"\xf0\x9f\x98\x80xyzw", 8, "\xf0\x9f\x98\x80..."},
        {"\x80\x80\x80\x80\x80\x80\x80\x80", 8, "\x80..."}, /* no UTF-8: three bytes back at most */
    };
    struct guard g, from;

    (void)state;
    guard_open(&g, 16);
    guard_open(&from, 16);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *dst = guard_put(&g, "????????", cases[i].cap);
        size_t n = strlen(cases[i].from);
        struct span s = {guard_put(&from, cases[i].from, n), n};
        assert_int_equal(span_cut(dst, cases[i].cap, s), strlen(cases[i].to));
        assert_string_equal(dst, cases[i].to);
        dst = guard_put(&g, "????????", cases[i].cap);
        const char *text = guard_put(&from, cases[i].from, n + 1);
        assert_int_equal(span_cut_text(dst, cases[i].cap, text), strlen(cases[i].to));
        assert_string_equal(dst, cases[i].to);
    }
    assert_int_equal(span_cut_text(guard_put(&g, "????", 4), 4, NULL), 0);
    guard_close(&from);
    guard_close(&g);
}

static void test_split_and_trim(void **state)
{
    struct span rest = span_of("a,,bc,");

    (void)state;
    assert_true(span_is(span_split(&rest, ','), "a"));
    assert_true(span_is(span_split(&rest, ','), ""));
    assert_true(span_is(span_split(&rest, ','), "bc"));
    assert_true(span_is(rest, ""));
    rest = span_of("whole");
    assert_true(span_is(span_split(&rest, ','), "whole"));
    assert_int_equal(rest.n, 0);
    assert_true(span_is(span_split(&rest, ','), ""));

    assert_true(span_is(span_trim(span_of(" \t a b\t ")), "a b"));
    assert_true(span_is(span_trim(span_of(" \t ")), ""));
    assert_true(span_is(span_trim(span_of("\na\n")), "\na\n"));
    assert_true(span_is(span_trim(span_of(NULL)), ""));
}

static void test_take_nocase(void **state)
{
    static const struct {
        const char *text, *prefix, *rest;
        bool taken;
    } cases[] = {
        {"HTTP://x", "http://", "x", true},
        {"http:/", "http://", "http:/", false},
        {"http://", "http://", "", true},
        {"xhttp://", "http://", "xhttp://", false},
        {"", "", "", true},
        {"", "a", "", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct span s = span_of(cases[i].text);
        assert_int_equal(span_take_nocase(&s, cases[i].prefix), cases[i].taken);
        assert_true(span_is(s, cases[i].rest));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take_nocase),
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_one_byte_differs),
        cmocka_unit_test(test_has),
        cmocka_unit_test(test_copy_of_each_length),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_split_and_trim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
