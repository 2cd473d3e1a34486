#include "planner/cooldown.h"

#include "base/json_read.h"
#include "base/log.h"

#include <string.h>

/* A saved entry has four members, each a name and a value; somebody may have added some. */
#define TOKENS 33

void cooldown_init(struct cooldowns *c)
{
    table_init(&c->table, c->entries, sizeof(c->entries[0]), COOLDOWNS_MAX, c->keys,
               sizeof(c->keys));
}

bool cooldown_in_force(const struct cooldown *entry, int64_t length_ms, int64_t boot_ms)
{
    return boot_ms - entry->began_ms < length_ms;
}

bool cooldown_passes(struct cooldowns *c, struct span key, enum severity severity,
                     int64_t length_ms, int64_t boot_ms)
{
    struct cooldown *entry = table_find(&c->table, key);

    if (entry == NULL || !cooldown_in_force(entry, length_ms, boot_ms) ||
        severity > entry->severity)
        return true;
    if (entry->suppressed < UINT32_MAX)
        entry->suppressed++;
    return false;
}

void cooldown_count(struct cooldowns *c, struct span key, uint32_t events)
{
    struct cooldown *entry = table_find(&c->table, key);

    if (entry != NULL)
        entry->suppressed +=
            events < UINT32_MAX - entry->suppressed ? events : UINT32_MAX - entry->suppressed;
}

uint32_t cooldown_suppressed(const struct cooldowns *c, struct span key)
{
    const struct cooldown *entry = table_find(&c->table, key);

    return entry != NULL ? entry->suppressed : 0;
}

/* From the last to the first: what table_remove() moves has been looked at. */
static void remove_expired(struct cooldowns *c, int64_t length_ms, int64_t boot_ms)
{
    for (uint32_t i = c->table.count; i > 0; i--) {
        struct cooldown *entry = table_at(&c->table, i - 1);
        if (!cooldown_in_force(entry, length_ms, boot_ms))
            table_remove(&c->table, entry);
    }
}

static void evict_oldest(struct cooldowns *c)
{
    struct cooldown *oldest = table_at(&c->table, 0);

    for (uint32_t i = 1; i < c->table.count; i++) {
        struct cooldown *entry = table_at(&c->table, i);
        if (entry->began_ms < oldest->began_ms)
            oldest = entry;
    }
    LOG(LOG_WARNING, "cooldown_evicted", LOG_SPAN("key", table_key_of(&c->table, oldest)));
    table_remove(&c->table, oldest);
}

/* The key's entry, a new one where it has none; NULL where the key is too long for the table. */
static struct cooldown *entry_for(struct cooldowns *c, struct span key, int64_t length_ms,
                                  int64_t boot_ms)
{
    struct cooldown *entry = table_find(&c->table, key);

    if (entry != NULL || key.n > TABLE_KEY_MAX)
        return entry;
    entry = table_add(&c->table, key);
    if (entry == NULL)
        remove_expired(c, length_ms, boot_ms);
    while (entry == NULL && (entry = table_add(&c->table, key)) == NULL)
        evict_oldest(c);
    return entry;
}

void cooldown_start(struct cooldowns *c, struct span key, enum severity severity, int64_t length_ms,
                    int64_t boot_ms)
{
    struct cooldown *entry = entry_for(c, key, length_ms, boot_ms);

    if (entry == NULL)
        return;
    entry->began_ms = boot_ms;
    entry->severity = severity;
    entry->suppressed = 0;
}

void cooldown_save(struct json_write *w, const struct cooldowns *c, const struct cooldown *entry,
                   struct now now)
{
    json_write_span(w, "key", table_key_of(&c->table, entry));
    json_write_int(w, "began_ms", entry->began_ms + clock_offset(now));
    json_write_str(w, "severity", severity_text(entry->severity));
    json_write_int(w, "suppressed", entry->suppressed);
}

static int load_severity(const struct json *doc, json_ref ref, enum severity *out)
{
    char text[sizeof("critical")];

    if (json_string(doc, ref, text, sizeof(text)) < 0)
        return -1;
    *out = severity_of(span_of(text));
    return strcmp(severity_text(*out), text) == 0 ? 0 : -1;
}

bool cooldown_found(struct cooldowns *c, struct span key, const struct cooldown *found,
                    int64_t length_ms, struct now now)
{
    struct cooldown *entry = table_find(&c->table, key);
    int64_t age_ms = now.wall_ms - found->began_ms;

    if (age_ms < 0)
        age_ms = 0;
    if (age_ms >= length_ms || (entry != NULL && now.boot_ms - entry->began_ms <= age_ms))
        return false;
    if (entry == NULL && (entry = table_add(&c->table, key)) == NULL)
        return false;
    entry->began_ms = now.boot_ms - age_ms;
    entry->severity = found->severity;
    entry->suppressed = found->suppressed;
    return true;
}

int cooldown_load(struct cooldowns *c, struct span object, int64_t length_ms, struct now now)
{
    jsmntok_t tokens[TOKENS];
    struct json doc;
    char key[TABLE_KEY_MAX + 1];
    struct cooldown loaded;
    int64_t suppressed;

    if (json_read(&doc, object.p, object.n, tokens, TOKENS, 1) != JSON_OK ||
        json_string(&doc, json_member(&doc, JSON_ROOT, "key"), key, sizeof(key)) <= 0 ||
        json_int(&doc, json_member(&doc, JSON_ROOT, "began_ms"), INT64_MIN / 4, INT64_MAX / 4,
                 &loaded.began_ms) != 0 ||
        load_severity(&doc, json_member(&doc, JSON_ROOT, "severity"), &loaded.severity) != 0 ||
        json_int(&doc, json_member(&doc, JSON_ROOT, "suppressed"), 0, UINT32_MAX, &suppressed) != 0)
        return -1;

    loaded.suppressed = (uint32_t)suppressed;
    (void)cooldown_found(c, span_of(key), &loaded, length_ms, now);
    return 0;
}
