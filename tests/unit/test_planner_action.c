/* Ids and bodies of actions. */

#include "base/json_read.h"
#include "planner/action.h"
#include "planner/policy.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct event event;
static struct action_names names;

static void name_event(const char *node, const char *service, const char *type)
{
    event = (struct event){.severity = SEVERITY_ERROR};
    snprintf(event.node, sizeof(event.node), "%s", node);
    snprintf(event.node_as_came, sizeof(event.node_as_came), "%s", node);
    snprintf(event.service, sizeof(event.service), "%s", service);
    snprintf(event.type, sizeof(event.type), "%s", type);
}

/* ---- Ids ---- */

static void test_plain_ids(void **state)
{
    static const struct {
        const char *node, *service, *type;
        const char *ids[PROPOSAL_NOTIFY + 1];
    } cases[] = {
        {"solaria",
         "web",
         "service_unhealthy",
         {[PROPOSAL_RESTART] = "container-restart-solaria-web",
          [PROPOSAL_REDEPLOY] = "redeploy-solaria-web",
          [PROPOSAL_NOTIFY] = "alert-solaria-web-service_unhealthy"}},
        {"n",
         "all",
         "disk_pressure",
         {[PROPOSAL_RESTART] = "container-restart-n-all",
          [PROPOSAL_REDEPLOY] = "redeploy-n-all",
          [PROPOSAL_NOTIFY] = "alert-n-all-disk_pressure"}},
        {"../../etc/cron.d/x",
         ".",
         "-rf \n\"\x1b[2J\xe2\x80\xae",
         {[PROPOSAL_RESTART] = "container-restart-_._.._etc_cron.d_x-_",
          [PROPOSAL_REDEPLOY] = "redeploy-_._.._etc_cron.d_x-_",
          [PROPOSAL_NOTIFY] = "alert-_._.._etc_cron.d_x-_-_rf_____2J___"}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        name_event(cases[i].node, cases[i].service, cases[i].type);
        for (int a = PROPOSAL_RESTART; a <= PROPOSAL_NOTIFY; a++) {
            action_names(&names, (enum proposal_action)a, &event);
            assert_string_equal(names.plain, cases[i].ids[a]);
            size_t n = strlen(names.plain);
            assert_memory_equal(names.hashed, names.plain, n);
            assert_int_equal(names.hashed[n], '-');
            assert_int_equal(strlen(names.hashed), n + 9);
        }
    }
    assert_string_equal(action_type(PROPOSAL_RESTART), "container_restart");
    assert_string_equal(action_type(PROPOSAL_REDEPLOY), "redeploy");
    assert_string_equal(action_type(PROPOSAL_NOTIFY), "alert_only");
}

/* sha256("container_restart\0solaria\0web\0service_unhealthy") and so on, by another program. */
static void test_hashed_ids(void **state)
{
    (void)state;
    name_event("solaria", "web", "service_unhealthy");
    action_names(&names, PROPOSAL_RESTART, &event);
    assert_string_equal(names.hashed, "container-restart-solaria-web-ee092c97");
    action_names(&names, PROPOSAL_REDEPLOY, &event);
    assert_string_equal(names.hashed, "redeploy-solaria-web-2e3070d8");
    action_names(&names, PROPOSAL_NOTIFY, &event);
    assert_string_equal(names.hashed, "alert-solaria-web-service_unhealthy-58aba4aa");
}

static void test_one_plain_id_for_two_targets_has_two_hashed_ones(void **state)
{
    struct action_names other;
    static const char *const pairs[][4] = {
        {"a-b", "c", "a", "b-c"}, {"a b", "c", "a/b", "c"}, {"a", "b_", "a", "b\n"}};
    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        for (int a = PROPOSAL_RESTART; a <= PROPOSAL_NOTIFY; a++) {
            name_event(pairs[i][0], pairs[i][1], "x");
            action_names(&names, (enum proposal_action)a, &event);
            name_event(pairs[i][2], pairs[i][3], "x");
            action_names(&other, (enum proposal_action)a, &event);
            assert_string_equal(names.plain, other.plain);
            assert_string_not_equal(names.hashed, other.hashed);
        }
    }
}

