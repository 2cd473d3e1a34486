#include "daemon/daemon.h"

#include "base/escape.h"
#include "base/log.h"
#include "daemon/bus.h"
#include "daemon/confine.h"
#include "daemon/glue.h"
#include "daemon/parts.h"
#include "daemon/privileges.h"
#include "daemon/saving.h"
#include "daemon/supervisor.h"
#include "daemon/version.h"
#include "store/heartbeat.h"
#include "store/lock.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* ---- Failures of the start ---- */

/* "what: detail" to why, escaped; the code. */
static int fail(char *why, int code, const char *what, const char *detail)
{
    struct buf b;

    buf_init(&b, why, DAEMON_WHY_MAX);
    escape_text(&b, span_of(what));
    if (detail != NULL) {
        buf_str(&b, ": ");
        escape_text(&b, span_of(detail));
    }
    if (buf_text(&b) == NULL)
        (void)span_copy(why, DAEMON_WHY_MAX, span_of("the start failed"));
    return code;
}

static int code_of(int error)
{
    switch (error) {
    case EACCES:
    case EPERM:
        return EX_NOPERM;
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
        return EX_CONFIG;
    default: /* not mounted yet, full, read-only: it may pass */
        return EX_TEMPFAIL;
    }
}

static int fail_at(char *why, const struct tree *tree, const char *relative, int error)
{
    char path[PATH_LEN_MAX + 1];
    struct buf b;

    buf_init(&b, path, sizeof(path));
    buf_str(&b, tree->path);
    buf_char(&b, '/');
    buf_str(&b, relative);
    const char *text = buf_text(&b);
    return fail(why, code_of(error), text != NULL ? text : relative, log_errno(error));
}

/* ---- Configuration ---- */

static void log_warning(void *arg, const char *line)
{
    (void)arg;
    LOG(LOG_WARNING, "config_warning", LOG_STR("warning", line));
}

static void set_log(const struct config *config)
{
    log_init((enum log_level)config_number(config, SETTING_LOG_LEVEL),
             (enum log_format)config_number(config, SETTING_LOG_FORMAT));
}

/* Twice: warnings are logged as the configuration itself says, when it is known to be good. */
static int load_config(const struct daemon *d, struct config *config, char *why)
{
    struct config_sources sources = d->options->sources;

    log_init(LOG_ERROR, LOG_AUTO);
    sources.warn = NULL;
    if (config_load(config, &sources, why) != 0)
        return -1;
    if (config_check(config, why) != 0) {
        config_wipe(config);
        return -1;
    }
    set_log(config);
    sources.warn = log_warning;
    if (config_load(config, &sources, why) != 0)
        return -1;
    /* A file may have changed in between. */
    int checked = config_check(config, why);
    if (checked != 0)
        config_wipe(config);
    return checked;
}

static void configure_planner(struct daemon *d)
{
    struct planner_settings settings;

    config_planner(d->config, d->options->once, &settings);
    planner_configure(&d->planner, &settings);
}

/* The chain of the configuration in force; nothing of an earlier one is used afterwards. 0, or -1
 * and a reason. */
static int set_chain(struct daemon *d, char *why)
{
    struct models *models = &d->chains[d->config == &d->configs[1]];

    if (models_read(models, d->config, d->options->offline, models_log_skipped, why) != 0)
        return -1;
    d->models = models;
    if (models->chain.count == 0)
        LOG(LOG_ERROR, "chain_is_empty", LOG_STR("reason", "none of its hops can be asked"),
            LOG_SPAN("chain", config_chain(d->config, d->options->offline)));
    router_set_chain(&d->router, &models->chain, models->cold_ms);
    models_renew(models, d->config, !d->options->offline);
    return 0;
}

static void warn_at_start_only(const struct config *old, const struct config *new)
{
    for (unsigned i = 0; i < SETTINGS; i++) {
        enum setting_key key = (enum setting_key)i;
        if (setting_table_at(key)->at_start &&
            !span_eq(config_span(old, key), config_span(new, key)))
            LOG(LOG_WARNING, "config_at_next_start", LOG_STR("key", setting_table_at(key)->name));
    }
}

