/* A body that is put into chunks comes out as it was, however the chunks are written and wherever
 * the pieces are cut; nothing short of the last byte is whole. */
#include "net/http_parse.c"

#include <stdlib.h>

#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

#define BODY_MAX 4096
#define TEXT_MAX 28000 /* its head and extensions stay below HTTP_HEAD_MAX */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_parse parse;
static char text[TEXT_MAX];
static size_t text_n;

static void put(const char *bytes, size_t n)
{
    REQUIRE(text_n + n <= sizeof(text));
    memcpy(text + text_n, bytes, n);
    text_n += n;
}

static void put_text(const char *s)
{
    put(s, strlen(s));
}

/* The size of a chunk: some leading zeros, either case of letters, perhaps an extension. */
static void put_size(size_t n, unsigned manner)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    static const char *const extensions[] = {"", ";", ";a", "; a=b;c=\"d e\"", " ", "\t;x", "", ""};

    for (unsigned zeros = manner & 3; zeros > 0; zeros--)
        put("0", 1);
    for (int shift = 12; shift >= 0; shift -= 4)
        if (n >> shift > 0 || shift == 0)
            put(&digits[((manner & 4) << 2) + (n >> shift & 15)], 1);
    put_text(extensions[manner >> 3 & 7]);
    put_text("\r\n");
}

/* Each chunk has a byte for its size and one for its manner before it; the rest is the body. */
static size_t put_chunks(const uint8_t *data, size_t size, char *body)
{
    size_t body_n = 0;
    unsigned manner = 0;

    while (size > 2 && body_n < BODY_MAX && text_n < TEXT_MAX / 2) {
        size_t n = data[0] % 200u + 1;
        manner = data[1];
        data += 2;
        size -= 2;
        n = n < size ? n : size;
        n = n < BODY_MAX - body_n ? n : BODY_MAX - body_n;
        put_size(n, manner);
        put((const char *)data, n);
        put_text("\r\n");
        memcpy(body + body_n, data, n);
        body_n += n;
        data += n;
        size -= n;
    }
    put_size(0, manner >> 1);
    if ((manner & 0x80) != 0)
        put_text("Trailer: 1\r\nContent-Length: 9\r\n");
    put_text("\r\n");
    return body_n;
}

/* Pieces as the bytes say, over and over; none: byte by byte. */
static void check(const uint8_t *cuts, size_t cuts_n, const char *body, size_t body_n)
{
    char *storage = malloc(body_n + 1);
    size_t used;

    REQUIRE(storage != NULL);
    http_parse_init(&parse, storage + 1, body_n); /* not a byte more than it needs */
    for (size_t at = 0, i = 0, n; at < text_n; at += n, i++) {
        n = cuts_n > 0 ? cuts[i % cuts_n] + (size_t)1 : 1;
        n = n < text_n - at ? n : text_n - at;
        enum http_parse_result result = http_parse_feed(&parse, text + at, n, &used);
        REQUIRE(result == (at + n < text_n ? HTTP_PARSE_MORE : HTTP_PARSE_DONE));
        REQUIRE(used == n);
    }
    REQUIRE(parse.status == 200 && parse.keep_alive);
    REQUIRE(parse.body_n == body_n && memcmp(parse.body, body, body_n) == 0);
    free(storage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char body[BODY_MAX];

    text_n = 0;
    put_text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    size_t cuts_n = size > 0 ? data[0] % 8u : 0;
    if (cuts_n + 1 > size)
        cuts_n = 0;
    const uint8_t *rest = size > 0 ? data + 1 + cuts_n : data;
    size_t body_n = put_chunks(rest, size > 0 ? size - 1 - cuts_n : 0, body);
    check(NULL, 0, body, body_n);
    check(size > 0 ? data + 1 : data, cuts_n, body, body_n);
    check((const uint8_t[]){255}, 1, body, body_n);
    return 0;
}
