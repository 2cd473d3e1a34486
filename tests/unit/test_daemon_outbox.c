#include "daemon/outbox.h"

#include "fake_redis.h"
#include "kept_log.h"
#include "scratch.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define T0 INT64_C(5000000)
#define PERIOD (300000 / 3)
#define XADD "XADD s MAXLEN ~ 10000 * action_id "
#define PROLONG "EVAL '*return redis.call('PEXPIRE'*' 1 planner:cooldown:"

static struct tree tree;
static struct redis redis = {.name = "commands"};
static struct shared shared;
static struct loop loop;
static struct outbox outbox;

/* ---- In place of loop/loop.c: one timer ---- */

static unsigned wakes;

int loop_timer_set(struct loop *l, struct loop_timer *timer, int64_t deadline_ms)
{
    assert_ptr_equal(l, &loop);
    assert_ptr_equal(timer, &outbox.timer);
    timer->deadline_ms = deadline_ms;
    timer->set = true;
    return 0;
}

void loop_timer_clear(struct loop *l, struct loop_timer *timer)
{
    assert_ptr_equal(l, &loop);
    timer->set = false;
}

/* Goes on to the timer, and runs it. */
static void wake(void)
{
    assert_true(outbox.timer.set);
    if (outbox.timer.deadline_ms > loop.now.boot_ms)
        loop.now.boot_ms = outbox.timer.deadline_ms;
    outbox.timer.set = false;
    redis.outstanding = fake_redis_waiting(&redis);
    wakes++;
    outbox.timer.due(&loop, outbox.timer.arg);
}

/* All that is due until this time, which it is then. */
static void until(int64_t ms)
{
    for (int i = 0; outbox.timer.set && outbox.timer.deadline_ms <= T0 + ms; i++) {
        assert_true(i < 10000);
        wake();
    }
    loop.now.boot_ms = T0 + ms;
}

static int64_t next_ms(void)
{
    return outbox.timer.set ? outbox.timer.deadline_ms - T0 : -1;
}

/* ---- The tree ---- */

static void put(const char *path, const char *id, const char *type, const char *more)
{
    char text[1024];

    (void)snprintf(text, sizeof(text),
                   "{\"action_id\":\"%s\",\"node\":\"n\",\"service\":\"%s\",\"type\":\"%s\"%s}", id,
                   id, type, more);
    scratch_put(&tree, path, text);
}

#define OURS(severity)                                                                             \
    ",\"proposed_by\":\"planner-agent\",\"details\":{\"event\":{\"severity\":\"" severity "\"}}"

static void put_many(const char *type, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char path[64], id[32];
        (void)snprintf(id, sizeof(id), "a%03u", i);
        (void)snprintf(path, sizeof(path), "actions/pending/%s.json", id);
        put(path, id, type, OURS("error"));
    }
}

static void begin_with(const char *stream)
{
    outbox = (struct outbox){&tree, &redis, &shared, &loop, stream, .timer = {.set = false}};
    outbox_open(&outbox);
}

static void answered(void *arg, unsigned slot, const struct shared_answer *answer)
{
    (void)arg;
    (void)slot;
    (void)answer;
    fail();
}

static int begin(void **state)
{
    static const struct shared_settings settings = {"a", 60000, 300000};

    (void)state;
    assert_int_equal(fake_redis_reset(NULL), 0);
    redis.state = REDIS_OFF;
    scratch_open(&tree);
    scratch_dirs(&tree, "actions/pending");
    loop.now.boot_ms = T0;
    wakes = 0;
    shared_init(&shared, &redis, answered, NULL);
    shared_configure(&shared, &settings);
    begin_with("s");
    kept_log_open();
    return 0;
}

static int end(void **state)
{
    (void)state;
    outbox_close(&outbox);
    assert_false(outbox.timer.set);
    kept_log_close();
    scratch_close(&tree);
    return fake_redis_reset(NULL);
}

static void ready(void)
{
    fake_redis_ready(&redis);
    outbox_ready(&outbox, true);
}

static void lose(void)
{
    fake_redis_lose(&redis);
    outbox_ready(&outbox, false);
}

/* ---- What was sent ---- */

