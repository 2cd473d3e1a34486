#include "source/refs.h"

#include "base/json_write.h"

#include <string.h>

/* A handle is the entry's number and, above, its generation. */
#define INDEX_BITS 10
#define GENERATION_MAX ((UINT32_C(1) << (32 - INDEX_BITS)) - 2) /* so that none is UINT32_MAX */

_Static_assert(FILE_REFS_MAX == 1 << INDEX_BITS, "a handle has bits for each");

#define TIME_MAX_MS (INT64_MAX / 4)

static const char state_names[REF_STATES][8] = {
    [REF_KEPT] = "again",    [REF_UNSURE] = "again",    [REF_AGAIN] = "again",
    [REF_UNREAD] = "unread", [REF_LISTING] = "listing",
};

void refs_init(struct refs *r)
{
    for (uint32_t i = 0; i < r->top; i++)
        if (r->entries[i].state != REF_FREE)
            refs_free(r, &r->entries[i]);
    r->changed = false;
}

struct ref *refs_new(struct refs *r, const struct place *place)
{
    for (uint32_t i = r->free_from; i < FILE_REFS_MAX; i++) {
        struct ref *ref = &r->entries[i];
        if (ref->state != REF_FREE)
            continue;
        r->free_from = i + 1;
        if (i >= r->top)
            r->top = i + 1;
        *ref = (struct ref){
            .state = REF_TAKING, .generation = ref->generation, .place = *place, .offset = -1};
        r->counts[REF_TAKING]++;
        return ref;
    }
    r->free_from = FILE_REFS_MAX;
    return NULL;
}

void refs_set(struct refs *r, struct ref *ref, enum ref_state state)
{
    r->counts[ref->state]--;
    ref->state = state;
    r->counts[state]++;
    r->changed = true;
}

void refs_free(struct refs *r, struct ref *ref)
{
    /* One that was never more than in the taking was never saved. */
    r->changed = r->changed || ref->state != REF_TAKING;
    r->counts[ref->state]--;
    ref->state = REF_FREE;
    ref->generation = ref->generation < GENERATION_MAX ? ref->generation + 1 : 0;
    if (r->free_from > (uint32_t)(ref - r->entries))
        r->free_from = (uint32_t)(ref - r->entries);
    while (r->top > 0 && r->entries[r->top - 1].state == REF_FREE)
        r->top--;
}

uint32_t refs_handle(const struct refs *r, const struct ref *ref)
{
    return ref->generation << INDEX_BITS | (uint32_t)(ref - r->entries);
}

struct ref *refs_find(struct refs *r, uint32_t handle)
{
    struct ref *ref = &r->entries[handle & (FILE_REFS_MAX - 1)];

    return ref->state != REF_FREE && ref->generation == handle >> INDEX_BITS ? ref : NULL;
}

struct ref *refs_of_file(struct refs *r, uint64_t device, uint64_t inode)
{
    if (r->counts[REF_UNSURE] + r->counts[REF_AGAIN] + r->counts[REF_UNREAD] == 0)
        return NULL;
    for (uint32_t i = 0; i < r->top; i++) {
        struct ref *ref = &r->entries[i];
        bool open = ref->state == REF_UNSURE || ref->state == REF_AGAIN || ref->state == REF_UNREAD;
        if (open && ref->offset < 0 && ref->inode == inode && ref->device == device)
            return ref;
    }
    return NULL;
}

struct ref *refs_of_dir(struct refs *r, const struct place *dir)
{
    for (uint32_t i = 0; i < r->top && r->counts[REF_LISTING] > 0; i++)
        if (r->entries[i].state == REF_LISTING && place_same_dir(&r->entries[i].place, dir))
            return &r->entries[i];
    return NULL;
}

int64_t refs_listing_from(const struct refs *r)
{
    int64_t from_ms = INT64_MAX;

    for (uint32_t i = 0; i < r->top && r->counts[REF_LISTING] > 0; i++)
        if (r->entries[i].state == REF_LISTING && r->entries[i].from_ms < from_ms)
            from_ms = r->entries[i].from_ms;
    return from_ms;
}

