/* The chain: order, limits, cancelling, what is recorded. With a loop of its own and a virtual
 * clock. */

#include "llm/router.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define T0 INT64_C(5000000)

/* ---- A loop that stands still until it is told ---- */

static struct loop loop;
static bool no_timers;

int loop_timer_set(struct loop *l, struct loop_timer *timer, int64_t deadline_ms)
{
    loop_timer_clear(l, timer);
    if (no_timers)
        return -1;
    timer->deadline_ms = deadline_ms;
    timer->set = true;
    l->timers[l->timer_count++] = timer;
    return 0;
}

void loop_timer_clear(struct loop *l, struct loop_timer *timer)
{
    unsigned kept = 0;
    timer->set = false;
    for (unsigned i = 0; i < l->timer_count; i++)
        if (l->timers[i] != timer)
            l->timers[kept++] = l->timers[i];
    l->timer_count = kept;
}

/* One turn at this time: what was due when it began runs, what that sets does not. */
static void turn(int64_t at_ms)
{
    struct loop_timer *due[LOOP_TIMERS_MAX];
    unsigned count = 0;
    loop.now.boot_ms = at_ms;
    for (unsigned i = 0; i < loop.timer_count; i++)
        if (loop.timers[i]->deadline_ms <= at_ms)
            due[count++] = loop.timers[i];
    for (unsigned i = 0; i < count; i++) {
        if (!due[i]->set || due[i]->deadline_ms > at_ms)
            continue;
        loop_timer_clear(&loop, due[i]);
        due[i]->due(&loop, due[i]->arg);
    }
}

/* ---- Providers ---- */

#define GOOD "{\"good\":true}"

static struct {
    struct llm_call *call; /* of the slow provider, under way */
    unsigned starts;
    unsigned cancels;
    char model[LLM_MODEL_MAX + 1];
    int64_t deadline_ms;
} slow;

static enum llm_start slow_start(struct llm_call *call)
{
    assert_null(slow.call);
    slow.call = call;
    slow.starts++;
    slow.deadline_ms = call->deadline_ms;
    snprintf(slow.model, sizeof(slow.model), "%s", call->model);
    assert_ptr_equal(call->loop, &loop);
    assert_int_equal(call->text_len, 0);
    assert_int_equal(call->status, 0);
    assert_string_equal(call->error, "");
    return LLM_STARTED;
}

static void slow_cancel(struct llm_call *call)
{
    assert_ptr_equal(call, slow.call);
    slow.call = NULL;
    slow.cancels++;
}

static void end_with(struct llm_call *call, enum llm_outcome outcome, const char *text)
{
    call->outcome = outcome;
    call->text_len = strlen(text);
    memcpy(call->text, text, call->text_len);
}

/* The slow provider's peer has answered. */
static void slow_done(enum llm_outcome outcome, const char *text)
{
    struct llm_call *call = slow.call;
    slow.call = NULL;
    end_with(call, outcome, text);
    call->done(call);
}

static enum llm_outcome quick_outcome;
static const char *quick_text;

static enum llm_start quick_start(struct llm_call *call)
{
    end_with(call, quick_outcome, quick_text);
    call->status = 503;
    snprintf(call->error, sizeof(call->error), "by the quick one");
    return LLM_ENDED;
}

static const struct llm_provider slow_provider = {
    .name = "slow", .limit_ms = 8000, .start = slow_start, .cancel = slow_cancel};
static const struct llm_provider quick_provider = {
    .name = "quick", .limit_ms = 1000, .start = quick_start};

/* ---- The asker ---- */

static struct router router;
static struct llm_request request;
static struct llm_answer got;
static unsigned answers;
static unsigned got_slot;
static char got_object[PROPOSAL_BYTES_MAX];
static bool ask_again;

static int check(void *arg, struct span object, char *why)
{
    assert_ptr_equal(arg, &got);
    if (span_is(object, GOOD))
        return 0;
    snprintf(why, 128, "it is not good");
    return -1;
}

