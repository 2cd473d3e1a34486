#include "source/stream_common.h"

#include "base/log.h"

#include <hiredis/hiredis.h>

#include <string.h>

bool stream_common_due(const struct streams *all, int64_t retry_ms)
{
    return all->loop->now.boot_ms >= retry_ms;
}

int64_t stream_common_later(const struct streams *all)
{
    return all->loop->now.boot_ms + STREAM_RETRY_MS;
}

uint32_t stream_common_waiting(const struct streams *all)
{
    uint32_t count = 0;

    for (unsigned i = 0; i < all->count; i++)
        if (stream_common_due(all, all->streams[i].fetch_retry_ms))
            count += all->entries.lists[i][STREAM_ENTRY_LEFT].count;
    return count;
}

unsigned stream_common_room(const struct streams *all)
{
    unsigned room = STREAM_ENTRIES_MAX - all->entries.count;
    unsigned slots = all->ops->free_slots(all->ctx);
    uint32_t before = stream_common_waiting(all) + all->entries.counts[STREAM_ENTRY_FETCHING];

    slots = slots > before ? slots - before : 0;
    if (room > slots)
        room = slots;
    return room < STREAM_READ_MAX ? room : STREAM_READ_MAX;
}

struct stream_command *stream_common_command(struct stream *s)
{
    stream_command_begin(&s->all->command, s->name, s->all->consumer);
    return &s->all->command;
}

/* ---- Replies ---- */

bool stream_common_is_error(const struct redisReply *reply, const char *word)
{
    size_t n = strlen(word);

    return reply->type == REDIS_REPLY_ERROR && reply->len >= n && memcmp(reply->str, word, n) == 0;
}

struct span stream_common_text(const struct redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING)
        return (struct span){NULL, 0};
    return (struct span){reply->str, reply->len};
}

int stream_common_id(const struct redisReply *reply, struct stream_id *id)
{
    return stream_id_parse(id, stream_common_text(reply));
}

/* ---- Trouble ---- */

static const char *const commands[] = {
    [STREAM_TROUBLE_LOOK] = "XINFO",      [STREAM_TROUBLE_COMPARE] = "EVAL",
    [STREAM_TROUBLE_MAKE] = "XGROUP",     [STREAM_TROUBLE_WALK] = "XPENDING",
    [STREAM_TROUBLE_READ] = "XREADGROUP", [STREAM_TROUBLE_TAKE] = "XAUTOCLAIM",
    [STREAM_TROUBLE_FETCH] = "XRANGE",    [STREAM_TROUBLE_CLAIM] = "XCLAIM",
    [STREAM_TROUBLE_ACK] = "XACK",        [STREAM_TROUBLE_DEAD] = "XADD",
};

static struct span name_of(const struct stream *s, enum stream_trouble trouble)
{
    return trouble == STREAM_TROUBLE_READ ? s->all->names : span_of(s->name);
}

void stream_common_trouble(struct stream *s, enum stream_trouble trouble,
                           const struct redisReply *reply)
{
    struct span error = span_of("a reply that makes no sense");

    if ((s->troubles & 1U << trouble) != 0)
        return;
    s->troubles |= 1U << trouble;
    if (reply->type == REDIS_REPLY_ERROR)
        error = (struct span){reply->str, reply->len};
    /* Of the key's type only an operator can make another. */
    LOG(stream_common_is_error(reply, "WRONGTYPE") ? LOG_ERROR : LOG_WARNING, "stream_refused",
        LOG_SPAN("stream", name_of(s, trouble)), LOG_STR("command", commands[trouble]),
        LOG_SPAN("error", error));
}

void stream_common_fine(struct stream *s, enum stream_trouble trouble)
{
    if ((s->troubles & 1U << trouble) == 0)
        return;
    s->troubles &= ~(1U << trouble);
    LOG(LOG_INFO, "stream_works_again", LOG_SPAN("stream", name_of(s, trouble)),
        LOG_STR("command", commands[trouble]));
}

/* ---- Names ---- */

struct span stream_common_origin(const struct stream *s, const struct stream_entry *e,
                                 char storage[STREAM_ORIGIN_SIZE])
{
    struct buf b;

    buf_init(&b, storage, STREAM_ORIGIN_SIZE);
    buf_str(&b, s->name);
    buf_char(&b, ':');
    stream_id_put(&b, e->id);
    return buf_view(&b);
}
