#include "source/progress_save.h"

#include "base/json_write.h"

#include <string.h>

/* Hexadecimal digits of a hash and of a stamp; so many fit into a line. */
#define HASH_DIGITS 16
#define STAMP_DIGITS 8
#define ENTRIES_LINE 128

_Static_assert(ENTRIES_LINE *(HASH_DIGITS + STAMP_DIGITS) + 64 <= PROGRESS_LINE_MAX, "a line");

/* Far from overflow, whatever is added. */
#define TIME_MAX_MS (INT64_MAX / 4)

static void put_hex(struct buf *out, uint64_t value, unsigned count)
{
    while (count-- > 0)
        buf_char(out, "0123456789abcdef"[value >> (4 * count) & 15]);
}

/* ---- Saving ---- */

static void marks_line(const struct progress *p, struct buf *out)
{
    struct json_write w;

    json_write_init(&w, out);
    json_write_object(&w, NULL);
    json_write_int(&w, "mark_ms", p->mark_ms);
    json_write_int(&w, "high_ms", p->high_ms);
    json_write_int(&w, "known_from_ms", p->known_from_ms);
    json_write_int(&w, "known_to_ms", p->known_to_ms);
    json_write_int(&w, "root", (int64_t)p->root);
    json_write_bool(&w, "first", p->first);
    json_write_bool(&w, "dirs_complete", p->dirs_complete);
    json_write_end_object(&w);
}

static bool seen_line(const struct progress *p, struct buf *out, int64_t from_ms, uint32_t *at)
{
    uint32_t from = progress_seen_from(from_ms);
    unsigned entries = 0;

    for (; *at < p->seen.count && entries < ENTRIES_LINE; (*at)++) {
        if (p->seen_stamp[*at] < from)
            continue;
        buf_str(out, entries == 0 ? "{\"seen\":\"" : "");
        put_hex(out, p->seen_hash[*at], HASH_DIGITS);
        put_hex(out, p->seen_stamp[*at], STAMP_DIGITS);
        entries++;
    }
    buf_str(out, entries > 0 ? "\"}" : "");
    return entries > 0;
}

static bool dirs_line(const struct progress *p, struct buf *out, uint32_t *at)
{
    uint32_t end = p->dirs.count - *at < ENTRIES_LINE ? p->dirs.count : *at + ENTRIES_LINE;

    if (*at == end)
        return false;
    buf_str(out, "{\"dirs\":\"");
    for (; *at < end; (*at)++)
        put_hex(out, p->dir_hash[*at], HASH_DIGITS);
    buf_str(out, "\"}");
    return true;
}

bool progress_save_line(const struct progress *p, struct buf *out, struct progress_walk *walk)
{
    if (!walk->begun) {
        walk->begun = true;
        marks_line(p, out);
        return true;
    }
    return seen_line(p, out, walk->from_ms, &walk->seen) || dirs_line(p, out, &walk->dirs);
}

/* ---- Loading ---- */

static int load_time(const struct json *doc, const char *name, int64_t *ms)
{
    return json_int(doc, json_member(doc, JSON_ROOT, name), -TIME_MAX_MS, TIME_MAX_MS, ms);
}

static int load_bool(const struct json *doc, const char *name, bool *value)
{
    enum json_type type = json_type(doc, json_member(doc, JSON_ROOT, name));

    *value = type == JSON_TRUE;
    return type == JSON_TRUE || type == JSON_FALSE ? 0 : -1;
}

static int load_marks(struct progress *p, const struct json *doc)
{
    int64_t root;

    if (load_time(doc, "mark_ms", &p->mark_ms) != 0 ||
        load_time(doc, "high_ms", &p->high_ms) != 0 ||
        load_time(doc, "known_from_ms", &p->known_from_ms) != 0 ||
        load_time(doc, "known_to_ms", &p->known_to_ms) != 0 ||
        json_int(doc, json_member(doc, JSON_ROOT, "root"), INT64_MIN, INT64_MAX, &root) != 0 ||
        load_bool(doc, "first", &p->first) != 0 ||
        load_bool(doc, "dirs_complete", &p->dirs_complete) != 0)
        return -1;
    if (p->high_ms < p->mark_ms - SCAN_OVERLAP_MS)
        return -1;
    p->root = (uint64_t)root;
    p->scan_high_ms = p->high_ms;
    return 1;
}

static int take_hex(struct span *text, unsigned count, uint64_t *value)
{
    *value = 0;
    if (text->n < count)
        return -1;
    for (unsigned i = 0; i < count; i++) {
        char c = text->p[i];
        uint64_t digit = c >= '0' && c <= '9' ? (uint64_t)(c - '0') : (uint64_t)(c - 'a') + 10;
        if (digit > 15)
            return -1;
        *value = *value << 4 | digit;
    }
    *text = (struct span){text->p + count, text->n - count};
    return 0;
}

static int load_entries(struct hashes *h, struct span text, unsigned stamp_digits)
{
    uint64_t hash, stamp;

    if (text.p == NULL)
        return -1;
    while (text.n > 0) {
        if (take_hex(&text, HASH_DIGITS, &hash) != 0 || take_hex(&text, stamp_digits, &stamp) != 0)
            return -1;
        if (!hashes_has(h, hash) && h->count == h->max)
            return -1;
        (void)hashes_put(h, hash, (uint32_t)stamp); /* there is room */
    }
    return 1;
}

/* The member's string, which has no escapes in it. */
static struct span plain(const struct json *doc, json_ref ref)
{
    struct span raw = json_raw(doc, ref);

    if (json_type(doc, ref) != JSON_STRING)
        return (struct span){NULL, 0};
    return (struct span){raw.p + 1, raw.n - 2};
}

int progress_save_load(struct progress *p, const struct json *doc)
{
    json_ref seen = json_member(doc, JSON_ROOT, "seen");
    json_ref dirs = json_member(doc, JSON_ROOT, "dirs");

    if (json_member(doc, JSON_ROOT, "mark_ms") != JSON_NONE)
        return load_marks(p, doc);
    if (seen != JSON_NONE)
        return load_entries(&p->seen, plain(doc, seen), STAMP_DIGITS);
    if (dirs != JSON_NONE)
        return load_entries(&p->dirs, plain(doc, dirs), 0);
    return 0;
}