static void test_ids_that_are_too_long(void **state)
{
    char node[NAME_MAX_BYTES + 1], service[NAME_MAX_BYTES + 1];
    (void)state;
    memset(node, 'n', sizeof(node));
    node[NAME_MAX_BYTES] = '\0';
    /* container-restart- and the node and a dash are 147 bytes. */
    for (size_t n = 40; n <= NAME_MAX_BYTES; n++) {
        memset(service, 's', n);
        service[n] = '\0';
        name_event(node, service, "x");
        action_names(&names, PROPOSAL_RESTART, &event);
        size_t full = 147 + n;
        assert_int_equal(strlen(names.plain), full <= ACTION_ID_MAX ? full : 0);
        size_t kept = full < ACTION_ID_CUT ? full : ACTION_ID_CUT;
        assert_int_equal(strlen(names.hashed), kept + 9);
        assert_int_equal(names.hashed[kept - 1], 's');
        assert_int_equal(names.hashed[kept], '-');
        assert_int_equal(strspn(names.hashed + kept + 1, "0123456789abcdef"), 8);
    }
    /* All three names at their longest. */
    memset(service, 's', NAME_MAX_BYTES);
    name_event(node, service, node);
    action_names(&names, PROPOSAL_NOTIFY, &event);
    assert_string_equal(names.plain, "");
    assert_int_equal(strlen(names.hashed), ACTION_ID_MAX);
}

/* ---- Bodies ---- */

static char storage[ACTION_BYTES_MAX];
static struct proposal proposal;
static struct llm_answer answer;
static struct action_body body;

static int begin(void **state)
{
    (void)state;
    name_event("solaria", "web", "service_unhealthy");
    snprintf(event.timestamp, sizeof(event.timestamp), "2026-05-28T20:26:40Z");
    snprintf(event.source, sizeof(event.source), "node-agent");
    snprintf(event.message, sizeof(event.message), "it died");
    snprintf(event.correlation_id, sizeof(event.correlation_id), "corr-1");
    proposal = (struct proposal){.action = PROPOSAL_RESTART, .confidence = 0.86};
    snprintf(proposal.confidence_text, sizeof(proposal.confidence_text), "0.86");
    snprintf(proposal.reason, sizeof(proposal.reason), "killed");
    answer = (struct llm_answer){.success = true, .attempt_count = 1};
    answer.attempts[0].latency_ms = 812;
    snprintf(answer.attempts[0].model, sizeof(answer.attempts[0].model), "ollama/qwen2.5:7b");
    body = (struct action_body){
        .id = "container-restart-solaria-web",
        .event = &event,
        .proposal = &proposal,
        .model = "ollama/qwen2.5:7b",
        .answer = &answer,
        .created_at = 1780000000,
    };
    return 0;
}

static const char *write_body(void)
{
    static struct buf out;
    buf_init(&out, storage, sizeof(storage));
    action_write(&out, &body);
    const char *text = buf_text(&out);
    assert_non_null(text);
    return text;
}

#define BODY_HEAD(id, type, risk)                                                                  \
    "{\"action_id\":\"" id "\",\"service\":\"web\",\"node\":\"solaria\",\"type\":\"" type          \
    "\",\"risk\":\"" risk "\",\"status\":\"pending\",\"created_at\":1780000000,"                   \
    "\"updated_at\":1780000000,\"correlation_id\":\"corr-1\",\"proposed_by\":\"planner-agent\","
#define BODY_TAIL                                                                                  \
    "\"transition_history\":[{\"from\":null,\"to\":\"pending\",\"timestamp\":1780000000,"          \
    "\"by\":\"planner-agent\"}]}"

