/* The five rules. */

#include "planner/policy.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define NONE 0

static struct policy_settings settings;

static const char *const human_only = "chelsty*";
static const char *const notify_only = "disk_pressure*";

static int begin(void **state)
{
    (void)state;
    settings = (struct policy_settings){
        .human_only_nodes = span_of(human_only),
        .notify_only_events = span_of(notify_only),
        .confidence_floor = 0.7,
    };
    return 0;
}

/* One event and proposal, and what must come of it. An empty alias: the node has none. */
struct verdict {
    const char *node;
    const char *alias;
    const char *service;
    const char *type;
    enum severity severity;
    enum proposal_action action;
    double confidence;
    bool human;
    enum proposal_action action_after;
    bool human_after;
    unsigned rules;
};

#define WARN SEVERITY_WARNING
#define CRIT SEVERITY_CRITICAL
#define IGNORE PROPOSAL_IGNORE
#define RESTART PROPOSAL_RESTART
#define REDEPLOY PROPOSAL_REDEPLOY
#define NOTIFY PROPOSAL_NOTIFY

static void judge(const struct verdict *v)
{
    struct event event = {.severity = v->severity};
    struct proposal proposal = {
        .action = v->action, .confidence = v->confidence, .requires_human = v->human};
    snprintf(event.node_as_came, sizeof(event.node_as_came), "%s", v->node);
    snprintf(event.node, sizeof(event.node), "%s", v->alias[0] != '\0' ? v->alias : v->node);
    snprintf(event.service, sizeof(event.service), "%s", v->service);
    snprintf(event.type, sizeof(event.type), "%s", v->type);
    unsigned rules = policy_apply(&settings, &event, &proposal);
    if (rules != v->rules || proposal.action != v->action_after ||
        proposal.requires_human != v->human_after)
        fail_msg("%s/%s %s: rules %x, %s, %d", v->node, v->service, v->type, rules,
                 proposal_action_text(proposal.action), proposal.requires_human);
}

static void judge_all(const struct verdict *verdicts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        judge(&verdicts[i]);
}

static void test_nothing_to_change(void **state)
{
    static const struct verdict verdicts[] = {
        {"n", "", "web", "x", WARN, RESTART, 0.9, false, RESTART, false, NONE},
        {"n", "", "web", "x", CRIT, RESTART, 0.9, false, RESTART, false, NONE},
        {"n", "", "web", "x", CRIT, REDEPLOY, 0.9, true, REDEPLOY, true, NONE},
        {"n", "", "web", "x", CRIT, NOTIFY, 0.9, false, NOTIFY, false, NONE},
        {"n", "", "web", "x", SEVERITY_ERROR, IGNORE, 0.9, false, IGNORE, false, NONE},
        {"n", "", "all", "x", WARN, NOTIFY, 0.9, false, NOTIFY, false, NONE},
        {"n", "", "all", "x", WARN, IGNORE, 0.9, false, IGNORE, false, NONE},
    };
    (void)state;
    judge_all(verdicts, COUNT(verdicts));
}

static void test_rule_1_human_only_node(void **state)
{
    static const struct verdict verdicts[] = {
        {"chelsty", "", "web", "x", WARN, RESTART, 0.9, false, RESTART, true, 1},
        {"chelsty-1", "", "web", "x", WARN, NOTIFY, 0.9, false, NOTIFY, true, 1},
        {"CHELSTY-2", "", "web", "x", WARN, IGNORE, 0.9, false, IGNORE, true, 1},
        {"chelsty-1", "", "web", "x", WARN, RESTART, 0.9, true, RESTART, true, NONE},
        {"chelsty-1", "north", "web", "x", WARN, RESTART, 0.9, false, RESTART, true, 1},
        {"north", "chelsty-1", "web", "x", WARN, RESTART, 0.9, false, RESTART, true, 1},
        {"my-chelsty", "", "web", "x", WARN, RESTART, 0.9, false, RESTART, false, NONE},
        {"n", "", "chelsty", "chelsty", WARN, RESTART, 0.9, false, RESTART, false, NONE},
    };
    struct event event = {.node = "north", .node_as_came = "Chelsty"};
    (void)state;
    judge_all(verdicts, COUNT(verdicts));
    assert_true(policy_human_only(&settings, &event));
    event = (struct event){.node = "Chelsty", .node_as_came = "north"};
    assert_true(policy_human_only(&settings, &event));
    settings.human_only_nodes = span_of("a, NOR?H");
    assert_true(policy_human_only(&settings, &event));
    settings.human_only_nodes = span_of("");
    assert_false(policy_human_only(&settings, &event));
}

