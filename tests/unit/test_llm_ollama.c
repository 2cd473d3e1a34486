/* Ollama: what is asked for, to the byte, and what is made of each answer. */

#include "llm/ollama.h"

#include "fake_http.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define URL "http://127.0.0.1:11434"
#define MODEL "qwen2.5:7b"

static void start(enum llm_purpose purpose)
{
    fake_begin(URL, purpose, MODEL);
    fake_start(&ollama_provider);
}

/* ---- What is sent ---- */

#define OPTIONS                                                                                    \
    "\"stream\":false,\"think\":false,\"keep_alive\":\"10m\","                                     \
    "\"options\":{\"temperature\":0,\"num_ctx\":4096,\"num_predict\":512}}"

static void test_a_question(void **state)
{
    (void)state;
    start(LLM_ASK);
    fake_asks("POST", "/api/chat", "",
              "{\"model\":\"qwen2.5:7b\",\"messages\":["
              "{\"role\":\"system\",\"content\":\"be good\"},"
              "{\"role\":\"user\",\"content\":\"key=1\"},"
              "{\"role\":\"assistant\",\"content\":\"so?\"},"
              "{\"role\":\"user\",\"content\":\"say \\\"it\\\"\\n\"}],"
              "\"format\":{\"full\":1}," OPTIONS);
}

static void test_a_masked_question_without_schema_and_instructions(void **state)
{
    (void)state;
    fake_begin(URL, LLM_ASK, MODEL);
    fake.call.cloud = true;
    fake.request.schema = (struct span){NULL, 0};
    fake.request.system_masked = (struct span){NULL, 0};
    fake.request.message_count = 1;
    fake_start(&ollama_provider);
    fake_asks("POST", "/api/chat", "",
              "{\"model\":\"qwen2.5:7b\",\"messages\":["
              "{\"role\":\"user\",\"content\":\"key=*\"}]," OPTIONS);
}

static void test_a_key_and_a_path_of_the_base(void **state)
{
    (void)state;
    fake_begin("https://ai.example/ollama", LLM_ASK, MODEL);
    fake.server.key = "k";
    fake_start(&ollama_provider);
    /* http puts the base's own path before it; Ollama has no keys. */
    assert_string_equal(fake.path, "/api/chat");
    assert_string_equal(fake.headers, "");
}

static void test_a_warm_up(void **state)
{
    (void)state;
    start(LLM_WARM);
    fake_asks("POST", "/api/chat", "",
              "{\"model\":\"qwen2.5:7b\",\"messages\":[],\"stream\":false,"
              "\"keep_alive\":\"10m\",\"options\":{\"num_ctx\":4096}}");
}

static void test_the_provider(void **state)
{
    (void)state;
    assert_string_equal(ollama_provider.name, "ollama");
    assert_int_equal(ollama_provider.limit_ms, 8000);
    assert_true(ollama_provider.can_warm);
    assert_true(ollama_provider.can_probe);
    start(LLM_ASK);
    ollama_provider.cancel(&fake.call);
    assert_int_equal(fake.cancels, 1);
}

/* ---- Answers to a question ---- */

#define DONE(content, reason, in)                                                                  \
    "{\"model\":\"qwen2.5:7b\",\"created_at\":\"2026-08-01T10:00:00.1Z\",\"message\":{\"role\":"   \
    "\"assistant\",\"content\":\"" content "\"},\"done_reason\":\"" reason                         \
    "\",\"done\":true,\"total_duration\":812000000,\"load_duration\":20000000,"                    \
    "\"prompt_eval_count\":" in ",\"prompt_eval_duration\":1,\"eval_count\":42,"                   \
    "\"eval_duration\":2}"

