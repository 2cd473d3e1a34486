#ifndef PLANNER_HANDLES_H
#define PLANNER_HANDLES_H
/* The sources' handles of unfinished events, in chains: one a piece of work. A handle that holds
 * stays in its chain until the work ends. One that does not ("loose": a file's) stays while it is
 * the only one that could bring the work back after a crash, or its event leads.
 *
 * 1. A handle is in one chain, or in none: whoever takes it out tells its source.
 * 2. Of a chain at most one handle is loose, and that is the first. */

#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

#define NO_REF UINT64_MAX

struct handles_entry {
    uint64_t ref;
    uint16_t next; /* the next one's number + 1; 0 = the last */
    bool holds;
};

/* All zero = none. */
struct handles {
    struct handles_entry entries[HELD_REFS_MAX];
    uint16_t used; /* entries that were ever in use: the memory of the others is not touched */
    uint16_t free; /* a chain */
};

struct handles_chain {
    uint16_t first; /* its number + 1; 0 = the chain is empty */
};

/* A chain of this handle alone. 0, or -1 where there is no room. */
int handles_start(struct handles *r, struct handles_chain *chain, uint64_t ref, bool holds);
bool handles_empty(const struct handles_chain *chain);
/* Takes out a handle, or only a loose one; NO_REF where there is none. */
uint64_t handles_take(struct handles *r, struct handles_chain *chain);
uint64_t handles_take_loose(struct handles *r, struct handles_chain *chain);
/* Moves handles from one chain to another: all of them where what they stand for leads (a loose one
 * of *chain was taken out before), else those that hold, and the loose one where *chain is empty.
 * What does not go over stays in *from. */
void handles_move(struct handles *r, struct handles_chain *chain, struct handles_chain *from,
                  bool leads);

#endif
