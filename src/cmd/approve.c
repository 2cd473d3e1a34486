#include "cmd/command.h"
#include "cmd/commands.h"

#include "cmd/judge.h"

int approve_command(const struct command *self, int argc, char **argv)
{
    return judge_command(self, true, argc, argv);
}
