#ifndef SOURCE_STREAM_READ_H
#define SOURCE_STREAM_READ_H
/* Entries come, new ones by XREADGROUP and known ones by XRANGE or XCLAIM, and are offered. */

#include "source/stream_parts.h"

extern const struct redis_ops stream_read_ops; /* of the reader; arg is the struct streams */

/* Reads and fetches what there is room for. */
void stream_read_turn(struct streams *all);
/* once: would that do something now, or is an answer awaited? */
bool stream_read_busy(const struct streams *all);
/* An event ended: there may be room where there was none. */
void stream_read_room(struct streams *all);

#endif
