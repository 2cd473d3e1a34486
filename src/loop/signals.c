#include "loop/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void ready(struct loop *loop, void *arg, short revents)
{
    struct signals *s = arg;
    struct signalfd_siginfo info;

    (void)loop;
    (void)revents;
    /* The owner may close us in its callback. */
    while (s->watch.fd >= 0 && read(s->watch.fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        s->arrived(s->arg, (int)info.ssi_signo);
}

int signals_open(struct signals *s, struct loop *loop, void (*arrived)(void *arg, int signal),
                 void *arg)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t set;

    *s = (struct signals){
        .watch = {.fd = -1, .events = POLLIN, .ready = ready, .arg = s},
        .arrived = arrived,
        .arg = arg,
    };
    if (sigemptyset(&set) != 0 || sigaddset(&set, SIGTERM) != 0 || sigaddset(&set, SIGINT) != 0 ||
        sigaddset(&set, SIGHUP) != 0 || sigaddset(&set, SIGUSR1) != 0)
        return -1;
    if (sigaction(SIGPIPE, &ignore, NULL) != 0 || sigaction(SIGXFSZ, &ignore, NULL) != 0 ||
        sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    s->watch.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (s->watch.fd < 0)
        return -1;
    if (loop_watch(loop, &s->watch) != 0) {
        (void)close(s->watch.fd);
        s->watch.fd = -1;
        errno = ENOSPC;
        return -1;
    }
    return 0;
}

void signals_close(struct signals *s, struct loop *loop)
{
    if (s->watch.fd < 0)
        return;
    loop_unwatch(loop, &s->watch);
    /* Only read from: there is nothing that close(2) could report. */
    (void)close(s->watch.fd);
    s->watch.fd = -1;
}