static void test_the_body_of_the_contract(void **state)
{
    (void)state;
    assert_string_equal(
        write_body(),
        BODY_HEAD(
            "container-restart-solaria-web", "container_restart",
            "guarded") "\"details\":{\"reason\":\"killed\",\"confidence\":0.86,\"requires_human\":"
                       "false,"
                       "\"action\":\"restart\",\"model\":\"ollama/qwen2.5:7b\",\"policy\":[],"
                       "\"suppressed_count\":0,\"event\":{\"type\":\"service_unhealthy\","
                       "\"severity\":\"error\","
                       "\"timestamp\":\"2026-05-28T20:26:40Z\",\"source\":\"node-agent\","
                       "\"message\":\"it died\"},\"attempts\":[{\"model\":\"ollama/qwen2.5:7b\","
                       "\"outcome\":\"success\",\"latency_ms\":812}]}," BODY_TAIL);
}

static void test_the_body_with_everything(void **state)
{
    (void)state;
    body.id = "alert-solaria-web-service_unhealthy";
    body.model = "rules";
    body.policy = POLICY_HUMAN_ONLY_NODE | POLICY_UNSAFE_NAME | POLICY_CHAIN_EXHAUSTED;
    body.critical_risk = true;
    body.suppressed = 4294967295;
    proposal.action = PROPOSAL_NOTIFY;
    proposal.requires_human = true;
    snprintf(proposal.confidence_text, sizeof(proposal.confidence_text), "5e-1");
    snprintf(event.node_as_came, sizeof(event.node_as_came), "sol \"x\"");
    snprintf(event.details, sizeof(event.details), "{\"exit_code\": 137}");
    event.severity = SEVERITY_CRITICAL;
    answer.attempt_count = 2;
    answer.attempts[0].outcome = LLM_HTTP_ERROR;
    answer.attempts[0].status = 503;
    snprintf(answer.attempts[0].error, sizeof(answer.attempts[0].error), "busy");
    snprintf(answer.attempts[1].model, sizeof(answer.attempts[1].model), "rules");
    assert_string_equal(
        write_body(),
        BODY_HEAD(
            "alert-solaria-web-service_unhealthy", "alert_only",
            "critical") "\"details\":{\"reason\":\"killed\",\"confidence\":5e-1,\"requires_human\":"
                        "true,"
                        "\"action\":\"notify\",\"model\":\"rules\","
                        "\"policy\":[\"human_only_node\",\"unsafe_name\",\"chain_exhausted\"],"
                        "\"suppressed_count\":4294967295,\"event\":{\"type\":\"service_unhealthy\","
                        "\"severity\":\"critical\",\"timestamp\":\"2026-05-28T20:26:40Z\","
                        "\"source\":\"node-agent\",\"message\":\"it "
                        "died\",\"payload\":{\"exit_code\": 137},"
                        "\"node\":\"sol "
                        "\\\"x\\\"\"},\"attempts\":[{\"model\":\"ollama/qwen2.5:7b\","
                        "\"outcome\":\"http_error\",\"latency_ms\":812,\"status\":503,\"error\":"
                        "\"busy\"},"
                        "{\"model\":\"rules\",\"outcome\":\"success\",\"latency_ms\":0}]}"
                        "," BODY_TAIL);
}

