/* Visits to hops: the retry, the breaker, a second pass behind breakers, and what is paid for. On a
 * rig with a virtual clock. */

#include "rig.h"

#include <stdio.h>
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

/* ---- The retry ---- */

static void test_a_retry(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "a", 30000, true);
    rig_set_chain(0);
    rig_ask(0);
    rig_at(0);
    rig_at(100);
    rig_fault("a", LLM_HTTP_ERROR, LLM_AGAIN_SOON, 2000);
    rig_at(100);
    rig_at(2099);
    assert_string_equal(rig_trace(), "pay ask:a");
    rig_at(2100);
    assert_string_equal(rig_trace(), "pay ask:a");
    assert_true(rig_call("a", LLM_ASK)->deadline_ms == RIG_T0 + 30000);
    rig_at(2200);
    rig_end("a", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    rig_at(2201);
    is_over(1, true);
    assert_string_equal(rig_attempts(), "a http_error, a success");
    attempt_was(0, LLM_HTTP_ERROR, 100, "");
    attempt_was(1, LLM_SUCCESS, 100, "");
    assert_int_equal(rig.router.hops[0].error, 1);
    assert_int_equal(rig.router.hops[0].success, 1);
    assert_int_equal(rig.router.hops[0].breaker.failures, 0);
}

static void test_one_retry_a_visit_and_one_failure(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "a", 30000, false);
    rig_hop(&rig_quick, "b", 1000, false);
    rig_set_chain(0);
    rig_ask(0);
    rig_at(0);
    rig_fault("a", LLM_NETWORK_ERROR, LLM_AGAIN_SOON, 500);
    rig_at(0);
    rig_at(500);
    rig_fault("a", LLM_HTTP_ERROR, LLM_AGAIN_SOON, -1);
    rig_at(501);
    assert_string_equal(rig_trace(), "ask:a ask:a ask:b answer:0");
    assert_string_equal(rig_attempts(), "a network_error, a http_error, b success");
    assert_int_equal(rig.router.hops[0].error, 2);
    assert_int_equal(rig.router.hops[0].breaker.failures, 1);
    assert_false(rig.router.hops[0].breaker.open);
    /* The next question has its own retry. */
    rig_ask(0);
    rig_at(600);
    rig_fault("a", LLM_NETWORK_ERROR, LLM_AGAIN_SOON, 500);
    rig_at(600);
    rig_at(1100);
    assert_string_equal(rig_trace(), "ask:a ask:a");
}

static void test_the_pause_is_random_within_bounds(void **state)
{
    int64_t least = INT64_MAX, most = 0;
    (void)state;
    rig_hop(&rig_slow, "a", 30000, false);
    rig_set_chain(0);
    for (int i = 0; i < 300; i++) {
        rig_ask(0);
        rig_at(0);
        rig_fault("a", LLM_HTTP_ERROR, LLM_AGAIN_SOON, -1);
        rig_at(0);
        int64_t pause = rig.router.asks[0].timer.deadline_ms - RIG_T0;
        least = pause < least ? pause : least;
        most = pause > most ? pause : most;
        router_cancel(&rig.router, 0);
    }
    assert_in_range(least, RETRY_PAUSE_MIN_MS, RETRY_PAUSE_MIN_MS + 100);
    assert_in_range(most, RETRY_PAUSE_MAX_MS - 100, RETRY_PAUSE_MAX_MS);
}

