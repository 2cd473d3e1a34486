#include "llm/rules.h"

#include "base/escape.h"
#include "base/glob.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/number.h"
#include "base/utf8.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Most bytes of a name, of a word and of the message in the reason. With the longest advice and
 * all numbers they stay below PROPOSAL_REASON_MAX. */
#define NAME_SHOWN 96
#define WORD_SHOWN 16
#define MESSAGE_SHOWN 300

#define RULES_LIMIT_MS 1000 /* never used up: start() always ends */

enum remedy { RESTART, REDEPLOY, NOTIFY };

static const char *const remedy_texts[] = {"restart", "redeploy", "notify"};

/* The first rule whose pattern the type matches. Every confidence is below the floor. */
static const struct rule {
    const char *pattern;
    enum remedy remedy;
    const char *confidence;
    const char *advice;
} rules[] = {
    {"service_unhealthy", RESTART, "0.6", "A restart is the usual first step."},
    {"healthcheck_failed", RESTART, "0.6", "A restart is the usual first step."},
    {"containers_not_running", RESTART, "0.6", "Starting it again is the usual first step."},
    {"deployment_failed", REDEPLOY, "0.5", "Deploying it once more is the usual first step."},
    {"mqtt_unreachable", RESTART, "0.5", "A restart makes it connect to the broker anew."},
    {"ha_websocket_dead", RESTART, "0.5", "A restart brings the connection back."},
    {"ha_integration_failed", RESTART, "0.4", "A restart loads the integration anew."},
    {"ha_entity_unavailable_long", NOTIFY, "0.5", "Look at the device, its battery and its radio."},
    {"ha_automation_failing", NOTIFY, "0.5", "Look at the automation's trace."},
    {"ha_recorder_lag", NOTIFY, "0.5", "Look at the database and the disk below it."},
    {"node_offline", NOTIFY, "0.6", "Look whether the node has power and network."},
    {"disk_*", NOTIFY, "0.6", "Free some space; a restart would not help."},
    {"high_memory", NOTIFY, "0.5", "Find out what holds the memory before anything is restarted."},
    {"high_cpu", NOTIFY, "0.5", "Find out what is busy before anything is restarted."},
    {"*", NOTIFY, "0.4", "No rule knows this type of event; somebody should look."},
};

static const struct rule *rule_for(struct span type)
{
    size_t i = 0;

    while (!glob_match(span_of(rules[i].pattern), type))
        i++;
    return &rules[i];
}

/* ---- Text from outside ---- */

/* Appends s as a person may read it, at most max bytes of it and then dots. */
static void put_text(struct buf *b, struct span s, size_t max)
{
    char storage[16];
    struct buf piece;
    uint32_t cp;

    for (size_t put = 0; s.n > 0; put += piece.n) {
        size_t n = utf8_next(s, &cp);
        if (n == 0)
            n = 1;
        buf_init(&piece, storage, sizeof(storage));
        escape_text(&piece, (struct span){s.p, n});
        if (put + piece.n > max) {
            buf_str(b, "...");
            return;
        }
        buf_span(b, buf_view(&piece));
        s = (struct span){s.p + n, s.n - n};
    }
}

/* ---- Numbers in the details ---- */

/* The value of the first of these names, in the object or in an object right inside it. */
static json_ref find_value(const struct json *doc, const char *const *names)
{
    json_ref ref = JSON_NONE;

    if (json_type(doc, JSON_ROOT) != JSON_OBJECT)
        return JSON_NONE;
    for (const char *const *name = names; *name != NULL && ref == JSON_NONE; name++)
        ref = json_member(doc, JSON_ROOT, *name);
    json_ref at = ref == JSON_NONE ? json_first(doc, JSON_ROOT) : JSON_NONE;
    for (; at != JSON_NONE && ref == JSON_NONE; at = json_next(doc, JSON_ROOT, at))
        for (const char *const *name = names; *name != NULL && ref == JSON_NONE; name++)
            ref = json_member(doc, json_value(doc, at), *name);
    return ref;
}

/* The text of a number, or of a string that may be one, without a percent sign at its end. */
static struct span number_text(const struct json *doc, json_ref ref, char *storage, size_t cap)
{
    if (json_type(doc, ref) == JSON_NUMBER)
        return json_raw(doc, ref);
    if (json_string(doc, ref, storage, cap) < 0)
        return (struct span){NULL, 0};
    struct span text = span_trim(span_of(storage));
    if (text.n > 0 && text.p[text.n - 1] == '%')
        text = span_trim((struct span){text.p, text.n - 1});
    return text;
}

/* What the exit codes say that people meet most (128 and the signal's number). */
static const char *exit_words(int64_t code)
{
    switch (code) {
    case 0:
        return " (it ended by itself)";
    case 127:
        return " (its command was not found)";
    case 137:
        return " (killed, often for want of memory)";
    case 139:
        return " (crashed: segmentation fault)";
    case 143:
        return " (it was told to stop)";
    default:
        return "";
    }
}

