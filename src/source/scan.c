#include "source/scan.h"

#include "base/log.h"
#include "source/feed.h"
#include "source/follow.h"
#include "source/reach.h"
#include "store/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* What is listed: all days (names that are dates), all nodes in them, and of these nodes all files
 * 1. of yesterday, today and tomorrow (UTC): there files are still written to;
 * 2. of a directory whose own ctime is not before the mark: each new entry changes it;
 * 3. of a directory that is new, or that could not be read to its end the last time;
 * 4. at a first start, to count what is passed over.
 * A file of an older day that is changed in place, in a directory to which nothing was added, is
 * found by inotify only; a log that is followed is looked at in any case.
 * A directory is watched before it is listed: what comes after the listing is reported. */

#define DAY_MS (24 * 3600 * INT64_C(1000))

/* ---- Entering ---- */

static void fault(struct feed *f, const struct place *place, int error, int64_t from_ms)
{
    feed_fault(f, place, error);
    feed_list_again(f, place, from_ms);
}

static bool may_be_dir(const struct dir_entry *entry)
{
    return entry->type == DIR_DIRECTORY || entry->type == DIR_UNKNOWN;
}

static void enter_day(struct feed *f, const struct dir_entry *entry)
{
    struct scan *s = &f->scan;
    int64_t now_ms = f->loop->now.wall_ms;
    int64_t day_ms;

    if (!may_be_dir(entry) || timestamp_parse_date(span_of(entry->name), &day_ms) != 0 ||
        place_set(&s->day, entry->name, "", "") != 0)
        return;
    if (dir_open(&s->dirs[SCAN_DAY], s->dirs[SCAN_ROOT].fd, entry->name) != 0) {
        if (reach_is_absence(errno))
            return;
        f->progress.dirs_missed = true;
        fault(f, &s->day, errno, f->progress.mark_ms);
        return;
    }
    notify_add(f, &s->day, entry->inode);
    s->day_near = now_ms > day_ms - DAY_MS && now_ms < day_ms + 2 * DAY_MS;
    s->day_left = false;
    s->level = SCAN_DAY;
}

/* From when on a directory that was not read to its end is to be listed; INT64_MAX: it was. */
static int64_t listing_from(struct feed *f, const struct place *node)
{
    const struct ref *of_day = refs_of_dir(&f->refs, &f->scan.day);
    const struct ref *of_node = refs_of_dir(&f->refs, node);
    int64_t from_ms = of_day != NULL ? of_day->from_ms : INT64_MAX;

    if (of_node != NULL && of_node->from_ms < from_ms)
        from_ms = of_node->from_ms;
    return from_ms;
}

