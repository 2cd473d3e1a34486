#ifndef DAEMON_MODELS_H
#define DAEMON_MODELS_H
/* What the configuration says about the chain of models, and what the chain needs of the tree. */

#include "llm/chain.h"
#include "llm/router.h"

struct config;
struct tree;

/* Pointed to by the router's hops, and views of its configuration: both stay while it is in use. */
struct models {
    struct chain_settings settings;
    struct chain chain;
    int64_t cold_ms; /* OLLAMA_COLD_SECONDS */
};

/* offline: only hops that need no network. skipped as chain_parse() has it. 0, or -1 and what is
 * wrong with the chain in why (CHAIN_WHY_MAX bytes). */
int models_read(struct models *out, const struct config *config, bool offline,
                void (*skipped)(const char *label, const char *reason), char *why);
/* Logs what was left out: for models_read(). */
void models_log_skipped(const char *label, const char *reason);

/* Does any hop talk to a server? */
bool models_ask_servers(const struct models *models);

/* Does any of these servers speak TLS, or, where redis is asked for, the one of REDIS_URL? */
bool models_want_tls(const struct models *models, const struct config *config, bool redis);

/* Reads the roots of SSL_CERT_FILE; where it is not set, and tls is wanted, the machine's own.
 * bundle: the file that is in use, NULL = none. 0: why (CHAIN_WHY_MAX bytes) is "", or says what
 * was left out of it; or -1 and why nothing of SSL_CERT_FILE is used. */
int models_read_roots(const struct config *config, bool tls, const char **bundle, char *why);

/* Nothing of an earlier configuration stays: idle connections are closed, addresses forgotten,
 * roots read (what of SSL_CERT_FILE cannot be used is logged). redis: it is asked too. No call is
 * under way. */
void models_renew(const struct models *models, const struct config *config, bool redis);

/* For router_ops.pay: counts a paid call against CLOUD_CALLS_PER_DAY. */
enum router_pay models_pay(const struct tree *tree, const struct config *config, int64_t wall_ms,
                           char *why);

#endif
