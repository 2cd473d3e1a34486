#include "source/redis_pubsub.h"

#include "base/log.h"

static const char *const names[] = {"health_events", "world_updates", NULL};

_Static_assert(sizeof(names) / sizeof(names[0]) == REDIS_PUBSUB_CHANNELS + 1, "the channels");

/* ---- Silence ---- */

static void log_silence(enum log_level level, const char *event,
                        const struct redis_pubsub_channel *c, int64_t now_ms)
{
    LOG(level, event, LOG_STR("channel", c->name),
        LOG_INT("silent_seconds", (now_ms - c->last_ms) / 1000));
}

/* When is it to be looked at again? */
static int64_t look(const struct redis_pubsub *p, struct redis_pubsub_channel *c, int64_t now_ms)
{
    c->silent = now_ms - c->last_ms >= p->silence_ms;
    if (!c->silent) {
        c->warned = false;
        return c->last_ms + p->silence_ms;
    }
    if (c->warned_ms == 0 || now_ms - c->warned_ms >= REDIS_PUBSUB_WARN_MS) {
        c->warned = true;
        c->warned_ms = now_ms;
        log_silence(LOG_WARNING, "redis_channel_silent", c, now_ms);
    }
    return c->warned_ms + REDIS_PUBSUB_WARN_MS;
}

/* A message moves no deadline: the timer does, when it is due. */
static void due(struct loop *loop, void *arg)
{
    struct redis_pubsub *p = arg;
    int64_t next_ms = INT64_MAX;

    for (unsigned i = 0; i < REDIS_PUBSUB_CHANNELS; i++) {
        int64_t at_ms = look(p, &p->channels[i], loop->now.boot_ms);
        if (at_ms < next_ms)
            next_ms = at_ms;
    }
    (void)loop_timer_set(loop, &p->timer, next_ms);
}

static void heard(struct redis_pubsub *p, struct redis_pubsub_channel *c)
{
    struct loop *loop = p->redis.loop;

    if (c->warned)
        log_silence(LOG_INFO, "redis_channel_heard", c, loop->now.boot_ms);
    c->silent = c->warned = false;
    (void)loop_timer_set(loop, &p->timer, loop->now.boot_ms);
}

void redis_pubsub_set_silence(struct redis_pubsub *p, int64_t silence_ms)
{
    struct loop *loop = p->redis.loop;

    p->silence_ms = silence_ms;
    if (silence_ms > 0) {
        (void)loop_timer_set(loop, &p->timer, loop->now.boot_ms);
        return;
    }
    loop_timer_clear(loop, &p->timer);
    for (unsigned i = 0; i < REDIS_PUBSUB_CHANNELS; i++)
        p->channels[i].silent = p->channels[i].warned = false;
}

/* ---- Messages ---- */

static void message(void *arg, struct span channel, const struct span *payload)
{
    struct redis_pubsub *p = arg;
    struct redis_pubsub_channel *c = p->channels;
    struct buf origin;

    while (!span_is(channel, c->name))
        if (++c == p->channels + REDIS_PUBSUB_CHANNELS)
            return; /* nobody asked for it */
    if (c->silent)
        heard(p, c);
    c->last_ms = p->redis.loop->now.boot_ms;
    c->messages++;
    buf_init(&origin, c->origin, sizeof(c->origin));
    origin.n = c->origin_n;
    buf_int(&origin, (int64_t)c->messages);
    if (payload != NULL)
        p->ops->event(p->ctx, *payload, buf_view(&origin));
    else
        p->ops->refused(p->ctx, buf_view(&origin), "too_large");
}

/* ---- Life ---- */

static void open_channel(struct redis_pubsub_channel *c, const char *name, const struct loop *loop,
                         uint64_t seed)
{
    const unsigned char start[] = {(unsigned char)(seed >> 24), (unsigned char)(seed >> 16),
                                   (unsigned char)(seed >> 8), (unsigned char)seed};
    struct buf b;

    *c = (struct redis_pubsub_channel){.name = name, .last_ms = loop->now.boot_ms};
    buf_init(&b, c->origin, sizeof(c->origin));
    buf_str(&b, name);
    buf_char(&b, ':');
    buf_hex(&b, start, sizeof(start));
    buf_char(&b, '.');
    c->origin_n = b.n;
}

void redis_pubsub_open(struct redis_pubsub *p, struct loop *loop, int64_t silence_ms, uint64_t seed)
{
    static const struct redis_ops ops = {.message = message};

    for (unsigned i = 0; i < REDIS_PUBSUB_CHANNELS; i++)
        open_channel(&p->channels[i], names[i], loop, seed);
    p->timer = (struct loop_timer){.due = due, .arg = p};
    p->redis.channels = names;
    p->redis.ops = &ops;
    p->redis.arg = p;
    redis_open(&p->redis, loop, seed);
    redis_pubsub_set_silence(p, silence_ms);
}

void redis_pubsub_close(struct redis_pubsub *p)
{
    loop_timer_clear(p->redis.loop, &p->timer);
    redis_close(&p->redis);
}
