#ifndef RIG_H
#define RIG_H
/* Stands in for loop/loop.c. A router on a loop that stands still until it is told, with providers
 * that answer when they are told. What they and the asker see is written down in rig_trace(). */

#include "llm/router.h"

#include "llm/chain.h"

#define RIG_T0 INT64_C(5000000)
#define RIG_GOOD "{\"good\":true}"

/* Servers: who is asked by HTTP has one. */
extern const struct llm_server rig_server;

/* Ends when it is told; "slow_warm" knows of cold models. */
extern const struct llm_provider rig_slow;
extern const struct llm_provider rig_slow_warm;
/* Ends at once, as rig.quick says, and for other purposes as rig.quick_look and quick_warm. */
extern const struct llm_provider rig_quick;
extern const struct llm_provider rig_quick_warm;

struct rig {
    struct loop loop;
    bool no_timers; /* loop_timer_set() fails */
    struct router router;
    struct chain chain;
    struct llm_request request;
    struct llm_call quick;       /* outcome, again, again_ms, status and text of the quick one */
    enum llm_outcome quick_look; /* the model is not resident */
    enum llm_outcome quick_warm;
    enum router_pay pay;
    bool ask_again; /* the next answer's callback asks its slot again */
    bool cancels;   /* the next answer's callback cancels slot 1 */
    struct llm_answer answer;
    char object[PROPOSAL_BYTES_MAX];
    unsigned slot;
    unsigned answers;
};
extern struct rig rig;

/* A new router without a chain, and a request that takes RIG_GOOD. A cmocka set-up. */
int rig_open(void **state);
int rig_close(void **state);

/* Adds a hop to rig.chain, labelled with the model's name alone. */
struct router_hop *rig_hop(const struct llm_provider *provider, const char *model, int64_t limit_ms,
                           bool cloud);
/* Gives it to the router; cold_ms as there. */
void rig_set_chain(int64_t cold_ms);
void rig_ask(unsigned slot);

/* Turns at this time after RIG_T0 until nothing is due. */
void rig_at(int64_t ms);
/* Only what is due when the turn begins. */
void rig_one_turn(int64_t ms);

/* Ends the call of this purpose to this model that is under way, without a turn. */
void rig_end(const char *model, enum llm_purpose purpose, enum llm_outcome outcome,
             const char *text);
struct llm_call *rig_call(const char *model, enum llm_purpose purpose);
/* A question's call failed so. */
void rig_fault(const char *model, enum llm_outcome outcome, enum llm_again again, int64_t again_ms);
/* A question's call ran into its limit, at a server that was reached. */
void rig_timeout(const char *model);
void rig_resident(const char *model, bool resident);

/* "pay ask:m look:m warm:m cancel:m answer:3": since the last look. */
const char *rig_trace(void);
/* Lines of the log since the set-up that hold both texts. */
unsigned rig_logged(const char *a, const char *b);

/* The last answer's attempts as "m success, n timeout". */
const char *rig_attempts(void);

#endif
