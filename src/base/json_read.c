/* jsmn's parser, as functions of this file; before json_read.h, which takes its types only. */
#define JSMN_STATIC
#define JSMN_PARENT_LINKS
#define JSMN_STRICT
#include <jsmn.h>

#include "base/json_read.h"

#include "base/hash.h"
#include "base/number.h"
#include "base/utf8.h"

#include <limits.h>
#include <string.h>

/* ---- Tokens ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* jsmn in strict mode wants a byte after a number or a word, and the root may have none. */
static int token_of_word(const char *text, size_t n, jsmntok_t *tokens, unsigned max)
{
    size_t start = 0;

    if (max == 0)
        return JSMN_ERROR_NOMEM;
    while (is_space(text[start]))
        start++;
    while (is_space(text[n - 1]))
        n--;
    tokens[0] = (jsmntok_t){
        .type = JSMN_PRIMITIVE, .start = (int)start, .end = (int)n, .size = 0, .parent = -1};
    return 1;
}

static bool root_is_word(const char *text)
{
    while (is_space(*text))
        text++;
    return *text != '{' && *text != '[' && *text != '"';
}

enum json_error json_read(struct json *doc, const char *text, size_t n, jsmntok_t *tokens,
                          unsigned max, unsigned depth_max)
{
    jsmn_parser parser;

    if (n > INT_MAX)
        return JSON_SIZE;
    enum json_error error = json_check(text, n, depth_max);
    if (error != JSON_OK)
        return error;
    jsmn_init(&parser);
    int count = root_is_word(text) ? token_of_word(text, n, tokens, max)
                                   : jsmn_parse(&parser, text, n, tokens, max);
    if (count == JSMN_ERROR_NOMEM)
        return JSON_SIZE;
    if (count < 1)
        return JSON_SYNTAX;
    *doc = (struct json){.text = text, .tokens = tokens, .count = count};
    return JSON_OK;
}

const char *json_error_text(enum json_error error)
{
    switch (error) {
    case JSON_OK:
        return "valid JSON";
    case JSON_INCOMPLETE:
        return "JSON that ends too early";
    case JSON_SYNTAX:
        return "not valid JSON";
    case JSON_UTF8:
        return "not valid UTF-8";
    case JSON_DEPTH:
        return "nested too deep";
    case JSON_SIZE:
        return "too many values";
    }
    return "unknown";
}

/* ---- Look-ups ---- */

static const jsmntok_t *token(const struct json *doc, json_ref ref)
{
    return ref >= 0 && ref < doc->count ? &doc->tokens[ref] : NULL;
}

enum json_type json_type(const struct json *doc, json_ref ref)
{
    const jsmntok_t *t = token(doc, ref);

