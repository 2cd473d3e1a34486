/* The stream source against a small model of a server with one stream, at random: connections that
 * break before or after a command was carried out, errors, restarts, lost data, another consumer
 * that dies. Nothing is offered while it is held, nothing is acknowledged that has not ended, and
 * in the end everything has. */
#include "source/redis_stream.h"

#include "fake_redis.h"
#include "kept_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define ROUNDS 40
#define STEPS 1500
#define ENTRIES_MAX 2000

enum owner { NOBODY, US, OTHER };
enum kind { PLAIN, BENIGN, BAD, KINDS };

/* Entry number i has the id i-0; 0 is not used. */
static struct entry {
    enum kind kind;
    enum owner owner; /* in whose list of pending entries it is */
    unsigned deliveries;
    bool there; /* in the stream */
    bool idle;  /* for long enough to be taken over */
    bool taken; /* it was */
    bool held;  /* by our planner, with */
    uint32_t ref;
    bool ended;   /* it did, or the other consumer has ended it */
    bool dead;    /* it is in the dead stream */
    bool excused; /* it was another's and lost with the group, or was deleted */
} entries[ENTRIES_MAX];
static int newest;

static struct {
    bool key, group;
    int delivered; /* the last one that was, to anybody */
} server;

static struct loop loop;
static struct redis_target target;
static struct redis reader, commands;
static unsigned slots;
static uint64_t random_state;
static unsigned offers, restarts, takings, deaths;

static unsigned at_random(unsigned below)
{
    random_state = random_state * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(random_state >> 33) % below;
}

/* One time in so many. */
static bool once_in(unsigned times)
{
    return at_random(times) == 0;
}

/* ---- The planner ---- */

static enum stream_took event(void *ctx, struct span bytes, struct span origin, uint32_t ref,
                              const char **reason)
{
    char text[64];

    (void)ctx;
    (void)bytes;
    assert_int_equal(span_copy(text, sizeof(text), origin), 0);
    int i = atoi(text + strlen("s:"));
    struct entry *e = &entries[i];
    assert_in_range(i, 1, newest);
    assert_false(e->held);
    assert_false(e->dead && e->kind != BAD);
    offers++;
    *reason = "no_type";
    if (e->kind == BAD)
        return STREAM_REFUSED;
    if (e->kind == BENIGN) {
        e->ended = true;
        return STREAM_ENDED;
    }
    if (slots == 0 || once_in(20))
        return STREAM_NO_SLOT;
    slots--;
    e->held = true;
    e->ref = ref;
    return STREAM_KEPT;
}

static void refused(void *ctx, struct span origin, const char *reason)
{
    (void)ctx;
    (void)origin;
    fail_msg("%s", reason);
}

static unsigned free_slots(void *ctx)
{
    (void)ctx;
    return slots;
}

static void finish(int i)
{
    struct entry *e = &entries[i];

    if (!e->held)
        return;
    e->held = false;
    e->ended = true;
    slots++;
    redis_stream_finished(e->ref);
}

/* ---- The server ---- */

static struct text {
    char p[65536];
    size_t n;
} answer;

static void put(const char *text)
{
    size_t n = strlen(text);

    assert_true(answer.n + n < sizeof(answer.p));
    memcpy(answer.p + answer.n, text, n + 1);
    answer.n += n;
}

static void put_entry(int i, bool fields)
{
    static const char *const kinds[KINDS] = {"plain", "benign", "bad"};
    char text[96];

    if (fields)
        (void)snprintf(text, sizeof(text), "[%d-0 [type %s node n]] ", i, kinds[entries[i].kind]);
    else
        (void)snprintf(text, sizeof(text), "%d-0 ", i);
    put(text);
}

static int id_of(struct span arg)
{
    return atoi(arg.p + (arg.p[0] == '('));
}

static void no_group(void)
{
    put("-NOGROUP No such key 's' or consumer group 'planner'");
}

static void look(void)
{
    char text[96];

    if (!server.key) {
        put("-ERR no such key");
        return;
    }
    (void)snprintf(text, sizeof(text), "[[name planner last-delivered-id %d-0]]", server.delivered);
    put(server.group ? text : "[]");
}

static void compare(void)
{
    int last = newest;
    char text[32];

    while (last > 0 && !entries[last].there)
        last--;
    (void)snprintf(text, sizeof(text), "%d-0", last);
    put(text);
}

static void make(struct span from)
{
    if (server.group) {
        put("-BUSYGROUP so");
        return;
    }
    server.key = server.group = true;
    server.delivered = from.p[0] == '$' ? newest : id_of(from);
    for (int i = 1; i <= newest && from.p[0] == '$'; i++)
        entries[i].excused = true; /* it was there before us */
    put("+OK");
}

static void pending(struct span from)
{
    unsigned count = 0;
    char text[96];

    put("[");
    for (int i = id_of(from) + (from.p[0] == '('); i <= newest && count < 64; i++) {
        if (entries[i].owner != US)
            continue;
        (void)snprintf(text, sizeof(text), "[%d-0 me :1 :%u] ", i, entries[i].deliveries);
        put(text);
        count++;
    }
    put("]");
}

