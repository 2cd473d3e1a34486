#include "planner/mask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct mask_case {
    const char *in;
    const char *out; /* NULL: the same */
};

static const struct mask_case text_cases[] = {
    {"", NULL},
    {"web on solaria exited with code 137", NULL},
    {"GET / Authorization: Bearer abc.def-123 200", "GET / Authorization: [masked]"},
    {"sent bearer abc123 to it", "sent bearer [masked] to it"},
    {"Bearer", NULL},
    {"bearer of bad news", "bearer [masked] bad news"}, /* rather too much */
    {"basic settings were lost", NULL},
    {"Basic dXNlcjpwYXNzd29yZA==", "Basic [masked]"},
    {"key=abc", "key=[masked]"},
    {"ssh_key=abc next", "ssh_key=[masked] next"},
    {"apiKey=abc&x=1", "apiKey=[masked]&x=1"},
    {"key: web", NULL},
    {"password=hunter2", "password=[masked]"},
    {"PASSWORD = hunter2", "PASSWORD = [masked]"},
    {"MYSQL_ROOT_PASSWORD=hunter2\nNEXT=1", "MYSQL_ROOT_PASSWORD=[masked]\nNEXT=1"},
    {"password: hunter2, user: x", "password: [masked] user: x"},
    {"password=\"two words\" rest", "password=\"[masked]\" rest"},
    {"password='two words' rest", "password='[masked]' rest"},
    {"{\"password\": \"hunter2\"}", "{\"password\": \"[masked]\"}"},
    {"{\\\"password\\\":\\\"hunter2\\\"}", "{\\\"password\\\":\\\"[masked]\\\"}"},
    {"password=", NULL},
    {"password", NULL},
    {"the password was wrong", NULL},
    {"--password hunter2 --user x", "--password [masked] --user x"},
    {"--token=abc", "--token=[masked]"},
    {"pass: x", "pass: [masked]"},
    {"pass 3 of 5", NULL},
    {"db_pass=x", "db_pass=[masked]"},
    {"pwd=x", "pwd=[masked]"},
    {"secret=x;y", "secret=[masked]"},
    {"client_secret => x", "client_secret => [masked]"},
    {"api_key:x", "api_key:[masked]"},
    {"X-Api-Key: x", "X-Api-Key: [masked]"},
    {"cookie: a=b; c=d\nnext", "cookie: [masked]\nnext"},
    {"wifi psk=abc", "wifi psk=[masked]"},
    {"redis://user:pw@host:6379/0", "redis://[masked]@host:6379/0"},
    {"https://token@github.com/x", "https://[masked]@github.com/x"},
    {"http://host/a@b", NULL},
    {"http://host?x=a@b", NULL},
    {"mail me@home.lan", NULL},
    {"a://b c@d", NULL},
    {"-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----\nafter",
     "[masked]\nafter"},
    {"x -----BEGIN PRIVATE KEY-----\nMIIE", "x [masked]"},
    {"-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----", NULL},
    {"use sk-0123456789abcdef now", "use [masked] now"},
    {"sk-short", NULL},
    {"ghp_0123456789abcdefghij", "[masked]"},
    {"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "[masked]"},
    {"AKIAIOSFODNN7EXAMPLE", "[masked]"},
    {"task-eyJhbGciOiJIUzI1NiJ9x", NULL}, /* inside a word */
    {"\xc3\xbc"
     "password=\xc3\xa4\xc3\xb6 x",
     "\xc3\xbc"
     "password=[masked] x"},
};

static struct span mask(void (*masker)(struct buf *, struct span), struct span in, char *storage,
                        size_t cap)
{
    struct buf b;

    buf_init(&b, storage, cap);
    masker(&b, in);
    return buf_done(&b) == 0 ? buf_view(&b) : (struct span){NULL, 0};
}

static void check(void (*masker)(struct buf *, struct span), const struct mask_case *c)
{
    char storage[1024];
    struct guard guard;
    const char *expected = c->out != NULL ? c->out : c->in;
    size_t n = strlen(c->in);

    guard_open(&guard, n);
    struct span in = {guard_put(&guard, c->in, n), n};
    struct span out = mask(masker, in, storage, sizeof(storage));
    if (!span_is(out, expected))
        print_error("%s\n  became %.*s\n  not    %s\n", c->in, (int)out.n, out.p, expected);
    assert_true(span_is(out, expected));
    guard_close(&guard);
}

static void test_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(text_cases); i++)
        check(mask_text, &text_cases[i]);
}

