/* The stream source's conversation with a server that says what the test wants. */
#include "source/redis_stream.h"

#include "fake_redis.h"
#include "kept_log.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define T0 INT64_C(5000000)

/* What the server is asked, in the order of a start. */
#define LOOK "XINFO GROUPS s"
#define GROUP "[[name other last-delivered-id 9-9] [name planner pending :0 last-delivered-id 5-0]]"
#define COMPARE "EVAL 'local e=redis.call('XREVRANGE',*' 1 s"
#define MAKE(from) "XGROUP CREATE s planner " from " MKSTREAM"
#define WALK(from) "XPENDING s planner " from " + 64 me"
#define TAKE(cursor, count) "XAUTOCLAIM s planner me 600000 " cursor " COUNT " count " JUSTID"
#define READ_N(count) "XREADGROUP GROUP planner me COUNT " count " BLOCK 10000 STREAMS s >"
#define READ READ_N("64")
#define READ_ONCE "XREADGROUP GROUP planner me COUNT 64 STREAMS s >"
#define DEAD "XADD s:dead MAXLEN ~ 10000 * "

static struct loop loop;
static struct redis_target target;
static struct redis reader, commands;
static unsigned slots;
static bool ends_within; /* what is kept has ended before event() returns */
static char told[4096];
static uint32_t refs[STREAM_ENTRIES_MAX + 100];
static unsigned kept;

/* ---- The planner's side ---- */

static void tell(const char *what, struct span origin, const char *text)
{
    size_t n = strlen(told);

    if (n + 300 < sizeof(told))
        (void)snprintf(told + n, sizeof(told) - n, "%s %.*s %s\n", what, (int)origin.n, origin.p,
                       text);
}

static bool has(struct span s, const char *word)
{
    return memmem(s.p, s.n, word, strlen(word)) != NULL;
}

static enum stream_took event(void *ctx, struct span bytes, struct span origin, uint32_t ref,
                              const char **reason)
{
    char text[200];

    assert_ptr_equal(ctx, told);
    (void)span_cut(text, sizeof(text), bytes);
    if (has(bytes, "bad")) {
        *reason = has(bytes, "noreason") ? NULL : "no_type";
        tell("bad", origin, text);
        return STREAM_REFUSED;
    }
    if (has(bytes, "benign")) {
        tell("ended", origin, text);
        return STREAM_ENDED;
    }
    if (slots == 0 || has(bytes, "stubborn")) {
        tell("no_slot", origin, text);
        return STREAM_NO_SLOT;
    }
    tell("kept", origin, text);
    slots--;
    refs[kept++] = ref;
    if (ends_within)
        redis_stream_finished(ref);
    return STREAM_KEPT;
}

static void refused(void *ctx, struct span origin, const char *reason)
{
    assert_ptr_equal(ctx, told);
    tell("refused", origin, reason);
}

static unsigned free_slots(void *ctx)
{
    assert_ptr_equal(ctx, told);
    return slots;
}

static const struct redis_stream_ops ops = {event, refused, free_slots};

static void expect_told(const char *text)
{
    assert_string_equal(told, text);
    told[0] = '\0';
}

/* ---- The bed ---- */

static void commands_ready(void *arg)
{
    (void)arg;
    redis_stream_commands(true);
}

static void commands_lost(void *arg)
{
    (void)arg;
    redis_stream_commands(false);
}

static const struct redis_ops commands_ops = {.ready = commands_ready, .lost = commands_lost};

static void open_streams(const char *names, bool once)
{
    const struct redis_stream_settings settings = {span_of(names), "me", once};
    char why[REDIS_WHY_MAX + 1];

    memset(&reader, 0, sizeof(reader));
    memset(&commands, 0, sizeof(commands));
    reader.name = "stream";
    commands.name = "commands";
    reader.target = commands.target = &target;
    commands.ops = &commands_ops;
    redis_open(&commands, &loop, 1);
    assert_int_equal(redis_stream_open(&loop, &reader, &commands, &settings, &ops, told, 1, why),
                     0);
}

static int begin(void **state)
{
    memset(&loop, 0, sizeof(loop));
    loop.now.boot_ms = T0;
    told[0] = '\0';
    slots = 1000;
    kept = 0;
    ends_within = false;
    kept_log_open();
    return fake_redis_reset(state);
}

static int end(void **state)
{
    redis_stream_close();
    redis_close(&commands);
    assert_int_equal(loop.timer_count, 0);
    kept_log_close();
    return fake_redis_reset(state);
}

/* Expects these commands, in this order, and answers them; each with a turn before it. */
static void serve(struct redis *r, const char *command, const char *answer)
{
    redis_stream_turn();
    fake_redis_expect_answer(r, command, answer);
}

static void ask(const char *command, const char *answer)
{
    serve(&commands, command, answer);
}

static void quiet(void)
{
    redis_stream_turn();
    fake_redis_quiet(&commands);
}

/* Up to where it waits for new entries. */
static void start(void)
{
    open_streams("s", false);
    fake_redis_ready(&commands);
    fake_redis_ready(&reader);
    ask(LOOK, GROUP);
    ask(WALK("0-0"), "[]");
    ask(TAKE("0-0", "64"), "[0-0 []]");
    quiet();
    fake_redis_expect(&reader, READ);
}

/* New entries: "[<id> [<fields>]]...". */
static void give(const char *entries)
{
    static char answer[65536];
    int n = snprintf(answer, sizeof(answer), "[[s [%s]]]", entries);

    assert_in_range(n, 1, sizeof(answer) - 1);
    fake_redis_answer(&reader, answer);
}

static void pass(int64_t ms)
{
    loop.now.boot_ms += ms;
}

/* When it wants to be woken, after T0. */
static int64_t wakes(void)
{
    return loop.timer_count == 0 ? -1 : loop.timers[0]->deadline_ms - T0;
}

/* ---- A start ---- */

static void test_group_is_there(void **state)
{
    (void)state;
    open_streams("s", false);
    assert_int_equal(fake_redis_opens(&reader), 1);
    quiet();
    fake_redis_ready(&commands);
    redis_stream_turn();
    fake_redis_expect_answer(&commands, LOOK, GROUP);
    fake_redis_quiet(&commands); /* only a turn sends */
    redis_stream_turn();
    fake_redis_expect(&commands, WALK("0-0"));
    assert_int_equal(fake_redis_limit(&commands), 0);
    fake_redis_answer(&commands, "[]");
    ask(TAKE("0-0", "64"), "[0-0 []]");
    fake_redis_quiet(&reader);
    fake_redis_ready(&reader); /* what is ours is looked for again, then it reads */
    ask(WALK("0-0"), "[]");
    quiet();
    fake_redis_expect(&reader, READ);
    assert_int_equal(fake_redis_limit(&reader), STREAM_BLOCK_MS + REDIS_ANSWER_MS);
    assert_int_equal(kept_log_lines(), 0);
    fake_redis_answer(&reader, "_");
    quiet();
    fake_redis_expect(&reader, READ);
}

static void test_group_is_made_at_the_end(void **state)
{
    (void)state;
    open_streams("s", false);
    fake_redis_ready(&commands);
    ask(LOOK, "[]");
    ask(MAKE("$"), "+OK");
    assert_int_equal(
        kept_log_has("\"event\":\"stream_group_made\",\"stream\":\"s\",\"from\":\"$\""), 1);
    ask(LOOK, GROUP); /* where is that? */
    ask(WALK("0-0"), "[]");
    assert_true(redis_stream_counts()->changed && redis_stream_counts()->found);
    redis_stream_saved();
    assert_false(redis_stream_counts()->changed || redis_stream_counts()->found);
    char line[256];
    struct buf b;
    uint32_t at = 0;
    buf_init(&b, line, sizeof(line));
    assert_true(redis_stream_save(&b, &at));
    assert_true(span_is(buf_view(&b), "{\"stream\":\"s\",\"last\":\"5-0\"}"));
    assert_false(redis_stream_save(&b, &at));
}

/* Where there is no stream, its end is its start. */
static void test_stream_is_not_there(void **state)
{
    (void)state;
    open_streams("s", false);
    fake_redis_ready(&commands);
    ask(LOOK, "-ERR no such key");
    ask(MAKE("0"), "+OK");
    ask(LOOK, GROUP);
    ask(WALK("0-0"), "[]");
}

static void test_another_makes_the_group(void **state)
{
    (void)state;
    open_streams("s", false);
    fake_redis_ready(&commands);
    ask(LOOK, "[]");
    ask(MAKE("$"), "-BUSYGROUP Consumer Group name already exists");
    ask(LOOK, GROUP);
    ask(WALK("0-0"), "[]");
    assert_int_equal(kept_log_lines(), 0);
}

static void load(const char *line, int result)
{
    if (redis_stream_load(span_of(line)) != result)
        fail_msg("%s", line);
}

static void test_group_is_made_from_the_last_id(void **state)
{
    static const struct {
        const char *newest, *from;
    } cases[] = {
        {"8-1", MAKE("7-3")}, {"7-3", MAKE("7-3")}, {"7-2", MAKE("0")}, {"0-0", MAKE("0")}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        load("{\"stream\":\"other\",\"last\":\"1-1\"}", 0);
        load("{\"stream\":\"s\",\"last\":\"7-3\"}", 0);
        open_streams("s", false);
        fake_redis_ready(&commands);
        ask(LOOK, "[]");
        ask(COMPARE, cases[i].newest);
        ask(cases[i].from, "+OK");
        ask(LOOK, GROUP);
        ask(WALK("0-0"), "[]");
        (void)end(NULL);
        (void)begin(NULL);
    }
    /* Lines are for one opening. */
    open_streams("s", false);
    fake_redis_ready(&commands);
    ask(LOOK, "[]");
    ask(MAKE("$"), "+OK");
}

/* Lost with its data, and read before: from the start. */
static void test_group_is_made_from_the_start(void **state)
{
    (void)state;
    load("{\"stream\":\"s\",\"last\":\"7-3\"}", 0);
    open_streams("s", false);
    fake_redis_ready(&commands);
    ask(LOOK, "-ERR no such key");
    ask(MAKE("0"), "+OK");
    assert_true(redis_stream_counts()->changed);
    ask(LOOK, GROUP);
    assert_false(redis_stream_counts()->found);
    char line[256];
    struct buf b;
    uint32_t at = 0;
    buf_init(&b, line, sizeof(line));
    assert_true(redis_stream_save(&b, &at));
    assert_true(span_is(buf_view(&b), "{\"stream\":\"s\",\"last\":\"0-0\"}"));
}

