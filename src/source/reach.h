#ifndef SOURCE_REACH_H
#define SOURCE_REACH_H
/* The way into events/, through no symlink below it. */

#include "source/place.h"
#include "source/progress.h"

#include <sys/stat.h>

struct feed;

/* Opens events/: a descriptor for tree_close(), or -1 with errno. */
int reach_root(struct feed *f);
/* The same for a directory in it. */
int reach_dir(struct feed *f, const struct place *place);

/* Does this errno say that there is no such thing, or not such a thing? */
bool reach_is_absence(int error);

/* Devices and files as they are saved: once events/ was opened. */
uint64_t reach_device(const struct feed *f, dev_t device);
struct progress_file reach_file(const struct feed *f, const struct stat *st);

#endif
