#include "llm/ollama.h"

#include <string.h>

#define LIMIT_MS 8000
#define KEEP_ALIVE "10m"
/* Tokens. A longer prompt is cut from its front, without a word; one that fits is what tells. The
 * warm-up names it too: a model that is loaded with another is loaded anew. */
#define NUM_CTX 4096
#define NUM_PREDICT 512

#define PULL "ollama pull "

static void chat_path(const struct llm_call *call, struct buf *out)
{
    (void)call;
    buf_str(out, "/api/chat");
}

/* ---- A question ---- */

static void ask_body(const struct llm_call *call, struct json_write *out)
{
    json_write_object(out, NULL);
    json_write_str(out, "model", call->model);
    exchange_write_messages(call, out, true);
    if (call->request->schema.n > 0)
        json_write_raw(out, "format", call->request->schema);
    json_write_bool(out, "stream", false);
    json_write_bool(out, "think", false);
    json_write_str(out, "keep_alive", KEEP_ALIVE);
    json_write_object(out, "options");
    json_write_int(out, "temperature", 0);
    json_write_int(out, "num_ctx", NUM_CTX);
    json_write_int(out, "num_predict", NUM_PREDICT);
    json_write_end_object(out);
    json_write_end_object(out);
}

static void read_ask(struct llm_call *call, const struct json *doc)
{
    json_ref reason = json_member(doc, JSON_ROOT, "done_reason");
    json_ref message = json_member(doc, JSON_ROOT, "message");

    exchange_take_tokens(call, doc, JSON_ROOT, "prompt_eval_count", "eval_count");
    exchange_take_text(call, doc, json_member(doc, message, "content"));
    if (call->outcome != LLM_SUCCESS)
        return;
    if (exchange_says(doc, reason, "length"))
        exchange_fail(call, LLM_TRUNCATED, "the answer was cut off at its longest", "");
    else if (call->input_tokens >= NUM_CTX)
        exchange_fail(call, LLM_TRUNCATED, "the prompt was longer than the context", "");
    else if (call->text_len == 0 &&
             (exchange_says(doc, reason, "load") || exchange_says(doc, reason, "unload")))
        exchange_fail(call, LLM_INVALID_JSON, "the model was loaded or unloaded, not asked", "");
}

static void fail_not_pulled(struct llm_call *call, const char *words)
{
    char storage[sizeof(PULL) + LLM_MODEL_MAX];
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    buf_str(&b, PULL);
    buf_str(&b, call->model);
    const char *command = buf_text(&b);
    exchange_fail(call, LLM_HTTP_ERROR, words, command != NULL ? command : "");
    call->again = LLM_AGAIN_LATER;
    call->again_ms = OLLAMA_PULL_MS;
}

/* Who answers 404 with a message is an Ollama that does not have the model. */
static void chat_refused(struct llm_call *call, const char *message)
{
    if (call->status == 404 && message[0] != '\0')
        fail_not_pulled(call, "the model is not pulled");
    else
        exchange_refused(call, message);
}

static const struct exchange ask_step = {
    .method = "POST",
    .path = chat_path,
    .body = ask_body,
    .read = read_ask,
    .refused = chat_refused,
};

/* ---- Loading the model ---- */

static void warm_body(const struct llm_call *call, struct json_write *out)
{
    json_write_object(out, NULL);
    json_write_str(out, "model", call->model);
    json_write_array(out, "messages");
    json_write_end_array(out);
    json_write_bool(out, "stream", false);
    json_write_str(out, "keep_alive", KEEP_ALIVE);
    json_write_object(out, "options");
    json_write_int(out, "num_ctx", NUM_CTX);
    json_write_end_object(out);
    json_write_end_object(out);
}

static void read_warm(struct llm_call *call, const struct json *doc)
{
    if (json_type(doc, json_member(doc, JSON_ROOT, "done")) != JSON_TRUE)
        exchange_fail(call, LLM_INVALID_JSON, "the server does not say that it is done", "");
}

static const struct exchange warm_step = {
    .method = "POST",
    .path = chat_path,
    .body = warm_body,
    .read = read_warm,
    .refused = chat_refused,
};

/* ---- Is it there? ---- */

