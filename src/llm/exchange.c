#include "llm/exchange.h"

#include "base/escape.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- What is said of a failure ---- */

void exchange_fail(struct llm_call *call, enum llm_outcome outcome, const char *words,
                   const char *message)
{
    char storage[4 * (LLM_ERROR_MAX + 1)];
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    buf_str(&b, words);
    if (message[0] != '\0') {
        buf_str(&b, ": ");
        buf_str(&b, message);
    }
    span_cut(call->error, sizeof(call->error), buf_view(&b));
    call->outcome = outcome;
}

void exchange_http_error(struct llm_call *call, const char *words, const char *message)
{
    char storage[LLM_ERROR_MAX + 1];
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    buf_str(&b, words);
    buf_str(&b, words[0] != '\0' ? " (HTTP " : "HTTP ");
    buf_int(&b, call->status);
    buf_str(&b, words[0] != '\0' ? ")" : "");
    const char *text = buf_text(&b);
    exchange_fail(call, LLM_HTTP_ERROR, text != NULL ? text : words, message);
}

/* ---- Statuses ---- */

/* PROVIDERS, the table of Anthropic, which others follow. What is not here is not worth a retry.
 * 429 has a rule of its own. */
static const struct {
    int from;
    int to;
    enum llm_again again;
    const char *words;
} statuses[] = {
    {300, 399, LLM_AGAIN_NO, "redirected: set the base URL to where it leads"},
    {400, 400, LLM_AGAIN_NO, "bad request"},
    {401, 401, LLM_AGAIN_OPERATOR, "the key is missing or refused"},
    {402, 402, LLM_AGAIN_OPERATOR, "no credit"},
    {403, 403, LLM_AGAIN_OPERATOR, "not allowed"},
    {404, 404, LLM_AGAIN_OPERATOR, "no such model, or no such path"},
    {408, 409, LLM_AGAIN_SOON, ""},
    {413, 413, LLM_AGAIN_NO, "the request is too large for the server"},
    {500, 500, LLM_AGAIN_SOON, ""},
    {502, 504, LLM_AGAIN_SOON, ""},
    {520, 526, LLM_AGAIN_SOON, ""},
    {529, 529, LLM_AGAIN_SOON, ""},
};

static const char *key_of(const struct llm_call *call)
{
    return call->server->key != NULL ? call->server->key : "";
}

static bool body_holds(const struct llm_call *call, const char *text)
{
    const struct http_parse *answer = &call->http.parse;

    return memmem(answer->body, answer->body_n, text, strlen(text)) != NULL;
}

/* Too many requests: a wait that is named ends; a limit of money does not end by waiting. */
static void refused_429(struct llm_call *call, const char *message)
{
    bool named = call->http.retry_after_ms >= 0;

    if (!named && (body_holds(call, "enforced_spend_limit_reached") ||
                   body_holds(call, "insufficient_quota"))) {
        call->again = LLM_AGAIN_OPERATOR;
        exchange_http_error(call, "the spend limit is reached", message);
        return;
    }
    call->again = LLM_AGAIN_SOON;
    call->again_ms = named ? call->http.retry_after_ms : -1;
    exchange_http_error(call, "too many requests", message);
}

void exchange_refused(struct llm_call *call, const char *message)
{
    size_t i = 0;

    if (call->status == 429) {
        refused_429(call, message);
        return;
    }
    while (i < COUNT(statuses) &&
           (call->status < statuses[i].from || call->status > statuses[i].to))
        i++;
    if (i < COUNT(statuses))
        call->again = statuses[i].again;
    exchange_http_error(call, i < COUNT(statuses) ? statuses[i].words : "", message);
}

/* ---- Reading ---- */

/* Of the answer that is being read, in this one thread: its values, and the key that was sent. */
static jsmntok_t tokens[LLM_ANSWER_TOKENS_MAX];
static const char *key_sent;

/* A text that the key stands in is shown to nobody. */
static bool tells_key(const char *text)
{
    return key_sent[0] != '\0' && strstr(text, key_sent) != NULL;
}

static enum json_error read_body(const struct llm_call *call, struct json *doc)
{
    return json_read(doc, call->http.parse.body, call->http.parse.body_n, tokens, COUNT(tokens),
                     LLM_ANSWER_DEPTH_MAX);
}

bool exchange_says(const struct json *doc, json_ref ref, const char *text)
{
    char said[64];

    return json_string(doc, ref, said, sizeof(said)) >= 0 && strcmp(said, text) == 0;
}

