#include "daemon/decisions.h"

#include "base/timestamp.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Kinds of entries, and how many of a kind may be kept. */
enum kind { KIND_MAIN, KIND_QUIET, KIND_REFUSED, KIND_NONE };

static enum kind kind_of(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_BENIGN:
    case OUTCOME_NOT_WATCHED:
    case OUTCOME_PASSED_OVER:
        return KIND_QUIET;
    case OUTCOME_REFUSED:
        return KIND_REFUSED;
    case OUTCOME_QUEUED: /* what comes of it follows */
        return KIND_NONE;
    default:
        return KIND_MAIN;
    }
}

/* Ends that are worth a line of their own each time. */
static bool stands_alone(enum outcome outcome)
{
    return outcome == OUTCOME_PROPOSED || outcome == OUTCOME_IGNORED ||
           outcome == OUTCOME_RESUMED || outcome == OUTCOME_REFUSED;
}

static void fill(struct decisions_entry *e, const struct decision *d, int64_t wall_ms)
{
    e->at_ms = wall_ms;
    e->times = 1;
    e->suppressed = d->suppressed;
    e->outcome = d->outcome;
    e->has_event = d->event != NULL;
    e->node[0] = '\0';
    e->service[0] = '\0';
    e->type[0] = '\0';
    if (e->has_event) {
        e->severity = d->event->severity;
        span_cut_text(e->node, sizeof(e->node), d->event->node);
        span_cut_text(e->service, sizeof(e->service), d->event->service);
        span_cut_text(e->type, sizeof(e->type), d->event->type);
    }
    span_cut_text(e->action, sizeof(e->action), d->action);
    span_cut_text(e->action_id, sizeof(e->action_id), d->action_id);
    span_cut_text(e->model, sizeof(e->model), d->model);
    span_cut_text(e->reason, sizeof(e->reason), d->reason);
    span_cut_text(e->origin, sizeof(e->origin), d->origin);
}

/* Not the end of an event: what follows says more. */
static bool is_on_the_way(enum outcome outcome)
{
    return outcome == OUTCOME_HELD || outcome == OUTCOME_CLAIMED ||
           outcome == OUTCOME_CHAIN_FAILED || outcome == OUTCOME_WRITE_FAILED;
}

static bool is_of_same(const struct decisions_entry *a, const struct decisions_entry *b)
{
    return strcmp(a->node, b->node) == 0 && strcmp(a->service, b->service) == 0 &&
           strcmp(a->type, b->type) == 0;
}

static bool repeats(const struct decisions_entry *new, const struct decisions_entry *e)
{
    return new->outcome == e->outcome && !stands_alone(new->outcome) && is_of_same(new, e) &&
           strcmp(new->reason, e->reason) == 0;
}

static bool ends(const struct decisions_entry *new, const struct decisions_entry *e)
{
    return is_on_the_way(e->outcome) && !is_on_the_way(new->outcome) && is_of_same(new, e);
}

static void take_out(struct decisions *d, struct decisions_entry *entry)
{
    entry->number = 0;
    d->count--;
}

/* There is always one. */
static struct decisions_entry *free_entry(struct decisions *d)
{
    struct decisions_entry *entry = d->entry;

    while (entry->number != 0)
        entry++;
    return entry;
}

static void keep_older(struct decisions_entry **oldest, struct decisions_entry *e)
{
    if (*oldest == NULL || e->number < (*oldest)->number)
        *oldest = e;
}

/* Takes out what new repeats or ends, and the entry whose place it takes, where one is due; how
 * often it was said before. */
static uint32_t make_place(struct decisions *d, const struct decisions_entry *new, enum kind kind)
{
    struct decisions_entry *oldest = NULL;
    struct decisions_entry *oldest_same = NULL;
    unsigned same = 0;
    uint32_t times = 0;

    unsigned left = d->count;
    for (struct decisions_entry *e = d->entry; left > 0; e++) {
        if (e->number == 0)
            continue;
        left--;
        if (repeats(new, e)) {
            times += e->times;
            take_out(d, e);
        } else if (ends(new, e)) {
            take_out(d, e);
        } else {
            keep_older(&oldest, e);
            if (kind_of(e->outcome) == kind) {
                keep_older(&oldest_same, e);
                same++;
            }
        }
    }
    if (kind != KIND_MAIN && same >= DECISIONS_QUIET_KEPT)
        take_out(d, oldest_same);
    else if (d->count == DECISIONS_KEPT)
        take_out(d, oldest);
    return times;
}

bool decisions_note(struct decisions *decisions, const struct decision *decision, int64_t wall_ms)
{
    enum kind kind = kind_of(decision->outcome);

    if (kind == KIND_NONE)
        return false;
    struct decisions_entry *new = free_entry(decisions);
    fill(new, decision, wall_ms);
    uint32_t times = make_place(decisions, new, kind);
    new->times += times;
    new->number = ++decisions->numbers;
    decisions->count++;
    return times == 0;
}

const struct decisions_entry *decisions_before(const struct decisions *decisions, uint64_t number)
{
    const struct decisions_entry *newest = NULL;

    for (const struct decisions_entry *e = decisions->entry;
         e < decisions->entry + COUNT(decisions->entry); e++)
        if (e->number != 0 && e->number < number && (newest == NULL || e->number > newest->number))
            newest = e;
    return newest;
}

static void write_entry(const struct decisions_entry *e, struct json_write *w)
{
    char stamp[TIMESTAMP_SIZE];

    timestamp_format(stamp, e->at_ms);
    json_write_object(w, NULL);
    json_write_str(w, "timestamp", stamp);
    json_write_str(w, "outcome", outcome_text(e->outcome));
    json_write_int(w, "times", e->times);
    if (e->has_event) {
        json_write_str(w, "node", e->node);
        json_write_str(w, "service", e->service);
        json_write_str(w, "type", e->type);
        json_write_str(w, "severity", severity_text(e->severity));
    }
    json_write_str(w, "reason", e->reason);
    json_write_str(w, "action", e->action[0] != '\0' ? e->action : NULL);
    json_write_str(w, "action_id", e->action_id[0] != '\0' ? e->action_id : NULL);
    json_write_str(w, "model", e->model[0] != '\0' ? e->model : NULL);
    json_write_str(w, "origin", e->origin);
    json_write_int(w, "suppressed", e->suppressed);
    json_write_end_object(w);
}

void decisions_write(const struct decisions *decisions, struct json_write *w, size_t reserve)
{
    json_write_array(w, "decisions");
    const struct decisions_entry *e = decisions_before(decisions, UINT64_MAX);
    for (; e != NULL; e = decisions_before(decisions, e->number)) {
        struct buf before = *w->buf;
        struct json_write writer = *w;
        write_entry(e, w);
        if (w->buf->failed || w->buf->cap - w->buf->n < reserve) {
            *w->buf = before;
            *w = writer;
            break;
        }
    }
    json_write_end_array(w);
}
