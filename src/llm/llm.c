#include "llm/llm.h"

#include "llm/provider.h"

const char *llm_outcome_text(enum llm_outcome outcome)
{
    static const char *const texts[] = {
        [LLM_SUCCESS] = "success",
        [LLM_TIMEOUT] = "timeout",
        [LLM_NETWORK_ERROR] = "network_error",
        [LLM_HTTP_ERROR] = "http_error",
        [LLM_REFUSAL] = "refusal",
        [LLM_INVALID_JSON] = "invalid_json",
        [LLM_SCHEMA_ERROR] = "schema_error",
        [LLM_TRUNCATED] = "truncated",
        [LLM_BREAKER_OPEN] = "breaker_open",
        [LLM_OVER_BUDGET] = "over_budget",
    };

    return texts[outcome];
}

void llm_call_reset(struct llm_call *call, struct loop *loop)
{
    call->loop = loop;
    call->outcome = LLM_NETWORK_ERROR;
    call->status = 0;
    call->again = LLM_AGAIN_NO;
    call->again_ms = -1;
    call->reached = false;
    call->resident = false;
    call->input_tokens = -1;
    call->output_tokens = -1;
    call->request_id[0] = '\0';
    call->error[0] = '\0';
    call->text_len = 0;
    call->step = NULL;
    call->http.conn = NULL;
    call->http.stage = HTTP_RESOLVING;
    call->http.tls_version = NULL;
    call->http.tls_suite = NULL;
    call->http.tls_resumed = false;
    call->http.error[0] = '\0';
}
