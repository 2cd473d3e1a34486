#ifndef LLM_CHAIN_H
#define LLM_CHAIN_H
/* LLM_CHAIN: a comma list of provider[/model][@seconds]. A model's name may hold ':' and '/'. */

#include "llm/router.h"

struct chain {
    unsigned count;
    struct router_hop hops[CHAIN_HOPS_MAX];
};

#define CHAIN_WHY_MAX 128

/* 0, or -1 and a reason in why (CHAIN_WHY_MAX bytes). A hop that is no mistake but cannot be asked
 * by this program is left out (log line `hop_skipped`); none at all may be left. */
int chain_parse(struct chain *out, struct span text, char *why);

#endif
