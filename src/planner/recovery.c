#include "planner/recovery.h"

#include "base/hash.h"

_Static_assert((RECOVERIES_MAX & (RECOVERIES_MAX - 1)) == 0, "a power of two");

/* A key's entries are among the RECOVERY_WAYS from where its hash points; the last is followed by
 * the first. */
static size_t way(uint64_t key, unsigned i)
{
    return (size_t)(key + i) & (RECOVERIES_MAX - 1);
}

static uint64_t source_of(struct span source)
{
    if (source.n == 0)
        return 0;
    uint64_t hash = hash_span(source);
    return hash != 0 ? hash : 1;
}

/* boot_ms as a read_ms, where 0 says that the entry is free. */
static int64_t stamp(int64_t boot_ms)
{
    return boot_ms != 0 ? boot_ms : 1;
}

static bool is_live(const struct recovery *entry, int64_t boot_ms)
{
    return entry->read_ms != 0 && boot_ms - entry->read_ms < RECOVERY_MEMORY_MS;
}

void recovery_note(struct recoveries *r, struct span key, struct span source, bool node_only,
                   int64_t at_ms, int64_t boot_ms)
{
    struct recovery new = {.key = hash_span(key),
                           .source = source_of(source),
                           .at_ms = at_ms,
                           .read_ms = stamp(boot_ms),
                           .node_only = node_only};
    struct recovery *place = &r->entry[way(new.key, 0)];

    for (unsigned i = 0; i < RECOVERY_WAYS; i++) {
        struct recovery *entry = &r->entry[way(new.key, i)];
        bool live = is_live(entry, boot_ms);
        if (live && entry->key == new.key && entry->source == new.source &&
            entry->node_only == node_only) {
            if (entry->at_ms <= at_ms)
                *entry = new;
            return;
        }
        if (!live)
            entry->read_ms = 0;
        if (entry->read_ms < place->read_ms)
            place = entry;
    }
    *place = new;
}

bool recovery_covers(const struct recoveries *r, struct span key, struct span source,
                     bool node_offline, int64_t at_ms, int64_t boot_ms)
{
    uint64_t key_hash = hash_span(key);
    uint64_t source_hash = source_of(source);

    for (unsigned i = 0; i < RECOVERY_WAYS; i++) {
        const struct recovery *entry = &r->entry[way(key_hash, i)];
        if (!is_live(entry, boot_ms) || entry->key != key_hash || entry->at_ms < at_ms)
            continue;
        bool same_source = source_hash == 0 || entry->source == 0 || entry->source == source_hash;
        if (same_source && (!entry->node_only || node_offline))
            return true;
    }
    return false;
}

void recovery_touch(struct recoveries *r, uint64_t key, int64_t boot_ms)
{
    for (unsigned i = 0; i < RECOVERY_WAYS; i++) {
        struct recovery *entry = &r->entry[way(key, i)];
        if (entry->key == key && is_live(entry, boot_ms))
            entry->read_ms = stamp(boot_ms);
    }
}
