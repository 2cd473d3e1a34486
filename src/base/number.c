#include "base/number.h"

#include <math.h>

/* More digits than 17 make no difference to a double. */
#define MANTISSA_MAX UINT64_C(100000000000000000)

/* Beyond these powers of ten any mantissa is 0 or infinite; those that a text names may be made up
 * for by its digits, of which no text of ours has so many. */
#define EXPONENT_MAX 511
#define EXPONENT_NAMED_MAX 100000000

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

/* Where the parts of a JSON number end. The integer's digits start at 0, or at 1 behind a minus. */
struct parts {
    size_t integer;
    size_t fraction; /* where there is none: integer */
    size_t end;
    bool complete;
};

static void scan(struct span s, struct parts *parts)
{
    size_t i = s.n > 0 && s.p[0] == '-';

    parts->complete = false;
    parts->end = i;
    if (i == s.n || !is_digit(s.p[i]))
        return;
    i = s.p[i] == '0' ? i + 1 : digits(s, i);
    parts->integer = i;
    if (i < s.n && s.p[i] == '.') {
        size_t from = ++i;
        i = digits(s, i);
        parts->end = i;
        if (i == from)
            return;
    }
    parts->fraction = i;
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        if (i < s.n && (s.p[i] == '+' || s.p[i] == '-'))
            i++;
        size_t from = i;
        i = digits(s, i);
        parts->end = i;
        if (i == from)
            return;
    }
    parts->end = i;
    parts->complete = true;
}

size_t number_scan(struct span s, bool *complete)
{
    struct parts parts;

    scan(s, &parts);
    *complete = parts.complete;
    return parts.end;
}

/* value * 10^exponent. Powers up to 10^22 are exact as a double, so that what people write by hand
 * is rounded once. */
static double scale(double value, int64_t exponent)
{
    static const double powers[] = {1e1, 1e2, 1e4, 1e8, 1e16, 1e32, 1e64, 1e128, 1e256};
    static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    uint64_t left = (uint64_t)(exponent < 0 ? -exponent : exponent);

    if (left < sizeof(exact) / sizeof(exact[0]))
        return exponent < 0 ? value / exact[left] : value * exact[left];
    if (left > EXPONENT_MAX)
        left = EXPONENT_MAX;
    for (size_t i = 0; left > 0; i++, left /= 2)
        if (left % 2 != 0)
            value = exponent < 0 ? value / powers[i] : value * powers[i];
    return value;
}

/* Puts the digits [at, end) behind those of *value, as many as count. How many did not. */
static size_t take_digits(struct span text, size_t at, size_t end, uint64_t *value)
{
    for (; at < end && *value < MANTISSA_MAX; at++)
        *value = *value * 10 + (uint64_t)(text.p[at] - '0');
    return end - at;
}

/* What stands behind the E of a number, at most EXPONENT_NAMED_MAX either way. */
static int64_t named_exponent(struct span text)
{
    int64_t named = 0;

    if (text.p[0] == '+')
        text = (struct span){text.p + 1, text.n - 1};
    if (number_int(text, -EXPONENT_NAMED_MAX, EXPONENT_NAMED_MAX, &named) != 0)
        named = text.p[0] == '-' ? -EXPONENT_NAMED_MAX : EXPONENT_NAMED_MAX;
    return named;
}

int number_real(struct span text, double min, double max, double *out)
{
    struct parts parts;
    bool negative = text.n > 0 && text.p[0] == '-';
    uint64_t mantissa = 0;

    scan(text, &parts);
    if (parts.end != text.n || !parts.complete)
        return -1;
    int64_t exponent = (int64_t)take_digits(text, negative, parts.integer, &mantissa);
    if (parts.fraction > parts.integer) {
        size_t from = parts.integer + 1;
        size_t left = take_digits(text, from, parts.fraction, &mantissa);
        exponent -= (int64_t)(parts.fraction - from - left);
    }
    if (parts.fraction < text.n) {
        size_t from = parts.fraction + 1;
        exponent += named_exponent((struct span){text.p + from, text.n - from});
    }
    double value = mantissa == 0 ? 0 : scale((double)mantissa, exponent);
    if (negative)
        value = -value;
    if (!isfinite(value) || value < min || value > max)
        return -1;
    *out = value;
    return 0;
}
