#include "source/progress.h"
#include "source/progress_save.h"

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define MINUTE (60 * INT64_C(1000))
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define LOOKBACK (15 * MINUTE)
#define BEGIN (INT64_C(1780000000) * 1000)

static struct progress progress;
static struct progress other;

/* ---- A file system of one directory, with a clock of its own ---- */

#define FILES_MAX 200000

struct file {
    struct progress_file id;
    int taken;
};

static struct file *files; /* FILES_MAX */
static size_t file_count;
static int64_t wall_ms;  /* our clock */
static int64_t boot_ms;  /* time as it goes by */
static int64_t fs_ahead; /* the file system's clock less ours, ms */
static int64_t fs_tick;  /* its grain, ms */

static struct now now(void)
{
    return (struct now){.boot_ms = boot_ms, .wall_ms = wall_ms};
}

static void pass(int64_t ms)
{
    wall_ms += ms;
    boot_ms += ms;
}

/* The clock is set; the file system's goes with it. */
static void set_clock(int64_t by)
{
    wall_ms += by;
}

static struct timespec time_of(int64_t ms)
{
    return (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
}

static struct file *create_at(int64_t ctime_ms)
{
    assert_true(file_count < FILES_MAX);
    struct file *file = &files[file_count++];
    *file = (struct file){.id = {.inode = 1000 + file_count, .ctime = time_of(ctime_ms)}};
    return file;
}

static struct file *create(void)
{
    int64_t ms = wall_ms + fs_ahead;

    return create_at(ms - ms % fs_tick);
}

static void take(struct progress *p, struct file *file)
{
    file->taken++;
    progress_took(p, &file->id, now());
}

static void scan_files(struct progress *p, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (progress_look(p, &files[i].id, p->mark_ms, now()) == PROGRESS_TAKES)
            take(p, &files[i]);
}

static void scan(struct progress *p)
{
    progress_scan_begins(p, LOOKBACK, now());
    scan_files(p, 0, file_count);
    progress_scan_ended(p, true);
}

/* What inotify reports. */
static void report(struct progress *p, struct file *file)
{
    if (!progress_seen(p, &file->id))
        take(p, file);
}

static int load_text(struct progress *p, struct span text)
{
    jsmntok_t tokens[64];
    struct json doc;

    if (json_read(&doc, text.p, text.n, tokens, COUNT(tokens), 2) != JSON_OK)
        return -1;
    return progress_save_load(p, &doc);
}

/* Through what is saved, line by line, into another one. */
static void save_and_load(struct progress *from, struct progress *to)
{
    struct progress_walk walk = {.from_ms = from->mark_ms};
    char line[PROGRESS_LINE_MAX];
    struct buf b;

    progress_init(to, LOOKBACK, now());
    buf_init(&b, line, sizeof(line));
    while (progress_save_line(from, &b, &walk)) {
        assert_int_equal(buf_done(&b), 0);
        assert_int_equal(load_text(to, buf_view(&b)), 1);
        buf_reset(&b);
    }
}

static void restart(void)
{
    save_and_load(&progress, &other);
    save_and_load(&other, &progress);
}

static int set_up(void **state)
{
    (void)state;
    if (files == NULL)
        files = calloc(FILES_MAX, sizeof(*files));
    assert_non_null(files);
    file_count = 0;
    wall_ms = BEGIN;
    boot_ms = HOUR;
    fs_ahead = 0;
    fs_tick = 4;
    progress_init(&progress, LOOKBACK, now());
    return 0;
}

static void all_taken(size_t from, int times)
{
    for (size_t i = from; i < file_count; i++)
        assert_int_equal(files[i].taken, times);
}

/* ---- Scans ---- */

static void a_first_start_takes_what_came_within_the_lookback(void **state)
{
    (void)state;
    struct file *old = create_at(wall_ms - LOOKBACK - SCAN_OVERLAP_MS - 1);
    struct file *in = create_at(wall_ms - LOOKBACK);
    struct file *new = create_at(wall_ms);
    assert_int_equal(progress_look(&progress, &old->id, progress.mark_ms, now()), PROGRESS_OLD);
    assert_true(progress.first);
    scan(&progress);
    assert_false(progress.first);
    assert_int_equal(old->taken, 0);
    assert_int_equal(in->taken, 1);
    assert_int_equal(new->taken, 1);
    for (int i = 0; i < 10; i++) {
        pass(SCAN_PERIOD_MS);
        scan(&progress);
    }
    assert_int_equal(old->taken, 0);
    all_taken(1, 1);
}

static void progress_without_any_file_is_progress(void **state)
{
    (void)state;
    scan(&progress);
    restart();
    pass(MINUTE);
    create();
    pass(DAY);
    scan(&progress);
    all_taken(0, 1);
}

/* A writer that does not stop: before, during and after each scan, all within a tick or two. */
static void thousands_share_one_ctime(void **state)
{
    (void)state;
    fs_tick = 1000;
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 100; i++)
            create();
        progress_scan_begins(&progress, LOOKBACK, now());
        size_t half = file_count / 2;
        scan_files(&progress, 0, half);
        for (int i = 0; i < 100; i++)
            create();
        scan_files(&progress, half, file_count - 50); /* of the listing's end nobody knows */
        progress_scan_ended(&progress, true);
        if (round % 7 == 0)
            restart();
        if (round % 10 == 0)
            pass(SCAN_PERIOD_MS);
    }
    scan(&progress);
    all_taken(0, 1);
    for (int i = 0; i < 5; i++) {
        pass(SCAN_PERIOD_MS);
        scan(&progress);
    }
    all_taken(0, 1);
}

