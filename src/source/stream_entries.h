#ifndef SOURCE_STREAM_ENTRIES_H
#define SOURCE_STREAM_ENTRIES_H
/* The entries of Redis streams that we have to do with, by stream and id. Each is on the list of
 * its stream and state, in the order in which it came there. Pure; zeroed it is empty.
 *
 *   LEFT      to be fetched, and offered        DOOMED   to be put into the dead stream
 *   FETCHING  under way                         BURYING  under way
 *   HELD      offered, unfinished               DONE     to be acknowledged
 *                                               ACKING   under way
 *
 * An orphan's stream was lost with its data: it is not found by its id, and has nothing to be
 * acknowledged; it is freed where it would become LEFT, DOOMED or DONE. */

#include "base/limits.h"
#include "source/stream_id.h"

enum stream_entry_state {
    STREAM_ENTRY_FREE,
    STREAM_ENTRY_LEFT,
    STREAM_ENTRY_FETCHING,
    STREAM_ENTRY_HELD,
    STREAM_ENTRY_DOOMED,
    STREAM_ENTRY_BURYING,
    STREAM_ENTRY_DONE,
    STREAM_ENTRY_ACKING,
    STREAM_ENTRY_STATES
};

struct stream_entry {
    struct stream_id id;
    const char *reason; /* why it is doomed; NULL: it is not */
    uint32_t deliveries;
    uint32_t use;            /* how often this place was freed */
    uint16_t next, previous; /* of its list: number + 1, 0 = none */
    uint16_t chain;          /* of its bucket: the same */
    uint8_t stream;
    uint8_t state;
    uint8_t losses; /* of the connection, while it was the first one being fetched */
    bool claim;     /* fetching it is a delivery */
    bool orphan;
};

struct stream_entries {
    uint32_t count;                       /* not FREE */
    uint32_t top;                         /* from here on none was ever in use */
    uint32_t counts[STREAM_ENTRY_STATES]; /* of all streams; but for FREE */
    uint16_t free;                        /* places below top, by next */
    struct stream_list {
        uint16_t first, last, count;
    } lists[STREAMS_MAX][STREAM_ENTRY_STATES];
    uint16_t buckets[STREAM_ENTRIES_MAX];
    struct stream_entry entries[STREAM_ENTRIES_MAX];
};

/* NULL: there is none. */
struct stream_entry *stream_entries_find(struct stream_entries *t, unsigned stream,
                                         struct stream_id id);
/* A new one, LEFT; it must be absent. NULL: the table is full. */
struct stream_entry *stream_entries_add(struct stream_entries *t, unsigned stream,
                                        struct stream_id id);
/* To the end of that state's list; FREE, and an orphan as said above: it is gone. */
void stream_entries_set(struct stream_entries *t, struct stream_entry *e,
                        enum stream_entry_state state);
/* Makes the entries of a stream orphans. */
void stream_entries_orphan(struct stream_entries *t, unsigned stream);

/* The first of a list, and the next; NULL behind the last. */
struct stream_entry *stream_entries_first(struct stream_entries *t, unsigned stream,
                                          enum stream_entry_state state);
struct stream_entry *stream_entries_next(struct stream_entries *t, const struct stream_entry *e);

/* Its handle, and back: NULL where it is gone by now. */
uint32_t stream_entries_ref(const struct stream_entries *t, const struct stream_entry *e);
struct stream_entry *stream_entries_of(struct stream_entries *t, uint32_t ref);

#endif
