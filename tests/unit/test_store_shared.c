#include "store/shared.h"

#include "fake_redis.h"
#include "kept_log.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The scripts, by what only one of them has. */
#define CLAIM "EVAL '*return{'taken'*' "
#define KEEP "EVAL '*return redis.call('PEXPIRE'*' "
#define DONE "EVAL '*#KEYS*' "
#define DROP "EVAL '*'DEL'*' "

#define KEY "planner:cooldown:n/s"
#define CLAIM_A CLAIM "1 " KEY " a 60000 error"
#define DROP_A DROP "1 " KEY " claim:a"

#define T0 1000000

static struct loop loop;
static struct redis redis = {.name = "commands", .loop = &loop};
static struct shared shared;
static struct {
    unsigned count;
    unsigned slot;
    struct shared_answer last;
} told;

static void answered(void *arg, unsigned slot, const struct shared_answer *answer)
{
    assert_ptr_equal(arg, &told);
    told.count++;
    told.slot = slot;
    told.last = *answer;
}

static void configure(const char *node, int64_t claim_ms, int64_t cooldown_ms)
{
    const struct shared_settings settings = {node, claim_ms, cooldown_ms};

    shared_configure(&shared, &settings);
}

static int begin(void **state)
{
    (void)state;
    assert_int_equal(fake_redis_reset(NULL), 0);
    redis.state = REDIS_OFF;
    loop.now.boot_ms = T0;
    fake_redis_ready(&redis);
    kept_log_open();
    memset(&told, 0, sizeof(told));
    memset(&shared, 0, sizeof(shared));
    shared_init(&shared, &redis, answered, &told);
    configure("a", 60000, 300000);
    return 0;
}

static int end(void **state)
{
    (void)state;
    kept_log_close();
    return fake_redis_reset(NULL);
}

static int claim(unsigned slot, const char *key)
{
    return shared_claim(&shared, slot, span_of(key), "error", 0);
}

static void answer(const char *text)
{
    fake_redis_answer(&redis, text);
}

static void sent(const char *command)
{
    fake_redis_expect(&redis, command);
}

static unsigned waiting(void)
{
    return fake_redis_waiting(&redis);
}

static void expect(unsigned count, enum shared_view view, const char *owner)
{
    assert_int_equal(told.count, count);
    assert_int_equal(told.last.view, view);
    assert_string_equal(told.last.owner, owner);
}

/* ---- Claims ---- */

static void test_claim(void **state)
{
    static const struct {
        const char *key;
        const char *severity;
        uint64_t identity;
        const char *sent;
    } cases[] = {
        {"n/s", "error", 0, CLAIM_A},
        {"n/s", "critical", 0xff,
         CLAIM "2 " KEY " planner:event:00000000000000ff a 60000 critical"},
        {"n/s", "info", UINT64_C(0x0123456789abcdef),
         CLAIM "2 " KEY " planner:event:0123456789abcdef a 60000 info"},
        {"N.1_-/all", "warning", UINT64_MAX,
         CLAIM "2 planner:cooldown:N.1_-/all planner:event:ffffffffffffffff a 60000 "
               "warning"},
    };

    (void)state;
    for (unsigned i = 0; i < COUNT(cases); i++) {
        assert_int_equal(
            shared_claim(&shared, i, span_of(cases[i].key), cases[i].severity, cases[i].identity),
            0);
        sent(cases[i].sent);
        assert_int_equal(told.count, i);
        answer("[ours]");
        expect(i + 1, SHARED_OURS, "");
        assert_true(told.last.ends_ms == T0 + 60000);
        assert_int_equal(told.slot, i);
        assert_int_equal(waiting(), 0);
    }
}

