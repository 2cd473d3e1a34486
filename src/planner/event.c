#include "planner/event.h"

#include "base/buf.h"
#include "base/json_object.h"
#include "base/json_write.h"
#include "base/number.h"
#include "base/sha256.h"
#include "base/timestamp.h"
#include "base/utf8.h"

#include <limits.h>
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

/* ---- The members that say something to us ---- */

enum member {
    MEMBER_ID,
    MEMBER_TS,
    MEMBER_KEY,
    MEMBER_DATA,
    MEMBER_HOST,
    MEMBER_NODE,
    MEMBER_TIME,
    MEMBER_TYPE,
    MEMBER_EVENT,
    MEMBER_LEVEL,
    MEMBER_CHANGE,
    MEMBER_SOURCE,
    MEMBER_UPDATE,
    MEMBER_DETAILS,
    MEMBER_MESSAGE,
    MEMBER_PAYLOAD,
    MEMBER_SERVICE,
    MEMBER_EVENT_ID,
    MEMBER_HOSTNAME,
    MEMBER_SEVERITY,
    MEMBER_CONTAINER,
    MEMBER_NODE_NAME,
    MEMBER_TIMESTAMP,
    MEMBER_EVENT_TYPE,
    MEMBER_SERVICE_NAME,
    MEMBER_CONTAINER_NAME,
    MEMBER_CORRELATION_ID,
    MEMBERS
};

#define TEXT(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

/* The shorter first: a look-up may stop where the names become too long. */
static const struct span member_names[MEMBERS] = {
    [MEMBER_ID] = TEXT("id"),
    [MEMBER_TS] = TEXT("ts"),
    [MEMBER_KEY] = TEXT("key"),
    [MEMBER_DATA] = TEXT("data"),
    [MEMBER_HOST] = TEXT("host"),
    [MEMBER_NODE] = TEXT("node"),
    [MEMBER_TIME] = TEXT("time"),
    [MEMBER_TYPE] = TEXT("type"),
    [MEMBER_EVENT] = TEXT("event"),
    [MEMBER_LEVEL] = TEXT("level"),
    [MEMBER_CHANGE] = TEXT("change"),
    [MEMBER_SOURCE] = TEXT("source"),
    [MEMBER_UPDATE] = TEXT("update"),
    [MEMBER_DETAILS] = TEXT("details"),
    [MEMBER_MESSAGE] = TEXT("message"),
    [MEMBER_PAYLOAD] = TEXT("payload"),
    [MEMBER_SERVICE] = TEXT("service"),
    [MEMBER_EVENT_ID] = TEXT("event_id"),
    [MEMBER_HOSTNAME] = TEXT("hostname"),
    [MEMBER_SEVERITY] = TEXT("severity"),
    [MEMBER_CONTAINER] = TEXT("container"),
    [MEMBER_NODE_NAME] = TEXT("node_name"),
    [MEMBER_TIMESTAMP] = TEXT("timestamp"),
    [MEMBER_EVENT_TYPE] = TEXT("event_type"),
    [MEMBER_SERVICE_NAME] = TEXT("service_name"),
    [MEMBER_CONTAINER_NAME] = TEXT("container_name"),
    [MEMBER_CORRELATION_ID] = TEXT("correlation_id"),
};

/* Spellings of one thing, up to MEMBERS: the first that is there counts. */
static const enum member type_members[] = {MEMBER_TYPE, MEMBER_EVENT_TYPE, MEMBER_EVENT, MEMBERS};
static const enum member node_members[] = {MEMBER_NODE, MEMBER_NODE_NAME, MEMBER_HOST,
                                           MEMBER_HOSTNAME, MEMBERS};
static const enum member service_members[] = {MEMBER_SERVICE, MEMBER_SERVICE_NAME, MEMBER_CONTAINER,
                                              MEMBER_CONTAINER_NAME, MEMBERS};
