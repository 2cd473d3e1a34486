/* LLM_CHAIN. */

#include "llm/chain.h"

#include "base/log.h"
#include "llm/anthropic.h"
#include "llm/ollama.h"
#include "llm/openai.h"
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
static struct chain_settings settings;

/* What parsing text logs; the caller's until the next call. */
static const char *logged;

static void tell(const char *label, const char *reason)
{
    LOG(LOG_WARNING, "hop_skipped", LOG_STR("hop", label), LOG_STR("reason", reason));
}

static int parse_with(const char *text, bool log)
{
    static char line[4096];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    log_init(LOG_INFO, LOG_JSON);
    log_to(ends[1]);
    int result = chain_parse(&chain, span_of(text), &settings, log ? tell : NULL, why);
    log_to(-1);
    assert_int_equal(close(ends[1]), 0);
    ssize_t n = read(ends[0], line, sizeof(line) - 1);
    assert_true(n >= 0);
    line[n] = '\0';
    assert_int_equal(close(ends[0]), 0);
    logged = line;
    return result;
}

static int parse(const char *text)
{
    return parse_with(text, true);
}

/* All there is: a local Ollama, Claude, a local llama.cpp. */
static int begin(void **state)
{
    (void)state;
    settings = (struct chain_settings){
        .ollama = {.url = {.host = "127.0.0.1"}, .key = "", .local = true},
        .anthropic = {.url = {.host = "api.anthropic.com"}, .key = "sk-ant-x"},
        .openai = {.url = {.host = "llama.lan"}, .key = "", .local = true},
        .ollama_model = "qwen2.5:7b",
    };
    return 0;
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
    assert_null(chain.hops[0].server);
    assert_string_equal(chain.hops[0].label, "rules");
    assert_string_equal(chain.hops[0].model, "");
    assert_true(chain.hops[0].limit_ms == rules_provider.limit_ms);
    assert_false(chain.hops[0].cloud);
    assert_int_equal(lines(), 0);
    assert_int_equal(parse(" \trules@600 , ollama/x@1"), 0);
    assert_int_equal(chain.count, 2);
    assert_true(chain.hops[0].limit_ms == 600000);
    assert_true(chain.hops[1].limit_ms == 1000);
}

static void test_hops(void **state)
{
    static const struct {
        const char *text;
        const struct llm_provider *provider;
        const struct llm_server *server;
        const char *model, *label;
        int64_t limit_ms;
        bool cloud;
    } cases[] = {
        {"ollama", &ollama_provider, &settings.ollama, "qwen2.5:7b", "ollama/qwen2.5:7b", 8000,
         false},
        {"ollama/a/b:c@9", &ollama_provider, &settings.ollama, "a/b:c", "ollama/a/b:c", 9000,
         false},
        {"anthropic/claude-haiku-4-5", &anthropic_provider, &settings.anthropic, "claude-haiku-4-5",
         "anthropic/claude-haiku-4-5", 30000, true},
        {"openai", &openai_provider, &settings.openai, "", "openai", 30000, false},
        {"openai/gpt@2", &openai_provider, &settings.openai, "gpt", "openai/gpt", 2000, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct router_hop *hop = &chain.hops[0];
        assert_int_equal(parse(cases[i].text), 0);
        assert_int_equal(chain.count, 1);
        assert_ptr_equal(hop->provider, cases[i].provider);
        assert_ptr_equal(hop->server, cases[i].server);
        assert_string_equal(hop->model, cases[i].model);
        assert_string_equal(hop->label, cases[i].label);
        assert_true(hop->limit_ms == cases[i].limit_ms);
        assert_int_equal(hop->cloud, cases[i].cloud);
        assert_false(hop->breaker.open);
        assert_int_equal(hop->success + hop->fallback + hop->error, 0);
        assert_int_equal(lines(), 0);
    }
}

static void test_what_leaves_the_home_lab(void **state)
{
    (void)state;
    settings.ollama.local = false;
    settings.openai.local = false;
    settings.anthropic.local = true; /* a proxy: it costs all the same */
    assert_int_equal(parse("ollama,anthropic/m,openai,rules"), 0);
    assert_int_equal(chain.count, 4);
    assert_true(chain.hops[0].cloud);
    assert_true(chain.hops[1].cloud);
    assert_true(chain.hops[2].cloud);
    assert_false(chain.hops[3].cloud);
    settings.local_only = true;
    assert_int_equal(parse("ollama,anthropic/m,openai,rules"), 0);
    assert_int_equal(chain.count, 1);
    assert_string_equal(chain.hops[0].label, "rules");
    assert_int_equal(lines(), 3);
    for (const char *p = logged; (p = strstr(p, "hop_skipped")) != NULL; p++)
        assert_non_null(strstr(p, "\"reason\":\"LOCAL_ONLY is 1, and it is not of the home lab\""));
}

static void test_hops_that_cannot_be_asked_are_left_out_with_one_line_each(void **state)
{
    (void)state;
    settings.anthropic.key = "";
    settings.openai.url.host[0] = '\0';
    assert_int_equal(parse("anthropic/m@5,openai,ollama"), 0);
    assert_int_equal(chain.count, 1);
    assert_string_equal(chain.hops[0].label, "ollama/qwen2.5:7b");
    assert_int_equal(lines(), 2);
    const char *second = strchr(logged, '\n');
    assert_non_null(strstr(logged, "\"hop_skipped\",\"hop\":\"anthropic/m\","
                                   "\"reason\":\"ANTHROPIC_API_KEY is not set\""));
    assert_non_null(strstr(second, "\"hop\":\"openai\",\"reason\":\"OPENAI_API_BASE is not set\""));
    /* Whatever else is missing. */
    settings.local_only = true;
    assert_int_equal(parse("openai/x"), 0);
    assert_int_equal(chain.count, 0);
    assert_non_null(strstr(logged, "OPENAI_API_BASE is not set"));
    assert_int_equal(parse("anthropic/x"), 0);
    assert_int_equal(lines(), 1);
    assert_non_null(strstr(logged, "LOCAL_ONLY is 1, and it is not of the home lab"));
    /* Not a word where none is wanted. */
    assert_int_equal(parse_with("anthropic/x", false), 0);
    assert_int_equal(chain.count, 0);
    assert_int_equal(lines(), 0);
}

static void test_the_default_model_is_looked_at_like_any_other(void **state)
{
    static const char *const bad[] = {"", "a b", "\xc5\xbc"};
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        settings.ollama_model = bad[i];
        assert_int_equal(parse("ollama"), -1);
        assert_string_equal(why, "\"ollama\": the model must be short, without spaces or controls");
        assert_int_equal(parse("ollama/x"), 0);
    }
    settings.ollama_model = "org/m:7b";
    assert_int_equal(parse("ollama"), 0);
    assert_string_equal(chain.hops[0].label, "ollama/org/m:7b");
}

