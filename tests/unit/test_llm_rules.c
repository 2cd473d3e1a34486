/* The rules table: what it proposes, and that its words name what was seen. */

#include "llm/rules.h"

#include "planner/proposal.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct llm_facts facts;
static struct proposal p;

static int begin(void **state)
{
    (void)state;
    facts = (struct llm_facts){
        .type = span_of("service_unhealthy"),
        .severity = span_of("error"),
        .node = span_of("solaria"),
        .service = span_of("web"),
    };
    return 0;
}

static const char *propose(void)
{
    static char text[PROPOSAL_BYTES_MAX];
    static char why[PROPOSAL_WHY_MAX];
    static struct buf out;
    buf_init(&out, text, sizeof(text));
    rules_propose(&out, &facts);
    assert_int_equal(buf_done(&out), 0);
    if (proposal_parse(&p, buf_view(&out), why) != 0)
        fail_msg("%s: %s", why, text);
    assert_true(p.requires_human);
    assert_true(p.confidence >= 0.4 && p.confidence <= 0.6);
    return buf_text(&out);
}

static void test_the_table(void **state)
{
    static const struct {
        const char *type;
        enum proposal_action action;     /* of a service */
        enum proposal_action all_action; /* of the whole node */
    } cases[] = {
        {"service_unhealthy", PROPOSAL_RESTART, PROPOSAL_NOTIFY},
        {"healthcheck_failed", PROPOSAL_RESTART, PROPOSAL_NOTIFY},
        {"containers_not_running", PROPOSAL_RESTART, PROPOSAL_NOTIFY},
        {"mqtt_unreachable", PROPOSAL_RESTART, PROPOSAL_NOTIFY},
        {"ha_websocket_dead", PROPOSAL_RESTART, PROPOSAL_NOTIFY},
        {"ha_integration_failed", PROPOSAL_RESTART, PROPOSAL_NOTIFY},
        {"ha_entity_unavailable_long", PROPOSAL_NOTIFY, PROPOSAL_NOTIFY},
        {"ha_automation_failing", PROPOSAL_NOTIFY, PROPOSAL_NOTIFY},
        {"ha_recorder_lag", PROPOSAL_NOTIFY, PROPOSAL_NOTIFY},
        {"deployment_failed", PROPOSAL_REDEPLOY, PROPOSAL_NOTIFY},
        {"node_offline", PROPOSAL_NOTIFY, PROPOSAL_NOTIFY},
        {"disk_pressure", PROPOSAL_NOTIFY, PROPOSAL_NOTIFY},
        {"disk_pressure_critical", PROPOSAL_NOTIFY, PROPOSAL_NOTIFY},
        {"disk_usage_high", PROPOSAL_NOTIFY, PROPOSAL_NOTIFY},
        {"high_memory", PROPOSAL_NOTIFY, PROPOSAL_NOTIFY},
        {"high_cpu", PROPOSAL_NOTIFY, PROPOSAL_NOTIFY},
        {"something_else", PROPOSAL_NOTIFY, PROPOSAL_NOTIFY},
        {"", PROPOSAL_NOTIFY, PROPOSAL_NOTIFY},
        {"service_unhealthy_", PROPOSAL_NOTIFY, PROPOSAL_NOTIFY},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        facts.type = span_of(cases[i].type);
        facts.service = span_of("web");
        propose();
        if (p.action != cases[i].action)
            fail_msg("%s: %s", cases[i].type, proposal_action_text(p.action));
        facts.service = span_of("all");
        propose();
        assert_int_equal(p.action, cases[i].all_action);
        facts.service = span_of("");
        propose();
        assert_int_equal(p.action, cases[i].all_action);
    }
}

static void test_the_whole_answer(void **state)
{
    (void)state;
    facts.message = span_of("it \"died\"");
    facts.details = span_of("{\"exit_code\":137,\"restart_count\":5,\"memory_percent\":97.34}");
    assert_string_equal(
        propose(), "{\"action\":\"restart\",\"reason\":\"service_unhealthy (error) of web on node "
                   "solaria; exit code 137 (killed, often for want of memory); at 97.3 %; "
                   "restarted 5 times; message \\\"it \\\"died\\\"\\\". A restart is the usual "
                   "first step.\",\"confidence\":0.6,\"requires_human\":true}");
    facts.service = span_of("all");
    facts.message = span_of("");
    facts.details = span_of("");
    assert_string_equal(
        propose(), "{\"action\":\"notify\",\"reason\":\"service_unhealthy (error) of the whole "
                   "node solaria. No service is named that could be restarted; somebody should "
                   "look.\",\"confidence\":0.6,\"requires_human\":true}");
}

