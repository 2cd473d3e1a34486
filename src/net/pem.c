#include "net/pem.h"

#include "net/cert.h"

void pem_init(struct pem *p)
{
    p->stopped = false;
    p->good = 0;
    p->bad = 0;
    p->why = NULL;
    p->inside = false;
    br_pem_decoder_init(&p->decoder);
}

/* ---- One certificate ---- */

static void append_name(void *arg, const void *bytes, size_t n)
{
    struct pem *p = arg;

    dn_append(&p->name, bytes, n);
}

static void append_der(void *arg, const void *bytes, size_t n)
{
    struct pem *p = arg;

    /* Behind an error it would run on, and out of its memory. */
    if (p->certificate.err == 0)
        br_x509_decoder_push(&p->certificate, bytes, n);
}

/* The decoder leaves dashes at the name's end where the line ends in CR LF. */
static bool is_certificate(const char *name)
{
    struct span s = span_of(name);

    while (s.n > 0 && s.p[s.n - 1] == '-')
        s.n--;
    return span_is(s, "CERTIFICATE") || span_is(s, "X509 CERTIFICATE");
}

static void begin(struct pem *p)
{
    p->inside = is_certificate(br_pem_decoder_name(&p->decoder));
    if (!p->inside) {
        br_pem_decoder_setdest(&p->decoder, 0, NULL);
        return;
    }
    dn_begin(&p->name);
    br_x509_decoder_init(&p->certificate, append_name, p);
    br_pem_decoder_setdest(&p->decoder, append_der, p);
}

static void refuse(struct pem *p, const char *why)
{
    p->bad++;
    if (p->why == NULL)
        p->why = why;
}

static bool has_ended(const struct pem *p)
{
    const br_x509_decoder_context *c = &p->certificate;

    return cert_time_ms(c->notafter_days, c->notafter_seconds) < p->now_ms;
}

/* What is wrong with a certificate that was read; NULL: nothing. */
static const char *fault_of(struct pem *p, const br_x509_pkey *key)
{
    if (key == NULL) {
        switch (br_x509_decoder_last_error(&p->certificate)) {
        case BR_ERR_X509_UNSUPPORTED:
            return "a kind of key that BearSSL does not have";
        case BR_ERR_X509_LIMIT_EXCEEDED:
            return "an RSA key of more than 4096 bits";
        default:
            return "not a certificate";
        }
    }
    if (has_ended(p))
        return "it has expired";
    if (key->key_type != BR_KEYTYPE_RSA)
        return NULL;
    if (key->key.rsa.nlen > TLS_RSA_BYTES_MAX)
        return "an RSA key of more than 4096 bits";
    if (key->key.rsa.nlen < TLS_RSA_BYTES_MIN)
        return "an RSA key of less than 2048 bits";
    return NULL;
}

static void end(struct pem *p)
{
    br_x509_pkey *key = br_x509_decoder_get_pkey(&p->certificate);
    const char *why = fault_of(p, key);

    p->inside = false;
    if (why != NULL) {
        refuse(p, why);
        return;
    }
    dn_mark(&p->name, p->mark);
    br_x509_trust_anchor anchor = {
        .dn = {p->mark, sizeof(p->mark)},
        .flags = br_x509_decoder_isCA(&p->certificate) ? BR_X509_TA_CA : 0,
        .pkey = *key,
    };
    p->good++;
    p->stopped = !p->found(p->arg, &anchor);
}

/* ---- The bundle ---- */

static void broken(struct pem *p)
{
    if (p->inside)
        refuse(p, "damaged PEM");
    p->inside = false;
    /* Else what it had decoded would stand before the next object. */
    br_pem_decoder_init(&p->decoder);
}

static void happened(struct pem *p, int event)
{
    if (event == BR_PEM_BEGIN_OBJ)
        begin(p);
    else if (event == BR_PEM_END_OBJ && p->inside)
        end(p);
    else if (event == BR_PEM_ERROR)
        broken(p);
}

void pem_feed(struct pem *p, const char *bytes, size_t n)
{
    while (n > 0 && !p->stopped) {
        size_t used = br_pem_decoder_push(&p->decoder, bytes, n);
        bytes += used;
        n -= used;
        happened(p, br_pem_decoder_event(&p->decoder));
    }
}

void pem_end(struct pem *p)
{
    /* The last line may have none. */
    pem_feed(p, "\n", 1);
    if (p->inside && !p->stopped)
        broken(p);
}
