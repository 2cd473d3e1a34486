#include "planner/action.h"

#include "base/json_write.h"
#include "base/sha256.h"
#include "planner/policy.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define PROPOSED_BY "planner-agent"

/* Bytes of the longest name before it is found to be too long: the parts, made safe. */
#define ID_PARTS_MAX (sizeof("container-restart-") + 3 * (NAME_MAX_BYTES + 1))

#define ID_HASH 8 /* hexadecimal digits */
_Static_assert(ACTION_ID_CUT + 1 + ID_HASH == ACTION_ID_MAX, "a cut id, '-' and the digits");

static const struct kind {
    const char *type;
    const char *prefix;
    const char *risk;
} kinds[] = {
    [PROPOSAL_RESTART] = {"container_restart", "container-restart-", "guarded"},
    [PROPOSAL_REDEPLOY] = {"redeploy", "redeploy-", "guarded"},
    [PROPOSAL_NOTIFY] = {"alert_only", "alert-", "nominal"},
};

const char *action_type(enum proposal_action action)
{
    return kinds[action].type;
}

static void put_safe(struct buf *b, const char *name)
{
    char safe[NAME_MAX_BYTES + 2];

    span_safe_name(safe, span_of(name));
    buf_str(b, safe);
}

void action_names(struct action_names *out, enum proposal_action action, const struct event *event)
{
    char parts[ID_PARTS_MAX], hex[ID_HASH + 1];
    struct buf full, hashed;

    buf_init(&full, parts, sizeof(parts));
    buf_str(&full, kinds[action].prefix);
    put_safe(&full, event->node);
    buf_char(&full, '-');
    put_safe(&full, event->service);
    if (action == PROPOSAL_NOTIFY) {
        buf_char(&full, '-');
        put_safe(&full, event->type);
    }

    struct span name = buf_view(&full);
    if (span_copy(out->plain, sizeof(out->plain), name) != 0)
        out->plain[0] = '\0';
    if (name.n > ACTION_ID_CUT)
        name.n = ACTION_ID_CUT;
    const struct span stands_for[] = {span_of(kinds[action].type), span_of(event->node),
                                      span_of(event->service), span_of(event->type)};
    sha256_hex(hex, ID_HASH, stands_for, COUNT(stands_for));
    buf_init(&hashed, out->hashed, sizeof(out->hashed));
    buf_span(&hashed, name);
    buf_char(&hashed, '-');
    buf_str(&hashed, hex);
    if (buf_text(&hashed) == NULL)
        out->hashed[0] = '\0';
}

static void write_policy(struct json_write *w, unsigned policy)
{
    json_write_array(w, "policy");
    for (unsigned i = 0; i < POLICY_RULES; i++)
        if ((policy >> i & 1) != 0)
            json_write_str(w, NULL, policy_rule_text(i));
    json_write_end_array(w);
}

static void write_event(struct json_write *w, const struct event *event)
{
    json_write_object(w, "event");
    json_write_str(w, "type", event->type);
    json_write_str(w, "severity", severity_text(event->severity));
    json_write_str(w, "timestamp", event->timestamp);
    json_write_str(w, "source", event->source);
    json_write_str(w, "message", event->message);
    if (event->details[0] != '\0')
        json_write_raw(w, "payload", span_of(event->details));
    if (!span_eq(span_of(event->node_as_came), span_of(event->node)))
        json_write_str(w, "node", event->node_as_came);
    json_write_end_object(w);
}

static void write_attempts(struct json_write *w, const struct llm_answer *answer)
{
    json_write_array(w, "attempts");
    for (unsigned i = 0; answer != NULL && i < answer->attempt_count; i++) {
        const struct llm_attempt *attempt = &answer->attempts[i];
        json_write_object(w, NULL);
        json_write_str(w, "model", attempt->model);
        json_write_str(w, "outcome", llm_outcome_text(attempt->outcome));
        json_write_int(w, "latency_ms", attempt->latency_ms);
        if (attempt->status != 0)
            json_write_int(w, "status", attempt->status);
        if (attempt->error[0] != '\0')
            json_write_str(w, "error", attempt->error);
        json_write_end_object(w);
    }
    json_write_end_array(w);
}

static void write_details(struct json_write *w, const struct action_body *body)
{
    const struct proposal *proposal = body->proposal;

    json_write_object(w, "details");
    json_write_str(w, "reason", proposal->reason);
    json_write_raw(w, "confidence", span_of(proposal->confidence_text));
    json_write_bool(w, "requires_human", proposal->requires_human);
    json_write_str(w, "action", proposal_action_text(proposal->action));
    json_write_str(w, "model", body->model);
    write_policy(w, body->policy);
    json_write_int(w, "suppressed_count", body->suppressed);
    write_event(w, body->event);
    write_attempts(w, body->answer);
    json_write_end_object(w);
}

static void write_history(struct json_write *w, int64_t created_at)
{
    json_write_array(w, "transition_history");
    json_write_object(w, NULL);
    json_write_null(w, "from");
    json_write_str(w, "to", "pending");
    json_write_int(w, "timestamp", created_at);
    json_write_str(w, "by", PROPOSED_BY);
    json_write_end_object(w);
    json_write_end_array(w);
}

void action_write(struct buf *out, const struct action_body *body)
{
    const struct event *event = body->event;
    const struct kind *kind = &kinds[body->proposal->action];
    struct json_write w;

    json_write_init(&w, out);
    json_write_object(&w, NULL);
    json_write_str(&w, "action_id", body->id);
    json_write_str(&w, "service", event->service);
    json_write_str(&w, "node", event->node);
    json_write_str(&w, "type", kind->type);
    json_write_str(&w, "risk", body->critical_risk ? "critical" : kind->risk);
    json_write_str(&w, "status", "pending");
    json_write_int(&w, "created_at", body->created_at);
    json_write_int(&w, "updated_at", body->created_at);
    json_write_str(&w, "correlation_id", event->correlation_id);
    json_write_str(&w, "proposed_by", PROPOSED_BY);
    write_details(&w, body);
    write_history(&w, body->created_at);
    json_write_end_object(&w);
}
