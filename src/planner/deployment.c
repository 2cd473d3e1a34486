#include "planner/deployment.h"

#include "base/json_read.h"
#include "base/log.h"

/* A saved entry has nine members, each a name and a value; somebody may have added some. */
#define TOKENS 33

/* What is known of a key's newest deployment:
 *
 *   started  ended     the window
 *   yes      no        it runs: started_ms to now
 *   yes      yes       started_ms to ended_ms, for DEPLOYMENT_MEMORY_MS after it was heard of
 *   no       yes       its start was not read yet: none
 *
 * 1. floor_ms is the newest end of an older deployment (INT64_MIN: none is known): starts and ends
 *    at or before it are not this one's.
 * 2. floor_ms <= started_ms, floor_ms < ended_ms, started_ms <= ended_ms, where they are known.
 * 3. At most one of completed and failed is set. */

void deployment_init(struct deployments *d)
{
    table_init(&d->table, d->entries, sizeof(d->entries[0]), DEPLOYMENTS_MAX, d->keys,
               sizeof(d->keys));
    d->changed = false;
}

static void evict_oldest(struct deployments *d)
{
    struct deployment *oldest = table_at(&d->table, 0);

    for (uint32_t i = 1; i < d->table.count; i++) {
        struct deployment *entry = table_at(&d->table, i);
        if (entry->read_ms < oldest->read_ms)
            oldest = entry;
    }
    LOG(LOG_WARNING, "deployment_evicted", LOG_SPAN("key", table_key_of(&d->table, oldest)));
    table_remove(&d->table, oldest);
}

/* The key's entry, a new one where it has none; NULL where the key is too long for the table. */
static struct deployment *entry_for(struct deployments *d, struct span key, int64_t read_ms)
{
    struct deployment *entry = table_find(&d->table, key);

    if (entry == NULL && key.n <= TABLE_KEY_MAX) {
        while ((entry = table_add(&d->table, key)) == NULL)
            evict_oldest(d);
        entry->floor_ms = INT64_MIN;
        entry->read_ms = read_ms;
    }
    if (entry != NULL && entry->read_ms < read_ms)
        entry->read_ms = read_ms;
    return entry;
}

static bool has_ended(const struct deployment *entry)
{
    return entry->completed || entry->failed;
}

void deployment_start(struct deployments *d, struct span key, int64_t at_ms,
                      int64_t arrived_boot_ms)
{
    struct deployment *entry = entry_for(d, key, arrived_boot_ms);

    d->changed = true;
    if (entry == NULL || at_ms <= entry->floor_ms || (entry->started && at_ms <= entry->started_ms))
        return;
    /* At the very end of a whole window it is the next one's: many clocks tell seconds only. */
    bool next = has_ended(entry) &&
                (at_ms > entry->ended_ms || (entry->started && at_ms == entry->ended_ms));
    if (next) {
        entry->floor_ms = entry->ended_ms;
        entry->completed = false;
        entry->failed = false;
    }
    entry->started = true;
    entry->started_ms = at_ms;
    entry->hold_until_ms = arrived_boot_ms + DEPLOYMENT_HOLD_MS;
}

/* An end that is not the newest deployment's. */
static void older_end(struct deployment *entry, int64_t at_ms)
{
    if (at_ms > entry->floor_ms)
        entry->floor_ms = at_ms;
    if (entry->started && entry->started_ms <= entry->floor_ms)
        entry->started = false;
}

void deployment_end(struct deployments *d, struct span key, bool success, int64_t at_ms,
                    int64_t boot_ms)
{
    struct deployment *entry = entry_for(d, key, boot_ms);

    d->changed = true;
    if (entry == NULL || at_ms <= entry->floor_ms)
        return;
    bool ended = has_ended(entry);
    if ((ended && at_ms < entry->ended_ms) ||
        (!ended && entry->started && at_ms < entry->started_ms)) {
        older_end(entry, at_ms);
        return;
    }
    if (ended && at_ms == entry->ended_ms && success)
        return; /* a repeat; of two different ends at one time the failure counts */
    if (ended && at_ms > entry->ended_ms)
        older_end(entry, entry->ended_ms);
    entry->completed = success;
    entry->failed = !success;
    entry->ended_ms = at_ms;
}

