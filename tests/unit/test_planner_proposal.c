/* What is taken as a proposal. */

#include "planner/proposal.h"

#include "guard.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct proposal p;
static char why[PROPOSAL_WHY_MAX];

#define ACTION_WHY "action must be ignore, restart, redeploy or notify"
#define REASON_WHY "reason must be a string of 1 to 1000 bytes"
#define CONFIDENCE_WHY "confidence must be a number from 0.0 to 1.0"
#define HUMAN_WHY "requires_human must be true or false"

/* An answer with one member of this value; NULL: without the member. */
static struct span answer(const char *name, const char *value)
{
    static char text[2 * PROPOSAL_BYTES_MAX];
    static const struct {
        const char *name;
        const char *value;
    } members[] = {{"action", "\"restart\""},
                   {"reason", "\"it was killed\""},
                   {"confidence", "0.86"},
                   {"requires_human", "false"}};
    size_t n = 0;
    text[n++] = '{';
    for (size_t i = 0; i < COUNT(members); i++) {
        const char *v = strcmp(members[i].name, name) == 0 ? value : members[i].value;
        if (v != NULL)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\"%s\":%s", n > 1 ? "," : "",
                                  members[i].name, v);
    }
    text[n++] = '}';
    return (struct span){text, n};
}

static void refused(struct span text, const char *reason)
{
    memset(why, '#', sizeof(why));
    assert_int_equal(proposal_parse(&p, text, why), -1);
    assert_string_equal(why, reason);
}

static void test_taken(void **state)
{
    (void)state;
    assert_int_equal(proposal_parse(&p, answer("", NULL), why), 0);
    assert_int_equal(p.action, PROPOSAL_RESTART);
    assert_string_equal(p.reason, "it was killed");
    assert_true(p.confidence > 0.8599 && p.confidence < 0.8601);
    assert_string_equal(p.confidence_text, "0.86");
    assert_false(p.requires_human);
    static const char other[] = " {\"requires_human\" : true, \"x\" : {\"action\":[[1]]}, "
                                "\"confidence\":1, \"reason\":\"\\u00e9\\n\", "
                                "\"command\":\"rm -rf /\", \"action\":\"NOTIFY\"}\n";
    assert_int_equal(proposal_parse(&p, span_of(other), why), 0);
    assert_int_equal(p.action, PROPOSAL_NOTIFY);
    assert_string_equal(p.reason, "\xc3\xa9\n");
    assert_true(p.requires_human);
    assert_string_equal(p.confidence_text, "1");
}

static void test_all_four_are_required(void **state)
{
    (void)state;
    refused(answer("action", NULL), ACTION_WHY);
    refused(answer("reason", NULL), REASON_WHY);
    refused(answer("confidence", NULL), CONFIDENCE_WHY);
    refused(answer("requires_human", NULL), HUMAN_WHY);
    refused(span_of("{}"), ACTION_WHY);
}

