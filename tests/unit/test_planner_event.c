/* How an event is read. */

#include "base/buf.h"
#include "planner/event.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ARRIVED INT64_C(1780000000000) /* 2026-05-28T20:26:40.000Z */
#define ARRIVED_TEXT "2026-05-28T20:26:40.000Z"

static const struct aliases aliases = {
    .count = 2,
    .entry = {{"sol", "solaria"}, {"solaria", "elsewhere"}},
};
static struct event event;

static enum event_error parse(const char *text)
{
    return event_parse(&event, span_of(text), &aliases, span_of("node/file:0"), ARRIVED);
}

static void good(const char *text)
{
    enum event_error error = parse(text);
    if (error != EVENT_OK)
        fail_msg("%s: %s", text, event_error_text(error));
}

/* An event of type x and node n with these members more. */
static void good_with(const char *members)
{
    char text[8192];
    assert_true(snprintf(text, sizeof(text), "{\"type\":\"x\",\"node\":\"n\",%s}", members) <
                (int)sizeof(text));
    good(text);
}

/* ---- Spellings ---- */

static const char *const types[] = {"type", "event_type", "event"};
static const char *const nodes[] = {"node", "node_name", "host", "hostname"};
static const char *const services[] = {"service", "service_name", "container", "container_name"};
static const char *const times[] = {"timestamp", "ts", "time"};
static const char *const severities[] = {"severity", "level"};
static const char *const texts[] = {"payload", "details", "data"};

static void test_every_spelling_of_type_node_and_service(void **state)
{
    char text[256];
    (void)state;
    for (size_t t = 0; t < COUNT(types); t++) {
        for (size_t n = 0; n < COUNT(nodes); n++) {
            for (size_t s = 0; s < COUNT(services); s++) {
                snprintf(text, sizeof(text), "{\"%s\":\"web\",\"%s\":\"up\",\"%s\":\"node-1\"}",
                         services[s], types[t], nodes[n]);
                good(text);
                assert_string_equal(event.type, "up");
                assert_string_equal(event.node, "node-1");
                assert_string_equal(event.node_as_came, "node-1");
                assert_string_equal(event.service, "web");
                assert_string_equal(event.key, "node-1/web");
            }
        }
    }
}

/* Every spelling of a list at once, in the reverse order, each with its own name as its value. */
static void all_spellings(char *text, size_t cap, const char *const *names, size_t count)
{
    size_t n = 0;
    for (size_t i = count; i > 0; i--)
        n += (size_t)snprintf(text + n, cap - n, "%s\"%s\":\"%s\"", i < count ? "," : "",
                              names[i - 1], names[i - 1]);
}

static void test_the_first_spelling_of_the_table_wins(void **state)
{
    char members[256], text[512];
    (void)state;
    all_spellings(members, sizeof(members), types, COUNT(types));
    snprintf(text, sizeof(text), "{%s,\"node\":\"n\"}", members);
    good(text);
    assert_string_equal(event.type, "type");
    all_spellings(members, sizeof(members), nodes, COUNT(nodes));
    snprintf(text, sizeof(text), "{%s,\"type\":\"x\"}", members);
    good(text);
    assert_string_equal(event.node, "node");
    all_spellings(members, sizeof(members), services, COUNT(services));
    good_with(members);
    assert_string_equal(event.service, "service");
    all_spellings(members, sizeof(members), texts, COUNT(texts));
    good_with(members);
    assert_string_equal(event.details, "\"payload\"");
    good_with("\"level\":\"critical\",\"severity\":\"info\"");
    assert_int_equal(event.severity, SEVERITY_INFO);
    good_with("\"time\":1779999997,\"ts\":1779999998,\"timestamp\":1779999999");
    assert_true(event.at_ms == INT64_C(1779999999000));
    good_with("\"time\":1779999997,\"ts\":1779999998");
    assert_true(event.at_ms == INT64_C(1779999998000));
}

