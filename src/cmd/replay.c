#include "cmd/command.h"
#include "cmd/commands.h"

#include "base/json_write.h"
#include "base/log.h"
#include "cmd/print.h"
#include "daemon/models.h"
#include "planner/planner.h"
#include "source/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define ACTIONS_KEPT 512 /* proposals of one replay that later events find open */

/* The planner with nothing behind it: actions stay in memory, time is what the events say. */
struct replay {
    bool json;
    int failed; /* errno of a loop that would not turn */
    struct now now;
    struct loop loop;
    struct router router;
    struct config const *config;
    struct planner planner;
    uint64_t unreadable;
    unsigned action_count;
    struct action_facts actions[ACTIONS_KEPT];
    struct event probe;
};

/* ---- The planner's world ---- */

static int ask(void *ctx, unsigned slot, const struct llm_request *request)
{
    struct replay *r = ctx;

    return router_ask(&r->router, slot, request);
}

static void cancel(void *ctx, unsigned slot)
{
    struct replay *r = ctx;

    router_cancel(&r->router, slot);
}

static void answered(void *arg, unsigned slot, const struct llm_answer *answer)
{
    struct replay *r = arg;

    planner_answered(&r->planner, slot, answer, r->now);
}

static const struct router_ops router_ops = {.answered = answered};

static int writable(void *ctx)
{
    (void)ctx;
    return 0;
}

/* What the observer knows now says nothing about then. */
static void world(void *ctx, const struct event *event, struct world_facts *facts)
{
    (void)ctx;
    (void)event;
    *facts = (struct world_facts){0};
}

static const struct action_facts *find_action(const struct replay *r, const char *id)
{
    for (unsigned i = 0; i < r->action_count; i++)
        if (strcmp(r->actions[i].id, id) == 0)
            return &r->actions[i];
    return NULL;
}

static unsigned present(void *ctx, enum action_place place, const char *const *ids, size_t count)
{
    unsigned found = 0;

    for (size_t i = 0; place == ACTION_PENDING && i < count; i++)
        if (find_action(ctx, ids[i]) != NULL)
            found |= 1U << i;
    return found;
}

static enum action_look look(void *ctx, enum action_place place, const char *id,
                             struct action_facts *facts)
{
    const struct replay *r = ctx;
    const struct action_facts *found = find_action(r, id);

    if (place != ACTION_PENDING || found == NULL)
        return ACTION_ABSENT;
    *facts = *found;
    return ACTION_FOUND;
}

static enum file_result propose(void *ctx, const char *id, struct span body)
{
    struct replay *r = ctx;

    if (find_action(r, id) != NULL)
        return FILE_EXISTS;
    if (r->action_count < ACTIONS_KEPT &&
        actions_parse(body, id, &r->actions[r->action_count]) == ACTION_FOUND)
        r->action_count++;
    return FILE_OK;
}

static int settle(void *ctx)
{
    (void)ctx;
    return 0;
}

static int audit(void *ctx, const struct audit *event)
{
    (void)ctx;
    (void)event;
    return 0;
}

/* No other planner is asked. */
static int claim(void *ctx, unsigned slot, const struct event *event)
{
    (void)ctx;
    (void)slot;
    (void)event;
    return -1;
}

static void claim_ended(void *ctx, const struct event *event, enum claim_end end,
                        const uint64_t *identities, size_t count)
{
    (void)ctx;
    (void)event;
    (void)end;
    (void)identities;
    (void)count;
}

static void finished(void *ctx, uint64_t ref)
{
    (void)ctx;
    (void)ref;
}

/* ---- Telling ---- */

static void tell_json(const struct decision *d)
{
    char storage[LOG_LINE_MAX * 4];
    struct json_write w;
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    json_write_init(&w, &b);
    json_write_object(&w, NULL);
    json_write_str(&w, "outcome", outcome_text(d->outcome));
    if (d->event != NULL) {
        json_write_str(&w, "timestamp", d->event->timestamp);
        json_write_str(&w, "node", d->event->node);
        json_write_str(&w, "service", d->event->service);
        json_write_str(&w, "type", d->event->type);
        json_write_str(&w, "severity", severity_text(d->event->severity));
        json_write_str(&w, "correlation_id", d->event->correlation_id);
    }
    json_write_str(&w, "reason", d->reason);
    json_write_str(&w, "action", d->action[0] != '\0' ? d->action : NULL);
    json_write_str(&w, "action_id", d->action_id[0] != '\0' ? d->action_id : NULL);
    json_write_str(&w, "model", d->model[0] != '\0' ? d->model : NULL);
    json_write_int(&w, "suppressed", d->suppressed);
    json_write_str(&w, "origin", d->origin);
    json_write_end_object(&w);
    buf_char(&b, '\n');
    print_span(buf_view(&b));
}

static void safe(const char *text)
{
    print_safe(span_of(text));
}

static void tell_people(const struct decision *d)
{
    const char *outcome = outcome_text(d->outcome);
    const size_t width = sizeof("rejected_lately") - 1;

    print_str(outcome);
    print_repeat(' ', strlen(outcome) < width ? width - strlen(outcome) + 2 : 2);
    if (d->event != NULL) {
        safe(d->event->node);
        print_str("/");
        safe(d->event->service);
        print_str(" ");
        safe(d->event->type);
        print_str(" (");
        print_str(severity_text(d->event->severity));
        print_str(")");
    } else {
        safe(d->origin);
    }
    print_str("\n");
    print_repeat(' ', width + 2);
    if (d->action[0] != '\0') {
        print_str(d->action);
        print_str(d->action_id[0] != '\0' ? " " : "");
        print_str(d->action_id);
        print_str(": ");
    }
    safe(d->reason);
    print_str("\n");
}

