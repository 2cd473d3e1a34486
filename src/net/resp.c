#include "net/resp.h"

#include "base/escape.h"

#include <string.h>

#define DIGITS_MAX 19 /* of a number of 64 bits; all of these fit into it without its sign */
#define SHOWN_MAX 24  /* bytes of what is no RESP, in an error */

_Static_assert(sizeof(":-9223372036854775808\r\n") <= RESP_ROOM_MIN, "an integer");
_Static_assert(RESP_PASSED_MAX <= UINT32_MAX - 2, "bulk_left");
_Static_assert(RESP_BULK_MAX <= UINT32_MAX - RESP_REPLY_MAX, "kept_bytes");

static const char null_string[] = "$-1\r\n";
#define NULL_STRING_N (sizeof(null_string) - 1)

/* ---- Errors ---- */

static int fail(struct resp *r, const char *why)
{
    r->error = why;
    return -1;
}

/* WHY "SHOWN" */
static int fail_at(struct resp *r, const char *why, struct span shown)
{
    struct buf b;

    buf_init(&b, r->error_text, sizeof(r->error_text));
    buf_str(&b, why);
    buf_str(&b, " \"");
    escape_text(&b, shown);
    buf_char(&b, '"');
    const char *text = buf_text(&b);
    return fail(r, text != NULL ? text : why);
}

/* What is no RESP: its first line, or the start of it, says what answers there. */
static int fail_foreign(struct resp *r, struct span s)
{
    size_t n = 0;

    while (n < s.n && n < SHOWN_MAX && s.p[n] != '\r' && s.p[n] != '\n')
        n++;
    /* Of binary bytes the first is telling, whatever it is. */
    return fail_at(r, "no RESP: the server answered", (struct span){s.p, n > 0 ? n : 1});
}

/* ---- Lines with a number ---- */

enum line { LINE_MORE, LINE_DONE, LINE_BAD };

/* At p its type, then a number of 64 bits in the one way to write it, CR, LF. *used: its length, or
 * up to the byte that is wrong. n > 0. (Not number_int(): this one also says where it ends, and has
 * no division in the path of every message.) */
static enum line read_number(const char *p, size_t n, int64_t *value, size_t *used)
{
    bool negative = n > 1 && p[1] == '-';
    size_t first = negative ? 2 : 1;
    size_t i = first;
    uint64_t number = 0;

    for (; i < n && p[i] >= '0' && p[i] <= '9'; i++) {
        bool leading = number == 0 && (i > first || (negative && p[i] == '0'));
        *used = i + 1;
        if (leading || i - first == DIGITS_MAX)
            return LINE_BAD;
        number = number * 10 + (uint64_t)(p[i] - '0');
    }
    for (size_t end = 0; end < 2; end++, i++) {
        if (i == n)
            return LINE_MORE;
        *used = i + 1;
        if (i == first || p[i] != "\r\n"[end])
            return LINE_BAD;
    }
    if (number > (uint64_t)INT64_MAX + negative)
        return LINE_BAD;
    /* Negated one short of the end, so that -2^63 needs no conversion out of range. */
    *value = negative ? -(int64_t)(number - 1) - 1 : (int64_t)number;
    return LINE_DONE;
}

/* ---- Values ---- */

/* A value is complete, and with it the arrays that it is the last element of. */
static void value_done(struct resp *r)
{
    for (; r->depth > 0; r->depth--) {
        if (r->depth == 1)
            r->place++;
        if (--r->left[r->depth] > 0)
            return;
    }
    r->elements = 0;
    r->kept_bytes = 0;
}

/* Is the message one for which hiredis wants an integer? It reads the word as a string in C. */
static bool is_about_subscription(const struct resp *r)
{
    static const char kinds[][sizeof("sunsubscribe")] = {
        "subscribe", "unsubscribe", "psubscribe", "punsubscribe", "ssubscribe", "sunsubscribe"};
    struct span kind = {r->kind, r->kind_n};

    if (kind.n < sizeof("subscribe") - 1)
        return false;
    kind.n = strnlen(kind.p, kind.n);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (span_is_nocase(kind, kinds[i]))
            return true;
    return false;
}

