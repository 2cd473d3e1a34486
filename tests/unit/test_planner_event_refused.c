/* What is refused as an event, and what becomes of hostile names. */

#include "base/buf.h"
#include "planner/event.h"

#include "guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ARRIVED INT64_C(1780000000000)
#define GOOD "{\"type\":\"x\",\"node\":\"n\""

static struct event event;

static enum event_error parse(struct span text)
{
    return event_parse(&event, text, NULL, span_of("origin"), ARRIVED);
}

/* ---- Documents ---- */

#define BYTES(s)                                                                                   \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }

static const struct {
    struct span text;
    enum event_error error;
} documents[] = {
    {BYTES(GOOD "}"), EVENT_OK},
    {BYTES(" \r\n\t" GOOD "}\n\n"), EVENT_OK},
    {BYTES(GOOD ",\"a\":{\"b\":1,\"b\":2}}"), EVENT_OK},
    {BYTES(GOOD ",\"message\":\"\\u0000\\u001b\\ud83d\\ude00\"}"), EVENT_OK},
    {BYTES(""), EVENT_NOT_JSON},
    {BYTES("  \n"), EVENT_NOT_JSON},
    {BYTES("{\"type\":\"x\",\"no"), EVENT_NOT_JSON},
    {BYTES("{'type':'x','node':'n'}"), EVENT_NOT_JSON},
    {BYTES(GOOD ",}"), EVENT_NOT_JSON},
    {BYTES(GOOD "}" GOOD "}"), EVENT_NOT_JSON},
    {BYTES(GOOD "}x"), EVENT_NOT_JSON},
    {BYTES("\xef\xbb\xbf" GOOD "}"), EVENT_NOT_JSON},
    {BYTES(GOOD ",\"a\":[1,,2]}"), EVENT_NOT_JSON},
    {BYTES(GOOD ",\"a\":nul}"), EVENT_NOT_JSON},
    {BYTES(GOOD ",\"a\":01}"), EVENT_NOT_JSON},
    {BYTES(GOOD ",\"a\":\"\n\"}"), EVENT_NOT_JSON},
    {BYTES(GOOD ",\"a\":\"\x1b\"}"), EVENT_NOT_JSON},
    {BYTES("[" GOOD "}]"), EVENT_NOT_OBJECT},
    {BYTES("\"x\""), EVENT_NOT_OBJECT},
    {BYTES("17"), EVENT_NOT_OBJECT},
    {BYTES("null"), EVENT_NOT_OBJECT},
    {BYTES("true"), EVENT_NOT_OBJECT},
    {BYTES(GOOD ",\"message\":\"a\0b\"}"), EVENT_NOT_UTF8},
    {BYTES(GOOD "}\0"), EVENT_NOT_UTF8},
    {BYTES("\0" GOOD "}"), EVENT_NOT_UTF8},
    {BYTES(GOOD ",\"a\":nul,\"b\":\"\0\"}"), EVENT_NOT_UTF8},
    {BYTES(GOOD ",\"a\":nul,\"b\":\"\xff\"}"), EVENT_NOT_UTF8},
    {BYTES(GOOD ",\"a\":\"\xff\"}"), EVENT_NOT_UTF8},
    {BYTES(GOOD ",\"\xff\":1}"), EVENT_NOT_UTF8},
    {BYTES(GOOD ",\"a\":\"\xc0\xaf\"}"), EVENT_NOT_UTF8},
    {BYTES(GOOD ",\"a\":\"\xed\xa0\x80\"}"), EVENT_NOT_UTF8},
    {BYTES(GOOD ",\"a\":\"\xf4\x90\x80\x80\"}"), EVENT_NOT_UTF8},
    {BYTES(GOOD ",\"a\":\"\xe2\x82\"}"), EVENT_NOT_UTF8},
    {BYTES(GOOD ",\"type\":\"y\"}"), EVENT_DUPLICATE},
    {BYTES(GOOD ",\"node\":\"n\"}"), EVENT_DUPLICATE},
    {BYTES(GOOD ",\"a\":1,\"a\":1}"), EVENT_DUPLICATE},
    {BYTES(GOOD ",\"\\u006eode\":\"m\"}"), EVENT_DUPLICATE},
    {BYTES("{\"a\":1,\"a\":1}"), EVENT_DUPLICATE},
    {BYTES("{\"data\":" GOOD ",\"a\":1,\"a\":1}}"), EVENT_DUPLICATE},
    {BYTES("{\"update\":1,\"update\":2,\"data\":" GOOD "}}"), EVENT_DUPLICATE},
    {BYTES("{\"data\":" GOOD "},\"event\":{\"a\":1,\"a\":1}}"), EVENT_OK},
};

