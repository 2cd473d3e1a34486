#include "store/verdict.h"

#include "store/actions.h"
#include "store/claim.h"
#include "store/tree.h"

#include "base/file.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>

/* A verdict's steps, all under flock(2) on pending/, and what a kill after each leaves:
 *
 *   1. left-over claims are resolved          nothing
 *   2. the file is read, once, and rewritten  nothing
 *      in memory
 *   3. it is claimed, durably                 the claim: put back by the next command
 *   4. the claim is compared with what was    the same
 *      read: the same inode, the same bytes
 *   5. the new file is put in place, durably  both: the claim is removed by the next command
 *   6. the claim is removed                   done
 */

struct step {
    const struct tree *tree;
    const struct verdict *verdict;
    enum action_place place; /* where it goes */
    int pending;
    int target;
    bool seen; /* it was in pending/ before we waited for the lock */
    int file;  /* what was read */
    struct stat st;
    struct span bytes;
    struct buf out;
    char name[FILE_NAME_MAX + 1];
    char claim[FILE_NAME_MAX + 1];
    uint8_t digest[SHA256_BYTES];
    char *why;
    size_t why_size;
};

/* One file at a time: as it was read, and as it is passed on. A byte more than allowed, to see one
 * that is too large; what is passed on must not be too large to be read again. */
static char data[ACTION_BYTES_MAX + 1];
static char rewritten[ACTION_BYTES_MAX];
static jsmntok_t tokens[JSON_TOKENS_MAX];

/* ---- What the operator is told ---- */

static enum verdict_result say(const struct step *s, enum verdict_result result, const char *first,
                               const char *second)
{
    struct buf b;

    buf_init(&b, s->why, s->why_size);
    buf_str(&b, first);
    buf_str(&b, second);
    if (buf_text(&b) == NULL)
        s->why[0] = '\0';
    return result;
}

static enum verdict_result say_errno(const struct step *s, const char *first)
{
    int error = errno;
    bool denied = error == EACCES || error == EPERM || error == EROFS;

    say(s, denied ? VERDICT_DENIED : VERDICT_FAULT, first, log_errno(error));
    errno = error;
    return denied ? VERDICT_DENIED : VERDICT_FAULT;
}

/* The action is not in pending/: where else? */
static enum verdict_result say_gone(const struct step *s)
{
    enum verdict_result result = s->seen ? VERDICT_LOST : VERDICT_ABSENT;
    struct action_facts facts;

    for (enum action_place place = ACTION_APPROVED; place < ACTION_PLACES; place++)
        if (actions_look(s->tree, place, s->verdict->id, &facts) == ACTION_FOUND)
            return say(s, result,
                       s->seen ? "another took it first: see "
                               : "no such action in pending/, but one in ",
                       actions_dir(place));
    return say(s, result, s->seen ? "another took it first" : "no such action in pending/", "");
}

/* ---- The new file ---- */

/* A member that the verdict writes anew. */
static bool is_ours(const struct json *doc, json_ref member)
{
    static const char *const ours[] = {"status", "updated_at", "transition_history"};
    char name[sizeof("transition_history")];

    if (json_string(doc, member, name, sizeof(name)) < 0)
        return false;
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (strcmp(name, ours[i]) == 0)
            return true;
    return false;
}

static void write_transition(struct json_write *w, const struct verdict *v, const char *to)
{
    char user[NAME_MAX_BYTES + 1];
    char storage[sizeof("operator-cli:") + NAME_MAX_BYTES];
    struct buf by;

    span_cut_text(user, sizeof(user), v->user);
    buf_init(&by, storage, sizeof(storage));
    buf_str(&by, "operator-cli:");
    buf_str(&by, user);
    json_write_object(w, NULL);
    json_write_str(w, "from", "pending");
    json_write_str(w, "to", to);
    json_write_int(w, "timestamp", v->now_s);
    json_write_span(w, "by", buf_view(&by));
    if (v->note.n > 0)
        json_write_span(w, "note", v->note);
    json_write_end_object(w);
}

