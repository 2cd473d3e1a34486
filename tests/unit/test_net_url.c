#include "net/url.h"

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
#define LABEL63 X50 X10 "xxx"
#define HOST251 LABEL63 "." LABEL63 "." LABEL63 "." X50 "xxxxxxxxx"

typedef int parser(struct url *out, struct span text, char *why);

/* Flush against a guard page, without a NUL. */
static int parse(parser *f, struct url *out, const char *text, size_t n, char *why)
{
    struct guard g;

    guard_open(&g, n);
    memset(why, '#', URL_WHY_MAX);
    int result = f(out, (struct span){guard_put(&g, text, n), n}, why);
    guard_close(&g);
    return result;
}

struct good {
    const char *text;
    bool tls;
    enum url_host kind;
    const char *host;
    uint16_t port;
    const char *path;
};

static void check_good(parser *f, const struct good *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct good *c = &cases[i];
        struct url url;
        char why[URL_WHY_MAX];
        if (parse(f, &url, c->text, strlen(c->text), why) != 0)
            fail_msg("%s: %s", c->text, why);
        assert_string_equal(url.host, c->host);
        assert_string_equal(url.path, c->path);
        assert_int_equal(url.tls, c->tls);
        assert_int_equal(url.kind, c->kind);
        assert_int_equal(url.port, c->port);
        /* What is cut off may leave a URL or not, but never reads on. */
        for (size_t n = 0; n < strlen(c->text); n++)
            (void)parse(f, &url, c->text, n, why);
    }
}

struct bad {
    const char *text;
    const char *why;
};

static void check_bad(parser *f, const struct bad *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct url url;
        char why[URL_WHY_MAX];
        if (parse(f, &url, cases[i].text, strlen(cases[i].text), why) != -1)
            fail_msg("taken: %s", cases[i].text);
        assert_string_equal(why, cases[i].why);
    }
}

static void test_good(void **state)
{
    static const struct good cases[] = {
        {"http://ollama", false, URL_NAME, "ollama", 80, ""},
        {"https://api.anthropic.com", true, URL_NAME, "api.anthropic.com", 443, ""},
        {"HTTPS://API.Anthropic.COM/", true, URL_NAME, "api.anthropic.com", 443, ""},
        {"hTTp://h:8080/v1/", false, URL_NAME, "h", 8080, "/v1"},
        {"http://h/a//b///", false, URL_NAME, "h", 80, "/a//b"},
        {"http://h//", false, URL_NAME, "h", 80, ""},
        {"http://h/A-._~!$&'()*+,;=:b%2F%aA", false, URL_NAME, "h", 80,
         "/A-._~!$&'()*+,;=:b%2F%aA"},
        {"http://h/.../a..b", false, URL_NAME, "h", 80, "/.../a..b"},
        {"https://h:1", true, URL_NAME, "h", 1, ""},
        {"https://h:65535", true, URL_NAME, "h", 65535, ""},
        {"http://my_ollama-1.lan:11434", false, URL_NAME, "my_ollama-1.lan", 11434, ""},
        {"http://xn--bcher-kva.example", false, URL_NAME, "xn--bcher-kva.example", 80, ""},
        {"http://1.2.3.com", false, URL_NAME, "1.2.3.com", 80, ""},
        {"http://0x7f.h", false, URL_NAME, "0x7f.h", 80, ""},
        {"http://127.0.0.0xg", false, URL_NAME, "127.0.0.0xg", 80, ""},
        {"http://" HOST251 ".h", false, URL_NAME, HOST251 ".h", 80, ""},
        {"http://192.0.2.1", false, URL_IPV4, "192.0.2.1", 80, ""},
        {"https://255.255.255.255:443/x", true, URL_IPV4, "255.255.255.255", 443, "/x"},
        {"http://[::1]", false, URL_IPV6, "::1", 80, ""},
        {"https://[2001:DB8::1]:8443/v1", true, URL_IPV6, "2001:db8::1", 8443, "/v1"},
        {"http://[::ffff:192.0.2.1]", false, URL_IPV6, "::ffff:192.0.2.1", 80, ""},
        {"http://[0000:0000:0000:0000:0000:ffff:255.255.255.255]", false, URL_IPV6,
         "0000:0000:0000:0000:0000:ffff:255.255.255.255", 80, ""},
    };

    (void)state;
    check_good(url_parse, cases, COUNT(cases));
}

#define SCHEME "it must begin with http:// or https://"
#define KEY "it holds an @: put the key into its variable, not into the URL"
#define QUERY "a base URL has no ? and no #"
#define HOST "the host is missing"
#define CHARACTER "the host has a character that no host name has"
#define DOT "the host has an empty part: a dot too many"
#define DASH "the host has a part that begins or ends with a dash"
#define QUAD "an IPv4 address is four numbers from 0 to 255 with dots between"
#define SIX "what is between [ and ] is no IPv6 address"
#define PORT "the port must be a number from 1 to 65535"
#define ESCAPE "the path has a character that must be written as % and two digits"
#define DOTS "the path must not have . or .. in it"
#define LISTEN "this address is for listening: name the one to connect to"