static void the_mark_is_high_as_it_was_when_the_scan_before_began(void **state)
{
    (void)state;
    int64_t mark = progress.mark_ms;
    scan(&progress);
    int64_t first = wall_ms;
    create();
    pass(SCAN_PERIOD_MS);
    scan(&progress); /* high was the mark yet, but that was a while ago */
    assert_int_equal(progress.mark_ms, mark + SCAN_OVERLAP_MS);
    pass(SCAN_PERIOD_MS);
    create();
    scan(&progress);
    assert_int_equal(progress.mark_ms, first + SCAN_OVERLAP_MS); /* it had all that time to go on */
    assert_int_equal(progress.high_ms, wall_ms);
}

static void what_is_made_while_a_scan_lists_is_taken_by_the_next(void **state)
{
    (void)state;
    create();
    scan(&progress);
    for (int i = 0; i < 20; i++) {
        progress_scan_begins(&progress, LOOKBACK, now());
        size_t listed = file_count;
        pass(3 * MINUTE); /* a slow file system */
        create();
        pass(MINUTE);
        report(&progress, create()); /* high is its ctime now, later than the other's */
        pass(10);
        scan_files(&progress, 0, listed);
        progress_scan_ended(&progress, true);
        pass(SCAN_PERIOD_MS);
    }
    scan(&progress);
    all_taken(0, 1);
}

/* It is slewed, or coarse: what is made after a scan may be older than what was made before. */
static void a_file_systems_clock_goes_back_a_little(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        create();
        scan(&progress);
        scan(&progress);
        create_at(wall_ms - SCAN_OVERLAP_MS + 1000);
        pass(i % 3 == 0 ? 100 : SCAN_PERIOD_MS);
        scan(&progress);
        pass(SCAN_OVERLAP_MS);
    }
    all_taken(0, 1);
}

static void a_file_systems_clock_is_not_ours(void **state)
{
    static const int64_t ahead[] = {-DAY, -HOUR, -7000, -3, 3, 7000, HOUR, DAY};

    for (size_t i = 0; i < COUNT(ahead); i++) {
        set_up(state);
        fs_ahead = ahead[i];
        progress.mark_ms += ahead[i] < 0 ? ahead[i] : 0; /* as after a first file of its */
        progress.high_ms = progress.mark_ms;
        for (int n = 0; n < 500; n++) {
            create();
            pass(n % 50 == 0 ? HOUR : 700);
            if (n % 3 == 0)
                scan(&progress);
            if (n % 101 == 0)
                restart();
        }
        scan(&progress);
        all_taken(0, 1);
    }
}

static void one_file_from_the_future_hides_none_from_now(void **state)
{
    (void)state;
    create_at(wall_ms + 5 * 365 * DAY);
    for (int i = 0; i < 50; i++) {
        scan(&progress);
        pass(SCAN_PERIOD_MS);
        create();
        restart();
    }
    scan(&progress);
    all_taken(0, 1);
}

