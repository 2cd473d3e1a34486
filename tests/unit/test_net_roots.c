#include "net/roots.h"

#include "certificate.h"
#include "guard.h"
#include "net/pem.h"
#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NOW_MS INT64_C(1735689600000) /* 2025-01-01 */

static struct tree tree;
static struct certificate_key key, other_key;
static char text[2 << 20];
static char why[ROOTS_WHY_MAX];

static int set_up(void **state)
{
    (void)state;
    scratch_open(&tree);
    certificate_key(&key, BR_EC_secp256r1, "a");
    certificate_key(&other_key, BR_EC_secp384r1, "b");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_close(&tree);
    return 0;
}

static struct certificate root_of(const char *name)
{
    return (struct certificate){
        .subject = name, .issuer = name, .kind = CERTIFICATE_CA, .key = &key, .signer = &key};
}

static void add_pem(const struct certificate *c)
{
    certificate_pem(text, sizeof(text), c);
}

static void add_root(const char *name)
{
    const struct certificate c = root_of(name);

    add_pem(&c);
}

static void add_text(const char *more)
{
    assert_true(strlen(more) < sizeof(text) - strlen(text));
    (void)strcat(text, more);
}

static int load(void)
{
    memset(why, '#', sizeof(why));
    scratch_put(&tree, "bundle.pem", text);
    return roots_load(scratch_path(&tree, "bundle.pem"), why);
}

static unsigned added(void)
{
    unsigned built_in, count = roots_count(&built_in);

    return count - built_in;
}

static const br_x509_trust_anchor *last_root(void)
{
    unsigned count;
    const br_x509_trust_anchor *roots = roots_list(&count);

    return &roots[count - 1];
}

/* ---- Built in ---- */

static bool same(const unsigned char *a, const unsigned char *b, size_t n)
{
    return memcmp(a, b, n) == 0;
}

static void test_built_in(void **state)
{
    unsigned count, built_in;
    const br_x509_trust_anchor *roots = roots_list(&count);

    (void)state;
    assert_int_equal(roots_count(&built_in), count);
    assert_int_equal(built_in, count);
    assert_in_range(count, 8, 16);
    for (unsigned i = 0; i < count; i++) {
        const br_x509_trust_anchor *r = &roots[i];
        assert_int_equal(r->dn.len, DN_MARK_BYTES);
        assert_int_equal(r->dn.data[0], 0);
        assert_int_equal(r->flags, BR_X509_TA_CA);
        if (r->pkey.key_type == BR_KEYTYPE_RSA) {
            assert_in_range(r->pkey.key.rsa.nlen, TLS_RSA_BYTES_MIN, TLS_RSA_BYTES_MAX);
            assert_true(r->pkey.key.rsa.n[0] >= 0x80);
            assert_true(r->pkey.key.rsa.n[r->pkey.key.rsa.nlen - 1] & 1);
            assert_in_range(r->pkey.key.rsa.elen, 1, 4);
            assert_true(r->pkey.key.rsa.e[r->pkey.key.rsa.elen - 1] & 1);
        } else {
            assert_int_equal(r->pkey.key_type, BR_KEYTYPE_EC);
            assert_int_equal(r->pkey.key.ec.q[0], 4);
            assert_int_equal(r->pkey.key.ec.qlen,
                             r->pkey.key.ec.curve == BR_EC_secp256r1 ? 65 : 97);
        }
        for (unsigned j = 0; j < i; j++)
            assert_false(same(r->dn.data, roots[j].dn.data, DN_MARK_BYTES) &&
                         r->pkey.key_type == roots[j].pkey.key_type &&
                         same(r->pkey.key.rsa.n, roots[j].pkey.key.rsa.n, 65));
    }
}

