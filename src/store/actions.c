#include "store/actions.h"

#include "store/tree.h"

#include "base/buf.h"
#include "base/dir.h"
#include "base/json_read.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static const char suffix[] = ".json";
static const char claim_prefix[] = ACTION_CLAIM_PREFIX;

/* One file at a time is read, into these. */
static char data[ACTION_BYTES_MAX];
static jsmntok_t tokens[JSON_TOKENS_MAX];

_Static_assert(ACTION_BYTES_MAX <= EVENT_BYTES_MAX, "the tokens suffice for any action");

static const struct {
    const char *text;
    const char *dir;
} places[ACTION_PLACES] = {
    [ACTION_PENDING] = {"pending", "actions/pending"},
    [ACTION_CLAIMED] = {"claimed", "actions/pending"},
    [ACTION_APPROVED] = {"approved", "actions/approved"},
    [ACTION_RUNNING] = {"running", "actions/running"},
    [ACTION_REJECTED] = {"rejected", "actions/rejected"},
    [ACTION_COMPLETED] = {"completed", "actions/completed"},
    [ACTION_FAILED] = {"failed", "actions/failed"},
    [ACTION_CANCELLED] = {"cancelled", "actions/cancelled"},
};

/* ---- Names ---- */

const char *actions_place_text(enum action_place place)
{
    return places[place].text;
}

const char *actions_dir(enum action_place place)
{
    return places[place].dir;
}

static int finish_text(struct buf *b, char *out)
{
    if (buf_text(b) != NULL)
        return 0;
    out[0] = '\0';
    return -1;
}

static void put_name(struct buf *b, enum action_place place, const char *id)
{
    if (place == ACTION_CLAIMED)
        buf_str(b, claim_prefix);
    buf_str(b, id);
    if (place != ACTION_CLAIMED)
        buf_str(b, suffix);
}

int actions_name(char *out, size_t cap, enum action_place place, const char *id)
{
    struct buf b;

    buf_init(&b, out, cap);
    put_name(&b, place, id);
    return finish_text(&b, out);
}

int actions_path(char *out, size_t cap, enum action_place place, const char *id)
{
    struct buf b;

    buf_init(&b, out, cap);
    buf_str(&b, actions_dir(place));
    buf_char(&b, '/');
    put_name(&b, place, id);
    return finish_text(&b, out);
}

static bool is_id_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool actions_id_valid(struct span id)
{
    if (id.n == 0 || id.n > ACTION_ID_MAX || id.p[0] == '.' || id.p[0] == '-')
        return false;
    for (size_t i = 0; i < id.n; i++)
        if (!is_id_char(id.p[i]))
            return false;
    return true;
}

/* Takes the id out of a file's name: 0, or -1 where the name is none of this place's; an id that
 * is not valid comes out empty. */
static int id_of(const char *name, enum action_place place, char id[ACTION_ID_MAX + 1])
{
    struct span rest = span_of(name);
    const size_t before = place == ACTION_CLAIMED ? sizeof(claim_prefix) - 1 : 0;
    const size_t after = place == ACTION_CLAIMED ? 0 : sizeof(suffix) - 1;

    if (rest.n <= before + after)
        return -1;
    if (before > 0 ? memcmp(name, claim_prefix, before) != 0 : name[0] == '.')
        return -1;
    if (memcmp(name + rest.n - after, suffix, after) != 0)
        return -1;
    rest = (struct span){name + before, rest.n - before - after};
    id[0] = '\0';
    return actions_id_valid(rest) ? span_copy(id, ACTION_ID_MAX + 1, rest) : 0;
}

/* ---- Reading ---- */

static void read_text(const struct json *doc, json_ref in, const char *name, char *out, size_t cap)
{
    if (json_string_cut(doc, json_member(doc, in, name), out, cap) < 0)
        out[0] = '\0';
}

/* Whole seconds by contract; a writer's fraction is cut off. */
static int64_t read_seconds(const struct json *doc, const char *name)
{
    json_ref ref = json_member(doc, JSON_ROOT, name);
    int64_t whole;
    double real;

    if (json_int(doc, ref, 0, ACTION_TIME_MAX_S, &whole) == 0)
        return whole;
    if (json_real(doc, ref, 0, (double)ACTION_TIME_MAX_S, &real) == 0)
        return (int64_t)real;
    return 0;
}