static void test_documents(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(documents); i++) {
        enum event_error error = parse(documents[i].text);
        if (error != documents[i].error)
            fail_msg("%s: %s", documents[i].text.p, event_error_text(error));
    }
}

/* Every prefix ends where an unreadable page begins; one of a whole event may go on. */
static void test_byte_by_byte(void **state)
{
    struct guard g;
    (void)state;
    guard_open(&g, 512);
    for (size_t i = 0; i < COUNT(documents); i++) {
        for (size_t n = 0; n <= documents[i].text.n; n++) {
            const char *p = guard_put(&g, documents[i].text.p, n);
            enum event_error error = parse((struct span){p, n});
            if (n == documents[i].text.n)
                assert_int_equal(error, documents[i].error);
            else if (documents[i].error == EVENT_OK && error != EVENT_OK)
                assert_int_equal(error, EVENT_NOT_JSON);
        }
    }
    guard_close(&g);
}

static void fill(char *text, const char *start, char c, size_t n, const char *end)
{
    size_t at = strlen(start);
    memcpy(text, start, at);
    memset(text + at, c, n);
    memcpy(text + at + n, end, strlen(end) + 1);
}

static void test_size(void **state)
{
    static const char start[] = GOOD ",\"message\":\"";
    char *text = malloc(EVENT_BYTES_MAX + 16);
    (void)state;
    assert_non_null(text);
    fill(text, start, 'x', EVENT_BYTES_MAX - (sizeof(start) - 1) - 2, "\"}");
    assert_int_equal(strlen(text), EVENT_BYTES_MAX);
    assert_int_equal(parse(span_of(text)), EVENT_OK);
    fill(text, start, 'x', EVENT_BYTES_MAX - (sizeof(start) - 1) - 1, "\"}");
    assert_int_equal(parse(span_of(text)), EVENT_TOO_LARGE);
    /* Size comes first. */
    memset(text, 0, EVENT_BYTES_MAX + 1);
    assert_int_equal(parse((struct span){text, EVENT_BYTES_MAX + 1}), EVENT_TOO_LARGE);
    assert_int_equal(parse((struct span){text, EVENT_BYTES_MAX}), EVENT_NOT_UTF8);
    /* As many values as there is room for. */
    static const char list[] = GOOD ",\"data\":[0";
    size_t n = sizeof(list) - 1;
    memcpy(text, list, n);
    while (n + 4 <= EVENT_BYTES_MAX) {
        text[n++] = ',';
        text[n++] = '0';
    }
    text[n++] = ']';
    text[n++] = '}';
    assert_int_equal(parse((struct span){text, n}), EVENT_OK);
    free(text);
}

static void test_depth(void **state)
{
    static char text[20100];
    static char close[10050];
    (void)state;
    for (size_t depth = 15; depth < 10002; depth = depth < 18 ? depth + 1 : depth * 8) {
        memset(close, ']', depth - 1);
        memcpy(close + depth - 1, "}", 2);
        fill(text, GOOD ",\"payload\":", '[', depth - 1, close);
        assert_int_equal(parse(span_of(text)), depth <= 16 ? EVENT_OK : EVENT_TOO_DEEP);
    }
}

/* ---- Names ---- */

/* An event whose node, service or type (0, 1, 2) is this JSON value. */
static enum event_error named(int where, const char *value)
{
    static char text[8192];
    snprintf(text, sizeof(text), "{\"node\":%s,\"service\":%s,\"type\":%s,\"source\":%s}",
             where == 0 ? value : "\"n\"", where == 1 ? value : "\"s\"",
             where == 2 ? value : "\"t\"", where == 3 ? value : "\"o\"");
    return parse(span_of(text));
}

