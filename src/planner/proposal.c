#include "planner/proposal.h"

#include "base/buf.h"
#include "base/json_read.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What an unknown member may hold, nobody looks at. */
#define PROPOSAL_DEPTH_MAX 16

/* A value and its separator take two bytes or more. */
#define TOKENS (PROPOSAL_BYTES_MAX / 2 + 2)

static const char *const actions[] = {
    [PROPOSAL_IGNORE] = "ignore",
    [PROPOSAL_RESTART] = "restart",
    [PROPOSAL_REDEPLOY] = "redeploy",
    [PROPOSAL_NOTIFY] = "notify",
};

const char *proposal_action_text(enum proposal_action action)
{
    return actions[action];
}

static int refuse(char *why, const char *reason)
{
    span_cut_text(why, PROPOSAL_WHY_MAX, reason);
    return -1;
}

static int take_action(struct proposal *out, const struct json *doc, json_ref ref)
{
    char text[sizeof("redeploy")];

    if (json_string(doc, ref, text, sizeof(text)) < 0)
        return -1;
    for (size_t i = 0; i < COUNT(actions); i++) {
        if (span_is_nocase(span_of(text), actions[i])) {
            out->action = (enum proposal_action)i;
            return 0;
        }
    }
    return -1;
}

/* Millionths, for a number that came with more digits than anybody needs. */
static void put_rounded(struct buf *b, double confidence)
{
    int64_t millionths = (int64_t)(confidence * 1e6 + 0.5);

    buf_int(b, millionths / 1000000);
    buf_char(b, '.');
    for (int64_t unit = 100000; unit > 0; unit /= 10)
        buf_int(b, millionths / unit % 10);
}

static int take_confidence(struct proposal *out, const struct json *doc, json_ref ref)
{
    struct buf b;

    if (json_real(doc, ref, 0.0, 1.0, &out->confidence) != 0)
        return -1;
    buf_init(&b, out->confidence_text, sizeof(out->confidence_text));
    buf_span(&b, json_raw(doc, ref));
    if (buf_text(&b) != NULL)
        return 0;
    buf_reset(&b);
    put_rounded(&b, out->confidence);
    return buf_text(&b) != NULL ? 0 : -1;
}

static int take_requires_human(struct proposal *out, const struct json *doc, json_ref ref)
{
    enum json_type type = json_type(doc, ref);

    out->requires_human = type == JSON_TRUE;
    return type == JSON_TRUE || type == JSON_FALSE ? 0 : -1;
}

int proposal_parse(struct proposal *out, struct span object, char *why)
{
    static jsmntok_t tokens[TOKENS];
    struct json doc;

    if (object.n > PROPOSAL_BYTES_MAX)
        return refuse(why, "longer than a proposal may be");
    enum json_error error = json_read(&doc, object.p, object.n, tokens, TOKENS, PROPOSAL_DEPTH_MAX);
    if (error != JSON_OK)
        return refuse(why, json_error_text(error));
    if (json_type(&doc, JSON_ROOT) != JSON_OBJECT)
        return refuse(why, "not a JSON object");
    if (json_duplicates(&doc, JSON_ROOT))
        return refuse(why, "a member is there twice");
    if (take_action(out, &doc, json_member(&doc, JSON_ROOT, "action")) != 0)
        return refuse(why, "action must be ignore, restart, redeploy or notify");
    if (json_string(&doc, json_member(&doc, JSON_ROOT, "reason"), out->reason,
                    sizeof(out->reason)) <= 0)
        return refuse(why, "reason must be a string of 1 to 1000 bytes");
    if (take_confidence(out, &doc, json_member(&doc, JSON_ROOT, "confidence")) != 0)
        return refuse(why, "confidence must be a number from 0.0 to 1.0");
    if (take_requires_human(out, &doc, json_member(&doc, JSON_ROOT, "requires_human")) != 0)
        return refuse(why, "requires_human must be true or false");
    return 0;
}

_Static_assert(PROPOSAL_REASON_MAX == 1000, "the number in the message");
