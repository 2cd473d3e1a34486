#include "source/stream_group.h"

#include "base/log.h"
#include "source/stream_common.h"

#include <hiredis/hiredis.h>

#include <string.h>

/* XAUTOCLAIM looks at ten times its COUNT of entries: so often in a row, it has seen a list of
 * thousands. */
#define TAKE_ROUNDS_MAX 64

static const struct stream_id id_zero = {0, 0};

static bool is_zero(struct stream_id id)
{
    return id.ms == 0 && id.seq == 0;
}

/* ---- Stages ---- */

static void enter(struct stream *s, enum stream_stage stage)
{
    s->stage = stage;
    s->group_retry_ms = 0;
}

static void walk_from(struct stream *s, struct stream_id from)
{
    s->walked = from;
    s->walk_from = true;
    enter(s, STREAM_WALKS);
}

_Static_assert((int)STREAM_TROUBLE_LOOK == (int)STREAM_LOOKS &&
                   (int)STREAM_TROUBLE_COMPARE == (int)STREAM_COMPARES &&
                   (int)STREAM_TROUBLE_MAKE == (int)STREAM_MAKES &&
                   (int)STREAM_TROUBLE_WALK == (int)STREAM_WALKS,
               "a stage's command is its trouble");

static void fail(struct stream *s, const struct redisReply *reply)
{
    stream_common_trouble(s, (enum stream_trouble)s->stage, reply);
    s->group_retry_ms = stream_common_later(s->all);
}

void stream_group_begin(struct stream *s)
{
    s->made = false;
    s->taking = s->take = s->took = false;
    enter(s, STREAM_LOOKS);
}

void stream_group_walk(struct stream *s)
{
    if (s->stage == STREAM_READS)
        walk_from(s, id_zero);
    else
        s->walk_again = true;
}

void stream_group_gone(struct stream *s)
{
    s->gone = true;
    if (s->stage == STREAM_READS || s->stage == STREAM_WALKS)
        enter(s, STREAM_LOOKS);
}

/* ---- Is the group there? ---- */

/* The value of a name in a list of names and values; NULL: there is none. */
static const struct redisReply *member(const struct redisReply *list, const char *name)
{
    if (list->type != REDIS_REPLY_ARRAY)
        return NULL;
    for (size_t i = 0; i + 1 < list->elements; i += 2)
        if (span_is(stream_common_text(list->element[i]), name))
            return list->element[i + 1];
    return NULL;
}

static const struct redisReply *our_group(const struct redisReply *groups)
{
    for (size_t i = 0; i < groups->elements; i++) {
        const struct redisReply *name = member(groups->element[i], "name");
        if (name != NULL && span_is(stream_common_text(name), STREAM_GROUP))
            return groups->element[i];
    }
    return NULL;
}

static void make_from(struct stream *s, const char *from, const struct redisReply *reply)
{
    if (s->made) { /* it was, and is not there */
        s->made = false;
        fail(s, reply);
        return;
    }
    s->from = from;
    enter(s, STREAM_MAKES);
}

/* What we knew of this stream is no more. */
static void forget(struct stream *s)
{
    s->last = id_zero;
    s->whole = true; /* nor has a walk to go on in it */
    s->all->counts.changed = true;
    stream_entries_orphan(&s->all->entries, s->number);
}

static void found(struct stream *s, const struct redisReply *group)
{
    const struct redisReply *last = member(group, "last-delivered-id");

    if (!s->known) {
        if (last == NULL || stream_common_id(last, &s->last) != 0) {
            fail(s, group);
            return;
        }
        s->known = true;
        s->all->counts.changed = true;
        s->all->counts.found = true;
    }
    if (s->gone && !s->made)
        s->all->renew_ms = 0; /* another has made it */
    s->made = false;
    s->walk_again = false;
    if (s->whole)
        walk_from(s, id_zero);
    else /* it goes on */
        enter(s, STREAM_WALKS);
}

static void looked(struct stream *s, const struct redisReply *reply)
{
    const struct redisReply *group;

    if (stream_common_is_error(reply, "ERR no such key")) {
        make_from(s, "0", reply);
        return;
    }
    if (reply->type != REDIS_REPLY_ARRAY) {
        fail(s, reply);
        return;
    }
    group = our_group(reply);
    if (group != NULL)
        found(s, group);
    else if (s->known)
        enter(s, STREAM_COMPARES);
    else
        make_from(s, s->from, reply);
}