static void test_answers(void **state)
{
    static char large[1000] = "[seen ";
    char cut[NAME_MAX_BYTES + 1];
    const struct {
        const char *answer;
        enum shared_view view;
        const char *owner;
        int64_t wait_ms;
    } cases[] = {
        {"[ours]", SHARED_OURS, "", 0},
        {"[taken b :1234]", SHARED_TAKEN, "b", 1234},
        {"[taken b :0]", SHARED_TAKEN, "b", 1},
        {"[taken b :-9223372036854775808]", SHARED_TAKEN, "b", 1},
        {"[taken b :1]", SHARED_TAKEN, "b", 1},
        {"[taken b :600000]", SHARED_TAKEN, "b", 600000},
        {"[taken b :600001]", SHARED_TAKEN, "b", 600000},
        {"[taken b :9223372036854775807]", SHARED_TAKEN, "b", 600000},
        {"[done b:c]", SHARED_DONE, "b:c", 0},
        {"[done '']", SHARED_DONE, "", 0},
        {"[seen 'node b']", SHARED_SEEN, "node b", 0},
        {large, SHARED_SEEN, cut, 0},
    };

    (void)state;
    memset(large + strlen(large), 'x', sizeof(large) - strlen(large) - 2);
    large[sizeof(large) - 2] = ']';
    memset(cut, 'x', sizeof(cut));
    memcpy(cut + NAME_MAX_BYTES - 3, "...", sizeof("..."));
    for (unsigned i = 0; i < COUNT(cases); i++) {
        assert_int_equal(claim(ASKS_MAX - 1, "n/s"), 0);
        answer(cases[i].answer);
        expect(i + 1, cases[i].view, cases[i].owner);
        assert_int_equal(told.slot, ASKS_MAX - 1);
        assert_true(told.last.wait_ms == cases[i].wait_ms);
    }
    assert_int_equal(kept_log_lines(), 0);
    configure("a", SHARED_WAIT_MS + 5000, 0);
    assert_int_equal(claim(0, "n/s"), 0);
    answer("[taken b :9223372036854775807]");
    assert_true(told.last.wait_ms == SHARED_WAIT_MS + 5000);
}

/* Each is no answer of the script. */
static void test_strange_answers(void **state)
{
    static const char *const cases[] = {
        "[taken b]", "[taken b _]", "[taken b 5]", "[taken b [:5]]", "[taken]",  "[+ours]",
        "[alone]",   "['ours ']",   "[our]",       "['']",           "[_ ours]", "[]",
        "[[ours]]",  "[:0]",        "_",           "+ours",          "ours",     ":1",
    };

    (void)state;
    for (unsigned i = 0; i < COUNT(cases); i++) {
        told.last.view = SHARED_OURS;
        assert_int_equal(claim(0, "n/s"), 0);
        answer(cases[i]);
        expect(i + 1, SHARED_ALONE, "");
        assert_true(told.last.wait_ms == 0);
    }
    assert_int_equal(kept_log_has("\"shared_cooldown_refused\""), 1);
    assert_int_equal(kept_log_lines(), 1);
}

/* The owner's name is a null where it was too long to be passed on. */
static void test_owner_unknown(void **state)
{
    static const struct {
        const char *answer;
        enum shared_view view;
    } cases[] = {
        {"[seen]", SHARED_SEEN},
        {"[seen _]", SHARED_SEEN},
        {"[done :5]", SHARED_DONE},
        {"[taken _ :77]", SHARED_TAKEN},
    };

    (void)state;
    for (unsigned i = 0; i < COUNT(cases); i++) {
        assert_int_equal(claim(0, "n/s"), 0);
        answer(cases[i].answer);
        expect(i + 1, cases[i].view, "");
        assert_true(told.last.wait_ms == (cases[i].view == SHARED_TAKEN ? 77 : 0));
    }
}

