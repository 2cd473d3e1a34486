#ifndef CMD_COOLDOWN_LIST_H
#define CMD_COOLDOWN_LIST_H
/* The cooldowns that the planner saved, read beside it: unlike state_load() this changes nothing,
 * whatever the file holds. */

#include "planner/cooldown.h"

struct tree;

/* Fills *out with the entries whose time is not over; lines that make no sense are left out.
 * 0, or -1 with errno (ENOENT: none were saved yet). */
int cooldown_list_read(const struct tree *tree, int64_t length_ms, struct now now,
                       struct cooldowns *out);

#endif
