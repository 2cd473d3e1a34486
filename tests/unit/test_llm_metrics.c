/* The message that tells what a question came to. */

#include "llm/metrics.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char storage[8192];

static const char *write(const struct metrics *metrics)
{
    struct buf buf;
    struct json_write w;
    buf_init(&buf, storage, sizeof(storage));
    json_write_init(&w, &buf);
    json_write_object(&w, NULL);
    metrics_write(&w, metrics);
    json_write_end_object(&w);
    const char *text = buf_text(&buf);
    assert_non_null(text);
    return text;
}

static void test_a_success(void **state)
{
    static struct llm_answer answer = {.success = true,
                                       .model = "ollama/qwen2.5:7b",
                                       .latency_ms = 812,
                                       .attempt_count = 2,
                                       .attempts = {{.model = "anthropic/x",
                                                     .outcome = LLM_BREAKER_OPEN,
                                                     .input_tokens = -1,
                                                     .output_tokens = -1,
                                                     .error = "it \"failed\""},
                                                    {.model = "ollama/qwen2.5:7b",
                                                     .outcome = LLM_SUCCESS,
                                                     .status = 200,
                                                     .latency_ms = 811,
                                                     .input_tokens = 0,
                                                     .output_tokens = 0}}};
    static const struct router_hop hops[] = {{.label = "anthropic/x", .error = 3},
                                             {.label = "ollama/qwen2.5:7b",
                                              .success = 10,
                                              .fallback = 1,
                                              .input_tokens = 7000,
                                              .output_tokens = 300}};
    (void)state;
    assert_string_equal(
        write(&(struct metrics){.wall_ms = INT64_C(1789560000123),
                                .node = "pi4",
                                .context = span_of("node/service"),
                                .answer = &answer,
                                .hops = hops,
                                .hop_count = COUNT(hops)}),
        "{\"timestamp\":\"2026-09-16T12:00:00.123Z\",\"node\":\"pi4\","
        "\"context\":\"node/service\",\"success\":true,"
        "\"model_used\":\"ollama/qwen2.5:7b\",\"total_latency_ms\":812,\"attempts\":["
        "{\"model\":\"anthropic/x\",\"outcome\":\"breaker_open\",\"status\":null,"
        "\"latency_ms\":0,\"error\":\"it \\\"failed\\\"\",\"input_tokens\":null,"
        "\"output_tokens\":null},"
        "{\"model\":\"ollama/qwen2.5:7b\",\"outcome\":\"success\",\"status\":200,"
        "\"latency_ms\":811,\"error\":null,\"input_tokens\":0,\"output_tokens\":0}],"
        "\"metrics\":{\"anthropic/x\":{\"success\":0,\"fallback\":0,\"error\":3,"
        "\"success_rate\":0.000,\"input_tokens\":null,\"output_tokens\":null},"
        "\"ollama/qwen2.5:7b\":{\"success\":10,\"fallback\":1,\"error\":0,"
        "\"success_rate\":0.909,\"input_tokens\":7000,\"output_tokens\":300}}}");
}

static void test_a_failure_without_hops(void **state)
{
    static struct llm_answer answer = {.model = "", .latency_ms = 0};
    (void)state;
    assert_string_equal(write(&(struct metrics){
                            .wall_ms = 0, .node = "n", .context = span_of(""), .answer = &answer}),
                        "{\"timestamp\":\"1970-01-01T00:00:00.000Z\",\"node\":\"n\","
                        "\"context\":\"\",\"success\":false,\"model_used\":null,"
                        "\"total_latency_ms\":0,\"attempts\":[],\"metrics\":{}}");
}

static void test_success_rates(void **state)
{
    static const struct {
        uint32_t success, fallback, error;
        const char *rate;
    } cases[] = {
        {0, 0, 0, "0.000"},          {0, 1, 0, "0.000"},
        {0, 0, 1, "0.000"},          {1, 0, 0, "1.000"},
        {1, 1, 0, "0.500"},          {1, 0, 2, "0.333"},
        {2, 1, 0, "0.667"},          {1, 6, 0, "0.143"},
        {1, 1999, 0, "0.001"},       {1, 2000, 0, "0.000"},
        {1999, 0, 1, "1.000"},       {1998, 2, 0, "0.999"},
        {9, 80, 11, "0.090"},        {UINT32_MAX, UINT32_MAX, UINT32_MAX, "0.333"},
        {UINT32_MAX, 0, 0, "1.000"},
    };
    static struct llm_answer answer;
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct router_hop hop = {.label = "m",
                                 .success = cases[i].success,
                                 .fallback = cases[i].fallback,
                                 .error = cases[i].error,
                                 .input_tokens = UINT64_MAX};
        const char *text =
            write(&(struct metrics){.node = "n", .answer = &answer, .hops = &hop, .hop_count = 1});
        const char *rate = strstr(text, "\"success_rate\":");
        assert_non_null(rate);
        assert_memory_equal(rate + 15, cases[i].rate, 5);
        assert_true(rate[20] == ',');
        assert_non_null(strstr(text, "\"input_tokens\":9223372036854775807"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_success),
        cmocka_unit_test(test_a_failure_without_hops),
        cmocka_unit_test(test_success_rates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
