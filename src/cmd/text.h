#ifndef CMD_TEXT_H
#define CMD_TEXT_H
/* The long texts inside: toolchain/texts packs the files of toolchain/texts.list. */

#include "base/span.h"

/* The text of that name, ours for good; p NULL where there is none. */
struct span text_of(struct span name);

/* Prints it to stdout as it is. */
void text_print(const char *name);

#endif
