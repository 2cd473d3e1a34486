#ifndef FAKE_HTTP_H
#define FAKE_HTTP_H
/* Where a provider's calls are tried: HTTP that is not there, answered by the test. */

#include "llm/provider.h"

extern struct fake {
    /* The call, its server and its request: a test may change them before fake_start(). */
    struct llm_call call;
    struct llm_server server;
    struct llm_request request;
    struct loop loop;
    bool refuses;    /* http_start() fails */
    bool in_flight;  /* an HTTP call is */
    unsigned starts; /* of HTTP calls */
    unsigned cancels;
    unsigned done; /* calls of call->done */
    /* The last HTTP request, copied. */
    char method[8];
    char path[512];
    char headers[2048];
    char body[LLM_REQUEST_MAX + 1];
    int64_t deadline_ms;
} fake;

/* A call with this purpose to a server of this URL: two messages and an answer between them, each
 * with its masked text, instructions, both schemas, 8 seconds. */
void fake_begin(const char *url, enum llm_purpose purpose, const char *model);
/* Starts it, and checks that it asks. */
void fake_start(const struct llm_provider *provider);
/* The request that is under way. */
void fake_asks(const char *method, const char *path, const char *headers, const char *body);

/* Ends the HTTP call. The body stands before an unreadable page. */
void fake_answer(int status, const char *body);
void fake_answer_bytes(int status, const char *body, size_t n);
void fake_break(enum http_result result, enum http_stage stage, const char *error);

/* The call has ended, in this way; its error is this (NULL: any, but one). */
void fake_ended(enum llm_outcome outcome, const char *error);
/* The same with LLM_SUCCESS and this text. */
void fake_succeeded(const char *text);

/* A call as the last one, answered with this and HTTP 200: the outcome. */
enum llm_outcome fake_again(const struct llm_provider *provider, const char *answer, size_t n);
/* Answers it so, cut at each byte: no part of it is a success. */
void fake_cut(const struct llm_provider *provider, const char *answer);
/* Answers it so, with each value replaced by one of each other type in turn: it ends somehow, and
 * with a text or an error that is fit to be shown. The number of answers. */
unsigned fake_twist(const struct llm_provider *provider, const char *answer);

#endif
