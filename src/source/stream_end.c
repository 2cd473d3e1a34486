#include "source/stream_end.h"

#include "source/stream_common.h"

#include <hiredis/hiredis.h>

/* Arguments of XADD that are no fields of the entry, and bytes of those that are. */
#define DEAD_ARGS 12
#define DEAD_BYTES_MAX EVENT_BYTES_MAX

/* ---- The dead stream ---- */

struct stream_fetch *stream_end_fetch(struct streams *all, const struct stream_entry *e)
{
    for (unsigned i = 0; i < STREAM_FETCHES_MAX; i++) {
        struct stream_fetch *fetch = &all->fetches[i];
        if (fetch->used)
            continue;
        fetch->all = all;
        fetch->ref = stream_entries_ref(&all->entries, e);
        return fetch;
    }
    return NULL;
}

static void buried(void *arg, const struct redisReply *reply)
{
    struct stream_fetch *fetch = arg;
    struct streams *all = fetch->all;
    struct stream_entry *e = stream_entries_of(&all->entries, fetch->ref);

    fetch->used = false;
    if (!all->open || e == NULL)
        return;
    struct stream *s = &all->streams[e->stream];
    if (redis_did(reply)) {
        stream_common_fine(s, STREAM_TROUBLE_DEAD);
        s->bury_retry_ms = 0;
        all->counts.dead++;
        stream_entries_set(&all->entries, e, STREAM_ENTRY_DONE);
        return;
    }
    if (reply != NULL) {
        stream_common_trouble(s, STREAM_TROUBLE_DEAD, reply);
        s->bury_retry_ms = stream_common_later(all);
    }
    stream_entries_set(&all->entries, e, STREAM_ENTRY_DOOMED);
}

static bool fits(const struct redisReply *fields)
{
    size_t bytes = 0;

    if (fields->elements > REDIS_ARGS_MAX - DEAD_ARGS)
        return false;
    for (size_t i = 0; i < fields->elements; i++)
        bytes += fields->element[i]->len;
    return bytes <= DEAD_BYTES_MAX;
}

static void put_dead(struct stream_command *c, const struct stream *s, struct buf *name,
                     const struct stream_entry *e)
{
    buf_str(name, s->name);
    buf_str(name, ":dead");
    stream_command_put(c, "XADD", e->id, 0);
    stream_command_span(c, buf_view(name));
    stream_command_put(c, "MAXLEN ~ % * id # reason", e->id, STREAM_DEAD_MAX);
    stream_command_span(c, span_of(e->reason));
    stream_command_put(c, "deliveries %", e->id, e->deliveries);
}

void stream_end_doom(struct stream *s, struct stream_entry *e, const char *reason,
                     const struct redisReply *fields)
{
    struct streams *all = s->all;
    struct stream_command *c = stream_common_command(s);
    char storage[STREAM_NAME_MAX + sizeof(":dead")];
    struct stream_fetch *fetch = stream_end_fetch(all, e);
    struct buf name;

    e->reason = reason;
    buf_init(&name, storage, sizeof(storage));
    put_dead(c, s, &name, e);
    /* A value that was too large to be read is a null, and stands there empty. */
    size_t count = fields != NULL && fits(fields) ? fields->elements : 0;
    for (size_t i = 0; i < count; i++)
        stream_command_span(c, (struct span){fields->element[i]->str, fields->element[i]->len});
    if (fetch == NULL || !stream_common_due(all, s->bury_retry_ms) ||
        stream_command_send(c, all->commands, 0, buried, fetch) != 0) {
        stream_entries_set(&all->entries, e, STREAM_ENTRY_DOOMED);
        return;
    }
    fetch->used = true;
    stream_entries_set(&all->entries, e, STREAM_ENTRY_BURYING);
}

/* ---- Acknowledgements ---- */

