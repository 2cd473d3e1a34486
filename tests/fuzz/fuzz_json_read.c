/* What json_read() takes is walked, written by json_write and read again: it must be the same. What
 * it refuses must be refused whatever follows. */
#include "base/json_read.c"

#include "base/utf8.h"

#include "base/json_write.h"

#include <stdlib.h>
#include <string.h>

#define TOKENS 4096
#define DEPTH 16
#define TEXT_MAX 8192
#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_error(enum json_error error)
{
    return error != JSON_OK && error != JSON_INCOMPLETE;
}

static void check_prefix(const char *text, size_t n, size_t shorter)
{
    enum json_error part = json_check(text, shorter, DEPTH);
    enum json_error whole = json_check(text, n, DEPTH);

    REQUIRE(!is_error(part) || whole == part);
}

/* Each pair of names, one by one. */
static bool names_twice(const struct json *doc, json_ref ref)
{
    for (json_ref a = json_first(doc, ref); a != JSON_NONE; a = json_next(doc, ref, a))
        for (json_ref b = json_next(doc, ref, a); b != JSON_NONE; b = json_next(doc, ref, b))
            if (json_text_same(inside(doc, a), inside(doc, b)))
                return true;
    return false;
}

static void check_container(const struct json *doc, json_ref ref)
{
    bool object = json_type(doc, ref) == JSON_OBJECT;
    int count = 0;

    for (json_ref at = json_first(doc, ref); at != JSON_NONE; at = json_next(doc, ref, at)) {
        count++;
        REQUIRE((json_value(doc, at) != JSON_NONE) == object);
    }
    REQUIRE(count == doc->tokens[ref].size);
    if (object && count < 100)
        REQUIRE(json_duplicates(doc, ref) == names_twice(doc, ref));
}

/* The other reader finds the same. */
static void check_object(const struct json *doc, struct span text)
{
    static const struct span names[] = {{"a", 1}, {"b", 1}, {"ab", 2}, {"type", 4}};
    struct span values[sizeof(names) / sizeof(names[0])];
    struct json_object object;

    REQUIRE(json_object_read(&object, text, DEPTH, names, values, 4) == JSON_OK);
    REQUIRE(object.type == json_type(doc, JSON_ROOT));
    REQUIRE(object.twice == json_duplicates(doc, JSON_ROOT));
    for (size_t i = 0; i < 4; i++) {
        struct span raw = json_raw(doc, json_member(doc, JSON_ROOT, names[i].p));
        REQUIRE(values[i].p == raw.p && values[i].n == raw.n);
    }
}

static void check_string(const struct json *doc, json_ref ref)
{
    char text[TEXT_MAX], cut[TEXT_MAX], tiny[8];
    int n = json_string(doc, ref, text, sizeof(text));
    int m = json_string_cut(doc, ref, cut, sizeof(cut));

    REQUIRE(m >= 0 && utf8_is_text((struct span){cut, (size_t)m}) && strlen(cut) == (size_t)m);
    REQUIRE(n < 0 ? text[0] == '\0' : n == m && strcmp(text, cut) == 0);
    m = json_string_cut(doc, ref, tiny, sizeof(tiny));
    REQUIRE(m >= 0 && m < (int)sizeof(tiny) && utf8_is_text((struct span){tiny, (size_t)m}));
    json_ref value = json_value(doc, ref);
    if (n >= 0 && value != JSON_NONE)
        REQUIRE(json_member(doc, doc->tokens[ref].parent, text) <= value);
}

static void check_value(const struct json *doc, json_ref ref)
{
    int64_t number;
    double real;

    REQUIRE(json_check(json_raw(doc, ref).p, json_raw(doc, ref).n, DEPTH) == JSON_OK);
    switch (json_type(doc, ref)) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        check_container(doc, ref);
        break;
    case JSON_STRING:
        check_string(doc, ref);
        break;
    case JSON_NUMBER:
        if (json_int(doc, ref, -1000000, 1000000, &number) == 0)
            REQUIRE(json_real(doc, ref, -1e6, 1e6, &real) == 0 && real == (double)number);
        break;
    case JSON_NULL:
    case JSON_TRUE:
    case JSON_FALSE:
        break;
    }
}

