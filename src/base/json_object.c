#include "base/json_object.h"

#include <string.h>

#define STRIDE 4      /* names that are passed over at once */
#define OTHERS_MAX 16 /* members of other names: so few are compared in pairs */
#define USUAL_MAX 16  /* members that are looked for first where they were found last */

static bool is_name(const struct span *names, size_t i, struct span name)
{
    return names[i].n == name.n && names[i].p[0] == name.p[0] && span_eq(names[i], name);
}

/* The index of a member's name among names; count where it is none of them. What is written as it
 * is spelled is found first; no escape is shorter than what it stands for. */
static size_t index_of(struct span name, const struct span *names, size_t count)
{
    size_t i = 0;

    while (i + STRIDE < count && names[i + STRIDE - 1].n < name.n)
        i += STRIDE;
    for (; i < count && names[i].n <= name.n; i++)
        if (is_name(names, i, name))
            return i;
    if (json_text_verbatim(name))
        return count;
    for (i = 0; i < count; i++)
        if (json_text_is(name, names[i]))
            return i;
    return count;
}

/* The same of the m-th member. Whoever writes objects writes their members in the same order each
 * time. */
static size_t usual_index_of(struct span name, size_t m, const struct span *names, size_t count)
{
    static uint8_t usual[USUAL_MAX];

    if (m >= USUAL_MAX)
        return index_of(name, names, count);
    if (usual[m] >= count || !is_name(names, usual[m], name))
        usual[m] = (uint8_t)index_of(name, names, count);
    return usual[m];
}

static bool is_among(struct span name, const struct span *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (json_text_same(name, names[i]))
            return true;
    return false;
}

/* Does one of the members name what another names, too? By hash, where pairs would be many. */
static bool any_twice(const struct json_members *members)
{
    /* Indices + 1, linear probing, at most half full; 0 = empty. */
    static uint16_t seen[2 * JSON_MEMBERS_MAX];
    size_t slots = 2;

    while (slots < 2 * members->count)
        slots *= 2;
    memset(seen, 0, slots * sizeof(seen[0]));
    for (size_t i = 0; i < members->count; i++) {
        struct span name = members->list[i].name;
        size_t slot = (size_t)json_text_hash(name) & (slots - 1);
        for (; seen[slot] != 0; slot = (slot + 1) & (slots - 1))
            if (json_text_same(members->list[seen[slot] - 1].name, name))
                return true;
        seen[slot] = (uint16_t)(i + 1);
    }
    return false;
}

static bool find(const struct json_members *members, const struct span *names, struct span *values,
                 size_t count)
{
    struct span others[OTHERS_MAX];
    size_t others_count = 0;
    bool twice = false;

    for (size_t m = 0; m < members->count; m++) {
        const struct json_member *member = &members->list[m];
        size_t i = usual_index_of(member->name, m, names, count);
        if (i < count && values[i].n != 0) {
            twice = true;
        } else if (i < count) {
            values[i] = member->value;
        } else if (others_count < OTHERS_MAX) {
            twice |= is_among(member->name, others, others_count);
            others[others_count++] = member->name;
        }
    }
    return twice || (others_count == OTHERS_MAX && any_twice(members));
}

static enum json_type type_of(struct span text)
{
    while (text.n > 0 && strchr(" \t\r\n", text.p[0]) != NULL)
        text = (struct span){text.p + 1, text.n - 1};
    return json_text_type(text);
}

enum json_error json_object_read(struct json_object *object, struct span text, unsigned depth_max,
                                 const struct span *names, struct span *values, size_t count)
{
    /* One document is read at a time. */
    static struct json_member list[JSON_MEMBERS_MAX];
    struct json_members members = {.list = list, .max = JSON_MEMBERS_MAX};

    _Static_assert(JSON_MEMBERS_MAX < UINT16_MAX, "an index of any_twice()");
    enum json_error error = json_check_members(text, depth_max, &members);
    if (error != JSON_OK)
        return error;
    if (members.count > members.max)
        return JSON_SIZE;
    for (size_t i = 0; i < count; i++)
        values[i] = (struct span){NULL, 0};
    object->type = type_of(text);
    object->twice = find(&members, names, values, count);
    return JSON_OK;
}
