#include "source/feed.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "source/follow.h"
#include "source/reach.h"
#include "store/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* "<day>/<node>/<name>:<inode>:<offset>" */
#define ORIGIN_SIZE (PLACE_TEXT_SIZE + 2 * sizeof(":-9223372036854775808"))

/* ---- What is told ---- */

static struct span origin_of(char storage[ORIGIN_SIZE], const struct place *place, uint64_t inode,
                             int64_t offset)
{
    struct buf b;

    buf_init(&b, storage, ORIGIN_SIZE);
    place_text(&b, place);
    if (offset >= 0) {
        buf_char(&b, ':');
        buf_int(&b, (int64_t)inode);
        buf_char(&b, ':');
        buf_int(&b, offset);
    }
    return buf_view(&b);
}

void feed_refuse(struct feed *f, const struct place *place, const char *reason)
{
    char storage[ORIGIN_SIZE];

    f->ops->refused(f->ctx, origin_of(storage, place, 0, -1), reason);
}

void feed_gone(struct feed *f, struct ref *ref)
{
    char storage[ORIGIN_SIZE];

    LOG(LOG_INFO, "event_gone",
        LOG_SPAN("origin", origin_of(storage, &ref->place, ref->inode, ref->offset)));
    refs_free(&f->refs, ref);
}

void feed_fault(struct feed *f, const struct place *place, int error)
{
    char storage[ORIGIN_SIZE];

    f->scan_error = error;
    f->counts.error = error;
    if (f->logged_error == error)
        return;
    f->logged_error = error;
    LOG(LOG_WARNING, "events_unreadable", LOG_SPAN("place", origin_of(storage, place, 0, -1)),
        LOG_ERRNO(error));
}

/* ---- What is left for later ---- */

/* May one more be remembered that could not be read? */
static bool has_room_for_unread(const struct feed *f)
{
    return f->refs.counts[REF_UNREAD] + f->refs.counts[REF_LISTING] < UNREAD_REFS_MAX;
}

void feed_list_again(struct feed *f, const struct place *place, int64_t from_ms)
{
    struct place dir = *place;
    struct ref *ref = refs_of_dir(&f->refs, &dir);

    dir.name[0] = '\0';
    if (ref == NULL && has_room_for_unread(f)) {
        ref = refs_new(&f->refs, &dir);
        if (ref != NULL) {
            ref->from_ms = from_ms;
            refs_set(&f->refs, ref, REF_LISTING);
        }
    }
    if (ref == NULL) {
        f->missed = true;
    } else if (ref->from_ms > from_ms) {
        ref->from_ms = from_ms;
        f->refs.changed = true;
    }
}

/* The mark waits for it, and so does the directory:
 * 1. where the scan would not list it again for its ctime, it is put down to be listed;
 * 2. where it is listed with a mark of its own, what else was taken in it must not be forgotten
 *    until it was all taken: that was remembered as of now or of the mark, which stays. */
void feed_left(struct feed *f, struct feed_dir *dir, int64_t ctime_ms)
{
    int64_t mark_ms = f->progress.mark_ms;

    dir->left = true;
    if (dir->own_mark) {
        progress_left(&f->progress, mark_ms);
        return;
    }
    progress_left(&f->progress, ctime_ms < dir->ctime_ms ? ctime_ms : dir->ctime_ms);
    if (dir->ctime_ms < mark_ms - SCAN_OVERLAP_MS)
        feed_list_again(f, &dir->place, ctime_ms < mark_ms ? ctime_ms : mark_ms);
}

/* ---- Offering ---- */

enum files_took feed_offer(struct feed *f, struct ref *ref, struct span bytes, bool complete)
{
    char storage[ORIGIN_SIZE];
    struct files_event event = {
        .bytes = bytes,
        .origin = origin_of(storage, &ref->place, ref->inode, ref->offset),
        .arrived_ms = ref->arrived_ms,
        .floor_ms = ref->offset >= 0 ? ref->from_ms : 0,
        .ref = refs_handle(&f->refs, ref),
        .complete = complete,
    };
    enum files_took took = f->ops->event(f->ctx, &event);

    if (refs_find(&f->refs, event.ref) == NULL) /* files_finished() came in the call */
        took = FILES_ENDED;
    else if (took == FILES_ENDED || (took == FILES_UNSURE && complete))
        refs_free(&f->refs, ref);
    else if (took == FILES_KEPT)
        refs_set(&f->refs, ref, REF_KEPT);
    if (took == FILES_UNSURE && complete)
        took = FILES_ENDED;
    if (took == FILES_NO_SLOT)
        f->left = true;
    if (took == FILES_ENDED || took == FILES_KEPT)
        f->counts.files++;
    return took;
}

static struct feed_recent *recent_of(struct feed *f, const struct feed_recent *file)
{
    for (unsigned i = 0; i < RECENT_MAX; i++)
        if (f->recent[i].inode == file->inode && f->recent[i].device == file->device)
            return &f->recent[i];
    return NULL;
}

