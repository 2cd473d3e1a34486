/* The guard before hiredis' reader, in pieces of every size, and what the reader makes of it. */

#include "net/resp.h"

#include "guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <hiredis/hiredis.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ROOM (1 << 20)

/* Small ones for what is small: a guard is wiped as a whole each time. */
static struct guard guards_in[2], guards_out[2];
#define SMALL 4096
static char in[ROOM], expected[ROOM], got[ROOM];
static size_t in_n, expected_n, got_n;
static char error[RESP_ERROR_MAX + 1]; /* "" = none */

/* ---- Feeding ---- */

/* Feeds a piece, as often as it takes with room for cap bytes (ROOM: for all); input and output are
 * flush against guard pages. 0, or -1. */
static int feed_piece(struct resp *r, const char *bytes, size_t n, size_t cap)
{
    static const char blank[ROOM + RESP_ROOM_MIN];

    if (cap == ROOM)
        cap = n + RESP_ROOM_MIN;
    while (n > 0) {
        size_t out_n = SIZE_MAX;
        char *out = guard_put(&guards_out[cap > SMALL], blank, cap);
        const char *piece = guard_put(&guards_in[n > SMALL], bytes, n);
        ptrdiff_t taken = resp_feed(r, piece, n, out, cap, &out_n);
        assert_true(out_n <= cap && got_n + out_n <= sizeof(got));
        memcpy(got + got_n, out, out_n);
        got_n += out_n;
        assert_int_equal(taken < 0, r->error != NULL);
        if (taken < 0)
            return -1;
        assert_true((size_t)taken <= n && (taken > 0 || out_n > 0));
        if (cap >= n + RESP_ROOM_MIN)
            assert_int_equal(taken, n);
        bytes += taken;
        n -= (size_t)taken;
    }
    return 0;
}

/* All of in; to got and error. */
static void feed(bool subscriber, size_t piece, size_t cap)
{
    struct resp r;
    size_t out_n;

    resp_init(&r, subscriber);
    got_n = 0;
    error[0] = '\0';
    for (size_t at = 0; at < in_n; at += piece) {
        size_t n = in_n - at < piece ? in_n - at : piece;
        if (feed_piece(&r, in + at, n, cap) == 0)
            continue;
        snprintf(error, sizeof(error), "%s", r.error);
        /* And so it stays. */
        assert_int_equal(resp_feed(&r, "+\r\n", 3, got + got_n, RESP_ROOM_MIN, &out_n), -1);
        assert_int_equal(out_n, 0);
        assert_string_equal(r.error, error);
        return;
    }
}

static void feed_and_check(bool subscriber, size_t piece, size_t cap, const char *why)
{
    feed(subscriber, piece, cap);
    /* Of a foreign stream as much is shown as was there. */
    const char *all = strstr(why, "answered \"");
    size_t n = all != NULL ? (size_t)(all - why) : strlen(why) + 1;
    if (all != NULL && piece >= in_n)
        n = strlen(why) + 1;
    if (strncmp(error, why, n) != 0)
        fail_msg("%.60s: %s instead of %s (%zu, %zu)", in, error, why, piece, cap);
    if (got_n != expected_n || memcmp(got, expected, got_n) != 0)
        fail_msg("%.60s: %.*s (%zu, %zu)", in, (int)got_n, got, piece, cap);
}

/* in gives expected, and why, however it is cut. */
static void check_split(bool subscriber, const char *why)
{
    static const size_t pieces[] = {1, 2, 3, 5, 7, 23, 64, ROOM};
    static const size_t caps[] = {RESP_ROOM_MIN, RESP_ROOM_MIN + 1, 31, 100, ROOM};

    for (size_t i = 0; i < COUNT(pieces); i++)
        for (size_t k = 0; k < COUNT(caps); k++)
            feed_and_check(subscriber, pieces[i], caps[k], why);
}

