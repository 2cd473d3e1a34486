#ifndef NET_REDIS_MEMORY_H
#define NET_REDIS_MEMORY_H
/* The memory that hiredis gets instead of malloc(3): REDIS_MEMORY_MAX bytes a connection, in blocks
 * of powers of two, taken off the arena's start and kept in lists when freed. An arena whose last
 * block was freed begins anew, so that no hostile pattern stays. Pages that were never needed are
 * never touched. */

#include "base/limits.h"

#include <stddef.h>

struct redis_memory;

/* One of REDIS_CONNECTIONS_MAX arenas, or NULL where all are taken; sets hiredis' allocators. */
struct redis_memory *redis_memory_take(void);
/* All that was allocated from it is freed by then. */
void redis_memory_give_back(struct redis_memory *memory);

/* From now on hiredis allocates from this one; NULL: from none. Returns the one before. (What it
 * frees or grows stays where it is.) */
struct redis_memory *redis_memory_use(struct redis_memory *memory);

#endif
