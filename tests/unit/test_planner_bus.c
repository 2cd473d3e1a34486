/* Events that come by several ways, and planners that share a bus: handles, identities, claims. */

#include "planner_bed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static unsigned say(enum bed_way way, const char *severity, unsigned id)
{
    unsigned n =
        bed_say(&(struct bed_event){.way = way, .severity = severity, .service = 1, .id = id});
    bed_check();
    return n;
}

static void say_type(const char *type, int64_t age_s)
{
    bed_say(&(struct bed_event){
        .way = BY_MESSAGE, .type = type, .severity = "info", .service = 1, .age_s = age_s});
    bed_check();
}

static enum bed_state state_of(unsigned n)
{
    return bed.events[n].state;
}

static struct work *work(void)
{
    return queue_find(&bed.planner.queue, span_of("solaria/s1"));
}

/* To the model's question, whatever there is of a bus. */
static void until_asked(void)
{
    bed_turn();
    if (bed.claiming[0])
        bed_claimed(0, CLAIM_OURS, 0, "");
    assert_non_null(bed.asked[0]);
    bed_check();
}

static void answered(const char *object)
{
    bed_answer(0, object);
    bed_check();
}

/* ---- Handles ---- */

/* What becomes of two events' handles when the second one meets the first. */
static const struct {
    enum bed_way first, second;
    bool leads; /* the second one does */
    enum bed_state first_state, second_state;
} meetings[] = {
    {BY_FILE, BY_FILE, true, BED_FINISHED, BED_KEPT},
    {BY_FILE, BY_FILE, false, BED_KEPT, BED_ENDED},
    {BY_FILE, BY_STREAM, true, BED_FINISHED, BED_KEPT},
    {BY_FILE, BY_STREAM, false, BED_KEPT, BED_KEPT},
    {BY_FILE, BY_MESSAGE, true, BED_KEPT, BED_ENDED},
    {BY_FILE, BY_MESSAGE, false, BED_KEPT, BED_ENDED},
    {BY_STREAM, BY_FILE, true, BED_KEPT, BED_KEPT},
    {BY_STREAM, BY_FILE, false, BED_KEPT, BED_ENDED},
    {BY_STREAM, BY_STREAM, true, BED_KEPT, BED_KEPT},
    {BY_STREAM, BY_STREAM, false, BED_KEPT, BED_KEPT},
    {BY_STREAM, BY_MESSAGE, true, BED_KEPT, BED_ENDED},
    {BY_STREAM, BY_MESSAGE, false, BED_KEPT, BED_ENDED},
    {BY_MESSAGE, BY_FILE, true, BED_ENDED, BED_KEPT},
    {BY_MESSAGE, BY_FILE, false, BED_ENDED, BED_KEPT},
    {BY_MESSAGE, BY_STREAM, true, BED_ENDED, BED_KEPT},
    {BY_MESSAGE, BY_STREAM, false, BED_ENDED, BED_KEPT},
};

enum where { IN_QUEUE, HELD, BEHIND, IN_SLOT_CLAIMING, IN_SLOT_ASKED, IN_SLOT_WRITING, WHERES };

/* A first event there; the severity that a second one needs to join it, or to lead. */
static unsigned place_first(enum where where, enum bed_way way, unsigned id)
{
    unsigned n;

    switch (where) {
    case HELD:
        say_type("deployment_started", 0);
        bed_later(1000);
        n = say(way, "error", id);
        assert_int_equal(work()->state, WORK_HELD);
        return n;
    case BEHIND:
        say(BY_MESSAGE, "info", 0);
        until_asked();
        return say(way, "error", id);
    case IN_SLOT_CLAIMING:
        n = say(way, "error", id);
        bed_turn();
        assert_int_equal(work()->state, WORK_CLAIMING);
        return n;
    case IN_SLOT_ASKED:
    case IN_SLOT_WRITING:
        n = say(way, "error", id);
        until_asked();
        if (where == IN_SLOT_WRITING) {
            bed.disk_full = true;
            answered(BED_RESTART);
            assert_int_equal(work()->state, WORK_DECIDED);
        }
        return n;
    default:
        return say(way, "error", id);
    }
}

