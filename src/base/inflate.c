#include "base/inflate.h"

#include <string.h>

/* Of the format. */
#define CODE_BITS_MAX 15
#define LITERALS 288 /* and lengths */
#define DISTANCES 30 /* 30 and 31 have codes in a fixed block, but are none */
#define LENGTH_CODES 19
#define BLOCK_END 256
#define LENGTH_FIRST 257
#define LENGTH_LAST 285 /* 258 bytes: the one that is no part of the scheme */

/* A canonical code: how many symbols have each length (count[0]: nobody asks), and the symbols in
 * the order of codes. */
struct code {
    uint16_t count[CODE_BITS_MAX + 1];
    uint16_t symbol[LITERALS];
};

struct stream {
    const uint8_t *p;
    const uint8_t *end;
    uint32_t held; /* bits taken from p and not used, the next one lowest */
    unsigned holds;
    struct buf *out; /* it fails where bits were asked for behind the end, or say what is wrong */
    size_t start;    /* of ours in out */
    struct code literals;
    struct code distances;
};

/* The next n bits, at most 16; 0 and a failed stream behind the end. */
static unsigned bits(struct stream *s, unsigned n)
{
    while (s->holds < n) {
        if (s->p == s->end) {
            s->out->failed = true;
            return 0;
        }
        s->held |= (uint32_t)*s->p++ << s->holds;
        s->holds += 8;
    }
    unsigned value = s->held & ((1U << n) - 1);
    s->held >>= n;
    s->holds -= n;
    return value;
}

/* Of the lengths of n symbols' codes. A set with more codes than there are fails the stream; one
 * with fewer is taken, and what has no code fails when it comes. */
static void make(struct stream *s, struct code *code, const uint8_t *lengths, unsigned n)
{
    uint16_t at[CODE_BITS_MAX + 2] = {0};
    int left = 1;

    memset(code->count, 0, sizeof(code->count));
    for (unsigned i = 0; i < n; i++)
        code->count[lengths[i]]++;
    for (unsigned length = 1; length <= CODE_BITS_MAX; length++) {
        left = 2 * left - code->count[length];
        if (left < 0) {
            s->out->failed = true;
            return;
        }
        at[length + 1] = (uint16_t)(at[length] + code->count[length]);
    }
    for (unsigned i = 0; i < n; i++)
        if (lengths[i] != 0)
            code->symbol[at[lengths[i]]++] = (uint16_t)i;
}

/* The next symbol; 0 and a failed stream where the bits are no code. */
static unsigned decode(struct stream *s, const struct code *code)
{
    unsigned value = 0;
    unsigned first = 0; /* code of this length, */
    unsigned index = 0; /* and its symbol's */

    for (unsigned length = 1; length <= CODE_BITS_MAX; length++) {
        value |= bits(s, 1);
        unsigned count = code->count[length];
        if (value - first < count)
            return code->symbol[index + (value - first)];
        index += count;
        first = (first + count) << 1;
        value <<= 1;
    }
    s->out->failed = true;
    return 0;
}

/* Bytes that came before, once more: one by one, for they may run into those they make. */
static void repeat(struct stream *s, size_t length, size_t distance)
{
    struct buf *out = s->out;

    if (distance > out->n - s->start) {
        s->out->failed = true;
        return;
    }
    while (length-- > 0)
        buf_char(out, out->p[out->n - distance]);
}

/* A length or distance: four (per = 2) or two (per = 1) of each number of further bits follow
 * each other. */
static unsigned extended(struct stream *s, unsigned symbol, unsigned per)
{
    if (symbol < (2U << per))
        return symbol;
    unsigned extra = (symbol >> per) - 1;
    return (((1U << per) | (symbol & ((1U << per) - 1))) << extra) + bits(s, extra);
}

static void compressed(struct stream *s)
{
    while (!s->out->failed) {
        unsigned symbol = decode(s, &s->literals);
        if (symbol == BLOCK_END)
            return;
        if (symbol < BLOCK_END) {
            buf_char(s->out, (char)symbol);
            continue;
        }
        if (symbol > LENGTH_LAST) {
            s->out->failed = true;
            return;
        }
        unsigned length = 258;
        if (symbol < LENGTH_LAST)
            length = 3 + extended(s, symbol - LENGTH_FIRST, 2);
        symbol = decode(s, &s->distances);
        unsigned distance = 1 + extended(s, symbol, 1);
        if (symbol >= DISTANCES)
            s->out->failed = true;
        repeat(s, length, distance);
    }
}

static void stored(struct stream *s)
{
    s->held = 0; /* what is left of the byte */
    s->holds = 0;
    unsigned n = bits(s, 16);
    unsigned check = bits(s, 16);

    if (s->out->failed || n != (check ^ 0xffff) || n > (size_t)(s->end - s->p)) {
        s->out->failed = true;
        return;
    }
    buf_bytes(s->out, s->p, n);
    s->p += n;
}

static void fixed(struct stream *s)
{
    uint8_t lengths[LITERALS];

    memset(lengths, 8, sizeof(lengths));
    memset(lengths + 144, 9, 256 - 144);
    memset(lengths + 256, 7, 280 - 256);
    make(s, &s->literals, lengths, LITERALS);
    memset(lengths, 5, 32);
    make(s, &s->distances, lengths, 32);
    compressed(s);
}

static void dynamic(struct stream *s)
{
    static const uint8_t order[LENGTH_CODES] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                11, 4,  12, 3, 13, 2, 14, 1, 15};
    uint8_t lengths[LITERALS + 32] = {0};
    unsigned literals = bits(s, 5) + 257;
    unsigned all = literals + bits(s, 5) + 1;
    unsigned n = bits(s, 4) + 4;

    for (unsigned i = 0; i < n; i++)
        lengths[order[i]] = (uint8_t)bits(s, 3);
    make(s, &s->literals, lengths, LENGTH_CODES);
    for (n = 0; n < all && !s->out->failed;) {
        unsigned symbol = decode(s, &s->literals);
        unsigned times = 1;
        uint8_t length = (uint8_t)symbol;
        if (symbol > CODE_BITS_MAX) {
            times = symbol == 18 ? 11 + bits(s, 7) : 3 + bits(s, symbol - 14);
            length = symbol == 16 && n > 0 ? lengths[n - 1] : 0;
        }
        if (times > all - n || (symbol == 16 && n == 0)) {
            s->out->failed = true;
            return;
        }
        memset(lengths + n, length, times);
        n += times;
    }
    make(s, &s->literals, lengths, literals);
    make(s, &s->distances, lengths + literals, all - literals);
    compressed(s);
}

int inflate_all(struct span stream, struct buf *out)
{
    struct stream s = {.p = (const uint8_t *)stream.p, .out = out, .start = out->n};
    bool last = false;

    s.end = s.p + stream.n;
    while (!last && !out->failed) {
        last = bits(&s, 1) == 1;
        switch (bits(&s, 2)) {
        case 0:
            stored(&s);
            break;
        case 1:
            fixed(&s);
            break;
        case 2:
            dynamic(&s);
            break;
        default:
            out->failed = true;
        }
    }
    return out->failed ? -1 : 0;
}
