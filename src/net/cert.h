#ifndef NET_CERT_H
#define NET_CERT_H
/* The check of a server's chain: BearSSL's "minimal" engine does all of it; beside it we read the
 * certificates once more, for what its error codes do not say. */

#include "base/buf.h"
#include "base/limits.h"

#include <bearssl.h>

enum cert_validity { CERT_EXPIRED, CERT_NOT_YET };

/* Stays where it is while a handshake uses it. */
struct cert {
    const br_x509_class *vtable; /* what BearSSL is given is the address of this */
    br_x509_minimal_context chain;
    br_x509_decoder_context reader; /* of the certificate in hand */
    const char *host;               /* the caller's; never empty */
    uint32_t days;                  /* now, since the year 0, */
    uint32_t seconds;               /* and since midnight, UTC */
    unsigned shown;                 /* certificates of the chain; 0 in a resumed session */
    bool self_signed;
    bool flooded; /* more than a chain is */
    /* Of the certificate whose dates failed. */
    bool dated;
    bool leaf;
    enum cert_validity validity;
    int64_t limit_ms; /* it expired then, or is valid from then on */
};

/* BearSSL's dates, days since the year 0 and seconds, as milliseconds since 1970. */
int64_t cert_time_ms(uint32_t days, uint32_t seconds);

/* For one handshake with host at this time; its name is checked whatever the engine asks for. */
void cert_init(struct cert *c, const char *host, int64_t wall_ms);

/* br_rsa_pkcs1_vrfy, of keys with an exponent that a CA has. */
uint32_t cert_verify_rsa(const unsigned char *x, size_t n, const unsigned char *hash_oid,
                         size_t hash_n, const br_rsa_public_key *key, unsigned char *hash_out);

/* Appends what is wrong with the chain: error is BearSSL's, 33 to 62. */
void cert_why(struct buf *b, const struct cert *c, int error);

#endif
