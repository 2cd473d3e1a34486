#include "llm/llm.h"

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
