#include "daemon/report.h"

#include "base/file.h"
#include "base/log.h"
#include "base/timestamp.h"
#include "daemon/bus.h"
#include "daemon/config.h"
#include "daemon/confine.h"
#include "daemon/decisions.h"
#include "daemon/faults.h"
#include "daemon/version.h"
#include "llm/router.h"
#include "planner/planner.h"
#include "source/files.h"

#include <unistd.h>

#define TAIL_MAX sizeof("]}") /* what follows the decisions */

static void write_stamp(struct json_write *w, const char *key, int64_t ms)
{
    char stamp[TIMESTAMP_SIZE];

    timestamp_format(stamp, ms);
    json_write_str(w, key, stamp);
}

static void write_process(const struct report *r, struct json_write *w)
{
    json_write_str(w, "version", version_text());
    json_write_str(w, "node", config_text(r->config, SETTING_NODE_NAME));
    json_write_str(w, "runtime", r->runtime);
    json_write_str(w, "state", r->running ? "running" : "stopped");
    json_write_int(w, "pid", getpid());
    write_stamp(w, "started_at", r->started_ms);
    write_stamp(w, "updated_at", r->now.wall_ms);
    json_write_bool(w, "once", r->once);
    json_write_bool(w, "offline", r->offline);
    json_write_span(w, "chain", config_chain(r->config, r->offline));
    json_write_int(w, "cooldown_seconds", config_number(r->config, SETTING_COOLDOWN_SECONDS));
}

static void write_sources(const struct report *r, struct json_write *w)
{
    json_write_object(w, "sources");
    json_write_object(w, "files");
    json_write_bool(w, "reading", r->reading);
    json_write_int(w, "read", (int64_t)r->files->files);
    json_write_int(w, "scans", (int64_t)r->files->scans);
    json_write_int(w, "unfinished", r->files->unfinished);
    json_write_int(w, "first_start_passed_over", (int64_t)r->files->passed_over);
    json_write_int(w, "watched_directories", r->files->watched);
    json_write_str(w, "error", r->files->error != 0 ? log_errno(r->files->error) : NULL);
    json_write_end_object(w);
    json_write_end_object(w);
}

static void write_queue(const struct report *r, struct json_write *w)
{
    static const struct {
        enum work_state state;
        const char *name;
    } states[] = {
        {WORK_QUEUED, "queued"},         {WORK_HELD, "held"},
        {WORK_CLAIMING, "claiming"},     {WORK_ASKED, "asked"},
        {WORK_DECIDED, "being_written"},
    };
    const struct queue *queue = &r->planner->queue;

    json_write_object(w, "queue");
    json_write_int(w, "keys", queue->count);
    for (size_t s = 0; s < sizeof(states) / sizeof(states[0]); s++) {
        int64_t n = 0;
        for (uint32_t i = 0; i < queue->count; i++)
            n += queue_at(queue, i)->state == states[s].state;
        json_write_int(w, states[s].name, n);
    }
    json_write_end_object(w);
}

static void write_counters(const struct report *r, struct json_write *w)
{
    json_write_object(w, "counters");
    for (unsigned i = 0; i < OUTCOMES; i++) {
        uint64_t n = r->planner->counts[i] + (i == OUTCOME_REFUSED ? r->unreadable : 0);
        json_write_int(w, outcome_text((enum outcome)i), (int64_t)n);
    }
    json_write_end_object(w);
    json_write_object(w, "refusals");
    json_write_int(w, "unreadable", (int64_t)r->unreadable);
    for (unsigned i = EVENT_OK + 1; i < EVENT_ERRORS; i++)
        json_write_int(w, event_error_text((enum event_error)i), (int64_t)r->planner->refused[i]);
    json_write_end_object(w);
}

/* "closed", or for how long the hop is not asked. */
static void write_breaker(const struct report *r, struct json_write *w,
                          const struct breaker *breaker)
{
    int64_t left_ms = breaker->open ? breaker->open_until_ms - r->now.boot_ms : 0;

    json_write_str(w, "breaker", breaker->open ? "open" : "closed");
    if (left_ms > 0)
        write_stamp(w, "open_until", r->now.wall_ms + left_ms);
}

static void write_hops(const struct report *r, struct json_write *w)
{
    json_write_array(w, "hops");
    for (unsigned i = 0; i < r->router->hop_count; i++) {
        const struct router_hop *hop = &r->router->hops[i];
        json_write_object(w, NULL);
        json_write_str(w, "model", hop->label);
        json_write_int(w, "success", hop->success);
        json_write_int(w, "fallback", hop->fallback);
        json_write_int(w, "error", hop->error);
        json_write_int(w, "input_tokens", (int64_t)hop->input_tokens);
        json_write_int(w, "output_tokens", (int64_t)hop->output_tokens);
        write_breaker(r, w, &hop->breaker);
        json_write_end_object(w);
    }
    json_write_end_array(w);
}

static void write_paid_calls(const struct report *r, struct json_write *w)
{
    json_write_object(w, "paid_calls");
    if (r->paid_calls >= 0)
        json_write_int(w, "today", r->paid_calls);
    json_write_int(w, "allowed_a_day", config_number(r->config, SETTING_CLOUD_CALLS_PER_DAY));
    json_write_end_object(w);
}

static void write_writes(struct json_write *w)
{
    struct file_writes writes = file_writes();

    json_write_object(w, "writes");
    json_write_int(w, "count", writes.count);
    json_write_int(w, "bytes", writes.bytes);
    json_write_end_object(w);
}

static void write_faults(const struct report *r, struct json_write *w)
{
    json_write_array(w, "faults");
    for (unsigned i = 0; i < FAULTS; i++) {
        const struct fault *fault = &r->faults->of[i];
        if (fault->count == 0)
            continue;
        json_write_object(w, NULL);
        json_write_str(w, "what", faults_text((enum fault_kind)i));
        json_write_bool(w, "now", fault->error != 0);
        json_write_str(w, "error", fault->error != 0 ? log_errno(fault->error) : NULL);
        write_stamp(w, "since", fault->since_ms);
        json_write_int(w, "failures", (int64_t)fault->count);
        json_write_end_object(w);
    }
    json_write_end_array(w);
}

void report_write(const struct report *report, struct buf *out)
{
    struct json_write w;

    json_write_init(&w, out);
    json_write_object(&w, NULL);
    write_process(report, &w);
    confine_report(&w);
    write_sources(report, &w);
    bus_report(&w, report->now);
    write_queue(report, &w);
    write_counters(report, &w);
    write_hops(report, &w);
    write_paid_calls(report, &w);
    write_writes(&w);
    write_faults(report, &w);
    decisions_write(report->decisions, &w, TAIL_MAX);
    json_write_end_object(&w);
}