/* The same for long ones, that would take long byte by byte. */
static void check_long(bool subscriber, const char *why)
{
    static const size_t pieces[] = {4093, 16384, ROOM}, caps[] = {1000, 16384, ROOM};

    for (size_t i = 0; i < COUNT(pieces); i++)
        for (size_t k = 0; k < COUNT(caps); k++)
            feed_and_check(subscriber, pieces[i], caps[k], why);
}

static void put(char *to, size_t *n, const char *bytes, size_t size)
{
    assert_true(*n + size <= ROOM);
    memcpy(to + *n, bytes, size);
    *n += size;
}

static void put_in(const char *text)
{
    put(in, &in_n, text, strlen(text));
    in[in_n] = '\0';
}

static void put_expected(const char *text)
{
    put(expected, &expected_n, text, strlen(text));
}

static void put_both(const char *text)
{
    put_in(text);
    put_expected(text);
}

static void begin(void)
{
    in_n = expected_n = 0;
}

/* A string of so many bytes; the reader sees it, or a null. */
static void put_bulk(size_t size, bool seen)
{
    static char content[ROOM];
    char head[32];

    memset(content, 'x', size);
    snprintf(head, sizeof(head), "$%zu\r\n", size);
    put_in(head);
    put(in, &in_n, content, size);
    put_in("\r\n");
    if (!seen) {
        put_expected("$-1\r\n");
        return;
    }
    put_expected(head);
    put(expected, &expected_n, content, size);
    put_expected("\r\n");
}

/* ---- What passes ---- */

static void test_good(void **state)
{
    static const char *const cases[] = {
        "",
        "+OK\r\n",
        "+\r\n",
        "-\r\n",
        "-ERR unknown command 'x'\r\n",
        "+\xff\x01 $3*:\r\n",
        ":0\r\n",
        ":1\r\n",
        ":-1\r\n",
        ":-2\r\n",
        ":9223372036854775807\r\n",
        ":-9223372036854775808\r\n",
        ":1000000000000000000\r\n",
        "$-1\r\n",
        "$0\r\n\r\n",
        "$1\r\na\r\n",
        "$2\r\n\r\n\r\n",
        "$10\r\n0123456789\r\n",
        "*-1\r\n",
        "*0\r\n",
        "*1\r\n:1\r\n",
        "*5\r\n*-1\r\n*0\r\n$-1\r\n+x\r\n-y\r\n+z\r\n",
        "*2\r\n*2\r\n:1\r\n:2\r\n*1\r\n*1\r\n*0\r\n:3\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*2\r\n*-1\r\n:1\r\n+next\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*0\r\n+next\r\n",
        "*3\r\n:1\r\n+a\r\n*5\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n",
        /* Cut off anywhere, it waits. */
        "*3\r\n$7\r\nmess",
        "$10\r\n0123456789\r",
        "+OK\r",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        begin();
        put_both(cases[i]);
        check_split(false, "");
    }
}

/* A line with a number goes out when it is known to be one. */
static void test_held_back(void **state)
{
    static const char *const cases[] = {"$", "*", ":", ":-", "$12", "*-1", "$-1\r", ":0\r"};
    char all[32];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        begin();
        put_both("+a\r\n");
        put_in(cases[i]);
        check_split(false, "");
        snprintf(all, sizeof(all), "+a\r\n%s", cases[i]);
        assert_string_equal(in, all);
    }
}

