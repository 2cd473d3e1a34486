#ifndef BASE_JSON_CHECK_H
#define BASE_JSON_CHECK_H
/* The grammar of JSON (RFC 8259), whole and without exceptions: one root, UTF-8, no comments, no
 * byte order mark. json_read() asks it first; nothing else needs to. */

#include <stddef.h>

enum json_error {
    JSON_OK,
    JSON_INCOMPLETE, /* a prefix of a valid document (an empty text too) */
    JSON_SYNTAX,
    JSON_UTF8,  /* not UTF-8, or a raw NUL */
    JSON_DEPTH, /* nested deeper than depth_max */
    JSON_SIZE,  /* more tokens than given */
};

/* Is text one JSON document? Nesting (arrays and objects) up to depth_max, at most 64. */
enum json_error json_check(const char *text, size_t n, unsigned depth_max);

#endif
