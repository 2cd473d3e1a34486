#include "certificate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c)) {                                                                                \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c);                          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define DER_MAX 8192

/* Tags. */
#define BOOLEAN 0x01
#define INTEGER 0x02
#define BIT_STRING 0x03
#define OCTET_STRING 0x04
#define UTF8_STRING 0x0c
#define UTC_TIME 0x17
#define SEQUENCE 0x30
#define SET 0x31
#define VERSION 0xa0
#define EXTENSIONS 0xa3
#define DNS_NAME 0x82

/* Object identifiers, whole. */
#define OID_COMMON_NAME "\x06\x03\x55\x04\x03"
#define OID_RSA "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
#define OID_RSA_PSS "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"
#define OID_EC "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
#define OID_P256 "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
#define OID_P384 "\x06\x05\x2b\x81\x04\x00\x22"
#define OID_ED25519 "\x06\x03\x2b\x65\x70"
#define OID_ECDSA_SHA256 "\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"
#define OID_ECDSA_SHA1 "\x06\x07\x2a\x86\x48\xce\x3d\x04\x01"
#define OID_BASIC_CONSTRAINTS "\x06\x03\x55\x1d\x13"
#define OID_ALT_NAME "\x06\x03\x55\x1d\x11"
#define OID_NAME_CONSTRAINTS "\x06\x03\x55\x1d\x1e"

void certificate_key(struct certificate_key *key, int curve, const char *seed)
{
    br_hmac_drbg_context random;

    br_hmac_drbg_init(&random, &br_sha256_vtable, seed, strlen(seed));
    REQUIRE(br_ec_keygen(&random.vtable, &br_ec_all_m31, &key->secret, key->secret_bytes, curve) >
            0);
    REQUIRE(br_ec_compute_pub(&br_ec_all_m31, &key->open, key->open_bytes, &key->secret) > 0);
}

/* ---- DER ---- */

struct der {
    unsigned char p[DER_MAX];
    size_t n;
};

static void put(struct der *d, const void *bytes, size_t n)
{
    REQUIRE(n <= sizeof(d->p) - d->n);
    memcpy(d->p + d->n, bytes, n);
    d->n += n;
}

#define PUT(d, literal) put(d, literal, sizeof(literal) - 1)

static size_t open_element(struct der *d)
{
    return d->n;
}

/* What was put since at becomes the value of one element. */
static void close_element(struct der *d, size_t at, unsigned char tag)
{
    size_t n = d->n - at;
    unsigned char head[4] = {tag, (unsigned char)n};
    size_t head_n = 2;

    REQUIRE(n < 0x10000);
    if (n >= 0x80) {
        head[1] = 0x82;
        head[2] = (unsigned char)(n >> 8);
        head[3] = (unsigned char)n;
        head_n = 4;
    }
    REQUIRE(head_n <= sizeof(d->p) - d->n);
    memmove(d->p + at + head_n, d->p + at, n);
    memcpy(d->p + at, head, head_n);
    d->n += head_n;
}

static void put_element(struct der *d, unsigned char tag, const void *bytes, size_t n)
{
    size_t at = open_element(d);

    put(d, bytes, n);
    close_element(d, at, tag);
}

static void put_name(struct der *d, const char *common_name)
{
    size_t name = open_element(d);
    size_t set = open_element(d);
    size_t pair = open_element(d);

    PUT(d, OID_COMMON_NAME);
    put_element(d, UTF8_STRING, common_name, strlen(common_name));
    close_element(d, pair, SEQUENCE);
    close_element(d, set, SET);
    close_element(d, name, SEQUENCE);
}

static void put_dates(struct der *d, const struct certificate *c)
{
    const char *from = c->from != NULL ? c->from : "200101000000Z";
    const char *until = c->until != NULL ? c->until : "491231235959Z";
    size_t at = open_element(d);

    put_element(d, UTC_TIME, from, strlen(from));
    put_element(d, UTC_TIME, until, strlen(until));
    close_element(d, at, SEQUENCE);
}

static void put_rsa(struct der *d, const struct certificate *c)
{
    unsigned char modulus[1 + 1024];
    size_t bits, key, algorithm = open_element(d);

    REQUIRE(c->rsa_bytes < sizeof(modulus));
    memset(modulus, 0xc3, sizeof(modulus));
    modulus[0] = 0;
    /* No two of different names are equal. */
    REQUIRE(strlen(c->subject) < c->rsa_bytes);
    memcpy(modulus + 2, c->subject, strlen(c->subject));
    PUT(d, OID_RSA "\x05\x00");
    close_element(d, algorithm, SEQUENCE);
    bits = open_element(d);
    PUT(d, "\0");
    key = open_element(d);
    put_element(d, INTEGER, modulus, 1 + c->rsa_bytes);
    put_element(d, INTEGER, "\1\0\1", 3);
    close_element(d, key, SEQUENCE);
    close_element(d, bits, BIT_STRING);
}