/* As load_config(), and what it names is in reach. */
static int load_new_config(struct daemon *d, struct config *config, char *why)
{
    struct models *models = &d->chains[config == &d->configs[1]];
    char reason[CHAIN_WHY_MAX];

    if (load_config(d, config, why) != 0)
        return -1;
    if (models_read(models, config, d->options->offline, NULL, reason) != 0 ||
        !confine_blocks(config, models))
        return 0;
    config_wipe(config);
    return fail(why, -1, "LLM_CHAIN", "a server of it is new. " CONFINE_HIDES);
}

/* A bad one changes nothing. */
static void reload(struct daemon *d)
{
    struct config *old = d->config;
    struct config *new = old == &d->configs[0] ? &d->configs[1] : &d->configs[0];
    char why[CONFIG_LINE_MAX];

    d->reload = false;
    if (load_new_config(d, new, why) != 0) {
        set_log(old);
        LOG(LOG_ERROR, "config_refused", LOG_STR("error", why));
        return;
    }
    warn_at_start_only(old, new);
    d->config = new;
    configure_planner(d);
    /* load_config() has read this chain once. */
    if (set_chain(d, why) != 0)
        LOG(LOG_ERROR, "config_refused", LOG_STR("error", why));
    bus_configure(d);
    config_wipe(old);
    saving_beat(d);
    LOG(LOG_INFO, "config_loaded", LOG_SPAN("chain", config_chain(new, d->options->offline)));
}

/* ---- Signals ---- */

static void log_status(const struct daemon *d)
{
    const struct files_counts *files = files_counts();
    const uint64_t *counts = d->planner.counts;

    LOG(LOG_INFO, "status", LOG_INT("uptime_s", (d->loop.now.boot_ms - d->started_ms) / 1000),
        LOG_INT("queued_keys", d->planner.queue.count), LOG_INT("unfinished", files->unfinished),
        LOG_INT("read", (int64_t)files->files),
        LOG_INT("proposed", (int64_t)counts[OUTCOME_PROPOSED]),
        LOG_INT("ignored", (int64_t)counts[OUTCOME_IGNORED]),
        LOG_INT("refused", (int64_t)(counts[OUTCOME_REFUSED] + d->unreadable)),
        LOG_INT("cooldowns", d->planner.cooldowns.table.count), LOG_STR("redis", bus_state()),
        LOG_INT("stream_entries", bus_held()));
}

static void signal_arrived(void *arg, int number)
{
    struct daemon *d = arg;

    switch (number) {
    case SIGHUP:
        d->reload = true;
        break;
    case SIGUSR1:
        log_status(d);
        saving_status_now(d);
        break;
    default:
        d->stop_signal = number;
    }
}

/* ---- The loop ---- */

static bool is_over(const struct daemon *d)
{
    return d->stop_signal != 0 || d->out_of_timers || d->outdated;
}

/* The tree is read once more for what found no slot: worth while only for many free ones. */
static bool is_time_to_retry(const struct daemon *d)
{
    return d->no_slot && d->ended != d->no_slot_ended && queue_room(&d->planner.queue, true) > 0;
}

/* Are events to come that may be older than those in the queue? */
static bool is_reading(const struct daemon *d)
{
    return files_reading() || bus_reading(d);
}

/* Its supervisor starts it again: EX_TEMPFAIL. Looked for when a fault is new, and with each beat;
 * for world/, without which it can go on, while no event is in hand. */
static void look_for_replaced(struct daemon *d)
{
    bool beat = d->beat_ms == d->loop.now.boot_ms;
    bool lacks = false;

    for (unsigned i = 0; i < FAULTS && (beat || d->faults.changed); i++)
        lacks |= d->faults.of[i].error == ENOENT || d->faults.of[i].error == EACCES;
    d->outdated = (lacks && confine_is_outdated(&d->tree)) ||
                  (beat && !planner_busy(&d->planner) && confine_misses_world(&d->tree));
    if (d->outdated)
        LOG(LOG_ERROR, "tree_replaced", LOG_STR("tree", d->tree.path),
            LOG_STR("reason", CONFINE_HIDES));
}

