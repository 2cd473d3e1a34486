#include "base/inflate.h"

#include "guard.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define OUT_MAX 65536

/* ---- Streams that zlib made ---- */

#define BEER_BYTES 1271

static const struct sample {
    const char *name;
    const char *stream;
    size_t n;
    const char *text; /* NULL: see beer() */
} samples[] = {
#define SAMPLE(name, stream, text)                                                                 \
    {                                                                                              \
        name, stream, sizeof(stream) - 1, text                                                     \
    }
    SAMPLE("nothing", "\x03\x00", ""),
    SAMPLE("stored", "\x01\x0c\x00\xf3\xff\x73\x74\x6f\x72\x65\x64\x20\x62\x79\x74\x65\x73",
           "stored bytes"),
    SAMPLE("fixed", "\x4b\xcb\xac\x48\x4d\x51\x48\x43\x90\x00", "fixed fixed fixed"),
    SAMPLE("two blocks and an empty one",
           "\xca\xcf\x4b\x55\x00\x00\x00\x00\xff\xff\x2b\x29\xcf\x07\x00", "one two"),
    SAMPLE("literals alone",
           "\x05\xc1\x85\x01\x03\x00\x0c\xc0\xa0\x5b\x49\xe7\xee\x76\xfd\x00\x6a\xa0\x06\x6a\xa0"
           "\x06\x6a\xa0\x06\x6a\xa0\x06\x6a\x34\x8b\xe5\x6a\xbd\xd9\xee\xf6\x87\xe3\xe9\x7c\xb9"
           "\xde\xee\x8f\xe7\xeb\xfd\xf9\xfe\xfe",
           "aaaabbcaaaabbcaaaabbcaaaabbcaaaabbcaaaabbcaaaabbcaaaabbcaaaabbcabcdefghijklmnopqrstuvwx"
           "yz"),
    SAMPLE("dynamic",
           "\x85\xd3\xcb\x09\x80\x30\x14\x44\xd1\x56\x5e\x01\x2e\x9c\x89\xdf\x72\x14\x22\x2e\x82"
           "\x01\x0d\xd8\xbe\x1d\x78\xd7\x77\x77\x98\x19\xfa\xd8\x6b\x6b\x25\x3f\x51\x8f\xd8\x73"
           "\xbe\xa3\x5e\xd1\xce\x1c\xef\x56\x4a\x17\x69\x85\xbe\x40\x9f\xa1\x4f\xd0\x47\xe8\x03"
           "\xf4\x04\xdd\xd0\x05\x1d\xfc\x0c\x7e\x06\x3f\x83\x9f\xc1\xcf\xe0\x67\xf0\x33\xf8\x19"
           "\xfc\x0c\x7e\x06\x3f\x81\x9f\xc0\x4f\xe0\x27\xf0\x13\xf8\x09\xfc\x04\x7e\x02\x3f\x81"
           "\x9f\xc0\x0f\xf8\x40\x0f\xf0\xc0\x0e\xe8\xe8\xb9\x30\x1c\x70\xf9\xcf\x1f",
           NULL),
};

static char storage[OUT_MAX];

static const char *beer(void)
{
    static char text[BEER_BYTES + 1];
    struct buf b;

    buf_init(&b, text, sizeof(text));
    for (int n = 40; n > 0; n--) {
        buf_int(&b, n);
        buf_str(&b, " bottles of beer on the wall, ");
    }
    assert_int_equal(buf_view(&b).n, BEER_BYTES);
    return buf_text(&b);
}

/* Both ends against an unreadable page: the stream whole, then every shorter one; room as needed,
 * then one byte less. */
static void test_samples(void **state)
{
    struct guard in, out;
    struct buf b;

    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        const struct sample *s = &samples[i];
        const char *text = s->text != NULL ? s->text : beer();
        size_t n = strlen(text);
        guard_open(&in, s->n);
        guard_open(&out, n);
        const char *stream = guard_put(&in, s->stream, s->n);
        buf_init(&b, guard_put(&out, text, n), n);
        memset(b.p, '?', n);
        assert_int_equal(inflate_all((struct span){stream, s->n}, &b), 0);
        assert_true(span_is(buf_view(&b), text));
        for (size_t cut = 0; cut < s->n; cut++) {
            buf_reset(&b);
            stream = guard_put(&in, s->stream, cut);
            assert_int_equal(inflate_all((struct span){stream, cut}, &b), -1);
            assert_memory_equal(b.p, text, b.n);
        }
        if (n > 0) {
            buf_init(&b, guard_put(&out, text, n - 1), n - 1);
            assert_int_equal(inflate_all((struct span){s->stream, s->n}, &b), -1);
        }
        guard_close(&in);
        guard_close(&out);
    }
}

