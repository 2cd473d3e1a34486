#include "llm/attempt.h"

#include "base/log.h"
#include "llm/reply.h"

/* Each hop may be passed over once before all of them are asked, with a retry; one hop is asked
 * again with a retry after its model was warmed. */
_Static_assert(LLM_ATTEMPTS_MAX == 3 * CHAIN_HOPS_MAX + 2, "no attempt is lost");

bool attempt_is_fault(enum llm_outcome outcome)
{
    return outcome == LLM_TIMEOUT || outcome == LLM_NETWORK_ERROR || outcome == LLM_HTTP_ERROR;
}

bool attempt_is_rejected(enum llm_outcome outcome)
{
    return outcome == LLM_REFUSAL || outcome == LLM_INVALID_JSON || outcome == LLM_SCHEMA_ERROR ||
           outcome == LLM_TRUNCATED;
}

void attempt_fail(struct llm_call *call, enum llm_outcome outcome, const char *error)
{
    call->outcome = outcome;
    span_cut_text(call->error, sizeof(call->error), error);
}

void attempt_judge(struct llm_call *call, const struct llm_request *request, struct span *object)
{
    struct span text = {call->text, call->text_len};
    const char *reason = "";
    char why[LLM_ERROR_MAX + 1] = "";

    if (request->schema.n == 0 && request->schema_plain.n == 0) {
        *object = text;
        call->outcome = reply_text(text, &reason);
    } else {
        call->outcome = reply_object(text, object, &reason);
    }
    if (call->outcome != LLM_SUCCESS)
        attempt_fail(call, call->outcome, reason);
    else if (request->check != NULL && request->check(request->check_arg, *object, why) != 0)
        attempt_fail(call, LLM_SCHEMA_ERROR, why);
}

static void count(struct router_hop *hop, const struct llm_call *call)
{
    if (call->outcome == LLM_SUCCESS)
        hop->success++;
    else if (attempt_is_rejected(call->outcome))
        hop->fallback++;
    else if (attempt_is_fault(call->outcome))
        hop->error++;
    if (call->input_tokens > 0)
        hop->input_tokens += (uint64_t)call->input_tokens;
    if (call->output_tokens > 0)
        hop->output_tokens += (uint64_t)call->output_tokens;
}

/* What is passed over again and again is told once. */
static enum log_level level_of(struct router_hop *hop, enum llm_outcome outcome)
{
    enum llm_outcome before = hop->passed_over;
    bool passed_over = outcome == LLM_BREAKER_OPEN || outcome == LLM_OVER_BUDGET;

    hop->passed_over = passed_over ? outcome : LLM_SUCCESS;
    if (outcome == LLM_SUCCESS)
        return LOG_INFO;
    return passed_over && before == outcome ? LOG_DEBUG : LOG_WARNING;
}

static void tell(enum log_level level, const struct llm_attempt *attempt, const char *request_id,
                 struct span context)
{
    struct log_field fields[9] = {
        LOG_SPAN("context", context),
        LOG_STR("model", attempt->model),
        LOG_STR("outcome", llm_outcome_text(attempt->outcome)),
        LOG_INT("latency_ms", attempt->latency_ms),
    };
    size_t n = 4;

    if (attempt->status != 0)
        fields[n++] = LOG_INT("status", attempt->status);
    if (attempt->input_tokens >= 0)
        fields[n++] = LOG_INT("input_tokens", attempt->input_tokens);
    if (attempt->output_tokens >= 0)
        fields[n++] = LOG_INT("output_tokens", attempt->output_tokens);
    if (request_id[0] != '\0')
        fields[n++] = LOG_STR("request_id", request_id);
    if (attempt->error[0] != '\0')
        fields[n++] = LOG_STR("error", attempt->error);
    log_fields(level, "llm_attempt", fields, n);
}

void attempt_add(struct llm_answer *answer, struct router_hop *hop, const struct llm_call *call,
                 struct span context, int64_t latency_ms)
{
    struct llm_attempt *attempt = &answer->attempts[answer->attempt_count++];

    *attempt = (struct llm_attempt){
        .outcome = call->outcome,
        .status = call->status,
        .latency_ms = latency_ms,
        .input_tokens = call->input_tokens,
        .output_tokens = call->output_tokens,
    };
    span_cut_text(attempt->model, sizeof(attempt->model), hop->label);
    span_cut_text(attempt->error, sizeof(attempt->error), call->error);
    count(hop, call);
    if (hop->cloud && attempt_is_rejected(call->outcome))
        answer->paid_rejected = true;
    tell(level_of(hop, call->outcome), attempt, call->request_id, context);
}
