#include "store/audit.h"

#include "store/tree.h"

#include "base/file.h"
#include "base/json_write.h"
#include "base/limits.h"
#include "base/number.h"
#include "base/sha256.h"
#include "base/timestamp.h"

#include <errno.h>
#include <string.h>

#define AUDIT_HASH_CHARS 8       /* of SHA-256: tells actions of one second apart */
#define AUDIT_BYTES_MAX 16384    /* every field at its longest, each byte escaped */
#define AUDIT_CONFIDENCE_MAX 1e9 /* any number will do: rules.c judged it */

struct place {
    char date[TIMESTAMP_DATE_SIZE];
    char node[NAME_MAX_BYTES + 1];
    char dir[sizeof(TREE_EVENTS) + TIMESTAMP_DATE_SIZE + NAME_MAX_BYTES + 1];
    char id[FILE_NAME_MAX + 1];
    char file[FILE_NAME_MAX + 1];
};

/* As CONTRACTS, section 3, has it for names that become file names. */
static int sanitize(char out[NAME_MAX_BYTES + 1], const char *name)
{
    struct span s = span_of(name);

    if (s.n == 0 || span_copy(out, NAME_MAX_BYTES + 1, s) != 0)
        return -1;
    for (char *c = out; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || *c == '_';
        if (!plain && ((*c != '.' && *c != '-') || c == out))
            *c = '_';
    }
    return 0;
}

static int find_place(struct place *place, const struct audit *audit)
{
    const struct span parts[] = {span_of(audit->action_id), span_of(audit->correlation_id)};
    char hash[AUDIT_HASH_CHARS + 1];
    struct buf b;

    if (audit->created_at < 0 || audit->created_at > ACTION_TIME_MAX_S)
        return -1;
    if (sanitize(place->node, audit->node_name) != 0)
        return -1;
    timestamp_date(place->date, audit->created_at * 1000);
    sha256_hex(hash, AUDIT_HASH_CHARS, parts, sizeof(parts) / sizeof(parts[0]));

    buf_init(&b, place->dir, sizeof(place->dir));
    buf_str(&b, TREE_EVENTS "/");
    buf_str(&b, place->date);
    buf_char(&b, '/');
    buf_str(&b, place->node);
    if (buf_text(&b) == NULL)
        return -1;
    buf_init(&b, place->id, sizeof(place->id));
    buf_str(&b, "evt-");
    buf_str(&b, place->node);
    buf_char(&b, '-');
    buf_int(&b, audit->created_at * 1000);
    buf_char(&b, '-');
    buf_str(&b, hash);
    if (buf_text(&b) == NULL)
        return -1;
    buf_init(&b, place->file, sizeof(place->file));
    buf_str(&b, place->id);
    buf_str(&b, ".json");
    return buf_text(&b) != NULL ? 0 : -1;
}

static void write_payload(struct json_write *w, const struct audit *audit)
{
    struct span confidence = span_of(audit->confidence);
    double value;

    json_write_object(w, "payload");
    json_write_str(w, "action_id", audit->action_id);
    json_write_str(w, "action", audit->action);
    json_write_str(w, "target_node", audit->target_node);
    json_write_str(w, "target_service", audit->target_service);
    json_write_str(w, "model", audit->model);
    /* After a crash it comes from the action file, and what stands there may be no number. */
    if (number_real(confidence, -AUDIT_CONFIDENCE_MAX, AUDIT_CONFIDENCE_MAX, &value) == 0)
        json_write_raw(w, "confidence", confidence);
    else
        json_write_null(w, "confidence");
    json_write_bool(w, "requires_human", audit->requires_human);
    json_write_end_object(w);
}

static void write_event(struct buf *b, const struct place *place, const struct audit *audit)
{
    char timestamp[TIMESTAMP_SIZE];
    struct json_write w;

    /* The action's time, not the clock's: written twice, the file is the same. */
    timestamp_format(timestamp, audit->created_at * 1000);
    json_write_init(&w, b);
    json_write_object(&w, NULL);
    json_write_str(&w, "timestamp", timestamp);
    json_write_str(&w, "node", audit->node_name);
    json_write_str(&w, "type", "remediation_started");
    json_write_str(&w, "severity", "info");
    json_write_str(&w, "source", "planner-agent");
    json_write_str(&w, "service", audit->target_service);
    json_write_str(&w, "correlation_id", audit->correlation_id);
    json_write_str(&w, "id", place->id);
    write_payload(&w, audit);
    json_write_end_object(&w);
    buf_char(b, '\n');
}

/* Opens events/<date>/<node>, made where it is missing: below events itself, which may be a symlink
 * to another disk. */
static int open_made(const struct tree *tree, const char *path)
{
    int dir = tree_open(tree, path);

    if (dir >= 0 || errno != ENOENT)
        return dir;
    int events = tree_open_made(tree, TREE_EVENTS, TREE_DIR_MODE);
    if (events < 0)
        return -1;
    int made = file_make_dirs(events, path + sizeof(TREE_EVENTS), TREE_DIR_MODE);
    tree_close(events);
    return made == 0 ? tree_open(tree, path) : -1;
}

/* A process that was killed here left its temporary file in this very directory: the first event
 * that goes there finds it. A failed sweep harms nobody. */
static void sweep_once(int dir, const char *path)
{
    static char swept[PATH_LEN_MAX];

    if (strcmp(path, swept) == 0)
        return;
    (void)file_sweep(dir);
    span_cut(swept, sizeof(swept), span_of(path));
}

int audit_put(const struct tree *tree, const struct audit *audit)
{
    char storage[AUDIT_BYTES_MAX];
    struct place place;
    struct buf b;

    if (find_place(&place, audit) != 0) {
        errno = EINVAL;
        return -1;
    }
    buf_init(&b, storage, sizeof(storage));
    write_event(&b, &place, audit);
    if (buf_done(&b) != 0) {
        errno = EMSGSIZE;
        return -1;
    }
    int dir = open_made(tree, place.dir);
    if (dir < 0)
        return -1;
    sweep_once(dir, place.dir);
    enum file_result result = file_put(dir, place.file, buf_view(&b), 0644, false);
    int done = result == FILE_OK ? 0 : -1;
    if (result == FILE_EXISTS) /* perhaps by a process that was killed before it was durable */
        done = tree_sync(dir);
    tree_close(dir);
    return done;
}