static const struct mask_case json_cases[] = {
    {"{}", NULL},
    {"[1, \"a\" ,{\"b\":null}]", NULL},
    {"\"password=x\"", "\"password=[masked]\""},
    {"{\"password\":\"x\",\"a\":1}", "{\"password\":\"[masked]\",\"a\":1}"},
    {"{\"Secret\" : {\"deep\":[1,2,\"x\"]} , \"b\":\"c\"}",
     "{\"Secret\" : \"[masked]\" , \"b\":\"c\"}"},
    {"{\"token\":12345}", "{\"token\":\"[masked]\"}"},
    {"{\"api_key\":[\"a\",\"b\"]}", "{\"api_key\":\"[masked]\"}"},
    {"{\"authorization\":null}", "{\"authorization\":\"[masked]\"}"},
    {"{\"pass\\u0077ord\":\"x\"}", "{\"pass\\u0077ord\":\"[masked]\"}"},
    {"{\"key\":\"solaria/web\"}", NULL},
    {"[\"password\",\"x\",\"y\"]", "[\"password\",\"[masked]\",\"y\"]"},
    {"[\"a\",\"password of x\",\"y\"]", NULL},
    {"{\"log\":\"line\\npassword=\\\"a b\\\"\\u00e9\"}",
     "{\"log\":\"line\\npassword=\\\"[masked]\\\"\xc3\xa9\"}"},
    {"{\"log\":\"{\\\"password\\\":\\\"x\\\"}\"}",
     "{\"log\":\"{\\\"password\\\":\\\"[masked]\\\"}\"}"},
    {"{\"url\":\"http://a:b@c\"}", "{\"url\":\"http://[masked]@c\"}"},
    {"{\"a\":\"\\u0000\"}", NULL},
};

/* As they stand in the events of containers and agents: of none may be left what is called SECR. */
static void test_no_secret_is_left(void **state)
{
    static const char *const cases[] = {
        "{\"env\":[{\"name\":\"DB_PASSWORD\",\"value\":\"SECR\"}]}",
        "{\"env\":[{\"value\":\"SECR\",\"name\":\"API_KEY\"}]}",
        "{\"headers\":[{\"key\":\"Authorization\",\"val\":[\"SECR\"]}]}",
        "{\"headers\":[[\"X-Api-Key\",\"SECR\"]]}",
        "{\"args\":[\"redis-server\",\"--requirepass\",\"SECR\"]}",
        "{\"env\":[\"PASSWORD=ab;SECR\"]}",
        "{\"env\":[\"DB_PASSWORD=ab&SECR,d\"]}",
        "{\"env\":[\"DB_PASSWORD=correct horse SECR\"]}",
        "{\"env\":[\"KEY='a'SECR\"]}",
        "{\"cmd\":\"redis-server --requirepass SECR\"}",
        "{\"cmd\":\"curl -H 'X-Auth-Key: SECR' http://h\"}",
        "{\"cmd\":\"x token=(SECR)\"}",
        "{\"dsn\":\"postgres://u:p/SECR@h/db\"}",
        "{\"dsn\":\"postgres://u:p#SECR@h/db\"}",
        "{\"dsn\":\"postgres://u:p@SECR@h/db\"}",
        "{\"dsn\":\"Server=h;User Id=sa;Password=SECR;\"}",
        "{\"dsn\":\"Endpoint=sb://x/;SharedAccessKey=SECR=\"}",
        "{\"url\":\"https://h/p?sig=SECR&x=1\"}",
        "{\"url\":\"https://h/p?a=1&auth=SECR\"}",
        "{\"auths\":{\"reg\":{\"auth\":\"SECR\"}}}",
        "{\"encryption_key\":\"SECR\",\"network_key\":[1,\"SECR\"],\"PresharedKey\":\"SECR\"}",
        "{\"DB password\":\"SECR\",\"Wi-Fi password (guest)\":\"SECR\",\"spec/secret\":\"SECR\"}",
        "{\"msg\":\"{\\\"name\\\":\\\"DB_PASSWORD\\\",\\\"value\\\":\\\"SECR\\\"}\"}",
        "{\"msg\":\"[{\\\"name\\\": \\\"API_KEY\\\", \\\"val\\\" : SECR}]\"}",
        "{\"jwt\":\"SECR\",\"session_id\":\"SECR\",\"userpass\":\"SECR\"}",
        "{\"a\":\"https://hooks.slack.com/services/T0/B0/SECR\"}",
        "{\"a\":\"https://api.telegram.org/bot12:SECR/send\"}",
        "{\"msg\":\"{\\\"password\\\":\\\"a\\\\\\\"SECR\\\"}\"}",
        "{\"msg\":\"{\\\"password\\\":[\\\"SECR\\\"]}\"}",
        "{\"msg\":\"{\\\"secret\\\":{\\\"a\\\":\\\"SECR\\\"}}\"}",
        "{\"msg\":\"password:\\n  SECR\"}",
        "{\"msg\":\"password: |\\n  SECR\"}",
        "{\"msg\":\"password := SECR\"}",
        "{\"msg\":\"<password>SECR</password>\"}",
        "[\"-----BEGIN OPENSSH PRIVATE KEY-----\",\"SECR\",\"SECR\",\"-----END OPENSSH PRIVATE "
        "KEY-----\"]",
    };
    char storage[1024];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct span out = mask(mask_json, span_of(cases[i]), storage, sizeof(storage));
        if (out.p == NULL || memmem(out.p, out.n, "SECR", 4) != NULL)
            fail_msg("%s\n  became %.*s", cases[i], (int)out.n, out.p != NULL ? out.p : "");
    }
}