static void test_what_was_seen(void **state)
{
    static const struct {
        const char *details;
        const char *words; /* after the names, before the advice */
    } cases[] = {
        {"{\"exit_code\":1}", "; exit code 1"},
        {"{\"ExitCode\":0}", "; exit code 0 (it ended by itself)"},
        {"{\"code\":127}", "; exit code 127 (its command was not found)"},
        {"{\"exit_code\":\"139\"}", "; exit code 139 (crashed: segmentation fault)"},
        {"{\"exit_code\":143}", "; exit code 143 (it was told to stop)"},
        {"{\"exit_code\":-9}", "; exit code -9"},
        {"{\"state\":{\"ExitCode\":255}}", "; exit code 255"},
        {"{\"state\":{\"ExitCode\":2},\"exit_code\":3}", "; exit code 3"},
        {"{\"exit_code\":7,\"code\":8}", "; exit code 7"},
        {"{\"a\":1,\"b\":{\"c\":2},\"d\":{\"code\":5}}", "; exit code 5"},
        {"{\"usage_percent\":97}", "; at 97.0 %"},
        {"{\"percent\":\"97%\"}", "; at 97.0 %"},
        {"{\"used_percent\":\" 97.25 % \"}", "; at 97.3 %"},
        {"{\"disk_percent\":99.96}", "; at 100.0 %"},
        {"{\"memory_percent\":0}", "; at 0.0 %"},
        {"{\"mem_percent\":12.34}", "; at 12.3 %"},
        {"{\"cpu_percent\":6400}", "; at 6400.0 %"},
        {"{\"restart_count\":1}", "; restarted once"},
        {"{\"restarts\":0}", "; restarted 0 times"},
        {"{\"RestartCount\":12}", "; restarted 12 times"},
        /* What is no such number is not told. */
        {"{\"code\":503}", ""},
        {"{\"exit_code\":null}", ""},
        {"{\"exit_code\":\"killed\"}", ""},
        {"{\"exit_code\":1.5}", ""},
        {"{\"exit_code\":[1]}", ""},
        {"{\"a\":{\"b\":{\"exit_code\":1}}}", ""},
        {"{\"percent\":-1}", ""},
        {"{\"percent\":1e300}", ""},
        {"{\"percent\":\"%\"}", ""},
        {"{\"percent\":true}", ""},
        {"{\"restarts\":-1}", ""},
        {"{\"restarts\":\"\"}", ""},
        {"[{\"exit_code\":1}]", ""},
        {"\"exit_code\"", ""},
        {"137", ""},
        {"null", ""},
        {"{}", ""},
        {"{\"exit_code\":1", ""},
        {"not JSON", ""},
    };
    static const char start[] = "service_unhealthy (error) of web on node solaria";
    static const char end[] = ". A restart is the usual first step.";
    char want[256];
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        facts.details = span_of(cases[i].details);
        propose();
        snprintf(want, sizeof(want), "%s%s%s", start, cases[i].words, end);
        assert_string_equal(p.reason, want);
    }
}

static void test_text_from_outside_is_bounded_and_escaped(void **state)
{
    static char huge[5120];
    (void)state;
    memset(huge, 'x', sizeof(huge));
    struct span long_text = {huge, sizeof(huge)};
    facts = (struct llm_facts){long_text, long_text, long_text, long_text, long_text, long_text};
    propose();
    assert_true(strlen(p.reason) <= PROPOSAL_REASON_MAX);
    assert_non_null(strstr(p.reason, "xxx..."));
    /* What grows most as an escape, and no text at all. */
    static const char *const units[] = {"\x01", "\xe2\x80\xae", "\xf3\xa0\x80\x81", "\xff",
                                        "\\",   "\"",           "\xc5\xbc"};
    for (size_t i = 0; i < COUNT(units); i++) {
        size_t unit = strlen(units[i]);
        for (size_t n = 0; n + unit <= sizeof(huge); n += unit)
            memcpy(huge + n, units[i], unit);
        propose();
        for (const char *c = p.reason; *c != '\0'; c++)
            assert_true((unsigned char)*c >= ' ');
    }
    memset(huge, 0, sizeof(huge));
    propose();
    assert_non_null(strstr(p.reason, "\\x00"));
}

static void test_the_longest_advice_fits_beside_the_longest_names(void **state)
{
    static const char *const types[] = {"service_unhealthy",
                                        "healthcheck_failed",
                                        "containers_not_running",
                                        "deployment_failed",
                                        "mqtt_unreachable",
                                        "ha_websocket_dead",
                                        "ha_integration_failed",
                                        "ha_entity_unavailable_long",
                                        "ha_automation_failing",
                                        "ha_recorder_lag",
                                        "node_offline",
                                        "disk_pressure",
                                        "high_memory",
                                        "high_cpu",
                                        "other"};
    static char huge[512];
    (void)state;
    memset(huge, 'x', sizeof(huge));
    struct span long_text = {huge, sizeof(huge)};
    for (size_t i = 0; i < COUNT(types); i++) {
        facts = (struct llm_facts){span_of(types[i]), long_text, long_text,
                                   long_text,         long_text, long_text};
        facts.details = span_of("{\"code\":137,\"percent\":100000,\"restarts\":1000000}");
        propose();
        assert_int_equal(p.reason[strlen(p.reason) - 1], '.');
        assert_true(strlen(p.reason) <= PROPOSAL_REASON_MAX - 100);
    }
}

static void test_nothing_known(void **state)
{
    (void)state;
    facts = (struct llm_facts){.type = {NULL, 0}};
    propose();
    assert_int_equal(p.action, PROPOSAL_NOTIFY);
}

static void test_no_room(void **state)
{
    char text[100];
    struct buf out;
    (void)state;
    buf_init(&out, text, sizeof(text));
    rules_propose(&out, &facts);
    assert_int_equal(buf_done(&out), -1);
}

static void test_the_provider(void **state)
{
    static struct llm_call call;
    struct llm_request request = {.facts = facts};
    (void)state;
    call.request = &request;
    assert_int_equal(rules_provider.start(&call), LLM_ENDED);
    assert_int_equal(call.outcome, LLM_SUCCESS);
    const char *want = propose();
    assert_true(span_is((struct span){call.text, call.text_len}, want));
    assert_string_equal(rules_provider.name, "rules");
    assert_null(rules_provider.cancel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_table, begin),
        cmocka_unit_test_setup(test_the_whole_answer, begin),
        cmocka_unit_test_setup(test_what_was_seen, begin),
        cmocka_unit_test_setup(test_text_from_outside_is_bounded_and_escaped, begin),
        cmocka_unit_test_setup(test_the_longest_advice_fits_beside_the_longest_names, begin),
        cmocka_unit_test_setup(test_nothing_known, begin),
        cmocka_unit_test_setup(test_no_room, begin),
        cmocka_unit_test_setup(test_the_provider, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
