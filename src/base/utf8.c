#include "base/utf8.h"

#include "base/word.h"

/* What follows a first byte (RFC 3629, section 4): so many bytes, the second within low..high. */
struct lead {
    unsigned char first, last, length, low, high;
};

static const struct lead leads[] = {
    {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf}, {0xe1, 0xec, 3, 0x80, 0xbf},
    {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf}, {0xf0, 0xf0, 4, 0x90, 0xbf},
    {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
};

static const struct lead *lead_of(unsigned char byte)
{
    for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++)
        if (byte >= leads[i].first && byte <= leads[i].last)
            return &leads[i];
    return NULL;
}

size_t utf8_next(struct span s, uint32_t *cp)
{
    if (s.n == 0)
        return 0;
    unsigned char first = (unsigned char)s.p[0];
    if (first < 0x80) {
        *cp = first;
        return 1;
    }
    const struct lead *lead = lead_of(first);
    if (lead == NULL || s.n < lead->length)
        return 0;
    uint32_t value = first & (0xffU >> (lead->length + 1U));
    for (size_t i = 1; i < lead->length; i++) {
        unsigned char byte = (unsigned char)s.p[i];
        if (byte < (i == 1 ? lead->low : 0x80) || byte > (i == 1 ? lead->high : 0xbf))
            return 0;
        value = value << 6 | (byte & 0x3fU);
    }
    *cp = value;
    return lead->length;
}

size_t utf8_put(char dst[4], uint32_t cp)
{
    if (cp < 0x80) {
        dst[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        dst[0] = (char)(0xc0 | cp >> 6);
        dst[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        dst[0] = (char)(0xe0 | cp >> 12);
        dst[1] = (char)(0x80 | (cp >> 6 & 0x3f));
        dst[2] = (char)(0x80 | (cp & 0x3f));
        return 3;
    }
    dst[0] = (char)(0xf0 | cp >> 18);
    dst[1] = (char)(0x80 | (cp >> 12 & 0x3f));
    dst[2] = (char)(0x80 | (cp >> 6 & 0x3f));
    dst[3] = (char)(0x80 | (cp & 0x3f));
    return 4;
}

/* The start of s that is ASCII without a NUL, in whole words. */
static size_t plain_words(struct span s)
{
    size_t n = 0;

    for (; s.n - n >= sizeof(size_t); n += sizeof(size_t)) {
        size_t word = word_at(s.p + n);
        if ((((word - WORD_EACH) | word) & WORD_HIGH) != 0)
            break;
    }
    return n;
}

bool utf8_is_text(struct span s)
{
    uint32_t cp;

    for (size_t i = plain_words(s); i < s.n;) {
        size_t n = utf8_next((struct span){s.p + i, s.n - i}, &cp);
        if (n == 0 || cp == 0)
            return false;
        i += n;
    }
    return true;
}

/* Ranges of characters without a shape of their own (Unicode 15, categories Cc, Cf, Zl, Zp), as
 * far as they are not part of ordinary text. */
static const struct {
    uint32_t first, last;
} hidden[] = {
    {0x0000, 0x001f},   /* C0 */
    {0x007f, 0x009f},   /* DEL, C1 */
    {0x00ad, 0x00ad},   /* soft hyphen */
    {0x034f, 0x034f},   /* combining grapheme joiner */
    {0x061c, 0x061c},   /* Arabic letter mark */
    {0x115f, 0x1160},   /* Hangul fillers */
    {0x17b4, 0x17b5},   /* Khmer inherent vowels */
    {0x180b, 0x180f},   /* Mongolian variation selectors, vowel separator */
    {0x200b, 0x200f},   /* zero-width space, joiners, direction marks */
    {0x2028, 0x202e},   /* separators, embeddings, overrides */
    {0x2060, 0x206f},   /* word joiner, isolates, invisible operators */
    {0x3164, 0x3164},   /* Hangul filler */
    {0xfe00, 0xfe0f},   /* variation selectors */
    {0xfeff, 0xfeff},   /* byte order mark */
    {0xffa0, 0xffa0},   /* half-width Hangul filler */
    {0xfff9, 0xfffb},   /* interlinear annotation */
    {0x1d173, 0x1d17a}, /* musical controls */
    {0xe0000, 0xe0fff}, /* tags, more variation selectors */
};

bool utf8_hidden(uint32_t cp)
{
    if (cp >= ' ' && cp <= '~')
        return false; /* nearly all there is */
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
        if (cp >= hidden[i].first && cp <= hidden[i].last)
            return true;
    return false;
}
