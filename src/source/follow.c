#include "source/follow.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "source/feed.h"
#include "source/reach.h"
#include "store/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* How a log is rotated, and why nothing is lost or read twice:
 * 1. By rename: a log is known by (device, inode), whatever of the names it has; its old name's new
 *    file is another log.
 * 2. By copytruncate: the log is shorter than what was read of it, or what stands before the offset
 *    is something else; it begins anew. What it was like before stays on record: a rotated log that
 *    nobody knew and that begins like it is its copy, and is read from where the log was read to.
 *    While the copy is made nobody can tell, so it is left alone until it does not change; by then
 *    the log itself was read to its end.
 * 3. Twice, while we were away: a rotated log that nobody knows and that is no copy is read whole.
 * The offset moves only over lines that were taken: a line that found no slot stops its log. */

/* ---- Finding ---- */

/* First start: all in it is old. A line that is not finished yet is not ours either. */
static void pass_over(struct feed *f, int dir, struct journal *log, const struct stat *st)
{
    struct stat now;
    char last;
    int fd;

    f->counts.passed_over++;
    log->at.offset = st->st_size;
    log->state = JOURNAL_READ;
    log->size = st->st_size;
    log->ctime = st->st_ctim;
    if (file_open(dir, log->place.name, &fd, &now) != FILE_OK)
        return;
    if (print_make(fd, &log->at) != 0)
        feed_fault(f, &log->place, errno);
    log->skipping =
        st->st_size > 0 && file_read_at(fd, &last, 1, st->st_size - 1) == 1 && last != '\n';
    tree_close(fd);
}

/* Where lines of this log have to be told from those that are old. */
static int64_t floor_of(const struct feed *f, const struct feed_dir *dir)
{
    int64_t floor_ms = 0;
    bool new_dir = dir->reported && dir->own_mark;

    if (f->progress.first)
        floor_ms = f->progress.mark_ms;
    else if (!new_dir && journal_was_dropped(&f->journals, dir->place.day))
        floor_ms = f->progress.mark_ms - f->settings.lookback_ms;
    return floor_ms > 0 ? floor_ms : 0;
}

/* Makes room. The log that has to go is as if it had been taken: it is found again when it grows.
 */
static void drop_one(struct feed *f)
{
    struct journal *log = journal_least(&f->journals);

    if (log == NULL)
        return;
    struct progress_file file = {
        .device = log->device, .inode = log->inode, .ctime = log->ctime, .size = log->size};
    progress_took(&f->progress, &file, f->loop->now);
    journal_drop(&f->journals, log);
}

static struct journal *discover(struct feed *f, struct feed_dir *dir, const struct place *place,
                                const struct stat *st)
{
    struct progress_file file = reach_file(f, st);
    enum progress_view view = PROGRESS_TAKES;

    if (!dir->reported)
        view = progress_look(&f->progress, &file, dir->mark_ms, f->loop->now);
    else if (progress_seen(&f->progress, &file))
        view = PROGRESS_SEEN;
    if (view == PROGRESS_SEEN || (view == PROGRESS_OLD && !f->progress.first))
        return NULL;
    if (f->journals.count == LOGS_MAX)
        drop_one(f);
    struct journal *log =
        journal_add(&f->journals, place, file.device, file.inode, f->progress.scan);
    if (log == NULL) {
        f->left = true;
        feed_left(f, dir, progress_ms(file.ctime));
        return NULL;
    }
    if (view == PROGRESS_OLD) {
        pass_over(f, dir->fd, log, st);
        return log;
    }
    log->floor_ms = floor_of(f, dir);
    log->floor_end = st->st_size;
    if (!place_is_live_log(place->name)) {
        log->state = JOURNAL_FOUND;
        log->size = st->st_size;
        log->ctime = st->st_ctim;
    }
    return log;
}

static bool is_unchanged(const struct journal *log, const struct stat *st)
{
    return log->size == st->st_size && log->ctime.tv_sec == st->st_ctim.tv_sec &&
           log->ctime.tv_nsec == st->st_ctim.tv_nsec;
}

void follow_found(struct feed *f, struct feed_dir *dir, const struct place *place,
                  const struct stat *st)
{
    struct journal *log = journal_find(&f->journals, reach_device(f, st->st_dev), st->st_ino);

    if (log == NULL)
        log = discover(f, dir, place, st);
    if (log == NULL)
        return;
    if (strcmp(log->place.name, place->name) != 0 || !place_same_dir(&log->place, place)) {
        log->place = *place;
        f->journals.changed = true;
    }
    log->scan = f->progress.scan;
    log->missed = 0;
    if (log->state == JOURNAL_READ && !is_unchanged(log, st))
        log->state = JOURNAL_GROWN;
    if (log->state == JOURNAL_FOUND && log->settle_ms == 0 && !f->settings.once)
        log->settle_ms = f->loop->now.boot_ms + SETTLE_MS;
}

