#include "base/buf.h"
#include "base/json_object.h"
#include "base/json_read.h"
#include "base/limits.h"

#include "guard.h"

#include <string.h>
#include <time.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DEPTH 16

static jsmntok_t tokens[JSON_TOKENS_MAX];

static enum json_error read_span(struct json *doc, struct span s)
{
    return json_read(doc, s.p, s.n, tokens, COUNT(tokens), DEPTH);
}

static struct json read_text(const char *text)
{
    struct json doc = {0};

    assert_int_equal(read_span(&doc, span_of(text)), JSON_OK);
    return doc;
}

/* ---- Look-ups ---- */

static void test_tokens_run_out(void **state)
{
    static const char text[] = "{\"a\":[1,\"b\",{}],\"c\":null}"; /* 8 tokens */
    struct json doc;

    (void)state;
    for (unsigned max = 0; max < 8; max++)
        assert_int_equal(json_read(&doc, text, sizeof(text) - 1, tokens, max, DEPTH), JSON_SIZE);
    assert_int_equal(json_read(&doc, text, sizeof(text) - 1, tokens, 8, DEPTH), JSON_OK);
    assert_int_equal(doc.count, 8);
    assert_int_equal(json_read(&doc, "1", 1, tokens, 0, DEPTH), JSON_SIZE);
    assert_int_equal(json_read(&doc, "\"\"", 2, tokens, 0, DEPTH), JSON_SIZE);
    assert_int_equal(json_read(&doc, text, (size_t)INT32_MAX + 1, tokens, 8, DEPTH), JSON_SIZE);
}

static void test_roots(void **state)
{
    static const struct {
        const char *text, *raw;
        enum json_type type;
    } cases[] = {
        {" 12 ", "12", JSON_NUMBER},   {"-0", "-0", JSON_NUMBER},
        {"true", "true", JSON_TRUE},   {"\n false", "false", JSON_FALSE},
        {"null\t", "null", JSON_NULL}, {" \"a\" ", "\"a\"", JSON_STRING},
        {"\"\"", "\"\"", JSON_STRING}, {" [ 1 ] ", "[ 1 ]", JSON_ARRAY},
        {" {} ", "{}", JSON_OBJECT},
    };
    struct guard g;

    (void)state;
    guard_open(&g, 64);
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = strlen(cases[i].text);
        struct json doc;
        struct span s = {guard_put(&g, cases[i].text, n), n};
        assert_int_equal(read_span(&doc, s), JSON_OK);
        assert_int_equal(json_type(&doc, JSON_ROOT), cases[i].type);
        assert_true(span_is(json_raw(&doc, JSON_ROOT), cases[i].raw));
        assert_int_equal(json_value(&doc, JSON_ROOT), JSON_NONE);
        if (cases[i].type < JSON_ARRAY) {
            assert_int_equal(json_first(&doc, JSON_ROOT), JSON_NONE);
            assert_int_equal(doc.count, 1);
        }
    }
    guard_close(&g);
}

