#include "net/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Invariant: each child of ours that is not reaped has a slot, ended from child_end() on. So there
 * is room for what takes long to die, and its number is not another's while we may kill it. */
static struct {
    pid_t pid; /* 0 = a free slot */
    bool ended;
} children[CHILDREN_MAX];

/* ---- In the child ---- */

/* What is open may hold a lock. fd is the second one of a pipe, so at least 1. */
static void close_others(int fd)
{
    unsigned kept = (unsigned)fd;

    if (syscall(SYS_close_range, 0U, kept - 1, 0U) == 0 &&
        syscall(SYS_close_range, kept + 1, UINT_MAX, 0U) == 0)
        return;
    /* Linux before 5.9, or a filter that does not know the call. Most are not open. */
    for (int i = 0; i < CHILD_FDS_MAX; i++)
        if (i != fd)
            (void)close(i);
}

/* What we ignore or block goes to children, as does what our parent ignored. */
static int reset_signals(void)
{
    static const int numbers[] = {SIGALRM, SIGPIPE, SIGXFSZ, SIGTERM,
                                  SIGINT,  SIGQUIT, SIGHUP,  SIGUSR1};
    const struct sigaction normal = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (sigaction(numbers[i], &normal, NULL) != 0)
            return -1;
    return sigemptyset(&none) != 0 ? -1 : sigprocmask(SIG_SETMASK, &none, NULL);
}

static int stand_alone(pid_t parent, int fd, unsigned seconds)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return -1;
    /* It may have died before we asked to be told. */
    if (getppid() != parent)
        return -1;
    (void)alarm(seconds);
    if (reset_signals() != 0)
        return -1;
    close_others(fd);
    return 0;
}

/* ---- In the parent ---- */

/* Takes what has died off the table. Is anything still dying? */
static bool reap(void)
{
    bool dying = false;

    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        if (!children[i].ended)
            continue;
        if (waitpid(children[i].pid, NULL, WNOHANG) == 0) {
            dying = true;
        } else {
            children[i].pid = 0;
            children[i].ended = false;
        }
    }
    return dying;
}

static void reap_later(struct loop *loop, void *arg);

static struct loop_timer reaper = {.due = reap_later};

static void reap_later(struct loop *loop, void *arg)
{
    (void)arg;
    /* Out of timers: the next child's start or end reaps. */
    if (reap())
        (void)loop_timer_set(loop, &reaper, loop->now.boot_ms + CHILD_REAP_LATE_MS);
}

static int make_pipe(int ends[2])
{
    /* Inherited as ignored, children would be reaped by the kernel, and what we kill could be
     * somebody else by then. */
    const struct sigaction normal = {.sa_handler = SIG_DFL};

    return sigaction(SIGCHLD, &normal, NULL) != 0 ? -1 : pipe2(ends, O_CLOEXEC | O_NONBLOCK);
}

pid_t child_start(void (*body)(const void *arg, int fd), const void *arg, unsigned seconds,
                  int *end)
{
    pid_t self = getpid();
    size_t slot = 0;
    int ends[2];

    (void)reap();
    while (slot < CHILDREN_MAX && children[slot].pid != 0)
        slot++;
    if (slot == CHILDREN_MAX) {
        errno = EAGAIN;
        return -1;
    }
    if (make_pipe(ends) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        if (stand_alone(self, ends[1], seconds) == 0)
            body(arg, ends[1]);
        _exit(0);
    }
    int error = errno;
    /* Nothing was written to it here: there is nothing that close(2) could report. */
    (void)close(ends[1]);
    if (pid < 0) {
        (void)close(ends[0]);
        errno = error;
        return -1;
    }
    children[slot].pid = pid;
    *end = ends[0];
    return pid;
}

void child_end(struct loop *loop, pid_t pid)
{
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        if (children[i].pid != pid)
            continue;
        children[i].ended = true;
        /* It is ours until it is reaped, dead or not: this cannot fail or meet another. */
        (void)kill(pid, SIGKILL);
    }
    if (reap())
        (void)loop_timer_set(loop, &reaper, loop->now.boot_ms + CHILD_REAP_SOON_MS);
}
