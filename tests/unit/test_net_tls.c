#include "net/tls.h"

#include "tls_pair.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DAY_MS INT64_C(86400000)

static struct pair pair;
static char sent[100000], got[100000];

static int set_up(void **state)
{
    (void)state;
    pair_make_keys();
    return 0;
}

static int pump(void)
{
    return tls_pump(&pair.client, pair.client_fd);
}

/* ---- Start ---- */

static void expect_start(const char *host, bool address, int64_t wall_ms, const char *error)
{
    const struct now now = {.boot_ms = 1, .wall_ms = wall_ms};

    assert_int_equal(tls_start(&pair.client, host, address, PAIR_PORT, now),
                     error == NULL ? 0 : -1);
    assert_string_equal(pair.client.error, error == NULL ? "" : error);
    assert_false(tls_is_open(&pair.client));
    assert_false(tls_is_closed(&pair.client));
    if (error != NULL) {
        assert_int_equal(pump(), -1);
        assert_string_equal(pair.client.error, error);
    }
    tls_end(&pair.client, -1);
}

static void test_start(void **state)
{
    char longest[URL_HOST_MAX + 3];

    (void)state;
    pair_open_good(&pair);
    expect_start(PAIR_HOST, false, PAIR_NOW, NULL);
    expect_start(PAIR_HOST ".", false, PAIR_NOW, NULL);
    assert_string_equal(pair.client.host, PAIR_HOST);
    expect_start("", false, PAIR_NOW, "no name to compare with the certificate's");
    expect_start(".", false, PAIR_NOW, "no name to compare with the certificate's");
    memset(longest, 'a', sizeof(longest));
    longest[URL_HOST_MAX + 1] = '\0';
    expect_start(longest, false, PAIR_NOW, "no name to compare with the certificate's");
    longest[URL_HOST_MAX] = '\0';
    expect_start(longest, false, PAIR_NOW, NULL);
    expect_start("192.168.1.5", true, PAIR_NOW,
                 "TLS to an address (192.168.1.5): BearSSL knows names only; /etc/hosts or DNS "
                 "can give one");
    expect_start("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", true, PAIR_NOW,
                 "TLS to an address (ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255): BearSSL "
                 "knows names only; /etc/hosts or DNS can give one");
    expect_start(PAIR_HOST, false, 0,
                 "the clock is not set (it says 1970-01-01T00:00:00.000Z; this program was built "
                 "2025-01-01): TLS needs the date");
    expect_start(PAIR_HOST, false, BUILD_EPOCH * INT64_C(1000) - 1,
                 "the clock is not set (it says 2024-12-31T23:59:59.999Z; this program was built "
                 "2025-01-01): TLS needs the date");
    expect_start(PAIR_HOST, false, BUILD_EPOCH * INT64_C(1000), NULL);
    pair_close(&pair);
}

/* A long name is cut in a text, never more. */
static void test_long_name(void **state)
{
    struct certificate chain[] = {pair_leaf(), pair_issuer()};
    char host[URL_HOST_MAX + 1];

    (void)state;
    pair_trust_root();
    pair_open(&pair, chain, COUNT(chain));
    memset(host, 'a', sizeof(host));
    host[URL_HOST_MAX] = '\0';
    assert_int_equal(tls_start(&pair.client, host, false, PAIR_PORT, pair.now), 0);
    while (pump() >= 0)
        pair_serve(&pair);
    assert_memory_equal(pair.client.error, "the certificate is not for aaaa", 31);
    assert_true(strlen(pair.client.error) < 100);
    assert_int_equal(strcmp(pair.client.error + strlen(pair.client.error) - 3, "..."), 0);
    pair_close(&pair);
}

/* ---- What else may answer ---- */

static void expect_answer(const char *bytes, size_t n, const char *error)
{
    pair_open_good(&pair);
    assert_int_equal(tls_start(&pair.client, PAIR_HOST, false, PAIR_PORT, pair.now), 0);
    assert_int_equal(pump(), POLLIN);
    assert_true(recv(pair.server_fd, got, sizeof(got), 0) > 0);
    assert_int_equal(send(pair.server_fd, bytes, n, 0), (ssize_t)n);
    pair_cut(&pair);
    assert_int_equal(pump(), -1);
    assert_string_equal(pair.client.error, error);
    assert_int_equal(pump(), -1);
    assert_string_equal(pair.client.error, error);
    assert_false(tls_is_open(&pair.client));
    assert_int_equal(tls_write(&pair.client, "x", 1), 0);
    assert_int_equal(tls_read(&pair.client, (char[1]){0}, 1), 0);
    pair_close(&pair);
}

