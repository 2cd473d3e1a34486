#include "source/files.h"

#include "base/json_read.h"
#include "base/log.h"
#include "source/again.h"
#include "source/feed.h"
#include "source/follow.h"
#include "source/progress_save.h"
#include "source/replay.h"
#include "store/state.h"

#include <errno.h>

#define STATE_NAME "progress"
#define LINE_TOKENS 64 /* a log's line has the most: 13 members, two of them of four numbers */

static struct feed self;

/* ---- When to do what ---- */

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool has_work(const struct feed *f)
{
    return f->scanning || again_has(f) || follow_reading(f);
}

static int64_t settle_due(const struct feed *f)
{
    int64_t file_ms = feed_settle_due(f);
    int64_t line_ms = follow_settle_due(f);

    if (f->settings.once)
        return INT64_MAX;
    return file_ms < line_ms ? file_ms : line_ms;
}

/* The boot-clock time of the next scan. What asks for one soon gets it after a pause as long as the
 * last scan, so that it cannot take more than half of our time. */
static int64_t scan_due(const struct feed *f)
{
    int64_t due_ms = f->next_scan_ms;

    if (f->scan_now && due_ms > f->scan_end_ms + f->scan.took_ms)
        due_ms = f->scan_end_ms + f->scan.took_ms;
    if (f->retry && due_ms > f->scan_end_ms + max(f->scan.took_ms, RETRY_SCAN_MS))
        due_ms = f->scan_end_ms + max(f->scan.took_ms, RETRY_SCAN_MS);
    return f->retry && f->settings.once ? 0 : due_ms;
}

static void arm(struct feed *f)
{
    int64_t due_ms = scan_due(f);

    if (settle_due(f) < due_ms)
        due_ms = settle_due(f);
    if (has_work(f))
        due_ms = 0;
    if (due_ms == INT64_MAX)
        loop_timer_clear(f->loop, &f->work);
    else
        (void)loop_timer_set(f->loop, &f->work,
                             due_ms); /* the place for it is ours since the start */
}

static void begin_scan(struct feed *f)
{
    f->begun = true;
    f->scanning = true;
    f->scan_now = false;
    f->retry = false;
    scan_begin(f);
}

static void end_scan(struct feed *f)
{
    int64_t period_ms = max(SCAN_PERIOD_MS, SCAN_LOAD_FACTOR * f->scan.took_ms);

    f->scanning = false;
    f->scan_end_ms = f->loop->now.boot_ms;
    f->next_scan_ms = f->settings.once ? INT64_MAX : f->scan_end_ms + period_ms;
    f->counts.overflowed = f->scan_now && f->counts.overflowed;
}

/* A slice. Unfinished events of an earlier run come before anything that the scan may find. */
static void work(struct loop *loop, void *arg)
{
    struct feed *f = arg;
    unsigned budget = SCAN_SLICE_ENTRIES;

    if (settle_due(f) <= loop->now.boot_ms) {
        (void)feed_settle(f, false);
        (void)follow_settle(f, false);
    }
    again_slice(f, &budget);
    if (!f->scanning && budget > 0 && scan_due(f) <= loop->now.boot_ms)
        begin_scan(f);
    if (f->scanning && budget > 0 && scan_slice(f, &budget))
        end_scan(f);
    follow_slice(f, &budget);
    arm(f);
}

/* ---- Saved ---- */

static int load_line(void *arg, struct span object)
{
    struct feed *f = arg;
    jsmntok_t tokens[LINE_TOKENS];
    struct json doc;
    int result;

    if (json_read(&doc, object.p, object.n, tokens, LINE_TOKENS, 2) != JSON_OK)
        return -1;
    result = progress_save_load(&f->progress, &doc);
    if (result == 0)
        result = refs_load(&f->refs, &doc);
    if (result == 0)
        result = journal_load(&f->journals, &doc);
    return result == 1 ? 0 : -1;
}

static void start_anew(struct feed *f)
{
    progress_init(&f->progress, f->settings.lookback_ms, f->loop->now);
    refs_init(&f->refs);
    journal_init(&f->journals);
}

