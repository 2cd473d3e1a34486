/* The whole story with a fake chain, a fake store and a fake clock. */

#include "planner/planner.h"

#include "base/log.h"
#include "base/timestamp.h"
#include "planner/action.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define START_WALL INT64_C(1780000000000)
#define START_BOOT INT64_C(5000000)
#define ACTIONS 16

static struct {
    struct planner planner;
    struct planner_settings settings;
    struct aliases aliases;
    struct now now;
    struct {
        enum action_place place;
        struct action_facts facts;
    } actions[ACTIONS];
    unsigned action_count;
    const struct llm_request *asked[ASKS_MAX];
    unsigned ask_count;
    unsigned cancel_count;
    bool finished[64];
    unsigned audit_count;
    char audit_id[ACTION_ID_MAX + 1];
    unsigned settle_count;
    enum outcome last;
    char last_body[ACTION_BYTES_MAX];
    bool disk_full;
    bool audit_fails;
    bool unreadable;
    bool moves_on; /* what is looked at has just gone to the next place */
    unsigned look_count;
    int no_room; /* errno */
    struct world_facts world;
} w;

/* ---- the fake world ---- */

static int fake_writable(void *ctx)
{
    (void)ctx;
    return w.no_room;
}

static void fake_world(void *ctx, const struct event *event, struct world_facts *facts)
{
    (void)ctx;
    (void)event;
    *facts = w.world;
}

static int fake_ask(void *ctx, unsigned slot, const struct llm_request *request)
{
    (void)ctx;
    assert_null(w.asked[slot]);
    w.asked[slot] = request;
    w.ask_count++;
    return 0;
}

static void fake_cancel(void *ctx, unsigned slot)
{
    (void)ctx;
    assert_non_null(w.asked[slot]);
    w.asked[slot] = NULL;
    w.cancel_count++;
}

/* There is no bus. */
static int fake_claim(void *ctx, unsigned slot, const struct event *event)
{
    (void)ctx;
    (void)slot;
    (void)event;
    return -1;
}

static void fake_claim_ended(void *ctx, const struct event *event, enum claim_end end,
                             const uint64_t *identities, size_t count)
{
    (void)ctx;
    (void)event;
    (void)identities;
    (void)count;
    assert_int_equal(end, CLAIM_DECIDED);
}

static struct action_facts *find_action(enum action_place place, const char *id)
{
    for (unsigned i = 0; i < w.action_count; i++)
        if (w.actions[i].place == place && strcmp(w.actions[i].facts.id, id) == 0)
            return &w.actions[i].facts;
    return NULL;
}

/* Where nothing can be read, nothing is known to be absent. */
static unsigned fake_present(void *ctx, enum action_place place, const char *const *ids,
                             size_t count)
{
    unsigned found = 0;
    (void)ctx;
    assert_in_range(count, 3, 6);
    for (size_t i = 0; i < count; i++)
        if (w.unreadable || find_action(place, ids[i]) != NULL)
            found |= 1U << i;
    return found;
}

static enum action_look fake_look(void *ctx, enum action_place place, const char *id,
                                  struct action_facts *facts)
{
    const struct action_facts *found = find_action(place, id);
    (void)ctx;
    w.look_count++;
    if (w.unreadable) {
        errno = EIO;
        return ACTION_FAULT;
    }
    if (found == NULL)
        return ACTION_ABSENT;
    if (w.moves_on) {
        for (unsigned i = 0; i < w.action_count; i++)
            w.actions[i].place++;
        w.moves_on = false;
        return ACTION_ABSENT;
    }
    *facts = *found;
    return ACTION_FOUND;
}

static enum file_result fake_propose(void *ctx, const char *id, struct span body)
{
    struct action_facts facts;
    (void)ctx;
    if (w.disk_full) {
        errno = ENOSPC;
        return FILE_FAULT;
    }
    if (find_action(ACTION_PENDING, id) != NULL)
        return FILE_EXISTS;
    assert_true(w.action_count < ACTIONS);
    assert_int_equal(actions_parse(body, id, &facts), ACTION_FOUND);
    w.actions[w.action_count].place = ACTION_PENDING;
    w.actions[w.action_count++].facts = facts;
    memcpy(w.last_body, body.p, body.n);
    w.last_body[body.n] = '\0';
    return FILE_OK;
}

static int fake_settle(void *ctx)
{
    (void)ctx;
    w.settle_count++;
    return 0;
}

static int fake_audit(void *ctx, const struct audit *audit)
{
    (void)ctx;
    if (w.audit_fails) {
        errno = ENOSPC;
        return -1;
    }
    w.audit_count++;
    span_cut(w.audit_id, sizeof(w.audit_id), span_of(audit->action_id));
    return 0;
}

static void fake_finished(void *ctx, uint64_t ref)
{
    (void)ctx;
    assert_true(ref < 64);
    assert_false(w.finished[ref]);
    w.finished[ref] = true;
}

static void fake_decided(void *ctx, const struct decision *decision)
{
    (void)ctx;
    assert_non_null(decision->reason);
    w.last = decision->outcome;
}

static const struct planner_ops ops = {
    .writable = fake_writable,
    .world = fake_world,
    .ask = fake_ask,
    .claim = fake_claim,
    .cancel = fake_cancel,
    .claim_ended = fake_claim_ended,
    .present = fake_present,
    .look = fake_look,
    .propose = fake_propose,
    .settle = fake_settle,
    .audit = fake_audit,
    .finished = fake_finished,
    .decided = fake_decided,
};

static int setup(void **state)
{
    (void)state;
    log_to(-1);
    memset(&w, 0, sizeof(w));
    w.now = (struct now){.boot_ms = START_BOOT, .wall_ms = START_WALL};
    w.settings = (struct planner_settings){
        .node_name = "hub",
        .watch_nodes = span_of("*"),
        .policy = {span_of("chelsty*"), span_of("disk_pressure*"), 0.7},
        .aliases = &w.aliases,
        .cooldown_ms = 300000,
        .repropose_ms = 3600000,
        .deadline_ms = 3600000,
        .concurrency = 2,
    };
    planner_init(&w.planner, &w.settings, &ops, NULL, 1);
    return 0;
}

/* ---- words for the tests ---- */

static void later(int64_t ms)
{
    w.now.boot_ms += ms;
    w.now.wall_ms += ms;
}

