#include "cmd/status_page.h"

#include "base/escape.h"
#include "base/log.h"
#include "base/timestamp.h"
#include "cmd/columns.h"
#include "cmd/print.h"
#include "store/status.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>

#define LABEL_WIDTH 11
#define TEXT_MAX 512
#define COOLDOWNS_SHOWN 10

/* ---- Members of the status ---- */

static json_ref member(const struct status_page *p, json_ref ref, const char *name)
{
    return p->status_error == 0 ? json_member(&p->doc, ref, name) : JSON_NONE;
}

static int64_t number(const struct status_page *p, json_ref ref, const char *name)
{
    int64_t n = 0;

    (void)json_int(&p->doc, member(p, ref, name), INT64_MIN, INT64_MAX, &n);
    return n;
}

/* "" where there is none. */
static const char *text(const struct status_page *p, json_ref ref, const char *name,
                        char storage[TEXT_MAX])
{
    storage[0] = '\0';
    (void)json_string_cut(&p->doc, member(p, ref, name), storage, TEXT_MAX);
    return storage;
}

static bool flag(const struct status_page *p, json_ref ref, const char *name)
{
    return json_type(&p->doc, member(p, ref, name)) == JSON_TRUE;
}

/* Seconds since the time of a member; -1 where it has none. */
static int64_t age_s(const struct status_page *p, json_ref ref, const char *name)
{
    char stamp[TEXT_MAX];
    int64_t ms;

    if (timestamp_parse(span_of(text(p, ref, name, stamp)), &ms) != 0)
        return -1;
    return ms < p->now.wall_ms ? (p->now.wall_ms - ms) / 1000 : 0;
}

/* Until then; 0 where it is past, or no time. */
static int64_t left_s(const struct status_page *p, json_ref ref, const char *name)
{
    char stamp[TEXT_MAX];
    int64_t ms;

    if (timestamp_parse(span_of(text(p, ref, name, stamp)), &ms) != 0 || ms < p->now.wall_ms)
        return 0;
    return (ms - p->now.wall_ms + 999) / 1000;
}

void status_page_read(struct status_page *page, struct span object)
{
    static jsmntok_t tokens[STATUS_SIZE / 2 + 2];
    char state[TEXT_MAX];
    int64_t seconds;

    if (page->status_error == 0 &&
        json_read(&page->doc, object.p, object.n, tokens, sizeof(tokens) / sizeof(tokens[0]),
                  STATUS_DEPTH_MAX) != JSON_OK)
        page->status_error = EBADMSG;
    if (page->status_error != 0)
        return;
    if (json_int(&page->doc, member(page, JSON_ROOT, "cooldown_seconds"), 0, INT32_MAX, &seconds) ==
        0)
        page->cooldown_ms = seconds * 1000;
    page->running = strcmp(text(page, JSON_ROOT, "state", state), "running") == 0;
    page->alive = page->running && page->beat_age_s >= 0 && page->beat_age_s < STATUS_PAGE_FRESH_S;
}

int64_t status_page_remaining_s(const struct status_page *page, const struct cooldown *entry)
{
    int64_t left_ms = entry->began_ms + page->cooldown_ms - page->now.boot_ms;

    return left_ms > 0 ? (left_ms + 999) / 1000 : 0;
}

/* ---- Lines ---- */

static void label(const char *name)
{
    size_t n = strlen(name);

    print_str(name);
    print_repeat(' ', n < LABEL_WIDTH ? LABEL_WIDTH - n : 1);
}

static void safe(const char *s)
{
    print_safe(span_of(s));
}

static void print_number(const char *before, int64_t n, const char *after)
{
    print_str(before);
    print_int(n);
    print_str(after);
}

static void print_process(const struct status_page *p)
{
    char s[TEXT_MAX];

    label("planner");
    if (p->status_error != 0) {
        print_str("no status\n");
    } else {
        print_str(p->alive ? "running" : p->running ? "DEAD or hanging" : "not running");
        print_str(", version ");
        safe(text(p, JSON_ROOT, "version", s));
        print_str(" on ");
        safe(text(p, JSON_ROOT, "node", s));
        print_number(", pid ", number(p, JSON_ROOT, "pid"), "\n");
        label("");
        print_str(flag(p, JSON_ROOT, "once") ? "a single run, " : "");
        print_str("started ");
        print_age(age_s(p, JSON_ROOT, "started_at"));
        print_str(" ago, status of ");
        print_age(age_s(p, JSON_ROOT, "updated_at"));
        print_str(" ago\n");
    }
    label("heartbeat");
    if (p->beat_age_s >= 0) {
        print_age(p->beat_age_s);
        print_str(" ago\n");
    } else {
        print_str("none\n");
    }
}