static void drain(void)
{
    bed.disk_full = false;
    for (int i = 0; i < 20; i++) {
        bed_later(DEPLOYMENT_HOLD_MS / 10);
        bed_turn();
        for (unsigned slot = 0; slot < ASKS_MAX; slot++) {
            if (bed.claiming[slot])
                bed_claimed(slot, CLAIM_OURS, 0, "");
            if (bed.asked[slot] != NULL)
                bed_answer(slot, BED_IGNORE);
        }
        bed_check();
    }
    assert_int_equal(bed.kept, 0);
    assert_int_equal(bed.planner.queue.count, 0);
}

static void test_handles_when_two_events_meet(void **state)
{
    for (size_t i = 0; i < COUNT(meetings); i++) {
        for (enum where where = IN_QUEUE; where < WHERES; where++) {
            if (meetings[i].leads && where >= IN_SLOT_CLAIMING)
                continue; /* it waits behind */
            bed_open(state);
            unsigned first = place_first(where, meetings[i].first, 0);
            unsigned second = say(meetings[i].second, meetings[i].leads ? "error" : "warning", 0);
            assert_int_equal(bed.last, OUTCOME_JOINED);
            if (state_of(first) != meetings[i].first_state ||
                state_of(second) != meetings[i].second_state)
                fail_msg("case %zu, where %d: %d %d", i, where, state_of(first), state_of(second));
            drain();
            assert_int_not_equal(state_of(first), BED_KEPT);
        }
    }
}

/* Who has no handle is told that it is over, but where it leads. */
static void test_messages_are_kept_where_they_lead(void **state)
{
    static const struct {
        const char *severity;
        enum planner_took took;
    } cases[] = {{"error", PLANNER_KEEPS},
                 {"info", PLANNER_ENDED},
                 {"critical", PLANNER_KEEPS},
                 {"error", PLANNER_ENDED}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        say(BY_MESSAGE, cases[i].severity, 0);
        assert_int_equal(bed.took, cases[i].took);
    }
}

static void test_a_graver_event_behind_a_slot_keeps_its_own_handle(void **state)
{
    for (enum where where = IN_SLOT_CLAIMING; where < WHERES; where++) {
        bed_open(state);
        unsigned first = place_first(where, BY_STREAM, 0);
        unsigned behind = say(BY_STREAM, "critical", 0);
        unsigned joins = say(BY_STREAM, "error", 0);
        assert_int_equal(work()->joined.count, 1);
        say_type("service_healthy", 0);
        assert_int_equal(state_of(first), BED_FINISHED);
        assert_int_equal(state_of(joins), BED_FINISHED);
        assert_int_equal(state_of(behind), BED_FINISHED);
        assert_int_equal(bed.drops, where != IN_SLOT_CLAIMING);
        drain();
    }
}

static void test_after_the_chain_failed_what_waited_behind_brings_its_handles(void **state)
{
    for (int leader = BY_FILE; leader <= BY_MESSAGE; leader++) {
        bed_open(state);
        unsigned first = place_first(IN_SLOT_ASKED, BY_FILE, 0);
        unsigned joined = say(BY_STREAM, "error", 0);
        unsigned behind = say((enum bed_way)leader, "critical", 0);
        unsigned more = say(BY_STREAM, "error", 0);
        answered(NULL);
        assert_int_equal(state_of(first), leader == BY_MESSAGE ? BED_KEPT : BED_FINISHED);
        assert_int_equal(state_of(behind), leader == BY_MESSAGE ? BED_ENDED : BED_KEPT);
        assert_int_equal(state_of(joined), BED_KEPT);
        assert_int_equal(state_of(more), BED_KEPT);
        assert_int_equal(work()->severity, SEVERITY_CRITICAL);
        drain();
    }
}

/* The one behind has the file of a message's copy, and does not lead after the failure: it came
 * stale. */