static void test_rule_2_notify_only_event(void **state)
{
    static const struct verdict verdicts[] = {
        {"n", "", "web", "disk_pressure", WARN, RESTART, 0.9, false, NOTIFY, false, 2},
        {"n", "", "web", "disk_pressure_critical", WARN, REDEPLOY, 0.9, false, NOTIFY, false, 2},
        {"n", "", "web", "DISK_PRESSURE_x", WARN, IGNORE, 0.9, false, NOTIFY, false, 2},
        {"n", "", "web", "disk_pressure", WARN, NOTIFY, 0.9, false, NOTIFY, false, NONE},
        {"n", "", "web", "disk_usage_high", WARN, RESTART, 0.9, false, RESTART, false, NONE},
        {"disk_pressure", "", "disk_pressure", "x", WARN, RESTART, 0.9, false, RESTART, false,
         NONE},
    };
    (void)state;
    judge_all(verdicts, COUNT(verdicts));
    settings.notify_only_events = span_of("");
    judge(&(struct verdict){"n", "", "web", "disk_pressure", WARN, RESTART, 0.9, false, RESTART,
                            false, NONE});
}

static void test_rule_3_confidence_floor(void **state)
{
    static const struct verdict verdicts[] = {
        {"n", "", "web", "x", WARN, RESTART, 0.69, false, RESTART, true, 4},
        {"n", "", "web", "x", WARN, NOTIFY, 0, false, NOTIFY, true, 4},
        {"n", "", "web", "x", WARN, IGNORE, 0.5, false, IGNORE, true, 4},
        {"n", "", "web", "x", WARN, RESTART, 0.7, false, RESTART, false, NONE},
        {"n", "", "web", "x", WARN, RESTART, 0.1, true, RESTART, true, NONE},
    };
    (void)state;
    judge_all(verdicts, COUNT(verdicts));
    settings.confidence_floor = 0;
    judge(&(struct verdict){"n", "", "web", "x", WARN, RESTART, 0, false, RESTART, false, NONE});
    settings.confidence_floor = 1;
    judge(&(struct verdict){"n", "", "web", "x", WARN, RESTART, 0.99, false, RESTART, true, 4});
}

static void test_rule_4_unsafe_name_or_the_whole_node(void **state)
{
    static const char *const unsafe[] = {"a b",
                                         "-x",
                                         ".x",
                                         "_x",
                                         "a/b",
                                         "../../etc/cron.d/x",
                                         ".",
                                         "..",
                                         "a\nb",
                                         "a\"b",
                                         "\x1b[31m",
                                         "a\xe2\x80\xae"
                                         "b",
                                         "\xc5\xbc",
                                         "a;b",
                                         "$(x)",
                                         "a\\b",
                                         " a",
                                         "a ",
                                         "*",
                                         "%s"};
    static const char *const plain[] = {"a", "A.b_c-9", "9x", "a..b", "ALL", "all2"};
    (void)state;
    for (size_t i = 0; i < COUNT(unsafe); i++) {
        const char *name = unsafe[i];
        judge(&(struct verdict){"n", "", name, "x", WARN, RESTART, 0.9, false, NOTIFY, true, 8});
        judge(&(struct verdict){"n", "", name, "x", WARN, REDEPLOY, 0.9, true, NOTIFY, true, 8});
        judge(&(struct verdict){name, "", "web", "x", WARN, RESTART, 0.9, false, NOTIFY, true, 8});
        judge(&(struct verdict){name, "n", "web", "x", WARN, RESTART, 0.9, false, NOTIFY, true, 8});
        judge(&(struct verdict){"n", name, "web", "x", WARN, RESTART, 0.9, false, NOTIFY, true, 8});
        judge(&(struct verdict){"n", "", name, "x", WARN, NOTIFY, 0.9, false, NOTIFY, false, NONE});
        judge(
            &(struct verdict){name, "", "web", "x", WARN, IGNORE, 0.9, false, IGNORE, false, NONE});
    }
    for (size_t i = 0; i < COUNT(plain); i++)
        judge(&(struct verdict){plain[i], "", plain[i], "x", WARN, RESTART, 0.9, false, RESTART,
                                false, NONE});
    judge(&(struct verdict){"n", "", "all", "x", WARN, RESTART, 0.9, false, NOTIFY, true, 8});
    judge(&(struct verdict){"n", "", "all", "x", WARN, REDEPLOY, 0.9, false, NOTIFY, true, 8});
    judge(
        &(struct verdict){"all", "", "web", "x", WARN, RESTART, 0.9, false, RESTART, false, NONE});
}

static void test_rule_5_critical_is_never_ignored(void **state)
{
    static const struct verdict verdicts[] = {
        {"n", "", "web", "x", CRIT, IGNORE, 0.9, false, NOTIFY, false, 16},
        {"n", "", "all", "x", CRIT, IGNORE, 0.9, true, NOTIFY, true, 16},
        {"n", "", "web", "x", SEVERITY_ERROR, IGNORE, 0.9, false, IGNORE, false, NONE},
        {"n", "", "web", "x", CRIT, REDEPLOY, 0.9, false, REDEPLOY, false, NONE},
    };
    (void)state;
    judge_all(verdicts, COUNT(verdicts));
}

