#include "planner/event.h"

#include "base/buf.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/number.h"
#include "base/sha256.h"
#include "base/timestamp.h"
#include "base/utf8.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Epoch numbers from here on are milliseconds: as seconds they would be the year 5138. */
#define EPOCH_MS_FROM 1e11
#define EPOCH_MAX 1e14

/* Longest text of a time that is read, bytes: what is longer has digits that no clock has. */
#define TIME_TEXT_MAX 127

/* Of details that are too long, this much of the start is kept: every byte of it may become an
 * escape of six, and 64 bytes are for the words around it. */
#define DETAILS_START_MAX ((EVENT_DETAILS_MAX - 64) / 6)

/* The tail of a correlation id that was shortened: '-' and so many hexadecimal digits. */
#define CORRELATION_HASH 16
#define CORRELATION_KEPT (CORRELATION_MAX - 1 - 1 - CORRELATION_HASH)

static const char *const type_names[] = {"type", "event_type", "event", NULL};
static const char *const node_names[] = {"node", "node_name", "host", "hostname", NULL};
static const char *const service_names[] = {"service", "service_name", "container",
                                            "container_name", NULL};
static const char *const source_names[] = {"source", NULL};
static const char *const time_names[] = {"timestamp", "ts", "time", NULL};
static const char *const severity_names[] = {"severity", "level", NULL};
static const char *const details_names[] = {"payload", "details", "data", NULL};
static const char *const envelope_names[] = {"event", "update", "data", "payload", NULL};

const char *event_error_text(enum event_error error)
{
    static const char *const texts[EVENT_ERRORS] = {
        [EVENT_OK] = "ok",
        [EVENT_NOT_JSON] = "not_json",
        [EVENT_NOT_OBJECT] = "not_object",
        [EVENT_NO_TYPE] = "no_type",
        [EVENT_NO_NODE] = "no_node",
        [EVENT_TOO_LARGE] = "too_large",
        [EVENT_TOO_DEEP] = "too_deep",
        [EVENT_NOT_UTF8] = "not_utf8",
        [EVENT_DUPLICATE] = "duplicate",
        [EVENT_BAD_NAME] = "bad_name",
    };

    return error < EVENT_ERRORS ? texts[error] : "unknown";
}

/* ---- The document ---- */

static enum event_error read_document(struct json *doc, struct span bytes)
{
    /* One event is read at a time, and nothing of its document outlives event_parse(). */
    static jsmntok_t tokens[JSON_TOKENS_MAX];

    enum json_error error =
        json_read(doc, bytes.p, bytes.n, tokens, JSON_TOKENS_MAX, EVENT_DEPTH_MAX);
    if (error == JSON_OK)
        return EVENT_OK;
    if (error == JSON_INCOMPLETE)
        return EVENT_NOT_JSON;
    /* The reader stopped at the first thing that is wrong; bytes that are no text come first. */
    if (!utf8_valid(bytes) || memchr(bytes.p, '\0', bytes.n) != NULL)
        return EVENT_NOT_UTF8;
    if (error == JSON_DEPTH)
        return EVENT_TOO_DEEP;
    return error == JSON_SIZE ? EVENT_TOO_LARGE : EVENT_NOT_JSON;
}

/* The member under the first of these names that is there; null is how some writers say nothing. */
static json_ref first_of(const struct json *doc, json_ref object, const char *const *names)
{
    json_ref ref = JSON_NONE;

    for (; *names != NULL && json_type(doc, ref) == JSON_NULL; names++)
        ref = json_member(doc, object, *names);
    return json_type(doc, ref) == JSON_NULL ? JSON_NONE : ref;
}

static json_ref type_of(const struct json *doc, json_ref object)
{
    json_ref ref = first_of(doc, object, type_names);

    /* An object under "event" is what an envelope holds, and names no type. */
    if (json_type(doc, ref) == JSON_OBJECT && ref == json_member(doc, object, "event"))
        return JSON_NONE;
    return ref;
}

/* Shape A. */
static bool is_event(const struct json *doc, json_ref object)
{
    return json_type(doc, type_of(doc, object)) == JSON_STRING &&
           first_of(doc, object, node_names) != JSON_NONE;
}

/* Where an event stands in its document. */
struct place {
    json_ref object;
    json_ref type;
    json_ref key; /* "node/service" in one string, or JSON_NONE */
};