/* It is seen again by each scan, but only its taking counted as now. */
static void files_from_a_clock_that_was_ahead_do_not_push_the_mark(void **state)
{
    (void)state;
    fs_ahead = DAY;
    for (int i = 0; i < 10; i++)
        create();
    scan(&progress);
    fs_ahead = -2 * MINUTE;
    pass(5 * MINUTE);
    for (int i = 0; i < 20; i++) {
        scan(&progress);
        pass(SCAN_PERIOD_MS);
        create();
    }
    scan(&progress);
    all_taken(0, 1);
}

static void what_was_left_is_looked_at_again(void **state)
{
    (void)state;
    scan(&progress);
    pass(MINUTE);
    struct file *left = create();
    for (int i = 0; i < 100; i++) {
        pass(SCAN_PERIOD_MS);
        create();
        progress_scan_begins(&progress, LOOKBACK, now());
        for (size_t n = 0; n < file_count; n++) {
            if (progress_look(&progress, &files[n].id, progress.mark_ms, now()) != PROGRESS_TAKES)
                continue;
            if (&files[n] == left)
                progress_left(&progress, progress_ms(left->id.ctime));
            else
                take(&progress, &files[n]);
        }
        progress_scan_ended(&progress, true);
        if (i % 9 == 0)
            restart();
        assert_true(progress.mark_ms <= progress_ms(left->id.ctime));
    }
    assert_int_equal(left->taken, 0);
    all_taken(1, 1);
    scan(&progress);
    all_taken(0, 1);
    scan(&progress);
    pass(SCAN_PERIOD_MS);
    scan(&progress);
    assert_true(progress.mark_ms > progress_ms(left->id.ctime) + 10 * MINUTE);
}

static void a_scan_that_did_not_read_everything_leaves_the_mark(void **state)
{
    (void)state;
    create();
    scan(&progress);
    int64_t mark = progress.mark_ms;
    for (int i = 0; i < 5; i++) {
        pass(MINUTE);
        create();
        progress_scan_begins(&progress, LOOKBACK, now());
        scan_files(&progress, 2, file_count); /* the second one is where nothing could be read */
        progress_scan_ended(&progress, false);
        assert_int_equal(progress.mark_ms, mark);
    }
    scan(&progress);
    all_taken(0, 1);
}

static void an_incomplete_first_scan_is_still_the_first(void **state)
{
    (void)state;
    progress_scan_begins(&progress, LOOKBACK, now());
    progress_scan_ended(&progress, false);
    assert_true(progress.first);
    restart();
    assert_true(progress.first);
    scan(&progress);
    restart();
    assert_false(progress.first);
}

static void a_later_start_looks_back_no_further(void **state)
{
    (void)state;
    struct file *old = create_at(wall_ms - 2 * LOOKBACK);
    scan(&progress);
    restart();
    progress_scan_begins(&progress, DAY, now());
    scan_files(&progress, 0, file_count);
    progress_scan_ended(&progress, true);
    assert_int_equal(old->taken, 0);
}

/* ---- The clock is set ---- */

static void run_a_while(int rounds, int64_t step)
{
    for (int i = 0; i < rounds; i++) {
        create();
        pass(step);
        scan(&progress);
    }
}

static void the_clock_is_set_while_running(void **state)
{
    static const int64_t by[] = {-40 * MINUTE, -MINUTE, -6000, -5000,   -1, 1,
                                 6000,         MINUTE,  HOUR,  30 * DAY};

    for (size_t i = 0; i < COUNT(by); i++) {
        set_up(state);
        run_a_while(100, SCAN_PERIOD_MS);
        create(); /* inotify was silent, the next scan is to find it */
        pass(10);
        set_clock(by[i]);
        create();
        run_a_while(400, SCAN_PERIOD_MS);
        all_taken(0, 1);
        create();
        restart();
        run_a_while(100, SCAN_PERIOD_MS);
        all_taken(0, 1);
    }
}

/* Set back by more than we remember: something may be taken twice, nothing is lost, and what lies
 * ahead of the clock was read. */
