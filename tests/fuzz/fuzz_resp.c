/* What passes is the same however it comes, fits where it goes, and is what hiredis' reader and its
 * callers can bear. The first byte says how large the pieces are and whether a subscriber reads,
 * the second how much room there is. */
#include "net/resp.c"

#include <stdlib.h>
#include <sys/types.h>

#include <hiredis/hiredis.h>

#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

#define SIZE_MOST 70000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char whole[SIZE_MOST + RESP_ROOM_MIN], pieces[SIZE_MOST + RESP_ROOM_MIN];

/* Input and output are of just their size, so that one byte too far is seen. */
static ptrdiff_t feed_one(struct resp *r, const char *bytes, size_t n, char *out, size_t cap,
                          size_t *out_n)
{
    char *from = malloc(n), *to = malloc(cap);

    REQUIRE(from != NULL && to != NULL);
    memcpy(from, bytes, n);
    ptrdiff_t taken = resp_feed(r, from, n, to, cap, out_n);
    REQUIRE(*out_n <= cap);
    memcpy(out, to, *out_n);
    free(from);
    free(to);
    return taken;
}

static void check_state(const struct resp *r)
{
    REQUIRE(r->depth <= RESP_DEPTH_MAX && r->elements <= RESP_ELEMENTS_MAX);
    REQUIRE(r->kept_bytes <= RESP_REPLY_MAX && r->held_n < RESP_ROOM_MIN);
    REQUIRE((r->held_n > 0) + r->in_text + (r->bulk_left > 0) <= 1);
    for (unsigned d = 1; d <= r->depth; d++)
        REQUIRE(r->left[d] > 0 && r->left[d] <= RESP_ELEMENTS_MAX);
}

/* In pieces; what came out, its length. */
static size_t feed(struct resp *r, const char *bytes, size_t n, size_t piece, size_t cap, char *out)
{
    size_t total = 0;

    while (n > 0) {
        size_t now = n < piece ? n : piece, out_n = 0;
        size_t here = cap > 0 ? cap : now + RESP_ROOM_MIN;
        ptrdiff_t taken = feed_one(r, bytes, now, out + total, here, &out_n);
        total += out_n;
        REQUIRE(total <= SIZE_MOST + RESP_ROOM_MIN);
        REQUIRE((taken < 0) == (r->error != NULL));
        if (taken < 0)
            break;
        REQUIRE((size_t)taken <= now && (taken > 0 || out_n > 0));
        REQUIRE(here < now + RESP_ROOM_MIN || (size_t)taken == now);
        check_state(r);
        bytes += taken;
        n -= (size_t)taken;
    }
    return total;
}

/* What hiredis' asynchronous context asserts. */
static void check_message(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 3)
        return;
    REQUIRE(reply->elements <= 4);
    REQUIRE(reply->element[0]->type == REDIS_REPLY_STRING);
    REQUIRE(reply->element[1]->type == REDIS_REPLY_STRING);
    const char *kind = reply->element[0]->str;
    kind += span_lower(kind[0]) == 'p';
    if (span_is_nocase(span_of(kind), "subscribe") || span_is_nocase(span_of(kind), "unsubscribe"))
        REQUIRE(reply->element[2]->type == REDIS_REPLY_INTEGER);
}

static void check_reader(const struct resp *r, const char *out, size_t n)
{
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;

    REQUIRE(reader != NULL && redisReaderFeed(reader, out, n) == REDIS_OK);
    while (redisReaderGetReply(reader, &reply) == REDIS_OK && reply != NULL) {
        if (r->subscriber)
            check_message(reply);
        freeReplyObject(reply);
    }
    REQUIRE(reader->err == 0);
    /* Both are within a reply, or neither is; a null that is passed over is complete already. */
    bool within = reader->ridx > 0 || (reader->ridx == 0 && reader->task[0]->type >= 0);
    if (r->error == NULL && r->held_n == 0 && !(r->bulk_left > 0 && r->passing_over))
        REQUIRE(within == (r->depth > 0 || r->in_text || r->bulk_left > 0));
    redisReaderFree(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct resp one, many;

    if (size < 3 || size > SIZE_MOST)
        return 0;
    const char *bytes = (const char *)data + 2;
    size -= 2;
    resp_init(&one, (data[0] & 1) != 0);
    resp_init(&many, (data[0] & 1) != 0);
    size_t whole_n = feed(&one, bytes, size, SIZE_MAX, 0, whole);
    size_t pieces_n =
        feed(&many, bytes, size, 1 + data[0] / 2, RESP_ROOM_MIN + (size_t)data[1], pieces);
    REQUIRE(whole_n == pieces_n && memcmp(whole, pieces, whole_n) == 0);
    REQUIRE((one.error != NULL) == (many.error != NULL));
    if (one.error != NULL) {
        size_t n = strnlen(one.error, RESP_ERROR_MAX + 1);
        REQUIRE(n > 0 && n <= RESP_ERROR_MAX);
        REQUIRE(strncmp(one.error, "no RESP", 7) == 0 ? strncmp(many.error, "no RESP", 7) == 0
                                                      : strcmp(one.error, many.error) == 0);
    }
    check_reader(&one, whole, whole_n);
    return 0;
}
