/* Whatever an OpenAI-compatible server answers, the call has an outcome that can be shown. */
#include "llm/openai.c"

#include "answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    take_answer(data, size, "smollm2");
    call.step = openai_step(call.purpose);
    if (call.step == NULL)
        return 0;
    REQUIRE(exchange_read(&call) == NULL);
    check_call();
    return 0;
}
