#include "daemon/saving.h"

#include "base/log.h"
#include "daemon/bus.h"
#include "daemon/parts.h"
#include "daemon/report.h"
#include "daemon/supervisor.h"
#include "llm/rules.h"
#include "planner/action.h"
#include "source/files.h"
#include "store/audit.h"
#include "store/budget.h"
#include "store/heartbeat.h"
#include "store/state.h"
#include "store/status.h"

#include <errno.h>
#include <string.h>

static const char cooldowns_name[] = "cooldowns";
static const char deployments_name[] = "deployments";
static const char seen_name[] = "seen";

/* Due in wait_ms at the latest. */
static void arm(struct daemon *d, struct loop_timer *timer, int64_t wait_ms)
{
    int64_t deadline = d->loop.now.boot_ms + wait_ms;

    if (timer->set && timer->deadline_ms <= deadline)
        return;
    if (loop_timer_set(&d->loop, timer, deadline) != 0)
        d->out_of_timers = true;
}

/* Soon, or where it was saved lately, when its minute is over. */
static void arm_spaced(struct daemon *d, struct loop_timer *timer, int64_t saved_ms)
{
    int64_t wait_ms = saved_ms + STATE_SAVE_LAZY_MS - d->loop.now.boot_ms;

    arm(d, timer, wait_ms > STATE_SAVE_SOON_MS ? wait_ms : STATE_SAVE_SOON_MS);
}

bool saving_restore(struct daemon *d, int error)
{
    const char *failed;

    if (error != ENOENT || tree_prepare(&d->tree, &failed) != 0)
        return false;
    LOG(LOG_WARNING, "tree_restored", LOG_STR("tree", d->tree.path));
    return true;
}

/* ---- State ---- */

/* The members of entry number *at, and on to the next one; none where it need not be kept. False
 * after the last. */
typedef bool next_line(const struct daemon *d, struct json_write *w, uint32_t *at);

static bool next_cooldown(const struct daemon *d, struct json_write *w, uint32_t *at)
{
    const struct cooldowns *c = &d->planner.cooldowns;

    if (*at == c->table.count)
        return false;
    const struct cooldown *entry = table_at(&c->table, (*at)++);
    if (cooldown_in_force(entry, d->planner.settings.cooldown_ms, d->loop.now.boot_ms))
        cooldown_save(w, c, entry, d->loop.now);
    return true;
}

static bool next_deployment(const struct daemon *d, struct json_write *w, uint32_t *at)
{
    const struct deployments *deployments = &d->planner.deployments;

    if (*at == deployments->table.count)
        return false;
    deployment_save(w, deployments, table_at(&deployments->table, (*at)++), d->loop.now);
    return true;
}

static bool next_seen(const struct daemon *d, struct json_write *w, uint32_t *at)
{
    return seen_save(&d->planner.seen, w, at);
}

/* changed: cleared where it is saved. */
static int save(struct daemon *d, const char *name, next_line *next, bool *changed)
{
    struct state_out out;
    char line[2048]; /* a key of TABLE_KEY_MAX bytes, each escaped to six, and some numbers */
    uint32_t at = 0;
    struct json_write w;
    struct buf b;

    if (!*changed)
        return 0;
    if (state_begin(&out, &d->tree, name) != 0)
        return -1;
    for (;;) {
        buf_init(&b, line, sizeof(line));
        json_write_init(&w, &b);
        json_write_object(&w, NULL);
        if (!next(d, &w, &at))
            break;
        json_write_end_object(&w);
        if (buf_done(&b) == 0 && b.n > sizeof("{}") - 1)
            state_line(&out, buf_view(&b));
    }
    if (state_save(&out) != 0)
        return -1;
    *changed = false;
    return 0;
}

/* What events left behind comes before how far they were read, which is saved only then: an event
 * that is read again does no harm, one that is not could not bring it back. 0, or an errno. */
static int try_state(struct daemon *d)
{
    if (save(d, cooldowns_name, next_cooldown, &d->cooldowns_changed) != 0 ||
        save(d, deployments_name, next_deployment, &d->planner.deployments.changed) != 0 ||
        save(d, seen_name, next_seen, &d->planner.seen.changed) != 0)
        return errno;
    if (bus_state_changed() && bus_state_save(d) != 0)
        return errno;
    return files_changed() && files_save() != 0 ? errno : 0;
}

