#include "planner/seen.h"

#include "base/json_read.h"

/* Identities in a line of the state file. */
#define LINE_MAX 32
/* An object with one member; somebody may have added some. */
#define TOKENS (LINE_MAX + 9)

#define DIGITS (2 * sizeof(uint64_t))

void seen_turn(struct seen *s, int64_t boot_ms)
{
    s->now_ms = boot_ms;
    /* From the oldest on; places that were never used, or are empty again, come first. */
    while (s->empty < SEEN_IDENTITIES_MAX) {
        uint32_t oldest = (s->next + s->empty) % SEEN_IDENTITIES_MAX;
        if (s->identities[oldest] != 0 && boot_ms - s->noted_ms[oldest] < SHARED_EVENT_MS)
            return;
        if (s->identities[oldest] != 0)
            s->identities[oldest] = 0; /* the memory of the others is not touched */
        s->empty++;
    }
}

bool seen_has(const struct seen *s, uint64_t identity)
{
    if (identity == 0)
        return false;
    for (uint32_t i = 0; i < SEEN_IDENTITIES_MAX; i++)
        if (s->identities[i] == identity)
            return true;
    return false;
}

void seen_note(struct seen *s, uint64_t identity)
{
    if (identity == 0 || seen_has(s, identity))
        return;
    s->identities[s->next] = identity;
    s->noted_ms[s->next] = s->now_ms;
    if (s->empty > 0)
        s->empty--;
    s->next = (s->next + 1) % SEEN_IDENTITIES_MAX;
    s->changed = true;
}

/* Number i, from the oldest on; 0 where there are not so many. */
static uint64_t from_oldest(const struct seen *s, uint32_t i)
{
    return s->identities[(s->next + i) % SEEN_IDENTITIES_MAX];
}

static void write_hex(struct json_write *w, uint64_t identity)
{
    static const char digits[] = "0123456789abcdef";
    char text[DIGITS + 1] = "";

    for (size_t i = DIGITS; i-- > 0; identity >>= 4)
        text[i] = digits[identity & 15];
    json_write_str(w, NULL, text);
}

bool seen_save(const struct seen *s, struct json_write *w, uint32_t *at)
{
    while (*at < SEEN_IDENTITIES_MAX && from_oldest(s, *at) == 0)
        ++*at;
    if (*at >= SEEN_IDENTITIES_MAX)
        return false;
    json_write_array(w, "identities");
    for (unsigned n = 0; n < LINE_MAX && *at < SEEN_IDENTITIES_MAX; n++)
        write_hex(w, from_oldest(s, (*at)++));
    json_write_end_array(w);
    return true;
}

/* 0 where it is no identity. */
static uint64_t read_hex(const struct json *doc, json_ref ref)
{
    char text[DIGITS + 1];
    uint64_t identity = 0;

    if (json_string(doc, ref, text, sizeof(text)) != (int)DIGITS)
        return 0;
    for (const char *c = text; *c != '\0'; c++) {
        bool letter = *c >= 'a' && *c <= 'f';
        if (!letter && (*c < '0' || *c > '9'))
            return 0;
        identity = identity << 4 | (uint64_t)(letter ? *c - 'a' + 10 : *c - '0');
    }
    return identity;
}

int seen_load(struct seen *s, struct span object)
{
    jsmntok_t tokens[TOKENS];
    struct json doc;

    if (json_read(&doc, object.p, object.n, tokens, TOKENS, 2) != JSON_OK)
        return -1;
    json_ref list = json_member(&doc, JSON_ROOT, "identities");
    if (json_type(&doc, list) != JSON_ARRAY)
        return -1;
    for (json_ref at = json_first(&doc, list); at != JSON_NONE; at = json_next(&doc, list, at))
        if (read_hex(&doc, at) == 0)
            return -1;
    for (json_ref at = json_first(&doc, list); at != JSON_NONE; at = json_next(&doc, list, at))
        seen_note(s, read_hex(&doc, at));
    s->changed = false;
    return 0;
}
