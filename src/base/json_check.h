#ifndef BASE_JSON_CHECK_H
#define BASE_JSON_CHECK_H
/* The grammar of JSON (RFC 8259), whole and without exceptions: one root, UTF-8, no comments, no
 * byte order mark. json_read() and json_object_read() ask it first. */

#include "base/span.h"

enum json_error {
    JSON_OK,
    JSON_INCOMPLETE, /* a prefix of a valid document (an empty text too) */
    JSON_SYNTAX,
    JSON_UTF8,  /* not UTF-8, or a raw NUL */
    JSON_DEPTH, /* nested deeper than depth_max */
    JSON_SIZE,  /* more tokens than given */
};

#define JSON_DEPTH_LIMIT 64

/* Is text one JSON document? Nesting (arrays and objects) up to depth_max, at most the limit. */
enum json_error json_check(const char *text, size_t n, unsigned depth_max);

struct json_member {
    struct span name;  /* what stands between its quotes */
    struct span value; /* the text as it stands, a string's with its quotes */
};

/* Set by the caller: a list with room for max, count 0. */
struct json_members {
    struct json_member *list;
    size_t max;
    size_t count; /* of all; those beyond max are not in the list */
};

/* The same, and the members of the root, in their order, where it is an object. */
enum json_error json_check_members(struct span text, unsigned depth_max,
                                   struct json_members *members);

#endif
