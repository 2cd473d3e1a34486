#ifndef PLANNER_PLANNER_H
#define PLANNER_PLANNER_H
/* The story of the program: what happens to an event, from its bytes to its end. Decisions only:
 * the world is reached through struct planner_ops, time is an argument. */

#include "planner/arrival.h"
#include "planner/cooldown.h"
#include "planner/deployment.h"
#include "planner/ops.h"
#include "planner/prompt.h"
#include "planner/queue.h"
#include "planner/recovery.h"
#include "planner/seen.h"

struct planner_slot {
    struct work *work; /* NULL = free; its event is in queue.begun */
    int64_t claim_ms;  /* boot clock: a claim of ours lasts until then, at least */
    struct llm_request request;
    struct llm_message message; /* in prompt and masked */
    struct proposal proposal;
    unsigned policy;
    char model[LLM_MODEL_MAX + 1];
    struct llm_answer answer;
    uint64_t answer_number; /* of the answer, of all that came; 0 = none did */
    bool tried;             /* a write failed: how far it came must be looked up */
    char prompt[PROMPT_USER_MAX];
    char masked[PROMPT_MASKED_MAX];
};

struct planner {
    struct planner_settings settings;
    const struct planner_ops *ops;
    void *ctx;
    struct cooldowns cooldowns;
    struct recoveries recoveries;
    struct deployments deployments;
    struct seen seen;
    struct queue queue;
    struct planner_slot slots[ASKS_MAX];
    int64_t write_blocked_until_ms; /* boot clock; nothing is asked while writing fails */
    uint64_t jitter;                /* state of the generator */
    uint64_t answers;               /* that came from the chain */
    uint64_t counts[OUTCOMES];
    uint64_t refused[EVENT_ERRORS];
    char body[ACTION_BYTES_MAX]; /* the action file being made */
    struct prompt_system system;
};

/* All memory is in *p (static, zeroed). seed: any number, for jitter. */
void planner_init(struct planner *p, const struct planner_settings *settings,
                  const struct planner_ops *ops, void *ctx, uint64_t seed);
/* What the chain has is to be asked anew afterwards. */
void planner_configure(struct planner *p, const struct planner_settings *settings);

enum planner_took planner_event(struct planner *p, struct span bytes, const struct arrival *arrival,
                                struct now now);

/* Does what is due: releases holds, writes what could not be written, asks the chain for what is
 * queued (not while backlog says that older events are still being read). The boot-clock time of
 * the next thing to do, or -1 for none. */
int64_t planner_turn(struct planner *p, struct now now, bool backlog);

void planner_answered(struct planner *p, unsigned slot, const struct llm_answer *answer,
                      struct now now);

/* The answer to ops->claim(). */
void planner_claimed(struct planner *p, unsigned slot, const struct claim_answer *answer,
                     struct now now);

/* The end: what is with the bus or the chain is taken back, so that no claim outlives us. */
void planner_stop(struct planner *p);

/* Is there anything that planner_turn() or an answer would go on with? (--once ends where not.) */
bool planner_busy(const struct planner *p);

#endif
