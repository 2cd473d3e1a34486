#ifndef PLANNER_JOINED_H
#define PLANNER_JOINED_H
/* What events that stand for each other have in common. One of them leads, the others were ended
 * with a count: what ends the leader early must be an end of all of them, or they would be lost. */

#include "planner/event.h"

struct joined {
    int64_t oldest_ms; /* times, the leader's too */
    int64_t newest_ms;
    uint64_t *identities; /* the leader's, and of who joined last; room for WORK_IDENTITIES_MAX */
    uint32_t count;       /* events beside the leader */
    uint8_t identity_count;
    bool mixed; /* they have different sources, or some are node_offline: one recovery is not theirs
                 */
};

/* The leader alone; room stays the owner's. */
void joined_start(struct joined *j, uint64_t room[WORK_IDENTITIES_MAX], const struct event *leader);
/* The same events, in *to's own room, which it has. */
void joined_copy(struct joined *to, const struct joined *from);
/* One more, beside leader or in its place. */
void joined_add(struct joined *j, const struct event *leader, const struct event *event);
/* All of another piece, its leader not counted. */
void joined_merge(struct joined *j, const struct event *leader, const struct joined *from);
/* Is this very event one of them? */
bool joined_has(const struct joined *j, const struct event *event);

bool joined_is_node_offline(const struct event *event);

#endif
