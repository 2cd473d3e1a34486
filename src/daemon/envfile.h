#ifndef DAEMON_ENVFILE_H
#define DAEMON_ENVFILE_H
/* Env-files, as shells, systemd and docker compose write them: one KEY=value a line.
 *
 *   # a comment               empty lines too
 *   export KEY = value # a comment after a blank
 *   KEY='taken as it stands'
 *   KEY="\" \\ \$ and \` lose their backslash, others keep it"
 *
 * Lines may end in CRLF, the file may begin with a byte order mark. A value is one line; nothing is
 * expanded. Pure: works in place, in the caller's memory. */

#include "base/span.h"

struct envfile {
    char *at;
    char *end;
    unsigned line;   /* of the item returned last, from 1 */
    const char *why; /* after ENVFILE_BAD: a sentence */
};

enum envfile_item {
    ENVFILE_PAIR,
    ENVFILE_END,
    ENVFILE_BAD, /* the line is no assignment; the next call goes on behind it */
};

/* text is changed, and lives as long as the names and values are used. */
void envfile_init(struct envfile *f, char *text, size_t n);
enum envfile_item envfile_next(struct envfile *f, struct span *name, struct span *value);

#endif
