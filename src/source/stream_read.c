#include "source/stream_read.h"

#include "source/stream_common.h"
#include "source/stream_document.h"
#include "source/stream_end.h"
#include "source/stream_group.h"

#include <hiredis/hiredis.h>

/* So often net/resp refused what came while the entry was the first one being fetched: its reply is
 * more than that lets through. */
#define LOSSES_MAX 5

/* ---- Offering ---- */

static void refuse(struct stream *s, struct stream_entry *e, const char *reason,
                   const struct redisReply *fields)
{
    char origin[STREAM_ORIGIN_SIZE];

    s->all->ops->refused(s->all->ctx, stream_common_origin(s, e, origin), reason);
    stream_end_doom(s, e, reason, fields);
}

static void found_no_slot(struct streams *all)
{
    all->no_slot = true;
    all->no_slot_free = all->ops->free_slots(all->ctx);
    all->no_slot_ms = all->loop->now.boot_ms;
}

static void offer(struct stream *s, struct stream_entry *e, const struct redisReply *fields)
{
    struct streams *all = s->all;
    char origin[STREAM_ORIGIN_SIZE];
    struct span document = {NULL, 0};
    struct buf b;

    buf_init(&b, all->document, sizeof(all->document));
    const char *reason = stream_document(fields, &b, &document);
    if (reason != NULL) {
        refuse(s, e, reason, fields);
        return;
    }
    uint32_t ref = stream_entries_ref(&all->entries, e);
    stream_entries_set(&all->entries, e, STREAM_ENTRY_HELD);
    enum stream_took took =
        all->ops->event(all->ctx, document, stream_common_origin(s, e, origin), ref, &reason);
    /* It may have ended within the call. */
    if (stream_entries_of(&all->entries, ref) != e || e->state != STREAM_ENTRY_HELD)
        took = STREAM_KEPT;
    all->counts.entries += took != STREAM_NO_SLOT;
    switch (took) {
    case STREAM_KEPT:
        break;
    case STREAM_ENDED:
        stream_entries_set(&all->entries, e, STREAM_ENTRY_DONE);
        break;
    case STREAM_NO_SLOT:
        stream_entries_set(&all->entries, e, STREAM_ENTRY_LEFT);
        found_no_slot(all);
        break;
    case STREAM_REFUSED:
        stream_end_doom(s, e, reason != NULL ? reason : "refused", fields);
        break;
    }
}

void stream_read_room(struct streams *all)
{
    all->no_slot = false;
}

/* ---- Fetching ---- */

static struct stream *stream_of(struct streams *all, const struct stream_entry *e)
{
    return &all->streams[e->stream];
}

static void put_back(struct streams *all, struct stream_entry *e)
{
    stream_entries_set(&all->entries, e,
                       e->reason != NULL ? STREAM_ENTRY_DOOMED : STREAM_ENTRY_LEFT);
}

/* Its fields in a reply of XRANGE or XCLAIM of one id: [[id, fields]]. NULL: there is no such entry
 * any more; reply itself: it makes no sense. */
static const struct redisReply *fields_of(const struct redisReply *reply,
                                          const struct stream_entry *e)
{
    const struct redisReply *item;
    struct stream_id id;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements > 1)
        return reply;
    if (reply->elements == 0 || reply->element[0]->type == REDIS_REPLY_NIL)
        return NULL;
    item = reply->element[0];
    if (item->type != REDIS_REPLY_ARRAY || item->elements != 2 ||
        stream_common_id(item->element[0], &id) != 0 || id.ms != e->id.ms || id.seq != e->id.seq)
        return reply;
    return item->element[1];
}

static void got(struct stream *s, struct stream_entry *e, const struct redisReply *fields)
{
    if (e->reason != NULL) {
        stream_end_doom(s, e, e->reason, fields);
        return;
    }
    if (e->deliveries > STREAM_DELIVERIES_MAX)
        refuse(s, e, "too_many_deliveries", fields);
    else if (stream_document_look(fields) == STREAM_FIELDS_NULLS)
        refuse(s, e, "too_large", fields);
    else
        offer(s, e, fields);
}

