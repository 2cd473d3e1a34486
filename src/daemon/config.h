#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H
/* The configuration in force: flag, then environment, then env-file, then default. An empty value
 * counts as unset everywhere. Fixed storage: a reload fills a second struct and takes its place. */

#include "base/limits.h"
#include "daemon/setting.h"
#include "planner/ops.h"

#define CONFIG_ENV_FILE "/opt/homelab/config/planner-agent/.env" /* read where it exists */

/* systemd's LoadCredential= puts files of the variables' names into the directory that it names. */
#define CONFIG_CREDENTIALS "CREDENTIALS_DIRECTORY"

/* From the lowest rank to the highest. */
enum config_origin {
    CONFIG_DEFAULT,
    CONFIG_CREDENTIAL, /* of systemd: keys only */
    CONFIG_KEY_FILE,   /* named by another variable: keys only */
    CONFIG_FILE,
    CONFIG_ENVIRONMENT,
    CONFIG_FLAG
};
/* "default", "env-file", "environment", "flag", ... */
const char *config_origin_text(enum config_origin origin);

struct config_entry {
    struct span text; /* with a NUL behind; empty = unset */
    enum config_origin origin;
    struct setting_value value;
};

/* text spans point into storage: not to be copied. */
struct config {
    struct config_entry entry[SETTINGS];
    struct aliases aliases;
    struct span topology; /* the text of TOPOLOGY_FILE */
    size_t used;
    char storage[CONFIG_TEXT_MAX];
};

struct config_sources {
    const char *env_file;   /* --env-file; NULL = CONFIG_ENV_FILE, where it exists */
    const char *runtime;    /* --runtime; NULL = none */
    const char *node;       /* --node; NULL = none */
    bool may_skip_env_file; /* the default env-file and what variables name may be unreadable
                               (commands of others) */
    void (*warn)(void *arg, const char *line); /* NULL = nobody listens */
    void *arg;
};

/* Fills *config. 0, or -1 and one line in why (CONFIG_LINE_MAX bytes) that names the key, the value
 * (secrets never) and what is accepted; *config is wiped then. */
int config_load(struct config *config, const struct config_sources *sources, char *why);

/* What config_load() leaves to those who need it: can LLM_CHAIN be read? 0, or -1 and a line in
 * why, as config_load() has it. */
int config_check(const struct config *config, char *why);

/* Forgets the secrets, and all else. */
void config_wipe(struct config *config);

struct span config_span(const struct config *config, enum setting_key key);
const char *config_text(const struct config *config, enum setting_key key); /* "" = unset */
int64_t config_number(const struct config *config, enum setting_key key);
bool config_is_set(const struct config *config, enum setting_key key);

/* The planner's part of it: views of *config. */
void config_planner(const struct config *config, bool once, struct planner_settings *out);
/* The chain to ask: offline, only what needs no network. */
struct span config_chain(const struct config *config, bool offline);

#endif