#define NO_TLS_1_2                                                                                 \
    "the server speaks no TLS 1.2, and BearSSL nothing else: put a local TLS proxy in front of "   \
    "it as base URL"
#define NO_SUITE                                                                                   \
    "the server takes none of our cipher suites (ECDHE with AES-GCM or ChaCha20) or curves"
#define CLOSED_EARLY "the server closed the connection in the TLS handshake"

static void test_answers(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *error;
    } cases[] = {
#define BYTES(literal) literal, sizeof(literal) - 1
        {BYTES(""), CLOSED_EARLY},
        {BYTES("\x16\x03"), CLOSED_EARLY},
        {BYTES("HTTP/1.1 400 Bad Request\r\n"), "the server does not speak TLS"},
        {BYTES("SSH-2.0-OpenSSH\r\n"), "the server does not speak TLS"},
        {BYTES("\x16\x04\x03\0\x02"), "the server does not speak TLS"},
        {BYTES("\0\0\0\0\0\0\0"), "the server does not speak TLS"},
        {BYTES("\x15\x03\x03\0\x02\x02\x46"), NO_TLS_1_2},
        {BYTES("\x15\x03\x01\0\x02\x02\x46"), NO_TLS_1_2},
        {BYTES("\x15\x03\x02\0\x02\x02\x28"), NO_TLS_1_2},
        {BYTES("\x15\x03\x03\0\x02\x02\x28"), NO_SUITE},
        {BYTES("\x15\x03\x03\0\x02\x02\x47"), NO_SUITE},
        {BYTES("\x15\x03\x03\0\x02\x02\x78"), "the server speaks no HTTP/1.1"},
        {BYTES("\x15\x03\x03\0\x02\x02\x70"), "the server does not go by this name"},
        {BYTES("\x15\x03\x03\0\x02\x02\x50"), "the server broke off the TLS handshake (alert 80)"},
        {BYTES("\x15\x03\x03\0\x02\x01\x70"), CLOSED_EARLY}, /* a warning */
        {BYTES("\x15\x03\x03\0\x02\x01\0"), CLOSED_EARLY},   /* close_notify */
        {BYTES("\x16\x03\x03\xff\xff"), "the server broke the rules of TLS (BearSSL's error 5)"},
        {BYTES("\x17\x03\x03\0\x02xx"), "the server broke the rules of TLS (BearSSL's error 10)"},
        /* ServerHello of TLS 1.1; of a suite that was not offered. */
        {BYTES("\x16\x03\x02\0\x2a\x02\0\0\x26\x03\x02"
               "0123456789abcdef0123456789abcdef\0\xc0\x13\0"),
         NO_TLS_1_2},
        {BYTES("\x16\x03\x03\0\x2a\x02\0\0\x26\x03\x03"
               "0123456789abcdef0123456789abcdef\0\xc0\x13\0"),
         "the server chose a cipher suite that was not offered"},
#undef BYTES
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_answer(cases[i].bytes, cases[i].n, cases[i].error);
}

/* A close_notify that we can answer. */
static void test_closed_in_handshake(void **state)
{
    (void)state;
    pair_open_good(&pair);
    assert_int_equal(tls_start(&pair.client, PAIR_HOST, false, PAIR_PORT, pair.now), 0);
    assert_int_equal(pump(), POLLIN);
    assert_int_equal(send(pair.server_fd, "\x15\x03\x03\0\x02\x01\0", 7, 0), 7);
    assert_int_equal(pump(), -1);
    assert_string_equal(pair.client.error, CLOSED_EARLY);
    pair_close(&pair);
}

/* A server that had agreed on everything before it refused. */
static void test_client_certificate(void **state)
{
    (void)state;
    pair_open_good(&pair);
    assert_int_equal(tls_start(&pair.client, PAIR_HOST, false, PAIR_PORT, pair.now), 0);
    assert_int_equal(pump(), POLLIN);
    pair_serve(&pair);
    assert_int_equal(send(pair.server_fd, "\x15\x03\x03\0\x02\x02\x28", 7, 0), 7);
    assert_int_equal(pump(), -1);
    assert_string_equal(pair.client.error,
                        "the server wants a client certificate, which this program does not have");
    pair_close(&pair);
}

