#include "daemon/bus.h"

#include "base/log.h"
#include "daemon/bus_parts.h"
#include "daemon/bus_status.h"
#include "daemon/glue.h"
#include "daemon/parts.h"
#include "store/state.h"

#include <string.h>

static const char state_name[] = "streams";

static struct bus bus;

/* ---- The hash for dashboards ---- */

static void arm_status(struct daemon *d)
{
    if (loop_timer_set(&d->loop, &bus.status_timer, d->loop.now.boot_ms + BUS_STATUS_MS) != 0)
        d->out_of_timers = true;
}

static void send_status(const struct daemon *d, bool running)
{
    bus_status_send(&bus, d, running);
}

static void status_due(struct loop *loop, void *arg)
{
    (void)loop;
    send_status(arg, true);
    arm_status(arg);
}

/* ---- The commands' connection ---- */

static void commands_ready(void *arg)
{
    if (bus.streams[0] != '\0')
        redis_stream_commands(true);
    outbox_ready(&bus.outbox, true);
    send_status(arg, true);
}

static void commands_lost(void *arg)
{
    (void)arg;
    if (bus.streams[0] != '\0')
        redis_stream_commands(false);
    outbox_ready(&bus.outbox, false);
}

static const struct redis_ops commands_ops = {.ready = commands_ready, .lost = commands_lost};

/* ---- Claims ---- */

static void claim_answered(void *arg, unsigned slot, const struct shared_answer *answer)
{
    static const enum claim_view views[] = {
        [SHARED_OURS] = CLAIM_OURS, [SHARED_ALONE] = CLAIM_ALONE, [SHARED_TAKEN] = CLAIM_TAKEN,
        [SHARED_DONE] = CLAIM_DONE, [SHARED_SEEN] = CLAIM_SEEN,
    };
    struct daemon *d = arg;
    int64_t now_ms = d->loop.now.boot_ms;
    const struct claim_answer claim = {
        .view = views[answer->view],
        .wait_ms = answer->wait_ms,
        .lasts_ms = answer->ends_ms > now_ms ? answer->ends_ms - now_ms : 0,
        .owner = answer->owner,
    };

    planner_claimed(&d->planner, slot, &claim, d->loop.now);
}

/* As long as the chain may take: each hop once, and one again when its model was found cold and has
 * been warmed. */
static int64_t claim_ms(const struct daemon *d)
{
    int64_t sum = RESIDENT_LIMIT_MS + d->models->cold_ms + SHARED_MARGIN_MS, largest_ms = 0;

    for (unsigned i = 0; i < d->models->chain.count; i++) {
        int64_t limit_ms = d->models->chain.hops[i].limit_ms;
        sum += limit_ms;
        if (limit_ms > largest_ms)
            largest_ms = limit_ms;
    }
    return sum + largest_ms;
}

static void configure_shared(const struct daemon *d)
{
    const struct shared_settings settings = {
        .node = bus.node,
        .claim_ms = claim_ms(d),
        .cooldown_ms = d->planner.settings.cooldown_ms,
    };

    shared_configure(&bus.shared, &settings);
}

const struct url *bus_server(void)
{
    return bus.open ? &bus.target.url : NULL;
}

int bus_claim(unsigned slot, const struct event *event)
{
    if (!bus.open)
        return -1;
    return shared_claim(&bus.shared, slot, span_of(event->key), severity_text(event->severity),
                        event->identity);
}

void bus_cancel(unsigned slot)
{
    if (bus.open)
        shared_cancel(&bus.shared, slot);
}

void bus_claim_ended(const struct event *event, enum claim_end end, const uint64_t *identities,
                     size_t count)
{
    struct span key = span_of(event->key);

    if (!bus.open)
        return;
    switch (end) {
    case CLAIM_RENEW:
        shared_renew(&bus.shared, key);
        break;
    case CLAIM_DROP:
        shared_drop(&bus.shared, key);
        break;
    case CLAIM_DECIDED:
        shared_done(&bus.shared, key, severity_text(event->severity), identities, count);
        break;
    }
}

/* ---- Start and end ---- */

static int fail(char *why, const char *key, const char *reason)
{
    struct buf b;

    buf_init(&b, why, CONFIG_LINE_MAX);
    buf_str(&b, key);
    buf_str(&b, ": ");
    buf_str(&b, reason);
    if (buf_text(&b) == NULL)
        (void)span_copy(why, CONFIG_LINE_MAX, span_of(key));
    return -1;
}

