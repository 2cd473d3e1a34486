#include "base/json_text.h"

#include "base/hash.h"
#include "base/utf8.h"

#include <string.h>

enum json_type json_text_type(struct span raw)
{
    if (raw.n == 0)
        return JSON_NULL;
    switch (raw.p[0]) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 'n':
        return JSON_NULL;
    case 'f':
        return JSON_FALSE;
    case 't':
        return JSON_TRUE;
    default:
        return JSON_NUMBER;
    }
}

static bool is_surrogate(uint32_t cp)
{
    return cp >= 0xd800 && cp <= 0xdfff;
}

/* Of a hexadecimal digit. */
static uint32_t hex_value(char c)
{
    return (uint32_t)(c <= '9' ? c - '0' : span_lower(c) - 'a' + 10);
}

/* The code unit that \uXXXX at the start of s stands for; 0 where there is no such escape. */
static uint32_t unit_at(struct span s)
{
    uint32_t unit = 0;

    if (s.n < 6 || s.p[0] != '\\' || s.p[1] != 'u')
        return 0;
    for (int i = 2; i < 6; i++)
        unit = unit << 4 | hex_value(s.p[i]);
    return unit;
}

/* Takes one character off a string that was checked before. An unpaired surrogate comes out as
 * itself. */
static uint32_t take_character(struct span *s)
{
    static const char kinds[] = "bfnrt";
    static const char values[] = "\b\f\n\r\t";
    uint32_t cp = 0;
    size_t n = 2;

    if (s->p[0] != '\\') {
        n = utf8_next(*s, &cp);
    } else if (s->p[1] == 'u') {
        n = 6;
        cp = unit_at(*s);
        uint32_t low = unit_at((struct span){s->p + n, s->n - n});
        if (cp >= 0xd800 && cp <= 0xdbff && low >= 0xdc00 && low <= 0xdfff) {
            cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
            n = 12;
        }
    } else {
        const char *kind = strchr(kinds, s->p[1]);
        cp = (unsigned char)(kind != NULL ? values[kind - kinds] : s->p[1]);
    }
    s->p += n;
    s->n -= n;
    return cp;
}

bool json_text_verbatim(struct span inside)
{
    return !span_has(inside, '\\');
}

static struct span inside_of(struct span raw)
{
    return (struct span){raw.p + 1, raw.n - 2};
}

int json_text(struct span raw, char *dst, size_t cap)
{
    size_t n = 0;
    char bytes[4] = {0};

    if (cap == 0)
        return -1;
    dst[0] = '\0';
    if (json_text_type(raw) != JSON_STRING)
        return -1;
    struct span s = inside_of(raw);
    if (json_text_verbatim(s))
        return s.n < cap ? (int)span_cut(dst, cap, s) : -1;
    while (s.n > 0) {
        uint32_t cp = take_character(&s);
        size_t length = utf8_put(bytes, cp);
        if (cp == 0 || is_surrogate(cp) || length >= cap - n) {
            dst[0] = '\0';
            return -1;
        }
        memcpy(dst + n, bytes, length);
        n += length;
    }
    dst[n] = '\0';
    return (int)n;
}

int json_text_cut(struct span raw, char *dst, size_t cap)
{
    static const char dots[] = "...";
    static const char zero[] = "\\u0000";
    size_t n = 0;
    size_t border = 0; /* the last at which the dots still fit */
    char bytes[4] = {0};

    dst[0] = '\0';
    if (json_text_type(raw) != JSON_STRING)
        return -1;
    struct span s = inside_of(raw);
    if (json_text_verbatim(s))
        return (int)span_cut(dst, cap, s);
    while (s.n > 0) {
        uint32_t cp = take_character(&s);
        struct span piece = {bytes, utf8_put(bytes, is_surrogate(cp) ? 0xfffd : cp)};
        if (cp == 0)
            piece = (struct span){zero, sizeof(zero) - 1};
        if (piece.n >= cap - n) {
            memcpy(dst + border, dots, sizeof(dots));
            return (int)(border + sizeof(dots) - 1);
        }
        memcpy(dst + n, piece.p, piece.n);
        n += piece.n;
        if (n + sizeof(dots) <= cap)
            border = n;
    }
    dst[n] = '\0';
    return (int)n;
}

/* Byte by byte, but where there is an escape. */
bool json_text_is(struct span inside, struct span name)
{
    uint32_t cp;

    while (inside.n > 0 && name.n > 0) {
        if (inside.p[0] == '\\') {
            size_t n = utf8_next(name, &cp);
            if (n == 0 || take_character(&inside) != cp)
                return false;
            name.p += n;
            name.n -= n;
        } else if (*inside.p++ == *name.p++) {
            inside.n--;
            name.n--;
        } else {
            return false;
        }
    }
    return inside.n == 0 && name.n == 0;
}

bool json_text_same(struct span a, struct span b)
{
    while (a.n > 0 && b.n > 0) {
        if (a.p[0] == '\\' || b.p[0] == '\\') {
            if (take_character(&a) != take_character(&b))
                return false;
        } else if (*a.p++ == *b.p++) {
            a.n--;
            b.n--;
        } else {
            return false;
        }
    }
    return a.n == 0 && b.n == 0;
}

/* Hash of a name's characters, however they are written: a chain over pieces of it. */
uint64_t json_text_hash(struct span s)
{
    struct {
        uint64_t chain;
        uint32_t characters[30];
    } piece = {0};
    size_t used = 0;

    while (s.n > 0) {
        piece.characters[used++] = take_character(&s);
        if (used == sizeof(piece.characters) / sizeof(piece.characters[0]) || s.n == 0) {
            size_t n = sizeof(piece.chain) + used * sizeof(piece.characters[0]);
            piece.chain = hash_span((struct span){(const char *)&piece, n});
            used = 0;
        }
    }
    return piece.chain;
}
