#include "source/journal.h"

#include "base/json_write.h"
#include "base/timestamp.h"

#include <string.h>

#define TIME_MAX_MS (INT64_MAX / 4)
#define SIZE_LIMIT (INT64_MAX / 2)

void journal_init(struct journals *j)
{
    j->count = 0;
    j->dropped_ms = 0;
    j->changed = false;
}

struct journal *journal_find(struct journals *j, uint64_t device, uint64_t inode)
{
    for (uint32_t i = 0; i < j->count; i++)
        if (j->entries[i].inode == inode && j->entries[i].device == device)
            return &j->entries[i];
    return NULL;
}

static int64_t day_ms(const char *day)
{
    int64_t ms;

    return timestamp_parse_date(span_of(day), &ms) == 0 ? ms : 0;
}

struct journal *journal_least(struct journals *j)
{
    struct journal *best = NULL;

    for (uint32_t i = 0; i < j->count; i++) {
        struct journal *log = &j->entries[i];
        if (log->state != JOURNAL_READ || log->settle_ms != 0)
            continue;
        int days = best != NULL ? strcmp(log->place.day, best->place.day) : -1;
        if (days < 0 || (days == 0 && log->scan < best->scan))
            best = log;
    }
    return best;
}

struct journal *journal_add(struct journals *j, const struct place *place, uint64_t device,
                            uint64_t inode, uint32_t scan)
{
    if (j->count == LOGS_MAX)
        return NULL;
    struct journal *log = &j->entries[j->count++];
    *log = (struct journal){
        .state = JOURNAL_GROWN, .place = *place, .device = device, .inode = inode, .scan = scan};
    j->changed = true;
    return log;
}

void journal_forget(struct journals *j, struct journal *log)
{
    struct journal *last = &j->entries[--j->count];

    if (log != last)
        *log = *last;
    j->changed = true;
}

void journal_drop(struct journals *j, struct journal *log)
{
    int64_t ms = day_ms(log->place.day);

    if (j->dropped_ms < ms)
        j->dropped_ms = ms;
    journal_forget(j, log);
}

bool journal_was_dropped(const struct journals *j, const char *day)
{
    return j->dropped_ms != 0 && day_ms(day) <= j->dropped_ms;
}

/* ---- Saved ---- */

static void save_print(struct json_write *w, const char *name, const struct print *print)
{
    json_write_array(w, name);
    json_write_int(w, NULL, print->offset);
    json_write_int(w, NULL, (int64_t)print->tail);
    json_write_int(w, NULL, (int64_t)print->head);
    json_write_int(w, NULL, print->head_bytes);
    json_write_end_array(w);
}

bool journal_save(const struct journals *j, struct buf *out, uint32_t *at)
{
    char storage[3 * PLACE_TEXT_SIZE];
    struct json_write w;
    struct buf place;

    if (*at > j->count)
        return false;
    json_write_init(&w, out);
    json_write_object(&w, NULL);
    if (*at == j->count) {
        json_write_int(&w, "logs_dropped_ms", j->dropped_ms);
    } else {
        const struct journal *log = &j->entries[*at];
        buf_init(&place, storage, sizeof(storage));
        place_save(&place, &log->place);
        json_write_span(&w, "log", buf_view(&place));
        json_write_int(&w, "device", (int64_t)log->device);
        json_write_int(&w, "inode", (int64_t)log->inode);
        save_print(&w, "at", &log->at);
        save_print(&w, "before", &log->before);
        json_write_bool(&w, "skipping", log->skipping);
        json_write_bool(&w, "denied", log->denied);
        json_write_bool(&w, "found", log->state == JOURNAL_FOUND);
        json_write_int(&w, "floor_ms", log->floor_ms);
        json_write_int(&w, "floor_end", log->floor_end);
        json_write_int(&w, "refused_size", log->refused_size);
    }
    json_write_end_object(&w);
    (*at)++;
    return true;
}

static int load_number(const struct json *doc, const char *name, int64_t min, int64_t max,
                       int64_t *value)
{
    return json_int(doc, json_member(doc, JSON_ROOT, name), min, max, value);
}

static int load_bool(const struct json *doc, const char *name, bool *value)
{
    enum json_type type = json_type(doc, json_member(doc, JSON_ROOT, name));

    *value = type == JSON_TRUE;
    return type == JSON_TRUE || type == JSON_FALSE ? 0 : -1;
}

static int load_print(const struct json *doc, const char *name, struct print *print)
{
    json_ref array = json_member(doc, JSON_ROOT, name);
    int64_t value[4];
    unsigned n = 0;

    for (json_ref at = json_first(doc, array); at != JSON_NONE; at = json_next(doc, array, at))
        if (n == 4 || json_int(doc, at, INT64_MIN, INT64_MAX, &value[n++]) != 0)
            return -1;
    if (json_type(doc, array) != JSON_ARRAY || n != 4 || value[0] < 0 || value[0] > SIZE_LIMIT ||
        value[3] < 0 || value[3] > LOG_HEAD_MAX || value[3] > value[0])
        return -1;
    *print = (struct print){.offset = value[0],
                            .tail = (uint64_t)value[1],
                            .head = (uint64_t)value[2],
                            .head_bytes = (uint32_t)value[3]};
    return 0;
}

static int load_place(const struct json *doc, struct place *place)
{
    char text[3 * PLACE_TEXT_SIZE];
    int n = json_string(doc, json_member(doc, JSON_ROOT, "log"), text, sizeof(text));

    if (n <= 0 || place_load(place, (struct span){text, (size_t)n}) != 0)
        return -1;
    return place_is_log(place->name) ? 0 : -1;
}

int journal_load(struct journals *j, const struct json *doc)
{
    struct journal log = {.state = JOURNAL_GROWN};
    int64_t device, inode;
    bool found;

    if (json_member(doc, JSON_ROOT, "logs_dropped_ms") != JSON_NONE)
        return load_number(doc, "logs_dropped_ms", 0, TIME_MAX_MS, &j->dropped_ms) == 0 ? 1 : -1;
    if (json_member(doc, JSON_ROOT, "log") == JSON_NONE)
        return 0;
    if (j->count == LOGS_MAX || load_place(doc, &log.place) != 0 ||
        load_number(doc, "device", INT64_MIN, INT64_MAX, &device) != 0 ||
        load_number(doc, "inode", INT64_MIN, INT64_MAX, &inode) != 0 ||
        load_print(doc, "at", &log.at) != 0 || load_print(doc, "before", &log.before) != 0 ||
        load_bool(doc, "skipping", &log.skipping) != 0 ||
        load_bool(doc, "denied", &log.denied) != 0 || load_bool(doc, "found", &found) != 0 ||
        load_number(doc, "floor_ms", 0, TIME_MAX_MS, &log.floor_ms) != 0 ||
        load_number(doc, "floor_end", 0, SIZE_LIMIT, &log.floor_end) != 0 ||
        load_number(doc, "refused_size", 0, SIZE_LIMIT, &log.refused_size) != 0)
        return -1;
    log.device = (uint64_t)device;
    log.inode = (uint64_t)inode;
    if (found)
        log.state = JOURNAL_FOUND;
    j->entries[j->count++] = log;
    return 1;
}
