#include "llm/metrics.h"

#include "base/timestamp.h"

static void put_known(struct json_write *w, const char *key, bool known, int64_t value)
{
    if (known)
        json_write_int(w, key, value);
    else
        json_write_null(w, key);
}

static void put_attempt(struct json_write *w, const struct llm_attempt *attempt)
{
    json_write_object(w, NULL);
    json_write_str(w, "model", attempt->model);
    json_write_str(w, "outcome", llm_outcome_text(attempt->outcome));
    put_known(w, "status", attempt->status != 0, attempt->status);
    json_write_int(w, "latency_ms", attempt->latency_ms);
    json_write_str(w, "error", attempt->error[0] != '\0' ? attempt->error : NULL);
    put_known(w, "input_tokens", attempt->input_tokens >= 0, attempt->input_tokens);
    put_known(w, "output_tokens", attempt->output_tokens >= 0, attempt->output_tokens);
    json_write_end_object(w);
}

/* success / all with three decimals, rounded; 0 where there are none. */
static void put_rate(struct json_write *w, const char *key, const struct router_hop *hop)
{
    uint64_t all = (uint64_t)hop->success + hop->fallback + hop->error;
    uint64_t thousandths = all == 0 ? 0 : (1000 * (uint64_t)hop->success + all / 2) / all;
    char text[sizeof("1.000")] = {
        (char)('0' + thousandths / 1000),     '.',
        (char)('0' + thousandths / 100 % 10), (char)('0' + thousandths / 10 % 10),
        (char)('0' + thousandths % 10),
    };

    json_write_raw(w, key, span_of(text));
}

static int64_t capped(uint64_t tokens)
{
    return tokens < INT64_MAX ? (int64_t)tokens : INT64_MAX;
}

static void put_hop(struct json_write *w, const struct router_hop *hop)
{
    json_write_object(w, hop->label);
    json_write_int(w, "success", hop->success);
    json_write_int(w, "fallback", hop->fallback);
    json_write_int(w, "error", hop->error);
    put_rate(w, "success_rate", hop);
    put_known(w, "input_tokens", hop->input_tokens != 0, capped(hop->input_tokens));
    put_known(w, "output_tokens", hop->output_tokens != 0, capped(hop->output_tokens));
    json_write_end_object(w);
}

void metrics_write(struct json_write *w, const struct metrics *metrics)
{
    const struct llm_answer *answer = metrics->answer;
    char timestamp[TIMESTAMP_SIZE];

    timestamp_format(timestamp, metrics->wall_ms);
    json_write_str(w, "timestamp", timestamp);
    json_write_str(w, "node", metrics->node);
    json_write_span(w, "context", metrics->context);
    json_write_bool(w, "success", answer->success);
    json_write_str(w, "model_used", answer->success ? answer->model : NULL);
    json_write_int(w, "total_latency_ms", answer->latency_ms);
    json_write_array(w, "attempts");
    for (unsigned i = 0; i < answer->attempt_count; i++)
        put_attempt(w, &answer->attempts[i]);
    json_write_end_array(w);
    json_write_object(w, "metrics");
    for (unsigned i = 0; i < metrics->hop_count; i++)
        put_hop(w, &metrics->hops[i]);
    json_write_end_object(w);
}