static int load(struct feed *f)
{
    start_anew(f);
    switch (state_load(f->settings.tree, STATE_NAME, load_line, f)) {
    case STATE_LOADED:
        f->progress.changed = false;
        f->refs.changed = false;
        return 0;
    case STATE_ABSENT:
        return 0;
    case STATE_DAMAGED:
        start_anew(f);
        return 0;
    case STATE_FAULT:
        break;
    }
    return -1;
}

static int save(struct feed *f)
{
    struct state_out out;
    char storage[PROGRESS_LINE_MAX];
    struct progress_walk walk = {.from_ms = refs_listing_from(&f->refs)};
    uint32_t ref = 0;
    uint32_t log = 0;
    struct buf b;

    if (walk.from_ms > f->progress.mark_ms)
        walk.from_ms = f->progress.mark_ms;
    if (state_begin(&out, f->settings.tree, STATE_NAME) != 0)
        return -1;
    buf_init(&b, storage, sizeof(storage));
    while (progress_save_line(&f->progress, &b, &walk) || refs_save(&f->refs, &b, &ref) ||
           journal_save(&f->journals, &b, &log)) {
        /* One that does not fit spoils the whole: the old file stays. */
        state_line(&out, buf_done(&b) == 0 ? buf_view(&b) : (struct span){"", 0});
        buf_reset(&b);
    }
    return state_save(&out);
}

/* ---- The source ---- */

int files_open(struct loop *loop, const struct files_settings *settings,
               const struct files_ops *ops, void *ctx)
{
    struct feed *f = &self;

    f->loop = loop;
    f->settings = *settings;
    f->ops = ops;
    f->ctx = ctx;
    f->counts = (struct files_counts){.scans = 0};
    f->work = (struct loop_timer){.due = work, .arg = f};
    f->next_scan_ms = loop->now.boot_ms;
    f->scan_end_ms = loop->now.boot_ms;
    f->scan.took_ms = 0;
    f->begun = false;
    f->scanning = false;
    f->scan_now = false;
    f->retry = false;
    f->left = false;
    f->missed = false;
    f->logged_error = 0;
    f->recent_at = 0;
    for (unsigned i = 0; i < RECENT_MAX; i++)
        if (f->recent[i].inode != 0)
            f->recent[i] = (struct feed_recent){.inode = 0};
    if (load(f) != 0)
        return -1;
    if (loop_timer_set(loop, &f->work, f->next_scan_ms) != 0) {
        errno = ENOSPC;
        return -1;
    }
    notify_open(f);
    return 0;
}

void files_close(void)
{
    struct feed *f = &self;

    loop_timer_clear(f->loop, &f->work);
    notify_close(f);
    scan_stop(f);
}

bool files_reading(void)
{
    const struct feed *f = &self;

    return !f->begun || has_work(f) || (f->settings.once && f->retry);
}

void files_retry(void)
{
    struct feed *f = &self;

    if (!f->left || f->retry)
        return;
    f->retry = true;
    arm(f);
}

void files_finished(uint32_t ref)
{
    struct ref *found = refs_find(&self.refs, ref);

    if (found != NULL)
        refs_free(&self.refs, found);
}

bool files_settle_all(void)
{
    struct feed *f = &self;
    bool offered = feed_settle(f, true);

    offered = follow_settle(f, true) || offered;
    arm(f);
    return offered;
}

bool files_unfinished(void)
{
    const struct feed *f = &self;

    return f->left || refs_events(&f->refs) > 0 || f->refs.counts[REF_LISTING] > 0 ||
           follow_unfinished(f);
}

bool files_changed(void)
{
    return self.progress.changed || self.refs.changed || self.journals.changed;
}

int files_save(void)
{
    if (save(&self) != 0)
        return -1;
    self.progress.changed = false;
    self.refs.changed = false;
    self.journals.changed = false;
    return 0;
}

const struct files_counts *files_counts(void)
{
    self.counts.unfinished = refs_events(&self.refs);
    return &self.counts;
}

int files_replay(const char *path, const struct files_ops *ops, void *ctx)
{
    return replay_path(path, ops, ctx);
}
