/* The chain: order, limits, what is an answer, cancelling, reloading. On a rig with a virtual
 * clock. Retries, breakers, money: test_llm_visit.c; cold models: test_llm_warmup.c. */

#include "rig.h"

#include "llm/rules.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void attempt_was(unsigned i, enum llm_outcome outcome, int64_t latency_ms, const char *error)
{
    assert_true(i < rig.answer.attempt_count);
    assert_int_equal(rig.answer.attempts[i].outcome, outcome);
    assert_true(rig.answer.attempts[i].latency_ms == latency_ms);
    assert_string_equal(rig.answer.attempts[i].error, error);
}

static void is_over(unsigned answers, bool success)
{
    assert_int_equal(rig.answers, answers);
    assert_int_equal(rig.answer.success, success);
    assert_int_equal(rig.loop.timer_count, 0);
}

/* ---- Order and limits ---- */

static void test_the_answer_never_comes_from_inside_the_question(void **state)
{
    (void)state;
    rig_hop(&rig_quick, "m", 1000, false);
    rig_set_chain(0);
    rig_ask(3);
    assert_string_equal(rig_trace(), "");
    rig_at(0);
    assert_string_equal(rig_trace(), "ask:m answer:3");
    is_over(1, true);
    assert_string_equal(rig.answer.model, "m");
    assert_string_equal(rig.object, RIG_GOOD);
    assert_string_equal(rig_attempts(), "m success");
    assert_false(rig.answer.paid_rejected);
    rig_at(100000);
    is_over(1, true);
    assert_int_equal(rig_logged("\"llm_attempt\"", "\"context\":\"n/s\""), 1);
    assert_int_equal(rig_logged("\"llm_attempt\"", "\"level\":\"info\""), 1);
}

static void test_a_slow_answer(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "m:7b/x", 8000, false);
    rig_set_chain(0);
    rig_ask(0);
    rig_at(5);
    struct llm_call *call = rig_call("m:7b/x", LLM_ASK);
    assert_non_null(call);
    assert_true(call->deadline_ms == RIG_T0 + 5 + 8000);
    assert_ptr_equal(call->server, &rig_server);
    assert_false(call->cloud);
    call->status = 200;
    call->input_tokens = 700;
    call->output_tokens = 40;
    memcpy(call->request_id, "req_1", sizeof("req_1"));
    rig.loop.now.boot_ms = RIG_T0 + 817;
    rig_end("m:7b/x", LLM_ASK, LLM_SUCCESS, "Here: " RIG_GOOD);
    assert_int_equal(rig.answers, 0);
    rig_at(820);
    is_over(1, true);
    assert_string_equal(rig.object, RIG_GOOD);
    assert_true(rig.answer.latency_ms == 820);
    attempt_was(0, LLM_SUCCESS, 812, "");
    assert_int_equal(rig.answer.attempts[0].status, 200);
    assert_true(rig.answer.attempts[0].input_tokens == 700);
    assert_true(rig.answer.attempts[0].output_tokens == 40);
    assert_int_equal(rig.router.hops[0].success, 1);
    assert_true(rig.router.hops[0].input_tokens == 700);
    assert_true(rig.router.hops[0].output_tokens == 40);
    assert_int_equal(rig_logged("\"request_id\":\"req_1\"", "\"status\":200"), 1);
    assert_int_equal(rig_logged("\"input_tokens\":700", "\"output_tokens\":40"), 1);
}

static void test_hops_are_asked_in_order_until_one_is_good(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "a", 8000, false);
    rig_hop(&rig_slow, "b", 9000, true);
    rig_hop(&rig_slow, "c", 9000, false);
    rig_set_chain(0);
    rig_ask(0);
    rig_at(0);
    rig_at(100);
    rig_end("a", LLM_ASK, LLM_REFUSAL, "");
    rig_at(110);
    struct llm_call *call = rig_call("b", LLM_ASK);
    assert_non_null(call);
    assert_true(call->deadline_ms == RIG_T0 + 110 + 9000);
    assert_true(call->cloud);
    rig_at(200);
    rig_end("b", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    rig_at(201);
    assert_string_equal(rig_trace(), "ask:a pay ask:b answer:0");
    is_over(1, true);
    assert_string_equal(rig.answer.model, "b");
    assert_string_equal(rig_attempts(), "a refusal, b success");
    attempt_was(0, LLM_REFUSAL, 100, "");
    attempt_was(1, LLM_SUCCESS, 90, "");
    assert_int_equal(rig_logged("\"llm_attempt\"", "\"level\":\"warning\""), 1);
}

