#include "base/json_write.h"

#include "base/utf8.h"

/* As buf_init(). */
__attribute__((noinline)) void json_write_init(struct json_write *w, struct buf *buf)
{
    *w = (struct json_write){.buf = buf, .comma = false};
}

static void put_unit(struct buf *b, uint32_t unit)
{
    const unsigned char bytes[2] = {(unsigned char)(unit >> 8), (unsigned char)unit};

    buf_str(b, "\\u");
    buf_hex(b, bytes, sizeof(bytes));
}

static void put_hidden(struct buf *b, uint32_t cp)
{
    switch (cp) {
    case '\n':
        buf_str(b, "\\n");
        return;
    case '\r':
        buf_str(b, "\\r");
        return;
    case '\t':
        buf_str(b, "\\t");
        return;
    default:
        break;
    }
    if (cp >= 0x10000) {
        put_unit(b, 0xd800 + ((cp - 0x10000) >> 10));
        cp = 0xdc00 + ((cp - 0x10000) & 0x3ff);
    }
    put_unit(b, cp);
}

static void put_string(struct buf *b, struct span s)
{
    uint32_t cp;

    buf_char(b, '"');
    while (s.n > 0 && !b->failed) {
        size_t n = utf8_next(s, &cp);
        if (n == 0) {
            buf_str(b, "\xef\xbf\xbd"); /* U+FFFD */
            n = 1;
        } else if (utf8_hidden(cp)) {
            put_hidden(b, cp);
        } else {
            if (cp == '"' || cp == '\\')
                buf_char(b, '\\');
            buf_bytes(b, s.p, n);
        }
        s.p += n;
        s.n -= n;
    }
    buf_char(b, '"');
}

/* What stands before a value: the comma, the name. */
static void begin(struct json_write *w, const char *key)
{
    if (w->comma)
        buf_char(w->buf, ',');
    w->comma = true;
    if (key != NULL) {
        put_string(w->buf, span_of(key));
        buf_char(w->buf, ':');
    }
}

static void begin_container(struct json_write *w, const char *key, char bracket)
{
    begin(w, key);
    buf_char(w->buf, bracket);
    w->comma = false;
}

static void end_container(struct json_write *w, char bracket)
{
    buf_char(w->buf, bracket);
    w->comma = true;
}

void json_write_object(struct json_write *w, const char *key)
{
    begin_container(w, key, '{');
}

void json_write_array(struct json_write *w, const char *key)
{
    begin_container(w, key, '[');
}

void json_write_end_object(struct json_write *w)
{
    end_container(w, '}');
}

void json_write_end_array(struct json_write *w)
{
    end_container(w, ']');
}

void json_write_span(struct json_write *w, const char *key, struct span value)
{
    begin(w, key);
    put_string(w->buf, value);
}

void json_write_str(struct json_write *w, const char *key, const char *value)
{
    if (value == NULL)
        json_write_null(w, key);
    else
        json_write_span(w, key, span_of(value));
}

void json_write_int(struct json_write *w, const char *key, int64_t value)
{
    begin(w, key);
    buf_int(w->buf, value);
}

void json_write_bool(struct json_write *w, const char *key, bool value)
{
    begin(w, key);
    buf_str(w->buf, value ? "true" : "false");
}

void json_write_null(struct json_write *w, const char *key)
{
    begin(w, key);
    buf_str(w->buf, "null");
}

void json_write_raw(struct json_write *w, const char *key, struct span value)
{
    begin(w, key);
    buf_span(w->buf, value);
}

void json_write_compact(struct json_write *w, const char *key, struct span value)
{
    bool in_string = false;
    bool escaped = false;
    uint32_t cp;

    begin(w, key);
    while (value.n > 0 && !w->buf->failed) {
        size_t n = utf8_next(value, &cp);
        if (n == 0) {
            w->buf->failed = true;
            return;
        }
        if (cp == '"' && !escaped)
            in_string = !in_string;
        escaped = in_string && cp == '\\' && !escaped;
        if (in_string && utf8_hidden(cp))
            put_hidden(w->buf, cp);
        else if (in_string || cp > ' ')
            buf_bytes(w->buf, value.p, n);
        value.p += n;
        value.n -= n;
    }
}

void json_write_raw_named(struct json_write *w, struct span raw_name, struct span raw_value)
{
    begin(w, NULL);
    buf_span(w->buf, raw_name);
    buf_char(w->buf, ':');
    buf_span(w->buf, raw_value);
}
