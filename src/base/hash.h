#ifndef BASE_HASH_H
#define BASE_HASH_H
/* SipHash-2-4 (Aumasson, Bernstein, 2012), 64 bits: keys in our tables come from outside. */

#include "base/span.h"

#include <stdint.h>

/* Hash under the process's own random key (getrandom(2) at first use). Never saved. */
uint64_t hash_span(struct span s);

/* Hash under a fixed key: the same in every run, so it may be saved. */
uint64_t hash_fixed(const void *data, size_t n);

#endif