static void test_lines(void **state)
{
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "null",
        "{\"stream\":\"s\"}",
        "{\"last\":\"1-1\"}",
        "{\"stream\":\"s\",\"last\":\"1\"}",
        "{\"stream\":\"s\",\"last\":1}",
        "{\"stream\":\"\",\"last\":\"1-1\"}",
        "{\"stream\":\"a b\",\"last\":\"1-1\"}",
        "{\"stream\":1,\"last\":\"1-1\"}",
        "{\"stream\":\"s\",\"last\":\"1-1\"",
        "{\"stream\":\"s\\u0000\",\"last\":\"1-1\"}",
        "{\"stream\":\"s\",\"last\":\"18446744073709551616-0\"}",
        "{\"stream\":\"s\",\"last\":\"18446744073709551615-18446744073709551615-1\"}"};
    char line[256];

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        load(bad[i], -1);
    for (int i = 0; i < STREAMS_MAX; i++) {
        (void)snprintf(line, sizeof(line), "{\"stream\":\"a\\\"%d\",\"last\":\"%d-0\"}", i, i);
        load(line, 0);
    }
    load(line, -1);
    open_streams("a\"7,a\"3", false);
    struct buf b;
    uint32_t at = 0;
    buf_init(&b, line, sizeof(line));
    assert_true(redis_stream_save(&b, &at));
    assert_true(redis_stream_save(&b, &at));
    assert_false(redis_stream_save(&b, &at));
    assert_true(span_is(buf_view(&b), "{\"stream\":\"a\\\"7\",\"last\":\"7-0\"}"
                                      "{\"stream\":\"a\\\"3\",\"last\":\"3-0\"}"));
}

