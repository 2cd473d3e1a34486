#ifndef LLM_LLM_H
#define LLM_LLM_H
/* What a question to the chain is; its answer: llm/answer.h. */

#include "llm/answer.h"

/* The event, for a hop that reads facts and not prose. Views of the asker's memory. */
struct llm_facts {
    struct span type;
    struct span severity;
    struct span node;
    struct span service;
    struct span message;
    struct span details; /* JSON, or empty */
};

struct llm_message {
    bool assistant;     /* else the user says it */
    struct span text;   /* UTF-8 */
    struct span masked; /* the same without what looks like a secret: what a cloud hop gets */
};

/* A question. All of it stays the asker's and unchanged until the answer or the cancel. */
struct llm_request {
    struct span context; /* "node/service": goes into logs and metrics */
    struct llm_facts facts;
    struct span system; /* instructions; empty = none */
    struct span system_masked;
    const struct llm_message *messages; /* the first and the last are the user's */
    unsigned message_count;             /* 1 to LLM_MESSAGES_MAX; 0 = only facts are known */
    /* The JSON Schema of the answer; both empty = any text is an answer. */
    struct span schema;       /* with bounds, for servers that compile it into a grammar */
    struct span schema_plain; /* without lengths and ranges, which Anthropic does not take */
    bool free_only;           /* paid hops are passed over */
    bool insist; /* where every hop is behind its breaker, they are asked all the same */
    /* Is this object (JSON text) an answer? 0, or -1 and a short reason in why (128 bytes).
     * NULL = yes. */
    int (*check)(void *arg, struct span object, char *why);
    void *check_arg;
};

#endif