static void test_names_that_are_refused(void **state)
{
    static char long_name[140], huge_name[5200], long_in_bytes[200];
    const char *const values[] = {"5",           "true",          "{}",          "[\"n\"]",
                                  "\"\\u0000\"", "\"a\\u0000b\"", "\"\\ud800\"", long_name,
                                  huge_name,     long_in_bytes};
    (void)state;
    fill(long_name, "\"", 'n', NAME_MAX_BYTES + 1, "\"");
    fill(huge_name, "\"", 'n', 5120, "\"");
    for (int i = 0; i < 65; i++)
        memcpy(long_in_bytes + 1 + 2 * i, "\xc5\xbc", 2);
    long_in_bytes[0] = '"';
    long_in_bytes[131] = '"';
    for (int where = 0; where < 4; where++)
        for (size_t i = 0; i < COUNT(values); i++)
            if (named(where, values[i]) != EVENT_BAD_NAME)
                fail_msg("%d: %s", where, values[i]);
    fill(long_name, "\"", 'n', NAME_MAX_BYTES, "\"");
    for (int where = 0; where < 4; where++)
        assert_int_equal(named(where, long_name), EVENT_OK);
    assert_int_equal(named(0, "\"\""), EVENT_NO_NODE);
    assert_int_equal(named(1, "\"\""), EVENT_OK);
    assert_int_equal(named(2, "\"\""), EVENT_NO_TYPE);
    assert_int_equal(named(3, "\"\""), EVENT_OK);
}

static void test_null_is_no_name(void **state)
{
    (void)state;
    assert_int_equal(named(0, "null"), EVENT_NO_NODE);
    assert_int_equal(named(1, "null"), EVENT_OK);
    assert_string_equal(event.service, "all");
    assert_int_equal(named(2, "null"), EVENT_NO_TYPE);
    assert_int_equal(named(3, "null"), EVENT_OK);
    assert_string_equal(event.source, "");
}

static void test_the_longest_names_make_a_key(void **state)
{
    static char name[140], text[600];
    (void)state;
    fill(name, "", 'n', NAME_MAX_BYTES, "");
    snprintf(text, sizeof(text), "{\"type\":\"x\",\"key\":\"%s/%s\"}", name, name);
    assert_int_equal(parse(span_of(text)), EVENT_OK);
    assert_int_equal(strlen(event.key), 2 * NAME_MAX_BYTES + 1);
    assert_string_equal(event.node, name);
    assert_string_equal(event.service, name);
    snprintf(text, sizeof(text), "{\"type\":\"x\",\"key\":\"%sn/s\"}", name);
    assert_int_equal(parse(span_of(text)), EVENT_BAD_NAME);
    snprintf(text, sizeof(text), "{\"type\":\"x\",\"key\":\"n/%ss\"}", name);
    assert_int_equal(parse(span_of(text)), EVENT_BAD_NAME);
}

static const struct {
    const char *name;
    const char *safe;
    bool plain;
} names[] = {
    {"", "_", false},
    {".", "_", false},
    {"..", "_.", false},
    {"-", "_", false},
    {"-rf", "_rf", false},
    {".hidden", "_hidden", false},
    {"_x", "_x", false},
    {"../../etc/cron.d/x", "_._.._etc_cron.d_x", false},
    {"a/b", "a_b", false},
    {"a\nb", "a_b", false},
    {"a\"b'c", "a_b_c", false},
    {"\x1b[31mred", "__31mred", false},
    {" a b ", "_a_b_", false},
    {"$(reboot);`x`", "__reboot___x_", false},
    {"a\xe2\x80\xae"
     "b",
     "a___b", false},
    {"\xc5\xbc", "__", false},
    {"a\\b%s*?", "a_b_s__", false},
    {"a", "a", true},
    {"9", "9", true},
    {"Z", "Z", true},
    {"A.b_c-9", "A.b_c-9", true},
    {"a..b", "a..b", true},
    {"a-", "a-", true},
};