static void test_risks(void **state)
{
    static const struct {
        enum proposal_action action;
        bool critical;
        const char *text;
    } cases[] = {
        {PROPOSAL_RESTART, false, "\"type\":\"container_restart\",\"risk\":\"guarded\""},
        {PROPOSAL_REDEPLOY, false, "\"type\":\"redeploy\",\"risk\":\"guarded\""},
        {PROPOSAL_NOTIFY, false, "\"type\":\"alert_only\",\"risk\":\"nominal\""},
        {PROPOSAL_RESTART, true, "\"type\":\"container_restart\",\"risk\":\"critical\""},
        {PROPOSAL_REDEPLOY, true, "\"type\":\"redeploy\",\"risk\":\"critical\""},
        {PROPOSAL_NOTIFY, true, "\"type\":\"alert_only\",\"risk\":\"critical\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        proposal.action = cases[i].action;
        body.critical_risk = cases[i].critical;
        assert_non_null(strstr(write_body(), cases[i].text));
    }
}

static void test_no_attempts(void **state)
{
    (void)state;
    body.answer = NULL;
    assert_non_null(strstr(write_body(), "\"attempts\":[]"));
    body.answer = &answer;
    answer.attempt_count = 0;
    assert_non_null(strstr(write_body(), "\"attempts\":[]"));
}

/* Everything at its longest, of the character that grows most as an escape. */
static void test_the_biggest_body_fits(void **state)
{
    (void)state;
#define FILL(field) memset((field), 0x01, sizeof(field) - 1)
    FILL(event.type);
    FILL(event.node);
    FILL(event.node_as_came);
    FILL(event.service);
    FILL(event.source);
    FILL(event.correlation_id);
    FILL(event.timestamp);
    FILL(event.message);
    FILL(proposal.reason);
    memset(event.details, '1', sizeof(event.details) - 1);
    event.node[0] = 'x';
    memset(proposal.confidence_text, '0', sizeof(proposal.confidence_text) - 1);
    proposal.confidence_text[1] = '.';
    proposal.action = PROPOSAL_RESTART;
    body.critical_risk = true;
    body.policy = (1 << POLICY_RULES) - 1;
    body.suppressed = UINT32_MAX;
    body.created_at = INT64_MAX;
    answer.attempt_count = CHAIN_HOPS_MAX;
    for (unsigned i = 0; i < CHAIN_HOPS_MAX; i++) {
        struct llm_attempt *a = &answer.attempts[i];
        FILL(a->model);
        FILL(a->error);
        a->status = 1000000000;
        a->latency_ms = INT64_MAX;
        a->outcome = LLM_NETWORK_ERROR;
    }
    body.model = answer.attempts[0].model;
    char id[ACTION_ID_MAX + 1];
    memset(id, 'i', ACTION_ID_MAX);
    id[ACTION_ID_MAX] = '\0';
    body.id = id;
    const char *text = write_body();
    static jsmntok_t tokens[512];
    struct json doc;
    assert_int_equal(json_read(&doc, text, strlen(text), tokens, COUNT(tokens), 16), JSON_OK);
    assert_true(strlen(text) < ACTION_BYTES_MAX / 2 + ACTION_BYTES_MAX / 4);
}

static void test_hostile_text_comes_out_as_escapes(void **state)
{
    (void)state;
    snprintf(event.message, sizeof(event.message), "\x1b[2J\"},\n\xe2\x80\xae\\");
    snprintf(event.service, sizeof(event.service), "a\"b");
    snprintf(proposal.reason, sizeof(proposal.reason), "\"}]}");
    const char *text = write_body();
    assert_non_null(strstr(text, "\"message\":\"\\u001b[2J\\\"},\\n\\u202e\\\\\""));
    assert_non_null(strstr(text, "\"service\":\"a\\\"b\""));
    assert_non_null(strstr(text, "\"reason\":\"\\\"}]}\""));
    for (const char *p = text; *p != '\0'; p++)
        assert_true((unsigned char)*p >= ' ' && (unsigned char)*p < 0x7f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_ids),
        cmocka_unit_test(test_hashed_ids),
        cmocka_unit_test(test_one_plain_id_for_two_targets_has_two_hashed_ones),
        cmocka_unit_test(test_ids_that_are_too_long),
        cmocka_unit_test_setup(test_the_body_of_the_contract, begin),
        cmocka_unit_test_setup(test_the_body_with_everything, begin),
        cmocka_unit_test_setup(test_risks, begin),
        cmocka_unit_test_setup(test_no_attempts, begin),
        cmocka_unit_test_setup(test_the_biggest_body_fits, begin),
        cmocka_unit_test_setup(test_hostile_text_comes_out_as_escapes, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
