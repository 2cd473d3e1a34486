/* Lines of saved progress: whatever they say, what is loaded is sound, and is the same once it was
 * saved and loaded again. */
#include "source/progress_save.c"
#include "source/refs.c"
/* Both have it. */
#define load_number journal_load_number
#define load_place journal_load_place
#define load_bool journal_load_bool
#include "source/journal.c"

#include <stdlib.h>

#define LOOKBACK (15 * 60 * INT64_C(1000))
#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct set {
    struct progress progress;
    struct refs refs;
    struct journals journals;
};

static const struct now now = {.boot_ms = 3600000, .wall_ms = INT64_C(1780000000) * 1000};

static void start(struct set *set)
{
    progress_init(&set->progress, LOOKBACK, now);
    refs_init(&set->refs);
    journal_init(&set->journals);
}

static int load(struct set *set, struct span line)
{
    jsmntok_t tokens[64];
    struct json doc;

    if (json_read(&doc, line.p, line.n, tokens, 64, 2) != JSON_OK)
        return -1;
    int result = progress_save_load(&set->progress, &doc);
    if (result == 0)
        result = refs_load(&set->refs, &doc);
    return result != 0 ? result : journal_load(&set->journals, &doc);
}

static void copy(const struct set *from, struct set *to)
{
    struct progress_walk walk = {.from_ms = from->progress.mark_ms};
    char line[PROGRESS_LINE_MAX];
    uint32_t ref = 0;
    uint32_t log = 0;
    struct buf b;

    start(to);
    buf_init(&b, line, sizeof(line));
    while (progress_save_line(&from->progress, &b, &walk) || refs_save(&from->refs, &b, &ref) ||
           journal_save(&from->journals, &b, &log)) {
        REQUIRE(buf_done(&b) == 0);
        REQUIRE(load(to, buf_view(&b)) == 1);
        buf_reset(&b);
    }
}

static void compare(const struct set *a, const struct set *b)
{
    REQUIRE(a->progress.mark_ms == b->progress.mark_ms);
    REQUIRE(a->progress.high_ms == b->progress.high_ms);
    REQUIRE(a->progress.known_from_ms == b->progress.known_from_ms);
    REQUIRE(a->progress.known_to_ms == b->progress.known_to_ms);
    REQUIRE(a->progress.root == b->progress.root);
    REQUIRE(a->progress.first == b->progress.first);
    REQUIRE(a->progress.dirs_complete == b->progress.dirs_complete);
    REQUIRE(a->progress.dirs.count == b->progress.dirs.count);
    for (uint32_t i = 0; i < a->progress.seen.count; i++)
        REQUIRE(a->progress.seen_stamp[i] < progress_seen_from(a->progress.mark_ms) ||
                hashes_has(&b->progress.seen, a->progress.seen_hash[i]));
    REQUIRE(a->refs.top == b->refs.top);
    for (uint32_t i = 0; i < a->refs.top; i++) {
        REQUIRE(a->refs.entries[i].state == b->refs.entries[i].state);
        REQUIRE(strcmp(a->refs.entries[i].place.name, b->refs.entries[i].place.name) == 0);
        REQUIRE(strchr(a->refs.entries[i].place.name, '/') == NULL);
        REQUIRE(a->refs.entries[i].digest == b->refs.entries[i].digest);
    }
    REQUIRE(a->journals.count == b->journals.count);
    for (uint32_t i = 0; i < a->journals.count; i++) {
        REQUIRE(a->journals.entries[i].at.offset == b->journals.entries[i].at.offset);
        REQUIRE(a->journals.entries[i].at.offset >= 0);
        REQUIRE(strcmp(a->journals.entries[i].place.node, b->journals.entries[i].place.node) == 0);
    }
}

/* Scans with it: whatever was loaded, what is made now is taken, in the end. */
static void use(struct progress *p)
{
    struct progress_file file = {.inode = 1};
    struct now then = now;
    bool taken = false;

    for (int i = 0; i < 5; i++) {
        progress_scan_begins(p, LOOKBACK, then);
        file.ctime.tv_sec = (time_t)(then.wall_ms / 1000);
        if (progress_look(p, &file, p->mark_ms, then) == PROGRESS_TAKES) {
            progress_took(p, &file, then);
            taken = true;
        }
        progress_scan_ended(p, true);
        then.boot_ms += SCAN_PERIOD_MS;
        then.wall_ms += SCAN_PERIOD_MS;
    }
    REQUIRE(taken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct set first, second;
    struct span rest = {(const char *)data, size};

    start(&first);
    while (rest.n > 0) {
        /* What was loaded before a line without sense is forgotten. */
        if (load(&first, span_split(&rest, '\n')) < 0)
            start(&first);
    }
    copy(&first, &second);
    compare(&first, &second);
    use(&first.progress);
    return 0;
}
