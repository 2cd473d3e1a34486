#include "base/hash.h"
#include "base/sha256.h"

#include "guard.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* From the reference implementation: key 00 01 .. 0f, input 00 01 .. of this length. */
static void test_siphash_vectors(void **state)
{
    static const struct {
        size_t n;
        uint64_t hash;
    } cases[] = {
        {0, UINT64_C(0x726fdb47dd0e0e31)},  {1, UINT64_C(0x74f839c593dc67fd)},
        {2, UINT64_C(0x0d6c8009d9a94f5a)},  {7, UINT64_C(0xab0200f58b01d137)},
        {8, UINT64_C(0x93f5f5799a932462)},  {15, UINT64_C(0xa129ca6149be45e5)},
        {16, UINT64_C(0x3f2acc7f57c29bdb)}, {63, UINT64_C(0x958a324ceb064572)},
    };
    unsigned char input[64];
    struct guard g;

    (void)state;
    guard_open(&g, sizeof(input));
    for (size_t i = 0; i < sizeof(input); i++)
        input[i] = (unsigned char)i;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_true(hash_fixed(guard_put(&g, input, cases[i].n), cases[i].n) == cases[i].hash);
    guard_close(&g);
}

static void test_process_hash(void **state)
{
    (void)state;
    assert_true(hash_span(span_of("a")) == hash_span(span_of("a")));
    assert_true(hash_span(span_of("a")) != hash_span(span_of("b")));
    assert_true(hash_span(span_of("a")) != hash_fixed("a", 1));
    assert_true(hash_span(span_of(NULL)) == hash_span(span_of("")));
}

static void test_sha256(void **state)
{
    static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    static const char nothing[] =
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    char hex[SHA256_HEX_SIZE + 1], joined[SHA256_HEX_SIZE];
    const struct span one = {"abc", 3}, nul = {"a\0b", 3};
    const struct span parts[] = {{"a", 1}, {"b", 1}};
    const struct span moved[] = {{"", 0}, {"ab", 2}};

    (void)state;
    sha256_hex(hex, 64, &one, 1);
    assert_string_equal(hex, abc);
    sha256_hex(hex, 64, NULL, 0);
    assert_string_equal(hex, nothing);
    memset(hex, 'x', sizeof(hex));
    sha256_hex(hex, 8, &one, 1);
    assert_string_equal(hex, "ba7816bf");
    assert_int_equal(hex[9], 'x');
    sha256_hex(hex, 1000, &one, 1);
    assert_string_equal(hex, abc);
    sha256_hex(hex, 64, parts, COUNT(parts));
    sha256_hex(joined, 64, &nul, 1);
    assert_string_equal(hex, joined);
    sha256_hex(joined, 64, moved, COUNT(moved));
    assert_string_not_equal(hex, joined);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash_vectors),
        cmocka_unit_test(test_process_hash),
        cmocka_unit_test(test_sha256),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