static bool save_state(struct daemon *d)
{
    loop_timer_clear(&d->loop, &d->save_timer);
    d->state_saved_ms = d->loop.now.boot_ms;
    int error = try_state(d);
    if (saving_restore(d, error))
        error = try_state(d);
    faults_tried(&d->faults, FAULT_STATE, error, d->loop.now.wall_ms);
    if (error == 0)
        LOG(LOG_DEBUG, "state_saved", LOG_INT("unfinished", files_counts()->unfinished));
    return error == 0;
}

static void save_due(struct loop *loop, void *arg)
{
    struct daemon *d = arg;

    (void)loop;
    if (!save_state(d))
        arm(d, &d->save_timer, WRITE_RETRY_MS);
}

static int load_cooldown(void *arg, struct span object)
{
    struct daemon *d = arg;

    return cooldown_load(&d->planner.cooldowns, object, d->planner.settings.cooldown_ms,
                         d->loop.now);
}

static int load_deployment(void *arg, struct span object)
{
    struct daemon *d = arg;

    return deployment_load(&d->planner.deployments, object, d->loop.now);
}

static int load_seen(void *arg, struct span object)
{
    struct daemon *d = arg;

    seen_turn(&d->planner.seen, d->loop.now.boot_ms);
    return seen_load(&d->planner.seen, object);
}

/* False where what was loaded must be forgotten. */
static bool load_table(struct daemon *d, const char *name, int (*line)(void *, struct span))
{
    switch (state_load(&d->tree, name, line, d)) {
    case STATE_LOADED:
    case STATE_ABSENT:
        return true;
    case STATE_FAULT:
        LOG(LOG_WARNING, "state_unreadable", LOG_STR("file", name), LOG_ERRNO(errno));
        return false;
    case STATE_DAMAGED:
        return false;
    }
    return false;
}

void saving_load(struct daemon *d)
{
    if (!load_table(d, cooldowns_name, load_cooldown))
        cooldown_init(&d->planner.cooldowns);
    if (!load_table(d, deployments_name, load_deployment))
        deployment_init(&d->planner.deployments);
    if (!load_table(d, seen_name, load_seen))
        memset(&d->planner.seen, 0, sizeof(d->planner.seen));
}

/* ---- Status ---- */

static bool save_status(struct daemon *d, bool running)
{
    static char storage[STATUS_SIZE];
    struct buf b;
    struct report report = {
        .now = d->loop.now,
        .started_ms = d->started_ms + clock_offset(d->loop.now),
        .running = running,
        .once = d->options->once,
        .offline = d->options->offline,
        .reading = files_reading(),
        .unreadable = d->unreadable,
        .paid_calls = budget_made(&d->tree, d->loop.now.wall_ms),
        .runtime = d->tree.path,
        .config = d->config,
        .planner = &d->planner,
        .router = &d->router,
        .files = files_counts(),
        .faults = &d->faults,
        .decisions = &d->decisions,
    };

    loop_timer_clear(&d->loop, &d->status_timer);
    buf_init(&b, storage, sizeof(storage));
    report_write(&report, &b);
    int result = status_write(&d->tree, buf_view(&b));
    d->status_saved_ms = d->loop.now.boot_ms;
    d->faults.changed = false;
    supervisor_status(d);
    faults_tried(&d->faults, FAULT_STATUS, result != 0 ? errno : 0, d->loop.now.wall_ms);
    return result == 0;
}

static void status_due(struct loop *loop, void *arg)
{
    struct daemon *d = arg;

    (void)loop;
    if (!save_status(d, true))
        arm(d, &d->status_timer, WRITE_RETRY_MS);
}

void saving_status(struct daemon *d)
{
    arm_spaced(d, &d->status_timer, d->status_saved_ms);
}

void saving_status_now(struct daemon *d)
{
    status_due(&d->loop, d);
}

/* ---- Heartbeat ---- */

static int64_t beat_period_ms(const struct daemon *d)
{
    return config_number(d->config, SETTING_HEARTBEAT_SECONDS) * 1000;
}

void saving_beat(struct daemon *d)
{
    int result = heartbeat_beat(&d->tree);

    if (result != 0 && saving_restore(d, errno))
        result = heartbeat_beat(&d->tree);
    faults_tried(&d->faults, FAULT_HEARTBEAT, result != 0 ? errno : 0, d->loop.now.wall_ms);
    d->beat_ms = d->loop.now.boot_ms;
    loop_timer_clear(&d->loop, &d->beat_timer);
    arm(d, &d->beat_timer, beat_period_ms(d));
}

