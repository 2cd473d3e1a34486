#include "source/stream_document.h"

#include "base/limits.h"
#include "guard.h"

#include <hiredis/hiredis.h>

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define FIELDS_MAX 32

static struct fields {
    redisReply list;
    redisReply text[FIELDS_MAX];
    redisReply *element[FIELDS_MAX];
} fields;

/* Names and values, up to a NULL. */
static const redisReply *make(const char *const *texts)
{
    memset(&fields, 0, sizeof(fields));
    fields.list.type = REDIS_REPLY_ARRAY;
    fields.list.element = fields.element;
    for (; texts[fields.list.elements] != NULL; fields.list.elements++) {
        redisReply *text = &fields.text[fields.list.elements];
        assert_true(fields.list.elements < FIELDS_MAX);
        text->type = REDIS_REPLY_STRING;
        text->str = (char *)(uintptr_t)texts[fields.list.elements];
        text->len = strlen(texts[fields.list.elements]);
        fields.element[fields.list.elements] = text;
    }
    return &fields.list;
}

static char storage[EVENT_BYTES_MAX];
static struct span document;

static const char *read(const redisReply *list)
{
    struct buf b;

    assert_int_equal(stream_document_look(list), STREAM_FIELDS_GOOD);
    buf_init(&b, storage, sizeof(storage));
    return stream_document(list, &b, &document);
}

static const struct {
    const char *fields[12];
    const char *document; /* NULL: refused, */
    const char *reason;
} cases[] = {
    /* One document. */
    {{"event", "{\"type\":\"x\"}"}, "{\"type\":\"x\"}", NULL},
    {{"data", "{\"type\":\"x\"}"}, "{\"type\":\"x\"}", NULL},
    {{"payload", "{\"type\":\"x\"}"}, "{\"type\":\"x\"}", NULL},
    {{"event", " \t\r\n{ broken"}, " \t\r\n{ broken", NULL},
    {{"payload", "{\"p\":1}", "data", "{\"d\":1}", "event", "{\"e\":1}"}, "{\"e\":1}", NULL},
    {{"payload", "{\"p\":1}", "data", "{\"d\":1}", "event", "x"}, "{\"d\":1}", NULL},
    {{"payload", "{\"p\":1}", "data", "[1]", "event", "x"}, "{\"p\":1}", NULL},
    {{"type", "x", "event", "{\"e\":1}"}, "{\"e\":1}", NULL},
    {{"node", "n", "event", "{\"e\":1}"}, "{\"e\":1}", NULL},
    {{"node", "n", "type", "{x", "event", "{\"e\":1}"}, "{\"e\":1}", NULL},
    {{"event", "{}", "event", "{}"}, NULL, "duplicate"},
    {{"data", "x", "data", "{}"}, NULL, "duplicate"},
    {{"event", "{}", "data", "1", "data", "2"}, "{}", NULL},
    /* Fields that are an event. */
    {{"type", "x", "node", "n"}, "{\"type\":\"x\",\"node\":\"n\"}", NULL},
    {{"event", "x", "host", "n", "payload", "{\"a\": [1, 2]}"},
     "{\"event\":\"x\",\"host\":\"n\",\"payload\":{\"a\": [1, 2]}}",
     NULL},
    {{"event_type", "x", "node_name", "n", "data", " [1]"},
     "{\"event_type\":\"x\",\"node_name\":\"n\",\"data\": [1]}",
     NULL},
    {{"change", "x", "key", "n/s", "details", "{}"},
     "{\"change\":\"x\",\"key\":\"n/s\",\"details\":{}}",
     NULL},
    {{"type", "x", "hostname", "n", "event", "{\"e\":1}"},
     "{\"type\":\"x\",\"hostname\":\"n\",\"event\":\"{\\\"e\\\":1}\"}",
     NULL},
    {{"type", "x", "node", "n", "details", "{broken", "message", "[1]", "payload", "5"},
     "{\"type\":\"x\",\"node\":\"n\",\"details\":\"{broken\",\"message\":\"[1]\",\"payload\":"
     "\"5\"}",
     NULL},
    {{"type", "x", "node", "n", "type", "y"},
     "{\"type\":\"x\",\"node\":\"n\",\"type\":\"y\"}", /* for who reads it */
     NULL},
    {{"type", "a\"b\\\n\x01", "no\"de", "\xc3\xa9"},
     "{\"type\":\"a\\\"b\\\\\\n\\u0001\",\"no\\\"de\":\"\xc3\xa9\"}",
     NULL},
    {{"", ""}, "{\"\":\"\"}", NULL},
    {{NULL}, "{}", NULL},
    {{"type", "\xff"}, NULL, "not_utf8"},
    {{"\xc0\x80", "x"}, NULL, "not_utf8"},
};

static void test_documents(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *reason = read(make(cases[i].fields));
        if (cases[i].document == NULL)
            assert_string_equal(reason, cases[i].reason);
        else if (reason != NULL || !span_is(document, cases[i].document))
            fail_msg("case %zu: %s %.*s", i, reason, (int)document.n, document.p);
    }
}

