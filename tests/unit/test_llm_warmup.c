/* Cold models: a question that ran into its limit, the look at what is resident, the warm-up, who
 * waits for it. On a rig with a virtual clock: "a" is a local server's model. */

#include "rig.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define COLD_MS 60000

/* a, then a paid one. */
static void local_and_paid(void)
{
    rig_hop(&rig_slow_warm, "a", 8000, false);
    rig_hop(&rig_slow, "p", 30000, true);
}

/* The slot's question has run into the limit of "a" at this time. */
static void time_out(unsigned slot, int64_t at_ms)
{
    rig_ask(slot);
    rig_at(at_ms);
    rig_at(at_ms + 8000);
    rig_timeout("a");
    rig_at(at_ms + 8000);
}

/* And the model was not there. */
static void find_cold(unsigned slot, int64_t at_ms)
{
    time_out(slot, at_ms);
    rig_resident("a", false);
    rig_at(at_ms + 8000);
}

static void is_over(unsigned answers, const char *attempts)
{
    assert_int_equal(rig.answers, answers);
    assert_string_equal(rig_attempts(), attempts);
    assert_int_equal(rig.loop.timer_count, 0);
}

static void test_a_question_waits_for_the_warm_up_and_asks_once_more(void **state)
{
    (void)state;
    local_and_paid();
    rig_set_chain(COLD_MS);
    time_out(0, 0);
    struct llm_call *look = rig_call("a", LLM_RESIDENT);
    assert_non_null(look);
    assert_ptr_equal(look, &rig.router.asks[0].call);
    assert_true(look->deadline_ms == RIG_T0 + 8000 + RESIDENT_LIMIT_MS);
    assert_ptr_equal(look->server, &rig_server);
    rig_resident("a", false);
    rig_at(8100);
    assert_string_equal(rig_trace(), "ask:a look:a warm:a");
    struct llm_call *warm = rig_call("a", LLM_WARM);
    assert_non_null(warm);
    assert_true(warm->deadline_ms == RIG_T0 + 8100 + WARM_LIMIT_MS);
    assert_ptr_equal(warm->server, &rig_server);
    assert_false(warm->cloud);
    assert_int_equal(rig_logged("\"model_warming\"", "\"model\":\"a\""), 1);
    rig_at(30000);
    assert_string_equal(rig_trace(), "");
    rig_end("a", LLM_WARM, LLM_SUCCESS, "");
    rig_at(30000);
    assert_int_equal(rig_logged("\"model_warm\"", "\"latency_ms\":21900"), 1);
    assert_string_equal(rig_trace(), "ask:a");
    assert_true(rig_call("a", LLM_ASK)->deadline_ms == RIG_T0 + 30000 + 8000);
    rig_end("a", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    rig_at(31000);
    is_over(1, "a timeout, a success");
    assert_true(rig.answer.latency_ms == 31000);
    assert_int_equal(rig.router.hops[0].breaker.failures, 0);
}

static void test_what_is_asked_once_more_waits_no_more(void **state)
{
    (void)state;
    local_and_paid();
    rig_set_chain(COLD_MS);
    find_cold(0, 0);
    rig_end("a", LLM_WARM, LLM_SUCCESS, "");
    rig_at(9000);
    rig_timeout("a");
    rig_at(17000);
    /* It was thrown out meanwhile: loaded again, but the question goes on. */
    rig_resident("a", false);
    rig_at(17000);
    assert_string_equal(rig_trace(), "ask:a look:a warm:a ask:a look:a warm:a pay ask:p");
    rig_end("p", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    rig_end("a", LLM_WARM, LLM_SUCCESS, "");
    rig_at(17000);
    is_over(1, "a timeout, a timeout, p success");
}

static void test_the_wait_ends_before_the_warm_up(void **state)
{
    (void)state;
    local_and_paid();
    rig_set_chain(COLD_MS);
    find_cold(0, 0);
    rig_at(8000 + COLD_MS - 1);
    assert_string_equal(rig_trace(), "ask:a look:a warm:a");
    rig_at(8000 + COLD_MS);
    assert_string_equal(rig_trace(), "ask:a");
    /* Still cold: that is known, so nobody looks. */
    rig_timeout("a");
    rig_at(80000);
    assert_string_equal(rig_trace(), "pay ask:p");
    rig_end("p", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    rig_at(80000);
    assert_string_equal(rig_attempts(), "a timeout, a timeout, p success");
    /* The warm-up goes on, to its own limit and no further. */
    rig_at(8000 + WARM_LIMIT_MS + CALL_GRACE_MS - 1);
    assert_string_equal(rig_trace(), "answer:0");
    rig_at(8000 + WARM_LIMIT_MS + CALL_GRACE_MS);
    assert_string_equal(rig_trace(), "cancel:a");
    assert_int_equal(rig_logged("\"model_not_warmed\"", "\"outcome\":\"timeout\""), 1);
    assert_int_equal(rig_logged("\"model_not_warmed\"", "was not loaded in time"), 1);
    assert_int_equal(rig.loop.timer_count, 0);
}

static void test_a_warm_up_that_fails_sends_the_question_on(void **state)
{
    (void)state;
    local_and_paid();
    rig_set_chain(COLD_MS);
    find_cold(0, 0);
    rig_end("a", LLM_WARM, LLM_HTTP_ERROR, "");
    assert_string_equal(rig_trace(), "ask:a look:a warm:a");
    rig_at(9000);
    assert_string_equal(rig_trace(), "pay ask:p");
    assert_int_equal(rig_logged("\"model_not_warmed\"", "\"outcome\":\"http_error\""), 1);
    rig_end("p", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    rig_at(9000);
    is_over(1, "a timeout, a breaker_open, p success");
    assert_string_equal(rig.answer.attempts[1].error, "its model could not be loaded");
    assert_int_equal(rig.router.hops[0].breaker.failures, 1);
}

static void test_what_ends_at_once(void **state)
{
    static const struct {
        enum llm_outcome look, warm;
        const char *trace;
        const char *attempts;
    } cases[] = {
        {LLM_SUCCESS, LLM_SUCCESS, "ask:q look:q warm:q ask:q look:q warm:q pay ask:p",
         "q timeout, q timeout, p success"},
        {LLM_SUCCESS, LLM_NETWORK_ERROR, "ask:q look:q warm:q pay ask:p",
         "q timeout, q breaker_open, p success"},
        {LLM_NETWORK_ERROR, LLM_SUCCESS, "ask:q look:q pay ask:p", "q timeout, p success"},
    };
    (void)state;
    rig_hop(&rig_quick_warm, "q", 1000, false);
    rig_hop(&rig_slow, "p", 30000, true);
    rig.quick.outcome = LLM_TIMEOUT;
    for (size_t i = 0; i < COUNT(cases); i++) {
        rig.quick_look = cases[i].look;
        rig.quick_warm = cases[i].warm;
        rig_set_chain(COLD_MS);
        rig_ask(0);
        rig_at(0);
        assert_string_equal(rig_trace(), cases[i].trace);
        rig_end("p", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
        rig_at(0);
        is_over((unsigned)i + 1, cases[i].attempts);
        (void)rig_trace();
    }
}

/* ---- Who looks, and who waits ---- */

static void test_a_model_that_is_there_was_only_slow(void **state)
{
    (void)state;
    local_and_paid();
    rig_set_chain(COLD_MS);
    time_out(0, 0);
    rig_resident("a", true);
    rig_at(8100);
    assert_string_equal(rig_trace(), "ask:a look:a pay ask:p");
}

static void test_a_look_that_fails_or_takes_too_long(void **state)
{
    (void)state;
    local_and_paid();
    rig_set_chain(COLD_MS);
    time_out(0, 0);
    rig_end("a", LLM_RESIDENT, LLM_HTTP_ERROR, "");
    rig_at(8100);
    assert_string_equal(rig_trace(), "ask:a look:a pay ask:p");
    router_cancel(&rig.router, 0);
    (void)rig_trace();
    time_out(0, 10000);
    rig_at(18000 + RESIDENT_LIMIT_MS + CALL_GRACE_MS - 1);
    assert_string_equal(rig_trace(), "ask:a look:a");
    rig_at(18000 + RESIDENT_LIMIT_MS + CALL_GRACE_MS);
    assert_string_equal(rig_trace(), "cancel:a pay ask:p");
    /* What it took is not the hop's. */
    rig_end("p", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    rig_at(30000);
    is_over(1, "a timeout, p success");
    assert_true(rig.answer.attempts[0].latency_ms == 8000);
    assert_int_equal(rig.router.hops[0].error, 2);
}

static void test_nobody_looks_where_it_makes_no_sense(void **state)
{
    static const struct {
        const struct llm_provider *provider;
        bool cloud, reached;
        enum llm_outcome outcome;
        bool looks;
    } cases[] = {
        {&rig_slow_warm, false, true, LLM_TIMEOUT, true},
        {&rig_slow, false, true, LLM_TIMEOUT, false},
        {&rig_slow_warm, true, true, LLM_TIMEOUT, false},
        {&rig_slow_warm, false, false, LLM_TIMEOUT, false},
        {&rig_slow_warm, false, true, LLM_NETWORK_ERROR, false},
        {&rig_slow_warm, false, true, LLM_HTTP_ERROR, false},
        {&rig_slow_warm, false, true, LLM_TRUNCATED, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        rig.chain.count = 0;
        rig_hop(cases[i].provider, "a", 8000, cases[i].cloud);
        rig_set_chain(COLD_MS);
        rig_ask(0);
        rig_at(0);
        rig_call("a", LLM_ASK)->reached = cases[i].reached;
        rig_end("a", LLM_ASK, cases[i].outcome, "");
        rig_at(0);
        assert_int_equal(rig_call("a", LLM_RESIDENT) != NULL, cases[i].looks);
        router_cancel(&rig.router, 0);
    }
}

static void test_a_call_that_the_router_ended_may_be_a_cold_one_too(void **state)
{
    (void)state;
    local_and_paid();
    rig_set_chain(COLD_MS);
    rig_ask(0);
    rig_at(0);
    rig_call("a", LLM_ASK)->reached = true;
    rig_at(8000 + CALL_GRACE_MS);
    assert_string_equal(rig_trace(), "ask:a cancel:a look:a");
}

/* What comes after "a", and whether a question waits for it. */
static void test_it_waits_only_where_the_next_hop_costs(void **state)
{
    enum next { NOBODY, FREE, PAID, PAID_OPEN, PAID_OPEN_FREE, PAID_OPEN_PAID, FREE_OPEN_PAID };
    static const struct {
        enum next next;
        int64_t cold_ms;
        bool free_only, has_purse, waits;
        const char *then;
    } cases[] = {
        {PAID, COLD_MS, false, true, true, ""},
        {PAID, 1, false, true, true, ""},
        {PAID, 0, false, true, false, " pay ask:p"},
        {PAID, COLD_MS, true, true, false, " answer:0"},
        {PAID, COLD_MS, false, false, false, " answer:0"},
        {NOBODY, COLD_MS, false, true, false, " answer:0"},
        {FREE, COLD_MS, false, true, false, " ask:f"},
        {PAID_OPEN, COLD_MS, false, true, false, " answer:0"},
        {PAID_OPEN_FREE, COLD_MS, false, true, false, " ask:f"},
        {PAID_OPEN_PAID, COLD_MS, false, true, true, ""},
        {FREE_OPEN_PAID, COLD_MS, false, true, true, ""},
    };
    const struct router_ops rich = *rig.router.ops;
    struct router_ops poor = rich;
    (void)state;
    poor.pay = NULL;
    for (size_t i = 0; i < COUNT(cases); i++) {
        enum next next = cases[i].next;
        char trace[64] = "ask:a look:a warm:a";
        rig.chain.count = 0;
        rig_hop(&rig_slow_warm, "a", 8000, false);
        if (next == FREE || next == FREE_OPEN_PAID)
            rig_hop(&rig_slow, "f", 8000, false);
        if (next >= PAID)
            rig_hop(&rig_slow, "p", 8000, true);
        if (next == PAID_OPEN_FREE)
            rig_hop(&rig_slow, "f", 8000, false);
        if (next == PAID_OPEN_PAID)
            rig_hop(&rig_slow, "p2", 8000, true);
        rig_set_chain(cases[i].cold_ms);
        (void)rig_trace();
        if (next >= PAID_OPEN)
            breaker_open(&rig.router.hops[1].breaker, BREAKER_PASSED, RIG_T0, 1000000000);
        rig.router.ops = cases[i].has_purse ? &rich : &poor;
        rig.request.free_only = cases[i].free_only;
        rig_at(20000 * (int64_t)i);
        find_cold(0, 20000 * (int64_t)i);
        memcpy(trace + strlen(trace), cases[i].then, strlen(cases[i].then) + 1);
        assert_string_equal(rig_trace(), trace);
        assert_int_equal(rig.router.asks[0].state == ROUTER_WAITING, cases[i].waits);
        router_cancel(&rig.router, 0);
    }
}

/* ---- More than one question, more than one model ---- */

static void test_a_warm_up_closes_the_breaker(void **state)
{
    (void)state;
    local_and_paid();
    rig_set_chain(COLD_MS);
    for (int i = 0; i < 2; i++) {
        find_cold(0, 10000 * i);
        rig_end("a", LLM_WARM, LLM_NETWORK_ERROR, "");
        rig_at(10000 * i + 8000);
        router_cancel(&rig.router, 0);
    }
    find_cold(0, 20000);
    assert_true(rig.router.hops[0].breaker.open);
    (void)rig_trace();
    rig_end("a", LLM_WARM, LLM_SUCCESS, "");
    rig_at(29000);
    assert_string_equal(rig_trace(), ""); /* after a failed one nobody had waited for it */
    assert_false(rig.router.hops[0].breaker.open);
    assert_int_equal(rig_logged("\"breaker_closed\"", "\"model\":\"a\""), 1);
}

/* A model that does not load costs one wait, not one a question. */
static void test_after_a_failed_warm_up_nobody_waits(void **state)
{
    (void)state;
    local_and_paid();
    rig_set_chain(COLD_MS);
    find_cold(0, 0);
    assert_int_equal(rig.router.asks[0].state, ROUTER_WAITING);
    rig_end("a", LLM_WARM, LLM_NETWORK_ERROR, "");
    rig_at(8000);
    router_cancel(&rig.router, 0);
    find_cold(0, 10000);
    assert_int_equal(rig.router.asks[0].state, ROUTER_CALLING);
    router_cancel(&rig.router, 0);
    rig_end("a", LLM_WARM, LLM_SUCCESS, "");
    rig_at(20000);
    find_cold(0, 30000);
    assert_int_equal(rig.router.asks[0].state, ROUTER_WAITING);
}

static void test_a_wait_that_ends_behind_an_open_breaker(void **state)
{
    (void)state;
    local_and_paid();
    rig_set_chain(COLD_MS);
    find_cold(0, 0);
    breaker_open(&rig.router.hops[0].breaker, BREAKER_PASSED, RIG_T0, 1000000);
    (void)rig_trace();
    rig_at(8000 + COLD_MS);
    assert_string_equal(rig_trace(), "pay ask:p");
    rig_end("p", LLM_ASK, LLM_REFUSAL, "");
    rig_at(70000);
    assert_string_equal(rig_attempts(), "a timeout, a breaker_open, p refusal");
}

static void test_another_question_at_a_model_being_loaded(void **state)
{
    (void)state;
    local_and_paid();
    rig_set_chain(COLD_MS);
    find_cold(0, 0);
    (void)rig_trace();
    /* Another waits too, without a call that could only time out. */
    rig_ask(1);
    rig_at(9000);
    assert_string_equal(rig_trace(), "");
    assert_int_equal(rig.router.asks[1].state, ROUTER_WAITING);
    rig_end("a", LLM_WARM, LLM_SUCCESS, "");
    rig_at(20000);
    assert_string_equal(rig_trace(), "ask:a ask:a");
    rig_end("a", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    rig_at(20001);
    assert_int_equal(rig.slot, 0);
    rig_end("a", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    rig_at(20001);
    assert_int_equal(rig.slot, 1);
    is_over(2, "a success");
}

static void test_another_question_whose_wait_ends(void **state)
{
    (void)state;
    local_and_paid();
    rig_set_chain(COLD_MS);
    find_cold(0, 0);
    router_cancel(&rig.router, 0);
    (void)rig_trace();
    rig_at(30000);
    rig_ask(1);
    rig_at(30000);
    rig_at(8000 + COLD_MS - 1);
    assert_string_equal(rig_trace(), "");
    rig_at(8000 + COLD_MS); /* of the warm-up, not of the question */
    assert_string_equal(rig_trace(), "ask:a");
    rig_ask(3);
    rig_at(8000 + COLD_MS);
    assert_string_equal(rig_trace(), "pay ask:p");
    router_cancel(&rig.router, 3);
    (void)rig_trace();
    /* Another, which does not wait: it goes on and says why. */
    rig.request.free_only = true;
    rig_ask(2);
    rig_at(8000 + COLD_MS + 1);
    assert_string_equal(rig_trace(), "answer:2");
    assert_string_equal(rig_attempts(), "a breaker_open, p over_budget");
    assert_string_equal(rig.answer.attempts[0].error, "its model is being loaded");
    assert_false(rig.router.hops[0].breaker.open);
}

static void test_questions_that_wait_hear_that_it_failed(void **state)
{
    (void)state;
    local_and_paid();
    rig_set_chain(COLD_MS);
    find_cold(0, 0);
    rig_ask(1);
    rig_at(9000);
    (void)rig_trace();
    rig_end("a", LLM_WARM, LLM_NETWORK_ERROR, "");
    rig_at(9000);
    assert_string_equal(rig_trace(), "pay ask:p pay ask:p");
    rig_end("p", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    rig_at(9000);
    assert_string_equal(rig_attempts(), "a timeout, a breaker_open, p success");
    rig_end("p", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    rig_at(9000);
    is_over(2, "a breaker_open, p success");
}

static void test_two_warm_ups_at_once(void **state)
{
    static const char *const models[] = {"a", "b", "c"};
    (void)state;
    for (size_t i = 0; i < COUNT(models); i++)
        rig_hop(&rig_slow_warm, models[i], 8000, false);
    rig_hop(&rig_slow, "p", 8000, true);
    rig_set_chain(COLD_MS);
    rig_ask(0);
    rig_at(0);
    for (size_t i = 0; i < COUNT(models); i++) {
        rig_timeout(models[i]);
        rig_at(0);
        rig_resident(models[i], false);
        rig_at(0);
    }
    /* No room for a third: it is not waited for. */
    assert_string_equal(rig_trace(),
                        "ask:a look:a warm:a ask:b look:b warm:b ask:c look:c pay ask:p");
    rig_end("p", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    rig_at(0);
    /* What is being loaded is no next hop: what costs comes next. */
    rig_ask(1);
    rig_at(1);
    assert_string_equal(rig_trace(), "answer:0 ask:c");
    rig_end("b", LLM_WARM, LLM_SUCCESS, "");
    rig_timeout("c");
    rig_at(2);
    rig_resident("c", false);
    rig_at(3);
    assert_string_equal(rig_trace(), "look:c warm:c");
    assert_int_equal(rig.router.asks[1].state, ROUTER_WAITING);
    rig_end("a", LLM_WARM, LLM_SUCCESS, "");
    rig_at(4);
    assert_string_equal(rig_trace(), "");
    rig_end("c", LLM_WARM, LLM_SUCCESS, "");
    rig_at(5);
    assert_string_equal(rig_trace(), "ask:c");
}

static void test_insisting_asks_a_model_that_is_being_loaded(void **state)
{
    (void)state;
    local_and_paid();
    rig_set_chain(0);
    find_cold(0, 0);
    router_cancel(&rig.router, 0);
    (void)rig_trace();
    rig.request.insist = true;
    rig.request.free_only = true;
    rig_ask(0);
    rig_at(10000);
    assert_string_equal(rig_trace(), "ask:a");
    rig_end("a", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
    rig_at(10000);
    assert_string_equal(rig_attempts(), "a breaker_open, p over_budget, a success");
}

static void test_a_hop_whose_model_is_being_loaded_is_no_next_hop(void **state)
{
    (void)state;
    rig_hop(&rig_slow_warm, "a", 8000, false);
    rig_hop(&rig_slow_warm, "b", 8000, false);
    rig_hop(&rig_slow, "p", 8000, true);
    rig_set_chain(COLD_MS);
    rig_ask(0);
    rig_at(0);
    rig_end("a", LLM_ASK, LLM_REFUSAL, "");
    rig_at(0);
    rig_timeout("b");
    rig_at(0);
    rig_resident("b", false);
    rig_at(0);
    (void)rig_trace();
    find_cold(1, 1);
    assert_string_equal(rig_trace(), "ask:a look:a warm:a");
    assert_int_equal(rig.router.asks[1].state, ROUTER_WAITING);
    assert_int_equal(rig.router.asks[1].hop, 0);
}

static void test_insisting_waits_where_the_next_that_was_held_costs(void **state)
{
    (void)state;
    for (int paid = 0; paid <= 1; paid++) {
        rig.chain.count = 0;
        rig_hop(&rig_slow_warm, "a", 8000, false);
        rig_hop(&rig_slow, "f", 8000, false);
        rig_hop(&rig_slow, "p", 8000, true);
        rig_set_chain(COLD_MS);
        /* The first pass asks nobody: the free one is held, or it is passed over. */
        for (int i = 0; i < 3; i++)
            if (i != 1 || !paid)
                breaker_open(&rig.router.hops[i].breaker, BREAKER_PASSED, RIG_T0, 1000000);
        if (paid)
            rig.router.hops[1].cloud = true;
        rig.pay = ROUTER_OVER_BUDGET;
        rig.request.insist = true;
        (void)rig_trace();
        find_cold(0, 20000 * paid);
        assert_string_equal(rig_trace(),
                            paid ? "pay ask:a look:a warm:a" : "ask:a look:a warm:a ask:f");
        assert_int_equal(rig.router.asks[0].state == ROUTER_WAITING, paid);
        router_cancel(&rig.router, 0);
    }
}

/* ---- Cancelling, reloading, timers ---- */

enum stage { LOOKING, LOOKED, WAITING, STAGES };

static void come_to(enum stage stage)
{
    time_out(0, rig.loop.now.boot_ms - RIG_T0);
    int64_t now_ms = rig.loop.now.boot_ms - RIG_T0;
    if (stage >= LOOKED)
        rig_resident("a", false);
    if (stage >= WAITING)
        rig_at(now_ms);
}

static void test_cancelled_at_each_stage(void **state)
{
    static const char *const traces[] = {"ask:a look:a cancel:a", "ask:a look:a",
                                         "ask:a look:a warm:a"};
    (void)state;
    local_and_paid();
    for (enum stage stage = LOOKING; stage < STAGES; stage++) {
        rig_set_chain(COLD_MS);
        come_to(stage);
        router_cancel(&rig.router, 0);
        assert_string_equal(rig_trace(), traces[stage]);
        assert_int_equal(rig.loop.timer_count, stage == WAITING ? 1 : 0);
    }
    /* The warm-up goes on, and is good for the breaker. */
    breaker_open(&rig.router.hops[0].breaker, BREAKER_PASSED, RIG_T0, 1000000);
    rig_end("a", LLM_WARM, LLM_SUCCESS, "");
    rig_at(100000);
    assert_false(rig.router.hops[0].breaker.open);
    assert_int_equal(rig_logged("\"breaker_closed\"", "\"model\":\"a\""), 1);
    assert_string_equal(rig_trace(), "");
    assert_int_equal(rig.answers, 0);
    assert_int_equal(rig.loop.timer_count, 0);
}

static void test_a_new_chain_at_each_stage(void **state)
{
    static const char *const traces[] = {"ask:a look:a cancel:a", "ask:a look:a",
                                         "ask:a look:a warm:a cancel:a"};
    (void)state;
    local_and_paid();
    rig_set_chain(COLD_MS);
    for (enum stage stage = LOOKING; stage < STAGES; stage++) {
        come_to(stage);
        rig_set_chain(COLD_MS);
        assert_string_equal(rig_trace(), traces[stage]);
        assert_int_equal(rig.loop.timer_count, 1);
        rig_at(rig.loop.now.boot_ms - RIG_T0);
        assert_string_equal(rig_trace(), "ask:a");
        rig_end("a", LLM_ASK, LLM_SUCCESS, RIG_GOOD);
        rig_at(rig.loop.now.boot_ms - RIG_T0);
        is_over(stage + 1, "a success");
        (void)rig_trace();
    }
}

static void test_a_new_chain_when_a_warm_up_has_just_ended(void **state)
{
    (void)state;
    local_and_paid();
    rig_set_chain(0);
    find_cold(0, 0);
    router_cancel(&rig.router, 0);
    (void)rig_trace();
    rig_end("a", LLM_WARM, LLM_SUCCESS, "");
    rig_set_chain(0);
    assert_string_equal(rig_trace(), "");
    assert_int_equal(rig.loop.timer_count, 0);
    rig_at(10000);
    assert_int_equal(rig_logged("\"model_warm\"", ""), 0);
    /* Its place is free. */
    find_cold(0, 20000);
    assert_non_null(rig_call("a", LLM_WARM));
}

static void test_the_loop_is_out_of_timers(void **state)
{
    (void)state;
    rig_hop(&rig_slow_warm, "a", 8000, false);
    rig_set_chain(COLD_MS);
    /* For the look. */
    rig_ask(0);
    rig_at(0);
    rig_call("a", LLM_ASK)->reached = true;
    rig.no_timers = true;
    rig_end("a", LLM_ASK, LLM_TIMEOUT, "");
    assert_string_equal(rig_trace(), "ask:a answer:0");
    is_over(1, "a timeout");
    /* For the warm-up. */
    rig.no_timers = false;
    time_out(0, 0);
    rig.no_timers = true;
    rig_resident("a", false);
    assert_string_equal(rig_trace(), "ask:a look:a answer:0");
    is_over(2, "a timeout");
}

static void test_out_of_timers_for_the_wait(void **state)
{
    (void)state;
    local_and_paid();
    rig_set_chain(COLD_MS);
    find_cold(0, 0);
    rig_ask(1);
    rig.no_timers = true;
    (void)rig_trace();
    rig_one_turn(8001);
    assert_string_equal(rig_trace(), "answer:1");
    assert_string_equal(rig_attempts(), "a breaker_open, p network_error");
    /* The end of a warm-up is heard all the same. */
    rig_end("a", LLM_WARM, LLM_SUCCESS, "");
    assert_string_equal(rig_trace(), "answer:0");
    assert_string_equal(rig_attempts(), "a timeout, a network_error, p network_error");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_open, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_question_waits_for_the_warm_up_and_asks_once_more),
        TEST(test_what_is_asked_once_more_waits_no_more),
        TEST(test_the_wait_ends_before_the_warm_up),
        TEST(test_a_warm_up_that_fails_sends_the_question_on),
        TEST(test_what_ends_at_once),
        TEST(test_a_model_that_is_there_was_only_slow),
        TEST(test_a_look_that_fails_or_takes_too_long),
        TEST(test_nobody_looks_where_it_makes_no_sense),
        TEST(test_a_call_that_the_router_ended_may_be_a_cold_one_too),
        TEST(test_it_waits_only_where_the_next_hop_costs),
        TEST(test_a_warm_up_closes_the_breaker),
        TEST(test_after_a_failed_warm_up_nobody_waits),
        TEST(test_a_wait_that_ends_behind_an_open_breaker),
        TEST(test_another_question_at_a_model_being_loaded),
        TEST(test_another_question_whose_wait_ends),
        TEST(test_questions_that_wait_hear_that_it_failed),
        TEST(test_two_warm_ups_at_once),
        TEST(test_insisting_asks_a_model_that_is_being_loaded),
        TEST(test_a_hop_whose_model_is_being_loaded_is_no_next_hop),
        TEST(test_insisting_waits_where_the_next_that_was_held_costs),
        TEST(test_cancelled_at_each_stage),
        TEST(test_a_new_chain_at_each_stage),
        TEST(test_a_new_chain_when_a_warm_up_has_just_ended),
        TEST(test_the_loop_is_out_of_timers),
        TEST(test_out_of_timers_for_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
