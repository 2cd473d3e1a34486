/* The breaker's life in tables: what happens when, and whether a call may be made then. */

#include "llm/breaker.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define T0 INT64_C(7000000)

enum what { ALLOWS, HOLDS, PASSES, PROBES, FAILS, PROBE_FAILS, WORKS, DROPS, PROBE_DROPS, NAMES };

struct step {
    int64_t at_ms;
    enum what what;
    int64_t wait_ms;  /* of NAMES: a call that passed says so */
    int64_t until_ms; /* where > 0: it is open until then */
};

static void do_step(struct breaker *b, const struct step *s)
{
    int64_t now = T0 + s->at_ms;
    struct breaker before = *b;
    switch (s->what) {
    case ALLOWS:
        assert_true(breaker_allows(b, now));
        assert_memory_equal(&before, b, sizeof(before));
        break;
    case HOLDS:
        assert_false(breaker_allows(b, now));
        assert_int_equal(breaker_take(b, now), BREAKER_HELD);
        assert_memory_equal(&before, b, sizeof(before));
        break;
    case PASSES:
        assert_int_equal(breaker_take(b, now), BREAKER_PASSED);
        assert_memory_equal(&before, b, sizeof(before));
        break;
    case PROBES:
        assert_int_equal(breaker_take(b, now), BREAKER_PROBE);
        break;
    case FAILS:
        breaker_failure(b, BREAKER_PASSED, now);
        break;
    case PROBE_FAILS:
        breaker_failure(b, BREAKER_PROBE, now);
        break;
    case WORKS:
        breaker_success(b);
        assert_false(b->open);
        break;
    case DROPS:
        breaker_dropped(b, BREAKER_PASSED);
        assert_memory_equal(&before, b, sizeof(before));
        break;
    case PROBE_DROPS:
        breaker_dropped(b, BREAKER_PROBE);
        break;
    case NAMES:
        breaker_open(b, b->probing ? BREAKER_PROBE : BREAKER_PASSED, now, s->wait_ms);
        break;
    }
    if (s->until_ms > 0) {
        assert_true(b->open);
        assert_true(b->open_until_ms == T0 + s->until_ms);
    }
}

static void run(const struct step *steps, size_t count)
{
    struct breaker b;
    memset(&b, 0, sizeof(b));
    for (size_t i = 0; i < count; i++)
        do_step(&b, &steps[i]);
}

#define RUN(...)                                                                                   \
    do {                                                                                           \
        static const struct step steps[] = {__VA_ARGS__};                                          \
        run(steps, COUNT(steps));                                                                  \
    } while (0)

static void test_the_third_failure_in_a_row_opens_it(void **state)
{
    (void)state;
    RUN({0, ALLOWS, 0, 0}, {0, PASSES, 0, 0}, {1, FAILS, 0, 0}, {2, PASSES, 0, 0}, {3, FAILS, 0, 0},
        {4, PASSES, 0, 0}, {5, FAILS, 0, 30005}, {5, HOLDS, 0, 0}, {30004, HOLDS, 0, 0},
        {30005, ALLOWS, 0, 0}, {30005, PROBES, 0, 0});
}

static void test_a_success_starts_the_count_anew(void **state)
{
    (void)state;
    RUN({0, FAILS, 0, 0}, {0, FAILS, 0, 0}, {0, WORKS, 0, 0}, {0, FAILS, 0, 0}, {0, FAILS, 0, 0},
        {0, PASSES, 0, 0}, {9, FAILS, 0, 30009});
}

