#include "cmd/command.h"
#include "cmd/commands.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/timestamp.h"
#include "cmd/probe.h"
#include "cmd/print.h"
#include "daemon/confine.h"
#include "daemon/confine_filter.h"
#include "net/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#ifndef BUILD_EPOCH
#define BUILD_EPOCH 0 /* not known: any clock is plausible */
#endif

#define NAME_WIDTH 26

/* Problems make the exit code 1, warnings do not. */
static struct {
    unsigned problems;
    unsigned warnings;
    bool no_redis; /* one of the problems, and of a code of its own */
} found;

static void say(const char *grade, struct span what, const char *detail)
{
    print_str(grade);
    print_safe(what);
    if (detail != NULL) {
        print_str(": ");
        print_safe(span_of(detail));
    }
    print_str("\n");
}

static void good(const char *what, const char *detail)
{
    say("ok       ", span_of(what), detail);
}

static void warn(const char *what, const char *detail)
{
    found.warnings++;
    say("warning  ", span_of(what), detail);
}

static void problem(const char *what, const char *detail)
{
    found.problems++;
    say("PROBLEM  ", span_of(what), detail);
}

static void config_warning(void *arg, const char *line)
{
    (void)arg;
    warn(line, NULL);
}

/* ---- Configuration ---- */

static void print_setting(const struct config *config, enum setting_key key)
{
    const struct setting *setting = setting_table_at(key);
    struct span text = config_span(config, key);
    char storage[SETTING_SHOWN_MAX * 4 + 32]; /* and what stands for what is hidden */
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    if (text.n == 0)
        buf_str(&b, "(unset)");
    else
        setting_show(setting, text, SETTING_SHOWN_MAX, &b);
    print_str(setting->name);
    print_repeat(' ', NAME_WIDTH - strlen(setting->name));
    print_span(buf_view(&b));
    if (text.n > 0) {
        print_str("  (");
        print_str(config_origin_text(config->entry[key].origin));
        print_str(")");
    }
    print_str("\n");
}

static void look_at_config(const struct config *config)
{
    const char *node = config_text(config, SETTING_NODE_NAME);

    if (strcmp(node, "localhost") == 0)
        warn("NODE_NAME", "localhost is every node's name; set it");
    if (config_number(config, SETTING_HEARTBEAT_SECONDS) >= 300)
        warn("HEARTBEAT_SECONDS", "healthcheck wants a heartbeat younger than 300 s");
    if (config_is_set(config, SETTING_OLLAMA_HOST) &&
        config->entry[SETTING_OLLAMA_API_BASE].origin != CONFIG_DEFAULT)
        warn("OLLAMA_HOST", "OLLAMA_API_BASE is set too and goes first");
}

/* ---- The tree ---- */

static void look_at_dir(const struct tree *tree, const char *relative)
{
    int error = tree_probe(tree, relative);

    if (error == 0)
        good(relative, "writable");
    else if (error == ENOENT)
        warn(relative, "not there yet, the first run makes it");
    else
        problem(relative, log_errno(error));
}

static void look_at_tree(const struct tree *tree)
{
    int fd = tree_open(tree, ".");

    if (fd < 0) {
        problem(tree->path, log_errno(errno));
        return;
    }
    tree_close(fd);
    look_at_dir(tree, TREE_EVENTS);
    look_at_dir(tree, "actions/pending");
    look_at_dir(tree, TREE_STATE);
}

static void look_at_clock(void)
{
    char stamp[TIMESTAMP_SIZE];
    int64_t now_ms = clock_now().wall_ms;

    timestamp_format(stamp, now_ms);
    if (now_ms / 1000 < BUILD_EPOCH)
        problem("the clock is not set: it is before this program was built", stamp);
    else
        good("clock", stamp);
}