static bool has_slash(const struct json *doc, json_ref ref)
{
    struct span raw = json_raw(doc, ref);

    return json_type(doc, ref) == JSON_STRING && memchr(raw.p, '/', raw.n) != NULL;
}

/* The type of an envelope that has its event's key beside it; JSON_NONE where it is none. */
static json_ref type_of_keyed(const struct json *doc)
{
    static const char *const names[] = {"type", "change"};

    for (size_t i = 0; i < COUNT(names); i++) {
        json_ref ref = json_member(doc, JSON_ROOT, names[i]);
        if (json_type(doc, ref) == JSON_STRING)
            return ref;
    }
    return JSON_NONE;
}

static struct place find_event(const struct json *doc)
{
    struct place place = {JSON_ROOT, type_of(doc, JSON_ROOT), JSON_NONE};

    if (is_event(doc, JSON_ROOT))
        return place;
    for (const char *const *name = envelope_names; *name != NULL; name++) {
        json_ref inner = json_member(doc, JSON_ROOT, *name);
        if (is_event(doc, inner))
            return (struct place){inner, type_of(doc, inner), JSON_NONE};
    }
    json_ref key = json_member(doc, JSON_ROOT, "key");
    json_ref type = type_of_keyed(doc);
    if (type != JSON_NONE && has_slash(doc, key))
        return (struct place){JSON_ROOT, type, key};
    return place;
}

/* ---- Names ---- */

void event_safe_name(char *dst, struct span name)
{
    if (name.n == 0)
        *dst++ = '_';
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        bool inside = c == '_' || (i > 0 && (c == '.' || c == '-'));
        *dst++ = (char)(plain || inside ? c : '_');
    }
    *dst = '\0';
}

bool event_plain_name(struct span name)
{
    char safe[NAME_MAX_BYTES + 2];

    if (name.n == 0 || name.n > NAME_MAX_BYTES || name.p[0] == '_')
        return false;
    event_safe_name(safe, name);
    return span_is(name, safe);
}

/* absent: what it is where there is no such name, or an empty one. */
static enum event_error take_name(const struct json *doc, json_ref ref, char *dst,
                                  enum event_error absent)
{
    if (ref == JSON_NONE)
        return absent;
    int n = json_string(doc, ref, dst, NAME_MAX_BYTES + 1);
    if (n < 0)
        return EVENT_BAD_NAME;
    return n == 0 ? absent : EVENT_OK;
}

/* Splits "node/service" at its first slash. */
static enum event_error take_key(struct event *out, const struct json *doc, json_ref ref)
{
    char text[2 * NAME_MAX_BYTES + 2];

    if (json_string(doc, ref, text, sizeof(text)) < 0)
        return EVENT_BAD_NAME;
    struct span service = span_of(text);
    struct span node = span_split(&service, '/');
    if (span_copy(out->node_as_came, sizeof(out->node_as_came), node) != 0 ||
        span_copy(out->service, sizeof(out->service), service) != 0)
        return EVENT_BAD_NAME;
    return node.n == 0 ? EVENT_NO_NODE : EVENT_OK;
}

static enum event_error take_names(struct event *out, const struct json *doc,
                                   const struct place *place)
{
    enum event_error error = take_name(doc, place->type, out->type, EVENT_NO_TYPE);

    if (error == EVENT_OK && place->key != JSON_NONE) {
        error = take_key(out, doc, place->key);
    } else if (error == EVENT_OK) {
        json_ref node = first_of(doc, place->object, node_names);
        json_ref service = first_of(doc, place->object, service_names);
        error = take_name(doc, node, out->node_as_came, EVENT_NO_NODE);
        if (error == EVENT_OK)
            error = take_name(doc, service, out->service, EVENT_OK);
    }
    if (error == EVENT_OK)
        error = take_name(doc, first_of(doc, place->object, source_names), out->source, EVENT_OK);
    return error;
}

static void complete_names(struct event *out, const struct aliases *aliases)
{
    _Static_assert(sizeof(out->key) > NAME_MAX_BYTES + 1 + NAME_MAX_BYTES, "two names and a slash");

    if (out->service[0] == '\0')
        memcpy(out->service, "all", sizeof("all"));
    /* Either view is of a name that was found to be short enough. */
    (void)span_copy(out->node, sizeof(out->node), alias_of(aliases, span_of(out->node_as_came)));
    event_safe_name(out->key, span_of(out->node));
    size_t n = strlen(out->key);
    out->key[n] = '/';
    event_safe_name(out->key + n + 1, span_of(out->service));
}

