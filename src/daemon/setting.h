#ifndef DAEMON_SETTING_H
#define DAEMON_SETTING_H
/* The values of variables: read, and told to people. Pure. */

#include "base/buf.h"
#include "daemon/setting_table.h"

struct setting_value {
    int64_t number; /* of SETTING_NUMBER, SETTING_SWITCH, SETTING_CHOICE */
    double real;    /* of SETTING_REAL */
};

/* Is text, not empty, a value of this setting (for aliases only: can it be one)? 0 or -1. */
int setting_read(const struct setting *setting, struct span text, struct setting_value *value);

/* What is accepted, for an error message: "a whole number from 0 to 86400". */
void setting_accepts(const struct setting *setting, struct buf *out);

/* The value as it may be shown: escaped, secrets and passwords hidden. */
void setting_show(const struct setting *setting, struct span text, struct buf *out);

#endif
