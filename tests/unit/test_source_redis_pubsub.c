#include "source/redis_pubsub.h"

#include "fake_redis.h"
#include "kept_log.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define T0 INT64_C(5000000)
#define HOUR (3600 * 1000)

static struct loop loop;
static struct redis_target target;
static struct redis_pubsub pubsub;
static char told[1024];

static void add(const char *what, struct span origin, const char *text)
{
    size_t n = strlen(told);

    (void)snprintf(told + n, sizeof(told) - n, "%s %.*s %s\n", what, (int)origin.n, origin.p, text);
}

static void event(void *ctx, struct span bytes, struct span origin)
{
    char text[64];

    assert_ptr_equal(ctx, told);
    (void)span_copy(text, sizeof(text), bytes);
    add("event", origin, text);
}

static void refused(void *ctx, struct span origin, const char *reason)
{
    assert_ptr_equal(ctx, told);
    add("refused", origin, reason);
}

static const struct redis_pubsub_ops ops = {event, refused};

static void start(int64_t silence_ms, uint64_t seed)
{
    memset(&pubsub, 0, sizeof(pubsub));
    pubsub.redis.name = "events";
    pubsub.redis.target = &target;
    pubsub.ops = &ops;
    pubsub.ctx = told;
    redis_pubsub_open(&pubsub, &loop, silence_ms, seed);
    fake_redis_ready(&pubsub.redis);
}

static int begin(void **state)
{
    memset(&loop, 0, sizeof(loop));
    loop.now.boot_ms = T0;
    told[0] = '\0';
    kept_log_open();
    return fake_redis_reset(state);
}

static int end(void **state)
{
    kept_log_close();
    return fake_redis_reset(state);
}

/* Runs the timer as often as it is due up to this time after T0; how often. */
static unsigned pass(int64_t to_ms)
{
    unsigned times = 0;

    while (pubsub.timer.set && pubsub.timer.deadline_ms <= T0 + to_ms) {
        if (loop.now.boot_ms < pubsub.timer.deadline_ms)
            loop.now.boot_ms = pubsub.timer.deadline_ms;
        loop_timer_clear(&loop, &pubsub.timer);
        pubsub.timer.due(&loop, pubsub.timer.arg);
        assert_true(++times < 100);
    }
    loop.now.boot_ms = T0 + to_ms;
    return times;
}

static void say(const char *channel)
{
    fake_redis_message(&pubsub.redis, channel, "x");
}

#define SILENT "\"event\":\"redis_channel_silent\""
#define HEARD "\"event\":\"redis_channel_heard\""

static void test_messages(void **state)
{
    (void)state;
    start(0, UINT64_C(0xfffffffa00bc0def));
    assert_string_equal(pubsub.redis.channels[0], "health_events");
    assert_string_equal(pubsub.redis.channels[1], "world_updates");
    assert_null(pubsub.redis.channels[2]);
    fake_redis_message(&pubsub.redis, "health_events", "{}");
    fake_redis_message(&pubsub.redis, "world_updates", "");
    fake_redis_message(&pubsub.redis, "health_events", NULL);
    fake_redis_message(&pubsub.redis, "health_event", "other");
    fake_redis_message(&pubsub.redis, "health_events2", "other");
    fake_redis_lose(&pubsub.redis);
    fake_redis_ready(&pubsub.redis);
    fake_redis_message(&pubsub.redis, "health_events", "again");
    assert_string_equal(told, "event health_events:00bc0def.1 {}\n"
                              "event world_updates:00bc0def.1 \n"
                              "refused health_events:00bc0def.2 too_large\n"
                              "event health_events:00bc0def.3 again\n");
    assert_int_equal(pubsub.channels[0].messages, 3);
    assert_int_equal(pubsub.channels[1].messages, 1);
    redis_pubsub_close(&pubsub);
    assert_int_equal(fake_redis_closes(&pubsub.redis), 1);
}

/* Two starts name their messages differently. */
static void test_starts_differ(void **state)
{
    (void)state;
    start(0, 1);
    say("health_events");
    redis_pubsub_close(&pubsub);
    start(0, 2);
    say("health_events");
    assert_string_equal(told, "event health_events:00000001.1 x\n"
                              "event health_events:00000002.1 x\n");
    redis_pubsub_close(&pubsub);
}

/* As far as a number of messages goes, an origin has room for it. */
static void test_many_messages(void **state)
{
    (void)state;
    start(0, UINT64_MAX);
    pubsub.channels[0].messages = INT64_MAX - 1;
    say("health_events");
    assert_string_equal(told, "event health_events:ffffffff.9223372036854775807 x\n");
    redis_pubsub_close(&pubsub);
}

