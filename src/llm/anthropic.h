#ifndef LLM_ANTHROPIC_H
#define LLM_ANTHROPIC_H
/* Anthropic's Messages API, with structured output. */

#include "llm/exchange.h"

extern const struct llm_provider anthropic_provider;

/* The first step of a call with this purpose; NULL where there is none. */
const struct exchange *anthropic_step(enum llm_purpose purpose);

#endif