/* What stands in front stays, and is not reached; what follows the last block is ignored. */
static void test_appends(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, storage, sizeof(storage));
    buf_str(&b, "before: ");
    assert_int_equal(
        inflate_all((struct span){"\x4b\xcb\xac\x48\x4d\x51\x48\x43\x90\x00junk", 14}, &b), 0);
    assert_true(span_is(buf_view(&b), "before: fixed fixed fixed"));
}

/* ---- Streams made bit by bit ---- */

static struct {
    uint8_t data[OUT_MAX + 64];
    size_t bits;
} made;

/* A number: the lowest bit first, then zeros. */
static void put(unsigned value, unsigned n)
{
    for (unsigned i = 0; i < n; i++, made.bits++)
        made.data[made.bits / 8] |= (uint8_t)((i < 32 ? (value >> i) & 1 : 0) << (made.bits % 8));
}

/* A code: the highest bit first. */
static void put_code(unsigned code, unsigned n)
{
    while (n-- > 0)
        put((code >> n) & 1, 1);
}

static void begin(unsigned type)
{
    memset(&made, 0, sizeof(made));
    put(1, 1);
    put(type, 2);
}

/* A symbol, and a distance's, of a fixed block. */
static void put_fixed(unsigned symbol)
{
    if (symbol < 144)
        put_code(0x30 + symbol, 8);
    else if (symbol < 256)
        put_code(0x190 + symbol - 144, 9);
    else if (symbol < 280)
        put_code(symbol - 256, 7);
    else
        put_code(0xc0 + symbol - 280, 8);
}

static int result(struct buf *b)
{
    buf_init(b, storage, sizeof(storage));
    return inflate_all((struct span){(const char *)made.data, (made.bits + 7) / 8}, b);
}

static void test_distances(void **state)
{
    struct buf b;

    (void)state;
    begin(1); /* nothing before it */
    put_fixed(257);
    put_code(0, 5);
    put_fixed(256);
    assert_int_equal(result(&b), -1);
    for (unsigned distance = 1; distance <= 2; distance++) {
        begin(1);
        put_fixed('a');
        put_fixed(257);
        put_code(distance - 1, 5);
        put_fixed(256);
        assert_int_equal(result(&b), distance == 1 ? 0 : -1);
        if (distance == 1)
            assert_true(span_is(buf_view(&b), "aaaa"));
    }
}

/* Not what the caller had put there, though it is memory of the same buffer. */
static void test_window_begins_with_the_stream(void **state)
{
    struct buf b;

    (void)state;
    begin(1);
    put_fixed(257);
    put_code(0, 5);
    put_fixed(256);
    buf_init(&b, storage, sizeof(storage));
    buf_str(&b, "secret");
    assert_int_equal(inflate_all((struct span){(const char *)made.data, 8}, &b), -1);
    assert_int_equal(b.n, 6);
}

/* Every length of the table at its first and last value, and the longest. */
static void test_lengths(void **state)
{
    static const unsigned first[] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                     15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                     67, 83, 99, 115, 131, 163, 195, 227, 258};
    struct buf b;

    (void)state;
    for (unsigned i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
        unsigned extra = i < 8 || i == 28 ? 0 : i / 4 - 1;
        for (unsigned end = 0; end <= 1; end++) {
            unsigned more = end * ((1U << extra) - 1);
            begin(1);
            put_fixed('x');
            put_fixed(257 + i);
            put(more, extra);
            put_code(0, 5);
            put_fixed(256);
            assert_int_equal(result(&b), 0);
            assert_int_equal(b.n, 1 + first[i] + more);
        }
    }
}

static void put_stored(unsigned n)
{
    put(0, (unsigned)(8 - made.bits % 8) % 8);
    put(n, 16);
    put(n ^ 0xffff, 16);
    for (unsigned i = 0; i < n; i++)
        put((i * 31 + i / 256) & 0xff, 8);
}

/* Every distance of the table at its first and last value; two codes stand for none. */
static void test_all_distances(void **state)
{
    struct buf b;
    unsigned first = 1;

    (void)state;
    for (unsigned code = 0; code < 32; code++) {
        unsigned extra = code < 4 ? 0 : code / 2 - 1;
        for (unsigned end = 0; end <= 1; end++) {
            unsigned more = end * ((1U << extra) - 1);
            memset(&made, 0, sizeof(made));
            put(0, 3);
            put_stored(60000);
            put(1, 1);
            put(1, 2);
            put_fixed(257);
            put_code(code, 5);
            put(more, extra);
            put_fixed(256);
            assert_int_equal(result(&b), code < 30 ? 0 : -1);
            if (code < 30)
                assert_memory_equal(b.p + 60000, b.p + 60000 - first - more, 3);
        }
        first += 1U << extra;
    }
    assert_true(first > 32768);
}