static bool holds(const struct deployment *entry, int64_t boot_ms)
{
    return entry->started && !has_ended(entry) && boot_ms < entry->hold_until_ms;
}

enum deployment_view deployment_look(const struct deployments *d, struct span key, int64_t at_ms,
                                     int64_t boot_ms)
{
    const struct deployment *entry = table_find(&d->table, key);

    if (entry == NULL || !entry->started || at_ms < entry->started_ms)
        return DEPLOYMENT_NONE;
    if (entry->completed && at_ms <= entry->ended_ms &&
        boot_ms - entry->read_ms < DEPLOYMENT_MEMORY_MS)
        return DEPLOYMENT_COVERS;
    return holds(entry, boot_ms) ? DEPLOYMENT_HOLDS : DEPLOYMENT_NONE;
}

int64_t deployment_hold_until(const struct deployments *d, struct span key, int64_t boot_ms)
{
    const struct deployment *entry = table_find(&d->table, key);

    return entry != NULL && holds(entry, boot_ms) ? entry->hold_until_ms : 0;
}

/* ---- Saved and loaded ---- */

/* A boot-clock time on the wall clock, which may be in its first hours of 1970. */
static int64_t stamp(int64_t boot_ms, struct now now)
{
    int64_t ms = boot_ms + clock_offset(now);

    return ms > 0 ? ms : 0;
}

void deployment_save(struct json_write *w, const struct deployments *d,
                     const struct deployment *entry, struct now now)
{
    json_write_span(w, "key", table_key_of(&d->table, entry));
    json_write_bool(w, "started", entry->started);
    json_write_bool(w, "completed", entry->completed);
    json_write_bool(w, "failed", entry->failed);
    json_write_int(w, "started_ms", entry->started_ms);
    json_write_int(w, "ended_ms", entry->ended_ms);
    json_write_int(w, "floor_ms", entry->floor_ms);
    json_write_int(w, "hold_until_ms", stamp(entry->hold_until_ms, now));
    json_write_int(w, "read_ms", stamp(entry->read_ms, now));
}

static int load_time(const struct json *doc, const char *name, int64_t *ms)
{
    return json_int(doc, json_member(doc, JSON_ROOT, name), INT64_MIN, INT64_MAX / 4, ms);
}

static bool load_bool(const struct json *doc, const char *name)
{
    return json_type(doc, json_member(doc, JSON_ROOT, name)) == JSON_TRUE;
}

int deployment_load(struct deployments *d, struct span object, struct now now)
{
    jsmntok_t tokens[TOKENS];
    struct json doc;
    char key[TABLE_KEY_MAX + 1];
    struct deployment loaded;
    int64_t hold_until_ms, read_ms;

    if (json_read(&doc, object.p, object.n, tokens, TOKENS, 1) != JSON_OK ||
        json_string(&doc, json_member(&doc, JSON_ROOT, "key"), key, sizeof(key)) <= 0 ||
        load_time(&doc, "started_ms", &loaded.started_ms) != 0 ||
        load_time(&doc, "ended_ms", &loaded.ended_ms) != 0 ||
        load_time(&doc, "floor_ms", &loaded.floor_ms) != 0 ||
        load_time(&doc, "hold_until_ms", &hold_until_ms) != 0 || hold_until_ms < 0 ||
        load_time(&doc, "read_ms", &read_ms) != 0 || read_ms < 0)
        return -1;
    hold_until_ms -= clock_offset(now);
    int64_t last_ms = now.boot_ms + DEPLOYMENT_HOLD_MS;
    read_ms -= clock_offset(now);
    struct deployment *entry = entry_for(d, span_of(key), now.boot_ms);
    entry->read_ms = read_ms < now.boot_ms ? read_ms : now.boot_ms;
    entry->started = load_bool(&doc, "started");
    entry->completed = load_bool(&doc, "completed");
    entry->failed = load_bool(&doc, "failed") && !entry->completed;
    entry->started_ms = loaded.started_ms;
    entry->ended_ms = loaded.ended_ms;
    entry->floor_ms = loaded.floor_ms;
    entry->hold_until_ms = hold_until_ms < last_ms ? hold_until_ms : last_ms;
    return 0;
}
