#ifndef BASE_JSON_READ_H
#define BASE_JSON_READ_H
/* Strict JSON (RFC 8259) in the caller's memory. The grammar is checked here, in full, before jsmn
 * tokenises; nobody sees a value of a document that is not JSON. No recursion, no allocation. */

#include "base/json_check.h"
#include "base/json_text.h"

#include <stdint.h>

#define JSMN_PARENT_LINKS
#define JSMN_STRICT
#define JSMN_HEADER
#include <jsmn.h>

struct json {
    const char *text; /* the caller's; lives as long as the document is used */
    const jsmntok_t *tokens;
    int count;
};

/* A value of a document: its token. JSON_NONE: no such value (every call takes it). */
typedef int json_ref;
#define JSON_NONE (-1)
#define JSON_ROOT 0

/* Reads one document: n bytes at text, at most max tokens, nesting (arrays and objects) up to
 * depth_max (at most 64). *doc is valid only after JSON_OK. */
enum json_error json_read(struct json *doc, const char *text, size_t n, jsmntok_t *tokens,
                          unsigned max, unsigned depth_max);
/* "not valid JSON", "nested too deep", ... */
const char *json_error_text(enum json_error error);

enum json_type json_type(const struct json *doc, json_ref ref); /* JSON_NONE: JSON_NULL */
/* The value of an object's member, names compared after unescaping; JSON_NONE where ref is no
 * object or has no such member. */
json_ref json_member(const struct json *doc, json_ref ref, const char *name);
/* Members (their names) or elements in order: the first inside ref, the one after at. */
json_ref json_first(const struct json *doc, json_ref ref);
json_ref json_next(const struct json *doc, json_ref ref, json_ref at);
/* The value that belongs to a member's name. */
json_ref json_value(const struct json *doc, json_ref name);
/* Does the object name a member twice? (Of too many members, JSON_MEMBERS_MAX, the answer is yes.)
 */
bool json_duplicates(const struct json *doc, json_ref ref);

/* The text as it stands, a string's with its quotes. */
struct span json_raw(const struct json *doc, json_ref ref);
/* A string, unescaped, with a NUL: its length, or -1 where ref is no string, is longer than
 * cap - 1 bytes, or holds U+0000 or an unpaired surrogate (dst is "" then). */
int json_string(const struct json *doc, json_ref ref, char *dst, size_t cap);
/* The same, cut as span_cut() does where it is too long; U+0000 becomes the escape \u0000 as text,
 * an unpaired surrogate U+FFFD. -1 only where ref is no string. */
int json_string_cut(const struct json *doc, json_ref ref, char *dst, size_t cap);
int json_int(const struct json *doc, json_ref ref, int64_t min, int64_t max, int64_t *out);
int json_real(const struct json *doc, json_ref ref, double min, double max, double *out);

#endif
