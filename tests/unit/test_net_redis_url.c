#include "net/redis_url.h"

#include "guard.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define X10 "xxxxxxxxxx"
#define X50 X10 X10 X10 X10 X10
#define X100 X50 X50
#define LABEL63 X50 X10 "xxx"
#define HOST251 LABEL63 "." LABEL63 "." LABEL63 "." X50 "xxxxxxxxx"
#define USER128 X100 X10 X10 "xxxxxxxx"
#define PASSWORD512 X100 X100 X100 X100 X100 X10 "xx"
#define SOCKET107 "/" X100 "xxxxxx"

/* Flush against a guard page, without a NUL. */
static int parse(struct redis_target *out, const char *text, size_t n, char *why)
{
    struct guard g;

    guard_open(&g, n);
    memset(out, '#', sizeof(*out));
    memset(why, '#', URL_WHY_MAX);
    int result = redis_url_parse(out, (struct span){guard_put(&g, text, n), n}, why);
    guard_close(&g);
    return result;
}

static void expect_text(const struct redis_target *target, const char *text)
{
    char storage[1024];
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    redis_url_text(target, &b);
    assert_string_equal(buf_text(&b), text);
}

static void test_good(void **state)
{
    static const struct {
        const char *text;
        bool tls;
        enum url_host kind;
        const char *host;
        uint16_t port;
        const char *path, *user, *password;
        unsigned database;
        const char *shown;
    } cases[] = {
        {"redis://redis", false, URL_NAME, "redis", 6379, "", "", "", 0, "redis://redis:6379"},
        {"REDIS://Redis.LAN/", false, URL_NAME, "redis.lan", 6379, "", "", "", 0,
         "redis://redis.lan:6379"},
        {"redis://h:80", false, URL_NAME, "h", 80, "", "", "", 0, "redis://h:80"},
        {"rediss://h:443/1", true, URL_NAME, "h", 443, "", "", "", 1, "rediss://h:443/1"},
        {"rediss://h", true, URL_NAME, "h", 6379, "", "", "", 0, "rediss://h:6379"},
        {"redis://h:1/0", false, URL_NAME, "h", 1, "", "", "", 0, "redis://h:1"},
        {"redis://h:65535/65535", false, URL_NAME, "h", 65535, "", "", "", 65535,
         "redis://h:65535/65535"},
        {"redis://192.0.2.1/15", false, URL_IPV4, "192.0.2.1", 6379, "", "", "", 15,
         "redis://192.0.2.1:6379/15"},
        {"redis://[2001:DB8::1]", false, URL_IPV6, "2001:db8::1", 6379, "", "", "", 0,
         "redis://[2001:db8::1]:6379"},
        {"rediss://[::1]:6380/3", true, URL_IPV6, "::1", 6380, "", "", "", 3,
         "rediss://[::1]:6380/3"},
        {"redis://:secret@h", false, URL_NAME, "h", 6379, "", "", "secret", 0, "redis://h:6379"},
        {"redis://:@h", false, URL_NAME, "h", 6379, "", "", "", 0, "redis://h:6379"},
        {"redis://planner:a:b@h:7000/2", false, URL_NAME, "h", 7000, "", "planner", "a:b", 2,
         "redis://h:7000/2"},
        {"redis://a%3ab:%40%2f%3F%23%25%20%09%ff@h", false, URL_NAME, "h", 6379, "", "a:b",
         "@/?#% \t\xff", 0, "redis://h:6379"},
        {"redis://:[p]&=+$!^\"\\\xc3\xa9@h", false, URL_NAME, "h", 6379, "", "",
         "[p]&=+$!^\"\\\xc3\xa9", 0, "redis://h:6379"},
        {"redis://" USER128 ":" PASSWORD512 "@" HOST251 ".h:65535", false, URL_NAME, HOST251 ".h",
         65535, "", USER128, PASSWORD512, 0, "redis://" HOST251 ".h:65535"},
        {"unix:///run/redis.sock", false, URL_UNIX, "", 0, "/run/redis.sock", "", "", 0,
         "unix:///run/redis.sock"},
        {"UNIX:///Run/r?db=7", false, URL_UNIX, "", 0, "/Run/r", "", "", 7, "unix:///Run/r?db=7"},
        {"unix:///r?db=0", false, URL_UNIX, "", 0, "/r", "", "", 0, "unix:///r"},
        {"unix://:pw@/r", false, URL_UNIX, "", 0, "/r", "", "pw", 0, "unix:///r"},
        {"unix://u:pw@/r?db=65535", false, URL_UNIX, "", 0, "/r", "u", "pw", 65535,
         "unix:///r?db=65535"},
        {"unix:///a%20b%3f%23%40%25%41:c", false, URL_UNIX, "", 0, "/a b?#@%A:c", "", "", 0,
         "unix:///a%20b%3f%23%40%25A:c"},
        {"unix:///%01%7f", false, URL_UNIX, "", 0, "/\x01\x7f", "", "", 0, "unix:///%01%7f"},
        {"unix://" SOCKET107, false, URL_UNIX, "", 0, SOCKET107, "", "", 0, "unix://" SOCKET107},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct redis_target t;
        char why[URL_WHY_MAX];
        if (parse(&t, cases[i].text, strlen(cases[i].text), why) != 0)
            fail_msg("%s: %s", cases[i].text, why);
        assert_int_equal(t.url.tls, cases[i].tls);
        assert_int_equal(t.url.kind, cases[i].kind);
        assert_string_equal(t.url.host, cases[i].host);
        assert_int_equal(t.url.port, cases[i].port);
        assert_string_equal(t.url.path, cases[i].path);
        assert_string_equal(t.user, cases[i].user);
        assert_string_equal(t.password, cases[i].password);
        assert_int_equal(t.database, cases[i].database);
        expect_text(&t, cases[i].shown);
        /* What is cut off may leave a URL or not, but never reads on. */
        for (size_t n = 0; n < strlen(cases[i].text); n++)
            (void)parse(&t, cases[i].text, n, why);
    }
}