static void put_exit_code(struct buf *b, const struct json *doc)
{
    static const char *const names[] = {"exit_code", "ExitCode", "code", NULL};
    char text[32];
    int64_t code;

    /* Beyond these it is no exit code but, say, an HTTP status. */
    struct span number = number_text(doc, find_value(doc, names), text, sizeof(text));
    if (number_int(number, -255, 255, &code) != 0)
        return;
    buf_str(b, "; exit code ");
    buf_int(b, code);
    buf_str(b, exit_words(code));
}

static void put_percentage(struct buf *b, const struct json *doc)
{
    static const char *const names[] = {
        "usage_percent",  "percent",     "used_percent", "disk_percent",
        "memory_percent", "mem_percent", "cpu_percent",  NULL};
    char text[32];
    double value;

    struct span number = number_text(doc, find_value(doc, names), text, sizeof(text));
    /* 64 processors at work are 6400 %. */
    if (number_real(number, 0, 100000, &value) != 0)
        return;
    int64_t tenths = (int64_t)(value * 10 + 0.5);
    buf_str(b, "; at ");
    buf_int(b, tenths / 10);
    buf_char(b, '.');
    buf_int(b, tenths % 10);
    buf_str(b, " %");
}

static void put_restarts(struct buf *b, const struct json *doc)
{
    static const char *const names[] = {"restart_count", "restarts", "RestartCount", NULL};
    char text[32];
    int64_t count;

    struct span number = number_text(doc, find_value(doc, names), text, sizeof(text));
    if (number_int(number, 0, 1000000, &count) != 0)
        return;
    buf_str(b, count == 1 ? "; restarted once" : "; restarted ");
    if (count == 1)
        return;
    buf_int(b, count);
    buf_str(b, " times");
}

static void put_details(struct buf *b, struct span details)
{
    /* A value and its separator take two bytes or more. */
    static jsmntok_t tokens[EVENT_DETAILS_MAX / 2 + 2];
    struct json doc;

    if (json_read(&doc, details.p, details.n, tokens, COUNT(tokens), EVENT_DEPTH_MAX) != JSON_OK)
        return;
    put_exit_code(b, &doc);
    put_percentage(b, &doc);
    put_restarts(b, &doc);
}

/* ---- The proposal ---- */

static bool is_whole_node(const struct llm_facts *facts)
{
    return facts->service.n == 0 || span_is(facts->service, "all");
}

static void put_reason(struct buf *b, const struct llm_facts *facts, const char *advice)
{
    put_text(b, facts->type, NAME_SHOWN);
    buf_str(b, " (");
    put_text(b, facts->severity, WORD_SHOWN);
    buf_str(b, ") of ");
    if (is_whole_node(facts)) {
        buf_str(b, "the whole node ");
    } else {
        put_text(b, facts->service, NAME_SHOWN);
        buf_str(b, " on node ");
    }
    put_text(b, facts->node, NAME_SHOWN);
    put_details(b, facts->details);
    if (facts->message.n > 0) {
        buf_str(b, "; message \"");
        put_text(b, facts->message, MESSAGE_SHOWN);
        buf_char(b, '"');
    }
    buf_str(b, ". ");
    buf_str(b, advice);
}

void rules_propose(struct buf *out, const struct llm_facts *facts)
{
    char storage[PROPOSAL_REASON_MAX];
    struct buf reason;
    struct json_write w;
    const struct rule *rule = rule_for(facts->type);
    enum remedy remedy = rule->remedy;
    const char *advice = rule->advice;

    if (remedy != NOTIFY && is_whole_node(facts)) {
        remedy = NOTIFY;
        advice = "No service is named that could be restarted; somebody should look.";
    }
    buf_init(&reason, storage, sizeof(storage));
    put_reason(&reason, facts, advice);
    if (buf_done(&reason) != 0)
        out->failed = true;

    json_write_init(&w, out);
    json_write_object(&w, NULL);
    json_write_str(&w, "action", remedy_texts[remedy]);
    json_write_span(&w, "reason", buf_view(&reason));
    json_write_raw(&w, "confidence", span_of(rule->confidence));
    json_write_bool(&w, "requires_human", true);
    json_write_end_object(&w);
}

static enum llm_start start(struct llm_call *call)
{
    struct buf text;

    buf_init(&text, call->text, sizeof(call->text));
    rules_propose(&text, &call->request->facts);
    call->text_len = text.n;
    call->outcome = buf_done(&text) == 0 ? LLM_SUCCESS : LLM_TRUNCATED;
    return LLM_ENDED;
}

const struct llm_provider rules_provider = {
    .name = "rules",
    .limit_ms = RULES_LIMIT_MS,
    .start = start,
    .cancel = NULL,
};