/* ---- Time ---- */

static int epoch_ms(double value, int64_t *ms)
{
    if (value < EPOCH_MS_FROM)
        value *= 1000;
    *ms = (int64_t)(value + 0.5);
    return 0;
}

/* ISO 8601 or an epoch, as a string or a number; its text to text (TIME_TEXT_MAX + 1 bytes). */
static int parse_time(const struct json *doc, json_ref ref, char *text, int64_t *ms)
{
    double value;

    if (json_type(doc, ref) == JSON_NUMBER) {
        if (span_copy(text, TIME_TEXT_MAX + 1, json_raw(doc, ref)) != 0)
            return -1;
    } else if (json_string(doc, ref, text, TIME_TEXT_MAX + 1) < 0) {
        return -1;
    }
    struct span trimmed = span_trim(span_of(text));
    if (timestamp_parse(trimmed, ms) == 0)
        return 0;
    if (number_real(trimmed, 0, EPOCH_MAX, &value) != 0)
        return -1;
    return epoch_ms(value, ms);
}

static void take_time(struct event *out, const struct json *doc, json_ref ref, int64_t arrived_ms)
{
    char text[TIME_TEXT_MAX + 1];
    int64_t ms;

    _Static_assert(sizeof(out->timestamp) >= TIMESTAMP_SIZE, "holds what timestamp_format writes");
    out->arrived_ms = arrived_ms;
    out->at_ms = arrived_ms;
    timestamp_format(out->timestamp, arrived_ms);
    if (parse_time(doc, ref, text, &ms) != 0)
        return;
    if (span_copy(out->timestamp, sizeof(out->timestamp), span_of(text)) != 0)
        timestamp_format(out->timestamp, ms);
    out->dated = ms >= EVENT_AGE_FLOOR_MS && ms - EVENT_AHEAD_MAX_MS <= arrived_ms;
    if (out->dated)
        out->at_ms = ms;
}

/* ---- The rest ---- */

static void take_severity(struct event *out, const struct json *doc, json_ref ref)
{
    char text[sizeof("critical")] = "";

    /* What does not fit is no word of ours. */
    (void)json_string(doc, ref, text, sizeof(text));
    out->severity = severity_of(span_of(text));
}

static void take_details(struct event *out, const struct json *doc, json_ref ref)
{
    char start[DETAILS_START_MAX + 1];
    char note[DETAILS_START_MAX + 64];
    struct buf words, details;
    struct json_write w;
    struct span raw = json_raw(doc, ref);

    if (raw.n <= EVENT_DETAILS_MAX) {
        (void)span_copy(out->details, sizeof(out->details), raw);
        return;
    }
    span_cut(start, sizeof(start), raw);
    buf_init(&words, note, sizeof(note));
    buf_int(&words, (int64_t)raw.n);
    buf_str(&words, " bytes, of which this is the start: ");
    buf_str(&words, start);
    buf_init(&details, out->details, sizeof(out->details));
    json_write_init(&w, &details);
    json_write_span(&w, NULL, buf_view(&words));
    if (buf_text(&details) == NULL)
        out->details[0] = '\0';
}

/* The longest start of s, up to max bytes, that is whole characters and no NUL. */
static struct span text_start(struct span s, size_t max)
{
    struct span start = {s.p, 0};
    uint32_t cp = 0;

    for (;;) {
        size_t n = utf8_next((struct span){s.p + start.n, s.n - start.n}, &cp);
        if (n == 0 || cp == 0 || start.n + n > max)
            return start;
        start.n += n;
    }
}

/* What is too long, or no text that JSON could carry, keeps its start, and a hash of all of it
 * stands for the rest. */
static void put_correlation(struct event *out, struct span id, struct span whole)
{
    char hex[CORRELATION_HASH + 1];
    struct buf b;

    buf_init(&b, out->correlation_id, sizeof(out->correlation_id));
    if (id.n < CORRELATION_MAX && text_start(id, id.n).n == id.n) {
        buf_span(&b, id);
    } else {
        sha256_hex(hex, CORRELATION_HASH, &whole, 1);
        buf_span(&b, text_start(id, CORRELATION_KEPT));
        buf_char(&b, '-');
        buf_str(&b, hex);
    }
    if (buf_text(&b) == NULL)
        out->correlation_id[0] = '\0';
}

