#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H
/* What every command of the table in main.c has, and what they do alike. What --help says of its
 * options is the long text of its name. */

#include "cmd/options.h"
#include "daemon/config.h"
#include "store/tree.h"

struct command {
    const char *name;
    int (*run)(const struct command *self, int argc, char **argv); /* after the name; exit code */
    const char *arguments;                                         /* for the usage line */
    const char *summary;
    int operands_min;
    int operands_max;    /* -1 = any number */
    bool takes_tree;     /* --runtime and --env-file */
    bool lists_settings; /* --help ends with the variables */
};

/* The table of main.c; name NULL behind the last. */
int command_main(const struct command *table, int argc, char **argv);

/* What --runtime and --env-file (and emit's --node) said. */
extern struct config_sources command_sources;
#define COMMAND_TREE_OPTIONS                                                                       \
    {"--runtime", NULL, &command_sources.runtime},                                                 \
    {                                                                                              \
        "--env-file", NULL, &command_sources.env_file                                              \
    }
#define COMMAND_OPTIONS_END                                                                        \
    {                                                                                              \
        NULL, NULL, NULL                                                                           \
    }

/* Reads the options and counts the operands. 0, or EX_USAGE, told on stderr. */
int command_options(const struct command *self, const struct option *options, int *argc,
                    char **argv);

/* Loads the configuration and finds the tree (not opened yet). 0, or EX_CONFIG, told on stderr. */
int command_open(const struct command *self, const struct config **config, struct tree *tree);

/* Tells what is wrong on stderr; the exit code. detail may be NULL. */
int command_usage(const struct command *self, const char *what, const char *detail);
int command_fail(const struct command *self, int code, const char *what, const char *detail);
/* EX_NOPERM or EX_TEMPFAIL, as the errno value has it. */
int command_code(int error);

#endif