static unsigned deliver(enum owner owner, unsigned most)
{
    unsigned count = 0;

    for (int i = server.delivered + 1; i <= newest && count < most; i++) {
        server.delivered = i;
        if (!entries[i].there)
            continue;
        entries[i].owner = owner;
        entries[i].deliveries = 1;
        if (owner == US)
            put_entry(i, true);
        count++;
    }
    return count;
}

/* false: it waits for new ones. */
static bool read_new(unsigned most)
{
    int i = server.delivered + 1;

    while (i <= newest && !entries[i].there)
        i++;
    if (i > newest && !once_in(10))
        return false;
    put(i <= newest ? "[[s [" : "_");
    if (deliver(US, most) > 0)
        put("]]]");
    return true;
}

static void acknowledge(const struct span *ids, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        struct entry *e = &entries[id_of(ids[k])];
        if (!e->ended && !e->dead && e->there)
            fail_msg("%d is acknowledged, and has not ended", id_of(ids[k]));
        e->owner = NOBODY;
    }
    put(":1");
}

static void claim(const struct span *ids, size_t count)
{
    bool just_id = span_is(ids[count - 1], "JUSTID");
    bool force = just_id && span_is(ids[count - 2], "FORCE");

    put("[");
    for (size_t k = 0; k < count - just_id - force; k++) {
        struct entry *e = &entries[id_of(ids[k])];
        if (e->owner == NOBODY && !force)
            continue;
        e->owner = e->there ? US : NOBODY;
        e->idle = false;
        e->deliveries += !just_id;
        if (e->there)
            put_entry(id_of(ids[k]), !just_id);
    }
    put("]");
}

static void take_over(unsigned most)
{
    put("[0-0 [");
    for (int i = 1; i <= newest && most > 0; i++) {
        struct entry *e = &entries[i];
        if (e->owner != OTHER || !e->idle)
            continue;
        e->owner = e->there ? US : NOBODY;
        e->idle = false;
        e->taken = true;
        takings += e->there;
        most--;
        if (e->there)
            put_entry(i, false);
    }
    put("] []]");
}

/* Carries the oldest command out, its answer to `answer`; false: not yet. */
static bool carry_out(struct redis *r)
{
    size_t count;
    const struct span *args = fake_redis_args(r, &count);
    const char *name = args[0].p;

    answer.n = 0;
    if (strcmp(name, "XINFO") == 0) {
        look();
    } else if (strcmp(name, "EVAL") == 0) {
        compare();
    } else if (strcmp(name, "XGROUP") == 0) {
        make(args[4]);
    } else if (strcmp(name, "XADD") == 0) {
        entries[id_of(args[7])].dead = true;
        deaths++;
        put("1-0");
    } else if (strcmp(name, "XRANGE") == 0) {
        put("[");
        if (entries[id_of(args[2])].there)
            put_entry(id_of(args[2]), true);
        put("]");
    } else if (strcmp(name, "XACK") == 0) {
        acknowledge(args + 3, server.group ? count - 3 : 0);
    } else if (!server.group) {
        no_group();
    } else if (strcmp(name, "XPENDING") == 0) {
        pending(args[3]);
    } else if (strcmp(name, "XCLAIM") == 0) {
        claim(args + 5, count - 5);
    } else if (strcmp(name, "XAUTOCLAIM") == 0) {
        take_over((unsigned)atoi(args[7].p));
    } else {
        assert_string_equal(name, "XREADGROUP");
        return read_new((unsigned)atoi(args[5].p));
    }
    return true;
}

static void serve(struct redis *r, bool errors)
{
    if (r->state != REDIS_READY || fake_redis_waiting(r) == 0)
        return;
    /* Claims anew are not asked again. */
    if (errors && strstr(fake_redis_command(r), "FORCE") == NULL && once_in(100))
        fake_redis_answer(r, "-LOADING so");
    else if (carry_out(r))
        fake_redis_answer(r, answer.p);
}

static void forget_group(void)
{
    server.group = false;
    for (int i = 1; i <= newest; i++) {
        entries[i].excused |= entries[i].owner == OTHER || entries[i].taken;
        entries[i].owner = NOBODY;
    }
}

static void flush_all(void)
{
    forget_group();
    server.key = false;
    for (int i = 1; i <= newest; i++) {
        entries[i].there = false;
        entries[i].excused = true;
    }
}

/* ---- Our process ---- */

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
static const struct redis_stream_ops ops = {event, refused, free_slots};

static void open_source(void)
{
    const struct redis_stream_settings settings = {span_of("s"), "me", false};
    char why[REDIS_WHY_MAX + 1];

    memset(&reader, 0, sizeof(reader));
    memset(&commands, 0, sizeof(commands));
    reader.name = "stream";
    commands.name = "commands";
    reader.target = commands.target = &target;
    commands.ops = &commands_ops;
    redis_open(&commands, &loop, 1);
    assert_int_equal(redis_stream_open(&loop, &reader, &commands, &settings, &ops, NULL, 1, why),
                     0);
}

