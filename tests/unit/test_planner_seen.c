#include "planner/seen.h"

#include "guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct seen s;

static int begin(void **state)
{
    (void)state;
    memset(&s, 0, sizeof(s));
    return 0;
}

static void test_zero_is_no_identity(void **state)
{
    (void)state;
    assert_false(seen_has(&s, 0));
    seen_note(&s, 0);
    assert_false(seen_has(&s, 0));
    assert_false(s.changed);
    assert_int_equal(s.next, 0);
}

static void test_the_newest_are_kept(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= SEEN_IDENTITIES_MAX; i++)
        seen_note(&s, i);
    assert_true(s.changed);
    for (uint64_t i = 1; i <= SEEN_IDENTITIES_MAX; i++)
        assert_true(seen_has(&s, i));
    seen_note(&s, UINT64_MAX);
    assert_false(seen_has(&s, 1));
    assert_true(seen_has(&s, 2));
    assert_true(seen_has(&s, UINT64_MAX));
}

static void test_noted_twice_it_is_kept_once(void **state)
{
    (void)state;
    seen_note(&s, 7);
    s.changed = false;
    for (int i = 0; i < 2 * SEEN_IDENTITIES_MAX; i++)
        seen_note(&s, 7);
    assert_false(s.changed);
    assert_int_equal(s.next, 1);
}

static void test_what_is_old_is_forgotten(void **state)
{
    (void)state;
    seen_turn(&s, 1000);
    seen_note(&s, 1);
    seen_turn(&s, 2000);
    seen_note(&s, 2);
    seen_turn(&s, 1000 + SHARED_EVENT_MS - 1);
    assert_true(seen_has(&s, 1));
    seen_turn(&s, 1000 + SHARED_EVENT_MS);
    assert_false(seen_has(&s, 1));
    assert_true(seen_has(&s, 2));
    for (uint64_t i = 3; i <= SEEN_IDENTITIES_MAX + 1; i++)
        seen_note(&s, i);
    assert_true(seen_has(&s, 2)); /* the free place went first */
    seen_note(&s, 1);
    assert_false(seen_has(&s, 2));
    seen_turn(&s, INT64_C(10) * SHARED_EVENT_MS);
    for (uint64_t i = 1; i <= SEEN_IDENTITIES_MAX + 1; i++)
        assert_false(seen_has(&s, i));
    seen_note(&s, 9);
    assert_true(seen_has(&s, 9));
}

/* All lines, one below the other. */
static size_t save(char *text, size_t size, unsigned *lines)
{
    struct json_write w;
    struct buf b;
    uint32_t at = 0;
    size_t n = 0;

    *lines = 0;
    for (;;) {
        buf_init(&b, text + n, 700);
        json_write_init(&w, &b);
        json_write_object(&w, NULL);
        if (!seen_save(&s, &w, &at))
            return n;
        json_write_end_object(&w);
        assert_int_equal(buf_done(&b), 0);
        n += b.n;
        text[n++] = '\n';
        ++*lines;
        assert_true(n + 700 <= size);
    }
}

static void load(struct span text)
{
    memset(&s, 0, sizeof(s));
    while (text.n > 0) {
        assert_int_equal(seen_load(&s, span_split(&text, '\n')), 0);
        assert_false(s.changed);
    }
}

static void test_saved_and_loaded(void **state)
{
    static char text[40000];
    static const struct {
        uint64_t first, last; /* noted, all between too */
        unsigned lines;
    } cases[] = {{1, 0, 0},
                 {1, 1, 1},
                 {1, 32, 1},
                 {1, 33, 2},
                 {UINT64_MAX - 40, UINT64_MAX - 1, 2},
                 {1, SEEN_IDENTITIES_MAX, SEEN_IDENTITIES_MAX / 32},
                 {1, SEEN_IDENTITIES_MAX + 100, SEEN_IDENTITIES_MAX / 32}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned lines;
        memset(&s, 0, sizeof(s));
        for (uint64_t id = cases[i].first; id <= cases[i].last; id++)
            seen_note(&s, id);
        size_t n = save(text, sizeof(text), &lines);
        assert_int_equal(lines, cases[i].lines);
        load((struct span){text, n});
        for (uint64_t id = cases[i].first; id <= cases[i].last; id++)
            assert_int_equal(seen_has(&s, id), cases[i].last - id < SEEN_IDENTITIES_MAX);
        if (cases[i].last == 0)
            continue;
        /* The order is kept: the oldest goes first. */
        uint64_t oldest = cases[i].last - cases[i].first >= SEEN_IDENTITIES_MAX
                              ? cases[i].last - SEEN_IDENTITIES_MAX + 1
                              : cases[i].first;
        while (seen_has(&s, oldest))
            seen_note(&s, UINT64_C(1) << 40 | s.next);
        assert_true(oldest == cases[i].last || seen_has(&s, oldest + 1));
    }
}

