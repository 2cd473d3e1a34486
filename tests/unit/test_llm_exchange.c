/* What the providers have in common: the course of a call, faults, statuses, what is shown of what
 * a server says. */

#include "llm/exchange.h"

#include "fake_http.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- A provider of two steps ---- */

static size_t path_n, header_n, body_n; /* how much they write beside */
static bool two_steps;

static void fill(struct buf *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_char(out, 'x');
}

static void first_path(const struct llm_call *call, struct buf *out)
{
    buf_str(out, "/");
    exchange_write_part(out, call->model);
    fill(out, path_n);
}

static void first_headers(const struct llm_call *call, struct buf *out)
{
    exchange_write_key(call, out, "Key: ");
    fill(out, header_n);
}

static void first_body(const struct llm_call *call, struct json_write *out)
{
    (void)call;
    json_write_object(out, NULL);
    json_write_end_object(out);
    fill(out->buf, body_n);
}

static void second_path(const struct llm_call *call, struct buf *out)
{
    (void)call;
    buf_str(out, "/second");
}

static void read_second(struct llm_call *call, const struct json *doc)
{
    exchange_take_text(call, doc, json_member(doc, JSON_ROOT, "b"));
}

static const struct exchange second = {.method = "GET", .path = second_path, .read = read_second};

static void read_first(struct llm_call *call, const struct json *doc)
{
    exchange_take_tokens(call, doc, JSON_ROOT, "in", "out");
    exchange_take_text(call, doc, json_member(doc, JSON_ROOT, "a"));
}

#define FIRST                                                                                      \
    .method = "POST", .path = first_path, .headers = first_headers, .body = first_body,            \
    .read = read_first

static const struct exchange first = {FIRST};
static const struct exchange first_of_two = {FIRST, .next = &second};

static enum llm_start start(struct llm_call *call)
{
    return exchange_start(call, two_steps ? &first_of_two : &first);
}

static const struct llm_provider provider = {.start = start, .cancel = exchange_cancel};

static int begin(void **state)
{
    (void)state;
    path_n = 0;
    header_n = 0;
    body_n = 0;
    two_steps = false;
    fake_begin("http://127.0.0.1:80", LLM_ASK, "m");
    return 0;
}

static void again(void)
{
    begin(NULL);
    fake_start(&provider);
}

/* ---- The course ---- */

static void test_one_step(void **state)
{
    (void)state;
    fake.server.key = "sk-1";
    fake_start(&provider);
    fake_asks("POST", "/m", "Key: sk-1\r\n", "{}");
    snprintf(fake.call.http.parse.request_id, HTTP_VALUE_MAX + 1, "req_1");
    fake_answer(200, "{\"in\":3,\"out\":4,\"a\":\"hi\"}");
    fake_succeeded("hi");
    assert_int_equal(fake.call.input_tokens, 3);
    assert_int_equal(fake.call.output_tokens, 4);
    assert_string_equal(fake.call.request_id, "req_1");
    assert_int_equal(fake.call.again_ms, -1);
}

static void test_two_steps(void **state)
{
    (void)state;
    two_steps = true;
    fake.server.key = "k";
    fake_start(&provider);
    fake_answer(200, "{\"a\":\"1\"}");
    assert_int_equal(fake.done, 0);
    assert_int_equal(fake.starts, 2);
    fake_asks("GET", "/second", "", "");
    fake_answer(200, "{\"b\":\"2\"}");
    fake_succeeded("2");

    begin(NULL);
    two_steps = true;
    fake_start(&provider);
    fake_answer(200, "{\"a\":7}");
    fake_ended(LLM_INVALID_JSON, "no text in the answer");
    assert_int_equal(fake.starts, 1);
}

static void test_the_second_step_fails(void **state)
{
    (void)state;
    two_steps = true;
    fake_start(&provider);
    fake_answer(200, "{\"a\":\"1\"}");
    fake_break(HTTP_BROKEN, HTTP_WAITING, "reset");
    fake_ended(LLM_NETWORK_ERROR, "reset");
    assert_int_equal(fake.call.status, 0);

    begin(NULL);
    two_steps = true;
    fake_start(&provider);
    fake.refuses = true;
    fake_answer(200, "{\"a\":\"1\"}");
    fake_ended(LLM_NETWORK_ERROR, "out of connections");
}

