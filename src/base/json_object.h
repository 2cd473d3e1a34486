#ifndef BASE_JSON_OBJECT_H
#define BASE_JSON_OBJECT_H
/* The members of a document's root, in one pass over its text: for documents of which there are
 * many, and little is asked. */

#include "base/json_check.h"
#include "base/json_text.h"

#define JSON_MEMBERS_MAX 16384 /* EVENT_BYTES_MAX holds 13107: "":1, */

struct json_object {
    enum json_type type; /* of the root: any but JSON_OBJECT has no members */
    bool twice;          /* it names a member twice */
};

/* Checks text as json_check() does, then sets values[i] to the value of the member names[i], raw,
 * or to an empty span where it has none. (Of two of that name, the first.) names are plain words,
 * the shorter ones first, 255 at most. JSON_SIZE: more than JSON_MEMBERS_MAX members. */
enum json_error json_object_read(struct json_object *object, struct span text, unsigned depth_max,
                                 const struct span *names, struct span *values, size_t count);

#endif
