#include "llm/chain.h"

#include "base/buf.h"
#include "base/number.h"
#include "llm/anthropic.h"
#include "llm/ollama.h"
#include "llm/openai.h"
#include "llm/rules.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A hop's limit in the chain, seconds. */
#define SECONDS_MIN 1
#define SECONDS_MAX 600

enum models {
    NO_MODELS,
    MODEL_NEEDED, /* models are configuration: none is built in */
    MODEL_SET,    /* OLLAMA_MODEL, where the chain names none */
    MODEL_OPEN,   /* where none is named, the server has its own */
};

static const struct kind {
    const struct llm_provider *provider;
    enum models models;
} kinds[] = {
    {&ollama_provider, MODEL_SET},
    {&anthropic_provider, MODEL_NEEDED},
    {&openai_provider, MODEL_OPEN},
    {&rules_provider, NO_MODELS},
};

/* What one item of the list says. */
struct item {
    struct span text;
    struct span model;
    const struct kind *kind;
    int64_t limit_ms;
};

static int refuse(char *why, struct span text, const char *reason)
{
    char shown[40], storage[CHAIN_WHY_MAX];
    struct buf b;

    span_cut(shown, sizeof(shown), text);
    buf_init(&b, storage, sizeof(storage));
    buf_char(&b, '"');
    buf_str(&b, shown);
    buf_str(&b, "\": ");
    buf_str(&b, reason);
    span_cut(why, CHAIN_WHY_MAX, buf_view(&b));
    return -1;
}

/* Models go into requests, logs and file contents: visible ASCII, and short enough for a label. */
static bool is_model(const struct kind *kind, struct span model)
{
    for (size_t i = 0; i < model.n; i++)
        if (model.p[i] <= ' ' || model.p[i] > '~')
            return false;
    return model.n > 0 && strlen(kind->provider->name) + 1 + model.n <= LLM_MODEL_MAX;
}

/* Which model is asked, where the text is provider[/model]. */
static int parse_model(struct item *item, bool named, const struct chain_settings *settings,
                       char *why)
{
    enum models models = item->kind->models;

    if (named && models == NO_MODELS)
        return refuse(why, item->text, "this provider has no models");
    if (!named && models == MODEL_NEEDED)
        return refuse(why, item->text, "anthropic needs a model: anthropic/MODEL");
    if (!named && models == MODEL_SET) {
        item->model = span_of(settings->ollama_model);
        named = true;
    }
    if (named && !is_model(item->kind, item->model))
        return refuse(why, item->text, "the model must be short, without spaces or controls");
    return 0;
}

static int parse_provider(struct item *item, struct span text,
                          const struct chain_settings *settings, char *why)
{
    bool named = span_has(text, '/');
    struct span name = span_split(&text, '/');
    size_t i = 0;

    while (i < COUNT(kinds) && !span_is(name, kinds[i].provider->name))
        i++;
    if (i == COUNT(kinds))
        return refuse(why, item->text, "the provider must be ollama, anthropic, openai or rules");
    item->kind = &kinds[i];
    item->model = text;
    if (item->limit_ms == 0)
        item->limit_ms = kinds[i].provider->limit_ms;
    return parse_model(item, named, settings, why);
}

static int parse_item(struct item *item, struct span text, const struct chain_settings *settings,
                      char *why)
{
    int64_t seconds = 0;
    size_t at = text.n;

    *item = (struct item){.text = text};
    while (at > 0 && text.p[at - 1] != '@')
        at--;
    if (at > 0) {
        struct span digits = {text.p + at, text.n - at};
        if (number_int(digits, SECONDS_MIN, SECONDS_MAX, &seconds) != 0)
            return refuse(why, text, "after @ there must be 1 to 600 seconds");
        text.n = at - 1;
        item->limit_ms = seconds * 1000;
    }
    return parse_provider(item, text, settings, why);
}

/* Ollama passes questions to models of these tags on to ollama.com. */
static bool is_ollama_cloud(struct span model)
{
    static const char *const tails[] = {":cloud", "-cloud"};

    for (size_t i = 0; i < COUNT(tails); i++) {
        size_t n = strlen(tails[i]);
        if (model.n >= n && span_is_nocase((struct span){model.p + model.n - n, n}, tails[i]))
            return true;
    }
    return false;
}

static void fill_hop(struct router_hop *hop, const struct item *item,
                     const struct chain_settings *settings)
{
    const struct llm_provider *provider = item->kind->provider;
    struct buf label;

    *hop = (struct router_hop){.provider = provider, .limit_ms = item->limit_ms};
    if (provider == &ollama_provider)
        hop->server = &settings->ollama;
    else if (provider == &anthropic_provider)
        hop->server = &settings->anthropic;
    else if (provider == &openai_provider)
        hop->server = &settings->openai;
    /* Anthropic is one and costs, also where a proxy in the home lab leads to it. */
    hop->cloud = provider == &anthropic_provider || (hop->server != NULL && !hop->server->local) ||
                 (provider == &ollama_provider && is_ollama_cloud(item->model));
    span_cut(hop->model, sizeof(hop->model), item->model);
    buf_init(&label, hop->label, sizeof(hop->label));
    buf_str(&label, provider->name);
    if (item->model.n > 0) {
        buf_char(&label, '/');
        buf_span(&label, item->model);
    }
    /* is_model() has seen to it that it fits. */
    (void)buf_text(&label);
}

/* Why the hop cannot be asked; NULL: it can. */
static const char *why_skipped(const struct router_hop *hop, const struct chain_settings *settings)
{
    if (hop->server == &settings->openai && settings->openai.url.host[0] == '\0')
        return "OPENAI_API_BASE is not set";
    if (hop->cloud && settings->local_only)
        return "LOCAL_ONLY is 1, and it is not of the home lab";
    if (hop->server == &settings->anthropic && settings->anthropic.key[0] == '\0')
        return "ANTHROPIC_API_KEY is not set";
    return NULL;
}

/* Hops are counted by their labels. */
static bool is_there(const struct chain *chain, const char *label)
{
    for (unsigned i = 0; i < chain->count; i++)
        if (strcmp(chain->hops[i].label, label) == 0)
            return true;
    return false;
}

static int parse_all(struct chain *out, struct span text, const struct chain_settings *settings,
                     char *why)
{
    bool more = true;

    *out = (struct chain){.count = 0};
    while (more) {
        struct item item;
        size_t before = text.n;
        struct span part = span_split(&text, ',');
        more = part.n < before;
        part = span_trim(part);
        if (part.n == 0)
            return refuse(why, part, "a hop is missing");
        if (out->count == CHAIN_HOPS_MAX)
            return refuse(why, part, "a chain has at most 8 hops");
        if (parse_item(&item, part, settings, why) != 0)
            return -1;
        fill_hop(&out->hops[out->count], &item, settings);
        if (is_there(out, out->hops[out->count].label))
            return refuse(why, part, "this hop is in the chain twice");
        out->count++;
    }
    return 0;
}

int chain_parse(struct chain *out, struct span text, const struct chain_settings *settings,
                void (*skipped)(const char *label, const char *reason), char *why)
{
    unsigned kept = 0;

    if (parse_all(out, text, settings, why) != 0)
        return -1;
    for (unsigned i = 0; i < out->count; i++) {
        const char *reason = why_skipped(&out->hops[i], settings);
        if (reason == NULL)
            out->hops[kept++] = out->hops[i];
        else if (skipped != NULL)
            skipped(out->hops[i].label, reason);
    }
    out->count = kept;
    return 0;
}

_Static_assert(CHAIN_HOPS_MAX == 8, "the number in the message");
