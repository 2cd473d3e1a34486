#include "base/table.h"

#include "base/hash.h"

#include <string.h>

/* Invariants:
 * 1. slots holds each number 1..count exactly once, else 0.
 * 2. From the home slot of an entry's hash to its slot no slot is empty.
 * 3. count <= capacity <= half of the slots, so that every search ends. */

void table_init(struct table *t, void *entries, size_t stride, uint32_t capacity, uint16_t *slots,
                uint32_t slots_count)
{
    *t = (struct table){
        .entries = entries,
        .stride = stride,
        .slots = slots,
        .mask = slots_count - 1,
        .capacity = capacity,
    };
    memset(slots, 0, slots_count * sizeof(*slots));
}

void *table_at(const struct table *t, uint32_t i)
{
    return (char *)t->entries + i * t->stride;
}

static uint32_t home(const struct table *t, uint64_t hash)
{
    return (uint32_t)hash & t->mask;
}

/* The slot of this entry, or the empty slot where it would go. */
static uint32_t slot_of(const struct table *t, uint64_t hash, struct span key)
{
    uint32_t slot = home(t, hash);

    for (; t->slots[slot] != 0; slot = (slot + 1) & t->mask) {
        const struct table_key *k = table_at(t, t->slots[slot] - 1U);
        if (k->hash == hash && span_eq(table_key_of(k), key))
            break;
    }
    return slot;
}

void *table_find(const struct table *t, struct span key)
{
    if (t->count == 0)
        return NULL;
    uint32_t number = t->slots[slot_of(t, hash_span(key), key)];

    return number != 0 ? table_at(t, number - 1) : NULL;
}

void *table_add(struct table *t, struct span key)
{
    if (t->count == t->capacity || key.n > TABLE_KEY_MAX)
        return NULL;
    uint64_t hash = hash_span(key);
    uint32_t slot = slot_of(t, hash, key);
    struct table_key *k = table_at(t, t->count);
    memset(k, 0, t->stride);
    k->hash = hash;
    k->len = (uint16_t)key.n;
    if (key.n > 0)
        memcpy(k->text, key.p, key.n);
    t->count++;
    t->slots[slot] = (uint16_t)t->count;
    return k;
}

/* Empties a slot and moves later ones back over it, which keeps invariant 2. */
static void vacate(struct table *t, uint32_t gap)
{
    for (uint32_t slot = (gap + 1) & t->mask; t->slots[slot] != 0; slot = (slot + 1) & t->mask) {
        const struct table_key *k = table_at(t, t->slots[slot] - 1U);
        uint32_t from_home = (slot - home(t, k->hash)) & t->mask;
        uint32_t from_gap = (slot - gap) & t->mask;
        if (from_home >= from_gap) {
            t->slots[gap] = t->slots[slot];
            gap = slot;
        }
    }
    t->slots[gap] = 0;
}

void table_remove(struct table *t, void *entry)
{
    const struct table_key *k = entry;
    const struct table_key *last = table_at(t, t->count - 1);
    uint32_t slot = slot_of(t, k->hash, table_key_of(k));
    uint32_t last_slot = slot_of(t, last->hash, table_key_of(last));
    uint16_t number = t->slots[slot];

    if (k != last)
        memcpy(entry, last, t->stride);
    t->slots[last_slot] = number;
    t->count--;
    vacate(t, slot);
}

struct span table_key_of(const void *entry)
{
    const struct table_key *k = entry;

    return (struct span){k->text, k->len};
}