/* The same with each text at the end of its page, and cut at each byte: nothing is read beyond. */
static void test_nothing_is_read_beyond(void **state)
{
    static const char value[] = " {\"a\":[1,\"\xc3\xa9\"]}";
    static const char *const names[] = {"event", "data", "payload", "details", "type"};
    struct guard guard;

    (void)state;
    guard_open(&guard, sizeof(value));
    for (size_t i = 0; i < COUNT(names); i++) {
        for (size_t n = 0; n < sizeof(value); n++) {
            const char *const texts[] = {"type", "x", "node", "n", names[i], "", NULL};
            (void)make(i % 2 == 0 ? texts : texts + 4);
            redisReply *last = &fields.text[fields.list.elements - 1];
            last->str = guard_put(&guard, value, n);
            last->len = n;
            (void)read(&fields.list);
            last[-1].len = strlen(names[i]);
            last[-1].str = guard_put(&guard, names[i], last[-1].len);
            last->len = 0;
            (void)read(&fields.list);
        }
    }
    guard_close(&guard);
}

static void test_raw_nul(void **state)
{
    static const char *const texts[] = {"type", "x", "node", "abc", NULL};

    (void)state;
    (void)make(texts);
    fields.text[3].str = (char *)(uintptr_t) "a\0c";
    assert_string_equal(read(&fields.list), "not_utf8");
    fields.text[2].str = (char *)(uintptr_t) "n\0de";
    fields.text[3].str = (char *)(uintptr_t) "abc";
    assert_string_equal(read(&fields.list), "not_utf8");
    /* A blank it is not. */
    static const char *const one[] = {"event", " {}", NULL};
    (void)make(one);
    fields.text[1].str = (char *)(uintptr_t) "\0{}";
    assert_string_equal(read(&fields.list), "not_utf8");
}

static void test_size(void **state)
{
    static const char *const texts[] = {"message", "", NULL};
    static char long_text[EVENT_BYTES_MAX];
    size_t around = strlen("{\"message\":\"\"}");

    (void)state;
    memset(long_text, 'a', sizeof(long_text));
    (void)make(texts);
    fields.text[1].str = long_text;
    fields.text[1].len = EVENT_BYTES_MAX - around;
    assert_null(read(&fields.list));
    assert_int_equal(document.n, EVENT_BYTES_MAX);
    fields.text[1].len++;
    assert_string_equal(read(&fields.list), "too_large");
    /* What was written before does not stay. */
    fields.text[1].len = 1;
    assert_null(read(&fields.list));
    assert_true(span_is(document, "{\"message\":\"a\"}"));
}

/* A value is what it is down to where no event may be: who reads it says so. */
static void test_depth(void **state)
{
    const char *texts[] = {"data", NULL, NULL};
    char deep[2 * 65 + 1];

    (void)state;
    for (size_t n = 1; n <= 65; n++) {
        memset(deep, '[', n);
        memset(deep + n, ']', n);
        deep[2 * n] = '\0';
        texts[1] = deep;
        assert_null(read(make(texts)));
        assert_int_equal(document.p[strlen("{\"data\":")] == '[', n <= 64);
    }
}

static void test_look(void **state)
{
    static const char *const texts[] = {"a", "b", "c", "d", NULL};
    static const int wrong[] = {REDIS_REPLY_INTEGER, REDIS_REPLY_ARRAY, REDIS_REPLY_STATUS,
                                REDIS_REPLY_ERROR};

    (void)state;
    assert_int_equal(stream_document_look(make(texts)), STREAM_FIELDS_GOOD);
    for (size_t i = 0; i < 4; i++) {
        (void)make(texts);
        fields.text[i].type = REDIS_REPLY_NIL;
        assert_int_equal(stream_document_look(&fields.list), STREAM_FIELDS_NULLS);
        for (size_t k = 0; k < COUNT(wrong); k++) {
            fields.text[i].type = wrong[k];
            assert_int_equal(stream_document_look(&fields.list), STREAM_FIELDS_NONSENSE);
        }
    }
    (void)make(texts);
    fields.list.elements = 3;
    assert_int_equal(stream_document_look(&fields.list), STREAM_FIELDS_NONSENSE);
    for (size_t k = 0; k < COUNT(wrong); k++) {
        (void)make(texts);
        fields.list.type = wrong[k];
        assert_int_equal(stream_document_look(&fields.list), wrong[k] == REDIS_REPLY_ARRAY
                                                                 ? STREAM_FIELDS_GOOD
                                                                 : STREAM_FIELDS_NONSENSE);
    }
    fields.list.type = REDIS_REPLY_NIL;
    assert_int_equal(stream_document_look(&fields.list), STREAM_FIELDS_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents), cmocka_unit_test(test_nothing_is_read_beyond),
        cmocka_unit_test(test_raw_nul),   cmocka_unit_test(test_size),
        cmocka_unit_test(test_depth),     cmocka_unit_test(test_look),
    };

    return cmocka_run_group_tests_name("source/stream_document", tests, NULL, NULL);
}
