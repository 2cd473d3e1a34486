/* Comes before each file of hiredis in the binary: what it does not get of the C library, as nothing
 * here needs it, and it would be most of what hiredis costs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Its words for errors: net/redis_adapter has its own. */
#define snprintf(out, size, ...) (*(out) = '\0', 0)
#define strerror_r(error, out, size) (*(out) = '\0', 0)

/* The numbers of RESP3, which net/resp lets nobody send: no text is one. */
#define strtod(text, end) (*(end) = NULL, 0.0)

/* The heap: there is no allocator before net/redis_memory sets its own. */
#define malloc NULL
#define calloc NULL
#define realloc NULL
#define strdup NULL
#define free NULL
