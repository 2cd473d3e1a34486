/* Any event, with a world that the observer never wrote: the question fits, is UTF-8, and holds its
 * document on a line of its own; so does its masked form. */

#include "planner/prompt.h"

#include "base/json_read.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

static jsmntok_t tokens[PROMPT_MASKED_MAX / 2];

static void expect_document(struct span text)
{
    struct json doc;

    if (memchr(text.p, '\n', text.n) != NULL || !utf8_is_text(text))
        abort();
    if (json_read(&doc, text.p, text.n, tokens, sizeof(tokens) / sizeof(tokens[0]), 64) != JSON_OK)
        abort();
}

/* A JSON text of the world, or none. */
static void take_world(char *dst, size_t cap, struct span text)
{
    struct json doc;

    dst[0] = '\0';
    if (json_read(&doc, text.p, text.n, tokens, sizeof(tokens) / sizeof(tokens[0]), 16) == JSON_OK)
        (void)span_copy(dst, cap, text);
}

static void ask(const struct event *event, const struct world_facts *world)
{
    static char plain[PROMPT_USER_MAX], masked[PROMPT_MASKED_MAX];
    struct span document;
    struct buf b;

    buf_init(&b, plain, sizeof(plain));
    prompt_event(&b, event, world, 1, &document);
    if (buf_done(&b) != 0)
        abort();
    expect_document(document);
    struct span message = buf_view(&b);
    buf_init(&b, masked, sizeof(masked));
    prompt_mask(&b, message, document);
    if (buf_done(&b) != 0)
        return; /* it stays at home */
    size_t head = (size_t)(document.p - message.p);
    size_t tail = message.n - head - document.n;
    expect_document((struct span){masked + head, b.n - head - tail});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An event, a NUL, a service's entry, a NUL, its incidents. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct aliases aliases;
    static struct event event;
    static struct world_facts world;
    struct span rest = {(const char *)data, size};

    struct span first = span_split(&rest, '\0');
    if (event_parse(&event, first, &aliases, span_of("fuzz"), INT64_C(1780000000000)) != EVENT_OK)
        return 0;
    take_world(world.service, sizeof(world.service), span_split(&rest, '\0'));
    take_world(world.incidents, sizeof(world.incidents), rest);
    ask(&event, &world);
    return 0;
}