/* 0, or -1 where a value is longer than its place: settings are not. */
static int copy_texts(const struct config *config)
{
    struct buf b;

    buf_init(&b, bus.client, sizeof(bus.client));
    buf_str(&b, "planner-agent:");
    buf_span(&b, config_span(config, SETTING_NODE_NAME));
    return buf_text(&b) != NULL &&
                   span_copy(bus.node, sizeof(bus.node), config_span(config, SETTING_NODE_NAME)) ==
                       0 &&
                   span_copy(bus.streams, sizeof(bus.streams),
                             config_span(config, SETTING_REDIS_STREAM)) == 0 &&
                   span_copy(bus.actions_stream, sizeof(bus.actions_stream),
                             config_span(config, SETTING_ACTIONS_STREAM)) == 0
               ? 0
               : -1;
}

static void prepare(struct redis *r, const char *name)
{
    r->name = name;
    r->target = &bus.target;
    r->client_name = bus.client;
}

static int load_stream(void *arg, struct span object)
{
    (void)arg;
    return redis_stream_load(object);
}

/* Each line stands for itself: what a damaged file has of them is taken. */
static void load_streams(const struct daemon *d)
{
    if (state_load(&d->tree, state_name, load_stream, NULL) == STATE_FAULT)
        LOG(LOG_WARNING, "state_unreadable", LOG_STR("file", state_name));
}

static int open_stream(struct daemon *d, uint64_t seed, char *why)
{
    const struct redis_stream_settings settings = {
        .streams = span_of(bus.streams),
        .consumer = bus.node,
        .once = bus.once,
    };
    char reason[REDIS_WHY_MAX + 1];

    if (bus.streams[0] == '\0')
        return 0;
    load_streams(d);
    prepare(&bus.reader, "stream");
    if (redis_stream_open(&d->loop, &bus.reader, &bus.commands, &settings, &glue_stream_ops, d,
                          seed, reason) != 0)
        return fail(why, "REDIS_STREAM", reason);
    return 0;
}

/* A single run does not wait for messages. */
static void open_pubsub(struct daemon *d, uint64_t seed)
{
    if (bus.once)
        return;
    prepare(&bus.pubsub.redis, "events");
    bus.pubsub.ops = &glue_pubsub_ops;
    bus.pubsub.ctx = d;
    redis_pubsub_open(&bus.pubsub, &d->loop,
                      config_number(d->config, SETTING_SILENCE_WARN_SECONDS) * 1000, seed);
}

static void open_commands(struct daemon *d, uint64_t seed)
{
    prepare(&bus.commands, "commands");
    bus.commands.ops = &commands_ops;
    bus.commands.arg = d;
    redis_open(&bus.commands, &d->loop, seed);
}

static void open_outbox(struct daemon *d)
{
    bus.outbox.tree = &d->tree;
    bus.outbox.redis = &bus.commands;
    bus.outbox.shared = &bus.shared;
    bus.outbox.loop = &d->loop;
    bus.outbox.stream = bus.actions_stream;
    outbox_open(&bus.outbox);
}

int bus_open(struct daemon *d, char *why)
{
    char reason[URL_WHY_MAX];
    uint64_t seed = d->planner.jitter;

    if (d->options->offline || !config_is_set(d->config, SETTING_REDIS_URL))
        return 0;
    if (redis_url_parse(&bus.target, config_span(d->config, SETTING_REDIS_URL), reason) != 0)
        return fail(why, "REDIS_URL", reason);
    if (copy_texts(d->config) != 0)
        return fail(why, "REDIS_STREAM", "it is too long");
    bus.once = d->options->once;
    bus.tried = false;
    bus.opened_ms = d->loop.now.boot_ms;
    shared_init(&bus.shared, &bus.commands, claim_answered, d);
    configure_shared(d);
    if (open_stream(d, seed + 1, why) != 0)
        return -1;
    bus.open = true;
    open_pubsub(d, seed + 2);
    open_commands(d, seed + 3);
    open_outbox(d);
    bus.status_timer = (struct loop_timer){.due = status_due, .arg = d};
    arm_status(d);
    return 0;
}

void bus_farewell(struct daemon *d)
{
    int64_t until_ms = d->loop.now.boot_ms + BUS_FAREWELL_MS;

    if (!bus.open)
        return;
    bus_turn(); /* acknowledges what has ended in the last one */
    send_status(d, false);
    while (redis_is_ready(&bus.commands) && bus.commands.outstanding > 0 &&
           d->loop.now.boot_ms < until_ms)
        if (loop_turn(&d->loop, until_ms - d->loop.now.boot_ms) != 0)
            return;
}

