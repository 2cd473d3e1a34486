#ifndef PLANNER_QUEUE_H
#define PLANNER_QUEUE_H
/* Work in hand: one piece a key, QUEUE_MAX keys, each perhaps with one event of a higher severity
 * that waits behind it. Pieces do not move in memory while they are in use.
 *
 * 1. A piece in use has state != WORK_FREE; its key is in the table, or it is another's next.
 * 2. Only a piece in WORK_CLAIMING, WORK_ASKED or WORK_DECIDED has a slot, and only one in
 *    WORK_ASKED or WORK_DECIDED a claim. Only a piece in a slot, or an unsure one, has a next.
 * 3. Where one of the events that a piece stands for can be read again, a handle of such a one is
 *    in its chain until it ends, and the leader's where it has one. None is given back twice. */

#include "planner/event_pack.h"
#include "planner/handles.h"
#include "planner/joined.h"

enum work_state {
    WORK_FREE,
    WORK_HELD,     /* by a deployment, until due_ms */
    WORK_QUEUED,   /* asked when a slot is free and due_ms has come */
    WORK_CLAIMING, /* the bus is asked whether another planner is at it */
    WORK_ASKED,    /* the chain has it */
    WORK_DECIDED,  /* being written; tried again at due_ms */
};

struct work {
    struct work *next; /* waits behind it, or is the next free piece */
    struct joined joined;
    uint64_t answer;    /* number of the chain's last answer; 0 = none came */
    int64_t looked_ms;  /* boot clock: when open actions were last looked for */
    int64_t arrived_ms; /* boot clock */
    int64_t due_ms;     /* boot clock */
    int64_t at_ms;      /* of its event */
    uint32_t tries;     /* chain failures so far */
    int32_t wait_ms;    /* the last wait between tries */
    struct event_pack pack;
    struct handles_chain refs;
    uint16_t place; /* of its key, where it is under it */
    uint8_t state;  /* enum work_state */
    uint8_t slot;
    uint8_t severity; /* of its event */
    bool released;    /* a hold of it has run out: it is not held again */
    bool claimed;     /* the bus has our claim of its key, */
    bool stale;       /* too old for the chain when it came: the rules table speaks */
    bool exhausted;   /* the chain failed until its deadline: the rules table speaks */
    bool free_only;   /* a paid answer was a refusal or invalid: none is paid for again */
};

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
/* The piece that makes room for an event of this severity which cannot be read again: the oldest of
 * the lowest severity below it that cannot either and is not busy or unsure, but for this one.
 * NULL: none. */
struct work *queue_least(const struct queue *q, enum severity severity, const struct work *but);

#endif
