#ifndef DAEMON_SETTING_TABLE_H
#define DAEMON_SETTING_TABLE_H
/* The variables of the configuration: one table for parsing, `check` and --help. */

#include "base/span.h"

#include <stdint.h>

/* In the order in which people are shown them. */
enum setting_key {
    SETTING_RUNTIME_PATH,
    SETTING_NODE_NAME,
    SETTING_WATCH_NODES,
    SETTING_HUMAN_ONLY_NODES,
    SETTING_NOTIFY_ONLY_EVENTS,
    SETTING_CONFIDENCE_FLOOR,
    SETTING_COOLDOWN_SECONDS,
    SETTING_REPROPOSE_AFTER_SECONDS,
    SETTING_EVENT_LOOKBACK_SECONDS,
    SETTING_EVENT_DEADLINE_SECONDS,
    SETTING_HEARTBEAT_SECONDS,
    SETTING_NODE_ALIAS_MAP,
    SETTING_TOPOLOGY_FILE,
    SETTING_LOG_LEVEL,
    SETTING_LOG_FORMAT,
    SETTING_LLM_CHAIN,
    SETTING_LLM_CONCURRENCY,
    SETTING_CLOUD_CALLS_PER_DAY,
    SETTING_LOCAL_ONLY,
    SETTING_OLLAMA_API_BASE,
    SETTING_OLLAMA_HOST,
    SETTING_OLLAMA_MODEL,
    SETTING_OLLAMA_COLD_SECONDS,
    SETTING_ANTHROPIC_API_KEY,
    SETTING_ANTHROPIC_API_KEY_FILE,
    SETTING_ANTHROPIC_API_BASE,
    SETTING_OPENAI_API_BASE,
    SETTING_OPENAI_API_KEY,
    SETTING_SSL_CERT_FILE,
    SETTING_REDIS_URL,
    SETTING_REDIS_STREAM,
    SETTING_ACTIONS_STREAM,
    SETTING_SILENCE_WARN_SECONDS,
    SETTINGS
};

enum setting_kind {
    SETTING_PATH,    /* absolute */
    SETTING_NAME,    /* printable text of min..max bytes without blanks */
    SETTING_NUMBER,  /* whole, min..max */
    SETTING_SWITCH,  /* 0 or 1 */
    SETTING_REAL,    /* 0..1 */
    SETTING_GLOBS,   /* comma list of patterns */
    SETTING_CHOICE,  /* one of choices; its number is the value */
    SETTING_ALIASES, /* a JSON object, by planner/alias.h */
    SETTING_CHAIN,   /* hops, read by llm/chain.h */
    SETTING_HTTP,    /* http[s]://host... */
    SETTING_OLLAMA,  /* the same, or Ollama's own host[:port] */
    SETTING_REDIS,   /* redis[s]://host... or unix:///path */
    SETTING_STREAMS, /* comma list of names of Redis streams */
    SETTING_STREAM,  /* one */
};

struct setting {
    const char *name;
    enum setting_kind kind;
    bool secret;   /* never shown */
    bool at_start; /* a reload does not change it */
    int64_t min;
    int64_t max;
    const char *choices;  /* of SETTING_CHOICE, blanks between */
    const char *fallback; /* "" = unset */
    const char *summary;  /* for --help */
};

const struct setting *setting_table_at(enum setting_key key);
/* SETTINGS where no variable has that name. */
enum setting_key setting_table_find(struct span name);

#endif