void exchange_shown(const struct json *doc, json_ref ref, char *dst, size_t cap)
{
    char said[LLM_HEADERS_MAX + LLM_ERROR_MAX]; /* a key that begins in what is shown ends in it */
    char storage[4 * sizeof(said)];             /* what grows most as an escape is one byte: \x01 */
    struct buf b;

    dst[0] = '\0';
    if (json_string_cut(doc, ref, said, sizeof(said)) <= 0 || tells_key(said))
        return;
    buf_init(&b, storage, sizeof(storage));
    escape_text(&b, span_of(said));
    span_cut(dst, cap, buf_view(&b));
}

/* What the server says is wrong: {"error":{"message":"..."}}, {"error":"..."}, or
 * {"message":"..."}. */
static void read_message(const struct llm_call *call, char message[LLM_ERROR_MAX + 1])
{
    struct json doc;

    message[0] = '\0';
    if (read_body(call, &doc) != JSON_OK)
        return;
    json_ref error = json_member(&doc, JSON_ROOT, "error");
    json_ref ref =
        json_type(&doc, error) == JSON_STRING ? error : json_member(&doc, error, "message");
    if (ref == JSON_NONE)
        ref = json_member(&doc, JSON_ROOT, "message");
    exchange_shown(&doc, ref, message, LLM_ERROR_MAX + 1);
}

/* It goes into logs as it stands. */
static void take_request_id(struct llm_call *call)
{
    const char *id = call->http.parse.request_id;

    call->request_id[0] = '\0';
    if (tells_key(id) || strlen(id) == HTTP_VALUE_MAX) /* perhaps cut, and then who knows what of */
        return;
    for (const char *c = id; *c != '\0'; c++)
        if (*c < '!' || *c > '~')
            return;
    span_cut_text(call->request_id, sizeof(call->request_id), id);
}

static void read_answer(struct llm_call *call)
{
    struct json doc;

    enum json_error error = read_body(call, &doc);
    if (error != JSON_OK) {
        exchange_fail(call, LLM_INVALID_JSON, "the server's answer", json_error_text(error));
        return;
    }
    call->outcome = LLM_SUCCESS;
    call->step->read(call, &doc);
}

static void read_refusal(struct llm_call *call)
{
    char message[LLM_ERROR_MAX + 1];

    read_message(call, message);
    if (call->step->refused != NULL)
        call->step->refused(call, message);
    else
        exchange_refused(call, message);
}

const struct exchange *exchange_read(struct llm_call *call)
{
    call->status = call->http.parse.status;
    key_sent = key_of(call);
    take_request_id(call);
    if (call->status == 200)
        read_answer(call);
    else
        read_refusal(call);
    return call->outcome == LLM_SUCCESS ? call->step->next : NULL;
}

void exchange_take_text(struct llm_call *call, const struct json *doc, json_ref ref)
{
    if (json_type(doc, ref) != JSON_STRING) {
        exchange_fail(call, LLM_INVALID_JSON, "no text in the answer", "");
        return;
    }
    int n = json_string(doc, ref, call->text, sizeof(call->text));
    if (n < 0)
        exchange_fail(call, LLM_INVALID_JSON, "the answer's text is too long, or no text", "");
    else if (tells_key(call->text))
        exchange_fail(call, LLM_INVALID_JSON, "the answer repeats the key", "");
    else
        call->text_len = (size_t)n;
}

static int64_t count_of(const struct json *doc, json_ref ref)
{
    int64_t count;

    return json_int(doc, ref, 0, INT32_MAX, &count) == 0 ? count : -1;
}

void exchange_take_tokens(struct llm_call *call, const struct json *doc, json_ref usage,
                          const char *input, const char *output)
{
    call->input_tokens = count_of(doc, json_member(doc, usage, input));
    call->output_tokens = count_of(doc, json_member(doc, usage, output));
}

/* ---- Writing ---- */

struct span exchange_system(const struct llm_call *call)
{
    return call->cloud ? call->request->system_masked : call->request->system;
}

static void write_message(struct json_write *out, const char *role, struct span text)
{
    json_write_object(out, NULL);
    json_write_str(out, "role", role);
    json_write_span(out, "content", text);
    json_write_end_object(out);
}

