/* Whatever Anthropic, or who answers in its place, says: the call has an outcome that can be
 * shown. */
#include "llm/anthropic.c"

#include "answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    take_answer(data, size, "claude-haiku-4-5");
    call.step = anthropic_step(call.purpose);
    if (call.step == NULL)
        return 0;
    REQUIRE(exchange_read(&call) == NULL);
    check_call();
    return 0;
}
