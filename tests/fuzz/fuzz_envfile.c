/* Whatever the file holds: names are names, values lie inside it, and what was read, written anew
 * with quotes, is read as the same. */
#include "daemon/envfile.c"

#include "base/buf.h"

#include <stdint.h>
#include <stdlib.h>

#define TEXT_MAX 4096
#define PAIRS_MAX 64
#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct pair {
    struct span name;
    struct span value;
};

static void check_pair(const struct pair *pair, const char *text, size_t n)
{
    REQUIRE(pair->name.n > 0);
    for (size_t i = 0; i < pair->name.n; i++)
        REQUIRE(is_name_char(pair->name.p[i], i == 0));
    REQUIRE(pair->name.p >= text && pair->value.p + pair->value.n <= text + n);
    REQUIRE(memchr(pair->value.p, '\n', pair->value.n) == NULL);
    REQUIRE(memchr(pair->value.p, '\0', pair->value.n) == NULL);
}

static void write_pair(const struct pair *pair, struct buf *out)
{
    buf_str(out, "export ");
    buf_span(out, pair->name);
    buf_str(out, "=\"");
    for (size_t i = 0; i < pair->value.n; i++) {
        if (loses_backslash(pair->value.p[i]))
            buf_char(out, '\\');
        buf_char(out, pair->value.p[i]);
    }
    buf_str(out, "\" # comment\r\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[TEXT_MAX], again[4 * TEXT_MAX];
    struct pair pairs[PAIRS_MAX], pair;
    struct envfile f;
    struct buf out;
    enum envfile_item item;
    size_t count = 0;

    if (size > sizeof(text))
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    buf_init(&out, again, sizeof(again));
    envfile_init(&f, text, size);
    while ((item = envfile_next(&f, &pair.name, &pair.value)) != ENVFILE_END) {
        REQUIRE((item == ENVFILE_BAD) == (f.why != NULL));
        if (item == ENVFILE_BAD || count == PAIRS_MAX)
            continue;
        check_pair(&pair, text, size);
        write_pair(&pair, &out);
        pairs[count++] = pair;
    }
    if (buf_done(&out) != 0)
        return 0;
    envfile_init(&f, again, out.n);
    for (size_t i = 0; i < count; i++) {
        REQUIRE(envfile_next(&f, &pair.name, &pair.value) == ENVFILE_PAIR);
        REQUIRE(span_eq(pair.name, pairs[i].name) && span_eq(pair.value, pairs[i].value));
    }
    REQUIRE(envfile_next(&f, &pair.name, &pair.value) == ENVFILE_END);
    return 0;
}
