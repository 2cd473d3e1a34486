#include "source/journal.h"
#include "source/place.h"
#include "source/refs.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct refs refs;
static struct journals journals;

static struct place place_of(const char *day, const char *node, const char *name)
{
    struct place place;

    assert_int_equal(place_set(&place, day, node, name), 0);
    return place;
}

static int set_up(void **state)
{
    (void)state;
    refs_init(&refs);
    journal_init(&journals);
    return 0;
}

/* ---- Places ---- */

static void a_place_is_saved_as_printable_ascii_and_comes_back(void **state)
{
    (void)state;
    char all[FILE_NAME_MAX + 1];
    char text[3 * PLACE_TEXT_SIZE];
    struct place back;
    struct buf b;
    for (int i = 0; i < FILE_NAME_MAX; i++)
        all[i] = i + 1 == '/' ? '_' : (char)(i + 1);
    all[FILE_NAME_MAX] = '\0';
    const struct place cases[] = {
        place_of("2026-01-01", "node", "a.json"),
        place_of("2026-01-01", "node", ""),
        place_of("2026-01-01", "", ""),
        place_of("2026-02-28", "a\nb", "\x1b[31m.json"),
        place_of("2026-01-01", "100%", "\"\\.json"),
        place_of("2026-01-01", all, all),
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        buf_init(&b, text, sizeof(text));
        place_save(&b, &cases[i]);
        assert_int_equal(buf_done(&b), 0);
        for (size_t n = 0; n < b.n; n++)
            assert_true(text[n] > ' ' && text[n] < 0x7f && text[n] != '"' && text[n] != '\\');
        assert_int_equal(place_load(&back, buf_view(&b)), 0);
        assert_string_equal(back.day, cases[i].day);
        assert_string_equal(back.node, cases[i].node);
        assert_string_equal(back.name, cases[i].name);
    }
}

static void what_is_no_place_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "2026-02-30/n/f",
        "2026-1-1/n/f",
        "/n/f",
        "../n/f",
        "2026-01-01/../f",
        "2026-01-01/./f",
        "2026-01-01/n/..",
        "2026-01-01/n/%2E%2E",
        "2026-01-01/n/a/b",
        "2026-01-01/n/a%2Fb",
        "2026-01-01/n/a%00b",
        "2026-01-01/n/a%",
        "2026-01-01/n/a%2",
        "2026-01-01/n/a%2g",
        "2026-01-01/n/a%2f", /* capitals only: one text for a place */
    };
    struct place place;
    char longer[16 + FILE_NAME_MAX + 2] = "2026-01-01/n/";
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(place_load(&place, span_of(cases[i])), -1);
    memset(longer + 13, 'x', FILE_NAME_MAX + 1);
    assert_int_equal(place_load(&place, span_of(longer)), -1);
    longer[13 + FILE_NAME_MAX] = '\0';
    assert_int_equal(place_load(&place, span_of(longer)), 0);
}

static void names_say_what_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool event, log;
    } cases[] = {
        {"a.json", true, false},
        {"-.json", true, false},
        {".json", false, false},
        {".a.json", false, false},
        {"a.JSON", false, false},
        {"a.json~", false, false},
        {"json", false, false},
        {"a.jsonl", false, false},
        {"events.jsonl", false, true},
        {"events.jsonl.1", false, true},
        {"events.jsonl-20260101", false, true},
        {"events.jsonl.", false, false},
        {"events.jsonl.1.gz", false, false},
        {"events.jsonl.json", true, false},
        {"events.jsonl1", false, false},
        {"my-events.jsonl", false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(place_is_event(cases[i].name), cases[i].event);
        assert_int_equal(place_is_log(cases[i].name), cases[i].log);
    }
    assert_true(place_is_live_log("events.jsonl"));
    assert_false(place_is_live_log("events.jsonl.1"));
}

/* ---- Refs ---- */