static void print_tree(const struct status_page *p)
{
    label("tree");
    safe(p->tree);
    print_str("\n");
    for (size_t i = 0; i < STATUS_PAGE_PROBES; i++) {
        label("");
        print_str(p->probe[i].path);
        if (p->probe[i].error == 0)
            print_str(": writable");
        else {
            print_str(p->probe[i].error == EACCES ? ": not writable by you: " : ": NOT WRITABLE: ");
            print_str(log_errno(p->probe[i].error));
        }
        print_str("\n");
    }
}

static void print_hops(const struct status_page *p)
{
    char s[TEXT_MAX];
    json_ref hops = member(p, JSON_ROOT, "hops");
    json_ref paid = member(p, JSON_ROOT, "paid_calls");

    for (json_ref at = json_first(&p->doc, hops); at != JSON_NONE;
         at = json_next(&p->doc, hops, at)) {
        label("");
        safe(text(p, at, "model", s));
        print_number(": ", number(p, at, "success"), " taken, ");
        print_number("", number(p, at, "fallback"), " rejected, ");
        print_number("", number(p, at, "error"), " failed");
        if (left_s(p, at, "open_until") > 0) {
            print_str("; NOT ASKED for another ");
            print_age(left_s(p, at, "open_until"));
        }
        print_str("\n");
    }
    if (number(p, paid, "today") > 0) {
        label("");
        print_number("paid calls today: ", number(p, paid, "today"), "");
        print_number(" of ", number(p, paid, "allowed_a_day"), "\n");
    }
}

static void print_connections(const struct status_page *p, json_ref redis)
{
    char s[TEXT_MAX];
    json_ref list = member(p, redis, "connections");

    for (json_ref at = json_first(&p->doc, list); at != JSON_NONE;
         at = json_next(&p->doc, list, at)) {
        label("");
        safe(text(p, at, "name", s));
        print_str(": ");
        safe(text(p, at, "state", s));
        print_str(" for ");
        print_age(age_s(p, at, "since"));
        if (number(p, at, "losses") > 0)
            print_number(", lost ", number(p, at, "losses"), " times");
        if (text(p, at, "error", s)[0] != '\0') {
            print_str(": ");
            safe(s);
        }
        print_str("\n");
    }
}

static void print_channels(const struct status_page *p, json_ref redis)
{
    char s[TEXT_MAX];
    json_ref list = member(p, redis, "channels");

    for (json_ref at = json_first(&p->doc, list); at != JSON_NONE;
         at = json_next(&p->doc, list, at)) {
        int64_t messages = number(p, at, "messages");
        label("");
        safe(text(p, at, "name", s));
        print_number(": ", messages, messages == 1 ? " message, " : " messages, ");
        print_str(messages > 0 ? "the last " : "none for ");
        print_age(age_s(p, at, "quiet_since"));
        print_str(messages > 0 ? " ago" : "");
        print_str(flag(p, at, "silent") ? ": SILENT\n" : "\n");
    }
}

static void print_streams(const struct status_page *p, json_ref redis)
{
    char s[TEXT_MAX];
    json_ref streams = member(p, redis, "streams");
    json_ref actions = member(p, redis, "actions_stream");

    if (text(p, streams, "names", s)[0] != '\0') {
        label("");
        print_str("stream ");
        safe(s);
        print_number(": ", number(p, streams, "entries"), " read, ");
        print_number("", number(p, streams, "acknowledged"), " acknowledged, ");
        print_number("", number(p, streams, "held"), " unfinished, ");
        print_number("", number(p, streams, "dead"), " dead, ");
        if (number(p, streams, "doomed") > 0)
            print_number("", number(p, streams, "doomed"), " not taken by the dead stream, ");
        print_number("", number(p, streams, "taken_over"), " taken over\n");
    }
    if (text(p, actions, "name", s)[0] != '\0') {
        label("");
        print_str("stream ");
        safe(s);
        print_number(": ", number(p, actions, "added"), " actions added");
        if (number(p, actions, "refused") > 0)
            print_number(", ", number(p, actions, "refused"), " refused");
        print_str("\n");
    }
}