/* An event dated age_s seconds ago. */
static enum planner_took say(const char *type, const char *service, const char *severity,
                             int64_t age_s, const char *source, uint64_t ref)
{
    char text[512];
    char when[TIMESTAMP_SIZE];
    char origin[32];
    timestamp_format(when, w.now.wall_ms - age_s * 1000);
    int n = snprintf(text, sizeof(text),
                     "{\"type\":\"%s\",\"node\":\"solaria\",\"service\":\"%s\",\"severity\":\"%s\","
                     "\"timestamp\":\"%s\"%s%s%s}",
                     type, service, severity, when, source[0] ? ",\"source\":\"" : "", source,
                     source[0] ? "\"" : "");
    assert_true(n > 0 && (size_t)n < sizeof(text));
    snprintf(origin, sizeof(origin), "file-%llu", (unsigned long long)ref);
    struct arrival arrival = {
        .origin = span_of(origin),
        .wall_ms = w.now.wall_ms,
        .boot_ms = w.now.boot_ms,
        .ref = ref,
        .complete = true,
    };
    return planner_event(&w.planner, (struct span){text, (size_t)n}, &arrival, w.now);
}

static enum planner_took fault(const char *service, const char *severity, uint64_t ref)
{
    return say("service_unhealthy", service, severity, 0, "", ref);
}

static int64_t turn(void)
{
    return planner_turn(&w.planner, w.now, false);
}

static void answer(unsigned slot, const char *object)
{
    struct llm_answer a = {.success = object != NULL, .attempt_count = 1};
    assert_non_null(w.asked[slot]);
    w.asked[slot] = NULL;
    span_cut(a.model, sizeof(a.model), span_of("fake/model"));
    if (object != NULL)
        a.object = span_of(object);
    a.attempts[0].outcome = object != NULL ? LLM_SUCCESS : LLM_TIMEOUT;
    planner_answered(&w.planner, slot, &a, w.now);
}

#define RESTART                                                                                    \
    "{\"action\":\"restart\",\"reason\":\"r\",\"confidence\":0.9,\"requires_human\":false}"
#define IGNORE                                                                                     \
    "{\"action\":\"ignore\",\"reason\":\"r\",\"confidence\":0.9,\"requires_human\":false}"

static void put(enum action_place place, const char *id, const char *service)
{
    struct action_facts *facts = &w.actions[w.action_count].facts;
    w.actions[w.action_count++].place = place;
    memset(facts, 0, sizeof(*facts));
    span_cut(facts->id, sizeof(facts->id), span_of(id));
    span_cut(facts->node, sizeof(facts->node), span_of("solaria"));
    span_cut(facts->service, sizeof(facts->service), span_of(service));
    span_cut(facts->type, sizeof(facts->type), span_of("container_restart"));
    span_cut(facts->event_severity, sizeof(facts->event_severity), span_of("error"));
    facts->updated_at = w.now.wall_ms / 1000;
}

/* As we would have written it for an event of this file that arrives now. */
static void put_own(enum action_place place, const char *id, const char *service,
                    const char *origin)
{
    struct action_facts *facts = &w.actions[w.action_count].facts;
    char when[TIMESTAMP_SIZE];
    put(place, id, service);
    timestamp_format(when, w.now.wall_ms);
    facts->ours = true;
    facts->created_at = w.now.wall_ms / 1000;
    span_cut(facts->correlation_id, sizeof(facts->correlation_id), span_of(origin));
    span_cut(facts->event_type, sizeof(facts->event_type), span_of("service_unhealthy"));
    span_cut(facts->event_timestamp, sizeof(facts->event_timestamp), span_of(when));
}

/* ---- the tests ---- */

static void test_fault_becomes_proposal_audit_and_cooldown(void **state)
{
    (void)state;
    assert_int_equal(fault("web", "error", 1), PLANNER_KEEPS);
    assert_int_equal(w.ask_count, 0);
    turn();
    assert_int_equal(w.ask_count, 1);
    assert_false(w.finished[1]);
    answer(0, RESTART);
    assert_int_equal(w.last, OUTCOME_PROPOSED);
    assert_string_equal(w.actions[0].facts.id, "container-restart-solaria-web");
    assert_string_equal(w.audit_id, "container-restart-solaria-web");
    assert_int_equal(w.audit_count, 1);
    assert_true(w.finished[1]);
    w.action_count = 0; /* carried out meanwhile */
    assert_int_equal(fault("web", "error", 2), PLANNER_ENDED);
    assert_int_equal(w.last, OUTCOME_COOLDOWN);
}

static void test_nothing_is_asked_before_the_backlog_is_read(void **state)
{
    (void)state;
    fault("web", "error", 1);
    assert_int_equal(planner_turn(&w.planner, w.now, true), -1);
    assert_int_equal(w.ask_count, 0);
    say("service_healthy", "web", "info", 0, "", NO_REF);
    assert_true(w.finished[1]);
    turn();
    assert_int_equal(w.ask_count, 0);
}

static void test_ignore_writes_nothing_and_cools_down(void **state)
{
    (void)state;
    fault("web", "error", 1);
    turn();
    answer(0, IGNORE);
    assert_int_equal(w.last, OUTCOME_IGNORED);
    assert_int_equal(w.action_count, 0);
    assert_int_equal(w.audit_count, 0);
    fault("web", "error", 2);
    assert_int_equal(w.last, OUTCOME_COOLDOWN);
}

static void test_suppressed_events_are_counted_into_the_next_proposal(void **state)
{
    (void)state;
    fault("web", "error", 1);
    turn();
    answer(0, IGNORE);
    fault("web", "error", 2);
    fault("web", "error", 3);
    later(300000);
    assert_int_equal(fault("web", "error", 4), PLANNER_KEEPS);
    fault("web", "error", 5);
    turn();
    answer(0, RESTART);
    assert_non_null(strstr(w.last_body, "\"suppressed_count\":3"));
}

static void test_escalation_passes_a_cooldown_once(void **state)
{
    (void)state;
    fault("web", "warning", 1);
    turn();
    answer(0, IGNORE);
    assert_int_equal(fault("web", "critical", 2), PLANNER_KEEPS);
    turn();
    answer(0, "{\"action\":\"notify\",\"reason\":\"r\",\"confidence\":1,\"requires_human\":true}");
    assert_int_equal(w.last, OUTCOME_PROPOSED);
    w.action_count = 0;
    fault("web", "critical", 3);
    assert_int_equal(w.last, OUTCOME_COOLDOWN);
}

static void test_key_in_hand_is_joined_and_asked_once(void **state)
{
    (void)state;
    fault("web", "error", 1);
    turn();
    assert_int_equal(fault("web", "error", 2), PLANNER_ENDED);
    assert_int_equal(w.last, OUTCOME_JOINED);
    turn();
    assert_int_equal(w.ask_count, 1);
}

