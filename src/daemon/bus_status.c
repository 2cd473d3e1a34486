#include "daemon/bus_status.h"

#include "base/timestamp.h"
#include "daemon/bus_parts.h"
#include "daemon/parts.h"
#include "daemon/version.h"
#include "llm/metrics.h"
#include "source/files.h"

#include <unistd.h>

static const char metrics_channel[] = "llm_router_metrics";

/* ---- planner:status:<node> ---- */

#define FIELDS_MAX (32 + CHAIN_HOPS_MAX)
#define TEXT_MAX 4096 /* bytes of all values that are made here */

/* The words before the first field. */
#define WORDS 5

_Static_assert(WORDS + 2 * FIELDS_MAX <= REDIS_ARGS_MAX, "one command takes them");

/* Replaces it, at once: a hop of an earlier chain must not stay in it, nor a hash without an end.
 */
static const char script[] = "redis.call('DEL',KEYS[1])redis.call('HSET',KEYS[1],unpack(ARGV,2))"
                             "return redis.call('PEXPIRE',KEYS[1],ARGV[1])";

/* EVAL script 1 key ttl field value ... */
struct hash {
    struct span args[WORDS + 2 * FIELDS_MAX];
    size_t count;
    struct buf text;
    char storage[TEXT_MAX];
};

static void put(struct hash *h, const char *field, struct span value)
{
    h->args[h->count++] = span_of(field);
    h->args[h->count++] = value;
}

static struct span made_since(const struct hash *h, size_t from)
{
    return (struct span){h->storage + from, h->text.n - from};
}

static void put_int(struct hash *h, const char *field, int64_t value)
{
    size_t from = h->text.n;

    buf_int(&h->text, value);
    put(h, field, made_since(h, from));
}

static void put_ttl(struct hash *h)
{
    size_t from = h->text.n;

    buf_int(&h->text, BUS_STATUS_TTL_MS);
    h->args[h->count++] = made_since(h, from);
}

static void put_stamp(struct hash *h, const char *field, int64_t ms)
{
    char stamp[TIMESTAMP_SIZE];
    size_t from = h->text.n;

    timestamp_format(stamp, ms);
    buf_str(&h->text, stamp);
    put(h, field, made_since(h, from));
}

/* "hop:ollama/qwen2.5:7b" -> "success 10, fallback 1, error 0, breaker closed" */
static void put_hop(struct hash *h, const struct router_hop *hop)
{
    size_t from = h->text.n;

    buf_str(&h->text, "hop:");
    buf_str(&h->text, hop->label);
    h->args[h->count++] = made_since(h, from);
    from = h->text.n;
    buf_str(&h->text, "success ");
    buf_int(&h->text, hop->success);
    buf_str(&h->text, ", fallback ");
    buf_int(&h->text, hop->fallback);
    buf_str(&h->text, ", error ");
    buf_int(&h->text, hop->error);
    buf_str(&h->text, hop->breaker.open ? ", breaker open" : ", breaker closed");
    h->args[h->count++] = made_since(h, from);
}

static void put_counts(struct hash *h, const struct daemon *d)
{
    static const enum outcome told[] = {
        OUTCOME_PROPOSED,  OUTCOME_IGNORED, OUTCOME_RESUMED,    OUTCOME_ALREADY_OPEN,
        OUTCOME_COOLDOWN,  OUTCOME_SHARED,  OUTCOME_JOINED,     OUTCOME_BENIGN,
        OUTCOME_RECOVERED, OUTCOME_REFUSED, OUTCOME_QUEUE_FULL, OUTCOME_CHAIN_FAILED,
    };
    const uint64_t *counts = d->planner.counts;

    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        uint64_t n = counts[told[i]] + (told[i] == OUTCOME_REFUSED ? d->unreadable : 0);
        put_int(h, outcome_text(told[i]), (int64_t)n);
    }
}

