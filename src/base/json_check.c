#include "base/json_check.h"

#include "base/number.h"
#include "base/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define DEPTH_LIMIT 64 /* bits of struct check's stack */

enum state {
    VALUE,        /* a value must come */
    VALUE_OR_END, /* after [ */
    NAME,         /* after , in an object */
    NAME_OR_END,  /* after { */
    COLON,
    AFTER, /* after a value: , or an end, or nothing at the root */
};

struct check {
    const char *p, *end;
    uint64_t objects; /* bit i: the container at depth i + 1 is an object */
    unsigned depth, depth_max;
    enum state state;
};

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

/* The byte at c->p cannot stand there: which error is that? It alone decides. */
static enum json_error stray(const struct check *c)
{
    struct span byte = {c->p, 1};
    uint32_t cp;

    if (*c->p == '\0')
        return JSON_UTF8;
    return utf8_next(byte, &cp) == 0 && not_utf8(byte) == JSON_UTF8 ? JSON_UTF8 : JSON_SYNTAX;
}

/* After a backslash. */
static enum json_error check_escape(struct check *c)
{
    if (c->p == c->end)
        return JSON_INCOMPLETE;
    if (*c->p == '\0' || strchr("\"\\/bfnrtu", *c->p) == NULL)
        return stray(c);
    if (*c->p++ != 'u')
        return JSON_OK;
    for (int i = 0; i < 4; i++, c->p++) {
        if (c->p == c->end)
            return JSON_INCOMPLETE;
        if (!is_hex(*c->p))
            return stray(c);
    }
    return JSON_OK;
}

/* Nearly all bytes of nearly all strings: ASCII, no control character, quote or backslash. */
static const char *pass_plain(const char *p, const char *end)
{
    while (p < end && (signed char)*p >= ' ' && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* A character that is not ASCII, or none that a string may hold. */
static enum json_error check_wide(struct check *c)
{
    struct span rest = {c->p, (size_t)(c->end - c->p)};
    uint32_t cp;
    size_t n = utf8_next(rest, &cp);

    if (n == 0)
        return not_utf8(rest);
    if (cp < 0x20)
        return stray(c);
    c->p += n;
    return JSON_OK;
}

/* After the opening quote. */
static enum json_error check_string(struct check *c)
{
    enum json_error error = JSON_OK;

    while (error == JSON_OK) {
        c->p = pass_plain(c->p, c->end);
        if (c->p == c->end)
            return JSON_INCOMPLETE;
        char special = *c->p;
        if (special == '"' || special == '\\')
            c->p++;
        if (special == '"')
            return JSON_OK;
        error = special == '\\' ? check_escape(c) : check_wide(c);
    }
    return error;
}

static enum json_error check_number(struct check *c)
{
    bool complete;

    c->p += number_scan((struct span){c->p, (size_t)(c->end - c->p)}, &complete);
    if (complete)
        return JSON_OK;
    return c->p == c->end ? JSON_INCOMPLETE : stray(c);
}

static enum json_error check_word(struct check *c, const char *word)
{
    for (; *word != '\0'; word++, c->p++) {
        if (c->p == c->end)
            return JSON_INCOMPLETE;
        if (*c->p != *word)
            return stray(c);
    }
    return JSON_OK;
}

static enum json_error open_container(struct check *c, bool object)
{
    if (c->depth == c->depth_max)
        return JSON_DEPTH;
    uint64_t bit = UINT64_C(1) << c->depth;
    c->objects = object ? c->objects | bit : c->objects & ~bit;
    c->depth++;
    c->p++;
    c->state = object ? NAME_OR_END : VALUE_OR_END;
    return JSON_OK;
}

static bool in_object(const struct check *c)
{
    return c->depth > 0 && (c->objects >> (c->depth - 1) & 1) != 0;
}

static enum json_error close_container(struct check *c)
{
    c->depth--;
    c->p++;
    c->state = AFTER;
    return JSON_OK;
}

static enum json_error check_value(struct check *c)
{
    char first = *c->p;

    if (first == '{' || first == '[')
        return open_container(c, first == '{');
    c->state = AFTER;
    switch (first) {
    case '"':
        c->p++;
        return check_string(c);
    case 't':
        return check_word(c, "true");
    case 'f':
        return check_word(c, "false");
    case 'n':
        return check_word(c, "null");
    default:
        if (first == '-' || (first >= '0' && first <= '9'))
            return check_number(c);
        return stray(c);
    }
}

static enum json_error check_after(struct check *c)
{
    bool object = in_object(c);

    if (c->depth > 0 && *c->p == (object ? '}' : ']'))
        return close_container(c);
    if (c->depth == 0 || *c->p != ',')
        return stray(c);
    c->p++;
    c->state = object ? NAME : VALUE;
    return JSON_OK;
}

/* One step from c->p, which is neither the end nor a space. */
static enum json_error check_step(struct check *c)
{
    switch (c->state) {
    case VALUE_OR_END:
        if (*c->p == ']')
            return close_container(c);
        return check_value(c);
    case VALUE:
        return check_value(c);
    case NAME_OR_END:
        if (*c->p == '}')
            return close_container(c);
        break;
    case NAME:
        break;
    case COLON:
        if (*c->p != ':')
            return stray(c);
        c->p++;
        c->state = VALUE;
        return JSON_OK;
    case AFTER:
        return check_after(c);
    }
    if (*c->p != '"')
        return stray(c);
    c->p++;
    c->state = COLON;
    return check_string(c);
}

enum json_error json_check(const char *text, size_t n, unsigned depth_max)
{
    struct check c = {
        .p = text,
        .end = text + n,
        .depth_max = depth_max < DEPTH_LIMIT ? depth_max : DEPTH_LIMIT,
        .state = VALUE,
    };
    enum json_error error = JSON_OK;

    while (error == JSON_OK) {
        while (c.p < c.end && is_space(*c.p))
            c.p++;
        if (c.p == c.end)
            return c.state == AFTER && c.depth == 0 ? JSON_OK : JSON_INCOMPLETE;
        error = check_step(&c);
    }
    return error;
}
