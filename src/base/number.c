#include "base/number.h"

#include <math.h>
#include <stdlib.h>

/* Bytes of the longest number that number_real() reads: a double written out in full has 767
 * significant digits. */
#define REAL_TEXT_MAX 1100

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int number_int(struct span text, int64_t min, int64_t max, int64_t *out)
{
    size_t i = 0;
    bool negative = text.n > 0 && text.p[0] == '-';
    uint64_t limit = negative ? UINT64_C(1) << 63 : (uint64_t)INT64_MAX;
    uint64_t value = 0;

    if (negative)
        i++;
    if (i == text.n)
        return -1;
    for (; i < text.n; i++) {
        if (!is_digit(text.p[i]))
            return -1;
        uint64_t digit = (uint64_t)(text.p[i] - '0');
        if (value > (limit - digit) / 10)
            return -1;
        value = value * 10 + digit;
    }
    /* Negated one short of the end, so that -2^63 needs no conversion out of range. */
    int64_t result = negative && value > 0 ? -(int64_t)(value - 1) - 1 : (int64_t)value;
    if (result < min || result > max)
        return -1;
    *out = result;
    return 0;
}

static size_t digits(struct span s, size_t at)
{
    while (at < s.n && is_digit(s.p[at]))
        at++;
    return at;
}

size_t number_scan(struct span s, bool *complete)
{
    size_t i = 0;

    *complete = false;
    if (i < s.n && s.p[i] == '-')
        i++;
    if (i == s.n || !is_digit(s.p[i]))
        return i;
    i = s.p[i] == '0' ? i + 1 : digits(s, i);
    if (i < s.n && s.p[i] == '.') {
        size_t from = ++i;
        i = digits(s, i);
        if (i == from)
            return i;
    }
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        if (i < s.n && (s.p[i] == '+' || s.p[i] == '-'))
            i++;
        size_t from = i;
        i = digits(s, i);
        if (i == from)
            return i;
    }
    *complete = true;
    return i;
}

int number_real(struct span text, double min, double max, double *out)
{
    char copy[REAL_TEXT_MAX + 1];
    bool complete;
    char *end;

    if (number_scan(text, &complete) != text.n || !complete)
        return -1;
    if (span_copy(copy, sizeof(copy), text) != 0)
        return -1;
    double value = strtod(copy, &end);
    if (end != copy + text.n || !isfinite(value) || value < min || value > max)
        return -1;
    *out = value;
    return 0;
}
