#ifndef BASE_GLOB_H
#define BASE_GLOB_H
/* Shell patterns with * and ?, without regard to ASCII case. Linear in memory, never exponential
 * in time (a failed * goes back to the last one only). */

#include "base/span.h"

bool glob_match(struct span pattern, struct span text);

/* Does any pattern of a comma list (spaces around each ignored) match? An empty list: no. */
bool glob_list_match(struct span list, struct span text);

#endif
