#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H
/* The audit event: one file a proposal, whose name follows from the action, so that writing it
 * twice is harmless: events/<UTC date of the action's created_at>/<node>/
 * evt-<node>-<created_at in ms>-<8 hex of SHA-256 of action_id, NUL, correlation_id>.json */

#include "store/actions.h"

struct audit {
    const char *node_name; /* whose planner this is; sanitized for the path, verbatim inside */
    int64_t created_at;    /* the action's, Unix seconds */
    const char *action_id;
    const char *correlation_id;
    const char *action; /* restart, redeploy, notify */
    const char *target_node;
    const char *target_service;
    const char *model;
    const char *confidence; /* a JSON number's text */
    bool requires_human;
};

/* Of an action that was read; node_name as in struct audit. It points into facts. */
static inline void audit_of(struct audit *out, const struct action_facts *facts,
                            const char *node_name)
{
    *out = (struct audit){
        .node_name = node_name,
        .created_at = facts->created_at,
        .action_id = facts->id,
        .correlation_id = facts->correlation_id,
        .action = facts->action,
        .target_node = facts->node,
        .target_service = facts->service,
        .model = facts->model,
        .confidence = facts->confidence,
        .requires_human = facts->requires_human,
    };
}

/* Durable when it returns 0 (also where the file was there already); -1 with errno. */
int audit_put(const struct tree *tree, const struct audit *audit);

/* A planner that is killed between an action and its audit event owes that: a message of which the
 * action was made does not come again. Writes what is missing of the actions that planner-agent
 * proposed, wherever they have gone since, created within AUDIT_MEND_S of last_s (Unix seconds: the
 * last sign of life of the planner before, by its clock; 0 or less: there was none, and nothing is
 * owed); of older ones somebody may have tidied it up. What stands under another node's name is not
 * missing: the tree may have been another planner's, or NODE_NAME another. Calls found for each of
 * these actions, whatever is missing of it. 0, or the errno of what could not be written, EAGAIN
 * where more than AUDITS_MENDED_MAX were missing; the rest is left for the next call then. */
int audit_mend(const struct tree *tree, const char *node_name, int64_t last_s,
               void (*found)(void *arg, const struct action_facts *facts), void *arg);

#endif