static void test_rules_together(void **state)
{
    static const struct verdict verdicts[] = {
        /* 1 has said so already: 3 changes nothing. */
        {"chelsty", "", "web", "x", WARN, RESTART, 0.1, false, RESTART, true, 1},
        {"chelsty", "", "web", "disk_pressure", WARN, RESTART, 0.1, false, NOTIFY, true, 1 | 2},
        {"n", "", "web", "disk_pressure", WARN, RESTART, 0.1, false, NOTIFY, true, 2 | 4},
        /* 4 goes by what was proposed, also where 2 was faster. */
        {"n", "", "all", "disk_pressure", WARN, RESTART, 0.9, false, NOTIFY, true, 2 | 8},
        {"n", "", "all", "x", WARN, RESTART, 0.1, false, NOTIFY, true, 4 | 8},
        {"chelsty 1", "", "web", "x", WARN, RESTART, 0.9, false, NOTIFY, true, 1 | 8},
        {"chelsty 1", "", "all", "disk_pressure", CRIT, RESTART, 0.1, false, NOTIFY, true, 1 | 2},
        /* 2 has turned it into a notification: 5 changes nothing. */
        {"n", "", "web", "disk_pressure", CRIT, IGNORE, 0.9, false, NOTIFY, false, 2},
        {"chelsty", "", "web", "x", CRIT, IGNORE, 0.1, false, NOTIFY, true, 1 | 16},
        {"n", "", "web", "x", CRIT, IGNORE, 0.1, false, NOTIFY, true, 4 | 16},
        {"n", "", "a b", "x", CRIT, IGNORE, 0.9, false, NOTIFY, false, 16},
    };
    (void)state;
    judge_all(verdicts, COUNT(verdicts));
}

/* Whatever is proposed for whatever event, what comes out keeps every rule, and applying them once
 * more changes nothing. */
static void test_the_outcome_keeps_all_rules(void **state)
{
    static const char *const nodes[] = {"n", "chelsty", "a b"};
    static const char *const services[] = {"web", "all", "-x"};
    static const char *const types[] = {"x", "disk_pressure"};
    (void)state;
    for (unsigned i = 0; i < 3 * 3 * 2 * 2 * 4 * 2 * 2; i++) {
        unsigned rest = i;
        struct event event = {.dated = false};
        struct proposal p = {.action = IGNORE};
        snprintf(event.node, sizeof(event.node), "%s", nodes[rest % 3]);
        memcpy(event.node_as_came, event.node, sizeof(event.node));
        rest /= 3;
        snprintf(event.service, sizeof(event.service), "%s", services[rest % 3]);
        rest /= 3;
        snprintf(event.type, sizeof(event.type), "%s", types[rest % 2]);
        rest /= 2;
        event.severity = rest % 2 == 0 ? WARN : CRIT;
        rest /= 2;
        p.action = (enum proposal_action)(rest % 4);
        rest /= 4;
        p.confidence = rest % 2 == 0 ? 0.2 : 0.9;
        p.requires_human = rest / 2 != 0;
        policy_apply(&settings, &event, &p);
        bool changes = p.action == RESTART || p.action == REDEPLOY;
        assert_true(p.requires_human || event.node[0] != 'c');
        assert_true(p.action == NOTIFY || event.type[0] != 'd');
        assert_true(p.requires_human || p.confidence >= 0.7);
        assert_false(changes && (event.node[0] == 'a' || event.service[0] != 'w'));
        assert_false(p.action == IGNORE && event.severity == CRIT);
        struct proposal before = p;
        assert_int_equal(policy_apply(&settings, &event, &p), 0);
        assert_int_equal(p.action, before.action);
        assert_int_equal(p.requires_human, before.requires_human);
    }
}

static void test_names_of_rules(void **state)
{
    static const char *const names[POLICY_RULES + 1] = {"human_only_node",      "notify_only_event",
                                                        "confidence_floor",     "unsafe_name",
                                                        "critical_not_ignored", "stale",
                                                        "chain_exhausted",      "unknown"};
    (void)state;
    for (unsigned i = 0; i <= POLICY_RULES; i++)
        assert_string_equal(policy_rule_text(i), names[i]);
    assert_int_equal(POLICY_CHAIN_EXHAUSTED, 1 << (POLICY_RULES - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nothing_to_change, begin),
        cmocka_unit_test_setup(test_rule_1_human_only_node, begin),
        cmocka_unit_test_setup(test_rule_2_notify_only_event, begin),
        cmocka_unit_test_setup(test_rule_3_confidence_floor, begin),
        cmocka_unit_test_setup(test_rule_4_unsafe_name_or_the_whole_node, begin),
        cmocka_unit_test_setup(test_rule_5_critical_is_never_ignored, begin),
        cmocka_unit_test_setup(test_rules_together, begin),
        cmocka_unit_test_setup(test_the_outcome_keeps_all_rules, begin),
        cmocka_unit_test_setup(test_names_of_rules, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