/* The generator's hash is the one of dn.c, its keys are in step with its names. */
static void test_known_root(void **state)
{
    static const char name[] = "\x30\x4f\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02US"
                               "\x31\x29\x30\x27\x06\x03\x55\x04\x0a\x13\x20"
                               "Internet Security Research Group"
                               "\x31\x15\x30\x13\x06\x03\x55\x04\x03\x13\x0cISRG Root X1";
    static const unsigned char modulus[] = {0xad, 0xe8, 0x24, 0x73, 0xf4, 0x14, 0x37, 0xf3};
    unsigned char mark[DN_MARK_BYTES];
    struct dn dn;
    unsigned count, found = 0;
    const br_x509_trust_anchor *roots = roots_list(&count);

    (void)state;
    dn_begin(&dn);
    for (size_t i = 0; i < sizeof(name) - 1; i++)
        dn_append(&dn, name + i, 1);
    dn_mark(&dn, mark);
    for (unsigned i = 0; i < count; i++) {
        if (!same(roots[i].dn.data, mark, sizeof(mark)))
            continue;
        found++;
        assert_int_equal(roots[i].pkey.key_type, BR_KEYTYPE_RSA);
        assert_int_equal(roots[i].pkey.key.rsa.nlen, 512);
        assert_memory_equal(roots[i].pkey.key.rsa.n, modulus, sizeof(modulus));
        assert_memory_equal(roots[i].pkey.key.rsa.e, "\1\0\1", 3);
    }
    assert_int_equal(found, 1);
}

/* A mark hashes to itself only as BearSSL gives it: whole, at the start, through the class. */
static void test_marks(void **state)
{
    static const unsigned char bytes[DN_MARK_BYTES] = "\0abcdefghijklmno";
    unsigned char hash[DN_HASH_BYTES], mark[DN_MARK_BYTES];
    br_hash_compat_context context;

    (void)state;
    dn_class.init(&context.vtable);
    dn_class.update(&context.vtable, bytes, sizeof(bytes));
    dn_class.out(&context.vtable, hash);
    assert_memory_equal(hash, bytes + 1, sizeof(hash));
    for (size_t cut = 1; cut < sizeof(bytes); cut++) {
        dn_class.init(&context.vtable);
        dn_class.update(&context.vtable, bytes, cut);
        dn_class.update(&context.vtable, bytes + cut, sizeof(bytes) - cut);
        dn_class.out(&context.vtable, hash);
        assert_memory_not_equal(hash, bytes + 1, sizeof(hash));
    }
    dn_class.init(&context.vtable);
    dn_class.update(&context.vtable, "0", 1);
    dn_class.update(&context.vtable, bytes, sizeof(bytes));
    dn_class.out(&context.vtable, hash);
    assert_memory_not_equal(hash, bytes + 1, sizeof(hash));
    dn_class.init(&context.vtable);
    dn_class.update(&context.vtable, "0123456789abcdefg", DN_MARK_BYTES);
    dn_class.out(&context.vtable, hash);
    assert_memory_not_equal(hash, "123456789abcdefg", sizeof(hash));
    dn_begin((struct dn *)&context);
    dn_append((struct dn *)&context, bytes, sizeof(bytes));
    dn_mark((struct dn *)&context, mark);
    assert_memory_not_equal(mark + 1, bytes + 1, sizeof(hash));
}

/* ---- SSL_CERT_FILE ---- */

static void test_added(void **state)
{
    struct certificate c = root_of("B");

    (void)state;
    text[0] = '\0';
    add_text("# the roots of our home\n");
    add_root("A");
    add_text("between\n");
    c.key = &other_key;
    c.signer = &other_key;
    add_pem(&c);
    assert_int_equal(load(), 0);
    assert_string_equal(why, "");
    assert_int_equal(added(), 2);
    assert_int_equal(last_root()->flags, BR_X509_TA_CA);
    assert_int_equal(last_root()->pkey.key.ec.curve, BR_EC_secp384r1);
    assert_memory_equal(last_root()->pkey.key.ec.q, other_key.open.q, other_key.open.qlen);
    /* Another file is in place of the first. */
    text[0] = '\0';
    add_root("C");
    add_root("C");
    add_root("C");
    assert_int_equal(load(), 0);
    assert_int_equal(added(), 1);
    assert_memory_equal(last_root()->pkey.key.ec.q, key.open.q, key.open.qlen);
    assert_int_equal(last_root()[1].dn.len, 0);
    assert_int_equal(last_root()[1].pkey.key_type, 0);
    /* None is none. */
    assert_int_equal(roots_load("", why), 0);
    assert_string_equal(why, "");
    assert_int_equal(added(), 0);
}

