/* HTTP responses: what is taken and what is refused, whole, byte by byte and in every two pieces,
 * the pieces and the body's storage flush against a guard page. */

#include "net/http_field.h"
#include "net/http_parse.h"

#include "guard.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define BODY_CAP 64

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

static struct guard input;
static struct guard storage;
static struct http_parse parse;

static int open_guards(void **state)
{
    (void)state;
    guard_open(&input, 3 * HTTP_HEAD_MAX);
    guard_open(&storage, BODY_CAP);
    return 0;
}

static int close_guards(void **state)
{
    (void)state;
    guard_close(&input);
    guard_close(&storage);
    return 0;
}

static void begin(size_t cap)
{
    memset(&parse, 0xa5, sizeof(parse));
    http_parse_init(&parse, storage.page - cap, cap);
    assert_false(http_parse_began(&parse));
    assert_int_equal(parse.status, 0);
}

/* The bytes, first `cut` of them, then the others in pieces of `piece`; *used of all of them. */
static enum http_parse_result feed(struct span text, size_t cut, size_t piece, size_t *used)
{
    enum http_parse_result result = HTTP_PARSE_MORE;
    size_t taken;
    size_t n;

    *used = 0;
    for (size_t at = 0; at < text.n && result == HTTP_PARSE_MORE; at += n) {
        n = at < cut ? cut : piece;
        if (n > text.n - at)
            n = text.n - at;
        result = http_parse_feed(&parse, guard_put(&input, text.p + at, n), n, &taken);
        assert_true(taken <= n);
        assert_true(result == HTTP_PARSE_DONE || result == HTTP_PARSE_BAD || taken == n);
        assert_true(http_parse_began(&parse));
        *used += taken;
    }
    return result;
}

/* ---- What is taken ---- */

