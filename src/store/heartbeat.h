#ifndef STORE_HEARTBEAT_H
#define STORE_HEARTBEAT_H
/* state/planner-agent.heartbeat: its mtime is the last turn of the main loop. Mode 0644. */

#include <stdint.h>

struct tree;

/* Sets the mtime to now; makes the file where it is missing. No data is written. 0, or -1 errno. */
int heartbeat_beat(const struct tree *tree);

/* Makes the file where it is missing, as if it were of 1970: it has not beaten yet. 0, or -1 with
 * errno. */
int heartbeat_make(const struct tree *tree);

/* Its mtime, milliseconds since 1970; -1 with errno. */
int64_t heartbeat_last(const struct tree *tree);

#endif
