#include "source/stream_entries.h"

#include "base/hash.h"

/* A handle is the number of the place and, above it, how often that was freed. */
_Static_assert((STREAM_ENTRIES_MAX & (STREAM_ENTRIES_MAX - 1)) == 0, "a power of two");
_Static_assert(STREAM_ENTRIES_MAX < UINT16_MAX, "number + 1");

static struct stream_entry *at(struct stream_entries *t, unsigned number_1)
{
    return number_1 == 0 ? NULL : &t->entries[number_1 - 1];
}

static uint16_t number_1(const struct stream_entries *t, const struct stream_entry *e)
{
    return (uint16_t)(e - t->entries + 1);
}

/* ---- By id ---- */

static uint16_t *bucket(struct stream_entries *t, unsigned stream, struct stream_id id)
{
    const uint64_t key[] = {id.ms, id.seq, stream};
    uint64_t hash = hash_span((struct span){(const char *)key, sizeof(key)});

    return &t->buckets[hash % STREAM_ENTRIES_MAX];
}

struct stream_entry *stream_entries_find(struct stream_entries *t, unsigned stream,
                                         struct stream_id id)
{
    struct stream_entry *e = at(t, *bucket(t, stream, id));

    while (e != NULL && (e->stream != stream || e->id.ms != id.ms || e->id.seq != id.seq))
        e = at(t, e->chain);
    return e;
}

static void unchain(struct stream_entries *t, const struct stream_entry *e)
{
    uint16_t *link = bucket(t, e->stream, e->id);

    while (*link != number_1(t, e))
        link = &t->entries[*link - 1].chain;
    *link = e->chain;
}

/* ---- Lists ---- */

static void append(struct stream_entries *t, struct stream_entry *e, enum stream_entry_state state)
{
    struct stream_list *list = &t->lists[e->stream][state];

    e->state = (uint8_t)state;
    e->next = 0;
    e->previous = list->last;
    if (list->last != 0)
        at(t, list->last)->next = number_1(t, e);
    else
        list->first = number_1(t, e);
    list->last = number_1(t, e);
    list->count++;
    t->counts[state]++;
}

static void take_off(struct stream_entries *t, const struct stream_entry *e)
{
    struct stream_list *list = &t->lists[e->stream][e->state];

    if (e->next != 0)
        at(t, e->next)->previous = e->previous;
    else
        list->last = e->previous;
    if (e->previous != 0)
        at(t, e->previous)->next = e->next;
    else
        list->first = e->next;
    list->count--;
    t->counts[e->state]--;
}

struct stream_entry *stream_entries_first(struct stream_entries *t, unsigned stream,
                                          enum stream_entry_state state)
{
    return at(t, t->lists[stream][state].first);
}

struct stream_entry *stream_entries_next(struct stream_entries *t, const struct stream_entry *e)
{
    return at(t, e->next);
}

/* ---- Entries ---- */

struct stream_entry *stream_entries_add(struct stream_entries *t, unsigned stream,
                                        struct stream_id id)
{
    struct stream_entry *e = at(t, t->free);

    if (e != NULL)
        t->free = e->next;
    else if (t->top < STREAM_ENTRIES_MAX)
        e = &t->entries[t->top++];
    else
        return NULL;
    uint16_t *link = bucket(t, stream, id);
    *e = (struct stream_entry){
        .id = id, .deliveries = 1, .use = e->use, .chain = *link, .stream = (uint8_t)stream};
    *link = number_1(t, e);
    t->count++;
    append(t, e, STREAM_ENTRY_LEFT);
    return e;
}

static void release(struct stream_entries *t, struct stream_entry *e)
{
    if (!e->orphan)
        unchain(t, e);
    e->state = STREAM_ENTRY_FREE;
    e->use++;
    e->next = t->free;
    t->free = number_1(t, e);
    t->count--;
}

static bool needs_its_stream(enum stream_entry_state state)
{
    return state == STREAM_ENTRY_LEFT || state == STREAM_ENTRY_DOOMED || state == STREAM_ENTRY_DONE;
}

void stream_entries_set(struct stream_entries *t, struct stream_entry *e,
                        enum stream_entry_state state)
{
    take_off(t, e);
    if (state == STREAM_ENTRY_FREE || (e->orphan && needs_its_stream(state)))
        release(t, e);
    else
        append(t, e, state);
}

void stream_entries_orphan(struct stream_entries *t, unsigned stream)
{
    for (uint32_t i = 0; i < t->top; i++) {
        struct stream_entry *e = &t->entries[i];
        if (e->state == STREAM_ENTRY_FREE || e->stream != stream || e->orphan)
            continue;
        unchain(t, e);
        e->orphan = true;
        if (needs_its_stream(e->state))
            stream_entries_set(t, e, STREAM_ENTRY_FREE);
    }
}

/* ---- Handles ---- */

uint32_t stream_entries_ref(const struct stream_entries *t, const struct stream_entry *e)
{
    return (uint32_t)(e - t->entries) + e->use * STREAM_ENTRIES_MAX;
}

struct stream_entry *stream_entries_of(struct stream_entries *t, uint32_t ref)
{
    struct stream_entry *e = &t->entries[ref % STREAM_ENTRIES_MAX];

    return e->state != STREAM_ENTRY_FREE && stream_entries_ref(t, e) == ref ? e : NULL;
}
