/* Ids and the table of entries. */
#include "source/stream_entries.h"

#include "guard.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- Ids ---- */

static const struct {
    const char *text;
    uint64_t ms, seq;
} ids[] = {
    {"0-0", 0, 0},
    {"1-2", 1, 2},
    {"1795390552628-0", 1795390552628, 0},
    {"9-10", 9, 10},
    {"18446744073709551615-18446744073709551615", UINT64_MAX, UINT64_MAX},
};

static const char *const no_ids[] = {
    "",
    "-",
    "1",
    "1-",
    "-1",
    "--",
    "1-2-3",
    "01-2",
    "1-02",
    "1-00",
    "+1-2",
    " 1-2",
    "1-2 ",
    "1 -2",
    "a-1",
    "1-a",
    "0x1-2",
    "1-+2",
    "$",
    ">",
    "1--2",
    "/-1",
    ":-1",
    "1-/",
    "1-:",
    "18446744073709551616-0",
    "0-18446744073709551616",
    "184467440737095516150-0",
    "0-99999999999999999999",
};

static void test_ids(void **state)
{
    struct guard guard;
    struct stream_id id;
    char storage[STREAM_ID_MAX];
    struct buf b;

    (void)state;
    guard_open(&guard, 64);
    for (size_t i = 0; i < COUNT(ids); i++) {
        size_t n = strlen(ids[i].text);
        const char *p = guard_put(&guard, ids[i].text, n);
        assert_int_equal(stream_id_parse(&id, (struct span){p, n}), 0);
        assert_true(id.ms == ids[i].ms && id.seq == ids[i].seq);
        buf_init(&b, storage, sizeof(storage));
        stream_id_put(&b, id);
        assert_int_equal(buf_done(&b), 0);
        assert_true(span_is(buf_view(&b), ids[i].text));
        for (size_t cut = 0; cut <= strcspn(ids[i].text, "-") + 1; cut++)
            assert_int_equal(
                stream_id_parse(&id, (struct span){guard_put(&guard, ids[i].text, cut), cut}), -1);
    }
    for (size_t i = 0; i < COUNT(no_ids); i++) {
        size_t n = strlen(no_ids[i]);
        if (stream_id_parse(&id, (struct span){guard_put(&guard, no_ids[i], n), n}) != -1)
            fail_msg("%s", no_ids[i]);
    }
    assert_int_equal(stream_id_parse(&id, (struct span){NULL, 0}), -1);
    guard_close(&guard);
}

static void test_order_of_ids(void **state)
{
    static const struct stream_id sorted[] = {{0, 0}, {0, 1}, {1, 0}, {1, UINT64_MAX}, {2, 0}};

    (void)state;
    for (size_t i = 0; i < COUNT(sorted); i++)
        for (size_t k = 0; k < COUNT(sorted); k++)
            assert_int_equal(stream_id_less(sorted[i], sorted[k]), i < k);
}

/* ---- The table ---- */

static struct stream_entries table;

static int empty(void **state)
{
    (void)state;
    memset(&table, 0, sizeof(table));
    return 0;
}

static struct stream_entry *add(unsigned stream, uint64_t seq)
{
    return stream_entries_add(&table, stream, (struct stream_id){7, seq});
}

static struct stream_entry *find(unsigned stream, uint64_t seq)
{
    return stream_entries_find(&table, stream, (struct stream_id){7, seq});
}

/* The lists hold what the counts say, in both directions. */
static void check(void)
{
    uint32_t all = 0;

    for (int state = STREAM_ENTRY_LEFT; state < STREAM_ENTRY_STATES; state++) {
        uint32_t count = 0;
        for (unsigned s = 0; s < STREAMS_MAX; s++) {
            const struct stream_entry *before = NULL;
            for (struct stream_entry *e = stream_entries_first(&table, s, state); e != NULL;
                 e = stream_entries_next(&table, e), count++) {
                assert_int_equal(e->state, state);
                assert_int_equal(e->stream, s);
                assert_int_equal(e->previous, before == NULL ? 0 : before - table.entries + 1);
                assert_ptr_equal(stream_entries_of(&table, stream_entries_ref(&table, e)), e);
                if (!e->orphan)
                    assert_ptr_equal(stream_entries_find(&table, s, e->id), e);
                before = e;
            }
            assert_int_equal(table.lists[s][state].last,
                             before == NULL ? 0 : before - table.entries + 1);
        }
        assert_int_equal(table.counts[state], count);
        all += count;
    }
    assert_int_equal(table.count, all);
}

static void test_found_by_stream_and_id(void **state)
{
    struct stream_entry *a = add(0, 1), *b = add(1, 1), *c = add(0, 2);

    (void)state;
    assert_ptr_equal(find(0, 1), a);
    assert_ptr_equal(find(1, 1), b);
    assert_ptr_equal(find(0, 2), c);
    assert_null(find(1, 2));
    assert_null(stream_entries_find(&table, 0, (struct stream_id){1, 7}));
    assert_null(stream_entries_find(&table, 0, (struct stream_id){8, 1}));
    assert_int_equal(a->state, STREAM_ENTRY_LEFT);
    assert_int_equal(a->deliveries, 1);
    check();
    stream_entries_set(&table, a, STREAM_ENTRY_FREE);
    assert_null(find(0, 1));
    assert_ptr_equal(find(0, 2), c);
    check();
}