/* What stands beside and behind a secret is still to be read. */
static void test_the_rest_is_left(void **state)
{
    static const char *const same[] = {
        "{\"name\":\"web\",\"value\":\"7\"}",
        "{\"key\":\"solaria/web\",\"svc_key\":\"solaria/web\"}",
        "[\"-----BEGIN CERTIFICATE-----\",\"a\",\"b\"]",
        "{\"a\":\"http://host:8080/a@b\"}",
        "{\"a\":[\"b\"],\"c\":\"d\"}",
        "{\"cmd\":[\"nginx\",\"-g\",\"daemon off;\"]}",
    };
    char storage[1024];

    (void)state;
    for (size_t i = 0; i < COUNT(same); i++)
        assert_true(span_is(mask(mask_json, span_of(same[i]), storage, sizeof(storage)), same[i]));
    assert_true(span_is(mask(mask_json,
                             span_of("[\"-----BEGIN PRIVATE KEY-----\",\"x\",\"-----END PRIVATE "
                                     "KEY-----\",\"after\"]"),
                             storage, sizeof(storage)),
                        "[\"[masked]\",\"[masked]\",\"[masked]\",\"after\"]"));
}

static void test_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(json_cases); i++)
        check(mask_json, &json_cases[i]);
}

static void test_what_is_no_json_fails(void **state)
{
    static const char *const bad[] = {"", "{", "{\"a\":1,}", "password=x", "{} {}", "\"\xff\""};
    char storage[64];

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_null(mask(mask_json, span_of(bad[i]), storage, sizeof(storage)).p);
}

static void test_a_long_string_is_masked_whole(void **state)
{
    static char text[MASK_STRING_MAX + 16];
    static char storage[2 * MASK_STRING_MAX];

    (void)state;
    memset(text, 'a', sizeof(text));
    text[0] = '"';
    text[MASK_STRING_MAX - 1] = '"';
    struct span out =
        mask(mask_json, (struct span){text, MASK_STRING_MAX}, storage, sizeof(storage));
    assert_int_equal(out.n, MASK_STRING_MAX);
    text[MASK_STRING_MAX - 1] = 'a';
    text[MASK_STRING_MAX] = '"';
    out = mask(mask_json, (struct span){text, MASK_STRING_MAX + 1}, storage, sizeof(storage));
    assert_true(span_is(out, "\"" MASK_TEXT "\""));
}

static void test_no_room_fails(void **state)
{
    char storage[16];

    (void)state;
    assert_null(mask(mask_text, span_of("key=a key=b key=c"), storage, sizeof(storage)).p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_no_secret_is_left),
        cmocka_unit_test(test_the_rest_is_left),
        cmocka_unit_test(test_what_is_no_json_fails),
        cmocka_unit_test(test_a_long_string_is_masked_whole),
        cmocka_unit_test(test_no_room_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
