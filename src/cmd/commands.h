#ifndef CMD_COMMANDS_H
#define CMD_COMMANDS_H
/* The subcommands, one file each. */

struct command;

int approve_command(const struct command *self, int argc, char **argv);
int check_command(const struct command *self, int argc, char **argv);
int emit_command(const struct command *self, int argc, char **argv);
int healthcheck_command(const struct command *self, int argc, char **argv);
int pending_command(const struct command *self, int argc, char **argv);
int reject_command(const struct command *self, int argc, char **argv);
int replay_command(const struct command *self, int argc, char **argv);
int route_command(const struct command *self, int argc, char **argv);
int run_command(const struct command *self, int argc, char **argv);
int service_command(const struct command *self, int argc, char **argv);
int show_command(const struct command *self, int argc, char **argv);
int status_command(const struct command *self, int argc, char **argv);
int version_command(const struct command *self, int argc, char **argv);

#endif
