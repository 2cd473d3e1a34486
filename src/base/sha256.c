#include "base/sha256.h"

#include "base/buf.h"

#include <bearssl.h>

_Static_assert(SHA256_BYTES == br_sha256_SIZE, "one digest size");

void sha256_parts(uint8_t out[SHA256_BYTES], const struct span *parts, size_t count)
{
    br_sha256_context context;

    br_sha256_init(&context);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            br_sha256_update(&context, "", 1);
        if (parts[i].n > 0)
            br_sha256_update(&context, parts[i].p, parts[i].n);
    }
    br_sha256_out(&context, out);
}

void sha256_hex(char *hex, size_t chars, const struct span *parts, size_t count)
{
    uint8_t digest[SHA256_BYTES];
    char all[SHA256_HEX_SIZE];
    struct buf b;

    sha256_parts(digest, parts, count);
    buf_init(&b, all, sizeof(all));
    buf_hex(&b, digest, sizeof(digest));
    struct span text = buf_view(&b);
    for (size_t i = 0; i < chars && i < text.n; i++)
        *hex++ = text.p[i];
    *hex = '\0';
}