static void the_clock_is_set_back_by_hours(void **state)
{
    (void)state;
    run_a_while(1000, MINUTE);
    size_t before = file_count;
    set_clock(-5 * HOUR);
    run_a_while(1000, MINUTE); /* through the hours that were already once, and out of them */
    all_taken(before, 1);
    size_t twice = 0;
    for (size_t i = 0; i < before; i++) {
        assert_in_range(files[i].taken, 1, 2);
        twice += files[i].taken == 2;
    }
    assert_in_range(twice, 0, LOOKBACK / MINUTE + 2);
}

static void the_clock_is_set_across_a_restart(void **state)
{
    static const int64_t by[] = {-40 * MINUTE, -MINUTE, -6000, 6000, MINUTE, HOUR, 30 * DAY};

    for (size_t i = 0; i < COUNT(by); i++) {
        set_up(state);
        run_a_while(100, SCAN_PERIOD_MS);
        size_t before = file_count;
        create();
        save_and_load(&progress, &other);
        set_clock(by[i]);
        boot_ms = 100; /* another boot */
        create();
        save_and_load(&other, &progress);
        run_a_while(400, SCAN_PERIOD_MS);
        all_taken(before, 1);
        for (size_t n = 0; n < before; n++)
            assert_in_range(files[n].taken, 1, by[i] < 0 ? 2 : 1);
    }
}

/* A board without a clock battery: it starts in 1970, takes what comes, is set right later. */
static void a_start_without_a_clock_does_not_bring_history_back(void **state)
{
    (void)state;
    run_a_while(2000, HOUR);
    size_t history = file_count;
    int64_t lost = wall_ms - 10 * HOUR;
    set_clock(-lost);
    restart();
    run_a_while(300, SCAN_PERIOD_MS);
    all_taken(0, 1);
    restart();
    run_a_while(300, SCAN_PERIOD_MS);
    set_clock(-30 * MINUTE); /* a wrong correction */
    run_a_while(10, SCAN_PERIOD_MS);
    pass(45 * MINUTE); /* a scan that takes long */
    create();          /* and that has not come to it */
    set_clock(lost + HOUR);
    run_a_while(300, SCAN_PERIOD_MS);
    all_taken(0, 1);
    restart();
    run_a_while(300, SCAN_PERIOD_MS);
    all_taken(0, 1);
    assert_true(file_count > history);
}

/* ... or it is set right while it is off. */
static void a_run_without_a_clock_between_two_with_one(void **state)
{
    (void)state;
    run_a_while(500, HOUR);
    int64_t lost = wall_ms - HOUR;
    set_clock(-lost);
    restart();
    run_a_while(100, SCAN_PERIOD_MS);
    restart();
    set_clock(lost + HOUR);
    run_a_while(100, SCAN_PERIOD_MS);
    all_taken(0, 1);
}

static void a_clock_that_was_years_ahead_for_a_while(void **state)
{
    (void)state;
    run_a_while(100, SCAN_PERIOD_MS);
    set_clock(5 * 365 * DAY);
    run_a_while(100, SCAN_PERIOD_MS);
    restart();
    set_clock(-5 * 365 * DAY);
    restart();
    run_a_while(1000, SCAN_PERIOD_MS);
    /* What came in the last LOOKBACK before the true time may be taken again: a first start would.
     */
    for (size_t i = 0; i < file_count; i++)
        assert_in_range(files[i].taken, 1, i < 100 ? 2 : 1);
}

/* By less than we remember, and not twice between two scans: nothing is lost. */
static void a_clock_that_is_set_to_and_fro(void **state)
{
    for (unsigned seed = 0; seed < 40; seed++) {
        set_up(state);
        srand(seed);
        for (int round = 0; round < 100; round++) {
            run_a_while(1 + rand() % 8, SCAN_PERIOD_MS);
            for (int i = rand() % 3; i > 0; i--) {
                create();
                pass(rand() % 5000);
            }
            set_clock(rand() % (40 * 60 * 1000) - 20 * MINUTE);
            if (seed % 4 == 0 && rand() % 20 == 0) {
                scan(&progress);
                restart();
            }
        }
        run_a_while(1, SCAN_PERIOD_MS);
        for (size_t i = 0; i < file_count; i++)
            assert_true(files[i].taken >= 1);
    }
}

/* ---- Many ---- */

