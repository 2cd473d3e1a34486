#include "base/span.h"

#include "base/word.h"

#include <stdint.h>
#include <string.h>

struct span span_of(const char *text)
{
    return (struct span){text, text != NULL ? strlen(text) : 0};
}

static bool same_word(const char *a, const char *b)
{
    uint32_t words[2];

    memcpy(&words[0], a, sizeof(words[0]));
    memcpy(&words[1], b, sizeof(words[0]));
    return words[0] == words[1];
}

/* As memcmp(3), which compares byte by byte here. */
static bool same(const char *a, const char *b, size_t n)
{
    size_t i = 0;

    for (; n - i >= sizeof(uint32_t); i += sizeof(uint32_t))
        if (!same_word(a + i, b + i))
            return false;
    for (; i < n; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

bool span_eq(struct span a, struct span b)
{
    return a.n == b.n && same(a.p, b.p, a.n);
}

bool span_is(struct span a, const char *text)
{
    return span_eq(a, span_of(text));
}

char span_lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool span_is_nocase(struct span a, const char *text)
{
    struct span b = span_of(text);

    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (span_lower(a.p[i]) != span_lower(b.p[i]))
            return false;
    return true;
}

bool span_take_nocase(struct span *s, const char *prefix)
{
    size_t n = strlen(prefix);

    if (s->n < n || !span_is_nocase((struct span){s->p, n}, prefix))
        return false;
    s->p += n;
    s->n -= n;
    return true;
}

/* As memcpy(3) and memchr(3), whose start costs more than most texts: they have a few bytes. The
 * last word may begin within the one before. */

static void copy_word(char *dst, const char *src)
{
    size_t word = word_at(src);

    memcpy(dst, &word, sizeof(word));
}

static void copy(char *dst, const char *src, size_t n)
{
    if (n < sizeof(size_t)) {
        while (n > 0) {
            n--;
            dst[n] = src[n];
        }
        return;
    }
    size_t last = n - sizeof(size_t);
    for (size_t i = 0; i < last; i += sizeof(size_t))
        copy_word(dst + i, src + i);
    copy_word(dst + last, src + last);
}

static bool word_has(size_t word, char c)
{
    return word_zeros(word ^ WORD_EACH * (unsigned char)c) != 0;
}

bool span_has(struct span s, char c)
{
    if (s.n < sizeof(size_t)) {
        for (size_t i = 0; i < s.n; i++)
            if (s.p[i] == c)
                return true;
        return false;
    }
    size_t last = s.n - sizeof(size_t);
    for (size_t i = 0; i < last; i += sizeof(size_t))
        if (word_has(word_at(s.p + i), c))
            return true;
    return word_has(word_at(s.p + last), c);
}

int span_copy(char *dst, size_t cap, struct span s)
{
    if (cap == 0)
        return -1;
    dst[0] = '\0';
    if (s.n == 0)
        return 0;
    if (s.n >= cap || span_has(s, '\0'))
        return -1;
    copy(dst, s.p, s.n);
    dst[s.n] = '\0';
    return 0;
}

size_t span_cut(char *dst, size_t cap, struct span s)
{
    static const char dots[] = "...";

    if (s.n < cap) {
        copy(dst, s.p, s.n);
        dst[s.n] = '\0';
        return s.n;
    }
    size_t keep = cap - sizeof(dots);
    /* The byte after the cut must not be a continuation byte; a character has at most three. */
    for (int i = 0; i < 3 && keep > 0 && ((unsigned char)s.p[keep] & 0xc0) == 0x80; i++)
        keep--;
    memcpy(dst, s.p, keep);
    memcpy(dst + keep, dots, sizeof(dots));
    return keep + sizeof(dots) - 1;
}

size_t span_cut_text(char *dst, size_t cap, const char *text)
{
    return span_cut(dst, cap, span_of(text));
}

char *span_safe_name(char *dst, struct span name)
{
    if (name.n == 0)
        *dst++ = '_';
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        bool inside = c == '_' || (i > 0 && (c == '.' || c == '-'));
        *dst++ = (char)(plain || inside ? c : '_');
    }
    *dst = '\0';
    return dst;
}

struct span span_split(struct span *rest, char sep)
{
    const char *at = rest->n > 0 ? memchr(rest->p, sep, rest->n) : NULL;
    struct span part = *rest;

    if (at == NULL) {
        *rest = (struct span){rest->p, 0};
        return part;
    }
    part.n = (size_t)(at - rest->p);
    *rest = (struct span){at + 1, rest->n - part.n - 1};
    return part;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct span span_trim(struct span s)
{
    while (s.n > 0 && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}
