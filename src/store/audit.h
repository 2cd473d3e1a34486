#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H
/* The audit event: one file a proposal, whose name follows from the action, so that writing it
 * twice is harmless. Layout and name: CONTRACTS, "Audit event out". */

#include <stdbool.h>
#include <stdint.h>

struct tree;

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

/* Durable when it returns 0 (also where the file was there already); -1 with errno. */
int audit_put(const struct tree *tree, const struct audit *audit);

#endif