static const enum member source_members[] = {MEMBER_SOURCE, MEMBERS};
static const enum member time_members[] = {MEMBER_TIMESTAMP, MEMBER_TS, MEMBER_TIME, MEMBERS};
static const enum member severity_members[] = {MEMBER_SEVERITY, MEMBER_LEVEL, MEMBERS};
static const enum member details_members[] = {MEMBER_PAYLOAD, MEMBER_DETAILS, MEMBER_DATA, MEMBERS};
static const enum member id_members[] = {MEMBER_ID, MEMBER_EVENT_ID, MEMBERS};
static const enum member envelope_members[] = {MEMBER_EVENT, MEMBER_UPDATE, MEMBER_DATA,
                                               MEMBER_PAYLOAD, MEMBERS};

/* An object's members, as they stand in the text. */
struct object {
    struct span members[MEMBERS];
    bool twice; /* one of them is there twice */
};

/* The first of these that is there, else an empty span; null is how some writers say nothing. */
static struct span first_of(const struct object *object, const enum member *list)
{
    for (; *list != MEMBERS; list++)
        if (json_text_type(object->members[*list]) != JSON_NULL)
            return object->members[*list];
    return (struct span){NULL, 0};
}

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

static enum event_error read_document(struct object *root, struct span bytes)
{
    struct json_object object;

    enum json_error error =
        json_object_read(&object, bytes, EVENT_DEPTH_MAX, member_names, root->members, MEMBERS);
    if (error == JSON_OK) {
        root->twice = object.twice;
        return object.type == JSON_OBJECT ? EVENT_OK : EVENT_NOT_OBJECT;
    }
    if (error == JSON_INCOMPLETE)
        return EVENT_NOT_JSON;
    /* The reader stopped at the first thing that is wrong; bytes that are no text come first. */
    if (!utf8_is_text(bytes))
        return EVENT_NOT_UTF8;
    if (error == JSON_DEPTH)
        return EVENT_TOO_DEEP;
    return error == JSON_SIZE ? EVENT_TOO_LARGE : EVENT_NOT_JSON;
}

static struct span type_of(const struct object *object)
{
    struct span type = first_of(object, type_members);

    /* An object under "event" is what an envelope holds, and names no type. */
    if (type.p == object->members[MEMBER_EVENT].p && json_text_type(type) == JSON_OBJECT)
        return (struct span){NULL, 0};
    return type;
}

/* Shape A. */
static bool is_event(const struct object *object)
{
    return json_text_type(type_of(object)) == JSON_STRING && first_of(object, node_members).n > 0;
}

/* Reads an object within the document; false where it is no event of shape A. */
static bool read_inner(struct object *inner, struct span text)
{
    struct json_object object;

    if (json_text_type(text) != JSON_OBJECT ||
        json_object_read(&object, text, EVENT_DEPTH_MAX, member_names, inner->members, MEMBERS) !=
            JSON_OK)
        return false;
    inner->twice = object.twice;
    return is_event(inner);
}

/* Where an event stands in its document. */
struct place {
    struct object object;
    struct span type;
    struct span key; /* "node/service" in one string, or empty */
};

static bool has_slash(struct span value)
{
    return json_text_type(value) == JSON_STRING && span_has(value, '/');
}

/* The type of an envelope that has its event's key beside it; empty where it is none. */
static struct span type_of_keyed(const struct object *object)
{
    static const enum member members[] = {MEMBER_TYPE, MEMBER_CHANGE};

    for (size_t i = 0; i < COUNT(members); i++)
        if (json_text_type(object->members[members[i]]) == JSON_STRING)
            return object->members[members[i]];
    return (struct span){NULL, 0};
}

/* The document's root is in place->object; false where the event has a member twice. */
static bool find_event(struct place *place)
{
    struct object *root = &place->object;
    struct object inner;

    place->type = type_of(root);
    place->key = (struct span){NULL, 0};
    if (is_event(root))
        return true;
    for (const enum member *member = envelope_members; *member != MEMBERS; member++)
        if (read_inner(&inner, root->members[*member])) {
            *root = inner;
            place->type = type_of(root);
            return !root->twice;
        }
    struct span type = type_of_keyed(root);
    if (type.n > 0 && has_slash(root->members[MEMBER_KEY])) {
        place->type = type;
        place->key = root->members[MEMBER_KEY];
    }
    return true;
}

/* ---- Names ---- */