static void test_protocol(void **state)
{
    static const char *http2[] = {"h2"};
    static const char *both[] = {"h2", "http/1.1"};

    (void)state;
    pair_open_good(&pair);
    br_ssl_engine_set_protocol_names(&pair.server.eng, both, 2);
    assert_int_equal(pair_shake(&pair), 0);
    assert_string_equal(br_ssl_engine_get_selected_protocol(&pair.client.client.eng), "http/1.1");
    pair_close(&pair);
    pair_open_good(&pair);
    br_ssl_engine_set_protocol_names(&pair.server.eng, http2, 1);
    br_ssl_engine_add_flags(&pair.server.eng, BR_OPT_FAIL_ON_ALPN_MISMATCH);
    assert_int_equal(pair_shake(&pair), -1);
    assert_string_equal(pair.client.error, "the server speaks no HTTP/1.1");
    pair_close(&pair);
}

static void test_suites(void **state)
{
    static const struct {
        uint16_t id;
        const char *name;
    } cases[] = {
        {BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE_ECDSA_CHACHA20_POLY1305"},
        {BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE_ECDSA_AES_128_GCM"},
        {BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE_ECDSA_AES_256_GCM"},
        {BR_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, NULL},
        {BR_TLS_ECDHE_ECDSA_WITH_AES_128_CCM, NULL},
        {BR_TLS_ECDH_ECDSA_WITH_AES_128_GCM_SHA256, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        pair_open_good(&pair);
        br_ssl_engine_set_suites(&pair.server.eng, &cases[i].id, 1);
        if (cases[i].name != NULL) {
            assert_int_equal(pair_shake(&pair), 0);
            assert_string_equal(tls_suite_text(&pair.client), cases[i].name);
            assert_string_equal(tls_version_text(&pair.client), "TLS 1.2");
            pair_server_says(&pair, "hello", 5);
            assert_int_equal(pump(), 0);
            char bytes[8];
            assert_int_equal(tls_read(&pair.client, bytes, sizeof(bytes)), 5);
        } else {
            assert_int_equal(pair_shake(&pair), -1);
            assert_string_equal(pair.client.error, NO_SUITE);
        }
        pair_close(&pair);
    }
}

/* ---- Bytes ---- */

static void fill_sent(void)
{
    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (char)(i * 7 + i / 251);
}

static void test_bytes(void **state)
{
    size_t n = 0;

    (void)state;
    fill_sent();
    pair_open_good(&pair);
    assert_int_equal(pair_shake(&pair), 0);
    while (n < sizeof(sent)) {
        n += tls_write(&pair.client, sent + n, sizeof(sent) - n);
        assert_true(pump() >= 0);
        pair_serve(&pair);
    }
    assert_true(pump() >= 0);
    pair_serve(&pair);
    assert_int_equal(pair.received, sizeof(sent));
    pair_server_says(&pair, sent, 20000);
    for (n = 0; n < 20000;) {
        int events = pump();
        size_t more = tls_read(&pair.client, got + n, 777);
        assert_true(events >= 0 && more > 0);
        n += more;
    }
    assert_memory_equal(got, sent, n);
    assert_int_equal(pump(), POLLIN);
    assert_int_equal(tls_read(&pair.client, got, sizeof(got)), 0);
    pair_close(&pair);
}

/* Nothing more is read from the socket before the bytes are taken; there is nothing to wait for. */
static void test_bytes_wait(void **state)
{
    int queued = 0;

    (void)state;
    pair_open_good(&pair);
    assert_int_equal(pair_shake(&pair), 0);
    pair_server_says(&pair, "abc", 3);
    pair_server_says(&pair, "def", 3);
    assert_int_equal(pump(), 0);
    assert_int_equal(pump(), 0);
    assert_false(tls_is_closed(&pair.client));
    assert_int_equal(ioctl(pair.client_fd, FIONREAD, &queued), 0);
    assert_true(queued > 0);
    assert_int_equal(tls_read(&pair.client, got, 2), 2);
    assert_int_equal(pump(), 0);
    assert_int_equal(tls_read(&pair.client, got, 9), 1);
    assert_int_equal(tls_read(&pair.client, got, 9), 0);
    assert_int_equal(pump(), 0);
    assert_int_equal(tls_read(&pair.client, got, 9), 3);
    assert_memory_equal(got, "def", 3);
    pair_close(&pair);
}

static void test_full_socket(void **state)
{
    int small = 4096;
    size_t n = 0, more;

    (void)state;
    fill_sent();
    pair_open_good(&pair);
    assert_int_equal(pair_shake(&pair), 0);
    assert_int_equal(setsockopt(pair.client_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    while ((more = tls_write(&pair.client, sent + n, sizeof(sent) - n)) > 0) {
        n += more;
        assert_true(pump() >= 0);
    }
    assert_true(n > 0 && n < sizeof(sent));
    assert_int_equal(pump(), POLLIN | POLLOUT);
    assert_int_equal(pump(), POLLIN | POLLOUT);
    while (n < sizeof(sent)) {
        pair_serve(&pair);
        assert_true((pump() & POLLIN) != 0);
        n += tls_write(&pair.client, sent + n, sizeof(sent) - n);
    }
    for (int i = 0; i < 100 && pair.received < sizeof(sent); i++) {
        assert_true(pump() >= 0);
        pair_serve(&pair);
    }
    assert_int_equal(pair.received, sizeof(sent));
    assert_int_equal(pump(), POLLIN);
    pair_close(&pair);
}

/* However fast a peer sends what is of no use, the loop has its turn. */
static void test_flood(void **state)
{
    static const char warning[] = "\x15\x03\x03\0\x02\x01\x70";
    const size_t n = sizeof(warning) - 1;
    int before = 0, after = 0;

    (void)state;
    pair_open_good(&pair);
    assert_int_equal(tls_start(&pair.client, PAIR_HOST, false, PAIR_PORT, pair.now), 0);
    assert_int_equal(pump(), POLLIN);
    for (size_t i = 0; i < 1000; i++)
        memcpy(sent + i * n, warning, n);
    assert_int_equal(send(pair.server_fd, sent, 1000 * n, 0), 1000 * n);
    assert_int_equal(ioctl(pair.client_fd, FIONREAD, &before), 0);
    assert_int_equal(pump(), POLLIN);
    assert_int_equal(ioctl(pair.client_fd, FIONREAD, &after), 0);
    assert_true(after < before);
    assert_true((size_t)(before - after) <= TLS_TURNS_MAX * n);
    pair_close(&pair);
}

/* ---- The end ---- */

static void test_close(void **state)
{
    (void)state;
    pair_open_good(&pair);
    assert_int_equal(pair_shake(&pair), 0);
    pair_server_says(&pair, "last", 4);
    pair_server_closes(&pair);
    assert_int_equal(pump(), 0);
    assert_false(tls_is_closed(&pair.client)); /* not before all was read */
    assert_int_equal(tls_read(&pair.client, got, sizeof(got)), 4);
    assert_int_equal(pump(), 0);
    assert_true(tls_is_closed(&pair.client));
    assert_true(tls_is_open(&pair.client));
    assert_int_equal(pump(), 0);
    assert_int_equal(tls_write(&pair.client, "x", 1), 0);
    pair_serve(&pair);
    assert_int_equal(br_ssl_engine_last_error(&pair.server.eng), BR_ERR_OK);
    pair_close(&pair);
    /* A peer that is gone before our own close_notify has closed as well. */
    pair_open_good(&pair);
    assert_int_equal(pair_shake(&pair), 0);
    pair_server_closes(&pair);
    pair_cut(&pair);
    assert_int_equal(pump(), 0);
    assert_true(tls_is_closed(&pair.client));
    assert_int_equal(pump(), 0);
    pair_close(&pair);
}

static void test_cut_short(void **state)
{
    (void)state;
    pair_open_good(&pair);
    assert_int_equal(pair_shake(&pair), 0);
    pair_server_says(&pair, "half", 4);
    pair_cut(&pair);
    assert_int_equal(pump(), 0);
    assert_int_equal(tls_read(&pair.client, got, sizeof(got)), 4);
    assert_int_equal(pump(), -1);
    assert_string_equal(pair.client.error, "the connection was cut short (no close_notify)");
    assert_false(tls_is_closed(&pair.client));
    assert_int_equal(pump(), -1);
    pair_close(&pair);
}

/* It takes no more, but has told why: what it said comes first, then that it broke off. */
static void test_broken_pipe(void **state)
{
    (void)state;
    pair_open_good(&pair);
    assert_int_equal(pair_shake(&pair), 0);
    pair_server_says(&pair, "no", 2);
    pair_cut(&pair);
    assert_int_equal(tls_write(&pair.client, "request", 7), 7);
    assert_int_equal(pump(), 0);
    assert_int_equal(tls_read(&pair.client, got, sizeof(got)), 2);
    assert_int_equal(pump(), -1);
    assert_string_equal(pair.client.error, "the connection was cut short (no close_notify)");
    pair_close(&pair);
    pair_open_good(&pair);
    assert_int_equal(pair_shake(&pair), 0);
    assert_int_equal(shutdown(pair.server_fd, SHUT_RD), 0);
    assert_int_equal(tls_write(&pair.client, "request", 7), 7);
    assert_int_equal(pump(), -1);
    assert_string_equal(pair.client.error, "the server broke off the connection");
    pair_close(&pair);
}

static void test_damaged(void **state)
{
    (void)state;
    pair_open_good(&pair);
    assert_int_equal(pair_shake(&pair), 0);
    assert_int_equal(send(pair.server_fd,
                          "\x17\x03\x03\0\x20"
                          "0123456789abcdef0123456789abcdef",
                          37, 0),
                     37);
    assert_int_equal(pump(), -1);
    assert_string_equal(pair.client.error, "a record was damaged, or forged");
    pair_again(&pair);
    assert_int_equal(pair_shake(&pair), 0);
    assert_false(pair.client.resumed); /* such a session is not resumed */
    pair_close(&pair);
}

static void test_alert_later(void **state)
{
    br_ssl_engine_context *e = &pair.server.eng;

    (void)state;
    pair_open_good(&pair);
    assert_int_equal(pair_shake(&pair), 0);
    e->record_type_out = 21;
    pair_server_says(&pair, "\x02\x28", 2);
    assert_int_equal(pump(), -1);
    assert_string_equal(pair.client.error, "the server broke off the connection (alert 40)");
    pair_again(&pair);
    assert_int_equal(pair_shake(&pair), 0);
    assert_false(pair.client.resumed);
    pair_close(&pair);
}

static void test_renegotiation(void **state)
{
    (void)state;
    pair_open_good(&pair);
    assert_int_equal(pair_shake(&pair), 0);
    assert_true(br_ssl_engine_renegotiate(&pair.server.eng));
    pair_serve(&pair);
    assert_int_equal(pump(), POLLIN);
    assert_true(tls_is_open(&pair.client));
    pair_serve(&pair);
    assert_int_equal(br_ssl_engine_last_error(&pair.server.eng),
                     BR_ERR_RECV_FATAL_ALERT + BR_ALERT_NO_RENEGOTIATION);
    pair_close(&pair);
}

static bool is_zero(const void *p, size_t n)
{
    const unsigned char *bytes = p;

    while (n > 0 && bytes[n - 1] == 0)
        n--;
    return n == 0;
}

static void test_end(void **state)
{
    (void)state;
    pair_open_good(&pair);
    assert_int_equal(pair_shake(&pair), 0);
    tls_end(&pair.client, pair.client_fd);
    assert_true(is_zero(&pair.client.client, sizeof(pair.client.client)));
    assert_false(tls_is_open(&pair.client));
    assert_int_equal(tls_write(&pair.client, "x", 1), 0);
    assert_int_equal(tls_read(&pair.client, got, 1), 0);
    assert_string_equal(tls_suite_text(&pair.client), "none");
    assert_string_equal(tls_version_text(&pair.client), "none");
    pair_serve(&pair);
    assert_int_equal(br_ssl_engine_current_state(&pair.server.eng), BR_SSL_CLOSED);
    assert_int_equal(br_ssl_engine_last_error(&pair.server.eng), BR_ERR_OK);
    pair_close(&pair);
    /* The plain bytes of a request do not stay behind. */
    pair_open_good(&pair);
    assert_int_equal(pair_shake(&pair), 0);
    assert_int_equal(tls_write(&pair.client, "x-api-key: secret", 17), 17);
    assert_null(memmem(pair.client.output, sizeof(pair.client.output), "secret", 6));
    assert_null(memmem(&pair.client.client, sizeof(pair.client.client), "secret", 6));
    pair_close(&pair);
}

/* ---- Sessions ---- */

/* Once more with this server; was the session taken up? */
static bool resumes(const char *host, uint16_t port)
{
    pair_again(&pair);
    assert_int_equal(tls_start(&pair.client, host, false, port, pair.now), 0);
    for (int i = 0; i < 20 && !tls_is_open(&pair.client); i++) {
        assert_true(pump() >= 0);
        pair_serve(&pair);
    }
    assert_true(tls_is_open(&pair.client));
    pair_server_says(&pair, "hi", 2);
    assert_int_equal(pump(), 0);
    assert_int_equal(tls_read(&pair.client, got, sizeof(got)), 2);
    return pair.client.resumed;
}

static void open_any_name(void)
{
    struct certificate chain[] = {pair_leaf(), pair_issuer()};

    chain[0].host = "*.test";
    pair_trust_root();
    pair_open(&pair, chain, COUNT(chain));
}

static void test_sessions(void **state)
{
    const struct certificate r = pair_root();

    (void)state;
    open_any_name();
    assert_false(resumes("a.test", 443));
    assert_true(resumes("a.test", 443));
    assert_true(resumes("a.test.", 443));
    assert_false(resumes("b.test", 443));
    assert_false(resumes("a.test", 444));
    assert_true(resumes("a.test", 443));
    assert_true(resumes("b.test", 443));
    assert_true(resumes("a.test", 444));
    /* Other roots may not vouch for it. */
    pair_trust(&r, 1);
    assert_false(resumes("a.test", 443));
    assert_true(resumes("a.test", 443));
    pair_close(&pair);
}

static void test_session_forgotten_by_server(void **state)
{
    (void)state;
    open_any_name();
    assert_false(resumes("a.test", 443));
    br_ssl_session_cache_lru_init(&pair.cache, pair.cache_bytes, sizeof(pair.cache_bytes));
    assert_false(resumes("a.test", 443));
    assert_true(resumes("a.test", 443)); /* the new one is in place of the old */
    pair_close(&pair);
}

static void test_session_age(void **state)
{
    (void)state;
    open_any_name();
    assert_false(resumes("a.test", 443));
    pair.now.boot_ms += DAY_MS;
    assert_true(resumes("a.test", 443));
    pair.now.boot_ms += 1; /* that it was resumed makes it no younger */
    assert_false(resumes("a.test", 443));
    assert_true(resumes("a.test", 443));
    pair_close(&pair);
}

static void test_oldest_session_goes(void **state)
{
    static const char *const hosts[] = {"a.test", "b.test", "c.test", "d.test", "e.test"};

    (void)state;
    assert_int_equal(COUNT(hosts), TLS_SESSIONS_MAX + 1);
    open_any_name();
    for (size_t i = 0; i < COUNT(hosts); i++) {
        pair.now.boot_ms += 1000;
        assert_false(resumes(hosts[i], 443));
    }
    for (size_t i = 1; i < COUNT(hosts); i++)
        assert_true(resumes(hosts[i], 443));
    assert_false(resumes("a.test", 443));
    pair_close(&pair);
}

/* A server that cannot take it up must not fail for good. */
static void test_failure_forgets_session(void **state)
{
    (void)state;
    open_any_name();
    assert_false(resumes("a.test", 443));
    pair_again(&pair);
    assert_int_equal(tls_start(&pair.client, "a.test", false, 443, pair.now), 0);
    assert_int_equal(pump(), POLLIN);
    pair_cut(&pair);
    assert_int_equal(pump(), -1);
    assert_false(resumes("a.test", 443));
    assert_true(resumes("a.test", 443));
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_long_name),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_protocol),
        cmocka_unit_test(test_suites),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_bytes_wait),
        cmocka_unit_test(test_full_socket),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_broken_pipe),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_alert_later),
        cmocka_unit_test(test_renegotiation),
        cmocka_unit_test(test_closed_in_handshake),
        cmocka_unit_test(test_client_certificate),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_session_forgotten_by_server),
        cmocka_unit_test(test_session_age),
        cmocka_unit_test(test_oldest_session_goes),
        cmocka_unit_test(test_failure_forgets_session),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
