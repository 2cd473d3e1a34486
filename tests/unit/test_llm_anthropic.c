/* Anthropic: what is asked for, to the byte, and what is made of each answer. */

#include "llm/anthropic.h"

#include "fake_http.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define URL "https://api.anthropic.com"
#define MODEL "claude-haiku-4-5"
#define HEADERS "x-api-key: sk-ant-1\r\nanthropic-version: 2023-06-01\r\n"

static void begin(enum llm_purpose purpose)
{
    fake_begin(URL, purpose, MODEL);
    fake.server.key = "sk-ant-1";
    fake.call.cloud = true;
}

static void start(enum llm_purpose purpose)
{
    begin(purpose);
    fake_start(&anthropic_provider);
}

/* ---- What is sent ---- */

#define MASKED                                                                                     \
    "\"messages\":[{\"role\":\"user\",\"content\":\"key=*\"},"                                     \
    "{\"role\":\"assistant\",\"content\":\"so*\"},{\"role\":\"user\",\"content\":\"say *\"}]"

static void test_a_question(void **state)
{
    (void)state;
    start(LLM_ASK);
    fake_asks("POST", "/v1/messages", HEADERS,
              "{\"model\":\"claude-haiku-4-5\",\"max_tokens\":1024,\"system\":\"be *\"," MASKED
              ",\"output_config\":{\"format\":{\"type\":\"json_schema\","
              "\"schema\":{\"plain\":1}}}}");
}

static void test_a_question_without_schema_and_instructions(void **state)
{
    (void)state;
    begin(LLM_ASK);
    fake.request.schema_plain = (struct span){NULL, 0};
    fake.request.system_masked = (struct span){NULL, 0};
    fake_start(&anthropic_provider);
    fake_asks("POST", "/v1/messages", HEADERS,
              "{\"model\":\"claude-haiku-4-5\",\"max_tokens\":1024," MASKED "}");
}

static void test_what_is_not_masked(void **state)
{
    (void)state;
    begin(LLM_ASK);
    fake.call.cloud = false;
    fake.request.message_count = 1;
    fake_start(&anthropic_provider);
    fake_asks("POST", "/v1/messages", HEADERS,
              "{\"model\":\"claude-haiku-4-5\",\"max_tokens\":1024,\"system\":\"be good\","
              "\"messages\":[{\"role\":\"user\",\"content\":\"key=1\"}],\"output_config\":"
              "{\"format\":{\"type\":\"json_schema\",\"schema\":{\"plain\":1}}}}");
}