static void a_stale_handle_finds_nothing(void **state)
{
    (void)state;
    struct place place = place_of("2026-01-01", "n", "a.json");
    struct ref *ref = refs_new(&refs, &place);
    uint32_t first = refs_handle(&refs, ref);
    assert_ptr_equal(refs_find(&refs, first), ref);
    refs_free(&refs, ref);
    assert_null(refs_find(&refs, first));
    struct ref *next = refs_new(&refs, &place);
    assert_ptr_equal(next, ref); /* the same entry */
    assert_null(refs_find(&refs, first));
    assert_ptr_equal(refs_find(&refs, refs_handle(&refs, next)), next);
    assert_null(refs_find(&refs, UINT32_MAX));
    /* Nor after all generations have been. */
    for (uint32_t i = 0; i < (1U << 22) + 5; i++) {
        uint32_t handle = refs_handle(&refs, next);
        assert_true(handle != UINT32_MAX);
        refs_free(&refs, next);
        assert_null(refs_find(&refs, handle));
        next = refs_new(&refs, &place);
    }
}

static void a_full_table_says_so(void **state)
{
    (void)state;
    struct place place = place_of("2026-01-01", "n", "a.json");
    uint32_t handles[FILE_REFS_MAX];
    for (uint32_t i = 0; i < FILE_REFS_MAX; i++) {
        struct ref *ref = refs_new(&refs, &place);
        assert_non_null(ref);
        refs_set(&refs, ref, REF_KEPT);
        handles[i] = refs_handle(&refs, ref);
        assert_true(handles[i] != UINT32_MAX);
    }
    assert_null(refs_new(&refs, &place));
    assert_int_equal(refs_events(&refs), FILE_REFS_MAX);
    refs_free(&refs, refs_find(&refs, handles[500]));
    struct ref *ref = refs_new(&refs, &place);
    assert_non_null(ref);
    assert_null(refs_new(&refs, &place));
    refs_free(&refs, ref);
    for (uint32_t i = 0; i < FILE_REFS_MAX; i++)
        if (i != 500)
            refs_free(&refs, refs_find(&refs, handles[i]));
    assert_int_equal(refs.top, 0);
    assert_int_equal(refs_events(&refs), 0);
}

static void what_was_only_being_taken_is_no_change(void **state)
{
    (void)state;
    struct place place = place_of("2026-01-01", "n", "a.json");
    refs_free(&refs, refs_new(&refs, &place));
    assert_false(refs.changed);
    struct ref *ref = refs_new(&refs, &place);
    refs_set(&refs, ref, REF_KEPT);
    assert_true(refs.changed);
    refs.changed = false;
    refs_free(&refs, ref);
    assert_true(refs.changed);
}

static int load(struct span text)
{
    jsmntok_t tokens[64];
    struct json doc;

    if (json_read(&doc, text.p, text.n, tokens, COUNT(tokens), 2) != JSON_OK)
        return -2;
    int result = refs_load(&refs, &doc);
    return result != 0 ? result : journal_load(&journals, &doc);
}

