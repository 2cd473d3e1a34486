#ifndef LLM_ANSWER_H
#define LLM_ANSWER_H
/* What became of a question to the chain. */

#include "base/limits.h"
#include "base/span.h"

#include <stdint.h>

/* Of one attempt at one hop. */
enum llm_outcome {
    LLM_SUCCESS,
    LLM_TIMEOUT,
    LLM_NETWORK_ERROR,
    LLM_HTTP_ERROR,
    LLM_REFUSAL,
    LLM_INVALID_JSON,
    LLM_SCHEMA_ERROR,
    LLM_TRUNCATED,
    LLM_BREAKER_OPEN,
    LLM_OVER_BUDGET,
};
/* "success", "timeout", ... */
const char *llm_outcome_text(enum llm_outcome outcome);

#define LLM_MODEL_MAX 96 /* bytes of "provider/model" */
#define LLM_ERROR_MAX 223

struct llm_attempt {
    char model[LLM_MODEL_MAX + 1];
    enum llm_outcome outcome;
    int status; /* of HTTP; 0 where there was none */
    int64_t latency_ms;
    int64_t input_tokens; /* -1 = not told; here and below */
    int64_t output_tokens;
    char error[LLM_ERROR_MAX + 1]; /* "" = none */
};

struct llm_answer {
    bool success;
    bool paid_rejected;            /* a paid hop's answer was a refusal, invalid or cut off */
    char model[LLM_MODEL_MAX + 1]; /* that answered; "" where none did */
    struct span object; /* the checked JSON object (without a schema: the text); valid during the
                           callback */
    int64_t latency_ms;
    unsigned attempt_count;
    struct llm_attempt attempts[LLM_ATTEMPTS_MAX];
};

#endif
