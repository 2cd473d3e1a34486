#ifndef STORE_STATUS_H
#define STORE_STATUS_H
/* state/planner-agent/status.json, for the status command. It is overwritten in place, in a file
 * of fixed size made at start: a full disk must not keep the fault from being seen. */

#include "base/span.h"

struct tree;

#define STATUS_SIZE 32768 /* bytes of the file; the rest is spaces */

/* 0, or -1 with errno (EFBIG where object is longer than STATUS_SIZE). Not synced: it is news. */
int status_write(const struct tree *tree, struct span object);

/* Reads it whole into data (STATUS_SIZE bytes), trying again while a write is under way.
 * 0 and *object, or -1 with errno (EBADMSG: no valid JSON in it). */
int status_read(const struct tree *tree, char data[STATUS_SIZE], struct span *object);

#endif