static void test_a_file_behind_that_joins_is_not_needed_where_the_piece_is_durable(void **state)
{
    static const enum bed_state states[] = {
        [BY_FILE] = BED_FINISHED, [BY_STREAM] = BED_FINISHED, [BY_MESSAGE] = BED_KEPT};
    for (int first = BY_FILE; first <= BY_MESSAGE; first++) {
        bed_open(state);
        say((enum bed_way)first, "warning", 0);
        until_asked();
        unsigned behind = bed_say(&(struct bed_event){
            .way = BY_FILE, .severity = "critical", .service = 1, .age_s = 7200});
        assert_int_equal(state_of(behind), BED_KEPT);
        answered(NULL);
        assert_int_equal(work()->severity, SEVERITY_WARNING);
        assert_int_equal(state_of(behind), states[first]);
        drain();
    }
}

static void test_what_a_failed_deployment_held_brings_its_handles(void **state)
{
    static const struct {
        enum bed_way held, failed;
        enum bed_state held_state;
    } cases[] = {
        {BY_FILE, BY_FILE, BED_FINISHED},  {BY_FILE, BY_STREAM, BED_FINISHED},
        {BY_FILE, BY_MESSAGE, BED_KEPT},   {BY_STREAM, BY_FILE, BED_KEPT},
        {BY_STREAM, BY_MESSAGE, BED_KEPT},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        bed_open(state);
        unsigned held = place_first(HELD, cases[i].held, 7);
        unsigned more = say(BY_STREAM, "info", 8);
        bed_later(1000);
        bed_say(&(struct bed_event){.way = cases[i].failed,
                                    .type = "deployment_failed",
                                    .severity = "error",
                                    .service = 1,
                                    .id = 9});
        bed_check();
        assert_int_equal(state_of(held), cases[i].held_state);
        assert_int_equal(state_of(more), BED_KEPT);
        assert_int_equal(work()->joined.count, 2);
        assert_int_equal(work()->joined.identity_count, 3);
        assert_int_equal(bed.last, OUTCOME_JOINED);
        drain();
    }
}

static void test_a_copy_of_a_failed_deployment_that_is_held_is_no_news(void **state)
{
    (void)state;
    const struct bed_event failed = {.way = BY_STREAM,
                                     .type = "deployment_failed",
                                     .severity = "error",
                                     .service = 1,
                                     .id = 9,
                                     .age_s = 10};
    say_type("deployment_started", 20);
    bed_say(&failed);
    say_type("deployment_started", 10); /* the next one, in the same second */
    assert_int_equal(work()->state, WORK_HELD);
    uint32_t count = work()->joined.count;
    bed_say(&failed);
    assert_int_equal(bed.last, OUTCOME_DUPLICATE);
    assert_int_equal(work()->joined.count, count);
    bed_check();
    drain();
}

/* The fault ended at once: what was held goes its own way. */
static void test_what_was_held_keeps_its_handles_where_the_failure_is_no_news(void **state)
{
    (void)state;
    unsigned held = place_first(HELD, BY_STREAM, 0);
    bed_put_foreign(ACTION_PENDING, 1);
    bed_later(1000);
    bed_say(&(struct bed_event){
        .way = BY_STREAM, .type = "deployment_failed", .severity = "error", .service = 1});
    bed_check();
    assert_int_equal(state_of(held), BED_FINISHED); /* by the same action */
    assert_int_equal(bed.planner.counts[OUTCOME_ALREADY_OPEN], 2);
}

/* ---- Ends ---- */

static void end_by_proposal(void)
{
    until_asked();
    answered(BED_RESTART);
}

static void end_by_ignoring(void)
{
    until_asked();
    answered(BED_IGNORE);
}

static void end_by_recovery(void)
{
    until_asked();
    say_type("service_healthy", 0);
}

static void end_by_recovery_while_claiming(void)
{
    bed_turn();
    say_type("service_healthy", 0);
    assert_int_equal(bed.cancels, 1);
    bed_claimed(0, CLAIM_OURS, 0, ""); /* of no use any more */
}

static void end_by_deployment(void)
{
    say_type("deployment_started", 10);
    bed_later(1000);
    say_type("deployment_completed", 0);
}

