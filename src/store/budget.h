#ifndef STORE_BUDGET_H
#define STORE_BUDGET_H
/* Paid calls of a UTC day, counted on disk before each of them is made, so that a crash loop cannot
 * spend. All processes of a tree share the count. */

#include <stdint.h>

struct tree;

enum budget_result {
    BUDGET_TAKEN, /* counted, durable: the call may be made */
    BUDGET_SPENT,
    BUDGET_FAULT, /* it could not be counted; errno */
};

/* Counts one call where fewer than limit were made today. Their number in *made. A count that
 * cannot be read back counts as spent for the day; a clock that was set back ends no day. */
enum budget_result budget_take(const struct tree *tree, int64_t limit, int64_t wall_ms,
                               int64_t *made);

/* Calls counted on this day; -1 where that is not known. */
int64_t budget_made(const struct tree *tree, int64_t wall_ms);

#endif
