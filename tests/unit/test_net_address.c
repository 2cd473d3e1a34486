#include "net/address.h"

#include <arpa/inet.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *text_of(const union resolve_address *address)
{
    static char storage[INET6_ADDRSTRLEN];
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    address_text(&b, address);
    const char *text = buf_text(&b);
    assert_non_null(text);
    return text;
}

/* As the C library has them, but for IPv4 in IPv6 dress, which it writes with dots. */
static void test_texts(void **state)
{
    static const char *const texts[] = {
        "0.0.0.0",
        "127.0.0.1",
        "192.168.1.254",
        "255.255.255.255",
        "::",
        "::1",
        "1::",
        "fe80::1",
        "1:0:1::",
        "1:0:0:1::1",
        "0:1::1:0:1",
        "2001:db8::8:800:200c:417a",
        "ff01::101",
        "1:2:3:4:5:6:7:8",
        "1:0:3:4:5:6:7:8",
        "abcd:ef01:2345:6789:abcd:ef01:2345:6789",
        "::2:3:4:5:6:7",
        "1:2:3:4:5:6::",
        "0:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7:0",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        union resolve_address address;
        char expected[INET6_ADDRSTRLEN];
        int family = strchr(texts[i], ':') != NULL ? AF_INET6 : AF_INET;
        void *bytes = family == AF_INET6 ? (void *)&address.v6.sin6_addr : &address.v4.sin_addr;
        memset(&address, 0, sizeof(address));
        assert_int_equal(inet_pton(family, texts[i], bytes), 1);
        address.any.sa_family = (sa_family_t)family;
        assert_non_null(inet_ntop(family, bytes, expected, sizeof(expected)));
        assert_string_equal(text_of(&address), expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
