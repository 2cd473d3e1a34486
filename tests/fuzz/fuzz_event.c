/* What event_parse() takes is whole and within its limits, and makes an action file that is valid
 * JSON; what it refuses as JSON was refused for every longer text, too. */
#include "planner/event.c"

#include "base/json_read.h"
#include "planner/action.h"

#include <stdlib.h>

#define ARRIVED INT64_C(1780000000000)
#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct aliases aliases = {.count = 1, .entry = {{"sol", "solaria"}}};

static bool is_text(const char *text, size_t cap, size_t least)
{
    size_t n = strnlen(text, cap);

    return n < cap && n >= least && utf8_is_text((struct span){text, n});
}

static void check_names(const struct event *e)
{
    char safe[2 * NAME_MAX_BYTES + 4];

    REQUIRE(is_text(e->type, sizeof(e->type), 1));
    REQUIRE(is_text(e->node, sizeof(e->node), 1));
    REQUIRE(is_text(e->node_as_came, sizeof(e->node_as_came), 1));
    REQUIRE(is_text(e->service, sizeof(e->service), 1));
    REQUIRE(is_text(e->source, sizeof(e->source), 0));
    REQUIRE(is_text(e->key, sizeof(e->key), 3));
    span_safe_name(safe, span_of(e->node));
    size_t n = strlen(safe);
    REQUIRE(strncmp(e->key, safe, n) == 0 && e->key[n] == '/');
    span_safe_name(safe, span_of(e->service));
    REQUIRE(strcmp(e->key + n + 1, safe) == 0);
    for (const char *p = e->key; *p != '\0'; p++)
        REQUIRE(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/", *p));
    REQUIRE(e->key[0] != '.' && e->key[0] != '-');
}

static void check_rest(const struct event *e)
{
    static jsmntok_t tokens[EVENT_DETAILS_MAX];
    struct json doc;

    REQUIRE(is_text(e->message, sizeof(e->message), 0));
    REQUIRE(is_text(e->correlation_id, CORRELATION_MAX, 1));
    REQUIRE(is_text(e->timestamp, sizeof(e->timestamp), 1));
    for (const char *p = e->timestamp; *p != '\0'; p++)
        REQUIRE(*p >= ' ' || *p == '\t');
    REQUIRE(is_text(e->details, sizeof(e->details), 0));
    REQUIRE(e->details[0] == '\0' || json_read(&doc, e->details, strlen(e->details), tokens,
                                               COUNT(tokens), EVENT_DEPTH_MAX) == JSON_OK);
    REQUIRE(e->severity <= SEVERITY_CRITICAL && event_kind(e) <= EVENT_BENIGN);
    REQUIRE(e->arrived_ms == ARRIVED);
    REQUIRE(e->dated ? e->at_ms >= EVENT_AGE_FLOOR_MS && e->at_ms <= ARRIVED + EVENT_AHEAD_MAX_MS
                     : e->at_ms == ARRIVED);
}

static void check_action(const struct event *e)
{
    static char body[ACTION_BYTES_MAX];
    static jsmntok_t tokens[ACTION_BYTES_MAX / 2];
    struct proposal proposal = {
        .action = PROPOSAL_NOTIFY, .confidence_text = "0.5", .reason = "a fuzzer says so"};
    struct action_names names;
    struct json doc;
    struct buf out;

    for (int action = PROPOSAL_RESTART; action <= PROPOSAL_NOTIFY; action++) {
        action_names(&names, (enum proposal_action)action, e);
        REQUIRE(names.hashed[0] != '\0' && strlen(names.hashed) <= ACTION_ID_MAX);
        REQUIRE(strlen(names.plain) <= ACTION_ID_MAX && strchr(names.hashed, '/') == NULL);
    }
    buf_init(&out, body, sizeof(body));
    action_write(&out, &(struct action_body){
                           .id = names.hashed, .event = e, .proposal = &proposal, .model = "m"});
    REQUIRE(buf_done(&out) == 0);
    /* The payload stands two levels deeper than it came. */
    REQUIRE(json_read(&doc, body, out.n, tokens, COUNT(tokens), EVENT_DEPTH_MAX + 2) == JSON_OK);
    char id[sizeof(e->correlation_id)];
    REQUIRE(json_string(&doc, json_member(&doc, JSON_ROOT, "correlation_id"), id, sizeof(id)) > 0);
    REQUIRE(strcmp(id, e->correlation_id) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct event event, again;
    struct span text = {(const char *)data, size};
    /* Names of files are any bytes. */
    struct span origin = {text.p + size / 2, size - size / 2};

    if (size == 0)
        return 0;
    /* What stands behind a text's end is whatever it was. */
    memset(&event, 0, offsetof(struct event, message));
    memset(&again, 0, offsetof(struct event, message));
    enum event_error error = event_parse(&event, text, &aliases, origin, ARRIVED);
    enum event_error half =
        event_parse(&again, (struct span){text.p, size - 1}, &aliases, origin, ARRIVED);
    REQUIRE(error < EVENT_ERRORS && half < EVENT_ERRORS);
    if (error != EVENT_OK)
        return 0;
    REQUIRE(half == EVENT_OK || half == EVENT_NOT_JSON);
    REQUIRE(event_parse(&again, text, &aliases, origin, ARRIVED) == EVENT_OK);
    REQUIRE(memcmp(&event, &again, offsetof(struct event, message)) == 0);
    REQUIRE(strcmp(event.message, again.message) == 0 && strcmp(event.details, again.details) == 0);
    check_names(&event);
    check_rest(&event);
    check_action(&event);
    return 0;
}
