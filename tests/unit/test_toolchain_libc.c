/* toolchain/libc.c, under other names, beside the machine's own C library. */

#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

size_t ours_strlen(const char *text);
void *ours_memmem(const void *text, size_t n, const void *wanted, size_t wanted_n);
char *ours_strstr(const char *text, const char *wanted);
void ours_qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *));
unsigned long long ours_strtoull(const char *text, char **end, int base);
unsigned long ours_strtoul(const char *text, char **end, int base);
long ours_strtol(const char *text, char **end, int base);
int ours_faccessat(int dir, const char *path, int mode, int flags);
char *ours_strsignal(int number);
char *ours_strerror(int number);
unsigned ours_if_nametoindex(const char *name);
size_t ours_mbstowcs(wchar_t *out, const char *text, size_t n);

#define strlen ours_strlen
#define memmem ours_memmem
#define strstr ours_strstr
#define qsort ours_qsort
#define strtoull ours_strtoull
#define strtoul ours_strtoul
#define strtol ours_strtol
#define faccessat ours_faccessat
#define strsignal ours_strsignal
#define strerror ours_strerror
#define mbstowcs ours_mbstowcs
#define if_nametoindex ours_if_nametoindex
#include "../../toolchain/libc.c"
#undef strlen
#undef memmem
#undef strstr
#undef qsort
#undef strtoull
#undef strtoul
#undef strtol
#undef faccessat
#undef strsignal
#undef strerror
#undef mbstowcs
#undef if_nametoindex

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static unsigned random_below(unsigned n)
{
    static uint32_t state = 1;

    state = state * 1664525 + 1013904223;
    return (state >> 16) % n;
}

/* Of each length, at each place of a word; what stands before and behind it does not count. */
static void test_length(void **state)
{
    static const char others[] = {'\0', 'a', (char)0x01, (char)0x80, (char)0xff};
    static char bytes[64];

    (void)state;
    for (size_t at = 0; at < 17; at++) {
        for (size_t n = 0; n < 40; n++) {
            for (size_t o = 0; o < COUNT(others); o++) {
                memset(bytes, others[o], sizeof(bytes));
                for (size_t i = at; i < at + n; i++)
                    bytes[i] = others[1 + i % (COUNT(others) - 1)];
                bytes[at + n] = '\0';
                assert_int_equal(ours_strlen(bytes + at), n);
            }
        }
    }
}

static void test_length_at_the_end_of_a_page(void **state)
{
    static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    struct guard g;

    (void)state;
    guard_open(&g, sizeof(text));
    for (size_t n = 0; n < sizeof(text); n++)
        assert_int_equal(ours_strlen(guard_put(&g, text + sizeof(text) - 1 - n, n + 1)), n);
    guard_close(&g);
}

/* Few letters, so that beginnings of what is wanted are everywhere. */
static void test_search(void **state)
{
    (void)state;
    for (unsigned turn = 0; turn < 20000; turn++) {
        size_t n = random_below(24), wanted_n = random_below(5);
        char *text = malloc(n + 1), *wanted = malloc(wanted_n + 1);

        assert_non_null(text);
        assert_non_null(wanted);
        for (size_t i = 0; i < n; i++)
            text[i] = (char)('a' + random_below(2));
        for (size_t i = 0; i < wanted_n; i++)
            wanted[i] = (char)('a' + random_below(2));
        text[n] = wanted[wanted_n] = '\0';
        assert_ptr_equal(ours_strstr(text, wanted), strstr(text, wanted));
        assert_ptr_equal(ours_memmem(text, n, wanted, wanted_n), memmem(text, n, wanted, wanted_n));
        free(text);
        free(wanted);
    }
}