static char all[512][300];
static size_t sent_count;

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Answers all that was sent with this, and remembers it: "+id" for an addition, "key=value" for a
 * prolongation. */
static void answer_all(const char *answer)
{
    while (fake_redis_waiting(&redis) > 0) {
        size_t n;
        const struct span *args = fake_redis_args(&redis, &n);
        assert_true(sent_count < COUNT(all));
        if (span_is(args[0], "XADD"))
            (void)snprintf(all[sent_count++], sizeof(all[0]), "+%s ", args[7].p);
        else
            (void)snprintf(all[sent_count++], sizeof(all[0]), "%s=%s ", args[3].p, args[4].p);
        fake_redis_answer(&redis, answer);
    }
}

/* Runs until this time, with each command answered at once; what was sent since the last time, in
 * order of names. */
static const char *sent_until(int64_t ms)
{
    static char text[65536];

    answer_all("+OK");
    while (outbox.timer.set && outbox.timer.deadline_ms <= T0 + ms) {
        wake();
        answer_all("+OK");
    }
    loop.now.boot_ms = T0 + ms;
    qsort(all, sent_count, sizeof(all[0]), compare);
    text[0] = '\0';
    for (size_t i = 0; i < sent_count; i++)
        strncat(text, all[i], sizeof(text) - strlen(text) - 1);
    sent_count = 0;
    return text;
}

/* ---- Tests ---- */

static void test_nothing_there(void **state)
{
    (void)state;
    assert_int_equal(next_ms(), -1);
    ready();
    assert_int_equal(next_ms(), 0);
    assert_string_equal(sent_until(3600000), "");
    assert_int_equal(next_ms(), -1);
    assert_int_equal(wakes, 1);
    assert_int_equal(kept_log_lines(), 0);
}

static void test_action(void **state)
{
    (void)state;
    outbox_action(&outbox, "early", span_of("{}"));
    fake_redis_quiet(&redis);
    assert_int_equal(next_ms(), -1);
    ready();
    until(100);
    outbox_action(&outbox, "x", span_of("{\"a\": 1}\n"));
    fake_redis_expect(&redis, XADD "x action '{\"a\": 1}\n'");
    size_t n;
    const struct span *args = fake_redis_args(&redis, &n);
    assert_int_equal(n, 10);
    assert_true(span_is(args[5], "*"));
    assert_true(span_is(args[9], "{\"a\": 1}\n"));
    assert_int_equal(outbox.added, 0);
    fake_redis_answer(&redis, "1-1");
    assert_int_equal(outbox.added, 1);
    assert_int_equal(outbox.refused, 0);
    /* One look, whether it is to be prolonged. */
    assert_int_equal(next_ms(), 100 + PERIOD);
    until(200);
    outbox_action(&outbox, "y", span_of("{}"));
    assert_int_equal(next_ms(), 100 + PERIOD);
    assert_string_equal(sent_until(3600000), "+y ");
    assert_int_equal(wakes, 2);
}

