#include "daemon/decisions.h"

#include "base/json_read.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static struct decisions decisions;
static struct event event;

static int setup(void **state)
{
    (void)state;
    memset(&decisions, 0, sizeof(decisions));
    memset(&event, 0, sizeof(event));
    return 0;
}

static bool note(enum outcome outcome, const char *service, int64_t at_ms)
{
    span_cut(event.node, sizeof(event.node), span_of("solaria"));
    span_cut(event.service, sizeof(event.service), span_of(service));
    span_cut(event.type, sizeof(event.type), span_of("service_unhealthy"));
    struct decision decision = {
        .outcome = outcome,
        .event = outcome == OUTCOME_REFUSED ? NULL : &event,
        .reason = "because",
        .action_id = "",
        .action = "",
        .model = "",
        .origin = service,
        .suppressed = 3,
    };

    return decisions_note(&decisions, &decision, at_ms);
}

/* The oldest is 0. */
static const struct decisions_entry *entry(unsigned i)
{
    const struct decisions_entry *e = decisions_before(&decisions, UINT64_MAX);

    for (unsigned newer = decisions.count - 1; newer > i; newer--)
        e = decisions_before(&decisions, e->number);
    return e;
}

static void test_repeats_are_counted(void **state)
{
    (void)state;
    assert_true(note(OUTCOME_COOLDOWN, "web", 1));
    assert_true(note(OUTCOME_COOLDOWN, "db", 2));
    assert_false(note(OUTCOME_COOLDOWN, "web", 3));
    assert_true(note(OUTCOME_ALREADY_OPEN, "web", 4));
    assert_int_equal(decisions.count, 3);
    assert_string_equal(entry(0)->service, "db");
    assert_string_equal(entry(1)->service, "web");
    assert_int_equal(entry(1)->times, 2);
    assert_int_equal(entry(1)->at_ms, 3);
    assert_int_equal(entry(1)->suppressed, 3);
    assert_int_equal(entry(2)->outcome, OUTCOME_ALREADY_OPEN);
}

static void test_ends_stand_alone(void **state)
{
    static const enum outcome ends[] = {OUTCOME_PROPOSED, OUTCOME_IGNORED, OUTCOME_RESUMED};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(note(ends[i], "web", 1));
        assert_true(note(ends[i], "web", 2));
    }
    assert_int_equal(decisions.count, 6);
}

/* What became of it takes the place of what was said on the way. */
static void test_an_end_replaces_what_led_to_it(void **state)
{
    (void)state;
    assert_true(note(OUTCOME_HELD, "web", 1));
    assert_true(note(OUTCOME_CHAIN_FAILED, "web", 2));
    assert_true(note(OUTCOME_WRITE_FAILED, "db", 3));
    assert_true(note(OUTCOME_WRITE_FAILED, "web", 4));
    assert_false(note(OUTCOME_WRITE_FAILED, "web", 5));
    assert_int_equal(decisions.count, 4);
    assert_true(note(OUTCOME_REFUSED, "web", 6)); /* a file, not this event */
    assert_true(note(OUTCOME_PROPOSED, "web", 7));
    assert_int_equal(decisions.count, 3);
    assert_string_equal(entry(0)->service, "db");
    assert_int_equal(entry(1)->outcome, OUTCOME_REFUSED);
    assert_int_equal(entry(2)->outcome, OUTCOME_PROPOSED);
}

static void test_queued_is_not_kept(void **state)
{
    (void)state;
    assert_false(note(OUTCOME_QUEUED, "web", 1));
    assert_int_equal(decisions.count, 0);
}

static void test_the_oldest_goes(void **state)
{
    (void)state;
    for (int i = 0; i < DECISIONS_KEPT + 7; i++)
        assert_true(note(OUTCOME_PROPOSED, "web", i));
    assert_int_equal(decisions.count, DECISIONS_KEPT);
    assert_int_equal(entry(0)->at_ms, 7);
    assert_int_equal(entry(DECISIONS_KEPT - 1)->at_ms, DECISIONS_KEPT + 6);
}