/* At an 8 s hop, after so long: is there a retry, and how long may the pause be? */
static void test_a_retry_only_where_it_fits(void **state)
{
    static const struct {
        int64_t after_ms, again_ms;
        int64_t least_ms, most_ms; /* of the pause; -1: none */
    } cases[] = {
        {0, -1, 500, 7000},    {6000, -1, 500, 1000}, {6499, -1, 500, 501},
        {6500, -1, 500, 500},  {6501, -1, -1, -1},    {8000, -1, -1, -1},
        {0, 0, 500, 500},      {0, 499, 500, 500},    {0, 3000, 3000, 3000},
        {0, 7000, 7000, 7000}, {0, 7001, -1, -1},     {4000, 3000, 3000, 3000},
        {4001, 3000, -1, -1},  {6501, 100, -1, -1},
    };
    (void)state;
    rig_hop(&rig_slow, "a", 8000, false);
    for (size_t i = 0; i < 20 * COUNT(cases); i++) {
        const int64_t start = 20000 * (int64_t)i, again = cases[i / 20].again_ms;
        const int64_t failed = start + cases[i / 20].after_ms;
        rig_set_chain(0);
        rig_at(start);
        rig_ask(0);
        rig_at(start);
        rig_at(failed);
        rig_fault("a", LLM_HTTP_ERROR, LLM_AGAIN_SOON, again);
        rig_at(failed);
        if (cases[i / 20].least_ms < 0) {
            assert_int_equal(rig.router.asks[0].state, ROUTER_FREE);
            continue;
        }
        assert_int_equal(rig.router.asks[0].state, ROUTER_PAUSING);
        int64_t pause = rig.router.asks[0].timer.deadline_ms - RIG_T0 - failed;
        assert_in_range(pause, cases[i / 20].least_ms, cases[i / 20].most_ms);
        router_cancel(&rig.router, 0);
    }
}

static void test_no_retry(void **state)
{
    static const struct {
        enum llm_outcome outcome;
        enum llm_again again;
    } cases[] = {
        {LLM_HTTP_ERROR, LLM_AGAIN_NO},       {LLM_HTTP_ERROR, LLM_AGAIN_LATER},
        {LLM_HTTP_ERROR, LLM_AGAIN_OPERATOR}, {LLM_REFUSAL, LLM_AGAIN_SOON},
        {LLM_INVALID_JSON, LLM_AGAIN_SOON},   {LLM_TRUNCATED, LLM_AGAIN_SOON},
        {LLM_SUCCESS, LLM_AGAIN_SOON}, /* the text is none */
    };
    (void)state;
    rig_hop(&rig_slow, "a", 30000, true);
    rig_hop(&rig_quick, "b", 1000, false);
    for (size_t i = 0; i < COUNT(cases); i++) {
        rig_set_chain(0);
        rig_ask(0);
        rig_at(0);
        rig_fault("a", cases[i].outcome, cases[i].again, -1);
        rig_at(0);
        assert_string_equal(rig_trace(), "pay ask:a ask:b answer:0");
    }
}

/* ---- Breakers ---- */

static void fail_once(const char *model, int64_t at_ms)
{
    rig_ask(0);
    rig_at(at_ms);
    rig_fault(model, LLM_NETWORK_ERROR, LLM_AGAIN_NO, -1);
    rig_at(at_ms);
}

static void test_from_the_fourth_question_on_a_dead_hop_costs_nothing(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "a", 8000, false);
    rig_hop(&rig_quick, "b", 1000, false);
    rig_set_chain(0);
    for (int i = 0; i < 3; i++)
        fail_once("a", i);
    assert_true(rig.router.hops[0].breaker.open);
    assert_true(rig.router.hops[0].breaker.open_until_ms == RIG_T0 + 2 + BREAKER_FIRST_MS);
    assert_int_equal(rig_logged("\"breaker_opened\"", "\"for_ms\":30000"), 1);
    (void)rig_trace();
    for (unsigned i = 0; i < 3; i++) {
        rig_ask(0);
        rig_at(1000);
        assert_string_equal(rig_trace(), "ask:b answer:0");
        assert_string_equal(rig_attempts(), "a breaker_open, b success");
        attempt_was(0, LLM_BREAKER_OPEN, 0, "it failed too often lately");
    }
    /* It is told once that it is passed over, then at debug. */
    assert_int_equal(rig_logged("breaker_open\"", "\"level\":\"warning\""), 1);
    assert_int_equal(rig_logged("breaker_open\"", "\"level\":\"debug\""), 2);
    assert_int_equal(rig.router.hops[0].error, 3);
    /* Half-open: two slots, one probe. */
    rig_ask(0);
    rig_ask(1);
    rig_at(2 + BREAKER_FIRST_MS);
    assert_string_equal(rig_trace(), "ask:a ask:b answer:1");
    attempt_was(0, LLM_BREAKER_OPEN, 0, "another call tries it");
    rig_end("a", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    rig_at(2 + BREAKER_FIRST_MS);
    assert_false(rig.router.hops[0].breaker.open);
    assert_int_equal(rig_logged("\"breaker_closed\"", "\"model\":\"a\""), 1);
    /* The failures in a row start anew. */
    fail_once("a", 40000);
    fail_once("a", 40000);
    assert_false(rig.router.hops[0].breaker.open);
}