/* One of everything that may stand there. */
static void test_all_of_pending(void **state)
{
    static char large[ACTION_BYTES_MAX + 1];
    static const char spaced[] = " {\"action_id\" : \"spaced\"}\n";

    (void)state;
    put("actions/pending/good.json", "good", "alert_only", "");
    scratch_put(&tree, "actions/pending/spaced.json", spaced);
    put("actions/pending/other.json", "good", "alert_only", "");
    put("actions/pending/.hidden.json", "hidden", "alert_only", "");
    put("actions/pending/.claim-c", "c", "redeploy", OURS("error"));
    put("actions/pending/.claim--d", "-d", "redeploy", OURS("error"));
    put("actions/pending/.claim-", "", "redeploy", OURS("error"));
    put("actions/pending/.claim-e.json", "e", "redeploy", OURS("error"));
    put("actions/pending/.tmp-1", "good", "alert_only", "");
    put("actions/pending/sp ace.json", "sp ace", "alert_only", "");
    put("actions/pending/x.json.bak", "x", "alert_only", "");
    put("actions/pending/.json", "", "alert_only", "");
    put("actions/pending/json", "json", "alert_only", "");
    scratch_put(&tree, "actions/pending/garbage.json", "{");
    scratch_put(&tree, "actions/pending/empty.json", "");
    scratch_dirs(&tree, "actions/pending/dir.json");
    assert_int_equal(mkfifo(scratch_path(&tree, "actions/pending/fifo.json"), 0644), 0);
    put("elsewhere", "link", "alert_only", "");
    assert_int_equal(symlink("../../elsewhere", scratch_path(&tree, "actions/pending/link.json")),
                     0);
    memset(large, ' ', sizeof(large));
    memcpy(large, "{\"action_id\":\"large\"}", 21);
    scratch_put_bytes(&tree, "actions/pending/large.json", large, sizeof(large));
    memcpy(large, "{\"action_id\":\"limit\"}", 21);
    scratch_put_bytes(&tree, "actions/pending/limit.json", large, ACTION_BYTES_MAX);
    put("actions/approved/done.json", "done", "alert_only", "");
    put("actions/approved/.claim-f", "f", "redeploy", OURS("error"));
    ready();
    assert_string_equal(sent_until(1000),
                        "+good +limit +spaced planner:cooldown:n/c=done:a:error ");
    assert_int_equal(outbox.added, 3);
    assert_int_equal(kept_log_lines(), 0);

    /* The bytes as they are. */
    assert_int_equal(unlink(scratch_path(&tree, "actions/pending/good.json")), 0);
    assert_int_equal(unlink(scratch_path(&tree, "actions/pending/limit.json")), 0);
    assert_int_equal(unlink(scratch_path(&tree, "actions/pending/.claim-c")), 0);
    lose();
    ready();
    until(2000);
    size_t n;
    const struct span *args = fake_redis_args(&redis, &n);
    assert_true(span_eq(args[9], span_of(spaced)));
}

static void test_what_is_prolonged(void **state)
{
    (void)state;
    begin_with("");
    put("actions/pending/a.json", "a", "container_restart", OURS("warning"));
    put("actions/approved/b.json", "b", "redeploy", OURS("critical"));
    put("actions/running/c.json", "c", "redeploy", OURS("info"));
    put("actions/pending/.claim-d", "d", "redeploy", OURS("error"));
    put("actions/rejected/e.json", "e", "redeploy", OURS("error"));
    put("actions/completed/f.json", "f", "redeploy", OURS("error"));
    put("actions/pending/g.json", "g", "alert_only", OURS("error"));
    put("actions/pending/h.json", "h", "redeploy", ",\"proposed_by\":\"supervisor\"");
    put("actions/pending/i.json", "i", "Redeploy", OURS("error"));
    put("actions/pending/j.json", "j", "redeploy", OURS("a:b"));
    put("actions/pending/k.json", "k", "redeploy", ",\"proposed_by\":\"planner-agent\"");
    scratch_put(&tree, "actions/pending/l.json",
                "{\"action_id\":\"l\",\"node\":\"\",\"service\":\"s\",\"type\":\"redeploy\""
                ",\"proposed_by\":\"planner-agent\"}");
    scratch_put(&tree, "actions/pending/m.json",
                "{\"action_id\":\"m\",\"node\":\"n\",\"type\":\"redeploy\""
                ",\"proposed_by\":\"planner-agent\"}");
    scratch_put(&tree, "actions/pending/o.json",
                "{\"action_id\":\"o\",\"node\":\".n x\",\"service\":\"-s/\\u00e9\","
                "\"type\":\"redeploy\",\"proposed_by\":\"planner-agent\"}");
    ready();
    assert_string_equal(sent_until(0), "planner:cooldown:_n_x/_s___=done:a:warning "
                                       "planner:cooldown:n/a=done:a:warning "
                                       "planner:cooldown:n/b=done:a:critical "
                                       "planner:cooldown:n/c=done:a:info "
                                       "planner:cooldown:n/d=done:a:error "
                                       "planner:cooldown:n/j=done:a:warning "
                                       "planner:cooldown:n/k=done:a:warning ");
}

