#include "llm/chain.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/number.h"
#include "llm/rules.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A hop's limit in the chain, seconds. */
#define SECONDS_MIN 1
#define SECONDS_MAX 600

static const struct {
    const char *name;
    const struct llm_provider *provider; /* NULL: it is not in this program */
    bool has_models;
} providers[] = {
    {"ollama", NULL, true},
    {"anthropic", NULL, true},
    {"openai", NULL, true},
    {"rules", &rules_provider, false},
};

/* What one item of the list says. */
struct item {
    struct span text;
    struct span model;
    const struct llm_provider *provider;
    int64_t limit_ms; /* 0 = the provider's own */
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
static bool is_model(struct span provider, struct span model)
{
    for (size_t i = 0; i < model.n; i++)
        if (model.p[i] <= ' ' || model.p[i] > '~')
            return false;
    return model.n > 0 && provider.n + 1 + model.n <= LLM_MODEL_MAX;
}

static int parse_provider(struct item *item, struct span text, char *why)
{
    bool has_slash = text.n > 0 && memchr(text.p, '/', text.n) != NULL;
    struct span name = span_split(&text, '/');
    size_t i = 0;

    while (i < COUNT(providers) && !span_is(name, providers[i].name))
        i++;
    if (i == COUNT(providers))
        return refuse(why, item->text, "the provider must be ollama, anthropic, openai or rules");
    item->provider = providers[i].provider;
    item->model = (struct span){NULL, 0};
    if (!has_slash)
        return 0;
    if (!providers[i].has_models)
        return refuse(why, item->text, "this provider has no models");
    if (!is_model(name, text))
        return refuse(why, item->text, "the model must be short, without spaces or controls");
    item->model = text;
    return 0;
}

static int parse_item(struct item *item, struct span text, char *why)
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
    return parse_provider(item, text, why);
}

static void put_hop(struct chain *chain, const struct item *item)
{
    struct router_hop *hop = &chain->hops[chain->count++];
    struct buf label;

    *hop = (struct router_hop){
        .provider = item->provider,
        .limit_ms = item->limit_ms != 0 ? item->limit_ms : item->provider->limit_ms,
    };
    span_cut(hop->model, sizeof(hop->model), item->model);
    buf_init(&label, hop->label, sizeof(hop->label));
    buf_str(&label, item->provider->name);
    if (item->model.n > 0) {
        buf_char(&label, '/');
        buf_span(&label, item->model);
    }
    /* is_model() has seen to it that it fits. */
    (void)buf_text(&label);
}

int chain_parse(struct chain *out, struct span text, char *why)
{
    struct item items[CHAIN_HOPS_MAX];
    unsigned count = 0;
    bool more = true;

    while (more) {
        size_t before = text.n;
        struct span part = span_split(&text, ',');
        more = part.n < before;
        part = span_trim(part);
        if (part.n == 0)
            return refuse(why, part, "a hop is missing");
        if (count == CHAIN_HOPS_MAX)
            return refuse(why, part, "a chain has at most 8 hops");
        if (parse_item(&items[count++], part, why) != 0)
            return -1;
    }
    *out = (struct chain){.count = 0};
    for (unsigned i = 0; i < count; i++) {
        if (items[i].provider != NULL)
            put_hop(out, &items[i]);
        else
            LOG(LOG_WARNING, "hop_skipped", LOG_SPAN("hop", items[i].text),
                LOG_STR("reason", "this program has no such provider"));
    }
    return 0;
}

_Static_assert(CHAIN_HOPS_MAX == 8, "the number in the message");