static void test_refused_at_the_start(void **state)
{
    static const struct {
        const char *answers[4]; /* the last one is refused */
        const char *error;
    } cases[] = {
        {{"-WRONGTYPE so"},
         "\"level\":\"error\",\"event\":\"stream_refused\",\"stream\":\"s\","
         "\"command\":\"XINFO\",\"error\":\"WRONGTYPE so\""},
        {{"-LOADING so"}, "\"level\":\"warning\",\"event\":\"stream_refused\""},
        {{"+OK"}, "makes no sense"},
        {{"_"}, "makes no sense"},
        {{":1"}, "makes no sense"},
        {{"[[name planner]]"}, "makes no sense"},
        {{"[[name planner last-delivered-id x]]"}, "makes no sense"},
        {{"[[name planner last-delivered-id :5]]"}, "makes no sense"},
        {{"[[name planner last-delivered-id _]]"}, "makes no sense"},
        {{"[:1 _ [] [a] [name] [name _] [:1 planner] [planner name]]", "-OOM so"}, "OOM so"},
        {{"[]", "-NOPERM so"}, "\"command\":\"XGROUP\",\"error\":\"NOPERM so\""},
        {{"[]", "+OK", "[]"}, "makes no sense"}, /* it is made, and is not there */
        {{"[]", "+OK", "-ERR no such key"}, "no such key"},
        {{GROUP, "+OK"}, "makes no sense"},
        {{GROUP, "_"}, "\"command\":\"XPENDING\",\"error\":\"a reply that makes no sense"},
        {{GROUP, "[a]"}, "makes no sense"},
        {{GROUP, "[[1-1 me :5]]"}, "makes no sense"},
        {{GROUP, "[[1-1 me :5 6]]"}, "makes no sense"},
        {{GROUP, "[[1-1 me :5 :6 :7]]"}, "makes no sense"},
        {{GROUP, "[[:1 me :5 :6]]"}, "makes no sense"},
        {{GROUP, "[[01-1 me :5 :6]]"}, "makes no sense"},
        {{GROUP, "[_]"}, "makes no sense"},
        {{GROUP, "[[2-1 me :5 :6] [2-1 me :5 :6]]"}, "makes no sense"}, /* backwards */
        {{GROUP, "[[2-1 me :5 :6] [1-9 me :5 :6]]"}, "makes no sense"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        open_streams("s", false);
        fake_redis_ready(&commands);
        for (size_t k = 0; k < 4 && cases[i].answers[k] != NULL; k++)
            ask("*", cases[i].answers[k]);
        if (kept_log_has(cases[i].error) != 1)
            fail_msg("case %zu", i);
        if (redis_stream_counts()->held == 0)
            quiet();
        redis_stream_turn();
        assert_int_equal(wakes(), STREAM_RETRY_MS);
        pass(STREAM_RETRY_MS);
        while (fake_redis_waiting(&commands) > 0) /* what was found before it */
            fake_redis_answer(&commands, "[]");
        redis_stream_turn();
        unsigned lines = kept_log_lines();
        fake_redis_answer(&commands, "-LOADING so"); /* not said again */
        assert_int_equal(kept_log_lines(), lines);
        (void)end(NULL);
        (void)begin(NULL);
    }
}

static void test_works_again(void **state)
{
    (void)state;
    open_streams("s", false);
    fake_redis_ready(&commands);
    ask(LOOK, "-WRONGTYPE so");
    pass(STREAM_RETRY_MS - 1);
    quiet();
    pass(1);
    ask(LOOK, GROUP);
    ask(WALK("0-0"), "[]");
    assert_int_equal(kept_log_has("\"event\":\"stream_works_again\",\"stream\":\"s\",\"command\":"
                                  "\"XINFO\""),
                     1);
}

/* Each command that is refused is named: an operator has to permit it. */
static void test_names_what_was_refused(void **state)
{
    static const char *const names[] = {"XINFO", "EVAL", "XGROUP", "XPENDING", "XCLAIM", "XRANGE"};
    char error[80];

    (void)state;
    load("{\"stream\":\"s\",\"last\":\"7-3\"}", 0);
    open_streams("s", false);
    fake_redis_ready(&commands);
    ask(LOOK, "-NOPERM so");
    pass(STREAM_RETRY_MS);
    ask(LOOK, "[]");
    ask(COMPARE, "-NOPERM so");
    pass(STREAM_RETRY_MS);
    ask(COMPARE, "7-3");
    ask(MAKE("7-3"), "-NOPERM so");
    pass(STREAM_RETRY_MS);
    ask(MAKE("7-3"), "+OK");
    ask(LOOK, GROUP);
    ask(WALK("0-0"), "-NOPERM so");
    pass(STREAM_RETRY_MS);
    assert_int_equal(kept_log_has("stream_works_again"), 0);
    ask(WALK("0-0"), "[[1-1 me :1 :1]]");
    assert_int_equal(kept_log_has("stream_works_again"), 4);
    redis_stream_turn();
    fake_redis_expect_answer(&commands, TAKE("0-0", "64"), "[0-0 []]");
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 1-1", "-NOPERM so");
    pass(STREAM_RETRY_MS);
    ask("XCLAIM s planner me 0 1-1", "[]");
    ask("XRANGE s 1-1 1-1", "-NOPERM so");
    for (size_t i = 0; i < COUNT(names); i++) {
        (void)snprintf(error, sizeof(error), "\"command\":\"%s\",\"error\":\"NOPERM so\"",
                       names[i]);
        if (kept_log_has(error) != 1)
            fail_msg("%s", names[i]);
    }
    assert_int_equal(kept_log_has("stream_refused"), COUNT(names));
}

/* ---- Entries ---- */

static void test_an_entry(void **state)
{
    (void)state;
    start();
    redis_stream_saved();
    give("[5-1 [type x node n]] [5-2 [event '{\"a\":1}']] [5-3 [type benign node n]]");
    assert_true(redis_stream_counts()->changed);
    expect_told("kept s:5-1 {\"type\":\"x\",\"node\":\"n\"}\n"
                "kept s:5-2 {\"a\":1}\n"
                "ended s:5-3 {\"type\":\"benign\",\"node\":\"n\"}\n");
    assert_int_equal(redis_stream_counts()->entries, 3);
    assert_int_equal(redis_stream_counts()->held, 3);
    ask("XACK s planner 5-3", ":1");
    quiet();
    redis_stream_finished(refs[1]);
    redis_stream_finished(refs[1]);
    redis_stream_finished(UINT32_MAX);
    fake_redis_quiet(&commands);
    redis_stream_turn();
    redis_stream_finished(refs[0]);
    redis_stream_turn(); /* one at a time */
    fake_redis_expect_answer(&commands, "XACK s planner 5-2", ":1");
    fake_redis_quiet(&commands);
    redis_stream_finished(refs[1]);
    ask("XACK s planner 5-1", ":0"); /* 0 is fine */
    quiet();
    assert_false(redis_stream_unfinished());
    assert_int_equal(redis_stream_counts()->acknowledged, 3);
    fake_redis_expect(&reader, READ);
    assert_int_equal(kept_log_lines(), 0);
}

static void test_ended_within_the_offer(void **state)
{
    (void)state;
    start();
    ends_within = true;
    give("[5-1 [type x node n]]");
    ask("XACK s planner 5-1", ":1");
    assert_false(redis_stream_unfinished());
}

static void test_nothing_is_offered_twice(void **state)
{
    (void)state;
    start();
    give("[5-1 [type x node n]] [5-1 [type x node n]]");
    quiet();
    give("[5-1 [type x node n]]");
    expect_told("kept s:5-1 {\"type\":\"x\",\"node\":\"n\"}\n");
    fake_redis_lose(&commands);
    fake_redis_ready(&commands);
    ask(LOOK, GROUP);
    ask("XCLAIM s planner me 0 5-1 FORCE JUSTID", "[5-1]");
    ask(WALK("0-0"), "[[5-1 me :1 :1]]");
    ask(TAKE("0-0", "64"), "[0-0 [5-1]]");
    quiet();
    redis_stream_finished(refs[0]);
    redis_stream_turn();
    give("[5-1 [type x node n]]"); /* while it is being acknowledged */
    expect_told("");
    assert_int_equal(redis_stream_counts()->taken_over, 0);
}

static void test_acknowledged_in_batches(void **state)
{
    static char entries[32768];
    size_t n = 0;

    (void)state;
    start();
    for (int i = 0; i < 300; i++)
        n += (size_t)snprintf(entries + n, sizeof(entries) - n, "[6-%d [type benign node n]] ", i);
    give(entries);
    redis_stream_turn();
    size_t count;
    (void)fake_redis_args(&commands, &count);
    assert_int_equal(count, 3 + 128);
    fake_redis_expect_answer(&commands, "XACK s planner 6-0 6-1 * 6-127", ":128");
    ask("XACK s planner 6-128 * 6-255", ":128");
    ask("XACK s planner 6-256 * 6-299", ":44");
    assert_int_equal(redis_stream_counts()->acknowledged, 300);
    assert_int_equal(redis_stream_counts()->held, 0);
}

static void test_acknowledged_again(void **state)
{
    static const char *const errors[] = {"-OOM so", "-READONLY so", "+OK", "_", "[]"};

    (void)state;
    start();
    give("[5-1 [type benign node n]]");
    redis_stream_turn();
    fake_redis_lose(&commands); /* nobody knows */
    fake_redis_ready(&commands);
    redis_stream_turn();
    fake_redis_expect_answer(&commands, LOOK, GROUP);
    fake_redis_expect_answer(&commands, "XACK s planner 5-1", "-LOADING so");
    ask(WALK("0-0"), "[]");
    ask(TAKE("0-0", "64"), "[0-0 []]");
    quiet();
    assert_int_equal(wakes(), STREAM_RETRY_MS);
    for (size_t i = 0; i < COUNT(errors); i++) {
        pass(STREAM_RETRY_MS);
        ask("XACK s planner 5-1", errors[i]);
        quiet();
    }
    assert_int_equal(kept_log_has("\"command\":\"XACK\",\"error\":\"LOADING so\""), 1);
    assert_int_equal(kept_log_has("XACK"), 1);
    pass(STREAM_RETRY_MS);
    ask("XACK s planner 5-1", ":1");
    assert_int_equal(kept_log_has("stream_works_again"), 1);
    assert_false(redis_stream_unfinished());
}

/* A group that is gone knows of nothing that could be acknowledged. */
static void test_acknowledged_to_nobody(void **state)
{
    (void)state;
    start();
    give("[5-1 [type benign node n]]");
    ask("XACK s planner 5-1", "-NOGROUP so");
    assert_false(redis_stream_unfinished());
    assert_int_equal(kept_log_lines(), 0);
}

/* ---- Slots ---- */

static void test_counts_of_a_read(void **state)
{
    (void)state;
    start();
    slots = 5;
    fake_redis_answer(&reader, "_");
    quiet();
    fake_redis_expect(&reader, READ_N("5"));
    slots = 0;
    fake_redis_answer(&reader, "_");
    quiet();
    fake_redis_quiet(&reader);
    slots = 1;
    quiet();
    fake_redis_expect(&reader, READ_N("1"));
}

static void test_no_slot(void **state)
{
    (void)state;
    start();
    slots = 1;
    give("[5-1 [type x node n]] [5-2 [type x node n]] [5-3 [type benign node n]]");
    expect_told("kept s:5-1 {\"type\":\"x\",\"node\":\"n\"}\n"
                "no_slot s:5-2 {\"type\":\"x\",\"node\":\"n\"}\n"
                "ended s:5-3 {\"type\":\"benign\",\"node\":\"n\"}\n");
    assert_int_equal(redis_stream_counts()->entries, 2);
    ask("XACK s planner 5-3", ":1");
    quiet();
    fake_redis_quiet(&reader);
    pass(3 * STREAM_RETRY_MS); /* while there is none, nothing is fetched */
    quiet();
    slots = 1;
    ask("XRANGE s 5-2 5-2", "[[5-2 [type x node n]]]");
    fake_redis_quiet(&reader); /* what was left comes first */
    expect_told("kept s:5-2 {\"type\":\"x\",\"node\":\"n\"}\n");
    slots = 10;
    redis_stream_turn();
    fake_redis_expect(&reader, READ_N("10"));
    assert_int_equal(redis_stream_counts()->entries, 3);
}

/* A slot was promised, and is not given: not again and again. */
static void test_stubborn(void **state)
{
    (void)state;
    start();
    slots = 7;
    give("[5-1 [type stubborn node n]] [5-2 [type x node n]]");
    quiet();
    fake_redis_quiet(&reader);
    assert_int_equal(wakes(), STREAM_RETRY_MS);
    pass(STREAM_RETRY_MS - 1);
    quiet();
    pass(1);
    ask("XRANGE s 5-1 5-1", "[[5-1 [type stubborn node n]]]");
    quiet();
    redis_stream_finished(refs[0]); /* that may be it */
    redis_stream_turn();
    fake_redis_expect_answer(&commands, "XACK s planner 5-2", ":1");
    fake_redis_expect_answer(&commands, "XRANGE s 5-1 5-1", "[[5-1 [type stubborn node n]]]");
    quiet();
    slots++; /* or that */
    ask("XRANGE s 5-1 5-1", "[[5-1 [type x node n]]]");
    redis_stream_turn();
    fake_redis_expect(&reader, READ_N("6"));
}

/* As many are fetched as there are slots. */
static void test_fetched_for_slots(void **state)
{
    (void)state;
    start();
    slots = 0;
    give("[5-1 [type x node n]] [5-2 [type x node n]] [5-3 [type x node n]]");
    quiet();
    slots = 2;
    redis_stream_turn();
    redis_stream_turn();
    assert_int_equal(fake_redis_waiting(&commands), 2);
    fake_redis_answer(&commands, "[[5-1 [type x node n]]]");
    assert_int_equal(slots, 1);
    redis_stream_turn();
    assert_int_equal(fake_redis_waiting(&commands), 1);
    fake_redis_answer(&commands, "[[5-2 [type x node n]]]");
    quiet();
}

static void test_table_is_full(void **state)
{
    static char entries[64 * 40];
    char command[64], answer[64];
    int id = 0;

    (void)state;
    start();
    slots = UINT_MAX;
    while (id < STREAM_ENTRIES_MAX - 10) {
        unsigned most = (unsigned)(STREAM_ENTRIES_MAX - 10 - id);
        entries[0] = '\0';
        for (unsigned i = 0; i < 64 && i < most; i++)
            (void)snprintf(entries + strlen(entries), sizeof(entries) - strlen(entries),
                           "[6-%d [type x node n]] ", ++id);
        give(entries);
        redis_stream_turn();
        told[0] = '\0';
    }
    assert_int_equal(redis_stream_counts()->held, STREAM_ENTRIES_MAX - 10);
    fake_redis_expect(&reader, READ_N("10"));
    /* More than was asked for: the last two are still ours, and found when there is room. */
    entries[0] = '\0';
    for (unsigned i = 0; i < 12; i++)
        (void)snprintf(entries + strlen(entries), sizeof(entries) - strlen(entries),
                       "[7-%u [type x node n]] ", i);
    give(entries);
    assert_int_equal(redis_stream_counts()->held, STREAM_ENTRIES_MAX);
    assert_int_equal(redis_stream_counts()->entries, STREAM_ENTRIES_MAX);
    quiet();
    fake_redis_quiet(&reader);
    redis_stream_finished(refs[0]);
    redis_stream_finished(refs[1]);
    ask("XACK s planner 6-1 6-2", ":2");
    ask(WALK("0-0"), "[[7-9 me :1 :1] [7-10 me :1 :1] [7-11 me :1 :1] [7-12 me :1 :1]]");
    assert_int_equal(kept_log_lines(), 0);
    redis_stream_turn();
    for (unsigned i = 10; i < 12; i++) {
        (void)snprintf(command, sizeof(command), "XCLAIM s planner me 0 7-%u", i);
        (void)snprintf(answer, sizeof(answer), "[[7-%u [type x node n]]]", i);
        fake_redis_expect_answer(&commands, command, answer);
    }
    assert_int_equal(redis_stream_counts()->entries, STREAM_ENTRIES_MAX + 2);
}

/* ---- Own pending entries ---- */

static void test_own_pending_first(void **state)
{
    (void)state;
    open_streams("s", false);
    fake_redis_ready(&commands);
    fake_redis_ready(&reader);
    ask(LOOK, GROUP);
    ask(WALK("0-0"), "[[1-1 me :7 :1] [1-2 me :7 :3] [1-3 me :7 :1]]");
    redis_stream_turn();
    fake_redis_quiet(&reader);
    fake_redis_expect_answer(&commands, TAKE("0-0", "64"), "[0-0 []]");
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 1-1", "[[1-1 [type x node n]]]");
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 1-2", "[]"); /* trimmed */
    redis_stream_turn();
    fake_redis_quiet(&reader);
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 1-3", "[_]"); /* the same, in 6.2 */
    fake_redis_expect_answer(&commands, "XRANGE s 1-2 1-2", "[]");           /* it was, indeed */
    redis_stream_turn();
    fake_redis_expect_answer(&commands, "XACK s planner 1-2", ":1");
    fake_redis_expect_answer(&commands, "XRANGE s 1-3 1-3",
                             "[[1-3 [type benign node n]]]"); /* the group is another */
    ask("XACK s planner 1-3", ":1");
    fake_redis_expect(&reader, READ);
    expect_told("kept s:1-1 {\"type\":\"x\",\"node\":\"n\"}\n"
                "ended s:1-3 {\"type\":\"benign\",\"node\":\"n\"}\n");
}

/* The answer to a walk that is not over: 1-0 to 1-63. */
static const char *full_page(void)
{
    static char page[64 * 40];

    page[0] = '[';
    page[1] = '\0';
    for (int i = 0; i < 64; i++)
        (void)snprintf(page + strlen(page), sizeof(page) - strlen(page), "[1-%d me :7 :1] ", i);
    (void)snprintf(page + strlen(page), sizeof(page) - strlen(page), "]");
    return page;
}

static void test_pages_of_pending(void **state)
{
    (void)state;
    slots = 0;
    open_streams("s", false);
    fake_redis_ready(&commands);
    ask(LOOK, GROUP);
    ask(WALK("0-0"), full_page());
    ask(WALK("(1-63"), "[[2-0 me :7 :1]]");
    assert_int_equal(redis_stream_counts()->held, 65);
    quiet();
}

static void test_too_many_deliveries(void **state)
{
    (void)state;
    open_streams("s", false);
    fake_redis_ready(&commands);
    ask(LOOK, GROUP);
    ask(WALK("0-0"), "[[1-1 me :7 :100] [1-2 me :7 :101] [1-3 me :7 :9999999999] [1-4 me :7 :-1]]");
    ask(TAKE("0-0", "64"), "[0-0 []]");
    redis_stream_turn();
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 1-1", "[[1-1 [type x node n]]]");
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 1-2", "[[1-2 [type y node n]]]");
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 1-3", "[[1-3 [type z node n]]]");
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 1-4", "[[1-4 [type a node n]]]");
    expect_told("kept s:1-1 {\"type\":\"x\",\"node\":\"n\"}\n"
                "refused s:1-2 too_many_deliveries\n"
                "refused s:1-3 too_many_deliveries\n"
                "kept s:1-4 {\"type\":\"a\",\"node\":\"n\"}\n");
    fake_redis_expect_answer(
        &commands, DEAD "id 1-2 reason too_many_deliveries deliveries 101 type y node n", "9-1");
    fake_redis_expect_answer(
        &commands, DEAD "id 1-3 reason too_many_deliveries deliveries 4294967295 type z node n",
        "9-2");
    ask("XACK s planner 1-2 1-3", ":2");
    assert_int_equal(redis_stream_counts()->dead, 2);
}

/* Entries on the wire, when the reader's connection was lost. */
static void test_reader_is_lost(void **state)
{
    (void)state;
    start();
    fake_redis_lose(&reader);
    quiet();
    fake_redis_ready(&reader);
    ask(WALK("0-0"), "[[6-1 me :1 :1]]");
    fake_redis_quiet(&reader);
    ask("XCLAIM s planner me 0 6-1", "[[6-1 [type x node n]]]");
    redis_stream_turn();
    expect_told("kept s:6-1 {\"type\":\"x\",\"node\":\"n\"}\n");
    fake_redis_expect(&reader, READ_N("32")); /* it may have been too much */
    give("[6-2 [type x node n]]");
    redis_stream_turn();
    fake_redis_expect(&reader, READ);
    for (int i = 0; i < 9; i++) {
        fake_redis_lose(&reader);
        fake_redis_ready(&reader);
        ask(WALK("0-0"), "[]");
        redis_stream_turn();
    }
    fake_redis_expect(&reader, READ_N("1"));
}

/* The server may take the lost connection for alive until the BLOCK is over, and give it what comes
 * after the walk. */
static void test_read_is_lost(void **state)
{
    (void)state;
    start();
    fake_redis_lose(&reader);
    fake_redis_ready(&reader);
    ask(WALK("0-0"), "[]");
    quiet();
    assert_int_equal(wakes(), STREAM_BLOCK_MS + REDIS_ANSWER_MS);
    pass(STREAM_BLOCK_MS + REDIS_ANSWER_MS - 1);
    quiet();
    pass(1);
    ask(WALK("0-0"), "[[6-1 me :1 :1]]");
    ask("XCLAIM s planner me 0 6-1", "[[6-1 [type x node n]]]");
    quiet();
    expect_told("kept s:6-1 {\"type\":\"x\",\"node\":\"n\"}\n");
}

/* What was on its way is behind where a walk has come already. */
static void test_reader_is_lost_during_a_walk(void **state)
{
    (void)state;
    open_streams("s", false);
    fake_redis_ready(&commands);
    ask(LOOK, GROUP);
    redis_stream_turn();
    fake_redis_expect(&commands, WALK("0-0"));
    fake_redis_ready(&reader);
    fake_redis_answer(&commands, "[]");
    ask(WALK("0-0"), "[]");
    ask(TAKE("0-0", "64"), "[0-0 []]");
    fake_redis_expect(&reader, READ);
}

/* With entries in hand. */
static void connect_anew(const char *groups)
{
    fake_redis_lose(&commands);
    fake_redis_ready(&commands);
    redis_stream_turn();
    fake_redis_expect_answer(&commands, LOOK, groups);
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 1-0 *FORCE JUSTID", "[]");
}

/* What of ours the first walk has not come to is still in the stream: behind it, not behind the
 * last that was seen, the next group has to begin. */
static void test_group_is_gone_during_the_first_walk(void **state)
{
    (void)state;
    slots = 0;
    open_streams("s", false);
    fake_redis_ready(&commands);
    ask(LOOK, GROUP);
    ask(WALK("0-0"), full_page());
    redis_stream_turn();
    fake_redis_expect(&commands, WALK("(1-63"));
    connect_anew(GROUP);
    ask(WALK("(1-63"), "-NOGROUP so"); /* it goes on where it stood */
    ask(LOOK, "[]");
    ask(COMPARE, "5-0");
    ask(MAKE("1-63"), "+OK");
    assert_int_equal(kept_log_has("\"from\":\"1-63\""), 1);
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 1-0 *FORCE JUSTID", "[]");
    ask(LOOK, "[[name planner last-delivered-id 1-63]]");
    ask(WALK("(1-63"), "[]");
    connect_anew("[]"); /* gone before what is behind was read as new */
    ask(COMPARE, "5-0");
    ask(MAKE("1-63"), "+OK");
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 1-0 *FORCE JUSTID", "[]");
    ask(LOOK, "[[name planner last-delivered-id 1-63]]");
    ask(WALK("0-0"), "[]");
}

/* One stream whose walk waits for room holds the others back, too. */
static void test_walk_is_not_sent(void **state)
{
    (void)state;
    open_streams("a,b", false);
    fake_redis_ready(&commands);
    fake_redis_ready(&reader);
    redis_stream_turn();
    fake_redis_answer(&commands, GROUP);
    fake_redis_answer(&commands, GROUP);
    redis_stream_turn();
    fake_redis_answer(&commands, "[]");
    fake_redis_answer(&commands, "-NOGROUP so");
    fake_redis_room(&commands, 0);
    quiet();
    fake_redis_quiet(&reader);
}

/* The reader goes on alone; what it gives is offered once, though it is found as ours, too. */
static void test_commands_are_lost(void **state)
{
    (void)state;
    start();
    fake_redis_lose(&commands);
    give("[6-1 [type x node n]] [6-2 [type bad node n]] [6-3 [type benign node n]]");
    redis_stream_turn();
    expect_told("kept s:6-1 {\"type\":\"x\",\"node\":\"n\"}\n"
                "bad s:6-2 {\"type\":\"bad\",\"node\":\"n\"}\n"
                "ended s:6-3 {\"type\":\"benign\",\"node\":\"n\"}\n");
    fake_redis_expect(&reader, READ);
    fake_redis_ready(&commands);
    redis_stream_turn();
    fake_redis_expect_answer(&commands, LOOK, GROUP);
    fake_redis_expect_answer(&commands, "XACK s planner 6-3", ":1");
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 6-1 6-2 FORCE JUSTID", "[6-1 6-2]");
    fake_redis_expect_answer(&commands, "XRANGE s 6-2 6-2", "[[6-2 [type bad node n]]]");
    redis_stream_turn();
    fake_redis_expect_answer(&commands, DEAD "id 6-2 reason no_type deliveries 1 type bad node n",
                             "9-1");
    fake_redis_expect_answer(&commands, WALK("0-0"), "[[6-1 me :1 :1] [6-2 me :1 :1]]");
    redis_stream_turn();
    fake_redis_expect_answer(&commands, TAKE("0-0", "64"), "[0-0 []]");
    fake_redis_expect_answer(&commands, "XACK s planner 6-2", ":1");
    quiet();
    expect_told(""); /* a bad one is told of once */
    assert_int_equal(redis_stream_counts()->dead, 1);
}

/* A walk finds what is on its way to the reader: it is offered by whoever is first. */
static void test_walk_and_reader_at_once(void **state)
{
    (void)state;
    start();
    fake_redis_lose(&commands);
    fake_redis_ready(&commands);
    ask(LOOK, GROUP);
    slots = 1;
    ask(WALK("0-0"), "[[6-1 me :1 :1] [6-2 me :1 :1]]");
    redis_stream_turn(); /* 6-1 is being fetched, 6-2 is left */
    slots = 2;
    give("[6-1 [type x node n]] [6-2 [type x node n]]");
    expect_told("kept s:6-2 {\"type\":\"x\",\"node\":\"n\"}\n");
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 6-1", "[[6-1 [type x node n]]]");
    expect_told("kept s:6-1 {\"type\":\"x\",\"node\":\"n\"}\n");
    quiet();
}

/* ---- Fetching ---- */

/* One entry that found no slot, being fetched. */
static void fetch_one(void)
{
    start();
    slots = 0;
    give("[5-1 [type x node n]]");
    told[0] = '\0';
    slots = 3;
    redis_stream_turn();
    fake_redis_expect(&commands, "XRANGE s 5-1 5-1");
}

static void test_fetched_nonsense(void **state)
{
    static const char *const answers[] = {"-LOADING so",
                                          "+OK",
                                          ":1",
                                          "_",
                                          "[:1]",
                                          "[[]]",
                                          "[[5-1]]",
                                          "[[5-2 [type x]]]",
                                          "[[5-1 [type]]]",
                                          "[[5-1 [type :1]]]",
                                          "[[5-1 [[] []]]]",
                                          "[[5-1 x]]",
                                          "[[5-1 [] x]]",
                                          "[[5-1 [type x]] [5-2 [type x]]]",
                                          "[[:5 [type x]]]"};

    (void)state;
    fetch_one();
    for (size_t i = 0; i < COUNT(answers); i++) {
        fake_redis_answer(&commands, answers[i]);
        quiet();
        assert_int_equal(wakes(), (int64_t)(i + 1) * STREAM_RETRY_MS);
        pass(STREAM_RETRY_MS);
        redis_stream_turn();
        if (strncmp(fake_redis_command(&commands), "XAUTO", 5) == 0)
            fake_redis_answer(&commands, "[0-0 []]");
        fake_redis_expect(&commands, "XRANGE s 5-1 5-1");
    }
    assert_int_equal(kept_log_has("stream_refused"), 1);
    expect_told("");
    fake_redis_answer(&commands, "[[5-1 [type x node n]]]");
    expect_told("kept s:5-1 {\"type\":\"x\",\"node\":\"n\"}\n");
    assert_int_equal(kept_log_has("stream_works_again"), 1);
}

static void test_fetched_from_no_group(void **state)
{
    (void)state;
    fetch_one();
    fake_redis_answer(&commands, "-NOGROUP so");
    ask(LOOK, GROUP);
    ask(WALK("0-0"), "[]");
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 5-1 FORCE JUSTID", "[]");
    quiet();
    pass(STREAM_RETRY_MS);
    ask("XRANGE s 5-1 5-1", "[]");
    ask("XACK s planner 5-1", ":0");
    assert_int_equal(kept_log_lines(), 0);
}

/* The group cannot be made: that is no reason to ask for the entry at the speed of answers. */
static void test_claimed_from_no_group(void **state)
{
    (void)state;
    start();
    fake_redis_lose(&commands);
    fake_redis_ready(&commands);
    ask(LOOK, GROUP);
    ask(WALK("0-0"), "[[1-1 me :1 :1]]");
    redis_stream_turn();
    fake_redis_expect_answer(&commands, TAKE("0-0", "64"), "[0-0 []]");
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 1-1", "-NOGROUP so");
    redis_stream_turn();
    fake_redis_expect_answer(&commands, LOOK, "[]");
    fake_redis_expect(&commands, "XRANGE s 1-1 1-1"); /* which needs no group */
    fake_redis_answer(&commands, "-NOGROUP so");      /* a server of its own kind */
    ask(COMPARE, "5-0");
    ask(MAKE("5-0"), "-OOM so");
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 1-1 FORCE JUSTID", "-NOGROUP so");
    quiet();
    pass(STREAM_RETRY_MS);
    redis_stream_turn();
    fake_redis_expect_answer(&commands, MAKE("5-0"), "-OOM so");
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 1-1 FORCE JUSTID", "-NOGROUP so");
    fake_redis_expect_answer(&commands, "XRANGE s 1-1 1-1", "[[1-1 [type x node n]]]");
    expect_told("kept s:1-1 {\"type\":\"x\",\"node\":\"n\"}\n");
    quiet();
}

static void test_fetched_null(void **state)
{
    (void)state;
    fetch_one();
    fake_redis_answer(&commands, "[[5-1 _]]");
    ask("XACK s planner 5-1", ":1");
    expect_told("");
    assert_false(redis_stream_unfinished());
}

/* The connection is lost so often while 5-1 is being fetched. */
static void lose_over(unsigned times)
{
    while (times-- > 0) {
        redis_stream_turn();
        while (strcmp(fake_redis_command(&commands), "XRANGE s 5-1 5-1") != 0) {
            if (strncmp(fake_redis_command(&commands), LOOK, 5) == 0)
                fake_redis_answer(&commands, GROUP);
            else
                fake_redis_answer(&commands, "[]");
            redis_stream_turn();
        }
        fake_redis_lose(&commands);
        fake_redis_ready(&commands);
    }
}

/* Its reply is what the connection does not survive. */
static void test_unreadable(void **state)
{
    (void)state;
    start();
    slots = 0;
    give("[5-1 [type x node n]] [5-2 [type x node n]]");
    told[0] = '\0';
    slots = 3;
    lose_over(20); /* a server that was restarted, a slow line: nothing is wrong with it */
    commands.broke = true;
    lose_over(4);
    ask(LOOK, GROUP);
    expect_told("");
    lose_over(1);
    ask(LOOK, GROUP);
    expect_told("refused s:5-1 unreadable\n");
    redis_stream_turn();
    bool dead = false, other = false;
    while (fake_redis_waiting(&commands) > 0) {
        if (strcmp(fake_redis_command(&commands),
                   "XADD s:dead MAXLEN ~ 10000 * id 5-1 reason unreadable deliveries 1") == 0) {
            dead = true;
            fake_redis_answer(&commands, "9-1");
        } else if (strcmp(fake_redis_command(&commands), "XRANGE s 5-2 5-2") == 0) {
            other = true;
            fake_redis_answer(&commands, "[[5-2 [type x node n]]]");
        } else {
            fake_redis_answer(&commands, "[]");
        }
    }
    assert_true(dead && other);
    redis_stream_turn();
    while (strncmp(fake_redis_command(&commands), "XAUTO", 5) == 0)
        fake_redis_answer(&commands, "[0-0 []]");
    fake_redis_expect(&commands, "XACK s planner 5-1");
}

/* ---- The dead stream ---- */

static void test_refused(void **state)
{
    (void)state;
    start();
    give("[5-1 [type bad node n]] [5-2 [type badnoreason node n]] [5-3 [event {} event {}]] "
         "[5-4 [type '' bad '']]");
    expect_told("bad s:5-1 {\"type\":\"bad\",\"node\":\"n\"}\n"
                "bad s:5-2 {\"type\":\"badnoreason\",\"node\":\"n\"}\n"
                "refused s:5-3 duplicate\n"
                "bad s:5-4 {\"type\":\"\",\"bad\":\"\"}\n");
    fake_redis_expect(&commands, DEAD "id 5-1 reason no_type deliveries 1 type bad node n");
    fake_redis_answer(&commands, "9-1");
    fake_redis_expect_answer(
        &commands, DEAD "id 5-2 reason refused deliveries 1 type badnoreason node n", "9-2");
    fake_redis_expect_answer(&commands,
                             DEAD "id 5-3 reason duplicate deliveries 1 event {} event {}", "9-2");
    redis_stream_turn();
    fake_redis_expect_answer(&commands, DEAD "id 5-4 reason no_type deliveries 1 type '' bad ''",
                             "9-2");
    fake_redis_expect_answer(&commands, "XACK s planner 5-1 5-2 5-3", ":3");
    ask("XACK s planner 5-4", ":1");
    assert_int_equal(redis_stream_counts()->dead, 4);
    assert_int_equal(redis_stream_counts()->acknowledged, 4);
    quiet();
}

/* Not acknowledged before it is in the dead stream. */
static void test_dead_stream_refuses(void **state)
{
    (void)state;
    start();
    give("[5-1 [type bad node n]] [5-2 [type x node n]]");
    told[0] = '\0';
    assert_int_equal(redis_stream_counts()->doomed, 1);
    fake_redis_expect_answer(&commands, DEAD "*", "-OOM so");
    quiet();
    assert_int_equal(redis_stream_counts()->doomed, 1);
    assert_int_equal(wakes(), STREAM_RETRY_MS);
    fake_redis_expect(&reader, READ); /* the others go on */
    for (int i = 0; i < 3; i++) {
        pass(STREAM_RETRY_MS);
        ask("XRANGE s 5-1 5-1", "[[5-1 [type bad node n]]]");
        fake_redis_expect_answer(&commands, DEAD "id 5-1 reason no_type *", "-OOM so");
        quiet();
    }
    assert_int_equal(kept_log_has("\"command\":\"XADD\",\"error\":\"OOM so\""), 1);
    pass(STREAM_RETRY_MS);
    ask("XRANGE s 5-1 5-1", "[[5-1 [type bad node n]]]");
    fake_redis_lose(&commands); /* nobody knows */
    fake_redis_ready(&commands);
    redis_stream_turn();
    fake_redis_expect_answer(&commands, LOOK, GROUP);
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 5-1 5-2 FORCE JUSTID", "[5-1 5-2]");
    fake_redis_expect_answer(&commands, "XRANGE s 5-1 5-1", "[[5-1 [type bad node n]]]");
    fake_redis_expect_answer(&commands, DEAD "id 5-1 reason no_type *", "9-9");
    assert_int_equal(redis_stream_counts()->doomed, 0);
    assert_int_equal(kept_log_has("stream_works_again"), 1);
    redis_stream_turn();
    fake_redis_expect_answer(&commands, WALK("0-0"), "[]");
    fake_redis_expect_answer(&commands, "XACK s planner 5-1", ":1");
    expect_told("");
}

/* A doomed entry that is no more is only acknowledged. */
static void test_doomed_and_gone(void **state)
{
    (void)state;
    start();
    give("[5-1 [type bad node n]]");
    fake_redis_expect_answer(&commands, DEAD "*", "-OOM so");
    pass(STREAM_RETRY_MS);
    ask("XRANGE s 5-1 5-1", "[]");
    ask("XACK s planner 5-1", ":1");
    assert_int_equal(redis_stream_counts()->dead, 0);
}

static void test_too_large(void **state)
{
    (void)state;
    start();
    slots = 1;
    give("[5-1 [type x node n message _]] [5-2 [_ x]] [5-3 _]");
    expect_told(""); /* alone, they may be read */
    redis_stream_turn();
    fake_redis_expect_answer(&commands, "XACK s planner 5-3", ":1");
    fake_redis_expect_answer(&commands, "XRANGE s 5-1 5-1", "[[5-1 [type x node n message ok]]]");
    slots = 1;
    ask("XRANGE s 5-2 5-2", "[[5-2 [_ x y _]]]");
    expect_told("kept s:5-1 {\"type\":\"x\",\"node\":\"n\",\"message\":\"ok\"}\n"
                "refused s:5-2 too_large\n");
    fake_redis_expect_answer(&commands, DEAD "id 5-2 reason too_large deliveries 1 '' x y ''",
                             "9-1");
    ask("XACK s planner 5-2", ":1");
}

/* What is too much for the dead stream goes there without its fields. */
static void test_dead_stream_is_bounded(void **state)
{
    static char fields[EVENT_BYTES_MAX * 2];
    static const struct {
        size_t fields, bytes; /* pairs; bytes of a value */
        bool with;
    } cases[] = {{74, 1, true}, {75, 1, false}, {2, 32760, true}, {2, 32768, false}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        start();
        size_t n = (size_t)snprintf(fields, sizeof(fields), "[5-1 [");
        for (size_t k = 0; k < cases[i].fields; k++) {
            n += (size_t)snprintf(fields + n, sizeof(fields) - n, "bad ");
            memset(fields + n, 'v', cases[i].bytes);
            n += cases[i].bytes;
            fields[n++] = ' ';
        }
        (void)snprintf(fields + n, sizeof(fields) - n, "]]");
        static char answer[sizeof(fields) + 16];
        (void)snprintf(answer, sizeof(answer), "[[s [%s]]]", fields);
        fake_redis_answer(&reader, answer);
        size_t count;
        (void)fake_redis_args(&commands, &count);
        assert_int_equal(count, 12 + (cases[i].with ? 2 * cases[i].fields : 0));
        (void)end(NULL);
        (void)begin(NULL);
    }
    start();
}

/* ---- Renewing, taking over ---- */

static void test_renewed(void **state)
{
    (void)state;
    start();
    slots = 2;
    give("[5-1 [type x node n]] [5-2 [type x node n]] [5-3 [type x node n]]");
    redis_stream_finished(refs[1]);
    slots = 0;
    redis_stream_turn();
    fake_redis_expect(&commands, "XACK s planner 5-2"); /* is under way */
    pass(STREAM_RENEW_MS - 1);
    redis_stream_turn();
    assert_int_equal(fake_redis_waiting(&commands), 1);
    pass(1);
    redis_stream_turn();
    fake_redis_answer(&commands, ":1");
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 5-1 5-3 FORCE JUSTID", "-WHATEVER");
    quiet();
    pass(STREAM_RENEW_MS);
    ask("XCLAIM s planner me 0 5-1 5-3 FORCE JUSTID", "[5-1 5-3]");
    quiet();
}

static void test_renewed_in_batches(void **state)
{
    static char entries[300 * 30];
    size_t n = 0, count;

    (void)state;
    start();
    slots = 400;
    for (int i = 0; i < 300; i++)
        n += (size_t)snprintf(entries + n, sizeof(entries) - n, "[6-%d [type x node n]] ", i);
    give(entries);
    told[0] = '\0';
    slots = 0;
    fake_redis_room(&commands, 2); /* no more than two now */
    pass(STREAM_RENEW_MS);
    redis_stream_turn();
    (void)fake_redis_args(&commands, &count);
    assert_int_equal(count, 5 + 128 + 2);
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 6-0 * 6-127 FORCE JUSTID", "[]");
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 6-128 * 6-255 FORCE JUSTID", "[]");
    quiet();
    fake_redis_room(&commands, UINT_MAX);
    ask("XCLAIM s planner me 0 6-256 * 6-299 FORCE JUSTID", "[]");
    quiet();
}

static void test_taken_over(void **state)
{
    (void)state;
    start();
    assert_int_equal(wakes(), STREAM_TAKE_OVER_MS);
    give("[5-1 [type x node n]]");
    told[0] = '\0';
    slots = 64;
    pass(STREAM_TAKE_OVER_MS);
    ask(TAKE("0-0", "64"), "[7-7 [5-1] []]"); /* ours; it goes on from there */
    ask(TAKE("7-7", "64"), "[9-9 [4-4 _ 3-3 4-5]]");
    ask(WALK("3-3"), "[[3-3 me :0 :2] [4-4 me :0 :2] [4-5 me :0 :101] [5-1 me :1 :1]]");
    assert_int_equal(redis_stream_counts()->taken_over, 3);
    redis_stream_turn();
    fake_redis_expect_answer(&commands, TAKE("9-9", "61"), "[0-0 []]");
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 3-3", "[[3-3 [type x node n]]]");
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 4-4", "[[4-4 [type x node n]]]");
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 4-5", "[[4-5 [type x node n]]]");
    fake_redis_expect_answer(&commands, DEAD "id 4-5 *", "9-1");
    ask("XACK s planner 4-5", ":1");
    quiet();
    expect_told("kept s:3-3 {\"type\":\"x\",\"node\":\"n\"}\n"
                "kept s:4-4 {\"type\":\"x\",\"node\":\"n\"}\n"
                "refused s:4-5 too_many_deliveries\n");
    pass(STREAM_TAKE_OVER_MS - 1);
    quiet();
    pass(1);
    ask(TAKE("0-0", "62"), "[0-0 []]");
}

static void test_nothing_is_taken_without_room(void **state)
{
    (void)state;
    start();
    slots = 0;
    pass(STREAM_TAKE_OVER_MS);
    quiet();
    slots = 9; /* when there is some */
    ask(TAKE("0-0", "9"), "[0-0 []]");
    quiet();
}

static void test_taking_is_refused(void **state)
{
    static const char *const answers[] = {"-ERR unknown command",
                                          "+OK",
                                          "_",
                                          "[]",
                                          "[0-0]",
                                          "[0-0 x]",
                                          "[x []]",
                                          "[:0 []]",
                                          "[0-0 [x]]",
                                          "[0-0 [[1-1 [a b]]]]"};

    (void)state;
    start();
    for (size_t i = 0; i < COUNT(answers); i++) {
        pass(STREAM_TAKE_OVER_MS);
        ask(TAKE("0-0", "64"), answers[i]);
        quiet();
    }
    assert_int_equal(kept_log_has("\"command\":\"XAUTOCLAIM\""), 1);
    pass(STREAM_TAKE_OVER_MS);
    ask(TAKE("0-0", "64"), "[0-0 []]");
    assert_int_equal(kept_log_has("stream_works_again"), 1);
    pass(STREAM_TAKE_OVER_MS);
    ask(TAKE("0-0", "64"), "-NOGROUP so");
    ask(LOOK, GROUP);
}

/* More than there is room for at once: it goes on as there is some. */
static void test_much_is_taken_over(void **state)
{
    (void)state;
    start();
    slots = 3;
    pass(STREAM_TAKE_OVER_MS);
    ask(TAKE("0-0", "3"), "[1-4 [1-1 1-2 1-3]]");
    ask(WALK("1-1"), "[[1-1 me :0 :1] [1-2 me :0 :1] [1-3 me :0 :1]]");
    redis_stream_turn();
    for (int i = 1; i <= 3; i++) {
        char answer[64];
        (void)snprintf(answer, sizeof(answer), "[[1-%d [type %s node n]]]", i,
                       i == 2 ? "benign" : "x");
        fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 *", answer);
    }
    redis_stream_turn(); /* one slot is left */
    fake_redis_expect_answer(&commands, TAKE("1-4", "1"), "[1-6 [1-4]]");
    fake_redis_expect_answer(&commands, "XACK s planner 1-2", ":1");
    ask(WALK("1-4"), "[[1-4 me :0 :1]]");
    ask("XCLAIM s planner me 0 1-4", "[[1-4 [type x node n]]]");
    quiet();
    slots = 5;
    ask(TAKE("1-6", "5"), "[0-0 [1-6]]");
    ask(WALK("1-6"), "[[1-6 me :0 :1]]");
    ask("XCLAIM s planner me 0 1-6", "[[1-6 [type x node n]]]");
    quiet();
    assert_int_equal(redis_stream_counts()->taken_over, 5);
}

/* A server whose cursor never comes back. */
static void test_taking_without_end(void **state)
{
    (void)state;
    start();
    pass(STREAM_TAKE_OVER_MS);
    for (unsigned i = 0; i < 64; i++)
        ask("XAUTOCLAIM *", "[7-7 []]");
    quiet();
}

/* ---- A server that has lost its data ---- */

static void test_group_is_gone(void **state)
{
    static const char *const errors[] = {"-NOGROUP so", "-UNBLOCKED so"};

    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        start();
        give("[6-1 [type x node n]]");
        redis_stream_turn();
        fake_redis_answer(&reader, errors[i]);
        ask(LOOK, "[]");
        ask(COMPARE, "6-1");
        ask(MAKE("6-1"), "+OK"); /* what it has is pending in it at once */
        fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 6-1 FORCE JUSTID", "[6-1]");
        ask(LOOK, GROUP);
        ask(WALK("0-0"), "[]");
        quiet();
        fake_redis_expect(&reader, READ);
        redis_stream_finished(refs[kept - 1]);
        ask("XACK s planner 6-1", ":0");
        fake_redis_answer(&reader, "_");
        redis_stream_turn();
        fake_redis_answer(&reader, errors[i]); /* and again */
        ask(LOOK, "[]");
        ask(COMPARE, "6-1");
        ask(MAKE("6-1"), "+OK");
        assert_int_equal(kept_log_has("stream_refused"), 0);
        (void)end(NULL);
        (void)begin(NULL);
    }
    start();
}

