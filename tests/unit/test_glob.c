#include "base/glob.h"

#include "guard.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_match(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool match;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "anything", true},
        {"?", "", false},
        {"?", "a", true},
        {"?", "ab", false},
        {"chelsty*", "chelsty", true},
        {"chelsty*", "CHELSTY-2", true},
        {"chelsty*", "chelst", false},
        {"chelsty", "chelsty1", false},
        {"*ty", "chelsty", true},
        {"*ty", "chelstyx", false},
        {"a*b*c", "aXXbYYc", true},
        {"a*b*c", "aXXcYYb", false},
        {"a*bc", "abcbc", true},
        {"a*b?d", "abxabcd", true},
        {"**", "x", true},
        {"*?", "", false},
        {"a**", "a", true},
        {"*a*", "bab", true},
        {"*a", "bab", false},
        {"[a]", "a", false},
        {"a.c", "abc", false},
        {"disk_pressure*", "disk_pressure_root", true},
        {"ab", "a", false},
        {"*aab", "aaaab", true},
        {"A?C", "a*c", true},
        {"ab*b?", "abc", false},
    };
    struct guard p, t;

    (void)state;
    guard_open(&p, 64);
    guard_open(&t, 64);
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t pn = strlen(cases[i].pattern), tn = strlen(cases[i].text);
        struct span text = {guard_put(&t, cases[i].text, tn), tn};
        struct span pattern = {guard_put(&p, cases[i].pattern, pn), pn};
        if (glob_match(pattern, text) != cases[i].match)
            fail_msg("%s, %s", cases[i].pattern, cases[i].text);
        for (size_t k = 0; k < pn; k++) /* every prefix of the pattern, without a verdict */
            (void)glob_match((struct span){guard_put(&p, cases[i].pattern, k), k}, text);
    }
    guard_close(&t);
    guard_close(&p);
}

/* Backtracking to every * would take 2^100 steps here. */
static void test_is_not_exponential(void **state)
{
    char pattern[200], text[2000];

    (void)state;
    for (size_t i = 0; i < sizeof(pattern); i += 2) {
        pattern[i] = '*';
        pattern[i + 1] = 'a';
    }
    pattern[sizeof(pattern) - 1] = 'b';
    memset(text, 'a', sizeof(text));
    assert_false(
        glob_match((struct span){pattern, sizeof(pattern)}, (struct span){text, sizeof(text)}));
}

static void test_list(void **state)
{
    static const struct {
        const char *list, *text;
        bool match;
    } cases[] = {
        {"", "a", false},   {"", "", false},        {" , ", "", false},
        {"a,b", "b", true}, {"a, b ,c", "b", true}, {"a,b", "ab", false},
        {"x*,", "", false}, {"*", "", true},        {" \tnode*", "Node1", true},
        {",,b", "b", true}, {"a b", "a b", true},   {"a,b", "", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (glob_list_match(span_of(cases[i].list), span_of(cases[i].text)) != cases[i].match)
            fail_msg("%s, %s", cases[i].list, cases[i].text);
    assert_false(glob_list_match(span_of(NULL), span_of("a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_is_not_exponential),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
