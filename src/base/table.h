#ifndef BASE_TABLE_H
#define BASE_TABLE_H
/* A fixed hash table: open addressing with linear probing over 16-bit slots, entries dense in an
 * array beside it, so that memory is touched only as entries are used.
 *
 * An entry is the caller's struct whose first member is a struct table_key. Storage is the
 * caller's, static. Removal moves the last entry into the gap: pointers and numbers of entries are
 * valid until the next table_remove(). */

#include "base/span.h"

#include <stdint.h>

#define TABLE_KEY_MAX 260 /* bytes: two names of 128, a slash, and room */

struct table_key {
    uint64_t hash;
    uint16_t len;
    char text[TABLE_KEY_MAX + 1];
};

struct table {
    void *entries; /* capacity entries of stride bytes */
    size_t stride;
    uint16_t *slots; /* a power of two, at least twice the capacity; 0 = empty, else entry + 1 */
    uint32_t mask;
    uint32_t capacity;
    uint32_t count;
};

/* slots_count: a power of two >= 2 * capacity, at most 65536. */
void table_init(struct table *t, void *entries, size_t stride, uint32_t capacity, uint16_t *slots,
                uint32_t slots_count);
/* NULL where there is none. */
void *table_find(const struct table *t, struct span key);
/* A new zeroed entry with this key, which must be absent; NULL where the table is full or the key
 * is longer than TABLE_KEY_MAX. */
void *table_add(struct table *t, struct span key);
void table_remove(struct table *t, void *entry);
/* Entry number i, 0 <= i < t->count. */
void *table_at(const struct table *t, uint32_t i);
struct span table_key_of(const void *entry);

#endif
