/* OpenAI-compatible servers: what is asked for, to the byte, and what is made of each answer. */

#include "llm/openai.h"

#include "fake_http.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define URL "http://127.0.0.1:8080"

static void start(enum llm_purpose purpose, const char *model)
{
    fake_begin(URL, purpose, model);
    fake_start(&openai_provider);
}

/* ---- What is sent ---- */

#define MESSAGES                                                                                   \
    "\"messages\":[{\"role\":\"system\",\"content\":\"be good\"},"                                 \
    "{\"role\":\"user\",\"content\":\"key=1\"},{\"role\":\"assistant\",\"content\":\"so?\"},"      \
    "{\"role\":\"user\",\"content\":\"say \\\"it\\\"\\n\"}]"
#define REST "\"max_tokens\":512,\"temperature\":0,\"stream\":false}"

static void test_a_question(void **state)
{
    (void)state;
    start(LLM_ASK, "smollm2");
    fake_asks("POST", "/v1/chat/completions", "",
              "{\"model\":\"smollm2\"," MESSAGES ",\"response_format\":{\"type\":\"json_schema\","
              "\"json_schema\":{\"name\":\"proposal\",\"strict\":true,"
              "\"schema\":{\"full\":1}}}," REST);
}

static void test_a_masked_question_without_schema_model_and_instructions(void **state)
{
    (void)state;
    fake_begin(URL, LLM_ASK, "");
    fake.server.key = "sk-1";
    fake.call.cloud = true;
    fake.request.schema = (struct span){NULL, 0};
    fake.request.system_masked = (struct span){NULL, 0};
    fake.request.message_count = 1;
    fake_start(&openai_provider);
    fake_asks(
        "POST", "/v1/chat/completions", "Authorization: Bearer sk-1\r\n",
        "{\"model\":\"default\",\"messages\":[{\"role\":\"user\",\"content\":\"key=*\"}]," REST);
}

