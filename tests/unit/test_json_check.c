#include "base/buf.h"
#include "base/json_read.h"
#include "base/limits.h"

#include "guard.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DEPTH 16

static jsmntok_t tokens[JSON_TOKENS_MAX];

/* json_read() must be of the same mind: jsmn has nothing to add to what the check says. */
static enum json_error check(struct span s, unsigned depth_max)
{
    struct json doc;
    enum json_error error = json_check(s.p, s.n, depth_max);

    assert_int_equal(json_read(&doc, s.p, s.n, tokens, COUNT(tokens), depth_max), error);
    return error;
}

#define BYTES(s)                                                                                   \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }

/* error_at: length of the shortest prefix that is refused; every shorter one is valid (a number, or
 * spaces after the root) or may go on. 0 where the whole is valid or may go on. */
static const struct {
    struct span text;
    enum json_error error;
    size_t error_at;
} grammar[] = {
    {BYTES("{}"), JSON_OK, 0},
    {BYTES("[]"), JSON_OK, 0},
    {BYTES(" \t\r\n[ \t\r\n] \t\r\n"), JSON_OK, 0},
    {BYTES("null"), JSON_OK, 0},
    {BYTES(" true "), JSON_OK, 0},
    {BYTES("false"), JSON_OK, 0},
    {BYTES("0"), JSON_OK, 0},
    {BYTES("-0"), JSON_OK, 0},
    {BYTES("-0.0e-0"), JSON_OK, 0},
    {BYTES("1e999"), JSON_OK, 0},
    {BYTES("123456789012345678901234567890"), JSON_OK, 0},
    {BYTES("\"\""), JSON_OK, 0},
    {BYTES("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00Ff\""), JSON_OK, 0},
    {BYTES("\"\\u0000\""), JSON_OK, 0},
    {BYTES("\"\\ud800\""), JSON_OK, 0}, /* RFC 8259 lets unpaired surrogates pass */
    {BYTES("\"\x7f\""), JSON_OK, 0},
    {BYTES("\"\xc5\xbc\xe2\x82\xac\xf0\x9f\x98\x80\""), JSON_OK, 0},
    {BYTES("[1,2.5,\"a\",null,true,false,{},[]]"), JSON_OK, 0},
    {BYTES("{\"a\":1,\"b\":{\"c\":[1,{\"d\":\"e\"}]},\"f\":null}"), JSON_OK, 0},
    {BYTES("[{},[1,{\"a\":0},[2,3]],4]"), JSON_OK, 0},
    {BYTES("{\"a\":1,\"a\":2}"), JSON_OK, 0}, /* json_duplicates() says so */
    {BYTES("{ \"a\" : 1 , \"b\" : 2 }"), JSON_OK, 0},
    {BYTES("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"), JSON_OK, 0}, /* 16 */
    {BYTES("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]"), JSON_DEPTH, 17},
    {BYTES("[[[[[[[[[[[[[[[[{"), JSON_DEPTH, 17},
    {BYTES("[[[[[[[[[[[[[[[[],[]]]]]]]]]]]]]]]]"), JSON_OK, 0},
    {BYTES(""), JSON_INCOMPLETE, 0},
    {BYTES(" \n"), JSON_INCOMPLETE, 0},
    {BYTES("{\"a\":"), JSON_INCOMPLETE, 0},
    {BYTES("{\"a\""), JSON_INCOMPLETE, 0},
    {BYTES("{\"a\":1,"), JSON_INCOMPLETE, 0},
    {BYTES("[1"), JSON_INCOMPLETE, 0},
    {BYTES("\"abc"), JSON_INCOMPLETE, 0},
    {BYTES("\"abc\\"), JSON_INCOMPLETE, 0},
    {BYTES("\"abc\\u12"), JSON_INCOMPLETE, 0},
    {BYTES("\"\xe2\x82"), JSON_INCOMPLETE, 0},
    {BYTES("\"\xf0\x9f\x98"), JSON_INCOMPLETE, 0},
    {BYTES("\"\xed\x9f"), JSON_INCOMPLETE, 0},
    {BYTES("\"\xe0"), JSON_INCOMPLETE, 0},
    {BYTES("\"\xf4"), JSON_INCOMPLETE, 0},
    {BYTES("-"), JSON_INCOMPLETE, 0},
    {BYTES("1."), JSON_INCOMPLETE, 0},
    {BYTES("[1e+"), JSON_INCOMPLETE, 0},
    {BYTES("nul"), JSON_INCOMPLETE, 0},
    {BYTES("{\"a\":1,}"), JSON_SYNTAX, 8},
    {BYTES("[1,,3]"), JSON_SYNTAX, 4},
    {BYTES("[1,]"), JSON_SYNTAX, 4},
    {BYTES("[,1]"), JSON_SYNTAX, 2},
    {BYTES("{,}"), JSON_SYNTAX, 2},
    {BYTES("nul "), JSON_SYNTAX, 4},
    {BYTES("nulL"), JSON_SYNTAX, 4},
    {BYTES("nullx"), JSON_SYNTAX, 5},
    {BYTES("True"), JSON_SYNTAX, 1},
    {BYTES("{} {}"), JSON_SYNTAX, 4},
    {BYTES("{}1"), JSON_SYNTAX, 3},
    {BYTES("1 2"), JSON_SYNTAX, 3},
    {BYTES("1,2"), JSON_SYNTAX, 2},
    {BYTES("{},{}"), JSON_SYNTAX, 3},
    {BYTES("\"a\"\"b\""), JSON_SYNTAX, 4},
    {BYTES("[1 2]"), JSON_SYNTAX, 4},
    {BYTES("[1}"), JSON_SYNTAX, 3},
    {BYTES("{\"a\":1]"), JSON_SYNTAX, 7},
    {BYTES("]"), JSON_SYNTAX, 1},
    {BYTES("}"), JSON_SYNTAX, 1},
    {BYTES("[]]"), JSON_SYNTAX, 3},
    {BYTES("{\"a\"}"), JSON_SYNTAX, 5},
    {BYTES("{\"a\" 1}"), JSON_SYNTAX, 6},
    {BYTES("{\"a\"::1}"), JSON_SYNTAX, 6},
    {BYTES("{\"a\":}"), JSON_SYNTAX, 6},
    {BYTES("{a:1}"), JSON_SYNTAX, 2},
    {BYTES("{1:1}"), JSON_SYNTAX, 2},
    {BYTES("{\"a\":1 \"b\":2}"), JSON_SYNTAX, 8},
    {BYTES("{\"a\",\"b\"}"), JSON_SYNTAX, 5},
    {BYTES("[\"a\":1]"), JSON_SYNTAX, 5},
    {BYTES("{'a':1}"), JSON_SYNTAX, 2},
    {BYTES("[1]//"), JSON_SYNTAX, 4},
    {BYTES("/*a*/1"), JSON_SYNTAX, 1},
    {BYTES("\"a\nb\""), JSON_SYNTAX, 3},
    {BYTES("\"a\x1f\""), JSON_SYNTAX, 3},
    {BYTES("\"\\x41\""), JSON_SYNTAX, 3},
    {BYTES("\"\\'\""), JSON_SYNTAX, 3},
    {BYTES("\"\\U0041\""), JSON_SYNTAX, 3},
    {BYTES("\"\\u00g0\""), JSON_SYNTAX, 6},
    {BYTES("\"\\u123\""), JSON_SYNTAX, 7},
    {BYTES("01"), JSON_SYNTAX, 2},
    {BYTES("-01"), JSON_SYNTAX, 3},
    {BYTES("+1"), JSON_SYNTAX, 1},
    {BYTES(".5"), JSON_SYNTAX, 1},
    {BYTES("1.e5"), JSON_SYNTAX, 3},
    {BYTES("[1.]"), JSON_SYNTAX, 4},
    {BYTES("[-]"), JSON_SYNTAX, 3},
    {BYTES("[1e]"), JSON_SYNTAX, 4},
    {BYTES("1.5.5"), JSON_SYNTAX, 4},
    {BYTES("0x10"), JSON_SYNTAX, 2},
    {BYTES("NaN"), JSON_SYNTAX, 1},
    {BYTES("-Infinity"), JSON_SYNTAX, 2},
    {BYTES("[1\v]"), JSON_SYNTAX, 3},
    {BYTES("[\xc2\xa0]"), JSON_SYNTAX, 2},     /* a no-break space is no space */
    {BYTES("\xef\xbb\xbf{}"), JSON_SYNTAX, 1}, /* the byte order mark */
    {BYTES("\xef{}"), JSON_SYNTAX, 1},
    {BYTES("\"\xc0\xaf\""), JSON_UTF8, 2}, /* overlong */
    {BYTES("\"\xe0\x9f\xbf\""), JSON_UTF8, 3},
    {BYTES("\"\xf0\x8f\xbf\xbf\""), JSON_UTF8, 3},
    {BYTES("\"\xed\xa0\x80\""), JSON_UTF8, 3}, /* a surrogate */
    {BYTES("\"\xf4\x90\x80\x80\""), JSON_UTF8, 3},
    {BYTES("\"\xf5\x80\x80\x80\""), JSON_UTF8, 2},
    {BYTES("\"\x80\""), JSON_UTF8, 2},
    {BYTES("\"\xc3\""), JSON_UTF8, 3},
    {BYTES("\"\xe2\x82x\""), JSON_UTF8, 4},
    {BYTES("\xff"), JSON_UTF8, 1},
    {BYTES("[\xff]"), JSON_UTF8, 2},
    {BYTES("\"a\0b\""), JSON_UTF8, 3},
    {BYTES("\0"), JSON_UTF8, 1},
    {BYTES("{}\0"), JSON_UTF8, 3},
    {BYTES("[1\0]"), JSON_UTF8, 3},
    {BYTES("\"\\\0\""), JSON_UTF8, 3},
    {BYTES("\"\\u00\0\""), JSON_UTF8, 6},
    {BYTES("t\0ue"), JSON_UTF8, 2},
    {BYTES("-\0"), JSON_UTF8, 2},
};