static void test_queued_key_keeps_gravest_then_newest(void **state)
{
    (void)state;
    fault("web", "warning", 1);
    assert_int_equal(fault("web", "error", 2), PLANNER_KEEPS);
    assert_true(w.finished[1]);
    assert_int_equal(fault("web", "warning", 3), PLANNER_ENDED);
    assert_false(w.finished[2]);
    later(1000);
    assert_int_equal(fault("web", "error", 4), PLANNER_KEEPS);
    assert_true(w.finished[2]);
}

static void test_graver_event_waits_behind_the_one_in_hand(void **state)
{
    (void)state;
    fault("web", "warning", 1);
    turn();
    assert_int_equal(fault("web", "critical", 2), PLANNER_KEEPS);
    answer(0, IGNORE);
    assert_true(w.finished[1]);
    assert_false(w.finished[2]);
    turn();
    assert_int_equal(w.ask_count, 2);
    assert_true(span_is(w.asked[0]->facts.severity, "critical"));
}

static void test_graver_event_behind_a_written_restart_finds_it_open(void **state)
{
    (void)state;
    fault("web", "warning", 1);
    turn();
    fault("web", "critical", 2);
    answer(0, RESTART);
    assert_int_equal(w.last, OUTCOME_ALREADY_OPEN);
    assert_true(w.finished[2]);
    assert_false(planner_busy(&w.planner));
}

static void test_graver_event_leads_after_the_chain_failed(void **state)
{
    (void)state;
    fault("web", "warning", 1);
    turn();
    fault("web", "critical", 2);
    answer(0, NULL);
    assert_true(w.finished[1]);
    assert_false(w.finished[2]);
    assert_int_equal(turn() > w.now.boot_ms, 1);
    assert_int_equal(w.ask_count, 1);
}

static void test_gravest_key_is_asked_first(void **state)
{
    (void)state;
    w.settings.concurrency = 1;
    planner_configure(&w.planner, &w.settings);
    fault("web", "warning", 1);
    fault("db", "critical", 2);
    fault("mqtt", "error", 3);
    turn();
    assert_true(span_is(w.asked[0]->facts.service, "db"));
    answer(0, IGNORE);
    later(1);
    turn();
    assert_true(span_is(w.asked[0]->facts.service, "mqtt"));
}

static void test_what_waits_behind_keeps_its_count(void **state)
{
    (void)state;
    fault("web", "warning", 1);
    turn();
    fault("web", "error", 2);
    fault("web", "error", 3);
    answer(0, NULL); /* both go on as one: 2 joined 3, 1 joined them */
    later(2 * RETRY_FIRST_MS);
    turn();
    answer(0, RESTART);
    assert_non_null(strstr(w.last_body, "\"suppressed_count\":2"));
}

static void test_what_was_held_keeps_its_count(void **state)
{
    (void)state;
    say("deployment_started", "web", "info", 0, "", NO_REF);
    later(1000);
    fault("web", "error", 1);
    fault("web", "error", 2);
    later(DEPLOYMENT_HOLD_MS);
    turn();
    answer(0, RESTART);
    assert_non_null(strstr(w.last_body, "\"suppressed_count\":1"));
}

static void test_fault_inside_a_deployment_holds_an_older_one_of_its_key(void **state)
{
    (void)state;
    say("service_unhealthy", "web", "error", 60, "", 1);
    say("deployment_started", "web", "info", 30, "", NO_REF);
    assert_int_equal(fault("web", "error", 2), PLANNER_KEEPS);
    turn();
    assert_int_equal(w.ask_count, 0);
    assert_int_equal(say("service_unhealthy", "web", "critical", 50, "", 3), PLANNER_KEEPS);
    turn();
    assert_int_equal(w.ask_count, 1); /* a graver one from before it is not held */
}

static void test_open_action_ends_the_event_and_leaves_the_cooldown_alone(void **state)
{
    const enum action_place places[] = {ACTION_PENDING, ACTION_CLAIMED, ACTION_APPROVED,
                                        ACTION_RUNNING};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        setup(state);
        put(places[i], "redeploy-solaria-web", "web");
        fault("web", "error", 1);
        assert_int_equal(w.last, OUTCOME_ALREADY_OPEN);
        w.action_count = 0;
        assert_int_equal(fault("web", "error", 2), PLANNER_KEEPS);
    }
}

static void test_action_that_moves_on_while_it_is_looked_at_is_found_in_its_next_place(void **state)
{
    const enum action_place places[] = {ACTION_PENDING, ACTION_CLAIMED, ACTION_APPROVED};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        setup(state);
        put(places[i], "redeploy-solaria-web", "web");
        w.moves_on = true;
        fault("web", "error", 1);
        assert_int_equal(w.last, OUTCOME_ALREADY_OPEN);
        assert_int_equal(w.look_count, 2);
    }
}

/* Each name that stands for something else is left alone, and only that one. */
static void test_taken_name_is_not_used(void **state)
{
    struct event event = {.node = "solaria", .service = "web", .type = "service_unhealthy"};
    struct action_names names;
    action_names(&names, PROPOSAL_RESTART, &event);
    for (unsigned taken = 0; taken < 4; taken++) {
        setup(state);
        if ((taken & 1) != 0)
            put(ACTION_RUNNING, names.plain, "other");
        if ((taken & 2) != 0)
            put(ACTION_APPROVED, names.hashed, "other");
        fault("web", "error", 1);
        turn();
        answer(0, RESTART);
        assert_int_equal(w.last, taken == 3 ? OUTCOME_WRITE_FAILED : OUTCOME_PROPOSED);
        if (taken != 3)
            assert_string_equal(w.audit_id, (taken & 1) != 0 ? names.hashed : names.plain);
        assert_int_equal(w.audit_count, taken != 3);
    }
}

static void test_what_is_absent_is_not_looked_at(void **state)
{
    (void)state;
    put(ACTION_PENDING, "container-restart-solaria-db", "db");
    fault("web", "error", 1);
    turn();
    answer(0, RESTART);
    assert_int_equal(w.last, OUTCOME_PROPOSED);
    assert_int_equal(w.look_count, 0);
}

static void test_ended_action_does_not_stand_in_the_way(void **state)
{
    const enum action_place places[] = {ACTION_COMPLETED, ACTION_FAILED, ACTION_CANCELLED};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        setup(state);
        put(places[i], "container-restart-solaria-web", "web");
        assert_int_equal(fault("web", "error", 1), PLANNER_KEEPS);
    }
}

