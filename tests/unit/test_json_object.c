#include "base/json_object.h"

#include "base/buf.h"

#include "guard.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DEPTH 16

static const struct span names[] = {{"a", 1}, {"e", 1}, {"bc", 2}, {"bd", 2}, {"long", 4}};

static enum json_error read_object(struct json_object *object, struct span text,
                                   struct span *values)
{
    memset(object, 0xff, sizeof(*object));
    return json_object_read(object, text, DEPTH, names, values, COUNT(names));
}

static const struct {
    const char *text;
    enum json_type type;
    bool twice;
    const char *values[COUNT(names)]; /* NULL = none */
} cases[] = {
    {"{}", JSON_OBJECT, false, {NULL}},
    {" \t\r\n{ } ", JSON_OBJECT, false, {NULL}},
    {"[\"a\",1]", JSON_ARRAY, false, {NULL}},
    {"[{\"a\":1}]", JSON_ARRAY, false, {NULL}},
    {"[[\"a\"],{\"a\":1,\"a\":2}]", JSON_ARRAY, false, {NULL}},
    {" \"a\"", JSON_STRING, false, {NULL}},
    {"\n-1 ", JSON_NUMBER, false, {NULL}},
    {"null", JSON_NULL, false, {NULL}},
    {" true", JSON_TRUE, false, {NULL}},
    {"false", JSON_FALSE, false, {NULL}},
    {"{\"a\":1,\"bc\":2,\"long\":3}", JSON_OBJECT, false, {"1", NULL, "2", NULL, "3"}},
    {" { \"a\" : 1 , \"e\" : \"x \" , \"bd\":{ \"q\" : [ ] } } ",
     JSON_OBJECT,
     false,
     {"1", "\"x \"", NULL, "{ \"q\" : [ ] }", NULL}},
    {"{\"long\":[1,{\"a\":2}],\"bd\":{\"e\":3,\"e\":4}}",
     JSON_OBJECT,
     false,
     {NULL, NULL, NULL, "{\"e\":3,\"e\":4}", "[1,{\"a\":2}]"}},
    {"{\"a\":{},\"e\":[],\"bc\":\"\",\"bd\":-0.5e+1,\"long\":false}",
     JSON_OBJECT,
     false,
     {"{}", "[]", "\"\"", "-0.5e+1", "false"}},
    {"{\"\\u0061\":1,\"b\\u0063\":2,\"\\u006cong\":null}",
     JSON_OBJECT,
     false,
     {"1", NULL, "2", NULL, "null"}},
    {"{\"A\":1,\"b\":2,\"be\":3,\"lonG\":4,\"longer\":5,\"\":6}", JSON_OBJECT, false, {NULL}},
    {"{\"\\\\u0061\":1,\"a\\u0000\":2,\"a\\\"\":3}", JSON_OBJECT, false, {NULL}},
    {"{\"a\":1,\"x\":0,\"\\u0061\":2}", JSON_OBJECT, true, {"1"}},
    {"{\"a\":1,\"x\":0,\"a\":2}", JSON_OBJECT, true, {"1"}},
    {"{\"x\":1,\"a\":0,\"\\u0078\":2}", JSON_OBJECT, true, {"0"}},
    {"{\"x\":1,\"y\":0,\"z\":2,\"y\":3}", JSON_OBJECT, true, {NULL}},
};

static void look(size_t i, struct span text)
{
    struct span values[COUNT(names)];
    struct json_object object;

    assert_int_equal(read_object(&object, text, values), JSON_OK);
    if (object.twice != cases[i].twice || object.type != cases[i].type)
        fail_msg("%s", cases[i].text);
    for (size_t n = 0; n < COUNT(names); n++)
        if (!span_is(values[n], cases[i].values[n]))
            fail_msg("%s, %s", cases[i].text, names[n].p);
}

static void test_members(void **state)
{
    struct guard g;

    (void)state;
    guard_open(&g, 256);
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = strlen(cases[i].text);
        look(i, (struct span){guard_put(&g, cases[i].text, n), n});
    }
    guard_close(&g);
}

/* What was where in the documents before makes no difference. */
static void test_in_any_order(void **state)
{
    (void)state;
    for (size_t before = 0; before < COUNT(cases); before++) {
        for (size_t i = 0; i < COUNT(cases); i++) {
            look(before, span_of(cases[before].text));
            look(i, span_of(cases[i].text));
            look(i, span_of(cases[i].text));
        }
    }
}

/* What json_check() says of each start of a document, it says too. */
static void test_it_checks_first(void **state)
{
    struct span values[COUNT(names)];
    struct json_object object;
    struct guard g;

    (void)state;
    guard_open(&g, 256);
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t n = 0; n < strlen(cases[i].text); n++) {
            const char *p = guard_put(&g, cases[i].text, n);
            assert_int_equal(read_object(&object, (struct span){p, n}, values),
                             json_check(p, n, DEPTH));
        }
    }
    guard_close(&g);
    assert_int_equal(read_object(&object, span_of("{\"a\":1,}"), values), JSON_SYNTAX);
    assert_int_equal(read_object(&object, span_of("{\"a\":\"\xff\"}"), values), JSON_UTF8);
    assert_int_equal(json_object_read(&object, span_of("{\"a\":[1]}"), 1, NULL, NULL, 0),
                     JSON_DEPTH);
}

/* {"00000":0,"00001":0,...,last} */
static struct span full(char *storage, size_t cap, unsigned count, const char *last)
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

/* However many others there are: few are compared in pairs, many by hash, too many are refused. */
static void test_twice_among_many(void **state)
{
    static char storage[16 * JSON_MEMBERS_MAX];
    static const unsigned counts[] = {0, 1, 14, 15, 16, 17, 100, JSON_MEMBERS_MAX - 3};
    struct span values[COUNT(names)];
    struct json_object object;

    (void)state;
    for (size_t i = 0; i < COUNT(counts); i++) {
        for (int twice = 0; twice <= 1; twice++) {
            const char *last = twice ? "\"x\":1,\"y\":2,\"\\u0078\":3" : "\"x\":1,\"y\":2,\"a\":3";
            struct span text = full(storage, sizeof(storage), counts[i], last);
            assert_int_equal(read_object(&object, text, values), JSON_OK);
            assert_int_equal(object.twice, twice);
            assert_true(span_is(values[0], twice ? NULL : "3"));
        }
    }
    struct span text = full(storage, sizeof(storage), JSON_MEMBERS_MAX, "\"a\":1");
    assert_int_equal(read_object(&object, text, values), JSON_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_in_any_order),
        cmocka_unit_test(test_it_checks_first),
        cmocka_unit_test(test_twice_among_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
