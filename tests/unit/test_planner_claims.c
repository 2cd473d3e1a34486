/* What a planner asks of the bus that it shares with others, and what it makes of the answer. */

#include "planner_bed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static unsigned say(const char *severity, unsigned id)
{
    return bed_say(
        &(struct bed_event){.way = BY_STREAM, .severity = severity, .service = 1, .id = id});
}

static void say_type(const char *type)
{
    bed_say(&(struct bed_event){.way = BY_MESSAGE, .type = type, .severity = "info", .service = 1});
}

static struct work *work(void)
{
    return queue_find(&bed.planner.queue, span_of("solaria/s1"));
}

static void claiming(void)
{
    bed_turn();
    assert_true(bed.claiming[0]);
}

static void asked(void)
{
    claiming();
    bed_claimed(0, CLAIM_OURS, 0, "");
    assert_non_null(bed.asked[0]);
}

static void test_a_claim_comes_before_the_question(void **state)
{
    (void)state;
    unsigned n = say("error", 5);
    assert_int_equal(bed_turn(), -1); /* nothing to do but to wait for the answer */
    assert_int_equal(work()->state, WORK_CLAIMING);
    assert_string_equal(bed.claim_key[0], "solaria/s1");
    assert_int_equal(bed.claim_severity[0], SEVERITY_ERROR);
    assert_true(bed.claim_identity[0] == bed_identity(n) && bed_identity(n) != 0);
    assert_int_equal(bed.asks, 0);
    assert_true(planner_busy(&bed.planner));
    bed_check();
    bed_claimed(0, CLAIM_OURS, 0, "");
    assert_int_equal(bed.asks, 1);
    assert_int_equal(work()->state, WORK_ASKED);
    bed_check();
    bed_answer(0, BED_RESTART);
    assert_int_equal(bed.last, OUTCOME_PROPOSED);
    assert_int_equal(bed.dones, 1);
    assert_int_equal(bed.drops, 0);
    bed_check();
}

static void test_without_a_bus_the_question_comes_at_once(void **state)
{
    (void)state;
    bed.bus = false;
    say("error", 5);
    bed_turn();
    assert_int_equal(bed.asks, 1);
    bed_check();
    bed_answer(0, BED_IGNORE);
    assert_int_equal(bed.dones, 1); /* it may be there again */
    assert_int_equal(bed.drops, 0);
}

static void test_nothing_is_claimed_that_cannot_be_written(void **state)
{
    (void)state;
    bed.no_room = ENOSPC;
    say("error", 5);
    bed_turn();
    assert_int_equal(bed.claims, 0);
    assert_int_equal(work()->state, WORK_QUEUED);
    bed_check();
}

static void test_nothing_is_claimed_that_is_open(void **state)
{
    (void)state;
    say("error", 5);
    bed_later(2000);
    bed_put_foreign(ACTION_APPROVED, 1);
    bed_turn();
    assert_int_equal(bed.claims, 0);
    assert_int_equal(bed.last, OUTCOME_ALREADY_OPEN);
}

