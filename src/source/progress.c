#include "source/progress.h"

#include "base/hash.h"

#include <string.h>

/* Arrival is ctime, stamped by the file system's clock, which may not be ours and is coarse:
 * 1. high is the newest ctime that was taken (one ahead of our clock counts as now).
 * 2. A scan takes ctime >= mark - SCAN_OVERLAP_MS, less what is remembered as seen.
 * 3. When a scan has read everything, mark becomes high as it was when that scan began: whatever
 *    was made after that has a ctime of at least that. Where high was as old as SCAN_OVERLAP_MS by
 *    then, it has one later by as much. Where something found no slot or could not be read, mark
 *    stays at or below its ctime.
 * 4. seen holds (device, inode, ctime) of all that was taken with ctime >= mark - SCAN_OVERLAP_MS,
 *    as 64-bit hashes, and goes on holding them for SEEN_KEPT_MS: the clock may be set back by so
 *    much. Where it is full the oldest go: read twice is better than never.
 * 5. At a first start mark is now - lookback. A clock set forward changes nothing. After one was
 *    set back, so that files can be made before the mark, mark is now - lookback.
 * 6. What was then made between our clock and the old mark is from before the clock was set, and
 *    was read: known_from <= ctime < known_to is not taken. known_from runs ahead of our clock,
 *    since what is made now has such a ctime; before it comes to an old file, that file is
 *    remembered as seen. Once our clock is past known_to (it was set right) it runs no more. Where
 *    the clock is set back again, the longer of the two such times is known: between them lies what
 *    was not read yet.
 * 7. A directory is new when its (device, inode) was not there in the last scan that read
 *    everything. Where there are too many to remember, none counts as new. */

static uint64_t file_hash(const struct progress_file *file)
{
    uint64_t id[] = {file->device, file->inode, (uint64_t)file->ctime.tv_sec,
                     (uint64_t)file->ctime.tv_nsec, (uint64_t)file->size};

    return hash_fixed(id, sizeof(id));
}

static uint64_t dir_hash(uint64_t device, uint64_t inode)
{
    uint64_t id[] = {device, inode};

    return hash_fixed(id, sizeof(id));
}

/* Milliseconds as a stamp, rounded down; what no stamp can hold is brought to the border. */
static uint32_t stamp_of(int64_t ms)
{
    if (ms < 0)
        return 0;
    return ms / 1000 < UINT32_MAX ? (uint32_t)(ms / 1000) : UINT32_MAX;
}

int64_t progress_ms(struct timespec t)
{
    int64_t far = INT64_MAX / 4000; /* seconds: sums of such times do not overflow either */
    int64_t s = (int64_t)t.tv_sec;

    if (s > far || s < -far)
        return s > 0 ? far * 1000 : -far * 1000;
    return s * 1000 + t.tv_nsec / 1000000;
}

void progress_init(struct progress *p, int64_t lookback_ms, struct now now)
{
    p->mark_ms = now.wall_ms - lookback_ms;
    p->high_ms = p->mark_ms;
    p->high_boot_ms = now.boot_ms;
    p->scan_high_ms = p->mark_ms;
    p->scan_boot_ms = now.boot_ms;
    p->held_back_ms = INT64_MAX;
    p->known_from_ms = 0;
    p->known_to_ms = 0;
    p->root = 0;
    p->scan = 0;
    p->first = true;
    p->dirs_complete = false;
    p->dirs_full = false;
    p->dirs_missed = false;
    p->changed = true;
    p->forgot = false;
    hashes_init(&p->seen, p->seen_hash, p->seen_stamp, p->seen_slots, SEEN_MAX);
    hashes_init(&p->dirs, p->dir_hash, p->dir_stamp, p->dir_slots, DIRS_MAX);
}

/* ---- Files ---- */

static void remember(struct progress *p, uint64_t hash, uint32_t stamp)
{
    if (!hashes_put(&p->seen, hash, stamp))
        p->forgot = true;
    p->changed = true;
}

enum progress_view progress_look(struct progress *p, const struct progress_file *file,
                                 int64_t mark_ms, struct now now)
{
    int64_t ctime_ms = progress_ms(file->ctime);

    if (ctime_ms < mark_ms - SCAN_OVERLAP_MS)
        return PROGRESS_OLD;
    if (progress_seen(p, file))
        return PROGRESS_SEEN;
    if (ctime_ms < p->known_from_ms || ctime_ms >= p->known_to_ms)
        return PROGRESS_TAKES;
    if (ctime_ms < now.wall_ms + KNOWN_AHEAD_MS)
        remember(p, file_hash(file), stamp_of(ctime_ms));
    return PROGRESS_SEEN;
}

bool progress_seen(const struct progress *p, const struct progress_file *file)
{
    return hashes_has(&p->seen, file_hash(file));
}

void progress_took(struct progress *p, const struct progress_file *file, struct now now)
{
    int64_t ctime_ms = progress_ms(file->ctime);
    int64_t stamp_ms = ctime_ms;

    if (ctime_ms < p->mark_ms - SCAN_OVERLAP_MS)
        stamp_ms = now.wall_ms > p->mark_ms ? now.wall_ms : p->mark_ms;
    remember(p, file_hash(file), stamp_of(stamp_ms));
    progress_saw(p, ctime_ms, now);
}