static void test_silence(void **state)
{
    (void)state;
    start(60000, 1);
    assert_int_equal(pass(59999), 1); /* that of the start */
    say("world_updates");
    assert_int_equal(kept_log_lines(), 0);
    pass(60000);
    assert_int_equal(kept_log_has(SILENT ",\"channel\":\"health_events\",\"silent_seconds\":60}"),
                     1);
    assert_true(pubsub.channels[0].silent);
    assert_false(pubsub.channels[1].silent);
    assert_int_equal(kept_log_lines(), 1);
    pass(119998);
    assert_int_equal(kept_log_lines(), 1);
    pass(119999);
    assert_int_equal(kept_log_has(SILENT ",\"channel\":\"world_updates\",\"silent_seconds\":60}"),
                     1);
    /* Once an hour. */
    pass(60000 + HOUR - 1);
    assert_int_equal(kept_log_has(SILENT), 2);
    pass(60000 + HOUR);
    assert_int_equal(kept_log_has(SILENT ",\"channel\":\"health_events\",\"silent_seconds\":3660}"),
                     1);
    assert_int_equal(kept_log_has(SILENT), 3);
    pass(60000 + HOUR + 10000);
    say("health_events");
    assert_int_equal(kept_log_has(HEARD ",\"channel\":\"health_events\",\"silent_seconds\":3670}"),
                     1);
    assert_false(pubsub.channels[0].silent);
    say("health_events");
    assert_int_equal(kept_log_has(HEARD), 1);
    redis_pubsub_close(&pubsub);
    assert_false(pubsub.timer.set);
}

/* A channel with a message now and then: silent and not, but one warning an hour. */
static void test_one_warning_an_hour(void **state)
{
    (void)state;
    start(60000, 1);
    for (int64_t ms = 0; ms < HOUR; ms += 120000) {
        pass(ms);
        say("health_events");
        say("world_updates");
        assert_false(pubsub.channels[0].silent);
        pass(ms + 61000);
        assert_true(pubsub.channels[0].silent);
    }
    assert_int_equal(kept_log_has(SILENT), 2);
    assert_int_equal(kept_log_has(HEARD), 2); /* what was not said to be silent, is not heard */
    pass(HOUR);
    say("health_events");
    pass(HOUR + 120000);
    assert_int_equal(kept_log_has(SILENT ",\"channel\":\"health_events\""), 2);
    redis_pubsub_close(&pubsub);
}

/* Quiet or not, nothing wakes the loop often. */
static void test_wakes(void **state)
{
    (void)state;
    start(HOUR, 1);
    for (int64_t ms = 0; ms < HOUR; ms += 1000) {
        loop.now.boot_ms = T0 + ms;
        say("health_events");
    }
    loop.now.boot_ms = T0;
    assert_in_range(pass(10 * HOUR), 10, 24);
    redis_pubsub_close(&pubsub);
}

static void test_a_reload(void **state)
{
    (void)state;
    start(0, 1);
    assert_int_equal(pass(2 * HOUR), 0); /* 0 = never */
    redis_pubsub_set_silence(&pubsub, HOUR);
    pass(2 * HOUR);
    assert_int_equal(kept_log_has(SILENT), 2);
    redis_pubsub_set_silence(&pubsub, 3 * HOUR); /* so long it was not */
    pass(2 * HOUR);
    assert_false(pubsub.channels[0].silent);
    say("health_events");
    assert_int_equal(kept_log_has(HEARD), 0);
    redis_pubsub_set_silence(&pubsub, HOUR);
    pass(2 * HOUR);
    assert_false(pubsub.channels[0].silent);
    assert_true(pubsub.channels[1].silent);
    redis_pubsub_set_silence(&pubsub, 0);
    assert_false(pubsub.channels[1].silent);
    assert_int_equal(pass(9 * HOUR), 0);
    assert_int_equal(kept_log_has(SILENT), 2);
    redis_pubsub_close(&pubsub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_messages, begin, end),
        cmocka_unit_test_setup_teardown(test_starts_differ, begin, end),
        cmocka_unit_test_setup_teardown(test_many_messages, begin, end),
        cmocka_unit_test_setup_teardown(test_silence, begin, end),
        cmocka_unit_test_setup_teardown(test_one_warning_an_hour, begin, end),
        cmocka_unit_test_setup_teardown(test_wakes, begin, end),
        cmocka_unit_test_setup_teardown(test_a_reload, begin, end),
    };

    return cmocka_run_group_tests_name("source/redis_pubsub", tests, NULL, NULL);
}