static void test_a_probe_that_fails_opens_it_for_longer(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "a", 8000, false);
    rig_set_chain(0);
    for (int i = 0; i < 3; i++)
        fail_once("a", 0);
    fail_once("a", 30000);
    assert_int_equal(rig_logged("\"breaker_opened\"", "\"for_ms\":60000"), 1);
    rig_ask(0);
    rig_at(89999);
    assert_string_equal(rig_attempts(), "a breaker_open");
    /* A refusal is not the breaker's: the server is there. */
    rig_ask(0);
    rig_at(90000);
    rig_end("a", LLM_ASK, LLM_REFUSAL, "");
    rig_at(90000);
    assert_false(rig.router.hops[0].breaker.open);
}

static void test_a_probe_that_is_dropped_is_given_back(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "a", 30000, true);
    rig_set_chain(0);
    for (int i = 0; i < 3; i++)
        fail_once("a", 0);
    (void)rig_trace();
    /* While it is under way, when it has ended unseen, in the pause. */
    for (int when = 0; when < 3; when++) {
        rig_ask(0);
        rig_at(30000);
        assert_string_equal(rig_trace(), "pay ask:a");
        assert_true(rig.router.hops[0].breaker.probing);
        if (when > 0)
            rig_fault("a", LLM_HTTP_ERROR, LLM_AGAIN_SOON, -1);
        if (when > 1)
            rig_at(30000);
        router_cancel(&rig.router, 0);
        assert_false(rig.router.hops[0].breaker.probing);
        assert_int_equal(rig.loop.timer_count, 0);
        assert_string_equal(rig_trace(), when == 0 ? "cancel:a" : "");
    }
    /* It may not be paid for: nothing was tried. */
    rig.pay = ROUTER_OVER_BUDGET;
    rig_ask(0);
    rig_at(30000);
    assert_string_equal(rig_attempts(), "a over_budget");
    assert_false(rig.router.hops[0].breaker.probing);
    assert_true(rig.router.hops[0].breaker.open);
    assert_true(rig.router.hops[0].breaker.open_until_ms == RIG_T0 + 30000);
}

static void test_times_that_a_server_names(void **state)
{
    static const struct {
        enum llm_again again;
        int64_t again_ms;
        int64_t open_ms; /* 0: not at once */
    } cases[] = {
        {LLM_AGAIN_LATER, 20000, 20000},
        {LLM_AGAIN_LATER, 1, 1},
        {LLM_AGAIN_LATER, 0, 0},
        {LLM_AGAIN_LATER, -1, 0},
        {LLM_AGAIN_LATER, INT64_MAX, BREAKER_NAMED_MAX_MS},
        {LLM_AGAIN_SOON, 7500, 7500}, /* does not fit into 8 s */
        {LLM_AGAIN_SOON, BREAKER_NAMED_MAX_MS + 1, BREAKER_NAMED_MAX_MS},
        {LLM_AGAIN_OPERATOR, -1, BREAKER_OPERATOR_MS},
        {LLM_AGAIN_OPERATOR, 5, BREAKER_OPERATOR_MS},
        {LLM_AGAIN_NO, 20000, 0},
    };
    (void)state;
    rig_hop(&rig_slow, "a", 8000, false);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct breaker *breaker = &rig.router.hops[0].breaker;
        rig_set_chain(0);
        rig_ask(0);
        rig_at(0);
        rig_fault("a", LLM_HTTP_ERROR, cases[i].again, cases[i].again_ms);
        rig_at(0);
        assert_int_equal(rig.answers, i + 1);
        assert_int_equal(breaker->open, cases[i].open_ms > 0);
        assert_int_equal(breaker->failures, cases[i].open_ms > 0 ? 0 : 1);
        if (breaker->open)
            assert_true(breaker->open_until_ms == RIG_T0 + cases[i].open_ms);
    }
}

