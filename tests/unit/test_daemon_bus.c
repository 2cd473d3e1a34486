#include "daemon/bus.h"

#include "base/json_read.h"
#include "base/log.h"
#include "daemon/bus_parts.h"
#include "daemon/glue.h"
#include "daemon/parts.h"
#include "daemon/saving.h"
#include "scratch.h"
#include "source/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define T0 1000000

/* ---- What stands in for the connections, the sources, the planner and its state ---- */

static struct {
    char trace[8192];
    struct redis *commands, *reader;
    struct redis_pubsub *pubsub;
    struct shared *shared;
    struct outbox *outbox;
    struct redis_stream_settings stream;
    int64_t silence_ms;
    struct redis_stream_counts counts;
    bool stream_reading, stream_unfinished;
    bool full; /* but for the claims' */
    int claim_result;
    struct claim_answer claimed;
    struct arrival arrival;
    enum planner_took took;
    const char *refuse; /* planner_event() refuses what comes, with this reason */
} fake;

static struct daemon d;
static struct daemon_options options;
static struct models models;

static void note(const char *what, struct span whom)
{
    size_t n = strlen(fake.trace);
    int added = snprintf(fake.trace + n, sizeof(fake.trace) - n, "%s%s:%.*s", n > 0 ? " " : "",
                         what, (int)whom.n, whom.p);
    assert_true(added > 0 && (size_t)added < sizeof(fake.trace) - n);
}

static const char *trace(void)
{
    static char seen[sizeof(fake.trace)];

    memcpy(seen, fake.trace, sizeof(seen));
    fake.trace[0] = '\0';
    return seen;
}

static void note_number(const char *what, int64_t number)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%lld", (long long)number);
    note(what, span_of(text));
}

const char *redis_state_text(enum redis_state state)
{
    static const char *const texts[] = {"off", "waiting", "connecting", "logging in", "ready"};

    return texts[state];
}

static void begin(struct redis *r)
{
    r->state = REDIS_CONNECTING;
    r->why[0] = '\0';
    r->losses = 0;
    r->outstanding = 0;
}

void redis_open(struct redis *r, struct loop *loop, uint64_t seed)
{
    (void)seed;
    assert_ptr_equal(loop, &d.loop);
    begin(r);
    note("open", span_of(r->name));
    if (strcmp(r->name, "commands") == 0)
        fake.commands = r;
}

void redis_close(struct redis *r)
{
    r->state = REDIS_OFF;
    note("close", span_of(r->name));
}

bool redis_is_ready(const struct redis *r)
{
    return r->state == REDIS_READY;
}

bool redis_has_room(const struct redis *r)
{
    assert_ptr_equal(r, fake.commands);
    return r->state == REDIS_READY && !fake.full;
}

int redis_command(struct redis *r, const struct span *args, size_t count, int64_t limit_ms,
                  redis_answer *answer, void *arg)
{
    assert_ptr_equal(r, fake.commands);
    assert_true(count <= REDIS_ARGS_MAX && limit_ms == 0 && answer == NULL && arg == NULL);
    if (r->state != REDIS_READY)
        return -1;
    for (size_t i = 0; i < count; i++)
        note(i == 0 ? "send" : "", args[i]);
    return 0;
}

void redis_pubsub_open(struct redis_pubsub *p, struct loop *loop, int64_t silence_ms, uint64_t seed)
{
    (void)seed;
    assert_ptr_equal(loop, &d.loop);
    assert_ptr_equal(p->ops, &glue_pubsub_ops);
    assert_ptr_equal(p->ctx, &d);
    begin(&p->redis);
    p->channels[0] = (struct redis_pubsub_channel){.name = "health_events"};
    p->channels[1] = (struct redis_pubsub_channel){.name = "world_updates"};
    fake.pubsub = p;
    fake.silence_ms = silence_ms;
    note("open", span_of(p->redis.name));
}

void redis_pubsub_set_silence(struct redis_pubsub *p, int64_t silence_ms)
{
    assert_ptr_equal(p, fake.pubsub);
    fake.silence_ms = silence_ms;
}

void redis_pubsub_close(struct redis_pubsub *p)
{
    p->redis.state = REDIS_OFF;
    note("close", span_of(p->redis.name));
}

