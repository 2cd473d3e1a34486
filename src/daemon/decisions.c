#include "daemon/decisions.h"

#include "base/timestamp.h"

#include <string.h>

/* Kinds of entries, and how many of a kind may be kept. */
enum class { CLASS_MAIN, CLASS_QUIET, CLASS_REFUSED, CLASS_NONE };

static enum class class_of(enum outcome outcome) {
    switch (outcome){
        case OUTCOME_BENIGN : case OUTCOME_NOT_WATCHED : case
        OUTCOME_PASSED_OVER : return CLASS_QUIET;
        case OUTCOME_REFUSED : return CLASS_REFUSED;
        case OUTCOME_QUEUED : /* what comes of it follows */
            return CLASS_NONE;
        default : return CLASS_MAIN;
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
    memset(e, 0, sizeof(*e));
    e->at_ms = wall_ms;
    e->times = 1;
    e->suppressed = d->suppressed;
    e->outcome = d->outcome;
    if (d->event != NULL) {
        e->has_event = true;
        e->severity = d->event->severity;
        span_cut(e->node, sizeof(e->node), span_of(d->event->node));
        span_cut(e->service, sizeof(e->service), span_of(d->event->service));
        span_cut(e->type, sizeof(e->type), span_of(d->event->type));
    }
    span_cut(e->action, sizeof(e->action), span_of(d->action));
    span_cut(e->action_id, sizeof(e->action_id), span_of(d->action_id));
    span_cut(e->model, sizeof(e->model), span_of(d->model));
    span_cut(e->reason, sizeof(e->reason), span_of(d->reason));
    span_cut(e->origin, sizeof(e->origin), span_of(d->origin));
}

/* Not the end of an event: what follows says more. */
static bool is_on_the_way(enum outcome outcome)
{
    return outcome == OUTCOME_HELD || outcome == OUTCOME_CHAIN_FAILED ||
           outcome == OUTCOME_WRITE_FAILED;
}

static bool is_of_same(const struct decisions_entry *a, const struct decisions_entry *b)
{
    return strcmp(a->node, b->node) == 0 && strcmp(a->service, b->service) == 0 &&
           strcmp(a->type, b->type) == 0;
}

static bool repeats(const struct decisions_entry *a, const struct decisions_entry *b)
{
    return a->outcome == b->outcome && is_of_same(a, b) && strcmp(a->reason, b->reason) == 0;
}

static void take_out(struct decisions *d, unsigned i)
{
    d->count--;
    memmove(&d->entry[i], &d->entry[i + 1], (d->count - i) * sizeof(d->entry[0]));
}

/* The entry that a new one takes the place of, where one is due; d->count where none is. */
static unsigned find_victim(const struct decisions *d, enum class class)
{
    unsigned same = 0;
    unsigned oldest_same = d->count;

    for (unsigned i = d->count; i-- > 0;)
        if (class_of(d->entry[i].outcome) == class) {
            same++;
            oldest_same = i;
        }
    if (class != CLASS_MAIN && same >= DECISIONS_QUIET_KEPT)
        return oldest_same;
    return d->count == DECISIONS_KEPT ? 0 : d->count;
}

/* Takes out the entry that new repeats; how often it was said. */
static uint32_t take_out_repeated(struct decisions *d, const struct decisions_entry *new)
{
    for (unsigned i = 0; i < d->count && !stands_alone(new->outcome); i++)
        if (repeats(&d->entry[i], new)) {
            uint32_t times = d->entry[i].times;
            take_out(d, i);
            return times;
        }
    return 0;
}

static void take_out_what_it_ends(struct decisions *d, const struct decisions_entry *new)
{
    if (is_on_the_way(new->outcome))
        return;
    for (unsigned i = d->count; i-- > 0;)
        if (is_on_the_way(d->entry[i].outcome) && is_of_same(&d->entry[i], new))
            take_out(d, i);
}

bool decisions_note(struct decisions *decisions, const struct decision *decision, int64_t wall_ms)
{
    struct decisions_entry new;
    enum class class = class_of(decision->outcome);

    if (class == CLASS_NONE)
        return false;
    fill(&new, decision, wall_ms);
    uint32_t times = take_out_repeated(decisions, &new);
    take_out_what_it_ends(decisions, &new);
    unsigned victim = find_victim(decisions, class);
    if (victim < decisions->count)
        take_out(decisions, victim);
    new.times += times;
    decisions->entry[decisions->count++] = new;
    return times == 0;
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
    for (unsigned i = decisions->count; i-- > 0;) {
        struct buf before = *w->buf;
        struct json_write writer = *w;
        write_entry(&decisions->entry[i], w);
        if (w->buf->failed || w->buf->cap - w->buf->n < reserve) {
            *w->buf = before;
            *w = writer;
            break;
        }
    }
    json_write_end_array(w);
}
