#ifndef SOURCE_REFS_H
#define SOURCE_REFS_H
/* What is unfinished, up to FILE_REFS_MAX: events that were offered and have not ended, and what
 * could not be read. Saved, so that it is read again after a restart. Pure: no files, no clock.
 *            place       offset    digest   what brings it on
 * TAKING     a file      -1 or >=0  -       it is being offered: no longer than the call lasts
 * KEPT       a file      -1 or >=0  yes     refs_free()
 * UNSURE     a file      -1         -       it changes, or settle_ms
 * AGAIN      a file      -1 or >=0  or 0    it is to be read and offered (again)
 * UNREAD     a file      -1         0       the next scan reads it
 * LISTING    a directory -1         0       the next scan lists it from from_ms on
 */

#include "base/json_read.h"
#include "source/place.h"

#include <time.h>

enum ref_state {
    REF_FREE,
    REF_TAKING,
    REF_KEPT,
    REF_UNSURE,
    REF_AGAIN,
    REF_UNREAD,
    REF_LISTING,
    REF_STATES
};

struct ref {
    enum ref_state state;
    uint32_t generation;
    struct place place;
    uint64_t device; /* as in struct progress_file */
    uint64_t inode;
    int64_t offset;               /* of the line; -1: the whole file */
    uint64_t digest;              /* of its bytes; 0 = any will do */
    int64_t from_ms;              /* LISTING: its mark; a line: struct files_event's floor_ms */
    int64_t arrived_ms;           /* ctime when it was first read */
    struct timespec ctime, mtime; /* as it was offered; not saved */
    int64_t size;
    int64_t settle_ms; /* UNSURE: boot clock */
    bool waits;        /* AGAIN: until there is room */
};

struct refs {
    uint32_t top;                /* from here on all are free */
    uint32_t free_from;          /* before it none is */
    uint32_t counts[REF_STATES]; /* but for REF_FREE */
    bool changed;
    struct ref entries[FILE_REFS_MAX];
};

void refs_init(struct refs *r);

/* One in REF_TAKING, with this place, or NULL where all are in use. */
struct ref *refs_new(struct refs *r, const struct place *place);
void refs_set(struct refs *r, struct ref *ref, enum ref_state state);
void refs_free(struct refs *r, struct ref *ref);

/* Its handle, never UINT32_MAX, and back: NULL where it is free by now. */
uint32_t refs_handle(const struct refs *r, const struct ref *ref);
struct ref *refs_find(struct refs *r, uint32_t handle);

/* The one of a whole file in UNSURE, AGAIN or UNREAD, and that of a directory; or NULL. */
struct ref *refs_of_file(struct refs *r, uint64_t device, uint64_t inode);
struct ref *refs_of_dir(struct refs *r, const struct place *dir);

/* The earliest mark of a directory that is to be listed; INT64_MAX: there is none. */
int64_t refs_listing_from(const struct refs *r);

/* Unfinished events: KEPT, UNSURE, AGAIN, UNREAD. */
uint32_t refs_events(const struct refs *r);

/* The line of the first one from *at on that is to be saved; false: there is none. */
bool refs_save(const struct refs *r, struct buf *out, uint32_t *at);
/* Takes a line back. 1, 0 where it is another's, -1 where it makes no sense. */
int refs_load(struct refs *r, const struct json *doc);

#endif