static void test_refused(void **state)
{
    static const char *const errors[] = {
        "-READONLY You can't write against a read only replica.",
        "-OOM command not allowed",
        "-NOPERM no",
        "-LOADING",
        "-ERR x WRONGTYPE",
        "-WRONGTYP",
        "-",
    };

    (void)state;
    for (unsigned i = 0; i < COUNT(errors); i++) {
        assert_int_equal(claim(0, "n/s"), 0);
        answer(errors[i]);
        expect(2 * i + 1, SHARED_ALONE, "");
        assert_true(shared.refused);
        /* A server that can only be read gives these, too. */
        assert_int_equal(claim(0, "n/s"), 0);
        answer("[done b]");
        expect(2 * i + 2, SHARED_DONE, "b");
    }
    shared_drop(&shared, span_of("n/s"));
    answer("_");
    assert_int_equal(kept_log_has("\"shared_cooldown_refused\""), 1);
    assert_int_equal(kept_log_has("READONLY You can't"), 1);
    assert_int_equal(kept_log_lines(), 1);
    assert_int_equal(claim(0, "n/s"), 0);
    answer("[ours]");
    assert_int_equal(kept_log_has("\"shared_cooldown_works\""), 1);
    assert_int_equal(claim(0, "n/s"), 0);
    answer("[ours]");
    assert_int_equal(kept_log_lines(), 2);

    shared_done(&shared, span_of("n/s"), "error", NULL, 0);
    answer("-OOM");
    assert_int_equal(kept_log_has("\"shared_cooldown_refused\""), 2);
    shared_done(&shared, span_of("n/s"), "error", NULL, 0);
    fake_redis_lose(&redis);
    fake_redis_ready(&redis);
    assert_int_equal(kept_log_has("\"shared_cooldown_works\""), 1);
    shared_done(&shared, span_of("n/s"), "error", NULL, 0);
    answer("+OK");
    assert_int_equal(kept_log_has("\"shared_cooldown_works\""), 2);
    assert_int_equal(kept_log_lines(), 4);
}

/* A key that is no string says nothing of the others. */
static void test_wrong_type(void **state)
{
    (void)state;
    assert_int_equal(claim(0, "n/s"), 0);
    answer("-WRONGTYPE Operation " KEY);
    expect(1, SHARED_ALONE, "");
    assert_false(shared.refused);
    assert_int_equal(kept_log_has("\"shared_cooldown_foreign\""), 1);
    assert_int_equal(kept_log_has(KEY), 1);
    shared_done(&shared, span_of("n/s"), "error", NULL, 0);
    answer("-WRONGTYPE");
    assert_int_equal(kept_log_has("\"shared_cooldown_foreign\""), 2);
    assert_int_equal(kept_log_lines(), 2);
    shared.refused = true;
    assert_int_equal(claim(0, "n/s"), 0);
    answer("-WRONGTYPE");
    assert_true(shared.refused);
    assert_int_equal(kept_log_has("\"shared_cooldown_foreign\""), 3);
}

static void test_lost(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ASKS_MAX; i++)
        assert_int_equal(claim(i, "n/s"), 0);
    fake_redis_lose(&redis);
    expect(ASKS_MAX, SHARED_ALONE, "");
    assert_int_equal(told.slot, ASKS_MAX - 1);
    assert_int_equal(kept_log_lines(), 0);
    assert_int_equal(claim(0, "n/s"), -1);
    shared_cancel(&shared, 0);
    fake_redis_ready(&redis);
    assert_int_equal(claim(0, "n/s"), 0);
    answer("[ours]");
    expect(ASKS_MAX + 1, SHARED_OURS, "");
}

static void test_not_sent(void **state)
{
    static char text[TABLE_KEY_MAX + 2];
    struct span key = {text, TABLE_KEY_MAX};

    (void)state;
    memset(text, 'k', sizeof(text) - 1);
    assert_int_equal(shared_claim(&shared, 0, key, "error", 0), 0);
    answer("[ours]");
    key.n++;
    assert_int_equal(shared_claim(&shared, 0, key, "error", 0), -1);
    assert_int_equal(shared_claim(&shared, 0, (struct span){"n\0s", 3}, "error", 0), -1);
    fake_redis_room(&redis, 0);
    assert_int_equal(claim(0, "n/s"), -1);
    shared_cancel(&shared, 0);
    fake_redis_room(&redis, 9);
    assert_int_equal(claim(0, "n/s"), 0);
    assert_int_equal(waiting(), 1);
    sent(CLAIM_A);
    answer("[ours]");
    expect(2, SHARED_OURS, "");
}