int redis_stream_open(struct loop *loop, struct redis *reader, struct redis *commands,
                      const struct redis_stream_settings *settings,
                      const struct redis_stream_ops *ops, void *ctx, uint64_t seed, char *why)
{
    (void)seed;
    assert_ptr_equal(loop, &d.loop);
    assert_ptr_equal(ops, &glue_stream_ops);
    assert_ptr_equal(ctx, &d);
    if (span_is(settings->streams, "bad")) {
        (void)span_copy(why, REDIS_WHY_MAX, span_of("it is bad"));
        return -1;
    }
    fake.reader = reader;
    fake.commands = commands;
    fake.stream = *settings;
    begin(reader);
    note("open", span_of(reader->name));
    return 0;
}

void redis_stream_close(void)
{
    fake.reader->state = REDIS_OFF;
    note("close", span_of("stream"));
}

void redis_stream_commands(bool ready)
{
    note("stream_commands", span_of(ready ? "ready" : "lost"));
}

void redis_stream_turn(void)
{
    note("stream_turn", span_of(""));
}

void redis_stream_finished(uint32_t ref)
{
    note_number("stream_finished", ref);
}

bool redis_stream_reading(void)
{
    return fake.stream_reading;
}

bool redis_stream_unfinished(void)
{
    return fake.stream_unfinished;
}

const struct redis_stream_counts *redis_stream_counts(void)
{
    return &fake.counts;
}

bool redis_stream_save(struct buf *out, uint32_t *at)
{
    if (*at >= 2)
        return false;
    buf_str(out, (*at)++ == 0 ? "{\"stream\":\"a\"}" : "{\"stream\":\"b\"}");
    return true;
}

void redis_stream_saved(void)
{
    fake.counts.changed = false;
    fake.counts.found = false;
}

int redis_stream_load(struct span object)
{
    note("stream_load", object);
    return 0;
}

int redis_stream_check(struct span streams, char *why)
{
    (void)streams;
    why[0] = '\0';
    return 0;
}

void shared_init(struct shared *s, struct redis *redis,
                 void (*answered)(void *arg, unsigned slot, const struct shared_answer *answer),
                 void *arg)
{
    s->redis = redis;
    s->answered = answered;
    s->arg = arg;
    s->refused = false;
    fake.shared = s;
}

void shared_configure(struct shared *s, const struct shared_settings *settings)
{
    s->settings = *settings;
}

int shared_claim(struct shared *s, unsigned slot, struct span key, const char *severity,
                 uint64_t identity)
{
    assert_ptr_equal(s, fake.shared);
    note_number("claim", slot);
    note("", key);
    note("", span_of(severity));
    note_number("", (int64_t)identity);
    return fake.claim_result;
}

void shared_cancel(struct shared *s, unsigned slot)
{
    assert_ptr_equal(s, fake.shared);
    note_number("cancel", slot);
}

void shared_renew(struct shared *s, struct span key)
{
    assert_ptr_equal(s, fake.shared);
    note("renew", key);
}

void shared_done(struct shared *s, struct span key, const char *severity,
                 const uint64_t *identities, size_t count)
{
    assert_ptr_equal(s, fake.shared);
    note("done", key);
    note("", span_of(severity));
    for (size_t i = 0; i < count; i++)
        note_number("", (int64_t)identities[i]);
}

void shared_drop(struct shared *s, struct span key)
{
    assert_ptr_equal(s, fake.shared);
    note("drop", key);
}

void outbox_open(struct outbox *o)
{
    fake.outbox = o;
    assert_ptr_equal(o->tree, &d.tree);
    assert_ptr_equal(o->loop, &d.loop);
    assert_ptr_equal(o->redis, fake.commands);
    assert_ptr_equal(o->shared, fake.shared);
}

void outbox_close(struct outbox *o)
{
    assert_ptr_equal(o, fake.outbox);
    note("close", span_of("outbox"));
}

void outbox_ready(struct outbox *o, bool ready)
{
    assert_ptr_equal(o, fake.outbox);
    note("outbox", span_of(ready ? "ready" : "lost"));
}

void outbox_action(struct outbox *o, const char *id, struct span body)
{
    assert_ptr_equal(o, fake.outbox);
    note("action", span_of(id));
    note("", body);
}

void planner_claimed(struct planner *p, unsigned slot, const struct claim_answer *answer,
                     struct now now)
{
    assert_ptr_equal(p, &d.planner);
    assert_int_equal(now.boot_ms, d.loop.now.boot_ms);
    note_number("claimed", slot);
    fake.claimed = *answer;
}

enum planner_took planner_event(struct planner *p, struct span bytes, const struct arrival *arrival,
                                struct now now)
{
    const struct decision decision = {.outcome = OUTCOME_REFUSED,
                                      .reason = fake.refuse,
                                      .action_id = "",
                                      .action = "",
                                      .model = "",
                                      .origin = "x"};

