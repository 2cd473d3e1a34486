#include "store/budget.h"

#include "store/state.h"
#include "store/tree.h"

#include "base/json_read.h"
#include "base/json_write.h"
#include "base/limits.h"
#include "base/timestamp.h"

#include <errno.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define DAY_MS (24 * 3600 * INT64_C(1000))
#define LINE_TOKENS 8

static const char name[] = "paid_calls";

struct count {
    int64_t day_ms; /* the start of the day */
    int64_t calls;
};

/* ---- The file: one line, {"day":"2026-01-01","calls":7} ---- */

static int load_line(void *arg, struct span object)
{
    struct count *count = arg;
    jsmntok_t tokens[LINE_TOKENS];
    struct json doc;
    char day[TIMESTAMP_DATE_SIZE];

    if (json_read(&doc, object.p, object.n, tokens, LINE_TOKENS, 1) != JSON_OK ||
        json_string(&doc, json_member(&doc, JSON_ROOT, "day"), day, sizeof(day)) < 0 ||
        timestamp_parse_date(span_of(day), &count->day_ms) != 0)
        return -1;
    return json_int(&doc, json_member(&doc, JSON_ROOT, "calls"), 0, INT64_MAX, &count->calls);
}

static int save(const struct tree *tree, const struct count *count)
{
    char day[TIMESTAMP_DATE_SIZE];
    char storage[64];
    struct state_out out;
    struct json_write w;
    struct buf b;

    timestamp_date(day, count->day_ms);
    buf_init(&b, storage, sizeof(storage));
    json_write_init(&w, &b);
    json_write_object(&w, NULL);
    json_write_str(&w, "day", day);
    json_write_int(&w, "calls", count->calls);
    json_write_end_object(&w);
    if (state_begin(&out, tree, name) != 0)
        return -1;
    state_line(&out, buf_view(&b));
    return state_save(&out);
}

/* What counts today. A clock that says less than the file did may be one that is not set yet: the
 * file's day goes on, or today goes on with its count where the file's is no day to wait for. */
static struct count of_today(struct count saved, int64_t wall_ms)
{
    int64_t today_ms = wall_ms - wall_ms % DAY_MS;

    if (saved.day_ms < today_ms)
        return (struct count){.day_ms = today_ms};
    if (saved.day_ms > today_ms + DAY_MS && wall_ms >= EVENT_AGE_FLOOR_MS)
        saved.day_ms = today_ms;
    return saved;
}

/* ---- The count ---- */

/* Held for the few milliseconds of a count. -1: errno. */
static int take_lock(const struct tree *tree)
{
    const struct timespec pause = {.tv_nsec = BUDGET_LOCK_PAUSE_MS * 1000000L};
    int dir = tree_open(tree, TREE_STATE);

    for (int tries = 0; dir >= 0 && flock(dir, LOCK_EX | LOCK_NB) != 0; tries++) {
        if (tries == BUDGET_LOCK_TRIES || (errno != EWOULDBLOCK && errno != EINTR)) {
            tree_close(dir);
            return -1;
        }
        (void)nanosleep(&pause, NULL);
    }
    return dir;
}

/* We were killed, or the disk was full, between the two steps for a damaged file. */
static bool was_put_aside(const struct tree *tree)
{
    int dir = tree_open(tree, TREE_STATE);
    bool is_there = dir >= 0 && faccessat(dir, "paid_calls.damaged", F_OK, 0) == 0;

    if (dir >= 0)
        tree_close(dir);
    return is_there;
}

static int spend_all(const struct tree *tree, int64_t wall_ms, struct count *count)
{
    *count = (struct count){.day_ms = wall_ms - wall_ms % DAY_MS, .calls = BUDGET_CALLS_MAX};
    return save(tree, count);
}

/* What is counted on this day. A file that cannot be read back leaves the day without calls, on
 * disk too, since the next load finds nothing in its place. */
static int load(const struct tree *tree, int64_t wall_ms, struct count *count)
{
    struct count saved = {.day_ms = INT64_MIN};

    switch (state_load(tree, name, load_line, &saved)) {
    case STATE_ABSENT:
        if (was_put_aside(tree))
            return spend_all(tree, wall_ms, count);
        *count = of_today(saved, wall_ms);
        return 0;
    case STATE_LOADED:
        *count = of_today(saved, wall_ms);
        return 0;
    case STATE_DAMAGED:
        return spend_all(tree, wall_ms, count);
    case STATE_FAULT:
        break;
    }
    return -1;
}

static enum budget_result take(const struct tree *tree, int64_t limit, int64_t wall_ms,
                               int64_t *made)
{
    struct count count;

    if (load(tree, wall_ms, &count) != 0)
        return BUDGET_FAULT;
    *made = count.calls;
    if (count.calls >= limit)
        return BUDGET_SPENT;
    count.calls++;
    if (save(tree, &count) != 0)
        return BUDGET_FAULT;
    *made = count.calls;
    return BUDGET_TAKEN;
}

enum budget_result budget_take(const struct tree *tree, int64_t limit, int64_t wall_ms,
                               int64_t *made)
{
    *made = 0;
    if (limit <= 0)
        return BUDGET_SPENT;
    int lock = take_lock(tree);
    if (lock < 0)
        return BUDGET_FAULT;
    enum budget_result result = take(tree, limit, wall_ms, made);
    tree_close(lock);
    return result;
}

int64_t budget_made(const struct tree *tree, int64_t wall_ms)
{
    struct count count;

    return load(tree, wall_ms, &count) == 0 ? count.calls : -1;
}
