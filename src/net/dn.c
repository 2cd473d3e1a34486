#include "net/dn.h"

#include <string.h>

_Static_assert(sizeof(struct dn) <= sizeof(br_hash_compat_context), "BearSSL has room for it");

static bool is_mark(const struct dn *d, const unsigned char *p, size_t n)
{
    return !d->began && n == DN_MARK_BYTES && p[0] == 0;
}

static void hash_of(const struct dn *d, unsigned char hash[DN_HASH_BYTES])
{
    unsigned char whole[br_sha256_SIZE];

    if (d->is_mark) {
        memcpy(hash, d->hash, DN_HASH_BYTES);
        return;
    }
    br_sha256_out(&d->sha, whole);
    memcpy(hash, whole, DN_HASH_BYTES);
}

void dn_begin(struct dn *d)
{
    br_sha256_init(&d->sha);
    d->began = false;
    d->is_mark = false;
}

void dn_append(struct dn *d, const void *bytes, size_t n)
{
    br_sha256_update(&d->sha, bytes, n);
    d->began = true;
}

void dn_mark(const struct dn *d, unsigned char mark[DN_MARK_BYTES])
{
    mark[0] = 0;
    hash_of(d, mark + 1);
}

/* ---- As BearSSL calls it ---- */

static void begin(const br_hash_class **context)
{
    dn_begin((struct dn *)context);
}

static void append(const br_hash_class **context, const void *bytes, size_t n)
{
    struct dn *d = (struct dn *)context;

    if (is_mark(d, bytes, n)) {
        d->is_mark = true;
        memcpy(d->hash, (const unsigned char *)bytes + 1, DN_HASH_BYTES);
    }
    dn_append(d, bytes, n);
}

static void out(const br_hash_class *const *context, void *hash)
{
    hash_of((const struct dn *)context, hash);
}

const br_hash_class dn_class = {
    .context_size = sizeof(struct dn),
    .desc = BR_HASHDESC_OUT(DN_HASH_BYTES),
    .init = begin,
    .update = append,
    .out = out,
};
