#ifndef CMD_SERVICE_TEXT_H
#define CMD_SERVICE_TEXT_H
/* The texts of the `service` command. */

#include "base/span.h"

struct service;

/* As it is inside, with nothing filled in; p NULL where there is none. */
struct span service_text_find(struct span name);

/* What `service NAME` prints, valid until the next call; p NULL, told on stderr, exit code
 * EX_USAGE: there is no such text, or a fact that it asks for has characters that mean something to
 * shells, YAML or systemd. */
struct span service_text_make(const struct service *s, struct span name);

#endif
