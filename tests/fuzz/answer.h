#ifndef ANSWER_H
#define ANSWER_H
/* What a server answers to a provider, and what must hold of what is made of it. The input: a
 * letter (a question 'a', residence 'r', a warm-up 'w', a probe 'p'), the status in three digits, a
 * byte that is not looked at, the body. Without those, it is the body of HTTP 200 to a question. */

#include "llm/exchange.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct llm_server server = {.key = "sk-1"};
static struct llm_call call;

static enum llm_purpose purpose_of(char letter)
{
    switch (letter) {
    case 'r':
        return LLM_RESIDENT;
    case 'w':
        return LLM_WARM;
    case 'p':
        return LLM_PROBE;
    default:
        return LLM_ASK;
    }
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* The call, as it is when its answer has come. */
static void take_answer(const uint8_t *data, size_t size, const char *model)
{
    static char body[HTTP_BODY_MAX];

    llm_call_reset(&call, NULL);
    call.purpose = LLM_ASK;
    call.server = &server;
    call.model = model;
    call.http.retry_after_ms = -1;
    call.http.parse.status = 200;
    if (size > 5 && is_digit(data[1]) && is_digit(data[2]) && is_digit(data[3])) {
        call.purpose = purpose_of((char)data[0]);
        call.http.parse.status = (data[1] - '0') * 100 + (data[2] - '0') * 10 + data[3] - '0';
        call.http.retry_after_ms = data[4] == '+' ? 1500 : -1;
        data += 5;
        size -= 5;
    }
    size = size < sizeof(body) ? size : sizeof(body);
    memcpy(body, data, size);
    call.http.parse.body = body;
    call.http.parse.body_n = size;
}

static void check_shown(struct span text)
{
    uint32_t cp;

    for (size_t n; text.n > 0; text = (struct span){text.p + n, text.n - n}) {
        n = utf8_next(text, &cp);
        REQUIRE(n > 0 && !utf8_hidden(cp));
    }
}

/* Where no step follows. */
static void check_call(void)
{
    size_t error_n = strnlen(call.error, sizeof(call.error));

    REQUIRE(call.outcome == LLM_SUCCESS || call.outcome == LLM_HTTP_ERROR ||
            call.outcome == LLM_REFUSAL || call.outcome == LLM_INVALID_JSON ||
            call.outcome == LLM_TRUNCATED);
    REQUIRE(error_n < sizeof(call.error) && (error_n == 0) == (call.outcome == LLM_SUCCESS));
    check_shown((struct span){call.error, error_n});
    /* Nobody tells the key in a log, or on a terminal. */
    REQUIRE(memmem(call.error, error_n, server.key, strlen(server.key)) == NULL);
    REQUIRE(call.purpose != LLM_PROBE ||
            memmem(call.text, call.text_len, server.key, strlen(server.key)) == NULL);
    REQUIRE(call.text_len < sizeof(call.text));
    REQUIRE(utf8_is_text((struct span){call.text, call.text_len}));
    if (call.purpose == LLM_PROBE)
        check_shown((struct span){call.text, call.text_len});
    REQUIRE(call.input_tokens >= -1 && call.output_tokens >= -1);
    REQUIRE(call.status == call.http.parse.status);
    REQUIRE(call.status == 200 || call.outcome == LLM_HTTP_ERROR);
    REQUIRE(call.again_ms >= -1 &&
            (call.again_ms < 0 || call.again == LLM_AGAIN_SOON || call.again == LLM_AGAIN_LATER));
    REQUIRE(call.outcome == LLM_HTTP_ERROR || call.again == LLM_AGAIN_NO);
}

#endif
