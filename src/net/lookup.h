#ifndef NET_LOOKUP_H
#define NET_LOOKUP_H
/* getaddrinfo(3), alone in its file. It blocks and allocates: for resolve's child only. */

#include "net/resolve.h"

enum lookup_result {
    LOOKUP_FOUND,
    LOOKUP_NO_NAME,   /* so a name server says, or it has no address */
    LOOKUP_NO_ANSWER, /* no name server could be asked, or all had trouble */
    LOOKUP_FAILED,
};

/* Up to cap addresses, IPv4 before IPv6, ports 0, *count of them: at least one where the result is
 * LOOKUP_FOUND. */
enum lookup_result lookup_name(const char *host, union resolve_address *found, unsigned cap,
                               unsigned *count);

#endif
