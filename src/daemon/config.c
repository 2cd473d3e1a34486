#include "daemon/config.h"

#include "base/escape.h"
#include "base/utf8.h"
#include "daemon/confine.h"
#include "daemon/envfile.h"
#include "daemon/models.h"
#include "daemon/named_file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One load: where it goes, and what the env-file turned out to be. */
struct load {
    struct config *config;
    const struct config_sources *sources;
    char *why;
    const char *path; /* of the env-file */
    struct stat file;
    bool has_secret;
};

const char *config_origin_text(enum config_origin origin)
{
    switch (origin) {
    case CONFIG_DEFAULT:
        return "default";
    case CONFIG_CREDENTIAL:
        return "systemd credential";
    case CONFIG_KEY_FILE:
        return "key file";
    case CONFIG_FILE:
        return "env-file";
    case CONFIG_ENVIRONMENT:
        return "environment";
    case CONFIG_FLAG:
        return "flag";
    }
    return "unknown";
}

struct span config_span(const struct config *config, enum setting_key key)
{
    return config->entry[key].text;
}

const char *config_text(const struct config *config, enum setting_key key)
{
    return config->entry[key].text.n > 0 ? config->entry[key].text.p : "";
}

int64_t config_number(const struct config *config, enum setting_key key)
{
    return config->entry[key].value.number;
}

bool config_is_set(const struct config *config, enum setting_key key)
{
    return config->entry[key].text.n > 0;
}

void config_wipe(struct config *config)
{
    explicit_bzero(config->storage, config->used);
    memset(config->entry, 0, sizeof(config->entry));
    config->aliases.count = 0;
    config->topology = (struct span){NULL, 0};
    config->used = 0;
}

/* ---- What it means for others ---- */

static int64_t milliseconds(const struct config *config, enum setting_key key)
{
    return config_number(config, key) * 1000;
}

void config_planner(const struct config *config, bool once, struct planner_settings *out)
{
    *out = (struct planner_settings){
        .node_name = config_text(config, SETTING_NODE_NAME),
        .watch_nodes = config_span(config, SETTING_WATCH_NODES),
        .policy =
            {
                .human_only_nodes = config_span(config, SETTING_HUMAN_ONLY_NODES),
                .notify_only_events = config_span(config, SETTING_NOTIFY_ONLY_EVENTS),
                .confidence_floor = config->entry[SETTING_CONFIDENCE_FLOOR].value.real,
            },
        .aliases = &config->aliases,
        .topology = config->topology,
        .cooldown_ms = milliseconds(config, SETTING_COOLDOWN_SECONDS),
        .repropose_ms = milliseconds(config, SETTING_REPROPOSE_AFTER_SECONDS),
        .deadline_ms = milliseconds(config, SETTING_EVENT_DEADLINE_SECONDS),
        .concurrency = (unsigned)config_number(config, SETTING_LLM_CONCURRENCY),
        .once = once,
    };
}

struct span config_chain(const struct config *config, bool offline)
{
    return offline ? span_of("rules") : config_span(config, SETTING_LLM_CHAIN);
}

/* ---- Lines for people ---- */

/* Finishes a line that may have been too long for its storage. */
static const char *line_text(struct buf *b)
{
    const char *text = buf_text(b);

    return text != NULL ? text : "bad configuration, too long to be told";
}

static void begin_why(const struct load *load, struct buf *b)
{
    buf_init(b, load->why, CONFIG_LINE_MAX);
}

/* Completes load->why; -1. */
static int end_why(const struct load *load, struct buf *b)
{
    const char *text = line_text(b);

    if (text != load->why)
        (void)span_copy(load->why, CONFIG_LINE_MAX, span_of(text));
    return -1;
}

static int refuse(const struct load *load, enum setting_key key, struct span text,
                  enum config_origin origin, const char *because)
{
    const struct setting *setting = setting_table_at(key);
    struct buf b;

    begin_why(load, &b);
    buf_str(&b, setting->name);
    buf_char(&b, '=');
    setting_show(setting, text, CONFIG_VALUE_SHOWN, &b);
    buf_str(&b, " (from the ");
    buf_str(&b, config_origin_text(origin));
    buf_str(&b, ") is refused: accepted is ");
    setting_accepts(setting, &b);
    if (because != NULL) {
        buf_str(&b, " (");
        escape_text(&b, span_of(because));
        buf_char(&b, ')');
    }
    return end_why(load, &b);
}