static void test_answers(void **state)
{
    static const struct {
        const char *answer;
        enum llm_outcome outcome;
        const char *text; /* or the error */
    } cases[] = {
        {DONE("{\\\"a\\\":1}", "stop", "900"), LLM_SUCCESS, "{\"a\":1}"},
        {DONE("\\u017c\\n", "stop", "0"), LLM_SUCCESS, "\xc5\xbc\n"},
        {DONE("x", "stop", "4095"), LLM_SUCCESS, "x"},
        {DONE("x", "stop", "4096"), LLM_TRUNCATED, "the prompt was longer than the context"},
        {DONE("x", "stop", "9999"), LLM_TRUNCATED, "the prompt was longer than the context"},
        {DONE("{\\\"a\\\":", "length", "9"), LLM_TRUNCATED,
         "the answer was cut off at its longest"},
        {DONE("", "length", "9"), LLM_TRUNCATED, "the answer was cut off at its longest"},
        {DONE("", "load", "0"), LLM_INVALID_JSON, "the model was loaded or unloaded, not asked"},
        {DONE("", "unload", "0"), LLM_INVALID_JSON, "the model was loaded or unloaded, not asked"},
        {DONE("x", "load", "0"), LLM_SUCCESS, "x"},
        {DONE("", "stop", "5"), LLM_SUCCESS, ""},
        {DONE("x", "something new", "5"), LLM_SUCCESS, "x"},
        {DONE("x", "lengthy", "5"), LLM_SUCCESS, "x"},
        {"{\"message\":{\"content\":\"x\"}}", LLM_SUCCESS, "x"},
        {"{\"message\":{\"content\":\"x\",\"thinking\":\"hm\"},\"done_reason\":7}", LLM_SUCCESS,
         "x"},
        {"{\"message\":{\"content\":null}}", LLM_INVALID_JSON, "no text in the answer"},
        {"{\"message\":\"content\"}", LLM_INVALID_JSON, "no text in the answer"},
        {"{\"content\":\"x\"}", LLM_INVALID_JSON, "no text in the answer"},
        {"{\"error\":\"x\"}", LLM_INVALID_JSON, "no text in the answer"},
        {"[{\"message\":{\"content\":\"x\"}}]", LLM_INVALID_JSON, "no text in the answer"},
        {DONE("x", "stop", "5") "\n" DONE("y", "stop", "5"), LLM_INVALID_JSON,
         "the server's answer: not valid JSON"},
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
    }
    start(LLM_ASK);
    fake_answer(200, cases[0].answer);
    assert_int_equal(fake.call.input_tokens, 900);
    assert_int_equal(fake.call.output_tokens, 42);
    fake_cut(&ollama_provider, cases[0].answer);
    assert_true(fake_twist(&ollama_provider, cases[0].answer) > 100);
}

/* ---- Statuses: PROVIDERS ---- */

static void test_statuses(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum llm_again again;
        int64_t again_ms;
        const char *error;
    } cases[] = {
        {400, "{\"error\":\"invalid format\"}", LLM_AGAIN_NO, -1,
         "bad request (HTTP 400): invalid format"},
        {404, "{\"error\":\"model 'qwen2.5:7b' not found\"}", LLM_AGAIN_LATER, 300000,
         "the model is not pulled: ollama pull qwen2.5:7b"},
        {404, "404 page not found", LLM_AGAIN_OPERATOR, -1,
         "no such model, or no such path (HTTP 404)"},
        {499, "{\"error\":\"client closed request\"}", LLM_AGAIN_NO, -1,
         "HTTP 499: client closed request"},
        {500, "{\"error\":\"llama runner process has terminated\"}", LLM_AGAIN_SOON, -1,
         "HTTP 500: llama runner process has terminated"},
        {503, "{\"error\":\"server busy, please try again\"}", LLM_AGAIN_SOON, -1,
         "HTTP 503: server busy, please try again"},
        {307, "", LLM_AGAIN_NO, -1, "redirected: set the base URL to where it leads (HTTP 307)"},
    };
    static const enum llm_purpose purposes[] = {LLM_ASK, LLM_WARM};
    (void)state;
    for (size_t i = 0; i < COUNT(cases) * COUNT(purposes); i++) {
        size_t k = i / COUNT(purposes);
        start(purposes[i % COUNT(purposes)]);
        fake_answer(cases[k].status, cases[k].body);
        fake_ended(LLM_HTTP_ERROR, cases[k].error);
        assert_int_equal(fake.call.status, cases[k].status);
        assert_int_equal(fake.call.again, cases[k].again);
        assert_int_equal(fake.call.again_ms, cases[k].again_ms);
    }
}

