#include "cmd/command.h"
#include "cmd/commands.h"

#include "base/log.h"
#include "daemon/daemon.h"

#include <unistd.h>

int run_command(const struct command *self, int argc, char **argv)
{
    struct daemon_options run = {.user = NULL};
    char why[DAEMON_WHY_MAX];
    const struct option options[] = {
        COMMAND_TREE_OPTIONS,        {"--user", NULL, &run.user},
        {"--once", &run.once, NULL}, {"--offline", &run.offline, NULL},
        COMMAND_OPTIONS_END,
    };

    int code = command_options(self, options, &argc, argv);
    if (code != 0)
        return code;
    /* A planner that cannot read its own rules must not go by the defaults. */
    command_sources.may_skip_env_file = false;
    run.sources = command_sources;
    log_to(STDOUT_FILENO);
    code = daemon_run(&run, why);
    return why[0] != '\0' ? command_fail(self, code, why, NULL) : code;
}
