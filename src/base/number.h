#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H
/* The one way in which numbers from outside become numbers. */

#include "base/span.h"

#include <stdint.h>

/* Decimal digits with an optional '-', nothing around them. 0, or -1 where text is not such a
 * number or is outside min..max. */
int number_int(struct span text, int64_t min, int64_t max, int64_t *out);

/* Length of what at the start of s is a JSON number (RFC 8259, section 6) or a prefix of one;
 * *complete: it is a number as it stands. */
size_t number_scan(struct span s, bool *complete);

/* A JSON number, not infinite, within min..max: rounded once for up to 15 digits and exponents up
 * to 22, else within a few units of the last place. 0 or -1. */
int number_real(struct span text, double min, double max, double *out);

#endif
