#ifndef LLM_EXCHANGE_H
#define LLM_EXCHANGE_H
/* A provider's call: one HTTP exchange, or several one after another. What they have in common is
 * here: sending, faults, statuses, reading JSON; a provider adds what its API is. */

#include "base/json_read.h"
#include "base/json_write.h"
#include "llm/provider.h"

/* One step of a call. */
struct exchange {
    const char *method;
    void (*path)(const struct llm_call *call, struct buf *out);
    void (*headers)(const struct llm_call *call, struct buf *out);     /* NULL = none */
    void (*body)(const struct llm_call *call, struct json_write *out); /* NULL = none */
    /* The answer of HTTP 200: sets the outcome where it is not LLM_SUCCESS, and what goes with
     * it. */
    void (*read)(struct llm_call *call, const struct json *doc);
    /* Any other status. NULL = exchange_refused. */
    void (*refused)(struct llm_call *call, const char *message);
    const struct exchange *next; /* what follows a success; NULL = nothing */
};

/* The call's first step. What the last one had of the outcome is gone. */
enum llm_start exchange_start(struct llm_call *call, const struct exchange *step);
void exchange_cancel(struct llm_call *call);
/* A step's answer was read from HTTP: what follows from it. The next step, or NULL where the call
 * has its outcome. (For tests too: it needs no connection.) */
const struct exchange *exchange_read(struct llm_call *call);

/* ---- For providers ---- */

/* Whether one of the statuses that PROVIDERS lists for paid APIs is worth another try, and words
 * for it; message is what the server said, "" = nothing that can be shown. */
void exchange_refused(struct llm_call *call, const char *message);

/* Sets the outcome and the error: the words and, where there is one, ": " and the message. */
void exchange_fail(struct llm_call *call, enum llm_outcome outcome, const char *words,
                   const char *message);
/* The same with LLM_HTTP_ERROR and the call's status: "no credit (HTTP 402): message". */
void exchange_http_error(struct llm_call *call, const char *words, const char *message);

/* A string as the call's text; fails the call where it is none. */
void exchange_take_text(struct llm_call *call, const struct json *doc, json_ref ref);
void exchange_take_tokens(struct llm_call *call, const struct json *doc, json_ref usage,
                          const char *input, const char *output);
/* Is it this string? */
bool exchange_says(const struct json *doc, json_ref ref, const char *text);
/* A string from outside, made fit for a terminal, at most cap - 1 bytes of it; "" where it is none,
 * or where the answer repeats the key. */
void exchange_shown(const struct json *doc, json_ref ref, char *dst, size_t cap);

/* The request's instructions (empty = none), masked or not, as the call wants them. */
struct span exchange_system(const struct llm_call *call);
/* "messages":[...], the instructions first where system is set. */
void exchange_write_messages(const struct llm_call *call, struct json_write *out, bool system);
/* "Name: prefix" and the server's key; nothing without a key. */
void exchange_write_key(const struct llm_call *call, struct buf *out, const char *prefix);
/* A part of a path: all but unreserved characters escaped (RFC 3986). */
void exchange_write_part(struct buf *out, const char *text);

#endif
