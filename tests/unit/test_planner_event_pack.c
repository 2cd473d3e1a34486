#include "planner/event_pack.h"

#include <stdlib.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static struct event_blocks b;
static uint64_t random_state;

static int begin(void **state)
{
    (void)state;
    memset(&b, 0, sizeof(b));
    random_state = 1;
    return 0;
}

static unsigned below(unsigned n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((random_state >> 33) % n);
}

/* A text of n bytes that tells its place, and what it stands in behind it. */
static void fill(char *text, size_t size, size_t n, unsigned seed)
{
    memset(text, 0xee, size);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)('a' + (i + seed) % 26);
    text[n] = '\0';
}

#define FILL(field, n) fill(event->field, sizeof(event->field), (n), seed++)

/* Each text with as much as most(its limit) says. */
static void make(struct event *event, unsigned seed, size_t (*most)(size_t))
{
    memset(event, 0xee, sizeof(*event));
    FILL(type, most(NAME_MAX_BYTES));
    FILL(node_as_came, most(NAME_MAX_BYTES));
    FILL(node, most(NAME_MAX_BYTES));
    FILL(service, most(NAME_MAX_BYTES));
    FILL(source, most(NAME_MAX_BYTES));
    FILL(correlation_id, most(CORRELATION_MAX));
    FILL(timestamp, most(EVENT_TIMESTAMP_MAX));
    FILL(message, most(EVENT_MESSAGE_MAX));
    FILL(details, most(EVENT_DETAILS_MAX));
    event_make_key(event->key, event->node, event->service);
    event->identity = UINT64_C(0x0123456789abcdef) * (seed + 1);
    event->arrived_ms = INT64_MIN + (int64_t)seed;
    event->dated = seed % 2 != 0;
    event->severity = SEVERITY_ERROR;
    event->at_ms = 1;
}

static size_t nothing(size_t n)
{
    (void)n;
    return 0;
}

static size_t all(size_t n)
{
    return n;
}

static size_t any(size_t n)
{
    return below(4) == 0 ? below((unsigned)n + 1) : below(16);
}

static void check_same(const struct event *event, const struct event *got)
{
    assert_string_equal(got->type, event->type);
    assert_string_equal(got->node_as_came, event->node_as_came);
    assert_string_equal(got->node, event->node);
    assert_string_equal(got->service, event->service);
    assert_string_equal(got->key, event->key);
    assert_string_equal(got->source, event->source);
    assert_string_equal(got->correlation_id, event->correlation_id);
    assert_string_equal(got->timestamp, event->timestamp);
    assert_string_equal(got->message, event->message);
    assert_string_equal(got->details, event->details);
    assert_true(got->identity == event->identity);
    assert_true(got->arrived_ms == event->arrived_ms);
    assert_int_equal(got->dated, event->dated);
}

static void check_pack(const struct event_pack *pack, const struct event *event)
{
    struct event got;

    memset(&got, 0x55, sizeof(got));
    event_pack_get(&b, pack, &got);
    check_same(event, &got);
}

/* Every length of every text, with its limits. */
static void test_round_trip(void **state)
{
    static struct event event;
    struct event_pack pack = {0};

    (void)state;
    make(&event, 0, nothing);
    assert_int_equal(event_pack_put(&b, &pack, &event), 0);
    assert_int_equal(b.taken, (EVENT_PACK_HEAD + EVENT_BLOCK_BYTES - 1) / EVENT_BLOCK_BYTES);
    check_pack(&pack, &event);
    /* Not a byte is left, and one does not fit. */
    for (unsigned over = 0; over <= 1; over++) {
        fill(event.type, sizeof(event.type), 2 * EVENT_BLOCK_BYTES - EVENT_PACK_HEAD + over, 0);
        assert_int_equal(event_pack_blocks(&event), 2 + over);
    }
    make(&event, 1, all);
    assert_int_equal(event_pack_blocks(&event), EVENT_PACK_BLOCKS);
    assert_int_equal(event_pack_put(&b, &pack, &event), 0);
    assert_int_equal(b.taken, EVENT_PACK_BLOCKS);
    assert_int_equal(pack.count, EVENT_PACK_BLOCKS);
    check_pack(&pack, &event);
    for (unsigned n = 0; n <= NAME_MAX_BYTES; n++) {
        make(&event, n, nothing);
        fill(event.type, sizeof(event.type), n, 3);
        fill(event.details, sizeof(event.details), 2 * n, 5);
        assert_int_equal(event_pack_put(&b, &pack, &event), 0);
        check_pack(&pack, &event);
        assert_int_equal(b.taken,
                         (EVENT_PACK_HEAD + 3 * n + EVENT_BLOCK_BYTES - 1) / EVENT_BLOCK_BYTES);
    }
    for (unsigned i = 0; i < 2000; i++) {
        make(&event, i, any);
        assert_int_equal(event_pack_put(&b, &pack, &event), 0);
        check_pack(&pack, &event);
    }
    event_pack_free(&b, &pack);
    assert_int_equal(pack.first, 0);
    assert_int_equal(pack.count, 0);
    assert_int_equal(b.taken, 0);
    event_pack_free(&b, &pack); /* it is empty */
    assert_int_equal(b.taken, 0);
}

