#include "base/json_read.h"
#include "base/json_write.h"
#include "base/utf8.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_document(void **state)
{
    char storage[512];
    struct json_write w;
    struct buf b;

    (void)state;
    buf_init(&b, storage, sizeof(storage));
    json_write_init(&w, &b);
    json_write_object(&w, NULL);
    json_write_object(&w, "empty");
    json_write_end_object(&w);
    json_write_array(&w, "list");
    json_write_int(&w, NULL, -1);
    json_write_int(&w, NULL, INT64_MIN);
    json_write_array(&w, NULL);
    json_write_end_array(&w);
    json_write_object(&w, NULL);
    json_write_null(&w, "n");
    json_write_end_object(&w);
    json_write_str(&w, NULL, "s");
    json_write_end_array(&w);
    json_write_bool(&w, "t", true);
    json_write_bool(&w, "f", false);
    json_write_str(&w, "absent", NULL);
    json_write_str(&w, "text", "x");
    json_write_raw(&w, "raw", span_of("[1, 2]"));
    json_write_raw_named(&w, span_of("\"n\\u0061\""), span_of("1e5"));
    json_write_span(&w, "a\"b", span_of("last"));
    json_write_end_object(&w);
    assert_string_equal(buf_text(&b),
                        "{\"empty\":{},\"list\":[-1,-9223372036854775808,[],{\"n\":null},\"s\"],"
                        "\"t\":true,\"f\":false,\"absent\":null,\"text\":\"x\",\"raw\":[1, 2],"
                        "\"n\\u0061\":1e5,\"a\\\"b\":\"last\"}");
}

static void test_strings(void **state)
{
    static const struct {
        struct span in;
        const char *out;
    } cases[] = {
        {{"", 0}, "\"\""},
        {{NULL, 0}, "\"\""},
        {{"a/b", 3}, "\"a/b\""},
        {{"\"\\", 2}, "\"\\\"\\\\\""},
        {{"\n\r\t\b\f", 5}, "\"\\n\\r\\t\\u0008\\u000c\""},
        {{"a\0b", 3}, "\"a\\u0000b\""},
        {{"\x1f\x7f", 2}, "\"\\u001f\\u007f\""},
        {{"\xc2\x9f\xc2\xa0", 4}, "\"\\u009f\xc2\xa0\""},
        {{"\xc5\xbc\xf0\x9f\x98\x80", 6}, "\"\xc5\xbc\xf0\x9f\x98\x80\""},
        {{"\xe2\x80\xae\xef\xbb\xbf", 6}, "\"\\u202e\\ufeff\""},
        {{"\xf3\xa0\x81\x81", 4}, "\"\\udb40\\udc41\""},
        {{"a\xff\xc5", 3}, "\"a\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"\xed\xa0\x80", 3}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char storage[64];
        struct json_write w;
        struct buf b;
        buf_init(&b, storage, sizeof(storage));
        json_write_init(&w, &b);
        json_write_span(&w, NULL, cases[i].in);
        assert_string_equal(buf_text(&b), cases[i].out);
    }
}

/* Each character of Unicode, written and read again, is itself. */
static void test_round_trip(void **state)
{
    (void)state;
    for (uint32_t cp = 1; cp <= 0x10ffff; cp++) {
        char in[5] = {0}, out[5], storage[32];
        struct json_write w;
        struct json doc;
        jsmntok_t token;
        struct buf b;
        if (cp == 0xd800)
            cp = 0xe000;
        size_t n = utf8_put(in, cp);
        buf_init(&b, storage, sizeof(storage));
        json_write_init(&w, &b);
        json_write_span(&w, NULL, (struct span){in, n});
        struct span s = buf_view(&b);
        if (json_read(&doc, s.p, s.n, &token, 1, 0) != JSON_OK ||
            json_string(&doc, JSON_ROOT, out, sizeof(out)) != (int)n || strcmp(in, out) != 0)
            fail_msg("U+%04X", cp);
    }
}

static void test_overflow(void **state)
{
    char storage[16];
    struct json_write w;
    struct buf b;

    (void)state;
    for (size_t cap = 0; cap < sizeof("{\"key\":\"ab\"}") - 1; cap++) {
        buf_init(&b, storage, cap);
        json_write_init(&w, &b);
        json_write_object(&w, NULL);
        json_write_str(&w, "key", "ab");
        json_write_end_object(&w);
        assert_int_equal(buf_done(&b), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
