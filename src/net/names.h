#ifndef NET_NAMES_H
#define NET_NAMES_H
/* The last good addresses of RESOLVE_NAMES_MAX names; the least recently used one gives way.
 * Pure. */

#include "net/resolve.h"

/* Copies the addresses kept for host, the one that worked first. How many; 0 = it is not known.
 * *fresh: there is no need to ask now. */
unsigned names_find(const char *host, int64_t now_ms,
                    union resolve_address found[RESOLVE_ADDRESSES_MAX], bool *fresh);

/* A new answer of 1 to RESOLVE_ADDRESSES_MAX addresses: fresh for RESOLVE_FRESH_MS. */
void names_keep(const char *host, int64_t now_ms, const union resolve_address *found,
                unsigned count);
/* No answer: what is kept, if anything, serves for RESOLVE_RETRY_MS. */
void names_failed(const char *host, int64_t now_ms);
/* This address, whatever its port, goes first. */
void names_worked(const char *host, const union resolve_address *address);
void names_forget(void);

bool names_same_address(const union resolve_address *a, const union resolve_address *b);

#endif
