/* When the memory of events is full, it is as when the queue is. */
#include "planner_bed.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static struct queue *queue(void)
{
    return &bed.planner.queue;
}

/* As if others had all but so many blocks. */
static void leave(unsigned blocks)
{
    unsigned taken = queue()->events.taken - bed.blocks_taken;

    bed.blocks_taken = (uint16_t)(EVENT_BLOCKS_MAX - blocks - taken);
    queue()->events.taken = (uint16_t)(EVENT_BLOCKS_MAX - blocks);
}

static unsigned say(enum bed_way way, const char *severity, unsigned service, unsigned more)
{
    return bed_say(
        &(struct bed_event){.way = way, .severity = severity, .service = service, .more = more});
}

static struct work *find(unsigned service)
{
    char key[32];

    snprintf(key, sizeof(key), "solaria/s%u", service);
    return queue_find(queue(), span_of(key));
}

static size_t message_of(unsigned service)
{
    struct event room;

    return strlen(queue_event(queue(), find(service), &room)->message);
}

static void test_what_can_be_read_again_leaves_some(void **state)
{
    (void)state;
    leave(EVENT_BLOCKS_MAX - EVENT_BLOCKS_DURABLE_MAX + EVENT_PACK_BLOCKS);
    assert_int_equal(queue_room(queue(), false), 1);
    assert_int_equal(queue_room(queue(), true), 0);
    unsigned kept = say(BY_FILE, "info", 1, 0);
    assert_int_equal(bed.events[kept].state, BED_KEPT);
    assert_int_equal(queue_room(queue(), false), 0);
    for (enum bed_way way = BY_FILE; way <= BY_STREAM; way++) {
        unsigned n = say(way, "critical", 2, 0);
        assert_int_equal(bed.took, PLANNER_NO_SLOT);
        assert_int_equal(bed.events[n].state, BED_UNREAD);
    }
    say(BY_MESSAGE, "info", 3, 0);
    assert_non_null(find(3));
    assert_int_equal(bed.planner.counts[OUTCOME_QUEUE_FULL], 0);
    bed_check();
}

static void test_a_graver_message_takes_the_place_of_as_many_as_it_needs(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 20; i++) {
        say(BY_MESSAGE, i == 20 ? "error" : "info", i, 0);
        bed_later(1);
    }
    leave(0);
    say(BY_MESSAGE, "warning", 30, 400);
    assert_non_null(find(30));
    assert_int_equal(message_of(30), 400);
    assert_in_range(bed.planner.counts[OUTCOME_QUEUE_FULL], 2, 18);
    assert_int_equal(queue()->count, 21 - bed.planner.counts[OUTCOME_QUEUE_FULL]);
    assert_null(find(1)); /* the oldest first */
    assert_non_null(find(19));
    assert_non_null(find(20));
    bed_check();
}

static void test_where_none_is_less_grave_the_message_is_dropped(void **state)
{
    (void)state;
    say(BY_MESSAGE, "error", 1, 0);
    leave(0);
    say(BY_MESSAGE, "error", 2, 0);
    assert_null(find(2));
    assert_non_null(find(1));
    assert_int_equal(bed.last, OUTCOME_QUEUE_FULL);
    bed_check();
}

/* Nothing goes in vain: what would not be enough stays. */
static void test_a_message_that_not_even_all_of_them_make_room_for(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 5; i++)
        say(BY_MESSAGE, i == 5 ? "error" : "info", i, 0);
    say(BY_STREAM, "info", 6, 900); /* is read again: it keeps its place */
    leave(5);
    unsigned small = find(1)->pack.count;
    unsigned most = (5 + 4 * small) * EVENT_BLOCK_BYTES;
    say(BY_MESSAGE, "warning", 7, most);
    assert_null(find(7));
    assert_int_equal(bed.last, OUTCOME_QUEUE_FULL);
    assert_int_equal(bed.planner.counts[OUTCOME_QUEUE_FULL], 1);
    assert_int_equal(queue()->count, 6);
    bed_check();
    /* Every block of theirs, and those that are free. */
    unsigned fits = most;
    while (find(7) == NULL)
        say(BY_MESSAGE, "warning", 7, --fits);
    assert_int_equal(bed.planner.counts[OUTCOME_QUEUE_FULL], 4 + most - fits);
    assert_int_equal(queue()->count, 3);
    assert_int_equal(queue()->events.taken, EVENT_BLOCKS_MAX);
    bed_check();
}

/* Nor for one that would lead: the place of its own piece is its to use. */
static void test_a_leader_and_what_would_not_be_enough(void **state)
{
    (void)state;
    say(BY_MESSAGE, "info", 1, 500);
    say(BY_MESSAGE, "info", 2, 200);
    leave(0);
    say(BY_MESSAGE, "error", 1, 1000);
    assert_int_equal(bed.last, OUTCOME_JOINED);
    assert_int_equal(message_of(1), 500);
    assert_non_null(find(2));
    say(BY_MESSAGE, "error", 1, 750);
    assert_int_equal(message_of(1), 750);
    assert_null(find(2));
    assert_int_equal(bed.planner.counts[OUTCOME_QUEUE_FULL], 1);
    bed_check();
}