static void put_point(struct der *d, const struct certificate *c)
{
    size_t bits, algorithm = open_element(d);

    if (c->ed25519) {
        PUT(d, OID_ED25519);
    } else {
        PUT(d, OID_EC);
        if (c->key->open.curve == BR_EC_secp256r1)
            PUT(d, OID_P256);
        else
            PUT(d, OID_P384);
    }
    close_element(d, algorithm, SEQUENCE);
    bits = open_element(d);
    PUT(d, "\0");
    put(d, c->key->open.q, c->ed25519 ? 32 : c->key->open.qlen);
    close_element(d, bits, BIT_STRING);
}

static void put_public_key(struct der *d, const struct certificate *c)
{
    size_t at = open_element(d);

    if (c->rsa_bytes != 0)
        put_rsa(d, c);
    else
        put_point(d, c);
    close_element(d, at, SEQUENCE);
}

static void put_host(struct der *d, const char *host)
{
    size_t value, names, extension = open_element(d);

    PUT(d, OID_ALT_NAME);
    value = open_element(d);
    names = open_element(d);
    put_element(d, DNS_NAME, host, strlen(host));
    close_element(d, names, SEQUENCE);
    close_element(d, value, OCTET_STRING);
    close_element(d, extension, SEQUENCE);
}

static void put_extensions(struct der *d, const struct certificate *c)
{
    static const char ca[] =
        "\x30\x0f" OID_BASIC_CONSTRAINTS "\x01\x01\xff\x04\x05\x30\x03\x01\x01\xff";
    static const char unknown[] = "\x30\x0c" OID_NAME_CONSTRAINTS "\x01\x01\xff\x04\x02\x30\x00";
    size_t outer = open_element(d);
    size_t list = open_element(d);

    if (c->kind == CERTIFICATE_CA)
        PUT(d, ca);
    if (c->critical)
        PUT(d, unknown);
    if (c->host != NULL)
        put_host(d, c->host);
    close_element(d, list, SEQUENCE);
    close_element(d, outer, EXTENSIONS);
}

static void put_algorithm(struct der *d, const struct certificate *c)
{
    size_t at = open_element(d);

    if (c->how == SIGNED_WITH_PSS)
        PUT(d, OID_RSA_PSS);
    else if (c->how == SIGNED_WITH_SHA1)
        PUT(d, OID_ECDSA_SHA1);
    else
        PUT(d, OID_ECDSA_SHA256);
    close_element(d, at, SEQUENCE);
}

static void put_signature(struct der *d, const struct certificate *c, const void *body, size_t n)
{
    unsigned char hash[br_sha256_SIZE], signature[160];
    br_sha256_context sha;
    size_t signature_n, at;

    br_sha256_init(&sha);
    br_sha256_update(&sha, body, n);
    br_sha256_out(&sha, hash);
    if (c->how == SIGNED_FALSELY)
        hash[0] ^= 1;
    signature_n = br_ecdsa_i31_sign_asn1(&br_ec_all_m31, &br_sha256_vtable, hash,
                                         &c->signer->secret, signature);
    REQUIRE(signature_n > 0);
    at = open_element(d);
    PUT(d, "\0");
    put(d, signature, signature_n);
    close_element(d, at, BIT_STRING);
}

size_t certificate_der(unsigned char *der, size_t cap, const struct certificate *c)
{
    static struct der d;
    size_t whole, body;

    d.n = 0;
    whole = open_element(&d);
    body = open_element(&d);
    PUT(&d, "\xa0\x03\x02\x01\x02"); /* version 3 */
    put_element(&d, INTEGER, "\x01", 1);
    put_algorithm(&d, c);
    put_name(&d, c->issuer);
    put_dates(&d, c);
    put_name(&d, c->subject);
    put_public_key(&d, c);
    if (c->kind != CERTIFICATE_PLAIN)
        put_extensions(&d, c);
    close_element(&d, body, SEQUENCE);
    size_t body_n = d.n;
    put_algorithm(&d, c);
    put_signature(&d, c, d.p, body_n);
    close_element(&d, whole, SEQUENCE);
    REQUIRE(d.n <= cap);
    memcpy(der, d.p, d.n);
    return d.n;
}

void certificate_pem(char *text, size_t cap, const struct certificate *c)
{
    unsigned char der[DER_MAX];
    size_t n = certificate_der(der, sizeof(der), c);
    size_t had = strlen(text);

    REQUIRE(br_pem_encode(NULL, der, n, "CERTIFICATE", BR_PEM_LINE64) < cap - had);
    (void)br_pem_encode(text + had, der, n, "CERTIFICATE", BR_PEM_LINE64);
}
