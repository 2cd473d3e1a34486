#ifndef DAEMON_NAMED_FILE_H
#define DAEMON_NAMED_FILE_H
/* Files that the configuration names: the env-file, keys, texts. Unlike what lies in the tree they
 * may be reached through symlinks, as secrets often are; /dev/null is how people say: none. */

#include "base/file.h"

/* Reads up to cap bytes, all of the file; *st as of the read (zeroed for /dev/null). */
enum file_result named_file_read(const char *path, char *text, size_t cap, size_t *n,
                                 struct stat *st);

/* Where path leads, through all links; NULL with errno. Stands until the next call, or read. */
const char *named_file_resolve(const char *path);

/* May anybody use it? Its group is as the operator wants it. */
bool named_file_is_open(const struct stat *st);

#endif