/* Made at the end, and gone before anybody knows which that was: not at the next end. */
static void test_group_is_gone_once_it_is_made(void **state)
{
    (void)state;
    open_streams("s", false);
    fake_redis_ready(&commands);
    ask(LOOK, "[]");
    ask(MAKE("$"), "+OK");
    ask(LOOK, "[]");
    quiet();
    pass(STREAM_RETRY_MS);
    ask(LOOK, "[]");
    ask(MAKE("0"), "+OK");
}

/* A server that has the group, and has not what is pending in it. */
static void test_walk_without_a_group(void **state)
{
    (void)state;
    open_streams("s", false);
    fake_redis_ready(&commands);
    ask(LOOK, GROUP);
    for (int i = 0; i < 3; i++) {
        ask(WALK("0-0"), "-NOGROUP so");
        ask(LOOK, GROUP);
        ask(WALK("0-0"), "-NOGROUP so");
        quiet();
        pass(STREAM_RETRY_MS);
    }
    ask(WALK("0-0"), "[]");
    ask(TAKE("0-0", "64"), "[0-0 []]");
    quiet();
}

/* A stream lost with its data during the first walk has nothing in common with what was walked. */
static void test_data_is_lost_during_the_first_walk(void **state)
{
    (void)state;
    slots = 0;
    open_streams("s", false);
    fake_redis_ready(&commands);
    ask(LOOK, GROUP);
    ask(WALK("0-0"), full_page());
    ask(WALK("(1-63"), "-NOGROUP so");
    ask(LOOK, "-ERR no such key");
    ask(MAKE("0"), "+OK");
    ask(LOOK, GROUP);
    redis_stream_turn();
    fake_redis_expect(&commands, WALK("0-0"));
    fake_redis_answer(&commands, "-NOGROUP so"); /* again, and the stream has 1-7 to 2-0 */
    pass(STREAM_RETRY_MS);
    ask(WALK("0-0"), "-NOGROUP so");
    ask(LOOK, "[]");
    ask(COMPARE, "2-0");
    ask(MAKE("0-0"), "+OK");
}