static void test_answers(void **state)
{
    static const struct {
        enum claim_view view;
        const char *owner;
        enum outcome last;
        unsigned asks, drops; /* drops: where the question fails then */
        bool ends;
        const char *reason;
    } cases[] = {
        {CLAIM_OURS, "", OUTCOME_QUEUED, 1, 1, false, "its key has no work open"},
        {CLAIM_ALONE, "", OUTCOME_QUEUED, 1, 0, false, "its key has no work open"},
        {CLAIM_TAKEN, "b", OUTCOME_CLAIMED, 0, 0, false, "another planner is at it: b"},
        {CLAIM_TAKEN, "", OUTCOME_CLAIMED, 0, 0, false, "another planner is at it"},
        {CLAIM_DONE, "b", OUTCOME_SHARED, 0, 0, true, "another planner has decided it: b"},
        {CLAIM_DONE, "", OUTCOME_SHARED, 0, 0, true, "another planner has decided it"},
        {CLAIM_SEEN, "b", OUTCOME_SHARED, 0, 0, true,
         "another planner has handled this very event: b"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        bed_open(state);
        unsigned n = say("error", 5);
        claiming();
        bed_claimed(0, cases[i].view, 60000, cases[i].owner);
        bed_check();
        assert_int_equal(bed.last, cases[i].last);
        assert_string_equal(bed.reason, cases[i].reason);
        assert_int_equal(bed.asks, cases[i].asks);
        assert_int_equal(bed.events[n].state, cases[i].ends ? BED_FINISHED : BED_KEPT);
        assert_int_equal(work() == NULL, cases[i].ends);
        assert_int_equal(seen_has(&bed.planner.seen, bed_identity(n)), cases[i].ends);
        if (bed.asks > 0)
            bed_answer(0, NULL);
        assert_int_equal(bed.drops, cases[i].drops);
        assert_int_equal(bed.dones, 0);
        bed_check();
    }
}

static void test_an_owner_with_the_longest_name_or_a_longer_one(void **state)
{
    char name[2 * NAME_MAX_BYTES];
    for (size_t n = NAME_MAX_BYTES; n < sizeof(name); n += NAME_MAX_BYTES - 1) {
        bed_open(state);
        memset(name, 'x', n);
        name[n] = '\0';
        say("error", 5);
        claiming();
        bed_claimed(0, CLAIM_SEEN, 0, name);
        assert_int_equal(bed.last, OUTCOME_SHARED);
        assert_int_equal(strstr(bed.reason, name) != NULL, n == NAME_MAX_BYTES);
        assert_non_null(strstr(bed.reason, "another planner has handled this very event"));
    }
}

static void test_an_answer_after_the_claim_has_run_out_is_asked_for_anew(void **state)
{
    for (int late = 0; late < 2; late++) {
        bed_open(state);
        unsigned n = say("error", 5);
        claiming();
        bed_claimed(0, CLAIM_OURS, 0, "");
        bed_later(BED_CLAIM_MS - 1 + late);
        bed_answer(0, BED_RESTART);
        assert_int_equal(bed.planner.counts[OUTCOME_PROPOSED], !late);
        assert_int_equal(bed.planner.counts[OUTCOME_CLAIMED], late);
        if (!late)
            continue;
        bed_later(CLAIM_LATE_MAX_MS + 1);
        claiming();
        bed_claimed(0, CLAIM_DONE, 0, "nodeB");
        assert_int_equal(bed.last, OUTCOME_SHARED);
        assert_int_equal(bed.events[n].state, BED_FINISHED);
        bed_check();
    }
}

/* ---- Another planner is at it ---- */

static void test_a_claim_of_another_is_waited_for(void **state)
{
    static const struct {
        int64_t wait_ms, least_ms;
    } cases[] = {{1, 1},
                 {CLAIM_LOOK_MS - 1, CLAIM_LOOK_MS - 1},
                 {CLAIM_LOOK_MS, CLAIM_LOOK_MS},
                 {0, 1},
                 {INT64_MIN, 1},
                 {CLAIM_LOOK_MS + 1, CLAIM_LOOK_MS},
                 {-1, 1},
                 {INT64_MAX, CLAIM_LOOK_MS}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t least = INT64_MAX, most = 0;
        bed_open(state);
        bed.settings.deadline_ms = 100 * RETRY_LAST_MS;
        planner_configure(&bed.planner, &bed.settings);
        unsigned n = say("error", 5);
        for (unsigned round = 1; round <= 40; round++) {
            claiming();
            bed_claimed(0, CLAIM_TAKEN, cases[i].wait_ms, "nodeB");
            assert_int_equal(work()->state, WORK_QUEUED);
            int64_t due = bed_turn();
            int64_t wait = due - bed.now.boot_ms - cases[i].least_ms;
            assert_in_range(wait, CLAIM_LATE_MIN_MS, CLAIM_LATE_MAX_MS);
            least = wait < least ? wait : least;
            most = wait > most ? wait : most;
            bed_later(due - bed.now.boot_ms - 1);
            bed_turn();
            assert_int_equal(bed.claims, round);
            bed_later(1);
            bed_check();
        }
        assert_true(least < 150 && most > 400);
        assert_int_equal(bed.events[n].state, BED_KEPT);
        assert_int_equal(work()->tries, 0);
        assert_int_equal(bed.planner.counts[OUTCOME_CLAIMED], 40);
        asked();
        bed_answer(0, NULL);
        assert_in_range(bed_turn() - bed.now.boot_ms, RETRY_FIRST_MS * 3 / 4,
                        RETRY_FIRST_MS * 5 / 4);
    }
}

static void test_what_came_behind_waits_with_it(void **state)
{
    (void)state;
    unsigned first = say("error", 1);
    claiming();
    unsigned behind = say("critical", 2);
    assert_non_null(work()->next);
    bed_claimed(0, CLAIM_TAKEN, 60000, "nodeB");
    bed_check();
    assert_null(work()->next);
    assert_int_equal(work()->severity, SEVERITY_CRITICAL);
    assert_int_equal(bed.planner.queue.count, 1);
    bed_turn();
    assert_int_equal(bed.claims, 1);
    bed_later(60500);
    claiming();
    assert_int_equal(bed.claim_severity[0], SEVERITY_CRITICAL);
    bed_claimed(0, CLAIM_DONE, 0, "nodeB");
    assert_int_equal(bed.events[first].state, BED_FINISHED);
    assert_int_equal(bed.events[behind].state, BED_FINISHED);
    assert_int_equal(bed.suppressed, 1);
    assert_int_equal(bed.kept, 0);
}

static void test_while_it_waits_the_slot_is_free(void **state)
{
    (void)state;
    bed.settings.concurrency = 1;
    planner_configure(&bed.planner, &bed.settings);
    say("error", 1);
    claiming();
    bed_claimed(0, CLAIM_TAKEN, 60000, "nodeB");
    bed_say(&(struct bed_event){.way = BY_STREAM, .severity = "error", .service = 2});
    claiming();
    assert_string_equal(bed.claim_key[0], "solaria/s2");
    bed_check();
}

static void test_a_recovery_ends_what_waits(void **state)
{
    (void)state;
    unsigned n = say("error", 1);
    claiming();
    bed_claimed(0, CLAIM_TAKEN, 60000, "nodeB");
    say_type("service_healthy");
    assert_int_equal(bed.events[n].state, BED_FINISHED);
    assert_int_equal(bed.cancels, 0);
    assert_int_equal(bed.drops, 0);
    bed_check();
}

static void test_a_single_run_leaves_it_unfinished(void **state)
{
    (void)state;
    bed.settings.once = true;
    planner_configure(&bed.planner, &bed.settings);
    unsigned n = say("error", 1);
    claiming();
    unsigned behind = say("critical", 2);
    bed_claimed(0, CLAIM_TAKEN, 10, "nodeB");
    assert_false(planner_busy(&bed.planner));
    assert_int_equal(bed_turn(), -1);
    bed_later(RETRY_LAST_MS);
    assert_int_equal(bed_turn(), -1);
    assert_int_equal(bed.claims, 1);
    assert_int_equal(bed.events[n].state, BED_KEPT);
    assert_int_equal(bed.events[behind].state, BED_KEPT);
    bed_check();
}

/* ---- Another planner has decided it ---- */

static void test_what_another_has_decided_begins_no_cooldown(void **state)
{
    (void)state;
    say("error", 1);
    claiming();
    bed_claimed(0, CLAIM_DONE, 0, "nodeB");
    say("error", 2);
    assert_int_equal(bed.last, OUTCOME_QUEUED);
}

static void test_what_another_has_decided_is_counted_as_suppressed(void **state)
{
    (void)state;
    say("error", 1);
    asked();
    bed_answer(0, BED_IGNORE);
    bed_later(bed.settings.cooldown_ms);
    say("error", 2);
    say("error", 3);
    claiming();
    bed_claimed(0, CLAIM_DONE, 0, "nodeB");
    say("error", 4);
    asked();
    bed_answer(0, BED_RESTART);
    assert_non_null(strstr(bed.body, "\"suppressed_count\":2"));
}

static void test_a_graver_event_behind_goes_its_own_way(void **state)
{
    (void)state;
    say("error", 1);
    claiming();
    unsigned behind = say("critical", 2);
    bed_claimed(0, CLAIM_DONE, 0, "nodeB");
    bed_check();
    assert_int_equal(bed.events[behind].state, BED_KEPT);
    claiming();
    assert_int_equal(bed.claim_severity[0], SEVERITY_CRITICAL);
    bed_claimed(0, CLAIM_OURS, 0, "");
    assert_int_equal(bed.asks, 1);
}

/* The leader was handled elsewhere; the other one may be news, and nobody else has it. */
static void test_where_others_joined_an_event_seen_elsewhere_the_key_decides(void **state)
{
    static const enum claim_view views[] = {CLAIM_OURS, CLAIM_ALONE, CLAIM_TAKEN, CLAIM_DONE,
                                            CLAIM_SEEN};
    for (size_t i = 0; i < COUNT(views); i++) {
        bed_open(state);
        unsigned other = say("warning", 1);
        unsigned leader = say("error", 2);
        claiming();
        bed_claimed(0, CLAIM_SEEN, 0, "nodeB");
        assert_true(bed.claiming[0]);
        assert_true(bed.claim_identity[0] == 0);
        bed_check();
        bed_claimed(0, views[i], 1000, "nodeB");
        bed_check();
        assert_int_equal(bed.asks, views[i] == CLAIM_OURS || views[i] == CLAIM_ALONE);
        bool over = views[i] == CLAIM_DONE || views[i] == CLAIM_SEEN;
        assert_int_equal(bed.events[other].state, over ? BED_FINISHED : BED_KEPT);
        if (bed.asks > 0) {
            bed_answer(0, BED_IGNORE);
            assert_int_equal(bed.done_count, 2);
        }
        if (views[i] != CLAIM_TAKEN)
            assert_true(seen_has(&bed.planner.seen, bed_identity(leader)));
    }
    bed_open(state);
    say("warning", 1);
    say("error", 2);
    claiming();
    bed.bus = false;
    bed_claimed(0, CLAIM_SEEN, 0, "nodeB");
    assert_int_equal(bed.asks, 1);
    bed_check();
}

static void test_a_copy_of_an_event_seen_elsewhere_is_no_news(void **state)
{
    (void)state;
    say("error", 2);
    say("error", 2);
    claiming();
    bed_claimed(0, CLAIM_SEEN, 0, "nodeB");
    assert_int_equal(bed.last, OUTCOME_SHARED);
    assert_int_equal(bed.kept, 0);
}

/* ---- The rules table's alerts ---- */

static void stale(void)
{
    bed_say(
        &(struct bed_event){.way = BY_STREAM, .severity = "error", .service = 1, .age_s = 7200});
}

static void exhausted(void)
{
    say("error", 0);
    asked();
    bed_later(bed.settings.deadline_ms);
    bed_answer(0, NULL);
    assert_int_equal(bed.drops, 1);
}

static void test_alerts_are_claimed_too(void **state)
{
    void (*const whys[])(void) = {stale, exhausted};
    for (size_t i = 0; i < COUNT(whys); i++) {
        bed_open(state);
        whys[i]();
        claiming();
        assert_int_equal(bed.action_count, 0);
        bed_claimed(0, CLAIM_DONE, 0, "nodeB");
        assert_int_equal(bed.last, OUTCOME_SHARED);
        assert_int_equal(bed.action_count, 0);
        bed_open(state);
        whys[i]();
        claiming();
        bed_claimed(0, CLAIM_TAKEN, 1000, "nodeB");
        bed_later(1500);
        claiming();
        bed_claimed(0, CLAIM_OURS, 0, "");
        assert_int_equal(bed.last, OUTCOME_PROPOSED);
        assert_string_equal(bed.actions[0].facts.model, "rules");
        assert_int_equal(bed.dones, 1);
        bed_check();
    }
}

/* While it waits, others are asked in the slot that it had. */
static void test_an_alert_shows_no_other_events_attempts(void **state)
{
    for (int other = 0; other <= 1; other++) {
        bed_open(state);
        bed.settings.concurrency = 1;
        planner_configure(&bed.planner, &bed.settings);
        exhausted();
        claiming();
        bed_claimed(0, CLAIM_TAKEN, 1000, "nodeB");
        if (other) {
            bed_say(&(struct bed_event){.way = BY_STREAM, .severity = "error", .service = 2});
            asked();
            bed_answer(0, BED_IGNORE);
        }
        bed_later(1500);
        claiming();
        bed_claimed(0, CLAIM_OURS, 0, "");
        assert_int_equal(bed.last, OUTCOME_PROPOSED);
        assert_int_equal(strstr(bed.body, "fake/model") != NULL, !other);
    }
}

/* ---- What becomes of our own claim ---- */

static void fails(void)
{
    bed_answer(0, NULL);
}

static void makes_no_sense(void)
{
    bed_answer(0, "{}");
}

static void is_held(void)
{
    bed_say(&(struct bed_event){.way = BY_MESSAGE,
                                .type = "deployment_started",
                                .severity = "info",
                                .service = 1,
                                .age_s = 5});
    assert_int_equal(work()->state, WORK_HELD);
}

static void cannot_look(void)
{
    bed.unreadable = true;
    bed_answer(0, BED_RESTART);
    assert_int_equal(bed.last, OUTCOME_WRITE_FAILED);
    bed.unreadable = false;
}

static void disk_full_in_a_single_run(void)
{
    bed.settings.once = true;
    planner_configure(&bed.planner, &bed.settings);
    bed.disk_full = true;
    bed_answer(0, BED_RESTART);
}

static void recovers_while_the_disk_is_full(void)
{
    bed.disk_full = true;
    bed_answer(0, BED_RESTART);
    assert_int_equal(bed.renews, 1);
    say_type("service_healthy");
    assert_null(work());
}

static void is_held_while_the_disk_is_full(void)
{
    bed.disk_full = true;
    bed_answer(0, BED_RESTART);
    is_held();
}

static void test_a_claim_is_given_back_where_nothing_was_decided(void **state)
{
    void (*const whys[])(void) = {fails,
                                  makes_no_sense,
                                  is_held,
                                  cannot_look,
                                  disk_full_in_a_single_run,
                                  recovers_while_the_disk_is_full,
                                  is_held_while_the_disk_is_full};
    for (size_t i = 0; i < COUNT(whys); i++) {
        bed_open(state);
        say("error", 1);
        asked();
        whys[i]();
        assert_int_equal(bed.drops, 1);
        assert_int_equal(bed.dones, 0);
        bed_check();
    }
}

static void test_a_full_disk_keeps_the_claim(void **state)
{
    (void)state;
    say("error", 1);
    asked();
    bed.disk_full = true;
    bed_answer(0, BED_RESTART);
    for (unsigned tries = 1; tries <= 3; tries++) {
        assert_int_equal(bed.renews, tries);
        bed_check();
        bed_later(WRITE_RETRY_MS);
        bed.disk_full = tries < 3;
        bed_turn();
    }
    assert_int_equal(bed.last, OUTCOME_PROPOSED);
    assert_int_equal(bed.renews, 3);
    assert_int_equal(bed.drops, 0);
    assert_int_equal(bed.dones, 1);
    assert_int_equal(bed.claims, 1);
    bed_check();
}

static void test_without_a_claim_nothing_is_renewed_or_dropped(void **state)
{
    (void)state;
    say("error", 1);
    claiming();
    bed_claimed(0, CLAIM_ALONE, 0, "");
    bed.disk_full = true;
    bed_answer(0, BED_RESTART); /* the bed fails what is ended and was not ours */
    bed.disk_full = false;
    bed_later(WRITE_RETRY_MS);
    bed_turn();
    assert_int_equal(bed.last, OUTCOME_PROPOSED);
    assert_int_equal(bed.renews + bed.drops, 0);
    assert_int_equal(bed.dones, 1);
}

/* The action is there: another planner must not write one while our audit event fails. */
static void test_an_action_without_its_audit_event_is_decided(void **state)
{
    (void)state;
    say("error", 1);
    asked();
    bed.audit_fails = true;
    bed_answer(0, BED_RESTART);
    assert_int_equal(bed.last, OUTCOME_WRITE_FAILED);
    assert_int_equal(bed.dones, 1);
    assert_int_equal(bed.drops, 0);
    bed_check();
    bed_later(WRITE_RETRY_MS);
    bed_turn();
    assert_int_equal(bed.dones, 1); /* and no more before there is news */
    bed.audit_fails = false;
    bed_later(WRITE_RETRY_MS);
    bed_turn();
    assert_int_equal(bed.last, OUTCOME_RESUMED);
    assert_int_equal(bed.dones, 2);
    assert_int_equal(bed.claims, 1);
    assert_int_equal(bed.kept, 0);
}

/* ---- Answers that nobody waits for ---- */

static void test_an_answer_after_it_was_taken_back(void **state)
{
    static const enum claim_view views[] = {CLAIM_OURS, CLAIM_ALONE, CLAIM_TAKEN, CLAIM_DONE,
                                            CLAIM_SEEN};
    for (size_t i = 0; i < COUNT(views); i++) {
        bed_open(state);
        say("error", 1);
        claiming();
        say_type("service_healthy");
        assert_int_equal(bed.cancels, 1);
        assert_false(planner_busy(&bed.planner));
        bed_claimed(0, views[i], 1000, "nodeB"); /* the slot is free */
        bed_check();
        bed_say(&(struct bed_event){.way = BY_STREAM, .severity = "error", .service = 2});
        asked();
        bed_claimed(0, views[i], 1000, "nodeB"); /* another has it */
        assert_int_equal(bed.asks, 1);
        assert_non_null(bed.asked[0]);
        bed_check();
        bed_answer(0, BED_IGNORE);
        assert_int_equal(bed.kept, 0);
    }
}

static void test_a_deployment_takes_back_a_claim_that_waits(void **state)
{
    (void)state;
    say("error", 1);
    claiming();
    unsigned behind = say("critical", 2);
    is_held();
    assert_int_equal(bed.cancels, 1);
    assert_int_equal(bed.drops, 0);
    assert_null(work()->next);
    bed_check();
    bed_later(DEPLOYMENT_HOLD_MS);
    asked();
    bed_answer(0, BED_RESTART);
    assert_int_equal(bed.events[behind].state, BED_FINISHED);
    assert_int_equal(bed.kept, 0);
}

static void test_repeats_join_what_is_being_claimed(void **state)
{
    (void)state;
    say("error", 1);
    claiming();
    say("error", 2);
    assert_int_equal(bed.last, OUTCOME_JOINED);
    assert_null(work()->next);
    assert_int_equal(work()->joined.count, 1);
    assert_int_equal(work()->state, WORK_CLAIMING);
    bed_turn();
    assert_int_equal(bed.claims, 1);
    bed_check();
}

/* Nobody is to wait for a planner that has said goodbye. */
static void test_a_stop_gives_back_what_is_asked(void **state)
{
    (void)state;
    say("error", 5);
    asked();
    planner_stop(&bed.planner);
    assert_int_equal(bed.cancels, 1);
    assert_int_equal(bed.drops, 1);
    assert_int_equal(work()->state, WORK_QUEUED);
    assert_int_equal(bed.kept, 1);
    bed_check();
}

static void test_a_stop_takes_back_a_claim_without_answer(void **state)
{
    (void)state;
    say("error", 5);
    claiming();
    planner_stop(&bed.planner);
    assert_int_equal(bed.cancels, 1);
    assert_int_equal(bed.drops, 0); /* the bus gives back what it is granted later */
    assert_int_equal(work()->state, WORK_QUEUED);
    bed_check();
}

/* What was decided is not to be decided by another: our next start goes on with it. */
static void test_a_stop_keeps_what_is_being_written(void **state)
{
    (void)state;
    say("error", 5);
    asked();
    bed.disk_full = true;
    bed_answer(0, BED_RESTART);
    assert_int_equal(work()->state, WORK_DECIDED);
    planner_stop(&bed.planner);
    assert_int_equal(bed.drops, 0);
    assert_int_equal(work()->state, WORK_DECIDED);
    bed_check();
}

#define TEST(name) cmocka_unit_test_setup(test_##name, bed_open)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_claim_comes_before_the_question),
        TEST(without_a_bus_the_question_comes_at_once),
        TEST(nothing_is_claimed_that_cannot_be_written),
        TEST(nothing_is_claimed_that_is_open),
        TEST(answers),
        TEST(an_owner_with_the_longest_name_or_a_longer_one),
        TEST(an_answer_after_the_claim_has_run_out_is_asked_for_anew),
        TEST(a_claim_of_another_is_waited_for),
        TEST(what_came_behind_waits_with_it),
        TEST(while_it_waits_the_slot_is_free),
        TEST(a_recovery_ends_what_waits),
        TEST(a_single_run_leaves_it_unfinished),
        TEST(what_another_has_decided_begins_no_cooldown),
        TEST(what_another_has_decided_is_counted_as_suppressed),
        TEST(a_graver_event_behind_goes_its_own_way),
        TEST(where_others_joined_an_event_seen_elsewhere_the_key_decides),
        TEST(a_copy_of_an_event_seen_elsewhere_is_no_news),
        TEST(alerts_are_claimed_too),
        TEST(an_alert_shows_no_other_events_attempts),
        TEST(a_claim_is_given_back_where_nothing_was_decided),
        TEST(a_full_disk_keeps_the_claim),
        TEST(without_a_claim_nothing_is_renewed_or_dropped),
        TEST(an_action_without_its_audit_event_is_decided),
        TEST(an_answer_after_it_was_taken_back),
        TEST(a_deployment_takes_back_a_claim_that_waits),
        TEST(repeats_join_what_is_being_claimed),
        TEST(a_stop_gives_back_what_is_asked),
        TEST(a_stop_takes_back_a_claim_without_answer),
        TEST(a_stop_keeps_what_is_being_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
