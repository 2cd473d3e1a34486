#include "base/table.h"

#include "base/buf.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define CAPACITY 64
#define NAMES 200

struct entry {
    struct table_key key;
    int value;
};

static struct entry entries[CAPACITY];
static char texts[CAPACITY * 8];

static struct span name_of(char *storage, size_t cap, int number)
{
    struct buf b;

    buf_init(&b, storage, cap);
    buf_str(&b, "node/");
    buf_int(&b, number);
    return buf_view(&b);
}

static void test_limits(void **state)
{
    char name[TABLE_KEY_MAX + 1];
    struct table t;

    (void)state;
    table_init(&t, entries, sizeof(entries[0]), 3, texts, TABLE_KEY_MAX + 9);
    assert_null(table_find(&t, span_of("a")));
    memset(name, 'n', sizeof(name));
    memset(entries, 0xff, sizeof(entries));
    assert_null(table_add(&t, (struct span){name, sizeof(name)}));
    assert_null(table_find(&t, (struct span){name, sizeof(name)}));
    struct entry *longest = table_add(&t, (struct span){name, TABLE_KEY_MAX});
    assert_non_null(longest);
    assert_int_equal(longest->value, 0);
    assert_ptr_equal(table_find(&t, (struct span){name, TABLE_KEY_MAX}), longest);
    assert_true(span_eq(table_key_of(&t, longest), (struct span){name, TABLE_KEY_MAX}));
    assert_non_null(table_add(&t, span_of("")));
    assert_non_null(table_add(&t, (struct span){"a\0b", 3}));
    assert_null(table_find(&t, (struct span){"a\0c", 3}));
    assert_null(table_find(&t, span_of("a")));
    assert_non_null(table_find(&t, span_of("")));
    assert_null(table_add(&t, span_of("fourth")));
    assert_int_equal(t.count, 3);
    table_remove(&t, table_find(&t, span_of("")));
    assert_null(table_add(&t, span_of("seventh"))); /* its seven bytes have no room */
    assert_non_null(table_add(&t, span_of("fourth")));
    table_remove(&t, longest);
    assert_non_null(table_add(&t, span_of("seventh")));
}

/* Random adding and removing beside an array that does the same by search. */
static void test_against_model(void **state)
{
    int model[NAMES] = {0};
    char text[32];
    uint32_t random = 1;
    uint32_t count = 0;
    struct table t;

    (void)state;
    table_init(&t, entries, sizeof(entries[0]), CAPACITY, texts, sizeof(texts));
    for (int step = 1; step < 200000; step++) {
        random = random * 1664525 + 1013904223;
        int number = (int)(random >> 16) % NAMES;
        struct span name = name_of(text, sizeof(text), number);
        struct entry *e = table_find(&t, name);
        assert_int_equal(e != NULL, model[number] != 0);
        if (e != NULL) {
            assert_int_equal(e->value, model[number]);
            table_remove(&t, e);
            model[number] = 0;
            count--;
        } else if ((e = table_add(&t, name)) != NULL) {
            e->value = model[number] = step;
            count++;
        } else {
            assert_true(count == CAPACITY || t.texts_used + name.n > sizeof(texts));
        }
        assert_int_equal(t.count, count);
        if (step % 1000 != 0)
            continue;
        for (int i = 0; i < NAMES; i++) {
            e = table_find(&t, name_of(text, sizeof(text), i));
            assert_int_equal(e != NULL ? e->value : 0, model[i]);
        }
        for (uint32_t i = 0; i < t.count; i++)
            assert_ptr_equal(table_find(&t, table_key_of(&t, table_at(&t, i))), table_at(&t, i));
    }
}

static void test_remove_keeps_the_order(void **state)
{
    struct table t;

    (void)state;
    table_init(&t, entries, sizeof(entries[0]), CAPACITY, texts, sizeof(texts));
    struct entry *a = table_add(&t, span_of("a"));
    assert_non_null(table_add(&t, span_of("bb")));
    struct entry *c = table_add(&t, span_of("ccc"));
    c->value = 3;
    table_remove(&t, a);
    assert_true(span_is(table_key_of(&t, table_at(&t, 0)), "bb"));
    assert_ptr_equal(table_find(&t, span_of("ccc")), table_at(&t, 1));
    assert_int_equal(((struct entry *)table_at(&t, 1))->value, 3);
    assert_null(table_find(&t, span_of("a")));
    table_remove(&t, table_find(&t, span_of("ccc")));
    table_remove(&t, table_find(&t, span_of("bb")));
    assert_int_equal(t.count, 0);
    assert_int_equal(t.texts_used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_remove_keeps_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