static void compared(struct stream *s, const struct redisReply *reply)
{
    struct stream_id newest;

    if (stream_common_id(reply, &newest) != 0) {
        fail(s, reply);
        return;
    }
    bool anew = stream_id_less(newest, s->last);
    if (!s->whole && !is_zero(s->walked)) {
        /* During our first walk: what is ours behind `walked` has to come as new. */
        s->last = s->walked;
        s->all->counts.changed = true;
    }
    make_from(s, anew ? "0" : "#", reply);
}

/* Another planner may have made it meanwhile. */
static void made(struct stream *s, const struct redisReply *reply)
{
    bool from_last = s->from[0] == '#';
    char text[STREAM_ID_MAX];
    struct buf b;

    if (!redis_did(reply) && !stream_common_is_error(reply, "BUSYGROUP")) {
        fail(s, reply);
        return;
    }
    buf_init(&b, text, sizeof(text));
    if (from_last)
        stream_id_put(&b, s->last);
    else
        buf_str(&b, s->from);
    if (redis_did(reply))
        LOG(LOG_INFO, "stream_group_made", LOG_STR("stream", s->name),
            LOG_SPAN("from", buf_view(&b)));
    if (!from_last && s->known)
        forget(s);
    s->made = true;
    s->from = "0"; /* if it is gone again before we know where it was */
    enter(s, STREAM_LOOKS);
}

/* ---- What is ours ---- */

/* One of [id, consumer, idle, deliveries]. 0, or -1: it makes no sense, or the table is full. */
static int take_pending(struct stream *s, const struct redisReply *item)
{
    struct stream_id id;

    if (item->type != REDIS_REPLY_ARRAY || item->elements != 4 ||
        stream_common_id(item->element[0], &id) != 0 ||
        item->element[3]->type != REDIS_REPLY_INTEGER)
        return -1;
    /* Only forward, whatever the server says: a walk comes to its end. */
    if (stream_id_less(id, s->walked) || (!s->walk_from && !stream_id_less(s->walked, id)))
        return -1;
    if (stream_entries_find(&s->all->entries, s->number, id) == NULL) {
        struct stream_entry *e = stream_entries_add(&s->all->entries, s->number, id);
        if (e == NULL)
            return -1;
        long long deliveries = item->element[3]->integer;
        e->claim = true;
        e->deliveries = deliveries < 0            ? 0
                        : deliveries > UINT32_MAX ? UINT32_MAX
                                                  : (uint32_t)deliveries;
    }
    s->walked = id;
    s->walk_from = false;
    return 0;
}

static void walked(struct stream *s, const struct redisReply *reply)
{
    bool full = s->all->entries.count == STREAM_ENTRIES_MAX;

    if (!s->gone && stream_common_is_error(reply, "NOGROUP")) {
        stream_group_gone(s);
        return;
    }
    s->gone = false;
    if (reply->type != REDIS_REPLY_ARRAY) {
        fail(s, reply);
        return;
    }
    for (size_t i = 0; i < reply->elements && !full; i++) {
        if (take_pending(s, reply->element[i]) == 0)
            continue;
        full = s->all->entries.count == STREAM_ENTRIES_MAX;
        if (!full) {
            fail(s, reply);
            return;
        }
    }
    for (int i = STREAM_TROUBLE_LOOK; i <= STREAM_TROUBLE_WALK; i++)
        stream_common_fine(s, (enum stream_trouble)i);
    if (full || reply->elements >= STREAM_READ_MAX)
        return;
    s->whole = true;
    enter(s, STREAM_READS);
    if (s->walk_again) {
        s->walk_again = false;
        walk_from(s, id_zero);
    }
}

/* ---- What is of dead consumers ---- */

void stream_group_take(struct stream *s)
{
    if (s->take || s->taking)
        return;
    s->take = true;
    s->cursor = id_zero;
    s->rounds = 0;
}

/* What came to us is found by a walk, with its deliveries; then it goes on from the cursor. */
static void walk_over_taken(struct stream *s)
{
    if (s->took && s->stage == STREAM_READS)
        walk_from(s, s->least);
    else if (s->took)
        s->walk_again = true;
    s->took = false;
}

