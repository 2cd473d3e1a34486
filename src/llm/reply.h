#ifndef LLM_REPLY_H
#define LLM_REPLY_H
/* The one JSON object in a model's text: bare, in a fenced block, or within prose. Pure, and linear
 * in the text's length.
 *
 * Prose is all that is outside of objects: fences, thoughts, brackets around them, braces that no
 * member's name follows. An object that is begun and is not JSON spoils the text, whatever comes
 * after it: nobody can tell which of the two was meant. */

#include "llm/llm.h"

/* LLM_SUCCESS and the object (a view of text: strict JSON, RFC 8259), LLM_REFUSAL where the text
 * outside the object holds one of the refusal patterns, LLM_INVALID_JSON where there is no object,
 * or more than one that is not the same. *why: plain words, where it is no success. */
enum llm_outcome reply_object(struct span text, struct span *object, const char **why);

/* For an answer that may be any text: LLM_SUCCESS, LLM_REFUSAL, or LLM_INVALID_JSON where it is
 * empty or not UTF-8. */
enum llm_outcome reply_text(struct span text, const char **why);

#endif