static void answered(void *arg, unsigned slot, const struct llm_answer *answer)
{
    assert_ptr_equal(arg, &answers);
    assert_false(router.asks[slot].busy);
    if (ask_again) {
        ask_again = false;
        assert_int_equal(router_ask(&router, slot, &request), 0);
    }
    answers++;
    got_slot = slot;
    got = *answer;
    got_object[0] = '\0';
    assert_int_equal(span_copy(got_object, sizeof(got_object), answer->object), 0);
}

static void hop(const struct llm_provider *provider, const char *model, int64_t limit_ms)
{
    struct router_hop *h = &router.hops[router.hop_count++];
    *h = (struct router_hop){.provider = provider, .limit_ms = limit_ms};
    snprintf(h->model, sizeof(h->model), "%s", model);
    snprintf(h->label, sizeof(h->label), "%.20s/%.70s", provider->name, model);
}

static int begin(void **state)
{
    (void)state;
    loop = (struct loop){.now = {.boot_ms = T0}};
    memset(&slow, 0, sizeof(slow));
    memset(&router, 0xa5, sizeof(router));
    router_init(&router, &loop, answered, &answers);
    request = (struct llm_request){.context = span_of("n/s"), .check = check, .check_arg = &got};
    request.facts.type = span_of("service_unhealthy");
    request.facts.node = span_of("n");
    request.facts.service = span_of("s");
    request.facts.severity = span_of("error");
    quick_outcome = LLM_SUCCESS;
    quick_text = GOOD;
    answers = 0;
    no_timers = false;
    ask_again = false;
    log_to(-1);
    return 0;
}

static void ask(unsigned slot)
{
    assert_int_equal(router_ask(&router, slot, &request), 0);
}

static void attempt_was(unsigned i, const char *model, enum llm_outcome outcome, int64_t latency_ms,
                        const char *error)
{
    assert_true(i < got.attempt_count);
    assert_string_equal(got.attempts[i].model, model);
    assert_int_equal(got.attempts[i].outcome, outcome);
    assert_true(got.attempts[i].latency_ms == latency_ms);
    assert_string_equal(got.attempts[i].error, error);
}

/* ---- Tests ---- */

static void test_the_answer_never_comes_from_inside_the_question(void **state)
{
    (void)state;
    hop(&quick_provider, "m", 1000);
    ask(3);
    assert_int_equal(answers, 0);
    turn(T0);
    assert_int_equal(answers, 1);
    assert_int_equal(got_slot, 3);
    assert_true(got.success);
    assert_string_equal(got.model, "quick/m");
    assert_string_equal(got_object, GOOD);
    assert_int_equal(got.attempt_count, 1);
    assert_int_equal(got.attempts[0].status, 503);
    attempt_was(0, "quick/m", LLM_SUCCESS, 0, "by the quick one");
    turn(T0 + 100000);
    assert_int_equal(answers, 1);
    assert_int_equal(loop.timer_count, 0);
}

static void test_a_slow_answer(void **state)
{
    (void)state;
    hop(&slow_provider, "m:7b/x", 8000);
    ask(0);
    turn(T0 + 5);
    assert_int_equal(slow.starts, 1);
    assert_string_equal(slow.model, "m:7b/x");
    assert_true(slow.deadline_ms == T0 + 5 + 8000);
    turn(T0 + 817);
    slow_done(LLM_SUCCESS, GOOD);
    assert_int_equal(answers, 0);
    turn(T0 + 820);
    assert_int_equal(answers, 1);
    assert_true(got.success);
    assert_true(got.latency_ms == 820);
    attempt_was(0, "slow/m:7b/x", LLM_SUCCESS, 812, "");
    assert_int_equal(slow.cancels, 0);
    assert_int_equal(loop.timer_count, 0);
    assert_int_equal(router.hops[0].success, 1);
}

static void test_hops_are_asked_in_order_until_one_is_good(void **state)
{
    (void)state;
    hop(&slow_provider, "a", 8000);
    hop(&slow_provider, "b", 9000);
    hop(&slow_provider, "c", 9000);
    ask(0);
    turn(T0);
    turn(T0 + 100);
    slow_done(LLM_REFUSAL, "");
    turn(T0 + 110);
    assert_string_equal(slow.model, "b");
    assert_true(slow.deadline_ms == T0 + 110 + 9000);
    turn(T0 + 200);
    slow_done(LLM_SUCCESS, GOOD);
    turn(T0 + 201);
    assert_int_equal(slow.starts, 2);
    assert_true(got.success);
    assert_string_equal(got.model, "slow/b");
    assert_int_equal(got.attempt_count, 2);
    attempt_was(0, "slow/a", LLM_REFUSAL, 100, "");
    attempt_was(1, "slow/b", LLM_SUCCESS, 90, "");
    assert_true(got.latency_ms == 201);
}