static void print_redis(const struct status_page *p)
{
    char s[TEXT_MAX];
    json_ref redis = member(p, JSON_ROOT, "redis");

    if (text(p, redis, "url", s)[0] == '\0')
        return;
    label("redis");
    safe(s);
    print_str(flag(p, redis, "claims_refused") ? ", WHICH REFUSES CLAIMS\n" : "\n");
    print_connections(p, redis);
    print_channels(p, redis);
    print_streams(p, redis);
}

static void print_work(const struct status_page *p)
{
    char s[TEXT_MAX];
    json_ref writes = member(p, JSON_ROOT, "writes");
    json_ref files = member(p, member(p, JSON_ROOT, "sources"), "files");
    json_ref queue = member(p, JSON_ROOT, "queue");
    json_ref confinement = member(p, JSON_ROOT, "confinement");

    label("confined");
    if (number(p, confinement, "landlock") > 0)
        print_number("Landlock ", number(p, confinement, "landlock"), ", ");
    else
        print_str("NO Landlock, ");
    print_str(flag(p, confinement, "seccomp") ? "seccomp\n" : "NO seccomp\n");
    label("chain");
    safe(text(p, JSON_ROOT, "chain", s));
    print_str(flag(p, JSON_ROOT, "offline") ? " (offline)\n" : "\n");
    print_hops(p);
    label("files");
    print_number("", number(p, files, "read"), " read, ");
    print_number("", number(p, files, "unfinished"), " unfinished, ");
    print_number("", number(p, files, "watched_directories"), " directories watched");
    if (text(p, files, "error", s)[0] != '\0') {
        print_str(", ");
        safe(s);
    }
    print_str("\n");
    print_redis(p);
    label("queue");
    print_number("", number(p, queue, "queued"), " queued, ");
    print_number("", number(p, queue, "held"), " held by a deployment, ");
    print_number("", number(p, queue, "claiming"), " being claimed, ");
    print_number("", number(p, queue, "asked"), " with the chain, ");
    print_number("", number(p, queue, "being_written"), " being written\n");
    label("disk");
    print_number("", number(p, writes, "count"), " writes, ");
    print_number("", number(p, writes, "bytes"), " bytes since the start\n");
}

/* The members of an object that are not 0. */
static void print_counters(const struct status_page *p, const char *title, const char *name)
{
    json_ref object = member(p, JSON_ROOT, name);
    bool any = false;

    for (json_ref at = json_first(&p->doc, object); at != JSON_NONE;
         at = json_next(&p->doc, object, at)) {
        char key[64] = "";
        int64_t n = 0;
        if (json_string(&p->doc, at, key, sizeof(key)) < 0 ||
            json_int(&p->doc, json_value(&p->doc, at), 1, INT64_MAX, &n) != 0)
            continue;
        if (any)
            print_str(", ");
        else
            label(title);
        safe(key);
        print_number(" ", n, "");
        any = true;
    }
    if (any)
        print_str("\n");
}

static void print_faults(const struct status_page *p)
{
    char s[TEXT_MAX];
    json_ref faults = member(p, JSON_ROOT, "faults");

    for (json_ref at = json_first(&p->doc, faults); at != JSON_NONE;
         at = json_next(&p->doc, faults, at)) {
        label(flag(p, at, "now") ? "FAULT" : "past fault");
        print_str("cannot ");
        safe(text(p, at, "what", s));
        if (text(p, at, "error", s)[0] != '\0') {
            print_str(": ");
            safe(s);
        }
        print_number(" (", number(p, at, "failures"), " times, ");
        print_str(flag(p, at, "now") ? "for " : "over for ");
        print_age(age_s(p, at, "since"));
        print_str(")\n");
    }
}

static void print_cooldowns(const struct status_page *p)
{
    uint32_t count = p->cooldowns->table.count;

    label("cooldowns");
    if (p->cooldowns_error != 0) {
        print_str(log_errno(p->cooldowns_error));
        print_str("\n");
        return;
    }
    print_number("", count, " in force\n");
    for (uint32_t i = 0; i < count && i < COOLDOWNS_SHOWN; i++) {
        const struct cooldown *entry = table_at(&p->cooldowns->table, i);
        label("");
        print_safe(table_key_of(&p->cooldowns->table, entry));
        print_str(" (");
        print_str(severity_text(entry->severity));
        print_str(") for another ");
        print_age(status_page_remaining_s(p, entry));
        print_number(", ", entry->suppressed, " repeats\n");
    }
}