static void test_items(void **state)
{
#define PROVIDER_WHY "the provider must be ollama, anthropic, openai or rules"
#define MODEL_WHY "the model must be short, without spaces or controls"
#define SECONDS_WHY "after @ there must be 1 to 600 seconds"
#define MISSING_WHY "a hop is missing"
#define TWICE_WHY "this hop is in the chain twice"
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
        {"rules,,ollama", MISSING_WHY},
        {"rules, ,ollama", MISSING_WHY},
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
        {"ollama/1,ollama/2,ollama/3,ollama/4,openai,openai/1,anthropic/1,rules", NULL},
        {"ollama/1,ollama/2,ollama/3,ollama/4,openai,openai/1,anthropic/1,rules,ollama",
         "a chain has at most 8 hops"},
        {"anthropic", "anthropic needs a model: anthropic/MODEL"},
        {"anthropic@5", "anthropic needs a model: anthropic/MODEL"},
        {"openai", NULL},
        {"openai/", MODEL_WHY},
        {"anthropic/", MODEL_WHY},
        {"rules,rules", TWICE_WHY},
        {"rules@1,ollama,rules@2", TWICE_WHY},
        {"ollama,ollama/qwen2.5:7b", TWICE_WHY},
        {"ollama/x,ollama/x@5", TWICE_WHY},
        {"ollama,ollama/x,openai/x", NULL},
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
        assert_int_equal(chain_parse(&chain, (struct span){p, n}, &settings, NULL, why), result);
    }
    guard_close(&g);
    assert_int_equal(parse("nonsense@7"), -1);
    assert_string_equal(why, "\"nonsense@7\": " PROVIDER_WHY);
}

static void test_ollama_s_cloud_models(void **state)
{
    (void)state;
    assert_int_equal(parse("ollama/gpt-oss:120b-cloud,ollama/kimi:Cloud,ollama/cloudy"), 0);
    assert_true(chain.hops[0].cloud && chain.hops[1].cloud);
    assert_false(chain.hops[2].cloud);
    settings.local_only = true;
    assert_int_equal(parse("ollama/gpt-oss:120b-cloud,ollama/cloudy"), 0);
    assert_int_equal(chain.count, 1);
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
    assert_int_equal(chain_parse(&chain, (struct span){text, sizeof(text)}, &settings, NULL, why),
                     -1);
    assert_true(strlen(why) < CHAIN_WHY_MAX);
    assert_non_null(strstr(why, "xxx...\": the provider must be"));
}

static void test_a_mistake_logs_nothing(void **state)
{
    (void)state;
    settings.anthropic.key = "";
    assert_int_equal(parse("anthropic/x,nonsense"), -1);
    assert_int_equal(lines(), 0);
    /* What is left out is there once, too. */
    assert_int_equal(parse("anthropic/x,anthropic/x"), -1);
    assert_int_equal(lines(), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rules_alone),
        TEST(test_hops),
        TEST(test_what_leaves_the_home_lab),
        TEST(test_hops_that_cannot_be_asked_are_left_out_with_one_line_each),
        TEST(test_the_default_model_is_looked_at_like_any_other),
        TEST(test_items),
        TEST(test_ollama_s_cloud_models),
        TEST(test_the_longest_model),
        TEST(test_a_mistake_logs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
