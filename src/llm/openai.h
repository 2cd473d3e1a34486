#ifndef LLM_OPENAI_H
#define LLM_OPENAI_H
/* Chat completions as OpenAI has them: llama.cpp, vLLM, LM Studio and many more. */

#include "llm/exchange.h"

extern const struct llm_provider openai_provider;

/* The first step of a call with this purpose; NULL where there is none. */
const struct exchange *openai_step(enum llm_purpose purpose);

#endif
