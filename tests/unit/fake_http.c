#include "fake_http.h"

#include "base/json_read.h"
#include "base/utf8.h"
#include "guard.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define NOW INT64_C(5000000)

struct fake fake;

/* ---- HTTP ---- */

static void copy(char *dst, size_t cap, struct span s)
{
    assert_int_equal(span_copy(dst, cap, s), 0);
}

int http_start(struct http_call *call, struct loop *loop, const struct http_request *request)
{
    assert_false(fake.in_flight);
    assert_ptr_equal(loop, &fake.loop);
    assert_ptr_equal(request->server, &fake.server.url);
    assert_int_equal(request->once, fake.call.cloud);
    fake.starts++;
    call->stage = HTTP_RESOLVING;
    call->error[0] = '\0';
    if (fake.refuses) {
        snprintf(call->error, sizeof(call->error), "out of connections");
        return -1;
    }
    call->request = *request;
    call->retry_after_ms = -1;
    fake.in_flight = true;
    copy(fake.method, sizeof(fake.method), span_of(request->method));
    copy(fake.path, sizeof(fake.path), span_of(request->path));
    copy(fake.headers, sizeof(fake.headers), request->headers);
    copy(fake.body, sizeof(fake.body), request->body);
    fake.deadline_ms = request->deadline_ms;
    return 0;
}

void http_cancel(struct http_call *call)
{
    assert_ptr_equal(call, &fake.call.http);
    fake.in_flight = false;
    fake.cancels++;
}

void http_close_idle(void)
{
}

/* The request must not have changed while it was under way. */
static void end_http(void)
{
    const struct http_request *request = &fake.call.http.request;
    assert_true(fake.in_flight);
    fake.in_flight = false;
    assert_string_equal(request->path, fake.path);
    assert_true(span_is(request->headers, fake.headers));
    assert_true(span_is(request->body, fake.body));
}

void fake_answer_bytes(int status, const char *body, size_t n)
{
    static struct guard guard;
    struct http_call *http = &fake.call.http;
    if (guard.map == NULL)
        guard_open(&guard, HTTP_BODY_MAX);
    end_http();
    http->result = HTTP_ANSWERED;
    http->stage = HTTP_READING;
    http->parse.status = status;
    http->parse.body = guard_put(&guard, body, n);
    http->parse.body_n = n;
    http->done(http);
}

void fake_answer(int status, const char *body)
{
    fake_answer_bytes(status, body, strlen(body));
}

void fake_break(enum http_result result, enum http_stage stage, const char *error)
{
    struct http_call *http = &fake.call.http;
    end_http();
    http->result = result;
    http->stage = stage;
    snprintf(http->error, sizeof(http->error), "%s", error);
    http->done(http);
}

/* ---- Calls ---- */

static void call_done(struct llm_call *call)
{
    assert_ptr_equal(call, &fake.call);
    assert_false(fake.in_flight);
    fake.done++;
}

/* As who asks does it before each start; what a call before left behind stays. */
static void reset_call(void)
{
    llm_call_reset(&fake.call, &fake.loop);
    fake.call.deadline_ms = fake.loop.now.boot_ms + 8000;
    fake.call.done = call_done;
    fake.call.arg = &fake;
    fake.starts = 0;
    fake.cancels = 0;
    fake.done = 0;
}

void fake_begin(const char *url, enum llm_purpose purpose, const char *model)
{
    static struct llm_message messages[3];
    char why[URL_WHY_MAX];
    messages[0] = (struct llm_message){false, span_of("key=1"), span_of("key=*")};
    messages[1] = (struct llm_message){true, span_of("so?"), span_of("so*")};
    messages[2] = (struct llm_message){false, span_of("say \"it\"\n"), span_of("say *")};
    memset(&fake.call, '#', offsetof(struct llm_call, http));
    memset(fake.call.path, '#', sizeof(struct llm_call) - offsetof(struct llm_call, path));
    fake.call.http.parse.request_id[0] = '\0';
    fake.refuses = false;
    fake.in_flight = false;
    fake.loop.now.boot_ms = NOW;
    fake.server = (struct llm_server){.key = ""};
    assert_int_equal(url_parse(&fake.server.url, span_of(url), why), 0);
    fake.request = (struct llm_request){
        .context = span_of("n/web"),
        .system = span_of("be good"),
        .system_masked = span_of("be *"),
        .messages = messages,
        .message_count = COUNT(messages),
        .schema = span_of("{\"full\":1}"),
        .schema_plain = span_of("{\"plain\":1}"),
    };
    reset_call();
    fake.call.purpose = purpose;
    fake.call.request = purpose == LLM_ASK ? &fake.request : NULL;
    fake.call.server = &fake.server;
    fake.call.model = model;
    fake.call.cloud = false;
}

