#ifndef PLANNER_WORK_H
#define PLANNER_WORK_H
/* A piece of work: an event in hand, and what has joined it.
 *
 * 1. A piece in use has state != WORK_FREE; its key is in the queue's table, or it is another's
 *    next.
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

#endif