/* What keeps bytes from being an action that can be passed on; NULL where nothing does. */
static const char *refuse(const struct json *doc, const char *id)
{
    char own[ACTION_ID_MAX + 1];
    json_ref history = json_member(doc, JSON_ROOT, "transition_history");

    if (json_type(doc, JSON_ROOT) != JSON_OBJECT)
        return "no JSON object";
    if (json_duplicates(doc, JSON_ROOT))
        return "a member stands in it twice";
    if (json_string(doc, json_member(doc, JSON_ROOT, "action_id"), own, sizeof(own)) < 0 ||
        strcmp(own, id) != 0)
        return "its action_id is not its file's name";
    if (json_type(doc, history) != JSON_ARRAY && json_type(doc, history) != JSON_NULL)
        return "its transition_history is no list";
    return NULL;
}

/* Writes bytes anew to out, with the verdict; all other members as they stand. NULL, or what is
 * wrong with them. */
static const char *rewrite(struct buf *out, struct span bytes, const struct verdict *v)
{
    const char *to = v->approve ? "approved" : "rejected";
    struct json_write w;
    struct json doc;
    enum json_error error =
        json_read(&doc, bytes.p, bytes.n, tokens, JSON_TOKENS_MAX, ACTION_DEPTH_MAX);
    const char *wrong = error != JSON_OK ? json_error_text(error) : refuse(&doc, v->id);

    if (wrong != NULL)
        return wrong;
    json_write_init(&w, out);
    json_write_object(&w, NULL);
    for (json_ref at = json_first(&doc, JSON_ROOT); at != JSON_NONE;
         at = json_next(&doc, JSON_ROOT, at))
        if (!is_ours(&doc, at))
            json_write_raw_named(&w, json_raw(&doc, at), json_raw(&doc, json_value(&doc, at)));
    json_write_str(&w, "status", to);
    json_write_int(&w, "updated_at", v->now_s);
    json_write_array(&w, "transition_history");
    json_ref history = json_member(&doc, JSON_ROOT, "transition_history");
    for (json_ref at = json_first(&doc, history); at != JSON_NONE;
         at = json_next(&doc, history, at))
        json_write_raw(&w, NULL, json_raw(&doc, at));
    write_transition(&w, v, to);
    json_write_end_array(&w);
    json_write_end_object(&w);
    buf_char(out, '\n');
    return buf_done(out) == 0 ? NULL : "too large with the verdict in it";
}

/* ---- The steps ---- */

/* Opens and reads the file: VERDICT_DONE, and s->file is the caller's. */
static enum verdict_result read_pending(struct step *s)
{
    switch (file_open(s->pending, s->name, &s->file, &s->st)) {
    case FILE_OK:
        break;
    case FILE_ABSENT:
        return say_gone(s);
    case FILE_IRREGULAR:
        return say(s, VERDICT_INVALID, "not a regular file", "");
    case FILE_EXISTS:
    case FILE_TOO_LARGE:
    case FILE_DENIED:
    case FILE_FAULT:
        return say_errno(s, "it cannot be read: ");
    }
    ssize_t n = file_read_at(s->file, data, sizeof(data), 0);
    if (n >= 0 && (size_t)n < sizeof(data)) {
        s->bytes = (struct span){data, (size_t)n};
        sha256_parts(s->digest, &s->bytes, 1);
        return VERDICT_DONE;
    }
    enum verdict_result result = n < 0 ? say_errno(s, "it cannot be read: ")
                                       : say(s, VERDICT_INVALID, "larger than an action is", "");
    tree_close(s->file);
    return result;
}

static bool is_expected(const struct step *s)
{
    char hex[SHA256_HEX_SIZE];
    struct span hash = s->verdict->hash;

    if (hash.n == 0)
        return true;
    sha256_hex(hex, hash.n, &s->bytes, 1);
    return span_is_nocase(hash, hex);
}

/* Is the claim the file that was read, and that file still the same? Between the reading and the
 * claim it may have been replaced, or written to; after it nobody has its name. */
