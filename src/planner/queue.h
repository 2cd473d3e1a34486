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

#include "base/table.h"
#include "planner/joined.h"
#include "planner/handles.h"

enum work_state {
    WORK_FREE,
    WORK_HELD,     /* by a deployment, until due_ms */
    WORK_QUEUED,   /* asked when a slot is free and due_ms has come */
    WORK_CLAIMING, /* the bus is asked whether another planner is at it */
    WORK_ASKED,    /* the chain has it */
    WORK_DECIDED,  /* being written; tried again at due_ms */
};

struct work {
    enum work_state state;
    unsigned slot;
    struct handles_chain refs;
    bool released; /* a hold of it has run out: it is not held again */
    bool claimed;  /* the bus has our claim of its key, */
    struct joined joined;
    uint32_t tries;     /* chain failures so far */
    bool stale;         /* too old for the chain when it came: the rules table speaks */
    bool exhausted;     /* the chain failed until its deadline: the rules table speaks */
    bool free_only;     /* a paid answer was a refusal or invalid: none is paid for again */
    uint64_t answer;    /* number of the chain's last answer; 0 = none came */
    int64_t looked_ms;  /* boot clock: when open actions were last looked for */
    int64_t arrived_ms; /* boot clock */
    int64_t due_ms;     /* boot clock */
    int64_t claim_ms;   /* boot clock: until then, at least */
    int64_t wait_ms;    /* the last wait between tries */
    struct work *next;  /* waits behind it, or is the next free piece */
    struct event event;
};

struct queue_entry {
    struct table_key key;
    struct work *work;
};

struct queue {
    struct table table;
    struct queue_entry entries[QUEUE_MAX];
    uint16_t slots[QUEUE_SLOTS];
    struct handles refs;
    struct work works[WORK_MAX];
    unsigned used; /* pieces of works[] that were ever in use */
    struct work *free;
};

void queue_init(struct queue *q);
struct work *queue_find(const struct queue *q, struct span key);
/* A zeroed piece in state WORK_QUEUED with this event, under its key, which must be absent.
 * NULL where the queue is full. */
struct work *queue_add(struct queue *q, const struct event *event);
/* The same, to wait behind work, which has none yet. */
struct work *queue_add_next(struct queue *q, struct work *work, const struct event *event);
/* Takes the piece out of the table. It and the one that waited behind it, which is returned (or
 * NULL), stay the caller's until queue_free(). */
struct work *queue_remove(struct queue *q, struct work *work);
void queue_free(struct queue *q, struct work *work); /* its chain is empty */

bool queue_is_busy(const struct work *work); /* it has a slot */
/* Is it queued, and its action perhaps written? It keeps its leader, by which that is found. */
bool queue_is_unsure(const struct work *work);
/* The piece that makes room for an event of this severity which cannot be read again: the oldest of
 * the lowest severity below it that cannot either and is not busy or unsure. NULL: none. */
struct work *queue_least(const struct queue *q, enum severity severity);

#endif