static void test_a_named_time_after_the_retry_was_used(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "a", 8000, false);
    rig_set_chain(0);
    rig_ask(0);
    rig_at(0);
    rig_fault("a", LLM_HTTP_ERROR, LLM_AGAIN_SOON, 1000);
    rig_at(0);
    rig_at(1000);
    rig_fault("a", LLM_HTTP_ERROR, LLM_AGAIN_SOON, 2000);
    rig_at(1000);
    is_over(1, false);
    assert_true(rig.router.hops[0].breaker.open_until_ms == RIG_T0 + 3000);
}

static void test_what_needs_the_operator_is_loud(void **state)
{
    static const struct {
        int status;
        const char *advice;
    } cases[] = {
        {401, "check the API key and"},  {403, "check the API key and"},
        {402, "check the account's"},    {404, "check the model's name and the server"},
        {429, "check the API key, the"},
    };
    (void)state;
    rig_hop(&rig_slow, "a", 8000, false);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char status[24];
        rig_set_chain(0);
        rig_ask(0);
        rig_at(0);
        rig_call("a", LLM_ASK)->status = cases[i].status;
        rig_fault("a", LLM_HTTP_ERROR, LLM_AGAIN_OPERATOR, -1);
        rig_at(0);
        assert_true(snprintf(status, sizeof(status), "\"status\":%d", cases[i].status) > 0);
        assert_int_equal(rig_logged("\"hop_needs_operator\"", status), 1);
        assert_int_equal(rig_logged(status, cases[i].advice), 1);
    }
    assert_int_equal(rig_logged("\"hop_needs_operator\"", "\"level\":\"error\""), COUNT(cases));
}

static void test_insisting(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "a", 8000, false);
    rig_hop(&rig_slow, "b", 8000, true);
    rig_hop(&rig_slow, "c", 8000, false);
    rig_set_chain(0);
    for (int i = 0; i < 3; i++) {
        rig_ask(0);
        rig_at(0);
        rig_fault("a", LLM_NETWORK_ERROR, LLM_AGAIN_NO, -1);
        rig_at(0);
        rig_end("b", LLM_ASK, LLM_REFUSAL, "");
        rig_at(0);
        rig_fault("c", LLM_NETWORK_ERROR, LLM_AGAIN_NO, -1);
        rig_at(0);
    }
    (void)rig_trace();
    /* b was asked: the others stay held. */
    rig.request.insist = true;
    rig_ask(0);
    rig_at(10);
    rig_end("b", LLM_ASK, LLM_REFUSAL, "");
    rig_at(10);
    assert_string_equal(rig_trace(), "pay ask:b answer:0");
    assert_string_equal(rig_attempts(), "a breaker_open, b refusal, c breaker_open");
    /* b cannot be: those that were held are asked, it is not. */
    rig.request.free_only = true;
    rig_ask(0);
    rig_at(20);
    rig_fault("a", LLM_NETWORK_ERROR, LLM_AGAIN_SOON, 500);
    rig_at(20);
    rig_at(520);
    rig_fault("a", LLM_NETWORK_ERROR, LLM_AGAIN_SOON, 500);
    rig_at(520);
    assert_string_equal(rig_trace(), "ask:a ask:a ask:c");
    rig_end("c", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    rig_at(520);
    is_over(5, true);
    assert_string_equal(rig_attempts(), "a breaker_open, b over_budget, c breaker_open, "
                                        "a network_error, a network_error, c success");
    /* What failed behind its breaker has not moved it, but for a time that was named. */
    assert_true(rig.router.hops[0].breaker.open_until_ms == RIG_T0 + 30000);
    assert_false(rig.router.hops[2].breaker.open);
    /* Without insisting it costs nothing. */
    rig.request.insist = false;
    (void)rig_trace();
    rig_ask(0);
    rig_at(530);
    assert_string_equal(rig_trace(), "ask:c");
}