static int took_ids(struct stream *s, const struct redisReply *ids)
{
    struct stream_id id;

    for (size_t i = 0; i < ids->elements; i++) {
        if (ids->element[i]->type == REDIS_REPLY_NIL)
            continue; /* no longer in the stream */
        if (stream_common_id(ids->element[i], &id) != 0)
            return -1;
        if (stream_entries_find(&s->all->entries, s->number, id) != NULL)
            continue;
        if (!s->took || stream_id_less(id, s->least))
            s->least = id;
        s->took = true;
        s->all->counts.taken_over++;
    }
    return 0;
}

static void taken(void *arg, const struct redisReply *reply)
{
    struct stream *s = arg;

    s->taking = false;
    if (!s->all->open || reply == NULL)
        return;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 ||
        reply->element[1]->type != REDIS_REPLY_ARRAY ||
        stream_common_id(reply->element[0], &s->cursor) != 0 ||
        took_ids(s, reply->element[1]) != 0) {
        if (stream_common_is_error(reply, "NOGROUP"))
            stream_group_gone(s);
        else
            stream_common_trouble(s, STREAM_TROUBLE_TAKE, reply);
        s->take = false;
    } else {
        stream_common_fine(s, STREAM_TROUBLE_TAKE);
        s->rounds = s->took ? 0 : s->rounds + 1;
        s->take = !is_zero(s->cursor) && s->rounds < TAKE_ROUNDS_MAX;
    }
    walk_over_taken(s);
}

static void send_take(struct stream *s)
{
    struct stream_command *c = stream_common_command(s);
    unsigned room = stream_common_room(s->all);

    if (room == 0)
        return;
    stream_command_put(c, "XAUTOCLAIM @ " STREAM_GROUP " & % # COUNT", s->cursor, STREAM_IDLE_MS);
    stream_command_put(c, "% JUSTID", s->cursor, room);
    s->taking = stream_command_send(c, s->all->commands, 0, taken, s) == 0;
}

/* ---- Sending ---- */

static void answered(void *arg, const struct redisReply *reply)
{
    struct stream *s = arg;

    s->asked = false;
    if (!s->all->open || reply == NULL || s->question != s->stage)
        return;
    switch (s->stage) {
    case STREAM_LOOKS:
        looked(s, reply);
        break;
    case STREAM_COMPARES:
        compared(s, reply);
        break;
    case STREAM_MAKES:
        made(s, reply);
        break;
    case STREAM_WALKS:
        walked(s, reply);
        break;
    case STREAM_READS:
        break;
    }
}

static void put_stage(const struct stream *s, struct stream_command *c)
{
    const char *form = "";

    switch (s->stage) {
    case STREAM_LOOKS:
        form = "XINFO GROUPS @";
        break;
    case STREAM_COMPARES:
        /* XREVRANGE or XINFO STREAM would bring the entry itself, of whatever size. */
        stream_command_put(c, "EVAL", s->last, 0);
        stream_command_span(
            c, span_of("local e=redis.call('XREVRANGE',KEYS[1],'+','-','COUNT',1)return e[1]and "
                       "e[1][1]or'0-0'"));
        form = "1 @";
        break;
    case STREAM_MAKES:
        stream_command_put(c, "XGROUP CREATE @ " STREAM_GROUP, s->last, 0);
        stream_command_put(c, s->from, s->last, 0);
        if (s->from[0] == '#')
            s->all->renew_ms = 0; /* right behind it: what we have is pending there, too */
        form = "MKSTREAM";
        break;
    case STREAM_WALKS:
    case STREAM_READS:
        form = s->walk_from ? "XPENDING @ " STREAM_GROUP " # + % &"
                            : "XPENDING @ " STREAM_GROUP " (# + % &";
        break;
    }
    stream_command_put(c, form, s->walked, STREAM_READ_MAX);
}

static bool wants_to_ask(const struct stream *s)
{
    return s->stage != STREAM_READS && !s->asked && stream_common_due(s->all, s->group_retry_ms) &&
           (s->stage != STREAM_WALKS || s->all->entries.count < STREAM_ENTRIES_MAX);
}

void stream_group_turn(struct stream *s)
{
    struct stream_command *c;

    if (wants_to_ask(s)) {
        c = stream_common_command(s);
        put_stage(s, c);
        s->question = s->stage;
        s->asked = stream_command_send(c, s->all->commands, 0, answered, s) == 0;
    }
    if (s->take && !s->taking && s->stage == STREAM_READS)
        send_take(s);
}

bool stream_group_busy(const struct stream *s)
{
    return s->asked || s->taking || wants_to_ask(s);
}