void bus_status_send(struct bus *b, const struct daemon *d, bool running)
{
    static struct hash h;
    char storage[NAME_MAX_BYTES + 32];
    struct buf key;

    h.count = 0;
    buf_init(&h.text, h.storage, sizeof(h.storage));
    buf_init(&key, storage, sizeof(storage));
    buf_str(&key, "planner:status:");
    buf_str(&key, b->node);
    put(&h, "EVAL", span_of(script));
    put(&h, "1", buf_view(&key));
    put_ttl(&h);
    put(&h, "version", span_of(version_text()));
    put(&h, "state", span_of(running ? "running" : "stopped"));
    put(&h, "node", span_of(b->node));
    put_int(&h, "pid", getpid());
    put_stamp(&h, "started_at", d->started_ms + clock_offset(d->loop.now));
    put_stamp(&h, "updated_at", d->loop.now.wall_ms);
    put_int(&h, "queue_keys", d->planner.queue.count);
    put_int(&h, "unfinished", files_counts()->unfinished + redis_stream_counts()->held);
    put_counts(&h, d);
    for (unsigned i = 0; i < d->router.hop_count; i++)
        put_hop(&h, &d->router.hops[i]);
    if (buf_done(&h.text) == 0 && redis_has_room(&b->commands))
        (void)redis_command(&b->commands, h.args, h.count, 0, NULL, NULL);
}

/* ---- llm_router_metrics ---- */

static bool publish_metrics(struct bus *b, const struct metrics *metrics)
{
    static char storage[BUS_METRICS_MAX];
    struct json_write w;
    struct buf text;

    buf_init(&text, storage, sizeof(storage));
    json_write_init(&w, &text);
    json_write_object(&w, NULL);
    metrics_write(&w, metrics);
    json_write_end_object(&w);
    const struct span args[] = {span_of("PUBLISH"), span_of(metrics_channel), buf_view(&text)};
    return buf_done(&text) == 0 && redis_has_room(&b->commands) &&
           redis_command(&b->commands, args, sizeof(args) / sizeof(args[0]), 0, NULL, NULL) == 0;
}

void bus_status_answered(struct bus *b, const struct daemon *d, struct span context,
                         const struct llm_answer *answer)
{
    const struct metrics metrics = {
        .wall_ms = d->loop.now.wall_ms,
        .node = b->node,
        .context = context,
        .answer = answer,
        .hops = d->router.hops,
        .hop_count = d->router.hop_count,
    };

    if (publish_metrics(b, &metrics))
        b->metrics_sent++;
    else
        b->metrics_lost++;
}

/* ---- The status file ---- */

/* The connections that are there. */
static unsigned connections(const struct bus *b, const struct redis *out[REDIS_CONNECTIONS_MAX])
{
    const struct redis *const all[] = {&b->pubsub.redis, &b->commands, &b->reader};
    unsigned n = 0;

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i]->state != REDIS_OFF)
            out[n++] = all[i];
    return n;
}

uint32_t bus_status_bits(const struct bus *b)
{
    const struct redis *of[REDIS_CONNECTIONS_MAX];
    unsigned n = connections(b, of);
    uint32_t bits = b->shared.refused;

    for (unsigned i = 0; i < n; i++)
        bits = bits << 2 | (uint32_t)redis_is_ready(of[i]) << 1 | (of[i]->why[0] != '\0');
    for (unsigned i = 0; i < REDIS_PUBSUB_CHANNELS; i++)
        bits = bits << 1 | b->pubsub.channels[i].silent;
    return bits;
}

const char *bus_status_text(const struct bus *b)
{
    const struct redis *of[REDIS_CONNECTIONS_MAX];
    unsigned n = connections(b, of);

    for (unsigned i = 0; i < n; i++)
        if (!redis_is_ready(of[i]))
            return redis_state_text(of[i]->state);
    return redis_state_text(n > 0 ? REDIS_READY : REDIS_OFF);
}

