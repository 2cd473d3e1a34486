/* What a call is before it starts, and what outcomes are called. */

#include "llm/provider.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_reset(void **state)
{
    static struct llm_call used;
    static struct loop loop;
    struct llm_call *call = &used;
    (void)state;
    memset(call, 1, sizeof(*call));
    llm_call_reset(call, &loop);
    assert_ptr_equal(call->loop, &loop);
    assert_int_equal(call->outcome, LLM_NETWORK_ERROR);
    assert_int_equal(call->status, 0);
    assert_int_equal(call->again, LLM_AGAIN_NO);
    assert_int_equal(call->again_ms, -1);
    assert_false(call->reached);
    assert_false(call->resident);
    assert_int_equal(call->input_tokens, -1);
    assert_int_equal(call->output_tokens, -1);
    assert_string_equal(call->request_id, "");
    assert_string_equal(call->error, "");
    assert_int_equal(call->text_len, 0);
    assert_null(call->http.conn);
    assert_int_equal(call->http.stage, HTTP_RESOLVING);
    assert_null(call->http.tls_version);
    assert_null(call->http.tls_suite);
    assert_false(call->http.tls_resumed);
    assert_string_equal(call->http.error, "");
}

static void test_outcomes_have_names(void **state)
{
    static const char *const names[] = {
        "success",      "timeout",      "network_error", "http_error",   "refusal",
        "invalid_json", "schema_error", "truncated",     "breaker_open", "over_budget"};
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        assert_string_equal(llm_outcome_text((enum llm_outcome)i), names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_outcomes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
