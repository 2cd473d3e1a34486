#include "cmd/columns.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct columns blank = {
    .count = 3,
    .title = {"ID", "AGE", "REASON"},
    .right = {false, true, false},
    .most = {12, 0, 0},
    .least = {4, 0, 0},
};

static void make(struct span cells[3], const char *id, const char *age, const char *reason)
{
    cells[0] = span_of(id);
    cells[1] = span_of(age);
    cells[2] = span_of(reason);
}

/* A table of the titles and two rows, in static memory. */
static const char *draw(size_t terminal, const char *reason, const char *other_id)
{
    static char storage[4096];
    struct columns c = blank;
    struct span a[3], b[3];
    struct buf out;

    make(a, "first", "1 s", reason);
    make(b, other_id, "12 min", "short");
    columns_init(&c);
    columns_measure(&c, a);
    columns_measure(&c, b);
    columns_fit(&c, terminal);
    buf_init(&out, storage, sizeof(storage));
    columns_row(&c, NULL, &out);
    columns_row(&c, a, &out);
    columns_row(&c, b, &out);
    const char *text = buf_text(&out);
    assert_non_null(text);
    return text;
}

static void test_layout(void **state)
{
    static const char longer[] = "a reason that is longer than what a terminal has room for";
    static const struct {
        size_t terminal;
        const char *reason, *other_id, *table;
    } cases[] = {
        {0, "why", "2",
         "ID        AGE  REASON\n"
         "first     1 s  why\n"
         "2      12 min  short\n"},
        /* no limit: nothing of the last column is cut; others as their own limit says */
        {0, longer, "an-id-that-is-long",
         "ID               AGE  REASON\n"
         "first            1 s  a reason that is longer than what a terminal has room for\n"
         "an-id-tha...  12 min  short\n"},
        /* cut to fit */
        {45, longer, "2",
         "ID        AGE  REASON\n"
         "first     1 s  a reason that is longer tha...\n"
         "2      12 min  short\n"},
        /* no room beside: below */
        {40, longer, "2",
         "ID        AGE\n"
         "first     1 s\n"
         "    a reason that is longer than what...\n"
         "2      12 min\n"
         "    short\n"},
        /* no room for the others either: what may be narrowed is */
        {16, longer, "0123456789",
         "ID           AGE\n"
         "first        1 s\n"
         "    a reason ...\n"
         "01234...  12 min\n"
         "    short\n"},
        {1, longer, "0123456789",
         "ID       AGE\n"
         "f...     1 s\n"
         "    a\n"
         "0...  12 min\n"
         "    s\n"},
        /* empty cells leave no blanks at the end */
        {40, "", "2",
         "ID        AGE  REASON\n"
         "first     1 s\n"
         "2      12 min  short\n"},
        /* characters count, not bytes */
        {0, "z\xc3\xb3\xc5\x82w", "\xc3\xb3\xc3\xb3\xc3\xb3",
         "ID        AGE  REASON\n"
         "first     1 s  z\xc3\xb3\xc5\x82w\n"
         "\xc3\xb3\xc3\xb3\xc3\xb3    12 min  short\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(draw(cases[i].terminal, cases[i].reason, cases[i].other_id),
                            cases[i].table);
}

static void test_cut_keeps_characters_whole(void **state)
{
    static const char umlauts[] = "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
                                  "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4";

    (void)state;
    assert_non_null(strstr(draw(0, "x", umlauts), "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
                                                  "\xc3\xa4\xc3\xa4\xc3\xa4...  12 min"));
}

static void test_length(void **state)
{
    (void)state;
    assert_int_equal(columns_length(span_of("")), 0);
    assert_int_equal(columns_length(span_of("abc")), 3);
    assert_int_equal(columns_length(span_of("\xc5\xbc\xf0\x9f\x98\x80")), 2);
    assert_int_equal(columns_length(span_of("\xff\xfe")), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_cut_keeps_characters_whole),
        cmocka_unit_test(test_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