static void test_it_doubles_to_its_last_and_a_success_closes_it(void **state)
{
    (void)state;
    RUN({0, FAILS, 0, 0}, {0, FAILS, 0, 0}, {0, FAILS, 0, 30000}, {30000, PROBES, 0, 0},
        {30010, PROBE_FAILS, 0, 90010}, {90009, HOLDS, 0, 0}, {90010, PROBES, 0, 0},
        {100000, PROBE_FAILS, 0, 220000}, {220000, PROBES, 0, 0}, {220000, PROBE_FAILS, 0, 460000},
        {460000, PROBES, 0, 0}, {460000, PROBE_FAILS, 0, 940000}, {940000, PROBES, 0, 0},
        /* 960 s would be more than a quarter of an hour. */
        {940000, PROBE_FAILS, 0, 1840000}, {1840000, PROBES, 0, 0},
        {1840000, PROBE_FAILS, 0, 2740000}, {2740000, PROBES, 0, 0}, {2740000, WORKS, 0, 0},
        {2740000, PASSES, 0, 0}, {2740000, FAILS, 0, 0}, {2740000, FAILS, 0, 0},
        {2740000, FAILS, 0, 2770000});
}

static void test_one_probe_at_a_time(void **state)
{
    (void)state;
    RUN({0, FAILS, 0, 0}, {0, FAILS, 0, 0}, {0, FAILS, 0, 30000}, {40000, PROBES, 0, 0},
        {40000, HOLDS, 0, 0}, {900000, HOLDS, 0, 0},
        /* It is dropped: another may try, and the wait is not doubled. */
        {900000, PROBE_DROPS, 0, 30000}, {900000, PROBES, 0, 0}, {900001, PROBE_FAILS, 0, 960001});
}

static void test_late_news_of_calls_from_before(void **state)
{
    (void)state;
    /* Two more failures neither move nor double it, nor does what was dropped. */
    RUN({0, FAILS, 0, 0}, {0, FAILS, 0, 0}, {0, FAILS, 0, 30000}, {10, FAILS, 0, 30000},
        {10, DROPS, 0, 30000}, {30000, PROBES, 0, 0}, {30001, FAILS, 0, 30000},
        {30001, DROPS, 0, 30000}, {30002, HOLDS, 0, 0}, {30003, PROBE_FAILS, 0, 90003});
    /* A late success closes it; the probe that then fails is one failure of three. */
    RUN({0, FAILS, 0, 0}, {0, FAILS, 0, 0}, {0, FAILS, 0, 30000}, {30000, PROBES, 0, 0},
        {30001, WORKS, 0, 0}, {30002, PROBE_FAILS, 0, 0}, {30003, PASSES, 0, 0},
        {30004, FAILS, 0, 0}, {30004, PASSES, 0, 0}, {30004, FAILS, 0, 60004});
}

static void test_a_named_time(void **state)
{
    (void)state;
    RUN({0, PASSES, 0, 0}, {0, NAMES, 7000, 7000}, {6999, HOLDS, 0, 0}, {7000, PROBES, 0, 0},
        /* After it the usual wait, from its beginning. */
        {7001, PROBE_FAILS, 0, 37001}, {37001, PROBES, 0, 0}, {37001, NAMES, 5000, 42001},
        {42001, PROBES, 0, 0}, {42001, PROBE_FAILS, 0, 102001});
    /* The longer one counts; a success closes all the same. */
    RUN({0, NAMES, 100000, 100000}, {1, NAMES, 5000, 100000}, {2, NAMES, 200000, 200002},
        {3, WORKS, 0, 0}, {3, PASSES, 0, 0});
    /* A call from before names a time while another is the probe. */
    struct breaker b = {.open = true, .open_until_ms = T0};
    assert_int_equal(breaker_take(&b, T0), BREAKER_PROBE);
    breaker_open(&b, BREAKER_PASSED, T0, 10);
    assert_int_equal(breaker_take(&b, T0 + 10), BREAKER_HELD);
    breaker_dropped(&b, BREAKER_PROBE);
    assert_int_equal(breaker_take(&b, T0 + 9), BREAKER_HELD);
    assert_int_equal(breaker_take(&b, T0 + 10), BREAKER_PROBE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_third_failure_in_a_row_opens_it),
        cmocka_unit_test(test_a_success_starts_the_count_anew),
        cmocka_unit_test(test_it_doubles_to_its_last_and_a_success_closes_it),
        cmocka_unit_test(test_one_probe_at_a_time),
        cmocka_unit_test(test_late_news_of_calls_from_before),
        cmocka_unit_test(test_a_named_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
