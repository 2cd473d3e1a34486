#include "store/audit.h"

#include "store/tree.h"

#include "base/dir.h"
#include "base/file.h"
#include "base/json_write.h"
#include "base/limits.h"
#include "base/number.h"
#include "base/sha256.h"
#include "base/timestamp.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define AUDIT_HASH_CHARS 8       /* of SHA-256: tells actions of one second apart */
#define AUDIT_BYTES_MAX 16384    /* every field at its longest, each byte escaped */
#define AUDIT_CONFIDENCE_MAX 1e9 /* any number will do: rules.c judged it */

static const char suffix[] = ".json";

/* "events/<date>", which a path begins with. */
#define DAY_LEN (sizeof(TREE_EVENTS) + TIMESTAMP_DATE_SIZE - 1)

/* Where this node's planner has it: events/<date>/<node>/evt-<node>-... 0, or -1. */
static int find_path(char path[PATH_LEN_MAX], const struct audit *audit, const char *node_name)
{
    const struct span name = span_of(node_name);
    const struct span parts[] = {span_of(audit->action_id), span_of(audit->correlation_id)};
    char date[TIMESTAMP_DATE_SIZE];
    char node[NAME_MAX_BYTES + 2];
    char hash[AUDIT_HASH_CHARS + 1];
    struct buf b;

    if (audit->created_at < 0 || audit->created_at > ACTION_TIME_MAX_S || name.n == 0 ||
        name.n > NAME_MAX_BYTES)
        return -1;
    span_safe_name(node, name);
    timestamp_date(date, audit->created_at * 1000);
    sha256_hex(hash, AUDIT_HASH_CHARS, parts, sizeof(parts) / sizeof(parts[0]));

    buf_init(&b, path, PATH_LEN_MAX);
    buf_str(&b, TREE_EVENTS "/");
    buf_str(&b, date);
    buf_char(&b, '/');
    buf_str(&b, node);
    buf_str(&b, "/evt-");
    buf_str(&b, node);
    buf_char(&b, '-');
    buf_int(&b, audit->created_at * 1000);
    buf_char(&b, '-');
    buf_str(&b, hash);
    buf_str(&b, suffix);
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

static void write_event(struct buf *b, struct span id, const struct audit *audit)
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
    json_write_span(&w, "id", id);
    write_payload(&w, audit);
    json_write_end_object(&w);
    buf_char(b, '\n');
}

/* A process that was killed here left its temporary file in this very directory: the first event
 * that goes there finds it. A failed sweep harms nobody. */
static void sweep_once(int dir, const char *path)
{
    static char swept[PATH_LEN_MAX];

    if (strcmp(path, swept) == 0)
        return;
    (void)file_sweep(dir);
    span_cut_text(swept, sizeof(swept), path);
}

int audit_put(const struct tree *tree, const struct audit *audit)
{
    char storage[AUDIT_BYTES_MAX];
    char path[PATH_LEN_MAX];
    struct buf b;

    if (find_path(path, audit, audit->node_name) != 0) {
        errno = EINVAL;
        return -1;
    }
    char *file = strrchr(path, '/');
    *file++ = '\0';
    buf_init(&b, storage, sizeof(storage));
    write_event(&b, (struct span){file, strlen(file) - (sizeof(suffix) - 1)}, audit);
    if (buf_done(&b) != 0) {
        errno = EMSGSIZE;
        return -1;
    }
    int dir = tree_open_made(tree, path, TREE_DIR_MODE);
    if (dir < 0)
        return -1;
    sweep_once(dir, path);
    enum file_result result = file_put(dir, file, buf_view(&b), 0644, false);
    int done = result == FILE_OK ? 0 : -1;
    if (result == FILE_EXISTS) /* perhaps by a process that was killed before it was durable */
        done = tree_sync(dir);
    tree_close(dir);
    return done;
}

/* ---- What a killed planner owes ---- */

struct mending {
    const struct tree *tree;
    const char *node_name;
    int64_t since_s;
    int left;  /* so many more may be written */
    int error; /* after it the rest is only found */
    void (*found)(void *arg, const struct action_facts *facts);
    void *arg;
};

/* Under our own name, or any other's. What cannot be looked at is taken for missing: writing it
 * tells what is wrong. */
static bool stands(const struct tree *tree, const struct audit *audit)
{
    char path[PATH_LEN_MAX];
    struct dir_entry entry = {.name = audit->node_name};
    struct stat st;
    struct dir d;
    bool found;

    if (find_path(path, audit, entry.name) != 0)
        return false;
    path[DAY_LEN] = '\0';
    d.fd = tree_open(tree, path);
    dir_rewind(&d);
    do
        found = find_path(path, audit, entry.name) == 0 &&
                fstatat(d.fd, path + DAY_LEN + 1, &st, AT_SYMLINK_NOFOLLOW) == 0;
    while (!found && dir_next(&d, &entry) == 1);
    dir_close(&d);
    return found;
}

static int mend(void *arg, const char *name, enum action_look look,
                const struct action_facts *facts)
{
    struct mending *m = arg;
    struct audit audit;

    (void)name;
    (void)look;
    if (facts == NULL || !facts->ours || facts->created_at < m->since_s ||
        facts->created_at > m->since_s + 2 * AUDIT_MEND_S)
        return 0;
    m->found(m->arg, facts);
    audit_of(&audit, facts, m->node_name);
    if (m->error != 0 || stands(m->tree, &audit))
        return 0;
    errno = EAGAIN;
    /* The action comes first, after a power cut too. */
    if (m->left-- == 0 || actions_settle(m->tree) != 0 || audit_put(m->tree, &audit) != 0)
        m->error = errno;
    return 0;
}

int audit_mend(const struct tree *tree, const char *node_name, int64_t last_s,
               void (*found)(void *arg, const struct action_facts *facts), void *arg)
{
    struct mending m = {tree, node_name, last_s - AUDIT_MEND_S, AUDITS_MENDED_MAX, 0, found, arg};

    /* In the order in which actions move on: none slips past. A directory that cannot be read is
     * told of by who looks for open actions there. */
    for (enum action_place place = ACTION_PENDING; last_s > 0 && place < ACTION_PLACES; place++)
        (void)actions_each(tree, place, m.since_s, mend, &m);
    return m.error;
}
