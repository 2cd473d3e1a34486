#include "net/lookup.h"

#include <netdb.h>
#include <string.h>

static enum lookup_result result_of(int error)
{
    switch (error) {
    case 0:
        return LOOKUP_FOUND;
    case EAI_NONAME:
    case EAI_NODATA:
        return LOOKUP_NO_NAME;
    case EAI_AGAIN:
        return LOOKUP_NO_ANSWER;
    default:
        return LOOKUP_FAILED;
    }
}

enum lookup_result lookup_name(const char *host, union resolve_address *found, unsigned cap,
                               unsigned *count)
{
    /* AI_ADDRCONFIG: no question for IPv6 addresses where the kernel has no IPv6. musl asks for no
     * more than a loopback address, so that the names of a machine without a network stay. */
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    enum lookup_result result = result_of(getaddrinfo(host, NULL, &hints, &list));

    *count = 0;
    for (const struct addrinfo *a = list; result == LOOKUP_FOUND && a != NULL; a = a->ai_next) {
        if (*count == cap || a->ai_addrlen > sizeof(*found))
            continue;
        memset(&found[*count], 0, sizeof(*found));
        memcpy(&found[*count], a->ai_addr, a->ai_addrlen);
        ++*count;
    }
    /* The list is left to the end of the process, which is near. */
    return result == LOOKUP_FOUND && *count == 0 ? LOOKUP_NO_NAME : result;
}