static void test_members(void **state)
{
    struct json doc = read_text("{\"a\":{\"b\":{\"x\":1},\"c\":2},\"c\":[{\"d\":3},[],{},4],"
                                "\"\":5,\"\\u0062\":6,\"\xc5\xbc\":7,\"e\\u0000\":8,"
                                "\"\\ud83d\\ude00\":9,\"\\ud800\":10,\"c\":11}");
    static const struct {
        const char *name, *raw;
    } cases[] = {
        {"a", "{\"b\":{\"x\":1},\"c\":2}"},
        {"b", "6"},
        {"c", "[{\"d\":3},[],{},4]"},
        {"", "5"},
        {"\xc5\xbc", "7"},
        {"\xf0\x9f\x98\x80", "9"},
        {"x", ""}, /* inside, not here */
        {"d", ""},
        {"aa", ""},
        {"e", ""},
        {"\xed\xa0\x80", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_ref ref = json_member(&doc, JSON_ROOT, cases[i].name);
        assert_true(span_is(json_raw(&doc, ref), cases[i].raw));
        assert_int_equal(ref == JSON_NONE, cases[i].raw[0] == '\0');
    }
    json_ref a = json_member(&doc, JSON_ROOT, "a");
    assert_true(span_is(json_raw(&doc, json_member(&doc, a, "c")), "2"));
    assert_int_equal(json_member(&doc, a, "a"), JSON_NONE);
    json_ref b = json_member(&doc, a, "b");
    assert_true(span_is(json_raw(&doc, json_member(&doc, b, "x")), "1"));
    json_ref c = json_member(&doc, JSON_ROOT, "c");
    assert_int_equal(json_member(&doc, c, "d"), JSON_NONE);
    doc = read_text("{\"aa\":1}");
    assert_int_equal(json_member(&doc, JSON_ROOT, "a"), JSON_NONE);
}

static void test_order(void **state)
{
    struct json doc =
        read_text("{\"a\":[[1,[2]],\"s\",{\"k\":{\"l\":0}},null],\"b\":{},\"c\":\"v\"}");
    static const char *const names[] = {"\"a\"", "\"b\"", "\"c\""};
    static const char *const values[] = {"[[1,[2]],\"s\",{\"k\":{\"l\":0}},null]", "{}", "\"v\""};
    static const char *const elements[] = {"[1,[2]]", "\"s\"", "{\"k\":{\"l\":0}}", "null"};
    size_t i = 0;

    (void)state;
    for (json_ref at = json_first(&doc, 0); at != JSON_NONE; at = json_next(&doc, 0, at), i++) {
        assert_in_range(i, 0, COUNT(names) - 1);
        assert_true(span_is(json_raw(&doc, at), names[i]));
        assert_true(span_is(json_raw(&doc, json_value(&doc, at)), values[i]));
    }
    assert_int_equal(i, COUNT(names));
    i = 0;
    json_ref a = json_member(&doc, JSON_ROOT, "a");
    for (json_ref at = json_first(&doc, a); at != JSON_NONE; at = json_next(&doc, a, at), i++) {
        assert_in_range(i, 0, COUNT(elements) - 1);
        assert_true(span_is(json_raw(&doc, at), elements[i]));
        assert_int_equal(json_value(&doc, at), JSON_NONE);
    }
    assert_int_equal(i, COUNT(elements));
    json_ref b = json_member(&doc, JSON_ROOT, "b");
    assert_int_equal(json_first(&doc, b), JSON_NONE);
    /* A string that is a value has no value of its own. */
    assert_int_equal(json_value(&doc, json_member(&doc, JSON_ROOT, "c")), JSON_NONE);
}

static void test_no_such_value(void **state)
{
    struct json doc = read_text("{\"a\":[1]}");
    const json_ref refs[] = {JSON_NONE, -2, INT32_MIN, doc.count, INT32_MAX};
    char text[8];
    int64_t number;
    double real;

    (void)state;
    for (size_t i = 0; i < COUNT(refs); i++) {
        assert_int_equal(json_type(&doc, refs[i]), JSON_NULL);
        assert_int_equal(json_member(&doc, refs[i], "a"), JSON_NONE);
        assert_int_equal(json_first(&doc, refs[i]), JSON_NONE);
        assert_int_equal(json_next(&doc, refs[i], 0), JSON_NONE);
        assert_int_equal(json_value(&doc, refs[i]), JSON_NONE);
        assert_false(json_duplicates(&doc, refs[i]));
        assert_int_equal(json_raw(&doc, refs[i]).n, 0);
        assert_int_equal(json_string(&doc, refs[i], text, sizeof(text)), -1);
        assert_int_equal(json_string_cut(&doc, refs[i], text, sizeof(text)), -1);
        assert_int_equal(json_int(&doc, refs[i], 0, 1, &number), -1);
        assert_int_equal(json_real(&doc, refs[i], 0, 1, &real), -1);
    }
    assert_int_equal(json_next(&doc, 0, JSON_NONE), JSON_NONE);
    assert_int_equal(json_next(&doc, 0, INT32_MAX - 1), JSON_NONE);
}

/* The same object with many members more. */
static bool duplicates_among_many(const char *text)
{
    char storage[1024];
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    buf_str(&b, "{");
    for (char name = 'B'; name <= 'Z'; name++) {
        buf_str(&b, "\"");
        buf_char(&b, name);
        buf_str(&b, "\":0,");
    }
    buf_str(&b, text[1] == '}' ? "\"last\":0}" : text + 1);
    struct json doc = read_text(buf_text(&b));
    return json_duplicates(&doc, JSON_ROOT);
}

static void test_duplicates(void **state)
{
    static const struct {
        const char *text;
        bool duplicates;
    } cases[] = {
        {"{}", false},
        {"{\"a\":1}", false},
        {"{\"a\":1,\"b\":2,\"c\":3}", false},
        {"{\"a\":1,\"b\":2,\"a\":1}", true},
        {"{\"a\":1,\"\\u0061\":2}", true},
        {"{\"\":1,\"\":2}", true},
        {"{\"\":1,\"\\u0000\":2}", false},
        {"{\"/\":1,\"\\/\":2}", true},
        {"{\"\\n\":1,\"\\u000A\":2}", true},
        {"{\"\xf0\x9f\x98\x80\":1,\"\\uD83D\\ude00\":2}", true},
        {"{\"\\ud83d\":1,\"\\ude00\":2}", false},
        {"{\"\\ud800\":1,\"\\uD800\":2}", true},
        {"{\"a\":1,\"A\":2}", false},
        {"{\"a\":{\"b\":1},\"b\":2}", false},
        {"{\"a\":{\"b\":1,\"b\":2}}", false}, /* not this object's */
        {"[\"a\",\"a\"]", false},
        {"\"a\"", false},
        {"{\"123456789012345678901234567890\":1,\"123456789012345678901234567890\":2}", true},
        {"{\"123456789012345678901234567890\":1,\"1234567890123456789012345678901\":2}", false},
        {"{\"0123456789012345678901234567890123456789012345678901234567890\":1,"
         "\"0123456789012345678901234567890123456789012345678901234567890\":2}",
         true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json doc = read_text(cases[i].text);
        if (json_duplicates(&doc, JSON_ROOT) != cases[i].duplicates)
            fail_msg("%s", cases[i].text);
        if (json_type(&doc, JSON_ROOT) == JSON_OBJECT &&
            duplicates_among_many(cases[i].text) != cases[i].duplicates)
            fail_msg("among many: %s", cases[i].text);
    }
    struct json doc = read_text("{\"a\":{\"b\":1,\"b\":2}}");
    assert_true(json_duplicates(&doc, json_member(&doc, JSON_ROOT, "a")));
}

/* An object as full of members as an event can be: names 00000, 00001, ... */
static struct span full_object(char *storage, size_t cap, unsigned count, const char *last)
{
    struct buf b;

    buf_init(&b, storage, cap);
    buf_char(&b, '{');
    for (unsigned i = 0; i < count; i++) {
        char digits[] = "\"00000\":0,";
        unsigned rest = i;
        for (char *at = digits + 5; rest > 0; rest /= 10)
            *at-- = (char)('0' + rest % 10);
        buf_str(&b, digits);
    }
    buf_str(&b, last);
    buf_char(&b, '}');
    assert_int_equal(buf_done(&b), 0);
    return buf_view(&b);
}

static double seconds(void)
{
    struct timespec t;

    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Names of which each begins the next one meet in the table, and are not the same. */
static void test_prefixes_are_no_duplicates(void **state)
{
    char text[8192];
    struct json doc;
    struct buf b;

    (void)state;
    buf_init(&b, text, sizeof(text));
    for (int i = 0; i < 100; i++) {
        buf_str(&b, i == 0 ? "{\"" : ",\"");
        for (int k = 0; k < i; k++)
            buf_char(&b, 'a');
        buf_str(&b, "\":0");
    }
    buf_char(&b, '}');
    assert_int_equal(buf_done(&b), 0);
    assert_int_equal(read_span(&doc, buf_view(&b)), JSON_OK);
    assert_false(json_duplicates(&doc, JSON_ROOT));
}

/* The end of an inner array is found without a look at what follows it: that takes 10 s here. */
static void test_many_arrays(void **state)
{
    enum { ARRAYS = 65536 };
    static char text[4 * ARRAYS + 1];
    static jsmntok_t many[2 * ARRAYS + 1];
    struct json doc;
    double before = seconds();
    int count = 0;

    (void)state;
    for (size_t i = 0; i < ARRAYS; i++)
        memcpy(text + 4 * i, i == 0 ? "[[0]" : ",[0]", 4);
    text[4 * ARRAYS] = ']';
    assert_int_equal(json_read(&doc, text, sizeof(text), many, COUNT(many), 2), JSON_OK);
    for (json_ref at = json_first(&doc, 0); at != JSON_NONE; at = json_next(&doc, 0, at))
        for (json_ref in = json_first(&doc, at); in != JSON_NONE; in = json_next(&doc, at, in))
            count++;
    assert_int_equal(count, ARRAYS);
    assert_true(seconds() - before < 5);
}

/* Comparing each name with each, or stepping over siblings from the start, takes 10 s here. */
static void test_many_members(void **state)
{
    static char text[16 * (JSON_MEMBERS_MAX + 2)];
    static jsmntok_t many[2 * JSON_MEMBERS_MAX + 8];
    struct json doc;
    double before = seconds();

    (void)state;
    struct span s = full_object(text, sizeof(text), JSON_MEMBERS_MAX - 1, "\"last\":1");
    assert_int_equal(json_read(&doc, s.p, s.n, many, COUNT(many), 1), JSON_OK);
    assert_false(json_duplicates(&doc, JSON_ROOT));
    assert_true(span_is(json_raw(&doc, json_member(&doc, JSON_ROOT, "last")), "1"));
    unsigned count = 0;
    for (json_ref at = json_first(&doc, 0); at != JSON_NONE; at = json_next(&doc, 0, at))
        count++;
    assert_int_equal(count, JSON_MEMBERS_MAX);

    s = full_object(text, sizeof(text), JSON_MEMBERS_MAX - 1, "\"00000\":1");
    assert_int_equal(json_read(&doc, s.p, s.n, many, COUNT(many), 1), JSON_OK);
    assert_true(json_duplicates(&doc, JSON_ROOT));

    s = full_object(text, sizeof(text), JSON_MEMBERS_MAX, "\"last\":1");
    assert_int_equal(json_read(&doc, s.p, s.n, many, COUNT(many), 1), JSON_OK);
    assert_true(json_duplicates(&doc, JSON_ROOT)); /* too many to say otherwise */

    for (size_t i = 0; i < sizeof(text) - 1; i += 2)
        memcpy(text + i, i == 0 ? "[0" : ",0", 2);
    text[EVENT_BYTES_MAX - 2] = ']';
    assert_int_equal(json_read(&doc, text, EVENT_BYTES_MAX - 1, tokens, COUNT(tokens), 1), JSON_OK);
    count = 0;
    for (json_ref at = json_first(&doc, 0); at != JSON_NONE; at = json_next(&doc, 0, at))
        count++;
    assert_int_equal(count, (EVENT_BYTES_MAX - 2) / 2);
    assert_true(seconds() - before < 5);
}

/* ---- Strings and numbers ---- */

static const struct {
    const char *json, *text; /* NULL: refused */
    const char *cut;         /* json_string_cut() with room for all; NULL: as text */
} strings[] = {
    {"\"\"", "", NULL},
    {"\"abc\"", "abc", NULL},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", NULL},
    {"\"\\u0041\\u00e9\\u20AC\"", "A\xc3\xa9\xe2\x82\xac", NULL},
    {"\"\\ud83d\\uDE00!\"", "\xf0\x9f\x98\x80!", NULL},
    {"\"\\udbff\\udfff\"", "\xf4\x8f\xbf\xbf", NULL},
    {"\"\xc5\xbc\"", "\xc5\xbc", NULL},
    {"\"\\ud83d\"", NULL, "\xef\xbf\xbd"},
    {"\"\\ud83dx\"", NULL, "\xef\xbf\xbdx"},
    {"\"\\ude00\\ud83d\"", NULL, "\xef\xbf\xbd\xef\xbf\xbd"},
    {"\"\\ude00\\ude00\"", NULL, "\xef\xbf\xbd\xef\xbf\xbd"},
    {"\"\\ud83d\\u0041\"", NULL,
     "\xef\xbf\xbd"
     "A"},
    {"\"\\ud83d\\\\ude00\"", NULL, "\xef\xbf\xbd\\ude00"},
    {"\"\\ud83d\\ud83d\\ude00\"", NULL, "\xef\xbf\xbd\xf0\x9f\x98\x80"},
    {"\"a\\u0000b\"", NULL, "a\\u0000b"},
    {"\"\\\\u0000\"", "\\u0000", NULL},
    {"12", NULL, NULL},
    {"null", NULL, NULL},
    {"[\"a\"]", NULL, NULL},
    {"{\"a\":\"b\"}", NULL, NULL},
};

static void test_strings(void **state)
{
    struct guard g;

    (void)state;
    guard_open(&g, 64);
    for (size_t i = 0; i < COUNT(strings); i++) {
        struct json doc = read_text(strings[i].json);
        const char *text = strings[i].text;
        for (size_t cap = 1; cap < 40; cap++) {
            char *dst = guard_put(&g, "########################################", cap);
            bool fits = text != NULL && strlen(text) < cap;
            assert_int_equal(json_string(&doc, 0, dst, cap), fits ? (int)strlen(text) : -1);
            assert_string_equal(dst, fits ? text : "");
        }
        char dst[64];
        const char *cut = strings[i].cut != NULL ? strings[i].cut : text;
        int length = json_string_cut(&doc, 0, dst, sizeof(dst));
        assert_int_equal(length, cut != NULL ? (int)strlen(cut) : -1);
        assert_string_equal(dst, cut != NULL ? cut : "");
    }
    struct json doc = read_text("\"\"");
    assert_int_equal(json_string(&doc, 0, NULL, 0), -1);
    guard_close(&g);
}

static void test_string_cut(void **state)
{
    static const struct {
        const char *json;
        size_t cap;
        const char *text;
    } cases[] = {
        {"\"abcd\"", 4, "..."},
        {"\"abc\"", 4, "abc"},
        {"\"abcde\"", 5, "a..."},
        {"\"\xc3\xa4\xc3\xa4\xc3\xa4\"", 6, "\xc3\xa4..."},
        {"\"\xc3\xa4\xc3\xa4\xc3\xa4\"", 7, "\xc3\xa4\xc3\xa4\xc3\xa4"},
        {"\"\\ud83d\\ude00\\ud83d\\ude00\"", 8, "\xf0\x9f\x98\x80..."},
        {"\"\\ud83d\\ude00\\ud83d\\ude00\"", 7, "..."},
        {"\"a\\u0000\"", 7, "a..."},
        {"\"a\\u0000\"", 8, "a\\u0000"},
        {"\"\\u0000\\u0000\"", 8, "..."},
    };
    struct guard g;

    (void)state;
    guard_open(&g, 64);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json doc = read_text(cases[i].json);
        char *dst = guard_put(&g, "################", cases[i].cap);
        assert_int_equal(json_string_cut(&doc, 0, dst, cases[i].cap), strlen(cases[i].text));
        assert_string_equal(dst, cases[i].text);
    }
    guard_close(&g);
}

static void test_numbers(void **state)
{
    struct json doc = read_text("[0,-0,41,-7,1.0,1e2,1e999,9223372036854775808,\"5\",true,0.25]");
    static const struct {
        int int_result, real_result;
        int64_t value;
        double real;
    } cases[] = {
        {0, 0, 0, 0},   {0, 0, 0, 0},    {0, 0, 41, 41},   {0, 0, -7, -7},
        {-1, 0, 0, 1},  {-1, 0, 0, 100}, {-1, -1, 0, 0},   {-1, 0, 0, 9223372036854775808.0},
        {-1, -1, 0, 0}, {-1, -1, 0, 0},  {-1, 0, 0, 0.25},
    };
    size_t i = 0;

    (void)state;
    for (json_ref at = json_first(&doc, 0); at != JSON_NONE; at = json_next(&doc, 0, at), i++) {
        int64_t value = 0;
        double real = 0;
        assert_int_equal(json_int(&doc, at, INT64_MIN, INT64_MAX, &value), cases[i].int_result);
        assert_true(value == cases[i].value);
        assert_int_equal(json_real(&doc, at, -1e300, 1e300, &real), cases[i].real_result);
        assert_true(real == cases[i].real);
    }
    assert_int_equal(i, COUNT(cases));
    int64_t value;
    double real;
    assert_int_equal(json_int(&doc, 3, 0, 40, &value), -1);
    assert_int_equal(json_real(&doc, 3, 0, 40, &real), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens_run_out),
        cmocka_unit_test(test_roots),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_no_such_value),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_prefixes_are_no_duplicates),
        cmocka_unit_test(test_many_members),
        cmocka_unit_test(test_many_arrays),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_string_cut),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