static void test_messages(void **state)
{
    static const char *const cases[] = {
        "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\n{}\r\n",
        "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$-1\r\n",
        "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n:1\r\n",
        "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n*2\r\n:1\r\n$-1\r\n",
        "*3\r\n$0\r\n\r\n$0\r\n\r\n+x\r\n",
        "*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nc\r\n$2\r\n{}\r\n",
        "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n",
        "*3\r\n$10\r\npsubscribe\r\n$1\r\nc\r\n:1\r\n",
        "*3\r\n$10\r\nsubscribed\r\n$1\r\nc\r\n$1\r\n1\r\n",
        "*3\r\n$16\r\nsubscribe_______\r\n$1\r\nc\r\n$1\r\n1\r\n",
        "*3\r\n$17\r\nsubscribe________\r\n$1\r\nc\r\n$1\r\n1\r\n",
        "*3\r\n$8\r\nsubscrib\r\n$1\r\nc\r\n$1\r\n1\r\n",
        /* The kind is of this message, not of the one before. */
        "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\n1\r\n",
        "*3\r\n$3\r\nsub\r\n$1\r\nc\r\n:1\r\n*3\r\n$6\r\nscribe\r\n$1\r\nc\r\n$1\r\n1\r\n",
        /* What is no message. */
        "+OK\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n*2\r\n$-1\r\n:1\r\n*1\r\n*0\r\n*0\r\n*-1\r\n$-1\r\n",
        "*2\r\n*5\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n*3\r\n:1\r\n$-1\r\n:1\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        begin();
        put_both(cases[i]);
        check_split(true, "");
    }
}

/* ---- What is refused ---- */

struct bad {
    const char *text;
    const char *before; /* what goes out; NULL = nothing */
    const char *why;
};

static void check_bad(const struct bad *cases, size_t count, bool subscriber)
{
    for (size_t i = 0; i < count; i++) {
        begin();
        put_in(cases[i].text);
        put_expected(cases[i].before != NULL ? cases[i].before : "");
        check_split(subscriber, cases[i].why);
    }
}

#define FOREIGN "no RESP: the server answered "
#define BREAK "a status or an error with a line break in it"
#define END "a string that does not end where its length says"
#define ELEMENTS "a reply of more elements than any that was asked for"
#define DEPTH "arrays nested deeper than any that was asked for"

static void test_foreign(void **state)
{
    static const struct bad cases[] = {
        {"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", NULL,
         FOREIGN "\"HTTP/1.1 400 Bad Request\""},
        {"HTTP/1.1 400\r\n", NULL, FOREIGN "\"HTTP/1.1 400\""},
        {"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", NULL, FOREIGN "\"SSH-2.0-OpenSSH_9.2p1 De\""},
        {"\x15\x03\x01\x01\x02\x02\x46", NULL, FOREIGN "\"\\x15\\x03\\x01\\x01\\x02\\x02F\""},
        {"\n", NULL, FOREIGN "\"\\n\""},
        {"\r\n", NULL, FOREIGN "\"\\r\""},
        {"\xff\n", NULL, FOREIGN "\"\\xff\""},
        {"OK", NULL, FOREIGN "\"OK\""},
        {"\"", NULL, FOREIGN "\"\"\""},
        {"\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"
         "\x01"
         "\x01\x01",
         NULL,
         FOREIGN
         "\"\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01"
         "\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\""},
        {"+OK\r\nOK\r\n", "+OK\r\n", FOREIGN "\"OK\""},
        {"*2\r\n:1\r\nx", "*2\r\n:1\r\n", FOREIGN "\"x\""},
        {"_\r\n", NULL, "RESP3 type \"_\""},
        {"#t\r\n", NULL, "RESP3 type \"#\""},
        {",1.5\r\n", NULL, "RESP3 type \",\""},
        {"(1\r\n", NULL, "RESP3 type \"(\""},
        {"!1\r\nx\r\n", NULL, "RESP3 type \"!\""},
        {"=5\r\ntxt:x\r\n", NULL, "RESP3 type \"=\""},
        {"*1\r\n%0\r\n", "*1\r\n", "RESP3 type \"%\""},
        {"~0\r\n", NULL, "RESP3 type \"~\""},
        {">0\r\n", NULL, "RESP3 type \">\""},
        {"|0\r\n", NULL, "RESP3 type \"|\""},
    };

    (void)state;
    check_bad(cases, COUNT(cases), false);
    check_bad(cases, COUNT(cases), true);
}