/* The timer is there while there is something to prolong. */
static void test_period(void **state)
{
    (void)state;
    put("actions/pending/a.json", "a", "redeploy", OURS("error"));
    ready();
    assert_string_equal(sent_until(PERIOD - 1), "+a planner:cooldown:n/a=done:a:error ");
    assert_int_equal(next_ms(), PERIOD);
    assert_string_equal(sent_until(PERIOD), "planner:cooldown:n/a=done:a:error ");
    scratch_dirs(&tree, "actions/approved");
    assert_int_equal(rename(scratch_path(&tree, "actions/pending/a.json"),
                            scratch_path(&tree, "actions/approved/a.json")),
                     0);
    assert_string_equal(sent_until(2 * PERIOD), "planner:cooldown:n/a=done:a:error ");
    assert_int_equal(unlink(scratch_path(&tree, "actions/approved/a.json")), 0);
    assert_string_equal(sent_until(3 * PERIOD), "");
    assert_int_equal(wakes, 4);
    assert_int_equal(next_ms(), -1);
}

static void test_lost(void **state)
{
    (void)state;
    put_many("redeploy", 40);
    ready();
    wake();
    assert_int_equal(next_ms(), OUTBOX_PAUSE_MS);
    assert_true(outbox.walk.dir.fd >= 0);
    lose();
    assert_int_equal(next_ms(), -1);
    assert_true(outbox.walk.dir.fd < 0);
    ready();
    wake();
    fake_redis_lose(&redis);
    wake();
    assert_int_equal(next_ms(), -1);
    outbox_ready(&outbox, false);
    ready();
    (void)sent_until(10000);
    assert_int_equal(outbox.added, 40);
    assert_int_equal(outbox.refused, 0);
    assert_int_equal(kept_log_lines(), 0);
}

/* A few files a turn, and no more commands unanswered than they need. */
static void test_slices(void **state)
{
    (void)state;
    put_many("alert_only", 3 * OUTBOX_SLICE + 1);
    ready();
    until(0);
    assert_int_equal(fake_redis_waiting(&redis), OUTBOX_SLICE);
    until(1000);
    assert_int_equal(fake_redis_waiting(&redis), OUTBOX_SLICE);
    fake_redis_answer(&redis, "1-1");
    until(1000 + OUTBOX_PAUSE_MS);
    assert_int_equal(fake_redis_waiting(&redis), 2 * OUTBOX_SLICE - 1);
    (void)sent_until(3000);
    assert_int_equal(outbox.added, 3 * OUTBOX_SLICE + 1);
}

/* Large files: the connection keeps room for others. */
static void test_bytes(void **state)
{
    static char large[40000];

    (void)state;
    for (int i = 0; i < 10; i++) {
        char path[64];
        memset(large, ' ', sizeof(large));
        int n = snprintf(large, sizeof(large), "{\"action_id\":\"l%d\"}", i);
        large[n] = ' ';
        (void)snprintf(path, sizeof(path), "actions/pending/l%d.json", i);
        scratch_put_bytes(&tree, path, large, sizeof(large));
    }
    ready();
    until(1000);
    assert_int_equal(fake_redis_waiting(&redis), 2);
    fake_redis_answer(&redis, "1-1");
    until(2000);
    assert_int_equal(fake_redis_waiting(&redis), 1);
    fake_redis_answer(&redis, "1-1");
    until(3000);
    assert_int_equal(fake_redis_waiting(&redis), 2);
    (void)sent_until(4000);
    assert_int_equal(outbox.added, 10);
}

/* The pipeline is full in the middle, at an addition or a prolongation: nothing is left out. */
static void test_full(void **state)
{
    (void)state;
    put_many("redeploy", 20);
    for (unsigned room = 0; room < 40; room++) {
        char text[2048] = "";
        for (unsigned i = 0; i < 20; i++)
            (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "+a%03u ", i);
        ready();
        fake_redis_full(&redis, true);
        wake();
        assert_int_equal(fake_redis_waiting(&redis), 0);
        fake_redis_full(&redis, false);
        fake_redis_room(&redis, room);
        wake();
        assert_int_equal(fake_redis_waiting(&redis), room < 32 ? room : 32);
        answer_all("+OK");
        wake();
        wake();
        answer_all("+OK");
        fake_redis_room(&redis, UINT_MAX);
        const char *sent = sent_until(loop.now.boot_ms - T0 + 1000);
        if (strncmp(sent, text, strlen(text)) != 0 || outbox.added != 20)
            fail_msg("%u: %s", room, sent);
        /* A prolongation is sent twice where the addition after it was not taken. */
        for (unsigned i = 0; i < 20; i++) {
            char key[64];
            (void)snprintf(key, sizeof(key), "planner:cooldown:n/a%03u=", i);
            assert_non_null(strstr(sent, key));
        }
        outbox.added = 0;
        lose();
    }
}