static void test_action_opened_while_the_model_thought_is_found_before_the_link(void **state)
{
    (void)state;
    fault("web", "error", 1);
    turn();
    put(ACTION_PENDING, "container-restart-solaria-web", "web");
    answer(0, RESTART);
    assert_int_equal(w.last, OUTCOME_ALREADY_OPEN);
    assert_int_equal(w.action_count, 1);
    w.action_count = 0;
    assert_int_equal(fault("web", "error", 2), PLANNER_KEEPS);
}

static void test_rejection_holds_for_its_time_unless_severity_rose(void **state)
{
    (void)state;
    put(ACTION_REJECTED, "container-restart-solaria-web", "web");
    fault("web", "error", 1);
    assert_int_equal(w.last, OUTCOME_REJECTED_LATELY);
    assert_int_equal(fault("web", "critical", 2), PLANNER_KEEPS);
    setup(state);
    put(ACTION_REJECTED, "container-restart-solaria-web", "web");
    later(3600000);
    assert_int_equal(fault("web", "error", 3), PLANNER_KEEPS);
    setup(state);
    put(ACTION_REJECTED, "container-restart-solaria-web", "web");
    w.settings.repropose_ms = 0;
    planner_configure(&w.planner, &w.settings);
    assert_int_equal(fault("web", "error", 4), PLANNER_KEEPS);
}

static void test_id_of_another_target_gets_a_hash(void **state)
{
    (void)state;
    put(ACTION_PENDING, "container-restart-solaria-web", "other");
    fault("web", "error", 1);
    turn();
    answer(0, RESTART);
    assert_int_equal(w.last, OUTCOME_PROPOSED);
    assert_int_equal(strncmp(w.actions[1].facts.id, "container-restart-solaria-web-", 30), 0);
    assert_int_equal(strlen(w.actions[1].facts.id), 38);
}

static void test_own_action_from_before_a_crash_is_finished_not_repeated(void **state)
{
    (void)state;
    put_own(ACTION_PENDING, "container-restart-solaria-web", "web", "file-7");
    assert_int_equal(fault("web", "error", 7), PLANNER_KEEPS);
    turn();
    assert_int_equal(w.ask_count, 0);
    assert_int_equal(w.last, OUTCOME_RESUMED);
    assert_int_equal(w.audit_count, 1);
    assert_int_equal(w.settle_count, 1);
    assert_true(w.finished[7]);
    w.action_count = 0;
    fault("web", "error", 8);
    assert_int_equal(w.last, OUTCOME_COOLDOWN);
}

static void test_supervisors_action_with_our_correlation_is_not_ours(void **state)
{
    (void)state;
    put_own(ACTION_PENDING, "container-restart-solaria-web", "web", "file-7");
    w.actions[0].facts.ours = false;
    fault("web", "error", 7);
    assert_int_equal(w.last, OUTCOME_ALREADY_OPEN);
    assert_int_equal(w.audit_count, 0);
}

static void test_repeat_with_the_same_correlation_is_already_open(void **state)
{
    (void)state;
    put_own(ACTION_PENDING, "container-restart-solaria-web", "web", "file-7");
    later(1000);
    fault("web", "error", 7); /* another time */
    assert_int_equal(w.last, OUTCOME_ALREADY_OPEN);
    setup(state);
    put_own(ACTION_COMPLETED, "container-restart-solaria-web", "web", "file-7");
    w.actions[0].facts.created_at -= 3600; /* the same in all, and yet it came an hour later */
    fault("web", "error", 7);
    turn();
    assert_int_equal(w.ask_count, 1);
}

static void test_resuming_does_not_make_a_cooldown_longer(void **state)
{
    (void)state;
    fault("web", "error", 1);
    turn();
    answer(0, IGNORE);
    later(299000);
    put_own(ACTION_PENDING, "container-restart-solaria-web", "web", "file-2");
    fault("web", "error", 2);
    turn();
    assert_int_equal(w.last, OUTCOME_RESUMED);
    w.action_count = 0;
    later(1000);
    assert_int_equal(fault("web", "error", 3), PLANNER_KEEPS);
}

static void test_failed_audit_does_not_keep_other_keys_waiting(void **state)
{
    (void)state;
    w.settings.concurrency = 1;
    planner_configure(&w.planner, &w.settings);
    w.audit_fails = true;
    fault("web", "error", 1);
    turn();
    answer(0, RESTART);
    assert_int_equal(w.last, OUTCOME_WRITE_FAILED);
    fault("db", "error", 2);
    turn();
    assert_int_equal(w.ask_count, 2);
}

static void test_unreadable_actions_do_not_keep_other_keys_waiting(void **state)
{
    (void)state;
    w.unreadable = true;
    fault("web", "error", 1);
    turn();
    w.unreadable = false;
    fault("db", "error", 2);
    turn();
    assert_int_equal(w.ask_count, 1);
    assert_true(span_is(w.asked[0]->facts.service, "db"));
}

/* What joined the event that leads must not vanish with it. */
static void test_recovery_of_the_leader_alone_drops_nothing(void **state)
{
    (void)state;
    say("node_offline", "all", "critical", 30, "", 1);
    say("disk_pressure", "all", "error", 25, "", 2);
    say("node_online", "all", "info", 20, "", NO_REF);
    assert_true(planner_busy(&w.planner));
    setup(state);
    say("service_unhealthy", "web", "error", 30, "", 1);
    say("service_unhealthy", "web", "warning", 10, "", 2);
    say("service_healthy", "web", "info", 20, "", NO_REF);
    assert_true(planner_busy(&w.planner));
    setup(state);
    say("service_unhealthy", "web", "error", 30, "b", 1);
    say("service_unhealthy", "web", "error", 25, "a", 2);
    say("service_healthy", "web", "info", 20, "a", NO_REF);
    assert_true(planner_busy(&w.planner));
    setup(state);
    say("service_unhealthy", "web", "error", 30, "", 1);
    say("service_unhealthy", "web", "warning", 25, "", 2);
    say("service_healthy", "web", "info", 20, "", NO_REF);
    assert_false(planner_busy(&w.planner));
}

static void test_recovery_in_flight_of_the_leader_alone_drops_nothing(void **state)
{
    (void)state;
    say("service_unhealthy", "web", "error", 30, "", 1);
    turn();
    say("service_unhealthy", "web", "warning", 10, "", 2);
    say("service_healthy", "web", "info", 20, "", NO_REF);
    assert_int_equal(w.cancel_count, 0);
}

static void test_deployment_of_the_leader_alone_drops_nothing(void **state)
{
    (void)state;
    say("service_unhealthy", "web", "error", 40, "", 1);
    say("deployment_started", "web", "info", 30, "", NO_REF);
    say("service_unhealthy", "web", "error", 25, "", 2);
    say("deployment_completed", "web", "info", 20, "", NO_REF);
    turn();
    assert_int_equal(w.ask_count, 1);
}