static void test_every_hop_rejected(void **state)
{
    (void)state;
    rig_hop(&rig_quick, "a", 1000, false);
    rig_hop(&rig_slow, "b", 8000, false);
    rig_set_chain(0);
    rig.quick.outcome = LLM_HTTP_ERROR;
    rig.quick.status = 503;
    memcpy(rig.quick.error, "busy", sizeof("busy"));
    rig_ask(0);
    rig_at(0);
    rig_fault("b", LLM_NETWORK_ERROR, LLM_AGAIN_NO, -1);
    rig_at(1);
    is_over(1, false);
    assert_string_equal(rig.answer.model, "");
    assert_string_equal(rig.object, "");
    assert_string_equal(rig_attempts(), "a http_error, b network_error");
    attempt_was(0, LLM_HTTP_ERROR, 0, "busy");
    assert_int_equal(rig.answer.attempts[0].status, 503);
    assert_true(rig.answer.attempts[0].input_tokens == -1);
    assert_true(rig.router.hops[0].input_tokens == 0);
    assert_true(rig.router.hops[0].output_tokens == 0);
    assert_int_equal(rig_logged("\"llm_attempt\"", "\"error\":\"busy\""), 1);
    assert_int_equal(rig_logged("\"llm_attempt\"", "tokens"), 0);
}

static void test_no_hops_at_all(void **state)
{
    (void)state;
    rig_ask(0);
    rig_at(0);
    is_over(1, false);
    assert_int_equal(rig.answer.attempt_count, 0);
    rig.request.insist = true;
    rig_set_chain(0);
    rig_ask(0);
    rig_at(0);
    is_over(2, false);
}

static void test_the_limit_of_a_hop(void **state)
{
    (void)state;
    /* Over HTTP the call ends itself; the router looks after it a little later. */
    rig_hop(&rig_slow, "a", 8000, false);
    rig_hop(&rig_slow, "b", 8000, false)->server = NULL;
    rig_set_chain(0);
    rig_ask(0);
    rig_at(0);
    rig_at(8000 + CALL_GRACE_MS - 1);
    assert_string_equal(rig_trace(), "ask:a");
    rig_at(8000 + CALL_GRACE_MS);
    assert_string_equal(rig_trace(), "cancel:a ask:b");
    rig_at(16000 + CALL_GRACE_MS - 1);
    assert_string_equal(rig_trace(), "");
    rig_at(16000 + CALL_GRACE_MS);
    assert_string_equal(rig_trace(), "cancel:b answer:0");
    is_over(1, false);
    assert_string_equal(rig_attempts(), "a timeout, b timeout");
    attempt_was(0, LLM_TIMEOUT, 8000 + CALL_GRACE_MS, "no answer within the hop's limit");
    attempt_was(1, LLM_TIMEOUT, 8000, "no answer within the hop's limit");
}

/* ---- What is an answer ---- */

static void test_answers_that_are_none(void **state)
{
    static const struct {
        const char *text;
        enum llm_outcome outcome;
    } cases[] = {
        {"", LLM_INVALID_JSON},
        {"[1]", LLM_INVALID_JSON},
        {"{\"good\":true", LLM_INVALID_JSON},
        {"I don't know", LLM_REFUSAL},
        {"{\"good\":false}", LLM_SCHEMA_ERROR},
        {"{}", LLM_SCHEMA_ERROR},
    };
    (void)state;
    rig_hop(&rig_slow, "a", 8000, false);
    rig_set_chain(0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        rig_ask(0);
        rig_at(0);
        rig_end("a", LLM_ASK, LLM_SUCCESS, cases[i].text);
        rig_at(0);
        is_over((unsigned)i + 1, false);
        assert_int_equal(rig.answer.attempts[0].outcome, cases[i].outcome);
        assert_string_not_equal(rig.answer.attempts[0].error, "");
    }
    assert_string_equal(rig.answer.attempts[0].error, "it is not good");
    assert_int_equal(rig.router.hops[0].fallback, COUNT(cases));
    assert_false(rig.router.hops[0].breaker.open);
}

