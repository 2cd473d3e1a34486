#ifndef SOURCE_FOLLOW_H
#define SOURCE_FOLLOW_H
/* Reads the logs (events.jsonl), each line an event. follow.c says how rotation is survived. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct feed;
struct feed_dir;
struct place;

/* A log, live or rotated, was found or has changed. */
void follow_found(struct feed *f, struct feed_dir *dir, const struct place *place,
                  const struct stat *st);
/* A directory was listed to its end: what was followed there and is gone is forgotten. */
void follow_listed(struct feed *f, const struct place *dir);

/* A scan begins (root: events/): looks at all logs that are followed; what was blocked may go on.
 */
void follow_check(struct feed *f, int root);
/* What was blocked may go on. */
void follow_unblock(struct feed *f);

/* Reads on, as far as the budget (lines) goes. */
void follow_slice(struct feed *f, unsigned *budget);
/* Is there something to read, and nothing in its way? */
bool follow_reading(const struct feed *f);
/* Is there a line that found no slot, or was not read yet? */
bool follow_unfinished(const struct feed *f);

/* Offers unfinished last lines that are due; all: whatever they are due. True where any was. */
bool follow_settle(struct feed *f, bool all);
/* Boot clock; INT64_MAX: nothing is. */
int64_t follow_settle_due(const struct feed *f);

#endif
