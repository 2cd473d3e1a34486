#include "source/notify.h"

#include "base/hash.h"
#include "base/log.h"
#include "source/feed.h"
#include "source/reach.h"
#include "store/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* A directory that appears or goes is no more than a reason to scan now: the scan watches it, lists
 * it, and knows whether it is new. A file that is reported is looked at at once.
 *
 * IN_CREATE of a file is looked at too, because a hard link says nothing more; an empty file is one
 * whose writer has only begun. What is written to a log that stays open says IN_MODIFY. */
#define ABOVE_MASK (IN_CREATE | IN_MOVED_TO | IN_ONLYDIR)
#define DIR_MASK (IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define NODE_MASK (DIR_MASK | IN_CLOSE_WRITE | IN_MODIFY)

/* The directory that the last reports were about: they come in runs. */
struct reported {
    struct feed_dir dir;
    bool open;
};

/* ---- Watches ---- */

static uint64_t key_of(const struct place *place, uint64_t inode)
{
    char storage[PLACE_TEXT_SIZE + 2 * sizeof(inode)];
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    place_text(&b, place);
    buf_hex(&b, &inode, sizeof(inode));
    return hash_fixed(b.p, b.n);
}

static int add_path(struct feed *f, const struct place *place, const char *below, uint32_t mask)
{
    char storage[RUNTIME_PATH_MAX + sizeof("/" TREE_EVENTS "/") + PLACE_TEXT_SIZE];
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    buf_str(&b, f->settings.tree->path);
    buf_str(&b, below);
    if (place != NULL && place->day[0] != '\0') {
        buf_char(&b, '/');
        place_text(&b, place);
    }
    const char *path = buf_text(&b);
    if (path == NULL) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int wd = inotify_add_watch(f->notify.watch.fd, path, mask);
    if (wd < 0 && errno == ENOSPC && !f->notify.told) {
        f->notify.told = true;
        LOG(LOG_WARNING, "watch_limit", LOG_STR("limit", "fs.inotify.max_user_watches"),
            LOG_INT("watched", f->notify.count));
    }
    return wd;
}

static void drop(struct notify *n, unsigned i)
{
    n->count--;
    n->wd[i] = n->wd[n->count];
    n->watches[i] = n->watches[n->count];
}

/* Room for one more of this day: what is older has to go. */
static bool make_room(struct feed *f, const struct place *place)
{
    struct notify *n = &f->notify;
    unsigned old = 0;

    if (n->count < WATCHES_MAX)
        return true;
    for (unsigned i = 1; i < n->count; i++) {
        bool root = n->watches[i].place.day[0] == '\0';
        if (!root && (n->watches[old].place.day[0] == '\0' ||
                      strcmp(n->watches[i].place.day, n->watches[old].place.day) < 0))
            old = i;
    }
    if (place->day[0] != '\0' && strcmp(n->watches[old].place.day, place->day) >= 0)
        return false;
    (void)inotify_rm_watch(n->watch.fd, n->wd[old]); /* it may have gone by itself */
    drop(n, old);
    return true;
}

void notify_add(struct feed *f, const struct place *place, uint64_t inode)
{
    struct notify *n = &f->notify;
    bool is_root = place->day[0] == '\0';
    uint32_t mask = place->node[0] != '\0' ? NODE_MASK : DIR_MASK;
    uint64_t key = key_of(place, inode);
    unsigned at = 0;

    if (n->watch.fd < 0)
        return;
    for (unsigned i = 0; i < n->count; i++)
        if (n->watches[i].key == key)
            return;
    if (!make_room(f, place))
        return;
    /* events/ may itself be a link to another disk. */
    int wd = add_path(f, place, "/" TREE_EVENTS, is_root ? mask : mask | IN_DONT_FOLLOW);
    if (wd < 0)
        return;
    while (at < n->count && n->wd[at] != wd) /* the same directory under another name */
        at++;
    if (at == n->count)
        n->count++;
    n->wd[at] = wd;
    n->watches[at] = (struct notify_watch){.place = *place, .key = key};
    f->counts.watched = n->count;
}

/* ---- Reports ---- */

static void close_reported(struct reported *r)
{
    if (r->open)
        tree_close(r->dir.fd);
    r->open = false;
}