/* Another planner was faster: what we have is not pending in its group. */
static void test_another_makes_the_group_again(void **state)
{
    (void)state;
    start();
    give("[6-1 [type x node n]]");
    redis_stream_turn();
    fake_redis_answer(&reader, "-NOGROUP so");
    ask(LOOK, GROUP);
    redis_stream_turn();
    fake_redis_expect_answer(&commands, WALK("0-0"), "[]");
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 6-1 FORCE JUSTID", "[6-1]");
    quiet();
}

/* What found no room in the table is before the last that was dealt with. */
static void test_group_is_gone_when_the_table_was_full(void **state)
{
    static char entries[64 * 40];
    int id = 0;

    (void)state;
    start();
    slots = UINT_MAX;
    while (id < STREAM_ENTRIES_MAX) {
        entries[0] = '\0';
        for (int i = 0; i < 64; i++)
            (void)snprintf(entries + strlen(entries), sizeof(entries) - strlen(entries),
                           "[6-%d [type x node n]] ", ++id);
        if (id == STREAM_ENTRIES_MAX) /* one of eight streams gave more than there was room for */
            (void)snprintf(entries + strlen(entries), sizeof(entries) - strlen(entries),
                           "[6-%d [type x node n]]", id + 1);
        give(entries);
        redis_stream_turn();
        told[0] = '\0';
    }
    redis_stream_finished(refs[0]);
    ask("XACK s planner 6-1", ":1");
    ask(WALK("0-0"), "-NOGROUP so");
    ask(LOOK, "[]");
    ask(COMPARE, "6-4097");
    ask(MAKE("6-4096"), "+OK");
}