static void test_the_longest_model(void **state)
{
    char model[LLM_MODEL_MAX + 1] = "";
    (void)state;
    memset(model, 'm', LLM_MODEL_MAX);
    fake_begin(URL, LLM_ASK, model);
    fake_start(&ollama_provider);
    fake_answer(404, "{\"error\":\"x\"}");
    fake_ended(LLM_HTTP_ERROR, NULL);
    assert_memory_equal(fake.call.error, "the model is not pulled: ollama pull mmmm", 41);
}

/* ---- What goes with it ---- */

static void test_warm_answers(void **state)
{
    static const char loaded[] =
        "{\"model\":\"qwen2.5:7b\",\"created_at\":\"2026-08-01T10:00:00Z\",\"message\":{\"role\":"
        "\"assistant\",\"content\":\"\"},\"done_reason\":\"load\",\"done\":true}";
    static const char *const bad[] = {"{\"done\":false}", "{\"done\":1}", "{}", "[true]", "true"};
    (void)state;
    start(LLM_WARM);
    fake_answer(200, loaded);
    fake_ended(LLM_SUCCESS, "");
    fake_cut(&ollama_provider, loaded);
    for (size_t i = 0; i < COUNT(bad); i++) {
        start(LLM_WARM);
        fake_answer(200, bad[i]);
        fake_ended(LLM_INVALID_JSON, "the server does not say that it is done");
    }
    (void)fake_twist(&ollama_provider, loaded);
}

static void test_residence(void **state)
{
    static const struct {
        const char *model;
        const char *answer;
        bool resident;
    } cases[] = {
        {"qwen2.5:7b", "{\"models\":[{\"name\":\"qwen2.5:7b\",\"model\":\"qwen2.5:7b\"}]}", true},
        {"qwen2.5:7b", "{\"models\":[{\"name\":\"a\"},{\"name\":\"qwen2.5:7b\"}]}", true},
        {"qwen2.5:7b", "{\"models\":[{\"model\":\"qwen2.5:7b\"}]}", true},
        {"qwen2.5:7b", "{\"models\":[{\"name\":\"Qwen2.5:7B\"}]}", true},
        {"qwen2.5", "{\"models\":[{\"name\":\"qwen2.5:latest\"}]}", true},
        {"qwen2.5:latest", "{\"models\":[{\"name\":\"qwen2.5:latest\"}]}", true},
        {"localhost:5000/a/b", "{\"models\":[{\"name\":\"localhost:5000/a/b:latest\"}]}", true},
        {"qwen2.5:7b", "{\"models\":[]}", false},
        {"qwen2.5", "{\"models\":[{\"name\":\"qwen2.5:7b\"}]}", false},
        {"qwen2.5:7b", "{\"models\":[{\"name\":\"qwen2.5:latest\"}]}", false},
        {"qwen2.5:7b", "{\"models\":[{\"name\":\"qwen2.5:7b-instruct\"}]}", false},
        {"qwen2.5:7b", "{\"models\":[{\"name\":\"qwen2.5:7b:latest\"}]}", false},
        {"qwen2.5", "{\"models\":[{\"name\":\"qwen2.5:latest-q4\"}]}", false},
        {"qwen", "{\"models\":[{\"name\":\"qwen2.5:latest\"}]}", false},
        {"qwen2.5:7b", "{\"models\":[{\"digest\":\"qwen2.5:7b\"},\"qwen2.5:7b\",null]}", false},
    };
    static const char *const bad[] = {"{}", "{\"models\":null}", "{\"models\":{}}", "[]",
                                      "{\"models\":\"qwen2.5:7b\"}"};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        fake_begin(URL, LLM_RESIDENT, cases[i].model);
        fake_start(&ollama_provider);
        fake_asks("GET", "/api/ps", "", "");
        fake_answer(200, cases[i].answer);
        fake_ended(LLM_SUCCESS, "");
        if (fake.call.resident != cases[i].resident)
            fail_msg("%s in %s", cases[i].model, cases[i].answer);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        start(LLM_RESIDENT);
        fake_answer(200, bad[i]);
        fake_ended(LLM_INVALID_JSON, "no list of models in the answer");
        assert_false(fake.call.resident);
    }
    start(LLM_RESIDENT);
    fake_answer(404, "{\"error\":\"x\"}");
    fake_ended(LLM_HTTP_ERROR, "no such model, or no such path (HTTP 404): x");
    fake_cut(&ollama_provider, cases[1].answer);
    (void)fake_twist(&ollama_provider, cases[1].answer);
}

