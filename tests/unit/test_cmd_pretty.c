#include "cmd/pretty.h"

#include "guard.h"

#include "base/buf.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void emit(void *arg, struct span piece)
{
    buf_span(arg, piece);
}

static void test_layout(void **state)
{
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"1", "1"},
        {" \"a\" ", "\"a\""},
        {"{}", "{}"},
        {"[ ]", "[]"},
        {"{\"a\":1}", "{\n  \"a\": 1\n}"},
        {"{\"a\" : [1, 2.5e3,null ],\"b\":{}}",
         "{\n  \"a\": [\n    1,\n    2.5e3,\n    null\n  ],\n  \"b\": {}\n}"},
        {"[[],[[]]]", "[\n  [],\n  [\n    []\n  ]\n]"},
        /* what looks like structure inside a string is none */
        {"[\"{,:}\\\"[\"]", "[\n  \"{,:}\\\"[\"\n]"},
        {"\"\\\\\"", "\"\\\\\""},
        /* hidden characters become escapes, others stay */
        {"\"a\xe2\x80\xae"
         "b\"",
         "\"a\\u202eb\""},
        {"\"\x7f\xc2\x9b\"", "\"\\u007f\\u009b\""},
        {"\"\\u001b[31m \xc5\xbc\"", "\"\\u001b[31m \xc5\xbc\""},
    };
    char storage[512];
    struct guard g;
    struct buf b;

    (void)state;
    guard_open(&g, 64);
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = strlen(cases[i].json);
        buf_init(&b, storage, sizeof(storage));
        pretty_json((struct span){guard_put(&g, cases[i].json, n), n}, emit, &b);
        assert_string_equal(buf_text(&b), cases[i].text);
        for (size_t cut = 0; cut < n; cut++) { /* no JSON: nothing but the end must hold */
            buf_reset(&b);
            pretty_json((struct span){guard_put(&g, cases[i].json, cut), cut}, emit, &b);
        }
    }
    guard_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_layout)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