static void fetched_entry(struct stream *s, struct stream_entry *e, const struct redisReply *reply)
{
    enum stream_trouble trouble = e->claim ? STREAM_TROUBLE_CLAIM : STREAM_TROUBLE_FETCH;
    const struct redisReply *fields = fields_of(reply, e);
    enum stream_fields look = fields == NULL ? STREAM_FIELDS_NONE : stream_document_look(fields);

    if (stream_common_is_error(reply, "NOGROUP")) {
        stream_group_gone(s);
        if (!e->claim) /* XRANGE wants none */
            s->fetch_retry_ms = stream_common_later(s->all);
        e->claim = false; /* nor is it pending in one that is made */
        put_back(s->all, e);
        return;
    }
    if (fields == reply || look == STREAM_FIELDS_NONSENSE) {
        stream_common_trouble(s, trouble, reply);
        s->fetch_retry_ms = stream_common_later(s->all);
        put_back(s->all, e);
        return;
    }
    stream_common_fine(s, trouble);
    s->fetch_retry_ms = 0;
    e->losses = 0;
    bool claimed = e->claim;
    e->claim = false;
    if (look != STREAM_FIELDS_NONE && !e->orphan)
        got(s, e, fields);
    else if (claimed) /* not pending any more; is it in the stream? */
        put_back(s->all, e);
    else
        stream_entries_set(&s->all->entries, e, STREAM_ENTRY_DONE);
}

static void fetched(void *arg, const struct redisReply *reply)
{
    struct stream_fetch *fetch = arg;
    struct streams *all = fetch->all;
    struct stream_entry *e = stream_entries_of(&all->entries, fetch->ref);

    fetch->used = false;
    if (!all->open || e == NULL || e->state != STREAM_ENTRY_FETCHING)
        return;
    if (reply != NULL) {
        fetched_entry(stream_of(all, e), e, reply);
        return;
    }
    if (!all->suspect && all->commands->broke && e->losses < LOSSES_MAX)
        e->losses++;
    all->suspect = true;
    put_back(all, e);
}

static int send_fetch(struct stream *s, struct stream_entry *e)
{
    struct streams *all = s->all;
    struct stream_command *c = stream_common_command(s);
    struct stream_fetch *fetch = stream_end_fetch(all, e);

    if (fetch == NULL)
        return -1;
    stream_command_put(c, e->claim ? "XCLAIM @ " STREAM_GROUP " & 0 #" : "XRANGE @ # #", e->id, 0);
    if (stream_command_send(c, all->commands, 0, fetched, fetch) != 0)
        return -1;
    fetch->used = true;
    stream_entries_set(&all->entries, e, STREAM_ENTRY_FETCHING);
    return 0;
}

/* 0: it is under way, or in the dead stream without its fields; -1: not now. */
static int fetch(struct stream *s, struct stream_entry *e)
{
    if (e->losses < LOSSES_MAX)
        return send_fetch(s, e);
    if (e->reason == NULL)
        refuse(s, e, "unreadable", NULL);
    else
        stream_end_doom(s, e, e->reason, NULL);
    return e->state == STREAM_ENTRY_DOOMED ? -1 : 0;
}

static bool finds_slots(const struct streams *all)
{
    return !all->no_slot || all->ops->free_slots(all->ctx) > all->no_slot_free ||
           stream_common_due(all, all->no_slot_ms + STREAM_RETRY_MS);
}

/* Entries that may be fetched for being offered. */
static unsigned fetchable(const struct streams *all)
{
    unsigned slots = all->ops->free_slots(all->ctx);
    uint32_t fetching = all->entries.counts[STREAM_ENTRY_FETCHING];

    return finds_slots(all) && slots > fetching ? slots - fetching : 0;
}