#define TAGS "{\"models\":[{\"name\":\"llama3.2:latest\"},{\"name\":\"qwen2.5:7b\"}]}"

static void test_a_probe(void **state)
{
    (void)state;
    start(LLM_PROBE);
    fake_asks("GET", "/api/version", "", "");
    fake_answer(200, "{\"version\":\"0.5.7\"}");
    assert_int_equal(fake.done, 0);
    fake_asks("GET", "/api/tags", "", "");
    fake_answer(200, TAGS);
    fake_succeeded("alive (version 0.5.7), model pulled");

    fake_begin(URL, LLM_PROBE, "mistral");
    fake_start(&ollama_provider);
    fake_answer(200, "{\"version\":\"0.5.7\"}");
    fake_answer(200, TAGS);
    fake_ended(LLM_HTTP_ERROR,
               "alive (version 0.5.7), but the model is not pulled: ollama pull mistral");
    assert_int_equal(fake.call.status, 200);
    assert_int_equal(fake.call.again, LLM_AGAIN_LATER);
    assert_int_equal(fake.call.again_ms, 300000);
}

static void test_a_probe_of_something_else(void **state)
{
    static const char *const bad[] = {"{}", "{\"version\":1}", "{\"version\":\"\"}",
                                      "[]", "\"0.5.7\"",       "{\"version\":null}"};
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        start(LLM_PROBE);
        fake_answer(200, bad[i]);
        fake_ended(LLM_INVALID_JSON, "no version in the answer");
    }
    start(LLM_PROBE);
    fake_answer(404, "");
    fake_ended(LLM_HTTP_ERROR, "no such model, or no such path (HTTP 404)");
    start(LLM_PROBE);
    fake_answer(200, "{\"version\":\"\\u001b0123456789012345678901234567890123456789\"}");
    fake_answer(200, TAGS);
    fake_succeeded("alive (version \\x1b0123456789012345678901234...), model pulled");
    start(LLM_PROBE);
    fake_answer(200, "{\"version\":\"1\"}");
    fake_answer(200, "{\"models\":7}");
    fake_ended(LLM_INVALID_JSON, "no list of models in the answer");
    fake_cut(&ollama_provider, "{\"version\":\"0.5.7\"}");
    (void)fake_twist(&ollama_provider, "{\"version\":\"0.5.7\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_question),
        cmocka_unit_test(test_a_masked_question_without_schema_and_instructions),
        cmocka_unit_test(test_a_key_and_a_path_of_the_base),
        cmocka_unit_test(test_a_warm_up),
        cmocka_unit_test(test_the_provider),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_the_longest_model),
        cmocka_unit_test(test_warm_answers),
        cmocka_unit_test(test_residence),
        cmocka_unit_test(test_a_probe),
        cmocka_unit_test(test_a_probe_of_something_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
