#include "source/stream_id.h"

static int parse_number(uint64_t *number, struct span text)
{
    *number = 0;
    if (text.n == 0 || (text.n > 1 && text.p[0] == '0'))
        return -1;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return -1;
        uint64_t digit = (uint64_t)(text.p[i] - '0');
        if (*number > (UINT64_MAX - digit) / 10)
            return -1;
        *number = *number * 10 + digit;
    }
    return 0;
}

int stream_id_parse(struct stream_id *id, struct span text)
{
    struct span ms = span_split(&text, '-');

    return parse_number(&id->ms, ms) == 0 && parse_number(&id->seq, text) == 0 ? 0 : -1;
}

/* buf_int() has a sign. */
static void put_number(struct buf *out, uint64_t number)
{
    if (number > 9)
        buf_int(out, (int64_t)(number / 10));
    buf_char(out, (char)('0' + number % 10));
}

void stream_id_put(struct buf *out, struct stream_id id)
{
    put_number(out, id.ms);
    buf_char(out, '-');
    put_number(out, id.seq);
}

bool stream_id_less(struct stream_id a, struct stream_id b)
{
    return a.ms != b.ms ? a.ms < b.ms : a.seq < b.seq;
}
