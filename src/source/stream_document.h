#ifndef SOURCE_STREAM_DOCUMENT_H
#define SOURCE_STREAM_DOCUMENT_H
/* The fields of a stream's entry as one JSON document. Where they are no event themselves (a type
 * and a node, or a key beside it): the value of `event`, else of `data`, else of `payload`, whose
 * first character is '{'. Otherwise an object of all fields, each a string, but for a `payload`,
 * `details` or `data` that is a JSON object or array itself. Pure. */

#include "base/buf.h"

struct redisReply; /* hiredis: <hiredis/hiredis.h> */

enum stream_fields {
    STREAM_FIELDS_GOOD,
    STREAM_FIELDS_NULLS,   /* a name or value was too large to be read */
    STREAM_FIELDS_NONE,    /* null: the entry is no more */
    STREAM_FIELDS_NONSENSE /* no list of names and values */
};
enum stream_fields stream_document_look(const struct redisReply *fields);

/* fields: STREAM_FIELDS_GOOD. NULL and the document, which lies in out or in the fields; or a short
 * name of what is wrong. out has EVENT_BYTES_MAX bytes. */
const char *stream_document(const struct redisReply *fields, struct buf *out,
                            struct span *document);

#endif
