/* The one object in a model's text, and refusals. */

#include "llm/reply.h"

#include "guard.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define A "{\"action\":\"restart\",\"reason\":\"x\"}"
#define B "{\"action\":\"ignore\",\"reason\":\"x\"}"

#define NONE "no JSON object in the text"
#define TWO "more than one JSON object"
#define OPEN "a JSON object that does not end"
#define BAD "an object that is not valid JSON"
#define DEEP "a JSON object that is nested too deep"
#define NO_TEXT "the text is not UTF-8, or holds a NUL"
#define SAYS(what) "the model refused: \"" what "\""

#define S4 "[[[["
#define E4 "]]]]"
#define S15 S4 S4 S4 "[[["
#define E15 E4 E4 E4 "]]]"

static const struct reply_case {
    const char *text;
    enum llm_outcome outcome;
    const char *want; /* the object, or why there is none */
} cases[] = {
    /* Bare. */
    {A, LLM_SUCCESS, A},
    {" \r\n\t" A "\n", LLM_SUCCESS, A},
    {"{}", LLM_SUCCESS, "{}"},
    {"{ \n }", LLM_SUCCESS, "{ \n }"},
    {"{ \"a\" : { \"b\" : [ {} ] } }", LLM_SUCCESS, "{ \"a\" : { \"b\" : [ {} ] } }"},
    {"\xef\xbb\xbf" A, LLM_SUCCESS, A},
    /* Fenced. */
    {"```json\n" A "\n```", LLM_SUCCESS, A},
    {"```\n" A "\n```", LLM_SUCCESS, A},
    {"```JSON\r\n" A "\r\n```\r\n", LLM_SUCCESS, A},
    {"~~~\n" A "\n~~~", LLM_SUCCESS, A},
    {"```json" A "```", LLM_SUCCESS, A},
    {"```json\n" A, LLM_SUCCESS, A},
    {"`" A "`", LLM_SUCCESS, A},
    {"```sh\ndocker ps\n```\nso\n```json\n" A "\n```", LLM_SUCCESS, A},
    {"```json\n" A "\n```\nand again\n```json\n" A "\n```", LLM_SUCCESS, A},
    {"```json\n" A "\n```\nor\n```json\n" B "\n```", LLM_INVALID_JSON, TWO},
    {"```json\nnothing\n```", LLM_INVALID_JSON, NONE},
    /* Prose. */
    {"Here it is: " A, LLM_SUCCESS, A},
    {A " That is all.", LLM_SUCCESS, A},
    {"Well. " A " That \"is\" all.", LLM_SUCCESS, A},
    {"The set {x} is {not JSON}: " A, LLM_SUCCESS, A},
    {"f(x) { return; } " A, LLM_SUCCESS, A},
    {"{{"
     "\"a\":1}}",
     LLM_SUCCESS, "{\"a\":1}"},
    {"{answer: " A "}", LLM_SUCCESS, A},
    {"{ " A, LLM_SUCCESS, A},
    {"} " A " }", LLM_SUCCESS, A},
    {A "}", LLM_SUCCESS, A},
    {"he said \"" A "\"", LLM_SUCCESS, A},
    {"an odd \" quote " A, LLM_SUCCESS, A},
    {"[1] says: " A, LLM_SUCCESS, A},
    {"[" A "]", LLM_SUCCESS, A},
    {"[" A "," B "]", LLM_INVALID_JSON, TWO},
    {"\xc5\xbc\xc3\xb3\xc5\x82w " A " \xf0\x9f\x90\xa2", LLM_SUCCESS, A},
    {"<think>It is {down}. Restart?</think>\n\n" A, LLM_SUCCESS, A},
    {"<think>Perhaps " B "</think>\n" A, LLM_INVALID_JSON, TWO},
    {"<think>Perhaps " A "</think>\n" A, LLM_SUCCESS, A},
    {"<think>\n\n</think>" A, LLM_SUCCESS, A},
    /* Not one. */
    {A A, LLM_SUCCESS, A},
    {A B, LLM_INVALID_JSON, TWO},
    {A A B, LLM_INVALID_JSON, TWO},
    {"{\"a\":1} {\"a\":2}", LLM_INVALID_JSON, TWO},
    {A "\n{\"action\":\"restart\", \"reason\":\"x\"}", LLM_INVALID_JSON, TWO},
    {"For example " B ". So: " A, LLM_INVALID_JSON, TWO},
    {A " {}", LLM_INVALID_JSON, TWO},
    {"{} " A, LLM_INVALID_JSON, TWO},
    /* None. */
    {"", LLM_INVALID_JSON, NONE},
    {" \n", LLM_INVALID_JSON, NONE},
    {"restart it", LLM_INVALID_JSON, NONE},
    {"null", LLM_INVALID_JSON, NONE},
    {"\"action\"", LLM_INVALID_JSON, NONE},
    {"[1,2]", LLM_INVALID_JSON, NONE},
    {"{", LLM_INVALID_JSON, NONE},
    {"}", LLM_INVALID_JSON, NONE},
    {"{x}", LLM_INVALID_JSON, NONE},
    {"{action:\"restart\"}", LLM_INVALID_JSON, NONE},
    {"{'action':'restart'}", LLM_INVALID_JSON, NONE},
    {"{/* */\"a\":1}", LLM_INVALID_JSON, NONE},
    {"{\xc2\xa0\"a\":1}", LLM_INVALID_JSON, NONE},
    /* Begun, and broken. */
    {"{\"", LLM_INVALID_JSON, OPEN},
    {"{\"a\":1", LLM_INVALID_JSON, OPEN},
    {"{\"a\":\"}", LLM_INVALID_JSON, OPEN},
    {"{\"a\":\"\\\"}", LLM_INVALID_JSON, OPEN},
    {"{\"a\":{}", LLM_INVALID_JSON, OPEN},
    {"{\"a\":" A, LLM_INVALID_JSON, OPEN},
    {"{\"plan\": {\"x\": " A ", \"y\"", LLM_INVALID_JSON, OPEN},
    {"{\"a\"}", LLM_INVALID_JSON, BAD},
    {"{\"a\":1,}", LLM_INVALID_JSON, BAD},
    {"{\"a\":1 \"b\":2}", LLM_INVALID_JSON, BAD},
    {"{\"a\":01}", LLM_INVALID_JSON, BAD},
    {"{\"a\":True}", LLM_INVALID_JSON, BAD},
    {"{\"a\":NaN}", LLM_INVALID_JSON, BAD},
    {"{\"a\":\"two\nlines\"}", LLM_INVALID_JSON, BAD},
    {"{\"a\":\"\\x\"}", LLM_INVALID_JSON, BAD},
    {"{\"a\":1 // why\n}", LLM_INVALID_JSON, BAD},
    {"{\"a\":[}]}", LLM_INVALID_JSON, BAD},
    {"{\"a\":1,} " A, LLM_INVALID_JSON, BAD},
    {A " {\"a\":1,}", LLM_INVALID_JSON, BAD},
    {A " {\"a\":", LLM_INVALID_JSON, OPEN},
    {"the pair {\"x\"}: " A, LLM_INVALID_JSON, BAD},
    /* What is in strings is not looked at. */
    {"{\"a\":\"{\\\"b\\\":1}\"}", LLM_SUCCESS, "{\"a\":\"{\\\"b\\\":1}\"}"},
    {"{\"a\":\"}\"}", LLM_SUCCESS, "{\"a\":\"}\"}"},
    {"{\"a\":\"{\"}", LLM_SUCCESS, "{\"a\":\"{\"}"},
    {"{\"a\":\"\\\\\"} ", LLM_SUCCESS, "{\"a\":\"\\\\\"}"},
    {"{\"a\":\"\\\"}\"}", LLM_SUCCESS, "{\"a\":\"\\\"}\"}"},
    {"{\"a\":\"```\"}", LLM_SUCCESS, "{\"a\":\"```\"}"},
    {"{\"a}\":{\"b{\":\"\\u007d\"}}", LLM_SUCCESS, "{\"a}\":{\"b{\":\"\\u007d\"}}"},
    {"{\"a\":1,\"a\":2}", LLM_SUCCESS, "{\"a\":1,\"a\":2}"},
    /* Depth 16, and 17. */
    {"{\"a\":" S15 E15 "}", LLM_SUCCESS, "{\"a\":" S15 E15 "}"},
    {"{\"a\":[" S15 E15 "]}", LLM_INVALID_JSON, DEEP},
    /* No text. */
    {"\xff" A, LLM_INVALID_JSON, NO_TEXT},
    {A "\xc3", LLM_INVALID_JSON, NO_TEXT},
    {"{\"a\":\"\xed\xa0\x80\"}", LLM_INVALID_JSON, NO_TEXT},
    {"I cannot \xff", LLM_INVALID_JSON, NO_TEXT},
    /* Refusals, with an object and without. */
    {"I cannot help with that.", LLM_REFUSAL, SAYS("I cannot")},
    {"I cannot be sure, but " A, LLM_REFUSAL, SAYS("I cannot")},
    {A "\nI cannot say more.", LLM_REFUSAL, SAYS("I cannot")},
    {A " i CaNnOt " A, LLM_REFUSAL, SAYS("I cannot")},
    {A B " I cannot choose", LLM_INVALID_JSON, TWO},
    {"I cannot choose: " A B, LLM_REFUSAL, SAYS("I cannot")},
    {A " I cannot choose: " B, LLM_REFUSAL, SAYS("I cannot")},
    {"I cannot: {\"a\":1,}", LLM_REFUSAL, SAYS("I cannot")},
    {"```\nI cannot\n```", LLM_REFUSAL, SAYS("I cannot")},
    {"<think>I don't know yet</think>" A, LLM_REFUSAL, SAYS("I don't know")},
    {"Nie wiem.", LLM_REFUSAL, SAYS("nie wiem")},
    {"NIE WIEM", LLM_REFUSAL, SAYS("nie wiem")},
    {"nie wiemy", LLM_REFUSAL, SAYS("nie wiem")},
    {"Sorry, I can't.", LLM_REFUSAL, SAYS("I can't")},
    {"I can\xe2\x80\x99t", LLM_REFUSAL, SAYS("I can't")},
    {"I can\xe2\x80\x98t", LLM_REFUSAL, SAYS("I can't")},
    {"I can\xca\xbct", LLM_REFUSAL, SAYS("I can't")},
    {"As an AI language model, " A, LLM_REFUSAL, SAYS("as an AI")},
    {"as an ai", LLM_REFUSAL, SAYS("as an AI")},
    {"as an AI-based system", LLM_REFUSAL, SAYS("as an AI")},
    {"I don't know", LLM_REFUSAL, SAYS("I don't know")},
    {"I don\xe2\x80\x99t know", LLM_REFUSAL, SAYS("I don't know")},
    {"I'm not able to", LLM_REFUSAL, SAYS("I'm not able")},
    {"I\xe2\x80\x99m not able to", LLM_REFUSAL, SAYS("I'm not able")},
    {"I am not able to", LLM_REFUSAL, SAYS("I am not able")},
    {"I'm unable to", LLM_REFUSAL, SAYS("I'm unable")},
    {"I\xca\xbcm unable to", LLM_REFUSAL, SAYS("I'm unable")},
    {"I am unable to", LLM_REFUSAL, SAYS("I am unable")},
    {"That is beyond my capabilities.", LLM_REFUSAL, SAYS("beyond my capabilities")},
    {"I\n cannot", LLM_REFUSAL, SAYS("I cannot")},
    {"**I cannot**", LLM_REFUSAL, SAYS("I cannot")},
    {"(I cannot)", LLM_REFUSAL, SAYS("I cannot")},
    {"I I cannot", LLM_REFUSAL, SAYS("I cannot")},
    {"\xe2\x80\x9cI cannot\xe2\x80\x9d", LLM_REFUSAL, SAYS("I cannot")},
    /* No refusals. */
    {"{\"reason\":\"exited, I don't know why\"}", LLM_SUCCESS,
     "{\"reason\":\"exited, I don't know why\"}"},
    {"{\"I cannot\":\"as an AI\"}", LLM_SUCCESS, "{\"I cannot\":\"as an AI\"}"},
    {"{\"reason\":\"I cannot", LLM_INVALID_JSON, OPEN},
    {"{\"reason\":\"I cannot\",}", LLM_INVALID_JSON, BAD},
    {"I " A " cannot", LLM_SUCCESS, A},
    {"The API cannot be reached: " A, LLM_SUCCESS, A},
    {"3I cannot " A, LLM_SUCCESS, A},
    {"This serves as an aid: " A, LLM_SUCCESS, A},
    {"It was an AI: " A, LLM_SUCCESS, A},
    {"aI cannot, zI cannot " A, LLM_SUCCESS, A},
    {"Icannot " A, LLM_SUCCESS, A},
    {"I canot, I can t, I cant, I do know " A, LLM_SUCCESS, A},
    {"I can`t " A, LLM_SUCCESS, A},
};

