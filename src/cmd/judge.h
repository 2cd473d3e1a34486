#ifndef CMD_JUDGE_H
#define CMD_JUDGE_H
/* approve and reject are one command with two names. */

#include <stdbool.h>

struct command;

int judge_command(const struct command *self, bool approve, int argc, char **argv);

#endif