static void test_grammar(void **state)
{
    struct guard g;

    (void)state;
    guard_open(&g, 256);
    for (size_t i = 0; i < COUNT(grammar); i++) {
        struct span text = grammar[i].text;
        for (size_t k = 0; k <= text.n; k++) {
            enum json_error error = check((struct span){guard_put(&g, text.p, k), k}, DEPTH);
            bool refused = grammar[i].error_at != 0 && k >= grammar[i].error_at;
            bool expected = refused || k == text.n ? error == grammar[i].error
                                                   : error == JSON_OK || error == JSON_INCOMPLETE;
            if (!expected)
                fail_msg("%s, first %zu: %s", text.p, k, json_error_text(error));
        }
    }
    guard_close(&g);
}

/* A prefix of a document that begins with a bracket is a document only when it is whole. */
static void test_prefixes_are_incomplete(void **state)
{
    static const char text[] =
        "{\"a\":[1,-2.5e+3,\"x\\ud83d\\ude00\xc5\xbc\"],\"b\":{\"c\":null,\"d\":[true,false]}}";
    struct guard g;

    (void)state;
    guard_open(&g, sizeof(text));
    for (size_t k = 0; k < sizeof(text) - 1; k++)
        assert_int_equal(check((struct span){guard_put(&g, text, k), k}, DEPTH), JSON_INCOMPLETE);
    assert_int_equal(check(span_of(text), DEPTH), JSON_OK);
    guard_close(&g);
}

