#include "planner/open.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* File systems and the planner may have clocks of their own, seconds. */
#define CLOCKS_APART_S 60

/* A plain and a hashed name for each kind of action. */
#define NAMES_MAX (2 * (PROPOSAL_NOTIFY + 1U))
_Static_assert(NAMES_MAX <= CHAR_BIT * sizeof(unsigned), "a bit for each");

struct look {
    const struct planner *planner;
    const struct event *event;
    int64_t now_s;
    struct open_actions *out;
};

static bool same_target(const struct action_facts *facts, const struct event *event)
{
    return strcmp(facts->node, event->node) == 0 && strcmp(facts->service, event->service) == 0;
}

/* An alert stands for its own type of event alone; a restart or redeploy for any. */
static bool same_fault(const struct action_facts *facts, const struct event *event)
{
    return strcmp(facts->type, action_type(PROPOSAL_NOTIFY)) != 0 ||
           strcmp(facts->event_type, event->type) == 0;
}

/* We wrote it for this very event, after it arrived. Correlation ids may be shared by events that
 * belong together, so that type and time have to be the same as well. */
static bool written_for(const struct action_facts *facts, const struct event *event)
{
    return facts->ours && event->arrived_ms / 1000 <= facts->created_at + CLOCKS_APART_S &&
           strcmp(facts->correlation_id, event->correlation_id) == 0 &&
           strcmp(facts->event_type, event->type) == 0 &&
           strcmp(facts->event_timestamp, event->timestamp) == 0;
}

/* A rejection holds for a while, unless things got worse. One from the future (the clock was set)
 * holds no longer than one made now. */
static bool rejected_lately(const struct look *look, const struct action_facts *facts)
{
    int64_t length_s = look->planner->settings.repropose_ms / 1000;
    int64_t age_s = look->now_s - facts->updated_at;
    if (age_s >= length_s || age_s <= -length_s)
        return false;
    return look->event->severity <= severity_of(span_of(facts->event_severity));
}

/* Looks at one name in one place. True where the question is answered. */
static bool look_at(struct look *look, enum action_place place, const char *id, bool *taken)
{
    const struct planner *p = look->planner;
    struct open_actions *out = look->out;
    switch (p->ops->look(p->ctx, place, id, &out->facts)) {
    case ACTION_ABSENT:
        return false;
    case ACTION_FAULT:
        if (place > ACTION_RUNNING)
            return false; /* it stands in nobody's way */
        /* One of this very name that we may not read is most likely this fault's. */
        out->view = errno == EACCES ? OPEN_ACTION : OPEN_FAULT;
        return true;
    case ACTION_FOREIGN:
        *taken = *taken || place <= ACTION_RUNNING;
        return false;
    case ACTION_FOUND:
        break;
    }
    if (!same_target(&out->facts, look->event) || !same_fault(&out->facts, look->event)) {
        *taken = *taken || place <= ACTION_RUNNING;
        return false;
    }
    if (written_for(&out->facts, look->event))
        out->view = OPEN_OWN;
    else if (place <= ACTION_RUNNING)
        out->view = OPEN_ACTION;
    else if (place == ACTION_REJECTED && rejected_lately(look, &out->facts))
        out->view = OPEN_REJECTED;
    return out->view != OPEN_NONE;
}

void open_look(struct open_actions *out, const struct planner *p, const struct event *event,
               bool ended, struct now now)
{
    struct look look = {p, event, now.wall_ms / 1000, out};
    struct action_names names[PROPOSAL_NOTIFY + 1];
    const char *ids[NAMES_MAX];
    bool *taken[NAMES_MAX];
    size_t count = 0;
    memset(out, 0, sizeof(*out));
    for (int action = PROPOSAL_RESTART; action <= PROPOSAL_NOTIFY; action++) {
        action_names(&names[action], (enum proposal_action)action, event);
        if (names[action].plain[0] != '\0') {
            ids[count] = names[action].plain;
            taken[count++] = &out->plain_taken[action];
        }
        ids[count] = names[action].hashed;
        taken[count++] = &out->hashed_taken[action];
    }
    /* Place by place, in the order in which actions move on: none slips past. */
    int places = ended ? ACTION_PLACES : ACTION_REJECTED + 1;
    for (int place = 0; place < places; place++) {
        unsigned present = p->ops->present(p->ctx, (enum action_place)place, ids, count);
        for (size_t i = 0; i < count; i++)
            if ((present >> i & 1) != 0 &&
                look_at(&look, (enum action_place)place, ids[i], taken[i]))
                return;
    }
}
