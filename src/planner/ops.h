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

struct planner_ops {
    /* Is there room for what an answer will become? Asked before a model is. 0, or errno. */
    int (*writable)(void *ctx);
    void (*world)(void *ctx, const struct event *event, struct world_facts *facts);
    /* Asks the chain; the answer comes by planner_answered(), never from inside. 0 or -1. */
    int (*ask)(void *ctx, unsigned slot, const struct llm_request *request);
    void (*cancel)(void *ctx, unsigned slot);
    unsigned (*present)(void *ctx, enum action_place place, const char *const *ids,
                        size_t count); /* actions_present() */
    enum action_look (*look)(void *ctx, enum action_place place, const char *id,
                             struct action_facts *facts);
    enum file_result (*propose)(void *ctx, const char *id, struct span body);
    int (*settle)(void *ctx);                           /* actions_settle() */
    int (*audit)(void *ctx, const struct audit *audit); /* durable; 0 or -1 */
    void (*finished)(void *ctx, uint32_t ref);          /* the source may forget the event */
    void (*decided)(void *ctx, const struct decision *decision);
};

#endif