static void test_insisting_ends(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "a", 8000, false);
    rig_set_chain(0);
    for (int i = 0; i < 3; i++)
        fail_once("a", 0);
    (void)rig_trace();
    rig.request.insist = true;
    fail_once("a", 1);
    assert_string_equal(rig_trace(), "ask:a answer:0");
    is_over(4, false);
    assert_string_equal(rig_attempts(), "a breaker_open, a network_error");
    /* It may not be paid for when it is insisted on. */
    rig.router.hops[0].cloud = true;
    rig.pay = ROUTER_OVER_BUDGET;
    rig_ask(0);
    rig_at(2);
    assert_string_equal(rig_trace(), "pay answer:0");
    assert_string_equal(rig_attempts(), "a breaker_open, a over_budget");
    /* Nothing but hops that may not be paid for: once. */
    rig.chain.hops[0].cloud = true;
    rig_set_chain(0);
    rig.pay = ROUTER_OVER_BUDGET;
    rig_ask(0);
    rig_at(2);
    assert_string_equal(rig_trace(), "pay answer:0");
    assert_string_equal(rig_attempts(), "a over_budget");
}

static void test_as_many_attempts_as_there_may_be(void **state)
{
    static const char *const models[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    (void)state;
    for (size_t i = 0; i < CHAIN_HOPS_MAX; i++) {
        rig_hop(&rig_slow, models[i], 8000, false);
        rig.chain.hops[i].limit_ms = 8000;
    }
    rig_set_chain(0);
    for (size_t i = 0; i < CHAIN_HOPS_MAX; i++)
        breaker_open(&rig.router.hops[i].breaker, BREAKER_PASSED, RIG_T0, 1000000);
    rig.request.insist = true;
    rig_ask(0);
    for (int64_t i = 0; i < CHAIN_HOPS_MAX; i++) {
        rig_at(1000 * i);
        rig_fault(models[i], LLM_HTTP_ERROR, LLM_AGAIN_SOON, 500);
        rig_at(1000 * i);
        rig_at(1000 * i + 500);
        rig_fault(models[i], LLM_HTTP_ERROR, LLM_AGAIN_SOON, 500);
    }
    rig_at(9000);
    is_over(1, false);
    assert_int_equal(rig.answer.attempt_count, 3 * CHAIN_HOPS_MAX);
}

/* ---- Money ---- */

static void test_over_budget_at_every_hop(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "a", 8000, true);
    rig_hop(&rig_slow, "b", 8000, true);
    rig_set_chain(0);
    for (enum router_pay pay = ROUTER_OVER_BUDGET; pay <= ROUTER_NOT_COUNTED; pay++) {
        rig.pay = pay;
        rig_ask(0);
        rig_at(0);
        assert_string_equal(rig_trace(), "pay pay answer:0");
        assert_string_equal(rig_attempts(), "a over_budget, b over_budget");
        attempt_was(0, LLM_OVER_BUDGET, 0, "no money");
        assert_false(rig.answer.paid_rejected);
        assert_int_equal(rig.router.hops[0].error + rig.router.hops[0].fallback, 0);
        assert_int_equal(rig.router.hops[0].breaker.failures, 0);
    }
    assert_int_equal(rig_logged("\"over_budget\"", "\"level\":\"warning\""), 2);
    assert_int_equal(rig_logged("\"over_budget\"", "\"level\":\"debug\""), 2);
}

static void test_without_a_purse_no_paid_calls(void **state)
{
    struct router_ops poor = *rig.router.ops;
    (void)state;
    poor.pay = NULL;
    rig.router.ops = &poor;
    rig_hop(&rig_slow, "a", 8000, true);
    rig_set_chain(0);
    rig_ask(0);
    rig_at(0);
    assert_string_equal(rig_trace(), "answer:0");
    attempt_was(0, LLM_OVER_BUDGET, 0, "no paid calls are made here");
}

