#ifndef SOURCE_REPLAY_H
#define SOURCE_REPLAY_H
/* See files_replay() in source/files.h. */

struct files_ops;

int replay_path(const char *path, const struct files_ops *ops, void *ctx);

#endif