static void decided(void *ctx, const struct decision *decision)
{
    const struct replay *r = ctx;

    if (decision->outcome == OUTCOME_QUEUED)
        return; /* what comes of it follows at once */
    if (r->json)
        tell_json(decision);
    else
        tell_people(decision);
}

static const struct planner_ops planner_ops = {
    .writable = writable,
    .world = world,
    .ask = ask,
    .claim = claim,
    .cancel = cancel,
    .claim_ended = claim_ended,
    .present = present,
    .look = look,
    .propose = propose,
    .settle = settle,
    .audit = audit,
    .finished = finished,
    .decided = decided,
};

/* ---- Events ---- */

/* Decides all that is in hand. */
static void run_down(struct replay *r)
{
    while (r->failed == 0) {
        (void)planner_turn(&r->planner, r->now, false);
        if (!planner_busy(&r->planner))
            return;
        if (loop_turn(&r->loop, -1) != 0)
            r->failed = errno;
    }
}

/* An event arrives when it says that it happened; without a date of its own, now. The clock never
 * goes back. */
static int64_t arrival_ms(struct replay *r, const struct files_event *event)
{
    int64_t now_ms = r->now.wall_ms;
    int64_t at_ms = now_ms > 0 ? now_ms : event->arrived_ms;

    if (event_parse(&r->probe, event->bytes, &r->config->aliases, event->origin,
                    event->arrived_ms) == EVENT_OK &&
        r->probe.dated)
        at_ms = r->probe.at_ms;
    if (at_ms > now_ms)
        r->now = (struct now){.boot_ms = at_ms, .wall_ms = at_ms};
    return at_ms;
}

static enum files_took take(void *ctx, const struct files_event *event)
{
    struct replay *r = ctx;
    int64_t at_ms = arrival_ms(r, event);
    struct arrival arrival = {
        .origin = event->origin,
        .wall_ms = at_ms,
        .boot_ms = at_ms,
        .ref = NO_REF,
        .complete = true,
    };

    (void)planner_event(&r->planner, event->bytes, &arrival, r->now);
    run_down(r);
    return FILES_ENDED;
}

static void refused(void *ctx, struct span origin, const char *reason)
{
    struct replay *r = ctx;
    char name[FILE_NAME_MAX + 1];

    (void)span_cut(name, sizeof(name), origin);
    r->unreadable++;
    decided(r, &(struct decision){.outcome = OUTCOME_REFUSED,
                                  .reason = reason,
                                  .action_id = "",
                                  .action = "",
                                  .model = "",
                                  .origin = name});
}

static const struct files_ops files_ops = {.event = take, .refused = refused};

/* ---- The command ---- */

static int begin(const struct command *self, struct replay *r)
{
    struct planner_settings settings;
    static struct models models;
    char why[CONFIG_LINE_MAX];

    loop_init(&r->loop);
    router_init(&r->router, &r->loop, &router_ops, r, 0);
    if (config_check(r->config, why) != 0 || models_read(&models, r->config, true, NULL, why) != 0)
        return command_fail(self, EX_CONFIG, why, NULL);
    router_set_chain(&r->router, &models.chain, 0);
    config_planner(r->config, true, &settings);
    planner_init(&r->planner, &settings, &planner_ops, r, 0);
    return 0;
}

/* What a deployment still holds is decided as if its time were over. */
static void release(struct replay *r)
{
    r->now.boot_ms += DEPLOYMENT_HOLD_MS + 1;
    r->now.wall_ms += DEPLOYMENT_HOLD_MS + 1;
    run_down(r);
}

static void print_sum(const struct replay *r)
{
    const char *gap = "\n";

    for (unsigned i = 0; i < OUTCOMES; i++) {
        uint64_t n = r->planner.counts[i] + (i == OUTCOME_REFUSED ? r->unreadable : 0);
        if (n == 0 || i == OUTCOME_QUEUED)
            continue;
        print_str(gap);
        print_str(outcome_text((enum outcome)i));
        print_str(" ");
        print_int((int64_t)n);
        gap = ", ";
    }
    print_str(gap[0] == '\n' ? "No events.\n" : "\n");
}

int replay_command(const struct command *self, int argc, char **argv)
{
    static struct replay r;
    const struct option options[] = {
        COMMAND_TREE_OPTIONS,
        {"--json", &r.json, NULL},
        COMMAND_OPTIONS_END,
    };
    struct tree tree;

    int code = command_options(self, options, &argc, argv);
    if (code == 0)
        code = command_open(self, &r.config, &tree);
    if (code == 0)
        code = begin(self, &r);
    if (code != 0)
        return code;
    for (int i = 0; i < argc; i++)
        if (files_replay(argv[i], &files_ops, &r) != 0)
            return print_end(command_fail(self,
                                          errno == ENOENT ? EXIT_FAILURE : command_code(errno),
                                          argv[i], log_errno(errno)));
    release(&r);
    if (r.failed != 0)
        return print_end(command_fail(self, EX_TEMPFAIL, "poll", log_errno(r.failed)));
    if (!r.json)
        print_sum(&r);
    return print_end(EX_OK);
}