/* What holds of every answer. */
static enum llm_outcome reply(struct span text, struct span *object, const char **why)
{
    enum llm_outcome outcome = reply_object(text, object, why);
    if (outcome == LLM_SUCCESS) {
        assert_true(object->p >= text.p && object->n >= 2);
        assert_true(object->p + object->n <= text.p + text.n);
    } else {
        assert_true(outcome == LLM_REFUSAL || outcome == LLM_INVALID_JSON);
        assert_null(object->p);
        assert_non_null(*why);
    }
    return outcome;
}

static void test_the_table(void **state)
{
    struct guard guard;
    struct span object;
    const char *why;
    (void)state;
    guard_open(&guard, 4096);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct reply_case *c = &cases[i];
        size_t n = strlen(c->text);
        struct span text = {guard_put(&guard, c->text, n), n};
        enum llm_outcome outcome = reply(text, &object, &why);
        if (outcome != c->outcome || (outcome == LLM_SUCCESS && !span_is(object, c->want)) ||
            (outcome != LLM_SUCCESS && strcmp(why, c->want) != 0))
            fail_msg("%s: %s %.*s %s", c->text, llm_outcome_text(outcome), (int)object.n, object.p,
                     outcome == LLM_SUCCESS ? "" : why);
        for (size_t cut = 0; cut < n; cut++) {
            text = (struct span){guard_put(&guard, c->text, cut), cut};
            (void)reply(text, &object, &why);
            (void)reply_text(text, &why);
        }
    }
    guard_close(&guard);
    assert_true(COUNT(cases) >= 60);
}

