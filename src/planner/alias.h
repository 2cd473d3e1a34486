#ifndef PLANNER_ALIAS_H
#define PLANNER_ALIAS_H
/* NODE_ALIAS_MAP: other names of nodes. */

#include "base/limits.h"
#include "base/span.h"

#define ALIASES_MAX 64

struct aliases {
    unsigned count;
    struct {
        char alias[NAME_MAX_BYTES + 1];
        char node[NAME_MAX_BYTES + 1];
    } entry[ALIASES_MAX];
};

/* Reads a JSON object {"alias": "node", ...}. 0, or -1 and a reason in why (128 bytes);
 * *out is valid after 0 only. */
int alias_parse(struct aliases *out, struct span json, char *why);

/* The canonical name: a view of the table, or of node itself. Not followed twice.
 * aliases may be NULL: there are none. */
struct span alias_of(const struct aliases *aliases, struct span node);

#endif
