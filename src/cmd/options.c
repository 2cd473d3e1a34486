#include "cmd/options.h"

#include "base/buf.h"

#include <string.h>

static int refuse(char *why, struct span name, const char *what)
{
    char cut[OPTIONS_WHY_MAX / 2];
    struct buf b;

    buf_init(&b, why, OPTIONS_WHY_MAX);
    buf_bytes(&b, cut, span_cut(cut, sizeof(cut), name));
    buf_str(&b, what);
    if (buf_text(&b) == NULL)
        why[0] = '\0';
    return -1;
}

/* Takes the option argv[*at], with its value where it has one; *at stands on its last word. */
static int take(const struct option *table, int argc, char **argv, int *at, char *why)
{
    struct span rest = span_of(argv[*at]);
    bool has_value = span_has(rest, '=');
    struct span name = span_split(&rest, '=');
    const struct option *o = table;

    while (o->name != NULL && !span_is(name, o->name))
        o++;
    if (o->name == NULL)
        return refuse(why, name, ": unknown option");
    if (o->flag != NULL) {
        if (has_value)
            return refuse(why, name, " takes no value");
        *o->flag = true;
        return 0;
    }
    if (!has_value && *at + 1 >= argc)
        return refuse(why, name, " needs a value");
    if (*o->value != NULL)
        return refuse(why, name, " is given twice");
    *o->value = has_value ? rest.p : argv[++*at];
    return 0;
}

int options_parse(const struct option *table, int *argc, char **argv, char *why)
{
    bool options_over = false;
    int kept = 0;

    for (int i = 0; i < *argc; i++) {
        if (options_over || argv[i][0] != '-' || argv[i][1] == '\0')
            argv[kept++] = argv[i];
        else if (strcmp(argv[i], "--") == 0)
            options_over = true;
        else if (take(table, *argc, argv, &i, why) != 0)
            return -1;
    }
    *argc = kept;
    return 0;
}