static void end_by_open_action(void)
{
    bed_later(2000); /* the look at the start is no longer fresh */
    bed_put_foreign(ACTION_RUNNING, 1);
    bed_turn();
}

static void end_by_open_action_at_the_link(void)
{
    until_asked();
    bed_put_foreign(ACTION_PENDING, 1);
    answered(BED_RESTART);
}

static void end_by_rejection(void)
{
    until_asked();
    bed_put_foreign(ACTION_REJECTED, 1);
    answered(BED_RESTART);
}

static void end_by_another_planner(void)
{
    bed_turn();
    bed_claimed(0, CLAIM_DONE, 0, "nodeB");
}

static void end_by_giving_up(void)
{
    until_asked();
    bed_later(bed.settings.deadline_ms);
    answered(NULL);
    bed_turn();
    bed_claimed(0, CLAIM_OURS, 0, "");
}

static void end_by_resuming(void)
{
    until_asked();
    bed.audit_fails = true;
    answered(BED_RESTART);
    assert_int_equal(bed.dones, 1); /* another planner must not write a second one */
    bed.audit_fails = false;
    bed_later(WRITE_RETRY_MS);
    bed_turn();
}

static const struct {
    void (*run)(void);
    enum outcome outcome;
    unsigned drops, dones;
} ends[] = {
    {end_by_proposal, OUTCOME_PROPOSED, 0, 1},
    {end_by_ignoring, OUTCOME_IGNORED, 0, 1},
    {end_by_giving_up, OUTCOME_PROPOSED, 1, 1},
    {end_by_resuming, OUTCOME_RESUMED, 0, 2},
    {end_by_recovery, OUTCOME_RECOVERED, 1, 0},
    {end_by_recovery_while_claiming, OUTCOME_RECOVERED, 0, 0},
    {end_by_deployment, OUTCOME_DEPLOYED, 0, 0},
    {end_by_open_action, OUTCOME_ALREADY_OPEN, 0, 0},
    {end_by_open_action_at_the_link, OUTCOME_ALREADY_OPEN, 1, 0},
    {end_by_rejection, OUTCOME_REJECTED_LATELY, 1, 0},
    {end_by_another_planner, OUTCOME_SHARED, 0, 0},
};

/* Every end gives back all handles, tells the bus, and remembers the identities. */
static void test_the_end_of_a_piece_is_the_end_of_all_that_joined(void **state)
{
    for (size_t i = 0; i < COUNT(ends); i++) {
        bed_open(state);
        for (unsigned id = 1; id <= 3; id++)
            say(id == 2 ? BY_FILE : BY_STREAM, id == 3 ? "info" : "error", id);
        assert_int_equal(bed.kept, 3);
        ends[i].run();
        bed_check();
        if (bed.planner.counts[ends[i].outcome] != 1 || bed.drops != ends[i].drops ||
            bed.dones != ends[i].dones)
            fail_msg("end %zu: %u drops, %u dones, last %s", i, bed.drops, bed.dones,
                     outcome_text(bed.last));
        assert_int_equal(bed.kept, 0);
        assert_int_equal(bed.planner.queue.count, 0);
        if (ends[i].dones > 0) {
            assert_int_equal(bed.done_count, 3);
            for (unsigned n = 0; n < 3; n++)
                assert_true(bed.done_identities[n] == bed_identity(n));
        }
        for (unsigned id = 1; id <= 3; id++) {
            assert_int_equal(state_of(say(BY_STREAM, "critical", id)), BED_ENDED);
            assert_int_equal(bed.last, OUTCOME_DUPLICATE);
        }
        say(BY_STREAM, "critical", 4);
        assert_int_not_equal(bed.last, OUTCOME_DUPLICATE);
    }
}

/* ---- Identities ---- */