static void test_a_spelling_of_the_wrong_type_is_not_passed_over(void **state)
{
    static const struct {
        const char *text;
        enum event_error error;
    } cases[] = {
        {"{\"type\":5,\"event_type\":\"x\",\"node\":\"n\"}", EVENT_BAD_NAME},
        {"{\"type\":\"x\",\"node\":5,\"host\":\"n\"}", EVENT_BAD_NAME},
        {"{\"type\":\"x\",\"node\":\"n\",\"service\":5,\"container\":\"c\"}", EVENT_BAD_NAME},
        {"{\"type\":\"\",\"event_type\":\"x\",\"node\":\"n\"}", EVENT_NO_TYPE},
        {"{\"type\":\"x\",\"node\":\"\",\"host\":\"n\"}", EVENT_NO_NODE},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(parse(cases[i].text), cases[i].error);
    good_with("\"timestamp\":\"yesterday\",\"ts\":1779999998");
    assert_false(event.dated);
    good_with("\"severity\":7,\"level\":\"info\"");
    assert_int_equal(event.severity, SEVERITY_WARNING);
}

static void test_service_absent_or_empty_is_all(void **state)
{
    (void)state;
    good("{\"type\":\"x\",\"node\":\"n\"}");
    assert_string_equal(event.service, "all");
    assert_string_equal(event.key, "n/all");
    good_with("\"service\":\"\",\"container\":\"web\"");
    assert_string_equal(event.service, "all");
}

static void test_source_message_and_what_is_not_named(void **state)
{
    (void)state;
    good_with("\"source\":\"node-agent\",\"message\":\"a\\n\\u0000\\u001b b\"");
    assert_string_equal(event.source, "node-agent");
    assert_string_equal(event.message, "a\n\\u0000\x1b b");
    good_with("\"message\":{\"a\":1}");
    assert_string_equal(event.message, "");
    assert_string_equal(event.source, "");
    assert_string_equal(event.details, "");
}

/* Nobody reads them of an event that asks for nothing. */
static void test_texts_are_kept_of_faults_only(void **state)
{
    static const struct {
        const char *type;
        bool kept;
    } cases[] = {
        {"service_unhealthy", true},   {"deployment_failed", true},    {"unknown", true},
        {"service_healthy", false},    {"node_online", false},         {"node_health", false},
        {"deployment_started", false}, {"deployment_completed", false}};
    char text[256];
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(text, sizeof(text),
                 "{\"type\":\"%s\",\"node\":\"n\",\"message\":\"m\",\"data\":1,\"id\":\"i\"}",
                 cases[i].type);
        good(text);
        assert_string_equal(event.message, cases[i].kept ? "m" : "");
        assert_string_equal(event.details, cases[i].kept ? "1" : "");
        assert_int_equal(event.identity != 0, cases[i].kept);
    }
}

static void test_a_long_message_is_cut_at_a_character(void **state)
{
    char text[4096], message[3000];
    (void)state;
    for (int lead = 0; lead < 3; lead++) {
        size_t n = 0;
        for (int i = 0; i < lead; i++)
            message[n++] = 'x';
        while (n + 4 < sizeof(message)) {
            memcpy(message + n, "\xe2\x82\xac", 3);
            n += 3;
        }
        message[n] = '\0';
        snprintf(text, sizeof(text), "\"message\":\"%s\"", message);
        good_with(text);
        size_t got = strlen(event.message);
        assert_true(got <= EVENT_MESSAGE_MAX && got >= EVENT_MESSAGE_MAX - 3);
        assert_string_equal(event.message + got - 3, "...");
        assert_int_equal((got - 3 - (size_t)lead) % 3, 0);
    }
}

/* ---- Shapes ---- */

#define INNER "{\"type\":\"x\",\"node\":\"inner\",\"service\":\"web\"}"