bool event_plain_name(struct span name)
{
    char safe[NAME_MAX_BYTES + 2];

    if (name.n == 0 || name.n > NAME_MAX_BYTES || name.p[0] == '_')
        return false;
    span_safe_name(safe, name);
    return span_is(name, safe);
}

/* absent: what it is where there is no such name, or an empty one. */
static enum event_error take_name(struct span value, char *dst, enum event_error absent)
{
    if (value.n == 0)
        return absent;
    int n = json_text(value, dst, NAME_MAX_BYTES + 1);
    if (n < 0)
        return EVENT_BAD_NAME;
    return n == 0 ? absent : EVENT_OK;
}

/* Splits "node/service" at its first slash. */
static enum event_error take_key(struct event *out, struct span value)
{
    char text[2 * NAME_MAX_BYTES + 2];

    if (json_text(value, text, sizeof(text)) < 0)
        return EVENT_BAD_NAME;
    struct span service = span_of(text);
    struct span node = span_split(&service, '/');
    if (span_copy(out->node_as_came, sizeof(out->node_as_came), node) != 0 ||
        span_copy(out->service, sizeof(out->service), service) != 0)
        return EVENT_BAD_NAME;
    return node.n == 0 ? EVENT_NO_NODE : EVENT_OK;
}

static enum event_error take_names(struct event *out, const struct place *place)
{
    const struct object *object = &place->object;
    enum event_error error = take_name(place->type, out->type, EVENT_NO_TYPE);

    if (error == EVENT_OK && place->key.n > 0) {
        error = take_key(out, place->key);
    } else if (error == EVENT_OK) {
        error = take_name(first_of(object, node_members), out->node_as_came, EVENT_NO_NODE);
        if (error == EVENT_OK)
            error = take_name(first_of(object, service_members), out->service, EVENT_OK);
    }
    if (error == EVENT_OK)
        error = take_name(first_of(object, source_members), out->source, EVENT_OK);
    return error;
}

void event_make_key(char key[TABLE_KEY_MAX + 1], const char *node, const char *service)
{
    _Static_assert(TABLE_KEY_MAX > NAME_MAX_BYTES + 1 + NAME_MAX_BYTES, "two names and a slash");

    char *end = span_safe_name(key, span_of(node));
    *end = '/';
    span_safe_name(end + 1, span_of(service));
}

static void complete_names(struct event *out, const struct aliases *aliases)
{
    if (out->service[0] == '\0')
        memcpy(out->service, "all", sizeof("all"));
    /* Either view is of a name that was found to be short enough. */
    (void)span_copy(out->node, sizeof(out->node), alias_of(aliases, span_of(out->node_as_came)));
    event_make_key(out->key, out->node, out->service);
}

/* ---- Time ---- */

/* ISO 8601 or an epoch. */
static int parse_time(struct span text, int64_t *ms)
{
    double value;

    if (timestamp_parse(text, ms) == 0)
        return 0;
    if (number_real(text, 0, EPOCH_MAX, &value) != 0)
        return -1;
    if (value < EPOCH_MS_FROM)
        value *= 1000;
    *ms = (int64_t)(value + 0.5);
    return 0;
}

/* A string, or a number as it stands; storage has TIME_TEXT_MAX + 1 bytes. Empty: it is neither,
 * or too long. */
static struct span time_text(struct span raw, char *storage)
{
    if (json_text_type(raw) == JSON_NUMBER)
        return raw.n <= TIME_TEXT_MAX ? raw : (struct span){NULL, 0};
    int n = json_text(raw, storage, TIME_TEXT_MAX + 1);
    return (struct span){storage, n > 0 ? (size_t)n : 0};
}

static void take_time(struct event *out, const struct object *object, int64_t arrived_ms)
{
    char storage[TIME_TEXT_MAX + 1];
    struct span text = time_text(first_of(object, time_members), storage);
    int64_t ms;

    _Static_assert(sizeof(out->timestamp) >= TIMESTAMP_SIZE, "holds what timestamp_format writes");
    out->arrived_ms = arrived_ms;
    out->at_ms = arrived_ms;
    if (parse_time(span_trim(text), &ms) != 0) {
        timestamp_format(out->timestamp, arrived_ms);
        return;
    }
    if (span_copy(out->timestamp, sizeof(out->timestamp), text) != 0)
        timestamp_format(out->timestamp, ms);
    out->dated = ms >= EVENT_AGE_FLOOR_MS && ms - EVENT_AHEAD_MAX_MS <= arrived_ms;
    if (out->dated)
        out->at_ms = ms;
}

