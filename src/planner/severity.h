#ifndef PLANNER_SEVERITY_H
#define PLANNER_SEVERITY_H
/* How grave an event is, in order. */

#include "base/span.h"

enum severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_ERROR, SEVERITY_CRITICAL };

const char *severity_text(enum severity severity);

/* "error" to SEVERITY_ERROR, in any case, "warn" and "fatal" too; anything else to
 * SEVERITY_WARNING. */
enum severity severity_of(struct span text);

#endif