/* ---- Cancelled ---- */

/* What undoes the claim goes out when it is granted, and the answer is nobody's. */
static void test_cancel(void **state)
{
    (void)state;
    shared_cancel(&shared, 0);
    assert_int_equal(waiting(), 0);
    assert_int_equal(claim(0, "n/s"), 0);
    shared_cancel(&shared, 0);
    shared_cancel(&shared, 0);
    assert_int_equal(waiting(), 1);
    answer("[ours]");
    assert_int_equal(waiting(), 1);
    sent(DROP_A);
    assert_int_equal(told.count, 0);
    answer("_");
    assert_int_equal(waiting(), 0);

    assert_int_equal(claim(0, "n/s"), 0);
    answer("[ours]");
    shared_cancel(&shared, 0);
    assert_int_equal(waiting(), 0);
    assert_int_equal(told.count, 1);
}

/* The slot is used again before the first answer has come. */
static void test_late_answers(void **state)
{
    (void)state;
    assert_int_equal(claim(2, "n/s"), 0);
    shared_cancel(&shared, 2);
    assert_int_equal(claim(2, "n/t"), 0);
    shared_cancel(&shared, 2);
    assert_int_equal(claim(2, "n/u"), 0);
    assert_int_equal(waiting(), 3);
    answer("[seen b]");
    answer("[ours]");
    assert_int_equal(told.count, 0);
    sent(CLAIM "1 planner:cooldown:n/u a 60000 error");
    answer("[taken c :5]");
    expect(1, SHARED_TAKEN, "c");
    assert_int_equal(told.slot, 2);
    sent(DROP "1 planner:cooldown:n/t claim:a");
    answer("_");
    assert_int_equal(waiting(), 0);
}

/* A slot that is asked again without a cancel is cancelled. */
static void test_asked_twice(void **state)
{
    (void)state;
    assert_int_equal(claim(0, "n/s"), 0);
    assert_int_equal(claim(0, "n/t"), 0);
    answer("[ours]");
    assert_int_equal(told.count, 0);
    answer("[ours]");
    assert_int_equal(told.count, 1);
    sent(DROP_A);
    answer("_");
    assert_int_equal(waiting(), 0);
}

/* More questions than there are places for. */
static void test_questions_max(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SHARED_QUESTIONS_MAX; i++)
        assert_int_equal(claim(0, "n/s"), 0);
    assert_int_equal(claim(1, "n/t"), -1);
    answer("[taken b :5]");
    assert_int_equal(claim(1, "n/t"), 0);
    fake_redis_lose(&redis);
    expect(2, SHARED_ALONE, "");
}

/* No room for what undoes it: it ends by itself. What was not granted is not undone. */
static void test_owing(void **state)
{
    (void)state;
    assert_int_equal(claim(0, "n/s"), 0);
    fake_redis_room(&redis, 0);
    shared_cancel(&shared, 0);
    assert_int_equal(claim(0, "n/t"), -1);
    answer("[ours]");
    assert_int_equal(told.count, 0);
    assert_int_equal(waiting(), 0);

    static const char *const others[] = {"[taken b :5]", "[done b]", "[seen b]"};
    for (size_t i = 0; i < COUNT(others); i++) {
        fake_redis_room(&redis, 1);
        assert_int_equal(claim(0, "n/s"), 0);
        shared_cancel(&shared, 0);
        fake_redis_room(&redis, 1);
        answer(others[i]);
        assert_int_equal(waiting(), 0);
    }
    fake_redis_room(&redis, 1);
    assert_int_equal(claim(0, "n/s"), 0);
    shared_cancel(&shared, 0);
    answer("-OOM");
    fake_redis_room(&redis, 1);
    assert_int_equal(claim(0, "n/s"), 0);
    shared_cancel(&shared, 0);
    fake_redis_lose(&redis);
    assert_int_equal(told.count, 0);
}

