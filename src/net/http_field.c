#include "net/http_field.h"

#include "base/number.h"
#include "net/http_date.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define RETRY_AFTER_MAX_MS (24 * 3600 * INT64_C(1000))

/* Decimal digits and nothing else; what is larger than an int64_t is the largest of them. */
static int read_count(struct span text, int64_t *out)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < '0' || text.p[i] > '9')
            return -1;
    if (text.n > 0 && number_int(text, 0, INT64_MAX, out) != 0)
        *out = INT64_MAX;
    return text.n > 0 ? 0 : -1;
}

/* A proxy may have joined two headers of the same value into "5, 5" (RFC 9110, section 8.6). */
static const char *content_length(struct http_parse *p, struct span value)
{
    int64_t length;
    bool more;

    do {
        more = span_has(value, ',');
        if (read_count(span_trim(span_split(&value, ',')), &length) != 0)
            return "the answer's Content-Length is not a number";
        if (p->has_length && p->left != (uint64_t)length)
            return "the answer has two different Content-Lengths";
        p->has_length = true;
        p->left = (uint64_t)length;
    } while (more);
    return NULL;
}

static const char *transfer_encoding(struct http_parse *p, struct span value)
{
    if (p->minor_0)
        return "the answer has a Transfer-Encoding in HTTP/1.0";
    if (p->has_coding || !span_is_nocase(value, "chunked"))
        return "the answer's Transfer-Encoding is not chunked";
    p->has_coding = true;
    return NULL;
}

static const char *content_encoding(struct http_parse *p, struct span value)
{
    (void)p;
    if (value.n > 0 && !span_is_nocase(value, "identity"))
        return "the answer is compressed though not asked for";
    return NULL;
}

static const char *connection(struct http_parse *p, struct span value)
{
    while (value.n > 0) {
        struct span option = span_trim(span_split(&value, ','));
        p->said_close = p->said_close || span_is_nocase(option, "close");
        p->said_keep_alive = p->said_keep_alive || span_is_nocase(option, "keep-alive");
    }
    return NULL;
}

static const char *retry_after(struct http_parse *p, struct span value)
{
    (void)span_cut(p->retry_after, sizeof(p->retry_after), value);
    return NULL;
}

static const char *request_id(struct http_parse *p, struct span value)
{
    (void)span_cut(p->request_id, sizeof(p->request_id), value);
    return NULL;
}

static const char *x_request_id(struct http_parse *p, struct span value)
{
    return p->request_id[0] == '\0' ? request_id(p, value) : NULL;
}

const char *http_field_take(struct http_parse *p, struct span name, struct span value)
{
    static const struct {
        const char *name;
        const char *(*take)(struct http_parse *, struct span);
    } fields[] = {
        {"content-length", content_length},     {"transfer-encoding", transfer_encoding},
        {"content-encoding", content_encoding}, {"connection", connection},
        {"retry-after", retry_after},           {"request-id", request_id},
        {"x-request-id", x_request_id},
    };

    for (size_t i = 0; i < COUNT(fields); i++)
        if (span_is_nocase(name, fields[i].name))
            return fields[i].take(p, value);
    return NULL;
}

/* Digits, perhaps a point and digits; what is finer than a millisecond is dropped. Milliseconds, at
 * most a day; -1: no such number. */
static int64_t read_seconds(struct span text)
{
    size_t n = text.n;
    struct span whole = span_split(&text, '.');
    bool has_point = whole.n < n;
    int64_t seconds;
    int64_t finer;

    if (read_count(whole, &seconds) != 0 || (has_point && read_count(text, &finer) != 0))
        return -1;
    if (seconds >= RETRY_AFTER_MAX_MS / 1000)
        return RETRY_AFTER_MAX_MS;
    int64_t ms = seconds * 1000;
    for (int64_t i = 0, unit = 100; unit > 0 && i < (int64_t)text.n; i++, unit /= 10)
        ms += (text.p[i] - '0') * unit;
    return ms;
}

int64_t http_field_retry_after(struct span value, int64_t now_ms)
{
    int64_t ms = read_seconds(value);
    int64_t date_ms;

    if (ms >= 0 || http_date_parse(value, now_ms, &date_ms) != 0)
        return ms;
    if (date_ms <= now_ms)
        return 0;
    return date_ms - now_ms < RETRY_AFTER_MAX_MS ? date_ms - now_ms : RETRY_AFTER_MAX_MS;
}