static void test_rsa_root(void **state)
{
    struct certificate c = root_of("R");

    (void)state;
    text[0] = '\0';
    c.rsa_bytes = TLS_RSA_BYTES_MAX;
    add_pem(&c);
    c.rsa_bytes = TLS_RSA_BYTES_MIN;
    add_pem(&c);
    assert_int_equal(load(), 0);
    assert_string_equal(why, "");
    assert_int_equal(added(), 2);
    assert_int_equal(last_root()->pkey.key_type, BR_KEYTYPE_RSA);
    assert_int_equal(last_root()->pkey.key.rsa.nlen, TLS_RSA_BYTES_MIN);
    assert_int_equal(last_root()->pkey.key.rsa.n[1], 'R');
    assert_memory_equal(last_root()->pkey.key.rsa.e, "\1\0\1", 3);
}

/* One that is no CA vouches for itself: BearSSL takes it as the server's own. */
static void test_no_ca(void **state)
{
    struct certificate c = root_of("server");

    (void)state;
    c.host = "server.test";
    for (int i = 0; i < 2; i++) {
        c.kind = i == 0 ? CERTIFICATE_LEAF : CERTIFICATE_PLAIN;
        text[0] = '\0';
        add_pem(&c);
        assert_int_equal(load(), 0);
        assert_int_equal(added(), 1);
        assert_int_equal(last_root()->flags, 0);
    }
    add_root("server"); /* and now it is another */
    assert_int_equal(load(), 0);
    assert_int_equal(added(), 2);
}

/* There is room for all of what a distribution ships; what is built in comes from there. */
static void test_whole_distribution(void **state)
{
    const char *bundle = "/etc/ssl/certs/ca-certificates.crt";
    const char *const paths[] = {bundle, NULL};
    unsigned all;

    (void)state;
    if (access(bundle, R_OK) != 0)
        skip();
    memset(why, '#', sizeof(why));
    assert_int_equal(roots_load(bundle, why), 0);
    all = added();
    assert_true(all > 40);
    assert_ptr_equal(roots_load_system(paths, NOW_MS, why), bundle);
    assert_true(added() > 40 && added() <= all);
}

static void add_bad(const char *what)
{
    struct certificate c = root_of("bad");

    if (strcmp(what, "short") == 0)
        c.rsa_bytes = TLS_RSA_BYTES_MIN - 1;
    else if (strcmp(what, "long") == 0)
        c.rsa_bytes = TLS_RSA_BYTES_MAX + 1;
    else if (strcmp(what, "very long") == 0)
        c.rsa_bytes = 1024;
    else if (strcmp(what, "ed25519") == 0)
        c.ed25519 = true;
    else {
        add_text(what);
        return;
    }
    add_pem(&c);
}