static void test_bad(void **state)
{
    static const struct bad cases[] = {
        {":\r\n", NULL, "bad integer \":\\r\""},
        {":-\r\n", NULL, "bad integer \":-\\r\""},
        {":+1\r\n", NULL, "bad integer \":+\""},
        {": 1\r\n", NULL, "bad integer \": \""},
        {":1 \r\n", NULL, "bad integer \":1 \""},
        {":01\r\n", NULL, "bad integer \":01\""},
        {":00\r\n", NULL, "bad integer \":00\""},
        {":-0\r\n", NULL, "bad integer \":-0\""},
        {":-01\r\n", NULL, "bad integer \":-0\""},
        {":--1\r\n", NULL, "bad integer \":--\""},
        {":1-\r\n", NULL, "bad integer \":1-\""},
        {":1.5\r\n", NULL, "bad integer \":1.\""},
        {":x\r\n", NULL, "bad integer \":x\""},
        {":/\r\n", NULL, "bad integer \":/\""},
        {"::\r\n", NULL, "bad integer \"::\""},
        {":1\n", NULL, "bad integer \":1\\n\""},
        {":1\r\r\n", NULL, "bad integer \":1\\r\\r\""},
        {":1\rx", NULL, "bad integer \":1\\rx\""},
        {":9223372036854775808\r\n", NULL, "bad integer \":9223372036854775808\\r\\n\""},
        {":-9223372036854775809\r\n", NULL, "bad integer \":-9223372036854775809\\r\\n\""},
        {":9999999999999999999\r\n", NULL, "bad integer \":9999999999999999999\\r\\n\""},
        {":10000000000000000000\r\n", NULL, "bad integer \":10000000000000000000\""},
        {":-10000000000000000000\r\n", NULL, "bad integer \":-10000000000000000000\""},
        {"$\r\n", NULL, "bad length \"$\\r\""},
        {"$-2\r\n", NULL, "bad length \"$-2\""},
        {"$-0\r\n", NULL, "bad length \"$-0\""},
        {"$01\r\nx\r\n", NULL, "bad length \"$01\""},
        {"$+1\r\nx\r\n", NULL, "bad length \"$+\""},
        {"$?\r\n;1\r\n", NULL, "bad length \"$?\""},
        {"$1\nx\n", NULL, "bad length \"$1\\n\""},
        {"*-2\r\n", NULL, "bad length \"*-2\""},
        {"*?\r\n", NULL, "bad length \"*?\""},
        {"*00\r\n", NULL, "bad length \"*00\""},
        {"+OK\r\n*x\r\n", "+OK\r\n", "bad length \"*x\""},
        {"$99999999999999999999999999999999999999\r\n", NULL,
         "bad length \"$99999999999999999999\""},
        {"$536870913\r\n", NULL, "a string longer than any that Redis has"},
        {"$9223372036854775807\r\n", NULL, "a string longer than any that Redis has"},
        {"$1\r\nab\r\n", "$1\r\na", END},
        {"$1\r\na\n", "$1\r\na", END},
        {"$1\r\na\rb", "$1\r\na\r", END},
        {"$1\r\na\r\r\n", "$1\r\na\r", END},
        {"$0\r\na", "$0\r\n", END},
        {"$65537\r\n", "$-1\r\n", ""},
        {"+a\nb\r\n", "+a", BREAK},
        {"+\n", "+", BREAK},
        {"-a\rb\r\n", "-a\r", BREAK},
        {"-a\r\r\n", "-a\r", BREAK},
        {"*8193\r\n", NULL, ELEMENTS},
        {"*4294967297\r\n", NULL, ELEMENTS},
        {"*9223372036854775807\r\n", NULL, ELEMENTS},
        {"*8192\r\n", "*8192\r\n", ""},
        {"*2\r\n*8190\r\n", "*2\r\n*8190\r\n", ""},
        {"*2\r\n*8191\r\n", "*2\r\n", ELEMENTS},
        {"*8192\r\n*1\r\n", "*8192\r\n", ELEMENTS},
        {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", DEPTH},
        {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*0\r\n", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", DEPTH},
    };

    (void)state;
    check_bad(cases, COUNT(cases), false);
}

#define KIND "a message whose kind is no string"
#define CHANNEL "a message whose channel is no string"
#define ANSWER "an answer to SUBSCRIBE without its count"

static void test_bad_messages(void **state)
{
    static const struct bad cases[] = {
        {"*5\r\n$7\r\n", NULL, "a message of more than four elements"},
        {"*3\r\n$-1\r\n", "*3\r\n", KIND},
        {"*3\r\n:1\r\n", "*3\r\n", KIND},
        {"*3\r\n+message\r\n", "*3\r\n", KIND},
        {"*3\r\n-x\r\n", "*3\r\n", KIND},
        {"*3\r\n*-1\r\n", "*3\r\n", KIND},
        {"*3\r\n*3\r\n", "*3\r\n", KIND},
        {"*3\r\n$65537\r\n", "*3\r\n", KIND},
        {"*4\r\n$1\r\nx\r\n$-1\r\n", "*4\r\n$1\r\nx\r\n", CHANNEL},
        {"*3\r\n$1\r\nx\r\n:1\r\n", "*3\r\n$1\r\nx\r\n", CHANNEL},
        {"*3\r\n$1\r\nx\r\n+c\r\n", "*3\r\n$1\r\nx\r\n", CHANNEL},
        {"*3\r\n$1\r\nx\r\n*0\r\n", "*3\r\n$1\r\nx\r\n", CHANNEL},
        {"*3\r\n$1\r\nx\r\n$65537\r\n", "*3\r\n$1\r\nx\r\n", CHANNEL},
        {"+OK\r\n*2\r\n:1\r\n:2\r\n*3\r\n:1\r\n", "+OK\r\n*2\r\n:1\r\n:2\r\n*3\r\n", KIND},
    };
    static const char *const kinds[] = {"subscribe",  "unsubscribe",  "psubscribe", "punsubscribe",
                                        "ssubscribe", "sunsubscribe", "SUBSCRIBE",  "PunSubscribe"};
    static const char *const thirds[] = {"$1\r\n1\r\n", "$-1\r\n",      "+1\r\n",    "-1\r\n",
                                         "*0\r\n",      "*1\r\n:1\r\n", "$65537\r\n"};
    char text[128];

    (void)state;
    check_bad(cases, COUNT(cases), true);
    for (size_t i = 0; i < COUNT(kinds); i++)
        for (size_t k = 0; k < COUNT(thirds); k++) {
            begin();
            snprintf(text, sizeof(text), "*3\r\n$%zu\r\n%s\r\n$1\r\nc\r\n", strlen(kinds[i]),
                     kinds[i]);
            put_both(text);
            put_in(thirds[k]);
            check_split(true, ANSWER);
        }
    /* hiredis reads it as a string in C, which ends at a NUL. */
    begin();
    put_both("*3\r\n$20\r\nsubscribe");
    put(in, &in_n, "", 1);
    put(expected, &expected_n, "", 1);
    put_both("0123456789\r\n$1\r\nc\r\n");
    put_in("$1\r\n1\r\n");
    check_split(true, ANSWER);
    feed(false, ROOM, ROOM);
    assert_string_equal(error, "");
}

/* ---- Limits ---- */

static void test_large_string(void **state)
{
    (void)state;
    begin();
    put_bulk(RESP_BULK_MAX, true);
    put_bulk(RESP_BULK_MAX + 1, false);
    put_both("*3\r\n:1\r\n");
    put_bulk(RESP_BULK_MAX + 1, false);
    put_bulk(1, true);
    put_both("+next\r\n");
    check_long(false, "");
    /* In a message only the payload may be. */
    begin();
    put_both("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n");
    put_bulk(RESP_BULK_MAX + 1, false);
    put_both("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n");
    put_bulk(200, true);
    check_long(true, "");
    feed_and_check(true, 1, RESP_ROOM_MIN, "");
    /* Its end is looked at, too. */
    begin();
    put_bulk(RESP_BULK_MAX + 1, false);
    in[in_n - 2] = 'x';
    check_long(false, END);
    in[in_n - 2] = '\r';
    in[in_n - 1] = 'x';
    check_long(false, END);
}

static void test_large_reply(void **state)
{
    (void)state;
    begin();
    put_both("*8\r\n");
    put_bulk(RESP_BULK_MAX, true);
    put_bulk(RESP_BULK_MAX, true);
    put_bulk(RESP_BULK_MAX, true);
    put_bulk(RESP_BULK_MAX - 1, true);
    put_bulk(2, false);
    put_bulk(1, true);
    put_bulk(1, false);
    put_bulk(0, true);
    /* The next one has all the room again. */
    put_bulk(RESP_BULK_MAX, true);
    put_both("*1\r\n");
    put_bulk(RESP_BULK_MAX, true);
    check_long(false, "");
    /* Where a null is longer than what it stands for. */
    size_t cut = in_n;
    for (size_t piece = cut - 40; piece < cut; piece++)
        feed_and_check(false, piece, ROOM, "");
}

static void test_largest_string(void **state)
{
    static char bytes[ROOM], out[RESP_ROOM_MIN];
    struct resp r;
    size_t out_n;

    (void)state;
    resp_init(&r, false);
    assert_int_equal(resp_feed(&r, "$536870912\r\n", 12, out, sizeof(out), &out_n), 12);
    assert_int_equal(out_n, 5);
    assert_memory_equal(out, "$-1\r\n", 5);
    for (size_t n = 0; n < RESP_PASSED_MAX; n += sizeof(bytes)) {
        assert_int_equal(resp_feed(&r, bytes, sizeof(bytes), out, sizeof(out), &out_n),
                         sizeof(bytes));
        assert_int_equal(out_n, 0);
    }
    assert_int_equal(resp_feed(&r, "\r\n:1\r\n", 6, out, sizeof(out), &out_n), 6);
    assert_int_equal(out_n, 4);
}

/* A long text is cut. */
static void test_long_text(void **state)
{
    static char text[2 * RESP_LINE_MAX];

    (void)state;
    memset(text, 'x', sizeof(text));
    for (size_t n = RESP_LINE_MAX - 1; n < RESP_LINE_MAX + 3; n++) {
        begin();
        put_both("*2\r\n-");
        put(in, &in_n, text, n);
        put(expected, &expected_n, text, n < RESP_LINE_MAX ? n : RESP_LINE_MAX);
        put_both("\r\n+OK\r\n");
        check_split(false, "");
    }
    begin();
    put_both("+");
    put(in, &in_n, text, sizeof(text));
    put(expected, &expected_n, text, RESP_LINE_MAX);
    put_in("\n");
    check_split(false, BREAK);
}

static void test_endless_text(void **state)
{
    char out[RESP_ROOM_MIN];
    struct resp r;
    size_t out_n;

    (void)state;
    resp_init(&r, false);
    assert_int_equal(resp_feed(&r, "-x", 2, out, sizeof(out), &out_n), 2);
    assert_int_equal(r.text_n, 1);
    r.text_n = RESP_PASSED_MAX - 2; /* half a gigabyte later */
    assert_int_equal(resp_feed(&r, "xx", 2, out, sizeof(out), &out_n), 2);
    assert_int_equal(out_n, 0);
    assert_int_equal(resp_feed(&r, "x", 1, out, sizeof(out), &out_n), -1);
    assert_string_equal(r.error, "a status or an error without an end");
}

/* ---- hiredis ---- */

static uint64_t seed = 1;

static unsigned pick(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 16) % n;
}

