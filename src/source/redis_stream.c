#include "source/redis_stream.h"

#include "base/json_read.h"
#include "base/json_write.h"
#include "source/stream_end.h"
#include "source/stream_group.h"
#include "source/stream_read.h"

#include <stddef.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct streams all;

/* What redis_stream_load() has taken. */
static struct loaded {
    char name[STREAM_NAME_MAX + 1];
    struct stream_id last;
} loaded[STREAMS_MAX];
static unsigned loaded_count;

/* ---- Names ---- */

static bool is_name(struct span name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] > '~')
            return false;
    return name.n >= 1 && name.n <= STREAM_NAME_MAX;
}

/* Is name what is kept for the dead of other? */
static bool is_dead_of(struct span name, struct span other)
{
    static const char dead[] = ":dead";
    size_t n = sizeof(dead) - 1;

    return name.n == other.n + n && memcmp(name.p, other.p, other.n) == 0 &&
           memcmp(name.p + other.n, dead, n) == 0;
}

static const char *wrong_pair(struct span a, struct span b)
{
    if (span_eq(a, b))
        return "a stream is named twice";
    return is_dead_of(a, b) || is_dead_of(b, a) ? "a stream is the dead stream of another" : NULL;
}

/* The names, and how many; NULL, or what is wrong. */
static const char *parse(struct span text, struct span names[STREAMS_MAX], unsigned *count)
{
    const char *wrong = NULL;
    bool more = true;

    for (*count = 0; more && wrong == NULL; (*count)++) {
        more = span_has(text, ',');
        struct span name = span_trim(span_split(&text, ','));
        if (*count == STREAMS_MAX)
            return "more than 8 streams";
        if (!is_name(name))
            return "a stream's name is 1 to 128 printable ASCII characters, without blanks";
        names[*count] = name;
        for (unsigned i = 0; i < *count && wrong == NULL; i++)
            wrong = wrong_pair(names[i], name);
    }
    return wrong;
}

_Static_assert(STREAMS_MAX == 8 && STREAM_NAME_MAX == 128, "what parse() says");

static int check(struct span streams, struct span names[STREAMS_MAX], unsigned *count, char *why)
{
    const char *wrong = parse(streams, names, count);

    return wrong == NULL ? 0 : (span_copy(why, REDIS_WHY_MAX + 1, span_of(wrong)), -1);
}

int redis_stream_check(struct span streams, char *why)
{
    struct span names[STREAMS_MAX];
    unsigned count;

    return check(streams, names, &count, why);
}

/* ---- Life ---- */

/* It only has to end the wait of the loop: what is due is done in redis_stream_turn(). */
static void due(struct loop *loop, void *arg)
{
    (void)loop;
    (void)arg;
}

static void open_stream(unsigned number, struct span name)
{
    struct stream *s = &all.streams[number];

    s->all = &all;
    s->number = number;
    s->walk_from = true;
    s->from = "$";
    (void)span_copy(s->name, sizeof(s->name), name); /* it was checked */
    for (unsigned i = 0; i < loaded_count; i++) {
        if (!span_is(name, loaded[i].name))
            continue;
        s->known = true;
        s->last = loaded[i].last;
    }
    stream_group_begin(s);
}

int redis_stream_open(struct loop *loop, struct redis *reader, struct redis *commands,
                      const struct redis_stream_settings *settings,
                      const struct redis_stream_ops *ops, void *ctx, uint64_t seed, char *why)
{
    struct span names[STREAMS_MAX];
    unsigned count;

    if (check(settings->streams, names, &count, why) != 0)
        return -1;
    /* The large ones behind are not touched where they are zero: they would take memory. */
    memset(&all, 0, offsetof(struct streams, entries));
    if (all.entries.top > 0)
        memset(&all.entries, 0, sizeof(all.entries));
    all.loop = loop;
    all.reader = reader;
    all.commands = commands;
    all.ops = ops;
    all.ctx = ctx;
    all.names = settings->streams;
    all.consumer = settings->consumer;
    all.once = settings->once;
    all.count = count;
    all.read_most = STREAM_READ_MAX;
    all.renew_stream = STREAMS_MAX;
    all.both_ms = loop->now.boot_ms;
    all.take_ms = loop->now.boot_ms;
    all.timer = (struct loop_timer){.due = due};
    for (unsigned i = 0; i < count; i++)
        open_stream(i, names[i]);
    loaded_count = 0;
    all.open = true;
    reader->ops = &stream_read_ops;
    reader->arg = &all;
    redis_open(reader, loop, seed);
    if (redis_is_ready(commands))
        redis_stream_commands(true);
    return 0;
}

void redis_stream_close(void)
{
    if (!all.open)
        return;
    all.open = false;
    loop_timer_clear(all.loop, &all.timer);
    redis_close(all.reader);
}

void redis_stream_commands(bool ready)
{
    if (!all.open || !ready)
        return; /* a NULL has answered all commands that were lost */
    all.suspect = false;
    all.take_ms = all.renew_ms = all.loop->now.boot_ms;
    for (unsigned i = 0; i < all.count; i++) {
        struct stream *s = &all.streams[i];
        s->fetch_retry_ms = s->ack_retry_ms = s->bury_retry_ms = 0;
        stream_group_begin(s);
    }
}

/* ---- Turns ---- */

static void take_over(void)
{
    if (all.once || all.loop->now.boot_ms < all.take_ms)
        return;
    all.take_ms = all.loop->now.boot_ms + STREAM_TAKE_OVER_MS;
    for (unsigned i = 0; i < all.count; i++)
        stream_group_take(&all.streams[i]);
}