/* May the message of a subscriber have a value of this type in its place? */
static int check_place(struct resp *r, char type, bool is_null)
{
    if (r->depth != 1 || !r->is_message)
        return 0;
    if (r->place < 2 && (type != '$' || is_null))
        return fail(r, r->place == 0 ? "a message whose kind is no string"
                                     : "a message whose channel is no string");
    if (r->place == 2 && type != ':' && is_about_subscription(r))
        return fail(r, "an answer to SUBSCRIBE without its count");
    return 0;
}

static int begin_array(struct resp *r, int64_t count)
{
    if (count < 0) {
        value_done(r);
        return 0;
    }
    if (count > RESP_ELEMENTS_MAX - (int64_t)r->elements)
        return fail(r, "a reply of more elements than any that was asked for");
    if (r->depth == RESP_DEPTH_MAX)
        return fail(r, "arrays nested deeper than any that was asked for");
    if (r->depth == 0) {
        r->is_message = r->subscriber && count > 2;
        r->place = 0;
        r->kind_n = 0;
        if (r->is_message && count > 4)
            return fail(r, "a message of more than four elements");
    }
    r->elements += (uint32_t)count;
    if (count == 0) {
        value_done(r);
        return 0;
    }
    r->left[++r->depth] = (uint32_t)count;
    return 0;
}

static void begin_bulk(struct resp *r, int64_t length)
{
    if (length < 0) {
        value_done(r);
        return;
    }
    r->bulk_left = (uint32_t)length + 2;
    if (!r->passing_over)
        r->kept_bytes += (uint32_t)length;
}

/* The line at p, n bytes with its CR LF, is a number. Bulk strings: r->passing_over is decided. */
static int begin_value(struct resp *r, const char *p, size_t n, int64_t value)
{
    char type = p[0];

    if (type != ':' && value < -1)
        return fail_at(r, "bad length", (struct span){p, n - 2});
    if (type == '$' && value > RESP_PASSED_MAX)
        return fail(r, "a string longer than any that Redis has");
    r->passing_over =
        type == '$' && (value > RESP_BULK_MAX || value > RESP_REPLY_MAX - (int64_t)r->kept_bytes);
    if (check_place(r, type, value < 0 || r->passing_over) != 0)
        return -1;
    if (type == '*')
        return begin_array(r, value);
    if (type == '$')
        begin_bulk(r, value);
    else
        value_done(r);
    return 0;
}

/* ---- The stream ---- */

/* in[run..at) is checked, and goes to out in one piece: most often all that has come. */
struct stream {
    const char *in;
    size_t n, at, run;
    char *out;
    size_t cap, out_n;
};

static size_t room(const struct stream *s)
{
    return s->cap - s->out_n - (s->at - s->run);
}

/* Bytes at hand for which there is room. */
static size_t at_hand(const struct stream *s)
{
    size_t n = s->n - s->at, most = room(s);

    return n < most ? n : most;
}

/* There is room. */
static void put(struct stream *s, const char *bytes, size_t n)
{
    memcpy(s->out + s->out_n, bytes, n);
    s->out_n += n;
}

static void put_run(struct stream *s)
{
    if (s->at > s->run)
        put(s, s->in + s->run, s->at - s->run);
    s->run = s->at;
}

/* n bytes that the reader does not see. */
static void skip(struct stream *s, size_t n)
{
    put_run(s);
    s->at += n;
    s->run = s->at;
}

/* The start of a line, which is not yet there as a whole. */
static void hold(struct resp *r, struct stream *s, size_t n)
{
    memcpy(r->held + r->held_n, s->in + s->at, n);
    r->held_n += (uint32_t)n;
    skip(s, n);
}

/* Each of these takes what it can: 1 = go on, 0 = there is no more at hand, -1 = r->error. */

static int take_number(struct resp *r, struct stream *s)
{
    char together[RESP_ROOM_MIN];
    size_t before = r->held_n, more = s->n - s->at, used;
    const char *line = s->in + s->at;
    int64_t value;

    if (before > 0) {
        /* A line that is longer than this is bad. */
        if (more > sizeof(together) - before)
            more = sizeof(together) - before;
        memcpy(together, r->held, before);
        memcpy(together + before, line, more);
        line = together;
    }
    switch (read_number(line, before + more, &value, &used)) {
    case LINE_MORE:
        hold(r, s, more);
        return 0;
    case LINE_BAD:
        return fail_at(r, line[0] == ':' ? "bad integer" : "bad length", (struct span){line, used});
    case LINE_DONE:
        break;
    }
    if (room(s) < used || room(s) < NULL_STRING_N)
        return 0;
    if (begin_value(r, line, used, value) != 0)
        return -1;
    r->held_n = 0;
    if (before == 0 && !r->passing_over) {
        s->at += used;
        return 1;
    }
    skip(s, used - before);
    if (r->passing_over)
        put(s, null_string, NULL_STRING_N);
    else
        put(s, line, used);
    return 1;
}