static void put_value(unsigned depth)
{
    static const char *const plain[] = {
        "$-1\r\n",     "*-1\r\n", "*0\r\n", "+OK\r\n",
        "-ERR no\r\n", "+\r\n",   ":0\r\n", ":-9223372036854775808\r\n",
        "$0\r\n\r\n"};
    char text[32];
    unsigned kind = pick(6);

    if (kind < 2 && depth < RESP_DEPTH_MAX) {
        unsigned count = 1 + pick(5);
        snprintf(text, sizeof(text), "*%u\r\n", count);
        put_both(text);
        while (count-- > 0)
            put_value(depth + 1);
    } else if (kind == 2) {
        put_bulk(pick(300), true);
    } else if (kind == 3) {
        snprintf(text, sizeof(text), ":%d\r\n", (int)pick(1U << 31) - (1 << 30));
        put_both(text);
    } else if (kind == 4 && pick(30) == 0) {
        put_bulk(RESP_BULK_MAX + 1 + pick(100), false);
    } else {
        unsigned i = pick(COUNT(plain));
        put_both(depth < RESP_DEPTH_MAX || strcmp(plain[i], "*0\r\n") != 0 ? plain[i] : ":7\r\n");
    }
}

/* The tree as RESP again, behind *n bytes of to. */
static void put_tree(char *to, size_t *n, const redisReply *reply)
{
    static const char types[] = {[REDIS_REPLY_STRING] = '$',
                                 [REDIS_REPLY_ARRAY] = '*',
                                 [REDIS_REPLY_INTEGER] = ':',
                                 [REDIS_REPLY_STATUS] = '+',
                                 [REDIS_REPLY_ERROR] = '-'};
    char text[48] = "";

    if (reply->type == REDIS_REPLY_INTEGER)
        snprintf(text, sizeof(text), ":%lld\r\n", reply->integer);
    else if (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_ARRAY)
        snprintf(text, sizeof(text), "%c%zu\r\n", types[reply->type],
                 reply->type == REDIS_REPLY_ARRAY ? reply->elements : reply->len);
    else if (reply->type == REDIS_REPLY_NIL)
        snprintf(text, sizeof(text), "$-1\r\n");
    else
        snprintf(text, sizeof(text), "%c", types[reply->type]);
    put(to, n, text, strlen(text));
    if (reply->type == REDIS_REPLY_ARRAY) {
        for (size_t i = 0; i < reply->elements; i++)
            put_tree(to, n, reply->element[i]);
    } else if (reply->type != REDIS_REPLY_INTEGER && reply->type != REDIS_REPLY_NIL) {
        put(to, n, reply->str, reply->len);
        put(to, n, "\r\n", 2);
    }
}

