/* A response in pieces is what it is whole; what is taken keeps the limits, what is refused says
 * why. The first byte says how large the pieces are, the second how large a body may be. */
#include "net/http_parse.c"

#include "net/http_field.h"

#include <stdlib.h>

#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_parse whole, pieces;

/* In memory of just its size, so that one byte too far is seen. */
static char *copy_of(const void *bytes, size_t n)
{
    char *copy = malloc(n > 0 ? n : 1);

    REQUIRE(copy != NULL);
    if (n > 0)
        memcpy(copy, bytes, n);
    return copy;
}

static enum http_parse_result feed(struct http_parse *p, struct span text, size_t piece,
                                   size_t *used)
{
    enum http_parse_result result = HTTP_PARSE_MORE;
    size_t taken;

    *used = 0;
    for (size_t n; text.n > 0 && result == HTTP_PARSE_MORE;
         text = (struct span){text.p + n, text.n - n}) {
        n = text.n < piece ? text.n : piece;
        char *copy = copy_of(text.p, n);
        result = http_parse_feed(p, copy, n, &taken);
        free(copy);
        REQUIRE(taken <= n && (result != HTTP_PARSE_MORE || taken == n));
        *used += taken;
    }
    return result;
}

static void check_one(const struct http_parse *p, enum http_parse_result result)
{
    REQUIRE(p->status == 0 || (p->status >= 200 && p->status <= 999));
    REQUIRE(p->body_n <= p->body_cap);
    REQUIRE(p->head_bytes <= HTTP_HEAD_MAX && p->line_n <= HTTP_LINE_MAX);
    REQUIRE(p->headers <= HTTP_HEADERS_MAX + 1 && p->interim <= HTTP_INTERIM_MAX + 1);
    REQUIRE((result == HTTP_PARSE_BAD) == (p->why[0] != '\0'));
    REQUIRE(result != HTTP_PARSE_DONE || p->status != 0);
    REQUIRE(strnlen(p->request_id, sizeof(p->request_id)) <= HTTP_VALUE_MAX);
    size_t n = strnlen(p->retry_after, sizeof(p->retry_after));
    REQUIRE(n <= HTTP_VALUE_MAX);
    int64_t ms = http_field_retry_after((struct span){p->retry_after, n}, INT64_C(1790856000000));
    REQUIRE(ms >= -1 && ms <= INT64_C(86400000));
}

static void check_same(const struct http_parse *a, const struct http_parse *b)
{
    REQUIRE(strcmp(a->why, b->why) == 0);
    REQUIRE(a->status == b->status);
    REQUIRE(strcmp(a->retry_after, b->retry_after) == 0);
    REQUIRE(strcmp(a->request_id, b->request_id) == 0);
    if (a->why[0] != '\0')
        return;
    REQUIRE(a->keep_alive == b->keep_alive);
    REQUIRE(a->body_n == b->body_n && memcmp(a->body, b->body, a->body_n) == 0);
}

/* Nothing short of the whole is whole. */
static void check_prefix(struct span text, size_t used, size_t cap)
{
    char *body = malloc(cap + 1);
    size_t taken;

    REQUIRE(body != NULL);
    http_parse_init(&pieces, body + 1, cap);
    REQUIRE(feed(&pieces, (struct span){text.p, used - 1}, used, &taken) == HTTP_PARSE_MORE);
    REQUIRE(taken == used - 1);
    free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t used[2];

    if (size < 2)
        return 0;
    size_t piece = 1 + data[0] % 31;
    size_t cap = (size_t)data[1] * 16;
    struct span text = {(const char *)data + 2, size - 2};
    char *bodies[2] = {malloc(cap + 1), malloc(cap + 1)};
    REQUIRE(bodies[0] != NULL && bodies[1] != NULL);
    http_parse_init(&whole, bodies[0] + 1, cap);
    http_parse_init(&pieces, bodies[1] + 1, cap);

    enum http_parse_result result = feed(&whole, text, SIZE_MAX, &used[0]);
    REQUIRE(feed(&pieces, text, piece, &used[1]) == result);
    REQUIRE(used[0] == used[1] || result == HTTP_PARSE_BAD);
    check_one(&whole, result);
    check_same(&whole, &pieces);
    if (result == HTTP_PARSE_MORE) {
        result = http_parse_end(&whole);
        REQUIRE(result != HTTP_PARSE_MORE && http_parse_end(&pieces) == result);
        REQUIRE(result == HTTP_PARSE_BAD || !whole.keep_alive);
        check_one(&whole, result);
        check_same(&whole, &pieces);
    } else if (result == HTTP_PARSE_DONE) {
        check_prefix(text, used[0], cap);
    }
    free(bodies[0]);
    free(bodies[1]);
    return 0;
}
