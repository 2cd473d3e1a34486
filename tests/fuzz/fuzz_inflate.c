/* Any bytes as a stream: what comes out lies within the room, is the same whatever the room, and
 * what was there before is neither changed nor seen. */
#include "base/inflate.c"

#include <stdlib.h>

#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)
#define BEFORE "what was there"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char large[65536];
    const struct span stream = {(const char *)data, size};
    struct buf a, b;

    buf_init(&a, large, sizeof(large));
    int result = inflate_all(stream, &a);
    REQUIRE(a.n <= sizeof(large) && result == buf_done(&a));
    /* Of this size exactly, so that the sanitizer sees its end. */
    size_t before = sizeof(BEFORE) - 1;
    char *exact = malloc(before + a.n);
    REQUIRE(exact != NULL);
    buf_init(&b, exact, before + a.n);
    buf_str(&b, BEFORE);
    REQUIRE(inflate_all(stream, &b) == result || a.n == sizeof(large));
    REQUIRE(memcmp(exact, BEFORE, before) == 0 && b.n <= before + a.n);
    REQUIRE(memcmp(exact + before, large, b.n - before) == 0);
    REQUIRE(result != 0 || b.n == before + a.n);
    if (result == 0 && a.n > 0) {
        buf_init(&b, exact, a.n - 1);
        REQUIRE(inflate_all(stream, &b) != 0);
    }
    free(exact);
    return 0;
}
