#include "base/buf.h"

#include <string.h>

/* A call takes less room than its stores, which gcc would put at each of a hundred places. */
__attribute__((noinline)) void buf_init(struct buf *b, char *storage, size_t cap)
{
    b->p = storage;
    b->cap = cap;
    buf_reset(b);
}

void buf_reset(struct buf *b)
{
    b->n = 0;
    b->failed = false;
}

/* Room for n more bytes, counted as content; NULL and a failed builder where there is none. */
static char *room(struct buf *b, size_t n)
{
    if (b->failed || n > b->cap - b->n) {
        b->failed = true;
        return NULL;
    }
    char *at = b->p + b->n;
    b->n += n;
    return at;
}

void buf_bytes(struct buf *b, const void *data, size_t n)
{
    if (n == 0)
        return;
    char *at = room(b, n);
    if (at != NULL)
        memcpy(at, data, n);
}

void buf_span(struct buf *b, struct span s)
{
    buf_bytes(b, s.p, s.n);
}

void buf_str(struct buf *b, const char *text)
{
    buf_span(b, span_of(text));
}

void buf_char(struct buf *b, char c)
{
    buf_bytes(b, &c, 1);
}

void buf_int(struct buf *b, int64_t value)
{
    char digits[sizeof("-9223372036854775808")];
    size_t at = sizeof(digits);
    uint64_t rest = value < 0 ? UINT64_C(0) - (uint64_t)value : (uint64_t)value;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0)
        digits[--at] = '-';
    buf_bytes(b, digits + at, sizeof(digits) - at);
}

void buf_hex(struct buf *b, const void *data, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = data;

    if (n > SIZE_MAX / 2) {
        b->failed = true;
        return;
    }
    char *at = room(b, 2 * n);
    if (at == NULL)
        return;
    for (size_t i = 0; i < n; i++) {
        *at++ = digits[from[i] >> 4];
        *at++ = digits[from[i] & 0x0f];
    }
}

struct span buf_view(const struct buf *b)
{
    return (struct span){b->p, b->n};
}

int buf_done(const struct buf *b)
{
    return b->failed ? -1 : 0;
}

const char *buf_text(struct buf *b)
{
    if (b->failed || b->n == b->cap)
        return NULL;
    b->p[b->n] = '\0';
    return b->p;
}