/* A flood of what is dull leaves what is not in its place. */
static void test_floods(void **state)
{
    static const enum outcome floods[] = {OUTCOME_BENIGN, OUTCOME_REFUSED, OUTCOME_NOT_WATCHED};
    unsigned dull = 0;

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_true(note(OUTCOME_PROPOSED, "web", i));
    for (unsigned f = 0; f < 3; f++)
        for (int i = 0; i < 100; i++) {
            char service[16];
            assert_true(snprintf(service, sizeof(service), "s%d", i) > 0);
            assert_true(note(floods[f], service, 100 + i));
        }
    assert_int_equal(decisions.count, 10 + 2 * DECISIONS_QUIET_KEPT);
    for (unsigned i = 0; i < decisions.count; i++)
        dull += entry(i)->outcome != OUTCOME_PROPOSED;
    assert_int_equal(dull, 2 * DECISIONS_QUIET_KEPT);
    assert_int_equal(entry(decisions.count - 1)->outcome, OUTCOME_NOT_WATCHED);
}

static void test_texts_are_cut(void **state)
{
    char long_text[2000];
    struct decision decision = {.outcome = OUTCOME_PROPOSED, .event = &event};

    (void)state;
    memset(long_text, 'x', sizeof(long_text));
    long_text[sizeof(long_text) - 1] = '\0';
    memset(event.node, 'n', sizeof(event.node) - 1);
    memset(event.type, 't', sizeof(event.type) - 1);
    decision.reason = decision.action_id = decision.action = long_text;
    decision.model = decision.origin = long_text;
    assert_true(decisions_note(&decisions, &decision, 1));
    const struct decisions_entry *e = entry(0);
    assert_int_equal(strlen(e->reason), sizeof(e->reason) - 1);
    assert_string_equal(e->reason + strlen(e->reason) - 3, "...");
    assert_int_equal(strlen(e->node), sizeof(e->node) - 1);
    assert_int_equal(strlen(e->action_id), sizeof(e->action_id) - 1);
}

/* Writes {"decisions":[...]} with so much room; the number of entries written. */
static int write_all(char *storage, size_t room, size_t reserve, int64_t *first_at)
{
    static jsmntok_t tokens[4096];
    char stamp[64];
    struct json doc;
    struct json_write w;
    struct buf b;
    int count = 0;

    buf_init(&b, storage, room);
    json_write_init(&w, &b);
    json_write_object(&w, NULL);
    decisions_write(&decisions, &w, reserve);
    assert_int_equal(buf_done(&b), 0);
    assert_true(room - b.n >= reserve - 1); /* the closing bracket is part of the reserve */
    json_write_end_object(&w);
    assert_int_equal(json_read(&doc, b.p, b.n, tokens, 4096, 8), JSON_OK);
    json_ref list = json_member(&doc, JSON_ROOT, "decisions");
    for (json_ref at = json_first(&doc, list); at != JSON_NONE; at = json_next(&doc, list, at))
        if (count++ == 0) {
            assert_true(
                json_string(&doc, json_member(&doc, at, "timestamp"), stamp, sizeof(stamp)) > 0);
            *first_at = stamp[strlen("1970-01-01T00:00:00.00")] - '0';
        }
    return count;
}

static void test_writes_the_newest_that_fit(void **state)
{
    char storage[8192];
    int64_t first = -1;

    (void)state;
    for (int i = 0; i < 9; i++)
        assert_true(note(OUTCOME_PROPOSED, "web", i));
    assert_int_equal(write_all(storage, sizeof(storage), 8, &first), 9);
    assert_int_equal(first, 8);
    assert_int_equal(write_all(storage, 700, 8, &first), 2);
    assert_int_equal(first, 8);
    for (size_t room = 24; room < 4000; room++)
        (void)write_all(storage, room, 8, &first);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_repeats_are_counted),
        TEST(test_ends_stand_alone),
        TEST(test_an_end_replaces_what_led_to_it),
        TEST(test_queued_is_not_kept),
        TEST(test_the_oldest_goes),
        TEST(test_floods),
        TEST(test_texts_are_cut),
        TEST(test_writes_the_newest_that_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
