#ifndef SOURCE_PLACE_H
#define SOURCE_PLACE_H
/* Where a file lies below events/. Names in it are whatever bytes a file system allows. */

#include "base/buf.h"
#include "base/limits.h"
#include "base/timestamp.h"

struct place {
    char day[TIMESTAMP_DATE_SIZE];
    char node[FILE_NAME_MAX + 1]; /* "" = the day's directory */
    char name[FILE_NAME_MAX + 1]; /* "" = the directory */
};

/* All of "<day>/<node>/<name>", with no more than is there. */
#define PLACE_TEXT_SIZE (TIMESTAMP_DATE_SIZE + 2 * (FILE_NAME_MAX + 1) + 1)

/* 0, or -1 where a name is too long. */
int place_set(struct place *place, const char *day, const char *node, const char *name);
bool place_same_dir(const struct place *a, const struct place *b);

/* "<day>/<node>/<name>" as it is, without the parts that are "". */
void place_text(struct buf *out, const struct place *place);

/* The same as printable ASCII: other bytes, and '%', '"' and '\\', as %XX. */
void place_save(struct buf *out, const struct place *place);
/* Back again. 0, or -1 where text is no such place: its day does not exist, a name is ".", "..",
 * too long, or holds a slash or NUL. */
int place_load(struct place *place, struct span text);

#define PLACE_LIVE_LOG "events.jsonl"

/* Is this the name of an event file? */
bool place_is_event(const char *name);
/* Of a log of events, also a rotated one: events.jsonl, then '.' or '-' and digits. */
bool place_is_log(const char *name);
bool place_is_live_log(const char *name);

#endif