static void test_shapes(void **state)
{
    static const struct {
        const char *text;
        const char *type;
        const char *key;
    } cases[] = {
        /* A is never unwrapped. */
        {"{\"type\":\"y\",\"node\":\"n\",\"payload\":" INNER "}", "y", "n/all"},
        {"{\"type\":\"y\",\"node\":\"n\",\"data\":" INNER "}", "y", "n/all"},
        {"{\"type\":\"y\",\"node\":\"n\",\"update\":" INNER "}", "y", "n/all"},
        {"{\"type\":\"y\",\"node\":\"n\",\"event\":" INNER "}", "y", "n/all"},
        {"{\"event\":\"y\",\"host\":\"n\",\"payload\":" INNER "}", "y", "n/all"},
        {"{\"type\":\"y\",\"node\":\"n\",\"key\":\"a/b\"}", "y", "n/all"},
        /* B: the first of event, update, data, payload that is shape A. */
        {"{\"event\":" INNER "}", "x", "inner/web"},
        {"{\"update\":" INNER "}", "x", "inner/web"},
        {"{\"data\":" INNER "}", "x", "inner/web"},
        {"{\"payload\":" INNER "}", "x", "inner/web"},
        {"{\"type\":\"world_update\",\"update\":" INNER "}", "x", "inner/web"},
        {"{\"node\":\"n\",\"event\":" INNER "}", "x", "inner/web"},
        {"{\"type\":7,\"node\":\"n\",\"data\":" INNER "}", "x", "inner/web"},
        {"{\"payload\":{\"type\":\"y\",\"node\":\"p\"},\"data\":" INNER "}", "x", "inner/web"},
        {"{\"data\":{\"type\":\"y\",\"node\":\"d\"},\"update\":" INNER "}", "x", "inner/web"},
        {"{\"update\":{\"type\":\"y\",\"node\":\"u\"},\"event\":" INNER "}", "x", "inner/web"},
        {"{\"update\":{\"node\":\"u\"},\"event\":{\"type\":\"e\"},\"data\":5,\"payload\":" INNER
         "}",
         "x", "inner/web"},
        {"{\"type\":\"y\",\"key\":\"a/b\",\"data\":" INNER "}", "x", "inner/web"},
        /* B: type or change, and a key. */
        {"{\"type\":\"y\",\"key\":\"a/b\"}", "y", "a/b"},
        {"{\"change\":\"y\",\"key\":\"a/b\"}", "y", "a/b"},
        {"{\"type\":\"y\",\"change\":\"z\",\"key\":\"a/b\"}", "y", "a/b"},
        {"{\"type\":null,\"change\":\"z\",\"key\":\"a/b\"}", "z", "a/b"},
        {"{\"type\":\"y\",\"key\":\"a/\"}", "y", "a/all"},
        {"{\"type\":\"y\",\"key\":\"a/b/c\"}", "y", "a/b_c"},
        {"{\"type\":\"y\",\"key\":\"sol/b\"}", "y", "solaria/b"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        good(cases[i].text);
        assert_string_equal(event.type, cases[i].type);
        assert_string_equal(event.key, cases[i].key);
    }
}

static void test_no_shape(void **state)
{
    static const struct {
        const char *text;
        enum event_error error;
    } cases[] = {
        {"{}", EVENT_NO_TYPE},
        {"{\"node\":\"n\"}", EVENT_NO_TYPE},
        {"{\"type\":\"x\"}", EVENT_NO_NODE},
        {"{\"event\":{\"event\":" INNER "}}", EVENT_NO_TYPE},
        {"{\"event\":{\"type\":\"x\"}}", EVENT_NO_TYPE},
        {"{\"node\":\"n\",\"event\":{\"node\":\"x\"}}", EVENT_NO_TYPE},
        {"{\"events\":" INNER "}", EVENT_NO_TYPE},
        {"{\"data\":[" INNER "]}", EVENT_NO_TYPE},
        {"{\"type\":\"x\",\"key\":\"a\"}", EVENT_NO_NODE},
        {"{\"type\":\"x\",\"key\":\"/b\"}", EVENT_NO_NODE},
        {"{\"type\":\"x\",\"key\":[\"a/b\"]}", EVENT_NO_NODE},
        {"{\"key\":\"a/b\"}", EVENT_NO_TYPE},
        {"{\"event_type\":\"x\",\"key\":\"a/b\"}", EVENT_NO_NODE},
        {"{\"data\":{\"type\":\"x\",\"node\":5}}", EVENT_BAD_NAME},
        {"{\"type\":\"x\",\"key\":\"a/b\\u0000\"}", EVENT_BAD_NAME},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(parse(cases[i].text), cases[i].error);
}

/* ---- Time ---- */

static void test_times(void **state)
{
    static const struct {
        const char *value;
        int64_t at_ms; /* 0: the arrival counts */
        const char *text;
    } cases[] = {
        {"\"2026-05-28T20:26:39Z\"", ARRIVED - 1000, "2026-05-28T20:26:39Z"},
        {"\"2026-05-28 20:26:39\"", ARRIVED - 1000, "2026-05-28 20:26:39"},
        {"\"2026-05-28T22:26:39.5+02:00\"", ARRIVED - 500, "2026-05-28T22:26:39.5+02:00"},
        {"\" 2026-05-28T20:26:39Z\"", ARRIVED - 1000, " 2026-05-28T20:26:39Z"},
        {"1779999999", ARRIVED - 1000, "1779999999"},
        {"1779999999.25", ARRIVED - 750, "1779999999.25"},
        {"1779999999250", ARRIVED - 750, "1779999999250"},
        {"1.779999999e9", ARRIVED - 1000, "1.779999999e9"},
        {"\"1779999999\"", ARRIVED - 1000, "1779999999"},
        {"\"1779999999.25\"", ARRIVED - 750, "1779999999.25"},
        {"\"1779999999250\"", ARRIVED - 750, "1779999999250"},
        /* Plausible or not: 2020 to a day ahead. */
        {"1577836800", EVENT_AGE_FLOOR_MS, "1577836800"},
        {"1577836799.999", 0, "1577836799.999"},
        {"\"2019-12-31T23:59:59Z\"", 0, "2019-12-31T23:59:59Z"},
        {"0", 0, "0"},
        {"1780086400", ARRIVED + EVENT_AHEAD_MAX_MS, "1780086400"},
        {"1780086400.001", 0, "1780086400.001"},
        {"\"9999-12-31T23:59:59Z\"", 0, "9999-12-31T23:59:59Z"},
        /* What cannot be read is as good as absent. */
        {"-1", 0, ARRIVED_TEXT},
        {"1e300", 0, ARRIVED_TEXT},
        {"1779999999250000", 0, ARRIVED_TEXT},
        {"\"\"", 0, ARRIVED_TEXT},
        {"\"yesterday\"", 0, ARRIVED_TEXT},
        {"\"2026-13-45T99:99:99Z\"", 0, ARRIVED_TEXT},
        {"\"2026-05-28T20:26:39Z\\u0000\"", 0, ARRIVED_TEXT},
        {"\"0x6a18a3ff\"", 0, ARRIVED_TEXT},
        {"\"nan\"", 0, ARRIVED_TEXT},
        {"null", 0, ARRIVED_TEXT},
        {"true", 0, ARRIVED_TEXT},
        {"{\"a\":1}", 0, ARRIVED_TEXT},
        {"[]", 0, ARRIVED_TEXT},
        /* More digits than the text has room for. */
        {"\"2026-05-28T20:26:39.0000000000000000000000000000000000000000000000000000000Z\"",
         ARRIVED - 1000, "2026-05-28T20:26:39.000Z"},
    };
    char members[256];
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t spelling = 0; spelling < COUNT(times); spelling++) {
            snprintf(members, sizeof(members), "\"%s\":%s", times[spelling], cases[i].value);
            good_with(members);
            bool dated = cases[i].at_ms != 0;
            if (event.dated != dated || event.at_ms != (dated ? cases[i].at_ms : ARRIVED))
                fail_msg("%s: %d %lld", members, event.dated, (long long)event.at_ms);
            assert_string_equal(event.timestamp, cases[i].text);
            assert_true(event.arrived_ms == ARRIVED);
        }
    }
    good("{\"type\":\"x\",\"node\":\"n\"}");
    assert_false(event.dated);
    assert_true(event.at_ms == ARRIVED);
    assert_string_equal(event.timestamp, ARRIVED_TEXT);
}

