#include "net/http_parse.h"

#include "net/http_field.h"

#include <string.h>

/* A response is HEAD_STATUS, HEAD_FIELDS and a body; INTERIM_FIELDS are those of a 1xx, after which
 * HEAD_STATUS comes again. The states of lines stand before those of bytes. */
enum state {
    HEAD_STATUS,
    HEAD_FIELDS,
    INTERIM_FIELDS,
    TRAILER_FIELDS,
    CHUNK_SIZE,
    CHUNK_DATA,
    CHUNK_CR,
    CHUNK_LF,
    BODY_LENGTH,
    BODY_TO_END,
    WHOLE,
    REFUSED
};

#define CHUNK_DIGITS_MAX 16 /* hexadecimal, of a uint64_t */

static void refuse(struct http_parse *p, const char *why)
{
    p->state = REFUSED;
    p->why = why;
}

void http_parse_init(struct http_parse *p, char *body, size_t cap)
{
    p->status = 0;
    p->keep_alive = false;
    p->retry_after[0] = '\0';
    p->request_id[0] = '\0';
    p->body = body;
    p->body_cap = cap;
    p->body_n = 0;
    p->why = "";
    p->state = HEAD_STATUS;
    p->has_length = false;
    p->has_coding = false;
    p->said_close = false;
    p->said_keep_alive = false;
    p->minor_0 = false;
    p->headers = 0;
    p->interim = 0;
    p->head_bytes = 0;
    p->left = 0;
    p->line_n = 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* ---- Lines ---- */

static void status_line(struct http_parse *p, struct span line)
{
    /* HTTP/1.d ddd, then nothing, or a space and words; the first five bytes were looked at. */
    static const char form[] = "HTTP/1.d ddd";
    int status = 0;

    if (line.n > 5 && is_digit(line.p[5]) && line.p[5] != '1') {
        refuse(p, "the answer's HTTP version is not 1.x");
        return;
    }
    for (size_t i = 0; i < sizeof(form) - 1; i++)
        if (i >= line.n || (form[i] == 'd' ? !is_digit(line.p[i]) : line.p[i] != form[i])) {
            refuse(p, "the answer's status line is malformed");
            return;
        }
    for (size_t i = 9; i < 12; i++)
        status = status * 10 + (line.p[i] - '0');
    if (status < 100 || (line.n > 12 && line.p[12] != ' ')) {
        refuse(p, "the answer's status is not a number from 100 to 999");
    } else if (status == 101) {
        refuse(p, "the answer switches protocols though not asked for");
    } else if (status < 200) {
        p->state = INTERIM_FIELDS;
        if (++p->interim > HTTP_INTERIM_MAX)
            refuse(p, "too many interim responses come before the answer");
    } else {
        p->state = HEAD_FIELDS;
        p->status = status;
        p->minor_0 = line.p[7] == '0';
    }
}

/* What follows the head (RFC 9112, section 6.3). */
static void begin_body(struct http_parse *p)
{
    if (p->has_length && p->has_coding) {
        refuse(p, "the answer has a Content-Length and a Transfer-Encoding");
        return;
    }
    p->keep_alive = !p->said_close && (!p->minor_0 || p->said_keep_alive);
    if (p->status == 204 || p->status == 304) {
        p->state = WHOLE;
    } else if (p->has_coding) {
        p->state = CHUNK_SIZE;
    } else if (!p->has_length) {
        p->keep_alive = false;
        p->state = BODY_TO_END;
    } else if (p->left > p->body_cap) {
        refuse(p, "the answer's body is larger than we take");
    } else {
        p->state = p->left > 0 ? BODY_LENGTH : WHOLE;
    }
}

static void end_of_fields(struct http_parse *p)
{
    if (p->state == INTERIM_FIELDS)
        p->state = HEAD_STATUS;
    else if (p->state == TRAILER_FIELDS)
        p->state = WHOLE;
    else
        begin_body(p);
}

/* A byte of a header's name (RFC 9110, section 5.6.2: token). */
static bool is_name_byte(char c)
{
    char low = span_lower(c);

    return (low >= 'a' && low <= 'z') || is_digit(c) ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static void field_line(struct http_parse *p, struct span line)
{
    size_t n = 0;

    if (line.n == 0) {
        end_of_fields(p);
        return;
    }
    if (is_blank(line.p[0])) {
        refuse(p, "one of the answer's headers is folded");
        return;
    }
    if (++p->headers > HTTP_HEADERS_MAX) {
        refuse(p, "the answer has too many headers");
        return;
    }
    while (n < line.n && is_name_byte(line.p[n]))
        n++;
    if (n == 0 || n == line.n || line.p[n] != ':') {
        refuse(p, "one of the answer's headers is malformed");
        return;
    }
    /* Those of an interim response are about that one; no trailer is of use to us. */
    if (p->state != HEAD_FIELDS)
        return;
    const char *why = http_field_take(p, (struct span){line.p, n},
                                      span_trim((struct span){line.p + n + 1, line.n - n - 1}));
    if (why != NULL)
        refuse(p, why);
}

/* The value of a hexadecimal digit, or -1. */
static int hex_value(char c)
{
    char low = span_lower(c);

    if (is_digit(c))
        return c - '0';
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* Digits, and perhaps extensions: of no use to us, but counted, as each chunk may bring some. */
static void chunk_line(struct http_parse *p, struct span line)
{
    uint64_t size = 0;
    size_t n = 0;

    for (; n < line.n && hex_value(line.p[n]) >= 0; n++)
        if (n < CHUNK_DIGITS_MAX)
            size = size << 4 | (uint64_t)hex_value(line.p[n]);
    size_t extra = line.n - n;
    struct span rest = span_trim((struct span){line.p + n, extra});
    if (n == 0 || (rest.n > 0 && rest.p[0] != ';')) {
        refuse(p, "the size of a chunk of the answer is malformed");
    } else if (n > CHUNK_DIGITS_MAX) {
        refuse(p, "the size of a chunk of the answer has too many digits");
    } else if (extra > HTTP_HEAD_MAX - p->head_bytes) {
        refuse(p, "the answer's chunk extensions are too long, all together");
    } else if (size > p->body_cap - p->body_n) {
        refuse(p, "the answer's body is larger than we take");
    } else {
        p->head_bytes += extra;
        p->left = size;
        p->state = size > 0 ? CHUNK_DATA : TRAILER_FIELDS;
    }
}

/* Is it text, but for the line end that was taken off? */
static bool is_clean(struct http_parse *p, struct span line)
{
    for (size_t i = 0; i < line.n; i++) {
        unsigned char c = (unsigned char)line.p[i];
        if (c == '\r') {
            refuse(p, "the answer has a bare carriage return");
            return false;
        }
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            refuse(p, "the answer has a control character in a line");
            return false;
        }
    }
    return true;
}

/* Moves bytes from *in to the line: true once it is whole. Of a status line the first bytes are
 * looked at as they come, because what is not HTTP may have no lines at all. */
static bool gather_line(struct http_parse *p, struct span *in)
{
    static const char start[] = "HTTP/";
    size_t room = sizeof(p->line) - p->line_n;

    if (room == 0) {
        refuse(p, "a line of the answer is too long");
        return false;
    }
    if (p->state != CHUNK_SIZE && room > HTTP_HEAD_MAX - p->head_bytes)
        room = HTTP_HEAD_MAX - p->head_bytes;
    if (room == 0) {
        refuse(p, "the answer's headers are too long, all together");
        return false;
    }
    size_t n = in->n < room ? in->n : room;
    const char *end = memchr(in->p, '\n', n);
    if (end != NULL)
        n = (size_t)(end - in->p) + 1;
    if (p->state != CHUNK_SIZE)
        p->head_bytes += n;
    memcpy(p->line + p->line_n, in->p, n);
    p->line_n += n;
    *in = (struct span){in->p + n, in->n - n};
    size_t seen = p->line_n < sizeof(start) - 1 ? p->line_n : sizeof(start) - 1;
    if (p->state == HEAD_STATUS && memcmp(p->line, start, seen) != 0) {
        refuse(p, "the answer is not HTTP");
        return false;
    }
    return end != NULL;
}

static void take_line(struct http_parse *p, struct span *in)
{
    if (!gather_line(p, in))
        return;
    struct span line = {p->line, p->line_n - 1};
    bool crlf = line.n > 0 && line.p[line.n - 1] == '\r';
    if (crlf)
        line.n--;
    p->line_n = 0;
    if (!is_clean(p, line))
        return;
    /* A lone LF may end a line of the head (RFC 9112, section 2.2), but never frames a body. */
    if (p->state == CHUNK_SIZE && !crlf)
        refuse(p, "the size of a chunk of the answer does not end in CRLF");
    else if (p->state == CHUNK_SIZE)
        chunk_line(p, line);
    else if (p->state == HEAD_STATUS)
        status_line(p, line);
    else
        field_line(p, line);
}

/* ---- Bytes ---- */

static void take_body(struct http_parse *p, struct span *in)
{
    size_t n = in->n;

    if (p->state == BODY_TO_END && n > p->body_cap - p->body_n) {
        refuse(p, "the answer's body is larger than we take");
        return;
    }
    if (p->state != BODY_TO_END) {
        if (n > p->left)
            n = (size_t)p->left;
        p->left -= n;
    }
    memcpy(p->body + p->body_n, in->p, n);
    p->body_n += n;
    *in = (struct span){in->p + n, in->n - n};
    if (p->state == BODY_LENGTH && p->left == 0)
        p->state = WHOLE;
    else if (p->state == CHUNK_DATA && p->left == 0)
        p->state = CHUNK_CR;
}

/* The CRLF behind a chunk. */
static void take_chunk_end(struct http_parse *p, struct span *in)
{
    if (in->p[0] != (p->state == CHUNK_CR ? '\r' : '\n')) {
        refuse(p, "a chunk of the answer is longer than its size");
        return;
    }
    *in = (struct span){in->p + 1, in->n - 1};
    p->state = p->state == CHUNK_CR ? CHUNK_LF : CHUNK_SIZE;
}

/* ---- All ---- */

static enum http_parse_result result_of(const struct http_parse *p)
{
    if (p->state == WHOLE)
        return HTTP_PARSE_DONE;
    return p->state == REFUSED ? HTTP_PARSE_BAD : HTTP_PARSE_MORE;
}

enum http_parse_result http_parse_feed(struct http_parse *p, const char *bytes, size_t n,
                                       size_t *used)
{
    struct span in = {bytes, n};

    while (in.n > 0 && p->state < WHOLE) {
        if (p->state <= CHUNK_SIZE)
            take_line(p, &in);
        else if (p->state == CHUNK_CR || p->state == CHUNK_LF)
            take_chunk_end(p, &in);
        else
            take_body(p, &in);
    }
    *used = n - in.n;
    return result_of(p);
}

enum http_parse_result http_parse_end(struct http_parse *p)
{
    if (p->state == BODY_TO_END)
        p->state = WHOLE;
    else if (!http_parse_began(p))
        refuse(p, "the peer closed the connection before the answer");
    else if (p->state < TRAILER_FIELDS)
        refuse(p, "the peer closed the connection within the headers of the answer");
    else if (p->state < WHOLE)
        refuse(p, "the peer closed the connection within the body of the answer");
    return result_of(p);
}

bool http_parse_began(const struct http_parse *p)
{
    return p->head_bytes > 0;
}