static void read_details(const struct json *doc, struct action_facts *facts)
{
    json_ref details = json_member(doc, JSON_ROOT, "details");
    json_ref event = json_member(doc, details, "event");
    json_ref confidence = json_member(doc, details, "confidence");

    read_text(doc, details, "action", facts->action, sizeof(facts->action));
    read_text(doc, details, "model", facts->model, sizeof(facts->model));
    read_text(doc, details, "reason", facts->reason, sizeof(facts->reason));
    /* Too long a number is left out by span_copy(). */
    if (json_type(doc, confidence) == JSON_NUMBER)
        (void)span_copy(facts->confidence, sizeof(facts->confidence), json_raw(doc, confidence));
    facts->requires_human =
        json_type(doc, json_member(doc, details, "requires_human")) == JSON_TRUE;
    read_text(doc, event, "type", facts->event_type, sizeof(facts->event_type));
    read_text(doc, event, "severity", facts->event_severity, sizeof(facts->event_severity));
    read_text(doc, event, "timestamp", facts->event_timestamp, sizeof(facts->event_timestamp));
}

static bool proposed_by_us(const struct json *doc)
{
    char by[sizeof("planner-agent")];
    return json_string(doc, json_member(doc, JSON_ROOT, "proposed_by"), by, sizeof(by)) >= 0 &&
           strcmp(by, "planner-agent") == 0;
}

enum action_look actions_parse(struct span bytes, const char *id, struct action_facts *facts)
{
    struct json doc;

    memset(facts, 0, sizeof(*facts));
    if (json_read(&doc, bytes.p, bytes.n, tokens, JSON_TOKENS_MAX, ACTION_DEPTH_MAX) != JSON_OK)
        return ACTION_FOREIGN;
    if (json_type(&doc, JSON_ROOT) != JSON_OBJECT || json_duplicates(&doc, JSON_ROOT))
        return ACTION_FOREIGN;
    json_ref own = json_member(&doc, JSON_ROOT, "action_id");
    if (json_string(&doc, own, facts->id, sizeof(facts->id)) < 0)
        return ACTION_FOREIGN;
    if (!actions_id_valid(span_of(facts->id)) || (id != NULL && strcmp(id, facts->id) != 0))
        return ACTION_FOREIGN;
    facts->ours = proposed_by_us(&doc);
    read_text(&doc, JSON_ROOT, "node", facts->node, sizeof(facts->node));
    read_text(&doc, JSON_ROOT, "service", facts->service, sizeof(facts->service));
    read_text(&doc, JSON_ROOT, "type", facts->type, sizeof(facts->type));
    read_text(&doc, JSON_ROOT, "risk", facts->risk, sizeof(facts->risk));
    read_text(&doc, JSON_ROOT, "correlation_id", facts->correlation_id,
              sizeof(facts->correlation_id));
    facts->created_at = read_seconds(&doc, "created_at");
    facts->updated_at = read_seconds(&doc, "updated_at");
    read_details(&doc, facts);
    return ACTION_FOUND;
}

static enum action_look look_at(int dir, const char *name, const char *id,
                                struct action_facts *facts)
{
    size_t n = 0;

    switch (file_read(dir, name, data, sizeof(data), &n, NULL)) {
    case FILE_OK:
        return actions_parse((struct span){data, n}, id, facts);
    case FILE_ABSENT:
        return ACTION_ABSENT;
    case FILE_IRREGULAR:
    case FILE_TOO_LARGE:
        return ACTION_FOREIGN;
    case FILE_EXISTS:
    case FILE_DENIED:
    case FILE_FAULT:
        break;
    }
    return ACTION_FAULT;
}

static void put_dir(struct buf *b, const struct tree *tree, enum action_place place)
{
    buf_str(b, tree->path);
    buf_char(b, '/');
    buf_str(b, actions_dir(place));
}