static void a_hundred_thousand_in_one_pass(void **state)
{
    (void)state;
    for (int i = 0; i < 100000; i++)
        create();
    for (int i = 0; i < 5; i++) {
        scan(&progress);
        pass(SCAN_PERIOD_MS);
    }
    all_taken(0, 1);
    assert_false(progress.forgot);
    restart();
    scan(&progress);
    all_taken(0, 1);
    for (int i = 0; i < 5; i++) {
        pass(HOUR);
        create();
        scan(&progress);
    }
    assert_in_range(progress.seen.count, 0, 10);
    all_taken(0, 1);
}

static void what_seen_cannot_hold_is_read_twice_rather_than_never(void **state)
{
    (void)state;
    size_t total = SEEN_MAX + SEEN_MAX / 4;
    for (size_t i = 0; i < total; i++) {
        create();
        if (i % 1000 == 0)
            pass(10);
    }
    for (int i = 0; i < 8; i++) {
        scan(&progress);
        assert_true(i > 0 || progress.forgot);
        progress.forgot = false;
        pass(SCAN_PERIOD_MS);
    }
    size_t twice = 0;
    for (size_t i = 0; i < total; i++) {
        assert_in_range(files[i].taken, 1, 2);
        twice += files[i].taken == 2;
    }
    /* The oldest of them, a bit more than what was too many. */
    assert_in_range(twice, SEEN_MAX / 4, SEEN_MAX / 4 + SEEN_MAX / 8);
    assert_int_equal(files[total - 1].taken, 1);
}

static void seen_goes_with_the_mark_and_the_hour(void **state)
{
    (void)state;
    run_a_while(3 * 180, SCAN_PERIOD_MS); /* three hours */
    assert_in_range(progress.seen.count, 180, 190);
}

/* ---- Files ---- */

static void each_part_of_an_identity_counts(void **state)
{
    (void)state;
    struct progress_file file = {.device = 1, .inode = 2, .ctime = {3, 4}, .size = 5};
    progress_took(&progress, &file, now());
    assert_true(progress_seen(&progress, &file));
    struct progress_file others[] = {file, file, file, file, file};
    others[0].device++;
    others[1].inode++;
    others[2].ctime.tv_sec++;
    others[3].ctime.tv_nsec++;
    others[4].size++;
    for (size_t i = 0; i < COUNT(others); i++)
        assert_false(progress_seen(&progress, &others[i]));
}

static void impossible_times_do_no_harm(void **state)
{
    (void)state;
    static const int64_t seconds[] = {INT64_MIN, INT64_MIN / 1000, -1,
                                      0,         INT64_MAX / 1000, INT64_MAX};
    for (size_t i = 0; i < COUNT(seconds); i++) {
        struct progress_file file = {.inode = i, .ctime = {(time_t)seconds[i], 999999999}};
        (void)progress_look(&progress, &file, progress.mark_ms, now());
        progress_took(&progress, &file, now());
        progress_left(&progress, progress_ms(file.ctime));
        assert_true(progress_seen(&progress, &file));
    }
    scan(&progress);
    run_a_while(5, SCAN_PERIOD_MS);
    all_taken(0, 1);
}

/* ---- Directories ---- */

static void scan_dirs(struct progress *p, const uint64_t *inodes, size_t n)
{
    progress_scan_begins(p, LOOKBACK, now());
    for (size_t i = 0; i < n; i++)
        progress_dir_known(p, 0, inodes[i]);
    progress_scan_ended(p, true);
}

static void a_directory_is_new_when_no_complete_scan_knew_it(void **state)
{
    (void)state;
    static const uint64_t inodes[] = {1, 2, 3};
    assert_false(progress_dir_is_new(&progress, 0, 1)); /* at the first start none is */
    scan_dirs(&progress, inodes, 3);
    for (int i = 0; i < 2; i++) {
        assert_false(progress_dir_is_new(&progress, 0, 1));
        assert_true(progress_dir_is_new(&progress, 0, 4));
        assert_true(progress_dir_is_new(&progress, 9, 1));
        restart();
    }
    scan_dirs(&progress, inodes, 2);
    assert_true(progress_dir_is_new(&progress, 0, 3));
    /* One that was not all read stays new. */
    progress_scan_begins(&progress, LOOKBACK, now());
    progress_scan_ended(&progress, false);
    assert_false(progress_dir_is_new(&progress, 0, 1));
}