static void ended_at_once(enum llm_outcome outcome, const char *error)
{
    assert_int_equal(provider.start(&fake.call), LLM_ENDED);
    assert_int_equal(fake.done, 0);
    assert_int_equal(fake.call.outcome, outcome);
    assert_string_equal(fake.call.error, error);
    assert_false(fake.call.reached);
}

static void wiped(void)
{
    for (size_t i = 0; i < sizeof(fake.call.headers); i++)
        assert_int_equal(fake.call.headers[i], 0);
}

static void test_it_cannot_be_started(void **state)
{
    (void)state;
    fake.server.key = "k";
    fake.refuses = true;
    ended_at_once(LLM_NETWORK_ERROR, "out of connections");
    assert_int_equal(fake.call.again, LLM_AGAIN_NO);
    wiped();
}

static void test_what_has_no_room(void **state)
{
    size_t *const parts[] = {&path_n, &header_n, &body_n};
    /* What fits beside the rest: "/m", nothing and a NUL, "{}" without one. */
    static const size_t room[] = {LLM_PATH_MAX - 2, LLM_HEADERS_MAX - 1, LLM_REQUEST_MAX - 2};
    (void)state;
    for (size_t i = 0; i < COUNT(parts); i++) {
        fake.call.http.stage = HTTP_READING; /* of the call before */
        begin(NULL);
        *parts[i] = room[i] + 1;
        ended_at_once(LLM_NETWORK_ERROR, "the request is too large");
        assert_int_equal(fake.starts, 0);
        wiped();
        begin(NULL);
        *parts[i] = room[i];
        fake_start(&provider);
    }
}

static void test_keys(void **state)
{
    static const char *const bad[] = {"a b", "k\r\nHost: x", "k\n", "\x7f", "k\xc3\xa9", "\t"};
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        begin(NULL);
        fake.server.key = bad[i];
        ended_at_once(LLM_NETWORK_ERROR, "the key holds what no header may hold");
        assert_int_equal(fake.starts, 0);
        assert_int_equal(fake.call.again, LLM_AGAIN_OPERATOR);
    }
    begin(NULL);
    fake.server.key = "!~";
    fake_start(&provider);
    assert_string_equal(fake.headers, "Key: !~\r\n");
    begin(NULL);
    fake.server.key = NULL;
    fake_start(&provider);
    assert_string_equal(fake.headers, "");
    fake_answer(500, "{}");
}

static void test_a_call_that_nobody_knows(void **state)
{
    (void)state;
    assert_int_equal(exchange_start(&fake.call, NULL), LLM_ENDED);
    assert_int_equal(fake.call.outcome, LLM_NETWORK_ERROR);
    assert_string_equal(fake.call.error, "this provider knows no such call");
}

static void test_cancel(void **state)
{
    (void)state;
    fake.server.key = "sk-1";
    fake_start(&provider);
    assert_int_equal(fake.call.headers[0], 'K');
    fake.call.http.stage = HTTP_WAITING;
    provider.cancel(&fake.call);
    assert_int_equal(fake.cancels, 1);
    assert_int_equal(fake.done, 0);
    assert_true(fake.call.reached);
    wiped();
}

static void test_parts_of_a_path(void **state)
{
    (void)state;
    fake_begin("http://127.0.0.1:80", LLM_ASK, "aZ09-._~/../?#%:@ \xc3\xa9");
    fake_start(&provider);
    assert_string_equal(fake.path, "/aZ09-._~%2F..%2F%3F%23%25%3A%40%20%C3%A9");
}

/* ---- Faults of transport ---- */