void progress_saw(struct progress *p, int64_t ctime_ms, struct now now)
{
    int64_t known_ms = ctime_ms < now.wall_ms ? ctime_ms : now.wall_ms;

    if (p->high_ms >= known_ms)
        return;
    p->high_ms = known_ms;
    p->high_boot_ms = now.boot_ms;
}

void progress_left(struct progress *p, int64_t ctime_ms)
{
    if (p->held_back_ms > ctime_ms)
        p->held_back_ms = ctime_ms;
}

/* ---- Directories ---- */

void progress_root(struct progress *p, uint64_t inode)
{
    if (p->root == inode)
        return;
    if (p->root != 0) {
        hashes_init(&p->dirs, p->dir_hash, p->dir_stamp, p->dir_slots, DIRS_MAX);
        p->dirs_complete = false;
    }
    p->root = inode;
    p->changed = true;
}

bool progress_dir_is_new(const struct progress *p, uint64_t device, uint64_t inode)
{
    return p->dirs_complete && !hashes_has(&p->dirs, dir_hash(device, inode));
}

void progress_dir_known(struct progress *p, uint64_t device, uint64_t inode)
{
    uint64_t hash = dir_hash(device, inode);
    bool known = hashes_has(&p->dirs, hash);

    if (!known && p->dirs.count == p->dirs.max) {
        p->dirs_full = true;
        return;
    }
    (void)hashes_put(&p->dirs, hash, p->scan); /* there is room */
    p->changed = p->changed || !known;
}

/* ---- Scans ---- */

/* Can a file have been made before the window? Our clock is where it is now, less the time since
 * the last scan, or it was set more than once. */
static bool is_set_back(const struct progress *p, struct now now)
{
    int64_t since_ms = now.boot_ms - p->scan_boot_ms;

    return now.wall_ms < p->high_ms - CLOCK_STEP_MS ||
           now.wall_ms - since_ms < p->mark_ms - SCAN_OVERLAP_MS;
}

static void set_back(struct progress *p, int64_t lookback_ms, struct now now)
{
    int64_t read_to_ms = p->mark_ms - SCAN_OVERLAP_MS;
    int64_t ahead_ms = now.wall_ms + KNOWN_MARGIN_MS;

    if (p->known_from_ms < ahead_ms)
        p->known_from_ms = ahead_ms;
    if (p->known_to_ms - p->known_from_ms < read_to_ms - ahead_ms) {
        p->known_from_ms = ahead_ms;
        p->known_to_ms = read_to_ms;
    }
    if (p->mark_ms > now.wall_ms - lookback_ms)
        p->mark_ms = now.wall_ms - lookback_ms;
    p->high_ms = p->mark_ms;
    p->high_boot_ms = now.boot_ms;
    p->changed = true;
}

/* What was made since the last scan is not known: on the clock as it stood then, or as it is now.
 */
static void narrow_known(struct progress *p, struct now now)
{
    int64_t since_ms = now.boot_ms - p->scan_boot_ms;
    int64_t before_ms = now.wall_ms - since_ms - KNOWN_MARGIN_MS;

    if (p->known_from_ms >= p->known_to_ms)
        return;
    p->known_from_ms += since_ms;
    if (now.wall_ms >= p->known_to_ms && p->known_to_ms > before_ms)
        p->known_to_ms = before_ms;
}

void progress_scan_begins(struct progress *p, int64_t lookback_ms, struct now now)
{
    int64_t ahead_ms = now.wall_ms + KNOWN_MARGIN_MS;

    narrow_known(p, now);
    if (is_set_back(p, now))
        set_back(p, lookback_ms, now);
    else if (now.wall_ms < p->known_to_ms && p->known_from_ms < ahead_ms)
        p->known_from_ms = ahead_ms; /* not worth saving: a start does the same */
    p->scan_high_ms = p->high_ms;
    if (now.boot_ms - p->high_boot_ms >= SCAN_OVERLAP_MS)
        p->scan_high_ms += SCAN_OVERLAP_MS;
    p->scan_boot_ms = now.boot_ms;
    p->held_back_ms = INT64_MAX;
    p->dirs_full = false;
    p->dirs_missed = false;
    p->scan++;
}

uint32_t progress_seen_from(int64_t mark_ms)
{
    return stamp_of(mark_ms - SCAN_OVERLAP_MS);
}

void progress_scan_ended(struct progress *p, bool read_everything)
{
    int64_t mark_ms = p->scan_high_ms < p->held_back_ms ? p->scan_high_ms : p->held_back_ms;

    if (!read_everything)
        return;
    if (p->mark_ms < mark_ms) {
        p->mark_ms = mark_ms;
        p->changed = true;
    }
    if (p->known_to_ms <= p->mark_ms - SCAN_OVERLAP_MS)
        p->known_to_ms = p->known_from_ms;
    if (p->first || p->dirs_complete == p->dirs_full)
        p->changed = true;
    p->first = false;
    p->dirs_complete = !p->dirs_full;
    hashes_drop_below(&p->seen, stamp_of(p->mark_ms - SCAN_OVERLAP_MS - SEEN_KEPT_MS));
    if (!p->dirs_missed)
        hashes_drop_below(&p->dirs, p->scan);
}
