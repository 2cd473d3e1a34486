#include "cmd/command.h"
#include "cmd/commands.h"

#include "base/clock.h"
#include "base/escape.h"
#include "base/json_write.h"
#include "base/log.h"
#include "cmd/columns.h"
#include "cmd/print.h"
#include "store/actions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum {
    COLUMN_ID,
    COLUMN_AGE,
    COLUMN_NODE,
    COLUMN_SERVICE,
    COLUMN_ACTION,
    COLUMN_RISK,
    COLUMN_CONFIDENCE,
    COLUMN_REASON,
    COLUMN_COUNT
};

#define CELL_MAX 1400 /* bytes of a cell: an escaped reason is the longest */
#define ROW_MAX (COLUMN_COUNT * CELL_MAX)

/* What the table shows of an action. */
struct row {
    int64_t created_at;
    bool human;
    char id[ACTION_ID_MAX + 1];
    char node[65];
    char service[65];
    char action[33];
    char risk[17];
    char confidence[17];
    char reason[241];
};

static struct {
    unsigned count;
    unsigned more;   /* did not fit */
    unsigned unread; /* and why, for the last of them */
    int error;
    unsigned foreign; /* no actions */
    char foreign_name[FILE_NAME_MAX + 1];
    struct row rows[PENDING_LISTED_MAX];
} list;

static void cut(char *dst, size_t cap, const char *text)
{
    (void)span_cut_text(dst, cap, text);
}

static int take_row(void *arg, const char *name, enum action_look look,
                    const struct action_facts *facts)
{
    (void)arg;
    if (look == ACTION_FAULT) {
        list.unread++;
        list.error = errno;
        return 0;
    }
    if (look != ACTION_FOUND) {
        list.foreign++;
        cut(list.foreign_name, sizeof(list.foreign_name), name);
        return 0;
    }
    if (list.count == PENDING_LISTED_MAX) {
        list.more++;
        return 0;
    }
    struct row *row = &list.rows[list.count++];
    row->created_at = facts->created_at;
    row->human = facts->requires_human;
    cut(row->id, sizeof(row->id), facts->id);
    cut(row->node, sizeof(row->node), facts->node);
    cut(row->service, sizeof(row->service), facts->service);
    cut(row->action, sizeof(row->action), facts->action[0] != '\0' ? facts->action : facts->type);
    cut(row->risk, sizeof(row->risk), facts->risk);
    cut(row->confidence, sizeof(row->confidence), facts->confidence);
    cut(row->reason, sizeof(row->reason), facts->reason);
    return 0;
}

/* Oldest first: the newest stand next to the prompt. */
static int compare(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;

    if (x->created_at != y->created_at)
        return x->created_at < y->created_at ? -1 : 1;
    return strcmp(x->id, y->id);
}

/* ---- The table ---- */

struct cells {
    struct span cell[COLUMN_COUNT];
    struct buf text;
    char storage[ROW_MAX];
};

/* Escapes text into the cell. What comes from outside was cut, so it fits. */
static void put_cell(struct cells *cells, unsigned column, const char *text)
{
    size_t from = cells->text.n;

    escape_text(&cells->text, span_of(text[0] != '\0' ? text : "-"));
    cells->cell[column] = (struct span){cells->storage + from, cells->text.n - from};
}

static void put_age(struct cells *cells, int64_t seconds)
{
    size_t from = cells->text.n;

    print_age_to(&cells->text, seconds);
    cells->cell[COLUMN_AGE] = (struct span){cells->storage + from, cells->text.n - from};
}

static const struct span *cells_of(struct cells *cells, const struct row *row, int64_t now_s)
{
    buf_init(&cells->text, cells->storage, sizeof(cells->storage));
    put_cell(cells, COLUMN_ID, row->id);
    put_age(cells, now_s - row->created_at);
    put_cell(cells, COLUMN_NODE, row->node);
    put_cell(cells, COLUMN_SERVICE, row->service);
    put_cell(cells, COLUMN_ACTION, row->action);
    put_cell(cells, COLUMN_RISK, row->risk);
    put_cell(cells, COLUMN_CONFIDENCE, row->confidence);
    put_cell(cells, COLUMN_REASON, row->reason);
    return cells->cell;
}

static void print_row(const struct columns *columns, const struct span *cells)
{
    static char storage[2 * ROW_MAX];
    struct buf line;

    buf_init(&line, storage, sizeof(storage));
    columns_row(columns, cells, &line);
    print_span(buf_view(&line));
}

