#include "base/json_check.h"

#include "base/number.h"
#include "base/utf8.h"
#include "base/word.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum state {
    VALUE,        /* a value must come */
    VALUE_OR_END, /* after [ */
    NAME,         /* after , in an object */
    NAME_OR_END,  /* after { */
    COLON,
    AFTER, /* after a value: , or an end, or nothing at the root */
};

struct check {
    const char *end;
    uint64_t objects; /* JSON_DEPTH_LIMIT bits; bit i: the container at depth i + 1 is an object */
    unsigned depth, depth_max;
    enum state state;
    enum json_error error; /* set where a step returns NULL */
    const char *value_end;
    struct json_members *members; /* NULL: nobody wants to know them */
    struct json_member *member;   /* of the root, in hand: in its list, or surplus */
    struct json_member surplus;
};

/* Each step takes what begins at p, which is neither the end nor, between the parts, a space, and
 * returns what follows; NULL and c->error where it may not stand there. */

static const char *fail(struct check *c, enum json_error error)
{
    c->error = error;
    return NULL;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* What is wrong where s is not UTF-8 at its start: would more bytes make a character of it? */
static enum json_error not_utf8(struct span s)
{
    static const char fill[] = {(char)0x80, (char)0xbf};
    char whole[4];
    uint32_t cp;

    for (size_t f = 0; f < sizeof(fill) && s.n < sizeof(whole); f++) {
        memset(whole, fill[f], sizeof(whole));
        memcpy(whole, s.p, s.n);
        if (utf8_next((struct span){whole, sizeof(whole)}, &cp) != 0)
            return JSON_INCOMPLETE;
    }
    return JSON_UTF8;
}

/* The byte at p cannot stand there: which error is that? It alone decides. */
static const char *stray(struct check *c, const char *p)
{
    struct span byte = {p, 1};
    uint32_t cp;
    bool text = *p != '\0' && (utf8_next(byte, &cp) != 0 || not_utf8(byte) != JSON_UTF8);

    return fail(c, text ? JSON_SYNTAX : JSON_UTF8);
}

/* After a backslash. */
static const char *check_escape(struct check *c, const char *p)
{
    if (p == c->end)
        return fail(c, JSON_INCOMPLETE);
    if (*p == '\0' || strchr("\"\\/bfnrtu", *p) == NULL)
        return stray(c, p);
    if (*p++ != 'u')
        return p;
    for (int i = 0; i < 4; i++, p++) {
        if (p == c->end)
            return fail(c, JSON_INCOMPLETE);
        if (!is_hex(*p))
            return stray(c, p);
    }
    return p;
}

/* A character that is not ASCII, or none that a string may hold. */
static const char *check_wide(struct check *c, const char *p)
{
    struct span rest = {p, (size_t)(c->end - p)};
    uint32_t cp;
    size_t n = utf8_next(rest, &cp);

    if (n == 0)
        return fail(c, not_utf8(rest));
    return cp < 0x20 ? stray(c, p) : p + n;
}

/* Nearly all bytes of nearly all strings: ASCII, no control character, quote or backslash. One that
 * is not ASCII keeps its high bit in the second or the third. */
static const char *pass_plain(const char *p, const char *end)
{
    for (; (size_t)(end - p) >= sizeof(size_t); p += sizeof(size_t)) {
        size_t word = word_at(p);
        size_t control = word - WORD_EACH * ' ';
        size_t quote = (word ^ WORD_EACH * '"') - WORD_EACH;
        size_t backslash = (word ^ WORD_EACH * '\\') - WORD_EACH;
        size_t others = (control | quote | backslash) & WORD_HIGH;
        if (others != 0)
            return p + (size_t)__builtin_ctzl(others) / 8;
    }
    while (p < end && (signed char)*p >= ' ' && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* From the first byte of a string on that is not plain. (Rare: where it is not inlined, its caller
 * saves no registers for it.) */
__attribute__((noinline)) static const char *check_rest(struct check *c, const char *p)
{
    while (p != NULL && p < c->end && *p != '"') {
        p = *p == '\\' ? check_escape(c, p + 1) : check_wide(c, p);
        if (p != NULL)
            p = pass_plain(p, c->end);
    }
    if (p == c->end)
        return fail(c, JSON_INCOMPLETE);
    return p != NULL ? p + 1 : NULL;
}

/* After the opening quote. */
static const char *check_string(struct check *c, const char *p)
{
    p = pass_plain(p, c->end);
    return p < c->end && *p == '"' ? p + 1 : check_rest(c, p);
}

static const char *check_number(struct check *c, const char *p)
{
    bool complete;

    p += number_scan((struct span){p, (size_t)(c->end - p)}, &complete);
    if (complete)
        return p;
    return p == c->end ? fail(c, JSON_INCOMPLETE) : stray(c, p);
}

static const char *check_word(struct check *c, const char *p, const char *word)
{
    for (; *word != '\0'; word++, p++) {
        if (p == c->end)
            return fail(c, JSON_INCOMPLETE);
        if (*p != *word)
            return stray(c, p);
    }
    return p;
}

static const char *check_scalar(struct check *c, const char *p)
{
    switch (*p) {
    case '"':
        return check_string(c, p + 1);
    case 't':
        return check_word(c, p, "true");
    case 'f':
        return check_word(c, p, "false");
    case 'n':
        return check_word(c, p, "null");
    default:
        return *p == '-' || (*p >= '0' && *p <= '9') ? check_number(c, p) : stray(c, p);
    }
}

static const char *open_container(struct check *c, const char *p)
{
    bool object = *p == '{';

    if (c->depth == c->depth_max)
        return fail(c, JSON_DEPTH);
    uint64_t bit = UINT64_C(1) << c->depth;
    c->objects = object ? c->objects | bit : c->objects & ~bit;
    c->depth++;
    c->state = object ? NAME_OR_END : VALUE_OR_END;
    return p + 1;
}

static bool in_object(const struct check *c)
{
    return c->depth > 0 && (c->objects >> (c->depth - 1) & 1) != 0;
}

static const char *after_value(struct check *c, const char *p)
{
    c->state = AFTER;
    c->value_end = p;
    return p;
}

static const char *close_container(struct check *c, const char *p)
{
    c->depth--;
    return after_value(c, p + 1);
}

static const char *check_value(struct check *c, const char *p)
{
    if (c->depth == 1)
        c->member->value.p = p;
    if (*p == '{' || *p == '[')
        return open_container(c, p);
    p = check_scalar(c, p);
    return p != NULL ? after_value(c, p) : NULL;
}

static const char *check_name(struct check *c, const char *p)
{
    if (*p != '"')
        return stray(c, p);
    const char *end = check_string(c, p + 1);
    if (end == NULL)
        return NULL;
    if (c->depth == 1)
        c->member->name = (struct span){p + 1, (size_t)(end - p - 2)};
    c->state = COLON;
    return end;
}

static void begin_member(struct check *c)
{
    const struct json_members *members = c->members;
    bool kept = members != NULL && members->count < members->max;

    c->member = kept ? &members->list[members->count] : &c->surplus;
}

/* A member of the root is whole. */
static void end_member(struct check *c)
{
    c->member->value.n = (size_t)(c->value_end - c->member->value.p);
    c->members->count++;
    begin_member(c);
}

static const char *check_after(struct check *c, const char *p)
{
    bool object = in_object(c);

    if (c->depth == 0 || (*p != ',' && *p != (object ? '}' : ']')))
        return stray(c, p);
    if (c->depth == 1 && object && c->members != NULL)
        end_member(c);
    if (*p != ',')
        return close_container(c, p);
    c->state = object ? NAME : VALUE;
    return p + 1;
}

/* The next one is most often there at once. */
static bool follows(const struct check *c, const char *p, char next)
{
    return p != NULL && p < c->end && *p == next;
}

static const char *check_step(struct check *c, const char *p)
{
    if ((c->state == VALUE_OR_END && *p == ']') || (c->state == NAME_OR_END && *p == '}'))
        return close_container(c, p);
    switch (c->state) {
    case NAME_OR_END:
    case NAME:
        p = check_name(c, p);
        if (!follows(c, p, ':'))
            return p;
        /* fall through */
    case COLON:
        if (*p != ':')
            return stray(c, p);
        c->state = VALUE;
        return p + 1;
    case VALUE_OR_END:
    case VALUE:
        p = check_value(c, p);
        if (c->state != AFTER || !follows(c, p, ','))
            return p;
        /* fall through */
    case AFTER:
        return check_after(c, p);
    }
    return stray(c, p);
}

enum json_error json_check_members(struct span text, unsigned depth_max,
                                   struct json_members *members)
{
    struct check c = {
        .end = text.p + text.n,
        .depth_max = depth_max < JSON_DEPTH_LIMIT ? depth_max : JSON_DEPTH_LIMIT,
        .state = VALUE,
        .members = members,
    };
    const char *p = text.p;

    begin_member(&c);
    for (;;) {
        while (p < c.end && is_space(*p))
            p++;
        if (p == c.end)
            return c.state == AFTER && c.depth == 0 ? JSON_OK : JSON_INCOMPLETE;
        p = check_step(&c, p);
        if (p == NULL)
            return c.error;
    }
}

enum json_error json_check(const char *text, size_t n, unsigned depth_max)
{
    return json_check_members((struct span){text, n}, depth_max, NULL);
}
