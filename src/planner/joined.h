#ifndef PLANNER_JOINED_H
#define PLANNER_JOINED_H
/* What events that stand for each other have in common. One of them leads, the others were ended
 * with a count: what ends the leader early must be an end of all of them, or they would be lost. */

#include "planner/event.h"

struct joined {
    uint32_t count;    /* events beside the leader */
    int64_t oldest_ms; /* times, the leader's too */
    int64_t newest_ms;
    bool mixed; /* they have different sources, or some are node_offline: one recovery is not theirs
                 */
    uint32_t identity_count;
    uint64_t identities[WORK_IDENTITIES_MAX]; /* the leader's, and of who joined last */
};

/* The leader alone. */
void joined_start(struct joined *j, const struct event *leader);
/* One more, beside leader or in its place. */
void joined_add(struct joined *j, const struct event *leader, const struct event *event);
/* All of another piece, its leader not counted. */
void joined_merge(struct joined *j, const struct event *leader, const struct joined *from);
/* Is this very event one of them? */
bool joined_has(const struct joined *j, const struct event *event);

bool joined_is_node_offline(const struct event *event);

#endif
