#ifndef DAEMON_SETTING_H
#define DAEMON_SETTING_H
/* The values of variables: read, and told to people. Pure. */

#include "base/buf.h"
#include "daemon/setting_table.h"

struct setting_value {
    int64_t number; /* of SETTING_NUMBER, SETTING_SWITCH, SETTING_CHOICE */
    double real;    /* of SETTING_REAL */
};

#define SETTING_WHY_MAX 256

/* Is text, not empty, a value of this setting (for aliases only: can it be one)? 0, or -1 and in
 * why (SETTING_WHY_MAX bytes) what is wrong with it, never a secret; "" where what is accepted says
 * it all. */
int setting_read(const struct setting *setting, struct span text, struct setting_value *value,
                 char *why);

/* What is accepted, for an error message: "a whole number from 0 to 86400". */
void setting_accepts(const struct setting *setting, struct buf *out);

#define SETTING_SHOWN_MAX 511

/* The value as it may be shown: secrets and passwords hidden, the rest cut to most bytes (at most
 * SETTING_SHOWN_MAX) and escaped, each to four at most. */
void setting_show(const struct setting *setting, struct span text, size_t most, struct buf *out);

#endif