static void test_a_paid_retry_is_paid_for(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "a", 8000, true);
    rig_hop(&rig_quick, "b", 1000, false);
    rig_set_chain(0);
    for (int i = 1; i <= 3; i++) {
        rig.pay = ROUTER_MAY_PAY;
        rig_at(2000 * i);
        rig_ask(0);
        rig_at(2000 * i);
        rig_fault("a", LLM_HTTP_ERROR, LLM_AGAIN_SOON, 1000);
        rig_at(2000 * i);
        assert_string_equal(rig_trace(), "pay ask:a");
        rig.pay = ROUTER_OVER_BUDGET;
        rig_at(2000 * i + 1000);
        assert_string_equal(rig_trace(), "pay ask:b answer:0");
        assert_string_equal(rig_attempts(), "a http_error, a over_budget, b success");
        /* What was to be retried is the failure that counts. */
        assert_int_equal(rig.router.hops[0].breaker.failures, i);
        assert_int_equal(rig.router.hops[0].error, i);
    }
    assert_true(rig.router.hops[0].breaker.open);
}

static void test_paid_hops_are_passed_over(void **state)
{
    (void)state;
    rig_hop(&rig_slow, "a", 8000, true);
    rig_hop(&rig_quick, "b", 1000, false);
    rig_set_chain(0);
    rig.request.free_only = true;
    rig_ask(0);
    rig_at(0);
    assert_string_equal(rig_trace(), "ask:b answer:0");
    assert_string_equal(rig_attempts(), "a over_budget, b success");
    attempt_was(0, LLM_OVER_BUDGET, 0, "a paid answer to this event was refused or invalid before");
}

static void test_answers_that_were_paid_for_in_vain(void **state)
{
    static const struct {
        bool cloud;
        enum llm_outcome outcome;
        bool rejected;
    } cases[] = {
        {true, LLM_REFUSAL, true},        {true, LLM_INVALID_JSON, true},
        {true, LLM_TRUNCATED, true},      {true, LLM_SUCCESS, true}, /* not the schema */
        {true, LLM_NETWORK_ERROR, false}, {true, LLM_TIMEOUT, false},
        {true, LLM_HTTP_ERROR, false},    {false, LLM_REFUSAL, false},
        {false, LLM_SUCCESS, false},
    };
    (void)state;
    rig_hop(&rig_slow, "a", 8000, true);
    rig_hop(&rig_quick, "b", 1000, false);
    for (size_t i = 0; i < COUNT(cases); i++) {
        rig.chain.hops[0].cloud = cases[i].cloud;
        rig_set_chain(0);
        rig_ask(0);
        rig_at(0);
        rig_end("a", LLM_ASK, cases[i].outcome, "{}");
        rig_at(0);
        is_over((unsigned)i + 1, true);
        assert_int_equal(rig.answer.paid_rejected, cases[i].rejected);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_open, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_retry),
        TEST(test_one_retry_a_visit_and_one_failure),
        TEST(test_the_pause_is_random_within_bounds),
        TEST(test_a_retry_only_where_it_fits),
        TEST(test_no_retry),
        TEST(test_from_the_fourth_question_on_a_dead_hop_costs_nothing),
        TEST(test_a_probe_that_fails_opens_it_for_longer),
        TEST(test_a_probe_that_is_dropped_is_given_back),
        TEST(test_times_that_a_server_names),
        TEST(test_a_named_time_after_the_retry_was_used),
        TEST(test_what_needs_the_operator_is_loud),
        TEST(test_insisting),
        TEST(test_insisting_ends),
        TEST(test_as_many_attempts_as_there_may_be),
        TEST(test_over_budget_at_every_hop),
        TEST(test_without_a_purse_no_paid_calls),
        TEST(test_a_paid_retry_is_paid_for),
        TEST(test_paid_hops_are_passed_over),
        TEST(test_answers_that_were_paid_for_in_vain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
