#include "base/escape.h"
#include "base/utf8.h"

#include "guard.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* RFC 3629 by arithmetic, as a check on the table in utf8.c. */
static size_t reference(const unsigned char *p, size_t n, uint32_t *cp)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = 0;

    if (n == 0)
        return 0;
    if (p[0] < 0x80)
        length = 1;
    else if ((p[0] & 0xe0) == 0xc0)
        length = 2;
    else if ((p[0] & 0xf0) == 0xe0)
        length = 3;
    else if ((p[0] & 0xf8) == 0xf0)
        length = 4;
    if (length == 0 || length > n)
        return 0;
    *cp = length == 1 ? p[0] : p[0] & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        *cp = *cp << 6 | (p[i] & 0x3fU);
    }
    return *cp < least[length] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp <= 0xdfff) ? 0 : length;
}

/* All sequences of bytes from the borders of the ranges, of up to four, flush against the page. */
static void test_next(void **state)
{
    static const unsigned char borders[] = {
        0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf,
        0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xff,
    };
    const size_t k = COUNT(borders);
    struct guard g;

    (void)state;
    guard_open(&g, 4);
    for (size_t n = 1; n <= 4; n++) {
        size_t all = 1;
        for (size_t i = 0; i < n; i++)
            all *= k;
        for (size_t number = 0; number < all; number++) {
            unsigned char *p = (unsigned char *)g.page - n;
            size_t rest = number;
            for (size_t i = 0; i < n; i++, rest /= k)
                p[i] = borders[rest % k];
            uint32_t expected = 0, got = 0;
            size_t length = reference(p, n, &expected);
            if (utf8_next((struct span){(char *)p, n}, &got) != length)
                fail_msg("%zu bytes: %02x %02x %02x %02x", n, p[0], p[n > 1], p[n > 2 ? 2 : 0],
                         p[n - 1]);
            if (length > 0)
                assert_int_equal(got, expected);
        }
    }
    uint32_t cp;
    assert_int_equal(utf8_next((struct span){g.page, 0}, &cp), 0);
    guard_close(&g);
}

static void test_put(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
        char bytes[4];
        uint32_t back;
        if (cp == 0xd800)
            cp = 0xe000;
        size_t n = utf8_put(bytes, cp);
        if (utf8_next((struct span){bytes, n}, &back) != n || back != cp)
            fail_msg("U+%04X", cp);
    }
}

static void test_text(void **state)
{
    static const struct {
        const char *text;
        bool is_text;
    } cases[] = {
        {"", true},
        {"plain", true},
        {"\xc5\xbc\xc3\xb3\xc5\x82w", true},
        {"\xf0\x9f\x98\x80", true},
        {"a\xc0\xaf", false}, /* an overlong slash */
        {"\xe0\x80\xaf", false},
        {"\xed\xa0\x80", false},     /* a surrogate */
        {"\xf4\x90\x80\x80", false}, /* over U+10FFFF */
        {"a\xc3", false},
        {"\xff", false},
        {"ok\x80", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(utf8_is_text(span_of(cases[i].text)), cases[i].is_text);
}

/* One byte anywhere in ASCII of each length. */
static void test_text_with_a_byte(void **state)
{
    static const struct {
        unsigned char byte;
        bool is_text;
    } cases[] = {{0x00, false}, {0x01, true},  {'a', true},  {0x7f, true},
                 {0x80, false}, {0xc3, false}, {0xff, false}};
    struct guard g;

    (void)state;
    guard_open(&g, 40);
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t n = 1; n <= 40; n++) {
            for (size_t at = 0; at < n; at++) {
                char text[40];
                memset(text, 'a', sizeof(text));
                text[at] = (char)cases[i].byte;
                struct span s = {guard_put(&g, text, n), n};
                if (utf8_is_text(s) != cases[i].is_text)
                    fail_msg("%02x at %zu of %zu", cases[i].byte, at, n);
            }
        }
    }
    guard_close(&g);
}

static void test_hidden(void **state)
{
    static const struct {
        uint32_t cp;
        bool hidden;
    } cases[] = {
        {0, true},       {0x1f, true},     {' ', false},     {'~', false},    {0x7f, true},
        {0x9f, true},    {0xa0, false},    {0xad, true},     {0x61b, false},  {0x61c, true},
        {0x200a, false}, {0x200b, true},   {0x200d, true},   {0x200f, true},  {0x2010, false},
        {0x2027, false}, {0x2028, true},   {0x2029, true},   {0x202e, true},  {0x202f, false},
        {0x2060, true},  {0x2066, true},   {0x2069, true},   {0x2070, false}, {0xfeff, true},
        {0xfffd, false}, {0x1f600, false}, {0xe0041, true},  {0xe0080, true}, {0x180e, true},
        {0x34e, false},  {0x34f, true},    {0x115f, true},   {0x3164, true},  {0xfe0f, true},
        {0xfe10, false}, {0x1d173, true},  {0x1d17b, false}, {0xe0100, true}, {0xe1000, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(utf8_hidden(cases[i].cp), cases[i].hidden);
}

static void test_escape(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},
        {"plain \"text\"", "plain \"text\""},
        {"a\nb\rc\td", "a\\nb\\rc\\td"},
        {"\x1b[31m", "\\x1b[31m"},
        {"\x7f\x01", "\\x7f\\x01"},
        {"back\\slash", "back\\slash"},
        {"\xc5\xbc", "\xc5\xbc"},
        {"\xc2\x85", "\\u0085"},
        {"\xe2\x80\xae"
         "exe",
         "\\u202eexe"},
        {"\xf3\xa0\x81\x81", "\\U000e0041"},
        {"\xff\xc3", "\\xff\\xc3"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
    };
    struct guard g;

    (void)state;
    guard_open(&g, 64);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char storage[64];
        struct buf b;
        size_t n = strlen(cases[i].in);
        buf_init(&b, storage, sizeof(storage));
        escape_text(&b, (struct span){guard_put(&g, cases[i].in, n), n});
        assert_string_equal(buf_text(&b), cases[i].out);
        for (size_t k = 0; k < n; k++) {
            buf_reset(&b);
            escape_text(&b, (struct span){guard_put(&g, cases[i].in, k), k});
            assert_int_equal(buf_done(&b), 0);
        }
    }
    char storage[8];
    struct buf b;
    buf_init(&b, storage, sizeof(storage));
    escape_text(&b, (struct span){"a\0b", 3});
    assert_string_equal(buf_text(&b), "a\\x00b");
    guard_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next),   cmocka_unit_test(test_put),
        cmocka_unit_test(test_text),   cmocka_unit_test(test_text_with_a_byte),
        cmocka_unit_test(test_hidden), cmocka_unit_test(test_escape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
