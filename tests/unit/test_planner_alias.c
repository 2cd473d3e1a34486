/* NODE_ALIAS_MAP. */

#include "planner/alias.h"

#include "guard.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct aliases aliases;
static char why[128];

static const char *of(const char *node)
{
    static char name[NAME_MAX_BYTES + 1];
    assert_int_equal(span_copy(name, sizeof(name), alias_of(&aliases, span_of(node))), 0);
    return name;
}

static void test_names_are_looked_up_once(void **state)
{
    (void)state;
    assert_int_equal(alias_parse(&aliases,
                                 span_of("{\"sol\":\"solaria\",\"solaria\":\"elsewhere\","
                                         "\"a\\u0020b\":\"ab\"}"),
                                 why),
                     0);
    assert_string_equal(of("sol"), "solaria");
    assert_string_equal(of("solaria"), "elsewhere");
    assert_string_equal(of("a b"), "ab");
    assert_string_equal(of("SOL"), "SOL");
    assert_string_equal(of("so"), "so");
    assert_string_equal(of("solx"), "solx");
    assert_string_equal(of(""), "");
    assert_int_equal(alias_parse(&aliases, span_of(" {} "), why), 0);
    assert_string_equal(of("sol"), "sol");
    assert_int_equal(alias_of(NULL, span_of("sol")).n, 3);
}

/* A map of n aliases a0, a1, ... to n0, n1, ... */
static struct span map_of(unsigned n)
{
    static char text[4096];
    size_t at = 0;
    text[at++] = '{';
    for (unsigned i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s\"a%u\":\"n%u\"", i > 0 ? "," : "",
                               i, i);
    text[at++] = '}';
    return (struct span){text, at};
}

static void test_as_many_as_there_is_room_for(void **state)
{
    (void)state;
    assert_int_equal(alias_parse(&aliases, map_of(ALIASES_MAX), why), 0);
    assert_int_equal(aliases.count, ALIASES_MAX);
    assert_string_equal(of("a0"), "n0");
    assert_string_equal(of("a63"), "n63");
    for (unsigned n = ALIASES_MAX + 1; n < ALIASES_MAX + 4; n++) {
        assert_int_equal(alias_parse(&aliases, map_of(n), why), -1);
        assert_string_equal(why, "more than 64 aliases");
    }
}

static void test_what_is_refused(void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } cases[] = {
        {"", "JSON that ends too early"},
        {"{", "JSON that ends too early"},
        {"{\"a\":\"b\",}", "not valid JSON"},
        {"{\"a\":\"\xff\"}", "not valid UTF-8"},
        {"[]", "not a JSON object of alias to node"},
        {"[\"a\"]", "not a JSON object of alias to node"},
        {"\"a\"", "not a JSON object of alias to node"},
        {"null", "not a JSON object of alias to node"},
        {"{\"a\":{\"b\":\"c\"}}", "an alias must stand for a node's name, a string"},
        {"{\"a\":[\"b\"]}", "an alias must stand for a node's name, a string"},
        {"{\"a\":5}", "alias and node must be strings of 1 to 128 bytes"},
        {"{\"a\":null}", "alias and node must be strings of 1 to 128 bytes"},
        {"{\"a\":\"\"}", "alias and node must be strings of 1 to 128 bytes"},
        {"{\"\":\"b\"}", "alias and node must be strings of 1 to 128 bytes"},
        {"{\"a\":\"\\u0000\"}", "alias and node must be strings of 1 to 128 bytes"},
        {"{\"a\":\"b\",\"a\":\"c\"}", "an alias is there twice"},
        {"{\"a\":\"b\",\"\\u0061\":\"c\"}", "an alias is there twice"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(alias_parse(&aliases, span_of(cases[i].text), why), -1);
        assert_string_equal(why, cases[i].why);
    }
}

static void test_lengths(void **state)
{
    char name[NAME_MAX_BYTES + 2], text[512];
    (void)state;
    memset(name, 'n', sizeof(name));
    name[NAME_MAX_BYTES + 1] = '\0';
    snprintf(text, sizeof(text), "{\"a\":\"%s\"}", name);
    assert_int_equal(alias_parse(&aliases, span_of(text), why), -1);
    snprintf(text, sizeof(text), "{\"%s\":\"a\"}", name);
    assert_int_equal(alias_parse(&aliases, span_of(text), why), -1);
    name[NAME_MAX_BYTES] = '\0';
    snprintf(text, sizeof(text), "{\"a\":\"%s\",\"%s\":\"b\"}", name, name);
    assert_int_equal(alias_parse(&aliases, span_of(text), why), 0);
    assert_string_equal(of("a"), name);
    assert_string_equal(of(name), "b");
}

static void test_byte_by_byte(void **state)
{
    static const char text[] = "{\"sol\":\"solaria\",\"a\\u0020b\":\"ab\"}";
    struct guard g;
    (void)state;
    guard_open(&g, sizeof(text));
    for (size_t n = 0; n < sizeof(text); n++) {
        const char *p = guard_put(&g, text, n);
        assert_int_equal(alias_parse(&aliases, (struct span){p, n}, why),
                         n == sizeof(text) - 1 ? 0 : -1);
    }
    guard_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_looked_up_once),
        cmocka_unit_test(test_as_many_as_there_is_room_for),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_byte_by_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
