#include "source_bed.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/timestamp.h"

#include "scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TICK_WAIT_MS 20000

struct bed bed;

static void need(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    abort();
}

/* ---- The taker ---- */

static bool begins(struct span s, const char *text)
{
    return s.n >= strlen(text) && memcmp(s.p, text, strlen(text)) == 0;
}

static enum files_took decide(const struct files_event *event)
{
    if (begins(event->bytes, "keep"))
        return FILES_KEPT;
    if (begins(event->bytes, "half"))
        return event->complete ? FILES_ENDED : FILES_UNSURE;
    if (begins(event->bytes, "done")) {
        files_finished(event->ref);
        return FILES_KEPT;
    }
    if (!begins(event->bytes, "full"))
        return FILES_ENDED;
    if (bed.slots == 0)
        return FILES_NO_SLOT;
    bed.slots--;
    return FILES_KEPT;
}

static enum files_took taken(void *ctx, const struct files_event *event)
{
    need(ctx == &bed, "ctx");
    need(bed.count < sizeof(bed.calls) / sizeof(bed.calls[0]), "too many calls");
    struct bed_call *call = &bed.calls[bed.count++];
    span_cut(call->text, sizeof(call->text), event->bytes);
    need(span_copy(call->origin, sizeof(call->origin), event->origin) == 0, "origin");
    call->took = decide(event);
    call->ref = event->ref;
    call->arrived_ms = event->arrived_ms;
    call->floor_ms = event->floor_ms;
    call->complete = event->complete;
    return call->took;
}

static void refused(void *ctx, struct span origin, const char *reason)
{
    need(ctx == &bed, "ctx");
    need(bed.refused_count < sizeof(bed.refused) / sizeof(bed.refused[0]), "too many refusals");
    char *out = bed.refused[bed.refused_count++];
    int n = snprintf(out, sizeof(bed.refused[0]), "%s %.*s", reason, (int)origin.n, origin.p);
    need(n > 0 && (size_t)n < sizeof(bed.refused[0]), "refusal");
}

/* ---- The source ---- */

void bed_open(void)
{
    const char *failed;

    bed.slots = 0;
    bed.count = 0;
    bed.refused_count = 0;
    bed.boot_skip = 0;
    bed.wall_skip = 0;
    bed.opened_ms = clock_now().wall_ms;
    log_to(-1);
    scratch_open(&bed.tree);
    need(tree_prepare(&bed.tree, &failed) == 0, "tree_prepare");
}

void bed_close(void)
{
    scratch_close(&bed.tree);
}

void bed_start(bool once)
{
    static const struct files_ops ops = {.event = taken, .refused = refused};
    struct files_settings settings = {
        .tree = &bed.tree, .lookback_ms = 15 * 60 * 1000, .once = once};

    loop_init(&bed.loop);
    need(files_open(&bed.loop, &settings, &ops, &bed) == 0, "files_open");
}

void bed_stop(void)
{
    need(files_save() == 0, "files_save");
    files_close();
}

void bed_kill(void)
{
    files_close();
}

void bed_run(void)
{
    for (int quiet = 0; quiet < 4; quiet++) {
        unsigned before = bed.count;
        uint64_t scans = files_counts()->scans;
        need(loop_turn(&bed.loop, 1) == 0, "loop_turn");
        if (files_reading() || bed.count != before || files_counts()->scans != scans)
            quiet = -1;
    }
}

void bed_pass(int64_t ms)
{
    bed.boot_skip += ms;
    bed.wall_skip += ms;
    bed_run();
}

void bed_scan(void)
{
    uint64_t scans = files_counts()->scans;

    while (files_counts()->scans == scans)
        bed_pass(SCAN_PERIOD_MS);
}

static struct timespec stamp(int fd)
{
    struct stat st;

    need(fchmod(fd, 0600) == 0 && fstat(fd, &st) == 0, "tick");
    return st.st_ctim;
}

/* By a file beside the tree, which nobody watches. */
void bed_tick(void)
{
    char path[sizeof(bed.tree.path) + sizeof("-tick")];
    int64_t until_ms = clock_now().wall_ms + TICK_WAIT_MS;

    (void)snprintf(path, sizeof(path), "%s-tick", bed.tree.path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    need(fd >= 0, path);
    struct timespec first = stamp(fd);
    struct timespec now = first;
    while (now.tv_sec == first.tv_sec && now.tv_nsec == first.tv_nsec) {
        need(clock_now().wall_ms < until_ms, "the file system's clock stands still");
        (void)usleep(1000);
        now = stamp(fd);
    }
    need(close(fd) == 0 && unlink(path) == 0, path);
}

/* ---- The tree ---- */

const char *bed_day(int days)
{
    static char text[8][TIMESTAMP_DATE_SIZE];
    static unsigned turn;
    char *out = text[turn++ % 8];

    timestamp_date(out, bed.opened_ms + days * (24 * 3600 * INT64_C(1000)));
    return out;
}

const char *bed_path(int days, const char *node, const char *name)
{
    static char text[8][1024];
    static unsigned turn;
    char *out = text[turn++ % 8];
    int n = snprintf(out, sizeof(text[0]), "events/%s/%s/%s", bed_day(days), node, name);

    need(n > 0 && (size_t)n < sizeof(text[0]), "path");
    return out;
}

void bed_put(const char *name, const char *text)
{
    scratch_put(&bed.tree, bed_path(0, "n", name), text);
}

void bed_append(const char *path, const char *text)
{
    char dir[1024];
    const char *slash = strrchr(path, '/');

    if (slash != NULL) {
        need(span_copy(dir, sizeof(dir), (struct span){path, (size_t)(slash - path)}) == 0, path);
        scratch_dirs(&bed.tree, dir);
    }
    int fd = open(scratch_path(&bed.tree, path), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

    need(fd >= 0, path);
    need(write(fd, text, strlen(text)) == (ssize_t)strlen(text), path);
    need(close(fd) == 0, path);
}

/* ---- What came of it ---- */

unsigned bed_taken(const char *text)
{
    unsigned n = 0;

    for (unsigned i = 0; i < bed.count; i++)
        if (strcmp(bed.calls[i].text, text) == 0 &&
            (bed.calls[i].took == FILES_ENDED || bed.calls[i].took == FILES_KEPT))
            n++;
    return n;
}

unsigned bed_offered(const char *text)
{
    unsigned n = 0;

    for (unsigned i = 0; i < bed.count; i++)
        n += strcmp(bed.calls[i].text, text) == 0;
    return n;
}

const struct bed_call *bed_call(const char *text)
{
    for (unsigned i = bed.count; i-- > 0;)
        if (strcmp(bed.calls[i].text, text) == 0)
            return &bed.calls[i];
    fprintf(stderr, "never offered: %s\n", text);
    abort();
}

unsigned bed_refused(const char *reason, const char *origin_end)
{
    unsigned n = 0;

    for (unsigned i = 0; i < bed.refused_count; i++) {
        const char *text = bed.refused[i];
        size_t all = strlen(text);
        size_t end = strlen(origin_end);
        if (strncmp(text, reason, strlen(reason)) == 0 && all > end &&
            strcmp(text + all - end, origin_end) == 0)
            n++;
    }
    return n;
}
