#include "net/roots.h"

#include "base/buf.h"
#include "base/file.h"
#include "net/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <builtin_roots.h>

_Static_assert(ROOTS_BUILT_IN <= TLS_ROOTS_MAX, "all that are built in");

/* 1. The built-in ones come first, then count - ROOTS_BUILT_IN of a bundle.
 * 2. Those behind count are empty: a handshake that began with more matches none of them.
 * 3. No two are equal. */
static struct {
    unsigned count; /* 0 = not unpacked yet */
    br_x509_trust_anchor list[TLS_ROOTS_MAX];
    size_t added_n;
    unsigned char added[TLS_ROOT_BYTES]; /* marks and keys of the bundle */
    enum { FITS, TOO_MANY, TOO_LARGE } room;
} roots;

/* BearSSL's pointers are not const, but it writes through none of them. */
static unsigned char *bytes_of(const unsigned char *p)
{
    return (unsigned char *)(uintptr_t)p;
}

static void unpack(void)
{
    const unsigned char *head = root_heads;
    const unsigned char *key = root_keys;

    while (roots.count < ROOTS_BUILT_IN) {
        br_x509_trust_anchor *root = &roots.list[roots.count++];
        unsigned kind = head[0];
        size_t key_n = ((size_t)head[1] << 8) | head[2];
        const unsigned char *mark = head + 3;

        root->dn.len = DN_MARK_BYTES;
        root->dn.data = bytes_of(mark);
        root->flags = BR_X509_TA_CA;
        if (kind < BR_EC_secp256r1) {
            /* The exponent's length. */
            root->pkey.key_type = BR_KEYTYPE_RSA;
            root->pkey.key.rsa.n = bytes_of(key);
            root->pkey.key.rsa.nlen = key_n - kind;
            root->pkey.key.rsa.e = bytes_of(key + key_n - kind);
            root->pkey.key.rsa.elen = kind;
        } else {
            root->pkey.key_type = BR_KEYTYPE_EC;
            root->pkey.key.ec.curve = (int)kind;
            root->pkey.key.ec.q = bytes_of(key);
            root->pkey.key.ec.qlen = key_n;
        }
        head += 3 + DN_MARK_BYTES;
        key += key_n;
    }
}

const br_x509_trust_anchor *roots_list(unsigned *count)
{
    unpack();
    *count = roots.count;
    return roots.list;
}

unsigned roots_count(unsigned *built_in)
{
    unpack();
    *built_in = ROOTS_BUILT_IN;
    return roots.count;
}

/* ---- Those of a bundle ---- */

static bool equal(const unsigned char *a, size_t a_n, const unsigned char *b, size_t b_n)
{
    return a_n == b_n && memcmp(a, b, a_n) == 0;
}

static bool same_key(const br_x509_pkey *a, const br_x509_pkey *b)
{
    if (a->key_type != b->key_type)
        return false;
    if (a->key_type == BR_KEYTYPE_RSA)
        return equal(a->key.rsa.n, a->key.rsa.nlen, b->key.rsa.n, b->key.rsa.nlen) &&
               equal(a->key.rsa.e, a->key.rsa.elen, b->key.rsa.e, b->key.rsa.elen);
    return a->key.ec.curve == b->key.ec.curve &&
           equal(a->key.ec.q, a->key.ec.qlen, b->key.ec.q, b->key.ec.qlen);
}

static bool is_known(const br_x509_trust_anchor *root)
{
    for (unsigned i = 0; i < roots.count; i++) {
        const br_x509_trust_anchor *other = &roots.list[i];
        if (root->flags == other->flags &&
            equal(root->dn.data, root->dn.len, other->dn.data, other->dn.len) &&
            same_key(&root->pkey, &other->pkey))
            return true;
    }
    return false;
}

/* The bytes, where they stay; there is room. */
static unsigned char *keep(const unsigned char *p, size_t n)
{
    unsigned char *kept = roots.added + roots.added_n;

    memcpy(kept, p, n);
    roots.added_n += n;
    return kept;
}

static void keep_key(br_x509_pkey *key)
{
    if (key->key_type == BR_KEYTYPE_RSA) {
        key->key.rsa.n = keep(key->key.rsa.n, key->key.rsa.nlen);
        key->key.rsa.e = keep(key->key.rsa.e, key->key.rsa.elen);
    } else {
        key->key.ec.q = keep(key->key.ec.q, key->key.ec.qlen);
    }
}

