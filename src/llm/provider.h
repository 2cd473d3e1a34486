#ifndef LLM_PROVIDER_H
#define LLM_PROVIDER_H
/* A kind of hop. Who asks (the router, a probe) owns the call, a provider fills in the outcome. */

#include "llm/llm.h"
#include "net/http.h"

/* Where a hop's server is. Views of the configuration, which outlives every call. */
struct llm_server {
    struct url url;
    const char *key; /* "" = none */
    bool local;      /* what is sent stays in the home lab */
};

/* What a call is for. Not every provider knows every purpose. */
enum llm_purpose {
    LLM_ASK,      /* the request */
    LLM_RESIDENT, /* is the model loaded? call->resident */
    LLM_WARM,     /* load it */
    LLM_PROBE,    /* is the server alive, and does it have the model? call->text: plain words */
};

/* What a call that failed says about the next one. */
enum llm_again {
    LLM_AGAIN_NO,       /* nothing: the next hop */
    LLM_AGAIN_SOON,     /* once more within the hop's limit; as LATER where again_ms is past it */
    LLM_AGAIN_LATER,    /* not before again_ms have passed */
    LLM_AGAIN_OPERATOR, /* not before somebody has changed something: key, credit, model */
};

struct llm_call {
    /* Set before start(). */
    enum llm_purpose purpose;
    const struct llm_request *request; /* of LLM_ASK */
    const struct llm_server *server;   /* NULL for a hop without one */
    const char *model; /* without the provider's name; "" where the chain names none */
    bool cloud;        /* it leaves the home lab and costs: masked texts, and sent once */
    struct loop *loop;
    int64_t deadline_ms; /* on the boot clock: the whole call ends by then */
    void (*done)(struct llm_call *call);
    void *arg;
    /* Set by the provider: LLM_SUCCESS with text, or why not, fit for a terminal. */
    enum llm_outcome outcome;
    int status; /* of HTTP; 0 = none */
    enum llm_again again;
    int64_t again_ms; /* -1 = the server names none */
    bool reached;     /* the server has taken the connection */
    bool resident;
    int64_t input_tokens; /* -1 = not told */
    int64_t output_tokens;
    char request_id[HTTP_VALUE_MAX + 1]; /* "" = none */
    char error[LLM_ERROR_MAX + 1];
    size_t text_len;
    char text[PROPOSAL_BYTES_MAX];
    /* The provider's own: http.tls_version and the like may be read after done(). */
    const struct exchange *step;
    struct http_call http;
    char path[LLM_PATH_MAX + 1];
    char headers[LLM_HEADERS_MAX]; /* wiped at the end: they hold the key */
    char body[LLM_REQUEST_MAX];
};

enum llm_start { LLM_STARTED, LLM_ENDED }; /* LLM_ENDED: the outcome is there, no done() comes */

struct llm_provider {
    const char *name;
    int64_t limit_ms; /* of a whole call, where the chain names none */
    bool can_warm;    /* knows LLM_RESIDENT and LLM_WARM */
    bool can_probe;
    enum llm_start (*start)(struct llm_call *call);
    /* No done() after it. NULL where start() always ends. */
    void (*cancel)(struct llm_call *call);
};

/* Sets all that the provider looks at but what stands from purpose to cloud, deadline_ms, done and
 * arg; without touching the large arrays. No call may be under way in it. */
void llm_call_reset(struct llm_call *call, struct loop *loop);

#endif
