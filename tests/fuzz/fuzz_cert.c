/* Whatever chain a server shows: none that was not signed by a root is taken, and there is a text
 * for each error. Input: the length of the pieces, then certificates, each after its length in two
 * bytes. */
#include "net/cert.c"

#include <stdlib.h>

#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

#define NOW_MS INT64_C(1800000000000) /* 2027-01-15: the corpus is valid then */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void show(struct cert *c, const uint8_t *der, size_t n, size_t piece)
{
    c->vtable->start_cert(&c->vtable, (uint32_t)n);
    while (n > 0) {
        size_t now = n < piece ? n : piece;
        c->vtable->append(&c->vtable, der, now);
        der += now;
        n -= now;
    }
    c->vtable->end_cert(&c->vtable);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cert c;
    struct buf b;
    char why[128];
    size_t piece;

    if (size == 0)
        return 0;
    piece = 1 + data[0];
    cert_init(&c, "ollama.home.test", NOW_MS);
    c.vtable->start_chain(&c.vtable, NULL);
    for (size_t at = 1; size - at > 2;) {
        size_t n = ((size_t)data[at] << 8) | data[at + 1];
        at += 2;
        if (n > size - at)
            n = size - at;
        show(&c, data + at, n, piece);
        at += n;
    }
    unsigned error = c.vtable->end_chain(&c.vtable);
    REQUIRE(error != 0 && error <= BR_ERR_X509_NOT_TRUSTED);
    buf_init(&b, why, sizeof(why));
    cert_why(&b, &c, (int)error);
    REQUIRE(buf_text(&b) != NULL && b.n > 10);
    return 0;
}