static void what_could_not_be_looked_for_stays_known(void **state)
{
    (void)state;
    static const uint64_t inodes[] = {1, 2, 3};
    scan_dirs(&progress, inodes, 3);
    progress_scan_begins(&progress, LOOKBACK, now());
    progress_dir_known(&progress, 0, 1);
    progress.dirs_missed = true;
    progress_scan_ended(&progress, true);
    assert_false(progress_dir_is_new(&progress, 0, 3));
    scan_dirs(&progress, inodes, 1);
    assert_true(progress_dir_is_new(&progress, 0, 3));
}

static void another_events_directory_makes_none_new(void **state)
{
    (void)state;
    static const uint64_t inodes[] = {1, 2, 3};
    progress_root(&progress, 77);
    scan_dirs(&progress, inodes, 3);
    restart();
    progress_root(&progress, 77);
    assert_true(progress_dir_is_new(&progress, 0, 4));
    progress_root(&progress, 78); /* a disk was mounted */
    assert_false(progress_dir_is_new(&progress, 0, 4));
    progress_root(&progress, 77);
    assert_false(progress_dir_is_new(&progress, 0, 4));
    scan_dirs(&progress, inodes, 3);
    assert_true(progress_dir_is_new(&progress, 0, 4));
}

static void too_many_directories_make_none_new(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        progress_scan_begins(&progress, LOOKBACK, now());
        for (uint64_t i = 0; i < DIRS_MAX + 10; i++)
            progress_dir_known(&progress, 0, i);
        progress_scan_ended(&progress, true);
        for (uint64_t i = 0; i < DIRS_MAX + 20; i++)
            assert_false(progress_dir_is_new(&progress, 0, i));
        restart();
    }
    progress_scan_begins(&progress, LOOKBACK, now());
    for (uint64_t i = 0; i < DIRS_MAX; i++)
        progress_dir_known(&progress, 0, i + 5);
    progress_scan_ended(&progress, true);
    progress_scan_begins(&progress, LOOKBACK, now());
    for (uint64_t i = 0; i < DIRS_MAX - 1; i++)
        progress_dir_known(&progress, 0, i + 5);
    progress_scan_ended(&progress, true);
    assert_true(progress_dir_is_new(&progress, 0, DIRS_MAX + 10));
}

/* ---- Saved ---- */

static void nothing_to_save_while_nothing_happens(void **state)
{
    (void)state;
    run_a_while(5, SCAN_PERIOD_MS);
    for (int i = 0; i < 3; i++) {
        pass(SCAN_PERIOD_MS);
        scan(&progress);
    }
    progress.changed = false;
    for (int i = 0; i < 1000; i++) {
        pass(SCAN_PERIOD_MS);
        scan(&progress);
        assert_false(progress.changed);
    }
    create();
    scan(&progress);
    assert_true(progress.changed);
}

static size_t lines_of(const struct progress *p)
{
    struct progress_walk walk = {.from_ms = p->mark_ms};
    char line[PROGRESS_LINE_MAX];
    struct buf b;
    size_t n = 0;

    for (;; n++) {
        buf_init(&b, line, sizeof(line));
        if (!progress_save_line(p, &b, &walk))
            return n;
    }
}

static void only_the_window_is_saved(void **state)
{
    (void)state;
    for (int i = 0; i < 5000; i++)
        create();
    scan(&progress);
    assert_true(lines_of(&progress) > 5000 / 128);
    pass(MINUTE);
    create();
    scan(&progress);
    scan(&progress);
    scan(&progress);
    assert_int_equal(progress.seen.count, 5001);
    assert_int_equal(lines_of(&progress), 2);
}

