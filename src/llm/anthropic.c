#include "llm/anthropic.h"

#include <string.h>

#define LIMIT_MS 30000
#define MAX_TOKENS 1024
#define VERSION "anthropic-version: 2023-06-01\r\n"

/* A base URL may end in the API's version or not. */
static void write_path(const struct llm_call *call, struct buf *out, const char *rest)
{
    static const char version[] = "/v1";
    struct span base = span_of(call->server->url.path);
    size_t n = sizeof(version) - 1;

    if (base.n < n || !span_is((struct span){base.p + base.n - n, n}, version))
        buf_str(out, version);
    buf_str(out, rest);
}

static void write_headers(const struct llm_call *call, struct buf *out)
{
    exchange_write_key(call, out, "x-api-key: ");
    buf_str(out, VERSION);
}

/* ---- A question ---- */

static void ask_path(const struct llm_call *call, struct buf *out)
{
    write_path(call, out, "/messages");
}

/* Nothing else: what tunes sampling is an error for some models. */
static void ask_body(const struct llm_call *call, struct json_write *out)
{
    struct span schema = call->request->schema_plain;

    json_write_object(out, NULL);
    json_write_str(out, "model", call->model);
    json_write_int(out, "max_tokens", MAX_TOKENS);
    if (exchange_system(call).n > 0)
        json_write_span(out, "system", exchange_system(call));
    exchange_write_messages(call, out, false);
    if (schema.n > 0) {
        json_write_object(out, "output_config");
        json_write_object(out, "format");
        json_write_str(out, "type", "json_schema");
        json_write_raw(out, "schema", schema);
        json_write_end_object(out);
        json_write_end_object(out);
    }
    json_write_end_object(out);
}

/* The text of the first block that is one: others (thinking) may go before it. */
static json_ref find_text(const struct json *doc)
{
    json_ref content = json_member(doc, JSON_ROOT, "content");
    json_ref at = json_first(doc, content);

    while (at != JSON_NONE && !exchange_says(doc, json_member(doc, at, "type"), "text"))
        at = json_next(doc, content, at);
    return json_member(doc, at, "text");
}

static void read_ask(struct llm_call *call, const struct json *doc)
{
    json_ref reason = json_member(doc, JSON_ROOT, "stop_reason");

    exchange_take_tokens(call, doc, json_member(doc, JSON_ROOT, "usage"), "input_tokens",
                         "output_tokens");
    if (exchange_says(doc, reason, "refusal"))
        exchange_fail(call, LLM_REFUSAL, "the model refused", "");
    else if (exchange_says(doc, reason, "max_tokens") ||
             exchange_says(doc, reason, "model_context_window_exceeded"))
        exchange_fail(call, LLM_TRUNCATED, "the answer was cut off at its longest", "");
    else
        exchange_take_text(call, doc, find_text(doc));
}

static const struct exchange ask_step = {
    .method = "POST",
    .path = ask_path,
    .headers = write_headers,
    .body = ask_body,
    .read = read_ask,
};

/* ---- A probe ---- */

static void probe_path(const struct llm_call *call, struct buf *out)
{
    write_path(call, out, "/models/");
    exchange_write_part(out, call->model);
}

static void read_probe(struct llm_call *call, const struct json *doc)
{
    char name[LLM_ERROR_MAX + 1];
    struct buf text;

    if (!exchange_says(doc, json_member(doc, JSON_ROOT, "type"), "model")) {
        exchange_fail(call, LLM_INVALID_JSON, "no model in the answer", "");
        return;
    }
    exchange_shown(doc, json_member(doc, JSON_ROOT, "display_name"), name, sizeof(name));
    buf_init(&text, call->text, sizeof(call->text));
    buf_str(&text, "key good, model known");
    if (name[0] != '\0') {
        buf_str(&text, ": ");
        buf_str(&text, name);
    }
    call->text_len = text.n;
}

static void probe_refused(struct llm_call *call, const char *message)
{
    exchange_refused(call, message);
    if (call->status == 404)
        exchange_http_error(call, "the key is good, but the model is not known", message);
}

static const struct exchange probe_step = {
    .method = "GET",
    .path = probe_path,
    .headers = write_headers,
    .read = read_probe,
    .refused = probe_refused,
};

/* ---- The provider ---- */

const struct exchange *anthropic_step(enum llm_purpose purpose)
{
    switch (purpose) {
    case LLM_ASK:
        return &ask_step;
    case LLM_PROBE:
        return &probe_step;
    case LLM_RESIDENT:
    case LLM_WARM:
        break;
    }
    return NULL;
}

static enum llm_start start(struct llm_call *call)
{
    return exchange_start(call, anthropic_step(call->purpose));
}

const struct llm_provider anthropic_provider = {
    .name = "anthropic",
    .limit_ms = LIMIT_MS,
    .can_warm = false,
    .can_probe = true,
    .start = start,
    .cancel = exchange_cancel,
};
