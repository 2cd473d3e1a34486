#include "cmd/command.h"
#include "cmd/commands.h"

#include "base/log.h"
#include "daemon/daemon.h"
#include "daemon/supervisor.h"

#include <unistd.h>

int run_command(const struct command *self, int argc, char **argv)
{
    struct daemon_options run = {.user = NULL};
    const char *notify_fd = NULL;
    char why[DAEMON_WHY_MAX];
    const struct option options[] = {
        COMMAND_TREE_OPTIONS,
        {"--user", NULL, &run.user},
        {"--once", &run.once, NULL},
        {"--offline", &run.offline, NULL},
        {"--unconfined", &run.unconfined, NULL},
        {"--notify-fd", NULL, &notify_fd},
        COMMAND_OPTIONS_END,
    };

    int code = command_options(self, options, &argc, argv);
    if (code != 0)
        return code;
    const char *refused =
        notify_fd != NULL ? supervisor_descriptor(span_of(notify_fd), &run.notify_fd) : NULL;
    if (refused != NULL)
        return command_usage(self, "--notify-fd", refused);
    /* A planner that cannot read its own rules must not go by the defaults. */
    command_sources.may_skip_env_file = false;
    run.sources = command_sources;
    log_to(STDOUT_FILENO);
    code = daemon_run(&run, why);
    return why[0] != '\0' ? command_fail(self, code, why, NULL) : code;
}