static const struct good {
    const char *text;
    int status;
    const char *body;
    const char *behind; /* bytes after the response */
    bool keep_alive;
    bool to_end; /* whole only at the end of the connection */
    const char *retry_after;
    const char *request_id;
} goods[] = {
    {OK "Content-Length: 5\r\n\r\nhello", 200, "hello", .keep_alive = true},
    {OK "Content-Length: 5\r\n\r\nhelloHTTP/1.1 200", 200, "hello", .behind = "HTTP/1.1 200",
     .keep_alive = true},
    {OK "Content-Length: 0\r\n\r\n", 200, "", .keep_alive = true},
    {OK "content-LENGTH:5\r\n\r\nhello", 200, "hello", .keep_alive = true},
    {OK "Content-Length: \t 5 \t\r\n\r\nhello", 200, "hello", .keep_alive = true},
    {OK "Content-Length: 5, 5 ,5\r\n\r\nhello", 200, "hello", .keep_alive = true},
    {OK "Content-Length: 5\r\nContent-Length: 05\r\n\r\nhello", 200, "hello", .keep_alive = true},
    {OK "Content-Length: 64\r\n\r\n"
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
     200, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", .keep_alive = true},
    /* Line ends, status lines */
    {"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", 200, "hi", .keep_alive = true},
    {"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", .keep_alive = true},
    {"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi", 200, "hi", .keep_alive = true},
    {"HTTP/1.1 200 \xc3\xa9t\xe9\t\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", .keep_alive = true},
    {"HTTP/1.9 999 ?\r\nContent-Length: 2\r\n\r\nhi", 999, "hi", .keep_alive = true},
    {"HTTP/1.1 301 Moved\r\nLocation: http://x/\r\nContent-Length: 0\r\n\r\n", 301, "",
     .keep_alive = true},
    /* Headers that are of no use to us */
    {OK "X-Obs: caf\xe9\r\nX-Empty:\r\n!#$%&'*+-.^_`|~09AZaz: x\r\nContent-Length: 2\r\n\r\nhi",
     200, "hi", .keep_alive = true},
    {OK "Content-Lengths: 7\r\nXContent-Length: 7\r\nContent-Length: 2\r\n\r\nhi", 200, "hi",
     .keep_alive = true},
    {OK "Content-Encoding: Identity\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", .keep_alive = true},
    {OK "Content-Encoding:\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", .keep_alive = true},
    /* To the end of the connection */
    {OK "\r\n", 200, "", .to_end = true},
    {OK "Content-Type: text/html\r\n\r\n<html>", 200, "<html>", .to_end = true},
    {"HTTP/1.0 200 OK\r\n\r\nhi", 200, "hi", .to_end = true},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nhi", 200, "hi", .to_end = true},
    {OK "Connection: keep-alive\r\n\r\n"
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
     200, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", .to_end = true},
    /* Connection */
    {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", .keep_alive = false},
    {"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nhi", 200, "hi",
     .keep_alive = true},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive, x\r\nContent-Length: 2\r\n\r\nhi", 200, "hi",
     .keep_alive = true},
    {OK "Connection: close\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", .keep_alive = false},
    {OK "Connection: x, ,CLOSE ,keep-alive\r\nContent-Length: 2\r\n\r\nhi", 200, "hi",
     .keep_alive = false},
    {OK "Connection: keep-alive\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", 200, "hi",
     .keep_alive = false},
    {OK "Connection: closed, un-close\r\nContent-Length: 2\r\n\r\nhi", 200, "hi",
     .keep_alive = true},
    {"HTTP/1.0 200 OK\r\nConnection: close, keep-alive\r\nContent-Length: 2\r\n\r\nhi", 200, "hi",
     .keep_alive = false},
    /* Without a body */
    {"HTTP/1.1 204 No Content\r\n\r\nbehind", 204, "", .behind = "behind", .keep_alive = true},
    {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", 204, "", .behind = "hello",
     .keep_alive = true},
    {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 204, "",
     .behind = "0\r\n\r\n", .keep_alive = true},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 99999\r\n\r\n", 304, "", .keep_alive = true},
    {"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n", 304, "", .keep_alive = false},
    /* Chunked */
    {CHUNKED "5\r\nhello\r\n0\r\n\r\n", 200, "hello", .keep_alive = true},
    {CHUNKED "0\r\n\r\n", 200, "", .keep_alive = true},
    {CHUNKED "0\r\n\r\nHTTP", 200, "", .behind = "HTTP", .keep_alive = true},
    {CHUNKED "1\r\nh\r\n001\r\ne\r\n3\r\nllo\r\n000\r\n\r\n", 200, "hello", .keep_alive = true},
    {CHUNKED "A\r\n0123456789\r\nb\r\n0123456789a\r\n0\r\n\r\n", 200, "01234567890123456789a",
     .keep_alive = true},
    {CHUNKED "40\r\n0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n0\r\n\r\n",
     200, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", .keep_alive = true},
    {CHUNKED "2;a=b;c=\"\xe9\"\r\nhi\r\n0;last\r\n\r\n", 200, "hi", .keep_alive = true},
    {CHUNKED "2  \r\nhi\r\n0 \t;x\r\n\r\n", 200, "hi", .keep_alive = true},
    {CHUNKED "2\r\n\r\n\r\n0\r\n\r\n", 200, "\r\n", .keep_alive = true},
    {CHUNKED "0000000000000002\r\nhi\r\n0000000000000000\r\n\r\n", 200, "hi", .keep_alive = true},
    {CHUNKED "2\r\nhi\r\n0\r\nExpires: never\r\nX: y\r\n\r\nZ", 200, "hi", .behind = "Z",
     .keep_alive = true},
    {CHUNKED "2\r\nhi\r\n0\r\nContent-Length: 7\r\nConnection: close\r\nRequest-Id: t\r\n\r\n", 200,
     "hi", .keep_alive = true},
    {CHUNKED "2\r\nhi\r\n0\r\nX: y\n\n", 200, "hi", .keep_alive = true},
    {OK "transfer-encoding:CHUNKED\r\nConnection: close\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 200, "hi",
     .keep_alive = false},
    /* Interim responses */
    {"HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 2\r\n\r\nhi", 200, "hi",
     .keep_alive = true},
    {"HTTP/1.1 103 Early Hints\r\nContent-Length: 7\r\nContent-Encoding: gzip\r\nConnection: close"
     "\r\nRequest-Id: early\r\n\r\nHTTP/1.1 199 ?\r\n\r\n" OK "Content-Length: 2\r\n\r\nhi",
     200, "hi", .keep_alive = true},
    /* What is kept */
    {"HTTP/1.1 429 Slow\r\nRETRY-AFTER:  7\t\r\nRequest-ID: req_1\r\nContent-Length: 0\r\n\r\n",
     429, "", .keep_alive = true, .retry_after = "7", .request_id = "req_1"},
    {OK "X-Request-Id: a b\r\nContent-Length: 0\r\n\r\n", 200, "", .keep_alive = true,
     .request_id = "a b"},
    {OK "X-Request-Id: x\r\nRequest-Id: r\r\nContent-Length: 0\r\n\r\n", 200, "",
     .keep_alive = true, .request_id = "r"},
    {OK "Request-Id: r\r\nX-Request-Id: x\r\nContent-Length: 0\r\n\r\n", 200, "",
     .keep_alive = true, .request_id = "r"},
    {OK "Request-Id: 012345678901234567890123456789012345678901234567890123456789012\r\n"
        "Retry-After: 0123456789012345678901234567890123456789012345678901234567890123\r\n"
        "Content-Length: 0\r\n\r\n",
     200, "", .keep_alive = true,
     .request_id = "012345678901234567890123456789012345678901234567890123456789012",
     .retry_after = "012345678901234567890123456789012345678901234567890123456789..."},
};

static void check_good(const struct good *g, enum http_parse_result result, size_t used)
{
    size_t behind = g->behind != NULL ? strlen(g->behind) : 0;

    if (g->to_end) {
        assert_int_equal(result, HTTP_PARSE_MORE);
        result = http_parse_end(&parse);
    }
    assert_string_equal(parse.why, "");
    assert_int_equal(result, HTTP_PARSE_DONE);
    assert_true(used <= strlen(g->text) - behind);
    assert_int_equal(parse.status, g->status);
    assert_int_equal(parse.body_n, strlen(g->body));
    assert_memory_equal(parse.body, g->body, parse.body_n);
    assert_int_equal(parse.keep_alive, g->keep_alive);
    assert_string_equal(parse.retry_after, g->retry_after != NULL ? g->retry_after : "");
    assert_string_equal(parse.request_id, g->request_id != NULL ? g->request_id : "");
    /* What comes later is not looked at, and an end changes nothing. */
    assert_int_equal(http_parse_feed(&parse, "\r\n", 2, &used), HTTP_PARSE_DONE);
    assert_int_equal(used, 0);
    assert_int_equal(http_parse_end(&parse), HTTP_PARSE_DONE);
}

static void test_taken(void **state)
{
    size_t used;
    (void)state;
    for (size_t i = 0; i < COUNT(goods); i++) {
        const struct good *g = &goods[i];
        struct span text = span_of(g->text);
        size_t behind = g->behind != NULL ? strlen(g->behind) : 0;
        for (size_t cut = 0; cut < text.n; cut++) {
            begin(BODY_CAP);
            enum http_parse_result result = feed(text, cut, text.n, &used);
            check_good(g, result, used);
            assert_true(g->to_end || used == text.n - behind || cut >= text.n - behind);
        }
        begin(BODY_CAP);
        enum http_parse_result result = feed(text, 1, 1, &used);
        assert_int_equal(used, text.n - behind);
        check_good(g, result, used);
    }
}

static void test_a_prefix_is_never_whole(void **state)
{
    size_t used;
    (void)state;
    for (size_t i = 0; i < COUNT(goods); i++) {
        const struct good *g = &goods[i];
        size_t n = strlen(g->text) - (g->behind != NULL ? strlen(g->behind) : 0);
        for (size_t cut = 0; cut < n; cut++) {
            begin(BODY_CAP);
            assert_int_equal(feed((struct span){g->text, cut}, cut, 1, &used), HTTP_PARSE_MORE);
            assert_int_equal(used, cut);
            if (g->to_end && http_parse_end(&parse) == HTTP_PARSE_DONE)
                continue;
            assert_int_equal(http_parse_end(&parse), HTTP_PARSE_BAD);
            if (cut == 0)
                assert_string_equal(parse.why, "the peer closed the connection before the answer");
            else if (parse.body_n > 0)
                assert_string_equal(parse.why,
                                    "the peer closed the connection within the body of the answer");
            else
                assert_non_null(strstr(parse.why, "the peer closed the connection within the "));
        }
    }
}

static void test_the_end_within_the_head(void **state)
{
    static const char *const heads[] = {"H",
                                        "HTTP/1.1 200 OK",
                                        OK,
                                        OK "Content-Length: 5\r\n",
                                        OK "Content-Length: 5\r\n\r",
                                        "HTTP/1.1 100 Continue\r\n\r\n",
                                        "HTTP/1.1 100 Continue\r\nX"};
    size_t used;
    (void)state;
    for (size_t i = 0; i < COUNT(heads); i++) {
        begin(BODY_CAP);
        assert_int_equal(feed(span_of(heads[i]), 0, 1000, &used), HTTP_PARSE_MORE);
        assert_int_equal(http_parse_end(&parse), HTTP_PARSE_BAD);
        assert_string_equal(parse.why,
                            "the peer closed the connection within the headers of the answer");
    }
}

/* ---- What is refused ---- */

#define BYTES(s) s, sizeof(s) - 1

/* Each text ends with the byte that makes it unacceptable. */
static const struct bad {
    const char *text;
    size_t n;
    const char *why;
} bads[] = {
    {BYTES("\r"), "the answer is not HTTP"},
    {BYTES("\x15"), "the answer is not HTTP"},
    {BYTES("\0"), "the answer is not HTTP"},
    {BYTES("S"), "the answer is not HTTP"},
    {BYTES("h"), "the answer is not HTTP"},
    {BYTES("HTTPS"), "the answer is not HTTP"},
    {BYTES("HTTP/1.1 100 Continue\r\n\r\n\r"), "the answer is not HTTP"},
    {BYTES("HTTP/2.0 200 OK\r\n"), "the answer's HTTP version is not 1.x"},
    {BYTES("HTTP/2 200 OK\r\n"), "the answer's HTTP version is not 1.x"},
    {BYTES("HTTP/0.9 200 OK\r\n"), "the answer's HTTP version is not 1.x"},
    {BYTES("HTTP/\r\n"), "the answer's status line is malformed"},
    {BYTES("HTTP/1\r\n"), "the answer's status line is malformed"},
    {BYTES("HTTP/1.1\r\n"), "the answer's status line is malformed"},
    {BYTES("HTTP/1.1 \r\n"), "the answer's status line is malformed"},
    {BYTES("HTTP/1.1 20\r\n"), "the answer's status line is malformed"},
    {BYTES("HTTP/1.1  200 OK\r\n"), "the answer's status line is malformed"},
    {BYTES("HTTP/1.1\t200 OK\r\n"), "the answer's status line is malformed"},
    {BYTES("HTTP/11.1 200 OK\r\n"), "the answer's status line is malformed"},
    {BYTES("HTTP/1.10 200 OK\r\n"), "the answer's status line is malformed"},
    {BYTES("HTTP/1.x 200 OK\r\n"), "the answer's status line is malformed"},
    {BYTES("HTTP/1,1 200 OK\r\n"), "the answer's status line is malformed"},
    {BYTES("HTTP/1.1 2x0 OK\r\n"), "the answer's status line is malformed"},
    {BYTES("HTTP/1.1 -20 OK\r\n"), "the answer's status line is malformed"},
    {BYTES("HTTP/1.1 099 OK\r\n"), "the answer's status is not a number from 100 to 999"},
    {BYTES("HTTP/1.1 000 OK\r\n"), "the answer's status is not a number from 100 to 999"},
    {BYTES("HTTP/1.1 2000 OK\r\n"), "the answer's status is not a number from 100 to 999"},
    {BYTES("HTTP/1.1 200OK\r\n"), "the answer's status is not a number from 100 to 999"},
    {BYTES("HTTP/1.1 101 Switching\r\n"), "the answer switches protocols though not asked for"},
    {BYTES(OK " Content-Length: 5\r\n"), "one of the answer's headers is folded"},
    {BYTES(OK "X: a\r\n\tb\r\n"), "one of the answer's headers is folded"},
    {BYTES(OK "X: a\r\n \r\n"), "one of the answer's headers is folded"},
    {BYTES(CHUNKED "0\r\nX: a\r\n b\r\n"), "one of the answer's headers is folded"},
    {BYTES(OK "no colon\r\n"), "one of the answer's headers is malformed"},
    {BYTES(OK ": no name\r\n"), "one of the answer's headers is malformed"},
    {BYTES(OK "Content-Length : 5\r\n"), "one of the answer's headers is malformed"},
    {BYTES(OK "Content Length: 5\r\n"), "one of the answer's headers is malformed"},
    {BYTES(OK "X\xe9: 5\r\n"), "one of the answer's headers is malformed"},
    {BYTES(OK "X(y): 5\r\n"), "one of the answer's headers is malformed"},
    {BYTES("HTTP/1.1 100 Continue\r\nno colon\r\n"), "one of the answer's headers is malformed"},
    {BYTES(CHUNKED "0\r\nno colon\r\n"), "one of the answer's headers is malformed"},
    {BYTES("HTTP/1.1 200 O\rK\r\n"), "the answer has a bare carriage return"},
    {BYTES("HTTP/1.1 200 OK\r\r\n"), "the answer has a bare carriage return"},
    {BYTES(OK "X: a\rContent-Length: 5\r\n"), "the answer has a bare carriage return"},
    {BYTES(OK "\r\r\n"), "the answer has a bare carriage return"},
    {BYTES(CHUNKED "5\r;x\r\n"), "the answer has a bare carriage return"},
    {BYTES("HTTP/1.1 200 O\0K\r\n"), "the answer has a control character in a line"},
    {BYTES(OK "X: a\0b\r\n"), "the answer has a control character in a line"},
    {BYTES(OK "X\0: a\r\n"), "the answer has a control character in a line"},
    {BYTES(OK "X: a\x0b\r\n"), "the answer has a control character in a line"},
    {BYTES(OK "X: a\x7f\r\n"), "the answer has a control character in a line"},
    {BYTES(OK "X: a\x1b[2J\r\n"), "the answer has a control character in a line"},
    {BYTES(CHUNKED "5;\0\r\n"), "the answer has a control character in a line"},
    {BYTES(OK "Content-Length:\r\n"), "the answer's Content-Length is not a number"},
    {BYTES(OK "Content-Length: +5\r\n"), "the answer's Content-Length is not a number"},
    {BYTES(OK "Content-Length: -5\r\n"), "the answer's Content-Length is not a number"},
    {BYTES(OK "Content-Length: -0\r\n"), "the answer's Content-Length is not a number"},
    {BYTES(OK "Content-Length: 5 5\r\n"), "the answer's Content-Length is not a number"},
    {BYTES(OK "Content-Length: 0x5\r\n"), "the answer's Content-Length is not a number"},
    {BYTES(OK "Content-Length: 5.0\r\n"), "the answer's Content-Length is not a number"},
    {BYTES(OK "Content-Length: 5,\r\n"), "the answer's Content-Length is not a number"},
    {BYTES(OK "Content-Length: ,5\r\n"), "the answer's Content-Length is not a number"},
    {BYTES(OK "Content-Length: 5,,5\r\n"), "the answer's Content-Length is not a number"},
    {BYTES(OK "Content-Length: five\r\n"), "the answer's Content-Length is not a number"},
    {BYTES(OK "Content-Length: 5, 6\r\n"), "the answer has two different Content-Lengths"},
    {BYTES(OK "Content-Length: 5\r\nContent-Length: 6\r\n"),
     "the answer has two different Content-Lengths"},
    {BYTES(OK "Content-Length: 0\r\nX: y\r\ncontent-length: 5\r\n"),
     "the answer has two different Content-Lengths"},
    {BYTES(OK "Content-Length: 65\r\n\r\n"), "the answer's body is larger than we take"},
    {BYTES(OK "Content-Length: 9223372036854775807\r\n\r\n"),
     "the answer's body is larger than we take"},
    {BYTES(OK "Content-Length: 18446744073709551621\r\n\r\n"),
     "the answer's body is larger than we take"},
    {BYTES(OK "Content-Length: 99999999999999999999999999999999\r\n\r\n"),
     "the answer's body is larger than we take"},
    {BYTES(OK "\r\n0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdefg"),
     "the answer's body is larger than we take"},
    {BYTES(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
     "the answer has a Content-Length and a Transfer-Encoding"},
    {BYTES(OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
     "the answer has a Content-Length and a Transfer-Encoding"},
    {BYTES("HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
     "the answer has a Content-Length and a Transfer-Encoding"},
    {BYTES(OK "Transfer-Encoding: gzip\r\n"), "the answer's Transfer-Encoding is not chunked"},
    {BYTES(OK "Transfer-Encoding: gzip, chunked\r\n"),
     "the answer's Transfer-Encoding is not chunked"},
    {BYTES(OK "Transfer-Encoding: chunked, chunked\r\n"),
     "the answer's Transfer-Encoding is not chunked"},
    {BYTES(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
     "the answer's Transfer-Encoding is not chunked"},
    {BYTES(OK "Transfer-Encoding:\r\n"), "the answer's Transfer-Encoding is not chunked"},
    {BYTES(OK "Transfer-Encoding: identity\r\n"), "the answer's Transfer-Encoding is not chunked"},
    {BYTES(OK "Transfer-Encoding: \"chunked\"\r\n"),
     "the answer's Transfer-Encoding is not chunked"},
    {BYTES(OK "Transfer-Encoding: xchunked\r\n"), "the answer's Transfer-Encoding is not chunked"},
    {BYTES("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n"),
     "the answer has a Transfer-Encoding in HTTP/1.0"},
    {BYTES(OK "Content-Encoding: gzip\r\n"), "the answer is compressed though not asked for"},
    {BYTES(OK "Content-Encoding: identity, br\r\n"),
     "the answer is compressed though not asked for"},
    {BYTES(CHUNKED "\r\n"), "the size of a chunk of the answer is malformed"},
    {BYTES(CHUNKED " 5\r\n"), "the size of a chunk of the answer is malformed"},
    {BYTES(CHUNKED "+5\r\n"), "the size of a chunk of the answer is malformed"},
    {BYTES(CHUNKED "-5\r\n"), "the size of a chunk of the answer is malformed"},
    {BYTES(CHUNKED "0x5\r\n"), "the size of a chunk of the answer is malformed"},
    {BYTES(CHUNKED "5 5\r\n"), "the size of a chunk of the answer is malformed"},
    {BYTES(CHUNKED "g\r\n"), "the size of a chunk of the answer is malformed"},
    {BYTES(CHUNKED ";x\r\n"), "the size of a chunk of the answer is malformed"},
    {BYTES(CHUNKED "00000000000000005\r\n"),
     "the size of a chunk of the answer has too many digits"},
    {BYTES(CHUNKED "10000000000000000\r\n"),
     "the size of a chunk of the answer has too many digits"},
    {BYTES(CHUNKED "10000000000000005;x\r\n"),
     "the size of a chunk of the answer has too many digits"},
    {BYTES(CHUNKED "41\r\n"), "the answer's body is larger than we take"},
    {BYTES(CHUNKED "ffffffffffffffff\r\n"), "the answer's body is larger than we take"},
    {BYTES(CHUNKED "1\r\nx\r\nffffffffffffffff\r\n"), "the answer's body is larger than we take"},
    {BYTES(CHUNKED "1\r\nx\r\n40\r\n"), "the answer's body is larger than we take"},
    {BYTES(CHUNKED "5\n"), "the size of a chunk of the answer does not end in CRLF"},
    {BYTES(CHUNKED "\n"), "the size of a chunk of the answer does not end in CRLF"},
    {BYTES(CHUNKED "5\r\nhello\r\n0\n"), "the size of a chunk of the answer does not end in CRLF"},
    {BYTES(CHUNKED "5\r\nhello!"), "a chunk of the answer is longer than its size"},
    {BYTES(CHUNKED "5\r\nhello\n"), "a chunk of the answer is longer than its size"},
    {BYTES(CHUNKED "5\r\nhello\r0"), "a chunk of the answer is longer than its size"},
    {BYTES(CHUNKED "5\r\nhello0"), "a chunk of the answer is longer than its size"},
    {BYTES(CHUNKED "5\r\nhello\0"), "a chunk of the answer is longer than its size"},
};

static void check_bad(const struct bad *b, enum http_parse_result result)
{
    size_t used;

    assert_int_equal(result, HTTP_PARSE_BAD);
    assert_string_equal(parse.why, b->why);
    assert_true(http_parse_began(&parse));
    assert_int_equal(http_parse_feed(&parse, OK, sizeof(OK) - 1, &used), HTTP_PARSE_BAD);
    assert_int_equal(used, 0);
    assert_int_equal(http_parse_end(&parse), HTTP_PARSE_BAD);
    assert_string_equal(parse.why, b->why);
}

static void test_refused(void **state)
{
    size_t used;
    (void)state;
    for (size_t i = 0; i < COUNT(bads); i++) {
        const struct bad *b = &bads[i];
        struct span text = {b->text, b->n};
        for (size_t cut = 0; cut < text.n; cut++) {
            begin(BODY_CAP);
            check_bad(b, feed(text, cut, text.n, &used));
        }
        begin(BODY_CAP);
        check_bad(b, feed(text, 1, 1, &used));
        begin(BODY_CAP);
        assert_int_equal(feed((struct span){text.p, text.n - 1}, 0, text.n, &used),
                         HTTP_PARSE_MORE);
    }
}

static void test_every_byte_of_a_name(void **state)
{
    size_t used;
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[] = OK "X?: y\r\n";
        text[sizeof(OK)] = (char)c;
        bool fits = c > ' ' && c < 0x7f && strchr("\"(),/;<=>?@[\\]{}", c) == NULL;
        begin(BODY_CAP);
        assert_int_equal(feed((struct span){text, sizeof(text) - 1}, 1, 100, &used),
                         fits ? HTTP_PARSE_MORE : HTTP_PARSE_BAD);
    }
}

static void test_no_bytes_change_nothing(void **state)
{
    static const char text[] = OK "Content-Length: 5\r\n\r\nhello";
    size_t used = 7;
    (void)state;
    begin(BODY_CAP);
    for (size_t at = 0; at < sizeof(text) - 1; at++) {
        assert_int_equal(http_parse_feed(&parse, input.page, 0, &used), HTTP_PARSE_MORE);
        assert_int_equal(used, 0);
        http_parse_feed(&parse, guard_put(&input, text + at, 1), 1, &used);
    }
    assert_int_equal(http_parse_feed(&parse, input.page, 0, &used), HTTP_PARSE_DONE);
}

static void test_a_body_that_takes_none(void **state)
{
    size_t used;
    (void)state;
    begin(0);
    assert_int_equal(feed(span_of(OK "Content-Length: 0\r\n\r\n"), 0, 100, &used), HTTP_PARSE_DONE);
    begin(0);
    assert_int_equal(feed(span_of(OK "Content-Length: 1\r\n\r\n"), 0, 100, &used), HTTP_PARSE_BAD);
    begin(0);
    assert_int_equal(feed(span_of(OK "\r\n"), 0, 100, &used), HTTP_PARSE_MORE);
    assert_int_equal(http_parse_end(&parse), HTTP_PARSE_DONE);
}

/* ---- The caps ---- */

static char long_text[3 * HTTP_HEAD_MAX];

struct text {
    size_t n;
};

static void put(struct text *t, const char *s)
{
    size_t n = strlen(s);
    assert_true(t->n + n <= sizeof(long_text));
    memcpy(long_text + t->n, s, n);
    t->n += n;
}

static void put_many(struct text *t, size_t n, char c)
{
    assert_true(t->n + n <= sizeof(long_text));
    memset(long_text + t->n, c, n);
    t->n += n;
}

/* Whole, byte by byte, and cut near its end. why: NULL = it is taken. */
static void try_long(struct text t, const char *why)
{
    struct span text = {long_text, t.n};
    size_t used;
    for (size_t cut = t.n - 8; cut <= t.n + 1; cut++) {
        begin(BODY_CAP);
        enum http_parse_result result =
            cut <= t.n ? feed(text, cut, t.n, &used) : feed(text, 1, 1, &used);
        assert_string_equal(parse.why, why != NULL ? why : "");
        assert_int_equal(result, why != NULL ? HTTP_PARSE_BAD : HTTP_PARSE_DONE);
    }
}

static void test_long_lines(void **state)
{
    (void)state;
    for (size_t more = 0; more <= 1; more++) {
        const char *why = more ? "a line of the answer is too long" : NULL;
        struct text t = {0};
        put(&t, "HTTP/1.1 200 ");
        put_many(&t, HTTP_LINE_MAX - t.n - 2 + more, 'k');
        put(&t, "\r\nContent-Length: 0\r\n\r\n");
        try_long(t, why);
        t.n = 0;
        put(&t, OK "Content-Length: 0\r\nX:");
        put_many(&t, HTTP_LINE_MAX - 4 + more, 'y');
        put(&t, "\r\n\r\n");
        try_long(t, why);
        t.n = 0;
        put(&t, CHUNKED "1;");
        put_many(&t, HTTP_LINE_MAX - 4 + more, 'y');
        put(&t, "\r\nx\r\n0\r\n\r\n");
        try_long(t, why);
        t.n = 0;
        put(&t, CHUNKED "1\r\nx\r\n0\r\nX:");
        put_many(&t, HTTP_LINE_MAX - 4 + more, 'y');
        put(&t, "\r\n\r\n");
        try_long(t, why);
    }
    struct text t = {0};
    put(&t, "HTTP/1.1 200 ");
    put_many(&t, HTTP_LINE_MAX, 'k'); /* no line end at all */
    try_long(t, "a line of the answer is too long");
}

/* A head of exactly n bytes, without its last line. */
static void put_head(struct text *t, size_t n)
{
    while (t->n < n) {
        size_t line = n - t->n;
        if (line > 8000)
            line = line < 8006 ? 4000 : 8000;
        put(t, "X:");
        put_many(t, line - 4, 'y');
        put(t, "\r\n");
    }
    assert_int_equal(t->n, n);
}

static void test_a_long_head(void **state)
{
    (void)state;
    for (size_t more = 0; more <= 1; more++) {
        const char *why = more ? "the answer's headers are too long, all together" : NULL;
        struct text t = {0};
        put(&t, OK "Content-Length: 0\r\n");
        put_head(&t, HTTP_HEAD_MAX - 2 + more);
        put(&t, "\r\n");
        try_long(t, why);
        /* Interim responses count, and so do trailers. */
        t.n = 0;
        put(&t, "HTTP/1.1 100 C\r\nX: y\r\n\r\n" OK "Content-Length: 0\r\n");
        put_head(&t, HTTP_HEAD_MAX - 2 + more);
        put(&t, "\r\n");
        try_long(t, why);
        t.n = 0;
        put(&t, CHUNKED "0\r\n"); /* the latter does not count */
        put_head(&t, HTTP_HEAD_MAX + 3 - 2 + more);
        put(&t, "\r\n");
        try_long(t, why);
    }
}

static void test_a_long_line_at_the_end_of_a_long_head(void **state)
{
    (void)state;
    for (size_t more = 0; more <= 4; more++) {
        struct text t = {0};
        put(&t, OK "Content-Length: 0\r\n");
        put_head(&t, HTTP_HEAD_MAX - 2 - HTTP_LINE_MAX + more);
        put(&t, "X:");
        put_many(&t, HTTP_LINE_MAX - 4, 'y');
        put(&t, "\r\n\r\n");
        try_long(t, more ? "the answer's headers are too long, all together" : NULL);
    }
}

static void test_chunk_extensions(void **state)
{
    /* They count with the head; the last line of the trailers has two bytes. */
    static const char *const whys[] = {NULL, "the answer's headers are too long, all together",
                                       "the answer's headers are too long, all together",
                                       "the answer's chunk extensions are too long, all together"};
    (void)state;
    for (size_t more = 0; more < COUNT(whys); more++) {
        struct text t = {0};
        put(&t, CHUNKED);
        size_t left = HTTP_HEAD_MAX - t.n - 2 + more;
        for (size_t n; left > 0; left -= n) {
            n = left < 1000 ? left : 1000;
            put(&t, "1");
            put_many(&t, n - 1, ' ');
            put(&t, more == 1 ? " " : ";");
            put(&t, "\r\nx\r\n");
        }
        put(&t, "0\r\n\r\n");
        try_long(t, whys[more]);
    }
}

static void test_many_headers(void **state)
{
    (void)state;
    for (int more = 0; more <= 1; more++) {
        struct text t = {0};
        const char *why = more ? "the answer has too many headers" : NULL;
        put(&t, "HTTP/1.1 100 C\r\nX: y\r\n\r\n" CHUNKED "0\r\n");
        for (int i = 0; i < HTTP_HEADERS_MAX - 2 + more; i++)
            put(&t, "X: y\r\n");
        put(&t, "\r\n");
        try_long(t, why);
        t.n = 0;
        put(&t, OK "Content-Length: 0\r\n");
        for (int i = 0; i < HTTP_HEADERS_MAX - 1 + more; i++)
            put(&t, "X: y\r\n");
        put(&t, "\r\n");
        try_long(t, why);
    }
}

static void test_many_interim_responses(void **state)
{
    (void)state;
    for (int more = 0; more <= 1; more++) {
        struct text t = {0};
        for (int i = 0; i < HTTP_INTERIM_MAX + more; i++)
            put(&t, "HTTP/1.1 102 Processing\r\n\r\n");
        put(&t, OK "Content-Length: 0\r\n\r\n");
        try_long(t, more ? "too many interim responses come before the answer" : NULL);
    }
}

static void test_a_status_is_told_as_soon_as_it_is_there(void **state)
{
    size_t used;
    (void)state;
    begin(BODY_CAP);
    (void)feed(span_of("HTTP/1.1 100 C\r\nX: y\r\n\r\nHTTP/1.1 413 Too Large\r"), 0, 1, &used);
    assert_int_equal(parse.status, 0);
    (void)http_parse_feed(&parse, "\n", 1, &used);
    assert_int_equal(parse.status, 413);
}

/* ---- Retry-After ---- */

/* 2026-10-01T12:00:00Z, a Thursday */
#define NOW INT64_C(1790856000000)
#define DAY INT64_C(86400000)

static void test_retry_after(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"0", 0},
        {"7", 7000},
        {"007", 7000},
        {"1.5", 1500},
        {"0.25", 250},
        {"0.0009", 0},
        {"0.9999", 999},
        {"86399.999", DAY - 1},
        {"86400", DAY},
        {"86401", DAY},
        {"99999999999999999999999999", DAY},
        {"1.99999999999999999999999999", 1999},
        {"", -1},
        {".", -1},
        {".5", -1},
        {"5.", -1},
        {"1.2.3", -1},
        {"-1", -1},
        {"-0", -1},
        {"+1", -1},
        {"1e3", -1},
        {"1,5", -1},
        {" 1", -1},
        {"7 s", -1},
        {"soon", -1},
        {"0x10", -1},
        /* The three dates */
        {"Thu, 01 Oct 2026 12:00:30 GMT", 30000},
        {"Thu, 01 Oct 2026 11:59:30 GMT", 0},
        {"Thu, 01 Oct 2026 12:00:00 GMT", 0},
        {"Fri, 02 Oct 2026 11:59:59 GMT", DAY - 1000},
        {"Fri, 02 Oct 2026 12:00:00 GMT", DAY},
        {"Sat, 03 Oct 2026 12:00:00 GMT", DAY},
        {"Fri, 31 Dec 9999 23:59:59 GMT", DAY},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
        {"Thu, 01 Oct 2026 12:00:60 GMT", 60000},
        {"Thursday, 01-Oct-26 12:00:30 GMT", 30000},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 0},     /* 1994 */
        {"Thursday, 01-Oct-76 12:00:30 GMT", DAY}, /* 2076: fifty years ahead */
        {"Friday, 01-Oct-77 12:00:30 GMT", 0},     /* 1977 */
        {"Thu Oct  1 12:00:30 2026", 30000},
        {"Thu Oct 01 12:00:30 2026", 30000},
        {"Fri Oct 02 11:59:59 2026", DAY - 1000},
        /* Not quite */
        {"thu, 01 Oct 2026 12:00:30 GMT", -1},
        {"Xxx, 01 Oct 2026 12:00:30 GMT", -1},
        {"Thu, 1 Oct 2026 12:00:30 GMT", -1},
        {"Thu, 01 OCT 2026 12:00:30 GMT", -1},
        {"Thu, 01 ctN 2026 12:00:30 GMT", -1},
        {"Thu, 32 Oct 2026 12:00:30 GMT", -1},
        {"Thu, 00 Oct 2026 12:00:30 GMT", -1},
        {"Mon, 29 Feb 2027 12:00:30 GMT", -1},
        {"Thu, 01 Oct 2026 24:00:30 GMT", -1},
        {"Thu, 01 Oct 2026 12:60:30 GMT", -1},
        {"Thu, 01 Oct 2026 12:00 GMT", -1},
        {"Thu, 01 Oct 2026 12:00+01 GMT", -1},
        {"Thu, 01 Oct 2026 12:00:30 UTC", -1},
        {"Thu, 01 Oct 2026 12:00:30 GMT ", -1},
        {"Thu, 01 Oct 2026 12:00:30 GM", -1},
        {"Thu, 01 Oct 2026 12:00:30", -1},
        {"Thu, 01 Oct 1969 12:00:30 GMT", -1},
        {"Thu 01 Oct 2026 12:00:30 GMT", -1},
        {"Thursday, 01 Oct 2026 12:00:30 GMT", -1},
        {"Thu, 01-Oct-26 12:00:30 GMT", -1},
        {"Thursday, 01-Oct-2026 12:00:30 GMT", -1},
        {"Thursday, 0x-Oct-26 12:00:30 GMT", -1},
        {"Thu Oct 1 12:00:30 2026", -1},
        {"Thu Oct   12:00:30 2026", -1},
        {"Thu Oct  1 12:00:30 2026 GMT", -1},
        {"2026-10-01T12:00:30Z", -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = strlen(cases[i].text);
        struct span text = {guard_put(&input, cases[i].text, n), n};
        if (http_field_retry_after(text, NOW) != cases[i].ms)
            print_message("%s\n", cases[i].text);
        assert_true(http_field_retry_after(text, NOW) == cases[i].ms);
        for (size_t cut = 0; cut < n; cut++) /* shorter, as it may be; never past the page */
            (void)http_field_retry_after((struct span){guard_put(&input, cases[i].text, cut), cut},
                                         NOW);
    }
    assert_true(http_field_retry_after((struct span){NULL, 0}, NOW) == -1);
}

static void test_every_month_and_day_name(void **state)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    static const char *const days[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                       "Friday", "Saturday", "Sunday"};
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t start = INT64_C(1767225600000); /* 2026-01-01 */
    char text[64];
    (void)state;
    for (size_t i = 0; i < COUNT(months); i++) {
        for (size_t d = 0; d < COUNT(days); d++) {
            (void)snprintf(text, sizeof(text), "%.3s, 01 %s 2026 00:00:10 GMT", days[d], months[i]);
            assert_true(http_field_retry_after(span_of(text), start) == 10000);
            (void)snprintf(text, sizeof(text), "%s, 01-%s-26 00:00:10 GMT", days[d], months[i]);
            assert_true(http_field_retry_after(span_of(text), start) == 10000);
            (void)snprintf(text, sizeof(text), "%.3s %s  1 00:00:10 2026", days[d], months[i]);
            assert_true(http_field_retry_after(span_of(text), start) == 10000);
        }
        start += lengths[i] * DAY;
    }
}

static void test_short_years_at_the_turn_of_a_century(void **state)
{
    int64_t eve = INT64_C(4102444790000); /* 2099-12-31T23:59:50Z */
    (void)state;
    assert_true(http_field_retry_after(span_of("Friday, 01-Jan-00 00:00:10 GMT"), eve) == 20000);
    assert_true(http_field_retry_after(span_of("Friday, 01-Jan-50 00:00:10 GMT"), eve) == 0);
    assert_true(http_field_retry_after(span_of("Friday, 01-Jan-49 00:00:10 GMT"), eve) == DAY);
    /* And from the other side. */
    assert_true(http_field_retry_after(span_of("Thursday, 31-Dec-99 23:59:59 GMT"), eve + 20000) ==
                0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_a_prefix_is_never_whole),
        cmocka_unit_test(test_the_end_within_the_head),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_every_byte_of_a_name),
        cmocka_unit_test(test_no_bytes_change_nothing),
        cmocka_unit_test(test_a_body_that_takes_none),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_a_long_head),
        cmocka_unit_test(test_a_long_line_at_the_end_of_a_long_head),
        cmocka_unit_test(test_chunk_extensions),
        cmocka_unit_test(test_many_headers),
        cmocka_unit_test(test_many_interim_responses),
        cmocka_unit_test(test_a_status_is_told_as_soon_as_it_is_there),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_every_month_and_day_name),
        cmocka_unit_test(test_short_years_at_the_turn_of_a_century),
    };
    return cmocka_run_group_tests(tests, open_guards, close_guards);
}