static void test_every_hop_rejected(void **state)
{
    (void)state;
    hop(&quick_provider, "a", 1000);
    hop(&slow_provider, "b", 8000);
    quick_outcome = LLM_HTTP_ERROR;
    ask(0);
    turn(T0);
    slow_done(LLM_NETWORK_ERROR, "");
    turn(T0 + 1);
    assert_int_equal(answers, 1);
    assert_false(got.success);
    assert_string_equal(got.model, "");
    assert_string_equal(got_object, "");
    assert_int_equal(got.attempt_count, 2);
    attempt_was(0, "quick/a", LLM_HTTP_ERROR, 0, "by the quick one");
    attempt_was(1, "slow/b", LLM_NETWORK_ERROR, 0, "");
}

static void test_no_hops_at_all(void **state)
{
    (void)state;
    ask(0);
    turn(T0);
    assert_int_equal(answers, 1);
    assert_false(got.success);
    assert_int_equal(got.attempt_count, 0);
}

static void test_as_many_hops_as_there_may_be(void **state)
{
    (void)state;
    for (int i = 0; i < CHAIN_HOPS_MAX; i++)
        hop(&quick_provider, "m", 1000);
    quick_outcome = LLM_TRUNCATED;
    ask(0);
    turn(T0);
    assert_int_equal(got.attempt_count, CHAIN_HOPS_MAX);
    assert_false(got.success);
}

static void test_the_limit_of_a_hop(void **state)
{
    (void)state;
    hop(&slow_provider, "a", 8000);
    hop(&quick_provider, "b", 1000);
    ask(0);
    turn(T0);
    turn(T0 + 7999);
    assert_int_equal(slow.cancels, 0);
    turn(T0 + 8000);
    assert_int_equal(slow.cancels, 1);
    assert_int_equal(answers, 1);
    assert_string_equal(got.model, "quick/b");
    attempt_was(0, "slow/a", LLM_TIMEOUT, 8000, "no answer within the hop's limit");
    assert_int_equal(got.attempts[0].status, 0);
    attempt_was(1, "quick/b", LLM_SUCCESS, 0, "by the quick one");
    assert_int_equal(loop.timer_count, 0);
}

static void test_answers_that_are_none(void **state)
{
    static const struct {
        const char *text;
        enum llm_outcome outcome;
        const char *error;
    } cases[] = {
        {"", LLM_INVALID_JSON, "JSON that ends too early"},
        {"I don't know", LLM_INVALID_JSON, "not valid JSON"},
        {"[1]", LLM_INVALID_JSON, "not a JSON object"},
        {"null", LLM_INVALID_JSON, "not a JSON object"},
        {"{\"good\":true", LLM_INVALID_JSON, "JSON that ends too early"},
        {"{\"good\":false}", LLM_SCHEMA_ERROR, "it is not good"},
        {"{}", LLM_SCHEMA_ERROR, "it is not good"},
    };
    (void)state;
    hop(&slow_provider, "a", 8000);
    for (size_t i = 0; i < COUNT(cases); i++) {
        ask(0);
        turn(T0);
        slow_done(LLM_SUCCESS, cases[i].text);
        turn(T0);
        assert_int_equal(answers, i + 1);
        assert_false(got.success);
        attempt_was(0, "slow/a", cases[i].outcome, 0, cases[i].error);
    }
    assert_int_equal(router.hops[0].fallback, COUNT(cases));
}

