#ifndef NET_REDIS_URL_H
#define NET_REDIS_URL_H
/* REDIS_URL: redis://[[user]:password@]host[:port][/database], rediss:// (TLS) the same, and
 * unix:///path/of/socket[?db=N] with [user]:password@ before the path. User and password are
 * percent-encoded (RFC 3986). Pure. */

#include "net/url.h"

#define REDIS_USER_MAX 128     /* bytes */
#define REDIS_PASSWORD_MAX 512 /* bytes */
#define REDIS_DATABASE_MAX 65535
#define REDIS_PORT 6379

/* Holds a secret: wipe it after use. */
struct redis_target {
    struct url url;                        /* its kind is URL_UNIX for a socket's path */
    char user[REDIS_USER_MAX + 1];         /* "" = the default user */
    char password[REDIS_PASSWORD_MAX + 1]; /* "" = no AUTH */
    unsigned database;
};

/* 0, or -1 and what is wrong in why (URL_WHY_MAX bytes; never a secret). */
int redis_url_parse(struct redis_target *out, struct span text, char *why);
/* The same without user and password, as logs and `status` show it: "redis://host:6379/2". */
void redis_url_text(const struct redis_target *target, struct buf *out);

#endif