static void test_actions_in_any_case(void **state)
{
    static const struct {
        const char *value;
        int action;
    } cases[] = {
        {"\"ignore\"", PROPOSAL_IGNORE},
        {"\"restart\"", PROPOSAL_RESTART},
        {"\"redeploy\"", PROPOSAL_REDEPLOY},
        {"\"notify\"", PROPOSAL_NOTIFY},
        {"\"Ignore\"", PROPOSAL_IGNORE},
        {"\"RESTART\"", PROPOSAL_RESTART},
        {"\"reDeploy\"", PROPOSAL_REDEPLOY},
        {"\"nOTIFY\"", PROPOSAL_NOTIFY},
        {"\"re\\u0073tart\"", PROPOSAL_RESTART},
        {"\"\"", -1},
        {"\"rm -rf /\"", -1},
        {"\"restart \"", -1},
        {"\"restar\"", -1},
        {"\"restarts\"", -1},
        {"\"restart|notify\"", -1},
        {"\"restart\\u0000\"", -1},
        {"\"none\"", -1},
        {"null", -1},
        {"1", -1},
        {"true", -1},
        {"[\"restart\"]", -1},
        {"{\"restart\":1}", -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (cases[i].action < 0) {
            refused(answer("action", cases[i].value), ACTION_WHY);
            continue;
        }
        assert_int_equal(proposal_parse(&p, answer("action", cases[i].value), why), 0);
        assert_int_equal(p.action, cases[i].action);
    }
    assert_string_equal(proposal_action_text(PROPOSAL_IGNORE), "ignore");
    assert_string_equal(proposal_action_text(PROPOSAL_RESTART), "restart");
    assert_string_equal(proposal_action_text(PROPOSAL_REDEPLOY), "redeploy");
    assert_string_equal(proposal_action_text(PROPOSAL_NOTIFY), "notify");
}

static void test_reasons(void **state)
{
    static const char *const bad[] = {"\"\"", "null",         "5",          "true", "[\"a\"]",
                                      "{}",   "\"a\\u0000\"", "\"\\ud800\""};
    char reason[1100];
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        refused(answer("reason", bad[i]), REASON_WHY);
    /* 1000 bytes after unescaping, whatever they took before. */
    memset(reason, 'r', sizeof(reason));
    reason[0] = '"';
    memcpy(reason + 1001, "\"", 2);
    assert_int_equal(proposal_parse(&p, answer("reason", reason), why), 0);
    assert_int_equal(strlen(p.reason), PROPOSAL_REASON_MAX);
    memcpy(reason + 1001, "r\"", 3);
    refused(answer("reason", reason), REASON_WHY);
    static char escaped[6100];
    for (int units = 333; units <= 334; units++) {
        size_t n = 0;
        escaped[n++] = '"';
        for (int i = 0; i < units; i++)
            n += (size_t)snprintf(escaped + n, sizeof(escaped) - n, "\\u20ac");
        memcpy(escaped + n, "\"", 2);
        assert_int_equal(proposal_parse(&p, answer("reason", escaped), why), units == 333 ? 0 : -1);
    }
    assert_int_equal(proposal_parse(&p, answer("reason", "\"x\""), why), 0);
    assert_string_equal(p.reason, "x");
}

static void test_confidences(void **state)
{
    static const struct {
        const char *value;
        const char *text; /* NULL: refused */
    } cases[] = {
        {"0", "0"},
        {"0.0", "0.0"},
        {"1", "1"},
        {"1.0", "1.0"},
        {"0.5", "0.5"},
        {"5e-1", "5e-1"},
        {"0.0000001", "0.0000001"},
        {"0.12345678901234567890123456789", "0.12345678901234567890123456789"}, /* 31 */
        {"0.123456789012345678901234567890", "0.123457"},
        {"0.99999999999999999999999999999999", "1.000000"},
        {"1.00000000000000000000000000000000", "1.000000"},
        {"0.00000000000000000000000000000001", "0.000000"},
        {"0.70000000000000000000000000000000000000000", "0.700000"},
        {"1.01", NULL},
        {"-0.1", NULL},
        {"1.0000001", NULL},
        {"86", NULL},
        {"1e999", NULL},
        {"-1e999", NULL},
        {"\"0.86\"", NULL},
        {"\"high\"", NULL},
        {"null", NULL},
        {"true", NULL},
        {"[0.5]", NULL},
        {"{}", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (cases[i].text == NULL) {
            refused(answer("confidence", cases[i].value), CONFIDENCE_WHY);
            continue;
        }
        assert_int_equal(proposal_parse(&p, answer("confidence", cases[i].value), why), 0);
        assert_string_equal(p.confidence_text, cases[i].text);
    }
    static const char *const no_numbers[] = {".5", "+0.5", "0.5.5", "NaN", "0x1", "01"};
    for (size_t i = 0; i < COUNT(no_numbers); i++)
        refused(answer("confidence", no_numbers[i]), "not valid JSON");
}

static void test_requires_human_is_a_boolean(void **state)
{
    static const char *const bad[] = {"\"true\"", "\"\"", "1", "0", "null", "[true]", "{}"};
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        refused(answer("requires_human", bad[i]), HUMAN_WHY);
    assert_int_equal(proposal_parse(&p, answer("requires_human", "true"), why), 0);
    assert_true(p.requires_human);
}

static void test_documents(void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } cases[] = {
        {"", "JSON that ends too early"},
        {"I would restart it.", "not valid JSON"},
        {"[]", "not a JSON object"},
        {"null", "not a JSON object"},
        {"\"restart\"", "not a JSON object"},
        {"{\"a\":\"\xff\"}", "not valid UTF-8"},
        {"{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", "nested too deep"},
        {"{\"a\":1,\"a\":1}", "a member is there twice"},
        {"{\"action\":\"ignore\",\"\\u0061ction\":\"restart\"}", "a member is there twice"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        refused(span_of(cases[i].text), cases[i].why);
}

static void test_a_member_twice(void **state)
{
    static const char *const twice[] = {"\"action\":\"restart\"", "\"reason\":\"x\"",
                                        "\"confidence\":0.86", "\"requires_human\":false",
                                        "\"other\":1,\"other\":2"};
    char text[256];
    (void)state;
    for (size_t i = 0; i < COUNT(twice); i++) {
        snprintf(text, sizeof(text),
                 "{\"action\":\"restart\",\"reason\":\"x\",\"confidence\":0.86,"
                 "\"requires_human\":false,%s}",
                 twice[i]);
        refused(span_of(text), "a member is there twice");
    }
}

static void test_size(void **state)
{
    static char text[PROPOSAL_BYTES_MAX + 2];
    struct span good = answer("", NULL);
    (void)state;
    memset(text, ' ', sizeof(text));
    memcpy(text, good.p, good.n);
    assert_int_equal(proposal_parse(&p, (struct span){text, PROPOSAL_BYTES_MAX}, why), 0);
    refused((struct span){text, PROPOSAL_BYTES_MAX + 1}, "longer than a proposal may be");
}

static void test_byte_by_byte(void **state)
{
    struct span good = answer("confidence", "0.5e0");
    struct guard g;
    (void)state;
    guard_open(&g, good.n);
    for (size_t n = 0; n <= good.n; n++) {
        const char *at = guard_put(&g, good.p, n);
        assert_int_equal(proposal_parse(&p, (struct span){at, n}, why), n == good.n ? 0 : -1);
    }
    guard_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_all_four_are_required),
        cmocka_unit_test(test_actions_in_any_case),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_confidences),
        cmocka_unit_test(test_requires_human_is_a_boolean),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_a_member_twice),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_byte_by_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