static void test_any_text_where_there_is_no_schema(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "a", 8000, false);
    rig_set_chain(0);
    rig.request.schema = span_of("");
    rig.request.check = NULL;
    rig_ask(0);
    rig_at(0);
    rig_end("a", LLM_ASK, LLM_SUCCESS, "It rains.");
    rig_at(0);
    is_over(1, true);
    assert_string_equal(rig.object, "It rains.");
    rig_ask(0);
    rig_at(0);
    rig_end("a", LLM_ASK, LLM_SUCCESS, "As an AI I like rain.");
    rig_at(0);
    is_over(2, false);
    assert_string_equal(rig_attempts(), "a refusal");
    /* One schema of the two is enough for an object to be wanted; without a check any will do. */
    rig.request.schema_plain = span_of("{}");
    rig_ask(0);
    rig_at(0);
    rig_end("a", LLM_ASK, LLM_SUCCESS, "It is {\"rain\":1}");
    rig_at(0);
    is_over(3, true);
    assert_string_equal(rig.object, "{\"rain\":1}");
    /* The check is also for text. */
    rig.request.schema_plain = span_of("");
    rig_ask(0);
    rig_at(0);
    rig_end("a", LLM_ASK, LLM_SUCCESS, "It rains.");
    rig_at(0);
    is_over(4, true);
}

static void test_counters(void **state)
{
    static const struct {
        enum llm_outcome outcome;
        unsigned success, fallback, error;
    } cases[] = {
        {LLM_SUCCESS, 1, 0, 0},      {LLM_TIMEOUT, 0, 0, 1},   {LLM_NETWORK_ERROR, 0, 0, 1},
        {LLM_HTTP_ERROR, 0, 0, 1},   {LLM_REFUSAL, 0, 1, 0},   {LLM_INVALID_JSON, 0, 1, 0},
        {LLM_SCHEMA_ERROR, 0, 1, 0}, {LLM_TRUNCATED, 0, 1, 0},
    };
    (void)state;
    rig_hop(&rig_quick, "a", 1000, false);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct router_hop *hop = &rig.router.hops[0];
        rig_set_chain(0);
        hop->success = hop->fallback = hop->error = 0;
        rig.quick.outcome = cases[i].outcome;
        rig_ask(0);
        rig_at(0);
        assert_int_equal(hop->success, cases[i].success);
        assert_int_equal(hop->fallback, cases[i].fallback);
        assert_int_equal(hop->error, cases[i].error);
        assert_int_equal(rig.answer.attempts[0].outcome, cases[i].outcome);
        assert_int_equal(rig.answer.success, cases[i].outcome == LLM_SUCCESS);
        /* Only faults are the breaker's. */
        assert_int_equal(hop->breaker.failures, cases[i].error);
    }
}

static void test_outcome_names(void **state)
{
    static const char *const names[] = {
        "success",      "timeout",      "network_error", "http_error",   "refusal",
        "invalid_json", "schema_error", "truncated",     "breaker_open", "over_budget"};
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        assert_string_equal(llm_outcome_text((enum llm_outcome)i), names[i]);
}

static void test_rules_answer_through_the_chain(void **state)
{
    (void)state;
    rig_hop(&rules_provider, "", rules_provider.limit_ms, false);
    rig_set_chain(0);
    rig.request.check = NULL;
    rig.request.facts.message = span_of("I cannot connect");
    rig_ask(0);
    rig_at(0);
    is_over(1, true);
    assert_non_null(strstr(rig.object, "\"action\":\"restart\""));
}

/* ---- Cancelling, slots, timers ---- */

static void test_cancelled_before_the_first_step(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "a", 8000, false);
    rig_set_chain(0);
    rig_ask(0);
    router_cancel(&rig.router, 0);
    rig_at(100000);
    assert_string_equal(rig_trace(), "");
    assert_int_equal(rig.loop.timer_count, 0);
    for (unsigned slot = 0; slot < ASKS_MAX; slot++)
        router_cancel(&rig.router, slot);
}

static void test_cancelled_while_a_hop_is_asked(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "a", 8000, false);
    rig_set_chain(0);
    rig_ask(0);
    rig_at(0);
    router_cancel(&rig.router, 0);
    assert_string_equal(rig_trace(), "ask:a cancel:a");
    rig_at(100000);
    assert_int_equal(rig.answers, 0);
    assert_int_equal(rig.loop.timer_count, 0);
    /* The slot is free again. */
    rig_ask(0);
    rig_at(100001);
    rig_end("a", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    rig_at(100002);
    is_over(1, true);
    assert_int_equal(rig.answer.attempt_count, 1);
}

