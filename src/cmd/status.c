#include "cmd/command.h"
#include "cmd/commands.h"

#include "base/clock.h"
#include "base/json_write.h"
#include "base/log.h"
#include "cmd/cooldown_list.h"
#include "cmd/print.h"
#include "cmd/status_page.h"
#include "store/heartbeat.h"
#include "store/status.h"

#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>

static const char *const probed[STATUS_PAGE_PROBES] = {"actions/pending", TREE_STATE};

/* ---- JSON ---- */

static void write_probes(struct json_write *w, const struct status_page *page)
{
    json_write_object(w, "writable");
    for (size_t i = 0; i < STATUS_PAGE_PROBES; i++) {
        int error = page->probe[i].error;
        json_write_object(w, page->probe[i].path);
        json_write_bool(w, "ok", error == 0);
        json_write_str(w, "error", error != 0 ? log_errno(error) : NULL);
        json_write_end_object(w);
    }
    json_write_end_object(w);
}

static void write_cooldown(struct json_write *w, const struct status_page *page,
                           const struct cooldown *entry)
{
    json_write_object(w, NULL);
    json_write_span(w, "key", table_key_of(&page->cooldowns->table, entry));
    json_write_str(w, "severity", severity_text(entry->severity));
    json_write_int(w, "remaining_seconds", status_page_remaining_s(page, entry));
    json_write_int(w, "suppressed", entry->suppressed);
    json_write_end_object(w);
}

static void print_buf(struct buf *b)
{
    print_span(buf_view(b));
    buf_reset(b);
}

static int print_json(const struct status_page *page, struct span object)
{
    char storage[4096];
    struct json_write w;
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    json_write_init(&w, &b);
    json_write_object(&w, NULL);
    json_write_bool(&w, "alive", page->alive);
    if (page->beat_age_s >= 0)
        json_write_int(&w, "heartbeat_age_seconds", page->beat_age_s);
    else
        json_write_null(&w, "heartbeat_age_seconds");
    write_probes(&w, page);
    json_write_array(&w, "cooldowns");
    for (uint32_t i = 0; i < page->cooldowns->table.count; i++) {
        write_cooldown(&w, page, table_at(&page->cooldowns->table, i));
        print_buf(&b);
    }
    json_write_end_array(&w);
    print_buf(&b);
    print_str(",\"planner\":");
    print_span(object.n > 0 ? object : span_of("null"));
    print_str("}\n");
    return print_end(object.n > 0 ? EX_OK : EXIT_FAILURE);
}

/* ---- What is looked at ---- */

static void look(struct status_page *page, const struct tree *tree)
{
    int64_t beat_ms = heartbeat_last(tree);

    page->now = clock_now();
    page->beat_age_s = -1;
    if (beat_ms >= 0) {
        int64_t age_s = (page->now.wall_ms - beat_ms) / 1000;
        page->beat_age_s = age_s > 0 ? age_s : 0;
    }
    for (size_t i = 0; i < STATUS_PAGE_PROBES; i++) {
        page->probe[i].path = probed[i];
        page->probe[i].error = tree_probe(tree, probed[i]);
    }
}

int status_command(const struct command *self, int argc, char **argv)
{
    static char data[STATUS_SIZE];
    static struct cooldowns cooldowns;
    bool json = false;
    const struct option options[] = {
        COMMAND_TREE_OPTIONS,
        {"--json", &json, NULL},
        COMMAND_OPTIONS_END,
    };
    const struct config *config;
    struct status_page page = {.cooldowns = &cooldowns};
    struct span object = {NULL, 0};
    struct tree tree;

    int code = command_options(self, options, &argc, argv);
    if (code == 0)
        code = command_open(self, &config, &tree);
    if (code != 0)
        return code;
    page.tree = tree.path;
    page.cooldown_ms = config_number(config, SETTING_COOLDOWN_SECONDS) * 1000;
    look(&page, &tree);
    if (status_read(&tree, data, &object) != 0)
        page.status_error = errno;
    status_page_read(&page, object);
    if (cooldown_list_read(&tree, page.cooldown_ms, page.now, &cooldowns) != 0 && errno != ENOENT)
        page.cooldowns_error = errno;
    if (json)
        code = print_json(&page, object);
    else
        code = print_end(status_page_print(&page));
    if (page.status_error != 0)
        return command_fail(self, page.status_error == EACCES ? EX_NOPERM : EXIT_FAILURE,
                            page.status_error == ENOENT ? "no planner has run on this tree yet"
                                                        : "the planner's status cannot be read",
                            log_errno(page.status_error));
    return code;
}
