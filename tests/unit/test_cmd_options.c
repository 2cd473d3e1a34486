#include "cmd/options.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define WORDS_MAX 8

static const struct {
    const char *words[WORDS_MAX];
    const char *why; /* NULL: taken */
    bool json;
    const char *note;
    const char *operands[WORDS_MAX];
} cases[] = {
    {{NULL}, NULL, false, NULL, {NULL}},
    {{"a", "b"}, NULL, false, NULL, {"a", "b"}},
    {{"--json"}, NULL, true, NULL, {NULL}},
    {{"a", "--json", "b"}, NULL, true, NULL, {"a", "b"}},
    {{"--json", "--json"}, NULL, true, NULL, {NULL}},
    {{"--note", "x"}, NULL, false, "x", {NULL}},
    {{"--note=x"}, NULL, false, "x", {NULL}},
    {{"--note="}, NULL, false, "", {NULL}},
    {{"--note=a=b", "c"}, NULL, false, "a=b", {"c"}},
    {{"--note", "--json"}, NULL, false, "--json", {NULL}},
    {{"--note", "--"}, NULL, false, "--", {NULL}},
    {{"--", "--json", "--"}, NULL, false, NULL, {"--json", "--"}},
    {{"-", ""}, NULL, false, NULL, {"-", ""}},
    {{"--note"}, "--note needs a value", false, NULL, {NULL}},
    {{"--note=1", "--note=2"}, "--note is given twice", false, NULL, {NULL}},
    {{"--json=1"}, "--json takes no value", false, NULL, {NULL}},
    {{"--jso"}, "--jso: unknown option", false, NULL, {NULL}},
    {{"--jsonx"}, "--jsonx: unknown option", false, NULL, {NULL}},
    {{"-j"}, "-j: unknown option", false, NULL, {NULL}},
    {{"--nope=secret"}, "--nope: unknown option", false, NULL, {NULL}},
};

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *argv[WORDS_MAX] = {NULL};
        char words[WORDS_MAX][32];
        char why[OPTIONS_WHY_MAX];
        bool json = false;
        const char *note = NULL;
        const struct option table[] = {
            {"--json", &json, NULL}, {"--note", NULL, &note}, {NULL, NULL, NULL}};
        int argc = 0;
        for (; argc < WORDS_MAX && cases[i].words[argc] != NULL; argc++) {
            memcpy(words[argc], cases[i].words[argc], strlen(cases[i].words[argc]) + 1);
            argv[argc] = words[argc];
        }
        int result = options_parse(table, &argc, argv, why);
        assert_int_equal(result, cases[i].why == NULL ? 0 : -1);
        if (cases[i].why != NULL) {
            assert_string_equal(why, cases[i].why);
            continue;
        }
        assert_int_equal(json, cases[i].json);
        if (cases[i].note == NULL)
            assert_null(note);
        else
            assert_string_equal(note, cases[i].note);
        int expected = 0;
        while (expected < WORDS_MAX && cases[i].operands[expected] != NULL)
            expected++;
        assert_int_equal(argc, expected);
        for (int j = 0; j < argc; j++)
            assert_string_equal(argv[j], cases[i].operands[j]);
    }
}

static void test_long_name(void **state)
{
    char word[1000];
    char why[OPTIONS_WHY_MAX];
    char *argv[] = {word, NULL};
    const struct option table[] = {{NULL, NULL, NULL}};
    int argc = 1;

    (void)state;
    memset(word, '-', sizeof(word));
    word[sizeof(word) - 1] = '\0';
    assert_int_equal(options_parse(table, &argc, argv, why), -1);
    assert_non_null(strstr(why, "...: unknown option"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_long_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
