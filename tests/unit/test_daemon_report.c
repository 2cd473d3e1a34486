#include "daemon/report.h"

#include "base/file.h"
#include "base/json_read.h"
#include "daemon/config.h"
#include "daemon/decisions.h"
#include "daemon/faults.h"
#include "llm/router.h"
#include "planner/planner.h"
#include "source/files.h"
#include "store/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static struct planner planner;
static struct router router;
static struct config config;
static struct faults faults;
static struct decisions decisions;
static struct files_counts files;
static char storage[STATUS_SIZE];
static jsmntok_t tokens[STATUS_SIZE / 2 + 2];

static const struct report *a_report(void)
{
    static const struct config_sources sources = {.env_file = "/dev/null", .node = "solaria"};
    static struct report report;
    char why[CONFIG_LINE_MAX];

    assert_int_equal(clearenv(), 0);
    assert_int_equal(config_load(&config, &sources, why), 0);
    report = (struct report){
        .now = {.boot_ms = 5000, .wall_ms = 1780000005000},
        .started_ms = 1780000000000,
        .running = true,
        .runtime = "/srv",
        .config = &config,
        .planner = &planner,
        .router = &router,
        .files = &files,
        .faults = &faults,
        .decisions = &decisions,
        .unreadable = 2,
    };
    return &report;
}

static void read_report(struct json *doc)
{
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    report_write(a_report(), &b);
    assert_int_equal(buf_done(&b), 0);
    assert_int_equal(
        json_read(doc, b.p, b.n, tokens, sizeof(tokens) / sizeof(tokens[0]), STATUS_DEPTH_MAX),
        JSON_OK);
}

static int64_t number(const struct json *doc, const char *object, const char *name)
{
    int64_t n = -1;

    assert_int_equal(json_int(doc, json_member(doc, json_member(doc, JSON_ROOT, object), name), 0,
                              INT64_MAX, &n),
                     0);
    return n;
}

static void test_content(void **state)
{
    char text[64];
    struct json doc;

    (void)state;
    planner.counts[OUTCOME_REFUSED] = 3;
    planner.counts[OUTCOME_PROPOSED] = 4;
    planner.refused[EVENT_NO_TYPE] = 3;
    files.files = 9;
    file_wrote(100);
    file_wrote(-1);
    file_wrote(0);
    file_wrote(7);
    faults.of[FAULT_PROPOSE] = (struct fault){.error = ENOSPC, .since_ms = 1, .count = 7};
    read_report(&doc);
    assert_int_equal(number(&doc, "counters", "refused"), 5);
    assert_int_equal(number(&doc, "writes", "count"), 2);
    assert_int_equal(number(&doc, "writes", "bytes"), 107);
    assert_int_equal(number(&doc, "counters", "proposed"), 4);
    assert_int_equal(number(&doc, "refusals", "no_type"), 3);
    assert_int_equal(number(&doc, "refusals", "unreadable"), 2);
    json_ref list = json_member(&doc, JSON_ROOT, "faults");
    json_ref fault = json_first(&doc, list);
    assert_true(json_string(&doc, json_member(&doc, fault, "error"), text, sizeof(text)) > 0);
    assert_string_equal(text, strerror(ENOSPC));
    assert_int_equal(json_next(&doc, list, fault), JSON_NONE);
    assert_true(json_string(&doc, json_member(&doc, JSON_ROOT, "node"), text, sizeof(text)) > 0);
    assert_string_equal(text, "solaria");
}

/* The file's size is fixed: the worst texts must leave a whole object. */
static void test_always_fits(void **state)
{
    static struct event event;
    char worst[2000];
    struct json doc;

    (void)state;
    for (size_t i = 0; i < sizeof(worst) - 1; i++)
        worst[i] = '\x01';
    worst[sizeof(worst) - 1] = '\0';
    span_cut(event.node, sizeof(event.node), span_of(worst));
    span_cut(event.service, sizeof(event.service), span_of(worst));
    span_cut(event.type, sizeof(event.type), span_of(worst));
    for (int i = 0; i < DECISIONS_KEPT; i++)
        (void)decisions_note(&decisions,
                             &(struct decision){.outcome = OUTCOME_PROPOSED,
                                                .event = &event,
                                                .reason = worst,
                                                .action_id = worst,
                                                .action = worst,
                                                .model = worst,
                                                .origin = worst},
                             i);
    for (unsigned i = 0; i < FAULTS; i++)
        faults.of[i] = (struct fault){.error = EIO, .since_ms = INT64_MAX, .count = UINT32_MAX};
    for (unsigned i = 0; i < OUTCOMES; i++)
        planner.counts[i] = INT64_MAX - 2;
    router.hop_count = CHAIN_HOPS_MAX;
    for (unsigned i = 0; i < CHAIN_HOPS_MAX; i++)
        span_cut(router.hops[i].label, sizeof(router.hops[i].label), span_of(worst));
    read_report(&doc);
    json_ref list = json_member(&doc, JSON_ROOT, "decisions");
    assert_true(json_first(&doc, list) != JSON_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_always_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
