/* By what the same event is known, when it comes again by another way. */

#include "planner/event.h"

#include "base/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct aliases aliases = {.count = 1, .entry = {{"short", "long"}}};

static uint64_t identity_of(const char *text)
{
    struct event event;

    if (event_parse(&event, span_of(text), &aliases, span_of("origin"), 0) != EVENT_OK)
        fail_msg("%s", text);
    return event.identity;
}

static uint64_t hash(const char *node, const char *source, const char *id)
{
    uint8_t digest[SHA256_BYTES];
    uint64_t value = 0;

    sha256_parts(digest, (struct span[]){span_of(node), span_of(source), span_of(id)}, 3);
    for (int i = 0; i < 8; i++)
        value = value << 8 | digest[i];
    return value;
}

static void test_identities(void **state)
{
    static const struct {
        const char *text;
        const char *node, *source, *id; /* id NULL: it has none */
    } cases[] = {
        {"{\"type\":\"x\",\"node\":\"n\",\"id\":\"7\"}", "n", "", "7"},
        {"{\"type\":\"x\",\"node\":\"n\",\"id\":7}", "n", "", "7"},
        {"{\"type\":\"x\",\"node\":\"n\",\"id\":-7.50e1}", "n", "", "-7.50e1"},
        {"{\"type\":\"x\",\"node\":\"n\",\"event_id\":\"7\"}", "n", "", "7"},
        {"{\"type\":\"x\",\"node\":\"n\",\"event_id\":\"8\",\"id\":\"7\"}", "n", "", "7"},
        {"{\"type\":\"x\",\"node\":\"n\",\"event_id\":\"8\",\"id\":null}", "n", "", "8"},
        {"{\"type\":\"x\",\"node\":\"n\",\"id\":\"7\",\"source\":\"s\"}", "n", "s", "7"},
        {"{\"type\":\"x\",\"node\":\"other\",\"id\":\"7\"}", "other", "", "7"},
        {"{\"type\":\"x\",\"node\":\"short\",\"id\":\"7\"}", "long", "", "7"},
        {"{\"type\":\"x\",\"node\":\"n\",\"id\":\"\\u0061\\u00e9\"}", "n", "", "a\xc3\xa9"},
        {"{\"type\":\"y\",\"node\":\"n\",\"service\":\"s\",\"id\":\"7\"}", "n", "", "7"},
        {"{\"event\":{\"type\":\"x\",\"node\":\"n\",\"id\":\"7\"},\"id\":\"8\"}", "n", "", "7"},
        {"{\"change\":\"x\",\"key\":\"n/s\",\"id\":\"7\"}", "n", "", "7"},
        {"{\"type\":\"deployment_failed\",\"node\":\"n\",\"id\":\"7\"}", "n", "", "7"},
        /* What is no text stands for itself. */
        {"{\"type\":\"x\",\"node\":\"n\",\"id\":\"a\\u0000b\"}", "n", "", "\"a\\u0000b\""},
        {"{\"type\":\"x\",\"node\":\"n\",\"id\":\"\\ud800\"}", "n", "", "\"\\ud800\""},
        {"{\"type\":\"x\",\"node\":\"n\"}", "", "", NULL},
        {"{\"type\":\"x\",\"node\":\"n\",\"id\":\"\"}", "", "", NULL},
        {"{\"type\":\"x\",\"node\":\"n\",\"id\":null}", "", "", NULL},
        {"{\"type\":\"x\",\"node\":\"n\",\"id\":true}", "", "", NULL},
        {"{\"type\":\"x\",\"node\":\"n\",\"id\":[7]}", "", "", NULL},
        {"{\"type\":\"x\",\"node\":\"n\",\"id\":{\"a\":7}}", "", "", NULL},
        {"{\"type\":\"x\",\"node\":\"n\",\"correlation_id\":\"7\"}", "", "", NULL},
        /* Only faults are known again. */
        {"{\"type\":\"node_health\",\"node\":\"n\",\"id\":\"7\"}", "", "", NULL},
        {"{\"type\":\"x\",\"severity\":\"info\",\"node\":\"n\",\"id\":\"7\"}", "", "", NULL},
        {"{\"type\":\"service_healthy\",\"node\":\"n\",\"id\":\"7\"}", "", "", NULL},
        {"{\"type\":\"deployment_started\",\"node\":\"n\",\"id\":\"7\"}", "", "", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t expected =
            cases[i].id != NULL ? hash(cases[i].node, cases[i].source, cases[i].id) : 0;
        if (identity_of(cases[i].text) != expected)
            fail_msg("%s", cases[i].text);
    }
}

/* However long, each has its own. */
static void test_long_ids(void **state)
{
    char text[3000], id[2001];
    uint64_t before = 0;
    (void)state;
    for (size_t n = 1; n < sizeof(id); n++) {
        memset(id, 'i', n);
        id[n] = '\0';
        snprintf(text, sizeof(text), "{\"type\":\"x\",\"node\":\"n\",\"id\":\"%s\"}", id);
        uint64_t identity = identity_of(text);
        assert_true(identity != 0 && identity != before);
        before = identity;
    }
}

/* Names are kept apart: their borders belong to them. */
static void test_parts_do_not_flow_together(void **state)
{
    (void)state;
    assert_true(identity_of("{\"type\":\"x\",\"node\":\"ab\",\"source\":\"c\",\"id\":\"d\"}") !=
                identity_of("{\"type\":\"x\",\"node\":\"a\",\"source\":\"bc\",\"id\":\"d\"}"));
    assert_true(identity_of("{\"type\":\"x\",\"node\":\"a\",\"source\":\"b\",\"id\":\"cd\"}") !=
                identity_of("{\"type\":\"x\",\"node\":\"a\",\"source\":\"bc\",\"id\":\"d\"}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identities),
        cmocka_unit_test(test_long_ids),
        cmocka_unit_test(test_parts_do_not_flow_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
