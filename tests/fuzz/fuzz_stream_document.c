/* Fields, one a line, become a document that says what they say, or are refused for a reason. */
#include "source/stream_document.c"

#include "base/json_read.h"

#include <stdint.h>
#include <stdlib.h>

#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

#define FIELDS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static redisReply list, texts[FIELDS_MAX];
static redisReply *elements[FIELDS_MAX];
static char document[EVENT_BYTES_MAX];

/* A line "\1" is a null, "\2" an integer; the rest are strings, each in memory of its own. */
static void make(struct span rest)
{
    list = (redisReply){.type = REDIS_REPLY_ARRAY, .element = elements};
    for (; rest.n > 0 && list.elements < FIELDS_MAX; list.elements++) {
        struct span line = span_split(&rest, '\n');
        redisReply *text = &texts[list.elements];
        char *copy = malloc(line.n > 0 ? line.n : 1);
        REQUIRE(copy != NULL);
        if (line.n > 0)
            memcpy(copy, line.p, line.n);
        *text = (redisReply){.type = span_is(line, "\1")   ? REDIS_REPLY_NIL
                                     : span_is(line, "\2") ? REDIS_REPLY_INTEGER
                                                           : REDIS_REPLY_STRING,
                             .str = copy,
                             .len = line.n};
        elements[list.elements] = text;
    }
}

/* Names and values of the flat document are those of the fields, in their order. */
static void check_flat(struct span text)
{
    static jsmntok_t tokens[JSON_TOKENS_MAX];
    static char value[EVENT_BYTES_MAX + 1];
    struct json doc;
    size_t i = 0;

    REQUIRE(text.n <= EVENT_BYTES_MAX);
    if (json_check(text.p, text.n, 64) == JSON_DEPTH)
        return; /* a value of 64 levels is one deeper here */
    REQUIRE(json_read(&doc, text.p, text.n, tokens, JSON_TOKENS_MAX, 64) == JSON_OK);
    REQUIRE(json_type(&doc, JSON_ROOT) == JSON_OBJECT);
    for (json_ref name = json_first(&doc, JSON_ROOT); name != JSON_NONE;
         name = json_next(&doc, JSON_ROOT, name), i += 2) {
        json_ref ref = json_value(&doc, name);
        REQUIRE(i < list.elements);
        REQUIRE(json_string(&doc, name, value, sizeof(value)) == (int)texts[i].len);
        REQUIRE(memcmp(value, texts[i].str, texts[i].len) == 0);
        if (json_type(&doc, ref) != JSON_STRING) {
            REQUIRE(json_type(&doc, ref) == JSON_OBJECT || json_type(&doc, ref) == JSON_ARRAY);
            continue;
        }
        REQUIRE(json_string(&doc, ref, value, sizeof(value)) == (int)texts[i + 1].len);
        REQUIRE(memcmp(value, texts[i + 1].str, texts[i + 1].len) == 0);
    }
    REQUIRE(i == list.elements);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {NULL, 0};
    struct buf out;

    make((struct span){(const char *)data, size});
    buf_init(&out, document, sizeof(document));
    if (stream_document_look(&list) == STREAM_FIELDS_GOOD) {
        const char *reason = stream_document(&list, &out, &text);
        if (reason != NULL)
            REQUIRE(reason[0] != '\0' && strlen(reason) < 20);
        else if (text.p == document)
            check_flat(text);
        else
            REQUIRE(first_of(text) == '{');
    }
    for (size_t i = 0; i < list.elements; i++)
        free(texts[i].str);
    return 0;
}
