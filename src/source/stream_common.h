#ifndef SOURCE_STREAM_COMMON_H
#define SOURCE_STREAM_COMMON_H
/* What the files of the stream source have in common: waits, replies, refusals, names. */

#include "source/stream_parts.h"

bool stream_common_due(const struct streams *all, int64_t retry_ms);
/* The end of STREAM_RETRY_MS from now. */
int64_t stream_common_later(const struct streams *all);
/* Entries LEFT that are to be fetched as soon as they find slots: not those of a stream whose
 * fetches are refused, so that it holds no other up. */
uint32_t stream_common_waiting(const struct streams *all);
/* How many entries more can be taken, besides those that wait already: 0 to STREAM_READ_MAX. */
unsigned stream_common_room(const struct streams *all);

/* Is it an error that begins with this word? */
bool stream_common_is_error(const struct redisReply *reply, const char *word);
/* A string's bytes; else p is NULL. */
struct span stream_common_text(const struct redisReply *reply);
/* 0, or -1: it is no string with an id. */
int stream_common_id(const struct redisReply *reply, struct stream_id *id);

/* What the server refuses; one log line a change. */
enum stream_trouble {
    STREAM_TROUBLE_LOOK, /* the first four in the order of enum stream_stage */
    STREAM_TROUBLE_COMPARE,
    STREAM_TROUBLE_MAKE,
    STREAM_TROUBLE_WALK,
    STREAM_TROUBLE_READ,
    STREAM_TROUBLE_TAKE,
    STREAM_TROUBLE_FETCH,
    STREAM_TROUBLE_CLAIM,
    STREAM_TROUBLE_ACK,
    STREAM_TROUBLE_DEAD
};

/* It was refused, or answered with what makes no sense (STREAM_TROUBLE_READ: of any stream). */
void stream_common_trouble(struct stream *s, enum stream_trouble trouble,
                           const struct redisReply *reply);
void stream_common_fine(struct stream *s, enum stream_trouble trouble);

/* Begins a command about it. */
struct stream_command *stream_common_command(struct stream *s);

/* "<stream>:<id>" */
#define STREAM_ORIGIN_SIZE (STREAM_NAME_MAX + 1 + STREAM_ID_MAX)
struct span stream_common_origin(const struct stream *s, const struct stream_entry *e,
                                 char storage[STREAM_ORIGIN_SIZE]);

#endif