/* One turn: the planner does what is due, then the first of descriptor, timer and its next due. */
static int turn(struct daemon *d)
{
    bus_turn();
    uint64_t ended = d->ended;
    int64_t due = planner_turn(&d->planner, d->loop.now, is_reading(d));
    int64_t wait = -1;

    if (d->options->once && !planner_busy(&d->planner) && !is_reading(d))
        return 0;
    if (!d->options->once && is_time_to_retry(d)) {
        d->no_slot = false;
        files_retry();
    }
    if (due >= 0)
        wait = due > d->loop.now.boot_ms ? due - d->loop.now.boot_ms : 0;
    if (d->ended != ended)
        wait = 0; /* the bus has to acknowledge it */
    if (loop_turn(&d->loop, wait) != 0) {
        LOG(LOG_ERROR, "loop_failed", LOG_ERRNO(errno));
        return -1;
    }
    if (d->reload) {
        supervisor_reloading();
        reload(d);
        supervisor_reloaded();
    }
    saving_look(d);
    look_for_replaced(d);
    supervisor_turn(d->loop.now);
    return 0;
}

static int run_on(struct daemon *d)
{
    while (!is_over(d))
        if (turn(d) != 0)
            return -1;
    return d->out_of_timers || d->outdated ? -1 : 0;
}

/* Until everything was read and everything that can be done now was done. */
static int run_down(struct daemon *d)
{
    while (!is_over(d)) {
        uint64_t before = d->ended;
        do {
            if (turn(d) != 0)
                return -1;
        } while (!is_over(d) && (is_reading(d) || planner_busy(&d->planner)));
        if (is_over(d))
            break;
        if (files_settle_all())
            continue;
        if (!d->no_slot || d->ended == before)
            break;
        d->no_slot = false;
        files_retry();
    }
    return d->out_of_timers || d->outdated ? -1 : 0;
}

/* Who hangs up ends the loading: a run from cron would never find the model warm. */
static int wait_for_models(struct daemon *d)
{
    int64_t until_ms = d->loop.now.boot_ms + d->models->cold_ms;

    while (!is_over(d) && warmup_any(&d->router.warmups) && d->loop.now.boot_ms < until_ms) {
        if (loop_turn(&d->loop, until_ms - d->loop.now.boot_ms) != 0)
            return -1;
        saving_look(d);
        supervisor_turn(d->loop.now);
    }
    return 0;
}

/* ---- Start and end ---- */