uint32_t refs_events(const struct refs *r)
{
    return r->counts[REF_KEPT] + r->counts[REF_UNSURE] + r->counts[REF_AGAIN] +
           r->counts[REF_UNREAD];
}

/* ---- Saved ---- */

bool refs_save(const struct refs *r, struct buf *out, uint32_t *at)
{
    char storage[3 * PLACE_TEXT_SIZE];
    struct json_write w;
    struct buf place;

    while (*at < r->top && state_names[r->entries[*at].state][0] == '\0')
        (*at)++;
    if (*at >= r->top)
        return false;
    const struct ref *ref = &r->entries[(*at)++];
    buf_init(&place, storage, sizeof(storage));
    place_save(&place, &ref->place);
    json_write_init(&w, out);
    json_write_object(&w, NULL);
    json_write_str(&w, "unfinished", state_names[ref->state]);
    json_write_span(&w, "place", buf_view(&place));
    json_write_int(&w, "device", (int64_t)ref->device);
    json_write_int(&w, "inode", (int64_t)ref->inode);
    json_write_int(&w, "offset", ref->offset);
    json_write_int(&w, "digest", (int64_t)ref->digest);
    json_write_int(&w, "from_ms", ref->from_ms);
    json_write_int(&w, "arrived_ms", ref->arrived_ms);
    json_write_end_object(&w);
    return true;
}

static int load_number(const struct json *doc, const char *name, int64_t min, int64_t max,
                       int64_t *value)
{
    return json_int(doc, json_member(doc, JSON_ROOT, name), min, max, value);
}

static enum ref_state load_state(const struct json *doc)
{
    char name[sizeof(state_names[0])];

    if (json_string(doc, json_member(doc, JSON_ROOT, "unfinished"), name, sizeof(name)) < 0)
        return REF_FREE;
    for (unsigned s = REF_AGAIN; s < REF_STATES; s++)
        if (strcmp(name, state_names[s]) == 0)
            return (enum ref_state)s;
    return REF_FREE;
}

static int load_place(const struct json *doc, struct place *place)
{
    char text[3 * PLACE_TEXT_SIZE];
    int n = json_string(doc, json_member(doc, JSON_ROOT, "place"), text, sizeof(text));

    return n > 0 ? place_load(place, (struct span){text, (size_t)n}) : -1;
}

int refs_load(struct refs *r, const struct json *doc)
{
    int64_t device, inode, offset, digest, from_ms, arrived_ms;
    struct place place;

    if (json_member(doc, JSON_ROOT, "unfinished") == JSON_NONE)
        return 0;
    enum ref_state state = load_state(doc);
    if (state == REF_FREE || load_place(doc, &place) != 0 ||
        load_number(doc, "device", INT64_MIN, INT64_MAX, &device) != 0 ||
        load_number(doc, "inode", INT64_MIN, INT64_MAX, &inode) != 0 ||
        load_number(doc, "offset", -1, INT64_MAX / 2, &offset) != 0 ||
        load_number(doc, "digest", INT64_MIN, INT64_MAX, &digest) != 0 ||
        load_number(doc, "from_ms", -TIME_MAX_MS, TIME_MAX_MS, &from_ms) != 0 ||
        load_number(doc, "arrived_ms", -TIME_MAX_MS, TIME_MAX_MS, &arrived_ms) != 0 ||
        (state == REF_LISTING) != (place.name[0] == '\0'))
        return -1;
    struct ref *ref = refs_new(r, &place);
    if (ref == NULL)
        return -1;
    ref->device = (uint64_t)device;
    ref->inode = (uint64_t)inode;
    ref->offset = offset;
    ref->digest = (uint64_t)digest;
    ref->from_ms = from_ms;
    ref->arrived_ms = arrived_ms;
    refs_set(r, ref, state);
    return 1;
}