void bus_close(struct daemon *d)
{
    if (!bus.open)
        return;
    loop_timer_clear(&d->loop, &bus.status_timer);
    outbox_close(&bus.outbox);
    if (bus.streams[0] != '\0')
        redis_stream_close();
    if (!bus.once)
        redis_pubsub_close(&bus.pubsub);
    redis_close(&bus.commands);
    explicit_bzero(&bus.target, sizeof(bus.target));
    bus.open = false;
}

/* A handshake that is under way was begun with roots that are no more. */
static void begin_anew(struct daemon *d, struct redis *r)
{
    if (r->state != REDIS_CONNECTING || !bus.target.url.tls)
        return;
    redis_close(r);
    redis_open(r, &d->loop, r->jitter);
}

void bus_configure(struct daemon *d)
{
    if (!bus.open)
        return;
    configure_shared(d);
    begin_anew(d, &bus.commands);
    begin_anew(d, &bus.reader);
    begin_anew(d, &bus.pubsub.redis);
    if (!bus.once)
        redis_pubsub_set_silence(&bus.pubsub,
                                 config_number(d->config, SETTING_SILENCE_WARN_SECONDS) * 1000);
}

/* ---- The loop ---- */

void bus_turn(void)
{
    if (bus.open && bus.streams[0] != '\0')
        redis_stream_turn();
}

/* The first claims are worth waiting for the connection: alone, every planner would ask. */
static bool is_first_try(const struct daemon *d)
{
    if (!bus.tried)
        bus.tried = redis_is_ready(&bus.commands) || bus.commands.why[0] != '\0' ||
                    d->loop.now.boot_ms - bus.opened_ms >= REDIS_CONNECT_MS;
    return !bus.tried;
}

bool bus_reading(const struct daemon *d)
{
    if (!bus.open)
        return false;
    if (is_first_try(d))
        return true;
    if (!bus.once)
        return false;
    return (redis_is_ready(&bus.commands) && bus.commands.outstanding > 0) ||
           (bus.streams[0] != '\0' && redis_stream_reading());
}

bool bus_unfinished(void)
{
    if (!bus.open || bus.streams[0] == '\0')
        return false;
    return !redis_is_ready(&bus.reader) || redis_stream_unfinished();
}

void bus_finished(uint32_t ref)
{
    if (bus.open && bus.streams[0] != '\0')
        redis_stream_finished(ref);
}

/* ---- Out ---- */

void bus_answered(const struct daemon *d, struct span context, const struct llm_answer *answer)
{
    if (bus.open)
        bus_status_answered(&bus, d, context, answer);
}

void bus_action(const char *id, struct span body)
{
    if (bus.open)
        outbox_action(&bus.outbox, id, body);
}

/* ---- The status ---- */

bool bus_changed(void)
{
    if (!bus.open)
        return false;
    uint32_t bits = bus_status_bits(&bus);
    bool changed = bits != bus.shown;
    bus.shown = bits;
    return changed;
}

const char *bus_state(void)
{
    return bus_status_text(&bus);
}

uint32_t bus_held(void)
{
    return bus.open && bus.streams[0] != '\0' ? redis_stream_counts()->held : 0;
}

void bus_report(struct json_write *w, struct now now)
{
    if (bus.open)
        bus_status_report(&bus, w, now);
    else
        json_write_null(w, "redis");
}

/* ---- State ---- */

bool bus_state_changed(void)
{
    return bus.open && bus.streams[0] != '\0' && redis_stream_counts()->changed;
}

bool bus_state_found(void)
{
    return bus_state_changed() && redis_stream_counts()->found;
}

int bus_state_save(const struct daemon *d)
{
    struct state_out out;
    char line[1024]; /* a name, each byte escaped to six, and an id */
    uint32_t at = 0;
    struct buf b;

    if (state_begin(&out, &d->tree, state_name) != 0)
        return -1;
    for (;;) {
        buf_init(&b, line, sizeof(line));
        if (!redis_stream_save(&b, &at))
            break;
        if (buf_done(&b) == 0)
            state_line(&out, buf_view(&b));
    }
    if (state_save(&out) != 0)
        return -1;
    redis_stream_saved();
    return 0;
}