static bool is_recent(struct feed *f, const struct feed_recent *file)
{
    const struct feed_recent *last = recent_of(f, file);

    return last != NULL && last->digest == file->digest &&
           file->ctime_ms - last->ctime_ms <= SETTLE_MS &&
           last->ctime_ms - file->ctime_ms <= SETTLE_MS;
}

static void add_recent(struct feed *f, const struct feed_recent *file)
{
    struct feed_recent *last = recent_of(f, file);

    if (last == NULL) {
        last = &f->recent[f->recent_at];
        f->recent_at = (f->recent_at + 1) % RECENT_MAX;
    }
    *last = *file;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Is the file as it was when it was offered? */
static bool is_unchanged(const struct ref *ref, const struct stat *st)
{
    return ref->size == st->st_size && same_time(ref->mtime, st->st_mtim) &&
           same_time(ref->ctime, st->st_ctim);
}

/* Cannot be read now: it is tried by each scan, without holding the mark back for ever. */
static void keep_unread(struct feed *f, struct feed_dir *dir, struct ref *ref,
                        const struct progress_file *file)
{
    feed_fault(f, &ref->place, errno);
    if (ref->state == REF_UNREAD)
        return;
    if (!has_room_for_unread(f)) {
        refs_free(&f->refs, ref);
        feed_left(f, dir, progress_ms(file->ctime));
        return;
    }
    ref->digest = 0;
    refs_set(&f->refs, ref, REF_UNREAD);
    progress_took(&f->progress, file, f->loop->now);
}

static void after_no_slot(struct feed *f, struct feed_dir *dir, struct ref *ref, int64_t ctime_ms)
{
    if (ref->state == REF_TAKING) {
        refs_free(&f->refs, ref);
        feed_left(f, dir, ctime_ms);
        return;
    }
    ref->waits = true;
    refs_set(&f->refs, ref, REF_AGAIN);
}

static void after_unsure(struct feed *f, struct ref *ref, const struct stat *st)
{
    ref->digest = 0;
    ref->size = st->st_size;
    ref->mtime = st->st_mtim;
    ref->ctime = st->st_ctim;
    ref->settle_ms = f->loop->now.boot_ms + SETTLE_MS;
    refs_set(&f->refs, ref, REF_UNSURE);
}

void feed_offer_file(struct feed *f, struct feed_dir *dir, struct ref *ref, size_t n,
                     const struct stat *st, bool complete)
{
    struct progress_file file = reach_file(f, st);
    int64_t ctime_ms = progress_ms(file.ctime);

    if (ref->state == REF_TAKING)
        ref->arrived_ms = ctime_ms;
    ref->device = file.device;
    ref->inode = file.inode;
    ref->digest = hash_fixed(f->bytes, n);
    struct feed_recent recent = {file.device, file.inode, ref->digest, ctime_ms};
    if (ref->state == REF_TAKING && is_recent(f, &recent)) {
        refs_free(&f->refs, ref);
        progress_took(&f->progress, &file, f->loop->now);
        return;
    }
    switch (feed_offer(f, ref, (struct span){f->bytes, n}, complete)) {
    case FILES_ENDED:
    case FILES_KEPT:
        add_recent(f, &recent);
        break;
    case FILES_UNSURE:
        after_unsure(f, ref, st);
        break;
    case FILES_NO_SLOT:
        after_no_slot(f, dir, ref, ctime_ms);
        return;
    }
    progress_took(&f->progress, &file, f->loop->now);
}

/* Why a file is read. */
enum reason {
    READ_FOUND,   /* it is new or has changed */
    READ_DUE,     /* it was unsure, and its time has come: complete where it is unchanged */
    READ_AT_LAST, /* it was unsure, and nobody waits for it any more: complete */
};

/* found: what stat(2) said before. */
static void read_file(struct feed *f, struct feed_dir *dir, struct ref *ref,
                      const struct stat *found, enum reason reason)
{
    struct progress_file file = reach_file(f, found);
    const char *refused = NULL;
    struct stat st;
    size_t n;

    switch (file_read(dir->fd, ref->place.name, f->bytes, EVENT_BYTES_MAX, &n, &st)) {
    case FILE_OK:
        feed_offer_file(f, dir, ref, n, &st,
                        reason == READ_AT_LAST || (reason == READ_DUE && is_unchanged(ref, &st)));
        return;
    case FILE_ABSENT:
        feed_gone(f, ref);
        return;
    case FILE_IRREGULAR:
        refused = "irregular";
        break;
    case FILE_TOO_LARGE:
        refused = "too_large";
        break;
    case FILE_DENIED:
        refused = "unreadable";
        break;
    case FILE_EXISTS:
    case FILE_FAULT:
        keep_unread(f, dir, ref, &file);
        return;
    }
    feed_refuse(f, &ref->place, refused);
    refs_free(&f->refs, ref);
    progress_took(&f->progress, &file, f->loop->now);
}

/* ---- What is found ---- */

static bool counts(struct feed *f, const struct feed_dir *dir, const struct progress_file *file)
{
    if (dir->reported)
        return !progress_seen(&f->progress, file);
    enum progress_view view = progress_look(&f->progress, file, dir->mark_ms, f->loop->now);
    if (view == PROGRESS_OLD && f->progress.first)
        f->counts.passed_over++;
    return view == PROGRESS_TAKES;
}

/* Its ctime changes with what is done to it (a FIFO that is written to), so it is remembered
 * without. */
static void refuse_kind(struct feed *f, const struct place *place, struct progress_file file)
{
    file.ctime = (struct timespec){0, 0};
    file.size = 0;
    if (progress_seen(&f->progress, &file))
        return;
    progress_took(&f->progress, &file, f->loop->now);
    feed_refuse(f, place, "irregular");
}

static void take(struct feed *f, struct feed_dir *dir, const struct place *place,
                 const struct stat *st)
{
    uint64_t device = reach_device(f, st->st_dev);
    struct ref *ref = refs_of_file(&f->refs, device, st->st_ino);

    if (ref == NULL)
        ref = refs_new(&f->refs, place);
    if (ref == NULL) {
        f->left = true;
        feed_left(f, dir, progress_ms(st->st_ctim));
        return;
    }
    ref->place = *place;
    ref->device = device;
    ref->inode = st->st_ino;
    read_file(f, dir, ref, st, READ_FOUND);
}

void feed_entry(struct feed *f, struct feed_dir *dir, const char *name)
{
    struct place place = dir->place;
    struct stat st;

    if ((!place_is_log(name) && !place_is_event(name)) ||
        span_copy(place.name, sizeof(place.name), span_of(name)) != 0)
        return;
    if (fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT)
            return;
        feed_fault(f, &place, errno);
        feed_list_again(f, &dir->place, f->progress.mark_ms);
        dir->left = true;
        return;
    }
    if (place_is_log(name) && S_ISREG(st.st_mode)) {
        follow_found(f, dir, &place, &st);
        return;
    }
    struct progress_file file = reach_file(f, &st);
    if (!counts(f, dir, &file))
        return;
    if (S_ISREG(st.st_mode))
        take(f, dir, &place, &st);
    else if (place_is_event(name) || place_is_live_log(name))
        refuse_kind(f, &place, file);
}

