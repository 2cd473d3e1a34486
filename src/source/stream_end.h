#ifndef SOURCE_STREAM_END_H
#define SOURCE_STREAM_END_H
/* What becomes of entries: they are acknowledged, put into the dead stream before that, or, while
 * they are unfinished, claimed anew, so that no other planner takes them over. */

#include "source/stream_parts.h"

struct redisReply; /* hiredis: <hiredis/hiredis.h> */

/* To the dead stream, with these fields (NULL: without any). reason lives for ever. Where it cannot
 * be sent now, the entry is DOOMED, and is to be fetched again. */
void stream_end_doom(struct stream *s, struct stream_entry *e, const char *reason,
                     const struct redisReply *fields);
/* A place for a command about one entry, to be marked as used; NULL: none is free. */
struct stream_fetch *stream_end_fetch(struct streams *all, const struct stream_entry *e);

/* Is there anything to be done with it, but to acknowledge it? */
bool stream_end_is_unfinished(const struct stream_entry *e);

/* Sends acknowledgements, and claims when they are due; the commands' connection is ready. */
void stream_end_turn(struct streams *all);
/* Is something being acknowledged or buried, or would be now? */
bool stream_end_busy(const struct streams *all);

#endif