/* "qwen2.5" means "qwen2.5:latest"; a colon before the last slash is a registry's port. */
static bool has_tag(struct span name)
{
    for (size_t i = name.n; i > 0 && name.p[i - 1] != '/'; i--)
        if (name.p[i - 1] == ':')
            return true;
    return false;
}

static bool names_model(const struct json *doc, json_ref ref, const char *model)
{
    static const char latest[] = ":latest";
    char text[LLM_MODEL_MAX + sizeof(latest)];
    struct span wanted = span_of(model);

    int n = json_string(doc, ref, text, sizeof(text));
    if (n < 0)
        return false;
    struct span name = {text, (size_t)n};
    if (!has_tag(wanted) && name.n == wanted.n + sizeof(latest) - 1 &&
        span_is((struct span){text + wanted.n, sizeof(latest) - 1}, latest))
        name.n = wanted.n;
    return span_is_nocase(name, model);
}

/* Is the model in "models", by "name" or "model"? -1 where there is no such list. */
static int find_model(struct llm_call *call, const struct json *doc)
{
    json_ref list = json_member(doc, JSON_ROOT, "models");
    json_ref at = json_first(doc, list);

    if (json_type(doc, list) != JSON_ARRAY) {
        exchange_fail(call, LLM_INVALID_JSON, "no list of models in the answer", "");
        return -1;
    }
    for (; at != JSON_NONE; at = json_next(doc, list, at))
        if (names_model(doc, json_member(doc, at, "name"), call->model) ||
            names_model(doc, json_member(doc, at, "model"), call->model))
            return 1;
    return 0;
}

static void resident_path(const struct llm_call *call, struct buf *out)
{
    (void)call;
    buf_str(out, "/api/ps");
}

static void read_resident(struct llm_call *call, const struct json *doc)
{
    call->resident = find_model(call, doc) == 1;
}

static const struct exchange resident_step = {
    .method = "GET",
    .path = resident_path,
    .read = read_resident,
};

/* ---- A probe: the version, then whether the model is pulled ---- */

static void tags_path(const struct llm_call *call, struct buf *out)
{
    (void)call;
    buf_str(out, "/api/tags");
}

/* The text is the version by now. */
static void read_tags(struct llm_call *call, const struct json *doc)
{
    char storage[LLM_ERROR_MAX + 1];
    struct buf text;

    int found = find_model(call, doc);
    if (found < 0)
        return;
    buf_init(&text, storage, sizeof(storage));
    buf_str(&text, "alive (version ");
    buf_bytes(&text, call->text, call->text_len);
    buf_str(&text, found == 1 ? "), model pulled" : "), but the model is not pulled");
    const char *words = buf_text(&text);
    if (words == NULL)
        words = "alive";
    if (found == 0)
        fail_not_pulled(call, words);
    else
        call->text_len = span_cut_text(call->text, sizeof(call->text), words);
}

static const struct exchange tags_step = {
    .method = "GET",
    .path = tags_path,
    .read = read_tags,
};

static void version_path(const struct llm_call *call, struct buf *out)
{
    (void)call;
    buf_str(out, "/api/version");
}

static void read_version(struct llm_call *call, const struct json *doc)
{
    exchange_shown(doc, json_member(doc, JSON_ROOT, "version"), call->text, LLM_VERSION_SHOWN + 1);
    call->text_len = strlen(call->text);
    if (call->text_len == 0)
        exchange_fail(call, LLM_INVALID_JSON, "no version in the answer", "");
}

static const struct exchange version_step = {
    .method = "GET",
    .path = version_path,
    .read = read_version,
    .next = &tags_step,
};

/* ---- The provider ---- */

const struct exchange *ollama_step(enum llm_purpose purpose)
{
    switch (purpose) {
    case LLM_ASK:
        return &ask_step;
    case LLM_RESIDENT:
        return &resident_step;
    case LLM_WARM:
        return &warm_step;
    case LLM_PROBE:
        return &version_step;
    }
    return NULL;
}

static enum llm_start start(struct llm_call *call)
{
    return exchange_start(call, ollama_step(call->purpose));
}

const struct llm_provider ollama_provider = {
    .name = "ollama",
    .limit_ms = LIMIT_MS,
    .can_warm = true,
    .can_probe = true,
    .start = start,
    .cancel = exchange_cancel,
};