/* ---- What was found before ---- */

bool feed_find(struct feed *f, struct feed_dir *dir, struct ref *ref, struct stat *st)
{
    *dir = (struct feed_dir){.place = ref->place, .own_mark = true};
    dir->place.name[0] = '\0';
    dir->fd = reach_dir(f, &dir->place);
    if (dir->fd >= 0 && fstatat(dir->fd, ref->place.name, st, AT_SYMLINK_NOFOLLOW) == 0) {
        bool same = ref->inode == st->st_ino && ref->device == reach_device(f, st->st_dev);
        if (S_ISREG(st->st_mode) && same)
            return true;
        feed_gone(f, ref);
    } else if (reach_is_absence(errno)) {
        feed_gone(f, ref);
    } else {
        feed_fault(f, &ref->place, errno);
        ref->settle_ms = f->loop->now.boot_ms + SETTLE_MS;
        ref->waits = true;
    }
    tree_close(dir->fd);
    return false;
}

void feed_unread(struct feed *f)
{
    struct feed_dir dir;
    struct stat st;

    for (uint32_t i = 0; i < f->refs.top && f->refs.counts[REF_UNREAD] > 0; i++) {
        struct ref *ref = &f->refs.entries[i];
        if (ref->state != REF_UNREAD || !feed_find(f, &dir, ref, &st))
            continue;
        read_file(f, &dir, ref, &st, READ_FOUND);
        tree_close(dir.fd);
    }
}

bool feed_settle(struct feed *f, bool all)
{
    bool offered = false;
    struct feed_dir dir;
    struct stat st;

    for (uint32_t i = 0; i < f->refs.top && f->refs.counts[REF_UNSURE] > 0; i++) {
        struct ref *ref = &f->refs.entries[i];
        bool due = ref->settle_ms <= f->loop->now.boot_ms;
        if (ref->state != REF_UNSURE || !(due || all) || !feed_find(f, &dir, ref, &st))
            continue;
        read_file(f, &dir, ref, &st, all ? READ_AT_LAST : READ_DUE);
        tree_close(dir.fd);
        offered = true;
    }
    return offered;
}

int64_t feed_settle_due(const struct feed *f)
{
    int64_t due_ms = INT64_MAX;

    for (uint32_t i = 0; i < f->refs.top && f->refs.counts[REF_UNSURE] > 0; i++)
        if (f->refs.entries[i].state == REF_UNSURE && f->refs.entries[i].settle_ms < due_ms)
            due_ms = f->refs.entries[i].settle_ms;
    return due_ms;
}