static int by_first(const void *a, const void *b)
{
    uint32_t x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

static void test_sort(void **state)
{
    struct entry {
        uint32_t key;
        char tail[5]; /* so that the size is no power of two */
    } ours[64], theirs[64];

    (void)state;
    for (unsigned turn = 0; turn < 2000; turn++) {
        size_t count = random_below(COUNT(ours) + 1);

        memset(ours, 0, sizeof(ours));
        for (size_t i = 0; i < count; i++) {
            ours[i].key = random_below(turn % 2 == 0 ? 1000000 : 8);
            ours[i].tail[4] = (char)ours[i].key;
        }
        memcpy(theirs, ours, sizeof(ours));
        ours_qsort(ours, count, sizeof(ours[0]), by_first);
        qsort(theirs, count, sizeof(theirs[0]), by_first);
        assert_memory_equal(ours, theirs, sizeof(ours));
    }
}

static void test_numbers(void **state)
{
    static const char *const texts[] = {
        "",
        "0",
        "7",
        "42 ",
        "  \t\n\v\f\r 5x",
        "+9",
        "-1",
        "-",
        "+",
        "0x",
        "0x1f",
        "0XFFg",
        "0x1",
        "010",
        "08",
        "ff",
        "zz",
        "1a",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999",
        "4294967295",
        "9223372036854775807",
        "9223372036854775808",
        "x",
        " - 1",
        "--1",
        "0xg",
        "1844674407370955162",
        "18446744073709551609",
    };
    static const int bases[] = {0, 8, 10, 16, 36};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        for (size_t j = 0; j < COUNT(bases); j++) {
            char *end, *their_end;
            int error;

            errno = 0;
            unsigned long long theirs = strtoull(texts[i], &their_end, bases[j]);
            error = errno;
            errno = 0;
            assert_int_equal(ours_strtoull(texts[i], &end, bases[j]), theirs);
            assert_int_equal(errno, error);
            assert_ptr_equal(end, their_end);
            assert_int_equal(ours_strtoul(texts[i], NULL, bases[j]),
                             strtoul(texts[i], NULL, bases[j]));
            assert_int_equal(ours_strtol(texts[i], &end, bases[j]),
                             strtol(texts[i], NULL, bases[j]));
            assert_ptr_equal(end, their_end);
        }
    }
}

static void add_five(void *argument)
{
    *(int *)argument += 5;
}

static void test_one_thread(void **state)
{
    int n = 1;

    (void)state;
    inhibit_threads();
    acquire_threads();
    in_all_threads(add_five, &n);
    release_threads();
    release_threads();
    assert_int_equal(n, 6);
}

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(errors); i++)
        assert_string_equal(ours_strerror(errors[i]), strerror(errors[i]));
    assert_string_equal(ours_strerror(0), "error 0000");
    assert_string_equal(ours_strerror(4095), "error 4095");
}

static void test_names(void **state)
{
    struct service service;

    (void)state;
    assert_int_equal(look_up_service(&service, NULL, 0, SOCK_STREAM, 0), 1);
    assert_int_equal(service.port, 0);
    assert_int_equal(service.protocol, IPPROTO_TCP);
    assert_int_equal(service.socket_type, SOCK_STREAM);
    assert_int_equal(ours_mbstowcs(NULL, "nas.lan", 0), 7);
    assert_int_equal(ours_if_nametoindex("lo"), if_nametoindex("lo"));
    assert_int_not_equal(ours_if_nametoindex("lo"), 0);
    assert_int_equal(ours_if_nametoindex("a name that is longer than any of them"), 0);
}

static void test_system(void **state)
{
    (void)state;
    assert_int_equal(ours_faccessat(AT_FDCWD, "/", F_OK, 0), 0);
    errno = 0;
    assert_int_equal(ours_faccessat(AT_FDCWD, "/no such file", F_OK, 0), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(ours_faccessat(AT_FDCWD, "/", F_OK, AT_EACCESS), -1);
    assert_int_equal(errno, EINVAL);
    assert_string_equal(ours_strsignal(SIGTERM), strsignal(SIGTERM));
    assert_string_equal(ours_strsignal(SIGINT), strsignal(SIGINT));
    assert_string_equal(ours_strsignal(SIGHUP), "A signal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_length),  cmocka_unit_test(test_length_at_the_end_of_a_page),
        cmocka_unit_test(test_search),  cmocka_unit_test(test_sort),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_one_thread),
        cmocka_unit_test(test_errors),  cmocka_unit_test(test_names),
        cmocka_unit_test(test_system),
    };

    return cmocka_run_group_tests_name("toolchain/libc", tests, NULL, NULL);
}
