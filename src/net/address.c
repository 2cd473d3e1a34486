#include "net/address.h"

#define GROUPS 8

static void put_v4(struct buf *out, const uint8_t *bytes)
{
    for (unsigned i = 0; i < 4; i++) {
        if (i > 0)
            buf_char(out, '.');
        buf_int(out, bytes[i]);
    }
}

static unsigned group(const uint8_t *bytes, unsigned i)
{
    return (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
}

/* Without leading zeros. */
static void put_group(struct buf *out, unsigned value)
{
    static const char digits[] = "0123456789abcdef";

    for (int shift = 12; shift >= 0; shift -= 4)
        if (value >> shift != 0 || shift == 0)
            buf_char(out, digits[value >> shift & 15]);
}

/* The longest run of two zero groups or more, the first of equal ones; GROUPS where there is none.
 */
static unsigned longest_run(const uint8_t *bytes, unsigned *length)
{
    unsigned best = GROUPS;

    *length = 1;
    for (unsigned from = 0; from < GROUPS; from++) {
        unsigned to = from;
        while (to < GROUPS && group(bytes, to) == 0)
            to++;
        if (to - from > *length) {
            best = from;
            *length = to - from;
        }
    }
    return best;
}

static void put_v6(struct buf *out, const uint8_t *bytes)
{
    unsigned length;
    unsigned run = longest_run(bytes, &length);

    for (unsigned i = 0; i < GROUPS; i++) {
        if (i == run) {
            buf_str(out, "::");
            i += length - 1;
            continue;
        }
        if (i > 0 && i != run + length)
            buf_char(out, ':');
        put_group(out, group(bytes, i));
    }
}

void address_text(struct buf *out, const union resolve_address *address)
{
    if (address->any.sa_family == AF_INET6)
        put_v6(out, address->v6.sin6_addr.s6_addr);
    else
        put_v4(out, (const uint8_t *)&address->v4.sin_addr);
}
