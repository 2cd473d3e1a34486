#ifndef LLM_CHAIN_H
#define LLM_CHAIN_H
/* LLM_CHAIN: a comma list of provider[/model][@seconds]. A model's name may hold ':' and '/'. */

#include "llm/hop.h"

/* What hops need that the chain's text does not say. Hops point into it: it outlives the router's
 * use of the chain. */
struct chain_settings {
    struct llm_server ollama;
    struct llm_server anthropic; /* key "" = no such hop */
    struct llm_server openai;    /* host "" = no such hop */
    const char *ollama_model;    /* of a hop that names none */
    bool local_only;             /* hops that are not local are left out */
};

struct chain {
    unsigned count;
    struct router_hop hops[CHAIN_HOPS_MAX];
};

#define CHAIN_WHY_MAX 128

/* 0, or -1 and a reason in why (CHAIN_WHY_MAX bytes). A hop that is no mistake but cannot be asked
 * (no key, no base, LOCAL_ONLY) is left out, and told where skipped is not NULL; none at all may be
 * left. No label is there twice. */
int chain_parse(struct chain *out, struct span text, const struct chain_settings *settings,
                void (*skipped)(const char *label, const char *reason), char *why);

#endif