    assert_ptr_equal(p, &d.planner);
    assert_int_equal(now.boot_ms, d.loop.now.boot_ms);
    note("event", bytes);
    fake.arrival = *arrival;
    if (fake.refuse != NULL)
        glue_planner_ops.decided(&d, &decision);
    return fake.took;
}

void planner_answered(struct planner *p, unsigned slot, const struct llm_answer *answer,
                      struct now now)
{
    (void)p;
    (void)answer;
    (void)now;
    note_number("answered", slot);
}

void files_finished(uint32_t ref)
{
    note_number("file_finished", ref);
}

const struct files_counts *files_counts(void)
{
    static const struct files_counts counts = {.unfinished = 7};

    return &counts;
}

bool saving_restore(struct daemon *daemon, int error)
{
    (void)daemon;
    (void)error;
    return false;
}

void saving_soon(struct daemon *daemon)
{
    (void)daemon;
}

void saving_status(struct daemon *daemon)
{
    (void)daemon;
}

/* ---- A daemon ---- */

static void load_config(const char *url, const char *streams)
{
    static const struct config_sources sources = {.env_file = "/dev/null", .node = "solaria"};
    char why[CONFIG_LINE_MAX];

    assert_int_equal(clearenv(), 0);
    assert_int_equal(setenv("REDIS_URL", url, 1), 0);
    assert_int_equal(setenv("REDIS_STREAM", streams, 1), 0);
    assert_int_equal(setenv("ACTIONS_STREAM", "actions", 1), 0);
    assert_int_equal(setenv("SILENCE_WARN_SECONDS", "60", 1), 0);
    assert_int_equal(config_load(&d.configs[0], &sources, why), 0);
    d.config = &d.configs[0];
}

static int set_up(void **state)
{
    (void)state;
    log_to(-1);
    memset(&fake, 0, sizeof(fake));
    memset(&d, 0, sizeof(d));
    memset(&models, 0, sizeof(models));
    options = (struct daemon_options){0};
    scratch_open(&d.tree);
    d.options = &options;
    d.models = &models;
    d.lock = -1;
    loop_init(&d.loop);
    d.loop.now = (struct now){.boot_ms = T0, .wall_ms = 1780000000000};
    d.started_ms = T0 - 60000;
    d.planner.settings.cooldown_ms = 300000;
    models.cold_ms = 60000;
    models.chain.count = 2;
    models.chain.hops[0].limit_ms = 8000;
    models.chain.hops[1].limit_ms = 30000;
    load_config("redis://u:secret@bus.test:6380/2", "homelab:events");
    return 0;
}

static void open_bus(void)
{
    char why[CONFIG_LINE_MAX];

    assert_int_equal(bus_open(&d, why), 0);
    assert_string_equal(trace(), options.once ? "open:stream open:commands"
                                              : "open:stream open:events open:commands");
}

static void make_ready(struct redis *r)
{
    r->state = REDIS_READY;
    if (r == fake.commands)
        r->ops->ready(r->arg);
}

static int tear_down(void **state)
{
    (void)state;
    bus_close(&d);
    scratch_close(&d.tree);
    return 0;
}

/* ---- Start and end ---- */

/* Every call does nothing then. */
static void expect_nothing(void)
{
    static const struct event event = {.key = "n/s"};
    static const struct llm_answer answer;
    char storage[64];
    struct json_write w;
    struct buf b;

    bus_farewell(&d);
    bus_configure(&d);
    bus_turn();
    bus_cancel(1);
    bus_claim_ended(&event, CLAIM_DECIDED, NULL, 0);
    bus_finished(3);
    bus_answered(&d, span_of("n/s"), &answer);
    bus_action("id", span_of("{}"));
    assert_int_equal(bus_claim(0, &event), -1);
    assert_false(bus_reading(&d) || bus_unfinished() || bus_changed() || bus_state_changed());
    assert_false(bus_state_found());
    assert_int_equal(bus_held(), 0);
    assert_string_equal(bus_state(), "off");
    buf_init(&b, storage, sizeof(storage));
    json_write_init(&w, &b);
    bus_report(&w, d.loop.now);
    assert_string_equal(buf_text(&b), "\"redis\":null");
    bus_close(&d);
    assert_string_equal(trace(), "");
}

