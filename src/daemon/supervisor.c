#include "daemon/supervisor.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/number.h"
#include "daemon/bus.h"
#include "daemon/parts.h"
#include "source/files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* The socket stays as it was connected at the start: a confined process may open no other. The
 * watchdog counts from READY=1; without it nothing is fed. */
static struct {
    int fd;            /* 0: nobody listens */
    int ready_fd;      /* 0: none, or it has its newline */
    bool waits;        /* READY=1 is still to be said */
    int64_t period_ms; /* of the watchdog; 0 = none */
    int64_t fed_ms;    /* boot clock */
    struct loop *loop;
    struct loop_timer timer;
    uint64_t status; /* hash_span() of the last one */
} self;

/* ---- Out ---- */

static void complain(void)
{
    LOG(LOG_WARNING, "supervisor_unreachable", LOG_ERRNO(errno));
}

/* Only sent to, or a pipe with its newline: there is nothing that close(2) could report. */
static void shut(int *fd)
{
    (void)close(*fd);
    *fd = 0;
}

/* 0; -1 where it was not taken: nobody listens, or not for so long that it does not matter. */
static int tell(struct span message)
{
    ssize_t n = -1;

    if (self.fd == 0)
        return -1;
    do
        n = send(self.fd, message.p, message.n, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return 0;
    if (errno == EAGAIN)
        return -1;
    complain();
    shut(&self.fd);
    return -1;
}

static int tell_text(const char *text)
{
    return tell(span_of(text));
}

/* ---- Start ---- */

const char *supervisor_descriptor(struct span number, int *fd)
{
    int64_t n;

    if (number_int(number, STDERR_FILENO + 1, INT32_MAX, &n) != 0)
        return "it is not the number of a descriptor, 3 or above";
    int flags = fcntl((int)n, F_GETFL);
    if (flags < 0 || fcntl((int)n, F_SETFD, FD_CLOEXEC) != 0)
        return "it is not open";
    if ((flags & O_ACCMODE) == O_RDONLY)
        return "it is not open for writing";
    *fd = (int)n;
    return NULL;
}

/* "/path", or "@name" of the abstract name space. 0, or -1 with errno. */
static int connect_to(struct span path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_usec = SUPERVISOR_WAIT_MS * 1000L};
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n);

    errno = EINVAL;
    if (path.n < 2 || (path.p[0] != '/' && path.p[0] != '@') ||
        span_copy(address.sun_path, sizeof(address.sun_path), path) != 0)
        return -1;
    if (path.p[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    self.fd = fd;
    if (setsockopt(self.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0)
        return -1;
    return connect(self.fd, (const struct sockaddr *)&address, length);
}

/* Whom the watchdog is not meant for must not feed it. */
static void read_watchdog(void)
{
    const char *pid = getenv("WATCHDOG_PID");
    int64_t value;

    self.period_ms = 0;
    if (pid != NULL && (number_int(span_of(pid), 1, INT32_MAX, &value) != 0 || value != getpid()))
        return;
    if (number_int(span_of(getenv("WATCHDOG_USEC")), 1, INT64_MAX, &value) == 0)
        self.period_ms =
            value / 1000 > SUPERVISOR_PERIOD_MIN_MS ? value / 1000 : SUPERVISOR_PERIOD_MIN_MS;
}

void supervisor_open(int ready_fd)
{
    const char *path = getenv("NOTIFY_SOCKET");

    self.ready_fd = ready_fd;
    if (path == NULL || path[0] == '\0')
        return;
    if (connect_to(span_of(path)) == 0) {
        read_watchdog();
    } else {
        complain();
        if (self.fd != 0)
            shut(&self.fd);
    }
    /* It fails only for a name that is none. */
    (void)unsetenv("NOTIFY_SOCKET");
}

/* ---- Watchdog ---- */

/* Where the loop has no place for the timer, any turn that comes does as well. */
static void wake_in(int64_t wait_ms)
{
    (void)loop_timer_set(self.loop, &self.timer, self.loop->now.boot_ms + wait_ms);
}

static void feed(void)
{
    if (self.fd == 0 || self.period_ms == 0)
        return;
    (void)tell_text("WATCHDOG=1");
    self.fed_ms = self.loop->now.boot_ms;
    wake_in(self.period_ms / 2);
}

static void say_ready(void)
{
    self.waits = tell_text("READY=1") != 0 && self.fd != 0;
    if (self.waits)
        wake_in(WRITE_RETRY_MS);
    else
        feed();
}

static void due(struct loop *loop, void *arg)
{
    (void)loop;
    (void)arg;
    if (self.waits)
        say_ready();
    else
        feed();
}

/* A turn that was made anyway, the heartbeat's mostly, spares us one of our own. */
void supervisor_turn(struct now now)
{
    if (!self.waits && now.boot_ms - self.fed_ms >= self.period_ms / 4)
        feed();
}

/* ---- What is told ---- */

/* Nobody is waited for: a pipe that is full has been told already. */
static void write_newline(void)
{
    struct pollfd p = {.fd = self.ready_fd, .events = POLLOUT};

    if (self.ready_fd == 0)
        return;
    if (poll(&p, 1, 0) == 1 && write(self.ready_fd, "\n", 1) != 1)
        complain();
    shut(&self.ready_fd);
}

void supervisor_ready(struct loop *loop)
{
    self.loop = loop;
    self.timer.due = due;
    write_newline();
    say_ready();
}

/* "STATUS=" and the first thing that is wrong, else what is being done. */
static void put_status(const struct daemon *d, struct buf *b)
{
    buf_str(b, "STATUS=");
    for (unsigned i = 0; i < FAULTS; i++) {
        if (d->faults.of[i].error == 0)
            continue;
        buf_str(b, "Cannot ");
        buf_str(b, faults_text((enum fault_kind)i));
        buf_str(b, ": ");
        buf_str(b, log_errno(d->faults.of[i].error));
        return;
    }
    /* Before the first heartbeat nobody has looked; mostly there is nothing. */
    buf_str(b,
            d->beat_ms != 0 && files_reading() ? "Reading what has come in" : "Waiting for events");
    buf_str(b, "; Redis is ");
    buf_str(b, bus_state());
}

void supervisor_status(const struct daemon *d)
{
    char text[SUPERVISOR_STATUS_MAX];
    struct buf b;

    buf_init(&b, text, sizeof(text));
    put_status(d, &b);
    uint64_t hash = hash_span(buf_view(&b));
    if (hash != self.status && tell(buf_view(&b)) == 0)
        self.status = hash;
}

/* In one message, or systemd does not know which reload this is. */
void supervisor_reloading(void)
{
    char text[64];
    struct buf b;

    buf_init(&b, text, sizeof(text));
    buf_str(&b, "RELOADING=1\nMONOTONIC_USEC=");
    buf_int(&b, clock_monotonic_us());
    (void)tell(buf_view(&b));
}

void supervisor_reloaded(void)
{
    say_ready();
}

void supervisor_stopping(void)
{
    self.waits = false;
    (void)tell_text("STOPPING=1");
}
