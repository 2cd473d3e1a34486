/* A moment that was read is written and read again: it must be the same. */
#include "base/timestamp.c"

#include <stdlib.h>
#include <string.h>

#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(int64_t ms)
{
    char text[TIMESTAMP_SIZE], date[TIMESTAMP_DATE_SIZE];
    int64_t back = -1, day = -1;

    timestamp_format(text, ms);
    REQUIRE(strlen(text) == sizeof(text) - 1);
    REQUIRE(timestamp_parse(span_of(text), &back) == 0 && back == bounded(ms));
    timestamp_date(date, ms);
    REQUIRE(memcmp(date, text, sizeof(date) - 1) == 0 && date[sizeof(date) - 1] == '\0');
    REQUIRE(timestamp_parse_date(span_of(date), &day) == 0);
    REQUIRE(day <= back && back - day < DAY_MS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span text = {(const char *)data, size};
    char date[TIMESTAMP_DATE_SIZE];
    int64_t ms;

    if (timestamp_parse(text, &ms) == 0) {
        REQUIRE(size >= sizeof("2026-01-01T00:00") - 1 && ms == bounded(ms));
        check_round_trip(ms);
    }
    if (timestamp_parse_date(text, &ms) == 0) {
        timestamp_date(date, ms);
        REQUIRE(span_is(text, date));
    }
    if (size >= sizeof(ms)) {
        memcpy(&ms, data, sizeof(ms));
        check_round_trip(ms);
    }
    return 0;
}
