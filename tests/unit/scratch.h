#ifndef SCRATCH_H
#define SCRATCH_H
/* A runtime tree of a test's own, in a new directory under $TMPDIR or /tmp. Everything here fails
 * the program where it does not succeed. Paths are relative to the tree. */

#include "store/tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

void scratch_open(struct tree *tree);
/* Removes it with all that is in it. */
void scratch_close(struct tree *tree);

/* The whole path, in static memory until the next call but three. */
const char *scratch_path(const struct tree *tree, const char *path);
/* mkdir -p, 0755. */
void scratch_dirs(const struct tree *tree, const char *path);
/* Writes a file anew, with its directories. */
void scratch_put(const struct tree *tree, const char *path, const char *text);
void scratch_put_bytes(const struct tree *tree, const char *path, const void *data, size_t n);
/* A file's content and a NUL, in static memory until the next call; NULL where there is none. */
const char *scratch_get(const struct tree *tree, const char *path);
bool scratch_has(const struct tree *tree, const char *path);
/* The entries of a directory, dot files too; 0 where it is absent. */
int scratch_count(const struct tree *tree, const char *path);
/* Permission bits, of a symlink's own. */
mode_t scratch_mode(const struct tree *tree, const char *path);

/* Runs body in a child, as an ordinary user (nobody, where we are root); its result, 0 to 255. */
int scratch_as_user(int (*body)(const struct tree *tree), const struct tree *tree);
/* Runs body in a child of our own rights. */
int scratch_in_child(int (*body)(const struct tree *tree), const struct tree *tree);

#endif