static void write_stamp(struct json_write *w, const char *key, int64_t ms)
{
    char stamp[TIMESTAMP_SIZE];

    timestamp_format(stamp, ms);
    json_write_str(w, key, stamp);
}

static void report_url(const struct bus *b, struct json_write *w)
{
    char storage[URL_HOST_MAX + URL_PATH_MAX + 64];
    struct buf text;

    buf_init(&text, storage, sizeof(storage));
    redis_url_text(&b->target, &text);
    json_write_span(w, "url", buf_view(&text));
}

static void report_connections(const struct bus *b, struct json_write *w)
{
    const struct redis *of[REDIS_CONNECTIONS_MAX];
    unsigned n = connections(b, of);

    json_write_array(w, "connections");
    for (unsigned i = 0; i < n; i++) {
        json_write_object(w, NULL);
        json_write_str(w, "name", of[i]->name);
        json_write_str(w, "state", redis_state_text(of[i]->state));
        write_stamp(w, "since", of[i]->since_ms);
        json_write_int(w, "losses", (int64_t)of[i]->losses);
        json_write_str(w, "error", of[i]->why[0] != '\0' ? of[i]->why : NULL);
        json_write_end_object(w);
    }
    json_write_end_array(w);
}

static void report_channels(const struct bus *b, struct json_write *w, struct now now)
{
    json_write_array(w, "channels");
    for (unsigned i = 0; i < REDIS_PUBSUB_CHANNELS && !b->once; i++) {
        const struct redis_pubsub_channel *c = &b->pubsub.channels[i];
        json_write_object(w, NULL);
        json_write_str(w, "name", c->name);
        json_write_int(w, "messages", (int64_t)c->messages);
        /* Of the last message, or the start where there was none. */
        write_stamp(w, "quiet_since", now.wall_ms - (now.boot_ms - c->last_ms));
        json_write_bool(w, "silent", c->silent);
        json_write_end_object(w);
    }
    json_write_end_array(w);
}

static void report_streams(const struct bus *b, struct json_write *w)
{
    char cut[STREAMS_TEXT_MAX / 2];

    if (b->streams[0] == '\0') {
        json_write_null(w, "streams");
        return;
    }
    const struct redis_stream_counts *counts = redis_stream_counts();
    json_write_object(w, "streams");
    json_write_span(w, "names", (struct span){cut, span_cut_text(cut, sizeof(cut), b->streams)});
    json_write_int(w, "entries", (int64_t)counts->entries);
    json_write_int(w, "acknowledged", (int64_t)counts->acknowledged);
    json_write_int(w, "held", counts->held);
    json_write_int(w, "doomed", counts->doomed);
    json_write_int(w, "dead", (int64_t)counts->dead);
    json_write_int(w, "taken_over", (int64_t)counts->taken_over);
    json_write_end_object(w);
}

static void report_actions(const struct bus *b, struct json_write *w)
{
    if (b->actions_stream[0] == '\0') {
        json_write_null(w, "actions_stream");
        return;
    }
    json_write_object(w, "actions_stream");
    json_write_str(w, "name", b->actions_stream);
    json_write_int(w, "added", (int64_t)b->outbox.added);
    json_write_int(w, "refused", (int64_t)b->outbox.refused);
    json_write_end_object(w);
}

void bus_status_report(const struct bus *b, struct json_write *w, struct now now)
{
    json_write_object(w, "redis");
    report_url(b, w);
    json_write_str(w, "state", bus_status_text(b));
    report_connections(b, w);
    report_channels(b, w, now);
    report_streams(b, w);
    report_actions(b, w);
    json_write_bool(w, "claims_refused", b->shared.refused);
    json_write_int(w, "metrics_sent", (int64_t)b->metrics_sent);
    json_write_int(w, "metrics_lost", (int64_t)b->metrics_lost);
    json_write_end_object(w);
}