static void test_bad(void **state)
{
    static const struct bad cases[] = {
        {"", SCHEME},
        {"h", SCHEME},
        {"localhost:8080", SCHEME},
        {"ftp://h", SCHEME},
        {"http:/h", SCHEME},
        {" http://h", SCHEME},
        {"http://", HOST},
        {"https:///v1", HOST},
        {"http://:80", HOST},
        {"http://sk-key@h", KEY},
        {"http://user:pw@h/v1", KEY},
        {"http://h/v1@x", KEY},
        {"http://h?key=1", QUERY},
        {"http://h/v1?key=1", QUERY},
        {"http://h/v1#top", QUERY},
        {"http://a b", CHARACTER},
        {"http://a%41", CHARACTER},
        {"http://a\\b", CHARACTER},
        {"http://a\r\nX: y", CHARACTER},
        {"http://a*b", CHARACTER},
        {"http://bücher.example", "the host is not ASCII: write it in its xn-- form"},
        {"http://h.", DOT},
        {"http://.h", DOT},
        {"http://a..b", DOT},
        {"http://-a", DASH},
        {"http://a-.b", DASH},
        {"http://" LABEL63 "x", "the host has a part of over 63 bytes"},
        {"http://" HOST251 ".hh", "the host is longer than 253 bytes"},
        {"http://127.1", QUAD},
        {"http://2130706433", QUAD},
        {"http://0x7f000001", QUAD},
        {"http://0X7F.0.0.0x1", QUAD},
        {"http://0x", QUAD},
        {"http://256.0.0.1", QUAD},
        {"http://1.2.3.4.5", QUAD},
        {"http://01.2.3.4", QUAD},
        {"http://h.123", QUAD},
        {"http://[]", SIX},
        {"http://[::1", "there is a [ without its ]"},
        {"http://[::g]", SIX},
        {"http://[192.0.2.1]", SIX},
        {"http://[::1::]", SIX},
        {"http://[0000:0000:0000:0000:0000:ffff:255.255.255.2555]", SIX},
        {"http://[fe80::1%25eth0]", "an IPv6 address with a zone (%) is not supported"},
        {"http://[::1]80", "behind the ] there may only be a colon and a port"},
        {"http://::1", HOST},
        {"http://fd00::1", "an IPv6 address must stand between [ and ]"},
        {"http://h:80:80", "an IPv6 address must stand between [ and ]"},
        {"http://h:", PORT},
        {"http://h:0", PORT},
        {"http://h:65536", PORT},
        {"http://h:-1", PORT},
        {"http://h: 80", PORT},
        {"http://h:8o", PORT},
        {"http://[::1]:", PORT},
        {"http://h/a b", ESCAPE},
        {"http://h/a\n", ESCAPE},
        {"http://h/%", ESCAPE},
        {"http://h/%4", ESCAPE},
        {"http://h/%4g", ESCAPE},
        {"http://h/\xc3\xa9", ESCAPE},
        {"http://h/<x>", ESCAPE},
        {"http://h/\x7f", ESCAPE},
        {"http://h/..", DOTS},
        {"http://h/a/../b", DOTS},
        {"http://h/./a", DOTS},
        {"http://h/" X50 X50 X50 X50 X50 "xxxxx", "the path is longer than 255 bytes"},
        {"http://0.0.0.0", LISTEN},
        {"https://[::]:443", LISTEN},
        {"http://[0:0:0:0:0:0:0:0]", LISTEN},
    };
    struct url url;
    char why[URL_WHY_MAX];

    (void)state;
    check_bad(url_parse, cases, COUNT(cases));
    assert_int_equal(parse(url_parse, &url, "http://a\0b", 10, why), -1);
    assert_string_equal(why, CHARACTER);
    assert_int_equal(parse(url_parse, &url, "http://[::1\0]", 13, why), -1);
    assert_string_equal(why, SIX);
    assert_int_equal(parse(url_parse, &url, "http://a/\0b", 11, why), -1);
    assert_string_equal(why, ESCAPE);
    assert_int_equal(parse(url_parse, &url, "http://h/" X50 X50 X50 X50 X50 "xxxx////", 267, why),
                     0);
    assert_int_equal(strlen(url.path), 255);
}

