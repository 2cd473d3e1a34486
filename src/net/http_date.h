#ifndef NET_HTTP_DATE_H
#define NET_HTTP_DATE_H
/* HTTP dates (RFC 9110, section 5.6.7). Pure. */

#include "base/span.h"

#include <stdint.h>

/* Reads any of the three forms: "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT"
 * (its year is the one nearest to now_ms), "Sun Nov  6 08:49:37 1994". 0 and milliseconds since
 * 1970 in *ms, or -1. */
int http_date_parse(struct span text, int64_t now_ms, int64_t *ms);

#endif