static void test_without_an_identity(void **state)
{
    static struct event event;
    struct event_pack pack = {0};

    (void)state;
    make(&event, 4, all);
    assert_int_equal(event_pack_put(&b, &pack, &event), 0);
    event_pack_forget_identity(&b, &pack);
    event.identity = 0;
    check_pack(&pack, &event);
}

/* What is there stays as it was; what is given back is of use to any other, whatever its size. */
static void test_full(void **state)
{
    static struct event large, small;
    static struct event_pack packs[EVENT_BLOCKS_MAX];
    unsigned count = 0;

    (void)state;
    make(&large, 1, all);
    make(&small, 2, nothing);
    while (event_pack_put(&b, &packs[count], &large) == 0)
        count++;
    assert_int_equal(count, EVENT_BLOCKS_MAX / EVENT_PACK_BLOCKS);
    assert_int_equal(packs[count].first, 0);
    unsigned larges = count;
    while (event_pack_put(&b, &packs[count], &small) == 0)
        count++;
    assert_in_range(EVENT_BLOCKS_MAX - b.taken, 0, 1);
    assert_int_equal(event_pack_put(&b, &packs[larges], &large), -1);
    check_pack(&packs[larges], &small);                         /* the old one stays */
    assert_int_equal(event_pack_put(&b, &packs[0], &large), 0); /* in the place of its own */
    event_pack_free(&b, &packs[0]);
    unsigned before = b.taken;
    for (unsigned i = 0; i < EVENT_PACK_BLOCKS / 2; i++)
        assert_int_equal(event_pack_put(&b, &packs[count + i], &small), 0);
    for (unsigned i = 0; i < EVENT_PACK_BLOCKS / 2; i++)
        event_pack_free(&b, &packs[count + i]);
    assert_int_equal(b.taken, before);
    assert_int_equal(event_pack_put(&b, &packs[0], &large), 0);
    for (unsigned i = 0; i < count; i++)
        check_pack(&packs[i], i < larges ? &large : &small);
}

#define MODEL 600

/* Beside a store that keeps each event whole. */
static void test_against_model(void **state)
{
    static struct event events[MODEL];
    static struct event_pack packs[MODEL];
    unsigned refused = 0;

    (void)state;
    for (unsigned step = 0; step < 60000; step++) {
        unsigned i = below(MODEL);
        if (below(4) == 0) {
            event_pack_free(&b, &packs[i]);
            continue;
        }
        struct event event;
        make(&event, step, any);
        if (event_pack_put(&b, &packs[i], &event) == 0)
            events[i] = event;
        else
            refused++;
        if (packs[i].first != 0)
            check_pack(&packs[i], &events[i]);
        if (step % 5000 == 0)
            for (unsigned k = 0; k < MODEL; k++)
                if (packs[k].first != 0)
                    check_pack(&packs[k], &events[k]);
    }
    assert_true(refused > 100);
    for (unsigned k = 0; k < MODEL; k++) {
        if (packs[k].first != 0)
            check_pack(&packs[k], &events[k]);
        event_pack_free(&b, &packs[k]);
    }
    assert_int_equal(b.taken, 0);
    assert_in_range(b.used, EVENT_BLOCKS_MAX - EVENT_PACK_BLOCKS, EVENT_BLOCKS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_round_trip, begin),
        cmocka_unit_test_setup(test_without_an_identity, begin),
        cmocka_unit_test_setup(test_full, begin),
        cmocka_unit_test_setup(test_against_model, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