/* What came to a lost connection as long as the server took it for alive. */
static void look_for_lost(void)
{
    if (all.lost_ms == 0 || all.loop->now.boot_ms < all.lost_ms)
        return;
    all.lost_ms = 0;
    for (unsigned i = 0; i < all.count; i++)
        stream_group_walk(&all.streams[i]);
}

/* The earlier of the two, where time is still to come. */
static void earliest(int64_t *deadline_ms, int64_t time_ms)
{
    if (time_ms > all.loop->now.boot_ms && time_ms < *deadline_ms)
        *deadline_ms = time_ms;
}

static void set_timer(bool both)
{
    int64_t deadline_ms = INT64_MAX;

    if (redis_is_ready(all.commands)) {
        earliest(&deadline_ms, all.take_ms);
        if (all.entries.count > 0)
            earliest(&deadline_ms, all.renew_ms);
        for (unsigned i = 0; i < all.count; i++) {
            const struct stream *s = &all.streams[i];
            earliest(&deadline_ms, s->group_retry_ms);
            earliest(&deadline_ms, s->fetch_retry_ms);
            earliest(&deadline_ms, s->ack_retry_ms);
            earliest(&deadline_ms, s->bury_retry_ms);
        }
        if (all.no_slot)
            earliest(&deadline_ms, all.no_slot_ms + STREAM_RETRY_MS);
    }
    earliest(&deadline_ms, all.read_retry_ms);
    earliest(&deadline_ms, all.lost_ms);
    if (all.once && !both)
        earliest(&deadline_ms, all.both_ms + REDIS_CONNECT_MS);
    if (deadline_ms == INT64_MAX)
        loop_timer_clear(all.loop, &all.timer);
    else if (!all.timer.set || all.timer.deadline_ms != deadline_ms)
        (void)loop_timer_set(all.loop, &all.timer, deadline_ms);
}

void redis_stream_turn(void)
{
    if (!all.open)
        return;
    bool ready = redis_is_ready(all.commands);
    bool both = ready && redis_is_ready(all.reader);
    if (both)
        all.both_ms = all.loop->now.boot_ms;
    if (ready) {
        take_over();
        look_for_lost();
        for (unsigned i = 0; i < all.count; i++)
            stream_group_turn(&all.streams[i]);
        stream_end_turn(&all);
    }
    stream_read_turn(&all);
    set_timer(both);
}

void redis_stream_finished(uint32_t ref)
{
    struct stream_entry *e = stream_entries_of(&all.entries, ref);

    if (!all.open || e == NULL || e->state != STREAM_ENTRY_HELD)
        return;
    stream_entries_set(&all.entries, e, STREAM_ENTRY_DONE);
    stream_read_room(&all);
}

bool redis_stream_reading(void)
{
    if (!all.open)
        return false;
    if (!redis_is_ready(all.commands) || !redis_is_ready(all.reader))
        return all.loop->now.boot_ms - all.both_ms < REDIS_CONNECT_MS;
    for (unsigned i = 0; i < all.count; i++)
        if (stream_group_busy(&all.streams[i]))
            return true;
    return stream_read_busy(&all) || stream_end_busy(&all);
}

bool redis_stream_unfinished(void)
{
    return all.entries.count > 0 || (all.once && all.drained != (1U << all.count) - 1);
}

const struct redis_stream_counts *redis_stream_counts(void)
{
    const uint32_t *counts = all.entries.counts;

    all.counts.held = all.entries.count;
    all.counts.doomed = counts[STREAM_ENTRY_DOOMED] + counts[STREAM_ENTRY_BURYING];
    return &all.counts;
}

/* ---- The state file ---- */

/* The last id with nothing unfinished before it: should the group be gone at the next start, that
 * comes again. */
static struct stream_id dealt_with(const struct stream *s)
{
    struct stream_id id = s->last;

    for (uint32_t i = 0; i < all.entries.top; i++) {
        const struct stream_entry *e = &all.entries.entries[i];
        if (e->stream != s->number || !stream_end_is_unfinished(e) || stream_id_less(id, e->id))
            continue;
        id = e->id;
        if (id.seq-- == 0)
            id.ms--;
    }
    return id;
}

bool redis_stream_save(struct buf *out, uint32_t *at)
{
    char text[STREAM_ID_MAX];
    struct json_write w;
    struct buf id;

    while (*at < all.count && !all.streams[*at].known)
        (*at)++;
    if (*at >= all.count)
        return false;
    const struct stream *s = &all.streams[(*at)++];
    buf_init(&id, text, sizeof(text));
    stream_id_put(&id, dealt_with(s));
    json_write_init(&w, out);
    json_write_object(&w, NULL);
    json_write_str(&w, "stream", s->name);
    json_write_span(&w, "last", buf_view(&id));
    json_write_end_object(&w);
    return true;
}

void redis_stream_saved(void)
{
    all.counts.changed = false;
    all.counts.found = false;
}

int redis_stream_load(struct span object)
{
    jsmntok_t tokens[16];
    struct json doc;
    char name[STREAM_NAME_MAX + 1], id[STREAM_ID_MAX + 1];
    struct stream_id last;

    if (json_read(&doc, object.p, object.n, tokens, COUNT(tokens), 2) != JSON_OK ||
        json_string(&doc, json_member(&doc, JSON_ROOT, "stream"), name, sizeof(name)) < 0 ||
        json_string(&doc, json_member(&doc, JSON_ROOT, "last"), id, sizeof(id)) < 0 ||
        !is_name(span_of(name)) || stream_id_parse(&last, span_of(id)) != 0 ||
        loaded_count == COUNT(loaded))
        return -1;
    memcpy(loaded[loaded_count].name, name, sizeof(name));
    loaded[loaded_count++].last = last;
    return 0;
}