/* The reader does not tell a null array from a null string. */
static void null_arrays_as_strings(char *text, size_t n)
{
    for (size_t i = 0; i + 5 <= n; i++)
        if (memcmp(text + i, "*-1\r\n", 5) == 0)
            text[i] = '$';
}

static void test_hiredis(void **state)
{
    static char trees[ROOM];
    size_t trees_n, replies = 0;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        redisReader *reader = redisReaderCreate();
        void *reply = NULL;
        assert_non_null(reader);
        begin();
        unsigned values = 1 + pick(4);
        for (unsigned i = 0; i < values; i++)
            put_value(0);
        feed_and_check(false, 1 + pick(50), RESP_ROOM_MIN + pick(50), "");
        trees_n = 0;
        assert_int_equal(redisReaderFeed(reader, got, got_n), REDIS_OK);
        for (; redisReaderGetReply(reader, &reply) == REDIS_OK && reply != NULL; values--) {
            put_tree(trees, &trees_n, reply);
            freeReplyObject(reply);
            replies++;
        }
        if (reader->err != 0)
            fail_msg("hiredis: %s", reader->errstr);
        assert_int_equal(values, 0);
        null_arrays_as_strings(expected, expected_n);
        assert_int_equal(trees_n, expected_n);
        assert_memory_equal(trees, expected, trees_n);
        redisReaderFree(reader);
    }
    assert_in_range(replies, 3000, 12000);
}

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        guard_open(&guards_in[i], i == 0 ? SMALL : ROOM);
        guard_open(&guards_out[i], i == 0 ? SMALL : ROOM + RESP_ROOM_MIN);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        guard_close(&guards_in[i]);
        guard_close(&guards_out[i]);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_held_back),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_bad_messages),
        cmocka_unit_test(test_large_string),
        cmocka_unit_test(test_large_reply),
        cmocka_unit_test(test_largest_string),
        cmocka_unit_test(test_long_text),
        cmocka_unit_test(test_endless_text),
        cmocka_unit_test(test_hiredis),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
