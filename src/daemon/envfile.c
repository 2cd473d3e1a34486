#include "daemon/envfile.h"

#include <string.h>

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* A line, without its end; it shrinks from the left as it is read. */
struct line {
    char *p;
    char *end;
};

void envfile_init(struct envfile *f, char *text, size_t n)
{
    const size_t mark = sizeof(BYTE_ORDER_MARK) - 1;

    *f = (struct envfile){.at = text, .end = text + n};
    if (n >= mark && memcmp(text, BYTE_ORDER_MARK, mark) == 0)
        f->at += mark;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_name_char(char c, bool first)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           (!first && c >= '0' && c <= '9');
}

static void skip_blanks(struct line *l)
{
    while (l->p < l->end && is_blank(*l->p))
        l->p++;
}

static struct span take_name(struct line *l)
{
    const char *from = l->p;

    while (l->p < l->end && is_name_char(*l->p, l->p == from))
        l->p++;
    return (struct span){from, (size_t)(l->p - from)};
}

/* "export", where a blank and something else follow; KEY=value with KEY "export" is a variable. */
static void skip_export(struct line *l)
{
    struct line after = *l;

    if (!span_is(take_name(&after), "export") || after.p == after.end || !is_blank(*after.p))
        return;
    skip_blanks(&after);
    if (after.p < after.end && *after.p != '=')
        *l = after;
}

/* Nothing but blanks, or a comment? */
static bool is_over(const struct line *l)
{
    struct line rest = *l;

    skip_blanks(&rest);
    return rest.p == rest.end || (*rest.p == '#' && rest.p > l->p);
}

static struct span take_plain(struct line *l)
{
    char *from = l->p;
    char *p = from;

    while (p < l->end && !(*p == '#' && (p == from || is_blank(p[-1]))))
        p++;
    l->p = l->end;
    return span_trim((struct span){from, (size_t)(p - from)});
}

static bool loses_backslash(char c)
{
    return c == '"' || c == '\\' || c == '$' || c == '`';
}

/* From behind the opening quote to the closing one, unescaped in place. 0, or -1: it is not closed.
 */
static int take_quoted(struct line *l, char quote, struct span *value)
{
    char *out = l->p;
    const char *from = l->p;

    for (; l->p < l->end && *l->p != quote; l->p++) {
        if (quote == '"' && *l->p == '\\' && l->end - l->p > 1 && loses_backslash(l->p[1]))
            l->p++;
        *out++ = *l->p;
    }
    if (l->p == l->end)
        return -1;
    l->p++;
    *value = (struct span){from, (size_t)(out - from)};
    return 0;
}

static const char *take_value(struct line *l, struct span *value)
{
    skip_blanks(l);
    if (l->p == l->end || (*l->p != '"' && *l->p != '\'')) {
        *value = take_plain(l);
        return NULL;
    }
    char quote = *l->p++;
    if (take_quoted(l, quote, value) != 0)
        return "the quote is not closed on its line";
    if (!is_over(l))
        return "something stands behind the closing quote";
    return NULL;
}

/* NULL, or what is wrong. */
static const char *take_pair(struct line *l, struct span *name, struct span *value)
{
    if (memchr(l->p, '\0', (size_t)(l->end - l->p)) != NULL)
        return "it holds a NUL byte";
    skip_export(l);
    *name = take_name(l);
    skip_blanks(l);
    if (name->n == 0 || l->p == l->end || *l->p != '=')
        return "it is not KEY=value";
    l->p++;
    return take_value(l, value);
}

static struct line next_line(struct envfile *f)
{
    char *newline = memchr(f->at, '\n', (size_t)(f->end - f->at));
    struct line l = {.p = f->at, .end = newline != NULL ? newline : f->end};

    f->at = newline != NULL ? newline + 1 : f->end;
    f->line++;
    if (l.end > l.p && l.end[-1] == '\r')
        l.end--;
    return l;
}

enum envfile_item envfile_next(struct envfile *f, struct span *name, struct span *value)
{
    while (f->at < f->end) {
        struct line l = next_line(f);
        skip_blanks(&l);
        if (l.p == l.end || *l.p == '#')
            continue;
        f->why = take_pair(&l, name, value);
        return f->why == NULL ? ENVFILE_PAIR : ENVFILE_BAD;
    }
    return ENVFILE_END;
}
