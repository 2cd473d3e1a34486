/* LLM_CHAIN: CONTRACTS, sections 7 and 8. */

#include "llm/chain.h"

#include "base/log.h"
#include "llm/rules.h"

#include "guard.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct chain chain;
static char why[CHAIN_WHY_MAX];

/* What parsing text logs; the caller's until the next call. */
static const char *logged;

static int parse(const char *text)
{
    static char line[4096];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    log_init(LOG_INFO, LOG_JSON);
    log_to(ends[1]);
    int result = chain_parse(&chain, span_of(text), why);
    log_to(-1);
    assert_int_equal(close(ends[1]), 0);
    ssize_t n = read(ends[0], line, sizeof(line) - 1);
    assert_true(n >= 0);
    line[n] = '\0';
    assert_int_equal(close(ends[0]), 0);
    logged = line;
    return result;
}

static unsigned lines(void)
{
    unsigned n = 0;
    for (const char *p = logged; *p != '\0'; p++)
        n += *p == '\n';
    return n;
}

static void test_rules_alone(void **state)
{
    (void)state;
    assert_int_equal(parse("rules"), 0);
    assert_int_equal(chain.count, 1);
    assert_ptr_equal(chain.hops[0].provider, &rules_provider);
    assert_string_equal(chain.hops[0].label, "rules");
    assert_string_equal(chain.hops[0].model, "");
    assert_true(chain.hops[0].limit_ms == rules_provider.limit_ms);
    assert_int_equal(lines(), 0);
    assert_int_equal(parse(" \trules@600 , rules@1"), 0);
    assert_int_equal(chain.count, 2);
    assert_true(chain.hops[0].limit_ms == 600000);
    assert_true(chain.hops[1].limit_ms == 1000);
}

static void test_hops_that_are_not_built_in_are_left_out_with_one_line_each(void **state)
{
    (void)state;
    assert_int_equal(parse("ollama,anthropic/claude-haiku-4-5,anthropic/claude-sonnet-4-6,rules"),
                     0);
    assert_int_equal(chain.count, 1);
    assert_string_equal(chain.hops[0].label, "rules");
    assert_int_equal(lines(), 3);
    assert_non_null(strstr(logged, "\"hop_skipped\""));
    assert_non_null(strstr(logged, "\"anthropic/claude-haiku-4-5\""));
    assert_int_equal(parse("openai/org/model:7b@30"), 0);
    assert_int_equal(chain.count, 0);
    assert_int_equal(lines(), 1);
}

static void test_items(void **state)
{
#define PROVIDER_WHY "the provider must be ollama, anthropic, openai or rules"
#define MODEL_WHY "the model must be short, without spaces or controls"
#define SECONDS_WHY "after @ there must be 1 to 600 seconds"
#define MISSING_WHY "a hop is missing"
    static const struct {
        const char *text;
        const char *why; /* NULL: taken */
    } cases[] = {
        {"ollama/qwen2.5:7b", NULL},
        {"ollama/hf.co/org/model:Q4_K_M@8", NULL},
        {"openai/org/model", NULL},
        {"anthropic/a@1", NULL},
        {"ollama@600", NULL},
        {"", MISSING_WHY},
        {" ", MISSING_WHY},
        {",", MISSING_WHY},
        {"rules,", MISSING_WHY},
        {",rules", MISSING_WHY},
        {"rules,,rules", MISSING_WHY},
        {"rules, ,rules", MISSING_WHY},
        {"gemini", PROVIDER_WHY},
        {"gemini/pro@5", PROVIDER_WHY},
        {"Rules", PROVIDER_WHY},
        {"rules ollama", PROVIDER_WHY},
        {"/model", PROVIDER_WHY},
        {"@5", PROVIDER_WHY},
        {"olla", PROVIDER_WHY},
        {"ollama2", PROVIDER_WHY},
        {"rules/x", "this provider has no models"},
        {"rules/", "this provider has no models"},
        {"ollama/", MODEL_WHY},
        {"ollama/@5", MODEL_WHY},
        {"ollama/a b", MODEL_WHY},
        {"ollama/a\nb", MODEL_WHY},
        {"ollama/a\x7f", MODEL_WHY},
        {"ollama/\xc5\xbc", MODEL_WHY},
        {"rules@", SECONDS_WHY},
        {"rules@0", SECONDS_WHY},
        {"rules@601", SECONDS_WHY},
        {"rules@-1", SECONDS_WHY},
        {"rules@5s", SECONDS_WHY},
        {"rules@ 5", SECONDS_WHY},
        {"rules@5.5", SECONDS_WHY},
        {"rules@99999999999999999999", SECONDS_WHY},
        {"ollama/m@sha256:abc", SECONDS_WHY},
        {"rules@5@x", SECONDS_WHY},
        {"rules,rules,rules,rules,rules,rules,rules,rules", NULL},
        {"rules,rules,rules,rules,rules,rules,rules,rules,rules", "a chain has at most 8 hops"},
    };
    struct guard g;
    (void)state;
    guard_open(&g, 256);
    for (size_t i = 0; i < COUNT(cases); i++) {
        int result = parse(cases[i].text);
        if ((result == 0) != (cases[i].why == NULL))
            fail_msg("%s: %d", cases[i].text, result);
        if (cases[i].why != NULL) {
            const char *colon = strstr(why, "\": ");
            assert_non_null(colon);
            assert_string_equal(colon + 3, cases[i].why);
        }
        size_t n = strlen(cases[i].text);
        const char *p = guard_put(&g, cases[i].text, n);
        assert_int_equal(chain_parse(&chain, (struct span){p, n}, why), result);
    }
    guard_close(&g);
    assert_int_equal(parse("nonsense@7"), -1);
    assert_string_equal(why, "\"nonsense@7\": " PROVIDER_WHY);
}

static void test_the_longest_model(void **state)
{
    char text[LLM_MODEL_MAX + 64] = "ollama/";
    (void)state;
    memset(text + 7, 'm', LLM_MODEL_MAX);
    text[LLM_MODEL_MAX] = '\0';
    assert_int_equal(parse(text), 0);
    text[LLM_MODEL_MAX] = 'm';
    text[LLM_MODEL_MAX + 1] = '\0';
    assert_int_equal(parse(text), -1);
    assert_true(strlen(why) < CHAIN_WHY_MAX);
    memset(text, 'x', sizeof(text));
    assert_int_equal(chain_parse(&chain, (struct span){text, sizeof(text)}, why), -1);
    assert_true(strlen(why) < CHAIN_WHY_MAX);
    assert_non_null(strstr(why, "xxx...\": the provider must be"));
}

static void test_a_mistake_logs_nothing(void **state)
{
    (void)state;
    assert_int_equal(parse("ollama,nonsense"), -1);
    assert_int_equal(lines(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_alone),
        cmocka_unit_test(test_hops_that_are_not_built_in_are_left_out_with_one_line_each),
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_the_longest_model),
        cmocka_unit_test(test_a_mistake_logs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