static void test_a_nul(void **state)
{
    static const char text[] = "x\0 {}";
    struct span object;
    const char *why;
    (void)state;
    assert_int_equal(reply((struct span){text, sizeof(text) - 1}, &object, &why), LLM_INVALID_JSON);
    assert_string_equal(why, NO_TEXT);
    assert_int_equal(reply_text((struct span){text, sizeof(text) - 1}, &why), LLM_INVALID_JSON);
    assert_string_equal(why, NO_TEXT);
    assert_int_equal(reply((struct span){NULL, 0}, &object, &why), LLM_INVALID_JSON);
    assert_string_equal(why, NONE);
}

static void test_the_first_of_two_that_are_the_same(void **state)
{
    static const char text[] = "x " A " " A;
    struct span object;
    const char *why;
    (void)state;
    assert_int_equal(reply(span_of(text), &object, &why), LLM_SUCCESS);
    assert_ptr_equal(object.p, text + 2);
}

/* As much as a provider hands over, of what costs most to look at: the sanitizers' slow build does
 * it at once, too. */
static void test_the_worst_texts(void **state)
{
    static const struct {
        const char *unit;
        enum llm_outcome outcome;
    } worst[] = {
        {"{", LLM_INVALID_JSON},
        {"{ ", LLM_INVALID_JSON},
        {"{\"", LLM_INVALID_JSON},
        {"{}", LLM_SUCCESS},
        {"{\"a\":", LLM_INVALID_JSON},
        {"\"", LLM_INVALID_JSON},
        {"\\", LLM_INVALID_JSON},
        {"I ", LLM_INVALID_JSON},
        {"I am not ", LLM_INVALID_JSON},
        {"nie nie ", LLM_INVALID_JSON},
        {"as an ", LLM_INVALID_JSON},
        {"```", LLM_INVALID_JSON},
        {"i can\xe2\x80\x99 ", LLM_INVALID_JSON},
        {" ", LLM_INVALID_JSON},
    };
    static char text[PROPOSAL_BYTES_MAX];
    struct span object;
    const char *why;
    (void)state;
    for (size_t i = 0; i < COUNT(worst); i++) {
        size_t unit = strlen(worst[i].unit);
        size_t n = 0;
        for (; n + unit <= sizeof(text); n += unit)
            memcpy(text + n, worst[i].unit, unit);
        assert_int_equal(reply((struct span){text, n}, &object, &why), worst[i].outcome);
    }
    /* A brace or a word, and then only space. */
    memset(text, ' ', sizeof(text));
    text[0] = '{';
    assert_int_equal(reply((struct span){text, sizeof(text)}, &object, &why), LLM_INVALID_JSON);
    text[0] = 'I';
    assert_int_equal(reply((struct span){text, sizeof(text)}, &object, &why), LLM_INVALID_JSON);
    memcpy(text + sizeof(text) - 6, "cannot", 6);
    assert_int_equal(reply((struct span){text, sizeof(text)}, &object, &why), LLM_REFUSAL);
}