static void expect_saved(const char *wanted)
{
    char line[256];
    struct buf b;
    uint32_t at = 0;

    buf_init(&b, line, sizeof(line));
    assert_true(redis_stream_save(&b, &at));
    if (!span_is(buf_view(&b), wanted))
        fail_msg("%.*s", (int)b.n, b.p);
}

/* With the group gone at the next start, it is all that is known. */
static void test_what_is_unfinished_is_not_behind_the_saved_id(void **state)
{
    (void)state;
    start();
    give("[6-0 [type x node n]] [6-1 [type benign node n]] [6-2 [type x node n]]");
    expect_saved("{\"stream\":\"s\",\"last\":\"5-18446744073709551615\"}");
    redis_stream_finished(refs[0]);
    expect_saved("{\"stream\":\"s\",\"last\":\"6-1\"}");
    redis_stream_finished(refs[1]);
    redis_stream_saved();
    ask("XACK s planner 6-1 6-0 6-2", ":3");
    assert_true(redis_stream_counts()->changed); /* it is worth saving again */
    expect_saved("{\"stream\":\"s\",\"last\":\"6-2\"}");
}

/* After FLUSHALL ids may come again: they are others. */
static void test_data_is_lost(void **state)
{
    (void)state;
    start();
    give("[6-1 [type x node n]] [6-2 [type benign node n]] [6-3 [type bad node n]]");
    told[0] = '\0';
    fake_redis_expect_answer(&commands, DEAD "*", "-OOM so");
    redis_stream_turn();
    fake_redis_answer(&reader, "-NOGROUP so");
    assert_int_equal(redis_stream_counts()->held, 3);
    fake_redis_expect_answer(&commands, "XACK s planner 6-2", ":0");
    ask(LOOK, "-ERR no such key");
    ask(MAKE("0"), "+OK");
    assert_int_equal(redis_stream_counts()->held, 1); /* the planner has it */
    ask(LOOK, GROUP);
    ask(WALK("0-0"), "[]");
    quiet();
    give("[6-1 [type benign node n]]");
    expect_told("ended s:6-1 {\"type\":\"benign\",\"node\":\"n\"}\n");
    redis_stream_finished(refs[0]); /* of the other life */
    ask("XACK s planner 6-1", ":1");
    assert_false(redis_stream_unfinished());
}

/* An answer to what was asked in another stage is not taken for one. */
static void test_late_answer_of_a_walk(void **state)
{
    (void)state;
    start();
    fake_redis_lose(&commands);
    fake_redis_ready(&commands);
    ask(LOOK, GROUP);
    redis_stream_turn();
    fake_redis_expect(&commands, WALK("0-0"));
    fake_redis_answer(&reader, "-NOGROUP so");
    fake_redis_answer(&commands, "[]");
    ask(LOOK, GROUP);
    ask(WALK("0-0"), "[]");
}

/* A server that has the group, and has it not: not in a circle without end. */
static void test_group_that_is_and_is_not(void **state)
{
    (void)state;
    start();
    fake_redis_answer(&reader, "-NOGROUP so");
    ask(LOOK, GROUP);
    ask(WALK("0-0"), "[]");
    quiet();
    fake_redis_expect_answer(&reader, READ, "-NOGROUP so");
    ask(LOOK, GROUP);
    ask(WALK("0-0"), "[]");
    quiet();
    fake_redis_quiet(&reader);
    assert_int_equal(wakes(), STREAM_RETRY_MS);
    assert_int_equal(kept_log_has("\"command\":\"XREADGROUP\",\"error\":\"NOGROUP so\""), 1);
    pass(STREAM_RETRY_MS);
    quiet();
    fake_redis_expect_answer(&reader, READ, "_");
    assert_int_equal(kept_log_has("stream_works_again"), 1);
}

