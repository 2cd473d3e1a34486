#ifndef LLM_PROVIDER_H
#define LLM_PROVIDER_H
/* A kind of hop. The router owns the call; a provider fills in what came of it. */

#include "llm/llm.h"

struct loop;

struct llm_call {
    /* Set by the router before start(). */
    const struct llm_request *request;
    const char *model; /* without the provider's name; "" where the chain names none */
    struct loop *loop;
    int64_t deadline_ms; /* on the boot clock: the whole call ends by then */
    void (*done)(struct llm_call *call);
    void *arg;
    /* Set by the provider before done(): LLM_SUCCESS with text, or why not. */
    enum llm_outcome outcome;
    int status;
    char error[LLM_ERROR_MAX + 1];
    char text[PROPOSAL_BYTES_MAX];
    size_t text_len;
};

enum llm_start {
    LLM_STARTED, /* done() comes later, from the loop, unless cancel() is called */
    LLM_ENDED,   /* the outcome is there already; done() does not come */
};

struct llm_provider {
    const char *name;
    bool paid;
    int64_t limit_ms; /* of a whole call, where the chain names none */
    enum llm_start (*start)(struct llm_call *call);
    void (*cancel)(struct llm_call *call); /* no done() after it; NULL where start() always ends */
};

#endif