static void test_there_is_none(void **state)
{
    char why[CONFIG_LINE_MAX];

    (void)state;
    options.offline = true;
    assert_int_equal(bus_open(&d, why), 0);
    expect_nothing();
    options.offline = false;
    load_config("", "homelab:events");
    assert_int_equal(bus_open(&d, why), 0);
    expect_nothing();
}

static void test_refused(void **state)
{
    char why[CONFIG_LINE_MAX];

    (void)state;
    load_config("redis://host", "bad");
    assert_int_equal(bus_open(&d, why), -1);
    assert_string_equal(why, "REDIS_STREAM: it is bad");
    expect_nothing();
}

/* Nothing points into the configuration: the next reload wipes it. */
static void test_open(void **state)
{
    (void)state;
    scratch_put(&d.tree, "state/planner-agent/streams",
                "{\"kind\":\"streams\",\"version\":1}\n{\"stream\":\"a\"}\n{\"lines\":1}\n");
    char why[CONFIG_LINE_MAX];
    assert_int_equal(bus_open(&d, why), 0);
    assert_string_equal(trace(), "stream_load:{\"stream\":\"a\"} open:stream open:events "
                                 "open:commands");
    config_wipe(d.config);
    const struct redis *all[] = {fake.commands, fake.reader, &fake.pubsub->redis};
    for (size_t i = 0; i < COUNT(all); i++) {
        assert_string_equal(all[i]->target->url.host, "bus.test");
        assert_int_equal(all[i]->target->url.port, 6380);
        assert_int_equal(all[i]->target->database, 2);
        assert_string_equal(all[i]->target->password, "secret");
        assert_string_equal(all[i]->client_name, "planner-agent:solaria");
    }
    assert_string_equal(fake.stream.consumer, "solaria");
    assert_true(span_is(fake.stream.streams, "homelab:events"));
    assert_false(fake.stream.once);
    assert_string_equal(fake.shared->settings.node, "solaria");
    assert_string_equal(fake.outbox->stream, "actions");
    assert_int_equal(fake.silence_ms, 60000);
    const char *password = all[0]->target->password;
    bus_close(&d);
    assert_string_equal(trace(), "close:outbox close:stream close:events close:commands");
    assert_int_equal(d.loop.timer_count, 0);
    assert_string_equal(password, "");
}

static void test_configure(void **state)
{
    (void)state;
    open_bus();
    /* The hops, one of them again, the warm-up and the margin; the cooldown. */
    assert_int_equal(fake.shared->settings.claim_ms,
                     8000 + 30000 + 30000 + RESIDENT_LIMIT_MS + 60000 + SHARED_MARGIN_MS);
    assert_int_equal(fake.shared->settings.cooldown_ms, 300000);
    models.chain.count = 1;
    models.cold_ms = 0;
    d.planner.settings.cooldown_ms = 5000;
    assert_int_equal(setenv("SILENCE_WARN_SECONDS", "7", 1), 0);
    char why[CONFIG_LINE_MAX];
    static const struct config_sources sources = {.env_file = "/dev/null", .node = "other"};
    assert_int_equal(config_load(&d.configs[1], &sources, why), 0);
    d.config = &d.configs[1];
    bus_configure(&d);
    assert_int_equal(fake.shared->settings.claim_ms,
                     8000 + 8000 + RESIDENT_LIMIT_MS + SHARED_MARGIN_MS);
    assert_int_equal(fake.shared->settings.cooldown_ms, 5000);
    assert_string_equal(fake.shared->settings.node, "solaria");
    assert_int_equal(fake.silence_ms, 7000);
    assert_string_equal(trace(), "");
}

/* Only what is in the middle of a handshake has seen the old roots. */
static void test_configure_tls(void **state)
{
    (void)state;
    load_config("rediss://bus.test", "homelab:events");
    open_bus();
    fake.reader->state = REDIS_READY;
    fake.pubsub->redis.state = REDIS_WAITING;
    bus_configure(&d);
    assert_string_equal(trace(), "close:commands open:commands");
    fake.commands->state = REDIS_GREETING;
    fake.reader->state = REDIS_CONNECTING;
    bus_configure(&d);
    assert_string_equal(trace(), "close:stream open:stream");
}

/* ---- The loop ---- */