static void test_fault_after_the_end_of_a_deployment_is_released_at_once(void **state)
{
    (void)state;
    say("deployment_started", "web", "info", 30, "", NO_REF);
    say("service_unhealthy", "web", "error", 5, "", 1);
    assert_int_equal(w.last, OUTCOME_HELD);
    say("deployment_completed", "web", "info", 20, "", NO_REF);
    turn();
    assert_int_equal(w.ask_count, 1);
}

static void test_deployments_without_end_hold_no_longer_than_one(void **state)
{
    (void)state;
    for (int minute = 0; minute < 30 && w.ask_count == 0; minute++) {
        if (minute % 9 == 0)
            say("deployment_started", "web", "info", 0, "", NO_REF);
        later(60000);
        say("service_unhealthy", "web", "critical", 0, "", NO_REF);
        turn();
    }
    assert_int_equal(w.ask_count, 1);
    assert_true(w.now.boot_ms <= START_BOOT + DEPLOYMENT_HOLD_MS + 60000);
}

static void test_full_disk_retries_the_write_not_the_model(void **state)
{
    (void)state;
    fault("web", "error", 1);
    turn();
    w.disk_full = true;
    answer(0, RESTART);
    assert_int_equal(w.last, OUTCOME_WRITE_FAILED);
    assert_false(w.finished[1]);
    fault("db", "error", 2);
    assert_int_equal(turn(), w.now.boot_ms + WRITE_RETRY_MS);
    assert_int_equal(w.ask_count, 1); /* db is not asked while nothing can be written */
    w.disk_full = false;
    later(WRITE_RETRY_MS);
    turn();
    assert_true(w.finished[1]);
    assert_int_equal(w.action_count, 1);
    assert_int_equal(w.ask_count, 2);
}

static void test_failed_audit_is_made_up_for_without_a_second_action(void **state)
{
    (void)state;
    fault("web", "error", 1);
    turn();
    w.audit_fails = true;
    answer(0, RESTART);
    assert_int_equal(w.last, OUTCOME_WRITE_FAILED);
    assert_int_equal(w.action_count, 1);
    say("service_healthy", "web", "info", -1, "", NO_REF); /* comes too late to stop it */
    assert_false(w.finished[1]);
    w.audit_fails = false;
    later(WRITE_RETRY_MS);
    turn();
    assert_int_equal(w.action_count, 1);
    assert_int_equal(w.audit_count, 1);
    assert_true(w.finished[1]);
}

/* It is by its own event that its action is found. */
static void test_repeats_do_not_take_the_place_of_what_waits_for_its_audit_event(void **state)
{
    (void)state;
    fault("web", "error", 1);
    turn();
    w.audit_fails = true;
    answer(0, RESTART);
    w.actions[0].place = ACTION_COMPLETED;
    later(1000);
    assert_int_equal(fault("web", "error", 2), PLANNER_ENDED);
    assert_int_equal(fault("web", "critical", 3), PLANNER_KEEPS);
    assert_false(w.finished[1]);
    w.audit_fails = false;
    later(WRITE_RETRY_MS);
    turn();
    assert_int_equal(w.audit_count, 1);
    assert_true(w.finished[1]);
    assert_false(w.finished[3]);
    assert_int_equal(w.ask_count, 2); /* it is a fault of its own */
}

/* Nothing that waits behind is lost where a deployment holds its key. */
static void test_what_waits_behind_an_unsure_piece_survives_a_deployment(void **state)
{
    (void)state;
    w.unreadable = true;
    say("service_unhealthy", "web", "error", 60, "", 1);
    turn();
    say("service_unhealthy", "web", "critical", 50, "", 2);
    w.unreadable = false;
    say("deployment_started", "web", "info", 30, "", NO_REF);
    say("service_unhealthy", "web", "critical", 20, "", 3);
    turn();
    assert_int_equal(w.ask_count, 0);
    later(DEPLOYMENT_HOLD_MS);
    turn();
    answer(0, RESTART);
    assert_true(w.finished[1] && w.finished[2] && w.finished[3]);
    assert_int_equal(w.planner.queue.count, 0);
}

static void test_without_room_what_waits_behind_goes_along(void **state)
{
    (void)state;
    w.unreadable = true;
    say("service_unhealthy", "web", "error", 60, "", 1);
    w.unreadable = false;
    say("service_unhealthy", "web", "critical", 50, "", 2);
    w.no_room = ENOSPC;
    later(WRITE_RETRY_MS);
    turn();
    assert_true(w.finished[1]); /* the graver one leads now */
    say("deployment_started", "web", "info", 30, "", NO_REF);
    assert_int_equal(say("service_unhealthy", "web", "critical", 5, "", 3), PLANNER_KEEPS);
    w.no_room = 0;
    later(DEPLOYMENT_HOLD_MS);
    turn();
    answer(0, RESTART);
    assert_true(w.finished[2] && w.finished[3]);
    assert_int_equal(w.planner.queue.count, 0);
}

static void test_failed_audit_is_made_up_for_when_the_action_has_ended_meanwhile(void **state)
{
    (void)state;
    fault("web", "error", 1);
    turn();
    w.audit_fails = true;
    answer(0, RESTART);
    w.actions[0].place = ACTION_COMPLETED;
    w.audit_fails = false;
    later(WRITE_RETRY_MS);
    turn();
    assert_int_equal(w.action_count, 1);
    assert_int_equal(w.audit_count, 1);
    assert_true(w.finished[1]);
}

static void test_event_of_an_action_that_has_ended_is_not_proposed_again(void **state)
{
    (void)state;
    fault("web", "error", 1);
    turn();
    answer(0, RESTART);
    w.actions[0].place = ACTION_COMPLETED;
    memset(&w.planner, 0, sizeof(w.planner)); /* killed before anything was saved */
    planner_init(&w.planner, &w.settings, &ops, NULL, 1);
    w.finished[1] = false;
    fault("web", "error", 1);
    turn();
    assert_int_equal(w.last, OUTCOME_RESUMED);
    assert_int_equal(w.action_count, 1);
    later(400000);
    assert_int_equal(fault("web", "error", 1), PLANNER_KEEPS); /* the same name, another event */
    turn();
    assert_int_equal(w.ask_count, 2);
}

static void test_recovery_drops_what_the_full_disk_kept_from_being_written(void **state)
{
    (void)state;
    fault("web", "error", 1);
    turn();
    w.disk_full = true;
    answer(0, RESTART);
    say("service_healthy", "web", "info", -1, "", NO_REF);
    assert_true(w.finished[1]);
    assert_false(planner_busy(&w.planner));
}