static bool is_unchanged(const struct step *s)
{
    uint8_t digest[SHA256_BYTES];
    struct stat st;

    if (fstatat(s->pending, s->claim, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    if (st.st_dev != s->st.st_dev || st.st_ino != s->st.st_ino)
        return false;
    ssize_t n = file_read_at(s->file, data, sizeof(data), 0);
    if (n < 0 || (size_t)n != s->bytes.n)
        return false;
    sha256_parts(digest, &s->bytes, 1);
    return memcmp(digest, s->digest, sizeof(digest)) == 0;
}

/* The verdict cannot be carried out after the claim. What was said stands, unless the action could
 * not be put back either. */
static enum verdict_result undo(struct step *s, enum verdict_result result)
{
    int error = errno;

    switch (claim_put_back(s->pending, s->verdict->id)) {
    case CLAIM_FAULT:
        return say_errno(s, "not done, and the next command has to put it back: ");
    case CLAIM_SUPERSEDED:
        result = say(s, VERDICT_CHANGED, "a newer one has taken its place in pending/", "");
        break;
    case CLAIM_GONE:
    case CLAIM_PUT_BACK:
    case CLAIM_PASSED_ON:
        break;
    }
    errno = error;
    return result;
}

/* The verdict is given; a claim that stays is removed by the next command. */
static enum verdict_result finish(const struct step *s)
{
    s->why[0] = '\0';
    (void)claim_remove(s->pending, s->verdict->id);
    return VERDICT_DONE;
}

static bool is_in_place(const struct step *s)
{
    size_t n = 0;

    return file_read(s->target, s->name, data, sizeof(data), &n, NULL) == FILE_OK &&
           span_eq((struct span){data, n}, buf_view(&s->out));
}

/* Writing the new file failed, perhaps after it had got its name: then the claim stays until that
 * name is durable, and the next command sees both. */
static enum verdict_result settle(struct step *s)
{
    enum verdict_result result = say_errno(s, "it cannot be written: ");
    int error = errno;

    if (!is_in_place(s)) {
        errno = error;
        return undo(s, result);
    }
    if (tree_sync(s->target) != 0)
        return say_errno(s, "done, but it may not survive a power cut: ");
    return finish(s);
}

/* Steps 3 to 6. */
static enum verdict_result pass_on(struct step *s)
{
    if (claim_take(s->pending, s->verdict->id) != 0) {
        if (errno == ENOENT) {
            s->seen = true;
            return say_gone(s);
        }
        return say_errno(s, errno == EEXIST ? "an earlier verdict on it cannot be resolved: "
                                            : "it cannot be taken: ");
    }
    if (!is_unchanged(s))
        return undo(s, say(s, VERDICT_CHANGED, "it changed in this moment: look at it again", ""));
    switch (file_put(s->target, s->name, buf_view(&s->out), 0640, !s->verdict->approve)) {
    case FILE_OK:
        break;
    case FILE_EXISTS:
        return undo(s, say(s, VERDICT_TAKEN, "approved/ already holds one of this id", ""));
    case FILE_ABSENT:
    case FILE_IRREGULAR:
    case FILE_TOO_LARGE:
    case FILE_DENIED:
    case FILE_FAULT:
        return settle(s);
    }
    return finish(s);
}

static bool is_there(int dir, const char *name)
{
    struct stat st;

    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Steps 2 to 6, with the file open. */
static enum verdict_result decide(struct step *s)
{
    if (!is_expected(s))
        return say(s, VERDICT_CHANGED, "it has changed: its hash is another", "");
    buf_init(&s->out, rewritten, sizeof(rewritten));
    const char *wrong = rewrite(&s->out, s->bytes, s->verdict);
    if (wrong != NULL)
        return say(s, VERDICT_INVALID, "no action that can be passed on: ", wrong);
    s->target = tree_open_made(s->tree, actions_dir(s->place), TREE_DIR_MODE);
    if (s->target < 0)
        return say_errno(s, "its next directory cannot be opened: ");
    enum verdict_result result;
    /* Seen here, it costs no claim; file_put() never overwrites it in any case. */
    if (s->verdict->approve && is_there(s->target, s->name)) {
        s->seen = true;
        result = is_there(s->pending, s->name)
                     ? say(s, VERDICT_TAKEN, "approved/ already holds one of this id", "")
                     : say_gone(s); /* another has just approved it */
    } else {
        result = pass_on(s);
    }
    tree_close(s->target);
    return result;
}

/* Removes what killed commands left. Under the lock no other command writes there, and a failure
 * harms nobody. */
static void sweep(const struct tree *tree)
{
    static const enum action_place places[] = {ACTION_APPROVED, ACTION_REJECTED};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        int dir = tree_open(tree, actions_dir(places[i]));
        if (dir >= 0)
            (void)file_sweep(dir);
        tree_close(dir);
    }
}

/* Whoever may open the directory may lock it: we wait for a command that works, not for ever.
 * -1 with errno, EWOULDBLOCK where it was locked all the time. */
static int lock(int pending)
{
    for (int tries = 0; flock(pending, LOCK_EX | LOCK_NB) != 0; tries++) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || tries == LOCK_TRIES)
            return -1;
        (void)poll(NULL, 0, LOCK_PAUSE_MS);
    }
    return 0;
}