static void test_commands(void **state)
{
    (void)state;
    fake.counts.held = 5;
    open_bus();
    make_ready(fake.commands);
    const char *seen = trace();
    assert_ptr_equal(strstr(seen, "stream_commands:ready outbox:ready send:EVAL "
                                  ":redis.call('DEL',KEYS[1])redis.call('HSET',"),
                     seen);
    assert_non_null(strstr(seen, ",ARGV[1]) :1 :planner:status:solaria :180000 :version "));
    assert_non_null(strstr(seen, " :state :running :node :solaria "));
    assert_non_null(strstr(seen, " :unfinished :12 "));
    assert_null(strstr(strstr(seen, "send:") + 1, "send:"));
    fake.commands->state = REDIS_WAITING;
    fake.commands->ops->lost(fake.commands->arg);
    assert_string_equal(trace(), "stream_commands:lost outbox:lost");
}

static void test_status_hash(void **state)
{
    (void)state;
    d.unreadable = 2;
    d.planner.counts[OUTCOME_REFUSED] = 3;
    d.router.hop_count = 1;
    d.router.hops[0] = (struct router_hop){
        .label = "ollama/m", .success = 4, .fallback = 5, .error = 6, .breaker = {.open = true}};
    open_bus();
    fake.commands->state = REDIS_READY;
    struct loop_timer *timer = d.loop.timers[0];
    assert_int_equal(timer->deadline_ms, T0 + BUS_STATUS_MS);
    d.loop.now.boot_ms += BUS_STATUS_MS;
    d.loop.now.wall_ms += BUS_STATUS_MS;
    timer->due(&d.loop, timer->arg);
    assert_int_equal(timer->deadline_ms, T0 + 2 * BUS_STATUS_MS);
    const char *seen = trace();
    assert_non_null(strstr(seen, " :refused :5 "));
    assert_non_null(strstr(seen, " :hop:ollama/m :success 4, fallback 5, error 6, breaker open"));
    assert_non_null(strstr(seen, " :started_at :2026-05-28T20:25:40"));
}

static void test_farewell(void **state)
{
    (void)state;
    open_bus();
    fake.commands->state = REDIS_READY;
    bus_farewell(&d);
    assert_non_null(strstr(trace(), " :state :stopped "));
}

static void test_reading(void **state)
{
    static const struct {
        enum redis_state state;
        const char *why;
        int64_t after_ms;
        bool reading;
    } cases[] = {
        {REDIS_CONNECTING, "", 0, true},
        {REDIS_GREETING, "", REDIS_CONNECT_MS - 1, true},
        {REDIS_GREETING, "", REDIS_CONNECT_MS, false},
        {REDIS_WAITING, "refused", 1, false},
        {REDIS_READY, "", 1, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        open_bus();
        fake.commands->state = cases[i].state;
        (void)span_copy(fake.commands->why, sizeof(fake.commands->why), span_of(cases[i].why));
        fake.stream_reading = true; /* which is of a single run only */
        fake.commands->outstanding = 1;
        d.loop.now.boot_ms = T0 + cases[i].after_ms;
        assert_int_equal(bus_reading(&d), cases[i].reading);
        /* It is the first try that counts. */
        fake.commands->state = REDIS_CONNECTING;
        fake.commands->why[0] = '\0';
        d.loop.now.boot_ms = T0;
        assert_int_equal(bus_reading(&d), cases[i].reading);
        bus_close(&d);
        (void)trace();
    }
}

static void test_reading_once(void **state)
{
    (void)state;
    options.once = true;
    open_bus();
    assert_true(fake.stream.once);
    assert_true(bus_reading(&d));
    fake.commands->state = REDIS_READY;
    assert_false(bus_reading(&d));
    fake.commands->outstanding = 1;
    assert_true(bus_reading(&d));
    fake.commands->state = REDIS_WAITING;
    assert_false(bus_reading(&d));
    fake.stream_reading = true;
    assert_true(bus_reading(&d));
    fake.reader->state = REDIS_READY;
    assert_false(bus_unfinished());
    fake.stream_unfinished = true;
    assert_true(bus_unfinished());
    fake.stream_unfinished = false;
    fake.reader->state = REDIS_WAITING;
    assert_true(bus_unfinished());
}

static void test_turn(void **state)
{
    (void)state;
    open_bus();
    bus_turn();
    assert_string_equal(trace(), "stream_turn:");
    bus_close(&d);
    load_config("redis://host", "");
    (void)trace();
    char why[CONFIG_LINE_MAX];
    assert_int_equal(bus_open(&d, why), 0);
    bus_turn();
    make_ready(fake.commands);
    bus_finished(1);
    assert_false(bus_unfinished());
    assert_null(strstr(trace(), "stream"));
}

/* ---- Claims ---- */

static void test_claims(void **state)
{
    static const struct event event = {
        .key = "solaria/web", .severity = SEVERITY_ERROR, .identity = 42};
    static const uint64_t identities[] = {42, 43};

    (void)state;
    open_bus();
    assert_int_equal(glue_planner_ops.claim(&d, 3, &event), 0);
    assert_string_equal(trace(), "claim:3 :solaria/web :error :42");
    fake.claim_result = -1;
    assert_int_equal(glue_planner_ops.claim(&d, 4, &event), -1);
    (void)trace();
    glue_planner_ops.claim_ended(&d, &event, CLAIM_RENEW, NULL, 0);
    glue_planner_ops.claim_ended(&d, &event, CLAIM_DROP, NULL, 0);
    glue_planner_ops.claim_ended(&d, &event, CLAIM_DECIDED, identities, 2);
    assert_string_equal(trace(), "renew:solaria/web drop:solaria/web done:solaria/web :error "
                                 ":42 :43");
    glue_planner_ops.cancel(&d, 5);
    assert_string_equal(trace(), "cancel:5");
}

static void test_claim_answers(void **state)
{
    static const struct {
        enum shared_view from;
        enum claim_view to;
    } cases[] = {
        {SHARED_OURS, CLAIM_OURS}, {SHARED_ALONE, CLAIM_ALONE}, {SHARED_TAKEN, CLAIM_TAKEN},
        {SHARED_DONE, CLAIM_DONE}, {SHARED_SEEN, CLAIM_SEEN},
    };

    (void)state;
    open_bus();
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct shared_answer answer = {
            .view = cases[i].from, .wait_ms = 77, .ends_ms = T0 + 9, .owner = "orion"};
        d.loop.now.boot_ms = T0 + (int64_t)i * 3;
        fake.shared->answered(fake.shared->arg, 6, &answer);
        assert_string_equal(trace(), "claimed:6");
        assert_int_equal(fake.claimed.view, cases[i].to);
        assert_int_equal(fake.claimed.wait_ms, 77);
        assert_int_equal(fake.claimed.lasts_ms, i < 3 ? 9 - 3 * i : 0);
        assert_string_equal(fake.claimed.owner, "orion");
    }
}

