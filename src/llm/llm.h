#ifndef LLM_LLM_H
#define LLM_LLM_H
/* What a question to the chain and its answer are. */

#include "base/limits.h"
#include "base/span.h"

#include <stdint.h>

/* What became of one attempt at one hop. */
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

/* The event, for a hop that reads facts and not prose. Views of the asker's memory. */
struct llm_facts {
    struct span type;
    struct span severity;
    struct span node;
    struct span service;
    struct span message;
    struct span details; /* JSON, or empty */
};

/* A question. All of it stays the asker's and unchanged until the answer or the cancel. */
struct llm_request {
    struct span context; /* "node/service": goes into logs and metrics */
    struct llm_facts facts;
    /* Is this object (JSON text) an answer? 0, or -1 and a short reason in why (128 bytes). */
    int (*check)(void *arg, struct span object, char *why);
    void *check_arg;
};

#define LLM_MODEL_MAX 96 /* bytes of "provider/model" */
#define LLM_ERROR_MAX 127

struct llm_attempt {
    char model[LLM_MODEL_MAX + 1];
    enum llm_outcome outcome;
    int status; /* of HTTP; 0 where there was none */
    int64_t latency_ms;
    char error[LLM_ERROR_MAX + 1]; /* "" = none */
};

struct llm_answer {
    bool success;
    char model[LLM_MODEL_MAX + 1]; /* that answered; "" where none did */
    struct span object;            /* the checked JSON object; valid during the callback */
    int64_t latency_ms;
    unsigned attempt_count;
    struct llm_attempt attempts[CHAIN_HOPS_MAX];
};

#endif
