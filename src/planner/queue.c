#include "planner/queue.h"

#include "base/hash.h"

#include <string.h>

struct work *queue_at(const struct queue *q, uint32_t i)
{
    return q->pieces[i];
}

/* A look at each is quick beside all else that becomes of a fault. */
struct work *queue_find(const struct queue *q, struct span key)
{
    if (q->count == 0)
        return NULL;
    uint64_t hash = hash_span(key);
    for (uint32_t i = 0; i < q->count; i++)
        if (q->hashes[i] == hash)
            return q->pieces[i];
    return NULL;
}

int queue_replace(struct queue *q, struct work *work, const struct event *event)
{
    if (event_pack_put(&q->events, &work->pack, event) != 0)
        return -1;
    work->severity = (uint8_t)event->severity;
    work->at_ms = event->at_ms;
    return 0;
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
    work->joined.identities = q->identities[work - q->works];
    if (queue_replace(q, work, event) == 0)
        return work;
    queue_free(q, work);
    return NULL;
}

struct work *queue_add(struct queue *q, const struct event *event)
{
    if (q->count == QUEUE_MAX)
        return NULL;
    struct work *work = take(q, event);
    if (work == NULL)
        return NULL;
    work->place = (uint16_t)q->count;
    q->hashes[q->count] = hash_span(span_of(event->key));
    q->pieces[q->count++] = work;
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
    struct work *last = q->pieces[--q->count];

    q->pieces[work->place] = last;
    q->hashes[work->place] = q->hashes[q->count];
    last->place = work->place;
    work->next = NULL;
    return next;
}

void queue_free(struct queue *q, struct work *work)
{
    queue_unload(q, work);
    work->state = WORK_FREE;
    work->next = q->free;
    q->free = work;
}

/* ---- Events ---- */

const struct event *queue_event(const struct queue *q, const struct work *work, struct event *room)
{
    if (queue_is_busy(work))
        return &q->begun[work->slot];
    event_pack_get(&q->events, &work->pack, room);
    room->severity = (enum severity)work->severity;
    room->at_ms = work->at_ms;
    return room;
}

void queue_unload(struct queue *q, struct work *work)
{
    event_pack_free(&q->events, &work->pack);
}

const struct event *queue_begin(struct queue *q, struct work *work, unsigned slot)
{
    (void)queue_event(q, work, &q->begun[slot]);
    work->slot = (uint8_t)slot;
    work->state = WORK_CLAIMING;
    return &q->begun[slot];
}

const struct event *queue_forget_identity(struct queue *q, struct work *work)
{
    event_pack_forget_identity(&q->events, &work->pack);
    q->begun[work->slot].identity = 0;
    return &q->begun[work->slot];
}

static unsigned above(unsigned most, unsigned used)
{
    return used < most ? most - used : 0;
}

unsigned queue_room(const struct queue *q, bool half)
{
    unsigned share = half ? 2 : 1;
    unsigned keys = above(QUEUE_DURABLE_MAX / share, q->count);
    unsigned events = above(EVENT_BLOCKS_DURABLE_MAX / share, q->events.taken) / EVENT_PACK_BLOCKS;

    return keys < events ? keys : events;
}

/* ---- States ---- */

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

struct work *queue_least(const struct queue *q, const struct event *event, const struct work *own)
{
    struct work *least = NULL;
    size_t room = (size_t)EVENT_BLOCKS_MAX - q->events.taken + (own != NULL ? own->pack.count : 0);
    for (uint32_t i = 0; i < q->count; i++) {
        struct work *work = q->pieces[i];
        if (work->severity >= (uint8_t)event->severity || work == own || !is_replaceable(work))
            continue;
        room += work->pack.count;
        if (least == NULL || work->severity < least->severity ||
            (work->severity == least->severity && work->arrived_ms < least->arrived_ms))
            least = work;
    }
    return event_pack_blocks(event) <= room ? least : NULL;
}
