#ifndef DAEMON_BUS_H
#define DAEMON_BUS_H
/* Redis in the running planner: the connections, the two sources on them, the shared cooldown, and
 * what goes out. Without REDIS_URL (or with --offline) nothing of it is there, and every call here
 * does nothing. */

#include "base/json_write.h"
#include "planner/ops.h"

struct daemon;
struct url;

/* Reads REDIS_URL and the settings with it, loads the streams' last ids. 0, or -1 and what is wrong
 * in why (CONFIG_LINE_MAX bytes). Connects from the loop; the roots of SSL_CERT_FILE are loaded
 * before. */
int bus_open(struct daemon *d, char *why);
/* Says goodbye: what waits to be sent goes out, for BUS_FAREWELL_MS at most. The loop turns. */
void bus_farewell(struct daemon *d);
void bus_close(struct daemon *d);
/* A reload, after roots and chain: the times of claims, silence. (URL, streams and the node's name
 * count from the next start.) */
void bus_configure(struct daemon *d);
/* Once a turn of the loop. */
void bus_turn(void);

/* The server; NULL where there is no Redis. */
const struct url *bus_server(void);

/* Is there more to come before models are asked? At the start: until the first try to connect has
 * ended. --once: while there is anything to read, or to be acknowledged. */
bool bus_reading(const struct daemon *d);
/* --once: something of the streams has to wait. */
bool bus_unfinished(void);

/* For planner_ops. */
int bus_claim(unsigned slot, const struct event *event);
void bus_cancel(unsigned slot);
void bus_claim_ended(const struct event *event, enum claim_end end, const uint64_t *identities,
                     size_t count);
void bus_finished(uint32_t ref);

/* The chain was asked: llm_router_metrics. */
void bus_answered(const struct daemon *d, struct span context, const struct llm_answer *answer);
/* An action was written: ACTIONS_STREAM. */
void bus_action(const char *id, struct span body);

/* Has something changed that people should see in the status soon? */
bool bus_changed(void);
/* The member "redis" of the status: null where there is none. */
void bus_report(struct json_write *w, struct now now);
/* In a word: "off", "ready", or the state of a connection that is not. */
const char *bus_state(void);
/* Stream entries that are unfinished. */
uint32_t bus_held(void);

/* The state file "streams". found: it is to be saved soon, so that no entry is passed over. */
bool bus_state_changed(void);
bool bus_state_found(void);
int bus_state_save(const struct daemon *d); /* 0, or -1 with errno */

#endif
