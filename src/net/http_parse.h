#ifndef NET_HTTP_PARSE_H
#define NET_HTTP_PARSE_H
/* An HTTP/1.1 response (RFC 9112), read as it comes, in pieces of any size. Pure.
 *
 * Taken: 1xx responses before it, Content-Length (also said twice, if the same), chunked with
 * extensions and trailers, a body up to the end of the connection, HTTP/1.0, lines of the head that
 * end in LF alone. Refused: two different lengths, a length and a transfer coding together, a
 * transfer coding but chunked or in HTTP/1.0, a Content-Encoding but identity, folded or malformed
 * headers, a chunk's line that ends in LF alone, bare CR, NUL and other controls, 101, over the
 * caps (HTTP_LINE_MAX, HTTP_HEAD_MAX, HTTP_HEADERS_MAX, HTTP_INTERIM_MAX, the body's storage). */

#include "base/limits.h"
#include "base/span.h"

#include <stdint.h>

enum http_parse_result {
    HTTP_PARSE_MORE,
    HTTP_PARSE_DONE,
    HTTP_PARSE_BAD, /* p->why */
};

/* What of the headers we use; cut to fit. */
struct http_parse {
    int status;      /* 0 until it was read; never one of 1xx */
    bool keep_alive; /* after HTTP_PARSE_DONE: the connection may serve again */
    char retry_after[HTTP_VALUE_MAX + 1]; /* "" = none */
    char request_id[HTTP_VALUE_MAX + 1];  /* request-id, or x-request-id */
    char *body;                           /* the caller's */
    size_t body_cap;
    size_t body_n;
    const char *why; /* plain words, of what is wrong with the answer or how it ended */
    /* http_parse.c only. */
    int state;
    bool has_length; /* in left */
    bool has_coding;
    bool said_close;
    bool said_keep_alive;
    bool minor_0; /* HTTP/1.0 */
    unsigned headers;
    unsigned interim;
    size_t head_bytes; /* with trailers and chunk extensions */
    uint64_t left;     /* of the body or chunk */
    size_t line_n;
    char line[HTTP_LINE_MAX];
};

void http_parse_init(struct http_parse *p, char *body, size_t cap);
/* Takes up to n bytes, *used of them; all but after HTTP_PARSE_DONE (what is behind the response)
 * and HTTP_PARSE_BAD. */
enum http_parse_result http_parse_feed(struct http_parse *p, const char *bytes, size_t n,
                                       size_t *used);
/* The peer has closed the connection, and said so: FIN without TLS, close_notify with it. What is
 * cut short otherwise is never whole. DONE or BAD. */
enum http_parse_result http_parse_end(struct http_parse *p);
/* Was any byte of a response seen? */
bool http_parse_began(const struct http_parse *p);

#endif
