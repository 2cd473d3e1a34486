#ifndef SOURCE_AGAIN_H
#define SOURCE_AGAIN_H
/* Unfinished events of an earlier run: they are read again, and offered as they were. */

#include <stdbool.h>

struct feed;

/* Offers what is in REF_AGAIN and does not wait, as far as the budget (events) goes. */
void again_slice(struct feed *f, unsigned *budget);
/* Is there any such? */
bool again_has(const struct feed *f);

#endif
