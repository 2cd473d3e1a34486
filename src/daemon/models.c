#include "daemon/models.h"

#include "base/buf.h"
#include "base/log.h"
#include "daemon/config.h"
#include "daemon/confine.h"
#include "store/budget.h"
#include "store/tree.h"

#include <errno.h>

/* The form of the URL was looked at when the configuration was read. */
static struct llm_server server(const struct config *config, enum setting_key base,
                                enum setting_key key)
{
    struct llm_server out = {.key = key == SETTINGS ? "" : config_text(config, key)};
    struct span text = config_span(config, base);
    char why[URL_WHY_MAX];

    int parsed = base == SETTING_OLLAMA_API_BASE || base == SETTING_OLLAMA_HOST
                     ? url_parse_ollama(&out.url, text, why)
                     : url_parse(&out.url, text, why);
    if (parsed != 0)
        out.url.host[0] = '\0';
    out.local = url_is_local(&out.url);
    return out;
}

/* OLLAMA_API_BASE goes first, where somebody has set it. */
static enum setting_key ollama_base(const struct config *config)
{
    bool own = config->entry[SETTING_OLLAMA_API_BASE].origin != CONFIG_DEFAULT;

    return own || !config_is_set(config, SETTING_OLLAMA_HOST) ? SETTING_OLLAMA_API_BASE
                                                              : SETTING_OLLAMA_HOST;
}

void models_log_skipped(const char *label, const char *reason)
{
    LOG(LOG_WARNING, "hop_skipped", LOG_STR("hop", label), LOG_STR("reason", reason));
}

int models_read(struct models *out, const struct config *config, bool offline,
                void (*skipped)(const char *label, const char *reason), char *why)
{
    out->settings = (struct chain_settings){
        .ollama = server(config, ollama_base(config), SETTINGS),
        .anthropic = server(config, SETTING_ANTHROPIC_API_BASE, SETTING_ANTHROPIC_API_KEY),
        .openai = server(config, SETTING_OPENAI_API_BASE, SETTING_OPENAI_API_KEY),
        .ollama_model = config_text(config, SETTING_OLLAMA_MODEL),
        .local_only = config_number(config, SETTING_LOCAL_ONLY) != 0,
    };
    out->cold_ms = config_number(config, SETTING_OLLAMA_COLD_SECONDS) * 1000;
    return chain_parse(&out->chain, config_chain(config, offline), &out->settings, skipped, why);
}

bool models_ask_servers(const struct models *models)
{
    for (unsigned i = 0; i < models->chain.count; i++)
        if (models->chain.hops[i].server != NULL)
            return true;
    return false;
}

bool models_want_tls(const struct models *models, const struct config *config, bool redis)
{
    struct span url = config_span(config, SETTING_REDIS_URL);

    for (unsigned i = 0; i < models->chain.count; i++)
        if (models->chain.hops[i].server != NULL && models->chain.hops[i].server->url.tls)
            return true;
    return redis && span_take_nocase(&url, "rediss://");
}

int models_read_roots(const struct config *config, bool tls, const char **bundle, char *why)
{
    const char *path = config_text(config, SETTING_SSL_CERT_FILE);

    *bundle = NULL;
    if (tls && path[0] == '\0') {
        *bundle = tls_roots_load_system(why);
        return 0;
    }
    if (tls_roots_load(path, why) != 0)
        return -1;
    if (path[0] != '\0')
        *bundle = path;
    return 0;
}

void models_renew(const struct models *models, const struct config *config, bool redis)
{
    const char *path = config_text(config, SETTING_SSL_CERT_FILE);
    const char *bundle;
    char why[CHAIN_WHY_MAX];
    unsigned built_in;

    http_close_idle();
    resolve_forget();
    int read = models_read_roots(config, models_want_tls(models, config, redis), &bundle, why);
    if (path[0] != '\0' && (read != 0 || why[0] != '\0'))
        LOG(LOG_WARNING, "roots_left_out", LOG_STR("variable", "SSL_CERT_FILE"),
            LOG_STR("file", path),
            LOG_STR("reason", read != 0 && confine_hides(path) ? CONFINE_HIDES : why));
    if (bundle != NULL)
        LOG(LOG_DEBUG, "roots_read", LOG_STR("file", bundle),
            LOG_INT("count", tls_roots(&built_in)), LOG_STR("left_out", why));
}

/* number < 0: there is none. A text that does not fit is cut. */
static void put_why(char *why, const char *before, int64_t number, const char *behind)
{
    char storage[2 * LLM_ERROR_MAX];
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    buf_str(&b, before);
    if (number >= 0)
        buf_int(&b, number);
    buf_str(&b, behind);
    (void)span_cut(why, LLM_ERROR_MAX + 1, buf_view(&b));
}

enum router_pay models_pay(const struct tree *tree, const struct config *config, int64_t wall_ms,
                           char *why)
{
    int64_t limit = config_number(config, SETTING_CLOUD_CALLS_PER_DAY);
    int64_t made;

    switch (budget_take(tree, limit, wall_ms, &made)) {
    case BUDGET_TAKEN:
        return ROUTER_MAY_PAY;
    case BUDGET_SPENT:
        put_why(why, "CLOUD_CALLS_PER_DAY is ", limit,
                limit > 0 ? ", and they are used up" : ": nothing is paid for");
        return ROUTER_OVER_BUDGET;
    case BUDGET_FAULT:
        break;
    }
    put_why(why, "it cannot be counted in RUNTIME_PATH/" TREE_STATE ": ", -1, log_errno(errno));
    return ROUTER_NOT_COUNTED;
}