void follow_listed(struct feed *f, const struct place *dir)
{
    for (uint32_t i = f->journals.count; i-- > 0;) {
        struct journal *log = &f->journals.entries[i];
        if (log->scan == f->progress.scan || !place_same_dir(&log->place, dir))
            continue;
        /* Renamed while the directory was read, it may be in the list under neither name. */
        if (++log->missed > 1)
            journal_forget(&f->journals, log);
    }
}

void follow_unblock(struct feed *f)
{
    for (uint32_t i = 0; i < f->journals.count; i++)
        if (f->journals.entries[i].state == JOURNAL_BLOCKED)
            f->journals.entries[i].state = JOURNAL_GROWN;
}

/* Not all their directories are listed. A path through a symlink does no harm here: it is opened
 * with care. */
void follow_check(struct feed *f, int root)
{
    char storage[PLACE_TEXT_SIZE];
    struct stat st;
    struct buf b;

    follow_unblock(f);
    for (uint32_t i = 0; i < f->journals.count; i++) {
        struct journal *log = &f->journals.entries[i];
        buf_init(&b, storage, sizeof(storage));
        place_text(&b, &log->place);
        const char *path = buf_text(&b);
        if (log->state == JOURNAL_READ && path != NULL &&
            fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == log->inode &&
            !is_unchanged(log, &st))
            log->state = JOURNAL_GROWN;
    }
}

/* ---- Lines ---- */

/* A reading of one log. */
struct reading {
    struct feed *f;
    struct journal *log;
    int fd;
    struct stat st;
    bool at_last; /* an unfinished last line that has not changed is complete */
};

static struct span without_end(struct span line)
{
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

/* Offers the line at the offset. FILES_NO_SLOT: the log is blocked. */
static enum files_took offer(const struct reading *r, struct span line, bool complete)
{
    struct feed *f = r->f;
    struct journal *log = r->log;
    struct place place = log->place;
    struct ref *ref = NULL;
    enum files_took took = FILES_NO_SLOT;