/* ---- Events ---- */

static void test_message(void **state)
{
    (void)state;
    glue_pubsub_ops.event(&d, span_of("{}"), span_of("health_events:1"));
    assert_string_equal(trace(), "event:{}");
    assert_true(fake.arrival.ref == NO_REF);
    assert_false(fake.arrival.holds);
    assert_true(fake.arrival.complete);
    assert_int_equal(fake.arrival.wall_ms, d.loop.now.wall_ms);
    assert_int_equal(fake.arrival.boot_ms, d.loop.now.boot_ms);
    assert_int_equal(fake.arrival.floor_ms, 0);
    assert_true(span_is(fake.arrival.origin, "health_events:1"));
    glue_pubsub_ops.refused(&d, span_of("health_events:2"), "too_large");
    assert_int_equal(d.unreadable, 1);
    assert_int_equal(d.decisions.count, 1);
    assert_string_equal(d.decisions.entry[0].reason, "too_large");
}

static void test_entry(void **state)
{
    static const struct {
        enum planner_took took;
        const char *refuse;
        enum stream_took expected;
    } cases[] = {
        {PLANNER_ENDED, "no_type", STREAM_REFUSED},
        {PLANNER_ENDED, NULL, STREAM_ENDED},
        {PLANNER_KEEPS, NULL, STREAM_KEPT},
        {PLANNER_NO_SLOT, NULL, STREAM_NO_SLOT},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *reason = NULL;
        fake.took = cases[i].took;
        fake.refuse = cases[i].refuse;
        assert_int_equal(glue_stream_ops.event(&d, span_of("{}"), span_of("s:1-0"), 9, &reason),
                         cases[i].expected);
        if (cases[i].refuse != NULL)
            assert_string_equal(reason, cases[i].refuse);
        assert_true(fake.arrival.ref == (1ULL << 32 | 9));
        assert_true(fake.arrival.holds && fake.arrival.complete);
    }
}

