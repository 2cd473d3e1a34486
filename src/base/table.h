#ifndef BASE_TABLE_H
#define BASE_TABLE_H
/* Entries by a key: dense in an array, their keys close together beside it, both in the order in
 * which they were added, so that memory is touched only as it is needed. A search looks at the hash
 * of each: it is for tables of a thousand.
 *
 * An entry is the caller's struct whose first member is a struct table_key. Storage is the
 * caller's, static. Pointers, keys and numbers of entries are valid until the next
 * table_remove(). */

#include "base/span.h"

#include <stdint.h>

#define TABLE_KEY_MAX 260 /* bytes: two names of 128, a slash, and room */

struct table_key {
    uint64_t hash;
    uint16_t at, len; /* in the texts */
};

struct table {
    void *entries; /* capacity entries of stride bytes */
    size_t stride;
    char *texts;
    uint32_t texts_size;
    uint32_t texts_used;
    uint32_t capacity;
    uint32_t count;
};

/* texts_size: TABLE_KEY_MAX to 65535. */
void table_init(struct table *t, void *entries, size_t stride, uint32_t capacity, char *texts,
                uint32_t texts_size);
/* NULL where there is none. */
void *table_find(const struct table *t, struct span key);
/* A new entry with this key, which must be absent, all else zero; NULL where there is no room for
 * it or its key, or the key is longer than TABLE_KEY_MAX. */
void *table_add(struct table *t, struct span key);
/* Those behind it take one place less. */
void table_remove(struct table *t, const void *entry);
/* Entry number i, 0 <= i < t->count. */
void *table_at(const struct table *t, uint32_t i);
struct span table_key_of(const struct table *t, const void *entry);

#endif
