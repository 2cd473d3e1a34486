#include "net/cert.h"

#include "base/timestamp.h"
#include "net/curves.h"
#include "net/dn.h"
#include "net/roots.h"

#include <stddef.h>
#include <string.h>

#define DAY_S 86400
#define DAYS_TO_1970 719528 /* from the first day of the year 0 */
#define HOST_SHOWN 64       /* bytes of a name in a text */

/* ---- The class: BearSSL calls it with the chain, the server's certificate first ---- */

static struct cert *cert_of(const br_x509_class *const *vtable)
{
    /* It is the first member. */
    return (struct cert *)(uintptr_t)vtable;
}

static const br_x509_class **chain_of(struct cert *c)
{
    return &c->chain.vtable;
}

static void start_chain(const br_x509_class **vtable, const char *server_name)
{
    struct cert *c = cert_of(vtable);

    /* Ours, always: without a name BearSSL would take the certificate of any server. */
    (void)server_name;
    c->shown = 0;
    c->self_signed = false;
    c->dated = false;
    c->flooded = false;
    br_x509_minimal_vtable.start_chain(chain_of(c), c->host);
}

static void start_cert(const br_x509_class **vtable, uint32_t length)
{
    struct cert *c = cert_of(vtable);

    br_x509_decoder_init(&c->reader, 0, NULL);
    br_x509_minimal_vtable.start_cert(chain_of(c), length);
    /* Each certificate costs the check of a signature before it is known whether the chain leads to
     * a root: a stranger must not have it done for ever. After an error BearSSL reads on, idly. */
    if ((c->shown >= TLS_CHAIN_MAX || length > TLS_CERT_BYTES_MAX) && c->chain.err == 0) {
        c->chain.err = BR_ERR_X509_LIMIT_EXCEEDED;
        c->flooded = true;
    }
}

static void append(const br_x509_class **vtable, const unsigned char *bytes, size_t n)
{
    struct cert *c = cert_of(vtable);

    /* Behind an error it would run on, and out of its memory. */
    if (!c->dated && c->reader.err == 0 && !c->flooded)
        br_x509_decoder_push(&c->reader, bytes, n);
    br_x509_minimal_vtable.append(chain_of(c), bytes, n);
}

int64_t cert_time_ms(uint32_t days, uint32_t seconds)
{
    return (((int64_t)days - DAYS_TO_1970) * DAY_S + seconds) * 1000;
}

static void note_dates(struct cert *c)
{
    const br_x509_decoder_context *r = &c->reader;
    int64_t from = cert_time_ms(r->notbefore_days, r->notbefore_seconds);
    int64_t until = cert_time_ms(r->notafter_days, r->notafter_seconds);
    bool early = from > cert_time_ms(c->days, c->seconds);

    c->dated = true;
    c->leaf = c->shown == 0;
    c->validity = early ? CERT_NOT_YET : CERT_EXPIRED;
    c->limit_ms = early ? from : until;
}

static void end_cert(const br_x509_class **vtable)
{
    struct cert *c = cert_of(vtable);
    const br_x509_minimal_context *chain = &c->chain;

    br_x509_minimal_vtable.end_cert(chain_of(c));
    if (chain->err == BR_ERR_X509_EXPIRED && !c->dated)
        note_dates(c);
    /* Its issuer's name was kept for the next certificate to have it, its own was the last read. */
    if (c->shown == 0 && !c->flooded)
        c->self_signed = memcmp(chain->current_dn_hash, chain->saved_dn_hash, DN_HASH_BYTES) == 0;
    c->shown++;
}

static unsigned end_chain(const br_x509_class **vtable)
{
    return br_x509_minimal_vtable.end_chain(chain_of(cert_of(vtable)));
}

static const br_x509_pkey *get_pkey(const br_x509_class *const *vtable, unsigned *usages)
{
    const struct cert *c = cert_of(vtable);

    return br_x509_minimal_vtable.get_pkey(&c->chain.vtable, usages);
}

static const br_x509_class class = {
    .context_size = sizeof(struct cert),
    .start_chain = start_chain,
    .start_cert = start_cert,
    .append = append,
    .end_cert = end_cert,
    .end_chain = end_chain,
    .get_pkey = get_pkey,
};

/* Every CA has an exponent of 3 or 65537; one as long as the modulus makes the check a hundred
 * times as dear. */
uint32_t cert_verify_rsa(const unsigned char *x, size_t n, const unsigned char *hash_oid,
                         size_t hash_n, const br_rsa_public_key *key, unsigned char *hash_out)
{
    size_t zeros = 0;

    while (zeros < key->elen && key->e[zeros] == 0)
        zeros++;
    if (key->elen - zeros > TLS_EXPONENT_BYTES_MAX)
        return 0;
    return br_rsa_i31_pkcs1_vrfy(x, n, hash_oid, hash_n, key, hash_out);
}