static int refuse_file(const struct load *load, const char *what, unsigned line)
{
    struct buf b;

    begin_why(load, &b);
    buf_str(&b, "env-file ");
    escape_text(&b, span_of(load->path));
    if (line > 0) {
        buf_str(&b, ", line ");
        buf_int(&b, line);
    }
    buf_str(&b, ": ");
    buf_str(&b, what);
    return end_why(load, &b);
}

static void warn_of_file(const struct load *load, const char *what, struct span detail)
{
    char line[CONFIG_LINE_MAX];
    char cut[CONFIG_VALUE_SHOWN + 1];
    struct buf b;

    if (load->sources->warn == NULL)
        return;
    buf_init(&b, line, sizeof(line));
    buf_str(&b, "env-file ");
    escape_text(&b, span_of(load->path));
    buf_str(&b, ": ");
    buf_str(&b, what);
    escape_text(&b, (struct span){cut, span_cut(cut, sizeof(cut), detail)});
    load->sources->warn(load->sources->arg, line_text(&b));
}

/* ---- Values ---- */

/* A copy in the config's storage, with a NUL behind. An empty span where there is no room. */
static struct span keep(struct config *config, struct span text)
{
    char *at = config->storage + config->used;

    if (text.n >= sizeof(config->storage) - config->used)
        return (struct span){NULL, 0};
    memcpy(at, text.p, text.n);
    at[text.n] = '\0';
    config->used += text.n + 1;
    return (struct span){at, text.n};
}

/* Gives a key its value, where none of a higher rank is there yet. */
static int offer(struct load *load, enum setting_key key, struct span text,
                 enum config_origin origin)
{
    struct config_entry *entry = &load->config->entry[key];
    char why[SETTING_WHY_MAX];

    if (text.n == 0 || (entry->text.n > 0 && entry->origin > origin))
        return 0;
    struct span kept = keep(load->config, text);
    if (kept.n == 0)
        return refuse(load, key, text, origin, "all values together are too long");
    if (setting_read(setting_table_at(key), kept, &entry->value, why) != 0)
        return refuse(load, key, text, origin, why[0] != '\0' ? why : NULL);
    if (key == SETTING_NODE_ALIAS_MAP && alias_parse(&load->config->aliases, kept, why) != 0)
        return refuse(load, key, text, origin, why);
    entry->text = kept;
    entry->origin = origin;
    return 0;
}

/* ---- Sources ---- */

static int take_flags(struct load *load)
{
    if (offer(load, SETTING_RUNTIME_PATH, span_of(load->sources->runtime), CONFIG_FLAG) != 0)
        return -1;
    return offer(load, SETTING_NODE_NAME, span_of(load->sources->node), CONFIG_FLAG);
}

static int take_environment(struct load *load)
{
    for (unsigned key = 0; key < SETTINGS; key++) {
        const char *value = getenv(setting_table_at((enum setting_key)key)->name);
        if (offer(load, (enum setting_key)key, span_of(value), CONFIG_ENVIRONMENT) != 0)
            return -1;
    }
    return 0;
}

static int take_pair(struct load *load, struct span name, struct span value)
{
    enum setting_key key = setting_table_find(name);

    if (key == SETTINGS) {
        warn_of_file(load, "not a variable of planner-agent: ", name);
        return 0;
    }
    load->has_secret |= value.n > 0 && (setting_table_at(key)->secret ||
                                        (key == SETTING_REDIS_URL && span_has(value, '@')));
    return offer(load, key, value, CONFIG_FILE);
}

static int take_pairs(struct load *load, char *text, size_t n)
{
    struct envfile file;
    struct span name, value;
    enum envfile_item item;

    envfile_init(&file, text, n);
    while ((item = envfile_next(&file, &name, &value)) == ENVFILE_PAIR)
        if (take_pair(load, name, value) != 0)
            return -1;
    return item == ENVFILE_END ? 0 : refuse_file(load, file.why, file.line);
}

static const char *refusal_text(enum file_result result, const char *path)
{
    return result == FILE_DENIED && confine_hides(path) ? CONFINE_HIDES : file_result_text(result);
}

static int no_env_file(struct load *load, enum file_result result)
{
    bool named = load->sources->env_file != NULL;

    if (result == FILE_ABSENT && !named)
        return 0;
    if (!named && load->sources->may_skip_env_file) {
        warn_of_file(load, "left out: ", span_of(file_result_text(result)));
        return 0;
    }
    return refuse_file(load, refusal_text(result, load->path), 0);
}

