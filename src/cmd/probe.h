#ifndef CMD_PROBE_H
#define CMD_PROBE_H
/* Is each hop of the chain alive, and does it have its model? Is Redis there? */

#include "base/buf.h"
#include "daemon/models.h"

/* Asks each hop that has a server, one after another, PROBE_LIMIT_MS each at most, and tells a line
 * of it: told() with the hop's label, whether it is well, and the rest of the line. -1 where the
 * loop does not turn (errno). */
int probe_hops(const struct models *models,
               void (*told)(const char *label, bool well, const char *detail));

/* Is Redis there, and does it take our log-in? told() gets a line of it. False where not. */
bool probe_redis(const struct config *config,
                 void (*told)(const char *label, bool well, const char *detail));

#endif
