#include "cmd/columns.h"

#include "base/utf8.h"

#include <string.h>

#define BELOW_INDENT 4

/* Bytes of the character at the start of s. */
static size_t step(struct span s)
{
    uint32_t cp;
    size_t n = utf8_next(s, &cp);

    return n == 0 ? 1 : n;
}

size_t columns_length(struct span s)
{
    size_t length = 0;

    for (; s.n > 0; length++) {
        size_t n = step(s);
        s.p += n;
        s.n -= n;
    }
    return length;
}

/* The first length characters. */
static struct span first(struct span s, size_t length)
{
    struct span rest = s;

    for (; length > 0 && rest.n > 0; length--) {
        size_t n = step(rest);
        rest.p += n;
        rest.n -= n;
    }
    return (struct span){s.p, s.n - rest.n};
}

static void widen(struct columns *c, unsigned i, size_t length)
{
    if (c->most[i] != 0 && length > c->most[i])
        length = c->most[i];
    if (length > c->width[i])
        c->width[i] = length;
}

void columns_init(struct columns *c)
{
    c->below = false;
    for (unsigned i = 0; i < c->count; i++)
        c->width[i] = columns_length(span_of(c->title[i]));
}

void columns_measure(struct columns *c, const struct span *cells)
{
    for (unsigned i = 0; i < c->count; i++)
        widen(c, i, columns_length(cells[i]));
}

/* The widest column that may be narrowed; c->count where there is none. */
static unsigned find_widest(const struct columns *c)
{
    unsigned widest = c->count;

    for (unsigned i = 0; i + 1 < c->count; i++)
        if (c->least[i] != 0 && c->width[i] > c->least[i] &&
            (widest == c->count || c->width[i] > c->width[widest]))
            widest = i;
    return widest;
}

/* Of all columns but the last, with the gaps behind them. */
static size_t width_before_last(const struct columns *c)
{
    size_t width = 0;

    for (unsigned i = 0; i + 1 < c->count; i++)
        width += c->width[i] + COLUMNS_GAP;
    return width;
}

void columns_fit(struct columns *c, size_t terminal)
{
    unsigned last = c->count - 1;
    size_t before = width_before_last(c);
    unsigned widest;

    if (terminal == 0 || before + c->width[last] <= terminal)
        return;
    c->below = terminal < before + COLUMNS_LAST_MIN;
    if (!c->below) {
        c->width[last] = terminal - before;
        return;
    }
    c->width[last] = terminal > BELOW_INDENT ? terminal - BELOW_INDENT : 1;
    for (; before > terminal + COLUMNS_GAP && (widest = find_widest(c)) < c->count; before--)
        c->width[widest]--;
}

static void put_blanks(struct buf *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_char(out, ' ');
}

/* The cell, cut to width. The characters written. */
static size_t put_cut(struct buf *out, struct span cell, size_t width)
{
    static const char dots[] = "...";
    size_t length = columns_length(cell);

    if (length <= width) {
        buf_span(out, cell);
        return length;
    }
    if (width < sizeof(dots)) {
        buf_span(out, first(cell, width));
        return width;
    }
    buf_span(out, first(cell, width - (sizeof(dots) - 1)));
    buf_str(out, dots);
    return width;
}

static void put_cell(struct buf *out, struct span cell, size_t width, bool right)
{
    size_t length = columns_length(cell);

    if (right && length < width)
        put_blanks(out, width - length);
    length = put_cut(out, cell, width);
    if (!right)
        put_blanks(out, width - length);
}

static void trim_blanks(struct buf *out)
{
    while (out->n > 0 && out->p[out->n - 1] == ' ')
        out->n--;
}

void columns_row(const struct columns *c, const struct span *cells, struct buf *out)
{
    unsigned last = c->count - 1;

    for (unsigned i = 0; i < last; i++) {
        put_cell(out, cells != NULL ? cells[i] : span_of(c->title[i]), c->width[i], c->right[i]);
        put_blanks(out, COLUMNS_GAP);
    }
    struct span text = cells != NULL ? cells[last] : span_of(c->title[last]);
    if (c->below) {
        trim_blanks(out);
        if (cells == NULL || text.n == 0) {
            buf_char(out, '\n');
            return;
        }
        buf_char(out, '\n');
        put_blanks(out, BELOW_INDENT);
    }
    put_cut(out, text, c->width[last]);
    trim_blanks(out);
    buf_char(out, '\n');
}
