#ifndef PLANNER_EVENT_H
#define PLANNER_EVENT_H
/* An event as three generations of writers put it, brought to one form. */

#include "base/limits.h"
#include "base/span.h"
#include "base/table.h"
#include "planner/alias.h"
#include "planner/severity.h"

#include <stdint.h>

/* What an event is for us. */
enum event_kind {
    EVENT_FAULT,
    EVENT_RECOVERY, /* of its key */
    EVENT_NODE_ONLINE,
    EVENT_DEPLOYMENT_STARTED,
    EVENT_DEPLOYMENT_COMPLETED,
    EVENT_DEPLOYMENT_FAILED, /* a fault that ends a deployment */
    EVENT_BENIGN,            /* nothing to do */
};

struct event {
    char type[NAME_MAX_BYTES + 1];
    char node_as_came[NAME_MAX_BYTES + 1];
    char node[NAME_MAX_BYTES + 1];    /* after NODE_ALIAS_MAP; the original text otherwise */
    char service[NAME_MAX_BYTES + 1]; /* as it came; "all" for an event of the whole node */
    char key[TABLE_KEY_MAX + 1];      /* svc_key: both names made safe, "node/service" */
    char source[NAME_MAX_BYTES + 1];  /* "" = none named */
    char correlation_id[CORRELATION_MAX + 1];
    char timestamp[EVENT_TIMESTAMP_MAX + 1]; /* its own text where it has one, else the arrival */
    uint64_t identity; /* of a fault: a hash of node, source and id; 0 = it has no id */
    enum severity severity;
    enum event_kind kind;
    bool dated;         /* it names a time of its own that a clock could have told */
    int64_t at_ms;      /* that time, else the arrival; since 1970 */
    int64_t arrived_ms; /* wall clock */
    /* Of a fault only: of anything else nobody reads them. */
    char message[EVENT_MESSAGE_MAX + 1];
    char details[EVENT_DETAILS_MAX + 1]; /* JSON text; "" = none, or a note that it was too long */
};

enum event_error {
    EVENT_OK,
    EVENT_NOT_JSON, /* what a file that is still being written looks like, too */
    EVENT_NOT_OBJECT,
    EVENT_NO_TYPE,
    EVENT_NO_NODE,
    EVENT_TOO_LARGE,
    EVENT_TOO_DEEP,
    EVENT_NOT_UTF8,
    EVENT_DUPLICATE,
    EVENT_BAD_NAME, /* a name that is no string, over NAME_MAX_BYTES, or holds U+0000 */
    EVENT_ERRORS
};
/* "not_json", "no_type", ... */
const char *event_error_text(enum event_error error);

/* Reads one event. origin names it where it has no correlation id of its own ("node/file:offset");
 * arrived_ms is its arrival on the wall clock. *out is valid after EVENT_OK only. */
enum event_error event_parse(struct event *out, struct span bytes, const struct aliases *aliases,
                             struct span origin, int64_t arrived_ms);

/* The key of these names, which have up to NAME_MAX_BYTES each. */
void event_make_key(char key[TABLE_KEY_MAX + 1], const char *node, const char *service);

/* Is it a name that a restart or redeploy may be proposed for: [A-Za-z0-9][A-Za-z0-9._-]*? */
bool event_plain_name(struct span name);

/* By its type and severity. */
enum event_kind event_kind(const struct event *event);

#endif
