#ifndef PLANNER_OPS_H
#define PLANNER_OPS_H
/* What the planner is told (settings) and how it reaches the world (ops): so that its whole story
 * runs in a test with a fake chain, a fake store and a fake clock. */

#include "base/clock.h"
#include "base/file.h"
#include "llm/llm.h"
#include "planner/alias.h"
#include "planner/outcome.h"
#include "planner/policy.h"
#include "store/actions.h"
#include "store/audit.h"
#include "store/world.h"

struct planner_settings {
    const char *node_name;
    struct span watch_nodes;
    struct policy_settings policy;
    const struct aliases *aliases;
    struct span topology; /* of the home lab, for the prompt; empty = our own words */
    int64_t cooldown_ms;
    int64_t repropose_ms;
    int64_t deadline_ms;
    unsigned concurrency; /* 1 to ASKS_MAX */
    bool once;            /* every event gets one try; nothing is waited for */
};

/* What a planner that shares its bus with others is told when it claims a fault. */
enum claim_view {
    CLAIM_OURS,
    CLAIM_ALONE, /* the bus was lost: the local cooldown alone decides */
    CLAIM_TAKEN, /* another planner is at it: look again in wait_ms */
    CLAIM_DONE,  /* another planner has decided it lately */
    CLAIM_SEEN,  /* another planner has handled this very event, by its identity */
};

struct claim_answer {
    enum claim_view view;
    int64_t wait_ms;   /* CLAIM_TAKEN, at least 1 */
    int64_t lasts_ms;  /* CLAIM_OURS: no other planner gets it before */
    const char *owner; /* a node's name; "" = not known */
};

enum claim_end {
    CLAIM_RENEW,  /* the work goes on */
    CLAIM_DROP,   /* nothing was decided */
    CLAIM_DECIDED /* a cooldown begins */
};

struct planner_ops {
    /* Is there room for what an answer will become? Asked before a model is. 0, or errno. */
    int (*writable)(void *ctx);
    void (*world)(void *ctx, const struct event *event, struct world_facts *facts);
    /* Asks the chain; the answer comes by planner_answered(), never from inside. 0 or -1. */
    int (*ask)(void *ctx, unsigned slot, const struct llm_request *request);
    /* Claims the event's key on the bus; the answer comes by planner_claimed(), never from inside.
     * 0, or -1: there is no bus now, and the local cooldown alone decides. */
    int (*claim)(void *ctx, unsigned slot, const struct event *event);
    /* Takes a claim or question back that waits for its answer. */
    void (*cancel)(void *ctx, unsigned slot);
    /* What became of a claim that was ours; identities (of the events that it stood for) belong to
     * CLAIM_DECIDED, which may also come without a claim. */
    void (*claim_ended)(void *ctx, const struct event *event, enum claim_end end,
                        const uint64_t *identities, size_t count);
    unsigned (*present)(void *ctx, enum action_place place, const char *const *ids,
                        size_t count); /* actions_present() */
    enum action_look (*look)(void *ctx, enum action_place place, const char *id,
                             struct action_facts *facts);
    enum file_result (*propose)(void *ctx, const char *id, struct span body);
    int (*settle)(void *ctx);                           /* actions_settle() */
    int (*audit)(void *ctx, const struct audit *audit); /* durable; 0 or -1 */
    void (*finished)(void *ctx, uint64_t ref);          /* the source may forget the event */
    void (*decided)(void *ctx, const struct decision *decision);
};

#endif