static void test_no_such_symbols(void **state)
{
    struct buf b;

    (void)state;
    for (unsigned symbol = 285; symbol < 288; symbol++) {
        begin(1);
        put_fixed('x');
        put_fixed(symbol);
        put_code(0, 5);
        put_fixed(256);
        put(0, 16);
        assert_int_equal(result(&b), symbol == 285 ? 0 : -1);
    }
}

static void test_bad_blocks(void **state)
{
    static const struct span bad[] = {
        {"", 0},
        {"\x07", 1},                  /* no such type */
        {"\x01\x01\x00\xfe\xfex", 6}, /* the length and its check differ */
        {"\x01\x01\x00\xfe\xff", 5},  /* longer than the rest */
        {"\x00\x01\x00\xfe\xffx", 6}, /* no last block */
        {"\x01\x01\x00\xfe", 4},      /* cut in the length */
    };
    struct buf b;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        buf_init(&b, storage, sizeof(storage));
        assert_int_equal(inflate_all(bad[i], &b), -1);
    }
    assert_int_equal(inflate_all((struct span){"\x01\x01\x00\xfe\xffx", 6},
                                 (buf_init(&b, storage, sizeof(storage)), &b)),
                     0);
}

/* The head of a dynamic block: the lengths of the codes of code lengths, in their odd order. */
static void begin_dynamic(unsigned literals, unsigned distances, const uint8_t lengths[19])
{
    static const uint8_t order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                      11, 4,  12, 3, 13, 2, 14, 1, 15};

    begin(2);
    put(literals - 257, 5);
    put(distances - 1, 5);
    put(19 - 4, 4);
    for (unsigned i = 0; i < 19; i++)
        put(lengths[order[i]], 3);
}

/* 'a' and the end of the block have codes of one bit, one distance has a code, the other of its
 * length is none. last is the distance's bit. */
static void put_small(unsigned last, unsigned run)
{
    static const uint8_t lengths[19] = {[0] = 2, [1] = 2, [18] = 2};

    begin_dynamic(258, 1, lengths); /* codes: 0 = 00, 1 = 01, 18 = 10 */
    put_code(2, 2);
    put(97 - 11, 7);
    put_code(1, 2); /* 'a' */
    put_code(2, 2);
    put(138 - 11, 7);
    put_code(2, 2);
    put(run - 11, 7);
    put_code(1, 2); /* the end */
    put_code(0, 2); /* 257 */
    put_code(1, 2); /* the distance */
    put_code(0, 1);
    put_code(last, 1);
}

static void test_dynamic(void **state)
{
    struct buf b;

    (void)state;
    put_small(1, 20);
    assert_int_equal(result(&b), 0);
    assert_true(span_is(buf_view(&b), "a"));
    put_small(0, 20); /* no end in sight: zeros are 'a', until there are no more */
    assert_int_equal(result(&b), -1);
}

static void test_bad_codes(void **state)
{
    static const uint8_t too_many[19] = {1, 1, 1};
    static const uint8_t repeat_first[19] = {[0] = 1, [16] = 1};
    static const uint8_t long_run[19] = {[18] = 1, [1] = 1};
    static const uint8_t ones[19] = {[0] = 1, [1] = 1};
    static const uint8_t one[19] = {[0] = 1};
    struct buf b;

    (void)state;
    begin_dynamic(257, 1, too_many); /* three codes of one bit */
    put(0, 1000);
    assert_int_equal(result(&b), -1);
    begin_dynamic(257, 1, repeat_first); /* the last one once more, and there is none */
    put_code(1, 1);
    put(0, 1000);
    assert_int_equal(result(&b), -1);
    begin_dynamic(257, 1, long_run); /* 138 and 138 are more than 258 */
    put_code(1, 1);
    put(127, 7);
    put_code(1, 1);
    put(127, 7);
    put(0, 1000);
    assert_int_equal(result(&b), -1);
    begin_dynamic(288, 32, ones); /* 320 codes of one bit */
    put(0xffffffffU, 32);
    for (unsigned i = 0; i < 9; i++)
        put(0xffffffffU, 32);
    put(0, 100);
    assert_int_equal(result(&b), -1);
    begin_dynamic(257, 1, one); /* the other bit is no code */
    put(0, 100);
    put(1, 1);
    put(0, 1000);
    assert_int_equal(result(&b), -1);
    begin_dynamic(257, 1, one); /* no symbol has a code */
    put(0, 1000);
    assert_int_equal(result(&b), -1);
}