#define SCHEME "it must begin with redis://, rediss:// or unix:///"
#define LOGIN "before the @ there must be user:password, or :password alone"
#define ENCODED                                                                                    \
    "user and password must be percent-encoded: @ is %40, / is %2F, ? is %3F, # is %23, % is %25"
#define DATABASE "the database must be a number from 0 to 65535"
#define QUERY "there must be no ? and no #: the database stands behind a slash"
#define SOCKET "the socket's path must begin with a slash: unix:///run/redis.sock"
#define PATH "the path has a character that must be written as % and two digits, or a NUL"
#define DB "behind the ? there may only be db= and a number"

static void test_bad(void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } cases[] = {
        {"", SCHEME},
        {"redis", SCHEME},
        {"redis:", SCHEME},
        {"redis:/h", SCHEME},
        {"localhost:6379", SCHEME},
        {"http://h", SCHEME},
        {"valkey://h", SCHEME},
        {"unix:/run/r", SCHEME},
        {"/run/r", SCHEME},
        {" redis://h", SCHEME},
        {"redis://", "the host is missing"},
        {"redis:///2", "the host is missing"},
        {"redis://:6379", "the host is missing"},
        {"redis://:secret@", "the host is missing"},
        {"redis://h:", "the port must be a number from 1 to 65535"},
        {"redis://h:0", "the port must be a number from 1 to 65535"},
        {"redis://h:65536", "the port must be a number from 1 to 65535"},
        {"redis://[::1]:x", "the port must be a number from 1 to 65535"},
        {"redis://::1", "the host is missing"},
        {"redis://fd00::1", "an IPv6 address must stand between [ and ]"},
        {"redis://[::1", "there is a [ without its ]"},
        {"redis://a b", "the host has a character that no host name has"},
        {"redis://h\r\n", "the host has a character that no host name has"},
        {"redis://0.0.0.0", "this address is for listening: name the one to connect to"},
        {"redis://" HOST251 ".hh", "the host is longer than 253 bytes"},
        {"redis://" PASSWORD512, "the host is longer than 253 bytes"},
        {"redis://user@h", LOGIN},
        {"redis://@h", LOGIN},
        {"unix:///a@b", LOGIN},
        {"redis://user:@h", "there is a user without a password"},
        {"redis://" USER128 "x:p@h", "the user is longer than 128 bytes"},
        {"redis://:" PASSWORD512 "x@h", "the password is longer than 512 bytes"},
        {"redis://:" PASSWORD512 "%41@h", "the password is longer than 512 bytes"},
        {"redis://:a@b@h", ENCODED},
        {"redis://:a/b@h", ENCODED},
        {"redis://:a?b@h", ENCODED},
        {"redis://:a#b@h", ENCODED},
        {"redis://a/b:c@h", ENCODED},
        {"redis://:a b@h", ENCODED},
        {"redis://:a\tb@h", ENCODED},
        {"redis://:a\x7f@h", ENCODED},
        {"redis://:%@h", ENCODED},
        {"redis://:%4@h", ENCODED},
        {"redis://:%4g@h", ENCODED},
        {"redis://:%g4@h", ENCODED},
        {"redis://:a%00b@h", ENCODED},
        {"redis://:p@h/0@x", ENCODED},
        {"redis://h/x", DATABASE},
        {"redis://h/-1", DATABASE},
        {"redis://h/+1", DATABASE},
        {"redis://h/ 1", DATABASE},
        {"redis://h/1/", DATABASE},
        {"redis://h//", DATABASE},
        {"redis://h/65536", DATABASE},
        {"redis://h/4294967296", DATABASE},
        {"redis://h/99999999999999999999", DATABASE},
        {"redis://h?db=1", QUERY},
        {"redis://h/1?x", QUERY},
        {"redis://h#1", QUERY},
        {"unix://", SOCKET},
        {"unix://run/r", SOCKET},
        {"unix://?db=1", SOCKET},
        {"unix://:pw@", SOCKET},
        {"unix://:pw@run/r", SOCKET},
        {"unix:///a b", PATH},
        {"unix:///a#b", PATH},
        {"unix:///a\n", PATH},
        {"unix:///a%", PATH},
        {"unix:///a%2", PATH},
        {"unix:///a%00", PATH},
        {"unix://" SOCKET107 "x", "the socket's path is longer than 107 bytes"},
        {"unix:///r?", DB},
        {"unix:///r?x=1", DB},
        {"unix:///r?d", DB},
        {"unix:///r?db", DB},
        {"unix:///r?db=", DATABASE},
        {"unix:///r?db=x", DATABASE},
        {"unix:///r?db=1&x=1", DATABASE},
        {"unix:///r?db=65536", DATABASE},
    };
    static const struct redis_target nothing;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct redis_target t;
        char why[URL_WHY_MAX];
        if (parse(&t, cases[i].text, strlen(cases[i].text), why) != -1)
            fail_msg("taken: %s", cases[i].text);
        assert_string_equal(why, cases[i].why);
        /* No part of a secret stays. */
        assert_memory_equal(&t, &nothing, sizeof(t));
    }
}

/* A byte that no C string has. */
static void test_nul(void **state)
{
    static const struct {
        const char *text;
        size_t n;
        const char *why;
    } cases[] = {
        {"redis://h\0x", 11, "the host has a character that no host name has"},
        {"redis://:p\0@h", 13, ENCODED},
        {"redis://h/1\0", 12, DATABASE},
        {"unix:///r\0", 10, PATH},
    };
    struct redis_target t;
    char why[URL_WHY_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(parse(&t, cases[i].text, cases[i].n, why), -1);
        assert_string_equal(why, cases[i].why);
    }
}

static void test_local(void **state)
{
    struct redis_target t;
    char why[URL_WHY_MAX];

    (void)state;
    assert_int_equal(redis_url_parse(&t, span_of("unix:///r"), why), 0);
    assert_true(url_is_local(&t.url));
    assert_int_equal(redis_url_parse(&t, span_of("redis://redis.example.com"), why), 0);
    assert_false(url_is_local(&t.url));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_local),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
