#include "net/tls.h"

#include "base/timestamp.h"
#include "net/curves.h"
#include "net/roots.h"
#include "net/tls_error.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#ifndef BUILD_EPOCH
#define BUILD_EPOCH 0 /* not known: any clock is plausible */
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

_Static_assert(ROOTS_WHY_MAX == 128, "as the header says");
_Static_assert(TLS_SESSION_MS < INT32_MAX, "no overflow");

/* ---- Sessions, by host and port ---- */

static struct session {
    char host[URL_HOST_MAX + 1]; /* "" = free */
    uint16_t port;
    int64_t since_ms;
    br_ssl_session_parameters parameters;
} sessions[TLS_SESSIONS_MAX];

/* NULL: none. */
static struct session *session_of(const struct tls *t)
{
    for (size_t i = 0; i < COUNT(sessions); i++) {
        if (sessions[i].port == t->port && strcmp(sessions[i].host, t->host) == 0)
            return &sessions[i];
    }
    return NULL;
}

static void forget_session(const struct tls *t)
{
    struct session *s = session_of(t);

    if (s != NULL)
        explicit_bzero(s, sizeof(*s));
}

/* In place of the one of this server, else of the oldest: a free one is older than all. */
static void keep_session(const struct tls *t)
{
    struct session *s = session_of(t);

    if (t->client.eng.session.session_id_len == 0) {
        forget_session(t);
        return;
    }
    if (s == NULL) {
        s = &sessions[0];
        for (size_t i = 1; i < COUNT(sessions); i++) {
            if (sessions[i].since_ms < s->since_ms)
                s = &sessions[i];
        }
    }
    memcpy(s->host, t->host, sizeof(s->host));
    s->port = t->port;
    s->since_ms = t->started_ms;
    br_ssl_engine_get_session_parameters(&t->client.eng, &s->parameters);
}

/* Is there one to offer? The engine has it then. */
static bool offer_session(struct tls *t)
{
    const struct session *s = session_of(t);

    if (s == NULL || t->started_ms - s->since_ms > TLS_SESSION_MS)
        return false;
    br_ssl_engine_set_session_parameters(&t->client.eng, &s->parameters);
    return true;
}

int tls_roots_load(const char *path, char *why)
{
    /* A session vouches for a server that other roots may not. */
    explicit_bzero(sessions, sizeof(sessions));
    return roots_load(path, why);
}

const char *const *tls_system_bundles(void)
{
    static const char *const bundles[] = {
        "/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine */
        "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora */
        "/etc/ssl/cert.pem",                  /* OpenWrt, BSD */
        NULL,
    };

    return bundles;
}

const char *tls_roots_load_system(char *why)
{
    int64_t now_ms = clock_now().wall_ms;

    explicit_bzero(sessions, sizeof(sessions));
    /* Dates before this program's are none: the clock is not set. */
    if (now_ms / 1000 < BUILD_EPOCH)
        now_ms = BUILD_EPOCH * INT64_C(1000);
    return roots_load_system(tls_system_bundles(), now_ms, why);
}

unsigned tls_roots(unsigned *built_in)
{
    return roots_count(built_in);
}

/* ---- The profile: what is not named here is not in the program ---- */

