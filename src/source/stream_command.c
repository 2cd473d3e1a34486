#include "source/stream_command.h"

void stream_command_begin(struct stream_command *c, const char *stream, const char *consumer)
{
    c->stream = stream;
    c->consumer = consumer;
    c->count = 0;
    c->failed = false;
    buf_init(&c->text, c->storage, sizeof(c->storage));
}

void stream_command_span(struct stream_command *c, struct span arg)
{
    if (c->count < REDIS_ARGS_MAX)
        c->args[c->count++] = arg;
    else
        c->failed = true;
}

static struct span word_of(struct stream_command *c, struct span word, struct stream_id id,
                           int64_t number)
{
    size_t n = c->text.n;

    switch (word.p[word.n - 1]) {
    case '@':
        return span_of(c->stream);
    case '&':
        return span_of(c->consumer);
    case '#':
        buf_bytes(&c->text, word.p, word.n - 1);
        stream_id_put(&c->text, id);
        break;
    case '%':
        buf_int(&c->text, number);
        break;
    default:
        return word;
    }
    return (struct span){c->text.p + n, c->text.n - n};
}

void stream_command_put(struct stream_command *c, const char *form, struct stream_id id,
                        int64_t number)
{
    struct span rest = span_of(form);

    while (rest.n > 0)
        stream_command_span(c, word_of(c, span_split(&rest, ' '), id, number));
}

int stream_command_send(struct stream_command *c, struct redis *redis, int64_t limit_ms,
                        redis_answer *answer, void *arg)
{
    if (c->failed || buf_done(&c->text) != 0)
        return -1;
    /* What has no room now is sent again: a claim is not. */
    if (!redis_has_room(redis))
        return -1;
    return redis_command(redis, c->args, c->count, limit_ms, answer, arg);
}
