#include "base/escape.h"

#include "base/utf8.h"

static void put_escape(struct buf *b, char kind, uint32_t value, int digits)
{
    static const char hex[] = "0123456789abcdef";
    char text[sizeof("\\U0010ffff")] = {'\\', kind};

    for (int i = 0; i < digits; i++)
        text[2 + i] = hex[value >> (4 * (digits - 1 - i)) & 0x0f];
    buf_bytes(b, text, 2 + (size_t)digits);
}

static void put_hidden(struct buf *b, uint32_t cp)
{
    switch (cp) {
    case '\n':
        buf_str(b, "\\n");
        break;
    case '\r':
        buf_str(b, "\\r");
        break;
    case '\t':
        buf_str(b, "\\t");
        break;
    default:
        if (cp < 0x80)
            put_escape(b, 'x', cp, 2);
        else if (cp < 0x10000)
            put_escape(b, 'u', cp, 4);
        else
            put_escape(b, 'U', cp, 8);
    }
}

void escape_text(struct buf *b, struct span s)
{
    uint32_t cp;

    while (s.n > 0) {
        size_t n = utf8_next(s, &cp);
        if (n == 0) {
            n = 1;
            put_escape(b, 'x', (unsigned char)s.p[0], 2);
        } else if (utf8_hidden(cp)) {
            put_hidden(b, cp);
        } else {
            buf_bytes(b, s.p, n);
        }
        s.p += n;
        s.n -= n;
    }
}