static void beat_due(struct loop *loop, void *arg)
{
    (void)loop;
    saving_beat(arg);
}

/* The turn of a scan serves for the heartbeat too, where its own would come before the next one. */
static bool beat_is_near(const struct daemon *d)
{
    int64_t period = beat_period_ms(d);

    return period >= 2 * SCAN_PERIOD_MS &&
           d->loop.now.boot_ms - d->beat_ms > period - SCAN_PERIOD_MS;
}

/* ---- What a killed planner owes ---- */

/* Its cooldown may not have been saved. An alert in the words of the rules table may be of what
 * nothing has judged: that has none. */
static void find_cooldown(void *arg, const struct action_facts *facts)
{
    struct daemon *d = arg;
    char key[TABLE_KEY_MAX + 1];

    if (strcmp(facts->model, rules_provider.name) == 0 &&
        strcmp(facts->type, action_type(PROPOSAL_NOTIFY)) == 0)
        return;
    event_make_key(key, facts->node, facts->service);
    if (cooldown_found(&d->planner.cooldowns, span_of(key),
                       &(struct cooldown){.began_ms = facts->created_at * 1000,
                                          .severity = severity_of(span_of(facts->event_severity))},
                       d->planner.settings.cooldown_ms, d->loop.now))
        d->cooldowns_changed = true;
}

/* Again, until all that is missing could be written. */
static void mend_due(struct loop *loop, void *arg)
{
    struct daemon *d = arg;
    int error =
        audit_mend(&d->tree, d->planner.settings.node_name, d->before_ms / 1000, find_cooldown, d);

    faults_tried(&d->faults, FAULT_MEND, error, loop->now.wall_ms);
    if (error != 0)
        arm(d, &d->mend_timer, WRITE_RETRY_MS);
}

/* ---- All ---- */

void saving_init(struct daemon *d)
{
    d->save_timer = (struct loop_timer){.due = save_due, .arg = d};
    d->status_timer = (struct loop_timer){.due = status_due, .arg = d};
    d->beat_timer = (struct loop_timer){.due = beat_due, .arg = d};
    d->mend_timer = (struct loop_timer){.due = mend_due, .arg = d};
}

void saving_soon(struct daemon *d)
{
    arm_spaced(d, &d->save_timer, d->state_saved_ms);
    saving_status(d);
}

/* Saved times are on the wall clock: once that was set, a restart would take them for long over or
 * for just begun. Nothing else that is kept in memory is on it. The heartbeat would be taken for
 * old, or for one to come. */
static void look_at_clock(struct daemon *d)
{
    if (d->loop.step_ms == 0)
        return;
    LOG(LOG_WARNING, "clock_was_set", LOG_INT("forward_s", d->loop.step_ms / 1000));
    if (d->planner.cooldowns.table.count > 0)
        d->cooldowns_changed = true;
    if (d->planner.deployments.table.count > 0)
        d->planner.deployments.changed = true;
    arm(d, &d->save_timer, STATE_SAVE_SOON_MS);
    saving_beat(d);
}

void saving_look(struct daemon *d)
{
    look_at_clock(d);
    faults_tried(&d->faults, FAULT_EVENTS, files_counts()->error, d->loop.now.wall_ms);
    bool changed = bus_changed();
    if (changed || d->faults.changed)
        saving_status(d);
    if (d->cooldowns_changed || d->planner.deployments.changed || d->planner.seen.changed ||
        bus_state_changed() || files_changed())
        arm(d, &d->save_timer, STATE_SAVE_LAZY_MS);
    /* Forgotten, it would be begun at its end once more, whatever has come since. */
    if (bus_state_found())
        arm(d, &d->save_timer, d->faults.of[FAULT_STATE].error == 0 ? 0 : WRITE_RETRY_MS);
    if (beat_is_near(d))
        saving_beat(d);
}

void saving_begin(struct daemon *d)
{
    mend_due(&d->loop, d);
    status_due(&d->loop, d);
    d->status_saved_ms -= STATE_SAVE_LAZY_MS; /* it had no news */
    saving_beat(d);
}

bool saving_all(struct daemon *d, bool running)
{
    bool saved = save_state(d);

    (void)save_status(d, running);
    return saved;
}
