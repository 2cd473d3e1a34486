#ifndef NET_HTTP_FIELD_H
#define NET_HTTP_FIELD_H
/* The headers of a response that we use (RFC 9110, RFC 9112). Pure. */

#include "net/http_parse.h"

/* Notes what a header of the response says, its value without the blanks around it. NULL, or why
 * the response is refused, in plain words. */
const char *http_field_take(struct http_parse *p, struct span name, struct span value);

/* Retry-After (RFC 9110, section 10.2.3): seconds, also with a fraction, or an HTTP date of any of
 * its three forms. Milliseconds from now_ms (wall clock), at least 0, at most a day; -1 where it
 * is neither. */
int64_t http_field_retry_after(struct span value, int64_t now_ms);

#endif
