#include "base/hash.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

struct key {
    uint64_t k0, k1;
};

struct state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static uint64_t load(const unsigned char *p, size_t n)
{
    uint64_t x = 0;

    for (size_t i = 0; i < n; i++)
        x |= (uint64_t)p[i] << (8 * i);
    return x;
}

static void rounds(struct state *s, int count)
{
    for (int i = 0; i < count; i++) {
        s->v0 += s->v1;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v0 = rotate(s->v0, 32);
        s->v2 += s->v3;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 += s->v3;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v2 += s->v1;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v2 = rotate(s->v2, 32);
    }
}

static void take(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    rounds(s, 2);
    s->v0 ^= word;
}

static uint64_t siphash(struct key key, const unsigned char *p, size_t n)
{
    struct state s = {
        .v0 = key.k0 ^ UINT64_C(0x736f6d6570736575),
        .v1 = key.k1 ^ UINT64_C(0x646f72616e646f6d),
        .v2 = key.k0 ^ UINT64_C(0x6c7967656e657261),
        .v3 = key.k1 ^ UINT64_C(0x7465646279746573),
    };
    uint64_t length = (uint64_t)n << 56;

    for (; n >= 8; p += 8, n -= 8)
        take(&s, load(p, 8));
    take(&s, length | load(p, n));
    s.v2 ^= 0xff;
    rounds(&s, 4);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* The kernel's random bytes for this process stand in where getrandom(2) is missing or denied. */
static void fill_random(void *to, size_t n)
{
    ssize_t got;

    do
        got = getrandom(to, n, 0);
    while (got < 0 && errno == EINTR);
    if (got == (ssize_t)n)
        return;
    unsigned long address = getauxval(AT_RANDOM);
    const void *seed;
    _Static_assert(sizeof(seed) == sizeof(address), "an address");
    memcpy(&seed, &address, sizeof(seed));
    if (seed != NULL)
        memcpy(to, seed, n);
}

uint64_t hash_span(struct span s)
{
    static struct key key;
    static bool have_key;

    _Static_assert(sizeof(key) == 16, "the size of AT_RANDOM");
    if (!have_key) {
        fill_random(&key, sizeof(key));
        have_key = true;
    }
    return siphash(key, (const unsigned char *)s.p, s.n);
}

uint64_t hash_fixed(const void *data, size_t n)
{
    /* The key of the algorithm's published test vectors: bytes 0 to 15. */
    static const struct key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

    return siphash(key, data, n);
}
