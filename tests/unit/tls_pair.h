#ifndef TLS_PAIR_H
#define TLS_PAIR_H
/* A TLS client of ours and a server of BearSSL's, at the two ends of a socket pair. Everything here
 * fails the program where it does not succeed. */

#include "certificate.h"
#include "net/tls.h"

#define PAIR_HOST "server.test"
#define PAIR_PORT 443
#define PAIR_NOW INT64_C(1780315200000) /* 2026-06-01T12:00:00Z */

struct pair {
    struct now now;
    int client_fd;
    int server_fd; /* -1 = closed */
    struct tls client;
    br_ssl_server_context server;
    unsigned char server_buffer[BR_SSL_BUFSIZE_BIDI];
    size_t received; /* plain bytes by the server */
    br_ssl_session_cache_lru cache;
    unsigned char cache_bytes[4096];
};

/* The keys of all certificates here. */
struct pair_keys {
    struct certificate_key root, issuer, server, stranger;
};
extern struct pair_keys pair_keys;
void pair_make_keys(void);

/* A root, whom it vouches for, and the certificate of PAIR_HOST by that. */
struct certificate pair_root(void);
struct certificate pair_issuer(void);
struct certificate pair_leaf(void);

/* Loads the bundle for the client. */
void pair_trust(const struct certificate *list, size_t count);
void pair_trust_root(void);

/* A server with this chain, and a socket pair; the client is not started. */
void pair_open(struct pair *pair, const struct certificate *chain, size_t count);
/* One that shows pair_leaf() and pair_issuer(), and its root trusted. */
void pair_open_good(struct pair *pair);
/* The same server, a new connection. */
void pair_again(struct pair *pair);
void pair_close(struct pair *pair);

/* Lets the server do what it can. Bytes for it are taken and counted. */
void pair_serve(struct pair *pair);
void pair_server_says(struct pair *pair, const char *bytes, size_t n);
void pair_server_closes(struct pair *pair); /* by close_notify */
void pair_cut(struct pair *pair);           /* the server's end of the pair */

/* Starts the client and lets both go on until it is open or has failed: 0 or -1. */
int pair_shake(struct pair *pair);

#endif