static void test_unreadable_actions_delay_and_lose_nothing(void **state)
{
    (void)state;
    w.unreadable = true;
    assert_int_equal(fault("web", "error", 1), PLANNER_KEEPS);
    turn();
    assert_int_equal(w.last, OUTCOME_WRITE_FAILED);
    assert_int_equal(w.ask_count, 0);
    w.unreadable = false;
    later(WRITE_RETRY_MS);
    turn();
    assert_int_equal(w.ask_count, 1);
}

static void test_failed_chain_waits_doubling_then_alerts_a_human(void **state)
{
    (void)state;
    fault("web", "error", 1);
    int64_t expected = RETRY_FIRST_MS;
    int64_t end = w.now.boot_ms + w.settings.deadline_ms;
    unsigned tries = 0;
    turn();
    while (w.asked[0] != NULL) {
        tries++;
        answer(0, NULL);
        int64_t due = turn();
        if (due < 0)
            break;
        int64_t wait = due - w.now.boot_ms;
        assert_true(due == end || (wait >= expected * 3 / 4 && wait <= expected * 5 / 4));
        expected = expected * 2 > RETRY_LAST_MS ? RETRY_LAST_MS : expected * 2;
        later(wait);
        turn();
    }
    assert_in_range(tries, 8, 12);
    assert_int_equal(w.now.boot_ms, end);
    assert_int_equal(w.last, OUTCOME_PROPOSED);
    assert_string_equal(w.actions[0].facts.type, "alert_only");
    assert_string_equal(w.actions[0].facts.model, "rules");
    assert_non_null(strstr(w.last_body, "chain_exhausted"));
    assert_true(w.finished[1]);
}

static void test_failed_chain_records_no_cooldown(void **state)
{
    (void)state;
    fault("web", "error", 1);
    turn();
    answer(0, NULL);
    assert_false(w.finished[1]);
    later(1000);
    fault("web", "error", 2);
    assert_true(w.finished[1]);
    turn();
    assert_int_equal(w.ask_count, 1); /* the key's retry time is kept */
    later(2 * RETRY_FIRST_MS);
    turn();
    assert_int_equal(w.ask_count, 2);
}

static bool holds(struct span text, const char *part)
{
    return memmem(text.p, text.n, part, strlen(part)) != NULL;
}

static void test_no_model_is_asked_before_there_is_room(void **state)
{
    (void)state;
    w.no_room = ENOSPC;
    fault("web", "error", 1);
    fault("db", "error", 2);
    assert_int_equal(turn(), w.now.boot_ms + WRITE_RETRY_MS);
    assert_int_equal(w.last, OUTCOME_WRITE_FAILED);
    assert_int_equal(w.ask_count, 0);
    assert_false(w.finished[1]);
    w.no_room = 0;
    later(WRITE_RETRY_MS - 1);
    turn();
    assert_int_equal(w.ask_count, 0);
    later(1);
    turn();
    assert_int_equal(w.ask_count, 2);
    answer(0, RESTART);
    assert_int_equal(w.last, OUTCOME_PROPOSED);
}

static void test_without_room_a_single_run_leaves_the_event_unfinished(void **state)
{
    (void)state;
    w.no_room = EROFS;
    w.settings.once = true;
    planner_configure(&w.planner, &w.settings);
    fault("web", "error", 1);
    turn();
    assert_false(planner_busy(&w.planner));
    assert_false(w.finished[1]);
    assert_int_equal(w.ask_count, 0);
}

static void test_a_question_has_instructions_event_world_and_schema(void **state)
{
    (void)state;
    w.settings.topology = span_of("A hut in the woods. token=abcdef");
    planner_configure(&w.planner, &w.settings);
    span_cut(w.world.service, sizeof(w.world.service), span_of("{\"password\":\"x-y-z\"}"));
    fault("web", "error", 1);
    turn();
    const struct llm_request *r = w.asked[0];
    assert_true(span_is(r->context, "solaria/web"));
    assert_true(holds(r->system, "A hut in the woods. token=abcdef"));
    assert_true(holds(r->system_masked, "A hut in the woods. token=[masked]"));
    assert_int_equal(r->message_count, 1);
    assert_false(r->messages[0].assistant);
    assert_true(holds(r->messages[0].text, "service_unhealthy"));
    assert_true(holds(r->messages[0].text, "x-y-z"));
    assert_true(holds(r->messages[0].masked, "service_unhealthy"));
    assert_false(holds(r->messages[0].masked, "x-y-z"));
    assert_true(holds(r->schema, "maxLength"));
    assert_false(holds(r->schema_plain, "maxLength"));
    assert_false(r->free_only);
    assert_false(r->insist);
}

static void test_a_reload_changes_the_instructions_of_what_is_asked(void **state)
{
    (void)state;
    fault("web", "error", 1);
    turn();
    w.settings.topology = span_of("Elsewhere.");
    planner_configure(&w.planner, &w.settings);
    assert_true(holds(w.asked[0]->system, "Elsewhere."));
}

static void test_after_a_rejected_paid_answer_none_is_paid_for(void **state)
{
    (void)state;
    struct llm_answer rejected = {.paid_rejected = true};
    fault("web", "error", 1);
    turn();
    w.asked[0] = NULL;
    planner_answered(&w.planner, 0, &rejected, w.now);
    later(2 * RETRY_FIRST_MS);
    turn();
    assert_true(w.asked[0]->free_only);
    answer(0, NULL);
    later(4 * RETRY_FIRST_MS);
    turn();
    assert_true(w.asked[0]->free_only);
    fault("db", "error", 2);
    turn();
    assert_false(w.asked[1]->free_only);
}

static void test_a_single_run_insists(void **state)
{
    (void)state;
    w.settings.once = true;
    planner_configure(&w.planner, &w.settings);
    fault("web", "error", 1);
    turn();
    assert_true(w.asked[0]->insist);
}

static void test_repeats_do_not_put_off_the_deadline(void **state)
{
    (void)state;
    fault("web", "error", 1);
    turn();
    for (uint64_t i = 2; i < 60 && w.action_count == 0; i++) {
        if (w.asked[0] != NULL)
            answer(0, NULL);
        later(120000);
        if (w.action_count == 0)
            fault("web", "error", i);
        turn();
    }
    assert_int_equal(w.action_count, 1);
    assert_non_null(strstr(w.last_body, "chain_exhausted"));
}

