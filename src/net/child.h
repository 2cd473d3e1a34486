#ifndef NET_CHILD_H
#define NET_CHILD_H
/* A short-lived child process for a call that may block: it runs one function, whose answer comes
 * through a pipe, and ends.
 *
 * In the child no signal is blocked or ignored and nothing of ours is open but the pipe; it dies
 * with us, and when its seconds are over. It is never waited for: a killed process may take its
 * time to die where a disk hangs. */

#include "loop/loop.h"

#include <sys/types.h>

/* Runs body(arg, fd) in a child; what it writes to fd, up to PIPE_BUF bytes, can be read from *end
 * (non-blocking, the caller's to close). The child's number, or -1 with errno: EAGAIN where
 * CHILDREN_MAX of them run or are still dying. */
pid_t child_start(void (*body)(const void *arg, int fd), const void *arg, unsigned seconds,
                  int *end);

/* Kills the child, if it has not ended by itself, and reaps it: now, or soon from the loop. */
void child_end(struct loop *loop, pid_t pid);

#endif