static void test_paths(void **state)
{
    static const struct {
        const char *url;
        const char *path; /* behind the base's own */
    } cases[] = {
        {"https://api.anthropic.com", "/v1/messages"},
        {"https://api.anthropic.com/v1", "/messages"},
        {"http://127.0.0.1:4000/anthropic", "/v1/messages"},
        {"http://127.0.0.1:4000/anthropic/v1", "/messages"},
        {"http://127.0.0.1:4000/anthropic-v1", "/v1/messages"},
        {"http://127.0.0.1:4000/v2", "/v1/messages"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        fake_begin(cases[i].url, LLM_ASK, MODEL);
        fake_start(&anthropic_provider);
        assert_string_equal(fake.path, cases[i].path);
        assert_string_equal(fake.headers, "anthropic-version: 2023-06-01\r\n");
    }
}

static void test_the_provider(void **state)
{
    (void)state;
    assert_string_equal(anthropic_provider.name, "anthropic");
    assert_int_equal(anthropic_provider.limit_ms, 30000);
    assert_false(anthropic_provider.can_warm);
    assert_true(anthropic_provider.can_probe);
    assert_null(anthropic_step(LLM_WARM));
    assert_null(anthropic_step(LLM_RESIDENT));
    start(LLM_ASK);
    anthropic_provider.cancel(&fake.call);
    assert_int_equal(fake.cancels, 1);
}

/* ---- Answers ---- */

#define ANSWER(content, reason)                                                                    \
    "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-haiku-4-"    \
    "5\","                                                                                         \
    "\"content\":" content ",\"stop_reason\":" reason ",\"stop_sequence\":null,"                   \
    "\"usage\":{\"input_tokens\":700,\"cache_read_input_tokens\":0,\"output_tokens\":33}}"
#define TEXT(text) "{\"type\":\"text\",\"text\":\"" text "\"}"

static void test_answers(void **state)
{
    static const char late[] = "the answer was cut off at its longest";
    static const char none[] = "no text in the answer";
    static const struct {
        const char *answer;
        enum llm_outcome outcome;
        const char *text; /* or the error */
    } cases[] = {
        {ANSWER("[" TEXT("{\\\"a\\\":1}") "]", "\"end_turn\""), LLM_SUCCESS, "{\"a\":1}"},
        {ANSWER("[{\"type\":\"thinking\",\"thinking\":\"hm\",\"text\":\"no\"}," TEXT("x") "," TEXT(
                    "y") "]",
                "\"end_turn\""),
         LLM_SUCCESS, "x"},
        {ANSWER("[1,null,[],{}," TEXT("x") "]", "\"end_turn\""), LLM_SUCCESS, "x"},
        {ANSWER("[" TEXT("x") "]", "\"stop_sequence\""), LLM_SUCCESS, "x"},
        {ANSWER("[" TEXT("x") "]", "\"pause_turn\""), LLM_SUCCESS, "x"},
        {ANSWER("[" TEXT("x") "]", "\"something new\""), LLM_SUCCESS, "x"},
        {ANSWER("[" TEXT("x") "]", "null"), LLM_SUCCESS, "x"},
        {ANSWER("[" TEXT("x") "]", "{\"refusal\":1}"), LLM_SUCCESS, "x"},
        {ANSWER("[" TEXT("") "]", "\"end_turn\""), LLM_SUCCESS, ""},
        {ANSWER("[" TEXT("{}") "]", "\"refusal\""), LLM_REFUSAL, "the model refused"},
        {ANSWER("[]", "\"refusal\""), LLM_REFUSAL, "the model refused"},
        {ANSWER("[" TEXT("{}") "]", "\"max_tokens\""), LLM_TRUNCATED, late},
        {ANSWER("[]", "\"max_tokens\""), LLM_TRUNCATED, late},
        {ANSWER("[" TEXT("{}") "]", "\"model_context_window_exceeded\""), LLM_TRUNCATED, late},
        {ANSWER("[]", "\"end_turn\""), LLM_INVALID_JSON, none},
        {ANSWER("null", "\"end_turn\""), LLM_INVALID_JSON, none},
        {ANSWER("\"x\"", "\"end_turn\""), LLM_INVALID_JSON, none},
        {ANSWER(TEXT("x"), "\"end_turn\""), LLM_INVALID_JSON, none},
        {ANSWER("{\"a\":" TEXT("x") "}", "\"end_turn\""), LLM_INVALID_JSON, none},
        {ANSWER("[{\"type\":\"tool_use\",\"text\":\"x\"}]", "\"tool_use\""), LLM_INVALID_JSON,
         none},
        {ANSWER("[{\"type\":\"text\",\"text\":null}]", "\"end_turn\""), LLM_INVALID_JSON, none},
        {ANSWER("[{\"type\":\"text\"}]", "\"end_turn\""), LLM_INVALID_JSON, none},
        {"{\"type\":\"error\",\"error\":{\"type\":\"x\",\"message\":\"y\"}}", LLM_INVALID_JSON,
         none},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        start(LLM_ASK);
        fake_answer(200, cases[i].answer);
        if (cases[i].outcome == LLM_SUCCESS)
            fake_succeeded(cases[i].text);
        else
            fake_ended(cases[i].outcome, cases[i].text);
        assert_int_equal(fake.call.again, LLM_AGAIN_NO);
        if (i + 1 < COUNT(cases)) {
            assert_int_equal(fake.call.input_tokens, 700);
            assert_int_equal(fake.call.output_tokens, 33);
        }
    }
    start(LLM_ASK);
    fake_answer(200, cases[0].answer);
    fake_cut(&anthropic_provider, cases[1].answer);
    assert_true(fake_twist(&anthropic_provider, cases[1].answer) > 150);
}

static void test_statuses(void **state)
{
    static const struct {
        int status;
        enum llm_again again;
    } cases[] = {
        {400, LLM_AGAIN_NO},       {413, LLM_AGAIN_NO},       {401, LLM_AGAIN_OPERATOR},
        {402, LLM_AGAIN_OPERATOR}, {403, LLM_AGAIN_OPERATOR}, {404, LLM_AGAIN_OPERATOR},
        {408, LLM_AGAIN_SOON},     {409, LLM_AGAIN_SOON},     {500, LLM_AGAIN_SOON},
        {502, LLM_AGAIN_SOON},     {503, LLM_AGAIN_SOON},     {504, LLM_AGAIN_SOON},
        {520, LLM_AGAIN_SOON},     {526, LLM_AGAIN_SOON},     {529, LLM_AGAIN_SOON},
        {429, LLM_AGAIN_SOON},     {302, LLM_AGAIN_NO},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        start(LLM_ASK);
        fake_answer(cases[i].status, "{\"type\":\"error\",\"error\":{\"type\":\"some_error\","
                                     "\"message\":\"hm\"},\"request_id\":\"req_1\"}");
        fake_ended(LLM_HTTP_ERROR, NULL);
        assert_string_equal(fake.call.error + strlen(fake.call.error) - 4, ": hm");
        assert_int_equal(fake.call.again, cases[i].again);
    }
    start(LLM_ASK);
    fake.call.http.retry_after_ms = 1250;
    fake_answer(429, "<html>slow down</html>");
    fake_ended(LLM_HTTP_ERROR, "too many requests (HTTP 429)");
    assert_int_equal(fake.call.again, LLM_AGAIN_SOON);
    assert_int_equal(fake.call.again_ms, 1250);
}

/* ---- A probe ---- */

static void test_a_probe(void **state)
{
    static const char model[] = "{\"type\":\"model\",\"id\":\"claude-haiku-4-5-20251001\","
                                "\"display_name\":\"Claude Haiku 4.5\"}";
    (void)state;
    start(LLM_PROBE);
    fake_asks("GET", "/v1/models/claude-haiku-4-5", HEADERS, "");
    fake_answer(200, model);
    fake_succeeded("key good, model known: Claude Haiku 4.5");
    fake_cut(&anthropic_provider, model);
    (void)fake_twist(&anthropic_provider, model);

    start(LLM_PROBE);
    fake_answer(200, "{\"type\":\"model\",\"display_name\":7}");
    fake_succeeded("key good, model known");
    start(LLM_PROBE);
    fake_answer(200, "{\"type\":\"model\",\"display_name\":\"\\u202ex\"}");
    fake_succeeded("key good, model known: \\u202ex");
    start(LLM_PROBE);
    fake_answer(200, "{\"data\":[]}");
    fake_ended(LLM_INVALID_JSON, "no model in the answer");

    start(LLM_PROBE);
    fake_answer(404, "{\"error\":{\"message\":\"model: claude-haiku-4-5\"}}");
    fake_ended(LLM_HTTP_ERROR, "the key is good, but the model is not known (HTTP 404): model: "
                               "claude-haiku-4-5");
    assert_int_equal(fake.call.again, LLM_AGAIN_OPERATOR);
    start(LLM_PROBE);
    fake_answer(401, "{\"error\":{\"message\":\"invalid x-api-key\"}}");
    fake_ended(LLM_HTTP_ERROR, "the key is missing or refused (HTTP 401): invalid x-api-key");

    /* Somebody in between who tells the key. */
    start(LLM_PROBE);
    fake_answer(200, "{\"type\":\"model\",\"display_name\":\"x-api-key: sk-ant-1\"}");
    fake_succeeded("key good, model known");

    fake_begin(URL, LLM_PROBE, "../v1/x?y#z");
    fake_start(&anthropic_provider);
    assert_string_equal(fake.path, "/v1/models/..%2Fv1%2Fx%3Fy%23z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_question),
        cmocka_unit_test(test_a_question_without_schema_and_instructions),
        cmocka_unit_test(test_what_is_not_masked),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_the_provider),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_a_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