/* ---- Severity ---- */

static void test_severities(void **state)
{
    static const struct {
        const char *value;
        enum severity severity;
    } cases[] = {
        {"\"info\"", SEVERITY_INFO},
        {"\"warning\"", SEVERITY_WARNING},
        {"\"warn\"", SEVERITY_WARNING},
        {"\"error\"", SEVERITY_ERROR},
        {"\"critical\"", SEVERITY_CRITICAL},
        {"\"fatal\"", SEVERITY_CRITICAL},
        {"\"CRITICAL\"", SEVERITY_CRITICAL},
        {"\"Error\"", SEVERITY_ERROR},
        {"\"banana\"", SEVERITY_WARNING},
        {"\"\"", SEVERITY_WARNING},
        {"\"critical!\"", SEVERITY_WARNING},
        {"\"criticality\"", SEVERITY_WARNING},
        {"7", SEVERITY_WARNING},
        {"null", SEVERITY_WARNING},
        {"[\"error\"]", SEVERITY_WARNING},
    };
    char members[128];
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t spelling = 0; spelling < COUNT(severities); spelling++) {
            snprintf(members, sizeof(members), "\"%s\":%s", severities[spelling], cases[i].value);
            good_with(members);
            assert_int_equal(event.severity, cases[i].severity);
        }
    }
    good("{\"type\":\"x\",\"node\":\"n\"}");
    assert_int_equal(event.severity, SEVERITY_WARNING);
    for (int s = SEVERITY_INFO; s <= SEVERITY_CRITICAL; s++)
        assert_int_equal(severity_of(span_of(severity_text((enum severity)s))), s);
}