static void enter_node(struct feed *f, const struct dir_entry *entry)
{
    struct scan *s = &f->scan;
    struct feed_dir *node = &s->node;
    const struct progress *p = &f->progress;
    struct stat st;

    if (entry->name[0] == '.' || !may_be_dir(entry) ||
        place_set(&node->place, s->day.day, entry->name, "") != 0)
        return;
    if (fstatat(s->dirs[SCAN_DAY].fd, entry->name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (!reach_is_absence(errno)) {
            f->progress.dirs_missed = true;
            fault(f, &node->place, errno, p->mark_ms);
        }
        return;
    }
    if (!S_ISDIR(st.st_mode))
        return;
    int64_t from_ms = listing_from(f, &node->place);
    s->node_device = reach_device(f, st.st_dev);
    s->node_inode = st.st_ino;
    node->reported = progress_dir_is_new(p, s->node_device, s->node_inode);
    node->own_mark = node->reported || from_ms != INT64_MAX;
    node->mark_ms = from_ms < p->mark_ms ? from_ms : p->mark_ms;
    node->ctime_ms = progress_ms(st.st_ctim);
    node->left = false;
    if (!node->reported)
        progress_dir_known(&f->progress, s->node_device, s->node_inode);
    notify_add(f, &node->place, st.st_ino);
    if (!s->day_near && !node->own_mark && !p->first &&
        node->ctime_ms < p->mark_ms - SCAN_OVERLAP_MS)
        return;
    if (dir_open(&s->dirs[SCAN_NODE], s->dirs[SCAN_DAY].fd, entry->name) != 0) {
        if (!reach_is_absence(errno))
            fault(f, &node->place, errno, node->mark_ms);
        return;
    }
    node->fd = s->dirs[SCAN_NODE].fd;
    s->level = SCAN_NODE;
}

/* ---- Leaving ---- */

static void forget_listing(struct feed *f, const struct place *place)
{
    struct ref *ref = refs_of_dir(&f->refs, place);

    if (ref != NULL)
        refs_free(&f->refs, ref);
}

static void leave_node(struct feed *f, int error)
{
    struct scan *s = &f->scan;

    if (error != 0)
        fault(f, &s->node.place, error, s->node.mark_ms);
    if (s->node.left)
        s->day_left = true;
    if (error != 0 || s->node.left)
        return;
    if (s->node.reported)
        progress_dir_known(&f->progress, s->node_device, s->node_inode);
    forget_listing(f, &s->node.place);
    follow_listed(f, &s->node.place);
}

static void leave_day(struct feed *f, int error)
{
    if (error != 0) {
        f->progress.dirs_missed = true;
        fault(f, &f->scan.day, error, f->progress.mark_ms);
    } else if (!f->scan.day_left) {
        forget_listing(f, &f->scan.day);
    }
}

static void leave_root(struct feed *f, int error)
{
    static const struct place root;

    if (error == 0)
        return;
    feed_fault(f, &root, error);
    f->missed = true;
}

static void leave(struct feed *f, int error)
{
    struct scan *s = &f->scan;

    dir_close(&s->dirs[s->level]);
    switch (s->level) {
    case SCAN_NODE:
        leave_node(f, error);
        s->level = SCAN_DAY;
        return;
    case SCAN_DAY:
        leave_day(f, error);
        s->level = SCAN_ROOT;
        return;
    case SCAN_ROOT:
        leave_root(f, error);
        s->level = SCAN_IDLE;
        return;
    case SCAN_IDLE:
        return;
    }
}

/* ---- The walk ---- */

void scan_begin(struct feed *f)
{
    static const struct place root;
    struct scan *s = &f->scan;
    struct stat st;

    progress_scan_begins(&f->progress, f->settings.lookback_ms, f->loop->now);
    s->begun_ms = clock_now().boot_ms;
    f->scan_error = 0;
    f->left = false;
    if (f->progress.first)
        f->counts.passed_over = 0;
    for (uint32_t i = 0; i < f->refs.top; i++)
        f->refs.entries[i].waits = false;
    feed_unread(f);
    int fd = reach_root(f);
    if (fd >= 0 && fstat(fd, &st) == 0) {
        notify_add(f, &root, st.st_ino);
        follow_check(f, fd);
        if (dir_open(&s->dirs[SCAN_ROOT], fd, ".") == 0)
            s->level = SCAN_ROOT;
    }
    if (s->level == SCAN_IDLE)
        leave_root(f, errno);
    tree_close(fd);
}

static void step(struct feed *f)
{
    struct scan *s = &f->scan;
    struct dir_entry entry;
    int found = dir_next(&s->dirs[s->level], &entry);

    if (found <= 0) {
        /* A directory that was removed while it was open has come to its end. */
        leave(f, found < 0 && errno != ENOENT ? errno : 0);
        return;
    }
    switch (s->level) {
    case SCAN_ROOT:
        enter_day(f, &entry);
        break;
    case SCAN_DAY:
        enter_node(f, &entry);
        break;
    case SCAN_NODE:
        feed_entry(f, &s->node, entry.name);
        break;
    case SCAN_IDLE:
        break;
    }
}

static void finish(struct feed *f)
{
    bool first = f->progress.first;

    progress_scan_ended(&f->progress, !f->missed);
    f->missed = false;
    f->scan.took_ms = clock_now().boot_ms - f->scan.begun_ms;
    f->counts.scans++;
    f->counts.error = f->scan_error;
    if (f->scan_error == 0)
        f->logged_error = 0;
    if (f->progress.forgot)
        LOG(LOG_WARNING, "seen_full", LOG_INT("files", SEEN_MAX));
    f->progress.forgot = false;
    if (first && !f->progress.first)
        LOG(LOG_INFO, "first_start", LOG_INT("passed_over", (int64_t)f->counts.passed_over),
            LOG_INT("lookback_s", f->settings.lookback_ms / 1000));
}

bool scan_slice(struct feed *f, unsigned *budget)
{
    while (f->scan.level != SCAN_IDLE && *budget > 0) {
        (*budget)--;
        step(f);
    }
    if (f->scan.level != SCAN_IDLE)
        return false;
    finish(f);
    return true;
}

void scan_stop(struct feed *f)
{
    for (; f->scan.level != SCAN_IDLE; f->scan.level--)
        dir_close(&f->scan.dirs[f->scan.level]);
}
