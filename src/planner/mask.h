#ifndef PLANNER_MASK_H
#define PLANNER_MASK_H
/* What looks like a secret is taken out before anything leaves the home lab: bearer tokens, values
 * after key=, password=, token: and the like, values of members of such names, private keys, what
 * stands before the @ in URLs, and words that begin as well-known tokens do. Rather too much than
 * too little. Pure. */

#include "base/buf.h"

#define MASK_TEXT "[masked]"

/* Appends the text, masked. */
void mask_text(struct buf *out, struct span text);
/* Appends the JSON document, masked: still JSON, names and structure as they were. What is no JSON
 * fails out. Strings of up to MASK_STRING_MAX bytes; longer ones are masked whole. */
#define MASK_STRING_MAX 4096
void mask_json(struct buf *out, struct span json);

#endif
