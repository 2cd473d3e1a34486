#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H
/* The planner at work: event files -> planner -> chain -> action files, until a signal, or in a
 * single run until nothing is left to do. */

#include "daemon/config.h"

struct daemon_options {
    struct config_sources sources; /* warn and arg are set by the daemon: warnings are logged */
    const char *user;              /* become this user; NULL = stay */
    int notify_fd;                 /* for supervisor_open() */
    bool once;
    bool offline;
    bool unconfined;
};

#define DAEMON_WHY_MAX CONFIG_LINE_MAX

/* The exit code (sysexits.h). Where it could not start, a line in why (DAEMON_WHY_MAX bytes), else
 * "". One a process: all memory is static. */
int daemon_run(const struct daemon_options *options, char *why);

#endif
