#include "cmd/command.h"
#include "cmd/commands.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/timestamp.h"
#include "base/utf8.h"
#include "cmd/print.h"
#include "cmd/redis_call.h"
#include "planner/event.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

#define NAME_TRIES 8 /* of 2^32 names a millisecond */

struct emission {
    const char *node;
    const char *service;
    const char *type;
    const char *severity;
    const char *source;
    const char *message;
    const char *payload;
    const char *id;
    bool redis; /* publish it, instead of writing a file */
    int64_t now_ms;
    char file[FILE_NAME_MAX + 1]; /* "evt-<node>-<ms>-<8 hex>.json" */
    char dir[PATH_LEN_MAX];       /* "events/<date>/<node>" */
    char safe_node[NAME_MAX_BYTES + 1];
};

static bool is_severity(const char *text)
{
    static const char *const known[] = {"info", "warning", "warn", "error", "critical", "fatal"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(text, known[i]) == 0)
            return true;
    return false;
}

/* An argument that is not UTF-8 would be written as something else. */
static const char *find_not_utf8(const struct emission *e)
{
    const char *const texts[] = {e->service, e->type, e->source, e->message, e->id};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (!utf8_is_text(span_of(texts[i])))
            return texts[i];
    return NULL;
}

static const char *payload_error(const char *payload)
{
    static jsmntok_t tokens[JSON_TOKENS_MAX];
    struct json doc;

    enum json_error error =
        json_read(&doc, payload, strlen(payload), tokens, JSON_TOKENS_MAX, EVENT_DEPTH_MAX - 1);
    return error == JSON_OK ? NULL : json_error_text(error);
}

static void build(const struct emission *e, const char *id, struct buf *out)
{
    char stamp[TIMESTAMP_SIZE];
    struct json_write w;

    timestamp_format(stamp, e->now_ms);
    json_write_init(&w, out);
    json_write_object(&w, NULL);
    json_write_str(&w, "timestamp", stamp);
    json_write_str(&w, "node", e->node);
    json_write_str(&w, "type", e->type);
    json_write_str(&w, "severity", e->severity);
    if (e->source != NULL)
        json_write_str(&w, "source", e->source);
    if (e->service != NULL)
        json_write_str(&w, "service", e->service);
    if (e->message != NULL)
        json_write_str(&w, "message", e->message);
    if (e->payload != NULL)
        json_write_raw(&w, "payload", span_of(e->payload));
    json_write_str(&w, "id", id);
    json_write_end_object(&w);
}

/* 0, or -1 where a name is too long. */
static int name_file(struct emission *e, uint32_t random)
{
    struct buf b;

    buf_init(&b, e->file, sizeof(e->file));
    buf_str(&b, "evt-");
    buf_str(&b, e->safe_node);
    buf_char(&b, '-');
    buf_int(&b, e->now_ms);
    buf_char(&b, '-');
    buf_hex(&b, &random, sizeof(random));
    buf_str(&b, ".json");
    return buf_text(&b) != NULL ? 0 : -1;
}

static int name_dir(struct emission *e)
{
    char date[TIMESTAMP_DATE_SIZE];
    struct buf b;

    span_safe_name(e->safe_node, span_of(e->node));
    timestamp_date(date, e->now_ms);
    buf_init(&b, e->dir, sizeof(e->dir));
    buf_str(&b, TREE_EVENTS "/");
    buf_str(&b, date);
    buf_char(&b, '/');
    buf_str(&b, e->safe_node);
    return buf_text(&b) != NULL ? 0 : -1;
}

/* Makes a name and the event's text. The reader's own rules are asked: what it would refuse is not
 * written. 0 or an exit code. */
static int compose(const struct command *self, struct emission *e, const struct aliases *aliases,
                   struct buf *out)
{
    static struct event event;
    char own_id[FILE_NAME_MAX + 1];
    uint32_t random;

    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random) ||
        name_file(e, random) != 0)
        return command_fail(self, EX_TEMPFAIL, "no name for the event", log_errno(errno));
    struct span id = {e->file, strlen(e->file) - (sizeof(".json") - 1)};
    (void)span_copy(own_id, sizeof(own_id), id);
    buf_reset(out);
    build(e, e->id != NULL ? e->id : own_id, out);
    enum event_error error = EVENT_TOO_LARGE;
    if (buf_done(out) == 0)
        error = event_parse(&event, buf_view(out), aliases, span_of(e->file), e->now_ms);
    if (error != EVENT_OK)
        return command_fail(self, EX_USAGE, "the event is refused", event_error_text(error));
    return 0;
}

