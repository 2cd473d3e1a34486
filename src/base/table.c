#include "base/table.h"

#include "base/hash.h"

#include <string.h>

/* Invariants:
 * 1. The keys of entries 0 to count - 1 are texts[0, texts_used), in this order, without a gap.
 * 2. count <= capacity, texts_used <= texts_size. */

void table_init(struct table *t, void *entries, size_t stride, uint32_t capacity, char *texts,
                uint32_t texts_size)
{
    *t = (struct table){
        .entries = entries,
        .stride = stride,
        .texts = texts,
        .texts_size = texts_size,
        .capacity = capacity,
    };
}

void *table_at(const struct table *t, uint32_t i)
{
    return (char *)t->entries + i * t->stride;
}

struct span table_key_of(const struct table *t, const void *entry)
{
    const struct table_key *k = entry;

    return (struct span){t->texts + k->at, k->len};
}

void *table_find(const struct table *t, struct span key)
{
    if (t->count == 0)
        return NULL;
    uint64_t hash = hash_span(key);
    for (uint32_t i = 0; i < t->count; i++) {
        struct table_key *k = table_at(t, i);
        if (k->hash == hash && span_eq(table_key_of(t, k), key))
            return k;
    }
    return NULL;
}

void *table_add(struct table *t, struct span key)
{
    if (t->count == t->capacity || key.n > TABLE_KEY_MAX || key.n > t->texts_size - t->texts_used)
        return NULL;
    struct table_key *k = table_at(t, t->count++);
    memset(k, 0, t->stride);
    k->hash = hash_span(key);
    k->at = (uint16_t)t->texts_used;
    k->len = (uint16_t)key.n;
    if (key.n > 0)
        memcpy(t->texts + t->texts_used, key.p, key.n);
    t->texts_used += k->len;
    return k;
}

void table_remove(struct table *t, const void *entry)
{
    const struct table_key gone = *(const struct table_key *)entry;
    size_t i = (size_t)((const char *)entry - (const char *)t->entries) / t->stride;

    t->count--;
    t->texts_used -= gone.len;
    memmove(table_at(t, (uint32_t)i), table_at(t, (uint32_t)i + 1), (t->count - i) * t->stride);
    memmove(t->texts + gone.at, t->texts + gone.at + gone.len, t->texts_used - gone.at);
    for (; i < t->count; i++) {
        struct table_key *k = table_at(t, (uint32_t)i);
        k->at = (uint16_t)(k->at - gone.len);
    }
}
