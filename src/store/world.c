#include "store/world.h"

#include "store/tree.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/json_read.h"
#include "base/log.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A file has a token for each few bytes; one with more of them is not the observer's. */
#define TOKENS_MAX (WORLD_BYTES_MAX / 4)

#define NAME_TEXT_MAX (2 * NAME_MAX_BYTES + 2) /* "node/service" and a NUL */

/* Whom we look for. */
struct target {
    const char *key;
    const char *node;
    const char *service;
};

/* One file is looked at at a time, and nothing of it outlives world_look(). */
static char bytes[WORLD_BYTES_MAX];
static jsmntok_t tokens[TOKENS_MAX];

static bool read_file(const struct tree *tree, const char *name, struct json *doc)
{
    size_t n = 0;
    int dir = tree_open(tree, TREE_WORLD);

    if (dir < 0)
        return false;
    enum file_result result = file_read(dir, name, bytes, sizeof(bytes), &n, NULL);
    tree_close(dir);
    if (result == FILE_ABSENT)
        return false;
    const char *why = file_result_text(result);
    if (result == FILE_OK) {
        enum json_error error = json_read(doc, bytes, n, tokens, TOKENS_MAX, WORLD_DEPTH_MAX);
        if (error == JSON_OK && json_type(doc, JSON_ROOT) >= JSON_ARRAY)
            return true;
        why = error == JSON_OK ? "neither an object nor an array" : json_error_text(error);
    }
    LOG(LOG_WARNING, "world_left_out", LOG_STR("file", name), LOG_STR("reason", why));
    return false;
}

/* ---- Entries ---- */

/* Is the first member there is of these names this text? */
static bool is_named(const struct json *doc, json_ref object, const char *const *names,
                     const char *text)
{
    char value[NAME_TEXT_MAX];

    for (; *names != NULL; names++) {
        json_ref ref = json_member(doc, object, *names);
        if (json_type(doc, ref) != JSON_NULL)
            return json_string(doc, ref, value, sizeof(value)) >= 0 &&
                   span_is(span_of(value), text);
    }
    return false;
}

static bool is_about(const struct json *doc, json_ref object, const struct target *target)
{
    static const char *const keys[] = {"key", "svc_key", NULL};
    static const char *const nodes[] = {"node", "node_name", "host", "hostname", NULL};
    static const char *const services[] = {"service",        "service_name", "container",
                                           "container_name", "name",         NULL};

    if (json_type(doc, object) != JSON_OBJECT)
        return false;
    return is_named(doc, object, keys, target->key) ||
           (is_named(doc, object, nodes, target->node) &&
            is_named(doc, object, services, target->service));
}

/* What holds the entries: the root, or the object or array under this name in it. */
static json_ref entries_of(const struct json *doc, const char *name)
{
    json_ref inner = json_member(doc, JSON_ROOT, name);
    enum json_type type = json_type(doc, inner);

    return type == JSON_OBJECT || type == JSON_ARRAY ? inner : JSON_ROOT;
}

/* An element of the array, or the value of the member, at this place of a walk. */
static json_ref entry_at(const struct json *doc, json_ref entries, json_ref at)
{
    return json_type(doc, entries) == JSON_OBJECT ? json_value(doc, at) : at;
}

/* Is what stands at this place of a walk about the target: by the member's name, or by what the
 * entry says of itself? */
static bool is_wanted(const struct json *doc, json_ref entries, json_ref at,
                      const struct target *target)
{
    char name[NAME_TEXT_MAX];

    if (json_type(doc, entries) == JSON_OBJECT && json_string(doc, at, name, sizeof(name)) >= 0 &&
        span_is(span_of(name), target->key))
        return true;
    return is_about(doc, entry_at(doc, entries, at), target);
}

/* Copies a JSON text, or nothing where it is too long. */
static void take(char *dst, size_t cap, struct span raw)
{
    (void)span_copy(dst, cap, raw);
}

static void find_service(const struct json *doc, const struct target *target, char *out)
{
    json_ref entries = entries_of(doc, "services");
    json_ref found = JSON_NONE;

    for (json_ref at = json_first(doc, entries); at != JSON_NONE && found == JSON_NONE;
         at = json_next(doc, entries, at))
        if (is_wanted(doc, entries, at, target))
            found = entry_at(doc, entries, at);
    take(out, WORLD_SERVICE_MAX + 1, found == JSON_NONE ? span_of("null") : json_raw(doc, found));
}

/* ---- Incidents ---- */

static bool is_over(const struct json *doc, json_ref incident)
{
    static const char *const states[] = {"status", "state"};
    static const char *const ended[] = {"resolved", "closed", "recovered", "ended", "inactive"};
    static const char *const stamps[] = {"resolved_at", "closed_at", "ended_at"};
    char text[32];

    for (size_t i = 0; i < COUNT(states); i++) {
        json_ref state = json_member(doc, incident, states[i]);
        if (json_string(doc, state, text, sizeof(text)) < 0)
            continue;
        for (size_t e = 0; e < COUNT(ended); e++)
            if (span_is_nocase(span_of(text), ended[e]))
                return true;
    }
    for (size_t i = 0; i < COUNT(stamps); i++)
        if (json_type(doc, json_member(doc, incident, stamps[i])) > JSON_TRUE)
            return true;
    return json_type(doc, json_member(doc, incident, "active")) == JSON_FALSE ||
           json_type(doc, json_member(doc, incident, "resolved")) == JSON_TRUE;
}

/* The array of the active ones; of many, those that fit. */
static void find_incidents(const struct json *doc, const struct target *target, char *out)
{
    json_ref entries = entries_of(doc, "incidents");
    struct buf b;

    buf_init(&b, out, WORLD_INCIDENTS_MAX + 1);
    buf_char(&b, '[');
    for (json_ref at = json_first(doc, entries); at != JSON_NONE;
         at = json_next(doc, entries, at)) {
        json_ref incident = entry_at(doc, entries, at);
        struct span raw = json_raw(doc, incident);
        if (!is_wanted(doc, entries, at, target) || is_over(doc, incident))
            continue;
        if (b.n + raw.n + sizeof(",]") > b.cap)
            continue;
        if (b.n > 1)
            buf_char(&b, ',');
        buf_span(&b, raw);
    }
    buf_char(&b, ']');
    if (buf_text(&b) == NULL)
        out[0] = '\0';
}

void world_look(const struct tree *tree, const char *key, const char *node, const char *service,
                struct world_facts *facts)
{
    struct target target = {key, node, service};
    struct json doc;

    facts->service[0] = '\0';
    facts->incidents[0] = '\0';
    if (read_file(tree, "services.json", &doc))
        find_service(&doc, &target, facts->service);
    if (read_file(tree, "incidents.json", &doc))
        find_incidents(&doc, &target, facts->incidents);
}