static int emit(const struct command *self, struct emission *e, const struct config *config,
                const struct tree *tree)
{
    static char storage[EVENT_BYTES_MAX];
    enum file_result result = FILE_EXISTS;
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    for (int i = 0; i < NAME_TRIES && result == FILE_EXISTS; i++) {
        int code = compose(self, e, &config->aliases, &b);
        if (code != 0)
            return code;
        buf_char(&b, '\n');
        int dir = tree_open_made(tree, e->dir, TREE_DIR_MODE);
        if (dir < 0)
            return command_fail(self, command_code(errno), tree->path, log_errno(errno));
        result = file_put(dir, e->file, buf_view(&b), 0644, false);
        tree_close(dir);
    }
    if (result != FILE_OK)
        return command_fail(self, command_code(errno), e->dir, log_errno(errno));
    print_safe(span_of(tree->path));
    print_str("/");
    print_str(e->dir);
    print_str("/");
    print_str(e->file);
    print_str("\n");
    return print_end(EX_OK);
}

/* ---- Over Redis ---- */

static const char channel[] = "health_events";

static int publish(const struct command *self, struct emission *e, const struct config *config)
{
    static char storage[EVENT_BYTES_MAX];
    static struct redis_called called;
    struct buf b;

    if (!config_is_set(config, SETTING_REDIS_URL))
        return command_fail(self, EX_CONFIG, "REDIS_URL is not set", NULL);
    buf_init(&b, storage, sizeof(storage));
    int code = compose(self, e, &config->aliases, &b);
    if (code != 0)
        return code;
    const struct span args[] = {span_of("PUBLISH"), span_of(channel), buf_view(&b)};
    if (redis_call(&called, config, args, sizeof(args) / sizeof(args[0])) != 0)
        return command_fail(self, EX_UNAVAILABLE, called.url, called.why);
    print_str("published to ");
    print_str(channel);
    print_str(", heard by ");
    print_int(called.integer);
    print_str("\n");
    if (called.integer == 0)
        print_error(self->name, "nobody listens: the event is lost", NULL);
    return print_end(EX_OK);
}

/* ---- The command ---- */

static int check(const struct command *self, const struct emission *e)
{
    const char *error;

    if (e->type == NULL)
        return command_usage(self, "--type is missing", NULL);
    if (!is_severity(e->severity))
        return command_usage(self, "--severity takes info, warning, error or critical",
                             e->severity);
    const char *wrong = find_not_utf8(e);
    if (wrong != NULL)
        return command_usage(self, "this is not UTF-8", wrong);
    if (e->payload != NULL && (error = payload_error(e->payload)) != NULL)
        return command_usage(self, "--payload", error);
    return 0;
}

int emit_command(const struct command *self, int argc, char **argv)
{
    static struct emission e;
    const struct option options[] = {
        COMMAND_TREE_OPTIONS,
        {"--node", NULL, &command_sources.node},
        {"--service", NULL, &e.service},
        {"--type", NULL, &e.type},
        {"--severity", NULL, &e.severity},
        {"--source", NULL, &e.source},
        {"--message", NULL, &e.message},
        {"--payload", NULL, &e.payload},
        {"--id", NULL, &e.id},
        {"--redis", &e.redis, NULL},
        COMMAND_OPTIONS_END,
    };
    const struct config *config;
    struct tree tree;

    int code = command_options(self, options, &argc, argv);
    if (e.severity == NULL)
        e.severity = "warning";
    if (code == 0)
        code = check(self, &e);
    if (e.redis) /* REDIS_URL may stand there */
        command_sources.may_skip_env_file = false;
    if (code == 0)
        code = command_open(self, &config, &tree);
    if (code != 0)
        return code;
    e.node = config_text(config, SETTING_NODE_NAME);
    e.now_ms = clock_now().wall_ms;
    if (name_dir(&e) != 0)
        return command_usage(self, "--node is too long", NULL);
    if (e.redis)
        return publish(self, &e, config);
    return emit(self, &e, config, &tree);
}
