#ifndef LLM_OLLAMA_H
#define LLM_OLLAMA_H
/* Ollama's own API (/api/chat and what goes with it), for models at home. */

#include "llm/exchange.h"

extern const struct llm_provider ollama_provider;

/* The first step of a call with this purpose. */
const struct exchange *ollama_step(enum llm_purpose purpose);

#endif
