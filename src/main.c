#include "cmd/command.h"
#include "cmd/commands.h"

static const struct command commands[] = {
    {
        .name = "run",
        .run = run_command,
        .arguments = "[--once] [--offline] [OPTIONS]",
        .summary = "Watch for events and propose actions, until stopped",
        .takes_tree = true,
        .lists_settings = true,
    },
    {
        .name = "pending",
        .run = pending_command,
        .arguments = "[--json]",
        .summary = "List the actions that wait for a human",
        .takes_tree = true,
    },
    {
        .name = "show",
        .run = show_command,
        .arguments = "ID [--json]",
        .summary = "Show an action, wherever it stands, and the SHA-256 of its file",
        .operands_min = 1,
        .operands_max = 1,
        .takes_tree = true,
    },
    {
        .name = "approve",
        .run = approve_command,
        .arguments = "ID [--if HASH] [--note TEXT]",
        .summary = "Hand a pending action to the executor",
        .operands_min = 1,
        .operands_max = 1,
        .takes_tree = true,
    },
    {
        .name = "reject",
        .run = reject_command,
        .arguments = "ID [--if HASH] [--note TEXT]",
        .summary = "Put a pending action aside",
        .operands_min = 1,
        .operands_max = 1,
        .takes_tree = true,
    },
    {
        .name = "status",
        .run = status_command,
        .arguments = "[--json]",
        .summary = "Show how the planner is and what it decided last",
        .takes_tree = true,
    },
    {
        .name = "emit",
        .run = emit_command,
        .arguments = "--type TYPE [--service NAME] [OPTIONS]",
        .summary = "Write an event file, as any script on a node would, or publish it",
        .takes_tree = true,
    },
    {
        .name = "replay",
        .run = replay_command,
        .arguments = "PATH... [--json]",
        .summary = "Say what the built-in rules would decide about recorded events",
        .operands_min = 1,
        .operands_max = -1,
        .takes_tree = true,
    },
    {
        .name = "route",
        .run = route_command,
        .arguments = "[--prompt TEXT] [--schema proposal|none] [--context LABEL]",
        .summary = "Ask the chain of models, and print the answer with every attempt",
        .takes_tree = true,
        .lists_settings = true,
    },
    {
        .name = "check",
        .run = check_command,
        .arguments = "[--probe]",
        .summary = "Check configuration, directories and clock",
        .takes_tree = true,
        .lists_settings = true,
    },
    {
        .name = "healthcheck",
        .run = healthcheck_command,
        .arguments = "[--max-age SECONDS]",
        .summary = "Is the planner alive? Exit code 0 or 1",
        .takes_tree = true,
    },
    {
        .name = "service",
        .run = service_command,
        .arguments = "[NAME|install|uninstall] [OPTIONS]",
        .summary = "Print the files that start it under an init system, or put them in place",
        .operands_max = 1,
        .takes_tree = true,
    },
    {
        .name = "version",
        .run = version_command,
        .arguments = "[--licenses]",
        .summary = "Print the version, and those of the libraries inside",
    },
    {.name = NULL},
};

int main(int argc, char **argv)
{
    return command_main(commands, argc, argv);
}