static void refs_come_back_to_be_offered_again(void **state)
{
    (void)state;
    static const struct {
        enum ref_state state, loaded;
    } cases[] = {
        {REF_KEPT, REF_AGAIN},    {REF_UNSURE, REF_AGAIN},    {REF_AGAIN, REF_AGAIN},
        {REF_UNREAD, REF_UNREAD}, {REF_LISTING, REF_LISTING}, {REF_TAKING, REF_FREE},
    };
    char lines[COUNT(cases)][4096];
    size_t n = 0;
    for (size_t i = 0; i < COUNT(cases); i++) {
        bool dir = cases[i].state == REF_LISTING;
        struct place place = place_of("2026-01-01", "no\nde", dir ? "" : "a.json");
        struct ref *ref = refs_new(&refs, &place);
        ref->device = UINT64_MAX;
        ref->inode = i;
        ref->offset = cases[i].state == REF_KEPT ? 12345 : -1;
        ref->digest = UINT64_MAX - i;
        ref->from_ms = 7;
        ref->arrived_ms = 8;
        if (cases[i].state != REF_TAKING)
            refs_set(&refs, ref, cases[i].state);
    }
    struct buf b;
    uint32_t at = 0;
    for (;; n++) {
        if (n < COUNT(cases))
            buf_init(&b, lines[n], sizeof(lines[n]));
        if (!refs_save(&refs, &b, &at))
            break;
        assert_non_null(buf_text(&b));
    }
    assert_int_equal(n, COUNT(cases) - 1); /* all but the one in the taking */
    refs_init(&refs);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(load(span_of(lines[i])), 1);
    for (uint32_t i = 0; i < n; i++) {
        const struct ref *ref = &refs.entries[i];
        assert_int_equal(ref->state, cases[i].loaded);
        assert_string_equal(ref->place.node, "no\nde");
        assert_true(ref->device == UINT64_MAX);
        assert_int_equal(ref->inode, i);
        assert_int_equal(ref->offset, i == 0 ? 12345 : -1);
        assert_true(ref->digest == UINT64_MAX - i);
        assert_int_equal(ref->from_ms, 7);
        assert_int_equal(ref->arrived_ms, 8);
    }
}

#define REF(state, place, offset)                                                                  \
    "{\"unfinished\":\"" state "\",\"place\":\"" place                                             \
    "\",\"device\":0,\"inode\":1,\"offset\":" offset                                               \
    ",\"digest\":1,\"from_ms\":1,\"arrived_ms\":1}"
#define LOG_LINE(place, at)                                                                        \
    "{\"log\":\"" place "\",\"device\":0,\"inode\":1,\"at\":" at ",\"before\":[0,0,0,0],"          \
    "\"skipping\":false,\"denied\":false,\"found\":false,\"floor_ms\":0,\"floor_end\":0,"          \
    "\"refused_size\":0}"

