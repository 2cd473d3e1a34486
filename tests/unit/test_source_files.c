#include "source/files.h"

#include "base/log.h"
#include "scratch.h"
#include "source_bed.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define HOUR (3600 * INT64_C(1000))

/* ---- A clock that can be moved, and faults: these stand before those of src/ and libc ---- */

static int64_t read_ms(clockid_t id)
{
    struct timespec t;

    assert_int_equal(clock_gettime(id, &t), 0);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The boot clock stands still, but for what the loop waits and what a test skips: however long a
 * machine takes, nothing comes due by itself. 0: it runs. */
static int64_t held_ms;

struct now clock_now(void)
{
    int64_t boot_ms = held_ms != 0 ? held_ms : read_ms(CLOCK_BOOTTIME);

    return (struct now){.boot_ms = boot_ms + bed.boot_skip,
                        .wall_ms = read_ms(CLOCK_REALTIME) + bed.wall_skip};
}

int64_t clock_offset(struct now now)
{
    return now.wall_ms - now.boot_ms;
}

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
    struct timespec wait = {timeout / 1000, timeout % 1000 * 1000000L};
    int ready = ppoll(fds, n, &wait, NULL);

    if (ready == 0 && held_ms != 0)
        held_ms += timeout;
    return ready;
}

static struct {
    const char *open_name; /* openat(2) of it fails with open_error */
    int open_error;
    const char *stat_name; /* fstatat(2) of it fails with stat_error */
    int stat_error;
    int pread_error;
    ino_t getdents_inode; /* reading this directory fails with getdents_error, from entry 2 on */
    int getdents_error;
    int init_error;
    int add_error;
    bool overflow; /* the next read(2) of inotify tells one */
    bool swallow;  /* what inotify reports is lost */
} fault;

static void *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (found == NULL)
        abort();
    return found;
}

