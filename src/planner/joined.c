#include "planner/joined.h"

#include <string.h>

bool joined_is_node_offline(const struct event *event)
{
    return strcmp(event->type, "node_offline") == 0;
}

void joined_start(struct joined *j, const struct event *leader)
{
    *j = (struct joined){.oldest_ms = leader->at_ms, .newest_ms = leader->at_ms};
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
}

void joined_merge(struct joined *j, const struct joined *from)
{
    j->count += from->count;
    j->mixed |= from->mixed;
    reach(j, from->oldest_ms, from->newest_ms);
}
