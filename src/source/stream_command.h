#ifndef SOURCE_STREAM_COMMAND_H
#define SOURCE_STREAM_COMMAND_H
/* A command about a stream being put together. Spans and strings stay their owner's until it is
 * sent. */

#include "net/redis.h"
#include "source/stream_id.h"

#define STREAM_COMMAND_IDS_MAX 128 /* the most that a command of ours names */

struct stream_command {
    const char *stream, *consumer;
    size_t count;
    bool failed; /* more than there is room for */
    struct buf text;
    struct span args[REDIS_ARGS_MAX];
    char storage[(STREAM_COMMAND_IDS_MAX + 8) * STREAM_ID_MAX];
};

void stream_command_begin(struct stream_command *c, const char *stream, const char *consumer);
void stream_command_span(struct stream_command *c, struct span arg);
/* The words of form, which is a literal; "@" is the stream, "&" the consumer, "#" the id ("(#":
 * what is behind it), "%" the number. */
void stream_command_put(struct stream_command *c, const char *form, struct stream_id id,
                        int64_t number);
/* As redis_command(). */
int stream_command_send(struct stream_command *c, struct redis *redis, int64_t limit_ms,
                        redis_answer *answer, void *arg);

#endif