/* Files that found no slot wait for half of the queue: entries leave it to them. */
static void test_free_slots(void **state)
{
    /* What surely finds a place when every event is as large as can be. */
    const unsigned all = EVENT_BLOCKS_DURABLE_MAX, half = all / 2;
    const struct {
        uint32_t used;
        uint16_t blocks;
        bool no_slot;
        unsigned free;
    } cases[] = {
        {0, 0, false, all / EVENT_PACK_BLOCKS},
        {QUEUE_DURABLE_MAX / 2 - 1, 0, false, 1},
        {QUEUE_DURABLE_MAX / 2, 0, false, 0},
        {QUEUE_DURABLE_MAX, 0, false, 0},
        {QUEUE_MAX, 0, false, 0},
        {1, all - 2 * EVENT_PACK_BLOCKS, false, 2},
        {1, all - EVENT_PACK_BLOCKS, false, 1},
        {1, all - EVENT_PACK_BLOCKS + 1, false, 0},
        {1, EVENT_BLOCKS_MAX, false, 0},
        {0, 0, true, half / EVENT_PACK_BLOCKS},
        {QUEUE_DURABLE_MAX / 2 - 1, 0, true, 1},
        {QUEUE_DURABLE_MAX / 2, 0, true, 0},
        {1, half - EVENT_PACK_BLOCKS, true, 1},
        {1, half - EVENT_PACK_BLOCKS + 1, true, 0},
        {1, half, true, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        d.planner.queue.count = cases[i].used;
        d.planner.queue.events.taken = cases[i].blocks;
        d.no_slot = cases[i].no_slot;
        assert_int_equal(glue_stream_ops.free_slots(&d), cases[i].free);
    }
    d.planner.queue.count = 0;
    d.planner.queue.events.taken = 0;
    d.no_slot = false;
}

/* Each source hears of its own, by the whole handle. */
static void test_finished(void **state)
{
    (void)state;
    open_bus();
    glue_planner_ops.finished(&d, 1ULL << 32 | 0xfffffffe);
    glue_planner_ops.finished(&d, 0xfffffffe);
    assert_string_equal(trace(), "stream_finished:4294967294 file_finished:4294967294");
    assert_int_equal(d.ended, 2);
}

/* ---- Out ---- */

static void test_answered(void **state)
{
    static const struct llm_answer answer = {.success = true, .model = "ollama/m"};

    (void)state;
    open_bus();
    d.planner.slots[2].request.context = span_of("solaria/web");
    glue_router_ops.answered(&d, 2, &answer); /* not ready: lost, and nobody feels it */
    assert_string_equal(trace(), "answered:2");
    fake.commands->state = REDIS_READY;
    fake.full = true;
    glue_router_ops.answered(&d, 2, &answer);
    assert_string_equal(trace(), "answered:2");
    fake.full = false;
    glue_router_ops.answered(&d, 2, &answer);
    const char *seen = trace();
    assert_ptr_equal(strstr(seen, "send:PUBLISH :llm_router_metrics :{\"timestamp\":"), seen);
    assert_non_null(strstr(seen, "\"node\":\"solaria\",\"context\":\"solaria/web\","
                                 "\"success\":true,\"model_used\":\"ollama/m\""));
    assert_non_null(strstr(seen, "\"metrics\":{}} answered:2"));
}

static void test_action(void **state)
{
    (void)state;
    open_bus();
    scratch_dirs(&d.tree, "actions/pending");
    assert_int_equal(glue_planner_ops.propose(&d, "alert-a", span_of("{}")), FILE_OK);
    assert_string_equal(trace(), "action:alert-a :{}");
    /* It was there before: nothing new. */
    assert_int_equal(glue_planner_ops.propose(&d, "alert-a", span_of("{}")), FILE_EXISTS);
    assert_string_equal(trace(), "");
}

/* ---- The status ---- */

static struct {
    char text[8192];
    jsmntok_t tokens[1024];
} storage;

static void read_report(void)
{
    struct json doc;
    struct json_write w;
    struct buf b;

    buf_init(&b, storage.text, sizeof(storage.text));
    json_write_init(&w, &b);
    json_write_object(&w, NULL);
    bus_report(&w, d.loop.now);
    json_write_end_object(&w);
    assert_non_null(buf_text(&b));
    assert_int_equal(json_read(&doc, b.p, b.n, storage.tokens, COUNT(storage.tokens), 16), JSON_OK);
}

static void test_report(void **state)
{
    (void)state;
    open_bus();
    fake.commands->state = REDIS_READY;
    fake.reader->losses = 2;
    (void)span_copy(fake.reader->why, sizeof(fake.reader->why), span_of("no \"route\""));
    fake.counts = (struct redis_stream_counts){
        .entries = 1, .acknowledged = 2, .dead = 3, .taken_over = 4, .held = 5, .doomed = 6};
    fake.pubsub->channels[1] = (struct redis_pubsub_channel){
        .name = "world_updates", .messages = 6, .last_ms = T0 - 5000, .silent = true};
    fake.outbox->added = 8;
    read_report();
    assert_null(strstr(storage.text, "secret"));
    static const char *const there[] = {
        "{\"redis\":{\"url\":\"redis://bus.test:6380/2\",\"state\":\"connecting\",",
        "{\"name\":\"commands\",\"state\":\"ready\",",
        "\"losses\":2,\"error\":\"no \\\"route\\\"\"}",
        "{\"name\":\"world_updates\",\"messages\":6,\"quiet_since\":"
        "\"2026-05-28T20:26:35.000Z\",\"silent\":true}",
        "\"streams\":{\"names\":\"homelab:events\",\"entries\":1,\"acknowledged\":2,"
        "\"held\":5,\"doomed\":6,\"dead\":3,\"taken_over\":4}",
        "\"actions_stream\":{\"name\":\"actions\",\"added\":8,\"refused\":0}",
    };
    for (size_t i = 0; i < COUNT(there); i++) {
        if (strstr(storage.text, there[i]) == NULL)
            print_message("%s\nin %s\n", there[i], storage.text);
        assert_non_null(strstr(storage.text, there[i]));
    }
    assert_int_equal(bus_held(), 5);
}

/* The status file has a fixed size, and the decisions want some of it: see STATUS_SIZE. */
static void test_report_is_bounded(void **state)
{
    char streams[STREAMS_MAX * (STREAM_NAME_MAX + 1)];
    struct redis *all[3];

    (void)state;
    memset(streams, 'x', sizeof(streams));
    for (size_t i = STREAM_NAME_MAX; i < sizeof(streams); i += STREAM_NAME_MAX + 1)
        streams[i] = ',';
    streams[sizeof(streams) - 1] = '\0';
    load_config("redis://host", streams);
    open_bus();
    all[0] = fake.commands;
    all[1] = fake.reader;
    all[2] = &fake.pubsub->redis;
    for (size_t i = 0; i < COUNT(all); i++) {
        memset(all[i]->why, '\x01', REDIS_WHY_MAX);
        all[i]->why[REDIS_WHY_MAX] = '\0';
        all[i]->losses = INT64_MAX;
    }
    read_report();
}

static void test_changed(void **state)
{
    (void)state;
    open_bus();
    (void)bus_changed();
    assert_false(bus_changed());
    /* To try again and again is no news. */
    fake.commands->state = REDIS_GREETING;
    assert_false(bus_changed());
    fake.commands->state = REDIS_READY;
    assert_true(bus_changed());
    assert_false(bus_changed());
    fake.reader->why[0] = 'x';
    assert_true(bus_changed());
    fake.pubsub->channels[0].silent = true;
    assert_true(bus_changed());
    fake.shared->refused = true;
    assert_true(bus_changed());
    assert_false(bus_changed());
}

static void test_state_word(void **state)
{
    (void)state;
    open_bus();
    fake.commands->state = REDIS_READY;
    fake.reader->state = REDIS_READY;
    fake.pubsub->redis.state = REDIS_READY;
    assert_string_equal(bus_state(), "ready");
    fake.reader->state = REDIS_WAITING;
    assert_string_equal(bus_state(), "waiting");
}

static void test_state_file(void **state)
{
    (void)state;
    open_bus();
    assert_false(bus_state_changed());
    fake.counts.changed = true;
    assert_true(bus_state_changed());
    assert_false(bus_state_found());
    fake.counts.found = true;
    assert_true(bus_state_found());
    scratch_dirs(&d.tree, "state/planner-agent");
    assert_int_equal(bus_state_save(&d), 0);
    assert_false(bus_state_changed() || bus_state_found());
    assert_non_null(strstr(scratch_get(&d.tree, "state/planner-agent/streams"),
                           "\n{\"stream\":\"a\"}\n{\"stream\":\"b\"}\n"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_there_is_none), TEST(test_refused),       TEST(test_open),
        TEST(test_configure),     TEST(test_configure_tls), TEST(test_commands),
        TEST(test_status_hash),   TEST(test_farewell),      TEST(test_reading),
        TEST(test_reading_once),  TEST(test_turn),          TEST(test_claims),
        TEST(test_claim_answers), TEST(test_message),       TEST(test_entry),
        TEST(test_free_slots),    TEST(test_finished),      TEST(test_answered),
        TEST(test_action),        TEST(test_report),        TEST(test_report_is_bounded),
        TEST(test_changed),       TEST(test_state_word),    TEST(test_state_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
