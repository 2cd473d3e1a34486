#include "planner/joined.h"

#include <string.h>

bool joined_is_node_offline(const struct event *event)
{
    return strcmp(event->type, "node_offline") == 0;
}

static bool has_identity(const struct joined *j, uint64_t identity)
{
    for (uint32_t i = 0; i < j->identity_count; i++)
        if (j->identities[i] == identity)
            return true;
    return false;
}

/* In the place of the oldest but the leader's, where there is no room. */
static void add_identity(struct joined *j, uint64_t leader, uint64_t identity)
{
    if (identity == 0 || has_identity(j, identity))
        return;
    if (j->identity_count == WORK_IDENTITIES_MAX) {
        uint32_t first = j->identities[0] == leader;
        j->identity_count--;
        memmove(&j->identities[first], &j->identities[first + 1],
                (j->identity_count - first) * sizeof(j->identities[0]));
    }
    j->identities[j->identity_count++] = identity;
}

void joined_start(struct joined *j, uint64_t room[WORK_IDENTITIES_MAX], const struct event *leader)
{
    *j =
        (struct joined){.oldest_ms = leader->at_ms, .newest_ms = leader->at_ms, .identities = room};
    add_identity(j, leader->identity, leader->identity);
}

void joined_copy(struct joined *to, const struct joined *from)
{
    uint64_t *room = to->identities;

    memmove(room, from->identities, from->identity_count * sizeof(*room));
    *to = *from;
    to->identities = room;
}

static void reach(struct joined *j, int64_t oldest_ms, int64_t newest_ms)
{
    if (oldest_ms < j->oldest_ms)
        j->oldest_ms = oldest_ms;
    if (newest_ms > j->newest_ms)
        j->newest_ms = newest_ms;
}

void joined_add(struct joined *j, const struct event *leader, const struct event *event)
{
    j->count++;
    reach(j, event->at_ms, event->at_ms);
    if (strcmp(event->source, leader->source) != 0 ||
        joined_is_node_offline(event) != joined_is_node_offline(leader))
        j->mixed = true;
    add_identity(j, leader->identity, event->identity);
}

void joined_merge(struct joined *j, const struct event *leader, const struct joined *from)
{
    for (uint32_t i = 0; i < from->identity_count; i++)
        add_identity(j, leader->identity, from->identities[i]);
    j->count += from->count;
    j->mixed |= from->mixed;
    reach(j, from->oldest_ms, from->newest_ms);
}

bool joined_has(const struct joined *j, const struct event *event)
{
    return has_identity(j, event->identity); /* 0 is never there */
}