static void test_paths(void **state)
{
    static const struct {
        const char *url;
        const char *path; /* behind the base's own */
    } cases[] = {
        {"http://127.0.0.1:8080", "/v1/chat/completions"},
        {"http://127.0.0.1:8080/", "/v1/chat/completions"},
        {"http://127.0.0.1:8080/v1", "/chat/completions"},
        {"http://127.0.0.1:8080/v1/", "/chat/completions"},
        {"https://gateway.example/openai/deployments/x", "/chat/completions"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        fake_begin(cases[i].url, LLM_ASK, "m");
        fake_start(&openai_provider);
        assert_string_equal(fake.path, cases[i].path);
    }
    fake_begin("http://127.0.0.1:8080/v1", LLM_PROBE, "m");
    fake_start(&openai_provider);
    assert_string_equal(fake.path, "/models");
}

static void test_the_provider(void **state)
{
    (void)state;
    assert_string_equal(openai_provider.name, "openai");
    assert_int_equal(openai_provider.limit_ms, 30000);
    assert_false(openai_provider.can_warm);
    assert_true(openai_provider.can_probe);
    assert_null(openai_step(LLM_WARM));
    assert_null(openai_step(LLM_RESIDENT));
    start(LLM_ASK, "m");
    openai_provider.cancel(&fake.call);
    assert_int_equal(fake.cancels, 1);
}

/* ---- Answers ---- */

#define ANSWER(message, reason)                                                                    \
    "{\"choices\":[{\"finish_reason\":" reason ",\"index\":0,\"message\":" message "}],"           \
    "\"created\":1754000000,\"model\":\"m\",\"system_fingerprint\":\"b1\","                        \
    "\"object\":\"chat.completion\",\"usage\":{\"completion_tokens\":40,\"prompt_tokens\":600,"    \
    "\"total_tokens\":640},\"id\":\"chatcmpl-1\",\"timings\":{\"prompt_n\":1}}"
#define SAYS(content) "{\"role\":\"assistant\",\"content\":" content "}"
#define REFUSES(content, refusal)                                                                  \
    "{\"role\":\"assistant\",\"content\":" content ",\"refusal\":" refusal "}"

static void test_answers(void **state)
{
    static const char late[] = "the answer was cut off at its longest";
    static const char none[] = "no text in the answer";
    static const struct {
        const char *answer;
        enum llm_outcome outcome;
        const char *text; /* or the error */
    } cases[] = {
        {ANSWER(SAYS("\"{\\\"a\\\":1}\""), "\"stop\""), LLM_SUCCESS, "{\"a\":1}"},
        {ANSWER(SAYS("\"<think>hm</think>\\n\\n{}\""), "\"stop\""), LLM_SUCCESS,
         "<think>hm</think>\n\n{}"},
        {ANSWER(REFUSES("\"x\"", "null"), "\"stop\""), LLM_SUCCESS, "x"},
        {ANSWER(REFUSES("\"x\"", "\"\""), "\"stop\""), LLM_SUCCESS, "x"},
        {ANSWER(REFUSES("\"x\"", "true"), "\"stop\""), LLM_SUCCESS, "x"},
        {ANSWER(SAYS("\"x\""), "null"), LLM_SUCCESS, "x"},
        {ANSWER(SAYS("\"x\""), "\"tool_calls\""), LLM_SUCCESS, "x"},
        {ANSWER(SAYS("\"x\""), "\"something new\""), LLM_SUCCESS, "x"},
        {ANSWER(SAYS("\"\""), "\"stop\""), LLM_SUCCESS, ""},
        {ANSWER(REFUSES("null", "\"I will not\""), "\"stop\""), LLM_REFUSAL, "the model refused"},
        {ANSWER(REFUSES("\"{}\"", "\"x\""), "\"stop\""), LLM_REFUSAL, "the model refused"},
        {ANSWER(SAYS("\"{}\""), "\"content_filter\""), LLM_REFUSAL, "the server's filter refused"},
        {ANSWER(SAYS("null"), "\"content_filter\""), LLM_REFUSAL, "the server's filter refused"},
        {ANSWER(SAYS("\"{\""), "\"length\""), LLM_TRUNCATED, late},
        {ANSWER(SAYS("null"), "\"length\""), LLM_TRUNCATED, late},
        {ANSWER(SAYS("null"), "\"stop\""), LLM_INVALID_JSON, none},
        {ANSWER(SAYS("[{\"type\":\"text\",\"text\":\"x\"}]"), "\"stop\""), LLM_INVALID_JSON, none},
        {ANSWER("{\"role\":\"assistant\",\"reasoning_content\":\"x\"}", "\"stop\""),
         LLM_INVALID_JSON, none},
        {ANSWER("null", "\"stop\""), LLM_INVALID_JSON, none},
        {ANSWER("\"x\"", "\"stop\""), LLM_INVALID_JSON, none},
        {"{\"choices\":[]}", LLM_INVALID_JSON, none},
        {"{\"choices\":null}", LLM_INVALID_JSON, none},
        {"{\"choices\":{\"a\":{\"message\":{\"content\":\"x\"}}}}", LLM_INVALID_JSON, none},
        {"{\"choices\":[null," SAYS("\"x\"") "]}", LLM_INVALID_JSON, none},
        {"{\"error\":{\"message\":\"x\"}}", LLM_INVALID_JSON, none},
        {"data: {\"choices\":[]}\n\n", LLM_INVALID_JSON, "the server's answer: not valid JSON"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        start(LLM_ASK, "m");
        fake_answer(200, cases[i].answer);
        if (cases[i].outcome == LLM_SUCCESS)
            fake_succeeded(cases[i].text);
        else
            fake_ended(cases[i].outcome, cases[i].text);
        assert_int_equal(fake.call.again, LLM_AGAIN_NO);
    }
    start(LLM_ASK, "m");
    fake_answer(200, cases[0].answer);
    assert_int_equal(fake.call.input_tokens, 600);
    assert_int_equal(fake.call.output_tokens, 40);
    fake_cut(&openai_provider, cases[9].answer);
    assert_true(fake_twist(&openai_provider, cases[9].answer) > 150);
}

static void test_a_text_with_the_key_in_it_is_none(void **state)
{
    (void)state;
    fake_begin("http://127.0.0.1:8080", LLM_ASK, "m");
    fake.server.key = "sk-secret";
    fake_start(&openai_provider);
    fake_answer(200, "{\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"content\":"
                     "\"{\\\"reason\\\":\\\"sk-secret\\\"}\"}}]}");
    fake_ended(LLM_INVALID_JSON, "the answer repeats the key");
}

static void test_statuses(void **state)
{
    (void)state;
    start(LLM_ASK, "m");
    fake_answer(503, "{\"error\":{\"code\":503,\"message\":\"Loading model\","
                     "\"type\":\"unavailable_error\"}}");
    fake_ended(LLM_HTTP_ERROR, "HTTP 503: Loading model");
    assert_int_equal(fake.call.again, LLM_AGAIN_SOON);
    start(LLM_ASK, "m");
    fake_answer(401, "{\"error\":{\"code\":401,\"message\":\"Invalid API Key\"}}");
    fake_ended(LLM_HTTP_ERROR, "the key is missing or refused (HTTP 401): Invalid API Key");
    assert_int_equal(fake.call.again, LLM_AGAIN_OPERATOR);
    start(LLM_ASK, "m");
    fake_answer(400, "{\"object\":\"error\",\"message\":\"max context\"}");
    fake_ended(LLM_HTTP_ERROR, "bad request (HTTP 400): max context");
    assert_int_equal(fake.call.again, LLM_AGAIN_NO);
}

/* ---- A probe ---- */

#define LIST(items) "{\"object\":\"list\",\"data\":[" items "]}"
#define ID(id) "{\"id\":\"" id "\",\"object\":\"model\",\"meta\":{\"n_ctx_train\":2048}}"

static void test_a_probe(void **state)
{
    static const struct {
        const char *model;
        const char *answer;
        const char *text;
    } cases[] = {
        {"b", LIST(ID("a") "," ID("b")), "alive, model listed"},
        {"b", LIST(ID("/models/a.gguf")),
         "alive, but the model is not listed; it has: /models/a.gguf"},
        {"b", LIST(ID("B") "," ID("bb") "," ID("ab")),
         "alive, but the model is not listed; it has: B, bb, ab"},
        {"b", LIST(ID("1") "," ID("2") "," ID("3") "," ID("4") "," ID("5")),
         "alive, but the model is not listed; it has: 1, 2, 3, ..."},
        {"b", LIST(ID("1") "," ID("2") "," ID("3") "," ID("4") "," ID("b")), "alive, model listed"},
        {"b", LIST("{\"name\":\"b\"},\"b\",null,{\"id\":7},{\"id\":\"\"}"),
         "alive, but the model is not listed; it lists none"},
        {"b", LIST(ID("\\u001b[0m")), "alive, but the model is not listed; it has: \\x1b[0m"},
        {"", LIST(ID("a") "," ID("b")), "alive, it has: a, b"},
        {"", LIST(""), "alive, it lists none"},
        {"", LIST("{\"id\":\"\"}"), "alive, it lists none"},
    };
    static const char *const bad[] = {"{}", "[]", "{\"data\":null}", "{\"data\":{}}",
                                      "{\"models\":[]}"};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        start(LLM_PROBE, cases[i].model);
        fake_asks("GET", "/v1/models", "", "");
        fake_answer(200, cases[i].answer);
        fake_succeeded(cases[i].text);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        start(LLM_PROBE, "b");
        fake_answer(200, bad[i]);
        fake_ended(LLM_INVALID_JSON, "no list of models in the answer");
    }
    fake_cut(&openai_provider, cases[0].answer);
    (void)fake_twist(&openai_provider, cases[0].answer);
    fake_begin(URL, LLM_PROBE, "b");
    fake.server.key = "sk-1";
    fake_start(&openai_provider);
    assert_string_equal(fake.headers, "Authorization: Bearer sk-1\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_question),
        cmocka_unit_test(test_a_masked_question_without_schema_model_and_instructions),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_the_provider),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_a_text_with_the_key_in_it_is_none),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_a_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
