#ifndef NET_TLS_H
#define NET_TLS_H
/* TLS 1.2 as a client (RFC 5246), by BearSSL's engine: ECDHE with AEAD suites only, SNI, the
 * server's chain and name checked against the roots, sessions resumed by their id. Knows no socket
 * but the descriptor it is handed, and no loop. */

#include "base/clock.h"
#include "net/cert.h"

#define TLS_ERROR_MAX 127

/* 1. It stays where it is from tls_start() to tls_end(). 2. The engine encrypts in place and at
 * once: output never holds plain bytes between two calls. */
struct tls {
    br_ssl_client_context client;
    struct cert cert;
    int64_t started_ms; /* boot clock */
    int send_error;     /* errno: the peer takes no more, but may have told why */
    bool handshaken;
    bool resumed;
    char host[URL_HOST_MAX + 1];
    uint16_t port;
    char error[TLS_ERROR_MAX + 1];
    unsigned char input[BR_SSL_BUFSIZE_INPUT];   /* a whole record, both ways: with less BearSSL */
    unsigned char output[BR_SSL_BUFSIZE_OUTPUT]; /* asks for small ones, which few servers heed */
};

/* Reads the PEM bundle of SSL_CERT_FILE ("" = none) into the roots, beside the built-in ones, and
 * forgets all sessions. 0: why (128 bytes) is "", or says what was left out; or -1 and a reason in
 * why: the roots then are the built-in ones. */
int tls_roots_load(const char *path, char *why);
/* The same with the machine's own bundle: its path, or NULL where there is none. why is "", or says
 * what was left out. */
const char *tls_roots_load_system(char *why);
/* Where it looks, in this order; NULL behind the last. */
const char *const *tls_system_bundles(void);
/* How many roots there are, and how many of them are built in. */
unsigned tls_roots(unsigned *built_in);

/* Begins a handshake for this server name. 0, or -1 and t->error: the clock is before this program
 * was built, or host is an address (BearSSL compares names only). */
int tls_start(struct tls *t, const char *host, bool host_is_address, uint16_t port, struct now now);

/* Moves records between the engine and the socket, as far as it goes without waiting. The poll(2)
 * events to wait for, or -1 and t->error. 0: nothing to wait for, as tls_read() has bytes, or the
 * peer has closed (tls_is_closed()). A stream that ends without close_notify is an error. */
int tls_pump(struct tls *t, int fd);
/* Has the handshake ended well? */
bool tls_is_open(const struct tls *t);
/* Has the peer closed, by close_notify? All that it sent was read by then. */
bool tls_is_closed(const struct tls *t);

/* Plain bytes taken or given, 0 where there is no room or nothing there; tls_pump() follows a
 * write, and a read of all there was. */
size_t tls_write(struct tls *t, const char *bytes, size_t n);
size_t tls_read(struct tls *t, char *bytes, size_t cap);

/* Says close_notify, if it goes at once (fd -1: not); wipes keys. The session stays remembered for
 * the next handshake. */
void tls_end(struct tls *t, int fd);

/* "TLS 1.2"; "ECDHE_RSA_CHACHA20_POLY1305", ... Valid once it is open. */
const char *tls_version_text(const struct tls *t);
const char *tls_suite_text(const struct tls *t);

#endif
