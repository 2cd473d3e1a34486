#ifndef PLANNER_ARRIVAL_H
#define PLANNER_ARRIVAL_H
/* An event on its way in: where it came from, and what its source is told of it. */

#include "base/span.h"
#include "planner/handles.h"

struct arrival {
    struct span origin; /* names it in logs and, where it has no id, its correlation */
    int64_t wall_ms;
    int64_t boot_ms;
    int64_t floor_ms; /* pass over what is dated before this (wall clock); 0 = nothing */
    uint64_t ref;     /* the source's handle; NO_REF: cannot be read again */
    bool holds;       /* it stays unfinished until its key is, also where it joins another's work */
    bool complete;    /* nothing will be added to these bytes */
};

enum planner_took {
    PLANNER_ENDED,   /* whatever became of it, it is over */
    PLANNER_KEEPS,   /* unfinished until ops->finished(ref) */
    PLANNER_NO_SLOT, /* read it again when there is room (never with NO_REF) */
    PLANNER_UNSURE,  /* not JSON, but perhaps it is still being written (never where complete) */
};

#endif
