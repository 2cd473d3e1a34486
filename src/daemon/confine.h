#ifndef DAEMON_CONFINE_H
#define DAEMON_CONFINE_H
/* What the running planner may still do once it has started: so that a planner that was taken over
 * cannot approve what it proposes. For good, and for its children; as far as the kernel has it.
 *
 * Landlock lets it write beneath actions/pending, events and state/planner-agent (the heartbeat is
 * touched, which is no write), read there and beneath actions, world and the directories of what it
 * was configured to read, and connect to the TCP ports of its servers. What was opened before stays
 * open. A rule is about a directory, not about its name: a directory that was removed or replaced
 * takes a new start. System calls: confine_filter.h. Beside these no_new_privs is set, and root
 * keeps only its capabilities over files. */

#include <stdbool.h>

struct config;
struct daemon;
struct json_write;
struct models;
struct tree;

/* The tree is prepared, chain and bus are set up. Says in one line of the log what is in force. */
void confine_enter(const struct daemon *d);

/* Would this configuration (models: its chain) ask a server that is out of reach? */
bool confine_blocks(const struct config *config, const struct models *models);
/* Is the file refused although its mode and owner would allow to read it? */
bool confine_hides(const char *path);
#define CONFINE_HIDES "the confinement of this run does not reach there: restart"

/* Has a directory of the tree come, or been replaced, so that only a new start reaches it? Asked
 * where something has failed. */
bool confine_is_outdated(const struct tree *tree);
/* The same of world/, which another program makes. */
bool confine_misses_world(const struct tree *tree);

/* The member "confinement" of the status. */
void confine_report(struct json_write *w);

/* What the kernel offers: Landlock's ABI, or -1 with errno. */
int confine_landlock(void);

#endif