static void lines_without_sense_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int result;
    } cases[] = {
        {REF("again", "2026-01-01/n/a.json", "-1"), 1},
        {REF("again", "2026-01-01/n/events.jsonl", "5"), 1},
        {REF("listing", "2026-01-01/n", "-1"), 1},
        {REF("listing", "2026-01-01", "-1"), 1},
        {REF("listing", "2026-01-01/n/a.json", "-1"), -1},
        {REF("again", "2026-01-01/n", "-1"), -1},
        {REF("again", "2026-01-01/n/a.json", "-2"), -1},
        {REF("again", "2026-01-01/n/a.json", "9223372036854775807"), -1},
        {REF("again", "2026-01-01/n/a.json", "\"1\""), -1},
        {REF("kept", "2026-01-01/n/a.json", "1"), -1},
        {REF("", "2026-01-01/n/a.json", "1"), -1},
        {REF("again", "n/a.json", "1"), -1},
        {"{\"unfinished\":\"again\"}", -1},
        {"{\"unfinished\":5}", -1},
        {LOG_LINE("2026-01-01/n/events.jsonl", "[1,2,3,1]"), 1},
        {LOG_LINE("2026-01-01/n/events.jsonl.1", "[0,0,0,0]"), 1},
        {LOG_LINE("2026-01-01/n/a.json", "[1,2,3,1]"), -1},
        {LOG_LINE("2026-01-01/n/events.jsonl", "[1,2,3,2]"), -1},
        {LOG_LINE("2026-01-01/n/events.jsonl", "[1000,2,3,257]"), -1},
        {LOG_LINE("2026-01-01/n/events.jsonl", "[-1,2,3,1]"), -1},
        {LOG_LINE("2026-01-01/n/events.jsonl", "[1,2,3]"), -1},
        {LOG_LINE("2026-01-01/n/events.jsonl", "[1,2,3,1,1]"), -1},
        {LOG_LINE("2026-01-01/n/events.jsonl", "{}"), -1},
        {"{\"log\":\"2026-01-01/n/events.jsonl\"}", -1},
        {"{\"logs_dropped_ms\":5}", 1},
        {"{\"logs_dropped_ms\":-5}", -1},
        {"{\"x\":1}", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(load(span_of(cases[i].text)), cases[i].result);
}

static void more_refs_than_there_is_room_for_are_refused(void **state)
{
    (void)state;
    for (int i = 0; i < FILE_REFS_MAX; i++)
        assert_int_equal(load(span_of(REF("again", "2026-01-01/n/a.json", "-1"))), 1);
    assert_int_equal(load(span_of(REF("again", "2026-01-01/n/a.json", "-1"))), -1);
    for (int i = 0; i < LOGS_MAX; i++)
        assert_int_equal(load(span_of(LOG_LINE("2026-01-01/n/events.jsonl", "[1,2,3,1]"))), 1);
    assert_int_equal(load(span_of(LOG_LINE("2026-01-01/n/events.jsonl", "[1,2,3,1]"))), -1);
}

static void refs_are_found_by_their_file(void **state)
{
    (void)state;
    struct place place = place_of("2026-01-01", "n", "a.json");
    struct place dir = place_of("2026-01-01", "n", "");
    struct place day = place_of("2026-01-01", "", "");
    struct ref *kept = refs_new(&refs, &place);
    kept->inode = 5;
    refs_set(&refs, kept, REF_KEPT);
    assert_null(refs_of_file(&refs, 0, 5)); /* its event was accepted: it is another one now */
    struct ref *line = refs_new(&refs, &place);
    line->inode = 5;
    line->offset = 0;
    refs_set(&refs, line, REF_AGAIN);
    assert_null(refs_of_file(&refs, 0, 5));
    struct ref *unsure = refs_new(&refs, &place);
    unsure->inode = 5;
    refs_set(&refs, unsure, REF_UNSURE);
    assert_ptr_equal(refs_of_file(&refs, 0, 5), unsure);
    assert_null(refs_of_file(&refs, 1, 5));
    assert_null(refs_of_dir(&refs, &dir));
    struct ref *listing = refs_new(&refs, &dir);
    refs_set(&refs, listing, REF_LISTING);
    assert_ptr_equal(refs_of_dir(&refs, &place), listing);
    assert_null(refs_of_dir(&refs, &day));
}

/* ---- Logs ---- */

static void the_log_of_the_oldest_day_goes_first(void **state)
{
    (void)state;
    struct place old = place_of("2025-12-30", "n", "events.jsonl");
    struct place blocked = place_of("2025-01-01", "n", "events.jsonl");
    struct place new = place_of("2026-01-01", "n", "events.jsonl");
    journal_add(&journals, &blocked, 0, 1, 1)->state = JOURNAL_BLOCKED;
    for (uint64_t i = 2; i < LOGS_MAX; i++)
        journal_add(&journals, &new, 0, i, 1)->state = JOURNAL_READ;
    journal_add(&journals, &old, 0, LOGS_MAX, 9)->state = JOURNAL_READ;
    assert_null(journal_add(&journals, &new, 0, 5000, 9));
    assert_false(journal_was_dropped(&journals, "2025-12-30"));
    assert_ptr_equal(journal_least(&journals), journal_find(&journals, 0, LOGS_MAX));
    journal_drop(&journals, journal_least(&journals));
    assert_null(journal_find(&journals, 0, LOGS_MAX));
    assert_true(journal_was_dropped(&journals, "2025-12-30"));
    assert_true(journal_was_dropped(&journals, "2024-12-30"));
    assert_false(journal_was_dropped(&journals, "2025-12-31"));
    /* Then the one that was seen the longest ago. */
    journal_find(&journals, 0, 77)->scan = 0;
    assert_ptr_equal(journal_least(&journals), journal_find(&journals, 0, 77));
    struct journal *log = journal_add(&journals, &new, 0, 5000, 9);
    assert_ptr_equal(journal_find(&journals, 0, 5000), log);
}

static void logs_with_work_open_are_not_dropped(void **state)
{
    (void)state;
    struct place place = place_of("2026-01-01", "n", "events.jsonl");
    for (uint64_t i = 0; i < LOGS_MAX; i++)
        assert_non_null(journal_add(&journals, &place, 0, i, 1)); /* in JOURNAL_GROWN */
    assert_null(journal_least(&journals));
    journal_find(&journals, 0, 7)->state = JOURNAL_READ;
    journal_find(&journals, 0, 7)->settle_ms = 5; /* an unfinished line */
    assert_null(journal_least(&journals));
    journal_find(&journals, 0, 7)->settle_ms = 0;
    assert_ptr_equal(journal_least(&journals), journal_find(&journals, 0, 7));
}

static bool same_print(const struct print *a, const struct print *b)
{
    return a->offset == b->offset && a->tail == b->tail && a->head == b->head &&
           a->head_bytes == b->head_bytes;
}

static void logs_come_back_as_they_were(void **state)
{
    (void)state;
    struct place place = place_of("2026-01-01", "no%de", "events.jsonl.7");
    struct journal *log = journal_add(&journals, &place, 3, UINT64_MAX, 1);
    log->at = (struct print){.offset = 1 << 20, .tail = UINT64_MAX, .head = 4, .head_bytes = 256};
    log->before = (struct print){.offset = 77, .tail = 1, .head = 2, .head_bytes = 77};
    log->skipping = true;
    log->denied = true;
    log->floor_ms = 5;
    log->floor_end = 6;
    log->refused_size = 7;
    journals.dropped_ms = 1780000000000;
    struct journal before = *log;
    char line[4096];
    struct buf b;
    uint32_t at = 0;
    char copy[2][4096];
    for (int i = 0; i < 2; i++) {
        buf_init(&b, line, sizeof(line));
        assert_true(journal_save(&journals, &b, &at));
        assert_non_null(buf_text(&b));
        strcpy(copy[i], line);
    }
    assert_false(journal_save(&journals, &b, &at));
    journal_init(&journals);
    assert_int_equal(load(span_of(copy[0])), 1);
    assert_int_equal(load(span_of(copy[1])), 1);
    const struct journal *after = &journals.entries[0];
    assert_int_equal(journals.dropped_ms, 1780000000000);
    assert_int_equal(after->state, JOURNAL_GROWN);
    assert_string_equal(after->place.node, "no%de");
    assert_string_equal(after->place.name, "events.jsonl.7");
    assert_true(after->device == 3 && after->inode == UINT64_MAX);
    assert_true(same_print(&after->at, &before.at));
    assert_true(same_print(&after->before, &before.before));
    assert_true(after->skipping && after->denied);
    assert_int_equal(after->floor_ms, 5);
    assert_int_equal(after->floor_end, 6);
    assert_int_equal(after->refused_size, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_place_is_saved_as_printable_ascii_and_comes_back, set_up),
        cmocka_unit_test_setup(what_is_no_place_is_refused, set_up),
        cmocka_unit_test_setup(names_say_what_is_read, set_up),
        cmocka_unit_test_setup(a_stale_handle_finds_nothing, set_up),
        cmocka_unit_test_setup(a_full_table_says_so, set_up),
        cmocka_unit_test_setup(what_was_only_being_taken_is_no_change, set_up),
        cmocka_unit_test_setup(refs_come_back_to_be_offered_again, set_up),
        cmocka_unit_test_setup(lines_without_sense_are_refused, set_up),
        cmocka_unit_test_setup(more_refs_than_there_is_room_for_are_refused, set_up),
        cmocka_unit_test_setup(refs_are_found_by_their_file, set_up),
        cmocka_unit_test_setup(the_log_of_the_oldest_day_goes_first, set_up),
        cmocka_unit_test_setup(logs_with_work_open_are_not_dropped, set_up),
        cmocka_unit_test_setup(logs_come_back_as_they_were, set_up),
    };
    return cmocka_run_group_tests_name("source tables", tests, NULL, NULL);
}
