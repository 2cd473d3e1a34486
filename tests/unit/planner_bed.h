#ifndef PLANNER_BED_H
#define PLANNER_BED_H
/* A planner with a fake store, chain and bus, and sources that know of each handle how far it is.
 * The fakes themselves fail what may never happen: a handle that is given back twice, a question
 * without a claim, an answer taken back that nobody waits for. */

#include "planner/planner.h"

#define BED_CLAIM_MS INT64_C(100000)
#define BED_EVENTS 160000
#define BED_ACTIONS 64
#define BED_WALL INT64_C(1780000000000)
#define BED_BOOT INT64_C(5000000)

#define BED_RESTART                                                                                \
    "{\"action\":\"restart\",\"reason\":\"r\",\"confidence\":0.9,\"requires_human\":false}"
#define BED_IGNORE                                                                                 \
    "{\"action\":\"ignore\",\"reason\":\"r\",\"confidence\":0.9,\"requires_human\":false}"

enum bed_way { BY_FILE, BY_STREAM, BY_MESSAGE };

enum bed_state {
    BED_UNREAD, /* not offered, or told to come again */
    BED_KEPT,
    BED_ENDED, /* at once */
    BED_FINISHED
};

struct bed_event {
    enum bed_way way;
    const char *type; /* NULL: service_unhealthy */
    const char *severity;
    unsigned service;
    unsigned id;   /* 0 = none */
    unsigned more; /* bytes of its message, up to 1000 */
    int64_t age_s; /* when it is said first */
    /* Filled in by bed_say(). */
    int64_t at_ms;      /* wall clock */
    int64_t arrived_ms; /* wall clock */
    enum bed_state state;
};

struct bed {
    struct planner planner;
    struct planner_settings settings;
    struct aliases aliases;
    struct now now;
    struct bed_event events[BED_EVENTS]; /* an event's number is its handle's lower half */
    unsigned event_count;
    unsigned kept;         /* handles in that state */
    uint16_t refs_taken;   /* of the planner's room for handles, from the next crash on, */
    uint16_t blocks_taken; /* and of that for events */
    uint32_t checks;

    struct {
        enum action_place place;
        struct action_facts facts;
    } actions[BED_ACTIONS];
    unsigned action_count;
    char body[ACTION_BYTES_MAX];
    unsigned audits;
    bool disk_full, audit_fails, unreadable;
    int no_room; /* errno */

    const struct llm_request *asked[ASKS_MAX];
    unsigned asks;

    bool bus;                /* there is one */
    bool claiming[ASKS_MAX]; /* waits for an answer */
    bool may_ask[ASKS_MAX];
    char claim_key[ASKS_MAX][TABLE_KEY_MAX + 1];
    uint64_t claim_identity[ASKS_MAX];
    enum severity claim_severity[ASKS_MAX];
    char ours[ASKS_MAX][TABLE_KEY_MAX + 1]; /* keys whose claim is ours; "" = none */
    unsigned claims, cancels, renews, drops, dones;
    uint64_t done_identities[WORK_IDENTITIES_MAX];
    size_t done_count;

    enum planner_took took; /* of what was offered last */
    enum outcome last;
    char reason[256];
    uint32_t suppressed;
    void (*told)(const struct decision *decision); /* NULL = nobody listens */
};
extern struct bed bed;

/* A cmocka set-up. There is a bus. */
int bed_open(void **state);
/* Killed, and started again: the store is what it was, and so are the sources. */
void bed_crash(void);
void bed_later(int64_t ms);

/* Says an event and returns its number. */
unsigned bed_say(const struct bed_event *event);
/* Says number n (again). */
enum planner_took bed_offer(unsigned n);
int64_t bed_turn(void);

/* Answers what waits in this slot. bed_claimed(): an answer from a cancelled slot is passed on. */
void bed_claimed(unsigned slot, enum claim_view view, int64_t wait_ms, const char *owner);
void bed_answer(unsigned slot, const char *object); /* NULL: the chain failed */

/* A copy of an event's identity as the planner has it. */
uint64_t bed_identity(unsigned n);
/* An action of ours for event n, as if written before it was said again. */
void bed_put_own(enum action_place place, unsigned n);
void bed_put_foreign(enum action_place place, unsigned service);

/* Fails where an invariant of planner/queue.h and handles.h does not hold. */
void bed_check(void);

#endif
