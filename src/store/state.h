#ifndef STORE_STATE_H
#define STORE_STATE_H
/* Saved state, under state/planner-agent/: files of lines, one JSON object each, between a first
 * line that names kind and version and a last one that counts the lines. Mode 0600. */

#include "base/file.h"

struct tree;

struct state_out {
    struct file_out file;
    int dir;
    int64_t lines;
    char name[32];
};

/* name: plain letters, up to 31; it is the kind too. 0, or -1 with errno; after 0 state_save() must
 * follow. Errors of later lines stick until then. */
int state_begin(struct state_out *out, const struct tree *tree, const char *name);
/* A line with a newline in it, or over STATE_LINE_MAX bytes, is the error EINVAL. */
void state_line(struct state_out *out, struct span object);
/* Replaces the file, durable. 0, or -1 with errno; the old file stays then (or, where only the
 * directory could not be synced, the new one is there but may not survive a power cut). */
int state_save(struct state_out *out);

enum state_result {
    STATE_LOADED,
    STATE_ABSENT,
    STATE_DAMAGED, /* put aside as <name>.damaged; whatever each() took must be forgotten */
    STATE_FAULT,   /* errno */
};

/* Calls each for every line between the first and the last; each returns -1 where the line makes
 * no sense to it (the file counts as damaged then). A line has at most STATE_LINE_MAX bytes. */
enum state_result state_load(const struct tree *tree, const char *name,
                             int (*each)(void *arg, struct span object), void *arg);

#endif
