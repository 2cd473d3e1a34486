/* What pretty_json() makes of JSON is JSON with the same tokens, and has nothing in it that a
 * terminal could be fooled with. What is no JSON must do no harm. */
#include "cmd/pretty.c"

#include "base/json_read.h"

#include <stdint.h>
#include <stdlib.h>

#define TEXT_MAX 4096
#define TOKENS 2048
#define DEPTH 32
#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void emit(void *arg, struct span piece)
{
    buf_span(arg, piece);
}

static void check_shown(struct span s)
{
    uint32_t cp;

    for (size_t n; s.n > 0; s.p += n, s.n -= n) {
        n = utf8_next(s, &cp);
        REQUIRE(n > 0 && (cp == '\n' || !utf8_hidden(cp)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A bracket can become a line of its own with DEPTH levels of blanks before it. */
    static char pretty[TEXT_MAX * (2 * DEPTH + 8)];
    static jsmntok_t tokens[TOKENS], again[TOKENS];
    const struct span text = {(const char *)data, size};
    struct json doc, shown;
    struct buf b;

    if (size > TEXT_MAX)
        return 0;
    buf_init(&b, pretty, sizeof(pretty));
    pretty_json(text, emit, &b);
    if (json_read(&doc, text.p, text.n, tokens, TOKENS, DEPTH) != JSON_OK)
        return 0;
    REQUIRE(buf_done(&b) == 0);
    check_shown(buf_view(&b));
    REQUIRE(json_read(&shown, b.p, b.n, again, TOKENS, DEPTH) == JSON_OK);
    REQUIRE(shown.count == doc.count);
    for (int i = 0; i < doc.count; i++)
        REQUIRE(tokens[i].type == again[i].type && tokens[i].size == again[i].size);
    return 0;
}