static void test_read_nonsense(void **state)
{
    static const char *const answers[] = {"-LOADING so",
                                          "-WRONGTYPE so",
                                          "+OK",
                                          ":1",
                                          "[x]",
                                          "[[s]]",
                                          "[[other [[6-1 [a b]]]]]",
                                          "[[s x]]",
                                          "[[_ []]]",
                                          "[[s [x]]]",
                                          "[[s [[6-1]]]]",
                                          "[[s [[x [a b]]]]]",
                                          "[[s [[:6 [a b]]]]]",
                                          "[[s [[_ [a b]]]]]",
                                          "[[s [] x]]"};

    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        start();
        fake_redis_answer(&reader, answers[i]);
        if (kept_log_has("\"command\":\"XREADGROUP\"") != 1)
            fail_msg("%s", answers[i]);
        ask(LOOK, GROUP);
        ask(WALK("0-0"), "[]");
        quiet();
        fake_redis_quiet(&reader);
        pass(STREAM_RETRY_MS);
        quiet();
        fake_redis_expect(&reader, READ);
        expect_told("");
        (void)end(NULL);
        (void)begin(NULL);
    }
    start();
}

/* Fields that are no fields: the entry is ours, and is fetched. */
static void test_read_nonsense_fields(void **state)
{
    static const char *const fields[] = {"x", ":1", "[a]", "[a :1]", "[[] []]"};
    char entry[64];

    (void)state;
    for (size_t i = 0; i < COUNT(fields); i++) {
        start();
        (void)snprintf(entry, sizeof(entry), "[6-1 %s]", fields[i]);
        give(entry);
        expect_told("");
        ask("XRANGE s 6-1 6-1", "[[6-1 [type benign node n]]]");
        ask("XACK s planner 6-1", ":1");
        (void)end(NULL);
        (void)begin(NULL);
    }
    start();
}

/* ---- Several streams ---- */

static void test_several_streams(void **state)
{
    (void)state;
    open_streams("a, b,c", false);
    fake_redis_ready(&commands);
    fake_redis_ready(&reader);
    redis_stream_turn();
    fake_redis_expect_answer(&commands, "XINFO GROUPS a", GROUP);
    fake_redis_expect_answer(&commands, "XINFO GROUPS b", "-WRONGTYPE so");
    fake_redis_expect_answer(&commands, "XINFO GROUPS c", GROUP);
    redis_stream_turn();
    fake_redis_expect_answer(&commands, "XPENDING a planner 0-0 + 64 me", "[]");
    redis_stream_turn();
    fake_redis_quiet(&reader); /* c may have something of ours */
    fake_redis_expect_answer(&commands, "XPENDING c planner 0-0 + 64 me", "[]");
    fake_redis_expect_answer(&commands, "XAUTOCLAIM a *", "[0-0 []]");
    redis_stream_turn();
    fake_redis_expect_answer(&commands, "XAUTOCLAIM c *", "[0-0 []]");
    fake_redis_expect(&reader, "XREADGROUP GROUP planner me COUNT 32 BLOCK 10000 STREAMS a c > >");
    fake_redis_answer(&reader, "[[a [[1-1 [type benign node n]]]] [c [[1-1 [type x node n]]]]]");
    expect_told("ended a:1-1 {\"type\":\"benign\",\"node\":\"n\"}\n"
                "kept c:1-1 {\"type\":\"x\",\"node\":\"n\"}\n");
    redis_stream_finished(refs[0]);
    redis_stream_turn();
    fake_redis_expect_answer(&commands, "XACK a planner 1-1", ":1");
    fake_redis_expect_answer(&commands, "XACK c planner 1-1", ":1");
    pass(STREAM_RETRY_MS);
    slots = 2;
    redis_stream_turn();
    fake_redis_expect_answer(&commands, "XINFO GROUPS b", GROUP);
    ask("XPENDING b planner 0-0 + 64 me", "[]");
    fake_redis_answer(&reader, "_");
    redis_stream_turn();
    fake_redis_expect(&reader,
                      "XREADGROUP GROUP planner me COUNT 1 BLOCK 10000 STREAMS a b c > > >");
}

/* Streams a, whose group is there, and b, whose look is answered so. */
static void open_two(bool once, const char *group)
{
    open_streams("a,b", once);
    fake_redis_ready(&commands);
    fake_redis_ready(&reader);
    redis_stream_turn();
    fake_redis_expect_answer(&commands, "XINFO GROUPS a", GROUP);
    fake_redis_expect_answer(&commands, "XINFO GROUPS b", group);
}

/* What cannot be fetched of one stream holds that one up, and no other. */
static void test_one_stream_is_stuck(void **state)
{
    (void)state;
    slots = 64;
    open_two(false, GROUP);
    redis_stream_turn();
    fake_redis_expect_answer(&commands, "XPENDING a *", "[[1-1 me :1 :1] [1-2 me :1 :1]]");
    fake_redis_expect_answer(&commands, "XPENDING b *", "[]");
    redis_stream_turn();
    fake_redis_quiet(&reader);
    fake_redis_expect_answer(&commands, "XAUTOCLAIM a *", "[0-0 []]");
    fake_redis_expect_answer(&commands, "XAUTOCLAIM b *", "[0-0 []]");
    slots = 1;
    fake_redis_expect_answer(&commands, "XCLAIM a planner me 0 1-1", "-READONLY so");
    fake_redis_expect_answer(&commands, "XCLAIM a planner me 0 1-2", "-READONLY so");
    quiet();
    fake_redis_expect(&reader, "XREADGROUP GROUP planner me COUNT 1 BLOCK 10000 STREAMS b >");
    fake_redis_answer(&reader, "[[b [[1-1 [type x node n]]]]]");
    expect_told("kept b:1-1 {\"type\":\"x\",\"node\":\"n\"}\n");
    slots = 64;
    pass(STREAM_RETRY_MS);
    redis_stream_turn();
    fake_redis_quiet(&reader);
    fake_redis_expect_answer(&commands, "XCLAIM a planner me 0 1-1", "[[1-1 [type x node n]]]");
    fake_redis_expect_answer(&commands, "XCLAIM a planner me 0 1-2", "[[1-2 [type x node n]]]");
    redis_stream_turn();
    fake_redis_expect(&reader, "XREADGROUP GROUP planner me COUNT 31 BLOCK 10000 STREAMS a b > >");
}

/* ---- Once ---- */

static void test_once(void **state)
{
    (void)state;
    open_streams("s", true);
    assert_true(redis_stream_reading());
    fake_redis_ready(&commands);
    fake_redis_ready(&reader);
    assert_true(redis_stream_reading());
    ask(LOOK, GROUP);
    assert_true(redis_stream_reading());
    ask(WALK("0-0"), "[[1-1 me :1 :1]]");
    assert_true(redis_stream_reading());
    slots = 2;
    ask("XCLAIM s planner me 0 1-1", "[[1-1 [type x node n]]]");
    assert_true(redis_stream_reading());
    redis_stream_turn();
    fake_redis_expect(&reader, "XREADGROUP GROUP planner me COUNT 1 STREAMS s >");
    assert_int_equal(fake_redis_limit(&reader), 0);
    give("[6-1 [type x node n]]");
    redis_stream_turn();
    assert_false(redis_stream_reading()); /* there is no slot: the planner is to go on */
    slots = 64;
    assert_true(redis_stream_reading());
    redis_stream_turn();
    assert_true(redis_stream_reading());
    fake_redis_expect_answer(&reader, READ_ONCE, "_");
    redis_stream_turn();
    fake_redis_quiet(&reader);
    assert_false(redis_stream_reading());
    assert_true(redis_stream_unfinished());
    redis_stream_finished(refs[0]);
    redis_stream_finished(refs[1]);
    assert_true(redis_stream_reading());
    redis_stream_turn();
    assert_true(redis_stream_reading());
    ask("XACK s planner 1-1 6-1", ":2");
    assert_false(redis_stream_reading());
    assert_false(redis_stream_unfinished());
    pass(STREAM_TAKE_OVER_MS);
    quiet();
}

static void test_once_without_a_server(void **state)
{
    (void)state;
    open_streams("s", true);
    redis_stream_turn();
    assert_int_equal(wakes(), REDIS_CONNECT_MS);
    pass(REDIS_CONNECT_MS - 1);
    fake_redis_ready(&commands);
    assert_true(redis_stream_reading());
    pass(1);
    assert_false(redis_stream_reading());
    fake_redis_ready(&reader); /* late, but there */
    assert_true(redis_stream_reading());
    redis_stream_turn();
    fake_redis_lose(&reader);
    pass(REDIS_CONNECT_MS - 1);
    assert_true(redis_stream_reading());
    pass(1);
    assert_false(redis_stream_reading());
}

/* What is refused is not waited for. */
static void test_once_refused(void **state)
{
    (void)state;
    open_streams("s", true);
    fake_redis_ready(&commands);
    fake_redis_ready(&reader);
    ask(LOOK, "-WRONGTYPE so");
    redis_stream_turn();
    assert_false(redis_stream_reading());
    assert_true(redis_stream_unfinished()); /* nobody knows what is there */
    pass(STREAM_RETRY_MS);
    assert_true(redis_stream_reading());
    ask(LOOK, GROUP);
    ask(WALK("0-0"), "[]");
    redis_stream_turn();
    give("[6-1 [type bad node n]]");
    fake_redis_expect_answer(&commands, DEAD "*", "-OOM so");
    quiet();
    fake_redis_quiet(&reader);
    assert_false(redis_stream_reading());
    assert_true(redis_stream_unfinished());
}

/* Nor is what was left by a run before, and cannot be fetched: the planner is to go on. */
static void test_once_left_is_refused(void **state)
{
    (void)state;
    open_streams("s", true);
    fake_redis_ready(&commands);
    fake_redis_ready(&reader);
    ask(LOOK, GROUP);
    ask(WALK("0-0"), "[[1-1 me :1 :1]]");
    for (int i = 0; i < 3; i++) {
        ask("XCLAIM s planner me 0 1-1", "-READONLY so");
        quiet();
        assert_false(redis_stream_reading());
        assert_true(redis_stream_unfinished());
        pass(STREAM_RETRY_MS);
        assert_true(redis_stream_reading());
    }
    ask("XCLAIM s planner me 0 1-1", "[[1-1 [type bad node n]]]");
    fake_redis_expect_answer(&commands, DEAD "*", "-OOM so");
    redis_stream_turn();
    fake_redis_expect_answer(&reader, READ_ONCE, "_");
    pass(STREAM_RETRY_MS);
    assert_true(redis_stream_reading());
    ask("XRANGE s 1-1 1-1", "-NOPERM so"); /* nor what is doomed */
    quiet();
    assert_false(redis_stream_reading());
    pass(STREAM_RETRY_MS);
    ask("XRANGE s 1-1 1-1", "[]");
    ask("XACK s planner 1-1", ":1");
    quiet();
    assert_false(redis_stream_reading());
    assert_false(redis_stream_unfinished());
}

/* What could not be read was not read: there may be more. */
static void test_once_not_read(void **state)
{
    (void)state;
    open_streams("s", true);
    assert_true(redis_stream_unfinished());
    fake_redis_ready(&commands);
    fake_redis_ready(&reader);
    ask(LOOK, GROUP);
    ask(WALK("0-0"), "[]");
    redis_stream_turn();
    assert_true(redis_stream_unfinished());
    fake_redis_expect_answer(&reader, READ_ONCE, "-NOPERM so");
    ask(LOOK, GROUP);
    ask(WALK("0-0"), "[]");
    quiet();
    assert_false(redis_stream_reading());
    assert_true(redis_stream_unfinished());
    pass(STREAM_RETRY_MS);
    redis_stream_turn();
    give("[6-1 [type benign node n]]");
    assert_true(redis_stream_unfinished());
    ask("XACK s planner 6-1", ":1");
    assert_false(redis_stream_unfinished());
}

