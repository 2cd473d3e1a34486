#include "planner/alias.h"

#include "base/buf.h"
#include "base/json_read.h"

#define WHY_MAX 128

/* The object, and a name and a value for each entry; one entry more shows that there are too many.
 */
#define TOKENS (1 + 2 * (ALIASES_MAX + 1))

static int refuse(char *why, const char *reason)
{
    span_cut_text(why, WHY_MAX, reason);
    return -1;
}

static int take_name(const struct json *doc, json_ref ref, char *dst)
{
    return json_string(doc, ref, dst, NAME_MAX_BYTES + 1) > 0 ? 0 : -1;
}

int alias_parse(struct aliases *out, struct span json, char *why)
{
    static jsmntok_t tokens[TOKENS];
    struct json doc;

    out->count = 0;
    enum json_error error = json_read(&doc, json.p, json.n, tokens, TOKENS, 1);
    if (error == JSON_SIZE)
        return refuse(why, "more than 64 aliases");
    if (error == JSON_DEPTH)
        return refuse(why, "an alias must stand for a node's name, a string");
    if (error != JSON_OK)
        return refuse(why, json_error_text(error));
    if (json_type(&doc, JSON_ROOT) != JSON_OBJECT)
        return refuse(why, "not a JSON object of alias to node");
    if (json_duplicates(&doc, JSON_ROOT))
        return refuse(why, "an alias is there twice");

    json_ref at = json_first(&doc, JSON_ROOT);
    for (; at != JSON_NONE; at = json_next(&doc, JSON_ROOT, at)) {
        if (out->count == ALIASES_MAX)
            return refuse(why, "more than 64 aliases");
        if (take_name(&doc, at, out->entry[out->count].alias) != 0 ||
            take_name(&doc, json_value(&doc, at), out->entry[out->count].node) != 0)
            return refuse(why, "alias and node must be strings of 1 to 128 bytes");
        out->count++;
    }
    return 0;
}

_Static_assert(ALIASES_MAX == 64 && NAME_MAX_BYTES == 128, "the numbers in the messages");

struct span alias_of(const struct aliases *aliases, struct span node)
{
    for (unsigned i = 0; aliases != NULL && i < aliases->count; i++)
        if (span_is(node, aliases->entry[i].alias))
            return span_of(aliases->entry[i].node);
    return node;
}