    /* Under one name before and after a rotation: the origin makes the correlation. */
    if (span_copy(place.name, sizeof(place.name), span_of(PLACE_LIVE_LOG)) == 0)
        ref = refs_new(&f->refs, &place);
    if (ref != NULL) {
        ref->device = log->device;
        ref->inode = log->inode;
        ref->offset = log->at.offset;
        ref->digest = hash_fixed(line.p, line.n);
        ref->arrived_ms = progress_ms(r->st.st_ctim);
        ref->from_ms = log->at.offset < log->floor_end ? log->floor_ms : 0;
        took = feed_offer(f, ref, line, complete);
        if (took == FILES_NO_SLOT || took == FILES_UNSURE)
            refs_free(&f->refs, ref);
    }
    if (took == FILES_NO_SLOT) {
        f->left = true;
        log->state = JOURNAL_BLOCKED;
    }
    return took;
}

static void advance(const struct reading *r, size_t n)
{
    r->log->at.offset += (int64_t)n;
    r->log->refused_size = 0;
    r->f->journals.changed = true;
}

/* A line with its end. False where it found no slot. */
static bool take_line(const struct reading *r, struct span whole)
{
    struct span line = without_end((struct span){whole.p, whole.n - 1});

    if (r->log->skipping)
        r->log->skipping = false;
    else if (line.n > EVENT_BYTES_MAX)
        feed_refuse(r->f, &r->log->place, "too_large");
    else if (span_trim(line).n > 0 && offer(r, line, true) == FILES_NO_SLOT)
        return false;
    advance(r, whole.n);
    return true;
}

/* More than a line may have, and no end of it. */
static void skip_line(const struct reading *r, size_t n)
{
    if (!r->log->skipping)
        feed_refuse(r->f, &r->log->place, "too_large");
    r->log->skipping = true;
    advance(r, n);
}

/* The last line, without its end. Where it is refused as it stands the offset stays before it: it
 * may get its rest yet, and is then another line. */
static void take_rest(const struct reading *r, struct span rest)
{
    struct feed *f = r->f;
    struct journal *log = r->log;
    struct span line = without_end(rest);
    int64_t end = log->at.offset + (int64_t)rest.n;
    bool complete = r->at_last && (f->settings.once || r->st.st_size == log->size);

    log->state = JOURNAL_READ;
    log->settle_ms = 0;
    if (log->skipping)
        advance(r, rest.n);
    if (log->skipping || span_trim(line).n == 0 || log->refused_size == end)
        return;
    enum files_took took = offer(r, line, false);
    if (took == FILES_UNSURE && complete)
        took = offer(r, line, true);
    else if (took == FILES_ENDED || took == FILES_KEPT) {
        advance(r, rest.n);
        return;
    }
    if (took == FILES_UNSURE) {
        log->settle_ms = f->loop->now.boot_ms + SETTLE_MS;
    } else if (took == FILES_ENDED) {
        log->refused_size = end;
        f->journals.changed = true;
    } else if (took == FILES_KEPT) {
        advance(r, rest.n);
    }
}

/* One buffer of lines. 0, or -1 with errno. */
static int read_lines(const struct reading *r, unsigned *budget)
{
    char *bytes = r->f->bytes;
    ssize_t got = file_read_at(r->fd, bytes, sizeof(r->f->bytes), r->log->at.offset);

    if (got < 0)
        return -1;
    size_t n = (size_t)got;
    size_t at = 0;
    while (at<n && * budget> 0) {
        char *end = memchr(bytes + at, '\n', n - at);
        if (end == NULL)
            break;
        size_t length = (size_t)(end - (bytes + at)) + 1;
        (*budget)--;
        if (!take_line(r, (struct span){bytes + at, length}))
            return 0;
        at += length;
    }
    if (*budget == 0 || (at > 0 && n == sizeof(r->f->bytes)))
        return 0;
    if (n == sizeof(r->f->bytes))
        skip_line(r, n);
    else
        take_rest(r, (struct span){bytes + at, n - at});
    return 0;
}

/* ---- A log ---- */

static void begin_anew(struct feed *f, struct journal *log)
{
    char storage[PLACE_TEXT_SIZE];
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    place_text(&b, &log->place);
    LOG(LOG_INFO, "log_truncated", LOG_SPAN("place", buf_view(&b)),
        LOG_INT("read", log->at.offset));
    log->before = log->at;
    log->at = (struct print){.offset = 0};
    log->skipping = false;
    log->floor_ms = 0;
    log->refused_size = 0;
    f->journals.changed = true;
}

/* Reads on in an open log. 0, or -1 with errno. */
static int read_open(struct reading *r, unsigned *budget)
{
    struct journal *log = r->log;
    int64_t from = log->at.offset;
    int same = r->st.st_size < from ? 0 : print_has_tail(r->fd, &log->at);

    if (same < 0)
        return -1;
    if (same == 0)
        begin_anew(r->f, log);
    progress_saw(&r->f->progress, progress_ms(r->st.st_ctim), r->f->loop->now);
    while (log->state == JOURNAL_GROWN && *budget > 0)
        if (read_lines(r, budget) != 0)
            return -1;
    log->size = r->st.st_size;
    log->ctime = r->st.st_ctim;
    return log->at.offset != from || same == 0 ? print_make(r->fd, &log->at) : 0;
}

static void refuse_log(struct feed *f, struct journal *log)
{
    log->state = JOURNAL_READ;
    if (log->denied)
        return;
    log->denied = true;
    f->journals.changed = true;
    feed_refuse(f, &log->place, "unreadable");
}

/* Opens it under the name it had. Where it has another one now, or none, the next listing tells. */
static enum file_result open_log(struct feed *f, struct journal *log, int *fd, struct stat *st)
{
    int dir = reach_dir(f, &log->place);