static void test_any_text(void **state)
{
    static const struct {
        const char *text;
        enum llm_outcome outcome;
        const char *why;
    } texts[] = {
        {"hello", LLM_SUCCESS, NULL},
        {" " A " " B, LLM_SUCCESS, NULL},
        {"The API cannot", LLM_SUCCESS, NULL},
        {"{\"reason\":\"I don't know\"}", LLM_REFUSAL, SAYS("I don't know")},
        {"I cannot", LLM_REFUSAL, SAYS("I cannot")},
        {"", LLM_INVALID_JSON, "the text is empty"},
        {" \t\r\n", LLM_INVALID_JSON, "the text is empty"},
        {"\xff", LLM_INVALID_JSON, NO_TEXT},
        {"I cannot\x80", LLM_INVALID_JSON, NO_TEXT},
    };
    const char *why;
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        why = "?";
        assert_int_equal(reply_text(span_of(texts[i].text), &why), texts[i].outcome);
        if (texts[i].why != NULL)
            assert_string_equal(why, texts[i].why);
    }
    assert_int_equal(reply_text((struct span){NULL, 0}, &why), LLM_INVALID_JSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table),
        cmocka_unit_test(test_a_nul),
        cmocka_unit_test(test_the_first_of_two_that_are_the_same),
        cmocka_unit_test(test_the_worst_texts),
        cmocka_unit_test(test_any_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
