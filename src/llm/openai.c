#include "llm/openai.h"

#include <string.h>

#define LIMIT_MS 30000
#define MAX_TOKENS 512
#define LISTED_SHOWN 3 /* names of a server's models, where ours is not among them */

/* A base URL without a path gets the API's version; one with a path has it, or is elsewhere. */
static void write_path(const struct llm_call *call, struct buf *out, const char *rest)
{
    if (call->server->url.path[0] == '\0')
        buf_str(out, "/v1");
    buf_str(out, rest);
}

static void write_headers(const struct llm_call *call, struct buf *out)
{
    exchange_write_key(call, out, "Authorization: Bearer ");
}

/* ---- A question ---- */

static void ask_path(const struct llm_call *call, struct buf *out)
{
    write_path(call, out, "/chat/completions");
}

/* The nested form: of a flat one llama.cpp takes no notice. */
static void write_format(struct json_write *out, struct span schema)
{
    json_write_object(out, "response_format");
    json_write_str(out, "type", "json_schema");
    json_write_object(out, "json_schema");
    json_write_str(out, "name", "proposal");
    json_write_bool(out, "strict", true);
    json_write_raw(out, "schema", schema);
    json_write_end_object(out);
    json_write_end_object(out);
}

static void ask_body(const struct llm_call *call, struct json_write *out)
{
    json_write_object(out, NULL);
    /* A server with one model takes any name, but wants one. */
    json_write_str(out, "model", call->model[0] != '\0' ? call->model : "default");
    exchange_write_messages(call, out, true);
    if (call->request->schema.n > 0)
        write_format(out, call->request->schema);
    json_write_int(out, "max_tokens", MAX_TOKENS);
    json_write_int(out, "temperature", 0);
    json_write_bool(out, "stream", false);
    json_write_end_object(out);
}

static void read_ask(struct llm_call *call, const struct json *doc)
{
    json_ref choices = json_member(doc, JSON_ROOT, "choices");
    json_ref choice = json_first(doc, choices);
    json_ref message = json_member(doc, choice, "message");
    json_ref reason = json_member(doc, choice, "finish_reason");
    json_ref refusal = json_member(doc, message, "refusal");

    exchange_take_tokens(call, doc, json_member(doc, JSON_ROOT, "usage"), "prompt_tokens",
                         "completion_tokens");
    /* A string of at least one character, with its quotes. */
    if (json_type(doc, refusal) == JSON_STRING && json_raw(doc, refusal).n > 2)
        exchange_fail(call, LLM_REFUSAL, "the model refused", "");
    else if (exchange_says(doc, reason, "content_filter"))
        exchange_fail(call, LLM_REFUSAL, "the server's filter refused", "");
    else if (exchange_says(doc, reason, "length"))
        exchange_fail(call, LLM_TRUNCATED, "the answer was cut off at its longest", "");
    else
        exchange_take_text(call, doc, json_member(doc, message, "content"));
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
    write_path(call, out, "/models");
}

static bool is_listed(const struct json *doc, json_ref list, const char *model)
{
    char id[LLM_MODEL_MAX + 1];

    for (json_ref at = json_first(doc, list); at != JSON_NONE; at = json_next(doc, list, at))
        if (json_string(doc, json_member(doc, at, "id"), id, sizeof(id)) > 0 &&
            strcmp(id, model) == 0)
            return true;
    return false;
}

/* "it has: a, b, c, ..." */
static void put_listed(struct buf *out, const struct json *doc, json_ref list)
{
    char id[LLM_MODEL_MAX + 1];
    unsigned shown = 0;

    for (json_ref at = json_first(doc, list); at != JSON_NONE; at = json_next(doc, list, at)) {
        exchange_shown(doc, json_member(doc, at, "id"), id, sizeof(id));
        if (id[0] == '\0')
            continue;
        buf_str(out, shown == 0 ? "it has: " : ", ");
        buf_str(out, shown < LISTED_SHOWN ? id : "...");
        if (shown++ == LISTED_SHOWN)
            return;
    }
    if (shown == 0)
        buf_str(out, "it lists none");
}

/* That the model is not in the list is no failure: many servers take any name. */
static void read_probe(struct llm_call *call, const struct json *doc)
{
    json_ref list = json_member(doc, JSON_ROOT, "data");
    struct buf text;

    if (json_type(doc, list) != JSON_ARRAY) {
        exchange_fail(call, LLM_INVALID_JSON, "no list of models in the answer", "");
        return;
    }
    buf_init(&text, call->text, sizeof(call->text));
    buf_str(&text, "alive, ");
    if (call->model[0] != '\0' && is_listed(doc, list, call->model)) {
        buf_str(&text, "model listed");
    } else {
        if (call->model[0] != '\0')
            buf_str(&text, "but the model is not listed; ");
        put_listed(&text, doc, list);
    }
    call->text_len = text.n;
}

static const struct exchange probe_step = {
    .method = "GET",
    .path = probe_path,
    .headers = write_headers,
    .read = read_probe,
};

/* ---- The provider ---- */

const struct exchange *openai_step(enum llm_purpose purpose)
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
    return exchange_start(call, openai_step(call->purpose));
}

const struct llm_provider openai_provider = {
    .name = "openai",
    .limit_ms = LIMIT_MS,
    .can_warm = false,
    .can_probe = true,
    .start = start,
    .cancel = exchange_cancel,
};
