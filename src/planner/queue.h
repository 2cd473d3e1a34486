#ifndef PLANNER_QUEUE_H
#define PLANNER_QUEUE_H
/* Work in hand: one piece a key, QUEUE_MAX keys, each perhaps with one event of a higher severity
 * that waits behind it. Pieces do not move in memory while they are in use. */

#include "planner/work.h"

/* All zero = empty. What has a place by the number of a piece is not touched before that is. */
struct queue {
    uint32_t count;             /* keys with work in hand: */
    uint64_t hashes[QUEUE_MAX]; /* hash_span() of each */
    struct work *pieces[QUEUE_MAX];
    struct handles refs;
    struct event_blocks events;
    struct event begun[ASKS_MAX]; /* of the pieces in slots */
    unsigned used;                /* pieces of works[] that were ever in use */
    struct work *free;
    struct work works[WORK_MAX];
    uint64_t identities[WORK_MAX][WORK_IDENTITIES_MAX]; /* of works[], what has joined */
};

/* Piece number i under a key, 0 <= i < q->count. */
struct work *queue_at(const struct queue *q, uint32_t i);
struct work *queue_find(const struct queue *q, struct span key);
/* A zeroed piece in state WORK_QUEUED with this event, under its key, which must be absent.
 * NULL where the queue is full, or the event has no room. */
struct work *queue_add(struct queue *q, const struct event *event);
/* The same, to wait behind work, which has none yet. */
struct work *queue_add_next(struct queue *q, struct work *work, const struct event *event);
/* Takes the piece out of the table. It and the one that waited behind it, which is returned (or
 * NULL), stay the caller's until queue_free(). */
struct work *queue_remove(struct queue *q, struct work *work);
void queue_free(struct queue *q, struct work *work); /* its chain is empty */

/* Its event: that of a busy one stands in its slot until the slot's next piece begins, that of
 * another is put into *room. */
const struct event *queue_event(const struct queue *q, const struct work *work, struct event *room);
/* Another event of its key in the place of its own; not where it is busy. 0, or -1 and the old one
 * stays where there is no room. */
int queue_replace(struct queue *q, struct work *work, const struct event *event);
/* Its event's memory is given back. What may be done with the piece then: queue_free(). */
void queue_unload(struct queue *q, struct work *work);
/* The piece gets the slot, in WORK_CLAIMING. */
const struct event *queue_begin(struct queue *q, struct work *work, unsigned slot);
/* Its event, of a busy one, has no identity any more. */
const struct event *queue_forget_identity(struct queue *q, struct work *work);

/* How many more events that can be read again surely find a place; half: in half of what is theirs.
 */
unsigned queue_room(const struct queue *q, bool half);

bool queue_is_busy(const struct work *work); /* it has a slot */
/* Is it queued, and its action perhaps written? It keeps its leader, by which that is found. */
bool queue_is_unsure(const struct work *work);
/* The piece that makes room for an event which cannot be read again: the oldest of the lowest
 * severity below it that cannot either and is not busy or unsure. own: the piece whose event it is
 * to replace, which stays; or NULL. NULL: none, or all of them together would not do. */
struct work *queue_least(const struct queue *q, const struct event *event, const struct work *own);

#endif
