#include "cmd/judge.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "cmd/command.h"
#include "cmd/print.h"
#include "store/actions.h"
#include "store/verdict.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define HASH_LEAST 8 /* digits: fewer would let through another file by chance */
#define HASH_MOST 64

static bool is_hash(struct span text)
{
    for (size_t i = 0; i < text.n; i++)
        if (strchr("0123456789abcdefABCDEF", text.p[i]) == NULL)
            return false;
    return text.n >= HASH_LEAST && text.n <= HASH_MOST;
}

/* Who gives the verdict. Root says who it was before sudo; nobody else is believed. */
static const char *user_name(char *storage, size_t size)
{
    const char *sudo = getenv("SUDO_USER");
    struct buf b;

    if (getuid() == 0 && sudo != NULL && sudo[0] != '\0')
        return sudo;
    const struct passwd *entry = getpwuid(getuid());
    if (entry != NULL)
        return entry->pw_name;
    buf_init(&b, storage, size);
    buf_str(&b, "uid-");
    buf_int(&b, getuid());
    const char *text = buf_text(&b);
    return text != NULL ? text : "unknown";
}

static int code_of(enum verdict_result result)
{
    switch (result) {
    case VERDICT_DONE:
        return EX_OK;
    case VERDICT_ABSENT:
    case VERDICT_LOST:
    case VERDICT_CHANGED:
    case VERDICT_TAKEN:
    case VERDICT_INVALID:
        return EXIT_FAILURE;
    case VERDICT_DENIED:
        return EX_NOPERM;
    case VERDICT_FAULT:
        break;
    }
    return EX_TEMPFAIL;
}

static int give(const struct command *self, const struct tree *tree, const struct verdict *verdict)
{
    char why[VERDICT_WHY_SIZE];
    char path[PATH_LEN_MAX];
    enum action_place place = verdict->approve ? ACTION_APPROVED : ACTION_REJECTED;

    enum verdict_result result = verdict_give(tree, verdict, why, sizeof(why));
    if (result != VERDICT_DONE)
        return command_fail(self, code_of(result), why, NULL);
    print_str(actions_place_text(place));
    print_str(" ");
    print_str(verdict->id);
    if (actions_path(path, sizeof(path), place, verdict->id) == 0) {
        print_str("\n  ");
        print_safe(span_of(tree->path));
        print_str("/");
        print_str(path);
    }
    print_str("\n");
    return print_end(EX_OK);
}

int judge_command(const struct command *self, bool approve, int argc, char **argv)
{
    const char *hash = NULL;
    const char *note = NULL;
    const struct option options[] = {
        COMMAND_TREE_OPTIONS,
        {"--if", NULL, &hash},
        {"--note", NULL, &note},
        COMMAND_OPTIONS_END,
    };
    const struct config *config;
    struct tree tree;
    char name[32];

    int code = command_options(self, options, &argc, argv);
    if (code != 0)
        return code;
    if (!actions_id_valid(span_of(argv[0])))
        return command_usage(self, "this is no action id", argv[0]);
    if (hash != NULL && !is_hash(span_of(hash)))
        return command_usage(self, "--if takes 8 to 64 hexadecimal digits", NULL);
    if (note != NULL && (strlen(note) > NOTE_MAX || !utf8_is_text(span_of(note))))
        return command_usage(self, "--note takes up to 500 bytes of UTF-8", NULL);
    if ((code = command_open(self, &config, &tree)) != 0)
        return code;
    struct verdict verdict = {
        .approve = approve,
        .id = argv[0],
        .hash = span_of(hash),
        .note = span_of(note),
        .user = user_name(name, sizeof(name)),
        .now_s = clock_now().wall_ms / 1000,
    };
    return give(self, &tree, &verdict);
}

_Static_assert(NOTE_MAX == 500, "the number in the message");
