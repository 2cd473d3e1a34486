/* Whatever comes in: what goes to a terminal is UTF-8 without a hidden character, and escaping it
 * once more changes nothing. The same text through json_write is a JSON string. */
#include "base/escape.c"
#include "base/utf8.c"

#include "base/json_read.h"
#include "base/json_write.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 4096
#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_shown(struct span s)
{
    uint32_t cp;

    REQUIRE(utf8_is_text(s));
    for (size_t n; s.n > 0; s.p += n, s.n -= n) {
        n = utf8_next(s, &cp);
        REQUIRE(n > 0 && !utf8_hidden(cp));
    }
}

/* Characters decode to what encodes to the same bytes; their sum says whether the whole is text. */
static void check_characters(struct span s)
{
    bool is_text = utf8_is_text(s);
    bool all = true;
    char bytes[4];
    uint32_t cp;

    for (size_t n; s.n > 0; s.p += n, s.n -= n) {
        n = utf8_next(s, &cp);
        if (n == 0) {
            all = false;
            n = 1;
            continue;
        }
        REQUIRE(n <= s.n && cp <= 0x10ffff && (cp < 0xd800 || cp > 0xdfff));
        REQUIRE(utf8_put(bytes, cp) == n && memcmp(bytes, s.p, n) == 0);
        all = all && cp != 0;
    }
    REQUIRE(is_text == all);
}

static void check_json(struct span s)
{
    static char storage[6 * TEXT_MAX + 2];
    struct json_write w;
    struct json doc;
    jsmntok_t token;
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    json_write_init(&w, &b);
    json_write_span(&w, NULL, s);
    REQUIRE(buf_done(&b) == 0);
    struct span out = buf_view(&b);
    check_shown(out);
    REQUIRE(json_read(&doc, out.p, out.n, &token, 1, 0) == JSON_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char first[6 * TEXT_MAX], second[6 * TEXT_MAX];
    const struct span in = {(const char *)data, size};
    char cut[64];
    struct buf a, b;

    if (size > TEXT_MAX)
        return 0;
    check_characters(in);
    buf_init(&a, first, sizeof(first));
    escape_text(&a, in);
    REQUIRE(buf_done(&a) == 0);
    check_shown(buf_view(&a));
    buf_init(&b, second, sizeof(second));
    escape_text(&b, buf_view(&a));
    REQUIRE(span_eq(buf_view(&a), buf_view(&b)));
    check_json(in);
    size_t n = span_cut(cut, 4 + size % 60, in);
    REQUIRE(n < 4 + size % 60 && (!utf8_is_text(in) || utf8_is_text((struct span){cut, n})));
    return 0;
}
