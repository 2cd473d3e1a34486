#ifndef CMD_PRETTY_H
#define CMD_PRETTY_H
/* JSON for people: indented, and with every character that could fool a terminal as an escape. The
 * values stay what they are. */

#include "base/span.h"

/* json must be valid. emit gets the text piece by piece. */
void pretty_json(struct span json, void (*emit)(void *arg, struct span piece), void *arg);

#endif