/* ---- Details ---- */

static void test_details_are_kept_as_they_stand(void **state)
{
    static const char *const values[] = {"{\"exit_code\":137, \"a\" : [ 1,2 ] }",
                                         "[1,2]",
                                         "\"te\\u0041xt\"",
                                         "5",
                                         "-0.5e+10",
                                         "true",
                                         "{}"};
    char members[256];
    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        for (size_t spelling = 0; spelling < COUNT(texts); spelling++) {
            snprintf(members, sizeof(members), "\"%s\": %s ", texts[spelling], values[i]);
            good_with(members);
            assert_string_equal(event.details, values[i]);
        }
    }
}

static void test_details_that_are_too_long_become_a_note(void **state)
{
    static char members[EVENT_BYTES_MAX], text[EVENT_BYTES_MAX + 64];
    /* The longest that is kept, one byte more, many; what grows most when it is escaped. */
    static const struct {
        size_t n;
        const char *unit;
        bool kept;
    } cases[] = {
        {EVENT_DETAILS_MAX, "x", true},
        {EVENT_DETAILS_MAX + 1, "x", false},
        {20000, "x", false},
        {20001, "\xe2\x82\xac", false},
        {20000, "\xe2\x80\xae", false},
        {20000, "\x7f", false},
        {20000, "\xf0\x9f\x98\x80", false},
        {20000, "\\\"", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t unit = strlen(cases[i].unit);
        size_t n = (size_t)snprintf(members, sizeof(members), "\"payload\":\"");
        size_t begin = n - 1;
        while (n - begin + unit < cases[i].n) {
            memcpy(members + n, cases[i].unit, unit);
            n += unit;
        }
        members[n++] = '"';
        members[n] = '\0';
        size_t raw = n - begin;
        snprintf(text, sizeof(text), "{\"type\":\"x\",\"node\":\"n\",%s}", members);
        good(text);
        if (cases[i].kept) {
            assert_int_equal(raw, cases[i].n);
            assert_string_equal(event.details, members + begin);
            continue;
        }
        snprintf(members, sizeof(members), "\"%zu bytes, of which this is the start: \\\"", raw);
        assert_memory_equal(event.details, members, strlen(members));
        assert_true(strlen(event.details) > 300);
        /* A JSON string, whatever was cut where. */
        snprintf(members, sizeof(members), "{\"type\":\"x\",\"node\":\"n\",\"payload\":%s}",
                 event.details);
        memcpy(text, event.details, sizeof(event.details));
        good(members);
        assert_string_equal(event.details, text);
        assert_int_equal(event.details[0], '"');
    }
}

/* ---- Correlation ---- */

static void test_correlation_is_its_own_or_the_origin(void **state)
{
    (void)state;
    good_with("\"correlation_id\":\"corr-42\"");
    assert_string_equal(event.correlation_id, "corr-42");
    good_with("\"correlation_id\":\"a\\u0000b\"");
    assert_string_equal(event.correlation_id, "a\\u0000b");
    static const char *const none[] = {"\"a\":1",
                                       "\"correlation_id\":\"\"",
                                       "\"correlation_id\":5",
                                       "\"correlation_id\":null",
                                       "\"id\":\"evt-1\"",
                                       "\"event_id\":\"evt-1\""};
    for (size_t i = 0; i < COUNT(none); i++) {
        good_with(none[i]);
        assert_string_equal(event.correlation_id, "node/file:0");
    }
}

/* A correlation id of n units, own or by origin. */
static void correlate(const char *unit, size_t n, const char *end, bool own)
{
    static char id[4096], text[8192];
    size_t at = 0;
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(id + at, sizeof(id) - at, "%s", unit);
    snprintf(id + at, sizeof(id) - at, "%s", end);
    snprintf(text, sizeof(text), "{\"type\":\"x\",\"node\":\"n\"%s%s%s}",
             own ? ",\"correlation_id\":\"" : "", own ? id : "", own ? "\"" : "");
    assert_int_equal(event_parse(&event, span_of(text), &aliases, span_of(own ? "o" : id), ARRIVED),
                     EVENT_OK);
}

static void test_a_long_correlation_id_keeps_its_start_and_a_hash(void **state)
{
    char first[sizeof(event.correlation_id)];
    (void)state;
    for (int own = 0; own <= 1; own++) {
        correlate("x", CORRELATION_MAX - 1, "", own);
        assert_int_equal(strlen(event.correlation_id), CORRELATION_MAX - 1);
        assert_string_equal(event.correlation_id + CORRELATION_MAX - 6, "xxxxx");
        for (size_t n = CORRELATION_MAX - 1; n < 1000; n += 199) {
            correlate("x", n, "a", own);
            memcpy(first, event.correlation_id, sizeof(first));
            assert_int_equal(strlen(first), CORRELATION_MAX - 1);
            assert_int_equal(first[CORRELATION_MAX - 1 - 17], '-');
            assert_int_equal(strspn(first + CORRELATION_MAX - 17, "0123456789abcdef"), 16);
            correlate("x", n, "a", own);
            assert_string_equal(event.correlation_id, first);
            correlate("x", n, "b", own);
            assert_string_not_equal(event.correlation_id, first);
        }
        /* Cut at a character's border. */
        for (int lead = 0; lead < 3; lead++) {
            correlate("\xe2\x82\xac", 100, &"zz"[lead], own);
            size_t n = strlen(event.correlation_id);
            assert_true(n < CORRELATION_MAX && n >= CORRELATION_MAX - 3);
            assert_int_equal((n - 17) % 3, 0);
        }
    }
}

static void test_an_origin_that_is_no_text_becomes_one(void **state)
{
    char first[sizeof(event.correlation_id)];
    (void)state;
    correlate("a\xff", 1, "b", false);
    memcpy(first, event.correlation_id, sizeof(first));
    assert_memory_equal(first, "a-", 2);
    assert_int_equal(strlen(first), 2 + 16);
    correlate("a\xff", 1, "c", false);
    assert_string_not_equal(event.correlation_id, first);
    struct span nul = {"a\0b", 3};
    assert_int_equal(event_parse(&event, span_of("{\"type\":\"x\",\"node\":\"n\"}"), NULL, nul, 0),
                     EVENT_OK);
    assert_int_equal(strlen(event.correlation_id), 2 + 16);
}

/* ---- Kinds ---- */

static void test_kinds(void **state)
{
    static const struct {
        const char *type;
        enum event_kind kind;      /* of severity error */
        enum event_kind info_kind; /* of severity info */
    } cases[] = {
        {"service_healthy", EVENT_RECOVERY, EVENT_RECOVERY},
        {"service_recovered", EVENT_RECOVERY, EVENT_RECOVERY},
        {"memory_recovered", EVENT_RECOVERY, EVENT_RECOVERY},
        {"disk_pressure_recovered", EVENT_RECOVERY, EVENT_RECOVERY},
        {"disk_pressure_resolved", EVENT_RECOVERY, EVENT_RECOVERY},
        {"mqtt_healthy", EVENT_RECOVERY, EVENT_RECOVERY},
        {"x_resolved", EVENT_RECOVERY, EVENT_RECOVERY},
        {"_recovered", EVENT_RECOVERY, EVENT_RECOVERY},
        {"node_online", EVENT_NODE_ONLINE, EVENT_NODE_ONLINE},
        {"deployment_started", EVENT_DEPLOYMENT_STARTED, EVENT_DEPLOYMENT_STARTED},
        {"deployment_completed", EVENT_DEPLOYMENT_COMPLETED, EVENT_DEPLOYMENT_COMPLETED},
        {"deployment_failed", EVENT_DEPLOYMENT_FAILED, EVENT_DEPLOYMENT_FAILED},
        {"remediation_started", EVENT_BENIGN, EVENT_BENIGN},
        {"remediation_completed", EVENT_BENIGN, EVENT_BENIGN},
        {"node_health", EVENT_BENIGN, EVENT_BENIGN},
        {"service_unhealthy", EVENT_FAULT, EVENT_FAULT},
        {"healthcheck_failed", EVENT_FAULT, EVENT_FAULT},
        {"node_offline", EVENT_FAULT, EVENT_FAULT},
        {"disk_pressure", EVENT_FAULT, EVENT_FAULT},
        {"disk_pressure_critical", EVENT_FAULT, EVENT_FAULT},
        {"disk_usage_high", EVENT_FAULT, EVENT_FAULT},
        {"high_memory", EVENT_FAULT, EVENT_FAULT},
        {"high_cpu", EVENT_FAULT, EVENT_FAULT},
        {"containers_not_running", EVENT_FAULT, EVENT_FAULT},
        {"mqtt_unreachable", EVENT_FAULT, EVENT_FAULT},
        {"ha_websocket_dead", EVENT_FAULT, EVENT_FAULT},
        {"ha_integration_failed", EVENT_FAULT, EVENT_FAULT},
        {"ha_entity_unavailable_long", EVENT_FAULT, EVENT_FAULT},
        {"ha_automation_failing", EVENT_FAULT, EVENT_FAULT},
        {"ha_recorder_lag", EVENT_FAULT, EVENT_FAULT},
        /* Unknown ones, and ones that only look alike. */
        {"something_else", EVENT_FAULT, EVENT_BENIGN},
        {"unhealthy", EVENT_FAULT, EVENT_BENIGN},
        {"x_unhealthy", EVENT_FAULT, EVENT_BENIGN},
        {"healthy", EVENT_FAULT, EVENT_BENIGN},
        {"recovered", EVENT_FAULT, EVENT_BENIGN},
        {"service_healthy_", EVENT_FAULT, EVENT_BENIGN},
        {"node_online2", EVENT_FAULT, EVENT_BENIGN},
        {"node_onlin", EVENT_FAULT, EVENT_BENIGN},
        {"node_healthier", EVENT_FAULT, EVENT_BENIGN},
        {"disk_pressured", EVENT_FAULT, EVENT_BENIGN},
        {"Service_Healthy", EVENT_FAULT, EVENT_BENIGN},
        {"NODE_ONLINE", EVENT_FAULT, EVENT_BENIGN},
        {"SERVICE_UNHEALTHY", EVENT_FAULT, EVENT_BENIGN},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int s = SEVERITY_INFO; s <= SEVERITY_CRITICAL; s++) {
            enum event_kind want = s == SEVERITY_INFO ? cases[i].info_kind : cases[i].kind;
            event = (struct event){.severity = (enum severity)s};
            snprintf(event.type, sizeof(event.type), "%s", cases[i].type);
            if (event_kind(&event) != want)
                fail_msg("%s, %s", cases[i].type, severity_text((enum severity)s));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_spelling_of_type_node_and_service),
        cmocka_unit_test(test_the_first_spelling_of_the_table_wins),
        cmocka_unit_test(test_a_spelling_of_the_wrong_type_is_not_passed_over),
        cmocka_unit_test(test_service_absent_or_empty_is_all),
        cmocka_unit_test(test_source_message_and_what_is_not_named),
        cmocka_unit_test(test_texts_are_kept_of_faults_only),
        cmocka_unit_test(test_a_long_message_is_cut_at_a_character),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_no_shape),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_severities),
        cmocka_unit_test(test_details_are_kept_as_they_stand),
        cmocka_unit_test(test_details_that_are_too_long_become_a_note),
        cmocka_unit_test(test_correlation_is_its_own_or_the_origin),
        cmocka_unit_test(test_a_long_correlation_id_keeps_its_start_and_a_hash),
        cmocka_unit_test(test_an_origin_that_is_no_text_becomes_one),
        cmocka_unit_test(test_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
