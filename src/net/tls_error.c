#include "net/tls_error.h"

#define ALERT_UNRECOGNIZED_NAME 112 /* RFC 6066; BearSSL names it not */
#define RECORD_TYPE_MIN 20
#define RECORD_TYPE_MAX 23
#define RECORD_MAJOR 3
#define SENT_ALERT 512 /* a fatal alert that the engine sent has its number and this */

static const char *version_text(void)
{
    return "the server speaks no TLS 1.2, and BearSSL nothing else: put a local TLS proxy in front "
           "of "
           "it as base URL";
}

/* A server of TLS 1.1 speaks it, only to find that our suites are not for it. One that has shown
 * its certificate has agreed on everything. */
static const char *refusal_text(const struct tls *t)
{
    if (t->cert.shown > 0)
        return "the server wants a client certificate, which this program does not have";
    if (t->client.eng.version_in < BR_TLS12)
        return version_text();
    return "the server takes none of our cipher suites (ECDHE with AES-GCM or ChaCha20) or curves";
}

/* Of an alert (RFC 5246, section 7.2) before the handshake's end. */
static const char *alert_text(const struct tls *t, int alert)
{
    switch (alert) {
    case BR_ALERT_HANDSHAKE_FAILURE:
    case BR_ALERT_INSUFFICIENT_SECURITY:
        return refusal_text(t);
    case BR_ALERT_PROTOCOL_VERSION:
        return version_text();
    case BR_ALERT_NO_APPLICATION_PROTOCOL:
        return "the server speaks no HTTP/1.1";
    case ALERT_UNRECOGNIZED_NAME:
        return "the server does not go by this name";
    default:
        return NULL;
    }
}

static void put_alert(struct buf *b, const struct tls *t, int alert)
{
    const char *text = t->handshaken ? NULL : alert_text(t, alert);

    if (text != NULL) {
        buf_str(b, text);
        return;
    }
    buf_str(b, "the server broke off the ");
    buf_str(b, t->handshaken ? "connection (alert " : "TLS handshake (alert ");
    buf_int(b, alert);
    buf_char(b, ')');
}

/* Is the first that came no record at all? The header was read whole where a version is wrong. */
static bool is_foreign(const struct tls *t)
{
    return t->input[0] < RECORD_TYPE_MIN || t->input[0] > RECORD_TYPE_MAX ||
           t->input[1] != RECORD_MAJOR;
}

static const char *engine_text(const struct tls *t, int error)
{
    switch (error) {
    case BR_ERR_UNSUPPORTED_VERSION:
    case BR_ERR_UNKNOWN_TYPE:
        if (t->handshaken)
            return NULL;
        if (is_foreign(t))
            return "the server does not speak TLS";
        return version_text();
    case BR_ERR_BAD_CIPHER_SUITE:
        return "the server chose a cipher suite that was not offered";
    case BR_ERR_INVALID_ALGORITHM:
        return "the server chose a curve or signature that was not offered";
    case BR_ERR_BAD_SIGNATURE:
        return "the server's signature is false: it has not the certificate's key";
    case BR_ERR_WRONG_KEY_USAGE:
        return "the certificate's key does not fit the cipher suite, or is not for this use";
    case BR_ERR_BAD_MAC:
        return "a record was damaged, or forged";
    case BR_ERR_RESUME_MISMATCH:
        return "the server resumed another session than was offered";
    default:
        return NULL;
    }
}

void tls_error_put(struct buf *b, const struct tls *t, int error)
{
    const char *text = engine_text(t, error);

    if (error > BR_ERR_X509_OK && error <= BR_ERR_X509_NOT_TRUSTED) {
        cert_why(b, &t->cert, error);
    } else if (error >= BR_ERR_RECV_FATAL_ALERT && error < SENT_ALERT) {
        put_alert(b, t, error - BR_ERR_RECV_FATAL_ALERT);
    } else if (text != NULL) {
        buf_str(b, text);
    } else {
        buf_str(b, "the server broke the rules of TLS (BearSSL's error ");
        buf_int(b, error);
        buf_char(b, ')');
    }
}
