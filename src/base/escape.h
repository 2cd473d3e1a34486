#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H
/* Text from outside, made fit for a person's terminal. */

#include "base/buf.h"

/* Appends s with control, bidirectional and zero-width characters as \n \r \t, \x1b or \u202e,
 * a backslash as it is, and bytes that are not UTF-8 as \xff. */
void escape_text(struct buf *b, struct span s);

#endif