static void test_a_line(void **state)
{
    char text[700];
    struct json_write w;
    struct buf b;
    uint32_t at = 0;
    (void)state;
    seen_note(&s, 1);
    seen_note(&s, UINT64_C(0x0123456789abcdef));
    buf_init(&b, text, sizeof(text));
    json_write_init(&w, &b);
    json_write_object(&w, NULL);
    assert_true(seen_save(&s, &w, &at));
    json_write_end_object(&w);
    assert_string_equal(buf_text(&b),
                        "{\"identities\":[\"0000000000000001\",\"0123456789abcdef\"]}");
    assert_false(seen_save(&s, &w, &at));
}

static void test_lines_that_make_no_sense(void **state)
{
    static const struct {
        const char *text;
        int result;
    } cases[] = {
        {"{\"identities\":[\"0000000000000001\",\"fedcba9876543210\"]}", 0},
        {"{\"x\":1,\"identities\":[]}", 0},
        {"{\"identities\":[\"0000000000000001\",\"000000000000000\"]}", -1},
        {"{\"identities\":[\"0000000000000001\",\"00000000000000011\"]}", -1},
        {"{\"identities\":[\"0000000000000001\",\"000000000000000G\"]}", -1},
        {"{\"identities\":[\"0000000000000001\",\"000000000000000A\"]}", -1},
        {"{\"identities\":[\"0000000000000001\",\"0000000000000000\"]}", -1},
        {"{\"identities\":[\"0000000000000001\",\"00000000000000:1\"]}", -1},
        {"{\"identities\":[\"0000000000000001\",\"00000000000000/1\"]}", -1},
        {"{\"identities\":[\"0000000000000001\",\"00000000000000`1\"]}", -1},
        {"{\"identities\":[\"0000000000000001\",\"00000000000000g1\"]}", -1},
        {"{\"identities\":[\"0000000000000001\",1]}", -1},
        {"{\"identities\":\"0000000000000001\"}", -1},
        {"{\"identities\":[[\"0000000000000001\"]]}", -1},
        {"{\"other\":[\"0000000000000001\"]}", -1},
        {"[\"0000000000000001\"]", -1},
        {"{}", -1},
        {"", -1},
    };
    struct guard g;
    (void)state;
    guard_open(&g, 256);
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = strlen(cases[i].text);
        for (size_t cut = 0; cut <= n; cut++) {
            memset(&s, 0, sizeof(s));
            const char *p = guard_put(&g, cases[i].text, cut);
            int expected = cut == n ? cases[i].result : -1;
            if (seen_load(&s, (struct span){p, cut}) != expected)
                fail_msg("%.*s", (int)cut, cases[i].text);
            assert_int_equal(seen_has(&s, 1), expected == 0 && i == 0); /* all of it, or nothing */
        }
    }
    guard_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_zero_is_no_identity, begin),
        cmocka_unit_test_setup(test_the_newest_are_kept, begin),
        cmocka_unit_test_setup(test_noted_twice_it_is_kept_once, begin),
        cmocka_unit_test_setup(test_what_is_old_is_forgotten, begin),
        cmocka_unit_test_setup(test_saved_and_loaded, begin),
        cmocka_unit_test_setup(test_a_line, begin),
        cmocka_unit_test_setup(test_lines_that_make_no_sense, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
