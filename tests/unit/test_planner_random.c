/* Anything in any order, from fixed seeds: no handle is given back twice or forgotten, no fault
 * that came durably vanishes, kills included. bed_check() has the invariants of what is in hand. */

#include "planner_bed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SERVICES_MAX 950

struct run {
    uint64_t seed;
    unsigned steps, services, ids;
    unsigned check_every;  /* steps */
    uint16_t refs_taken;   /* of the room for handles, */
    uint16_t blocks_taken; /* and of that for events */
};

static struct {
    uint64_t random;
    unsigned services;
    unsigned clock; /* counts what is said and told */
    /* By service: */
    unsigned decided[SERVICES_MAX]; /* when an event of it was told to be at its end, last */
    unsigned lost[SERVICES_MAX];    /* events that ended since, for which others stand */
    unsigned kept[SERVICES_MAX];
    unsigned waiting[SERVICES_MAX]; /* in unread */
    /* By event: */
    unsigned said[BED_EVENTS];
    bool duplicate[BED_EVENTS]; /* of one that was handled before */
    enum bed_state known[BED_EVENTS];
    unsigned judged; /* decided by us, since the start */
    unsigned unread[BED_EVENTS], unread_count;
    unsigned followed; /* events before this are settled */
} t;

/* Over all runs. */
static struct {
    unsigned told[OUTCOMES], no_slot, made_room, crashes, copies;
} sum;

static unsigned below(unsigned n)
{
    t.random = t.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((t.random >> 33) % n);
}

/* ---- What is told ---- */

static bool is_final(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_PROPOSED:
    case OUTCOME_IGNORED:
    case OUTCOME_RESUMED:
    case OUTCOME_ALREADY_OPEN:
    case OUTCOME_REJECTED_LATELY:
    case OUTCOME_COOLDOWN:
    case OUTCOME_SHARED:
    case OUTCOME_RECOVERED:
    case OUTCOME_DEPLOYED:
        return true;
    default:
        return false;
    }
}

static unsigned service_of(const struct event *event)
{
    unsigned service = 0;

    assert_int_equal(sscanf(event->service, "s%u", &service), 1);
    return service;
}

static void told(const struct decision *decision)
{
    assert_non_null(decision->event);
    unsigned service = service_of(decision->event);

    sum.told[decision->outcome]++;
    sum.made_room += strcmp(decision->reason, "a graver event took its slot") == 0;
    sum.copies += strcmp(decision->reason, "this very event is in hand") == 0;
    t.judged += decision->outcome == OUTCOME_PROPOSED || decision->outcome == OUTCOME_IGNORED ||
                decision->outcome == OUTCOME_RESUMED;
    if (is_final(decision->outcome)) {
        t.decided[service] = ++t.clock;
        t.lost[service] = 0;
    }
    /* Only what was decided may be passed over as handled. */
    if (decision->outcome == OUTCOME_DUPLICATE && strstr(decision->reason, "handled") != NULL) {
        unsigned n;
        assert_true(t.decided[service] > 0);
        if (sscanf(decision->event->correlation_id, "ref-%u", &n) == 1)
            t.duplicate[n] = true;
    }
}

/* Takes note of what became of event n. */
static void follow(unsigned n)
{
    const struct bed_event *e = &bed.events[n];
    unsigned service = e->service;

    if (e->way == BY_MESSAGE || t.known[n] == e->state)
        return;
    t.kept[service] += e->state == BED_KEPT;
    t.kept[service] -= t.known[n] == BED_KEPT;
    bool ended = e->state == BED_ENDED || e->state == BED_FINISHED;
    bool fault =
        strncmp(e->type, "service_unhealthy", 17) == 0 || strcmp(e->type, "deployment_failed") == 0;
    if (e->way == BY_STREAM && e->state == BED_FINISHED) /* it was held until its key was decided */
        assert_true(fault && t.decided[service] > t.said[n]);
    if (ended && fault && !t.duplicate[n] && t.decided[service] < t.said[n])
        t.lost[service]++;
    t.known[n] = e->state;
}

/* Who ended and was not decided is one that others stand for. */
static void check_nothing_vanished(void)
{
    for (unsigned service = 0; service < t.services; service++)
        if (t.lost[service] > 0 && t.kept[service] + t.waiting[service] == 0)
            fail_msg("service %u: %u events are gone", service, t.lost[service]);
}

