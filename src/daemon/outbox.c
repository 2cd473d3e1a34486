#include "daemon/outbox.h"

#include "base/log.h"
#include "planner/event.h"
#include "store/tree.h"

#include <hiredis/hiredis.h>

#include <errno.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

/* With so many bytes unanswered the walk waits: claims need room in what is to be sent, too. */
#define UNANSWERED_MAX (REDIS_OUTPUT_MAX / 4)

/* The order in which actions move on: one that is moved while we walk is seen at least once.
 * Of pending/ both kinds of names are looked at. */
static const enum action_place stages[] = {ACTION_PENDING, ACTION_APPROVED, ACTION_RUNNING};

/* ---- The timer ---- */

static int64_t period_ms(const struct outbox *o)
{
    return shared_done_ms(o->shared) / 3;
}

static int64_t now_ms(const struct outbox *o)
{
    return o->loop->now.boot_ms;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void set_timer(struct outbox *o)
{
    int64_t next_ms = earlier(o->prolong_ms, o->add_ms);

    if (o->walk.on)
        next_ms = now_ms(o) + OUTBOX_PAUSE_MS;
    if (next_ms == INT64_MAX)
        loop_timer_clear(o->loop, &o->timer);
    else if (loop_timer_set(o->loop, &o->timer, next_ms) != 0)
        log_fields(LOG_ERROR, "outbox_without_timer", NULL, 0);
}

/* ---- Adding to the stream ---- */

static void add_again(struct outbox *o)
{
    o->add_ms = earlier(o->add_ms, now_ms(o) + OUTBOX_RETRY_MS);
    o->walk.adds = false;
}

static void refused(struct outbox *o, struct span error)
{
    o->refused++;
    if (!o->refusing)
        LOG(LOG_WARNING, "actions_stream_refused", LOG_SPAN("error", error));
    o->refusing = true;
    add_again(o);
    set_timer(o);
}

/* A null is a connection that was lost: when there is one again, all are added. */
static void added(void *arg, const struct redisReply *reply)
{
    struct outbox *o = arg;

    if (--o->unanswered == 0)
        o->unanswered_bytes = 0;
    if (reply == NULL)
        return;
    if (!redis_did(reply)) {
        refused(o, (struct span){reply->str, reply->len});
        return;
    }
    o->added++;
    if (o->refusing)
        log_fields(LOG_INFO, "actions_stream_works", NULL, 0);
    o->refusing = false;
}

static int add(struct outbox *o, const char *id, struct span body)
{
    const char *const texts[] = {"XADD", o->stream,   "MAXLEN", "~",     TEXT(OUTBOX_ACTIONS_MAX),
                                 "*",    "action_id", id,       "action"};
    struct span args[COUNT(texts) + 1];

    for (size_t i = 0; i < COUNT(texts); i++)
        args[i] = span_of(texts[i]);
    args[COUNT(texts)] = body;
    if (!redis_has_room(o->redis) || redis_command(o->redis, args, COUNT(args), 0, added, o) != 0)
        return -1;
    o->unanswered++;
    o->unanswered_bytes += body.n;
    return 0;
}

/* ---- One file ---- */

static struct span without(struct span s, size_t start, size_t end)
{
    return (struct span){s.p + start, s.n - start - end};
}

/* The id in a file's name: 0, or -1 where it is no action's. */
static int id_of(const struct outbox *o, const char *name, bool *claimed,
                 char id[ACTION_ID_MAX + 1])
{
    static const char prefix[] = ACTION_CLAIM_PREFIX;
    static const char suffix[] = ".json";
    const size_t before = sizeof(prefix) - 1, after = sizeof(suffix) - 1;
    struct span all = span_of(name);

    *claimed = stages[o->walk.stage] == ACTION_PENDING && all.n > before &&
               memcmp(name, prefix, before) == 0;
    if (!*claimed && (all.n <= after || memcmp(name + all.n - after, suffix, after) != 0))
        return -1;
    struct span own = *claimed ? without(all, before, 0) : without(all, 0, after);
    return actions_id_valid(own) ? span_copy(id, ACTION_ID_MAX + 1, own) : -1;
}

static bool is_prolonged(const struct action_facts *facts)
{
    struct span type = span_of(facts->type);

    return facts->ours && facts->node[0] != '\0' && facts->service[0] != '\0' &&
           (span_is(type, "container_restart") || span_is(type, "redeploy"));
}

static int prolong(struct outbox *o, const struct action_facts *facts)
{
    char key[TABLE_KEY_MAX + 1];

    event_make_key(key, facts->node, facts->service);
    /* What stands in the file may be anything; a severity is one of four words. */
    const char *severity = severity_text(severity_of(span_of(facts->event_severity)));
    return shared_prolong(o->shared, span_of(key), severity);
}

/* Logged once, until a walk has read all. */
static void unreadable(struct outbox *o, const char *name)
{
    int error = errno;

    if (!o->unread)
        LOG(LOG_WARNING, "actions_unread", LOG_STR("directory", actions_dir(stages[o->walk.stage])),
            LOG_STR("file", name), LOG_ERRNO(error));
    o->unread = true;
    o->walk.unread = true;
}

/* 0, or -1 where Redis takes nothing for now. A prolongation is the same when it is sent twice, and
 * so comes first. */
static int send_file(struct outbox *o, const char *name)
{
    static char data[ACTION_BYTES_MAX];
    struct action_facts facts;
    char id[ACTION_ID_MAX + 1];
    size_t n = 0;
    bool claimed;

    if (id_of(o, name, &claimed, id) != 0)
        return 0;
    enum file_result result = file_read(o->walk.dir.fd, name, data, sizeof(data), &n, NULL);
    if (result == FILE_DENIED || result == FILE_FAULT)
        unreadable(o, name);
    if (result != FILE_OK || actions_parse((struct span){data, n}, id, &facts) != ACTION_FOUND)
        return 0;
    if (is_prolonged(&facts)) {
        o->open = true;
        if (!redis_has_room(o->redis) || prolong(o, &facts) != 0)
            return -1;
    }
    if (!o->walk.adds || claimed || stages[o->walk.stage] != ACTION_PENDING)
        return 0;
    return add(o, id, (struct span){data, n});
}

/* ---- A walk ---- */

static void walk_stop(struct outbox *o)
{
    o->walk.on = false;
    dir_close(&o->walk.dir);
}

static void walk_begin(struct outbox *o)
{
    struct outbox_walk *w = &o->walk;

    w->on = true;
    w->adds = o->add_ms <= now_ms(o);
    if (w->adds)
        o->add_ms = INT64_MAX;
    w->stage = 0;
    w->unread = false;
    w->name[0] = '\0';
    o->open = false;
}

static void walk_end(struct outbox *o)
{
    walk_stop(o);
    o->unread = o->walk.unread;
    o->prolong_ms = o->open ? now_ms(o) + period_ms(o) : INT64_MAX;
}

/* The stage's directory: 0, or -1 where there is none or it cannot be read. */
static int enter(struct outbox *o)
{
    int base = tree_open(o->tree, actions_dir(stages[o->walk.stage]));

    if (base < 0 && errno == ENOENT)
        return -1;
    int result = base < 0 ? -1 : dir_open(&o->walk.dir, base, ".");
    if (result != 0)
        unreadable(o, "");
    tree_close(base);
    return result;
}

/* The next name of all the directories, until the next call; NULL at the end of the last. */
static const char *next_name(struct outbox *o)
{
    struct outbox_walk *w = &o->walk;
    struct dir_entry entry;

    for (; w->stage < COUNT(stages); w->stage++) {
        if (w->dir.fd < 0 && enter(o) != 0)
            continue;
        int result = dir_next(&w->dir, &entry);
        if (result == 1)
            return entry.name;
        if (result < 0)
            unreadable(o, "");
        dir_close(&w->dir);
    }
    return NULL;
}

/* Goes on where it stopped, as far as a turn goes. */
static void walk_on(struct outbox *o)
{
    char *kept = o->walk.name;

    for (int i = 0; i < OUTBOX_SLICE && o->unanswered_bytes < UNANSWERED_MAX; i++) {
        const char *name = kept[0] != '\0' ? kept : next_name(o);
        if (name == NULL) {
            walk_end(o);
            return;
        }
        if (send_file(o, name) != 0) {
            /* The name of any file fits; the one that was kept already is. */
            if (name != kept)
                (void)span_copy(kept, sizeof(o->walk.name), span_of(name));
            return;
        }
        kept[0] = '\0';
    }
}

static void due(struct loop *loop, void *arg)
{
    struct outbox *o = arg;

    if (!redis_is_ready(o->redis))
        return;
    if (!o->walk.on && earlier(o->prolong_ms, o->add_ms) <= loop->now.boot_ms)
        walk_begin(o);
    /* Few unanswered commands at a time: the connection is the claims' first of all. */
    if (o->walk.on && o->redis->outstanding < OUTBOX_SLICE)
        walk_on(o);
    set_timer(o);
}

/* ---- From outside ---- */

void outbox_open(struct outbox *o)
{
    o->timer = (struct loop_timer){.due = due, .arg = o};
    o->prolong_ms = INT64_MAX;
    o->add_ms = INT64_MAX;
    o->added = 0;
    o->refused = 0;
    o->unanswered = 0;
    o->unanswered_bytes = 0;
    o->refusing = false;
    o->unread = false;
    o->open = false;
    o->walk.on = false;
    o->walk.dir.fd = -1;
}

void outbox_close(struct outbox *o)
{
    loop_timer_clear(o->loop, &o->timer);
    walk_stop(o);
}

void outbox_ready(struct outbox *o, bool ready)
{
    walk_stop(o);
    o->add_ms = ready && o->stream[0] != '\0' ? now_ms(o) : INT64_MAX;
    o->prolong_ms = ready ? now_ms(o) : INT64_MAX;
    set_timer(o);
}

void outbox_action(struct outbox *o, const char *id, struct span body)
{
    if (!redis_is_ready(o->redis))
        return;
    o->open = true;
    o->prolong_ms = earlier(o->prolong_ms, now_ms(o) + period_ms(o));
    if (o->stream[0] != '\0' && add(o, id, body) != 0)
        add_again(o);
    set_timer(o);
}