static void take_correlation(struct event *out, const struct json *doc, json_ref ref,
                             struct span origin)
{
    char own[2 * CORRELATION_MAX];

    int n = json_string_cut(doc, ref, own, sizeof(own));
    if (n > 0)
        put_correlation(out, (struct span){own, (size_t)n}, json_raw(doc, ref));
    else
        put_correlation(out, origin, origin);
}

enum event_error event_parse(struct event *out, struct span bytes, const struct aliases *aliases,
                             struct span origin, int64_t arrived_ms)
{
    struct json doc;

    if (bytes.n > EVENT_BYTES_MAX)
        return EVENT_TOO_LARGE;
    enum event_error error = read_document(&doc, bytes);
    if (error != EVENT_OK)
        return error;
    if (json_type(&doc, JSON_ROOT) != JSON_OBJECT)
        return EVENT_NOT_OBJECT;
    if (json_duplicates(&doc, JSON_ROOT))
        return EVENT_DUPLICATE;
    struct place place = find_event(&doc);
    if (place.object != JSON_ROOT && json_duplicates(&doc, place.object))
        return EVENT_DUPLICATE;

    *out = (struct event){.dated = false};
    error = take_names(out, &doc, &place);
    if (error != EVENT_OK)
        return error;
    complete_names(out, aliases);
    take_time(out, &doc, first_of(&doc, place.object, time_names), arrived_ms);
    take_severity(out, &doc, first_of(&doc, place.object, severity_names));
    take_details(out, &doc, first_of(&doc, place.object, details_names));
    take_correlation(out, &doc, json_member(&doc, place.object, "correlation_id"), origin);
    /* No message, or one that is no string: "". */
    (void)json_string_cut(&doc, json_member(&doc, place.object, "message"), out->message,
                          sizeof(out->message));
    return EVENT_OK;
}

/* ---- Kinds ---- */

/* The first pattern that the type matches tells the kind. '*' stands at one end only. */
static const struct {
    const char *pattern;
    enum event_kind kind;
} kinds[] = {
    {"node_online", EVENT_NODE_ONLINE},
    {"deployment_started", EVENT_DEPLOYMENT_STARTED},
    {"deployment_completed", EVENT_DEPLOYMENT_COMPLETED},
    {"deployment_failed", EVENT_DEPLOYMENT_FAILED},
    {"remediation_started", EVENT_BENIGN},
    {"remediation_completed", EVENT_BENIGN},
    {"node_health", EVENT_BENIGN},
    {"service_healthy", EVENT_RECOVERY},
    {"*_recovered", EVENT_RECOVERY},
    {"*_healthy", EVENT_RECOVERY},
    {"*_resolved", EVENT_RECOVERY},
    {"service_unhealthy", EVENT_FAULT},
    {"healthcheck_failed", EVENT_FAULT},
    {"node_offline", EVENT_FAULT},
    {"disk_pressure", EVENT_FAULT},
    {"disk_pressure_*", EVENT_FAULT},
    {"disk_usage_high", EVENT_FAULT},
    {"high_memory", EVENT_FAULT},
    {"high_cpu", EVENT_FAULT},
    {"containers_not_running", EVENT_FAULT},
    {"mqtt_unreachable", EVENT_FAULT},
    {"ha_websocket_dead", EVENT_FAULT},
    {"ha_integration_failed", EVENT_FAULT},
    {"ha_entity_unavailable_long", EVENT_FAULT},
    {"ha_automation_failing", EVENT_FAULT},
    {"ha_recorder_lag", EVENT_FAULT},
};

static bool matches(struct span type, const char *pattern)
{
    struct span p = span_of(pattern);

    if (p.p[0] == '*') {
        p = (struct span){p.p + 1, p.n - 1};
        return type.n >= p.n && span_eq((struct span){type.p + type.n - p.n, p.n}, p);
    }
    if (p.p[p.n - 1] == '*')
        return type.n >= p.n - 1 && memcmp(type.p, p.p, p.n - 1) == 0;
    return span_eq(type, p);
}

enum event_kind event_kind(const struct event *event)
{
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (matches(span_of(event->type), kinds[i].pattern))
            return kinds[i].kind;
    return event->severity == SEVERITY_INFO ? EVENT_BENIGN : EVENT_FAULT;
}