static void test_ollama(void **state)
{
    static const struct good good[] = {
        {"http://10.0.0.2:11434", false, URL_IPV4, "10.0.0.2", 11434, ""},
        {"https://ollama.lan/sub", true, URL_NAME, "ollama.lan", 443, "/sub"},
        {"http://ollama", false, URL_NAME, "ollama", 80, ""},
        {"ollama.lan", false, URL_NAME, "ollama.lan", 11434, ""},
        {"Ollama:8080", false, URL_NAME, "ollama", 8080, ""},
        {"ollama:11434/", false, URL_NAME, "ollama", 11434, ""},
        {"https", false, URL_NAME, "https", 11434, ""},
        {"192.0.2.1", false, URL_IPV4, "192.0.2.1", 11434, ""},
        {"[::1]:8080", false, URL_IPV6, "::1", 8080, ""},
        {"[fd00::1]", false, URL_IPV6, "fd00::1", 11434, ""},
        {"FD00::1", false, URL_IPV6, "fd00::1", 11434, ""},
        {"::1", false, URL_IPV6, "::1", 11434, ""},
        {":8080", false, URL_IPV4, "127.0.0.1", 8080, ""},
        {"0.0.0.0", false, URL_IPV4, "127.0.0.1", 11434, ""},
        {"0.0.0.0:8080", false, URL_IPV4, "127.0.0.1", 8080, ""},
        {"::", false, URL_IPV6, "::1", 11434, ""},
        {"[::]:8080", false, URL_IPV6, "::1", 8080, ""},
        {"http://0.0.0.0:11434", false, URL_IPV4, "127.0.0.1", 11434, ""},
        {"http://[0::0]", false, URL_IPV6, "::1", 80, ""},
    };
    static const struct bad bad[] = {
        {"", HOST},
        {":", HOST},
        {"ftp://ollama", "it must begin with http:// or https://, or with the host"},
        {"://", "it must begin with http:// or https://, or with the host"},
        {"ollama:0", PORT},
        {":0", PORT},
        {":65536", PORT},
        {":x", PORT},
        {"key@ollama", KEY},
        {"ollama?x", QUERY},
        {"http://", HOST},
        {"ol lama", CHARACTER},
        {"http:ollama", PORT},
        {"::1:", PORT},
        {"0", QUAD},
        {"fe80::1%eth0", "an IPv6 address must stand between [ and ]"},
    };

    (void)state;
    check_good(url_parse_ollama, good, COUNT(good));
    check_bad(url_parse_ollama, bad, COUNT(bad));
}

static void test_authority(void **state)
{
    static const char *const cases[][2] = {
        {"http://h", "h"},
        {"http://H:80/x", "h"},
        {"http://h:443", "h:443"},
        {"https://h:443", "h"},
        {"https://h:80", "h:80"},
        {"https://h:65535", "h:65535"},
        {"http://192.0.2.1:8080", "192.0.2.1:8080"},
        {"http://[fd00::1]", "[fd00::1]"},
        {"https://[fd00::1]:8443", "[fd00::1]:8443"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct url url;
        char storage[300], why[URL_WHY_MAX];
        struct buf b;
        assert_int_equal(url_parse(&url, span_of(cases[i][0]), why), 0);
        buf_init(&b, storage, sizeof(storage));
        url_authority(&url, &b);
        assert_string_equal(buf_text(&b), cases[i][1]);
    }
}

static void test_local(void **state)
{
    static const struct {
        const char *host;
        bool local;
    } cases[] = {
        {"ollama", true},
        {"localhost", true},
        {"a.localhost", true},
        {"pi.local", true},
        {"pi.lan", true},
        {"a.b.home", true},
        {"x.internal", true},
        {"x.localdomain", true},
        {"x.home.arpa", true},
        {"pi.tail1234.ts.net", true},
        {"api.anthropic.com", false},
        {"lan.com", false},
        {"notlan", true},
        {"x.notlan", false},
        {"arpa.home.com", false},
        {"x.arpa", false},
        {"evilts.net", false},
        {"ts.net", false},
        {"127.0.0.1", true},
        {"127.255.0.9", true},
        {"126.0.0.1", false},
        {"128.0.0.1", false},
        {"10.0.0.1", true},
        {"11.0.0.1", false},
        {"172.15.255.255", false},
        {"172.16.0.1", true},
        {"172.31.255.255", true},
        {"172.32.0.1", false},
        {"192.168.1.1", true},
        {"192.169.1.1", false},
        {"193.168.1.1", false},
        {"169.254.1.1", true},
        {"169.253.1.1", false},
        {"168.254.1.1", false},
        {"100.63.255.255", false},
        {"100.64.0.1", true},
        {"100.127.255.255", true},
        {"100.128.0.1", false},
        {"100.192.0.1", false},
        {"101.64.0.1", false},
        {"8.8.8.8", false},
        {"[::1]", true},
        {"[::2]", false},
        {"[1::1]", false},
        {"[fc00::1]", true},
        {"[fdff::1]", true},
        {"[fe00::1]", false},
        {"[fbff::1]", false},
        {"[fe80::1]", true},
        {"[febf::1]", true},
        {"[fec0::1]", false},
        {"[fe7f::1]", false},
        {"[ff80::1]", false},
        {"[2001:db8::1]", false},
        {"[::ffff:192.168.1.1]", true},
        {"[::ffff:8.8.8.8]", false},
        {"[::fffe:192.168.1.1]", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct url url;
        char text[64] = "http://", why[URL_WHY_MAX];
        strncat(text, cases[i].host, sizeof(text) - 8);
        assert_int_equal(url_parse(&url, span_of(text), why), 0);
        if (url_is_local(&url) != cases[i].local)
            fail_msg("%s", cases[i].host);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),   cmocka_unit_test(test_bad),
        cmocka_unit_test(test_ollama), cmocka_unit_test(test_authority),
        cmocka_unit_test(test_local),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
