#ifndef NET_DN_H
#define NET_DN_H
/* Distinguished names (RFC 5280, section 4.1.2.4) as marks: a zero, then 16 bytes of the name's
 * SHA-256. A mark finds the root that is to have signed a certificate; that it has, its key shows.
 *
 * BearSSL hashes the names it meets, those of the roots too. With dn_class for that hash a mark may
 * stand in place of a root's name: it hashes to itself. No name begins with a zero. */

#include <bearssl.h>
#include <stdbool.h>

#define DN_HASH_BYTES 16
#define DN_MARK_BYTES (1 + DN_HASH_BYTES)

struct dn {
    br_sha256_context sha; /* first: it has the vtable */
    bool began;
    bool is_mark;
    unsigned char hash[DN_HASH_BYTES]; /* of a mark */
};

extern const br_hash_class dn_class;

/* The name comes in pieces. */
void dn_begin(struct dn *d);
void dn_append(struct dn *d, const void *bytes, size_t n);
void dn_mark(const struct dn *d, unsigned char mark[DN_MARK_BYTES]);

#endif