/* Where a place under a key is all that lacks, one piece goes. */
static void test_a_full_queue_and_enough_memory(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= QUEUE_MAX; i++)
        say(BY_MESSAGE, "info", i, 0);
    say(BY_MESSAGE, "error", QUEUE_MAX + 1, 1000);
    assert_non_null(find(QUEUE_MAX + 1));
    assert_int_equal(bed.planner.counts[OUTCOME_QUEUE_FULL], 1);
    assert_int_equal(queue()->count, QUEUE_MAX);
    bed_check();
}

/* Its own event has a place, which may be too small for what would lead. */
static void test_a_leader_that_has_no_room(void **state)
{
    (void)state;
    say(BY_MESSAGE, "error", 1, 0);
    leave(0);
    unsigned n = say(BY_STREAM, "critical", 1, 500);
    assert_int_equal(bed.took, PLANNER_NO_SLOT);
    assert_int_equal(bed.events[n].state, BED_UNREAD);
    assert_int_equal(find(1)->joined.count, 0);
    assert_int_equal(find(1)->severity, SEVERITY_ERROR);
    say(BY_MESSAGE, "critical", 1, 500); /* nobody can read it again: it joins */
    assert_int_equal(bed.last, OUTCOME_JOINED);
    assert_int_equal(message_of(1), 0);
    bed_check();
    say(BY_MESSAGE, "critical", 1, 0); /* as long as its own */
    assert_int_equal(find(1)->severity, SEVERITY_CRITICAL);
    say(BY_MESSAGE, "critical", 1, 0); /* which is less grave than nothing now */
    say(BY_MESSAGE, "error", 1, 900);  /* joins: it needs no place */
    assert_int_equal(bed.last, OUTCOME_JOINED);
    assert_int_equal(find(1)->joined.count, 4);
    bed_check();
    leave(60);
    unsigned again = bed_offer(n);
    assert_int_equal(again, PLANNER_KEEPS);
    bed_check();
}

static void test_a_leader_takes_the_place_of_others_not_of_its_own_piece(void **state)
{
    (void)state;
    say(BY_MESSAGE, "info", 1, 0);
    say(BY_MESSAGE, "warning", 2, 400);
    leave(0);
    say(BY_MESSAGE, "error", 1, 300);
    assert_non_null(find(1));
    assert_null(find(2));
    assert_int_equal(message_of(1), 300);
    assert_int_equal(find(1)->joined.count, 1);
    bed_check();
}

static void test_behind_a_slot_too(void **state)
{
    (void)state;
    bed.settings.concurrency = 1;
    planner_configure(&bed.planner, &bed.settings);
    say(BY_MESSAGE, "error", 1, 0);
    bed_turn();
    assert_true(queue_is_busy(find(1)));
    say(BY_MESSAGE, "info", 2, 300);
    leave(0);
    unsigned n = say(BY_FILE, "critical", 1, 0);
    assert_int_equal(bed.events[n].state, BED_UNREAD);
    assert_null(find(1)->next);
    say(BY_MESSAGE, "critical", 1, 100);
    assert_non_null(find(1)->next);
    assert_null(find(2));
    bed_check();
    /* It takes its leader's place, where nothing else is left. */
    leave(0);
    bed_claimed(0, CLAIM_OURS, 0, "");
    bed_answer(0, NULL);
    assert_null(find(1)->next);
    assert_int_equal(message_of(1), 100);
    assert_int_equal(find(1)->severity, SEVERITY_CRITICAL);
    bed_check();
}

/* What a deployment has held finds its place again, however full it is. */
static void test_what_was_held_keeps_its_place(void **state)
{
    (void)state;
    bed_say(&(struct bed_event){.way = BY_MESSAGE,
                                .type = "deployment_started",
                                .severity = "info",
                                .service = 1,
                                .age_s = 10});
    unsigned n = say(BY_STREAM, "error", 1, 700);
    assert_int_equal(find(1)->state, WORK_HELD);
    leave(0);
    bed_later(DEPLOYMENT_HOLD_MS);
    bed_turn();
    assert_int_equal(bed.events[n].state, BED_KEPT);
    assert_int_equal(message_of(1), 700);
    bed_check();
}

#define TEST(name) cmocka_unit_test_setup(test_##name, bed_open)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_can_be_read_again_leaves_some),
        TEST(a_graver_message_takes_the_place_of_as_many_as_it_needs),
        TEST(where_none_is_less_grave_the_message_is_dropped),
        TEST(a_message_that_not_even_all_of_them_make_room_for),
        TEST(a_leader_and_what_would_not_be_enough),
        TEST(a_full_queue_and_enough_memory),
        TEST(a_leader_that_has_no_room),
        TEST(a_leader_takes_the_place_of_others_not_of_its_own_piece),
        TEST(behind_a_slot_too),
        TEST(what_was_held_keeps_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
