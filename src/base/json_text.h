#ifndef BASE_JSON_TEXT_H
#define BASE_JSON_TEXT_H
/* Values of a document as they stand in its text. The document was found to be valid; a raw value
 * is all of its text and nothing around it, inside is what stands between a string's quotes. */

#include "base/span.h"

#include <stdint.h>

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* No text: JSON_NULL. */
enum json_type json_text_type(struct span raw);

/* As json_string() and json_string_cut() (json_read.h). */
int json_text(struct span raw, char *dst, size_t cap);
int json_text_cut(struct span raw, char *dst, size_t cap);

/* Does it hold no escape? */
bool json_text_verbatim(struct span inside);
/* Is it this text, once it is unescaped? */
bool json_text_is(struct span inside, struct span text);
/* Are they the same text, however they are written? */
bool json_text_same(struct span inside, struct span other);
/* Of that text. */
uint64_t json_text_hash(struct span inside);

#endif
