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
    SERVICE_ENV,
    SERVICE_NODE,
    SERVICE_FACTS
};

struct service {
    const struct command *self;
    const char *root; /* --root; "" = none */
    int root_fd;      /* it, or "/"; every path below is relative to it */
    struct tree tree; /* there, too */
    bool has_tree;
    struct span init; /* --init; empty = the one in use */
    bool force;
    bool copy; /* the binary is to be copied to where the facts say it is */
    gid_t gid;
    const char *fact[SERVICE_FACTS];
};

#define SERVICE_TEXT_MAX 8192 /* bytes of the longest file, filled in */

#endif