    if (dir < 0)
        return reach_is_absence(errno) ? FILE_ABSENT : FILE_FAULT;
    enum file_result result = file_open(dir, log->place.name, fd, st);
    int error = errno;
    tree_close(dir);
    errno = error;
    if (result == FILE_OK &&
        (st->st_ino != log->inode || reach_device(f, st->st_dev) != log->device)) {
        tree_close(*fd);
        return FILE_ABSENT;
    }
    return result;
}

static void read_log(struct feed *f, struct journal *log, unsigned *budget, bool at_last)
{
    struct reading r = {.f = f, .log = log, .at_last = at_last};

    log->settle_ms = 0;
    switch (open_log(f, log, &r.fd, &r.st)) {
    case FILE_OK:
        log->denied = false;
        if (read_open(&r, budget) != 0) {
            feed_fault(f, &log->place, errno);
            log->state = JOURNAL_BLOCKED;
        }
        tree_close(r.fd);
        return;
    case FILE_DENIED:
        refuse_log(f, log);
        return;
    case FILE_FAULT:
        feed_fault(f, &log->place, errno);
        log->state = JOURNAL_BLOCKED;
        return;
    default:
        log->state = JOURNAL_READ;
    }
}

/* ---- Copies ---- */

/* How far a rotated log was read as the log that it is a copy of; -1 with errno. */
static int64_t read_before(struct feed *f, const struct journal *copy, int fd, int64_t size)
{
    int64_t best = 0;

    for (uint32_t i = 0; i < 2 * f->journals.count; i++) {
        const struct journal *log = &f->journals.entries[i / 2];
        const struct print *print = i % 2 == 0 ? &log->at : &log->before;
        if (log == copy || !place_same_dir(&log->place, &copy->place))
            continue;
        int same = print_has_head(fd, print);
        if (same > 0 && print->offset <= size)
            same = print_has_tail(fd, print);
        if (same < 0)
            return -1;
        int64_t read = print->offset <= size ? print->offset : size;
        if (same > 0 && read > best)
            best = read;
    }
    return best;
}

/* It has not changed for a while: is it a copy? */
static void settle_found(struct feed *f, struct journal *log)
{
    struct stat st;
    int fd;

    log->settle_ms = f->loop->now.boot_ms + SETTLE_MS;
    enum file_result result = open_log(f, log, &fd, &st);
    if (result != FILE_OK) {
        log->state = result == FILE_FAULT ? JOURNAL_FOUND : JOURNAL_GROWN;
        return;
    }
    if (!is_unchanged(log, &st) && !f->settings.once) {
        log->size = st.st_size;
        log->ctime = st.st_ctim;
        tree_close(fd);
        return;
    }
    int64_t read = read_before(f, log, fd, st.st_size);
    if (read >= 0) {
        log->at.offset = read;
        read = print_make(fd, &log->at);
    }
    if (read >= 0) {
        log->state = JOURNAL_GROWN;
        log->settle_ms = 0;
        f->journals.changed = true;
    } else {
        feed_fault(f, &log->place, errno);
    }
    tree_close(fd);
}

/* ---- All ---- */

/* --once does not wait for a copy to be made. */
static bool is_to_settle(const struct feed *f, const struct journal *log)
{
    return f->settings.once && log->state == JOURNAL_FOUND && log->settle_ms == 0;
}

void follow_slice(struct feed *f, unsigned *budget)
{
    for (uint32_t i = 0; i<f->journals.count && * budget> 0; i++)
        if (f->journals.entries[i].state == JOURNAL_GROWN)
            read_log(f, &f->journals.entries[i], budget, false);
    if (!f->settings.once || *budget == 0 || f->scan.level != SCAN_IDLE)
        return;
    for (uint32_t i = 0; i < f->journals.count; i++)
        if (is_to_settle(f, &f->journals.entries[i]))
            settle_found(f, &f->journals.entries[i]);
}

bool follow_reading(const struct feed *f)
{
    for (uint32_t i = 0; i < f->journals.count; i++)
        if (f->journals.entries[i].state == JOURNAL_GROWN ||
            is_to_settle(f, &f->journals.entries[i]))
            return true;
    return false;
}

bool follow_unfinished(const struct feed *f)
{
    for (uint32_t i = 0; i < f->journals.count; i++)
        if (f->journals.entries[i].state != JOURNAL_READ || f->journals.entries[i].settle_ms != 0)
            return true;
    return false;
}

bool follow_settle(struct feed *f, bool all)
{
    bool offered = false;

    for (uint32_t i = 0; i < f->journals.count; i++) {
        struct journal *log = &f->journals.entries[i];
        unsigned budget = SCAN_SLICE_ENTRIES;
        if (log->settle_ms == 0 || (!all && log->settle_ms > f->loop->now.boot_ms))
            continue;
        if (log->state == JOURNAL_FOUND) {
            settle_found(f, log);
            continue;
        }
        log->state = JOURNAL_GROWN;
        read_log(f, log, &budget, true);
        offered = true;
    }
    return offered;
}

int64_t follow_settle_due(const struct feed *f)
{
    int64_t due_ms = INT64_MAX;

    for (uint32_t i = 0; i < f->journals.count; i++)
        if (f->journals.entries[i].settle_ms != 0 && f->journals.entries[i].settle_ms < due_ms)
            due_ms = f->journals.entries[i].settle_ms;
    return due_ms;
}
