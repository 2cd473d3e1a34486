#include "planner/handles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct handles pool;

static int begin(void **state)
{
    (void)state;
    memset(&pool, 0xff, sizeof(pool)); /* only what is in use is looked at */
    memset(&pool, 0, sizeof(pool));
    return 0;
}

/* A chain of these: capitals hold, small ones are loose. */
static struct handles_chain chain_of(const char *text)
{
    struct handles_chain chain = {0};

    for (size_t i = 0; text[i] != '\0'; i++) {
        struct handles_chain one = {0};
        bool holds = text[i] >= 'A' && text[i] <= 'Z';
        assert_int_equal(handles_start(&pool, &one, (uint64_t)text[i], holds), 0);
        handles_move(&pool, &one, &chain, true);
        assert_true(handles_empty(&chain));
        chain = one;
    }
    return chain;
}

/* Takes all out, in order. */
static const char *take_all(struct handles_chain *chain)
{
    static char text[16];
    size_t n = 0;
    uint64_t ref;

    while ((ref = handles_take(&pool, chain)) != NO_REF) {
        assert_true(n < sizeof(text) - 1);
        text[n++] = (char)ref;
    }
    text[n] = '\0';
    assert_true(handles_empty(chain));
    return text;
}

static unsigned count_free(void)
{
    unsigned count = 0;

    for (uint16_t at = pool.free; at != 0; at = pool.entries[at - 1].next)
        count++;
    return count;
}

static void test_moving(void **state)
{
    static const struct {
        const char *chain, *from;
        bool leads;
        const char *moved, *stays;
    } cases[] = {
        {"", "", false, "", ""},          {"", "a", false, "a", ""},
        {"", "aB", false, "aB", ""},      {"", "A", true, "A", ""},
        {"X", "", true, "X", ""},         {"X", "a", false, "X", "a"},
        {"X", "A", false, "AX", ""},      {"X", "aB", false, "BX", "a"},
        {"X", "aBC", false, "BCX", "a"},  {"x", "a", false, "x", "a"},
        {"x", "A", false, "xA", ""},      {"x", "ABC", false, "xABC", ""},
        {"x", "aB", false, "xB", "a"},    {"xY", "aB", false, "xBY", "a"},
        {"xY", "A", true, "xAY", ""},     {"X", "a", true, "aX", ""},
        {"XY", "aBC", true, "aBCXY", ""}, {"x", "", true, "x", ""},
        {"xY", "", false, "xY", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        begin(state);
        struct handles_chain chain = chain_of(cases[i].chain);
        struct handles_chain from = chain_of(cases[i].from);
        handles_move(&pool, &chain, &from, cases[i].leads);
        assert_int_equal(handles_empty(&chain), cases[i].moved[0] == '\0');
        assert_string_equal(take_all(&chain), cases[i].moved);
        assert_string_equal(take_all(&from), cases[i].stays);
        assert_int_equal(count_free(), pool.used);
    }
}

static void test_only_a_loose_one_is_taken(void **state)
{
    static const struct {
        const char *chain;
        uint64_t loose;
        const char *rest;
    } cases[] = {{"", NO_REF, ""}, {"A", NO_REF, "A"}, {"a", 'a', ""}, {"aBC", 'a', "BC"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        begin(state);
        struct handles_chain chain = chain_of(cases[i].chain);
        assert_true(handles_take_loose(&pool, &chain) == cases[i].loose);
        assert_string_equal(take_all(&chain), cases[i].rest);
    }
}

static void test_as_many_as_there_is_room_for(void **state)
{
    static struct handles_chain chains[HELD_REFS_MAX + 1];
    (void)state;
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < HELD_REFS_MAX; i++)
            assert_int_equal(handles_start(&pool, &chains[i], i, i % 2 == 0), 0);
        assert_int_equal(handles_start(&pool, &chains[HELD_REFS_MAX], 0, true), -1);
        assert_int_equal(pool.used, HELD_REFS_MAX);
        for (unsigned i = 0; i < HELD_REFS_MAX; i++) {
            assert_true(handles_take(&pool, &chains[i]) == i);
            assert_true(handles_take(&pool, &chains[i]) == NO_REF);
        }
    }
}

static void test_what_was_used_is_used_again(void **state)
{
    struct handles_chain chain = {0};
    (void)state;
    for (unsigned i = 0; i < 3 * HELD_REFS_MAX; i++) {
        assert_int_equal(handles_start(&pool, &chain, UINT64_MAX - 1, true), 0);
        assert_true(handles_take(&pool, &chain) == UINT64_MAX - 1);
    }
    assert_int_equal(pool.used, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_moving, begin),
        cmocka_unit_test_setup(test_only_a_loose_one_is_taken, begin),
        cmocka_unit_test_setup(test_as_many_as_there_is_room_for, begin),
        cmocka_unit_test_setup(test_what_was_used_is_used_again, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
