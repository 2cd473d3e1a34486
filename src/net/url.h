#ifndef NET_URL_H
#define NET_URL_H
/* Base URLs of servers: http[s]://host[:port][/path] (RFC 3986), without what a base has no use
 * for: user, query, fragment, escapes in the host. Pure. */

#include "base/buf.h"
#include "base/limits.h"

enum url_host {
    URL_NAME,
    URL_IPV4,
    URL_IPV6,
    URL_UNIX, /* a socket on this machine: no host and no port; never from the parsers here */
};

struct url {
    bool tls;
    enum url_host kind;
    uint16_t port;
    char host[URL_HOST_MAX + 1]; /* lower case; an IPv6 address without its brackets */
    char path[URL_PATH_MAX + 1]; /* "" or "/v1": no slash at its end; URL_UNIX: the socket's, of
                                    URL_SOCKET_MAX bytes at most */
};

#define URL_WHY_MAX 128

/* 0, or -1 and what is wrong in why (URL_WHY_MAX bytes). */
int url_parse(struct url *out, struct span text, char *why);
/* The same, and Ollama's own host[:port], [ipv6]:port, :port without a scheme: http then, port
 * 11434 where none is named; 0.0.0.0 and :: (what a server listens on) are the loopback address. */
int url_parse_ollama(struct url *out, struct span text, char *why);

/* "name:port" as the Host header has it: the port only where it is not the scheme's own, brackets
 * around IPv6. */
void url_authority(const struct url *url, struct buf *out);

/* Does it stay in the home lab? A socket of this machine; loopback, private, link-local, unique
 * local and shared (100.64/10: tailnets) addresses; names without a dot, and those below localhost,
 * local, lan, home, internal, localdomain, home.arpa and ts.net. */
bool url_is_local(const struct url *url);

#endif