static void acknowledged(void *arg, const struct redisReply *reply)
{
    struct stream *s = arg;
    struct streams *all = s->all;
    struct stream_entry *e;
    /* Of those that it does not know, there is nothing to be acknowledged any more. */
    bool over = reply != NULL &&
                (reply->type == REDIS_REPLY_INTEGER || stream_common_is_error(reply, "NOGROUP"));

    s->acking = false;
    if (!all->open)
        return;
    if (over) {
        stream_common_fine(s, STREAM_TROUBLE_ACK);
        s->ack_retry_ms = 0;
        all->counts.changed = true; /* see redis_stream_save() */
    } else if (reply != NULL) {
        stream_common_trouble(s, STREAM_TROUBLE_ACK, reply);
        s->ack_retry_ms = stream_common_later(all);
    }
    while ((e = stream_entries_first(&all->entries, s->number, STREAM_ENTRY_ACKING)) != NULL) {
        all->counts.acknowledged += over && !e->orphan;
        stream_entries_set(&all->entries, e, over ? STREAM_ENTRY_FREE : STREAM_ENTRY_DONE);
    }
}

/* One command at a time: what ends meanwhile goes with the next one. */
static void acknowledge(struct stream *s)
{
    struct streams *all = s->all;
    struct stream_entry *e = stream_entries_first(&all->entries, s->number, STREAM_ENTRY_DONE);
    struct stream_command *c;
    unsigned count = 0;

    if (e == NULL || s->acking || !stream_common_due(all, s->ack_retry_ms))
        return;
    c = stream_common_command(s);
    stream_command_put(c, "XACK @ " STREAM_GROUP, e->id, 0);
    for (; e != NULL && count < STREAM_COMMAND_IDS_MAX; count++) {
        stream_command_put(c, "#", e->id, 0);
        e = stream_entries_next(&all->entries, e);
    }
    if (stream_command_send(c, all->commands, 0, acknowledged, s) != 0)
        return;
    s->acking = true;
    for (; count > 0; count--)
        stream_entries_set(&all->entries,
                           stream_entries_first(&all->entries, s->number, STREAM_ENTRY_DONE),
                           STREAM_ENTRY_ACKING);
}

/* ---- Claims ---- */

bool stream_end_is_unfinished(const struct stream_entry *e)
{
    return !e->orphan && e->state != STREAM_ENTRY_FREE && e->state != STREAM_ENTRY_DONE &&
           e->state != STREAM_ENTRY_ACKING;
}

/* Those of one stream, a command's worth; 0: it was sent, or there are none. */
static int renew_some(struct streams *all)
{
    struct stream *s = &all->streams[all->renew_stream];
    struct stream_command *c = stream_common_command(s);
    uint32_t at = all->renew_entry;
    unsigned count = 0;

    stream_command_put(c, "XCLAIM @ " STREAM_GROUP " & 0", s->last, 0);
    for (; at < all->entries.top && count < STREAM_COMMAND_IDS_MAX; at++) {
        const struct stream_entry *e = &all->entries.entries[at];
        if (e->stream != s->number || !stream_end_is_unfinished(e))
            continue;
        stream_command_put(c, "#", e->id, 0);
        count++;
    }
    /* FORCE: in a group that was made again nothing is pending yet. */
    stream_command_put(c, "FORCE JUSTID", s->last, 0);
    if (count > 0 && stream_command_send(c, all->commands, 0, NULL, NULL) != 0)
        return -1;
    all->renew_entry = at;
    if (at == all->entries.top) {
        all->renew_entry = 0;
        all->renew_stream++;
    }
    return 0;
}

static void renew(struct streams *all)
{
    if (stream_common_due(all, all->renew_ms)) {
        all->renew_ms = all->loop->now.boot_ms + STREAM_RENEW_MS;
        all->renew_stream = 0;
        all->renew_entry = 0;
    }
    while (all->renew_stream < all->count)
        if (renew_some(all) != 0)
            return;
}

/* ---- Turns ---- */

void stream_end_turn(struct streams *all)
{
    for (unsigned i = 0; i < all->count; i++)
        acknowledge(&all->streams[i]);
    renew(all);
}

bool stream_end_busy(const struct streams *all)
{
    const uint32_t *counts = all->entries.counts;

    if (counts[STREAM_ENTRY_ACKING] > 0 || counts[STREAM_ENTRY_BURYING] > 0)
        return true;
    for (unsigned i = 0; i < all->count; i++) {
        const struct stream_list *lists = all->entries.lists[i];
        const struct stream *s = &all->streams[i];
        if ((lists[STREAM_ENTRY_DONE].first != 0 && stream_common_due(all, s->ack_retry_ms)) ||
            (lists[STREAM_ENTRY_DOOMED].first != 0 && stream_common_due(all, s->bury_retry_ms) &&
             stream_common_due(all, s->fetch_retry_ms)))
            return true;
    }
    return false;
}