void exchange_write_messages(const struct llm_call *call, struct json_write *out, bool system)
{
    const struct llm_request *request = call->request;

    json_write_array(out, "messages");
    if (system && exchange_system(call).n > 0)
        write_message(out, "system", exchange_system(call));
    for (unsigned i = 0; i < request->message_count; i++) {
        const struct llm_message *message = &request->messages[i];
        write_message(out, message->assistant ? "assistant" : "user",
                      call->cloud ? message->masked : message->text);
    }
    json_write_end_array(out);
}

void exchange_write_key(const struct llm_call *call, struct buf *out, const char *prefix)
{
    const char *key = key_of(call);

    if (key[0] == '\0')
        return;
    buf_str(out, prefix);
    buf_str(out, key);
    buf_str(out, "\r\n");
}

void exchange_write_part(struct buf *out, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (const char *c = text; *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;
        char lower = span_lower(*c);
        if ((lower >= 'a' && lower <= 'z') || (*c >= '0' && *c <= '9') || *c == '-' || *c == '.' ||
            *c == '_' || *c == '~') {
            buf_char(out, *c);
        } else {
            buf_char(out, '%');
            buf_char(out, digits[byte >> 4]);
            buf_char(out, digits[byte & 0x0f]);
        }
    }
}

/* A header must not get another line from it. */
static bool key_is_plain(const char *key)
{
    for (const char *c = key; *c != '\0'; c++)
        if (*c < '!' || *c > '~')
            return false;
    return true;
}

/* ---- The course of a call ---- */

static void end(struct llm_call *call)
{
    call->reached = call->http.stage >= HTTP_SECURING;
    explicit_bzero(call->headers, sizeof(call->headers));
}

/* 0, or -1 where the call has its outcome. */
static int send_step(struct llm_call *call, const struct exchange *step);

static void http_done(struct http_call *http)
{
    struct llm_call *call = http->arg;
    const struct exchange *next = NULL;

    switch (http->result) {
    case HTTP_ANSWERED:
        next = exchange_read(call);
        break;
    case HTTP_TIMED_OUT:
        exchange_fail(call, LLM_TIMEOUT, http->error, "");
        break;
    case HTTP_BROKEN:
        exchange_fail(call, LLM_NETWORK_ERROR, http->error, "");
        break;
    }
    end(call);
    if (next == NULL || send_step(call, next) != 0)
        call->done(call);
}

/* The body, empty where the step has none. 0, or -1 where there is no room. */
static int write_step(struct llm_call *call, struct buf *body)
{
    const struct exchange *step = call->step;
    struct json_write json;
    struct buf path, headers;

    buf_init(&path, call->path, sizeof(call->path));
    step->path(call, &path);
    buf_init(&headers, call->headers, sizeof(call->headers));
    if (step->headers != NULL)
        step->headers(call, &headers);
    buf_init(body, call->body, sizeof(call->body));
    json_write_init(&json, body);
    if (step->body != NULL)
        step->body(call, &json);
    if (buf_text(&path) == NULL || buf_text(&headers) == NULL || buf_done(body) != 0)
        return -1;
    return 0;
}

static int send_step(struct llm_call *call, const struct exchange *step)
{
    struct buf body;

    call->step = step;
    call->status = 0;
    if (write_step(call, &body) != 0) {
        exchange_fail(call, LLM_NETWORK_ERROR, "the request is too large", "");
        end(call);
        return -1;
    }
    const struct http_request request = {
        .server = &call->server->url,
        .method = step->method,
        .path = call->path,
        .headers = span_of(call->headers),
        .body = buf_view(&body),
        .once = call->cloud, /* what leaves the home lab costs */
        .deadline_ms = call->deadline_ms,
    };
    call->http.done = http_done;
    call->http.arg = call;
    if (http_start(&call->http, call->loop, &request) != 0) {
        exchange_fail(call, LLM_NETWORK_ERROR, call->http.error, "");
        end(call);
        return -1;
    }
    return 0;
}

enum llm_start exchange_start(struct llm_call *call, const struct exchange *step)
{
    if (step == NULL) {
        exchange_fail(call, LLM_NETWORK_ERROR, "this provider knows no such call", "");
        return LLM_ENDED;
    }
    if (!key_is_plain(key_of(call))) {
        call->again = LLM_AGAIN_OPERATOR;
        exchange_fail(call, LLM_NETWORK_ERROR, "the key holds what no header may hold", "");
        return LLM_ENDED;
    }
    return send_step(call, step) == 0 ? LLM_STARTED : LLM_ENDED;
}

void exchange_cancel(struct llm_call *call)
{
    http_cancel(&call->http);
    end(call);
}
