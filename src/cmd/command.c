#include "cmd/command.h"

#include "base/log.h"
#include "cmd/print.h"
#include "cmd/text.h"
#include "daemon/version.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#define NAME_WIDTH 30 /* of the variables' names in --help */

struct config_sources command_sources;

/* ---- Help ---- */

static void print_padded(const char *text, size_t width)
{
    size_t n = strlen(text);

    print_str(text);
    print_repeat(' ', n < width ? width - n : 1);
}

static void print_usage_line(const struct command *c)
{
    print_str("planner-agent ");
    print_str(c->name);
    if (c->arguments[0] != '\0') {
        print_str(" ");
        print_str(c->arguments);
    }
    print_str("\n");
}

static void print_settings(void)
{
    print_str(
        "\nVariables (flag, then environment, then env-file, then default; empty = unset):\n");
    for (unsigned i = 0; i < SETTINGS; i++) {
        const struct setting *setting = setting_table_at((enum setting_key)i);
        print_str("  ");
        print_padded(setting->name, NAME_WIDTH);
        print_str(setting->summary);
        if (setting->fallback[0] != '\0') {
            print_str(strlen(setting->fallback) > 20 ? "\n      [" : " [");
            print_str(setting->fallback);
            print_str("]");
        }
        print_str("\n");
    }
}

static int help_of(const struct command *c)
{
    struct span text = text_of(span_of(c->name));

    print_str("Usage: ");
    print_usage_line(c);
    print_str("\n");
    print_str(c->summary);
    print_str(".\n");
    if (text.n > 0 || c->takes_tree)
        print_str("\n");
    print_span(text);
    if (c->takes_tree) {
        print_str("  --runtime PATH    the runtime tree (else RUNTIME_PATH)\n"
                  "  --env-file FILE   variables, KEY=value lines (else, where it exists,\n"
                  "                    " CONFIG_ENV_FILE ")\n");
    }
    if (c->lists_settings)
        print_settings();
    return print_end(EX_OK);
}

static int help_of_all(const struct command *table)
{
    print_str("planner-agent ");
    print_str(version_text());
    print_str(": proposes actions for what goes wrong in a home lab; a human approves them.\n\n"
              "Usage: planner-agent COMMAND [OPTIONS]\n\n");
    for (const struct command *c = table; c->name != NULL; c++) {
        print_str("  ");
        print_padded(c->name, 13);
        print_str(c->summary);
        print_str("\n");
    }
    print_str("\nplanner-agent COMMAND --help says more.\n"
              "Exit codes: 0 done, 1 the answer is no, 64 usage, 69 unavailable, 75 try again,\n"
              "77 no permission, 78 bad configuration.\n");
    return print_end(EX_OK);
}

/* ---- Failures ---- */

int command_fail(const struct command *self, int code, const char *what, const char *detail)
{
    print_error(self->name, what, detail);
    return code;
}

static int hint(const char *command)
{
    print_error(NULL, "for help type", command);
    return EX_USAGE;
}

int command_usage(const struct command *self, const char *what, const char *detail)
{
    char line[64];
    struct buf b;

    print_error(self->name, what, detail);
    buf_init(&b, line, sizeof(line));
    buf_str(&b, "planner-agent ");
    buf_str(&b, self->name);
    buf_str(&b, " --help");
    const char *text = buf_text(&b);
    return hint(text != NULL ? text : "planner-agent --help");
}

int command_code(int error)
{
    return error == EACCES || error == EPERM ? EX_NOPERM : EX_TEMPFAIL;
}

/* ---- What commands do alike ---- */

int command_options(const struct command *self, const struct option *options, int *argc,
                    char **argv)
{
    char why[OPTIONS_WHY_MAX];

    if (options_parse(options, argc, argv, why) != 0)
        return command_usage(self, why, NULL);
    if (*argc < self->operands_min)
        return command_usage(self, "something is missing", self->arguments);
    if (self->operands_max >= 0 && *argc > self->operands_max)
        return command_usage(self, "too much", argv[self->operands_max]);
    return 0;
}

int command_open(const struct command *self, const struct config **config, struct tree *tree)
{
    static struct config loaded;
    char why[CONFIG_LINE_MAX];

    *config = &loaded;
    if (config_load(&loaded, &command_sources, why) != 0)
        return command_fail(self, EX_CONFIG, why, NULL);
    if (tree_init(tree, config_text(&loaded, SETTING_RUNTIME_PATH)) != 0)
        return command_fail(self, EX_CONFIG, "RUNTIME_PATH", "not a path of a tree");
    return 0;
}

/* ---- The table ---- */

static const struct command *find(const struct command *table, const char *name)
{
    for (const struct command *c = table; c->name != NULL; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

static int unknown(const char *name)
{
    print_error(NULL, "unknown command", name);
    return hint("planner-agent --help");
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static int help(const struct command *table, int argc, char **argv)
{
    if (argc == 0)
        return help_of_all(table);
    const struct command *c = find(table, argv[0]);
    return c != NULL ? help_of(c) : unknown(argv[0]);
}

/* A standard descriptor that came closed must not become a file of ours. Writing to it fails. */
static int hold_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY | O_CLOEXEC) != fd)
            return -1;
    return 0;
}

int command_main(const struct command *table, int argc, char **argv)
{
    if (hold_descriptors() != 0)
        return EX_TEMPFAIL;
    log_to(-1);
    /* A core would hold keys. */
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    command_sources.may_skip_env_file = true;
    if (argc < 2) {
        print_error(NULL, "a command is missing", NULL);
        return hint("planner-agent --help");
    }
    const char *name = argv[1];
    argc -= 2;
    argv += 2;
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help(table, argc, argv);
    const struct command *c = find(table, strcmp(name, "--version") == 0 ? "version" : name);
    if (c == NULL)
        return unknown(name);
    return wants_help(argc, argv) ? help_of(c) : c->run(c, argc, argv);
}