/* The containers that are open while a document is written. */
struct open {
    json_ref refs[DEPTH];
    unsigned depth;
};

static void close_before(const struct json *doc, struct open *open, struct json_write *w, int start)
{
    while (open->depth > 0 && doc->tokens[open->refs[open->depth - 1]].end <= start) {
        json_ref ref = open->refs[--open->depth];
        if (json_type(doc, ref) == JSON_OBJECT)
            json_write_end_object(w);
        else
            json_write_end_array(w);
    }
}

static void write_value(const struct json *doc, json_ref ref, struct json_write *w, const char *key)
{
    char text[TEXT_MAX];

    if (json_type(doc, ref) == JSON_OBJECT)
        json_write_object(w, key);
    else if (json_type(doc, ref) == JSON_ARRAY)
        json_write_array(w, key);
    else if (json_string(doc, ref, text, sizeof(text)) >= 0)
        json_write_str(w, key, text);
    else
        json_write_raw(w, key, json_raw(doc, ref));
}

/* Names that are no C string go out as they stand, and so do their values. */
static void write_document(const struct json *doc, struct json_write *w)
{
    struct open open = {.depth = 0};
    char key[TEXT_MAX];

    for (json_ref i = 0; i < doc->count; i++) {
        bool named = false;
        close_before(doc, &open, w, doc->tokens[i].start);
        if (json_value(doc, i) != JSON_NONE) {
            named = json_string(doc, i, key, sizeof(key)) >= 0;
            if (!named) {
                json_ref value = json_value(doc, i);
                json_write_raw_named(w, json_raw(doc, i), json_raw(doc, value));
                while (i + 1 < doc->count && doc->tokens[i + 1].start <= doc->tokens[value].end)
                    i++;
                continue;
            }
            i++;
        }
        write_value(doc, i, w, named ? key : NULL);
        if (json_type(doc, i) == JSON_OBJECT || json_type(doc, i) == JSON_ARRAY)
            open.refs[open.depth++] = i;
    }
    close_before(doc, &open, w, INT_MAX);
}

static void check_same(const struct json *a, const struct json *b)
{
    char text_a[TEXT_MAX], text_b[TEXT_MAX];

    REQUIRE(a->count == b->count);
    for (json_ref i = 0; i < a->count; i++) {
        REQUIRE(json_type(a, i) == json_type(b, i));
        REQUIRE(a->tokens[i].size == b->tokens[i].size);
        REQUIRE(a->tokens[i].parent == b->tokens[i].parent);
        if (json_type(a, i) == JSON_NUMBER)
            REQUIRE(span_eq(json_raw(a, i), json_raw(b, i)));
        int n = json_string_cut(a, i, text_a, sizeof(text_a));
        REQUIRE(n == json_string_cut(b, i, text_b, sizeof(text_b)));
        REQUIRE(n < 0 || strcmp(text_a, text_b) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static jsmntok_t tokens[TOKENS], again[TOKENS];
    static char storage[8 * TEXT_MAX];
    const char *text = (const char *)data;
    struct json doc, copy;
    struct json_write w;
    struct buf b;

    if (size >= TEXT_MAX)
        return 0;
    check_prefix(text, size, size / 2);
    check_prefix(text, size, size - (size > 0));
    enum json_error error = json_read(&doc, text, size, tokens, TOKENS, DEPTH);
    if (error != JSON_OK) {
        REQUIRE(error == JSON_SIZE || json_check(text, size, DEPTH) == error);
        return 0;
    }
    check_object(&doc, (struct span){text, size});
    for (json_ref i = 0; i < doc.count; i++)
        check_value(&doc, i);
    buf_init(&b, storage, sizeof(storage));
    json_write_init(&w, &b);
    write_document(&doc, &w);
    REQUIRE(buf_done(&b) == 0);
    struct span out = buf_view(&b);
    REQUIRE(json_read(&copy, out.p, out.n, again, TOKENS, DEPTH) == JSON_OK);
    check_same(&doc, &copy);
    return 0;
}