    if (t == NULL)
        return JSON_NULL;
    if (t->type == JSMN_OBJECT)
        return JSON_OBJECT;
    if (t->type == JSMN_ARRAY)
        return JSON_ARRAY;
    if (t->type == JSMN_STRING)
        return JSON_STRING;
    switch (doc->text[t->start]) {
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

json_ref json_first(const struct json *doc, json_ref ref)
{
    const jsmntok_t *t = token(doc, ref);

    if (t == NULL || (t->type != JSMN_OBJECT && t->type != JSMN_ARRAY) || t->size == 0)
        return JSON_NONE;
    return ref + 1;
}

/* Members' names and elements are the tokens whose parent is ref, a value's parent is its name:
 * one pass over all of them looks at each token inside ref once. */
json_ref json_next(const struct json *doc, json_ref ref, json_ref at)
{
    const jsmntok_t *t = token(doc, ref);

    if (t == NULL || at <= ref)
        return JSON_NONE;
    for (json_ref i = at + 1; i < doc->count && doc->tokens[i].start < t->end; i++)
        if (doc->tokens[i].parent == ref)
            return i;
    return JSON_NONE;
}

json_ref json_value(const struct json *doc, json_ref name)
{
    const jsmntok_t *t = token(doc, name);

    /* Only a member's name is a string with something inside. */
    return t != NULL && t->type == JSMN_STRING && t->size == 1 ? name + 1 : JSON_NONE;
}

struct span json_raw(const struct json *doc, json_ref ref)
{
    const jsmntok_t *t = token(doc, ref);

    if (t == NULL)
        return (struct span){NULL, 0};
    int quote = t->type == JSMN_STRING ? 1 : 0;
    return (struct span){doc->text + t->start - quote, (size_t)(t->end - t->start + 2 * quote)};
}

int json_int(const struct json *doc, json_ref ref, int64_t min, int64_t max, int64_t *out)
{
    if (json_type(doc, ref) != JSON_NUMBER)
        return -1;
    return number_int(json_raw(doc, ref), min, max, out);
}

int json_real(const struct json *doc, json_ref ref, double min, double max, double *out)
{
    if (json_type(doc, ref) != JSON_NUMBER)
        return -1;
    return number_real(json_raw(doc, ref), min, max, out);
}

/* ---- Strings ---- */

static bool is_surrogate(uint32_t cp)
{
    return cp >= 0xd800 && cp <= 0xdfff;
}

/* The inside of a string token; empty for anything else. */
static struct span inside(const struct json *doc, json_ref ref)
{
    const jsmntok_t *t = token(doc, ref);

    if (t == NULL || t->type != JSMN_STRING)
        return (struct span){NULL, 0};
    return (struct span){doc->text + t->start, (size_t)(t->end - t->start)};
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

/* Does the inside of a string stand for itself? */
static bool is_verbatim(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\\')
            return false;
    return true;
}

int json_string(const struct json *doc, json_ref ref, char *dst, size_t cap)
{
    struct span s = inside(doc, ref);
    size_t n = 0;
    char bytes[4] = {0};

    if (cap == 0)
        return -1;
    dst[0] = '\0';
    if (json_type(doc, ref) != JSON_STRING)
        return -1;
    if (is_verbatim(s))
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

int json_string_cut(const struct json *doc, json_ref ref, char *dst, size_t cap)
{
    static const char dots[] = "...";
    static const char zero[] = "\\u0000";
    struct span s = inside(doc, ref);
    size_t n = 0;
    size_t border = 0; /* the last at which the dots still fit */
    char bytes[4] = {0};

    dst[0] = '\0';
    if (json_type(doc, ref) != JSON_STRING)
        return -1;
    if (is_verbatim(s))
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

/* ---- Names ---- */

#define OTHERS_MAX 16 /* names of members that are compared in pairs */

/* Is this what stands inside a string? Byte by byte, but where there is an escape. */
static bool inside_is(struct span inside, struct span name)
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

json_ref json_member(const struct json *doc, json_ref ref, const char *name)
{
    struct span wanted = span_of(name);

    if (json_type(doc, ref) != JSON_OBJECT)
        return JSON_NONE;
    for (json_ref at = json_first(doc, ref); at != JSON_NONE; at = json_next(doc, ref, at))
        if (inside_is(inside(doc, at), wanted))
            return json_value(doc, at);
    return JSON_NONE;
}

/* The index of a member's name among names, the shorter of which come first; count where it is none
 * of them. What is written as it is spelled is found first; no escape is shorter than what it
 * stands for. */
static size_t index_of(struct span name, const struct span *names, size_t count)
{
    size_t i = 0;

    for (; i < count && names[i].n < name.n; i++)
        continue;
    for (; i < count && names[i].n == name.n; i++)
        if (names[i].p[0] == name.p[0] && memcmp(names[i].p, name.p, name.n) == 0)
            return i;
    if (is_verbatim(name))
        return count;
    for (i = 0; i < count; i++)
        if (inside_is(name, names[i]))
            return i;
    return count;
}

static bool same_name(struct span a, struct span b)
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
static uint64_t name_hash(struct span s)
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

/* Does one of the members name what another names, too? By hash, where pairs would be many. */
static bool any_twice(const struct json *doc, json_ref ref, uint32_t members)
{
    /* Linear probing, at most half full; 0 = empty. */
    static json_ref seen[2 * JSON_MEMBERS_MAX];
    uint32_t slots = 2;

    while (slots < 2 * members)
        slots *= 2;
    memset(seen, 0, slots * sizeof(seen[0]));
    for (json_ref at = json_first(doc, ref); at != JSON_NONE; at = json_next(doc, ref, at)) {
        struct span name = inside(doc, at);
        uint32_t slot = (uint32_t)name_hash(name) & (slots - 1);
        for (; seen[slot] != 0; slot = (slot + 1) & (slots - 1))
            if (same_name(inside(doc, seen[slot]), name))
                return true;
        seen[slot] = at;
    }
    return false;
}

static bool is_among(struct span name, const struct span *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (same_name(name, names[i]))
            return true;
    return false;
}

bool json_members(const struct json *doc, json_ref ref, const struct span *names, size_t count,
                  json_ref *values)
{
    struct span others[OTHERS_MAX];
    size_t others_count = 0;
    bool twice = false;

    for (size_t i = 0; i < count; i++)
        values[i] = JSON_NONE;
    if (json_type(doc, ref) != JSON_OBJECT)
        return false;
    for (json_ref at = json_first(doc, ref); at != JSON_NONE; at = json_next(doc, ref, at)) {
        struct span name = inside(doc, at);
        size_t i = index_of(name, names, count);
        if (i < count) {
            twice |= values[i] != JSON_NONE;
            values[i] = values[i] != JSON_NONE ? values[i] : json_value(doc, at);
        } else if (others_count < OTHERS_MAX) {
            twice |= is_among(name, others, others_count);
            others[others_count++] = name;
        }
    }
    if (twice || others_count < OTHERS_MAX)
        return twice;
    uint32_t members = (uint32_t)doc->tokens[ref].size;
    return members > JSON_MEMBERS_MAX || any_twice(doc, ref, members);
}

bool json_duplicates(const struct json *doc, json_ref ref)
{
    return json_members(doc, ref, NULL, 0, NULL);
}