static const struct suite {
    uint16_t id;
    char name[30];
} suites[] = {
    {BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE_ECDSA_CHACHA20_POLY1305"},
    {BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE_RSA_CHACHA20_POLY1305"},
    {BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE_ECDSA_AES_128_GCM"},
    {BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE_RSA_AES_128_GCM"},
    {BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE_ECDSA_AES_256_GCM"},
    {BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE_RSA_AES_256_GCM"},
};

/* Constant-time code, the smaller of what is fast enough for a few kilobytes a minute. */
static void set_ciphers(br_ssl_engine_context *e)
{
    br_ssl_engine_set_aes_ctr(e, &br_aes_ct_ctr_vtable);
    br_ssl_engine_set_ghash(e, &br_ghash_ctmul64);
    br_ssl_engine_set_gcm(e, &br_sslrec_in_gcm_vtable, &br_sslrec_out_gcm_vtable);
    br_ssl_engine_set_chacha20(e, &br_chacha20_ct_run);
    br_ssl_engine_set_poly1305(e, &br_poly1305_ctmul_run);
    br_ssl_engine_set_chapol(e, &br_sslrec_in_chapol_vtable, &br_sslrec_out_chapol_vtable);
}

static void set_profile(br_ssl_client_context *client)
{
    static const char *protocols[] = {"http/1.1"};
    br_ssl_engine_context *e = &client->eng;
    uint16_t ids[COUNT(suites)];

    for (size_t i = 0; i < COUNT(suites); i++)
        ids[i] = suites[i].id;
    br_ssl_client_zero(client);
    br_ssl_engine_set_versions(e, BR_TLS12, BR_TLS12);
    br_ssl_engine_set_suites(e, ids, COUNT(ids));
    br_ssl_engine_set_hash(e, br_sha256_ID, &br_sha256_vtable);
    br_ssl_engine_set_hash(e, br_sha384_ID, &br_sha384_vtable);
    br_ssl_engine_set_hash(e, br_sha512_ID, &br_sha512_vtable);
    br_ssl_engine_set_prf_sha256(e, &br_tls12_sha256_prf);
    br_ssl_engine_set_prf_sha384(e, &br_tls12_sha384_prf);
    br_ssl_engine_set_ec(e, &curves_all);
    br_ssl_engine_set_ecdsa(e, &br_ecdsa_i31_vrfy_asn1);
    br_ssl_engine_set_rsavrfy(e, cert_verify_rsa);
    set_ciphers(e);
    /* A server that speaks nothing but HTTP/2 then says so. */
    br_ssl_engine_set_protocol_names(e, protocols, COUNT(protocols));
    br_ssl_engine_add_flags(e, BR_OPT_NO_RENEGOTIATION | BR_OPT_FAIL_ON_ALPN_MISMATCH);
}

/* ---- Errors ---- */

#define CLOSED_EARLY "the server closed the connection in the TLS handshake"

static int fail(struct tls *t, const char *text)
{
    (void)span_cut_text(t->error, sizeof(t->error), text);
    return -1;
}

static int fail_errno(struct tls *t, int error)
{
    if (error == ECONNRESET || error == EPIPE)
        return fail(t, t->handshaken ? "the server broke off the connection"
                                     : "the server broke off the TLS handshake");
    return fail(t, strerror(error));
}

static int fail_engine(struct tls *t, int error)
{
    char text[TLS_ERROR_MAX + 1];
    struct buf b;

    buf_init(&b, text, sizeof(text));
    tls_error_put(&b, t, error);
    return fail(t, buf_text(&b) != NULL ? text : "TLS failed");
}

/* ---- Start ---- */

static int fail_clock(struct tls *t, int64_t wall_ms)
{
    char says[TIMESTAMP_SIZE];
    char built[TIMESTAMP_DATE_SIZE];
    char text[TLS_ERROR_MAX + 1];
    struct buf b;

    timestamp_format(says, wall_ms);
    timestamp_date(built, BUILD_EPOCH * INT64_C(1000));
    buf_init(&b, text, sizeof(text));
    buf_str(&b, "the clock is not set (it says ");
    buf_str(&b, says);
    buf_str(&b, "; this program was built ");
    buf_str(&b, built);
    buf_str(&b, "): TLS needs the date");
    return fail(t, buf_text(&b) != NULL ? text : "the clock is not set");
}

static int fail_address(struct tls *t)
{
    char text[TLS_ERROR_MAX + 1];
    struct buf b;

    buf_init(&b, text, sizeof(text));
    buf_str(&b, "TLS to an address (");
    buf_str(&b, t->host);
    buf_str(&b, "): BearSSL knows names only; /etc/hosts or DNS can give one");
    return fail(t, buf_text(&b) != NULL ? text : "TLS to an address");
}

/* So that nothing opens /dev/urandom, which need not exist. */
static int seed(struct tls *t)
{
    unsigned char random[32];
    ssize_t n;

    do
        n = getrandom(random, sizeof(random), GRND_NONBLOCK);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof(random))
        return fail(t, "the kernel gives no random numbers");
    br_ssl_engine_inject_entropy(&t->client.eng, random, sizeof(random));
    explicit_bzero(random, sizeof(random));
    return 0;
}

/* Without the dot of a name that is whole (RFC 6066, section 3). */
static int take_host(struct tls *t, const char *host)
{
    struct span s = span_of(host);

    if (s.n > 0 && s.p[s.n - 1] == '.')
        s.n--;
    if (s.n == 0 || span_copy(t->host, sizeof(t->host), s) != 0)
        return fail(t, "no name to compare with the certificate's");
    return 0;
}

int tls_start(struct tls *t, const char *host, bool host_is_address, uint16_t port, struct now now)
{
    t->error[0] = '\0';
    t->handshaken = false;
    t->resumed = false;
    t->send_error = 0;
    t->port = port;
    t->started_ms = now.boot_ms;
    if (take_host(t, host) != 0)
        return -1;
    if (host_is_address)
        return fail_address(t);
    if (now.wall_ms / 1000 < BUILD_EPOCH)
        return fail_clock(t, now.wall_ms);
    set_profile(&t->client);
    cert_init(&t->cert, t->host, now.wall_ms);
    br_ssl_engine_set_x509(&t->client.eng, &t->cert.vtable);
    br_ssl_engine_set_buffers_bidi(&t->client.eng, t->input, sizeof(t->input), t->output,
                                   sizeof(t->output));
    if (seed(t) != 0)
        return -1;
    if (!br_ssl_client_reset(&t->client, t->host, offer_session(t)))
        return fail_engine(t, br_ssl_engine_last_error(&t->client.eng));
    return 0;
}

/* ---- Records ---- */

enum step { MOVED, BLOCKED, BROKEN };

static bool is_transient(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static enum step send_records(struct tls *t, int fd)
{
    size_t n;
    const unsigned char *p = br_ssl_engine_sendrec_buf(&t->client.eng, &n);
    ssize_t sent = send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent >= 0) {
        br_ssl_engine_sendrec_ack(&t->client.eng, (size_t)sent);
        return MOVED;
    }
    if (!is_transient(errno)) {
        t->send_error = errno;
        return BROKEN;
    }
    return BLOCKED;
}

static enum step receive_records(struct tls *t, int fd)
{
    size_t n;
    unsigned char *p = br_ssl_engine_recvrec_buf(&t->client.eng, &n);
    ssize_t got = recv(fd, p, n, MSG_DONTWAIT);

    if (got > 0) {
        br_ssl_engine_recvrec_ack(&t->client.eng, (size_t)got);
        return MOVED;
    }
    if (got == 0)
        (void)fail(t,
                   t->handshaken ? "the connection was cut short (no close_notify)" : CLOSED_EARLY);
    else if (is_transient(errno))
        return BLOCKED;
    else
        (void)fail_errno(t, errno);
    return BROKEN;
}

/* The engine has ended: by the peer's close_notify and ours, or by an error. */
static int ended(struct tls *t)
{
    int error = br_ssl_engine_last_error(&t->client.eng);

    if (error != BR_ERR_OK) {
        /* RFC 5246, section 7.2.2: such a session must not be resumed. */
        forget_session(t);
        return fail_engine(t, error);
    }
    if (!t->handshaken)
        return fail(t, CLOSED_EARLY);
    return 0;
}

static void note_open(struct tls *t)
{
    t->handshaken = true;
    t->resumed = t->cert.shown == 0;
    if (!t->resumed)
        keep_session(t);
}

/* One direction, else the other: what the peer said before it broke off is read. */
static enum step move(struct tls *t, int fd, unsigned state)
{
    enum step step = BLOCKED;

    if ((state & BR_SSL_SENDREC) != 0)
        step = send_records(t, fd);
    if (step != MOVED && (state & BR_SSL_RECVREC) != 0)
        step = receive_records(t, fd);
    return step;
}

/* What to wait for; -1 where the peer takes no more and has said all it had to say. */
static int events_of(struct tls *t, unsigned state)
{
    int events = 0;

    if ((state & BR_SSL_SENDREC) != 0 && t->send_error == 0)
        events |= POLLOUT;
    if ((state & BR_SSL_RECVREC) != 0)
        events |= POLLIN;
    if (t->send_error != 0 && !tls_is_closed(t) && (state & BR_SSL_RECVAPP) == 0)
        return t->client.eng.shutdown_recv != 0 ? fail(t, CLOSED_EARLY)
                                                : fail_errno(t, t->send_error);
    return events;
}

/* The engine's state; the first that has room for plain bytes opens the connection. */
static unsigned state_of(struct tls *t)
{
    unsigned state = br_ssl_engine_current_state(&t->client.eng);

    if (!t->handshaken && (state & (BR_SSL_SENDAPP | BR_SSL_RECVAPP)) != 0)
        note_open(t);
    return state;
}

/* A server that cannot take a session up should not be offered it again. */
static int pump(struct tls *t, int fd)
{
    unsigned state = state_of(t);
    enum step step = MOVED;
    unsigned turns_max = t->handshaken ? TLS_TURNS_MAX : TLS_HANDSHAKE_TURNS_MAX;

    for (unsigned turns = 0; step == MOVED && turns < turns_max; turns++) {
        if (state == BR_SSL_CLOSED)
            return ended(t);
        step = move(t, fd, state);
        state = state_of(t);
    }
    if (state == BR_SSL_CLOSED)
        return ended(t);
    return t->error[0] != '\0' ? -1 : events_of(t, state);
}

int tls_pump(struct tls *t, int fd)
{
    int events = t->error[0] == '\0' ? pump(t, fd) : -1;

    if (events < 0 && !t->handshaken)
        forget_session(t);
    return events;
}

bool tls_is_open(const struct tls *t)
{
    return t->handshaken && t->error[0] == '\0';
}

bool tls_is_closed(const struct tls *t)
{
    return tls_is_open(t) && t->client.eng.shutdown_recv != 0;
}

/* ---- Plain bytes ---- */

size_t tls_write(struct tls *t, const char *bytes, size_t n)
{
    size_t room;
    unsigned char *p = br_ssl_engine_sendapp_buf(&t->client.eng, &room);

    if (p == NULL || n == 0)
        return 0;
    if (n > room)
        n = room;
    memcpy(p, bytes, n);
    br_ssl_engine_sendapp_ack(&t->client.eng, n);
    br_ssl_engine_flush(&t->client.eng, 0);
    return n;
}

size_t tls_read(struct tls *t, char *bytes, size_t cap)
{
    size_t n;
    const unsigned char *p = br_ssl_engine_recvapp_buf(&t->client.eng, &n);

    if (p == NULL || cap == 0)
        return 0;
    if (n > cap)
        n = cap;
    memcpy(bytes, p, n);
    br_ssl_engine_recvapp_ack(&t->client.eng, n);
    return n;
}

/* ---- The end ---- */

void tls_end(struct tls *t, int fd)
{
    if (tls_is_open(t) && fd >= 0) {
        br_ssl_engine_close(&t->client.eng);
        if ((br_ssl_engine_current_state(&t->client.eng) & BR_SSL_SENDREC) != 0)
            (void)send_records(t, fd);
    }
    /* The engine fails all calls from now on. */
    explicit_bzero(&t->client, sizeof(t->client));
    t->handshaken = false;
}

const char *tls_version_text(const struct tls *t)
{
    return t->handshaken ? "TLS 1.2" : "none";
}

const char *tls_suite_text(const struct tls *t)
{
    for (size_t i = 0; i < COUNT(suites); i++) {
        if (suites[i].id == t->client.eng.session.cipher_suite)
            return suites[i].name;
    }
    return "none";
}