static void test_counters(void **state)
{
    static const struct {
        enum llm_outcome outcome;
        unsigned success, fallback, error;
    } cases[] = {
        {LLM_SUCCESS, 1, 0, 0},      {LLM_TIMEOUT, 0, 0, 1},   {LLM_NETWORK_ERROR, 0, 0, 1},
        {LLM_HTTP_ERROR, 0, 0, 1},   {LLM_REFUSAL, 0, 1, 0},   {LLM_INVALID_JSON, 0, 1, 0},
        {LLM_SCHEMA_ERROR, 0, 1, 0}, {LLM_TRUNCATED, 0, 1, 0}, {LLM_BREAKER_OPEN, 0, 0, 0},
        {LLM_OVER_BUDGET, 0, 0, 0},
    };
    (void)state;
    hop(&quick_provider, "a", 1000);
    for (size_t i = 0; i < COUNT(cases); i++) {
        router.hops[0].success = router.hops[0].fallback = router.hops[0].error = 0;
        quick_outcome = cases[i].outcome;
        ask(0);
        turn(T0);
        assert_int_equal(router.hops[0].success, cases[i].success);
        assert_int_equal(router.hops[0].fallback, cases[i].fallback);
        assert_int_equal(router.hops[0].error, cases[i].error);
        assert_int_equal(got.attempts[0].outcome, cases[i].outcome);
        assert_int_equal(got.success, cases[i].outcome == LLM_SUCCESS);
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

static void test_cancelled_before_the_first_step(void **state)
{
    (void)state;
    hop(&slow_provider, "a", 8000);
    ask(0);
    router_cancel(&router, 0);
    turn(T0 + 100000);
    assert_int_equal(slow.starts, 0);
    assert_int_equal(answers, 0);
    assert_int_equal(loop.timer_count, 0);
}

static void test_cancelled_while_a_hop_is_asked(void **state)
{
    (void)state;
    hop(&slow_provider, "a", 8000);
    ask(0);
    turn(T0);
    router_cancel(&router, 0);
    assert_int_equal(slow.cancels, 1);
    turn(T0 + 100000);
    assert_int_equal(answers, 0);
    assert_int_equal(loop.timer_count, 0);
    /* The slot is free again. */
    ask(0);
    turn(T0 + 100001);
    slow_done(LLM_SUCCESS, GOOD);
    turn(T0 + 100002);
    assert_int_equal(answers, 1);
    assert_int_equal(got.attempt_count, 1);
}

static void test_cancelled_between_a_hop_and_the_next_step(void **state)
{
    (void)state;
    hop(&slow_provider, "a", 8000);
    hop(&slow_provider, "b", 8000);
    for (int good = 0; good <= 1; good++) {
        ask(0);
        turn(loop.now.boot_ms);
        slow_done(good ? LLM_SUCCESS : LLM_REFUSAL, GOOD);
        router_cancel(&router, 0);
        turn(loop.now.boot_ms + 100000);
    }
    assert_int_equal(slow.starts, 2);
    assert_int_equal(slow.cancels, 0);
    assert_int_equal(answers, 0);
    assert_int_equal(loop.timer_count, 0);
}

static void test_cancelling_what_is_not_asked(void **state)
{
    (void)state;
    hop(&quick_provider, "a", 1000);
    router_cancel(&router, 7);
    ask(0);
    turn(T0);
    router_cancel(&router, 0);
    assert_int_equal(answers, 1);
}

static void test_slots_do_not_touch_each_other(void **state)
{
    (void)state;
    hop(&quick_provider, "a", 1000);
    for (unsigned slot = 0; slot < ASKS_MAX; slot++)
        ask(slot);
    router_cancel(&router, 2);
    turn(T0);
    assert_int_equal(answers, ASKS_MAX - 1);
    assert_int_equal(got_slot, ASKS_MAX - 1);
}

static void test_the_callback_may_ask_the_same_slot(void **state)
{
    (void)state;
    hop(&quick_provider, "a", 1000);
    ask_again = true;
    ask(0);
    turn(T0);
    assert_int_equal(answers, 1);
    assert_true(got.success);
    assert_string_equal(got_object, GOOD);
    turn(T0 + 1);
    assert_int_equal(answers, 2);
    assert_int_equal(got.attempt_count, 1);
}

static void test_the_loop_is_out_of_timers(void **state)
{
    (void)state;
    hop(&slow_provider, "a", 8000);
    no_timers = true;
    assert_int_equal(router_ask(&router, 0, &request), -1);
    assert_false(router.asks[0].busy);
    no_timers = false;
    ask(0);
    no_timers = true;
    turn(T0);
    assert_int_equal(answers, 1);
    attempt_was(0, "slow/a", LLM_NETWORK_ERROR, 0, "the loop is out of timers");
    assert_int_equal(slow.starts, 0);
}

static void test_rules_answer_through_the_chain(void **state)
{
    char why[128];
    (void)state;
    assert_int_equal(router_set_chain(&router, span_of("ollama,rules"), why), 0);
    assert_int_equal(router.hop_count, 1);
    ask(0);
    turn(T0);
    /* The rules' answer is an object; this check takes only GOOD. */
    assert_int_equal(answers, 1);
    attempt_was(0, "rules", LLM_SCHEMA_ERROR, 0, "it is not good");
}

static void test_a_new_chain(void **state)
{
    char why[128];
    (void)state;
    hop(&quick_provider, "gone", 1000);
    hop(&quick_provider, "x", 1000);
    snprintf(router.hops[1].label, sizeof(router.hops[1].label), "rules");
    router.hops[1].success = 5;
    router.hops[1].fallback = 6;
    router.hops[1].error = 7;
    assert_int_equal(router_set_chain(&router, span_of("rules,nonsense"), why), -1);
    assert_string_equal(router.hops[0].label, "quick/gone");
    assert_int_equal(router.hop_count, 2);
    assert_int_equal(router_set_chain(&router, span_of("rules@7"), why), 0);
    assert_int_equal(router.hop_count, 1);
    assert_string_equal(router.hops[0].label, "rules");
    assert_true(router.hops[0].limit_ms == 7000);
    assert_int_equal(router.hops[0].success, 5);
    assert_int_equal(router.hops[0].fallback, 6);
    assert_int_equal(router.hops[0].error, 7);
}

static void test_a_new_chain_while_a_hop_is_asked(void **state)
{
    char why[128];
    (void)state;
    hop(&quick_provider, "a", 1000);
    hop(&slow_provider, "b", 8000);
    quick_outcome = LLM_REFUSAL;
    ask(0);
    ask(1);
    router_cancel(&router, 1);
    turn(T0);
    assert_non_null(slow.call);
    assert_int_equal(router_set_chain(&router, span_of("rules"), why), 0);
    assert_int_equal(slow.cancels, 1);
    turn(T0 + 1);
    assert_int_equal(answers, 1);
    assert_int_equal(got.attempt_count, 1);
    assert_string_equal(got.attempts[0].model, "rules");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_answer_never_comes_from_inside_the_question, begin),
        cmocka_unit_test_setup(test_a_slow_answer, begin),
        cmocka_unit_test_setup(test_hops_are_asked_in_order_until_one_is_good, begin),
        cmocka_unit_test_setup(test_every_hop_rejected, begin),
        cmocka_unit_test_setup(test_no_hops_at_all, begin),
        cmocka_unit_test_setup(test_as_many_hops_as_there_may_be, begin),
        cmocka_unit_test_setup(test_the_limit_of_a_hop, begin),
        cmocka_unit_test_setup(test_answers_that_are_none, begin),
        cmocka_unit_test_setup(test_counters, begin),
        cmocka_unit_test_setup(test_outcome_names, begin),
        cmocka_unit_test_setup(test_cancelled_before_the_first_step, begin),
        cmocka_unit_test_setup(test_cancelled_while_a_hop_is_asked, begin),
        cmocka_unit_test_setup(test_cancelled_between_a_hop_and_the_next_step, begin),
        cmocka_unit_test_setup(test_cancelling_what_is_not_asked, begin),
        cmocka_unit_test_setup(test_slots_do_not_touch_each_other, begin),
        cmocka_unit_test_setup(test_the_callback_may_ask_the_same_slot, begin),
        cmocka_unit_test_setup(test_the_loop_is_out_of_timers, begin),
        cmocka_unit_test_setup(test_rules_answer_through_the_chain, begin),
        cmocka_unit_test_setup(test_a_new_chain, begin),
        cmocka_unit_test_setup(test_a_new_chain_while_a_hop_is_asked, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