static int take_env_file(struct load *load)
{
    static char text[CONFIG_FILE_MAX];
    size_t n = 0;

    load->path = load->sources->env_file != NULL ? load->sources->env_file : CONFIG_ENV_FILE;
    enum file_result result = named_file_read(load->path, text, sizeof(text), &n, &load->file);
    if (result != FILE_OK)
        return no_env_file(load, result);
    int taken = take_pairs(load, text, n);
    explicit_bzero(text, n);
    if (load->has_secret && named_file_is_open(&load->file))
        warn_of_file(load, "it holds a secret and is open to others: ", span_of("chmod o= FILE"));
    return taken;
}

/* ---- Files that variables name ---- */

static void warn_of_named(const struct load *load, enum setting_key key, const char *what)
{
    char line[CONFIG_LINE_MAX];
    struct buf b;

    if (load->sources->warn == NULL)
        return;
    buf_init(&b, line, sizeof(line));
    buf_str(&b, setting_table_at(key)->name);
    buf_str(&b, ": ");
    buf_str(&b, what);
    load->sources->warn(load->sources->arg, line_text(&b));
}

/* A file that cannot be used is an error, but for commands that have no need of it. */
static int refuse_named(const struct load *load, enum setting_key key, const char *because)
{
    const struct config_entry *entry = &load->config->entry[key];
    struct buf b;

    if (load->sources->may_skip_env_file) {
        warn_of_named(load, key, because);
        return 0;
    }
    begin_why(load, &b);
    buf_str(&b, setting_table_at(key)->name);
    buf_char(&b, '=');
    setting_show(setting_table_at(key), entry->text, CONFIG_VALUE_SHOWN, &b);
    buf_str(&b, ": ");
    buf_str(&b, because);
    return end_why(load, &b);
}

/* Its first line. */
static struct span key_in(const char *text, size_t n)
{
    struct span rest = {text, n};
    struct span line = span_split(&rest, '\n');

    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    return span_trim(line);
}

static int offer_key(struct load *load, enum setting_key key, struct span text,
                     enum config_origin origin)
{
    if (text.n == 0) {
        warn_of_named(load, key, "the file that should hold it begins with an empty line");
        return 0;
    }
    int taken = offer(load, key, text, origin);
    if (taken == 0 || !load->sources->may_skip_env_file)
        return taken;
    warn_of_named(load, key, "what its file holds is no key");
    return 0;
}

/* A key in a file of its own. */
static int take_key(struct load *load, enum setting_key key, const char *path,
                    enum config_origin origin)
{
    char text[CONFIG_KEY_FILE_MAX];
    size_t n;
    int taken = 0;

    enum file_result result = named_file_read(path, text, sizeof(text), &n, &load->file);
    if (result == FILE_OK)
        taken = offer_key(load, key, key_in(text, n), origin);
    else if (origin == CONFIG_KEY_FILE)
        taken = refuse_named(load, SETTING_ANTHROPIC_API_KEY_FILE, refusal_text(result, path));
    else if (result != FILE_ABSENT)
        warn_of_named(load, key, "its credential cannot be read");
    explicit_bzero(text, sizeof(text));
    return taken;
}

static int take_credential(struct load *load, enum setting_key key)
{
    const char *directory = getenv(CONFIG_CREDENTIALS);
    char path[PATH_LEN_MAX];
    struct buf b;

    if (directory == NULL || config_is_set(load->config, key))
        return 0;
    buf_init(&b, path, sizeof(path));
    buf_str(&b, directory);
    buf_char(&b, '/');
    buf_str(&b, setting_table_at(key)->name);
    if (buf_text(&b) == NULL)
        return 0;
    return take_key(load, key, path, CONFIG_CREDENTIAL);
}

static int take_keys(struct load *load)
{
    const char *path = config_text(load->config, SETTING_ANTHROPIC_API_KEY_FILE);

    if (!config_is_set(load->config, SETTING_ANTHROPIC_API_KEY) && path[0] != '\0') {
        if (take_key(load, SETTING_ANTHROPIC_API_KEY, path, CONFIG_KEY_FILE) != 0)
            return -1;
        if (config_is_set(load->config, SETTING_ANTHROPIC_API_KEY) &&
            named_file_is_open(&load->file))
            warn_of_named(load, SETTING_ANTHROPIC_API_KEY_FILE,
                          "the file is open to others: chmod o= FILE");
    }
    return take_credential(load, SETTING_ANTHROPIC_API_KEY) != 0 ||
                   take_credential(load, SETTING_OPENAI_API_KEY) != 0
               ? -1
               : 0;
}