static void test_safe_names(void **state)
{
    char safe[64];
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        memset(safe, '#', sizeof(safe));
        span_safe_name(safe, span_of(names[i].name));
        assert_string_equal(safe, names[i].safe);
        assert_int_equal(event_plain_name(span_of(names[i].name)), names[i].plain);
        /* It is made safe once and for all. */
        span_safe_name(safe, span_of(names[i].safe));
        assert_string_equal(safe, names[i].safe);
    }
    span_safe_name(safe, (struct span){"a\0b", 3});
    assert_string_equal(safe, "a_b");
    assert_false(event_plain_name((struct span){"a\0b", 3}));
    static char long_name[NAME_MAX_BYTES + 2];
    memset(long_name, 'a', NAME_MAX_BYTES + 1);
    assert_false(event_plain_name((struct span){long_name, NAME_MAX_BYTES + 1}));
    assert_true(event_plain_name((struct span){long_name, NAME_MAX_BYTES}));
}

static void test_every_byte_alone_and_inside(void **state)
{
    static const char inside[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    (void)state;
    for (int c = 1; c < 256; c++) {
        char name[] = {'a', (char)c, '\0'};
        char safe[4];
        bool ok = strchr(inside, c) != NULL;
        span_safe_name(safe, span_of(name));
        assert_int_equal(safe[1], ok ? (char)c : '_');
        assert_int_equal(event_plain_name(span_of(name)), ok);
        bool first = ok && c != '.' && c != '-';
        span_safe_name(safe, span_of(name + 1));
        assert_int_equal(safe[0], first ? (char)c : '_');
        assert_int_equal(event_plain_name(span_of(name + 1)), first && c != '_');
    }
}

static void test_the_original_name_stays(void **state)
{
    (void)state;
    assert_int_equal(named(0, "\"../../etc/cron.d/x\""), EVENT_OK);
    assert_string_equal(event.node, "../../etc/cron.d/x");
    assert_string_equal(event.key, "_._.._etc_cron.d_x/s");
    assert_int_equal(named(1, "\"\\u001b[2J\\u202e\\\"\\n/\""), EVENT_OK);
    assert_string_equal(event.service, "\x1b[2J\xe2\x80\xae\"\n/");
    assert_string_equal(event.key, "n/__2J______");
    assert_int_equal(named(2, "\"\\ufeff \""), EVENT_OK);
    assert_string_equal(event.type, "\xef\xbb\xbf ");
}

static void test_aliases_come_first(void **state)
{
    static const struct aliases aliases = {
        .count = 3,
        .entry = {{"sol", "solaria"}, {"solaria", "elsewhere"}, {"a b", "ab"}},
    };
    static const struct {
        const char *came;
        const char *node;
        const char *key;
    } cases[] = {
        {"sol", "solaria", "solaria/all"},
        {"solaria", "elsewhere", "elsewhere/all"},
        {"a b", "ab", "ab/all"},
        {"SOL", "SOL", "SOL/all"},
        {"so", "so", "so/all"},
    };
    char text[128];
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(text, sizeof(text), "{\"type\":\"x\",\"node\":\"%s\"}", cases[i].came);
        assert_int_equal(event_parse(&event, span_of(text), &aliases, span_of("o"), ARRIVED),
                         EVENT_OK);
        assert_string_equal(event.node_as_came, cases[i].came);
        assert_string_equal(event.node, cases[i].node);
        assert_string_equal(event.key, cases[i].key);
    }
}

static void test_error_names(void **state)
{
    (void)state;
    for (int i = 0; i < EVENT_ERRORS; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(event_error_text((enum event_error)i),
                                    event_error_text((enum event_error)j));
    assert_string_equal(event_error_text(EVENT_NOT_JSON), "not_json");
    assert_string_equal(event_error_text(EVENT_BAD_NAME), "bad_name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_names_that_are_refused),
        cmocka_unit_test(test_null_is_no_name),
        cmocka_unit_test(test_the_longest_names_make_a_key),
        cmocka_unit_test(test_safe_names),
        cmocka_unit_test(test_every_byte_alone_and_inside),
        cmocka_unit_test(test_the_original_name_stays),
        cmocka_unit_test(test_aliases_come_first),
        cmocka_unit_test(test_error_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
