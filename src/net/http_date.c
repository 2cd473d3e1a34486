#include "net/http_date.h"

#include "base/buf.h"
#include "base/timestamp.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What stands in a form: s, l = the day's name, short and long; d = two digits of a day, e = with a
 * space for a zero; m = the month's name; y = four digits of a year, z = two; t = the time. Any
 * other byte is itself. */
static const char *const forms[] = {"s, d m y t GMT", "l, d-m-z t GMT", "s m e t y"};

#define SHORT_NAME 3 /* bytes of a short name */
#define TIME_BYTES (sizeof("hh:mm:ss") - 1)

struct date {
    struct span rest; /* not yet read */
    int64_t now_ms;
    int year;
    int month;
    int day;
    struct span time;
};

static int take_bytes(struct date *d, size_t n, struct span *out)
{
    if (d->rest.n < n)
        return -1;
    *out = (struct span){d->rest.p, n};
    d->rest = (struct span){d->rest.p + n, d->rest.n - n};
    return 0;
}

static int take_digits(struct date *d, size_t count, int *value)
{
    struct span digits;

    if (take_bytes(d, count, &digits) != 0)
        return -1;
    *value = 0;
    for (size_t i = 0; i < digits.n; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '9')
            return -1;
        *value = *value * 10 + (digits.p[i] - '0');
    }
    return 0;
}

static int take_day_name(struct date *d, bool whole)
{
    static const char *const names[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                        "Friday", "Saturday", "Sunday"};
    struct span got;

    for (size_t i = 0; i < COUNT(names); i++) {
        struct span name = {names[i], whole ? strlen(names[i]) : SHORT_NAME};
        if (d->rest.n >= name.n && span_eq((struct span){d->rest.p, name.n}, name))
            return take_bytes(d, name.n, &got);
    }
    return -1;
}

static int take_month(struct date *d)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct span got;

    if (take_bytes(d, SHORT_NAME, &got) != 0)
        return -1;
    for (int i = 0; i < 12; i++)
        if (span_eq(got, (struct span){names + i * SHORT_NAME, SHORT_NAME}))
            d->month = i + 1;
    return d->month > 0 ? 0 : -1;
}

static int take_short_year(struct date *d)
{
    char today[TIMESTAMP_DATE_SIZE];
    int two;

    if (take_digits(d, 2, &two) != 0)
        return -1;
    timestamp_date(today, d->now_ms);
    struct date now = {.rest = span_of(today)};
    if (take_digits(&now, 4, &now.year) != 0)
        return -1;
    d->year = now.year - now.year % 100 + two;
    if (d->year > now.year + 50)
        d->year -= 100;
    else if (d->year < now.year - 49)
        d->year += 100;
    return 0;
}

static int take(struct date *d, char what)
{
    struct span got;

    switch (what) {
    case 's':
    case 'l':
        return take_day_name(d, what == 'l');
    case 'm':
        return take_month(d);
    case 'y':
        return take_digits(d, 4, &d->year);
    case 'z':
        return take_short_year(d);
    case 't':
        return take_bytes(d, TIME_BYTES, &d->time);
    case 'e':
        if (d->rest.n > 0 && d->rest.p[0] == ' ')
            return take_bytes(d, 1, &got) != 0 ? -1 : take_digits(d, 1, &d->day);
        return take_digits(d, 2, &d->day);
    case 'd':
        return take_digits(d, 2, &d->day);
    default:
        return take_bytes(d, 1, &got) == 0 && got.p[0] == what ? 0 : -1;
    }
}

static void put_two(struct buf *b, int value)
{
    buf_char(b, (char)('0' + value / 10));
    buf_char(b, (char)('0' + value % 10));
}

/* As ISO 8601, which is read and checked elsewhere. */
static int convert(const struct date *d, int64_t *ms)
{
    char storage[TIMESTAMP_SIZE];
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    put_two(&b, d->year / 100);
    put_two(&b, d->year % 100);
    buf_char(&b, '-');
    put_two(&b, d->month);
    buf_char(&b, '-');
    put_two(&b, d->day);
    buf_char(&b, 'T');
    buf_span(&b, d->time);
    buf_char(&b, 'Z');
    return timestamp_parse(buf_view(&b), ms);
}

int http_date_parse(struct span text, int64_t now_ms, int64_t *ms)
{
    for (size_t i = 0; i < COUNT(forms); i++) {
        struct date d = {.rest = text, .now_ms = now_ms};
        const char *what = forms[i];
        while (*what != '\0' && take(&d, *what) == 0)
            what++;
        if (*what == '\0' && d.rest.n == 0)
            return convert(&d, ms);
    }
    return -1;
}