static void what_is_loaded_is_what_was_saved(void **state)
{
    (void)state;
    run_a_while(2000, 100);
    set_clock(-2 * HOUR);
    scan(&progress);
    for (uint64_t i = 0; i < 300; i++)
        progress_dir_known(&progress, i % 2, i * 77777);
    progress_root(&progress, UINT64_MAX);
    save_and_load(&progress, &other);
    assert_int_equal(other.mark_ms, progress.mark_ms);
    assert_int_equal(other.high_ms, progress.high_ms);
    assert_int_equal(other.known_from_ms, progress.known_from_ms);
    assert_int_equal(other.known_to_ms, progress.known_to_ms);
    assert_true(other.root == progress.root);
    assert_int_equal(other.first, progress.first);
    assert_int_equal(other.dirs_complete, progress.dirs_complete);
    assert_int_equal(other.dirs.count, progress.dirs.count);
    for (uint32_t i = 0; i < progress.dirs.count; i++)
        assert_true(hashes_has(&other.dirs, progress.dirs.hash[i]));
    for (uint32_t i = 0; i < progress.seen.count; i++)
        if (progress.seen.stamp[i] >= progress_seen_from(progress.mark_ms))
            assert_true(hashes_has(&other.seen, progress.seen.hash[i]));
}

static void lines_without_sense_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int result;
    } cases[] = {
        {"{\"mark_ms\":1,\"high_ms\":2,\"known_from_ms\":3,\"known_to_ms\":4,\"root\":-5,"
         "\"first\":true,\"dirs_complete\":false}",
         1},
        {"{\"mark_ms\":5002,\"high_ms\":1,\"known_from_ms\":3,\"known_to_ms\":4,\"root\":5,"
         "\"first\":true,\"dirs_complete\":false}",
         -1},
        {"{\"mark_ms\":1,\"high_ms\":2}", -1},
        {"{\"mark_ms\":9223372036854775807,\"high_ms\":9223372036854775807,\"known_from_ms\":3,"
         "\"known_to_ms\":4,\"root\":5,\"first\":true,\"dirs_complete\":false}",
         -1},
        {"{\"mark_ms\":1,\"high_ms\":2,\"known_from_ms\":3,\"known_to_ms\":4,\"root\":5,"
         "\"first\":1,\"dirs_complete\":false}",
         -1},
        {"{\"seen\":\"\"}", 1},
        {"{\"seen\":\"0123456789abcdef00000001\"}", 1},
        {"{\"seen\":\"0123456789abcdef0000000\"}", -1},
        {"{\"seen\":\"0123456789abcdeg00000001\"}", -1},
        {"{\"seen\":\"0123456789ABCDEF00000001\"}", -1},
        {"{\"seen\":\"0123456789abcdef00000001ff\"}", -1},
        {"{\"seen\":5}", -1},
        {"{\"dirs\":\"0123456789abcdef\"}", 1},
        {"{\"dirs\":\"0123456789abcde\"}", -1},
        {"{\"other\":1}", 0},
        {"{}", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(load_text(&other, span_of(cases[i].text)), cases[i].result);
}

static void more_than_there_is_room_for_is_refused(void **state)
{
    (void)state;
    char line[64] = "{\"dirs\":\"0000000000000000\"}";
    progress_init(&other, LOOKBACK, now());
    for (uint32_t i = 0; i < DIRS_MAX; i++) {
        for (unsigned n = 0; n < 8; n++)
            line[9 + n] = "0123456789abcdef"[i >> (4 * n) & 15];
        assert_int_equal(load_text(&other, span_of(line)), 1);
    }
    assert_int_equal(load_text(&other, span_of(line)), 1); /* it is there */
    line[20] = 'f';
    assert_int_equal(load_text(&other, span_of(line)), -1);
}

/* ---- Hashes ---- */

static void a_set_keeps_what_was_put_in(void **state)
{
    (void)state;
    static uint64_t hash[64];
    static uint32_t stamp[64];
    static uint32_t slots[128];
    struct hashes h;
    hashes_init(&h, hash, stamp, slots, 64);
    for (uint32_t i = 0; i < 64; i++) {
        assert_false(hashes_has(&h, i << 20));
        assert_true(hashes_put(&h, i << 20, i));
        assert_true(hashes_put(&h, i << 20, 0)); /* again: no second entry, no lower stamp */
    }
    assert_int_equal(h.count, 64);
    assert_false(hashes_put(&h, UINT64_C(99) << 32, 99));
    assert_int_equal(h.count, 64 - 4 + 1);
    for (uint32_t i = 0; i < 64; i++)
        assert_int_equal(hashes_has(&h, i << 20), i >= 4);
    assert_true(hashes_has(&h, UINT64_C(99) << 32));
    /* What goes has the least stamps, whatever its hash. */
    hashes_init(&h, hash, stamp, slots, 64);
    for (uint32_t i = 0; i < 64; i++)
        assert_true(hashes_put(&h, (i + 1) * UINT64_C(0x9e3779b97f4a7c15), 1000 - i));
    assert_false(hashes_put(&h, 7, 2000));
    for (uint32_t i = 0; i < 64; i++)
        assert_int_equal(hashes_has(&h, (i + 1) * UINT64_C(0x9e3779b97f4a7c15)), i < 60);
    hashes_init(&h, hash, stamp, slots, 64);
    for (uint32_t i = 0; i < 64; i++) {
        assert_true(hashes_put(&h, i << 20, i));
        assert_true(hashes_put(&h, i << 20, 0));
    }
    hashes_drop_below(&h, 50);
    assert_int_equal(h.count, 14);
    for (uint32_t i = 0; i < 64; i++)
        assert_int_equal(hashes_has(&h, i << 20), i >= 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_first_start_takes_what_came_within_the_lookback, set_up),
        cmocka_unit_test_setup(progress_without_any_file_is_progress, set_up),
        cmocka_unit_test_setup(thousands_share_one_ctime, set_up),
        cmocka_unit_test_setup(the_mark_is_high_as_it_was_when_the_scan_before_began, set_up),
        cmocka_unit_test_setup(what_is_made_while_a_scan_lists_is_taken_by_the_next, set_up),
        cmocka_unit_test_setup(a_file_systems_clock_goes_back_a_little, set_up),
        cmocka_unit_test_setup(a_file_systems_clock_is_not_ours, set_up),
        cmocka_unit_test_setup(one_file_from_the_future_hides_none_from_now, set_up),
        cmocka_unit_test_setup(files_from_a_clock_that_was_ahead_do_not_push_the_mark, set_up),
        cmocka_unit_test_setup(what_was_left_is_looked_at_again, set_up),
        cmocka_unit_test_setup(a_scan_that_did_not_read_everything_leaves_the_mark, set_up),
        cmocka_unit_test_setup(an_incomplete_first_scan_is_still_the_first, set_up),
        cmocka_unit_test_setup(a_later_start_looks_back_no_further, set_up),
        cmocka_unit_test_setup(the_clock_is_set_while_running, set_up),
        cmocka_unit_test_setup(the_clock_is_set_back_by_hours, set_up),
        cmocka_unit_test_setup(the_clock_is_set_across_a_restart, set_up),
        cmocka_unit_test_setup(a_start_without_a_clock_does_not_bring_history_back, set_up),
        cmocka_unit_test_setup(a_run_without_a_clock_between_two_with_one, set_up),
        cmocka_unit_test_setup(a_clock_that_was_years_ahead_for_a_while, set_up),
        cmocka_unit_test_setup(a_clock_that_is_set_to_and_fro, set_up),
        cmocka_unit_test_setup(a_hundred_thousand_in_one_pass, set_up),
        cmocka_unit_test_setup(what_seen_cannot_hold_is_read_twice_rather_than_never, set_up),
        cmocka_unit_test_setup(seen_goes_with_the_mark_and_the_hour, set_up),
        cmocka_unit_test_setup(each_part_of_an_identity_counts, set_up),
        cmocka_unit_test_setup(impossible_times_do_no_harm, set_up),
        cmocka_unit_test_setup(a_directory_is_new_when_no_complete_scan_knew_it, set_up),
        cmocka_unit_test_setup(what_could_not_be_looked_for_stays_known, set_up),
        cmocka_unit_test_setup(another_events_directory_makes_none_new, set_up),
        cmocka_unit_test_setup(too_many_directories_make_none_new, set_up),
        cmocka_unit_test_setup(nothing_to_save_while_nothing_happens, set_up),
        cmocka_unit_test_setup(only_the_window_is_saved, set_up),
        cmocka_unit_test_setup(what_is_loaded_is_what_was_saved, set_up),
        cmocka_unit_test_setup(lines_without_sense_are_refused, set_up),
        cmocka_unit_test_setup(more_than_there_is_room_for_is_refused, set_up),
        cmocka_unit_test_setup(a_set_keeps_what_was_put_in, set_up),
    };
    return cmocka_run_group_tests_name("source progress", tests, NULL, NULL);
}