static void fetch_left(struct stream *s, unsigned most)
{
    struct stream_entry *e;

    while (most-- > 0 && stream_common_due(s->all, s->fetch_retry_ms) &&
           (e = stream_entries_first(&s->all->entries, s->number, STREAM_ENTRY_LEFT)) != NULL)
        if (fetch(s, e) != 0)
            return;
}

static void fetch_doomed(struct stream *s)
{
    struct stream_entry *e;

    while (stream_common_due(s->all, s->bury_retry_ms) &&
           stream_common_due(s->all, s->fetch_retry_ms) &&
           (e = stream_entries_first(&s->all->entries, s->number, STREAM_ENTRY_DOOMED)) != NULL)
        if (fetch(s, e) != 0)
            return;
}

/* ---- New ones ---- */

static struct stream *stream_named(struct streams *all, struct span name)
{
    for (unsigned i = 0; i < all->count; i++)
        if (span_is(name, all->streams[i].name))
            return &all->streams[i];
    return NULL;
}

static void take_new(struct stream *s, struct stream_id id, const struct redisReply *fields)
{
    struct streams *all = s->all;
    struct stream_entry *e = stream_entries_find(&all->entries, s->number, id);
    enum stream_fields look = stream_document_look(fields);

    if (e == NULL)
        e = stream_entries_add(&all->entries, s->number, id);
    if (e == NULL) {
        stream_group_walk(s); /* it is ours all the same */
        return;
    }
    if (stream_id_less(s->last, id)) {
        s->last = id;
        all->counts.changed = true;
    }
    if (e->state != STREAM_ENTRY_LEFT || e->reason != NULL)
        return;
    if (look == STREAM_FIELDS_GOOD)
        offer(s, e, fields);
    else if (look == STREAM_FIELDS_NONE)
        stream_entries_set(&all->entries, e, STREAM_ENTRY_DONE);
    /* Else it stays LEFT: alone, what is too large may be found to be not that. */
}

static int take_stream(struct streams *all, const struct redisReply *of_stream)
{
    struct stream_id id;

    if (of_stream->type != REDIS_REPLY_ARRAY || of_stream->elements != 2)
        return -1;
    struct stream *s = stream_named(all, stream_common_text(of_stream->element[0]));
    const struct redisReply *items = of_stream->element[1];
    if (s == NULL || items->type != REDIS_REPLY_ARRAY)
        return -1;
    for (size_t i = 0; i < items->elements; i++) {
        const struct redisReply *item = items->element[i];
        if (item->type != REDIS_REPLY_ARRAY || item->elements != 2 ||
            stream_common_id(item->element[0], &id) != 0)
            return -1;
        take_new(s, id, item->element[1]);
    }
    if (items->elements >= all->read_count)
        all->drained &= ~(1U << s->number);
    return 0;
}

/* The group of one of them is gone, or worse. */
static void read_refused(struct streams *all, const struct redisReply *reply)
{
    all->drained = 0;
    for (unsigned i = 0; i < all->count; i++)
        stream_group_gone(&all->streams[i]);
    if (all->read_failed ||
        !(stream_common_is_error(reply, "NOGROUP") || stream_common_is_error(reply, "UNBLOCKED"))) {
        stream_common_trouble(&all->streams[0], STREAM_TROUBLE_READ, reply);
        all->read_retry_ms = stream_common_later(all);
    }
    all->read_failed = true;
}

static void read_all(struct streams *all, const struct redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY && reply->type != REDIS_REPLY_NIL) {
        read_refused(all, reply);
        return;
    }
    /* What gives less than it was asked for is at its end, whatever has come to it since. */
    all->drained = all->read;
    for (size_t i = 0; i < reply->elements; i++) {
        if (take_stream(all, reply->element[i]) == 0)
            continue;
        read_refused(all, reply->element[i]);
        return;
    }
    all->read_failed = false;
    all->read_retry_ms = 0;
    if (reply->elements > 0 && all->read_most < STREAM_READ_MAX)
        all->read_most *= 2;
    stream_common_fine(&all->streams[0], STREAM_TROUBLE_READ);
}