/* The last ids are saved now and then. */
static char saved[256];

static void save(void)
{
    struct buf b;
    uint32_t at = 0;

    buf_init(&b, saved, sizeof(saved) - 1);
    (void)redis_stream_save(&b, &at);
    assert_non_null(buf_text(&b));
    redis_stream_saved();
}

static void restart(void)
{
    /* What a turn sent has gone out in one piece. */
    for (unsigned i = fake_redis_waiting(&commands); i > 0; i--)
        serve(&commands, false);
    restarts++;
    redis_stream_close();
    redis_close(&commands);
    for (int i = 1; i <= newest; i++) {
        slots += entries[i].held;
        entries[i].held = false;
    }
    if (saved[0] != '\0')
        assert_int_equal(redis_stream_load(span_of(saved)), 0);
    open_source();
}

/* Of what was sent, the server carries some out. */
static void lose(struct redis *r)
{
    if (r->state != REDIS_READY)
        return;
    if (fake_redis_waiting(r) > 0 && once_in(2))
        (void)carry_out(r);
    fake_redis_lose(r);
}

static void bring_up(struct redis *r)
{
    if (r->state != REDIS_READY)
        fake_redis_ready(r);
}

/* ---- The world ---- */

static void add_entry(void)
{
    if (newest + 1 == ENTRIES_MAX)
        return;
    server.key = true;
    entries[++newest] = (struct entry){.there = true, .kind = (enum kind)at_random(KINDS)};
    if (once_in(2))
        entries[newest].kind = PLAIN;
}

static void other_reads(void)
{
    if (server.group)
        (void)deliver(OTHER, 1 + at_random(5));
}

static void other_ends(bool dies)
{
    for (int i = 1; i <= newest; i++) {
        struct entry *e = &entries[i];
        if (e->owner != OTHER)
            continue;
        if (dies)
            e->idle = true;
        else if (once_in(2)) {
            e->ended = true;
            e->owner = NOBODY;
        }
    }
}

static void delete_one(void)
{
    struct entry *e = &entries[1 + at_random((unsigned)newest + 1)];

    e->there = false;
    e->excused = true;
}

static void step(void)
{
    loop.now.boot_ms += at_random(50);
    for (unsigned i = at_random(4); i > 0; i--)
        add_entry();
    for (unsigned i = at_random(8); i > 0 && newest > 0; i--)
        finish(1 + (int)at_random((unsigned)newest));
    redis_stream_turn();
    for (unsigned i = at_random(6); i > 0; i--)
        serve(&commands, true);
    serve(&reader, true);
    if (once_in(3))
        bring_up(once_in(2) ? &commands : &reader);
    if (once_in(40))
        lose(once_in(2) ? &commands : &reader);
    if (once_in(20))
        other_reads();
    if (once_in(20))
        other_ends(once_in(2));
    if (once_in(30) && newest > 0)
        delete_one();
    if (redis_stream_counts()->found || once_in(30))
        save();
    if (once_in(50))
        loop.now.boot_ms += at_random(200000);
    if (once_in(200))
        restart();
    if (once_in(700))
        flush_all();
    if (once_in(300))
        forget_group();
}

/* Nobody disturbs it any more. */
static void run_down(void)
{
    other_ends(true);
    for (unsigned i = 0; i < 400; i++) {
        slots = 1000;
        loop.now.boot_ms += STREAM_RETRY_MS;
        bring_up(&commands);
        bring_up(&reader);
        for (unsigned k = 0; k < 20; k++) {
            redis_stream_turn();
            for (int n = 1; n <= newest; n++)
                finish(n);
            while (fake_redis_waiting(&commands) > 0)
                serve(&commands, false);
            serve(&reader, false);
        }
    }
}

static void test_at_random(void **state)
{
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        memset(entries, 0, sizeof(entries));
        memset(&server, 0, sizeof(server));
        saved[0] = '\0';
        newest = 0;
        random_state = round * 77;
        slots = 1 + at_random(40);
        loop.now.boot_ms = 5000000;
        open_source();
        for (unsigned i = 0; i < STEPS && newest + 1 < ENTRIES_MAX; i++)
            step();
        run_down();
        for (int i = 1; i <= newest; i++) {
            const struct entry *e = &entries[i];
            if (!e->ended && !e->dead && !e->excused)
                fail_msg("round %u: %d of %d has not ended", round, i, newest);
            if (e->owner != NOBODY)
                fail_msg("round %u: %d of %d is still pending", round, i, newest);
        }
        assert_false(redis_stream_unfinished());
        redis_stream_close();
        redis_close(&commands);
        (void)fake_redis_reset(NULL);
    }
    assert_true(offers > 20000 && restarts > 50 && takings > 50 && deaths > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_at_random)};

    kept_log_open();
    int failed = cmocka_run_group_tests_name("source/stream_server", tests, NULL, NULL);
    kept_log_close();
    return failed;
}
