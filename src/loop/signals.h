#ifndef LOOP_SIGNALS_H
#define LOOP_SIGNALS_H
/* SIGTERM, SIGINT, SIGHUP, SIGUSR1 as a descriptor (signalfd(2)); SIGPIPE and SIGXFSZ ignored. */

#include "loop/loop.h"

struct signals {
    struct loop_watch watch;
    void (*arrived)(void *arg, int signal);
    void *arg;
};

/* Blocks the signals and starts watching. 0, or -1 with errno. */
int signals_open(struct signals *s, struct loop *loop, void (*arrived)(void *arg, int signal),
                 void *arg);
void signals_close(struct signals *s, struct loop *loop);

#endif
