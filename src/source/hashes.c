#include "source/hashes.h"

#include <string.h>

#define SLOTS_LEAST 64

/* The index over the entries that there are, with its least size for one more. */
static void rebuild(struct hashes *h)
{
    uint32_t size = SLOTS_LEAST;

    while (size < 2 * (h->count + 1) && size < 2 * h->max)
        size *= 2;
    memset(h->slots, 0, size * sizeof(h->slots[0]));
    h->mask = size - 1;
    for (uint32_t i = 0; i < h->count; i++) {
        uint32_t at = (uint32_t)h->hash[i] & h->mask;
        while (h->slots[at] != 0)
            at = (at + 1) & h->mask;
        h->slots[at] = i + 1;
    }
}

void hashes_init(struct hashes *h, uint64_t *hash, uint32_t *stamp, uint32_t *slots, uint32_t max)
{
    *h = (struct hashes){.hash = hash, .stamp = stamp, .slots = slots, .max = max};
    rebuild(h);
}

/* The slot of the hash, or the empty one where it would be. */
static uint32_t slot_of(const struct hashes *h, uint64_t hash)
{
    uint32_t at = (uint32_t)hash & h->mask;

    while (h->slots[at] != 0 && h->hash[h->slots[at] - 1] != hash)
        at = (at + 1) & h->mask;
    return at;
}

bool hashes_has(const struct hashes *h, uint64_t hash)
{
    return h->slots[slot_of(h, hash)] != 0;
}

/* ---- Making room ---- */

static void swap(struct hashes *h, uint32_t a, uint32_t b)
{
    uint64_t hash = h->hash[a];
    uint32_t stamp = h->stamp[a];

    h->hash[a] = h->hash[b];
    h->stamp[a] = h->stamp[b];
    h->hash[b] = hash;
    h->stamp[b] = stamp;
}

/* Thousands may share a stamp: the hash then says, always in the same way, which of them goes, so
 * that what is read again does not push out what is read next. */
static bool outlives(const struct hashes *h, uint32_t a, uint64_t hash, uint32_t stamp)
{
    return h->stamp[a] != stamp ? h->stamp[a] > stamp : h->hash[a] > hash;
}

/* Hoare's selection: the keep entries that outlive the others come to the front. */
static void select_front(struct hashes *h, uint32_t keep)
{
    uint32_t low = 0;
    uint32_t high = h->count;

    while (high - low > 1) {
        uint32_t front = low;
        swap(h, low + (high - low) / 2, high - 1);
        uint64_t hash = h->hash[high - 1];
        uint32_t stamp = h->stamp[high - 1];
        for (uint32_t i = low; i < high - 1; i++)
            if (outlives(h, i, hash, stamp))
                swap(h, i, front++);
        swap(h, front, high - 1);
        if (front == keep)
            return;
        if (front < keep)
            low = front + 1;
        else
            high = front;
    }
}

bool hashes_put(struct hashes *h, uint64_t hash, uint32_t stamp)
{
    uint32_t at = slot_of(h, hash);
    bool room = true;

    if (h->slots[at] != 0) {
        uint32_t entry = h->slots[at] - 1;
        if (h->stamp[entry] < stamp)
            h->stamp[entry] = stamp;
        return true;
    }
    if (h->count == h->max) {
        uint32_t keep = h->max - h->max / 16;
        select_front(h, keep);
        h->count = keep;
        room = false;
    }
    h->hash[h->count] = hash;
    h->stamp[h->count] = stamp;
    h->count++;
    if (!room || 2 * h->count > h->mask + 1)
        rebuild(h);
    else
        h->slots[at] = h->count;
    return room;
}

void hashes_drop_below(struct hashes *h, uint32_t stamp)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < h->count; i++) {
        if (h->stamp[i] < stamp)
            continue;
        h->hash[kept] = h->hash[i];
        h->stamp[kept] = h->stamp[i];
        kept++;
    }
    if (kept == h->count)
        return;
    h->count = kept;
    rebuild(h);
}