static void test_depth(void **state)
{
    char text[200];

    (void)state;
    for (unsigned depth = 1; depth <= 70; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        for (unsigned max = 0; max <= 80; max += 8) {
            enum json_error expected = depth <= max && depth <= 64 ? JSON_OK : JSON_DEPTH;
            assert_int_equal(check((struct span){text, 2 * depth}, max), expected);
        }
    }
    assert_int_equal(check(span_of("1"), 0), JSON_OK);
}

/* An object in an array, and so on to the full depth, closed in the right order. */
static void test_mixed_depth(void **state)
{
    char text[300];
    struct buf b;

    (void)state;
    buf_init(&b, text, sizeof(text));
    for (int i = 0; i < 32; i++)
        buf_str(&b, "[{\"\":");
    buf_str(&b, "0");
    for (int i = 0; i < 32; i++)
        buf_str(&b, "}]");
    assert_int_equal(buf_done(&b), 0);
    struct span s = buf_view(&b);
    assert_int_equal(check(s, 64), JSON_OK);
    assert_int_equal(check(s, 63), JSON_DEPTH);
    text[s.n - 2] = ']';
    assert_int_equal(check(s, 64), JSON_SYNTAX);
}

/* What one byte in a string makes of the document, wherever it stands. */
static enum json_error one_byte(unsigned char byte)
{
    if (byte == '\0' || byte >= 0x80)
        return JSON_UTF8;
    return byte < ' ' || byte == '"' || byte == '\\' ? JSON_SYNTAX : JSON_OK;
}

static void test_any_byte_at_any_place(void **state)
{
    struct guard g;
    char text[32];

    (void)state;
    guard_open(&g, 64);
    for (size_t before = 0; before <= 9; before++)
        for (size_t after = 1; after <= 9; after++)
            for (unsigned byte = 0; byte <= 0xff; byte++) {
                size_t n = before + after + 3;
                memset(text, 'a', n);
                text[0] = text[n - 1] = '"';
                text[before + 1] = (char)byte;
                const char *flush = guard_put(&g, text, n);
                assert_int_equal(json_check(flush, n, DEPTH), one_byte((unsigned char)byte));
            }
    guard_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_prefixes_are_incomplete),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_mixed_depth),
        cmocka_unit_test(test_any_byte_at_any_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