static enum verdict_result check(const struct step *s)
{
    const struct verdict *v = s->verdict;
    bool sound = v->hash.n == 0 || (v->hash.n >= 8 && v->hash.n < SHA256_HEX_SIZE);

    if (!actions_id_valid(span_of(v->id)))
        return say(s, VERDICT_ABSENT, "no action has such an id", "");
    errno = EINVAL;
    if (!sound)
        return say(s, VERDICT_FAULT, "a hash has 8 to 64 hexadecimal digits", "");
    if (v->note.n > NOTE_MAX)
        return say(s, VERDICT_FAULT, "the note is too long", "");
    return VERDICT_DONE;
}

enum verdict_result verdict_give(const struct tree *tree, const struct verdict *verdict, char *why,
                                 size_t why_size)
{
    struct step s = {.tree = tree, .verdict = verdict, .why = why, .why_size = why_size};

    s.place = verdict->approve ? ACTION_APPROVED : ACTION_REJECTED;
    why[0] = '\0';
    enum verdict_result result = check(&s);
    if (result != VERDICT_DONE)
        return result;
    if (actions_name(s.name, sizeof(s.name), ACTION_PENDING, verdict->id) != 0 ||
        actions_name(s.claim, sizeof(s.claim), ACTION_CLAIMED, verdict->id) != 0)
        return say(&s, VERDICT_ABSENT, "no action has such an id", "");
    s.pending = tree_open(tree, actions_dir(ACTION_PENDING));
    if (s.pending < 0 && errno == ENOENT)
        return say(&s, VERDICT_ABSENT, "there is no actions/pending", "");
    if (s.pending < 0)
        return say_errno(&s, "actions/pending cannot be opened: ");
    s.seen = is_there(s.pending, s.name) || is_there(s.pending, s.claim);
    if (lock(s.pending) != 0) {
        result = say_errno(&s, errno == EWOULDBLOCK
                                   ? "another command holds actions/pending, try again: "
                                   : "actions/pending cannot be locked: ");
    } else {
        /* A claim that cannot be resolved is in the way of its own id only: claim_take(). */
        (void)claim_resolve_all(tree, s.pending);
        sweep(tree);
        result = read_pending(&s);
        if (result == VERDICT_DONE) {
            result = decide(&s);
            tree_close(s.file);
        }
    }
    tree_close(s.pending);
    return result;
}

int verdict_resolve_claims(const struct tree *tree)
{
    int pending = tree_open(tree, actions_dir(ACTION_PENDING));

    if (pending < 0)
        return errno == ENOENT ? 0 : -1;
    int resolved = lock(pending) == 0 ? claim_resolve_all(tree, pending) : -1;
    tree_close(pending);
    return resolved;
}
