#ifndef SOURCE_STREAM_GROUP_H
#define SOURCE_STREAM_GROUP_H
/* The consumer group of a stream: it is there, or is made; what is pending for us in it; what is
 * pending for consumers that are dead. */

#include "source/stream_parts.h"

/* The commands' connection is ready: begins anew. */
void stream_group_begin(struct stream *s);
/* There may be pending entries that we do not know. */
void stream_group_walk(struct stream *s);
/* The server says that there is no group. */
void stream_group_gone(struct stream *s);
/* Looks for entries of dead consumers, when it reads again. */
void stream_group_take(struct stream *s);

/* Sends what is to be sent; the commands' connection is ready. */
void stream_group_turn(struct stream *s);
/* Would that do something now, or is an answer awaited? */
bool stream_group_busy(const struct stream *s);

#endif
