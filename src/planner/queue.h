#ifndef PLANNER_QUEUE_H
#define PLANNER_QUEUE_H
/* Work in hand: one piece a key, QUEUE_MAX keys, each perhaps with one event of a higher severity
 * that waits behind it. Pieces do not move in memory while they are in use.
 *
 * 1. A piece in use has state != WORK_FREE; its key is in the table, or it is another's next.
 * 2. Only a piece in WORK_ASKED or WORK_DECIDED has a valid slot. It may have a next, and keeps it
 *    where it is queued again because its action was written and its audit event was not. */

#include "base/table.h"
#include "planner/joined.h"

#define NO_REF UINT32_MAX

enum work_state {
    WORK_FREE,
    WORK_HELD,    /* by a deployment, until due_ms */
    WORK_QUEUED,  /* asked when a slot is free and due_ms has come */
    WORK_ASKED,   /* the chain has it */
    WORK_DECIDED, /* being written; tried again at due_ms */
};

struct work {
    enum work_state state;
    unsigned slot;
    uint32_t ref;  /* the source's handle of the event; NO_REF = none */
    bool released; /* a hold of it has run out: it is not held again */
    struct joined joined;
    uint32_t tries;     /* chain failures so far */
    bool stale;         /* too old for the chain when it came: the rules table speaks */
    bool exhausted;     /* the chain failed until its deadline: the rules table speaks */
    bool free_only;     /* a paid answer was a refusal or invalid: none is paid for again */
    int64_t looked_ms;  /* boot clock: when open actions were last looked for */
    int64_t arrived_ms; /* boot clock */
    int64_t due_ms;     /* boot clock */
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
    uint16_t slots[2 * QUEUE_MAX];
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
void queue_free(struct queue *q, struct work *work);

#endif