/* ---- Steps ---- */

static void wait(unsigned n)
{
    t.waiting[bed.events[n].service]++;
    t.unread[t.unread_count++] = n;
}

static void offer(unsigned n)
{
    t.said[n] = ++t.clock;
    (void)bed_offer(n);
    follow(n);
    if (bed.events[n].state == BED_UNREAD) {
        sum.no_slot++;
        wait(n);
    }
}

static void say(const struct run *run)
{
    static const char *const types[] = {"deployment_failed", "service_healthy",
                                        "deployment_started", "deployment_completed"};
    static const char *const severities[] = {"info", "warning", "error", "critical"};
    unsigned type = below(60);
    struct bed_event *e = &bed.events[bed.event_count];

    assert_true(bed.event_count < BED_EVENTS);

    *e = (struct bed_event){
        .way = (enum bed_way)below(3),
        .type = type < COUNT(types) ? types[type] : "service_unhealthy",
        .severity = severities[below(COUNT(severities))],
        .service = below(run->services),
        .id = below(3) == 0 ? 1 + below(run->ids) : 0,
        .more = run->blocks_taken > 0 && below(3) == 0 ? below(1000) : 0,
    };
    if (e->id != 0)
        e->service = e->id % run->services; /* an id is one service's */
    e->at_ms = bed.now.wall_ms - (below(10) == 0 ? 7200000 : below(60) * 1000);
    e->arrived_ms = bed.now.wall_ms;
    offer(bed.event_count++);
}

/* The oldest of them first. */
static void offer_unread(unsigned most)
{
    unsigned count = t.unread_count;
    unsigned offered = count < most ? count : most;

    t.unread_count = 0;
    for (unsigned i = 0; i < offered; i++) {
        t.waiting[bed.events[t.unread[i]].service]--;
        offer(t.unread[i]); /* what is put back stands at or before i */
    }
    memmove(&t.unread[t.unread_count], &t.unread[offered], (count - offered) * sizeof(t.unread[0]));
    t.unread_count += count - offered;
}

static void answer_claims(unsigned slot)
{
    static const enum claim_view views[] = {CLAIM_OURS,  CLAIM_OURS, CLAIM_OURS, CLAIM_ALONE,
                                            CLAIM_TAKEN, CLAIM_DONE, CLAIM_SEEN};
    bed_claimed(slot, views[below(COUNT(views))], below(200000), below(2) ? "nodeB" : "");
}

static void answer_question(unsigned slot)
{
    static const char *const objects[] = {BED_RESTART, BED_RESTART, BED_IGNORE, NULL, "{}"};

    bed_answer(slot, objects[below(COUNT(objects))]);
}

static void answer(void)
{
    unsigned slot = below(bed.settings.concurrency);

    if (bed.claiming[slot])
        answer_claims(slot);
    else if (bed.asked[slot] != NULL)
        answer_question(slot);
    else if (below(8) == 0)
        bed_claimed(slot, (enum claim_view)below(5), 1, ""); /* nobody waits for it */
}

static void operate(void)
{
    if (bed.action_count == 0)
        return;
    unsigned i = below(bed.action_count);
    bed.actions[i].place = (enum action_place)(bed.actions[i].place + 1);
    if (bed.actions[i].place >= ACTION_PLACES)
        bed.actions[i] = bed.actions[--bed.action_count];
}

static void world_changes(void)
{
    bed.bus = below(8) != 0;
    bed.disk_full = below(6) == 0;
    bed.audit_fails = below(6) == 0;
    bed.unreadable = below(8) == 0;
    bed.no_room = below(8) == 0 ? ENOSPC : 0;
}

/* What was finished in a step, of events said before it. */
static void follow_all(void)
{
    for (unsigned n = t.followed; n < bed.event_count; n++)
        follow(n);
    while (t.followed < bed.event_count && bed.events[t.followed].state != BED_KEPT &&
           bed.events[t.followed].state != BED_UNREAD)
        t.followed++;
}

