#include "net/cert.h"

#include "tls_pair.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static struct pair pair;

static int set_up(void **state)
{
    (void)state;
    pair_make_keys();
    return 0;
}

static void expect_chain(const struct certificate *chain, size_t count, const char *error)
{
    pair_open(&pair, chain, count);
    assert_int_equal(pair_shake(&pair), error == NULL ? 0 : -1);
    assert_string_equal(pair.client.error, error == NULL ? "" : error);
    assert_int_equal(tls_is_open(&pair.client), error == NULL);
    assert_false(pair.client.resumed);
    pair_close(&pair);
}

static void test_good_chains(void **state)
{
    struct certificate chain[] = {pair_leaf(), pair_issuer(), pair_root()};

    (void)state;
    pair_trust_root();
    expect_chain(chain, 3, NULL);
    expect_chain(chain, 2, NULL);
    chain[0].issuer = "Root";
    chain[0].signer = &pair_keys.root;
    expect_chain(chain, 1, NULL);
    chain[0].host = "*.test";
    expect_chain(chain, 1, NULL);
    chain[0].host = "SERVER.Test";
    expect_chain(chain, 1, NULL);
    /* The common name, where there is no other. */
    chain[0].host = NULL;
    chain[0].subject = PAIR_HOST;
    chain[0].kind = CERTIFICATE_PLAIN;
    expect_chain(chain, 1, NULL);
}

static void test_names(void **state)
{
    static const char *const wrong[] = {"other.test", "server.test.com", "rver.test",
                                        "*",          "*.server.test",   "s*.test",
                                        "test",       "*test",           "server.test\n"};
    struct certificate chain[] = {pair_leaf(), pair_issuer()};

    (void)state;
    pair_trust_root();
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        chain[0].host = wrong[i];
        chain[0].subject = PAIR_HOST; /* is not looked at beside another */
        expect_chain(chain, 2, "the certificate is not for server.test");
    }
}

static void test_dates(void **state)
{
    struct certificate chain[] = {pair_leaf(), pair_issuer()};

    (void)state;
    pair_trust_root();
    chain[0].until = "260601115959Z";
    expect_chain(chain, 2,
                 "the certificate expired on 2026-06-01 (the clock here says 2026-06-01)");
    chain[0].until = "260601120000Z";
    expect_chain(chain, 2, NULL);
    chain[0].from = "260601120000Z";
    expect_chain(chain, 2, NULL);
    chain[0].until = "270101000000Z";
    chain[0].from = "260602000000Z";
    expect_chain(chain, 2,
                 "the certificate is not valid before 2026-06-02 (the clock here says 2026-06-01)");
    chain[0] = pair_leaf();
    chain[1].until = "251231235959Z";
    expect_chain(chain, 2,
                 "a certificate of the server's chain expired on 2025-12-31 (the clock here says "
                 "2026-06-01)");
    chain[1] = pair_issuer();
    chain[1].from = "300101000000Z";
    expect_chain(chain, 2,
                 "a certificate of the server's chain is not valid before 2030-01-01 (the clock "
                 "here says 2026-06-01)");
}

#define NO_ROOT                                                                                    \
    "no root known for the certificate: SSL_CERT_FILE adds one, or the server sends too little "   \
    "of its chain"

static void test_bad_chains(void **state)
{
    struct certificate chain[] = {pair_leaf(), pair_issuer(), pair_root()};

    (void)state;
    pair_trust_root();
    expect_chain(chain, 1, NO_ROOT);
    chain[0].how = SIGNED_FALSELY;
    expect_chain(chain, 2, "a signature in the certificate chain is false");
    chain[0].how = SIGNED_WELL;
    chain[0].signer = &pair_keys.stranger;
    expect_chain(chain, 2, "a signature in the certificate chain is false");
    chain[0].signer = &pair_keys.issuer;
    chain[1].how = SIGNED_FALSELY; /* by the root's name, with another key: not the root */
    expect_chain(chain, 2, NO_ROOT);
    chain[1].how = SIGNED_WELL;
    chain[1].kind = CERTIFICATE_LEAF;
    expect_chain(chain, 2, "a certificate of the server's chain may issue none: it is not a CA's");
    chain[1] = pair_issuer();
    chain[1].subject = "Another";
    expect_chain(chain, 2,
                 "the server's chain is out of order: a certificate is not its predecessor's "
                 "issuer's");
    chain[1] = pair_issuer();
    chain[1].critical = true;
    expect_chain(chain, 2,
                 "a certificate demands what BearSSL does not know (a critical extension, as name "
                 "constraints)");
    chain[1] = pair_issuer();
    chain[1].rsa_bytes = 255;
    expect_chain(chain, 2,
                 "a key of the certificate chain is too short: RSA has to have 2048 bits");
    chain[1].rsa_bytes = 1024;
    expect_chain(chain, 2,
                 "a key of the certificate chain is too large: RSA up to 4096 bits is understood");
    chain[1] = pair_issuer();
    chain[0].how = SIGNED_WITH_PSS;
    expect_chain(chain, 2,
                 "the certificate's algorithm is none that BearSSL has (RSA-PSS, Ed25519 and SHA-1 "
                 "are not)");
    chain[0].how = SIGNED_WITH_SHA1;
    expect_chain(chain, 2,
                 "the certificate's algorithm is none that BearSSL has (RSA-PSS, Ed25519 and SHA-1 "
                 "are not)");
}

static void test_self_signed(void **state)
{
    struct certificate own = pair_leaf();

    (void)state;
    pair_trust_root();
    own.issuer = own.subject;
    own.signer = &pair_keys.server;
    expect_chain(&own, 1, "the certificate is self-signed (SSL_CERT_FILE with it would trust it)");
    pair_trust(&own, 1);
    expect_chain(&own, 1, NULL);
    own.until = "260101000000Z";
    expect_chain(&own, 1, "the certificate expired on 2026-01-01 (the clock here says 2026-06-01)");
    own = pair_leaf();
    own.issuer = own.subject;
    own.signer = &pair_keys.server;
    own.host = "other.test";
    pair_trust(&own, 1);
    expect_chain(&own, 1, "the certificate is not for server.test");
    /* Another's leaf of the same name. */
    own.host = PAIR_HOST;
    own.key = &pair_keys.stranger;
    pair_trust(&own, 1);
    own.key = &pair_keys.server;
    expect_chain(&own, 1, "the certificate is self-signed (SSL_CERT_FILE with it would trust it)");
    /* One that may issue, and was issued by itself. */
    own.kind = CERTIFICATE_CA;
    pair_trust(&own, 1);
    expect_chain(&own, 1, NULL);
}

/* A certificate that is trusted as a server's own must not vouch for others. */
static void test_leaf_issues_nothing(void **state)
{
    struct certificate chain[] = {pair_leaf(), pair_issuer()};

    (void)state;
    chain[1].kind = CERTIFICATE_LEAF;
    pair_trust(&chain[1], 1);
    expect_chain(chain, 1, NO_ROOT);
    expect_chain(chain, 2, "a certificate of the server's chain may issue none: it is not a CA's");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_chains), cmocka_unit_test(test_names),
        cmocka_unit_test(test_dates),       cmocka_unit_test(test_bad_chains),
        cmocka_unit_test(test_self_signed), cmocka_unit_test(test_leaf_issues_nothing),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