static void test_bad_among_good(void **state)
{
    static const struct {
        const char *bad;
        const char *why;
    } cases[] = {
        {"short", "an RSA key of less than 2048 bits"},
        {"long", "an RSA key of more than 4096 bits"},
        {"very long", "an RSA key of more than 4096 bits"},
        {"ed25519", "a kind of key that BearSSL does not have"},
        {"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "not a certificate"},
        {"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "not a certificate"},
        {"-----BEGIN CERTIFICATE-----\nMIIBIjCB\n!!!\n-----END CERTIFICATE-----\n", "damaged PEM"},
        {"-----BEGIN X509 CERTIFICATE-----\nMAA=\n-----END X509 CERTIFICATE-----\n",
         "not a certificate"},
    };
    char expected[ROOTS_WHY_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        text[0] = '\0';
        add_root("A");
        add_bad(cases[i].bad);
        add_root("B");
        (void)snprintf(expected, sizeof(expected), "1 of 3 certificates are of no use: %s",
                       cases[i].why);
        assert_int_equal(load(), 0);
        assert_string_equal(why, expected);
        assert_int_equal(added(), 2);
        /* Alone, it is a refusal. */
        text[0] = '\0';
        add_bad(cases[i].bad);
        (void)snprintf(expected, sizeof(expected), "1 of 1 certificates are of no use: %s",
                       cases[i].why);
        assert_int_equal(load(), -1);
        assert_string_equal(why, expected);
        assert_int_equal(added(), 0);
    }
}

static void test_first_reason(void **state)
{
    (void)state;
    text[0] = '\0';
    add_bad("ed25519");
    add_root("A");
    add_bad("short");
    assert_int_equal(load(), 0);
    assert_string_equal(why, "2 of 3 certificates are of no use: a kind of key that BearSSL does "
                             "not have");
}

static void test_passed_over(void **state)
{
    static const char *const others[] = {
        "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n",
        "-----BEGIN TRUSTED CERTIFICATE-----\nMAA=\n-----END TRUSTED CERTIFICATE-----\n",
        "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n",
        "-----BEGIN X-----\n!\n",
        "MIIBIjCB\n-----END CERTIFICATE-----\n",
        "-----BEGIN -----\nMAA=\n-----END -----\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(others); i++) {
        text[0] = '\0';
        add_text(others[i]);
        assert_int_equal(load(), -1);
        assert_string_equal(why, "no PEM certificate is in it");
        add_root("A");
        assert_int_equal(load(), 0);
        assert_string_equal(why, "");
        assert_int_equal(added(), 1);
    }
}

static void to_crlf(void)
{
    static char copy[sizeof(text)];
    size_t n = 0;

    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\n')
            copy[n++] = '\r';
        copy[n++] = *p;
    }
    copy[n] = '\0';
    memcpy(text, copy, n + 1);
}

static void test_line_ends(void **state)
{
    (void)state;
    text[0] = '\0';
    add_root("A");
    add_root("B");
    to_crlf();
    assert_int_equal(load(), 0);
    assert_string_equal(why, "");
    assert_int_equal(added(), 2);
    text[0] = '\0';
    add_root("A");
    text[strlen(text) - 1] = '\0'; /* the last line's */
    assert_int_equal(load(), 0);
    assert_int_equal(added(), 1);
    /* Cut short, within a line and between two. */
    text[strlen(text) / 2] = '\0';
    assert_int_equal(load(), -1);
    assert_string_equal(why, "1 of 1 certificates are of no use: damaged PEM");
    *(strrchr(text, '\n') + 1) = '\0';
    assert_int_equal(load(), -1);
    assert_string_equal(why, "1 of 1 certificates are of no use: damaged PEM");
}

static void test_no_file(void **state)
{
    static const struct {
        const char *path;
        const char *why;
    } cases[] = {
        {"absent.pem", "no such file"},     {"bundle.pem/x", "no such file"},
        {"dir", "not a regular file"},      {"fifo", "not a regular file"},
        {"loop", "it cannot be read"},      {"empty.pem", "no PEM certificate is in it"},
        {"large.pem", "larger than 1 MiB"},
    };

    (void)state;
    text[0] = '\0';
    add_root("A");
    assert_int_equal(load(), 0);
    scratch_dirs(&tree, "dir");
    scratch_put(&tree, "empty.pem", "");
    memset(text, '\n', TLS_ROOT_FILE_MAX + 1);
    text[TLS_ROOT_FILE_MAX + 1] = '\0';
    scratch_put(&tree, "large.pem", text);
    assert_int_equal(mkfifo(scratch_path(&tree, "fifo"), 0600), 0);
    assert_int_equal(symlink("loop", scratch_path(&tree, "loop")), 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        memset(why, '#', sizeof(why));
        assert_int_equal(roots_load(scratch_path(&tree, cases[i].path), why), -1);
        assert_string_equal(why, cases[i].why);
        assert_int_equal(added(), 0);
    }
    /* As large as allowed, and by a symlink. */
    text[TLS_ROOT_FILE_MAX] = '\0';
    text[0] = '\0';
    add_root("A");
    text[strlen(text)] = '\n';
    assert_int_equal(load(), 0);
    assert_int_equal(symlink("bundle.pem", scratch_path(&tree, "link.pem")), 0);
    assert_int_equal(roots_load(scratch_path(&tree, "link.pem"), why), 0);
    assert_int_equal(added(), 1);
}

static int unreadable(const struct tree *t)
{
    char told[ROOTS_WHY_MAX];

    return roots_load(scratch_path(t, "bundle.pem"), told) == -1 &&
                   strcmp(told, "permission denied") == 0
               ? 0
               : 1;
}

static void test_denied(void **state)
{
    (void)state;
    text[0] = '\0';
    add_root("A");
    assert_int_equal(load(), 0);
    assert_int_equal(chmod(scratch_path(&tree, "bundle.pem"), 0), 0);
    assert_int_equal(scratch_as_user(unreadable, &tree), 0);
    assert_int_equal(unlink(scratch_path(&tree, "bundle.pem")), 0);
}

static unsigned fill(unsigned count, size_t rsa_bytes)
{
    char name[16];

    text[0] = '\0';
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(name, sizeof(name), "root %04u", i);
        struct certificate c = root_of(name);
        c.rsa_bytes = rsa_bytes;
        add_pem(&c);
    }
    return count;
}

