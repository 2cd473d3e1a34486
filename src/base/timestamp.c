#include "base/timestamp.h"

#define DAY_MS INT64_C(86400000)
#define YEAR_MIN 1970
#define LAST_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

/* Takes count digits, or nothing and -1. */
static int take_digits(struct span *s, size_t count, int *value)
{
    int result = 0;

    if (s->n < count)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (s->p[i] < '0' || s->p[i] > '9')
            return -1;
        result = result * 10 + (s->p[i] - '0');
    }
    s->p += count;
    s->n -= count;
    *value = result;
    return 0;
}

/* Takes the byte c if it is next. */
static bool take(struct span *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    s->p++;
    s->n--;
    return true;
}

static bool leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && leap(year));
}

/* Days from 1970-01-01 to the first of January. */
static int64_t year_start(int year)
{
    int before = year - 1;

    return 365 * (int64_t)(year - 1970) + before / 4 - before / 100 + before / 400 - 477;
}

static int take_date(struct span *s, int64_t *days)
{
    int year, month, day;

    if (take_digits(s, 4, &year) != 0 || !take(s, '-') || take_digits(s, 2, &month) != 0 ||
        !take(s, '-') || take_digits(s, 2, &day) != 0)
        return -1;
    if (year < YEAR_MIN || month < 1 || month > 12 || day < 1 || day > month_days(year, month))
        return -1;
    *days = year_start(year) + day - 1;
    for (int m = 1; m < month; m++)
        *days += month_days(year, m);
    return 0;
}

/* A fraction of any length, at least one digit; what is finer than a millisecond is dropped. */
static int take_fraction(struct span *s, int64_t *ms)
{
    int64_t unit = 100;
    int digit;

    if (take_digits(s, 1, &digit) != 0)
        return -1;
    do {
        *ms += digit * unit;
        unit /= 10;
    } while (take_digits(s, 1, &digit) == 0);
    return 0;
}

static int take_time(struct span *s, int64_t *ms)
{
    int hour, minute;
    int second = 0;
    int64_t fraction = 0;

    if (take_digits(s, 2, &hour) != 0 || !take(s, ':') || take_digits(s, 2, &minute) != 0)
        return -1;
    if (take(s, ':')) {
        if (take_digits(s, 2, &second) != 0)
            return -1;
        if ((take(s, '.') || take(s, ',')) && take_fraction(s, &fraction) != 0)
            return -1;
    }
    if (hour > 23 || minute > 59 || second > 60)
        return -1;
    *ms = (int64_t)((hour * 60 + minute) * 60 + second) * 1000 + fraction;
    return 0;
}

static int take_zone(struct span *s, int64_t *ms)
{
    int hour;
    int minute = 0;

    *ms = 0;
    if (s->n == 0 || take(s, 'Z') || take(s, 'z'))
        return 0;
    bool west = take(s, '-');
    if ((!west && !take(s, '+')) || take_digits(s, 2, &hour) != 0)
        return -1;
    bool colon = take(s, ':');
    if ((colon || s->n > 0) && take_digits(s, 2, &minute) != 0)
        return -1;
    if (hour > 23 || minute > 59)
        return -1;
    *ms = (hour * 60 + minute) * (west ? INT64_C(-60000) : INT64_C(60000));
    return 0;
}

int timestamp_parse(struct span text, int64_t *ms)
{
    int64_t days, time, zone;

    if (take_date(&text, &days) != 0)
        return -1;
    if (!take(&text, 'T') && !take(&text, 't') && !take(&text, ' '))
        return -1;
    if (take_time(&text, &time) != 0 || take_zone(&text, &zone) != 0 || text.n != 0)
        return -1;
    int64_t result = days * DAY_MS + time - zone;
    if (result < 0 || result > LAST_MS)
        return -1;
    *ms = result;
    return 0;
}

int timestamp_parse_date(struct span text, int64_t *ms)
{
    int64_t days;

    if (take_date(&text, &days) != 0 || text.n != 0)
        return -1;
    *ms = days * DAY_MS;
    return 0;
}

static char *put_digits(char *at, int count, int64_t value)
{
    for (int i = count - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + count;
}

static char *put_date(char *at, int64_t days)
{
    int year = YEAR_MIN + (int)(days / 366);
    int month = 1;

    while (year_start(year + 1) <= days)
        year++;
    days -= year_start(year);
    while (days >= month_days(year, month))
        days -= month_days(year, month++);
    at = put_digits(at, 4, year);
    *at++ = '-';
    at = put_digits(at, 2, month);
    *at++ = '-';
    return put_digits(at, 2, days + 1);
}

static int64_t bounded(int64_t ms)
{
    return ms < 0 ? 0 : ms > LAST_MS ? LAST_MS : ms;
}

void timestamp_format(char out[TIMESTAMP_SIZE], int64_t ms)
{
    ms = bounded(ms);
    int64_t time = ms % DAY_MS;
    char *at = put_date(out, ms / DAY_MS);
    *at++ = 'T';
    at = put_digits(at, 2, time / 3600000);
    *at++ = ':';
    at = put_digits(at, 2, time / 60000 % 60);
    *at++ = ':';
    at = put_digits(at, 2, time / 1000 % 60);
    *at++ = '.';
    at = put_digits(at, 3, time % 1000);
    *at++ = 'Z';
    *at = '\0';
}

void timestamp_date(char out[TIMESTAMP_DATE_SIZE], int64_t ms)
{
    *put_date(out, bounded(ms) / DAY_MS) = '\0';
}