static bool add(void *arg, const br_x509_trust_anchor *root)
{
    const br_x509_pkey *key = &root->pkey;
    size_t size = root->dn.len;

    (void)arg;
    if (is_known(root))
        return true;
    size +=
        key->key_type == BR_KEYTYPE_RSA ? key->key.rsa.nlen + key->key.rsa.elen : key->key.ec.qlen;
    if (roots.count == TLS_ROOTS_MAX)
        roots.room = TOO_MANY;
    else if (size > sizeof(roots.added) - roots.added_n)
        roots.room = TOO_LARGE;
    if (roots.room != FITS)
        return false;
    br_x509_trust_anchor *added = &roots.list[roots.count++];
    *added = *root;
    added->dn.data = keep(root->dn.data, root->dn.len);
    keep_key(&added->pkey);
    return true;
}

static void forget_added(void)
{
    unpack();
    memset(&roots.list[ROOTS_BUILT_IN], 0, (roots.count - ROOTS_BUILT_IN) * sizeof(roots.list[0]));
    roots.count = ROOTS_BUILT_IN;
    roots.added_n = 0;
    roots.room = FITS;
}

static const char *open_fault(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return "no such file";
    case EACCES:
    case EPERM:
        return "permission denied";
    default:
        return "it cannot be read";
    }
}

/* Opens it, symlinks and all: distributions have many here. -1 and *why. */
static int open_bundle(const char *path, const char **why)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0) {
        *why = open_fault(errno);
        return -1;
    }
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fd;
    *why = "not a regular file";
    (void)close(fd);
    return -1;
}

/* NULL, or why the file cannot be used. */
static const char *read_bundle(struct pem *p, const char *path)
{
    char piece[4096];
    const char *why = NULL;
    int64_t offset = 0;
    ssize_t n;
    int fd = open_bundle(path, &why);

    if (fd < 0)
        return why;
    do {
        n = file_read_at(fd, piece, sizeof(piece), offset);
        if (n > 0)
            pem_feed(p, piece, (size_t)n);
        offset += n;
    } while (n > 0 && offset <= TLS_ROOT_FILE_MAX && !p->stopped);
    if (n < 0)
        why = "it cannot be read";
    else if (offset > TLS_ROOT_FILE_MAX)
        why = "larger than 1 MiB";
    (void)close(fd);
    pem_end(p);
    return why;
}

/* NULL, or why what was in it cannot be used. */
static const char *fault_of(const struct pem *p)
{
    if (roots.room == TOO_MANY)
        return "too many roots: 512 is the most, with those built in";
    if (roots.room == TOO_LARGE)
        return "too many roots: 64 KiB of keys is the most";
    if (p->good + p->bad == 0)
        return "no PEM certificate is in it";
    return NULL;
}

_Static_assert(TLS_ROOT_FILE_MAX == 1 << 20 && TLS_ROOTS_MAX == 512 && TLS_ROOT_BYTES == 64 << 10,
               "the texts say so");

/* "2 of 3 certificates are of no use: not a certificate" */
static void tell_bad(const struct pem *p, char *why)
{
    struct buf b;

    buf_init(&b, why, ROOTS_WHY_MAX);
    buf_int(&b, p->bad);
    buf_str(&b, " of ");
    buf_int(&b, p->good + p->bad);
    buf_str(&b, " certificates are of no use: ");
    buf_str(&b, p->why);
    (void)buf_text(&b);
}

/* Adds what it can. False: the bundle as a whole has a fault. good: how many can be used. */
static bool load(const char *path, int64_t now_ms, char *why, unsigned *good)
{
    static struct pem p;
    const char *fault;

    forget_added();
    why[0] = '\0';
    p.found = add;
    p.arg = NULL;
    p.now_ms = now_ms;
    pem_init(&p);
    fault = read_bundle(&p, path);
    if (fault == NULL)
        fault = fault_of(&p);
    if (fault != NULL)
        (void)span_copy(why, ROOTS_WHY_MAX, span_of(fault));
    else if (p.bad > 0)
        tell_bad(&p, why);
    *good = p.good;
    return fault == NULL;
}

int roots_load(const char *path, char *why)
{
    unsigned good;

    if (path[0] == '\0') {
        forget_added();
        why[0] = '\0';
        return 0;
    }
    if (load(path, 0, why, &good) && good > 0)
        return 0;
    forget_added();
    return -1;
}

const char *roots_load_system(const char *const *paths, int64_t now_ms, char *why)
{
    unsigned good;

    for (; *paths != NULL; paths++) {
        (void)load(*paths, now_ms, why, &good);
        if (good > 0)
            return *paths;
    }
    forget_added();
    return NULL;
}
