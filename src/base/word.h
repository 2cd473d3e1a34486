#ifndef BASE_WORD_H
#define BASE_WORD_H
/* Bytes, a machine word of them at a time. Subtracting from a byte that is too small for it sets
 * its high bit, perhaps those of bytes above, too: of the bits that come up so, the lowest is
 * right. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a word's lowest byte comes first");

#define WORD_EACH (SIZE_MAX / 0xff) /* 1 in each byte */
#define WORD_HIGH (WORD_EACH << 7)  /* the high bit of each */

/* The bytes from p on, wherever it points to. */
static inline size_t word_at(const char *p)
{
    size_t word;

    memcpy(&word, p, sizeof(word));
    return word;
}

/* The high bit of each byte that is 0, and perhaps of some above it. */
static inline size_t word_zeros(size_t word)
{
    return (word - WORD_EACH) & ~word & WORD_HIGH;
}

#endif
