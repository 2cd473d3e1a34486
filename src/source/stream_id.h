#ifndef SOURCE_STREAM_ID_H
#define SOURCE_STREAM_ID_H
/* The id of an entry of a Redis stream: "<milliseconds>-<number>", both 64 bits. Pure. */

#include "base/buf.h"

#include <stdint.h>

struct stream_id {
    uint64_t ms, seq;
};

#define STREAM_ID_MAX 41 /* bytes of its text: two numbers of 20 digits */

/* 0, or -1 where text is not an id in the one way that the server writes it. */
int stream_id_parse(struct stream_id *id, struct span text);
void stream_id_put(struct buf *out, struct stream_id id);
bool stream_id_less(struct stream_id a, struct stream_id b);

#endif
