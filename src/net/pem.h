#ifndef NET_PEM_H
#define NET_PEM_H
/* Certificates out of a PEM bundle (RFC 7468), as names and keys to trust. Fed in pieces of any
 * size; what stands between the certificates, and any other object, is passed over. Pure. */

#include "base/limits.h"
#include "base/span.h"
#include "net/dn.h"

/* An anchor's name is its mark. A certificate that does not say it is a CA vouches for itself
 * alone: its flags are 0. */
struct pem {
    /* Every certificate that can be used; the anchor's bytes are good during the call. False: stop
     * here, no more is taken. */
    bool (*found)(void *arg, const br_x509_trust_anchor *anchor);
    void *arg;
    int64_t now_ms; /* what has ended by then is bad; 0: nothing has */
    bool stopped;
    unsigned good;
    unsigned bad;
    const char *why; /* the first bad one is bad, in plain words; NULL = none is */
    /* pem.c only. */
    bool inside; /* a certificate */
    struct dn name;
    unsigned char mark[DN_MARK_BYTES];
    br_pem_decoder_context decoder;
    br_x509_decoder_context certificate;
};

/* p->found, p->arg and p->now_ms stand before. */
void pem_init(struct pem *p);
void pem_feed(struct pem *p, const char *bytes, size_t n);
/* The bytes are at their end: a certificate that is not is a bad one. */
void pem_end(struct pem *p);

#endif
