#include "cmd/command.h"
#include "cmd/commands.h"

#include "cmd/judge.h"

int reject_command(const struct command *self, int argc, char **argv)
{
    return judge_command(self, false, argc, argv);
}