enum action_look actions_look(const struct tree *tree, enum action_place place, const char *id,
                              struct action_facts *facts)
{
    char path[PATH_LEN_MAX];
    struct buf b;

    buf_init(&b, path, sizeof(path));
    put_dir(&b, tree, place);
    buf_char(&b, '/');
    put_name(&b, place, id);
    if (!actions_id_valid(span_of(id)) || buf_text(&b) == NULL)
        return ACTION_ABSENT;
    return look_at(AT_FDCWD, path, id, facts);
}

/* ENOENT, and a file in a directory's place: what file_read() calls FILE_ABSENT. */
static bool is_absence(int error)
{
    return error == ENOENT || error == ENOTDIR;
}

static bool may_stand(int dir, enum action_place place, const char *id)
{
    char name[FILE_NAME_MAX + 1];
    struct stat st;

    if (strchr(id, '/') != NULL || actions_name(name, sizeof(name), place, id) != 0)
        return true;
    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || !is_absence(errno);
}

unsigned actions_present(const struct tree *tree, enum action_place place, const char *const *ids,
                         size_t count)
{
    char path[PATH_LEN_MAX];
    struct buf b;
    int dir = -1;

    /* As actions_look() goes there. O_PATH: who may not list a directory may look up its names. */
    buf_init(&b, path, sizeof(path));
    put_dir(&b, tree, place);
    errno = ENAMETOOLONG;
    if (buf_text(&b) != NULL)
        dir = openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 && is_absence(errno))
        return 0;
    unsigned found = 0;
    for (size_t i = 0; i < count; i++)
        if (dir < 0 || may_stand(dir, place, ids[i]))
            found |= 1U << i;
    tree_close(dir);
    return found;
}

/* Costs far less than reading it. What cannot be told is looked at. */
static bool is_older(int dir, const char *name, int64_t since_s)
{
    struct stat st;

    return since_s > 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           st.st_mtim.tv_sec < since_s;
}

int actions_each(const struct tree *tree, enum action_place place, int64_t since_s,
                 int (*each)(void *arg, const char *name, enum action_look look,
                             const struct action_facts *facts),
                 void *arg)
{
    struct dir d;
    struct dir_entry entry;
    struct action_facts facts;
    char id[ACTION_ID_MAX + 1];
    int result = 0;
    int dir = tree_open(tree, actions_dir(place));

    if (dir < 0)
        return errno == ENOENT ? 0 : -1;
    if (dir_open(&d, dir, ".") != 0) {
        tree_close(dir);
        return -1;
    }
    while (result == 0 && (result = dir_next(&d, &entry)) == 1) {
        result = 0;
        if (id_of(entry.name, place, id) != 0 || is_older(dir, entry.name, since_s))
            continue;
        enum action_look look =
            id[0] == '\0' ? ACTION_FOREIGN : look_at(dir, entry.name, id, &facts);
        if (look != ACTION_ABSENT) /* gone since the directory was read */
            result = each(arg, entry.name, look, look == ACTION_FOUND ? &facts : NULL);
    }
    dir_close(&d);
    tree_close(dir);
    return result;
}

/* ---- Writing ---- */

enum file_result actions_put(const struct tree *tree, const char *id, struct span body)
{
    char name[FILE_NAME_MAX + 1];

    if (!actions_id_valid(span_of(id)) ||
        actions_name(name, sizeof(name), ACTION_PENDING, id) != 0) {
        errno = EINVAL;
        return FILE_FAULT;
    }
    int dir = tree_open(tree, actions_dir(ACTION_PENDING));
    if (dir < 0 && errno == ENOENT)
        return FILE_ABSENT;
    if (dir < 0)
        return errno == EACCES ? FILE_DENIED : FILE_FAULT;
    enum file_result result = file_put(dir, name, body, 0640, false);
    tree_close(dir);
    return result;
}

int actions_settle(const struct tree *tree)
{
    int dir = tree_open(tree, actions_dir(ACTION_PENDING));

    if (dir < 0)
        return -1;
    int result = tree_sync(dir);
    tree_close(dir);
    return result;
}
