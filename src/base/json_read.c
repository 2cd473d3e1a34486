/* jsmn's parser, as functions of this file; before json_read.h, which takes its types only. */
#define JSMN_STATIC
#define JSMN_PARENT_LINKS
#define JSMN_STRICT
#include <jsmn.h>

#include "base/json_read.h"

#include "base/json_object.h"
#include "base/json_text.h"
#include "base/number.h"

#include <limits.h>

/* ---- Tokens ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* jsmn in strict mode wants a byte after a number or a word, and the root may have none. */
static int token_of_word(const char *text, size_t n, jsmntok_t *tokens, unsigned max)
{
    size_t start = 0;

    if (max == 0)
        return JSMN_ERROR_NOMEM;
    while (is_space(text[start]))
        start++;
    while (is_space(text[n - 1]))
        n--;
    tokens[0] = (jsmntok_t){
        .type = JSMN_PRIMITIVE, .start = (int)start, .end = (int)n, .size = 0, .parent = -1};
    return 1;
}

static bool root_is_word(const char *text)
{
    while (is_space(*text))
        text++;
    return *text != '{' && *text != '[' && *text != '"';
}

enum json_error json_read(struct json *doc, const char *text, size_t n, jsmntok_t *tokens,
                          unsigned max, unsigned depth_max)
{
    jsmn_parser parser;

    if (n > INT_MAX)
        return JSON_SIZE;
    enum json_error error = json_check(text, n, depth_max);
    if (error != JSON_OK)
        return error;
    jsmn_init(&parser);
    int count = root_is_word(text) ? token_of_word(text, n, tokens, max)
                                   : jsmn_parse(&parser, text, n, tokens, max);
    if (count == JSMN_ERROR_NOMEM)
        return JSON_SIZE;
    if (count < 1)
        return JSON_SYNTAX;
    *doc = (struct json){.text = text, .tokens = tokens, .count = count};
    return JSON_OK;
}

const char *json_error_text(enum json_error error)
{
    switch (error) {
    case JSON_OK:
        return "valid JSON";
    case JSON_INCOMPLETE:
        return "JSON that ends too early";
    case JSON_SYNTAX:
        return "not valid JSON";
    case JSON_UTF8:
        return "not valid UTF-8";
    case JSON_DEPTH:
        return "nested too deep";
    case JSON_SIZE:
        return "too many values";
    }
    return "unknown";
}

/* ---- Look-ups ---- */

static const jsmntok_t *token(const struct json *doc, json_ref ref)
{
    return ref >= 0 && ref < doc->count ? &doc->tokens[ref] : NULL;
}

enum json_type json_type(const struct json *doc, json_ref ref)
{
    return json_text_type(json_raw(doc, ref));
}

json_ref json_first(const struct json *doc, json_ref ref)
{
    const jsmntok_t *t = token(doc, ref);

    if (t == NULL || (t->type != JSMN_OBJECT && t->type != JSMN_ARRAY) || t->size == 0)
        return JSON_NONE;
    return ref + 1;
}

/* Members' names and elements are the tokens whose parent is ref, a value's parent is its name:
 * one pass over all of them looks at each token inside ref once. */
json_ref json_next(const struct json *doc, json_ref ref, json_ref at)
{
    const jsmntok_t *t = token(doc, ref);

    if (t == NULL || at <= ref)
        return JSON_NONE;
    for (json_ref i = at + 1; i < doc->count && doc->tokens[i].start < t->end; i++)
        if (doc->tokens[i].parent == ref)
            return i;
    return JSON_NONE;
}

json_ref json_value(const struct json *doc, json_ref name)
{
    const jsmntok_t *t = token(doc, name);

    /* Only a member's name is a string with something inside. */
    return t != NULL && t->type == JSMN_STRING && t->size == 1 ? name + 1 : JSON_NONE;
}

struct span json_raw(const struct json *doc, json_ref ref)
{
    const jsmntok_t *t = token(doc, ref);

    if (t == NULL)
        return (struct span){NULL, 0};
    int quote = t->type == JSMN_STRING ? 1 : 0;
    return (struct span){doc->text + t->start - quote, (size_t)(t->end - t->start + 2 * quote)};
}

int json_int(const struct json *doc, json_ref ref, int64_t min, int64_t max, int64_t *out)
{
    if (json_type(doc, ref) != JSON_NUMBER)
        return -1;
    return number_int(json_raw(doc, ref), min, max, out);
}

int json_real(const struct json *doc, json_ref ref, double min, double max, double *out)
{
    if (json_type(doc, ref) != JSON_NUMBER)
        return -1;
    return number_real(json_raw(doc, ref), min, max, out);
}

/* ---- Strings ---- */

/* The inside of a string token; empty for anything else. */
static struct span inside(const struct json *doc, json_ref ref)
{
    const jsmntok_t *t = token(doc, ref);

    if (t == NULL || t->type != JSMN_STRING)
        return (struct span){NULL, 0};
    return (struct span){doc->text + t->start, (size_t)(t->end - t->start)};
}

int json_string(const struct json *doc, json_ref ref, char *dst, size_t cap)
{
    return json_text(json_raw(doc, ref), dst, cap);
}

int json_string_cut(const struct json *doc, json_ref ref, char *dst, size_t cap)
{
    return json_text_cut(json_raw(doc, ref), dst, cap);
}

/* ---- Names ---- */

json_ref json_member(const struct json *doc, json_ref ref, const char *name)
{
    struct span wanted = span_of(name);

    if (json_type(doc, ref) != JSON_OBJECT)
        return JSON_NONE;
    for (json_ref at = json_first(doc, ref); at != JSON_NONE; at = json_next(doc, ref, at))
        if (json_text_is(inside(doc, at), wanted))
            return json_value(doc, at);
    return JSON_NONE;
}

bool json_duplicates(const struct json *doc, json_ref ref)
{
    struct json_object object;

    if (json_type(doc, ref) != JSON_OBJECT)
        return false;
    return json_object_read(&object, json_raw(doc, ref), JSON_DEPTH_LIMIT, NULL, NULL, 0) !=
               JSON_OK ||
           object.twice;
}