/* ---- Decisions ---- */

enum { COLUMN_AGE, COLUMN_OUTCOME, COLUMN_EVENT, COLUMN_WHY, COLUMN_COUNT };

struct cells {
    struct span cell[COLUMN_COUNT];
    struct buf buf;
    char storage[8 * TEXT_MAX];
};

static void end_cell(struct cells *c, unsigned column, size_t from)
{
    c->cell[column] = (struct span){c->storage + from, c->buf.n - from};
}

static void put_safe(struct cells *c, const char *s)
{
    char cut[TEXT_MAX / 2];

    escape_text(&c->buf, (struct span){cut, span_cut_text(cut, sizeof(cut), s)});
}

static void put_event(const struct status_page *p, struct cells *c, json_ref at)
{
    char s[TEXT_MAX];

    if (text(p, at, "node", s)[0] == '\0') {
        const char *file = strrchr(text(p, at, "origin", s), '/');
        put_safe(c, file != NULL ? file + 1 : s);
        return;
    }
    put_safe(c, s);
    buf_char(&c->buf, '/');
    put_safe(c, text(p, at, "service", s));
    buf_char(&c->buf, ' ');
    put_safe(c, text(p, at, "type", s));
}

static void put_why(const struct status_page *p, struct cells *c, json_ref at)
{
    char s[TEXT_MAX];

    if (text(p, at, "action", s)[0] != '\0') {
        put_safe(c, s);
        buf_str(&c->buf, ": ");
    }
    put_safe(c, text(p, at, "reason", s));
}

static const struct span *decision_cells(const struct status_page *p, struct cells *c, json_ref at)
{
    char s[TEXT_MAX];

    buf_init(&c->buf, c->storage, sizeof(c->storage));
    print_age_to(&c->buf, age_s(p, at, "timestamp"));
    end_cell(c, COLUMN_AGE, 0);
    size_t from = c->buf.n;
    put_safe(c, text(p, at, "outcome", s));
    int64_t times = number(p, at, "times");
    if (times > 1) {
        buf_str(&c->buf, " x");
        buf_int(&c->buf, times);
    }
    end_cell(c, COLUMN_OUTCOME, from);
    from = c->buf.n;
    put_event(p, c, at);
    end_cell(c, COLUMN_EVENT, from);
    from = c->buf.n;
    put_why(p, c, at);
    end_cell(c, COLUMN_WHY, from);
    return c->cell;
}

static void print_line(const struct columns *columns, const struct span *cells)
{
    static char storage[16 * TEXT_MAX];
    struct buf line;

    buf_init(&line, storage, sizeof(storage));
    columns_row(columns, cells, &line);
    print_span(buf_view(&line));
}

static void print_decisions(const struct status_page *p)
{
    static struct cells cells;
    json_ref list = member(p, JSON_ROOT, "decisions");
    struct columns columns = {
        .count = COLUMN_COUNT,
        .title = {"AGE", "OUTCOME", "EVENT", "WHY"},
        .right = {[COLUMN_AGE] = true},
        .most = {[COLUMN_EVENT] = 48},
    };

    print_str("\nLast decisions, the newest first:\n");
    columns_init(&columns);
    for (json_ref at = json_first(&p->doc, list); at != JSON_NONE;
         at = json_next(&p->doc, list, at))
        columns_measure(&columns, decision_cells(p, &cells, at));
    columns_fit(&columns, print_width());
    print_line(&columns, NULL);
    for (json_ref at = json_first(&p->doc, list); at != JSON_NONE;
         at = json_next(&p->doc, list, at))
        print_line(&columns, decision_cells(p, &cells, at));
}

int status_page_print(const struct status_page *page)
{
    print_process(page);
    print_tree(page);
    if (page->status_error == 0) {
        print_work(page);
        print_counters(page, "outcomes", "counters");
        print_counters(page, "refused", "refusals");
        print_faults(page);
    }
    print_cooldowns(page);
    if (page->status_error == 0)
        print_decisions(page);
    return EX_OK;
}
