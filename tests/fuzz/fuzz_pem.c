/* Whatever SSL_CERT_FILE holds: what is taken for a root is within BearSSL's limits, and the pieces
 * in which it comes make no difference. */
#include "net/pem.c"

#include <stdlib.h>

#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A hash of all anchors, in their order. */
static bool see(void *arg, const br_x509_trust_anchor *anchor)
{
    br_sha256_context *sha = arg;
    const br_x509_pkey *key = &anchor->pkey;

    REQUIRE(anchor->dn.len == DN_MARK_BYTES && anchor->dn.data[0] == 0);
    REQUIRE((anchor->flags & ~(unsigned)BR_X509_TA_CA) == 0);
    br_sha256_update(sha, anchor->dn.data, anchor->dn.len);
    if (key->key_type == BR_KEYTYPE_RSA) {
        REQUIRE(key->key.rsa.nlen >= TLS_RSA_BYTES_MIN && key->key.rsa.nlen <= TLS_RSA_BYTES_MAX);
        REQUIRE(key->key.rsa.nlen + key->key.rsa.elen <= BR_X509_BUFSIZE_KEY);
        br_sha256_update(sha, key->key.rsa.n, key->key.rsa.nlen);
        br_sha256_update(sha, key->key.rsa.e, key->key.rsa.elen);
    } else {
        REQUIRE(key->key_type == BR_KEYTYPE_EC && key->key.ec.qlen <= BR_X509_BUFSIZE_KEY);
        br_sha256_update(sha, key->key.ec.q, key->key.ec.qlen);
    }
    return true;
}

static void read_all(struct pem *p, const char *bytes, size_t n, size_t piece, unsigned char *hash)
{
    br_sha256_context sha;

    br_sha256_init(&sha);
    p->found = see;
    p->arg = &sha;
    p->now_ms = n % 2 == 0 ? 0 : INT64_C(1780000000000); /* dates count, or not */
    pem_init(p);
    for (size_t at = 0; at < n; at += piece)
        pem_feed(p, bytes + at, n - at < piece ? n - at : piece);
    pem_end(p);
    REQUIRE((p->bad > 0) == (p->why != NULL));
    br_sha256_out(&sha, hash);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char whole[br_sha256_SIZE], pieces[br_sha256_SIZE];
    struct pem p, q;

    read_all(&p, (const char *)data, size, size + 1, whole);
    read_all(&q, (const char *)data, size, 1 + size % 100, pieces);
    REQUIRE(p.good == q.good && p.bad == q.bad && p.why == q.why);
    REQUIRE(memcmp(whole, pieces, sizeof(whole)) == 0);
    return 0;
}