#define ROOT_BYTES(modulus) ((modulus) + 3 + DN_MARK_BYTES)

static void test_room(void **state)
{
    unsigned built_in;
    size_t modulus = TLS_RSA_BYTES_MAX;

    (void)state;
    (void)roots_count(&built_in);
    fill(TLS_ROOTS_MAX - built_in, 0);
    assert_int_equal(load(), 0);
    assert_int_equal(added(), TLS_ROOTS_MAX - built_in);
    add_root("root 0000"); /* is known */
    assert_int_equal(load(), 0);
    add_root("one more");
    assert_int_equal(load(), -1);
    assert_string_equal(why, "too many roots: 512 is the most, with those built in");
    assert_int_equal(added(), 0);

    /* What is left has room for one more key, but not for its mark. */
    while (TLS_ROOT_BYTES % ROOT_BYTES(modulus) < modulus + 3)
        modulus--;
    assert_true(modulus > TLS_RSA_BYTES_MIN);
    unsigned large = (unsigned)(TLS_ROOT_BYTES / ROOT_BYTES(modulus));
    fill(large, modulus);
    assert_int_equal(load(), 0);
    assert_int_equal(added(), large);
    fill(large + 1, modulus);
    assert_int_equal(load(), -1);
    assert_string_equal(why, "too many roots: 64 KiB of keys is the most");
    assert_int_equal(added(), 0);
}

/* ---- The machine's own bundle ---- */

static const char *load_system(const char *first, const char *second)
{
    static char a[PATH_LEN_MAX], b[PATH_LEN_MAX];
    static const char *const paths[] = {a, b, NULL};

    memset(why, '#', sizeof(why));
    (void)snprintf(a, sizeof(a), "%s", scratch_path(&tree, first));
    (void)snprintf(b, sizeof(b), "%s", scratch_path(&tree, second));
    const char *used = roots_load_system(paths, NOW_MS, why);
    return used == a ? first : used == b ? second : used;
}

static void put_root(const char *file, const char *name)
{
    text[0] = '\0';
    add_root(name);
    scratch_put(&tree, file, text);
}