/* There may be more only behind as much as it has asked for: producers go on while it reads. */
static void test_once_up_to_the_end(void **state)
{
    (void)state;
    slots = 4;
    open_two(true, GROUP);
    redis_stream_turn();
    fake_redis_expect_answer(&commands, "XPENDING a *", "[]");
    fake_redis_expect_answer(&commands, "XPENDING b *", "[]");
    redis_stream_turn();
    fake_redis_expect_answer(&reader, "XREADGROUP GROUP planner me COUNT 2 STREAMS a b > >",
                             "[[a [[6-1 [type benign node n]]]]"
                             " [b [[6-1 [type benign node n]] [6-2 [type benign node n]]]]]");
    assert_true(redis_stream_reading());
    redis_stream_turn();
    fake_redis_expect_answer(&reader, "XREADGROUP GROUP planner me COUNT 2 STREAMS a b > >",
                             "[[a [[6-2 [type benign node n]]]] [b [[6-3 [type benign node n]]]]]");
    fake_redis_expect_answer(&commands, "XACK a planner 6-1", ":1");
    fake_redis_expect_answer(&commands, "XACK b planner 6-1 6-2", ":2");
    redis_stream_turn();
    fake_redis_quiet(&reader);
    fake_redis_expect_answer(&commands, "XACK a planner 6-2", ":1");
    fake_redis_expect_answer(&commands, "XACK b planner 6-3", ":1");
    assert_false(redis_stream_reading() || redis_stream_unfinished());
}

/* The end of one stream is not that of all. */
static void test_once_one_stream_is_late(void **state)
{
    (void)state;
    open_two(true, "-LOADING so");
    ask("XPENDING a *", "[]");
    redis_stream_turn();
    fake_redis_expect_answer(&reader, "XREADGROUP GROUP planner me COUNT 64 STREAMS a >", "_");
    quiet();
    fake_redis_quiet(&reader);
    assert_false(redis_stream_reading());
    assert_true(redis_stream_unfinished());
    pass(STREAM_RETRY_MS);
    ask("XINFO GROUPS b", GROUP);
    ask("XPENDING b *", "[]");
    assert_true(redis_stream_unfinished());
    redis_stream_turn();
    fake_redis_expect_answer(&reader, "XREADGROUP GROUP planner me COUNT 32 STREAMS a b > >", "_");
    quiet();
    assert_false(redis_stream_reading());
    assert_false(redis_stream_unfinished());
}

/* ---- Odds and ends ---- */

static void test_output_is_full(void **state)
{
    (void)state;
    start();
    fake_redis_room(&commands, 0);
    give("[5-1 [type bad node n]] [5-2 [type benign node n]]");
    told[0] = '\0';
    quiet();
    pass(STREAM_RENEW_MS);
    quiet();
    fake_redis_room(&commands, UINT_MAX);
    redis_stream_turn();
    fake_redis_expect_answer(&commands, TAKE("0-0", "64"), "[0-0 []]");
    fake_redis_expect_answer(&commands, "XACK s planner 5-2", ":1");
    fake_redis_expect_answer(&commands, "XCLAIM s planner me 0 5-1 FORCE JUSTID", "[5-1]");
    fake_redis_expect_answer(&commands, "XRANGE s 5-1 5-1", "[[5-1 [type bad node n]]]");
    fake_redis_expect_answer(&commands, DEAD "*", "9-1");
    expect_told("");
}

/* More are refused at once than there are places for what is under way. */
static void test_many_are_refused(void **state)
{
    static char entries[100 * 30];
    size_t n = 0;
    unsigned dead = 0;

    (void)state;
    start();
    for (int i = 0; i < 100; i++)
        n += (size_t)snprintf(entries + n, sizeof(entries) - n, "[6-%d [type bad node n]] ", i);
    give(entries);
    assert_int_equal(fake_redis_waiting(&commands), 64);
    for (int turns = 0; turns < 1000 && redis_stream_unfinished(); turns++) {
        redis_stream_turn();
        while (fake_redis_waiting(&commands) > 0) {
            size_t count;
            const struct span *args = fake_redis_args(&commands, &count);
            char answer[128];
            dead += span_is(args[0], "XADD");
            (void)snprintf(answer, sizeof(answer), "[[%s [type bad node n]]]", args[2].p);
            fake_redis_answer(&commands, span_is(args[0], "XRANGE") ? answer : ":1");
        }
    }
    assert_false(redis_stream_unfinished());
    assert_int_equal(dead, 100);
    assert_int_equal(redis_stream_counts()->dead, 100);
}

static void test_answers_after_the_end(void **state)
{
    (void)state;
    start();
    slots = 2;
    give("[5-1 [type bad node n]] [5-2 [type benign node n]] [5-3 [type x node n _ _]]");
    pass(STREAM_TAKE_OVER_MS);
    redis_stream_turn();
    redis_stream_turn();
    assert_int_equal(fake_redis_waiting(&commands), 4);
    told[0] = '\0';
    redis_stream_close();
    assert_int_equal(fake_redis_closes(&reader), 1);
    redis_stream_turn();
    redis_stream_finished(refs[0]);
    redis_stream_commands(true);
    while (fake_redis_waiting(&commands) > 0)
        fake_redis_answer(&commands, "[]");
    assert_false(redis_stream_reading());
    redis_stream_close();
    assert_int_equal(fake_redis_closes(&reader), 1);
    expect_told("");
}

/* ---- Names ---- */

static void test_names(void **state)
{
    static const struct {
        const char *names;
        bool good;
    } cases[] = {
        {"homelab:events", true},
        {"a", true},
        {"a,b", true},
        {" a , b ", true},
        {"a,A", true},
        {"a,b,c,d,e,f,g,h", true},
        {"a,b,c,d,e,f,g,h,i", false},
        {"", false},
        {",", false},
        {"a,", false},
        {",a", false},
        {"a,,b", false},
        {"a b", false},
        {"a\tb", false},
        {"a\x7f", false},
        {"\xc3\xa9", false},
        {"a,a", false},
        {"a,b, a", false},
        {"a:dead", true},
        {"a,a:dead", false},
        {"a:dead,b,a", false},
        {"a,b:dead", true},
        {"a,aa:dead", true},
        {"a:dead,a:dead:dead", false},
        {"~!,\x1f", false},
    };
    char why[REDIS_WHY_MAX + 1], name[STREAM_NAME_MAX + 2];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        memset(why, '#', sizeof(why));
        if ((redis_stream_check(span_of(cases[i].names), why) == 0) != cases[i].good)
            fail_msg("%s", cases[i].names);
        assert_int_equal(memchr(why, '\0', sizeof(why)) == NULL, cases[i].good);
    }
    memset(name, 'a', sizeof(name));
    name[STREAM_NAME_MAX + 1] = '\0';
    assert_int_equal(redis_stream_check(span_of(name), why), -1);
    name[STREAM_NAME_MAX] = '\0';
    assert_int_equal(redis_stream_check(span_of(name), why), 0);
    char line[2 * STREAM_NAME_MAX];
    (void)snprintf(line, sizeof(line),
                   "{\"stream\":\"%s\",\"last\":\"18446744073709551615-18446744073709551615\"}",
                   name);
    load(line, 0);
    (void)snprintf(line, sizeof(line), "{\"stream\":\"%sa\",\"last\":\"1-1\"}", name);
    load(line, -1);
    const struct redis_stream_settings settings = {span_of("a,a"), "me", false};
    assert_int_equal(redis_stream_open(&loop, &reader, &commands, &settings, &ops, told, 1, why),
                     -1);
    assert_string_equal(why, "a stream is named twice");
    open_streams("a", false);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_group_is_there),
        TEST(test_group_is_made_at_the_end),
        TEST(test_stream_is_not_there),
        TEST(test_another_makes_the_group),
        TEST(test_group_is_made_from_the_last_id),
        TEST(test_group_is_made_from_the_start),
        TEST(test_lines),
        TEST(test_refused_at_the_start),
        TEST(test_works_again),
        TEST(test_names_what_was_refused),
        TEST(test_an_entry),
        TEST(test_ended_within_the_offer),
        TEST(test_nothing_is_offered_twice),
        TEST(test_acknowledged_in_batches),
        TEST(test_acknowledged_again),
        TEST(test_acknowledged_to_nobody),
        TEST(test_counts_of_a_read),
        TEST(test_no_slot),
        TEST(test_stubborn),
        TEST(test_fetched_for_slots),
        TEST(test_table_is_full),
        TEST(test_own_pending_first),
        TEST(test_pages_of_pending),
        TEST(test_too_many_deliveries),
        TEST(test_reader_is_lost),
        TEST(test_read_is_lost),
        TEST(test_reader_is_lost_during_a_walk),
        TEST(test_group_is_gone_during_the_first_walk),
        TEST(test_walk_is_not_sent),
        TEST(test_commands_are_lost),
        TEST(test_walk_and_reader_at_once),
        TEST(test_fetched_nonsense),
        TEST(test_fetched_from_no_group),
        TEST(test_claimed_from_no_group),
        TEST(test_fetched_null),
        TEST(test_unreadable),
        TEST(test_refused),
        TEST(test_dead_stream_refuses),
        TEST(test_doomed_and_gone),
        TEST(test_too_large),
        TEST(test_dead_stream_is_bounded),
        TEST(test_renewed),
        TEST(test_renewed_in_batches),
        TEST(test_taken_over),
        TEST(test_nothing_is_taken_without_room),
        TEST(test_taking_is_refused),
        TEST(test_much_is_taken_over),
        TEST(test_taking_without_end),
        TEST(test_group_is_gone),
        TEST(test_group_is_gone_once_it_is_made),
        TEST(test_walk_without_a_group),
        TEST(test_data_is_lost_during_the_first_walk),
        TEST(test_another_makes_the_group_again),
        TEST(test_group_is_gone_when_the_table_was_full),
        TEST(test_what_is_unfinished_is_not_behind_the_saved_id),
        TEST(test_data_is_lost),
        TEST(test_late_answer_of_a_walk),
        TEST(test_group_that_is_and_is_not),
        TEST(test_read_nonsense),
        TEST(test_read_nonsense_fields),
        TEST(test_several_streams),
        TEST(test_one_stream_is_stuck),
        TEST(test_once),
        TEST(test_once_without_a_server),
        TEST(test_once_refused),
        TEST(test_once_left_is_refused),
        TEST(test_once_not_read),
        TEST(test_once_up_to_the_end),
        TEST(test_once_one_stream_is_late),
        TEST(test_output_is_full),
        TEST(test_many_are_refused),
        TEST(test_answers_after_the_end),
        TEST(test_names),
    };

    return cmocka_run_group_tests_name("source/redis_stream", tests, NULL, NULL);
}
