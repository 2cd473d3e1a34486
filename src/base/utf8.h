#ifndef BASE_UTF8_H
#define BASE_UTF8_H
/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing over U+10FFFF. */

#include "base/span.h"

#include <stdint.h>

/* Length in bytes (1 to 4) of the character at the start of s, its code point in *cp;
 * 0 where s is empty or not UTF-8 there. */
size_t utf8_next(struct span s, uint32_t *cp);

/* Writes cp (a Unicode scalar value) to dst and returns its length, 1 to 4. */
size_t utf8_put(char dst[4], uint32_t cp);

/* All of it is UTF-8, and no byte of it NUL. */
bool utf8_is_text(struct span s);

/* A character that a terminal or a reader could be fooled with: C0, DEL and C1 controls, line and
 * paragraph separators, bidirectional controls, zero-width characters, the byte order mark. */
bool utf8_hidden(uint32_t cp);

#endif