static void test_stale_event_becomes_an_alert_without_the_chain(void **state)
{
    (void)state;
    assert_int_equal(say("service_unhealthy", "web", "error", 3601, "", 1), PLANNER_KEEPS);
    turn();
    assert_int_equal(w.ask_count, 0);
    assert_string_equal(w.actions[0].facts.id, "alert-solaria-web-service_unhealthy");
    assert_string_equal(w.actions[0].facts.model, "rules");
    assert_non_null(strstr(w.last_body, "\"stale\""));
    w.action_count = 0;
    assert_int_equal(fault("web", "error", 2), PLANNER_KEEPS); /* no cooldown from it */
}

static void test_fresh_event_leads_before_a_stale_one(void **state)
{
    (void)state;
    say("service_unhealthy", "web", "critical", 7200, "", 1);
    fault("web", "warning", 2);
    assert_true(w.finished[1]);
    turn();
    assert_int_equal(w.ask_count, 1);
}

static void test_recovery_drops_only_what_is_not_newer_and_from_its_source(void **state)
{
    static const struct {
        const char *fault_source, *recovery_source;
        int64_t fault_age, recovery_age;
        bool drops;
    } cases[] = {
        {"agent", "agent", 10, 5, true},  {"agent", "agent", 5, 5, true},
        {"agent", "agent", 5, 10, false}, {"agent", "other", 10, 5, false},
        {"", "other", 10, 5, true},       {"agent", "", 10, 5, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int fault_first = 0; fault_first < 2; fault_first++) {
            setup(state);
            if (fault_first)
                say("service_unhealthy", "web", "error", cases[i].fault_age, cases[i].fault_source,
                    1);
            say("service_recovered", "web", "info", cases[i].recovery_age, cases[i].recovery_source,
                NO_REF);
            if (!fault_first)
                say("service_unhealthy", "web", "error", cases[i].fault_age, cases[i].fault_source,
                    1);
            assert_int_equal(planner_busy(&w.planner), !cases[i].drops);
        }
    }
}

static void test_recovery_stops_a_question_in_flight(void **state)
{
    (void)state;
    fault("web", "error", 1);
    turn();
    say("service_healthy", "web", "info", 0, "", NO_REF);
    assert_int_equal(w.cancel_count, 1);
    assert_true(w.finished[1]);
    assert_int_equal(w.last, OUTCOME_BENIGN);
    assert_false(planner_busy(&w.planner));
}

static void test_recovery_does_not_reset_a_cooldown(void **state)
{
    (void)state;
    fault("web", "error", 1);
    turn();
    answer(0, IGNORE);
    later(1000);
    say("service_healthy", "web", "info", 0, "", NO_REF);
    later(1000);
    fault("web", "error", 2);
    assert_int_equal(w.last, OUTCOME_COOLDOWN);
}

static void test_node_online_drops_only_node_offline(void **state)
{
    (void)state;
    say("node_offline", "all", "error", 10, "", 1);
    say("node_online", "all", "info", 5, "", NO_REF);
    assert_true(w.finished[1]);
    assert_int_equal(say("high_memory", "all", "error", 10, "", 2), PLANNER_KEEPS);
    say("node_online", "all", "info", 5, "", NO_REF);
    assert_false(w.finished[2]);
    assert_true(planner_busy(&w.planner));
}

static void test_deployment_holds_and_completion_drops(void **state)
{
    (void)state;
    say("deployment_started", "web", "info", 0, "", NO_REF);
    later(1000);
    assert_int_equal(fault("web", "error", 1), PLANNER_KEEPS);
    assert_int_equal(w.last, OUTCOME_HELD);
    turn();
    assert_int_equal(w.ask_count, 0);
    later(1000);
    say("deployment_completed", "web", "info", 0, "", NO_REF);
    assert_true(w.finished[1]);
    assert_false(planner_busy(&w.planner));
}

static void test_deployment_start_holds_what_is_in_flight(void **state)
{
    (void)state;
    say("service_unhealthy", "web", "error", 0, "", 1);
    turn();
    assert_int_equal(w.ask_count, 1);
    say("deployment_started", "web", "info", 10, "", NO_REF);
    assert_int_equal(w.cancel_count, 1);
    assert_int_equal(turn() > w.now.boot_ms, 1);
    assert_false(w.finished[1]);
}

static void test_deployment_failed_is_handled_and_the_held_join_it(void **state)
{
    (void)state;
    say("deployment_started", "web", "info", 0, "", NO_REF);
    later(1000);
    fault("web", "critical", 1);
    later(1000);
    assert_int_equal(say("deployment_failed", "web", "error", 0, "", 2), PLANNER_KEEPS);
    assert_true(w.finished[1]);
    turn();
    assert_int_equal(w.ask_count, 1);
    assert_true(span_is(w.asked[0]->facts.type, "deployment_failed"));
}

static void test_deployment_hold_ends_after_ten_minutes(void **state)
{
    (void)state;
    say("deployment_started", "web", "info", 0, "", NO_REF);
    later(1000);
    fault("web", "error", 1);
    int64_t due = turn();
    assert_int_equal(due, START_BOOT + DEPLOYMENT_HOLD_MS);
    later(due - w.now.boot_ms);
    turn();
    assert_int_equal(w.ask_count, 1);
}

static void test_fault_read_late_inside_a_completed_deployment_is_dropped(void **state)
{
    (void)state;
    say("deployment_completed", "web", "info", 5, "", NO_REF);
    say("deployment_started", "web", "info", 60, "", NO_REF);
    say("service_unhealthy", "web", "error", 30, "", 1);
    assert_int_equal(w.last, OUTCOME_DEPLOYED);
    assert_int_equal(say("service_unhealthy", "web", "error", 0, "", 2), PLANNER_KEEPS);
}

static void test_once_gives_every_event_one_try(void **state)
{
    (void)state;
    w.settings.once = true;
    planner_configure(&w.planner, &w.settings);
    fault("web", "error", 1);
    fault("db", "error", 2);
    fault("mqtt", "error", 3);
    turn();
    answer(0, NULL);
    turn();
    answer(0, NULL);
    w.disk_full = true;
    answer(1, RESTART);
    assert_int_equal(turn(), -1);
    assert_false(planner_busy(&w.planner));
    assert_int_equal(w.ask_count, 3);
    assert_false(w.finished[1] || w.finished[2] || w.finished[3]);
}