static void test_timeouts(void **state)
{
    static const struct {
        enum http_stage stage;
        bool reached;
    } cases[] = {
        {HTTP_RESOLVING, false}, {HTTP_CONNECTING, false}, {HTTP_SECURING, true},
        {HTTP_SENDING, true},    {HTTP_WAITING, true},     {HTTP_READING, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        begin(NULL);
        fake.server.key = "k";
        fake_start(&provider);
        fake_break(HTTP_TIMED_OUT, cases[i].stage, "no answer within 8 s (connecting)");
        fake_ended(LLM_TIMEOUT, "no answer within 8 s (connecting)");
        assert_int_equal(fake.call.reached, cases[i].reached);
        assert_int_equal(fake.call.again, LLM_AGAIN_NO);
        assert_int_equal(fake.call.status, 0);
    }
}

static void test_broken(void **state)
{
    (void)state;
    fake.server.key = "k";
    fake_start(&provider);
    fake_break(HTTP_BROKEN, HTTP_CONNECTING, "connection refused");
    fake_ended(LLM_NETWORK_ERROR, "connection refused");
    assert_int_equal(fake.call.again, LLM_AGAIN_NO);
    assert_false(fake.call.reached);
    again();
    fake_break(HTTP_BROKEN, HTTP_READING, "two lengths");
    fake_ended(LLM_NETWORK_ERROR, "two lengths");
    assert_true(fake.call.reached);
}

/* ---- Statuses ---- */

static void test_statuses(void **state)
{
    static const struct {
        int status;
        enum llm_again again;
        const char *error;
    } cases[] = {
        {400, LLM_AGAIN_NO, "bad request (HTTP 400): hm"},
        {413, LLM_AGAIN_NO, "the request is too large for the server (HTTP 413): hm"},
        {401, LLM_AGAIN_OPERATOR, "the key is missing or refused (HTTP 401): hm"},
        {402, LLM_AGAIN_OPERATOR, "no credit (HTTP 402): hm"},
        {403, LLM_AGAIN_OPERATOR, "not allowed (HTTP 403): hm"},
        {404, LLM_AGAIN_OPERATOR, "no such model, or no such path (HTTP 404): hm"},
        {408, LLM_AGAIN_SOON, "HTTP 408: hm"},
        {409, LLM_AGAIN_SOON, "HTTP 409: hm"},
        {500, LLM_AGAIN_SOON, "HTTP 500: hm"},
        {502, LLM_AGAIN_SOON, "HTTP 502: hm"},
        {503, LLM_AGAIN_SOON, "HTTP 503: hm"},
        {504, LLM_AGAIN_SOON, "HTTP 504: hm"},
        {520, LLM_AGAIN_SOON, "HTTP 520: hm"},
        {521, LLM_AGAIN_SOON, "HTTP 521: hm"},
        {522, LLM_AGAIN_SOON, "HTTP 522: hm"},
        {523, LLM_AGAIN_SOON, "HTTP 523: hm"},
        {524, LLM_AGAIN_SOON, "HTTP 524: hm"},
        {525, LLM_AGAIN_SOON, "HTTP 525: hm"},
        {526, LLM_AGAIN_SOON, "HTTP 526: hm"},
        {529, LLM_AGAIN_SOON, "HTTP 529: hm"},
        {429, LLM_AGAIN_SOON, "too many requests (HTTP 429): hm"},
        {300, LLM_AGAIN_NO, "redirected: set the base URL to where it leads (HTTP 300): hm"},
        {301, LLM_AGAIN_NO, "redirected: set the base URL to where it leads (HTTP 301): hm"},
        {302, LLM_AGAIN_NO, "redirected: set the base URL to where it leads (HTTP 302): hm"},
        {308, LLM_AGAIN_NO, "redirected: set the base URL to where it leads (HTTP 308): hm"},
        {201, LLM_AGAIN_NO, "HTTP 201: hm"},
        {204, LLM_AGAIN_NO, "HTTP 204: hm"},
        {299, LLM_AGAIN_NO, "HTTP 299: hm"},
        {405, LLM_AGAIN_NO, "HTTP 405: hm"},
        {407, LLM_AGAIN_NO, "HTTP 407: hm"},
        {410, LLM_AGAIN_NO, "HTTP 410: hm"},
        {412, LLM_AGAIN_NO, "HTTP 412: hm"},
        {414, LLM_AGAIN_NO, "HTTP 414: hm"},
        {418, LLM_AGAIN_NO, "HTTP 418: hm"},
        {422, LLM_AGAIN_NO, "HTTP 422: hm"},
        {499, LLM_AGAIN_NO, "HTTP 499: hm"},
        {501, LLM_AGAIN_NO, "HTTP 501: hm"},
        {505, LLM_AGAIN_NO, "HTTP 505: hm"},
        {519, LLM_AGAIN_NO, "HTTP 519: hm"},
        {527, LLM_AGAIN_NO, "HTTP 527: hm"},
        {528, LLM_AGAIN_NO, "HTTP 528: hm"},
        {530, LLM_AGAIN_NO, "HTTP 530: hm"},
        {599, LLM_AGAIN_NO, "HTTP 599: hm"},
        {999, LLM_AGAIN_NO, "HTTP 999: hm"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        again();
        fake.call.http.retry_after_ms = cases[i].status == 429 ? -1 : 2500;
        fake_answer(cases[i].status, "{\"error\":\"hm\",\"a\":\"a text that is none\"}");
        fake_ended(LLM_HTTP_ERROR, cases[i].error);
        assert_int_equal(fake.call.status, cases[i].status);
        assert_int_equal(fake.call.again, cases[i].again);
        /* Only 429 names a wait that is heeded. */
        assert_int_equal(fake.call.again_ms, -1);
        assert_int_equal(fake.call.text_len, 0);
    }
}

static void test_too_many_requests(void **state)
{
    static const struct {
        int64_t retry_after_ms;
        const char *body;
        enum llm_again again;
        const char *error;
    } cases[] = {
        {-1, "", LLM_AGAIN_SOON, "too many requests (HTTP 429)"},
        {0, "", LLM_AGAIN_SOON, "too many requests (HTTP 429)"},
        {1500, "", LLM_AGAIN_SOON, "too many requests (HTTP 429)"},
        {3600000, "", LLM_AGAIN_SOON, "too many requests (HTTP 429)"},
        {-1, "{\"error\":{\"message\":\"enforced_spend_limit_reached\"}}", LLM_AGAIN_OPERATOR,
         "the spend limit is reached (HTTP 429): enforced_spend_limit_reached"},
        {-1, "{\"error\":{\"details\":[{\"x\":\"enforced_spend_limit_reached\"}]}}",
         LLM_AGAIN_OPERATOR, "the spend limit is reached (HTTP 429)"},
        {-1, "<p>enforced_spend_limit_reached", LLM_AGAIN_OPERATOR,
         "the spend limit is reached (HTTP 429)"},
        {-1, "{\"error\":{\"message\":\"pay\",\"code\":\"insufficient_quota\"}}",
         LLM_AGAIN_OPERATOR, "the spend limit is reached (HTTP 429): pay"},
        {2000, "enforced_spend_limit_reached", LLM_AGAIN_SOON, "too many requests (HTTP 429)"},
        {-1, "enforced_spend_limit_reache", LLM_AGAIN_SOON, "too many requests (HTTP 429)"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        again();
        fake.call.http.retry_after_ms = cases[i].retry_after_ms;
        fake_answer(429, cases[i].body);
        fake_ended(LLM_HTTP_ERROR, cases[i].error);
        assert_int_equal(fake.call.again, cases[i].again);
        assert_int_equal(fake.call.again_ms,
                         cases[i].again == LLM_AGAIN_SOON ? cases[i].retry_after_ms : -1);
    }
}

/* ---- What a server says ---- */

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void test_messages(void **state)
{
    static const struct {
        const char *body;
        const char *error;
    } cases[] = {
        {"{\"type\":\"error\",\"error\":{\"type\":\"x\",\"message\":\"Overloaded\"}}",
         "HTTP 500: Overloaded"},
        {"{\"error\":\"model requires more memory\"}", "HTTP 500: model requires more memory"},
        {"{\"error\":{\"code\":503,\"message\":\"Loading model\"}}", "HTTP 500: Loading model"},
        {"{\"object\":\"error\",\"message\":\"old vLLM\"}", "HTTP 500: old vLLM"},
        {"{\"error\":{\"type\":\"x\"},\"message\":\"beside\"}", "HTTP 500: beside"},
        {"{\"error\":\"\\u001b[31mred\\n\\u202e\\u0000\"}",
         "HTTP 500: \\x1b[31mred\\n\\u202e\\u0000"},
        {"{\"error\":\"" X50 X50 X50 X50 X50 "\"}", "HTTP 500: " X50 X50 X50 X50 "xxxxxxxxxx..."},
        {"{\"error\":\"\"}", "HTTP 500"},
        {"{\"error\":null}", "HTTP 500"},
        {"{\"error\":[\"a\"]}", "HTTP 500"},
        {"{\"error\":{\"message\":1}}", "HTTP 500"},
        {"{\"error\":{\"message\":{\"message\":\"x\"}}}", "HTTP 500"},
        {"{\"error\":\"cut", "HTTP 500"},
        {"[\"error\"]", "HTTP 500"},
        {"\"error\"", "HTTP 500"},
        {"<html><body>Bad gateway</body></html>", "HTTP 500"},
        {"Bad gateway", "HTTP 500"},
        {"", "HTTP 500"},
        {"\xff\xfe", "HTTP 500"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        again();
        fake_answer(500, cases[i].body);
        fake_ended(LLM_HTTP_ERROR, cases[i].error);
        for (size_t n = 0; n < strlen(cases[i].body); n++) {
            again();
            fake_answer_bytes(500, cases[i].body, n);
            fake_ended(LLM_HTTP_ERROR, "HTTP 500");
        }
    }
}

static void test_a_long_message_of_escapes(void **state)
{
    char body[1024] = "{\"error\":\"";
    (void)state;
    for (int i = 0; i < 130; i++)
        strncat(body, "\\u0001", sizeof(body) - strlen(body) - 1);
    strncat(body, "\"}", sizeof(body) - strlen(body) - 1);
    again();
    fake_answer(500, body);
    fake_ended(LLM_HTTP_ERROR, NULL);
    assert_int_equal(strlen(fake.call.error), LLM_ERROR_MAX);
    assert_memory_equal(fake.call.error, "HTTP 500: \\x01\\x01", 18);
}

static void test_the_key_is_never_repeated(void **state)
{
    (void)state;
    fake.server.key = "sk-secret";
    fake_start(&provider);
    fake_answer(401, "{\"error\":\"wrong key: sk-secret, said the proxy\"}");
    fake_ended(LLM_HTTP_ERROR, "the key is missing or refused (HTTP 401)");
    again();
    fake.server.key = "sk-secret";
    fake_answer(401, "{\"error\":\"wrong key: sk\\u002dsecret\"}");
    fake_ended(LLM_HTTP_ERROR, "the key is missing or refused (HTTP 401)");
    again();
    fake.server.key = "sk-secret";
    snprintf(fake.call.http.parse.request_id, HTTP_VALUE_MAX + 1, "req-sk-secret");
    fake_answer(401, "");
    assert_string_equal(fake.call.request_id, "");
    again();
    fake.server.key = "sk-secret";
    snprintf(fake.call.http.parse.request_id, HTTP_VALUE_MAX + 1, X50 "0123456789...");
    fake_answer(401, "");
    assert_string_equal(fake.call.request_id, "");
}

static void test_request_ids(void **state)
{
    static const struct {
        const char *sent;
        const char *kept;
    } cases[] = {
        {"req_011CT", "req_011CT"}, {"a b", ""}, {"\x1b[0m", ""}, {"\xc3\xa9", ""}, {"", ""}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        again();
        snprintf(fake.call.http.parse.request_id, HTTP_VALUE_MAX + 1, "%s", cases[i].sent);
        fake_answer(500, "");
        assert_string_equal(fake.call.request_id, cases[i].kept);
    }
}

static void test_no_json(void **state)
{
    static const struct {
        const char *body;
        const char *error;
    } cases[] = {
        {"", "the server's answer: JSON that ends too early"},
        {"<html>", "the server's answer: not valid JSON"},
        {"{\"a\":\"1\"} {}", "the server's answer: not valid JSON"},
        {"{\"a\":\"1\",}", "the server's answer: not valid JSON"},
        {"{\"a\":\"\xff\"}", "the server's answer: not valid UTF-8"},
        {"\xef\xbb\xbf{}", "the server's answer: not valid JSON"},
        {"[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", "the server's answer: nested too deep"},
        {"[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", "no text in the answer"},
        {"null", "no text in the answer"},
        {"{}", "no text in the answer"},
        {"{\"a\":null}", "no text in the answer"},
        {"{\"a\":[\"1\"]}", "no text in the answer"},
        {"{\"a\":\"\\u0000\"}", "the answer's text is too long, or no text"},
        {"{\"a\":\"\\udc00\"}", "the answer's text is too long, or no text"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        again();
        fake_answer(200, cases[i].body);
        fake_ended(LLM_INVALID_JSON, cases[i].error);
        assert_int_equal(fake.call.again, LLM_AGAIN_NO);
    }
    again();
    fake_answer_bytes(200, "{\"a\":\"\0\"}", 9);
    fake_ended(LLM_INVALID_JSON, "the server's answer: not valid UTF-8");
}

static void test_the_largest_answers(void **state)
{
    static char body[HTTP_BODY_MAX + 1];
    (void)state;
    /* 64 KB of one text, and the longest that is taken. */
    memset(body, 'x', HTTP_BODY_MAX);
    memcpy(body, "{\"a\":\"", 6);
    memcpy(body + HTTP_BODY_MAX - 2, "\"}", 2);
    again();
    fake_answer_bytes(200, body, HTTP_BODY_MAX);
    fake_ended(LLM_INVALID_JSON, "the answer's text is too long, or no text");
    memcpy(body + 6 + PROPOSAL_BYTES_MAX - 1, "\"}", 2);
    again();
    fake_answer_bytes(200, body, 6 + PROPOSAL_BYTES_MAX + 1);
    fake_ended(LLM_SUCCESS, "");
    assert_int_equal(fake.call.text_len, PROPOSAL_BYTES_MAX - 1);
    /* 64 KB of values. */
    for (size_t i = 0; i < HTTP_BODY_MAX; i += 2)
        memcpy(body + i, "1,", 2);
    body[0] = '[';
    body[1] = ' ';
    body[HTTP_BODY_MAX - 1] = ']';
    again();
    fake_answer_bytes(200, body, HTTP_BODY_MAX);
    fake_ended(LLM_INVALID_JSON, "the server's answer: too many values");
}

static void test_token_counts(void **state)
{
    static const struct {
        const char *body;
        int64_t in, out;
    } cases[] = {
        {"{\"a\":\"\",\"in\":0,\"out\":2147483647}", 0, 2147483647},
        {"{\"a\":\"\",\"in\":-3,\"out\":2147483648}", -1, -1},
        {"{\"a\":\"\",\"in\":1.5,\"out\":\"7\"}", -1, -1},
        {"{\"a\":\"\",\"in\":null}", -1, -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        again();
        fake_answer(200, cases[i].body);
        fake_succeeded("");
        assert_int_equal(fake.call.input_tokens, cases[i].in);
        assert_int_equal(fake.call.output_tokens, cases[i].out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_one_step, begin),
        cmocka_unit_test_setup(test_two_steps, begin),
        cmocka_unit_test_setup(test_the_second_step_fails, begin),
        cmocka_unit_test_setup(test_it_cannot_be_started, begin),
        cmocka_unit_test_setup(test_what_has_no_room, begin),
        cmocka_unit_test_setup(test_keys, begin),
        cmocka_unit_test_setup(test_a_call_that_nobody_knows, begin),
        cmocka_unit_test_setup(test_cancel, begin),
        cmocka_unit_test_setup(test_parts_of_a_path, begin),
        cmocka_unit_test_setup(test_timeouts, begin),
        cmocka_unit_test_setup(test_broken, begin),
        cmocka_unit_test_setup(test_statuses, begin),
        cmocka_unit_test_setup(test_too_many_requests, begin),
        cmocka_unit_test_setup(test_messages, begin),
        cmocka_unit_test_setup(test_a_long_message_of_escapes, begin),
        cmocka_unit_test_setup(test_the_key_is_never_repeated, begin),
        cmocka_unit_test_setup(test_request_ids, begin),
        cmocka_unit_test_setup(test_no_json, begin),
        cmocka_unit_test_setup(test_the_largest_answers, begin),
        cmocka_unit_test_setup(test_token_counts, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