static int take_text(struct resp *r, struct stream *s)
{
    while (at_hand(s) > 0) {
        char c = s->in[s->at];
        if (r->after_cr ? c != '\n' : c == '\n')
            return fail(r, "a status or an error with a line break in it");
        if (r->after_cr) {
            s->at++;
            r->in_text = r->after_cr = false;
            value_done(r);
            return 1;
        }
        r->after_cr = c == '\r';
        if (r->after_cr || r->text_n < RESP_LINE_MAX)
            s->at++;
        else
            skip(s, 1);
        if (++r->text_n > RESP_PASSED_MAX)
            return fail(r, "a status or an error without an end");
    }
    return 0;
}

/* The end of a bulk string: CR, LF. */
static int take_bulk_end(struct resp *r, struct stream *s)
{
    if (r->bulk_left == 2 && !r->passing_over && at_hand(s) >= 2 && s->in[s->at] == '\r' &&
        s->in[s->at + 1] == '\n') { /* nearly always */
        s->at += 2;
        r->bulk_left = 0;
    }
    for (; r->bulk_left > 0; r->bulk_left--) {
        if ((r->passing_over ? s->n - s->at : at_hand(s)) == 0)
            return 0;
        if (s->in[s->at] != (r->bulk_left == 2 ? '\r' : '\n'))
            return fail(r, "a string that does not end where its length says");
        if (r->passing_over)
            skip(s, 1);
        else
            s->at++;
    }
    value_done(r);
    return 1;
}

static void keep_kind(struct resp *r, const char *bytes, size_t n)
{
    size_t more = sizeof(r->kind) - r->kind_n;

    if (more > n)
        more = n;
    memcpy(r->kind + r->kind_n, bytes, more);
    r->kind_n += (uint32_t)more;
}

static int take_bulk(struct resp *r, struct stream *s)
{
    size_t content = r->bulk_left > 2 ? r->bulk_left - 2 : 0;
    size_t n = r->passing_over ? s->n - s->at : at_hand(s);

    if (n > content)
        n = content;
    if (r->is_message && r->depth == 1 && r->place == 0)
        keep_kind(r, s->in + s->at, n);
    if (r->passing_over)
        skip(s, n);
    else
        s->at += n;
    r->bulk_left -= (uint32_t)n;
    return n == content ? take_bulk_end(r, s) : 0;
}

static int take_value(struct resp *r, struct stream *s)
{
    const char *type = r->held_n > 0 ? r->held : s->in + s->at;

    switch (*type) {
    case '$':
    case '*':
    case ':':
        return take_number(r, s);
    case '+':
    case '-':
        if (check_place(r, *type, false) != 0)
            return -1;
        if (room(s) == 0)
            return 0;
        s->at++;
        r->in_text = true;
        r->text_n = 0;
        return 1;
    case '_':
    case '#':
    case ',':
    case '(':
    case '!':
    case '=':
    case '%':
    case '~':
    case '>':
    case '|':
        return fail_at(r, "RESP3 type", (struct span){type, 1});
    default:
        return fail_foreign(r, (struct span){s->in + s->at, s->n - s->at});
    }
}

void resp_init(struct resp *r, bool subscriber)
{
    *r = (struct resp){.subscriber = subscriber};
}

ptrdiff_t resp_feed(struct resp *r, const char *bytes, size_t n, char *out, size_t cap,
                    size_t *out_n)
{
    struct stream s = {.in = bytes, .n = n, .out = out, .cap = cap};
    int result = r->error == NULL ? 1 : -1;

    while (result > 0 && s.at < n) {
        if (r->bulk_left > 0)
            result = take_bulk(r, &s);
        else if (r->in_text)
            result = take_text(r, &s);
        else
            result = take_value(r, &s);
    }
    put_run(&s);
    *out_n = s.out_n;
    return result >= 0 ? (ptrdiff_t)s.at : -1;
}