/* Another slot has asked for the same key since: what was granted is its. */
static void test_key_of_another_slot(void **state)
{
    (void)state;
    fake_redis_room(&redis, 1);
    assert_int_equal(claim(0, "n/s"), 0);
    shared_cancel(&shared, 0);
    fake_redis_room(&redis, 9);
    assert_int_equal(claim(1, "n/s"), 0);
    answer("[ours]");
    assert_int_equal(waiting(), 1);
    assert_int_equal(told.count, 0);
    answer("[ours]");
    expect(1, SHARED_OURS, "");
    assert_int_equal(told.slot, 1);
    assert_int_equal(claim(0, "n/s"), 0);
    assert_int_equal(claim(1, "n/s"), 0);
    shared_cancel(&shared, 0);
    answer("[ours]");
    assert_int_equal(waiting(), 1);
    shared_cancel(&shared, 1);
    answer("[ours]");
    sent(DROP_A);
    answer("_");
    assert_int_equal(claim(0, "n/s"), 0);
    assert_int_equal(claim(1, "n/t"), 0);
    shared_cancel(&shared, 0);
    answer("[ours]");
    assert_int_equal(waiting(), 2);
}

/* ---- What a claim took the place of ---- */

#define BACK DROP "1 " KEY " claim:a done:b:info "

static void grant(unsigned slot, const char *key, const char *what)
{
    assert_int_equal(claim(slot, key), 0);
    answer(what);
}

static void test_before(void **state)
{
    (void)state;
    grant(0, "n/s", "[ours done:b:info :9000]");
    expect(1, SHARED_OURS, "");
    /* Asked again, it is our own claim that stands there. */
    loop.now.boot_ms += 1000;
    grant(1, "n/s", "[ours]");
    grant(0, "n/t", "[ours done:c:info :5000]");
    shared_drop(&shared, span_of("n/s"));
    sent(BACK "8000");
    answer("+OK");
    shared_drop(&shared, span_of("n/s"));
    sent(DROP_A);
    answer("_");
    shared_drop(&shared, span_of("n/t"));
    sent(DROP "1 planner:cooldown:n/t claim:a done:c:info 5000");
    answer("+OK");
    /* A later one counts; what was not sent is kept; what is decided is not. */
    grant(0, "n/s", "[ours done:b:error :9000]");
    grant(0, "n/s", "[ours done:b:info :100]");
    fake_redis_room(&redis, 0);
    shared_drop(&shared, span_of("n/s"));
    shared_done(&shared, span_of("n/s"), "error", NULL, 0);
    fake_redis_room(&redis, 9);
    shared_drop(&shared, span_of("n/s"));
    sent(BACK "100");
    answer("+OK");
    grant(0, "n/s", "[ours done:b:info :9000]");
    shared_done(&shared, span_of("n/s"), "error", NULL, 0);
    answer("+OK");
    shared_drop(&shared, span_of("n/s"));
    sent(DROP_A);
    answer("_");
}

static void test_before_cancelled(void **state)
{
    (void)state;
    assert_int_equal(claim(0, "n/s"), 0);
    shared_cancel(&shared, 0);
    assert_int_equal(claim(0, "n/t"), 0);
    answer("[ours done:b:info :9000]");
    answer("[ours]");
    sent(BACK "9000");
    answer("+OK");
    /* Another slot has it now, and gives it back. */
    assert_int_equal(claim(0, "n/s"), 0);
    shared_cancel(&shared, 0);
    assert_int_equal(claim(1, "n/s"), 0);
    answer("[ours done:b:info :9000]");
    answer("[ours]");
    assert_int_equal(waiting(), 0);
    shared_drop(&shared, span_of("n/s"));
    sent(BACK "9000");
    answer("+OK");
}

