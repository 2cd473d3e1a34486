#include "cmd/command.h"
#include "cmd/commands.h"

#include "base/clock.h"
#include "base/json_read.h"
#include "base/log.h"
#include "base/sha256.h"
#include "cmd/pretty.h"
#include "cmd/print.h"
#include "store/actions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define HASH_SHOWN 16 /* digits in the hint: enough that nobody makes another file with them */

/* Looks for one id that is wanted or begins with it. */
struct search {
    const char *wanted;
    unsigned found;
    bool whole; /* found the id itself */
    char id[ACTION_ID_MAX + 1];
};

static const char suffix[] = ".json";

/* By file name: what it holds is looked at later. */
static int match(void *arg, const char *name, enum action_look look,
                 const struct action_facts *facts)
{
    struct search *s = arg;
    size_t n = strlen(name);
    struct span id = {name, n - (sizeof(suffix) - 1)};

    (void)look;
    (void)facts;
    if (n <= sizeof(suffix) - 1 || strcmp(name + id.n, suffix) != 0 || s->whole)
        return 0;
    if (strncmp(name, s->wanted, strlen(s->wanted)) != 0 ||
        span_copy(s->id, sizeof(s->id), id) != 0)
        return 0;
    s->found++;
    s->whole = span_is(id, s->wanted);
    return 0;
}

static const enum action_place order[] = {ACTION_PENDING,  ACTION_APPROVED, ACTION_RUNNING,
                                          ACTION_REJECTED, ACTION_FAILED,   ACTION_COMPLETED,
                                          ACTION_CANCELLED};

/* The first place that has the whole id, else the first that has anything. 0 or an exit code. */
static int find(const struct command *self, const struct tree *tree, struct search *result,
                enum action_place *place)
{
    bool have = false;

    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        struct search s = {.wanted = result->wanted};
        if (actions_each(tree, order[i], 0, match, &s) != 0)
            return command_fail(self, command_code(errno), actions_dir(order[i]), log_errno(errno));
        if (s.found == 0 || (have && !s.whole))
            continue;
        *result = s;
        *place = order[i];
        have = true;
        if (s.whole)
            return 0;
    }
    if (!have)
        return command_fail(self, EXIT_FAILURE, "no such action", result->wanted);
    if (result->found > 1)
        return command_fail(self, EXIT_FAILURE, "several actions begin with this", result->wanted);
    return 0;
}

static void emit(void *arg, struct span piece)
{
    (void)arg;
    print_span(piece);
}

static bool is_json(struct span bytes)
{
    static jsmntok_t tokens[ACTION_BYTES_MAX / 2 + 2];
    struct json doc;

    return json_read(&doc, bytes.p, bytes.n, tokens, sizeof(tokens) / sizeof(tokens[0]),
                     ACTION_DEPTH_MAX) == JSON_OK;
}

static void print_head(const struct tree *tree, enum action_place place, const char *id,
                       const char *hash)
{
    char path[PATH_LEN_MAX];

    print_str("place   ");
    print_str(actions_place_text(place));
    if (actions_path(path, sizeof(path), place, id) == 0) {
        print_str("\nfile    ");
        print_safe(span_of(tree->path));
        print_str("/");
        print_safe(span_of(path));
    }
    print_str("\nsha256  ");
    print_str(hash);
    print_str("\n");
}

static void print_age_of(struct span bytes, const char *id)
{
    static struct action_facts facts;

    if (actions_parse(bytes, id, &facts) != ACTION_FOUND || facts.created_at == 0)
        return;
    print_str("age     ");
    print_age(clock_now().wall_ms / 1000 - facts.created_at);
    print_str("\n");
}

static void print_hint(const char *id, const char *hash)
{
    static const char *const verbs[] = {"approve", "reject"};

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        print_str(i == 0 ? "\n" : "");
        print_str("planner-agent ");
        print_str(verbs[i]);
        print_str(" ");
        print_str(id);
        print_str(" --if ");
        print_span((struct span){hash, HASH_SHOWN});
        print_str("\n");
    }
}

static int show(const struct command *self, const struct tree *tree, enum action_place place,
                const char *id, bool raw)
{
    static char data[ACTION_BYTES_MAX];
    char name[FILE_NAME_MAX + 1];
    char hash[SHA256_HEX_SIZE];
    size_t n = 0;

    if (actions_name(name, sizeof(name), place, id) != 0)
        return command_fail(self, EXIT_FAILURE, id, "its name is too long");
    int dir = tree_open(tree, actions_dir(place));
    if (dir < 0)
        return command_fail(self, EXIT_FAILURE, id, "it went away");
    enum file_result result = file_read(dir, name, data, sizeof(data), &n, NULL);
    tree_close(dir);
    if (result != FILE_OK)
        return command_fail(self, result == FILE_DENIED ? EX_NOPERM : EXIT_FAILURE, id,
                            file_result_text(result));
    struct span bytes = {data, n};
    bool json = is_json(bytes);
    if (raw && !json)
        return command_fail(self, EXIT_FAILURE, id, "it holds no JSON");
    if (!raw) {
        sha256_hex(hash, SHA256_HEX_SIZE - 1, &bytes, 1);
        print_head(tree, place, id, hash);
        print_age_of(bytes, id);
        print_str("\n");
    }
    if (json)
        pretty_json(bytes, emit, NULL);
    else
        print_safe(bytes);
    print_str("\n");
    if (!raw && place == ACTION_PENDING && actions_id_valid(span_of(id)))
        print_hint(id, hash);
    return print_end(EX_OK);
}

int show_command(const struct command *self, int argc, char **argv)
{
    bool json = false;
    const struct option options[] = {
        COMMAND_TREE_OPTIONS,
        {"--json", &json, NULL},
        COMMAND_OPTIONS_END,
    };
    const struct config *config;
    enum action_place place = ACTION_PENDING;
    struct tree tree;

    int code = command_options(self, options, &argc, argv);
    if (code != 0)
        return code;
    struct search search = {.wanted = argv[0]};
    if (!actions_id_valid(span_of(argv[0])))
        return command_usage(self, "this is no action id", argv[0]);
    code = command_open(self, &config, &tree);
    if (code == 0)
        code = find(self, &tree, &search, &place);
    return code != 0 ? code : show(self, &tree, place, search.id, json);
}
