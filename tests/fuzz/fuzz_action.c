/* Action files as anybody may have written them: what we read of them, and what a verdict makes of
 * them. */

#include "store/verdict.c"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void need(bool good)
{
    if (!good)
        abort();
}

/* The same but for what a verdict changes. */
static bool same_facts(struct action_facts a, const struct action_facts *b)
{
    a.updated_at = b->updated_at;
    return memcmp(&a, b, sizeof(a)) == 0;
}

static bool history_is_sound(struct span bytes)
{
    struct json doc;

    if (json_read(&doc, bytes.p, bytes.n, tokens, JSON_TOKENS_MAX, ACTION_DEPTH_MAX) != JSON_OK)
        return false;
    enum json_type type = json_type(&doc, json_member(&doc, JSON_ROOT, "transition_history"));
    return type == JSON_ARRAY || type == JSON_NULL;
}

/* All members but ours are in the new text as they were. */
static void compare_members(struct span before, struct span after)
{
    static jsmntok_t other[JSON_TOKENS_MAX];
    struct json a, b;
    json_ref at_b;

    need(json_read(&a, before.p, before.n, tokens, JSON_TOKENS_MAX, ACTION_DEPTH_MAX) == JSON_OK);
    need(json_read(&b, after.p, after.n, other, JSON_TOKENS_MAX, ACTION_DEPTH_MAX) == JSON_OK);
    need(!json_duplicates(&b, JSON_ROOT));
    at_b = json_first(&b, JSON_ROOT);
    for (json_ref at = json_first(&a, JSON_ROOT); at != JSON_NONE;
         at = json_next(&a, JSON_ROOT, at)) {
        if (is_ours(&a, at))
            continue;
        need(span_eq(json_raw(&a, at), json_raw(&b, at_b)));
        need(span_eq(json_raw(&a, json_value(&a, at)), json_raw(&b, json_value(&b, at_b))));
        at_b = json_next(&b, JSON_ROOT, at_b);
    }
    json_ref old = json_member(&a, JSON_ROOT, "transition_history");
    json_ref new = json_member(&b, JSON_ROOT, "transition_history");
    json_ref at_new = json_first(&b, new);
    for (json_ref at = json_first(&a, old); at != JSON_NONE; at = json_next(&a, old, at)) {
        need(span_eq(json_raw(&a, at), json_raw(&b, at_new)));
        at_new = json_next(&b, new, at_new);
    }
    need(at_new != JSON_NONE && json_next(&b, new, at_new) == JSON_NONE);
    need(json_string(&b, json_member(&b, JSON_ROOT, "status"), data, sizeof(data)) > 0);
    need(strcmp(data, "approved") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct action_facts facts, again;
    struct span text = {(const char *)bytes, n};
    struct verdict v = {.approve = true, .user = "fuzz", .now_s = INT64_C(1780000100)};
    struct buf out;

    if (n > ACTION_BYTES_MAX)
        return 0;
    bool found = actions_parse(text, NULL, &facts) == ACTION_FOUND;
    v.id = found ? facts.id : "a";
    v.note = (struct span){text.p, n < 16 ? n : 16};
    buf_init(&out, rewritten, sizeof(rewritten));
    const char *wrong = rewrite(&out, text, &v);
    if (!found) {
        need(wrong != NULL);
        return 0;
    }
    need(actions_id_valid(span_of(facts.id)));
    need(actions_parse(text, facts.id, &again) == ACTION_FOUND && same_facts(facts, &again));
    if (wrong != NULL) {
        need(!history_is_sound(text) || out.failed);
        return 0;
    }
    struct span after = buf_view(&out);
    need(actions_parse(after, facts.id, &again) == ACTION_FOUND && same_facts(facts, &again));
    need(again.updated_at == v.now_s);
    compare_members(text, after);
    return 0;
}