static void print_table(void)
{
    static struct cells cells;
    struct columns columns = {
        .count = COLUMN_COUNT,
        .title = {"ID", "AGE", "NODE", "SERVICE", "ACTION", "RISK", "CONF", "REASON"},
        .right = {[COLUMN_AGE] = true, [COLUMN_CONFIDENCE] = true},
        .most = {[COLUMN_NODE] = 20,
                 [COLUMN_SERVICE] = 24,
                 [COLUMN_ACTION] = 20,
                 [COLUMN_RISK] = 10,
                 [COLUMN_CONFIDENCE] = 6},
        .least = {[COLUMN_NODE] = 6, [COLUMN_SERVICE] = 7},
    };
    int64_t now_s = clock_now().wall_ms / 1000;

    columns_init(&columns);
    for (unsigned i = 0; i < list.count; i++)
        columns_measure(&columns, cells_of(&cells, &list.rows[i], now_s));
    columns_fit(&columns, print_width());
    print_row(&columns, NULL);
    for (unsigned i = 0; i < list.count; i++)
        print_row(&columns, cells_of(&cells, &list.rows[i], now_s));
}

static int print_people(void)
{
    if (list.count == 0)
        print_str("Nothing is pending.\n");
    else
        print_table();
    if (list.more > 0) {
        print_str("... and ");
        print_int(list.more);
        print_str(" more.\n");
    }
    if (list.unread > 0) {
        print_int(list.unread);
        print_str(" more in actions/pending cannot be read: ");
        print_str(log_errno(list.error));
        print_str("\n");
    }
    if (list.foreign > 0) {
        print_int(list.foreign);
        print_str(list.foreign == 1 ? " file in actions/pending is no action: "
                                    : " files in actions/pending are no actions, one is ");
        print_safe(span_of(list.foreign_name));
        print_str("\n");
    }
    return print_end(EX_OK);
}

/* ---- JSON ---- */

static void print_object(const struct action_facts *facts, bool first)
{
    static char storage[8 * sizeof(struct action_facts)];
    struct json_write w;
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    json_write_init(&w, &b);
    json_write_object(&w, NULL);
    json_write_str(&w, "action_id", facts->id);
    json_write_str(&w, "node", facts->node);
    json_write_str(&w, "service", facts->service);
    json_write_str(&w, "type", facts->type);
    json_write_str(&w, "action", facts->action[0] != '\0' ? facts->action : NULL);
    json_write_str(&w, "risk", facts->risk);
    if (facts->confidence[0] != '\0')
        json_write_raw(&w, "confidence", span_of(facts->confidence));
    else
        json_write_null(&w, "confidence");
    json_write_bool(&w, "requires_human", facts->requires_human);
    json_write_str(&w, "reason", facts->reason);
    json_write_str(&w, "model", facts->model[0] != '\0' ? facts->model : NULL);
    json_write_str(&w, "event_type", facts->event_type);
    json_write_str(&w, "event_severity", facts->event_severity);
    json_write_str(&w, "correlation_id", facts->correlation_id);
    json_write_int(&w, "created_at", facts->created_at);
    json_write_int(&w, "updated_at", facts->updated_at);
    json_write_end_object(&w);
    print_str(first ? "\n  " : ",\n  ");
    print_span(buf_view(&b));
}

/* One array; an action that went away meanwhile is not in it. */
static int print_json(const struct tree *tree)
{
    static struct action_facts facts;
    bool first = true;

    print_str("[");
    for (unsigned i = 0; i < list.count; i++)
        if (actions_look(tree, ACTION_PENDING, list.rows[i].id, &facts) == ACTION_FOUND) {
            print_object(&facts, first);
            first = false;
        }
    print_str(first ? "]\n" : "\n]\n");
    return print_end(EX_OK);
}

int pending_command(const struct command *self, int argc, char **argv)
{
    bool json = false;
    const struct option options[] = {
        COMMAND_TREE_OPTIONS,
        {"--json", &json, NULL},
        COMMAND_OPTIONS_END,
    };
    const struct config *config;
    struct tree tree;

    int code = command_options(self, options, &argc, argv);
    if (code == 0)
        code = command_open(self, &config, &tree);
    if (code != 0)
        return code;
    /* A tree that has no actions yet has none pending; one that is not there is a mistake. */
    int top = tree_look(&tree, ".");
    tree_close(top);
    if (top < 0 || actions_each(&tree, ACTION_PENDING, 0, take_row, NULL) != 0)
        return command_fail(self, command_code(errno), top < 0 ? tree.path : "actions/pending",
                            log_errno(errno));
    /* Who sees none for want of a permission must not think that there is none. */
    if (list.unread > 0 && list.count == 0)
        return command_fail(self, command_code(list.error), "the files in actions/pending",
                            log_errno(list.error));
    qsort(list.rows, list.count, sizeof(list.rows[0]), compare);
    return json ? print_json(&tree) : print_people();
}