static void test_first_bundle(void **state)
{
    static const char *const none[] = {NULL};

    (void)state;
    put_root("one.pem", "A");
    add_root("B");
    scratch_put(&tree, "two.pem", text);
    scratch_put(&tree, "nothing.pem", "");
    assert_string_equal(load_system("one.pem", "two.pem"), "one.pem");
    assert_string_equal(why, "");
    assert_int_equal(added(), 1);
    assert_string_equal(load_system("two.pem", "one.pem"), "two.pem");
    assert_int_equal(added(), 2);
    assert_string_equal(load_system("gone.pem", "one.pem"), "one.pem");
    assert_string_equal(why, "");
    assert_int_equal(added(), 1);
    assert_string_equal(load_system("nothing.pem", "two.pem"), "two.pem");
    assert_int_equal(added(), 2);
    assert_null(load_system("gone.pem", "nothing.pem"));
    assert_int_equal(added(), 0);
    assert_string_equal(load_system("two.pem", "one.pem"), "two.pem");
    assert_null(roots_load_system(none, NOW_MS, why));
    assert_int_equal(added(), 0);
}

/* What cannot be used is left out, and the rest serves. */
static void test_odd_bundle(void **state)
{
    struct certificate ended = root_of("ended"), lasting = root_of("lasting");
    unsigned built_in;

    (void)state;
    ended.until = "241231235959Z";
    lasting.until = "250101000000Z";
    text[0] = '\0';
    add_pem(&ended);
    add_bad("short");
    add_pem(&lasting);
    scratch_put(&tree, "odd.pem", text);
    assert_string_equal(load_system("odd.pem", "gone.pem"), "odd.pem");
    assert_string_equal(why, "2 of 3 certificates are of no use: it has expired");
    assert_int_equal(added(), 1);
    /* Who names a file means it: nobody asks for its dates. */
    text[0] = '\0';
    add_pem(&ended);
    assert_int_equal(load(), 0);
    assert_int_equal(added(), 1);

    (void)roots_count(&built_in);
    fill(TLS_ROOTS_MAX - built_in + 1, 0);
    scratch_put(&tree, "many.pem", text);
    assert_string_equal(load_system("many.pem", "gone.pem"), "many.pem");
    assert_string_equal(why, "too many roots: 512 is the most, with those built in");
    assert_int_equal(added(), TLS_ROOTS_MAX - built_in);
}

/* ---- The same in any pieces ---- */

struct seen {
    unsigned count;
    unsigned char marks[8][DN_MARK_BYTES];
};

static bool see(void *arg, const br_x509_trust_anchor *anchor)
{
    struct seen *seen = arg;

    assert_true(seen->count < COUNT(seen->marks));
    assert_int_equal(anchor->dn.len, DN_MARK_BYTES);
    memcpy(seen->marks[seen->count++], anchor->dn.data, DN_MARK_BYTES);
    return true;
}

static void test_pieces(void **state)
{
    static struct pem p;
    struct seen whole = {0}, pieces = {0};
    struct guard guard;

    (void)state;
    text[0] = '\0';
    add_root("A");
    add_bad("very long");
    add_bad("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
    add_bad("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
    add_root("B");
    to_crlf();
    guard_open(&guard, strlen(text));
    p.found = see;
    p.arg = &whole;
    pem_init(&p);
    pem_feed(&p, guard_put(&guard, text, strlen(text)), strlen(text));
    pem_end(&p);
    assert_int_equal(whole.count, 2);
    assert_int_equal(p.good, 2);
    assert_int_equal(p.bad, 3);
    p.arg = &pieces;
    pem_init(&p);
    for (size_t i = 0; i < strlen(text); i++)
        pem_feed(&p, guard_put(&guard, text + i, 1), 1);
    pem_end(&p);
    assert_int_equal(p.good, 2);
    assert_int_equal(p.bad, 3);
    assert_memory_equal(&whole, &pieces, sizeof(whole));
    guard_close(&guard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_built_in),
        cmocka_unit_test(test_known_root),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_added),
        cmocka_unit_test(test_rsa_root),
        cmocka_unit_test(test_no_ca),
        cmocka_unit_test(test_whole_distribution),
        cmocka_unit_test(test_bad_among_good),
        cmocka_unit_test(test_first_reason),
        cmocka_unit_test(test_passed_over),
        cmocka_unit_test(test_line_ends),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_denied),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_first_bundle),
        cmocka_unit_test(test_odd_bundle),
        cmocka_unit_test(test_pieces),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
