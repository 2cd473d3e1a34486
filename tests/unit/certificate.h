#ifndef CERTIFICATE_H
#define CERTIFICATE_H
/* Certificates as a test wants them, right or wrong (RFC 5280), and keys. Everything here fails the
 * program where it does not succeed. */

#include <bearssl.h>
#include <stdbool.h>
#include <stddef.h>

struct certificate_key {
    br_ec_private_key secret;
    br_ec_public_key open;
    unsigned char secret_bytes[BR_EC_KBUF_PRIV_MAX_SIZE];
    unsigned char open_bytes[BR_EC_KBUF_PUB_MAX_SIZE];
};

/* The same seed makes the same key. */
void certificate_key(struct certificate_key *key, int curve, const char *seed);

enum certificate_kind { CERTIFICATE_LEAF, CERTIFICATE_CA, CERTIFICATE_PLAIN /* no extension */ };
enum certificate_signed { SIGNED_WELL, SIGNED_FALSELY, SIGNED_WITH_PSS, SIGNED_WITH_SHA1 };

struct certificate {
    const char *subject; /* common names */
    const char *issuer;
    enum certificate_kind kind;
    const char *host; /* of the server; NULL = names none */
    bool critical;    /* an extension that nobody knows, to be known */
    const char *from; /* "YYMMDDhhmmssZ"; NULL = 2020 and 2049 */
    const char *until;
    const struct certificate_key *key;
    size_t rsa_bytes; /* not 0: in place of the key, a modulus of so many bytes of no use */
    bool ed25519;     /* the same, an Ed25519 key */
    const struct certificate_key *signer;
    enum certificate_signed how;
};

/* Their length. */
size_t certificate_der(unsigned char *der, size_t cap, const struct certificate *c);
/* Appended to the string in text. */
void certificate_pem(char *text, size_t cap, const struct certificate *c);

#endif
