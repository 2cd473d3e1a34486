#include "cmd/text.h"

#include "base/inflate.h"
#include "cmd/print.h"

#include <texts.h>

/* "name NUL text NUL", one after the other. The pages of it are the kernel's until somebody asks.
 */
static char unpacked[TEXTS_BYTES];

static struct span unpack(void)
{
    static bool done;
    struct buf b;

    buf_init(&b, unpacked, sizeof(unpacked));
    if (!done)
        done =
            inflate_all((struct span){(const char *)texts_packed, sizeof(texts_packed)}, &b) == 0;
    return (struct span){unpacked, done ? sizeof(unpacked) : 0};
}

struct span text_of(struct span name)
{
    struct span rest = unpack();

    while (rest.n > 0) {
        bool found = span_eq(span_split(&rest, '\0'), name);
        struct span text = span_split(&rest, '\0');
        if (found)
            return text;
    }
    return (struct span){NULL, 0};
}

void text_print(const char *name)
{
    print_span(text_of(span_of(name)));
}