static void test_lists_are_in_order(void **state)
{
    struct stream_entry *a = add(0, 1), *b = add(0, 2), *c = add(0, 3);

    (void)state;
    stream_entries_set(&table, b, STREAM_ENTRY_HELD);
    assert_ptr_equal(stream_entries_first(&table, 0, STREAM_ENTRY_LEFT), a);
    assert_ptr_equal(stream_entries_next(&table, a), c);
    stream_entries_set(&table, a, STREAM_ENTRY_HELD);
    assert_ptr_equal(stream_entries_first(&table, 0, STREAM_ENTRY_HELD), b);
    assert_ptr_equal(stream_entries_next(&table, b), a);
    stream_entries_set(&table, b, STREAM_ENTRY_HELD);
    assert_ptr_equal(stream_entries_next(&table, a), b);
    check();
}

static void test_a_handle_is_of_one_use(void **state)
{
    struct stream_entry *a = add(0, 1);
    uint32_t ref = stream_entries_ref(&table, a);

    (void)state;
    assert_ptr_equal(stream_entries_of(&table, ref), a);
    stream_entries_set(&table, a, STREAM_ENTRY_FREE);
    assert_null(stream_entries_of(&table, ref));
    assert_ptr_equal(add(0, 1), a);
    assert_null(stream_entries_of(&table, ref));
    assert_int_not_equal(stream_entries_ref(&table, a), ref);
    assert_null(stream_entries_of(&table, UINT32_MAX));
    assert_null(stream_entries_of(&table, ref + 1));
}

static void test_full(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STREAM_ENTRIES_MAX; i++)
        assert_non_null(add(i % STREAMS_MAX, i));
    assert_null(add(0, STREAM_ENTRIES_MAX));
    check();
    stream_entries_set(&table, find(3, 3), STREAM_ENTRY_FREE);
    assert_non_null(add(0, STREAM_ENTRIES_MAX));
    assert_null(add(0, STREAM_ENTRIES_MAX + 1));
    check();
}

static void test_orphans(void **state)
{
    static const bool freed[STREAM_ENTRY_STATES] = {
        [STREAM_ENTRY_LEFT] = true, [STREAM_ENTRY_DOOMED] = true, [STREAM_ENTRY_DONE] = true};

    for (int was = STREAM_ENTRY_LEFT; was < STREAM_ENTRY_STATES; was++) {
        (void)empty(state);
        struct stream_entry *e = add(0, 1), *other = add(1, 1);
        uint32_t ref = stream_entries_ref(&table, e);
        stream_entries_set(&table, e, was);
        stream_entries_orphan(&table, 0);
        assert_null(find(0, 1));
        assert_ptr_equal(find(1, 1), other);
        assert_int_equal(stream_entries_of(&table, ref) == NULL, freed[was]);
        check();
        struct stream_entry *again = add(0, 1); /* the new life of the stream has such an id */
        assert_ptr_equal(find(0, 1), again);
        stream_entries_orphan(&table, 2);
        assert_ptr_equal(find(0, 1), again);
        if (!freed[was])
            stream_entries_set(&table, e, STREAM_ENTRY_DONE);
        assert_null(stream_entries_of(&table, ref));
        assert_ptr_equal(find(0, 1), again);
        check();
    }
}

/* Against a model: what it says is there is found, whatever was done before. */
static void test_at_random(void **state)
{
    static uint8_t model[STREAMS_MAX][64]; /* the state */
    uint64_t random = 0x9e3779b97f4a7c15;

    (void)state;
    memset(model, 0, sizeof(model));
    for (unsigned i = 0; i < 20000; i++) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        unsigned s = random >> 60 & 7, seq = random >> 50 & 63, to = random >> 40 & 7;
        struct stream_entry *e = find(s, seq);
        assert_int_equal(e == NULL ? STREAM_ENTRY_FREE : e->state, model[s][seq]);
        if (e == NULL)
            e = add(s, seq);
        stream_entries_set(&table, e, to);
        model[s][seq] = (uint8_t)to;
        if (i % 500 == 0)
            check();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_order_of_ids),
        cmocka_unit_test_setup(test_found_by_stream_and_id, empty),
        cmocka_unit_test_setup(test_lists_are_in_order, empty),
        cmocka_unit_test_setup(test_a_handle_is_of_one_use, empty),
        cmocka_unit_test_setup(test_full, empty),
        cmocka_unit_test_setup(test_orphans, empty),
        cmocka_unit_test_setup(test_at_random, empty),
    };

    return cmocka_run_group_tests_name("source/stream_entries", tests, NULL, NULL);
}