/* A file that could not be sent is gone at the next try. */
static void test_full_and_gone(void **state)
{
    (void)state;
    put_many("alert_only", 2);
    ready();
    fake_redis_room(&redis, 0);
    wake();
    assert_string_not_equal(outbox.walk.name, "");
    assert_int_equal(unlink(scratch_path(&tree, "actions/pending/a000.json")), 0);
    fake_redis_room(&redis, UINT_MAX);
    assert_string_equal(sent_until(1000), "+a001 ");
}

/* The connection is lost before that try. */
static void test_full_and_lost(void **state)
{
    (void)state;
    put_many("alert_only", 2);
    ready();
    fake_redis_room(&redis, 0);
    wake();
    assert_string_not_equal(outbox.walk.name, "");
    lose();
    fake_redis_room(&redis, UINT_MAX);
    ready();
    assert_string_equal(sent_until(1000), "+a000 +a001 ");
    assert_int_equal(kept_log_lines(), 0);
}

/* Nothing but prolongations, and no room for them for a while. */
static void test_full_without_stream(void **state)
{
    (void)state;
    begin_with("");
    put_many("redeploy", 20);
    for (unsigned room = 0; room < 20; room++) {
        ready();
        fake_redis_room(&redis, room);
        wake();
        answer_all("+OK");
        wake();
        fake_redis_room(&redis, UINT_MAX);
        const char *sent = sent_until(loop.now.boot_ms - T0 + 1000);
        for (unsigned i = 0; i < 20; i++) {
            char key[64];
            (void)snprintf(key, sizeof(key), "planner:cooldown:n/a%03u=", i);
            const char *at = strstr(sent, key);
            assert_non_null(at);
            assert_null(strstr(at + 1, key));
        }
        lose();
    }
}

static void test_refused(void **state)
{
    (void)state;
    put_many("alert_only", 2 * OUTBOX_SLICE);
    ready();
    wake();
    answer_all("-WRONGTYPE Operation");
    sent_count = 0;
    assert_int_equal(outbox.refused, OUTBOX_SLICE);
    assert_int_equal(kept_log_has("\"actions_stream_refused\""), 1);
    assert_int_equal(kept_log_has("\"WRONGTYPE Operation\""), 1);
    /* The rest is not tried. */
    assert_string_equal(sent_until(OUTBOX_RETRY_MS - 1), "");
    assert_int_equal(next_ms(), OUTBOX_RETRY_MS);
    (void)sent_until(OUTBOX_RETRY_MS + 1000);
    assert_int_equal(outbox.added, 2 * OUTBOX_SLICE);
    assert_int_equal(kept_log_has("\"actions_stream_works\""), 1);
    assert_int_equal(kept_log_lines(), 2);
    assert_int_equal(next_ms(), -1);
}

static void test_action_refused(void **state)
{
    (void)state;
    ready();
    until(0);
    put_many("alert_only", 1);
    outbox_action(&outbox, "a000", span_of("{}"));
    until(500);
    fake_redis_answer(&redis, "-OOM");
    assert_int_equal(next_ms(), 500 + OUTBOX_RETRY_MS);
    until(600);
    outbox_action(&outbox, "a000", span_of("{}"));
    fake_redis_answer(&redis, "-OOM");
    assert_int_equal(next_ms(), 500 + OUTBOX_RETRY_MS);
    assert_int_equal(kept_log_lines(), 1);
    assert_string_equal(sent_until(500 + OUTBOX_RETRY_MS), "+a000 ");
    /* Not taken at all. */
    fake_redis_room(&redis, 0);
    outbox_action(&outbox, "a000", span_of("{}"));
    fake_redis_room(&redis, UINT_MAX);
    assert_int_equal(outbox.unanswered, 0);
    assert_string_equal(sent_until(500 + 2 * OUTBOX_RETRY_MS), "+a000 ");
}