static bool open_reported(struct feed *f, struct reported *r, const struct place *place)
{
    struct stat st;

    if (r->open && place_same_dir(&r->dir.place, place))
        return true;
    close_reported(r);
    r->dir = (struct feed_dir){.place = *place, .reported = true};
    r->dir.fd = reach_dir(f, place);
    if (r->dir.fd >= 0 && fstat(r->dir.fd, &st) == 0) {
        r->dir.ctime_ms = progress_ms(st.st_ctim);
        r->open = true;
        return true;
    }
    if (!reach_is_absence(errno)) {
        feed_fault(f, place, errno);
        feed_list_again(f, place, f->progress.mark_ms);
    }
    tree_close(r->dir.fd);
    return false;
}

/* Has its writer only begun? */
static bool is_begun(const struct reported *r, const char *name)
{
    struct stat st;

    return fstatat(r->dir.fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
           st.st_size == 0;
}

static void report_file(struct feed *f, struct reported *r, const struct place *place,
                        const struct inotify_event *event)
{
    bool is_log = place_is_log(event->name);

    if (!is_log && !place_is_event(event->name))
        return;
    if ((event->mask & (IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE)) == 0 && !is_log)
        return;
    if (!open_reported(f, r, place))
        return;
    if ((event->mask & IN_CREATE) != 0 && is_begun(r, event->name))
        return;
    feed_entry(f, &r->dir, event->name);
}

static void report(struct feed *f, struct reported *r, const struct inotify_event *event)
{
    struct notify *n = &f->notify;
    unsigned i = 0;

    if ((event->mask & IN_Q_OVERFLOW) != 0) {
        LOG(LOG_WARNING, "inotify_overflow", LOG_STR("next", "scan"));
        f->counts.overflowed = true;
        f->scan_now = true;
        return;
    }
    if (event->wd == n->above) {
        f->scan_now = f->scan_now || (event->len > 0 && strcmp(event->name, TREE_EVENTS) == 0);
        if ((event->mask & IN_IGNORED) != 0)
            n->above = -1;
        return;
    }
    while (i < n->count && n->wd[i] != event->wd)
        i++;
    if (i == n->count)
        return;
    if ((event->mask & IN_IGNORED) != 0) {
        drop(n, i);
        f->counts.watched = n->count;
        f->scan_now = true;
    } else if ((event->mask & (IN_DELETE_SELF | IN_MOVE_SELF)) != 0) {
        /* Whatever has its name now, it is not this one; IN_IGNORED follows. */
        if ((event->mask & IN_MOVE_SELF) != 0)
            (void)inotify_rm_watch(n->watch.fd, event->wd);
    } else if (event->len > 0) {
        struct place place = n->watches[i].place;
        if (place.node[0] != '\0')
            report_file(f, r, &place, event);
        else if ((event->mask & IN_ISDIR) != 0 && event->name[0] != '.')
            f->scan_now = true;
    }
}

static void ready(struct loop *loop, void *arg, short revents)
{
    _Alignas(struct inotify_event) char bytes[4096];
    struct feed *f = arg;
    struct reported r = {.open = false};

    (void)revents;
    ssize_t n = read(f->notify.watch.fd, bytes, sizeof(bytes));
    for (ssize_t at = 0; n - at >= (ssize_t)sizeof(struct inotify_event);) {
        const struct inotify_event *event = (const void *)(bytes + at);
        report(f, &r, event);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
    close_reported(&r);
    (void)loop_timer_set(loop, &f->work, loop->now.boot_ms); /* it is set already, and moves */
}

/* ---- All ---- */

void notify_open(struct feed *f)
{
    struct notify *n = &f->notify;

    n->count = 0;
    n->told = false;
    n->above = -1;
    n->watch = (struct loop_watch){.fd = -1, .events = POLLIN, .ready = ready, .arg = f};
    if (f->settings.once)
        return;
    n->watch.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (n->watch.fd >= 0 && loop_watch(f->loop, &n->watch) != 0) {
        tree_close(n->watch.fd);
        n->watch.fd = -1;
        errno = EMFILE;
    }
    if (n->watch.fd < 0) {
        LOG(LOG_WARNING, "inotify_unavailable", LOG_ERRNO(errno));
        return;
    }
    n->above = add_path(f, NULL, "", ABOVE_MASK);
}

void notify_close(struct feed *f)
{
    if (f->notify.watch.fd < 0)
        return;
    loop_unwatch(f->loop, &f->notify.watch);
    tree_close(f->notify.watch.fd);
    f->notify.watch.fd = -1;
}