void cert_init(struct cert *c, const char *host, int64_t wall_ms)
{
    unsigned count;
    const br_x509_trust_anchor *roots = roots_list(&count);
    int64_t now = wall_ms / 1000;

    c->vtable = &class;
    c->host = host;
    c->days = (uint32_t)(now / DAY_S + DAYS_TO_1970);
    c->seconds = (uint32_t)(now % DAY_S);
    c->shown = 0;
    c->self_signed = false;
    c->dated = false;
    c->flooded = false;
    /* No SHA-1, and no SHA-224, which nobody uses: such signatures are unsupported ones. */
    br_x509_minimal_init(&c->chain, &dn_class, roots, count);
    br_x509_minimal_set_hash(&c->chain, br_sha256_ID, &br_sha256_vtable);
    br_x509_minimal_set_hash(&c->chain, br_sha384_ID, &br_sha384_vtable);
    br_x509_minimal_set_hash(&c->chain, br_sha512_ID, &br_sha512_vtable);
    br_x509_minimal_set_rsa(&c->chain, cert_verify_rsa);
    br_x509_minimal_set_ecdsa(&c->chain, &curves_all, &br_ecdsa_i31_vrfy_asn1);
    br_x509_minimal_set_minrsa(&c->chain, TLS_RSA_BYTES_MIN);
    br_x509_minimal_set_time(&c->chain, c->days, c->seconds);
}

/* ---- What is wrong ---- */

static void put_date(struct buf *b, int64_t ms)
{
    char date[TIMESTAMP_DATE_SIZE];

    timestamp_date(date, ms);
    buf_str(b, date);
}

static void put_dates(struct buf *b, const struct cert *c)
{
    buf_str(b, c->leaf ? "the certificate " : "a certificate of the server's chain ");
    buf_str(b, c->validity == CERT_EXPIRED ? "expired on " : "is not valid before ");
    put_date(b, c->limit_ms);
    buf_str(b, " (the clock here says ");
    put_date(b, cert_time_ms(c->days, c->seconds));
    buf_char(b, ')');
}

static void put_name(struct buf *b, const struct cert *c)
{
    char host[HOST_SHOWN + 1];

    (void)span_cut_text(host, sizeof(host), c->host);
    buf_str(b, "the certificate is not for ");
    buf_str(b, host);
}

static const char *text_of(const struct cert *c, int error)
{
    switch (error) {
    case BR_ERR_X509_NOT_TRUSTED:
        if (c->shown == 1 && c->self_signed)
            return "the certificate is self-signed (SSL_CERT_FILE with it would trust it)";
        return "no root known for the certificate: SSL_CERT_FILE adds one, or the server sends too "
               "little of its chain";
    case BR_ERR_X509_UNSUPPORTED:
        return "the certificate's algorithm is none that BearSSL has (RSA-PSS, Ed25519 and SHA-1 "
               "are not)";
    case BR_ERR_X509_LIMIT_EXCEEDED:
        if (c->flooded)
            return "the server's chain is longer than we look at";
        return "a key of the certificate chain is too large: RSA up to 4096 bits is understood";
    case BR_ERR_X509_WEAK_PUBLIC_KEY:
        return "a key of the certificate chain is too short: RSA has to have 2048 bits";
    case BR_ERR_X509_BAD_SIGNATURE:
    case BR_ERR_X509_WRONG_KEY_TYPE:
        return "a signature in the certificate chain is false";
    case BR_ERR_X509_DN_MISMATCH:
        return "the server's chain is out of order: a certificate is not its predecessor's "
               "issuer's";
    case BR_ERR_X509_CRITICAL_EXTENSION:
        return "a certificate demands what BearSSL does not know (a critical extension, as name "
               "constraints)";
    case BR_ERR_X509_NOT_CA:
        return "a certificate of the server's chain may issue none: it is not a CA's";
    case BR_ERR_X509_FORBIDDEN_KEY_USAGE:
        return "a certificate of the server's chain is not for this use";
    case BR_ERR_X509_EMPTY_CHAIN:
        return "the server has shown no certificate";
    default:
        return "the server's certificate cannot be read: malformed";
    }
}

void cert_why(struct buf *b, const struct cert *c, int error)
{
    if (error == BR_ERR_X509_EXPIRED && c->dated)
        put_dates(b, c);
    else if (error == BR_ERR_X509_BAD_SERVER_NAME)
        put_name(b, c);
    else
        buf_str(b, text_of(c, error));
}
