#include "planner/queue.h"

#include <string.h>

void queue_init(struct queue *q)
{
    table_init(&q->table, q->entries, sizeof(q->entries[0]), QUEUE_MAX, q->slots,
               sizeof(q->slots) / sizeof(q->slots[0]));
    handles_init(&q->refs);
    q->used = 0;
    q->free = NULL;
}

struct work *queue_find(const struct queue *q, struct span key)
{
    const struct queue_entry *entry = table_find(&q->table, key);
    return entry == NULL ? NULL : entry->work;
}

static struct work *take(struct queue *q, const struct event *event)
{
    struct work *work = q->free;
    if (work != NULL)
        q->free = work->next;
    else if (q->used < WORK_MAX)
        work = &q->works[q->used++];
    else
        return NULL;
    memset(work, 0, sizeof(*work));
    work->state = WORK_QUEUED;
    work->event = *event;
    return work;
}

/* Puts the piece under its event's key. The caller knows that there is room. */
static int enter(struct queue *q, struct work *work)
{
    struct queue_entry *entry = table_add(&q->table, span_of(work->event.key));
    if (entry == NULL)
        return -1;
    entry->work = work;
    return 0;
}

struct work *queue_add(struct queue *q, const struct event *event)
{
    if (q->table.count == QUEUE_MAX)
        return NULL;
    struct work *work = take(q, event);
    if (work == NULL)
        return NULL;
    if (enter(q, work) != 0) {
        queue_free(q, work);
        return NULL;
    }
    return work;
}

struct work *queue_add_next(struct queue *q, struct work *work, const struct event *event)
{
    work->next = take(q, event);
    return work->next;
}

struct work *queue_remove(struct queue *q, struct work *work)
{
    struct work *next = work->next;
    work->next = NULL;
    table_remove(&q->table, table_find(&q->table, span_of(work->event.key)));
    return next;
}

void queue_free(struct queue *q, struct work *work)
{
    work->state = WORK_FREE;
    work->next = q->free;
    q->free = work;
}

bool queue_is_busy(const struct work *work)
{
    return work->state == WORK_CLAIMING || work->state == WORK_ASKED || work->state == WORK_DECIDED;
}

bool queue_is_unsure(const struct work *work)
{
    return work->state == WORK_QUEUED && work->looked_ms == INT64_MIN;
}

static bool is_replaceable(const struct work *work)
{
    return !queue_is_busy(work) && !queue_is_unsure(work) && handles_empty(&work->refs);
}

struct work *queue_least(const struct queue *q, enum severity severity)
{
    struct work *least = NULL;
    for (uint32_t i = 0; i < q->table.count; i++) {
        const struct queue_entry *entry = table_at(&q->table, i);
        struct work *work = entry->work;
        if (work->event.severity >= severity || !is_replaceable(work))
            continue;
        if (least == NULL || work->event.severity < least->event.severity ||
            (work->event.severity == least->event.severity && work->arrived_ms < least->arrived_ms))
            least = work;
    }
    return least;
}