/* Three zeros where there are two lengths left, and all else is well; where there are three. */
static void test_run_over_the_end(void **state)
{
    static const uint8_t lengths[19] = {[1] = 2, [17] = 2, [18] = 2};
    struct buf b;

    (void)state;
    for (unsigned distances = 1; distances <= 2; distances++) {
        begin_dynamic(258, distances, lengths); /* codes: 1 = 00, 17 = 01, 18 = 10 */
        put_code(2, 2);
        put(97 - 11, 7);
        put_code(0, 2); /* 'a' */
        put_code(2, 2);
        put(138 - 11, 7);
        put_code(2, 2);
        put(20 - 11, 7);
        put_code(0, 2); /* the end */
        put_code(1, 2);
        put(0, 3);
        put_code(0, 1);
        put_code(1, 1);
        assert_int_equal(result(&b), distances == 2 ? 0 : -1);
    }
}

/* Nothing else is wrong with it: were it three zeros, it would be put_small(). */
static void test_repeat_of_nothing(void **state)
{
    static const uint8_t lengths[19] = {[0] = 2, [1] = 2, [16] = 2, [18] = 2};
    struct buf b;

    (void)state;
    for (unsigned bad = 0; bad <= 1; bad++) {
        begin_dynamic(258, 1, lengths); /* codes: 0 = 00, 1 = 01, 16 = 10, 18 = 11 */
        if (bad == 0)
            put_code(0, 2);
        put_code(2, 2);
        put(0, 2); /* three times */
        put_code(3, 2);
        put((bad == 0 ? 93 : 94) - 11, 7);
        put_code(1, 2); /* 'a' */
        put_code(3, 2);
        put(138 - 11, 7);
        put_code(3, 2);
        put(20 - 11, 7);
        put_code(1, 2); /* the end */
        put_code(0, 2);
        put_code(1, 2); /* the distance */
        put_code(0, 1);
        put_code(1, 1);
        assert_int_equal(result(&b), bad == 0 ? 0 : -1);
    }
}

/* A code that is said to be there and is not complete: a distance of no code fails, not reads. */
static void test_code_that_is_none(void **state)
{
    static const uint8_t lengths[19] = {[0] = 2, [1] = 2, [2] = 2, [18] = 2};
    struct buf b;

    (void)state;
    for (unsigned bit = 0; bit <= 1; bit++) {
        begin_dynamic(258, 1, lengths); /* codes: 0 = 00, 1 = 01, 2 = 10, 18 = 11 */
        put_code(3, 2);
        put(97 - 11, 7);
        put_code(1, 2); /* 'a': 0 */
        put_code(3, 2);
        put(138 - 11, 7);
        put_code(3, 2);
        put(20 - 11, 7);
        put_code(2, 2); /* the end: 10 */
        put_code(2, 2); /* length 3: 11 */
        put_code(1, 2); /* distance 1: 0 */
        put_code(0, 1);
        put_code(3, 2);
        put_code(bit, 1);
        put_code(2, 2);
        put(0, 32);
        assert_int_equal(result(&b), bit == 0 ? 0 : -1);
        assert_int_equal(b.n, bit == 0 ? 4 : 1);
    }
}

/* A small stream that stands for much stops where the room ends. */
static void test_bomb(void **state)
{
    struct guard out;
    struct buf b;

    (void)state;
    begin(1);
    put_fixed('x');
    for (unsigned i = 0; i < 3000; i++) {
        put_fixed(285);
        put_code(0, 5);
    }
    put_fixed(256);
    guard_open(&out, 1000);
    buf_init(&b, guard_put(&out, storage, 1000), 1000);
    assert_int_equal(inflate_all((struct span){(const char *)made.data, made.bits / 8 + 1}, &b),
                     -1);
    assert_true(b.n <= 1000);
    guard_close(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_distances),
        cmocka_unit_test(test_window_begins_with_the_stream),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_all_distances),
        cmocka_unit_test(test_no_such_symbols),
        cmocka_unit_test(test_bad_blocks),
        cmocka_unit_test(test_dynamic),
        cmocka_unit_test(test_bad_codes),
        cmocka_unit_test(test_run_over_the_end),
        cmocka_unit_test(test_repeat_of_nothing),
        cmocka_unit_test(test_code_that_is_none),
        cmocka_unit_test(test_bomb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
