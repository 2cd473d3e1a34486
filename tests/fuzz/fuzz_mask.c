/* Text and JSON that leave the home lab: JSON stays JSON, and nothing outgrows its room. */

#include "planner/mask.h"

#include "base/json_read.h"
#include "base/limits.h"

#include <stdlib.h>

#define SIZE_MAX_IN 2048

static jsmntok_t tokens[32 * SIZE_MAX_IN];

static struct span mask(void (*masker)(struct buf *, struct span), struct span in, char *storage,
                        size_t cap)
{
    struct buf b;

    buf_init(&b, storage, cap);
    masker(&b, in);
    return buf_done(&b) == 0 ? buf_view(&b) : (struct span){NULL, 0};
}

static void try_json(struct span in)
{
    static char once[16 * SIZE_MAX_IN];
    struct json doc;
    unsigned max = sizeof(tokens) / sizeof(tokens[0]);

    struct span out = mask(mask_json, in, once, sizeof(once));
    bool is_json = json_read(&doc, in.p, in.n, tokens, max, EVENT_DEPTH_MAX + 4) == JSON_OK;
    if (is_json != (out.p != NULL))
        abort();
    if (is_json && json_read(&doc, out.p, out.n, tokens, max, EVENT_DEPTH_MAX + 4) != JSON_OK)
        abort();
}

static void try_text(struct span in)
{
    static char once[16 * SIZE_MAX_IN], twice[64 * SIZE_MAX_IN];

    struct span out = mask(mask_text, in, once, sizeof(once));
    if (out.p == NULL || mask(mask_text, out, twice, sizeof(twice)).p == NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = {(const char *)data, size};

    if (size > SIZE_MAX_IN)
        return 0;
    try_json(in);
    try_text(in);
    return 0;
}