static void test_cancelled_between_an_end_and_the_next_step(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "a", 8000, false);
    rig_hop(&rig_slow, "b", 8000, false);
    rig_set_chain(0);
    rig_ask(0);
    rig_at(0);
    rig_end("a", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    router_cancel(&rig.router, 0);
    rig_at(100000);
    assert_string_equal(rig_trace(), "ask:a");
    assert_int_equal(rig.loop.timer_count, 0);
}

static void test_cancelled_in_the_pause(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "a", 8000, false);
    rig_set_chain(0);
    rig_ask(0);
    rig_at(0);
    rig_fault("a", LLM_HTTP_ERROR, LLM_AGAIN_SOON, -1);
    rig_at(0);
    router_cancel(&rig.router, 0);
    rig_at(100000);
    assert_string_equal(rig_trace(), "ask:a");
    assert_int_equal(rig.loop.timer_count, 0);
}

static void test_slots_do_not_touch_each_other(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "a", 8000, false);
    rig_hop(&rig_quick, "b", 1000, false);
    rig_set_chain(0);
    for (unsigned slot = 0; slot < ASKS_MAX; slot++)
        rig_ask(slot);
    rig_at(0);
    assert_string_equal(rig_trace(), "ask:a ask:a ask:a ask:a ask:a ask:a ask:a ask:a");
    router_cancel(&rig.router, 5);
    for (unsigned n = 0; n < ASKS_MAX - 1; n++)
        rig_end("a", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    rig_at(1);
    is_over(ASKS_MAX - 1, true);
    assert_string_equal(rig_trace(),
                        "cancel:a answer:0 answer:1 answer:2 answer:3 answer:4 answer:6 answer:7");
}

static void test_a_callback_that_cancels_another_slot(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "a", 8000, false);
    rig_set_chain(0);
    rig_ask(0);
    rig_ask(1);
    rig_at(0);
    rig_end("a", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    rig_end("a", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    rig.cancels = true;
    rig_at(1);
    is_over(1, true);
    assert_int_equal(rig.slot, 0);
}

static void test_the_callback_may_ask_the_same_slot(void **state)
{
    (void)state;
    rig_hop(&rig_quick, "a", 1000, false);
    rig_set_chain(0);
    rig.ask_again = true;
    rig_ask(2);
    rig_one_turn(0);
    assert_string_equal(rig_trace(), "ask:a answer:2");
    assert_string_equal(rig.object, RIG_GOOD);
    rig_one_turn(0);
    assert_string_equal(rig_trace(), "ask:a answer:2");
    is_over(2, true);
}

static void test_the_loop_is_out_of_timers(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "a", 8000, true);
    rig_hop(&rig_slow, "b", 8000, false);
    rig_set_chain(0);
    rig.no_timers = true;
    assert_int_equal(router_ask(&rig.router, 0, &rig.request), -1);
    router_cancel(&rig.router, 0);
    assert_int_equal(router_ask(&rig.router, 0, &rig.request), -1);
    /* No call that nobody guards, and none paid for. */
    rig.no_timers = false;
    rig_ask(0);
    rig.no_timers = true;
    rig_at(0);
    assert_string_equal(rig_trace(), "answer:0");
    assert_string_equal(rig_attempts(), "a network_error, b network_error");
    attempt_was(0, LLM_NETWORK_ERROR, 0, "the loop is out of timers");
    /* The end of a call is seen all the same; there is no retry. */
    rig.no_timers = false;
    rig_ask(0);
    rig_at(0);
    rig.no_timers = true;
    rig_fault("a", LLM_HTTP_ERROR, LLM_AGAIN_SOON, -1);
    assert_string_equal(rig_trace(), "pay ask:a answer:0");
    assert_string_equal(rig_attempts(), "a http_error, b network_error");
}

/* ---- A new chain ---- */

static void test_a_new_chain_keeps_the_counters_of_hops_that_stay(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "a", 8000, false);
    rig_hop(&rig_slow, "b", 8000, false);
    rig_set_chain(0);
    for (int i = 0; i < 3; i++) {
        rig_ask(0);
        rig_at(0);
        rig_fault("a", LLM_NETWORK_ERROR, LLM_AGAIN_NO, -1);
        rig_at(0);
        rig_call("b", LLM_ASK)->input_tokens = 5;
        rig_call("b", LLM_ASK)->output_tokens = 2;
        rig_end("b", LLM_ASK, i == 0 ? LLM_REFUSAL : LLM_SUCCESS, RIG_GOOD);
        rig_at(0);
    }
    assert_true(rig.router.hops[0].breaker.open);
    rig.chain.count = 0;
    rig_hop(&rig_slow, "c", 1000, false);
    rig_hop(&rig_slow, "b", 2000, false);
    rig_hop(&rig_slow, "a", 3000, false);
    rig_set_chain(0);
    const struct router_hop *hops = rig.router.hops;
    assert_int_equal(rig.router.hop_count, 3);
    assert_int_equal(hops[0].success + hops[0].fallback + hops[0].error, 0);
    assert_int_equal(hops[1].success, 2);
    assert_int_equal(hops[1].fallback, 1);
    assert_true(hops[1].input_tokens == 15);
    assert_true(hops[1].output_tokens == 6);
    assert_true(hops[1].limit_ms == 2000);
    assert_int_equal(hops[2].error, 3);
    assert_false(hops[2].breaker.open);
    assert_int_equal(hops[2].breaker.failures, 0);
}