/* What a planner that runs would be confined by. */
static void look_at_kernel(void)
{
    char text[64];
    int abi = confine_landlock();
    struct buf b;

    buf_init(&b, text, sizeof(text));
    buf_str(&b, "Landlock ABI ");
    buf_int(&b, abi);
    buf_str(&b, ", seccomp");
    if (abi < 0)
        warn("confinement: this kernel has no Landlock", log_errno(errno));
    else if (!confine_filter_exists())
        warn("confinement: this kernel has no seccomp filters", NULL);
    else
        good("confinement", buf_text(&b));
}

/* ---- The chain ---- */

static void told(const char *label, bool well, const char *detail)
{
    if (well)
        good(label, detail);
    else
        problem(label, detail);
}

/* "36 root certificates built in, 101 more of /etc/ssl/certs/ca-certificates.crt" */
static void tell_roots(const char *bundle, bool tls)
{
    char text[PATH_LEN_MAX + 128];
    unsigned built_in, count = tls_roots(&built_in);
    struct buf b;

    buf_init(&b, text, sizeof(text));
    buf_int(&b, built_in);
    buf_str(&b, " root certificates built in, ");
    if (bundle != NULL) {
        buf_int(&b, count - built_in);
        buf_str(&b, " more of ");
        buf_str(&b, bundle);
    } else {
        buf_str(&b, tls ? "no bundle of the system found" : "no server speaks TLS");
    }
    good("TLS", buf_text(&b));
}

static void look_at_roots(const struct config *config, const struct models *models)
{
    bool tls = models_want_tls(models, config, true);
    bool own = config_is_set(config, SETTING_SSL_CERT_FILE);
    const char *bundle;
    char why[CHAIN_WHY_MAX];

    if (models_read_roots(config, tls, &bundle, why) != 0)
        problem("SSL_CERT_FILE", why);
    else if (own && why[0] != '\0')
        warn("SSL_CERT_FILE", why);
    if (bundle != NULL || !own)
        tell_roots(bundle, tls);
}

static void look_at_chain(const struct config *config, bool probe)
{
    static struct models models;
    char why[CHAIN_WHY_MAX];

    if (models_read(&models, config, false, warn, why) != 0)
        return; /* config_check() has told */
    look_at_roots(config, &models);
    if (models.chain.count == 0)
        problem("LLM_CHAIN", "none of its hops can be asked");
    if (probe && probe_hops(&models, told) != 0)
        problem("the loop", log_errno(errno));
}

static void look_at_redis(const struct config *config)
{
    if (config_is_set(config, SETTING_REDIS_URL))
        found.no_redis = !probe_redis(config, told);
}

static int verdict(void)
{
    if (found.problems == 0)
        return EX_OK;
    return found.no_redis && found.problems == 1 ? EX_UNAVAILABLE : EXIT_FAILURE;
}

int check_command(const struct command *self, int argc, char **argv)
{
    bool probe = false;
    const struct option options[] = {
        COMMAND_TREE_OPTIONS,
        {"--probe", &probe, NULL},
        COMMAND_OPTIONS_END,
    };
    const struct config *config;
    char why[CONFIG_LINE_MAX];
    struct tree tree;

    int code = command_options(self, options, &argc, argv);
    if (code != 0)
        return code;
    command_sources.may_skip_env_file = false;
    command_sources.warn = config_warning;
    code = command_open(self, &config, &tree);
    if (code == 0 && config_check(config, why) != 0)
        code = command_fail(self, EX_CONFIG, why, NULL);
    if (code != 0)
        return print_end(code);
    look_at_config(config);
    look_at_tree(&tree);
    look_at_clock();
    look_at_kernel();
    look_at_chain(config, probe);
    if (probe)
        look_at_redis(config);
    print_str("\n");
    for (unsigned key = 0; key < SETTINGS; key++)
        print_setting(config, (enum setting_key)key);
    print_str("\n");
    print_int(found.problems);
    print_str(found.problems == 1 ? " problem, " : " problems, ");
    print_int(found.warnings);
    print_str(found.warnings == 1 ? " warning\n" : " warnings\n");
    return print_end(verdict());
}