static void test_ends_at_the_door_are_remembered(void **state)
{
    static const struct {
        enum outcome outcome;
        bool noted;
    } cases[] = {
        {OUTCOME_ALREADY_OPEN, true}, {OUTCOME_REJECTED_LATELY, true}, {OUTCOME_COOLDOWN, true},
        {OUTCOME_RECOVERED, true},    {OUTCOME_DEPLOYED, true},        {OUTCOME_NOT_WATCHED, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        bed_open(state);
        switch (cases[i].outcome) {
        case OUTCOME_ALREADY_OPEN:
            bed_put_foreign(ACTION_PENDING, 1);
            break;
        case OUTCOME_REJECTED_LATELY:
            bed_put_foreign(ACTION_REJECTED, 1);
            break;
        case OUTCOME_COOLDOWN:
            say(BY_FILE, "error", 0);
            end_by_ignoring();
            break;
        case OUTCOME_RECOVERED:
            say_type("service_healthy", 0);
            break;
        case OUTCOME_DEPLOYED:
            say_type("deployment_started", 10);
            say_type("deployment_completed", 0);
            break;
        default:
            bed.settings.watch_nodes = span_of("other");
            planner_configure(&bed.planner, &bed.settings);
        }
        assert_int_equal(state_of(say(BY_STREAM, "error", 5)), BED_ENDED);
        assert_int_equal(bed.last, cases[i].outcome);
        say(BY_FILE, "error", 5);
        assert_int_equal(bed.last, cases[i].noted ? OUTCOME_DUPLICATE : cases[i].outcome);
    }
}

/* A copy is no repeat; its handle is held as one that joined. */
static void test_a_copy_of_what_is_in_hand(void **state)
{
    for (size_t i = 0; i < COUNT(meetings); i++) {
        for (enum where where = IN_QUEUE; where < WHERES && !meetings[i].leads; where++) {
            bed_open(state);
            unsigned first = place_first(where, meetings[i].first, 5);
            const struct work *w = where == BEHIND ? work()->next : work();
            unsigned copy = say(meetings[i].second, "error", 5);
            assert_int_equal(bed.last, OUTCOME_DUPLICATE);
            assert_int_equal(w->joined.count, 0);
            assert_int_equal(w->joined.identity_count, 1);
            if (state_of(first) != meetings[i].first_state ||
                state_of(copy) != meetings[i].second_state)
                fail_msg("case %zu, where %d: %d %d", i, where, state_of(first), state_of(copy));
            drain();
        }
    }
}

static void test_a_copy_of_one_that_joined_or_was_displaced(void **state)
{
    (void)state;
    say(BY_MESSAGE, "error", 1);
    say(BY_MESSAGE, "critical", 2); /* leads */
    say(BY_MESSAGE, "info", 3);
    for (unsigned id = 1; id <= 3; id++) {
        say(BY_STREAM, "error", id);
        assert_int_equal(bed.last, OUTCOME_DUPLICATE);
    }
    assert_int_equal(work()->joined.count, 2);
    assert_int_equal(bed.kept, 3);
    drain();
}

static void test_more_identities_than_a_piece_remembers(void **state)
{
    (void)state;
    say(BY_STREAM, "critical", 1);
    for (unsigned id = 2; id <= WORK_IDENTITIES_MAX + 2; id++)
        say(BY_STREAM, "error", id);
    until_asked();
    answered(BED_IGNORE);
    assert_int_equal(bed.done_count, WORK_IDENTITIES_MAX);
    /* The leader's, and the last ones. */
    for (unsigned n = 0; n <= WORK_IDENTITIES_MAX + 1; n++)
        assert_int_equal(seen_has(&bed.planner.seen, bed_identity(n)), n == 0 || n >= 3);
}

static void test_a_leader_in_its_own_place_is_forgotten_as_any_other(void **state)
{
    (void)state;
    say(BY_STREAM, "error", 1);
    for (unsigned id = 2; id <= WORK_IDENTITIES_MAX + 1; id++)
        say(BY_STREAM, "error", id); /* each leads */
    assert_int_equal(work()->joined.identity_count, WORK_IDENTITIES_MAX);
    until_asked();
    answered(BED_IGNORE);
    assert_false(seen_has(&bed.planner.seen, bed_identity(0)));
    assert_true(seen_has(&bed.planner.seen, bed_identity(1)));
}

static void test_what_goes_its_way_again_keeps_its_identities(void **state)
{
    (void)state;
    place_first(HELD, BY_STREAM, 1);
    say(BY_STREAM, "critical", 2);
    say(BY_STREAM, "info", 3);
    bed_later(DEPLOYMENT_HOLD_MS);
    until_asked();
    say(BY_STREAM, "info", 1);
    assert_int_equal(bed.last, OUTCOME_DUPLICATE);
    answered(BED_RESTART);
    assert_int_equal(bed.done_count, 3);
    for (unsigned n = 1; n <= 3; n++) /* the first one said is the deployment's start */
        assert_true(seen_has(&bed.planner.seen, bed_identity(n)));
}

static void test_events_without_an_id_are_no_copies(void **state)
{
    (void)state;
    say(BY_STREAM, "error", 0);
    say(BY_STREAM, "error", 0);
    assert_int_equal(bed.last, OUTCOME_JOINED);
    assert_int_equal(work()->joined.identity_count, 0);
    until_asked();
    answered(BED_IGNORE);
    assert_int_equal(bed.done_count, 0);
    say(BY_STREAM, "error", 0);
    assert_int_equal(bed.last, OUTCOME_COOLDOWN);
    assert_false(bed.planner.seen.changed);
}

static void test_a_queue_that_is_full_remembers_nothing(void **state)
{
    (void)state;
    for (unsigned service = 2; service < 2 + QUEUE_MAX; service++)
        bed_say(&(struct bed_event){.way = BY_MESSAGE, .severity = "info", .service = service});
    say(BY_MESSAGE, "info", 5);
    assert_int_equal(bed.last, OUTCOME_QUEUE_FULL);
    unsigned n = say(BY_STREAM, "critical", 5);
    assert_int_equal(state_of(n), BED_UNREAD);
    assert_false(bed.planner.seen.changed);
}

/* Written before a crash, and remembered by nothing but its file. */
static void test_an_own_open_action_is_resumed_before_it_is_remembered(void **state)
{
    (void)state;
    unsigned n = say(BY_STREAM, "error", 5);
    bed_crash();
    bed_put_own(ACTION_PENDING, n);
    bed_offer(n);
    bed_turn();
    assert_int_equal(bed.last, OUTCOME_RESUMED);
    assert_int_equal(bed.dones, 1);
    assert_int_equal(state_of(n), BED_FINISHED);
    say(BY_FILE, "error", 5);
    assert_int_equal(bed.last, OUTCOME_DUPLICATE);
}

/* ---- Crashes ---- */

static void crash_queued(void)
{
}

static void crash_claiming(void)
{
    bed_turn();
}

static void crash_waiting_for_another(void)
{
    bed_turn();
    bed_claimed(0, CLAIM_TAKEN, 60000, "nodeB");
}

static void crash_after_the_chain_failed(void)
{
    until_asked();
    answered(NULL);
}

static void crash_disk_full(void)
{
    until_asked();
    bed.disk_full = true;
    answered(BED_RESTART);
    bed.disk_full = false;
}

static void crash_before_the_audit_event(void)
{
    until_asked();
    bed.audit_fails = true;
    answered(BED_RESTART);
    bed.audit_fails = false;
}

/* Whatever was kept comes again, and there is one action and one audit event in the end. */
static void test_killed_at_any_point_nothing_is_lost(void **state)
{
    void (*const points[])(void) = {crash_queued,
                                    crash_claiming,
                                    until_asked,
                                    crash_waiting_for_another,
                                    crash_after_the_chain_failed,
                                    crash_disk_full,
                                    crash_before_the_audit_event};
    for (size_t i = 0; i < COUNT(points); i++) {
        for (int way = BY_FILE; way <= BY_STREAM; way++) {
            bed_open(state);
            unsigned first = say((enum bed_way)way, "error", 1);
            unsigned copy = say((enum bed_way)way, "error", 1);
            points[i]();
            bed_crash();
            assert_int_equal(state_of(first), BED_UNREAD);
            bed_offer(first);
            if (state_of(copy) == BED_UNREAD)
                bed_offer(copy);
            bed_turn();
            if (bed.claiming[0])
                bed_claimed(0, CLAIM_OURS, 0, "");
            if (bed.asked[0] != NULL)
                answered(BED_RESTART);
            bed_check();
            assert_int_equal(bed.action_count, 1);
            assert_int_equal(bed.audits, 1);
            assert_int_equal(bed.kept, 0);
        }
    }
}

/* ---- The room for handles, and the queue's ---- */

static void test_without_room_for_its_handle_an_event_comes_again(void **state)
{
    (void)state;
    bed.refs_taken = HELD_REFS_MAX - 2;
    bed_crash();
    say(BY_STREAM, "error", 1);
    say(BY_STREAM, "error", 2);
    unsigned third = say(BY_STREAM, "error", 3);
    assert_int_equal(state_of(third), BED_UNREAD);
    assert_int_equal(work()->joined.count, 1);
    assert_int_equal(work()->joined.identity_count, 2);
    unsigned message = say(BY_MESSAGE, "error", 4); /* needs none */
    assert_int_equal(state_of(message), BED_ENDED);
    assert_int_equal(work()->joined.count, 2);
    until_asked();
    answered(BED_IGNORE);
    bed_offer(third);
    assert_int_equal(bed.last, OUTCOME_COOLDOWN);
    bed_check();
}

/* Messages of these severities fill the queue, one a key; s2's is the first. */
static void fill(const char *severity)
{
    for (unsigned service = 2; service < 2 + QUEUE_MAX; service++) {
        bed_later(1);
        bed_say(&(struct bed_event){.way = BY_MESSAGE, .severity = severity, .service = service});
    }
}

static bool in_queue(const char *key)
{
    return queue_find(&bed.planner.queue, span_of(key)) != NULL;
}

static void test_a_graver_message_takes_the_place_of_the_oldest_of_the_least(void **state)
{
    (void)state;
    fill("error");
    bed_say(&(struct bed_event){.way = BY_STREAM, .severity = "error", .service = 2});
    bed_crash();
    fill("error");
    bed_say(&(struct bed_event){.way = BY_STREAM, .severity = "error", .service = 2});
    bed_say(&(struct bed_event){.way = BY_MESSAGE, .severity = "error", .service = 900});
    assert_int_equal(bed.last, OUTCOME_QUEUE_FULL);
    assert_string_equal(bed.reason, "no slot is free");
    assert_false(in_queue("solaria/s900"));
    bed_say(&(struct bed_event){.way = BY_MESSAGE, .severity = "critical", .service = 901});
    assert_int_equal(bed.planner.counts[OUTCOME_QUEUE_FULL], 2);
    assert_true(in_queue("solaria/s901"));
    assert_true(in_queue("solaria/s2")); /* the stream has it */
    assert_false(in_queue("solaria/s3"));
    assert_true(in_queue("solaria/s4"));
    unsigned stream =
        bed_say(&(struct bed_event){.way = BY_STREAM, .severity = "critical", .service = 902});
    assert_int_equal(state_of(stream), BED_UNREAD); /* it can wait */
    bed_check();
}

static void test_only_what_matters_less_makes_room(void **state)
{
    static const struct {
        enum severity ninth, tenth; /* of s9 and s10, the others are errors */
        const char *dropped;
    } cases[] = {
        {SEVERITY_INFO, SEVERITY_ERROR, "solaria/s9"},
        {SEVERITY_WARNING, SEVERITY_ERROR, "solaria/s9"},
        {SEVERITY_WARNING, SEVERITY_WARNING, "solaria/s9"},
        {SEVERITY_WARNING, SEVERITY_INFO, "solaria/s10"},
        {SEVERITY_ERROR, SEVERITY_CRITICAL, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        bed_open(state);
        fill("error");
        queue_find(&bed.planner.queue, span_of("solaria/s9"))->severity = (uint8_t)cases[i].ninth;
        queue_find(&bed.planner.queue, span_of("solaria/s10"))->severity = (uint8_t)cases[i].tenth;
        bed_say(&(struct bed_event){.way = BY_MESSAGE, .severity = "error", .service = 900});
        assert_int_equal(in_queue("solaria/s900"), cases[i].dropped != NULL);
        assert_true(cases[i].dropped == NULL || !in_queue(cases[i].dropped));
        assert_int_equal(bed.planner.queue.count, QUEUE_MAX);
        assert_int_equal(bed.planner.counts[OUTCOME_QUEUE_FULL], 1);
        bed_check();
    }
}

/* In a slot, or perhaps written already: it is not the queue that has it. */
static void test_what_is_in_a_slot_or_may_be_written_is_not_replaced(void **state)
{
    (void)state;
    bed.settings.concurrency = 1;
    planner_configure(&bed.planner, &bed.settings);
    say(BY_MESSAGE, "info", 0);
    until_asked();
    bed.audit_fails = true;
    answered(BED_RESTART);
    assert_int_equal(work()->state, WORK_QUEUED);
    for (unsigned service = 2; service < 1 + QUEUE_MAX; service++)
        bed_say(&(struct bed_event){.way = BY_MESSAGE,
                                    .severity = service == 2 ? "warning" : "critical",
                                    .service = service});
    struct work *first = queue_find(&bed.planner.queue, span_of("solaria/s2"));
    first->severity = SEVERITY_CRITICAL; /* so that it is asked first */
    first->arrived_ms--;
    bed_turn();
    assert_ptr_equal(bed.planner.slots[0].work, first);
    first->severity = SEVERITY_INFO;
    bed_say(&(struct bed_event){.way = BY_MESSAGE, .severity = "critical", .service = 900});
    assert_false(in_queue("solaria/s900"));
    assert_true(in_queue("solaria/s1") && in_queue("solaria/s2"));
}

static void test_behind_a_slot_a_graver_message_finds_room_too(void **state)
{
    (void)state;
    fill("info");
    struct queue *q = &bed.planner.queue;
    bed_turn();
    struct work *busy = bed.planner.slots[0].work;
    unsigned service;
    assert_int_equal(sscanf(q->begun[busy->slot].service, "s%u", &service), 1);
    q->used = WORK_MAX; /* as if many waited behind others */
    bed_say(&(struct bed_event){.way = BY_MESSAGE, .severity = "error", .service = service});
    assert_non_null(busy->next);
    assert_int_equal(bed.planner.counts[OUTCOME_QUEUE_FULL], 1);
    assert_int_equal(q->count, QUEUE_MAX - 1);
    bed_check();
}

#define TEST(name) cmocka_unit_test_setup(test_##name, bed_open)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(handles_when_two_events_meet),
        TEST(messages_are_kept_where_they_lead),
        TEST(a_graver_event_behind_a_slot_keeps_its_own_handle),
        TEST(after_the_chain_failed_what_waited_behind_brings_its_handles),
        TEST(a_file_behind_that_joins_is_not_needed_where_the_piece_is_durable),
        TEST(what_a_failed_deployment_held_brings_its_handles),
        TEST(a_copy_of_a_failed_deployment_that_is_held_is_no_news),
        TEST(what_was_held_keeps_its_handles_where_the_failure_is_no_news),
        TEST(the_end_of_a_piece_is_the_end_of_all_that_joined),
        TEST(ends_at_the_door_are_remembered),
        TEST(a_copy_of_what_is_in_hand),
        TEST(a_copy_of_one_that_joined_or_was_displaced),
        TEST(more_identities_than_a_piece_remembers),
        TEST(a_leader_in_its_own_place_is_forgotten_as_any_other),
        TEST(what_goes_its_way_again_keeps_its_identities),
        TEST(events_without_an_id_are_no_copies),
        TEST(a_queue_that_is_full_remembers_nothing),
        TEST(an_own_open_action_is_resumed_before_it_is_remembered),
        TEST(killed_at_any_point_nothing_is_lost),
        TEST(without_room_for_its_handle_an_event_comes_again),
        TEST(a_graver_message_takes_the_place_of_the_oldest_of_the_least),
        TEST(only_what_matters_less_makes_room),
        TEST(what_is_in_a_slot_or_may_be_written_is_not_replaced),
        TEST(behind_a_slot_a_graver_message_finds_room_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