static int take_lock(struct daemon *d, char *why)
{
    char pid[32];
    long holder;
    struct buf b;

    d->lock = lock_take(&d->tree, &holder);
    if (d->lock >= 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return fail_at(why, &d->tree, TREE_STATE "/lock", errno);
    buf_init(&b, pid, sizeof(pid));
    buf_str(&b, "pid ");
    buf_int(&b, holder);
    return fail(why, EX_TEMPFAIL, "another planner-agent has this tree",
                holder > 0 ? buf_text(&b) : "its pid is not known");
}

static int open_tree(struct daemon *d, char *why)
{
    const char *failed;

    if (tree_init(&d->tree, config_text(d->config, SETTING_RUNTIME_PATH)) != 0)
        return fail(why, EX_CONFIG, "RUNTIME_PATH", "not a path of a tree");
    int root = tree_open(&d->tree, ".");
    if (root < 0)
        return fail(why, code_of(errno), d->tree.path, log_errno(errno));
    tree_close(root);
    if (tree_prepare(&d->tree, &failed) != 0)
        return fail_at(why, &d->tree, failed, errno);
    d->before_ms = heartbeat_last(&d->tree);
    if (d->options->user != NULL) {
        int code = privileges_drop(&d->tree, d->options->user, why, DAEMON_WHY_MAX);
        if (code != 0)
            return code;
    }
    return take_lock(d, why);
}

static int open_parts(struct daemon *d, char *why)
{
    char reason[CONFIG_LINE_MAX] = "";
    struct planner_settings settings;
    uint64_t seed = 0;

    loop_init(&d->loop);
    d->started_ms = d->loop.now.boot_ms;
    d->state_saved_ms = d->loop.now.boot_ms - STATE_SAVE_LAZY_MS;
    d->status_saved_ms = d->loop.now.boot_ms - STATE_SAVE_LAZY_MS;
    saving_init(d);
    if (signals_open(&d->signals, &d->loop, signal_arrived, d) != 0)
        return fail(why, EX_TEMPFAIL, "signals", log_errno(errno));
    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
        seed = (uint64_t)d->loop.now.wall_ms; /* it is for jitter only */
    router_init(&d->router, &d->loop, &glue_router_ops, d, seed);
    if (set_chain(d, reason) != 0)
        return fail(why, EX_CONFIG, "LLM_CHAIN", reason);
    config_planner(d->config, d->options->once, &settings);
    planner_init(&d->planner, &settings, &glue_planner_ops, d, seed);
    saving_load(d);
    return 0;
}

static int open_files(struct daemon *d, char *why)
{
    struct files_settings settings = {
        .tree = &d->tree,
        .lookback_ms = config_number(d->config, SETTING_EVENT_LOOKBACK_SECONDS) * 1000,
        .once = d->options->once,
    };

    if (files_open(&d->loop, &settings, &glue_files_ops, d) != 0)
        return fail(why, code_of(errno), "saved progress", log_errno(errno));
    return 0;
}

static int open_bus(struct daemon *d, char *why)
{
    char reason[CONFIG_LINE_MAX];

    return bus_open(d, reason) == 0 ? 0 : fail(why, EX_CONFIG, reason, NULL);
}

static void log_start(const struct daemon *d)
{
    LOG(LOG_INFO, "started", LOG_STR("version", version_text()),
        LOG_STR("node", config_text(d->config, SETTING_NODE_NAME)), LOG_STR("tree", d->tree.path),
        LOG_SPAN("chain", config_chain(d->config, d->options->offline)),
        LOG_BOOL("offline", d->options->offline), LOG_BOOL("once", d->options->once),
        LOG_INT("pid", getpid()));
}

static const char *stop_reason(const struct daemon *d, int result, bool unfinished)
{
    if (result != 0)
        return "it cannot go on";
    if (d->stop_signal != 0)
        return strsignal(d->stop_signal);
    return unfinished ? "the rest has to wait" : "nothing is left to do";
}

/* The end of a run that started: what is unfinished is saved as such. Who stops a daemon gets 0:
 * there is nothing that a next try would do better. */
static int finish(struct daemon *d, int result)
{
    supervisor_stopping();
    planner_stop(&d->planner);
    bus_farewell(d);
    bool saved = saving_all(d, false);
    bool unfinished = files_unfinished() || files_counts()->error != 0 || bus_unfinished() ||
                      d->faults.of[FAULT_MEND].error != 0;

    LOG(saved ? LOG_INFO : LOG_WARNING, "stopped",
        LOG_STR("reason", stop_reason(d, result, unfinished)),
        LOG_INT("proposed", (int64_t)d->planner.counts[OUTCOME_PROPOSED]),
        LOG_BOOL("unfinished", unfinished), LOG_BOOL("saved", saved));
    files_close();
    bus_close(d);
    if (result != 0)
        return EX_TEMPFAIL;
    return d->options->once && (unfinished || !saved) ? EX_TEMPFAIL : EX_OK;
}

static int start(struct daemon *d, char *why)
{
    int code = open_tree(d, why);

    if (code == 0)
        code = open_parts(d, why);
    if (code == 0)
        code = open_files(d, why);
    if (code != 0)
        return code;
    log_start(d);
    return open_bus(d, why);
}

int daemon_run(const struct daemon_options *options, char *why)
{
    static struct daemon self;
    struct daemon *d = &self;

    why[0] = '\0';
    d->options = options;
    d->config = &d->configs[0];
    d->lock = -1;
    d->signals.watch.fd = -1;
    (void)umask(002);
    if (load_config(d, d->config, why) != 0)
        return EX_CONFIG;
    supervisor_open(options->notify_fd);
    int code = start(d, why);
    if (code == 0) {
        confine_enter(d);
        saving_begin(d);
        supervisor_ready(&d->loop);
        int result = options->once ? run_down(d) : run_on(d);
        if (result == 0 && options->once)
            result = wait_for_models(d);
        code = finish(d, result);
    }
    signals_close(&d->signals, &d->loop);
    tree_close(d->lock);
    config_wipe(d->config);
    return code;
}