void fake_start(const struct llm_provider *provider)
{
    assert_int_equal(provider->start(&fake.call), LLM_STARTED);
    assert_true(fake.in_flight);
    assert_int_equal(fake.starts, 1);
    assert_int_equal(fake.done, 0);
    assert_int_equal(fake.deadline_ms, fake.call.deadline_ms);
}

void fake_asks(const char *method, const char *path, const char *headers, const char *body)
{
    assert_true(fake.in_flight);
    assert_string_equal(fake.method, method);
    assert_string_equal(fake.path, path);
    assert_string_equal(fake.headers, headers);
    assert_string_equal(fake.body, body);
    if (body[0] != '\0')
        assert_int_equal(json_check(body, strlen(body), 16), JSON_OK);
}

/* ---- Ends ---- */

static void check_shown(struct span text)
{
    uint32_t cp;
    for (size_t n; text.n > 0; text = (struct span){text.p + n, text.n - n}) {
        n = utf8_next(text, &cp);
        assert_true(n > 0 && !utf8_hidden(cp));
    }
}

/* What holds whatever the server said. */
static void check_end(void)
{
    const struct llm_call *call = &fake.call;
    assert_false(fake.in_flight);
    assert_int_equal(fake.done, 1);
    for (size_t i = 0; i < sizeof(call->headers); i++)
        assert_int_equal(call->headers[i], 0);
    assert_true(call->text_len <= sizeof(call->text));
    assert_true(strnlen(call->error, sizeof(call->error)) < sizeof(call->error));
    assert_int_equal(call->error[0] == '\0', call->outcome == LLM_SUCCESS);
    check_shown(span_of(call->error));
    check_shown(span_of(call->request_id));
    if (call->purpose == LLM_PROBE)
        check_shown((struct span){call->text, call->text_len});
}

void fake_ended(enum llm_outcome outcome, const char *error)
{
    check_end();
    if (fake.call.outcome != outcome)
        fail_msg("%s, not %s: %s", llm_outcome_text(fake.call.outcome), llm_outcome_text(outcome),
                 fake.call.error);
    if (error != NULL)
        assert_string_equal(fake.call.error, error);
}

void fake_succeeded(const char *text)
{
    fake_ended(LLM_SUCCESS, "");
    assert_int_equal(fake.call.text_len, strlen(text));
    assert_memory_equal(fake.call.text, text, strlen(text));
    assert_int_equal(fake.call.again, LLM_AGAIN_NO);
    assert_int_equal(fake.call.status, 200);
    assert_true(fake.call.reached);
}

enum llm_outcome fake_again(const struct llm_provider *provider, const char *answer, size_t n)
{
    reset_call();
    fake_start(provider);
    fake_answer_bytes(200, answer, n);
    if (fake.in_flight) /* the next step, of which this is no answer */
        fake_answer(200, "{}");
    check_end();
    return fake.call.outcome;
}

void fake_cut(const struct llm_provider *provider, const char *answer)
{
    for (size_t n = 0; n < strlen(answer); n++)
        if (fake_again(provider, answer, n) != LLM_INVALID_JSON)
            fail_msg("%.*s: %s", (int)n, answer, llm_outcome_text(fake.call.outcome));
}

unsigned fake_twist(const struct llm_provider *provider, const char *answer)
{
    static const char *const values[] = {
        "null", "true",        "-1",          "1e400",      "99999999999999999999",
        "\"\"", "\"\\u0000\"", "\"\\ud800\"", "\"length\"", "\"\\u202e\\u0007x\"",
        "[]",   "[[{}]]",      "{}",          "{\"a\":[1]}"};
    static jsmntok_t tokens[512];
    static char text[8192];
    struct json doc;
    unsigned count = 0;
    assert_int_equal(json_read(&doc, answer, strlen(answer), tokens, COUNT(tokens), 16), JSON_OK);
    for (json_ref ref = 0; ref < doc.count; ref++) {
        if (json_value(&doc, ref) != JSON_NONE)
            continue; /* a name */
        struct span old = json_raw(&doc, ref);
        int before = (int)(old.p - answer);
        for (size_t i = 0; i < COUNT(values); i++, count++) {
            int n =
                snprintf(text, sizeof(text), "%.*s%s%s", before, answer, values[i], old.p + old.n);
            assert_true(n > 0 && (size_t)n < sizeof(text));
            (void)fake_again(provider, text, (size_t)n);
        }
    }
    return count;
}