/* Written while a walk is under way that finds nothing. */
static void test_written_meanwhile(void **state)
{
    (void)state;
    put_many("alert_only", OUTBOX_SLICE + 1);
    ready();
    wake();
    outbox_action(&outbox, "w", span_of("{}"));
    (void)sent_until(1000);
    assert_int_equal(outbox.added, OUTBOX_SLICE + 2);
    assert_in_range(next_ms(), PERIOD, PERIOD + 1000);
}

static void test_without_stream(void **state)
{
    (void)state;
    begin_with("");
    put_many("redeploy", 1);
    ready();
    assert_string_equal(sent_until(0), "planner:cooldown:n/a000=done:a:error ");
    outbox_action(&outbox, "b", span_of("{}"));
    fake_redis_quiet(&redis);
    assert_int_equal(next_ms(), PERIOD);
}

/* Two walks as somebody else: ten times what was added, and all complaints so far. */
static int unreadable_walks(const struct tree *unused)
{
    (void)unused;
    for (int i = 0; i < 2; i++) {
        ready();
        (void)sent_until((i + 1) * 1000);
        lose();
    }
    assert_int_equal(kept_log_has("Permission denied"), kept_log_lines());
    return (int)(10 * outbox.added + kept_log_has("\"actions_unread\""));
}

static void test_unreadable(void **state)
{
    (void)state;
    put_many("alert_only", 3);
    put("actions/pending/.hidden.json", "hidden", "alert_only", "");
    put("actions/pending/sp ace.json", "sp ace", "alert_only", "");
    assert_int_equal(chmod(scratch_path(&tree, "actions/pending/.hidden.json"), 0), 0);
    assert_int_equal(chmod(scratch_path(&tree, "actions/pending/sp ace.json"), 0), 0);
    assert_int_equal(scratch_as_user(unreadable_walks, &tree), 60);
    assert_int_equal(chmod(scratch_path(&tree, "actions/pending/a000.json"), 0), 0);
    assert_int_equal(chmod(scratch_path(&tree, "actions/pending/a001.json"), 0), 0);
    assert_int_equal(scratch_as_user(unreadable_walks, &tree), 21);
    assert_int_equal(chmod(scratch_path(&tree, "actions/pending/a000.json"), 0644), 0);
    assert_int_equal(chmod(scratch_path(&tree, "actions/pending/a001.json"), 0644), 0);
    scratch_dirs(&tree, "actions/running");
    assert_int_equal(chmod(scratch_path(&tree, "actions/running"), 0), 0);
    assert_int_equal(scratch_as_user(unreadable_walks, &tree), 62);
}

static unsigned descriptors(void)
{
    unsigned count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Said once a change; and no descriptor is left open. */
static void test_unread_again(void **state)
{
    unsigned before = descriptors();

    (void)state;
    put_many("alert_only", 1);
    scratch_dirs(&tree, "actions/running");
    for (unsigned i = 1; i <= 3; i++) {
        scratch_put(&tree, "actions/approved", "a file in its place");
        ready();
        (void)sent_until(4000 * i);
        lose();
        assert_int_equal(kept_log_has("\"actions/approved\""), i);
        assert_int_equal(unlink(scratch_path(&tree, "actions/approved")), 0);
        ready();
        (void)sent_until(4000 * i + 2000);
        lose();
        assert_int_equal(outbox.added, 2 * i);
    }
    assert_int_equal(descriptors(), before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_there),
        TEST(test_action),
        TEST(test_all_of_pending),
        TEST(test_what_is_prolonged),
        TEST(test_period),
        TEST(test_lost),
        TEST(test_slices),
        TEST(test_bytes),
        TEST(test_full),
        TEST(test_full_and_gone),
        TEST(test_full_and_lost),
        TEST(test_full_without_stream),
        TEST(test_refused),
        TEST(test_action_refused),
        TEST(test_written_meanwhile),
        TEST(test_without_stream),
        TEST(test_unreadable),
        TEST(test_unread_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
