/* Whatever Ollama answers, the call has an outcome that can be shown. */
#include "llm/ollama.c"

#include "answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    take_answer(data, size, "qwen2.5:7b");
    call.step = ollama_step(call.purpose);
    const struct exchange *next = exchange_read(&call);
    if (next != NULL) {
        REQUIRE(next == &tags_step && call.purpose == LLM_PROBE && call.text_len > 0);
        REQUIRE(call.text_len <= LLM_VERSION_SHOWN);
        call.step = next;
        REQUIRE(exchange_read(&call) == NULL);
    }
    check_call();
    REQUIRE(!call.resident || (call.purpose == LLM_RESIDENT && call.outcome == LLM_SUCCESS));
    return 0;
}
