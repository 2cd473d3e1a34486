#ifndef BASE_JSON_WRITE_H
#define BASE_JSON_WRITE_H
/* JSON out, into a buf, whose sticky error is the only one. key is NULL inside an array and at the
 * root. Strings come out as ASCII escapes where utf8_hidden() says so, U+FFFD for what is not
 * UTF-8. */

#include "base/buf.h"

struct json_write {
    struct buf *buf;
    bool comma; /* a value went before on this level */
};

void json_write_init(struct json_write *w, struct buf *buf);
void json_write_object(struct json_write *w, const char *key);
void json_write_array(struct json_write *w, const char *key);
void json_write_end_object(struct json_write *w);
void json_write_end_array(struct json_write *w);
void json_write_span(struct json_write *w, const char *key, struct span value);
void json_write_str(struct json_write *w, const char *key, const char *value); /* NULL: null */
void json_write_int(struct json_write *w, const char *key, int64_t value);
void json_write_bool(struct json_write *w, const char *key, bool value);
void json_write_null(struct json_write *w, const char *key);
/* value is JSON already (from json_raw) and goes out as it stands. */
void json_write_raw(struct json_write *w, const char *key, struct span value);
/* The same on one line: without the blanks between its tokens, and hidden characters escaped. */
void json_write_compact(struct json_write *w, const char *key, struct span value);
/* A member whose name comes from outside. */
void json_write_raw_named(struct json_write *w, struct span raw_name, struct span raw_value);

#endif