/* ---- The rest ---- */

static void take_severity(struct event *out, const struct object *object)
{
    char text[sizeof("critical")] = "";

    /* What does not fit is no word of ours. */
    (void)json_text(first_of(object, severity_members), text, sizeof(text));
    out->severity = severity_of(span_of(text));
}

static void take_details(struct event *out, struct span raw)
{
    char start[DETAILS_START_MAX + 1];
    char note[DETAILS_START_MAX + 64];
    struct buf words, details;
    struct json_write w;

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

    if (id.n < CORRELATION_MAX && utf8_is_text(id)) {
        (void)span_copy(out->correlation_id, sizeof(out->correlation_id), id);
        return;
    }
    sha256_hex(hex, CORRELATION_HASH, &whole, 1);
    buf_init(&b, out->correlation_id, sizeof(out->correlation_id));
    buf_span(&b, text_start(id, CORRELATION_KEPT));
    buf_char(&b, '-');
    buf_str(&b, hex);
    if (buf_text(&b) == NULL)
        out->correlation_id[0] = '\0';
}

static void take_correlation(struct event *out, struct span value, struct span origin)
{
    char own[2 * CORRELATION_MAX];

    int n = json_text_cut(value, own, sizeof(own));
    if (n > 0)
        put_correlation(out, (struct span){own, (size_t)n}, value);
    else
        put_correlation(out, origin, origin);
}

static void take_identity(struct event *out, struct span value)
{
    char text[2 * CORRELATION_MAX];
    uint8_t digest[SHA256_BYTES];

    struct span id = value; /* of a number, and of a string that does not fit */
    int n = json_text(value, text, sizeof(text));
    if (n >= 0)
        id = (struct span){text, (size_t)n};
    else if (json_text_type(value) != JSON_NUMBER && json_text_type(value) != JSON_STRING)
        return;
    if (id.n == 0)
        return;
    sha256_parts(digest, (struct span[]){span_of(out->node), span_of(out->source), id}, 3);
    for (size_t i = 0; i < sizeof(out->identity); i++)
        out->identity = out->identity << CHAR_BIT | digest[i];
    if (out->identity == 0)
        out->identity = 1;
}

/* What is looked at of a fault only. */
static void take_fault(struct event *out, const struct object *object)
{
    take_details(out, first_of(object, details_members));
    /* No message, or one that is no string: "". */
    (void)json_text_cut(object->members[MEMBER_MESSAGE], out->message, sizeof(out->message));
    take_identity(out, first_of(object, id_members));
}

enum event_error event_parse(struct event *out, struct span bytes, const struct aliases *aliases,
                             struct span origin, int64_t arrived_ms)
{
    struct place place;

    if (bytes.n > EVENT_BYTES_MAX)
        return EVENT_TOO_LARGE;
    enum event_error error = read_document(&place.object, bytes);
    if (error != EVENT_OK)
        return error;
    if (place.object.twice || !find_event(&place))
        return EVENT_DUPLICATE;

    /* What is set only where the document says it. */
    out->service[0] = '\0';
    out->source[0] = '\0';
    out->identity = 0;
    out->dated = false;
    out->message[0] = '\0';
    out->details[0] = '\0';
    error = take_names(out, &place);
    if (error != EVENT_OK)
        return error;
    complete_names(out, aliases);
    take_time(out, &place.object, arrived_ms);
    take_severity(out, &place.object);
    take_correlation(out, place.object.members[MEMBER_CORRELATION_ID], origin);
    out->kind = event_kind(out);
    if (out->kind == EVENT_FAULT || out->kind == EVENT_DEPLOYMENT_FAILED)
        take_fault(out, &place.object);
    return EVENT_OK;
}