static void read_answered(void *arg, const struct redisReply *reply)
{
    struct streams *all = arg;

    all->reading = false;
    if (!all->open)
        return;
    if (reply != NULL) {
        read_all(all, reply);
        return;
    }
    if (all->read_most > 1) /* was it more than net/resp lets through? */
        all->read_most /= 2;
    all->lost_ms = all->loop->now.boot_ms + STREAM_BLOCK_MS + REDIS_ANSWER_MS;
}

/* What was left comes before what is new, stream by stream. */
static bool is_read(const struct stream *s)
{
    return s->stage == STREAM_READS &&
           s->all->entries.lists[s->number][STREAM_ENTRY_LEFT].count == 0;
}

/* Bits: the streams that can be read now. */
static unsigned read_now(const struct streams *all)
{
    unsigned bits = 0;

    for (unsigned i = 0; i < all->count; i++)
        if (is_read(&all->streams[i]))
            bits |= 1U << i;
    return bits;
}

/* Those that are not read now will not be before a retry. */
static bool is_settled(const struct streams *all)
{
    for (unsigned i = 0; i < all->count; i++) {
        const struct stream *s = &all->streams[i];
        if (s->stage != STREAM_READS && (s->asked || stream_common_due(all, s->group_retry_ms)))
            return false;
    }
    return true;
}

static bool may_read(const struct streams *all)
{
    unsigned bits = read_now(all);

    return redis_is_ready(all->reader) && !all->reading &&
           stream_common_due(all, all->read_retry_ms) && is_settled(all) &&
           stream_common_waiting(all) == 0 && all->entries.counts[STREAM_ENTRY_FETCHING] == 0 &&
           bits != 0 && !(all->once && (bits & ~all->drained) == 0) && stream_common_room(all) > 0;
}

static void send_read(struct streams *all)
{
    struct stream_command *c = stream_common_command(&all->streams[0]);
    const struct stream_id none = {0, 0};
    unsigned most = stream_common_room(all);
    unsigned streams = 0;

    all->read = read_now(all);
    for (unsigned i = 0; i < all->count; i++)
        streams += all->read >> i & 1;
    if (most > all->read_most)
        most = all->read_most;
    all->read_count = streams > 0 && most > streams ? most / streams : 1;
    stream_command_put(c, "XREADGROUP GROUP " STREAM_GROUP " & COUNT %", none, all->read_count);
    if (!all->once)
        stream_command_put(c, "BLOCK %", none, STREAM_BLOCK_MS);
    stream_command_put(c, "STREAMS", none, 0);
    for (unsigned i = 0; i < all->count; i++)
        if ((all->read >> i & 1) != 0)
            stream_command_span(c, span_of(all->streams[i].name));
    for (unsigned i = 0; i < streams; i++)
        stream_command_put(c, ">", none, 0);
    all->reading =
        stream_command_send(c, all->reader, all->once ? 0 : STREAM_BLOCK_MS + REDIS_ANSWER_MS,
                            read_answered, all) == 0;
}

/* ---- Turns ---- */

static void reader_ready(void *arg)
{
    struct streams *all = arg;

    all->drained = 0;
    all->read_retry_ms = 0;
    /* What was on its way to us when the connection was lost. */
    for (unsigned i = 0; i < all->count; i++)
        stream_group_walk(&all->streams[i]);
}

const struct redis_ops stream_read_ops = {.ready = reader_ready};

void stream_read_turn(struct streams *all)
{
    if (redis_is_ready(all->commands)) {
        for (unsigned i = 0; i < all->count; i++) {
            fetch_left(&all->streams[i], fetchable(all));
            fetch_doomed(&all->streams[i]);
        }
    }
    if (may_read(all))
        send_read(all);
}

bool stream_read_busy(const struct streams *all)
{
    if (all->reading || all->entries.counts[STREAM_ENTRY_FETCHING] > 0 || may_read(all))
        return true;
    return stream_common_waiting(all) > 0 && fetchable(all) > 0;
}