static void test_full_queue_leaves_file_events_and_drops_messages(void **state)
{
    char service[16];
    (void)state;
    for (int i = 0; i < QUEUE_MAX; i++) {
        snprintf(service, sizeof(service), "s%d", i);
        if (i == QUEUE_DURABLE_MAX - 1)
            assert_int_equal(fault("s0", "error", 3), PLANNER_KEEPS);
        if (i == QUEUE_DURABLE_MAX)
            assert_int_equal(fault("web", "error", 1), PLANNER_NO_SLOT);
        assert_int_equal(fault(service, "error", NO_REF), PLANNER_KEEPS);
    }
    assert_int_equal(fault("web", "error", 1), PLANNER_NO_SLOT);
    assert_int_equal(fault("web", "error", NO_REF), PLANNER_ENDED);
    assert_int_equal(w.last, OUTCOME_QUEUE_FULL);
    assert_int_equal(fault("s3", "critical", 2), PLANNER_KEEPS);
}

static void test_unwatched_node_is_left_to_others(void **state)
{
    (void)state;
    w.settings.watch_nodes = span_of("pi*, nas");
    planner_configure(&w.planner, &w.settings);
    fault("web", "error", 1);
    assert_int_equal(w.last, OUTCOME_NOT_WATCHED);
}

static void test_half_written_event_is_unsure_until_complete(void **state)
{
    struct arrival arrival = {.origin = span_of("f"), .ref = 1, .wall_ms = w.now.wall_ms};
    struct span half = span_of("{\"type\":\"service_unhea");
    (void)state;
    assert_int_equal(planner_event(&w.planner, half, &arrival, w.now), PLANNER_UNSURE);
    assert_int_equal(w.planner.counts[OUTCOME_REFUSED], 0);
    arrival.complete = true;
    assert_int_equal(planner_event(&w.planner, half, &arrival, w.now), PLANNER_ENDED);
    assert_int_equal(w.planner.refused[EVENT_NOT_JSON], 1);
}

static void test_first_start_passes_over_what_is_dated_before_its_floor(void **state)
{
    struct span text = span_of("{\"type\":\"x\",\"node\":\"n\",\"ts\":1779990000}");
    struct arrival arrival = {.origin = span_of("f"),
                              .ref = 1,
                              .wall_ms = w.now.wall_ms,
                              .boot_ms = w.now.boot_ms,
                              .floor_ms = w.now.wall_ms - 900000};
    (void)state;
    assert_int_equal(planner_event(&w.planner, text, &arrival, w.now), PLANNER_ENDED);
    assert_int_equal(w.last, OUTCOME_PASSED_OVER);
}

#define TEST(name) cmocka_unit_test_setup(test_##name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fault_becomes_proposal_audit_and_cooldown),
        TEST(nothing_is_asked_before_the_backlog_is_read),
        TEST(ignore_writes_nothing_and_cools_down),
        TEST(suppressed_events_are_counted_into_the_next_proposal),
        TEST(escalation_passes_a_cooldown_once),
        TEST(key_in_hand_is_joined_and_asked_once),
        TEST(queued_key_keeps_gravest_then_newest),
        TEST(graver_event_waits_behind_the_one_in_hand),
        TEST(graver_event_behind_a_written_restart_finds_it_open),
        TEST(graver_event_leads_after_the_chain_failed),
        TEST(gravest_key_is_asked_first),
        TEST(what_waits_behind_keeps_its_count),
        TEST(what_was_held_keeps_its_count),
        TEST(fault_inside_a_deployment_holds_an_older_one_of_its_key),
        TEST(open_action_ends_the_event_and_leaves_the_cooldown_alone),
        TEST(action_that_moves_on_while_it_is_looked_at_is_found_in_its_next_place),
        TEST(taken_name_is_not_used),
        TEST(what_is_absent_is_not_looked_at),
        TEST(ended_action_does_not_stand_in_the_way),
        TEST(action_opened_while_the_model_thought_is_found_before_the_link),
        TEST(rejection_holds_for_its_time_unless_severity_rose),
        TEST(id_of_another_target_gets_a_hash),
        TEST(own_action_from_before_a_crash_is_finished_not_repeated),
        TEST(supervisors_action_with_our_correlation_is_not_ours),
        TEST(repeat_with_the_same_correlation_is_already_open),
        TEST(resuming_does_not_make_a_cooldown_longer),
        TEST(failed_audit_does_not_keep_other_keys_waiting),
        TEST(unreadable_actions_do_not_keep_other_keys_waiting),
        TEST(no_model_is_asked_before_there_is_room),
        TEST(without_room_a_single_run_leaves_the_event_unfinished),
        TEST(a_question_has_instructions_event_world_and_schema),
        TEST(a_reload_changes_the_instructions_of_what_is_asked),
        TEST(after_a_rejected_paid_answer_none_is_paid_for),
        TEST(a_single_run_insists),
        TEST(recovery_of_the_leader_alone_drops_nothing),
        TEST(recovery_in_flight_of_the_leader_alone_drops_nothing),
        TEST(deployment_of_the_leader_alone_drops_nothing),
        TEST(fault_after_the_end_of_a_deployment_is_released_at_once),
        TEST(deployments_without_end_hold_no_longer_than_one),
        TEST(full_disk_retries_the_write_not_the_model),
        TEST(failed_audit_is_made_up_for_without_a_second_action),
        TEST(repeats_do_not_take_the_place_of_what_waits_for_its_audit_event),
        TEST(what_waits_behind_an_unsure_piece_survives_a_deployment),
        TEST(without_room_what_waits_behind_goes_along),
        TEST(failed_audit_is_made_up_for_when_the_action_has_ended_meanwhile),
        TEST(event_of_an_action_that_has_ended_is_not_proposed_again),
        TEST(recovery_drops_what_the_full_disk_kept_from_being_written),
        TEST(unreadable_actions_delay_and_lose_nothing),
        TEST(failed_chain_waits_doubling_then_alerts_a_human),
        TEST(failed_chain_records_no_cooldown),
        TEST(repeats_do_not_put_off_the_deadline),
        TEST(stale_event_becomes_an_alert_without_the_chain),
        TEST(fresh_event_leads_before_a_stale_one),
        TEST(recovery_drops_only_what_is_not_newer_and_from_its_source),
        TEST(recovery_stops_a_question_in_flight),
        TEST(recovery_does_not_reset_a_cooldown),
        TEST(node_online_drops_only_node_offline),
        TEST(deployment_holds_and_completion_drops),
        TEST(deployment_start_holds_what_is_in_flight),
        TEST(deployment_failed_is_handled_and_the_held_join_it),
        TEST(deployment_hold_ends_after_ten_minutes),
        TEST(fault_read_late_inside_a_completed_deployment_is_dropped),
        TEST(once_gives_every_event_one_try),
        TEST(full_queue_leaves_file_events_and_drops_messages),
        TEST(unwatched_node_is_left_to_others),
        TEST(half_written_event_is_unsure_until_complete),
        TEST(first_start_passes_over_what_is_dated_before_its_floor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