/* What is asked when the chain changes, in each state. */
static void test_a_new_chain_while_something_is_asked(void **state)
{
    static const struct {
        const char *state;
        const char *trace;
    } cases[] = {
        {"first", ""}, {"calling", "ask:a cancel:a"}, {"called", "ask:a"}, {"pausing", "ask:a"}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        rig.chain.count = 0;
        rig_hop(&rig_slow, "a", 8000, false);
        rig_set_chain(0);
        rig_ask(0);
        if (i >= 1)
            rig_at(0);
        if (i >= 2)
            rig_fault("a", LLM_HTTP_ERROR, LLM_AGAIN_SOON, -1);
        if (i >= 3)
            rig_at(0);
        rig.chain.count = 0;
        rig_hop(&rig_slow, "n", 8000, false);
        rig_set_chain(0);
        assert_string_equal(rig_trace(), cases[i].trace);
        assert_int_equal(rig.loop.timer_count, 1);
        rig_at(0);
        assert_string_equal(rig_trace(), "ask:n");
        rig_end("n", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
        rig_at(0);
        is_over((unsigned)i + 1, true);
        assert_string_equal(rig_attempts(), "n success");
        (void)rig_trace();
    }
}

static void test_what_was_paid_for_in_vain_stays_so_over_a_reload(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "a", 8000, true);
    rig_hop(&rig_slow, "b", 8000, false);
    rig_set_chain(0);
    rig_ask(0);
    rig_at(0);
    rig_end("a", LLM_ASK, LLM_REFUSAL, "");
    rig_at(0);
    rig_set_chain(0);
    rig_set_chain(0);
    rig_at(0);
    rig_end("b", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    rig_at(0);
    assert_string_equal(rig_trace(), "pay ask:a ask:b cancel:b ask:b answer:0");
    assert_true(rig.answer.paid_rejected);
    assert_string_equal(rig_attempts(), "a over_budget, b success");
    /* The next question is another one: its own, though this answer is still there. */
    rig_ask(0);
    rig_set_chain(0);
    rig_at(0);
    rig_end("a", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    rig_at(0);
    assert_string_equal(rig_trace(), "pay ask:a answer:0");
    assert_false(rig.answer.paid_rejected);
    /* Nor was anything paid for in vain where the asker wanted free hops only. */
    rig.request.free_only = true;
    rig_ask(0);
    rig_at(0);
    rig_end("b", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    rig_at(0);
    assert_false(rig.answer.paid_rejected);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_open, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_answer_never_comes_from_inside_the_question),
        TEST(test_a_slow_answer),
        TEST(test_hops_are_asked_in_order_until_one_is_good),
        TEST(test_every_hop_rejected),
        TEST(test_no_hops_at_all),
        TEST(test_the_limit_of_a_hop),
        TEST(test_answers_that_are_none),
        TEST(test_any_text_where_there_is_no_schema),
        TEST(test_counters),
        TEST(test_outcome_names),
        TEST(test_rules_answer_through_the_chain),
        TEST(test_cancelled_before_the_first_step),
        TEST(test_cancelled_while_a_hop_is_asked),
        TEST(test_cancelled_between_an_end_and_the_next_step),
        TEST(test_cancelled_in_the_pause),
        TEST(test_slots_do_not_touch_each_other),
        TEST(test_a_callback_that_cancels_another_slot),
        TEST(test_the_callback_may_ask_the_same_slot),
        TEST(test_the_loop_is_out_of_timers),
        TEST(test_a_new_chain_keeps_the_counters_of_hops_that_stay),
        TEST(test_a_new_chain_while_something_is_asked),
        TEST(test_what_was_paid_for_in_vain_stays_so_over_a_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
