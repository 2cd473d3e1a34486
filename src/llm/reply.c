#include "llm/reply.h"

#include "base/json_check.h"
#include "base/utf8.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define NO_TEXT "the text is not UTF-8, or holds a NUL"

/* ---- Refusals ---- */

/* As the home lab has them; in small letters, with plain apostrophes. Each begins where a word
 * begins: "the API cannot" is no refusal. */
static const struct {
    const char *text;
    bool whole; /* it ends where a word ends: "as an aid" is no refusal */
    const char *why;
} patterns[] = {
    {"nie wiem", false, "the model refused: \"nie wiem\""},
    {"i cannot", false, "the model refused: \"I cannot\""},
    {"i can't", false, "the model refused: \"I can't\""},
    {"as an ai", true, "the model refused: \"as an AI\""},
    {"i don't know", false, "the model refused: \"I don't know\""},
    {"i'm not able", false, "the model refused: \"I'm not able\""},
    {"i am not able", false, "the model refused: \"I am not able\""},
    {"i'm unable", false, "the model refused: \"I'm unable\""},
    {"i am unable", false, "the model refused: \"I am unable\""},
    {"beyond my capabilities", false, "the model refused: \"beyond my capabilities\""},
};

static bool is_word(char c)
{
    char lower = span_lower(c);

    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t spaces_at(struct span s)
{
    size_t n = 0;

    while (n < s.n && is_space(s.p[n]))
        n++;
    return n;
}

/* Length of an apostrophe at the start of s: plain, or as typography has it (U+2019, U+2018,
 * U+02BC). */
static size_t apostrophe_at(struct span s)
{
    static const char *const kinds[] = {"'", "\xe2\x80\x99", "\xe2\x80\x98", "\xca\xbc"};

    for (size_t i = 0; i < COUNT(kinds); i++) {
        size_t n = strlen(kinds[i]);
        if (s.n >= n && memcmp(s.p, kinds[i], n) == 0)
            return n;
    }
    return 0;
}

/* Length of what at the start of s is this character of a pattern, 0 where it is another. White
 * space of any length is a space: lines are broken anywhere. */
static size_t match_one(struct span s, char c)
{
    if (c == ' ')
        return spaces_at(s);
    if (c == '\'')
        return apostrophe_at(s);
    return s.n > 0 && span_lower(s.p[0]) == c ? 1 : 0;
}

static bool begins_with(struct span s, const char *pattern, bool whole)
{
    for (const char *c = pattern; *c != '\0'; c++) {
        size_t n = match_one(s, *c);
        if (n == 0)
            return false;
        s = (struct span){s.p + n, s.n - n};
    }
    return !whole || s.n == 0 || !is_word(s.p[0]);
}

/* What of the refusals is in s: its why, or NULL. */
static const char *find_refusal(struct span s)
{
    bool inside = false; /* a word */

    for (; s.n > 0; s = (struct span){s.p + 1, s.n - 1}) {
        for (size_t i = 0; i < COUNT(patterns) && !inside; i++)
            if (begins_with(s, patterns[i].text, patterns[i].whole))
                return patterns[i].why;
        inside = is_word(s.p[0]);
    }
    return NULL;
}

/* ---- Objects ---- */

/* Does an object begin with this brace? */
static bool begins_object(struct span s)
{
    size_t at = 1 + spaces_at((struct span){s.p + 1, s.n - 1});

    return at < s.n && (s.p[at] == '"' || s.p[at] == '}');
}

/* Length of the string at the start of s with its quotes; all of s where it does not end. */
static size_t string_length(struct span s)
{
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '"')
            return i + 1;
        if (s.p[i] == '\\')
            i++;
    }
    return s.n;
}

/* Length of what the brace at the start of s encloses, or 0 where it is not closed. */
static size_t object_length(struct span s)
{
    size_t depth = 0;
    size_t n;

    for (size_t i = 0; i < s.n; i += n) {
        n = 1;
        if (s.p[i] == '"')
            n = string_length((struct span){s.p + i, s.n - i});
        else if (s.p[i] == '{')
            depth++;
        else if (s.p[i] == '}' && --depth == 0)
            return i + 1;
    }
    return 0;
}

/* Takes the prose before the next object off *rest, then the object; an empty one where there is
 * no more. NULL, or what is wrong: with the object, or because it is not *object, the one before
 * (p = NULL: none). */
static const char *take_object(struct span *rest, struct span *prose, struct span *object)
{
    struct span s = *rest;

    while (s.n > 0 && (s.p[0] != '{' || !begins_object(s)))
        s = (struct span){s.p + 1, s.n - 1};
    *prose = (struct span){rest->p, rest->n - s.n};
    *rest = (struct span){s.p + s.n, 0};
    if (s.n == 0)
        return NULL;
    struct span found = {s.p, object_length(s)};
    if (found.n == 0)
        return "a JSON object that does not end";
    switch (json_check(found.p, found.n, REPLY_DEPTH_MAX)) {
    case JSON_OK:
        break;
    case JSON_DEPTH:
        return "a JSON object that is nested too deep";
    default:
        return "an object that is not valid JSON";
    }
    if (object->p != NULL && !span_eq(found, *object))
        return "more than one JSON object";
    if (object->p == NULL)
        *object = found;
    *rest = (struct span){s.p + found.n, s.n - found.n};
    return NULL;
}

enum llm_outcome reply_object(struct span text, struct span *object, const char **why)
{
    struct span rest = text;
    struct span prose;
    const char *wrong = NULL;
    const char *refusal = NULL;

    *object = (struct span){NULL, 0};
    if (!utf8_is_text(text)) {
        *why = NO_TEXT;
        return LLM_INVALID_JSON;
    }
    while (rest.n > 0 && wrong == NULL && refusal == NULL) {
        wrong = take_object(&rest, &prose, object);
        refusal = find_refusal(prose);
    }
    if (wrong == NULL && object->p == NULL)
        wrong = "no JSON object in the text";
    *why = refusal != NULL ? refusal : wrong;
    if (*why == NULL)
        return LLM_SUCCESS;
    *object = (struct span){NULL, 0};
    return refusal != NULL ? LLM_REFUSAL : LLM_INVALID_JSON;
}

enum llm_outcome reply_text(struct span text, const char **why)
{
    *why = NULL;
    if (spaces_at(text) == text.n)
        *why = "the text is empty";
    else if (!utf8_is_text(text))
        *why = NO_TEXT;
    if (*why != NULL)
        return LLM_INVALID_JSON;
    *why = find_refusal(text);
    return *why == NULL ? LLM_SUCCESS : LLM_REFUSAL;
}
