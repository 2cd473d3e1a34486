/* The matcher against one that tries everything. Pattern and text stand on both sides of a NUL. */
#include "base/glob.c"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 128
#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* row[j]: does the pattern so far match the first j bytes of the text? */
static bool reference(struct span pattern, struct span text)
{
    bool row[TEXT_MAX + 1] = {true};

    for (size_t i = 0; i < pattern.n; i++) {
        char c = pattern.p[i];
        bool before = row[0]; /* row[j - 1] of the pattern without c */
        row[0] = row[0] && c == '*';
        for (size_t j = 1; j <= text.n; j++) {
            bool old = row[j];
            bool same = c == '?' || span_lower(c) == span_lower(text.p[j - 1]);
            row[j] = c == '*' ? row[j - 1] || old : before && same;
            before = old;
        }
    }
    return row[text.n];
}

static bool reference_list(struct span list, struct span text)
{
    bool match = false;

    while (list.n > 0) {
        struct span item = span_trim(span_split(&list, ','));
        match |= item.n > 0 && reference(item, text);
    }
    return match;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = {(const char *)data, size};
    struct span pattern = span_split(&rest, '\0');

    if (pattern.n > TEXT_MAX || rest.n > TEXT_MAX)
        return 0;
    REQUIRE(glob_match(pattern, rest) == reference(pattern, rest));
    REQUIRE(glob_list_match(pattern, rest) == reference_list(pattern, rest));
    return 0;
}
