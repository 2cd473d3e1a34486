#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H
/* Long options, anywhere before "--": --flag, --name value, --name=value. Names are never
 * shortened. Pure. */

#include <stdbool.h>
#include <stddef.h>

struct option {
    const char *name;   /* "--json"; NULL ends a table */
    bool *flag;         /* set where it is given; or */
    const char **value; /* takes a value */
};

#define OPTIONS_WHY_MAX 256

/* Reads argv[0..*argc) by the table; what are no options is moved to the front, and *argc becomes
 * their number. 0, or -1 and the reason in why (OPTIONS_WHY_MAX bytes). */
int options_parse(const struct option *table, int *argc, char **argv, char *why);

#endif