static void test_before_over(void **state)
{
    (void)state;
    grant(0, "n/s", "[ours done:b:info :9000]");
    loop.now.boot_ms += 8999;
    shared_renew(&shared, span_of("n/s"));
    answer(":1");
    shared_drop(&shared, span_of("n/s"));
    sent(BACK "1");
    answer("+OK");
    grant(0, "n/s", "[ours done:b:info :9000]");
    loop.now.boot_ms += 9000;
    shared_drop(&shared, span_of("n/s"));
    sent(DROP_A);
    answer(":1");
}

/* Of no such answer anything is kept, or of a time without an end. */
static void test_before_strange(void **state)
{
    static char large[1000] = "[ours ";
    const char *const cases[] = {"[ours x]",      "[ours _ :5]",  "[ours :5 :5]",  "[ours x y]",
                                 "[ours x :0]",   "[ours x :-1]", "[ours [x] :5]", large,
                                 "[taken x :50]", "[ours :50 x]"};

    (void)state;
    memset(large + strlen(large), 'x', sizeof(large) - strlen(large) - 5);
    memcpy(large + sizeof(large) - 5, " :9]", 5);
    for (unsigned i = 0; i < COUNT(cases); i++) {
        grant(0, "n/s", cases[i]);
        shared_drop(&shared, span_of("n/s"));
        sent(DROP_A);
        answer("_");
    }
    grant(0, "n/s", "[ours done:b:info :9223372036854775807]");
    shared_drop(&shared, span_of("n/s"));
    sent(BACK "86400000");
    answer("+OK");
}

/* What ends first goes. */
static void test_before_many(void **state)
{
    char key[16], what[64], back[128];

    (void)state;
    for (int i = 0; i <= SHARED_BEFORE_MAX; i++) {
        snprintf(key, sizeof(key), "n/%d", i);
        snprintf(what, sizeof(what), "[ours done:b:info :%d]", i == 3 ? 10 : 1000 + i);
        grant(0, key, what);
    }
    for (int i = 0; i <= SHARED_BEFORE_MAX; i++) {
        snprintf(key, sizeof(key), "n/%d", i);
        snprintf(back, sizeof(back), DROP "1 planner:cooldown:n/%d claim:a done:b:info %d", i,
                 1000 + i);
        if (i == 3)
            snprintf(back, sizeof(back), DROP "1 planner:cooldown:n/3 claim:a");
        shared_drop(&shared, span_of(key));
        sent(back);
        answer("+OK");
    }
}

/* It takes the place of our claim, where nobody waits for that. */
static void test_prolong(void **state)
{
    (void)state;
    assert_int_equal(claim(0, "n/s"), 0);
    assert_int_equal(claim(1, "n/t"), 0);
    shared_cancel(&shared, 1);
    assert_int_equal(shared_prolong(&shared, span_of("n/s"), "error"), 0);
    assert_int_equal(shared_prolong(&shared, span_of("n/t"), "error"), 0);
    answer("[done b]");
    answer("[done b]");
    sent(KEEP "1 " KEY " done:a:error 300000");
    answer("_");
    sent(KEEP "1 planner:cooldown:n/t done:a:error 300000 claim:a");
    answer("_");
    assert_int_equal(waiting(), 0);
}

/* ---- Changes ---- */

