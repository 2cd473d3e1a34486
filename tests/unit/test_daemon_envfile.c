#include "daemon/envfile.h"

#include "guard.h"

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

#define BAD_QUOTE "the quote is not closed on its line"
#define BAD_REST "something stands behind the closing quote"
#define BAD_LINE "it is not KEY=value"
#define BAD_NUL "it holds a NUL byte"

/* name NULL ends the items; value NULL: a bad line, name says why. */
struct item {
    unsigned line;
    const char *name;
    const char *value;
};

static const struct {
    struct span text;
    struct item items[5];
} cases[] = {
    {BYTES(""), {{0, NULL, NULL}}},
    {BYTES("\n\n  \n\t\n"), {{0, NULL, NULL}}},
    {BYTES("# A=1\n   # B=2\n"), {{0, NULL, NULL}}},
    {BYTES("A=1"), {{1, "A", "1"}}},
    {BYTES("A=1\nB=2\n"), {{1, "A", "1"}, {2, "B", "2"}}},
    {BYTES("A=1\r\nB=2\r\n"), {{1, "A", "1"}, {2, "B", "2"}}},
    {BYTES("\xef\xbb\xbf"
           "A=1\n"),
     {{1, "A", "1"}}},
    {BYTES("A="), {{1, "A", ""}}},
    {BYTES("A=   "), {{1, "A", ""}}},
    {BYTES("  A = b c \t\n"), {{1, "A", "b c"}}},
    {BYTES("export A=1\nexport\tB=2\n"), {{1, "A", "1"}, {2, "B", "2"}}},
    {BYTES("export   A=1\n"), {{1, "A", "1"}}},
    {BYTES("export=1\nexport =2\n"), {{1, "export", "1"}, {2, "export", "2"}}},
    {BYTES("exported=1\n"), {{1, "exported", "1"}}},
    {BYTES("_a9=x\n"), {{1, "_a9", "x"}}},
    /* comments behind values */
    {BYTES("A=1 # one\n"), {{1, "A", "1"}}},
    {BYTES("A=1\t#one\n"), {{1, "A", "1"}}},
    {BYTES("A=1#one\n"), {{1, "A", "1#one"}}},
    {BYTES("A=#one\n"), {{1, "A", ""}}},
    {BYTES("A='1' # one\n"), {{1, "A", "1"}}},
    {BYTES("A=\"1\" \t\n"), {{1, "A", "1"}}},
    /* single quotes: as it stands */
    {BYTES("A='b \\\" # $c'\n"), {{1, "A", "b \\\" # $c"}}},
    {BYTES("A=''\n"), {{1, "A", ""}}},
    {BYTES("A='{\"x\":\"y\"}'\n"), {{1, "A", "{\"x\":\"y\"}"}}},
    /* double quotes */
    {BYTES("A=\"b # c\"\n"), {{1, "A", "b # c"}}},
    {BYTES("A=\"\\\"\\\\\\$\\`\\n\\x\"\n"), {{1, "A", "\"\\$`\\n\\x"}}},
    {BYTES("A=\"it's\"\n"), {{1, "A", "it's"}}},
    {BYTES("A=\"b\\\\\"\n"), {{1, "A", "b\\"}}},
    /* unquoted: nothing is special inside */
    {BYTES("A=b\"c'd\\n$e\n"), {{1, "A", "b\"c'd\\n$e"}}},
    {BYTES("A={\"x\":\"y\"}\n"), {{1, "A", "{\"x\":\"y\"}"}}},
    {BYTES("A=b=c\n"), {{1, "A", "b=c"}}},
    /* bad lines; reading goes on behind them */
    {BYTES("A\nB=2\n"), {{1, BAD_LINE, NULL}, {2, "B", "2"}}},
    {BYTES("=1\n"), {{1, BAD_LINE, NULL}}},
    {BYTES("A B=1\n"), {{1, BAD_LINE, NULL}}},
    {BYTES("1A=1\n"), {{1, BAD_LINE, NULL}}},
    {BYTES("A-B=1\n"), {{1, BAD_LINE, NULL}}},
    {BYTES("export A\n"), {{1, BAD_LINE, NULL}}},
    {BYTES("export\n"), {{1, BAD_LINE, NULL}}},
    {BYTES("A='b\n"), {{1, BAD_QUOTE, NULL}}},
    {BYTES("A='\n"), {{1, BAD_QUOTE, NULL}}},
    {BYTES("A=\"b\\\"\n"), {{1, BAD_QUOTE, NULL}}},
    {BYTES("A=\"b\\"), {{1, BAD_QUOTE, NULL}}},
    {BYTES("A='b'c\n"), {{1, BAD_REST, NULL}}},
    {BYTES("A='b'#c\n"), {{1, BAD_REST, NULL}}},
    {BYTES("A='b' c\nB=2"), {{1, BAD_REST, NULL}, {2, "B", "2"}}},
    {BYTES("A=1\0\nB=2"), {{1, BAD_NUL, NULL}, {2, "B", "2"}}},
};

static void check_items(char *text, size_t n, const struct item *items)
{
    struct envfile f;
    struct span name, value;

    envfile_init(&f, text, n);
    for (; items->name != NULL; items++) {
        enum envfile_item item = envfile_next(&f, &name, &value);
        assert_int_equal(f.line, items->line);
        if (items->value == NULL) {
            assert_int_equal(item, ENVFILE_BAD);
            assert_string_equal(f.why, items->name);
            continue;
        }
        assert_int_equal(item, ENVFILE_PAIR);
        assert_true(span_is(name, items->name));
        assert_true(span_is(value, items->value));
    }
    assert_int_equal(envfile_next(&f, &name, &value), ENVFILE_END);
    assert_int_equal(envfile_next(&f, &name, &value), ENVFILE_END);
}

static void test_items(void **state)
{
    struct guard g;

    (void)state;
    guard_open(&g, 128);
    for (size_t i = 0; i < COUNT(cases); i++)
        check_items(guard_put(&g, cases[i].text.p, cases[i].text.n), cases[i].text.n,
                    cases[i].items);
    guard_close(&g);
}

/* Cut anywhere: nothing is read past the end, and every item is a pair or says why not. */
static void test_prefixes(void **state)
{
    struct guard g;

    (void)state;
    guard_open(&g, 128);
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t n = 0; n <= cases[i].text.n; n++) {
            struct envfile f;
            struct span name, value;
            enum envfile_item item;
            envfile_init(&f, guard_put(&g, cases[i].text.p, n), n);
            while ((item = envfile_next(&f, &name, &value)) != ENVFILE_END) {
                if (item == ENVFILE_BAD)
                    assert_non_null(f.why);
                else
                    assert_true(name.n > 0);
            }
        }
    guard_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_prefixes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