static void crash(void)
{
    follow_all();
    for (unsigned n = 0; n < bed.event_count; n++)
        if (bed.events[n].state == BED_KEPT) {
            t.kept[bed.events[n].service]--;
            t.known[n] = BED_UNREAD;
            wait(n);
        }
    sum.crashes++;
    bed_crash();
}

/* More at once than there are slots. */
static void storm(const struct run *run)
{
    for (unsigned i = 0; i < 4 * QUEUE_MAX; i++)
        say(run);
}

static void step(const struct run *run)
{
    unsigned what = below(1000);

    if (what == 0 && run->services == SERVICES_MAX && below(6) == 0)
        storm(run);
    else if (what < 400)
        say(run);
    else if (what < 600)
        bed_turn();
    else if (what < 800)
        answer();
    else if (what < 880)
        bed_later(below(40) == 0 ? 900000 : below(20000));
    else if (what < 960)
        operate();
    else if (what < 980)
        world_changes();
    else if (what < 999)
        offer_unread(50);
    else
        crash();
}

static void check(void)
{
    follow_all();
    bed_check();
    check_nothing_vanished();
    assert_true(bed.dones >= t.judged);
}

/* Everything comes to its end. */
static void drain(void)
{
    bed.bus = true;
    bed.disk_full = bed.audit_fails = bed.unreadable = false;
    bed.no_room = 0;
    for (unsigned round = 0; round < 4000; round++) {
        offer_unread(500);
        bed_turn();
        for (unsigned slot = 0; slot < ASKS_MAX; slot++) {
            if (bed.claiming[slot])
                bed_claimed(slot, CLAIM_OURS, 0, "");
            if (bed.asked[slot] != NULL)
                bed_answer(slot, BED_IGNORE);
        }
        bed_later(round % 50 == 0 ? DEPLOYMENT_HOLD_MS : 1000);
        if (t.unread_count == 0 && bed.planner.queue.count == 0)
            break;
    }
    check();
    assert_int_equal(t.unread_count, 0);
    assert_int_equal(bed.kept, 0);
    assert_int_equal(bed.planner.queue.count, 0);
    assert_false(planner_busy(&bed.planner));
}

static void go(void **state, const struct run *run)
{
    bed_open(state);
    memset(&t, 0, sizeof(t));
    t.random = run->seed;
    t.services = run->services;
    bed.told = told;
    bed.refs_taken = run->refs_taken;
    bed.blocks_taken = run->blocks_taken;
    bed.settings.cooldown_ms = 20000;
    bed.settings.repropose_ms = 20000;
    bed.settings.deadline_ms = 600000;
    bed.settings.concurrency = 1 + (unsigned)(run->seed % 4);
    bed_crash();
    for (unsigned i = 0; i < run->steps; i++) {
        step(run);
        if (i % run->check_every == 0)
            check();
    }
    drain();
}

static void test_anything_in_any_order(void **state)
{
    static const struct run runs[] = {
        {1, 40000, 3, 40, 1, 0, 0},
        {2, 20000, 8, 200, 1, 0, 0},
        {3, 20000, 1, 20, 1, 0, 0},
        {4, 40000, SERVICES_MAX, 4000, 97, 0, 0},
        {5, 10000, 8, 200, 1, HELD_REFS_MAX - 12, 0},
        {7, 20000, SERVICES_MAX, 4000, 97, HELD_REFS_MAX - 300, 0},
        {8, 10000, 8, 200, 1, 0, EVENT_BLOCKS_DURABLE_MAX - EVENT_PACK_BLOCKS - 20},
        {9, 20000, SERVICES_MAX, 4000, 97, 0, EVENT_BLOCKS_DURABLE_MAX - 1000},
    };
    for (size_t i = 0; i < COUNT(runs); i++)
        go(state, &runs[i]);
    /* Nothing of it was left out. */
    for (unsigned outcome = 0; outcome < OUTCOMES; outcome++)
        if (sum.told[outcome] < 20 && outcome != OUTCOME_NOT_WATCHED &&
            outcome != OUTCOME_REFUSED && outcome != OUTCOME_PASSED_OVER)
            fail_msg("%s: %u", outcome_text((enum outcome)outcome), sum.told[outcome]);
    assert_true(sum.no_slot > 100 && sum.made_room > 50 && sum.crashes > 50 && sum.copies > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_anything_in_any_order)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