static void test_changes(void **state)
{
    (void)state;
    shared_renew(&shared, span_of("n/s"));
    sent(KEEP "1 " KEY " claim:a 60000");
    answer("+OK");
    shared_drop(&shared, span_of("n/s"));
    sent(DROP_A);
    answer("_");
    assert_int_equal(shared_prolong(&shared, span_of("n/s"), "critical"), 0);
    sent(KEEP "1 " KEY " done:a:critical 300000 claim:a");
    answer("+OK");
    shared_done(&shared, span_of("n/s"), "warning", NULL, 0);
    sent(DONE "1 " KEY " done:a:warning 300000 a 86400000");
    answer("+OK");
    configure("b:c", 400000, 300000);
    shared_done(&shared, span_of("n/s"), "info", NULL, 0);
    sent(DONE "1 " KEY " done:b:c:info 400000 b:c 86400000");
    answer("+OK");
    assert_int_equal(waiting(), 0);
    assert_int_equal(told.count, 0);
    fake_redis_room(&redis, 0);
    shared_renew(&shared, span_of("n/s"));
    shared_drop(&shared, span_of("n/s"));
    shared_done(&shared, span_of("n/s"), "info", (uint64_t[]){1}, 1);
    assert_int_equal(shared_prolong(&shared, span_of("n/s"), "critical"), -1);
    assert_int_equal(kept_log_lines(), 0);
}

static void test_identities(void **state)
{
    uint64_t many[2 * WORK_IDENTITIES_MAX + 1] = {0};

    (void)state;
    shared_done(&shared, span_of("n/s"), "error", (uint64_t[]){1, 0, 0xabc}, 3);
    sent(DONE "3 " KEY " planner:event:0000000000000001"
              " planner:event:0000000000000abc done:a:error 300000 a 86400000");
    answer("+OK");
    assert_int_equal(waiting(), 0);
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = i + 1;
    shared_done(&shared, span_of("n/s"), "error", many, WORK_IDENTITIES_MAX);
    assert_int_equal(waiting(), 1);
    answer("+OK");
    shared_done(&shared, span_of("n/s"), "error", many, COUNT(many));
    assert_int_equal(waiting(), 3);
    answer("+OK");
    answer("+OK");
    sent(DONE "2 " KEY " planner:event:0000000000000011 done:a:error 300000 a 86400000");
    answer("+OK");
}

/* The longest of everything. */
static void test_room(void **state)
{
    static char key[TABLE_KEY_MAX + 1];
    static char endless[8192];
    static char node[NAME_MAX_BYTES + 1];
    uint64_t identities[WORK_IDENTITIES_MAX];

    (void)state;
    memset(key, 'k', sizeof(key) - 1);
    memset(node, 'n', sizeof(node) - 1);
    memset(identities, 0xff, sizeof(identities));
    configure(node, INT64_MAX - T0, INT64_MAX);
    assert_int_equal(shared_claim(&shared, 0, span_of(key), "critical", 1), 0);
    answer("[ours]");
    shared_done(&shared, span_of(key), "critical", identities, COUNT(identities));
    assert_int_equal(waiting(), 1);
    answer("+OK");
    assert_int_equal(shared_prolong(&shared, span_of(key), "critical"), 0);
    memset(endless, 'k', sizeof(endless) - 1);
    assert_int_equal(shared_prolong(&shared, span_of(endless), "critical"), -1);
    assert_int_equal(waiting(), 1);
}

static void test_done_ms(void **state)
{
    (void)state;
    configure("a", 60000, 300000);
    assert_true(shared_done_ms(&shared) == 300000);
    configure("a", 60000, 0);
    assert_true(shared_done_ms(&shared) == 60000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_claim),
        TEST(test_answers),
        TEST(test_strange_answers),
        TEST(test_owner_unknown),
        TEST(test_refused),
        TEST(test_wrong_type),
        TEST(test_lost),
        TEST(test_not_sent),
        TEST(test_cancel),
        TEST(test_late_answers),
        TEST(test_asked_twice),
        TEST(test_owing),
        TEST(test_before),
        TEST(test_before_cancelled),
        TEST(test_before_over),
        TEST(test_before_strange),
        TEST(test_before_many),
        TEST(test_prolong),
        TEST(test_questions_max),
        TEST(test_key_of_another_slot),
        TEST(test_changes),
        TEST(test_identities),
        TEST(test_room),
        TEST(test_done_ms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
