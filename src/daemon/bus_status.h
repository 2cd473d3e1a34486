#ifndef DAEMON_BUS_STATUS_H
#define DAEMON_BUS_STATUS_H
/* What the bus tells of the planner and of itself: over Redis the hash planner:status:<node>, for
 * dashboards, and llm_router_metrics; in the status file the member "redis". */

#include "base/clock.h"
#include "base/json_write.h"
#include "llm/llm.h"

struct bus;
struct daemon;

/* Writes the hash, which lasts BUS_STATUS_TTL_MS. */
void bus_status_send(struct bus *b, const struct daemon *d, bool running);
/* Publishes what a question came to. Nobody waits for it. */
void bus_status_answered(struct bus *b, const struct daemon *d, struct span context,
                         const struct llm_answer *answer);

/* Who is there, what is silent, what was refused: people should not have to wait for its change. */
uint32_t bus_status_bits(const struct bus *b);
/* "off", "ready", or the state of a connection that is not. */
const char *bus_status_text(const struct bus *b);
void bus_status_report(const struct bus *b, struct json_write *w, struct now now);

#endif