static int take_topology(struct load *load)
{
    char text[PROMPT_TOPOLOGY_MAX];
    struct stat st;
    size_t n;

    if (!config_is_set(load->config, SETTING_TOPOLOGY_FILE))
        return 0;
    enum file_result result = named_file_read(config_text(load->config, SETTING_TOPOLOGY_FILE),
                                              text, sizeof(text), &n, &st);
    if (result == FILE_TOO_LARGE)
        return refuse_named(load, SETTING_TOPOLOGY_FILE,
                            "the text in it is longer than 1024 bytes");
    if (result != FILE_OK)
        return refuse_named(load, SETTING_TOPOLOGY_FILE,
                            refusal_text(result, config_text(load->config, SETTING_TOPOLOGY_FILE)));
    if (!utf8_is_text((struct span){text, n}))
        return refuse_named(load, SETTING_TOPOLOGY_FILE, "it is not UTF-8 text");
    load->config->topology = keep(load->config, (struct span){text, n});
    return 0;
}

_Static_assert(PROMPT_TOPOLOGY_MAX == 1024, "the number in the message");

/* ---- Defaults ---- */

static int take_host_name(struct load *load)
{
    char host[NAME_MAX_BYTES + 1];

    if (config_is_set(load->config, SETTING_NODE_NAME))
        return 0;
    if (gethostname(host, sizeof(host)) != 0)
        host[0] = '\0';
    host[sizeof(host) - 1] = '\0';
    return offer(load, SETTING_NODE_NAME, host[0] != '\0' ? span_of(host) : span_of("localhost"),
                 CONFIG_DEFAULT);
}

/* With Redis there is a neighbour who hears of a chain that failed; without, the rules table has
 * the last word. */
static int take_default_chain(struct load *load)
{
    static const char rules[] = ",rules";
    struct span chain = span_of(setting_table_at(SETTING_LLM_CHAIN)->fallback);

    if (config_is_set(load->config, SETTING_LLM_CHAIN))
        return 0;
    if (config_is_set(load->config, SETTING_REDIS_URL))
        chain.n -= sizeof(rules) - 1;
    return offer(load, SETTING_LLM_CHAIN, chain, CONFIG_DEFAULT);
}

static int take_defaults(struct load *load)
{
    if (take_host_name(load) != 0 || take_default_chain(load) != 0)
        return -1;
    for (unsigned key = 0; key < SETTINGS; key++) {
        struct span fallback = span_of(setting_table_at((enum setting_key)key)->fallback);
        if (!config_is_set(load->config, (enum setting_key)key) &&
            offer(load, (enum setting_key)key, fallback, CONFIG_DEFAULT) != 0)
            return -1;
    }
    return 0;
}

/* What two settings make of each other. */
static void warn_of_pairs(const struct load *load)
{
    const struct config *config = load->config;

    if (config_is_set(config, SETTING_REDIS_URL)) {
        if (config_is_set(config, SETTING_REDIS_STREAM) &&
            !span_is(config_span(config, SETTING_WATCH_NODES), "*"))
            warn_of_named(load, SETTING_WATCH_NODES,
                          "with REDIS_STREAM each entry goes to one planner alone: what this one "
                          "does not watch, no other gets");
        return;
    }
    if (config_is_set(config, SETTING_REDIS_STREAM) ||
        config_is_set(config, SETTING_ACTIONS_STREAM))
        warn_of_named(load, SETTING_REDIS_URL,
                      "it is not set, so nothing comes of REDIS_STREAM and ACTIONS_STREAM");
}

int config_load(struct config *config, const struct config_sources *sources, char *why)
{
    struct load load = {.config = config, .sources = sources, .why = why};

    config_wipe(config);
    why[0] = '\0';
    if (take_flags(&load) != 0 || take_environment(&load) != 0 || take_env_file(&load) != 0 ||
        take_keys(&load) != 0 || take_defaults(&load) != 0 || take_topology(&load) != 0) {
        config_wipe(config);
        return -1;
    }
    warn_of_pairs(&load);
    return 0;
}

int config_check(const struct config *config, char *why)
{
    const struct config_entry *entry = &config->entry[SETTING_LLM_CHAIN];
    struct load load = {.why = why};
    static struct models models;
    char reason[CHAIN_WHY_MAX];

    if (models_read(&models, config, false, NULL, reason) == 0)
        return 0;
    return refuse(&load, SETTING_LLM_CHAIN, entry->text, entry->origin, reason);
}
