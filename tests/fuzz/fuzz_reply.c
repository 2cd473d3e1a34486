/* The object that is found in a text is strict JSON within it; nothing else in the text could have
 * been meant, and what is around it is no refusal. */
#include "llm/reply.c"

#include <stdlib.h>

#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_object(struct span text, struct span object)
{
    struct span alone;
    const char *why;

    REQUIRE(object.p >= text.p && object.p + object.n <= text.p + text.n);
    REQUIRE(object.n >= 2 && object.p[0] == '{' && object.p[object.n - 1] == '}');
    REQUIRE(json_check(object.p, object.n, REPLY_DEPTH_MAX) == JSON_OK);
    REQUIRE(reply_object(object, &alone, &why) == LLM_SUCCESS);
    REQUIRE(alone.p == object.p && alone.n == object.n);
    /* The first of its kind: before it there is only prose. */
    struct span before = {text.p, (size_t)(object.p - text.p)};
    REQUIRE(find_refusal(before) == NULL);
    for (size_t i = 0; i < before.n; i++)
        REQUIRE(before.p[i] != '{' || !begins_object((struct span){text.p + i, text.n - i}));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};
    struct span object;
    const char *why = NULL;

    enum llm_outcome outcome = reply_object(text, &object, &why);
    if (outcome == LLM_SUCCESS) {
        check_object(text, object);
    } else {
        REQUIRE(outcome == LLM_REFUSAL || outcome == LLM_INVALID_JSON);
        REQUIRE(object.p == NULL && object.n == 0 && why != NULL && strlen(why) <= LLM_ERROR_MAX);
    }
    enum llm_outcome whole = reply_text(text, &why);
    REQUIRE((whole == LLM_SUCCESS) == (why == NULL));
    /* A refusal outside of objects is one of the whole text. */
    REQUIRE(outcome != LLM_REFUSAL || whole == LLM_REFUSAL);
    REQUIRE(outcome != LLM_SUCCESS || whole != LLM_INVALID_JSON);
    return 0;
}
