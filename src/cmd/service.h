#ifndef CMD_SERVICE_H
#define CMD_SERVICE_H
/* What the `service` command's parts share. */

#include "base/limits.h"
#include "cmd/command.h"

/* What a text has as @NAME@; the names are in service_text.c, in this order. */
enum service_fact {
    SERVICE_BINARY,
    SERVICE_TREE,
    SERVICE_USER, /* a name, or the number where it has none */
    SERVICE_UID,
    SERVICE_GID,
    SERVICE_GROUP, /* what the user writes has; one that he is in */
    SERVICE_ENV,
    SERVICE_NODE,
    SERVICE_FACTS
};

struct service {
    const struct command *self;
    const char *root; /* --root; "" = none */
    struct tree top;  /* it, or "/"; every path below is in it */
    int top_fd;
    struct tree tree; /* there, too */
    bool has_tree;
    bool has_user;    /* one that there is, as far as that can be known */
    struct span init; /* --init; empty = the one in use */
    bool force;
    bool copy; /* the binary is to be copied to where the facts say it is */
    gid_t gid;
    const char *fact[SERVICE_FACTS];
};

#define SERVICE_TEXT_MAX 8192 /* bytes of the longest file, filled in */

/* Opens what a path means to those who have root as their "/": no symlink leads out of it.
 * A descriptor to read from, or -1 with errno. */
int service_open(const struct service *s, const char *path);

#endif
