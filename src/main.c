#include "cmd/command.h"
#include "cmd/commands.h"

static const struct command commands[] = {
    {
        .name = "run",
        .run = run_command,
        .arguments = "[--once] [--offline] [--user NAME]",
        .summary = "Watch for events and propose actions, until stopped",
        .text = "  --once            what is there now, then end: 0, or 75 where something stays\n"
                "                    unfinished\n"
                "  --offline         use nothing on the network: the built-in rules alone\n"
                "  --user NAME       started as root, go on as this user\n",
        .takes_tree = true,
        .lists_settings = true,
    },
    {
        .name = "pending",
        .run = pending_command,
        .arguments = "[--json]",
        .summary = "List the actions that wait for a human",
        .text = "  --json            one array, for programs\n",
        .takes_tree = true,
    },
    {
        .name = "show",
        .run = show_command,
        .arguments = "ID [--json]",
        .summary = "Show an action, wherever it stands, and the SHA-256 of its file",
        .text = "  ID                an action's id, or the beginning of one\n"
                "  --json            the file's content alone\n",
        .operands_min = 1,
        .operands_max = 1,
        .takes_tree = true,
    },
    {
        .name = "approve",
        .run = approve_command,
        .arguments = "ID [--if HASH] [--note TEXT]",
        .summary = "Hand a pending action to the executor",
        .text = "  --if HASH         only where the file's SHA-256 begins with these digits\n"
                "                    (8 to 64; show prints them)\n"
                "  --note TEXT       kept in the action's history\n",
        .operands_min = 1,
        .operands_max = 1,
        .takes_tree = true,
    },
    {
        .name = "reject",
        .run = reject_command,
        .arguments = "ID [--if HASH] [--note TEXT]",
        .summary = "Put a pending action aside",
        .text = "  --if HASH         only where the file's SHA-256 begins with these digits\n"
                "                    (8 to 64; show prints them)\n"
                "  --note TEXT       kept in the action's history\n",
        .operands_min = 1,
        .operands_max = 1,
        .takes_tree = true,
    },
    {
        .name = "status",
        .run = status_command,
        .arguments = "[--json]",
        .summary = "Show how the planner is and what it decided last",
        .text = "  --json            one object, for programs\n",
        .takes_tree = true,
    },
    {
        .name = "emit",
        .run = emit_command,
        .arguments = "--type TYPE [--service NAME] [OPTIONS]",
        .summary = "Write an event file, as any script on a node would, or publish it",
        .text = "  --type TYPE       service_unhealthy, node_offline, disk_pressure, ...\n"
                "  --service NAME    the service it is about (else the whole node)\n"
                "  --node NAME       the node it is about (else NODE_NAME)\n"
                "  --severity LEVEL  info, warning, error or critical (else warning)\n"
                "  --message TEXT    what happened, in words\n"
                "  --payload JSON    what happened, in figures\n"
                "  --source NAME     who reports it; a recovery must name the same or none\n"
                "  --id ID           its id (else made up)\n"
                "  --redis           publish it on health_events instead of writing a file; only\n"
                "                    who listens now gets it\n",
        .takes_tree = true,
    },
    {
        .name = "replay",
        .run = replay_command,
        .arguments = "PATH... [--json]",
        .summary = "Say what the built-in rules would decide about recorded events",
        .text = "  Nothing is written, no model is asked.\n"
                "  PATH              an event file, an events.jsonl, or a directory of them\n"
                "  --json            one object a line, for programs\n",
        .operands_min = 1,
        .operands_max = -1,
        .takes_tree = true,
    },
    {
        .name = "route",
        .run = route_command,
        .arguments = "[--prompt TEXT] [--schema proposal|none] [--context LABEL]",
        .summary = "Ask the chain of models, and print the answer with every attempt",
        .text =
            "  Without --prompt, stdin has the messages as JSON: [{\"role\":\"user\",\n"
            "  \"content\":\"...\"}, ...], roles system (first), user, assistant. Exit code 69\n"
            "  where no model gave an answer. Paid calls are counted in the tree, as the\n"
            "  planner's are. A proposal is asked for with the planner's instructions, where\n"
            "  there is no system message.\n"
            "  --prompt TEXT     one message, the user's\n"
            "  --schema NAME     proposal: only a valid proposal is an answer (the default);\n"
            "                    none: any text is\n"
            "  --context LABEL   goes into every log line (on stderr)\n",
        .takes_tree = true,
        .lists_settings = true,
    },
    {
        .name = "check",
        .run = check_command,
        .arguments = "[--probe]",
        .summary = "Check configuration, directories and clock",
        .text =
            "  --probe           ask each model's server, too, whether it is alive and has the\n"
            "                    model, and Redis, where REDIS_URL is set\n",
        .takes_tree = true,
        .lists_settings = true,
    },
    {
        .name = "healthcheck",
        .run = healthcheck_command,
        .arguments = "[--max-age SECONDS]",
        .summary = "Is the planner alive? Exit code 0 or 1",
        .text = "  --max-age SECONDS the heartbeat must be younger (else 300)\n",
        .takes_tree = true,
    },
    {
        .name = "version",
        .run = version_command,
        .arguments = "",
        .summary = "Print the version, and those of the libraries inside",
        .text = "",
    },
    {.name = NULL},
};

int main(int argc, char **argv)
{
    return command_main(commands, argc, argv);
}
