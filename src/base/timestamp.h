#ifndef BASE_TIMESTAMP_H
#define BASE_TIMESTAMP_H
/* Points in time as text: ISO 8601 / RFC 3339, always UTC when written. */

#include "base/span.h"

#include <stdint.h>

#define TIMESTAMP_SIZE sizeof("2026-01-01T00:00:00.000Z")
#define TIMESTAMP_DATE_SIZE sizeof("2026-01-01")

/* Reads YYYY-MM-DD, then T, t or a space, hh:mm[:ss[.fraction or ,fraction]], then Z, z, +hh:mm,
 * +hhmm, +hh (or -) or nothing (UTC). Years 1970 to 9999; a leap second counts as the next second.
 * 0 and milliseconds since 1970 in *ms, or -1. */
int timestamp_parse(struct span text, int64_t *ms);

/* "2026-01-01T00:00:00.000Z"; values outside 1970 to 9999 are brought to the border. */
void timestamp_format(char out[TIMESTAMP_SIZE], int64_t ms);
void timestamp_date(char out[TIMESTAMP_DATE_SIZE], int64_t ms);

/* Is text a date YYYY-MM-DD that exists? Its start in *ms. 0 or -1. */
int timestamp_parse_date(struct span text, int64_t *ms);

#endif
