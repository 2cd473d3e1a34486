#ifndef BASE_SHA256_H
#define BASE_SHA256_H
/* SHA-256 (FIPS 180-4), by BearSSL. */

#include "base/span.h"

#include <stdint.h>

#define SHA256_BYTES 32
#define SHA256_HEX_SIZE (2 * SHA256_BYTES + 1)

/* The digest of the parts, each but the last followed by one NUL byte. */
void sha256_parts(uint8_t out[SHA256_BYTES], const struct span *parts, size_t count);

/* The digest's first chars hexadecimal digits (at most 64) and a NUL to hex. */
void sha256_hex(char *hex, size_t chars, const struct span *parts, size_t count);

#endif
