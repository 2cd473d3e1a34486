#ifndef SOURCE_HASHES_H
#define SOURCE_HASHES_H
/* A set of 64-bit hashes, each with a stamp. Entries and index are dense and grow from the start
 * of the caller's static arrays, so that only what was ever used is touched. */

#include <stdbool.h>
#include <stdint.h>

struct hashes {
    uint64_t *hash;
    uint32_t *stamp;
    uint32_t *slots; /* open addressing: 0 = empty, else entry + 1 */
    uint32_t max;
    uint32_t count;
    uint32_t mask; /* of the part of slots in use */
};

/* hash and stamp have max entries, slots 2 * max; max is a power of two, at least 64. */
void hashes_init(struct hashes *h, uint64_t *hash, uint32_t *stamp, uint32_t *slots, uint32_t max);

bool hashes_has(const struct hashes *h, uint64_t hash);
/* Adds a hash, or raises its stamp. False where the set was full: a sixteenth of it, what has the
 * least stamps, had to go. */
bool hashes_put(struct hashes *h, uint64_t hash, uint32_t stamp);
/* Forgets all with a lower stamp. */
void hashes_drop_below(struct hashes *h, uint32_t stamp);

#endif
