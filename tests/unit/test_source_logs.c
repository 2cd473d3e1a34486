/* events.jsonl: lines, and every way in which logs are rotated. */
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
    int pread_error;
    int init_error;
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

/* ---- Set-up ---- */

static char live[64];
static char rotated[64];

static int set_up(void **state)
{
    (void)state;
    memset(&fault, 0, sizeof(fault));
    held_ms = read_ms(CLOCK_BOOTTIME);
    bed_open();
    strcpy(live, bed_path(0, "n", "events.jsonl"));
    strcpy(rotated, bed_path(0, "n", "events.jsonl.1"));
    int fd = open(scratch_path(&bed.tree, "log"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    log_init(LOG_DEBUG, LOG_JSON);
    log_to(fd);
    return 0;
}

static int set_up_without_inotify(void **state)
{
    (void)set_up(state);
    fault.init_error = EMFILE;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_to(-1);
    bed_close();
    return 0;
}

static bool logged(const char *event)
{
    const char *text = scratch_get(&bed.tree, "log");

    assert_non_null(text);
    return strstr(text, event) != NULL;
}

static const char *at(const char *path)
{
    return scratch_path(&bed.tree, path);
}

static void add(const char *text)
{
    bed_append(live, text);
}

static void rotate(void)
{
    assert_int_equal(rename(at(live), at(rotated)), 0);
}

static void copy(void)
{
    scratch_put(&bed.tree, rotated, scratch_get(&bed.tree, live));
}

static void cut(void)
{
    assert_int_equal(truncate(at(live), 0), 0);
}

static void restart(void)
{
    bed_stop();
    bed_start(false);
    bed_run();
}

static void all_taken_once(unsigned lines)
{
    assert_int_equal(bed.count, lines);
    for (unsigned i = 0; i < bed.count; i++)
        assert_int_equal(bed_taken(bed.calls[i].text), 1);
}

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
    assert_int_equal(bed.refused_count, 0);
}

/* ---- Lines ---- */

static void a_log_that_grows_is_read_from_where_it_ended(void **state)
{
    (void)state;
    char line[32];
    bed_start(false);
    bed_run();
    for (int i = 0; i < 20; i++) {
        (void)snprintf(line, sizeof(line), "line %d\n", i);
        add(line);
        if (i % 7 == 0)
            restart();
        else
            bed_run();
        assert_int_equal(bed.count, i + 1);
    }
    all_taken_once(20);
    nothing_more_is_taken();
    bed_kill();
}

static void a_writer_that_keeps_it_open(void **state)
{
    (void)state;
    add("first\n");
    bed_start(false);
    bed_run();
    int fd = open(at(live), O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_true(fd >= 0);
    for (int i = 0; i < 5; i++) {
        char line[] = "line 0\n";
        line[5] = (char)('0' + i);
        assert_int_equal(write(fd, line, 7), 7);
        bed_run();
        assert_int_equal(bed.count, i + 2);
    }
    assert_int_equal(close(fd), 0);
    all_taken_once(6);
    nothing_more_is_taken();
    bed_kill();
}

static void what_a_line_says_of_itself(void **state)
{
    (void)state;
    struct stat st;
    char origin[128];
    add("first\nsecond\n");
    bed_start(false);
    bed_run();
    assert_int_equal(stat(at(live), &st), 0);
    (void)snprintf(origin, sizeof(origin), "%s/n/events.jsonl:%llu:6", bed_day(0),
                   (unsigned long long)st.st_ino);
    assert_string_equal(bed_call("second")->origin, origin);
    assert_true(bed_call("second")->complete);
    assert_int_equal(bed_call("second")->arrived_ms,
                     st.st_ctim.tv_sec * 1000 + st.st_ctim.tv_nsec / 1000000);
    bed_kill();
}

static void blank_lines_and_crlf(void **state)
{
    (void)state;
    add("\n\r\none\r\n \t\n\n\ntwo\r\n");
    bed_start(false);
    bed_run();
    assert_int_equal(bed_taken("one"), 1);
    assert_int_equal(bed_taken("two"), 1);
    all_taken_once(2);
    nothing_more_is_taken();
    bed_kill();
}

static char *line_of(size_t n, char c)
{
    static char text[3 * EVENT_BYTES_MAX + 4];

    assert_true(n < sizeof(text));
    memset(text, c, n);
    text[n] = '\0';
    return text;
}

static void lines_of_every_length_around_a_buffers(void **state)
{
    (void)state;
    static const size_t lengths[] = {1,     63,    64,    65,    255,   256,
                                     257,   4095,  4096,  32768, 65533, 65534,
                                     65535, 65536, 65537, 65538, 65539, 131072};
    unsigned lines = 0;
    unsigned too_long = 0;
    bed_start(false);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        for (int crlf = 0; crlf < 2; crlf++) {
            add("before\n");
            add(line_of(lengths[i], 'x'));
            add(crlf ? "\r\nafter\n" : "\nafter\n");
            bed_run();
            lines += lengths[i] <= EVENT_BYTES_MAX ? 3 : 2;
            too_long += lengths[i] > EVENT_BYTES_MAX;
            assert_int_equal(bed.count, lines);
            assert_int_equal(bed.refused_count, too_long);
            assert_string_equal(bed.calls[bed.count - 1].text, "after");
        }
    }
    assert_int_equal(bed_refused("too_large", "/events.jsonl"), too_long);
    bed_kill();
}

static void a_line_that_is_too_long_comes_in_parts(void **state)
{
    (void)state;
    bed_start(false);
    add("first\n");
    for (int i = 0; i < 4; i++) {
        add(i == 0 ? "half" : "");
        add(line_of(50000, 'x'));
        bed_run();
        if (i == 2)
            restart();
        bed_pass(2 * SETTLE_MS);
    }
    add("\nlast\n");
    bed_run();
    assert_int_equal(bed_taken("first"), 1);
    assert_int_equal(bed_taken("last"), 1);
    assert_int_equal(bed_refused("too_large", "/events.jsonl"), 1);
    /* Its first part was a line without an end: offered, then again as it is and as complete. */
    assert_int_equal(bed.count, 5);
    bed_kill();
}

static void many_lines_are_read_in_slices(void **state)
{
    (void)state;
    static char text[5000 * 12];
    size_t n = 0;
    for (int i = 0; i < 5000; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "line %d\n", i);
    add(text);
    bed_start(false);
    unsigned turns = 0;
    for (; files_reading(); turns++) {
        unsigned before = bed.count;
        assert_int_equal(loop_turn(&bed.loop, 0), 0);
        assert_true(bed.count - before <= SCAN_SLICE_ENTRIES);
    }
    assert_int_equal(bed.count, 5000);
    assert_true(turns >= 5000 / SCAN_SLICE_ENTRIES);
    for (unsigned i = 0; i < bed.count; i++) {
        (void)snprintf(text, sizeof(text), "line %u", i);
        assert_string_equal(bed.calls[i].text, text);
    }
    nothing_more_is_taken();
    bed_kill();
}

static void a_line_without_a_slot_stops_its_log_there(void **state)
{
    (void)state;
    add("one\nfull two\nthree\n");
    scratch_put(&bed.tree, bed_path(0, "m", "events.jsonl"), "other\n");
    bed_start(false);
    bed_run();
    assert_int_equal(bed_taken("one"), 1);
    assert_int_equal(bed_taken("other"), 1);
    assert_int_equal(bed_offered("three"), 0);
    assert_true(files_unfinished());
    for (int i = 0; i < 3; i++)
        bed_scan();
    assert_int_equal(bed_taken("one"), 1);
    assert_int_equal(bed_offered("three"), 0);
    bed.slots = 1;
    files_retry();
    bed_pass(RETRY_SCAN_MS);
    assert_int_equal(bed_taken("full two"), 1);
    assert_int_equal(bed_taken("three"), 1);
    nothing_more_is_taken();
    bed_kill();
}

static void offers_in_vain_use_nothing_up(void **state)
{
    (void)state;
    add("full one\n");
    bed_start(false);
    bed_run();
    for (int i = 0; i < FILE_REFS_MAX + 10; i++) {
        bed.boot_skip += 2 * RETRY_SCAN_MS;
        files_retry();
        for (int turn = 0; turn < 2; turn++)
            assert_int_equal(loop_turn(&bed.loop, 1), 0);
    }
    assert_true(bed.count > FILE_REFS_MAX);
    bed.slots = 1;
    bed_scan();
    assert_int_equal(bed_taken("full one"), 1);
    bed_kill();
}

/* ---- The last line ---- */

static void a_last_line_that_is_whole_needs_no_end(void **state)
{
    (void)state;
    add("one\nkeep two");
    bed_start(false);
    bed_run();
    assert_int_equal(bed_taken("keep two"), 1);
    assert_false(bed_call("keep two")->complete);
    add("\nthree\n");
    bed_run();
    all_taken_once(3);
    nothing_more_is_taken();
    bed_kill();
}

static void a_last_line_waits_for_its_end(void **state)
{
    (void)state;
    bed_start(false);
    bed_run();
    add("one\nhalf");
    bed_run();
    assert_int_equal(bed_offered("half"), 1);
    assert_true(files_unfinished());
    bed_tick();
    add(" a");
    bed_run();
    add(" line\nnext\n");
    bed_run();
    assert_int_equal(bed_taken("half a line"), 1); /* with its end it is complete */
    assert_int_equal(bed_taken("next"), 1);
    assert_int_equal(bed_taken("half"), 0);
    bed_pass(2 * SETTLE_MS);
    assert_int_equal(bed_taken("half a line"), 1);
    assert_false(files_unfinished());
    nothing_more_is_taken();
    bed_kill();
}

static void a_last_line_that_stays_as_it_is_is_complete(void **state)
{
    (void)state;
    add("one\nhalf");
    bed_start(false);
    bed_run();
    bed_pass(SETTLE_MS - 1000);
    assert_int_equal(bed_taken("half"), 0);
    bed_pass(1000);
    assert_int_equal(bed_taken("half"), 1); /* and refused by the taker */
    assert_false(files_unfinished());
    nothing_more_is_taken();
    /* It gets its rest at last: the line is another one. */
    add(" more\nnext\n");
    bed_run();
    assert_int_equal(bed_taken("half more"), 1);
    assert_int_equal(bed_taken("next"), 1);
    assert_int_equal(bed_taken("half"), 1);
    bed_kill();
}

static void a_last_line_grows_slowly(void **state)
{
    (void)state;
    fault.init_error = EMFILE;
    add("half");
    bed_start(false);
    bed_run();
    for (int i = 0; i < 5; i++) {
        bed_tick();
        add("x");
        bed_pass(SETTLE_MS); /* it has changed by then, each time */
    }
    assert_int_equal(bed_taken("half"), 0);
    assert_int_equal(bed_taken("halfxxxx"), 0);
    add("\n");
    bed_pass(SETTLE_MS);
    assert_int_equal(bed_taken("halfxxxxx"), 1);
    nothing_more_is_taken();
    bed_kill();
}

static void blanks_at_the_end_are_no_line(void **state)
{
    (void)state;
    add("one\n  ");
    bed_start(false);
    bed_run();
    bed_pass(2 * SETTLE_MS);
    assert_int_equal(bed.count, 1);
    assert_false(files_unfinished());
    add("two\n");
    bed_run();
    assert_int_equal(bed_taken("  two"), 1);
    bed_kill();
}

/* ---- Rotation: with inotify, by scans, across a restart ---- */

enum way { BY_INOTIFY, BY_SCAN, BY_RESTART, WAYS };

/* Long enough to tell a log from another. */
#define FIRST "the first line of a log has a time in it"

static void begin(void **state, enum way way)
{
    if (way > 0) {
        (void)tear_down(state);
        (void)set_up(state);
    }
    fault.init_error = way == BY_SCAN ? EMFILE : 0;
    add(FIRST "\n");
    bed_start(false);
    bed_run();
    if (way == BY_RESTART)
        bed_stop();
}

static void notice(enum way way)
{
    if (way == BY_RESTART)
        bed_start(false);
    bed_run();
    bed_scan();
    bed_scan(); /* a copy has to stay the same for a while */
}

static void rotated_by_rename(void **state)
{
    for (enum way way = 0; way < WAYS; way++) {
        begin(state, way);
        add("two\nhalf");
        rotate();
        add("three\n");
        notice(way);
        assert_int_equal(bed_taken(FIRST), 1);
        assert_int_equal(bed_taken("two"), 1);
        assert_int_equal(bed_taken("half"), 1);
        assert_int_equal(bed_taken("three"), 1);
        assert_non_null(strstr(bed_call("two")->origin, "/events.jsonl:")); /* by either name */
        bed_append(rotated, " a line\n"); /* by a writer that still has it open */
        bed_run();
        bed_scan();
        assert_int_equal(bed_taken("half a line"), 1);
        nothing_more_is_taken();
        bed_kill();
    }
}

static void rotated_many_times(void **state)
{
    for (enum way way = 0; way < WAYS; way++) {
        begin(state, way);
        for (int i = 0; i < 4; i++) {
            char line[] = "line 0\n";
            char from[80];
            char to[80];
            line[5] = (char)('0' + i);
            for (int n = 8; n > 0; n--) {
                (void)snprintf(from, sizeof(from), "%s.%d", live, n);
                (void)snprintf(to, sizeof(to), "%s.%d", live, n + 1);
                (void)rename(at(from), at(to));
            }
            rotate();
            add(line);
        }
        notice(way);
        all_taken_once(5);
        nothing_more_is_taken();
        bed_kill();
    }
}

static void rotated_by_copy_and_truncate(void **state)
{
    for (enum way way = 0; way < WAYS; way++) {
        begin(state, way);
        add("two\n"); /* nobody saw it before it was copied */
        copy();
        cut();
        add("three\n");
        notice(way);
        all_taken_once(3);
        nothing_more_is_taken();
        bed_kill();
    }
}

static void truncated_and_grown_beyond_what_it_was(void **state)
{
    for (enum way way = 0; way < WAYS; way++) {
        begin(state, way);
        add("two\n");
        copy();
        cut();
        add("three and something\nfour and something\n");
        notice(way);
        all_taken_once(4);
        nothing_more_is_taken();
        bed_kill();
    }
}

static void copied_but_not_truncated(void **state)
{
    for (enum way way = 0; way < WAYS; way++) {
        begin(state, way);
        add("two\n");
        copy();
        add("three\n");
        notice(way);
        all_taken_once(3);
        nothing_more_is_taken();
        bed_kill();
    }
}

/* The copy grows while we look. */
static void a_copy_that_takes_its_time(void **state)
{
    (void)state;
    add(FIRST "\ntwo\nthree\n");
    bed_start(false);
    bed_run();
    scratch_put(&bed.tree, rotated, FIRST "\n");
    bed_run();
    bed_pass(SETTLE_MS - 1000);
    bed_append(rotated, "two\nth");
    bed_pass(SETTLE_MS - 1000);
    bed_append(rotated, "ree\n");
    bed_pass(SETTLE_MS - 1000);
    cut();
    add("four\n");
    bed_pass(SETTLE_MS);
    bed_scan();
    all_taken_once(4);
    nothing_more_is_taken();
    bed_kill();
}

static void a_copy_that_was_cut_short(void **state)
{
    (void)state;
    add(FIRST "\ntwo\nthree\n");
    bed_start(false);
    bed_run();
    scratch_put(&bed.tree, rotated, FIRST "\ntwo\n");
    cut();
    bed_run();
    bed_scan();
    bed_scan();
    all_taken_once(3);
    nothing_more_is_taken();
    bed_kill();
}

static void removed_and_made_anew(void **state)
{
    for (enum way way = 0; way < WAYS; way++) {
        begin(state, way);
        assert_int_equal(unlink(at(live)), 0);
        add("two\n"); /* perhaps with the same inode */
        notice(way);
        all_taken_once(2);
        nothing_more_is_taken();
        bed_kill();
    }
}

static void rotated_before_anybody_looked(void **state)
{
    (void)state;
    bed_start(false);
    bed_run();
    bed_stop();
    add("one\n");
    rotate();
    add("two\n");
    bed_start(false);
    bed_run();
    bed_pass(SETTLE_MS);
    all_taken_once(2);
    nothing_more_is_taken();
    bed_kill();
}

/* All logs of this writer begin with the same line. */
static void what_only_begins_like_another_is_no_copy(void **state)
{
    (void)state;
    add(FIRST "\ntwo\n");
    bed_start(false);
    bed_run();
    bed_stop();
    assert_int_equal(rename(at(live), at(bed_path(0, "n", "events.jsonl.2"))), 0);
    add(FIRST "\nthree and four\n");
    rotate();
    add("five\n");
    bed_start(false);
    bed_run();
    bed_scan();
    bed_scan();
    assert_int_equal(bed_taken("two"), 1);
    assert_int_equal(bed_taken("three and four"), 1);
    assert_int_equal(bed_taken("five"), 1);
    assert_int_equal(bed_taken(FIRST), 2);
    nothing_more_is_taken();
    bed_kill();
}

static void rotated_and_compressed_is_left_alone(void **state)
{
    (void)state;
    bed_start(false);
    bed_run();
    bed_append(bed_path(0, "n", "events.jsonl.2.gz"), "\x1f\x8b\n");
    bed_append(bed_path(0, "n", "events.jsonl.bak"), "no\n");
    bed_run();
    bed_scan();
    bed_scan();
    assert_int_equal(bed.count, 0);
    bed_kill();
}

static void once_a_copy_is_known_at_once(void **state)
{
    (void)state;
    for (int run = 0; run < 3; run++) {
        if (run == 0) {
            add("one\n");
        } else if (run == 1) {
            add("two\n");
            copy();
            cut();
            add("three\n");
        }
        bed_start(true);
        while (files_reading())
            assert_int_equal(loop_turn(&bed.loop, 0), 0);
        assert_false(files_settle_all());
        assert_false(files_unfinished());
        bed_stop();
        all_taken_once(run == 0 ? 1 : 3);
    }
}

static void a_log_that_is_gone_is_forgotten(void **state)
{
    (void)state;
    add("one\n");
    bed_start(false);
    bed_run();
    assert_int_equal(unlink(at(live)), 0);
    for (int i = 0; i < 3; i++)
        bed_scan();
    bed_stop();
    assert_null(strstr(scratch_get(&bed.tree, TREE_STATE "/progress"), "events.jsonl"));
}

/* ---- Unfinished lines ---- */

static void unfinished_lines_outlive_rotations(void **state)
{
    for (int how = 0; how < 4; how++) {
        if (how > 0) {
            (void)tear_down(state);
            (void)set_up(state);
        }
        add("one\nkeep two\r\n");
        bed_start(false);
        bed_run();
        char origin[800];
        strcpy(origin, bed_call("keep two")->origin);
        bed_stop();
        if (how == 0 || how == 3)
            rotate();
        if (how == 3)
            assert_int_equal(unlink(at(rotated)), 0);
        if (how == 1)
            copy();
        if (how == 1)
            cut();
        add("three\n");
        if (how == 2) {
            rotate();
            assert_int_equal(unlink(at(rotated)), 0);
        }
        bed_start(false);
        bed_run();
        bed_scan();
        bed_scan();
        assert_int_equal(bed_taken("keep two"), how >= 2 ? 1 : 2);
        assert_string_equal(bed_call("keep two")->origin, origin);
        assert_int_equal(bed_taken("one"), 1);
        assert_int_equal(bed_taken("three"), how == 2 ? 0 : 1);
        assert_int_equal(logged("event_gone"), how >= 2);
        assert_int_equal(bed.count, how < 2 ? 4 : how);
        nothing_more_is_taken();
        bed_kill();
    }
}

static void an_unfinished_line_that_cannot_be_read_now_is_kept(void **state)
{
    (void)state;
    add("keep one\n");
    bed_start(false);
    bed_run();
    bed_stop();
    fault.open_name = "events.jsonl";
    fault.open_error = EIO;
    bed_start(false);
    bed_run();
    assert_int_equal(bed_taken("keep one"), 1);
    assert_int_equal(files_counts()->error, EIO);
    restart();
    fault.open_name = NULL;
    bed_scan();
    assert_int_equal(bed_taken("keep one"), 2);
    assert_false(logged("event_gone"));
    bed_kill();
}

/* ---- Starts ---- */

static void a_first_start_offers_lines_with_a_floor(void **state)
{
    (void)state;
    add("one\n");
    int64_t before_ms = clock_now().wall_ms;
    bed_start(false);
    int64_t after_ms = clock_now().wall_ms;
    bed_run();
    int64_t floor_ms = bed_call("one")->floor_ms;
    assert_in_range(floor_ms, before_ms - 15 * 60000, after_ms - 15 * 60000);
    add("two\n");
    bed_run();
    assert_int_equal(bed_call("two")->floor_ms, 0);
    scratch_put(&bed.tree, bed_path(0, "m", "events.jsonl"), "three\n");
    bed_run();
    assert_int_equal(bed_call("three")->floor_ms, 0);
    bed_kill();
}

static void the_floor_outlives_a_wait_for_a_slot(void **state)
{
    (void)state;
    add("full one\nold two\n");
    bed_start(false);
    bed_run();
    int64_t floor_ms = bed_call("full one")->floor_ms;
    assert_true(floor_ms > 0);
    restart();
    bed.slots = 1;
    bed_scan();
    assert_int_equal(bed_call("full one")->floor_ms, floor_ms);
    assert_int_equal(bed_call("old two")->floor_ms, floor_ms);
    add("three\n");
    bed_run();
    assert_int_equal(bed_call("three")->floor_ms, 0);
    bed_kill();
}

static void a_log_that_was_passed_over_in_the_middle_of_a_line(void **state)
{
    (void)state;
    add("one\ntw");
    bed.wall_skip = HOUR;
    bed_start(false);
    bed_run();
    assert_int_equal(files_counts()->passed_over, 1);
    add("o\nthree\n");
    bed_run();
    assert_int_equal(bed_taken("three"), 1);
    all_taken_once(1);
    nothing_more_is_taken();
    bed_kill();
}

static void a_log_of_an_old_day_that_grows_is_read(void **state)
{
    (void)state;
    char old[64];
    strcpy(old, bed_path(-50, "n", "events.jsonl"));
    bed_append(old, "one\n");
    bed_start(false);
    bed_run();
    bed_stop();
    fault.init_error = EMFILE;
    bed_start(false);
    bed_pass(10 * HOUR);
    bed_append(old, "two\n"); /* its directory does not change */
    bed_scan();
    all_taken_once(2);
    nothing_more_is_taken();
    bed_kill();
}

/* ---- Faults ---- */

static void a_log_that_may_not_be_read_is_refused_once(void **state)
{
    (void)state;
    fault.open_name = "events.jsonl";
    fault.open_error = EACCES;
    add("one\n");
    bed_start(false);
    bed_run();
    for (int i = 0; i < 3; i++) {
        add("more\n");
        bed_scan();
        bed_pass(HOUR);
    }
    restart();
    assert_int_equal(bed_refused("unreadable", "/events.jsonl"), 1);
    assert_int_equal(bed.refused_count, 1);
    fault.open_name = NULL;
    bed_tick();
    assert_int_equal(chmod(at(live), 0600), 0);
    bed_scan();
    assert_int_equal(bed_taken("one"), 1);
    assert_int_equal(bed_taken("more"), 3);
    bed_kill();
}

static void a_log_that_fails_to_be_read_is_read_later(void **state)
{
    static const int errors[] = {EIO, EMFILE, ESTALE, ENOMEM};

    for (size_t i = 0; i < 2 * COUNT(errors); i++) {
        if (i > 0) {
            (void)tear_down(state);
            (void)set_up(state);
        }
        add("one\n");
        bed_start(false);
        bed_run();
        fault.open_name = i % 2 == 0 ? "events.jsonl" : NULL;
        fault.open_error = errors[i / 2];
        fault.pread_error = i % 2 == 1 ? errors[i / 2] : 0;
        add("two\n");
        bed_run();
        bed_scan();
        assert_int_equal(bed_taken("two"), 0);
        assert_int_equal(bed.refused_count, 0);
        assert_int_equal(files_counts()->error, errors[i / 2]);
        assert_true(files_unfinished());
        fault.open_name = NULL;
        fault.pread_error = 0;
        bed_scan();
        all_taken_once(2);
        assert_int_equal(files_counts()->error, 0);
        nothing_more_is_taken();
        bed_kill();
    }
}

/* One day's logs more than can be followed: what was forgotten and grows is not read from its
 * start. */
static void more_logs_than_are_followed(void **state)
{
    (void)state;
    char node[16];
    char line[32];
    unsigned total = LOGS_MAX + 40;
    for (unsigned i = 0; i < total; i++) {
        (void)snprintf(node, sizeof(node), "n%u", i);
        (void)snprintf(line, sizeof(line), "line %u\n", i);
        bed_append(bed_path(-(int)(i / 20), node, "events.jsonl"), line);
    }
    bed_start(false);
    bed_run();
    bed_scan();
    bed_scan();
    assert_int_equal(bed.count, total);
    for (unsigned i = 0; i < total; i++) {
        (void)snprintf(line, sizeof(line), "line %u", i);
        assert_int_equal(bed_taken(line), 1);
    }
    (void)snprintf(node, sizeof(node), "n%u", total - 1);
    bed_append(bed_path(-(int)((total - 1) / 20), node, "events.jsonl"), "new\n");
    bed_run();
    bed_scan();
    assert_int_equal(bed_taken("new"), 1);
    (void)snprintf(line, sizeof(line), "line %u", total - 1);
    /* Which logs of the oldest days had to go depends on the order of the directory. */
    if (bed_offered(line) == 2) {
        assert_true(bed_call(line)->floor_ms > 0);
        assert_int_equal(bed_call("new")->floor_ms, bed_call(line)->floor_ms);
    } else {
        assert_int_equal(bed_offered(line), 1);
        assert_int_equal(bed_call("new")->floor_ms, 0); /* behind what was there */
    }
    bed_kill();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_log_that_grows_is_read_from_where_it_ended),
        TEST(a_writer_that_keeps_it_open),
        TEST(what_a_line_says_of_itself),
        TEST(blank_lines_and_crlf),
        TEST(lines_of_every_length_around_a_buffers),
        TEST(a_line_that_is_too_long_comes_in_parts),
        TEST(many_lines_are_read_in_slices),
        TEST(a_line_without_a_slot_stops_its_log_there),
        TEST(a_last_line_that_is_whole_needs_no_end),
        TEST(a_last_line_waits_for_its_end),
        TEST(a_last_line_that_stays_as_it_is_is_complete),
        cmocka_unit_test_setup_teardown(a_last_line_grows_slowly, set_up_without_inotify,
                                        tear_down),
        TEST(blanks_at_the_end_are_no_line),
        TEST(rotated_by_rename),
        TEST(rotated_many_times),
        TEST(rotated_by_copy_and_truncate),
        TEST(truncated_and_grown_beyond_what_it_was),
        TEST(copied_but_not_truncated),
        TEST(a_copy_that_takes_its_time),
        TEST(a_copy_that_was_cut_short),
        TEST(removed_and_made_anew),
        TEST(rotated_before_anybody_looked),
        TEST(what_only_begins_like_another_is_no_copy),
        TEST(rotated_and_compressed_is_left_alone),
        TEST(offers_in_vain_use_nothing_up),
        TEST(once_a_copy_is_known_at_once),
        TEST(a_log_that_is_gone_is_forgotten),
        TEST(unfinished_lines_outlive_rotations),
        TEST(an_unfinished_line_that_cannot_be_read_now_is_kept),
        TEST(a_first_start_offers_lines_with_a_floor),
        TEST(the_floor_outlives_a_wait_for_a_slot),
        TEST(a_log_that_was_passed_over_in_the_middle_of_a_line),
        TEST(a_log_of_an_old_day_that_grows_is_read),
        TEST(a_log_that_may_not_be_read_is_refused_once),
        TEST(a_log_that_fails_to_be_read_is_read_later),
        TEST(more_logs_than_are_followed),
    };
    return cmocka_run_group_tests_name("source logs", tests, NULL, NULL);
}