int openat(int dir, const char *name, int flags, ...)
{
    static int (*call)(int, const char *, int, ...);
    mode_t mode = 0;

    if (call == NULL)
        *(void **)&call = real("openat");
    if ((flags & O_CREAT) != 0) {
        va_list args;
        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    if (fault.open_name != NULL && strcmp(fault.open_name, name) == 0) {
        errno = fault.open_error;
        return -1;
    }
    return call(dir, name, flags, mode);
}

int fstatat(int dir, const char *name, struct stat *st, int flags)
{
    static int (*call)(int, const char *, struct stat *, int);

    if (call == NULL)
        *(void **)&call = real("fstatat");
    if (fault.stat_name == NULL || strcmp(fault.stat_name, name) != 0)
        return call(dir, name, st, flags);
    errno = fault.stat_error;
    return -1;
}

ssize_t pread(int fd, void *to, size_t n, off_t offset)
{
    static ssize_t (*call)(int, void *, size_t, off_t);

    if (call == NULL)
        *(void **)&call = real("pread");
    if (fault.pread_error == 0)
        return call(fd, to, n, offset);
    errno = fault.pread_error;
    return -1;
}

long syscall(long number, ...)
{
    static long (*call)(long, ...);
    struct stat st;
    va_list args;
    long a[3];

    if (call == NULL)
        *(void **)&call = real("syscall");
    va_start(args, number);
    for (int i = 0; i < 3; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    if (number == SYS_getdents64 && fault.getdents_inode != 0 && fstat((int)a[0], &st) == 0 &&
        st.st_ino == fault.getdents_inode) {
        errno = fault.getdents_error;
        return -1;
    }
    return call(number, a[0], a[1], a[2]);
}

int inotify_init1(int flags)
{
    static int (*call)(int);

    if (call == NULL)
        *(void **)&call = real("inotify_init1");
    if (fault.init_error == 0)
        return call(flags);
    errno = fault.init_error;
    return -1;
}

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    static int (*call)(int, const char *, uint32_t);

    if (call == NULL)
        *(void **)&call = real("inotify_add_watch");
    if (fault.add_error == 0)
        return call(fd, path, mask);
    errno = fault.add_error;
    return -1;
}

/* Only inotify is read with it. */
ssize_t read(int fd, void *to, size_t n)
{
    static ssize_t (*call)(int, void *, size_t);

    if (call == NULL)
        *(void **)&call = real("read");
    ssize_t got = call(fd, to, n);
    if (fault.overflow && n >= sizeof(struct inotify_event) && got > 0) {
        struct inotify_event event = {.wd = -1, .mask = IN_Q_OVERFLOW};
        fault.overflow = false;
        memcpy(to, &event, sizeof(event));
        return sizeof(event);
    }
    return fault.swallow && got > 0 ? 0 : got;
}

/* ---- Set-up ---- */

static char log_text[65536];

/* Logs go to a file of the tree that nobody looks at. */
static void logs_on(void)
{
    int fd = open(scratch_path(&bed.tree, "log"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    log_init(LOG_DEBUG, LOG_JSON);
    log_to(fd);
}

static unsigned logged(const char *event)
{
    const char *text = scratch_get(&bed.tree, "log");
    char wanted[64];
    unsigned n = 0;

    assert_non_null(text);
    assert_true(strlen(text) < sizeof(log_text));
    strcpy(log_text, text);
    (void)snprintf(wanted, sizeof(wanted), "\"event\":\"%s\"", event);
    for (const char *at = log_text; (at = strstr(at, wanted)) != NULL; at++)
        n++;
    return n;
}

static int set_up(void **state)
{
    (void)state;
    memset(&fault, 0, sizeof(fault));
    held_ms = read_ms(CLOCK_BOOTTIME);
    bed_open();
    logs_on();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_to(-1);
    bed_close();
    return 0;
}

static const char *at(const char *path)
{
    return scratch_path(&bed.tree, path);
}

static void restart(void)
{
    bed_stop();
    bed_start(false);
    bed_run();
}

/* Nothing of what was taken is taken again, by whatever scan or start. */
static void nothing_more_is_taken(void)
{
    unsigned count = bed.count;

    for (unsigned i = 0; i < count; i++)
        if (bed.calls[i].took == FILES_KEPT)
            files_finished(bed.calls[i].ref);
    bed_scan();
    bed_scan();
    restart();
    bed_scan();
    assert_int_equal(bed.count, count);
}

/* ---- How files appear ---- */

static void a_file_that_is_written_is_taken_once(void **state)
{
    (void)state;
    scratch_dirs(&bed.tree, bed_path(0, "n", "."));
    bed_start(false);
    bed_run();
    bed_put("a.json", "one");
    bed_run();
    assert_int_equal(bed_taken("one"), 1);
    assert_int_equal(files_counts()->files, 1);
    nothing_more_is_taken();
    bed_kill();
}

static void a_file_that_appears_by_rename_is_taken_once(void **state)
{
    (void)state;
    bed_put(".a.part", "one");
    bed_start(false);
    bed_run();
    assert_int_equal(bed.count, 0);
    bed_pass(HOUR); /* its ctime of before would be an old one */
    assert_int_equal(rename(at(bed_path(0, "n", ".a.part")), at(bed_path(0, "n", "a.json"))), 0);
    bed_run();
    assert_int_equal(bed_taken("one"), 1);
    nothing_more_is_taken();
    bed_kill();
}

static void a_hard_link_is_taken_once(void **state)
{
    (void)state;
    scratch_put(&bed.tree, "outside", "one");
    scratch_dirs(&bed.tree, bed_path(0, "n", "."));
    bed_start(false);
    bed_run();
    assert_int_equal(link(at("outside"), at(bed_path(0, "n", "a.json"))), 0);
    bed_run();
    assert_int_equal(bed_taken("one"), 1);
    nothing_more_is_taken();
    bed_kill();
}

/* Our own writers do so: the temporary name goes after the event was taken, and the ctime changes.
 */
static void a_writer_that_links_and_unlinks_is_taken_once(void **state)
{
    (void)state;
    bed_put(".tmp", "one");
    bed_start(false);
    bed_run();
    assert_int_equal(link(at(bed_path(0, "n", ".tmp")), at(bed_path(0, "n", "a.json"))), 0);
    bed_run();
    assert_int_equal(bed_taken("one"), 1);
    bed_tick();
    assert_int_equal(unlink(at(bed_path(0, "n", ".tmp"))), 0);
    nothing_more_is_taken();
    bed_kill();
}

static void a_writer_that_sets_mode_and_times_last_is_taken_once(void **state)
{
    (void)state;
    struct timespec times[2] = {{1000000000, 0}, {1000000000, 0}};
    scratch_dirs(&bed.tree, bed_path(0, "n", "."));
    bed_start(false);
    bed_run();
    bed_put("a.json", "one");
    bed_run();
    assert_int_equal(bed_taken("one"), 1);
    bed_tick();
    assert_int_equal(chmod(at(bed_path(0, "n", "a.json")), 0600), 0);
    assert_int_equal(utimensat(AT_FDCWD, at(bed_path(0, "n", "a.json")), times, 0), 0);
    nothing_more_is_taken();
    bed_kill();
}

static void a_writer_that_has_only_begun_is_waited_for(void **state)
{
    (void)state;
    scratch_dirs(&bed.tree, bed_path(0, "n", "."));
    bed_start(false);
    bed_run();
    int fd = open(at(bed_path(0, "n", "a.json")), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    bed_run();
    assert_int_equal(bed.count, 0);
    assert_int_equal(write(fd, "one", 3), 3);
    assert_int_equal(close(fd), 0);
    bed_run();
    assert_int_equal(bed_taken("one"), 1);
    nothing_more_is_taken();
    bed_kill();
}

/* In place, where inotify says nothing and the directory does not change. */
static void a_file_of_today_that_is_rewritten_is_found_by_a_scan(void **state)
{
    (void)state;
    fault.init_error = EMFILE;
    bed_put("a.json", "one");
    scratch_put(&bed.tree, bed_path(0, "m", "b.json"), "other");
    bed_start(false);
    bed_run();
    for (int i = 0; i < 3; i++) {
        bed_tick();
        scratch_put(&bed.tree, bed_path(0, "m", "b.json"), i % 2 == 0 ? "more" : "less");
        bed_scan();
    }
    bed_put("a.json", "two");
    bed_scan();
    assert_int_equal(bed_taken("two"), 1);
    nothing_more_is_taken();
    bed_kill();
}

static void old_mtimes_as_from_rsync_do_not_matter(void **state)
{
    (void)state;
    struct timespec times[2] = {{1000000000, 0}, {1000000000, 0}};
    bed_start(false);
    bed_run();
    for (int i = 0; i < 2; i++) {
        bed_put(".part", i == 0 ? "one" : "two");
        assert_int_equal(utimensat(AT_FDCWD, at(bed_path(0, "n", ".part")), times, 0), 0);
        assert_int_equal(rename(at(bed_path(0, "n", ".part")), at(bed_path(0, "n", "a.json"))), 0);
        if (i == 0)
            bed_run();
        else
            restart();
    }
    assert_int_equal(bed_taken("one"), 1);
    assert_int_equal(bed_taken("two"), 1);
    nothing_more_is_taken();
    bed_kill();
}

static void a_name_used_again_is_another_event(void **state)
{
    (void)state;
    static const char *const texts[] = {"one", "two", "six"};
    bed_start(false);
    bed_run();
    for (size_t i = 0; i < COUNT(texts); i++) {
        bed_put("latest.json", texts[i]);
        bed_run();
        bed_tick();
    }
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_int_equal(bed_taken(texts[i]), 1);
    nothing_more_is_taken();
    bed_kill();
}

static void names_of_other_files_are_left_alone(void **state)
{
    (void)state;
    static const char *const names[] = {".a.json", "a.json.tmp", "a.txt", "README", "a.jsonl.gz"};
    bed_start(false);
    for (size_t i = 0; i < COUNT(names); i++)
        bed_put(names[i], "one");
    scratch_put(&bed.tree, "events/notes/n/a.json", "one");
    scratch_put(&bed.tree, "events/2026-02-30/n/a.json", "one");
    scratch_put(&bed.tree, "events/a.json", "one");
    scratch_put(&bed.tree, bed_path(0, ".n", "a.json"), "one");
    bed_run();
    bed_scan();
    assert_int_equal(bed.count, 0);
    assert_int_equal(bed.refused_count, 0);
    bed_kill();
}

static void hostile_names_are_names(void **state)
{
    (void)state;
    char longest[FILE_NAME_MAX + 1];
    memset(longest, 'x', sizeof(longest));
    memcpy(longest + FILE_NAME_MAX - 5, ".json", 6);
    const char *const names[] = {"a\nb.json", "\x1b[31m.json", "-rf.json", "\xff\xfe.json",
                                 longest,     "%2F.json",      "a\"b.json"};
    for (size_t i = 0; i < COUNT(names); i++)
        scratch_put(&bed.tree, bed_path(0, names[i], names[i]), "keep");
    bed_start(false);
    bed_run();
    assert_int_equal(bed_taken("keep"), COUNT(names));
    restart(); /* their names went through the saved state */
    assert_int_equal(bed_taken("keep"), 2 * COUNT(names));
    for (unsigned i = 0; i < COUNT(names); i++) {
        unsigned same = 0;
        for (unsigned n = 0; n < COUNT(names); n++)
            same += strcmp(bed.calls[i].origin, bed.calls[COUNT(names) + n].origin) == 0;
        assert_int_equal(same, 1);
    }
    assert_int_equal(logged("event_gone"), 0);
    bed_kill();
}

static void what_an_event_says_of_itself(void **state)
{
    (void)state;
    struct stat st;
    char origin[64];
    bed_put("a.json", "one");
    bed_start(false);
    bed_run();
    const struct bed_call *call = bed_call("one");
    (void)snprintf(origin, sizeof(origin), "%s/n/a.json", bed_day(0));
    assert_string_equal(call->origin, origin);
    assert_int_equal(stat(at(bed_path(0, "n", "a.json")), &st), 0);
    assert_int_equal(call->arrived_ms, st.st_ctim.tv_sec * 1000 + st.st_ctim.tv_nsec / 1000000);
    assert_int_equal(call->floor_ms, 0);
    assert_false(call->complete);
    bed_kill();
}

/* ---- Starts ---- */

static void a_first_start_counts_what_it_passes_over(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        char name[] = "old0.json";
        name[3] = (char)('0' + i);
        bed_put(name, "old");
    }
    scratch_put(&bed.tree, bed_path(-400, "n", "a.json"), "old");
    scratch_put(&bed.tree, bed_path(0, "m", "events.jsonl"), "old\n");
    bed.wall_skip = HOUR;
    bed_start(false);
    assert_true(files_reading());
    bed_run();
    assert_int_equal(bed.count, 0);
    assert_int_equal(files_counts()->passed_over, 7);
    assert_int_equal(logged("first_start"), 1);
    assert_non_null(strstr(log_text, "\"passed_over\":7"));
    bed_put("new.json", "new");
    bed_append(bed_path(0, "m", "events.jsonl"), "new line\n");
    bed_run();
    assert_int_equal(bed_taken("new"), 1);
    assert_int_equal(bed_taken("new line"), 1);
    bed_scan();
    assert_int_equal(files_counts()->passed_over, 7);
    nothing_more_is_taken();
    assert_int_equal(bed.count, 2);
    assert_int_equal(logged("first_start"), 1);
    bed_kill();
}

static void a_start_takes_what_came_while_nobody_was_there(void **state)
{
    (void)state;
    bed_put("a.json", "one");
    bed_start(false);
    bed_run();
    bed_stop();
    bed_put("b.json", "two");
    bed.boot_skip = 100 * HOUR;
    bed.wall_skip = 100 * HOUR;
    bed_start(false);
    bed_run();
    assert_int_equal(bed_taken("one"), 1);
    assert_int_equal(bed_taken("two"), 1);
    assert_int_equal(bed.count, 2);
    bed_kill();
}

static void after_a_kill_events_come_under_the_same_origin(void **state)
{
    (void)state;
    bed_start(false);
    bed_run();
    bed_stop();
    bed_start(false);
    bed_put("a.json", "one");
    bed_append(bed_path(0, "n", "events.jsonl"), "line\n");
    bed_run();
    char origin[800];
    char line[800];
    strcpy(origin, bed_call("one")->origin);
    strcpy(line, bed_call("line")->origin);
    bed_kill();
    bed_start(false);
    bed_run();
    assert_int_equal(bed_taken("one"), 2);
    assert_string_equal(bed_call("one")->origin, origin);
    assert_string_equal(bed_call("line")->origin, line);
    bed_kill();
}

static void damaged_progress_is_a_first_start(void **state)
{
    (void)state;
    bed_put("a.json", "keep one");
    bed_start(false);
    bed_run();
    bed_stop();
    scratch_put(&bed.tree, TREE_STATE "/progress", "{}\n");
    bed_start(false);
    bed_run();
    assert_int_equal(bed_taken("keep one"), 2);
    assert_int_equal(logged("first_start"), 2);
    bed_kill();
}

static void saved_progress_with_a_line_of_no_sense_is_forgotten_whole(void **state)
{
    (void)state;
    bed_put("a.json", "keep one");
    bed_start(false);
    bed_run();
    bed_stop();
    char text[4096];
    strcpy(text, scratch_get(&bed.tree, TREE_STATE "/progress"));
    char *bad = strstr(text, "\"unfinished\"");
    assert_non_null(bad);
    memcpy(bad, "\"unfinishes\"", 12);
    scratch_put(&bed.tree, TREE_STATE "/progress", text);
    bed_start(false);
    bed_run();
    assert_int_equal(bed_taken("keep one"), 2); /* by the scan, not twice */
    assert_int_equal(files_counts()->unfinished, 1);
    bed_kill();
}

static void progress_that_cannot_be_read_is_no_first_start(void **state)
{
    (void)state;
    static const struct files_ops ops = {.event = NULL};
    struct files_settings settings = {.tree = &bed.tree, .lookback_ms = 1000};
    bed_start(false);
    bed_run();
    bed_stop();
    fault.open_name = "progress";
    fault.open_error = EIO;
    assert_int_equal(files_open(&bed.loop, &settings, &ops, NULL), -1);
    assert_int_equal(errno, EIO);
}

static void nothing_changes_while_nothing_happens(void **state)
{
    (void)state;
    bed_put("a.json", "one");
    bed_append(bed_path(0, "n", "events.jsonl"), "line\n");
    bed_start(false);
    bed_run();
    assert_true(files_changed());
    for (int i = 0; i < 4; i++)
        bed_scan();
    assert_int_equal(files_save(), 0);
    for (int i = 0; i < 20; i++)
        bed_scan();
    assert_false(files_changed());
    assert_int_equal(bed.loop.timer_count, 1);
    int64_t rest = bed.loop.timers[0]->deadline_ms - clock_now().boot_ms;
    assert_true(rest > SCAN_PERIOD_MS - 1000); /* three wake-ups a minute */
    bed_kill();
}

/* ---- Unfinished events ---- */

static void unfinished_events_outlive_a_restart_once(void **state)
{
    (void)state;
    bed_put("a.json", "keep one");
    bed_put("b.json", "keep two");
    bed_append(bed_path(0, "n", "events.jsonl"), "keep line\nother\n");
    bed_start(false);
    bed_run();
    files_finished(bed_call("keep two")->ref);
    assert_int_equal(files_counts()->unfinished, 2);
    assert_true(files_unfinished());
    struct bed_call one = *bed_call("keep one");
    struct bed_call line = *bed_call("keep line");
    for (int i = 2; i < 5; i++) {
        bed_stop();
        bed.boot_skip += i == 3 ? 100 * HOUR : 0; /* out of the window by then */
        bed.wall_skip += i == 3 ? 100 * HOUR : 0;
        bed_start(false);
        bed_run();
        assert_int_equal(bed_taken("keep one"), i);
        assert_int_equal(bed_taken("keep line"), i);
        assert_string_equal(bed_call("keep one")->origin, one.origin);
        assert_string_equal(bed_call("keep line")->origin, line.origin);
        assert_int_equal(bed_call("keep one")->arrived_ms, one.arrived_ms);
        assert_int_equal(bed_call("keep line")->arrived_ms, line.arrived_ms);
    }
    files_finished(bed_call("keep one")->ref);
    files_finished(bed_call("keep line")->ref);
    assert_false(files_unfinished());
    nothing_more_is_taken();
    assert_int_equal(bed_taken("keep two"), 1);
    assert_int_equal(bed_taken("other"), 1);
    bed_kill();
}

static void they_are_offered_before_anything_new(void **state)
{
    (void)state;
    char name[32];
    unsigned total = SCAN_SLICE_ENTRIES + 50;
    for (unsigned i = 0; i < total; i++) {
        (void)snprintf(name, sizeof(name), "e%04u.json", i);
        bed_put(name, "keep one");
    }
    bed_start(false);
    bed_run();
    bed_stop();
    bed_put("a.json", "new");
    bed_put("z.json", "new");
    unsigned count = bed.count;
    bed_start(false);
    assert_true(files_reading());
    bed_run();
    for (unsigned i = 0; i < total; i++)
        assert_string_equal(bed.calls[count + i].text, "keep one");
    assert_int_equal(bed_taken("new"), 2);
    bed_kill();
}

static void a_stale_end_is_harmless(void **state)
{
    (void)state;
    bed_put("a.json", "keep one");
    bed_start(false);
    bed_run();
    uint32_t ref = bed_call("keep one")->ref;
    files_finished(ref);
    bed_put("b.json", "keep two");
    bed_run();
    files_finished(ref);
    files_finished(UINT32_MAX);
    files_finished(0);
    assert_int_equal(files_counts()->unfinished, 1);
    bed_kill();
}

static void an_event_that_ends_within_its_offering(void **state)
{
    (void)state;
    bed_put("a.json", "done one");
    bed_append(bed_path(0, "n", "events.jsonl"), "done line\n");
    bed_start(false);
    bed_run();
    assert_int_equal(files_counts()->unfinished, 0);
    assert_false(files_unfinished());
    nothing_more_is_taken();
    bed_kill();
}

static void the_file_of_an_unfinished_event_is_gone(void **state)
{
    (void)state;
    bed_put("gone.json", "keep gone");
    bed_put("replaced.json", "keep replaced");
    bed_put("rewritten.json", "keep written");
    bed_put("touched.json", "keep touched");
    bed_start(false);
    bed_run();
    bed_stop();
    bed_tick();
    assert_int_equal(unlink(at(bed_path(0, "n", "gone.json"))), 0);
    bed_put(".new", "keep new one");
    assert_int_equal(rename(at(bed_path(0, "n", ".new")), at(bed_path(0, "n", "replaced.json"))),
                     0);
    bed_put("rewritten.json", "keep another");
    assert_int_equal(chmod(at(bed_path(0, "n", "touched.json")), 0600), 0);
    bed_start(false);
    bed_run();
    assert_int_equal(logged("event_gone"), 3);
    assert_int_equal(bed_taken("keep gone"), 1);
    assert_int_equal(bed_taken("keep replaced"), 1);
    assert_int_equal(bed_taken("keep new one"), 1);
    assert_int_equal(bed_taken("keep written"), 1);
    assert_int_equal(bed_taken("keep another"), 1);
    assert_int_equal(bed_taken("keep touched"), 2); /* the same bytes */
    assert_int_equal(files_counts()->unfinished, 3);
    bed_kill();
}

static void an_unfinished_event_that_cannot_be_read_now_is_kept(void **state)
{
    (void)state;
    bed_put("a.json", "keep one");
    bed_start(false);
    bed_run();
    bed_stop();
    fault.open_name = "a.json";
    fault.open_error = EIO;
    bed_start(false);
    bed_run();
    assert_int_equal(bed_taken("keep one"), 1);
    assert_int_equal(files_counts()->error, EIO);
    assert_true(files_unfinished());
    restart();
    fault.open_name = NULL;
    bed_scan();
    assert_int_equal(bed_taken("keep one"), 2);
    bed_kill();
}

/* ---- No slot ---- */

static void what_finds_no_slot_is_offered_again_when_there_is_room(void **state)
{
    (void)state;
    bed_put("a.json", "full one");
    bed_put("b.json", "end");
    bed_start(false);
    bed_run();
    assert_int_equal(bed_offered("full one"), 1);
    assert_true(files_unfinished());
    bed.slots = 1;
    files_retry();
    bed_pass(RETRY_SCAN_MS);
    assert_int_equal(bed_taken("full one"), 1);
    assert_int_equal(bed_taken("end"), 1);
    nothing_more_is_taken();
    bed_kill();
}

static void without_a_call_the_next_scan_offers_it(void **state)
{
    (void)state;
    bed_put("a.json", "full one");
    bed_start(false);
    bed_run();
    bed.slots = 1;
    bed_scan();
    assert_int_equal(bed_taken("full one"), 1);
    bed_kill();
}

static void what_finds_no_slot_is_not_lost_by_a_restart(void **state)
{
    (void)state;
    scratch_dirs(&bed.tree, bed_path(0, "n", "."));
    bed_start(false);
    bed_run();
    bed_put("a.json", "full one");
    bed_append(bed_path(0, "n", "events.jsonl"), "full line\nafter\n");
    bed_run();
    for (int i = 0; i < 20; i++) {
        char name[] = "n0.json";
        name[1] = (char)('a' + i);
        bed_tick();
        bed_put(name, "new");
        bed_run();
        bed_scan();
    }
    restart();
    assert_int_equal(bed_taken("new"), 20);
    assert_int_equal(bed_taken("after"), 0);
    bed.slots = 2;
    bed_scan();
    assert_int_equal(bed_taken("full one"), 1);
    assert_int_equal(bed_taken("full line"), 1);
    assert_int_equal(bed_taken("after"), 1);
    assert_int_equal(bed_taken("new"), 20);
    bed_kill();
}

static void asking_for_room_again_and_again_does_not_spin(void **state)
{
    (void)state;
    bed_put("a.json", "full one");
    bed_append(bed_path(0, "n", "events.jsonl"), "full line\n");
    bed_start(false);
    bed_run();
    unsigned count = bed.count;
    for (int i = 0; i < 200; i++) {
        files_retry();
        assert_int_equal(loop_turn(&bed.loop, 0), 0);
        assert_false(files_reading());
    }
    assert_int_equal(bed.count, count);
    bed_pass(RETRY_SCAN_MS);
    assert_int_equal(bed.count, count + 2); /* one scan, not more */
    bed_kill();
}

static void nothing_is_offered_again_where_nothing_was_left(void **state)
{
    (void)state;
    bed_put("a.json", "one");
    bed_start(false);
    bed_run();
    uint64_t scans = files_counts()->scans;
    files_retry();
    bed_pass(2 * RETRY_SCAN_MS);
    assert_int_equal(files_counts()->scans, scans);
    bed_kill();
}

static void more_events_than_slots_and_refs(void **state)
{
    (void)state;
    char name[32];
    char text[32];
    unsigned total = 1500;
    for (unsigned i = 0; i < total; i++) {
        (void)snprintf(name, sizeof(name), "e%04u.json", i);
        (void)snprintf(text, sizeof(text), "full %04u", i);
        bed_put(name, text);
    }
    bed.slots = UINT32_MAX;
    bed_start(false);
    bed_run();
    assert_int_equal(files_counts()->unfinished, FILE_REFS_MAX); /* the planner would take more */
    for (int round = 0; round < 3; round++) {
        restart();
        unsigned count = bed.count;
        for (unsigned i = 0; i < count; i++)
            if (bed.calls[i].took == FILES_KEPT && i % 2 == 0)
                files_finished(bed.calls[i].ref);
        bed_scan();
    }
    for (unsigned i = 0; i < total; i++) {
        (void)snprintf(text, sizeof(text), "full %04u", i);
        assert_true(bed_taken(text) >= 1);
    }
    bed_kill();
}

/* The directory of an old day is not listed again for its ctime once the mark is past it. */
static void what_is_left_in_an_old_directory_is_offered_again(void **state)
{
    (void)state;
    const char *path = bed_path(-30, "n", "a.json");
    scratch_put(&bed.tree, path, "");
    bed_start(false);
    bed_run();
    bed_pass(SETTLE_MS); /* the empty file is over */
    for (int i = 0; i < 3; i++) {
        bed_tick();
        bed_put("b.json", i % 2 == 0 ? "new" : "now");
        bed_scan();
    }
    bed_pass(HOUR);
    scratch_put(&bed.tree, path, "full one"); /* in place, long after it was made */
    bed_run();
    assert_int_equal(bed_offered("full one"), 1);
    for (int i = 0; i < 3; i++) {
        bed_tick();
        bed_put("b.json", i % 2 == 0 ? "new" : "now");
        bed_scan();
    }
    bed.slots = 1;
    restart();
    bed_scan();
    assert_int_equal(bed_taken("full one"), 1);
    bed_kill();
}

/* ---- Unsure ---- */

static void a_half_file_is_complete_when_it_does_not_change(void **state)
{
    (void)state;
    bed_start(false);
    bed_run();
    bed_put("a.json", "half");
    bed_run();
    assert_int_equal(bed_offered("half"), 1);
    assert_false(bed_call("half")->complete);
    assert_true(files_unfinished());
    bed_pass(SETTLE_MS - 1000);
    assert_int_equal(bed_offered("half"), 1);
    bed_pass(1000);
    assert_int_equal(bed_offered("half"), 2);
    assert_true(bed_call("half")->complete);
    assert_false(files_unfinished());
    nothing_more_is_taken();
    bed_kill();
}

static void a_half_file_that_grows_is_offered_again(void **state)
{
    (void)state;
    bed_start(false);
    bed_run();
    bed_put("a.json", "half");
    bed_run();
    uint32_t ref = bed_call("half")->ref;
    bed_pass(SETTLE_MS - 1000);
    bed_tick();
    bed_append(bed_path(0, "n", "a.json"), " of it");
    bed_run();
    assert_int_equal(bed_offered("half of it"), 1);
    assert_false(bed_call("half of it")->complete);
    bed_pass(SETTLE_MS - 1000); /* its time begins anew */
    assert_int_equal(bed_offered("half of it"), 1);
    bed_put("a.json", "keep all");
    bed_run();
    assert_int_equal(bed_taken("keep all"), 1);
    assert_int_equal(bed_call("keep all")->ref, ref); /* it was one all the time */
    bed_pass(2 * SETTLE_MS);
    assert_int_equal(files_counts()->unfinished, 1);
    nothing_more_is_taken();
    bed_kill();
}

/* By a writer that keeps it open, on a file system without inotify. */
static void a_half_file_that_grew_unseen_is_not_complete(void **state)
{
    (void)state;
    fault.init_error = EMFILE;
    bed_put("a.json", "half");
    bed_start(false);
    bed_run();
    bed_tick();
    bed_append(bed_path(0, "n", "a.json"), " more");
    bed_pass(SETTLE_MS);
    assert_false(bed_call("half more")->complete);
    bed_pass(SETTLE_MS);
    assert_true(bed_call("half more")->complete);
    bed_kill();
}

static void a_half_file_that_vanishes_is_forgotten(void **state)
{
    (void)state;
    bed_put("a.json", "half");
    bed_start(false);
    bed_run();
    assert_int_equal(unlink(at(bed_path(0, "n", "a.json"))), 0);
    bed_pass(SETTLE_MS);
    assert_false(files_unfinished());
    assert_int_equal(logged("event_gone"), 1);
    bed_kill();
}

static void a_half_file_that_is_replaced_is_forgotten(void **state)
{
    (void)state;
    bed_put("a.json", "half");
    bed_start(false);
    bed_run();
    bed_put(".new", "whole");
    assert_int_equal(rename(at(bed_path(0, "n", ".new")), at(bed_path(0, "n", "a.json"))), 0);
    bed_run();
    bed_pass(SETTLE_MS);
    assert_int_equal(bed_taken("whole"), 1);
    assert_int_equal(logged("event_gone"), 1);
    nothing_more_is_taken();
    bed_kill();
}

static void a_half_file_that_then_finds_no_slot(void **state)
{
    (void)state;
    bed_put("a.json", "half");
    bed_start(false);
    bed_run();
    bed_tick();
    bed_put("a.json", "full one");
    for (int i = 0; i < 100; i++)
        assert_int_equal(loop_turn(&bed.loop, 1), 0);
    assert_false(files_reading());
    assert_int_equal(bed_offered("full one"), 1);
    restart();
    bed.slots = 1;
    files_retry();
    bed_pass(RETRY_SCAN_MS);
    assert_int_equal(bed_taken("full one"), 1);
    nothing_more_is_taken();
    bed_kill();
}

static void a_half_file_outlives_a_restart(void **state)
{
    (void)state;
    bed_put("a.json", "half");
    bed_start(false);
    bed_run();
    bed_stop();
    bed_tick();
    bed_put("a.json", "whole");
    bed.boot_skip = 10 * HOUR;
    bed.wall_skip = 10 * HOUR;
    bed_start(false);
    bed_run();
    assert_int_equal(bed_taken("whole"), 1);
    nothing_more_is_taken();
    bed_kill();
}

/* ---- Once ---- */

static void once_reads_all_and_settles_at_the_end(void **state)
{
    (void)state;
    bed_put("a.json", "one");
    bed_put("b.json", "half");
    bed_append(bed_path(0, "n", "events.jsonl"), "line\nhalf line");
    bed_start(true);
    while (files_reading())
        assert_int_equal(loop_turn(&bed.loop, 0), 0);
    assert_int_equal(bed.loop.watch_count, 0);
    assert_int_equal(bed.loop.timer_count, 0);
    assert_int_equal(bed_taken("one"), 1);
    assert_int_equal(bed_taken("line"), 1);
    assert_true(files_unfinished());
    assert_true(files_settle_all());
    assert_int_equal(bed_taken("half"), 1);
    assert_int_equal(bed_taken("half line"), 1);
    assert_false(files_unfinished());
    assert_false(files_settle_all());
    bed_stop();
}

static void once_a_retry_reads_again_at_once(void **state)
{
    (void)state;
    bed_put("a.json", "full one");
    bed_start(true);
    while (files_reading())
        assert_int_equal(loop_turn(&bed.loop, 0), 0);
    assert_true(files_unfinished());
    bed.slots = 1;
    files_retry();
    assert_true(files_reading());
    while (files_reading())
        assert_int_equal(loop_turn(&bed.loop, 0), 0);
    assert_int_equal(bed_taken("full one"), 1);
    bed_stop();
}

/* ---- What is no event ---- */

static void what_is_no_regular_file_is_refused_once(void **state)
{
    (void)state;
    scratch_put(&bed.tree, "outside", "trap");
    scratch_dirs(&bed.tree, bed_path(0, "n", "dir.json"));
    assert_int_equal(symlink(at("outside"), at(bed_path(0, "n", "link.json"))), 0);
    assert_int_equal(symlink("nowhere", at(bed_path(0, "n", "events.jsonl"))), 0);
    assert_int_equal(mkfifo(at(bed_path(0, "n", "fifo.json")), 0600), 0);
    bed_start(false);
    bed_run();
    assert_int_equal(symlink(at("outside"), at(bed_path(0, "n", "later.json"))), 0);
    bed_run();
    static const char *const names[] = {"dir.json", "link.json", "events.jsonl", "fifo.json",
                                        "later.json"};
    for (int i = 0; i < 3; i++) {
        for (size_t n = 0; n < COUNT(names); n++)
            assert_int_equal(bed_refused("irregular", names[n]), 1);
        assert_int_equal(bed.refused_count, COUNT(names));
        bed_tick();
        scratch_put(&bed.tree, bed_path(0, "n", "dir.json/x"), "changes its ctime");
        bed_scan();
        if (i == 1)
            restart();
    }
    assert_int_equal(bed.count, 0);
    bed_kill();
}

static void what_is_too_large_is_refused_once(void **state)
{
    (void)state;
    static char text[EVENT_BYTES_MAX + 2];
    memset(text, 'x', EVENT_BYTES_MAX + 1);
    bed_put("large.json", text);
    text[EVENT_BYTES_MAX] = '\0';
    bed_put("largest.json", text);
    bed_start(false);
    bed_run();
    assert_int_equal(bed.count, 1);
    assert_int_equal(bed_refused("too_large", "/large.json"), 1);
    nothing_more_is_taken();
    assert_int_equal(bed.refused_count, 1);
    bed_kill();
}

static void what_may_not_be_read_is_refused_until_its_ctime_changes(void **state)
{
    (void)state;
    fault.open_name = "a.json";
    fault.open_error = EACCES;
    bed_put("a.json", "one");
    bed_put("b.json", "two");
    bed_start(false);
    bed_run();
    assert_int_equal(bed_taken("two"), 1);
    assert_int_equal(bed_refused("unreadable", "a.json"), 1);
    assert_false(files_unfinished());
    nothing_more_is_taken();
    assert_int_equal(bed.refused_count, 1);
    fault.open_name = NULL;
    bed_tick();
    assert_int_equal(chmod(at(bed_path(0, "n", "a.json")), 0600), 0);
    bed_scan();
    assert_int_equal(bed_taken("one"), 1);
    bed_kill();
}

/* ---- Faults ---- */

static void what_fails_to_be_read_is_tried_again_and_holds_nothing_up(void **state)
{
    static const int errors[] = {EIO, EMFILE, ENOMEM, ESTALE};

    for (size_t i = 0; i < COUNT(errors); i++) {
        if (i > 0) {
            tear_down(state);
            set_up(state);
        }
        fault.open_name = "a.json";
        fault.open_error = errors[i];
        bed_put("a.json", "one");
        bed_start(false);
        bed_run();
        for (int n = 0; n < 10; n++) {
            bed_tick();
            bed_put("b.json", n % 2 == 0 ? "two" : "six");
            bed_scan();
        }
        assert_int_equal(bed_taken("two"), 5);
        assert_int_equal(bed_taken("six"), 5);
        assert_int_equal(bed.refused_count, 0);
        assert_int_equal(files_counts()->error, errors[i]);
        assert_int_equal(logged("events_unreadable"), 1);
        assert_true(files_unfinished());
        restart();
        assert_int_equal(files_counts()->error, errors[i]);
        fault.open_name = NULL;
        bed_scan();
        assert_int_equal(bed_taken("one"), 1);
        assert_int_equal(files_counts()->error, 0);
        nothing_more_is_taken();
        bed_kill();
    }
}

static void a_fault_while_reading_is_a_fault_too(void **state)
{
    (void)state;
    bed_put("a.json", "one");
    fault.pread_error = EIO;
    bed_start(false);
    bed_run();
    assert_int_equal(bed.count, 0);
    assert_int_equal(bed.refused_count, 0);
    fault.pread_error = 0;
    bed_scan();
    assert_int_equal(bed_taken("one"), 1);
    nothing_more_is_taken();
    bed_kill();
}

static void a_file_that_cannot_be_looked_at_is_found_later(void **state)
{
    (void)state;
    fault.stat_name = "a.json";
    fault.stat_error = EIO;
    bed_put("a.json", "one");
    bed_start(false);
    bed_run();
    for (int i = 0; i < 3; i++) {
        bed_tick();
        scratch_put(&bed.tree, bed_path(0, "m", "b.json"), i % 2 == 0 ? "more" : "less");
        bed_scan();
    }
    assert_int_equal(files_counts()->error, EIO);
    assert_true(files_unfinished());
    restart();
    assert_int_equal(bed_taken("one"), 0);
    fault.stat_name = NULL;
    bed_scan();
    assert_int_equal(bed_taken("one"), 1);
    assert_false(files_unfinished());
    nothing_more_is_taken();
    bed_kill();
}

static ino_t inode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(at(path), &st), 0);
    return st.st_ino;
}

static void put_more(int i)
{
    char name[] = "x0.json";

    name[1] = (char)('0' + i);
    bed_tick();
    scratch_put(&bed.tree, bed_path(0, "m", name), "more");
}

/* The node's, or the day's, or events/ itself. What is reported meanwhile moves the mark on. */
static void a_directory_that_cannot_be_read_is_read_later(void **state)
{
    static const char *const parts[] = {"n", ".", ".."};
    static const int errors[] = {EIO, EACCES};

    for (size_t i = 0; i < COUNT(parts) * COUNT(errors); i++) {
        if (i > 0) {
            tear_down(state);
            set_up(state);
        }
        bed_put("a.json", "one");
        put_more(9);
        bed_start(false);
        bed_run();
        usleep(1100000); /* past what of the first is saved as seen */
        bed_tick();
        fault.swallow = true;
        bed_put("b.json", "two");
        bed_run();
        fault.swallow = false;
        fault.getdents_inode = inode_of(bed_path(0, parts[i % 3], ""));
        fault.getdents_error = errors[i / 3];
        for (int n = 0; n < 5; n++) {
            put_more(n);
            bed_scan();
        }
        assert_int_equal(bed_taken("more"), 6);
        assert_int_equal(bed_taken("two"), 0);
        assert_int_equal(files_counts()->error, errors[i / 3]);
        if (i % 3 < 2)
            assert_true(files_unfinished());
        bed_pass(2 * HOUR);
        restart();
        assert_int_equal(bed_taken("two"), 0);
        fault.getdents_inode = 0;
        bed_scan();
        assert_int_equal(bed_taken("two"), 1);
        assert_int_equal(bed_taken("one"), 1);
        assert_int_equal(bed_taken("more"), 6);
        assert_int_equal(files_counts()->error, 0);
        assert_false(files_unfinished());
        nothing_more_is_taken();
        bed_kill();
    }
}

/* What was passed over stays so. */
static void a_day_that_could_not_be_read_does_not_come_back_as_new(void **state)
{
    (void)state;
    bed_put("a.json", "old");
    bed.wall_skip = HOUR;
    bed_start(false);
    bed_run();
    for (int i = 0; i < 2; i++) {
        fault.getdents_inode = inode_of(bed_path(0, i == 0 ? "." : "n", ""));
        fault.getdents_error = EIO;
        bed_scan();
        bed_scan();
        assert_int_equal(files_counts()->error, EIO);
        fault.getdents_inode = 0;
        bed_scan();
        bed_scan();
        assert_int_equal(files_counts()->error, 0);
    }
    assert_int_equal(bed.count, 0);
    nothing_more_is_taken();
    bed_kill();
}

/* ---- Directories ---- */

static void directories_appear_later(void **state)
{
    (void)state;
    bed_start(false);
    bed_run();
    scratch_put(&bed.tree, bed_path(0, "n", "a.json"), "day");
    bed_run();
    assert_int_equal(bed_taken("day"), 1);
    scratch_put(&bed.tree, bed_path(0, "m", "a.json"), "node");
    bed_run();
    assert_int_equal(bed_taken("node"), 1);
    scratch_put(&bed.tree, bed_path(1, "n", "a.json"), "tomorrow");
    bed_run();
    assert_int_equal(bed_taken("tomorrow"), 1);
    scratch_put(&bed.tree, bed_path(-3000, "n", "a.json"), "long ago");
    bed_run();
    assert_int_equal(bed_taken("long ago"), 1);
    scratch_put(&bed.tree, bed_path(-3000, "n", "b.json"), "there again");
    bed_run();
    assert_int_equal(bed_taken("there again"), 1);
    assert_int_equal(bed.count, 5);
    nothing_more_is_taken();
    bed_kill();
}

static void a_days_directory_that_appears_at_midnight(void **state)
{
    (void)state;
    bed_put("a.json", "today");
    bed_start(false);
    bed_run();
    int64_t to_midnight = 24 * HOUR - clock_now().wall_ms % (24 * HOUR);
    bed_pass(to_midnight + 1000);
    scratch_put(&bed.tree, bed_path(1, "n", "a.json"), "tomorrow");
    bed_run();
    assert_int_equal(bed_taken("tomorrow"), 1);
    scratch_put(&bed.tree, bed_path(0, "n", "late.json"), "late");
    bed_run();
    assert_int_equal(bed_taken("late"), 1);
    assert_int_equal(bed.count, 3);
    nothing_more_is_taken();
    bed_kill();
}

/* All its files are older than any mark. By inotify, by scan, and while nobody was there. */
static void all_in_a_directory_that_is_new_counts(void **state)
{
    for (int way = 0; way < 3; way++) {
        if (way > 0) {
            tear_down(state);
            set_up(state);
        }
        fault.init_error = way == 1 ? EMFILE : 0;
        scratch_put(&bed.tree, "outside/a.json", "one");
        scratch_put(&bed.tree, "outside/events.jsonl", "line\n");
        scratch_put(&bed.tree, "day/n/a.json", "in a day");
        bed_put("b.json", "old");
        bed.wall_skip = HOUR;
        bed_start(false);
        bed_run();
        for (int i = 0; i < 3; i++)
            bed_scan();
        assert_int_equal(bed.count, 0);
        if (way == 2)
            bed_stop();
        scratch_dirs(&bed.tree, bed_path(0, ".", ""));
        char to[1024];
        strcpy(to, at(bed_path(0, "moved", "")));
        to[strlen(to) - 1] = '\0';
        assert_int_equal(rename(at("outside"), to), 0);
        strcpy(to, at("events/2023-03-03"));
        assert_int_equal(rename(at("day"), to), 0);
        if (way == 2)
            bed_start(false);
        bed_run();
        if (way == 1)
            bed_scan();
        assert_int_equal(bed_taken("one"), 1);
        assert_int_equal(bed_taken("line"), 1);
        assert_int_equal(bed_taken("in a day"), 1);
        assert_int_equal(bed_taken("old"), 0);
        nothing_more_is_taken();
        bed_kill();
    }
}

static void a_directory_that_was_only_renamed_is_not_new(void **state)
{
    (void)state;
    bed_put("a.json", "one");
    bed_start(false);
    bed_run();
    bed_pass(2 * HOUR);
    bed_put("b.json", "two");
    for (int i = 0; i < 3; i++)
        bed_scan();
    char to[1024];
    strcpy(to, at(bed_path(0, "renamed", "")));
    to[strlen(to) - 1] = '\0';
    char from[1024];
    strcpy(from, at(bed_path(0, "n", "")));
    from[strlen(from) - 1] = '\0';
    (void)unlink(at(bed_path(0, "renamed", "")));
    assert_int_equal(rename(from, to), 0);
    bed_run();
    nothing_more_is_taken();
    assert_int_equal(bed.count, 2);
    scratch_put(&bed.tree, bed_path(0, "renamed", "c.json"), "three");
    bed_run(); /* it is watched under its new name */
    assert_int_equal(bed_taken("three"), 1);
    assert_non_null(strstr(bed_call("three")->origin, "/renamed/"));
    bed_kill();
}

/* What was left in it makes it new again, and what was taken in it is not taken again. */
static void a_new_directory_of_which_something_was_left(void **state)
{
    (void)state;
    scratch_put(&bed.tree, "outside/a.json", "full one");
    scratch_put(&bed.tree, "outside/b.json", "two");
    bed_put("b.json", "old");
    bed.wall_skip = HOUR;
    bed_start(false);
    bed_run();
    char to[1024];
    strcpy(to, at(bed_path(0, "moved", "")));
    to[strlen(to) - 1] = '\0';
    assert_int_equal(rename(at("outside"), to), 0);
    bed_run();
    assert_int_equal(bed_offered("full one"), 1);
    for (int i = 0; i < 10; i++) {
        bed_put("b.json", i % 2 == 0 ? "new" : "now");
        bed_tick();
        bed_pass(HOUR / 4);
        if (i == 5)
            restart();
    }
    bed.slots = 1;
    bed_scan();
    assert_int_equal(bed_taken("full one"), 1);
    assert_int_equal(bed_taken("two"), 1);
    assert_int_equal(bed_taken("old"), 0);
    nothing_more_is_taken();
    bed_kill();
}

static void events_itself_goes_and_comes(void **state)
{
    (void)state;
    bed_put("a.json", "one");
    bed_start(false);
    bed_run();
    char day[64];
    strcpy(day, bed_day(0));
    assert_int_equal(rename(at("events"), at("away")), 0);
    bed_run();
    assert_int_equal(files_counts()->error, ENOENT);
    bed_scan();
    bed_scan();
    assert_int_equal(mkdir(at("events"), 0755), 0);
    bed_run();
    bed_put("b.json", "two");
    bed_run();
    assert_int_equal(bed_taken("two"), 1);
    bed_pass(2 * HOUR);
    /* The first one comes back (a disk is mounted): its history does not. */
    assert_int_equal(rename(at("events"), at("other")), 0);
    assert_int_equal(rename(at("away"), at("events")), 0);
    bed_run();
    bed_put("c.json", "three");
    bed_run();
    assert_int_equal(bed_taken("one"), 1);
    assert_int_equal(bed_taken("two"), 1);
    assert_int_equal(bed_taken("three"), 1);
    assert_int_equal(files_counts()->error, 0);
    nothing_more_is_taken();
    bed_kill();
}

static void no_symlink_is_followed(void **state)
{
    (void)state;
    scratch_put(&bed.tree, "outside/n/a.json", "trap");
    scratch_put(&bed.tree, "outside/n/events.jsonl", "trap\n");
    scratch_dirs(&bed.tree, bed_path(0, "m", "."));
    char link[1024];
    strcpy(link, at(bed_path(0, "n", "")));
    link[strlen(link) - 1] = '\0';
    assert_int_equal(symlink(at("outside/n"), link), 0);
    assert_int_equal(symlink(at("outside"), at("events/2026-01-01")), 0);
    bed_start(false);
    bed_run();
    assert_int_equal(symlink(at("outside"), at("events/2026-01-02")), 0);
    bed_run();
    bed_append("outside/n/events.jsonl", "trap\n");
    scratch_put(&bed.tree, "outside/n/b.json", "trap");
    bed_run();
    bed_scan();
    assert_int_equal(bed.count, 0);
    bed_kill();
}

/* A node's directory is replaced by a symlink while it is watched. */
static void a_directory_that_becomes_a_symlink_is_not_followed(void **state)
{
    (void)state;
    bed_put("a.json", "one");
    scratch_put(&bed.tree, "outside/a.json", "trap");
    bed_start(false);
    bed_run();
    char node[1024];
    strcpy(node, at(bed_path(0, "n", "")));
    node[strlen(node) - 1] = '\0';
    assert_int_equal(rename(node, at("away")), 0);
    assert_int_equal(symlink(at("outside"), node), 0);
    scratch_put(&bed.tree, "away/a.json", "trap");
    bed_run();
    bed_scan();
    assert_int_equal(bed_taken("trap"), 0);
    bed_kill();
}

static void a_file_that_vanishes_before_it_is_read(void **state)
{
    (void)state;
    bed_put("a.json", "one");
    fault.open_name = "a.json";
    fault.open_error = ENOENT;
    bed_start(false);
    bed_run();
    assert_int_equal(bed.count, 0);
    assert_int_equal(bed.refused_count, 0);
    assert_int_equal(files_counts()->error, 0);
    assert_int_equal(logged("event_gone"), 1);
    assert_false(files_unfinished());
    bed_kill();
}

/* ---- inotify ---- */

static void without_inotify_scans_find_everything(void **state)
{
    (void)state;
    fault.init_error = EMFILE;
    bed_start(false);
    bed_run();
    assert_int_equal(bed.loop.watch_count, 0);
    bed_put("a.json", "one");
    bed_append(bed_path(0, "n", "events.jsonl"), "line\n");
    bed_run();
    assert_int_equal(bed.count, 0);
    bed_scan();
    assert_int_equal(bed_taken("one"), 1);
    assert_int_equal(bed_taken("line"), 1);
    assert_int_equal(logged("inotify_unavailable"), 1);
    nothing_more_is_taken();
    bed_kill();
}

static void the_limit_of_watches_is_told_once(void **state)
{
    (void)state;
    fault.add_error = ENOSPC;
    bed_start(false);
    bed_run();
    for (int i = 0; i < 3; i++) {
        bed_put("a.json", i % 2 == 0 ? "new" : "now");
        bed_tick();
        bed_scan();
    }
    assert_int_equal(bed_taken("new") + bed_taken("now"), 3);
    assert_int_equal(logged("watch_limit"), 1);
    assert_int_equal(files_counts()->watched, 0);
    fault.add_error = 0;
    bed_scan();
    assert_int_equal(files_counts()->watched, 3); /* events/, the day, the node */
    bed_kill();
}

static void lost_reports_make_a_scan(void **state)
{
    (void)state;
    bed_start(false);
    bed_run();
    bed_put("a.json", "one");
    bed_run();
    fault.overflow = true;
    bed_put("b.json", "two");
    bed_run();
    assert_int_equal(bed_taken("two"), 1);
    assert_int_equal(logged("inotify_overflow"), 1);
    assert_false(files_counts()->overflowed); /* the scan is over */
    nothing_more_is_taken();
    bed_kill();
}

/* The newest days are watched first, the directory itself always. */
static void more_directories_than_watches(void **state)
{
    (void)state;
    char node[16];
    held_ms = 0; /* a scan of so many takes its time, and so does the pause after it */
    for (int i = 0; i < WATCHES_MAX + 50; i++) {
        (void)snprintf(node, sizeof(node), "node%d", i);
        scratch_dirs(&bed.tree, bed_path(-40 - i / 50, node, "."));
    }
    scratch_dirs(&bed.tree, bed_path(0, "n", "."));
    bed_start(false);
    bed_run();
    bed_scan();
    assert_int_equal(files_counts()->watched, WATCHES_MAX);
    bed_put("a.json", "today");
    bed_run();
    assert_int_equal(bed_taken("today"), 1);
    scratch_put(&bed.tree, bed_path(0, "m", "a.json"), "a new node");
    bed_pass(SCAN_PERIOD_MS / 2);
    assert_int_equal(bed_taken("a new node"), 1);
    scratch_put(&bed.tree, bed_path(1, "m", "a.json"), "a new day");
    bed_pass(SCAN_PERIOD_MS / 2);
    assert_int_equal(bed_taken("a new day"), 1);
    scratch_put(&bed.tree, bed_path(-40 - WATCHES_MAX / 50, "x", "a.json"), "an old one");
    bed_scan();
    assert_int_equal(bed_taken("an old one"), 1);
    assert_int_equal(files_counts()->watched, WATCHES_MAX);
    bed_kill();
}

/* ---- The clock ---- */

static void the_clock_is_set_while_running(void **state)
{
    static const int64_t by[] = {-HOUR / 2, -60000, 60000, HOUR, 1000 * HOUR};

    fault.init_error = EMFILE;
    for (size_t i = 0; i < COUNT(by); i++) {
        if (i > 0) {
            tear_down(state);
            set_up(state);
            fault.init_error = EMFILE;
        }
        bed.wall_skip = -by[i]; /* so that it is the file system's after it was set */
        bed_start(false);
        bed_put("a.json", "one");
        bed_scan();
        bed_tick();
        bed_put("b.json", "two");
        bed.wall_skip += by[i];
        bed_put("c.json", "three");
        bed_scan();
        assert_int_equal(bed_taken("one"), 1);
        assert_int_equal(bed_taken("two"), 1);
        assert_int_equal(bed_taken("three"), 1);
        nothing_more_is_taken();
        bed_kill();
    }
}

/* ---- Many ---- */

static void many_files_are_read_in_slices(void **state)
{
    (void)state;
    char name[32];
    unsigned total = 4000;
    for (unsigned i = 0; i < total; i++) {
        (void)snprintf(name, sizeof(name), "e%05u.json", i);
        bed_put(name, "one");
    }
    bed_start(false);
    unsigned turns = 0;
    for (; files_reading(); turns++) {
        unsigned before = bed.count;
        assert_int_equal(loop_turn(&bed.loop, 0), 0);
        assert_true(bed.count - before <= SCAN_SLICE_ENTRIES);
    }
    assert_true(turns >= total / SCAN_SLICE_ENTRIES);
    assert_int_equal(bed_taken("one"), total);
    assert_false(files_unfinished());
    nothing_more_is_taken();
    bed_kill();
}

/* A writer in the middle of every slice. */
static void files_made_while_a_scan_is_in_hand(void **state)
{
    (void)state;
    char name[32];
    unsigned made = 0;
    fault.init_error = EMFILE;
    for (; made < 1000; made++) {
        (void)snprintf(name, sizeof(name), "e%05u.json", made);
        bed_put(name, "one");
    }
    bed_start(false);
    while (files_reading()) {
        assert_int_equal(loop_turn(&bed.loop, 0), 0);
        for (int i = 0; i < 50 && made < 3000; i++, made++) {
            (void)snprintf(name, sizeof(name), "e%05u.json", made);
            bed_put(name, "one");
        }
    }
    bed_scan();
    assert_int_equal(bed_taken("one"), made);
    nothing_more_is_taken();
    bed_kill();
}

/* ---- Replay ---- */

static struct {
    unsigned count;
    char texts[16][32];
    char origins[16][1024];
    unsigned refused;
} replayed;

static enum files_took replay_event(void *ctx, const struct files_event *event)
{
    assert_ptr_equal(ctx, &replayed);
    assert_true(event->complete);
    assert_true(event->ref == UINT32_MAX);
    assert_true(replayed.count < 16);
    span_cut(replayed.texts[replayed.count], sizeof(replayed.texts[0]), event->bytes);
    assert_int_equal(span_copy(replayed.origins[replayed.count], 1024, event->origin), 0);
    replayed.count++;
    return FILES_ENDED;
}

static void replay_refused(void *ctx, struct span origin, const char *reason)
{
    (void)ctx;
    assert_true(origin.n > 0 && reason[0] != '\0');
    replayed.refused++;
}

static bool was_replayed(const char *text)
{
    for (unsigned i = 0; i < replayed.count; i++)
        if (strcmp(replayed.texts[i], text) == 0)
            return true;
    return false;
}

static void replay_reads_files_logs_and_directories(void **state)
{
    (void)state;
    static const struct files_ops ops = {.event = replay_event, .refused = replay_refused};
    bed_put("a.json", "one");
    bed_append(bed_path(0, "n", "events.jsonl"), "line\r\n\n  \nlast");
    bed_append(bed_path(0, "n", "events.jsonl.1"), "rotated\n");
    scratch_put(&bed.tree, bed_path(-9, "m", "b.json"), "two");
    scratch_put(&bed.tree, bed_path(-9, "m", ".c.json"), "hidden");
    assert_int_equal(symlink(at(bed_path(0, "n", "a.json")), at(bed_path(0, "n", "l.json"))), 0);
    memset(&replayed, 0, sizeof(replayed));
    assert_int_equal(files_replay(at("events"), &ops, &replayed), 0);
    assert_int_equal(replayed.count, 5);
    assert_int_equal(replayed.refused, 1);
    static const char *const texts[] = {"one", "line", "last", "rotated", "two"};
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_true(was_replayed(texts[i]));
    memset(&replayed, 0, sizeof(replayed));
    assert_int_equal(files_replay(at(bed_path(0, "n", "l.json")), &ops, &replayed), 0);
    assert_int_equal(replayed.count, 1); /* what is named is read, wherever it is */
    assert_string_equal(replayed.origins[0], at(bed_path(0, "n", "l.json")));
    memset(&replayed, 0, sizeof(replayed));
    assert_int_equal(files_replay(at("nowhere"), &ops, &replayed), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(mkfifo(at("fifo"), 0600), 0);
    assert_int_equal(files_replay(at("fifo"), &ops, &replayed), 0);
    assert_int_equal(replayed.refused, 1);
}

static void replay_of_a_line_that_is_too_long(void **state)
{
    (void)state;
    static const struct files_ops ops = {.event = replay_event, .refused = replay_refused};
    static char text[200001];
    memset(text, 'x', 200000);
    bed_append("events.jsonl", "first\n");
    bed_append("events.jsonl", text);
    bed_append("events.jsonl", "\nlast\n");
    memset(&replayed, 0, sizeof(replayed));
    assert_int_equal(files_replay(at("events.jsonl"), &ops, &replayed), 0);
    assert_int_equal(replayed.count, 2);
    assert_int_equal(replayed.refused, 1);
    scratch_put(&bed.tree, "large.json", text);
    assert_int_equal(files_replay(at("large.json"), &ops, &replayed), 0);
    assert_int_equal(replayed.count, 2);
    assert_int_equal(replayed.refused, 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_that_is_written_is_taken_once),
        TEST(a_file_that_appears_by_rename_is_taken_once),
        TEST(a_hard_link_is_taken_once),
        TEST(a_writer_that_links_and_unlinks_is_taken_once),
        TEST(a_writer_that_sets_mode_and_times_last_is_taken_once),
        TEST(a_file_of_today_that_is_rewritten_is_found_by_a_scan),
        TEST(a_writer_that_has_only_begun_is_waited_for),
        TEST(old_mtimes_as_from_rsync_do_not_matter),
        TEST(a_name_used_again_is_another_event),
        TEST(names_of_other_files_are_left_alone),
        TEST(hostile_names_are_names),
        TEST(what_an_event_says_of_itself),
        TEST(a_first_start_counts_what_it_passes_over),
        TEST(a_start_takes_what_came_while_nobody_was_there),
        TEST(after_a_kill_events_come_under_the_same_origin),
        TEST(damaged_progress_is_a_first_start),
        TEST(saved_progress_with_a_line_of_no_sense_is_forgotten_whole),
        TEST(progress_that_cannot_be_read_is_no_first_start),
        TEST(nothing_changes_while_nothing_happens),
        TEST(unfinished_events_outlive_a_restart_once),
        TEST(they_are_offered_before_anything_new),
        TEST(a_stale_end_is_harmless),
        TEST(an_event_that_ends_within_its_offering),
        TEST(the_file_of_an_unfinished_event_is_gone),
        TEST(an_unfinished_event_that_cannot_be_read_now_is_kept),
        TEST(what_finds_no_slot_is_offered_again_when_there_is_room),
        TEST(without_a_call_the_next_scan_offers_it),
        TEST(what_finds_no_slot_is_not_lost_by_a_restart),
        TEST(asking_for_room_again_and_again_does_not_spin),
        TEST(nothing_is_offered_again_where_nothing_was_left),
        TEST(more_events_than_slots_and_refs),
        TEST(what_is_left_in_an_old_directory_is_offered_again),
        TEST(a_half_file_is_complete_when_it_does_not_change),
        TEST(a_half_file_that_grows_is_offered_again),
        TEST(a_half_file_that_grew_unseen_is_not_complete),
        TEST(a_half_file_that_vanishes_is_forgotten),
        TEST(a_half_file_that_then_finds_no_slot),
        TEST(a_half_file_that_is_replaced_is_forgotten),
        TEST(a_half_file_outlives_a_restart),
        TEST(once_reads_all_and_settles_at_the_end),
        TEST(once_a_retry_reads_again_at_once),
        TEST(what_is_no_regular_file_is_refused_once),
        TEST(what_is_too_large_is_refused_once),
        TEST(what_may_not_be_read_is_refused_until_its_ctime_changes),
        TEST(what_fails_to_be_read_is_tried_again_and_holds_nothing_up),
        TEST(a_fault_while_reading_is_a_fault_too),
        TEST(a_file_that_cannot_be_looked_at_is_found_later),
        TEST(a_directory_that_cannot_be_read_is_read_later),
        TEST(a_day_that_could_not_be_read_does_not_come_back_as_new),
        TEST(directories_appear_later),
        TEST(a_days_directory_that_appears_at_midnight),
        TEST(all_in_a_directory_that_is_new_counts),
        TEST(a_directory_that_was_only_renamed_is_not_new),
        TEST(a_new_directory_of_which_something_was_left),
        TEST(events_itself_goes_and_comes),
        TEST(no_symlink_is_followed),
        TEST(a_directory_that_becomes_a_symlink_is_not_followed),
        TEST(a_file_that_vanishes_before_it_is_read),
        TEST(without_inotify_scans_find_everything),
        TEST(the_limit_of_watches_is_told_once),
        TEST(lost_reports_make_a_scan),
        TEST(more_directories_than_watches),
        TEST(the_clock_is_set_while_running),
        TEST(many_files_are_read_in_slices),
        TEST(files_made_while_a_scan_is_in_hand),
        TEST(replay_reads_files_logs_and_directories),
        TEST(replay_of_a_line_that_is_too_long),
    };
    return cmocka_run_group_tests_name("source files", tests, NULL, NULL);
}
