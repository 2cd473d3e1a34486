#include "tls_pair.h"

#include "scratch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c)) {                                                                                \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c);                          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define CHAIN_MAX 4
#define ROUNDS_MAX 100 /* a handshake has ten */

struct pair_keys pair_keys;

void pair_make_keys(void)
{
    certificate_key(&pair_keys.root, BR_EC_secp384r1, "root");
    certificate_key(&pair_keys.issuer, BR_EC_secp256r1, "issuer");
    certificate_key(&pair_keys.server, BR_EC_secp256r1, "server");
    certificate_key(&pair_keys.stranger, BR_EC_secp256r1, "stranger");
}

void pair_trust(const struct certificate *list, size_t count)
{
    static char text[32768];
    char why[128];
    struct tree tree;

    text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        certificate_pem(text, sizeof(text), &list[i]);
    scratch_open(&tree);
    scratch_put(&tree, "roots.pem", text);
    REQUIRE(tls_roots_load(scratch_path(&tree, "roots.pem"), why) == 0);
    scratch_close(&tree);
}

struct certificate pair_root(void)
{
    return (struct certificate){.subject = "Root",
                                .issuer = "Root",
                                .kind = CERTIFICATE_CA,
                                .key = &pair_keys.root,
                                .signer = &pair_keys.root};
}

struct certificate pair_issuer(void)
{
    return (struct certificate){.subject = "Issuer",
                                .issuer = "Root",
                                .kind = CERTIFICATE_CA,
                                .key = &pair_keys.issuer,
                                .signer = &pair_keys.root};
}

struct certificate pair_leaf(void)
{
    return (struct certificate){.subject = "leaf",
                                .issuer = "Issuer",
                                .host = PAIR_HOST,
                                .key = &pair_keys.server,
                                .signer = &pair_keys.issuer};
}

void pair_trust_root(void)
{
    const struct certificate root = pair_root();

    pair_trust(&root, 1);
}

static void connect_both(struct pair *pair)
{
    int fds[2];

    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    pair->client_fd = fds[0];
    pair->server_fd = fds[1];
    pair->received = 0;
    br_ssl_engine_set_buffer(&pair->server.eng, pair->server_buffer, sizeof(pair->server_buffer),
                             1);
    REQUIRE(br_ssl_server_reset(&pair->server));
}

void pair_open(struct pair *pair, const struct certificate *chain, size_t count)
{
    static unsigned char der[CHAIN_MAX][4096];
    static br_x509_certificate certificates[CHAIN_MAX];
    static unsigned seed; /* no two servers give the same session identifiers */

    REQUIRE(count <= CHAIN_MAX);
    for (size_t i = 0; i < count; i++) {
        certificates[i].data = der[i];
        certificates[i].data_len = certificate_der(der[i], sizeof(der[i]), &chain[i]);
    }
    pair->now = (struct now){.boot_ms = 1000, .wall_ms = PAIR_NOW};
    br_ssl_server_init_full_ec(&pair->server, certificates, count, BR_KEYTYPE_EC,
                               &pair_keys.server.secret);
    seed++;
    br_ssl_engine_inject_entropy(&pair->server.eng, &seed, sizeof(seed));
    br_ssl_session_cache_lru_init(&pair->cache, pair->cache_bytes, sizeof(pair->cache_bytes));
    br_ssl_server_set_cache(&pair->server, &pair->cache.vtable);
    connect_both(pair);
}

void pair_open_good(struct pair *pair)
{
    const struct certificate chain[] = {pair_leaf(), pair_issuer()};

    pair_trust_root();
    pair_open(pair, chain, 2);
}

void pair_cut(struct pair *pair)
{
    if (pair->server_fd >= 0)
        REQUIRE(close(pair->server_fd) == 0);
    pair->server_fd = -1;
}

void pair_close(struct pair *pair)
{
    tls_end(&pair->client, -1);
    pair_cut(pair);
    REQUIRE(close(pair->client_fd) == 0);
}

void pair_again(struct pair *pair)
{
    pair_close(pair);
    connect_both(pair);
}

/* Did anything move? */
static bool serve_step(struct pair *pair)
{
    br_ssl_engine_context *e = &pair->server.eng;
    unsigned state = br_ssl_engine_current_state(e);
    size_t n;
    unsigned char *p;
    ssize_t done = -1;

    if ((state & BR_SSL_RECVAPP) != 0) {
        (void)br_ssl_engine_recvapp_buf(e, &n);
        br_ssl_engine_recvapp_ack(e, n);
        pair->received += n;
        return true;
    }
    if ((state & BR_SSL_SENDREC) != 0) {
        p = br_ssl_engine_sendrec_buf(e, &n);
        done = send(pair->server_fd, p, n, MSG_NOSIGNAL);
        if (done > 0)
            br_ssl_engine_sendrec_ack(e, (size_t)done);
    }
    if (done <= 0 && (state & BR_SSL_RECVREC) != 0) {
        p = br_ssl_engine_recvrec_buf(e, &n);
        done = recv(pair->server_fd, p, n, 0);
        if (done > 0)
            br_ssl_engine_recvrec_ack(e, (size_t)done);
    }
    return done > 0;
}

void pair_serve(struct pair *pair)
{
    while (pair->server_fd >= 0 && serve_step(pair))
        continue;
}

void pair_server_says(struct pair *pair, const char *bytes, size_t n)
{
    size_t room;

    while (n > 0) {
        unsigned char *p = br_ssl_engine_sendapp_buf(&pair->server.eng, &room);
        REQUIRE(p != NULL);
        if (room > n)
            room = n;
        memcpy(p, bytes, room);
        br_ssl_engine_sendapp_ack(&pair->server.eng, room);
        br_ssl_engine_flush(&pair->server.eng, 0);
        bytes += room;
        n -= room;
        pair_serve(pair);
    }
}

void pair_server_closes(struct pair *pair)
{
    br_ssl_engine_close(&pair->server.eng);
    pair_serve(pair);
}

int pair_shake(struct pair *pair)
{
    if (tls_start(&pair->client, PAIR_HOST, false, PAIR_PORT, pair->now) != 0)
        return -1;
    for (unsigned round = 0; round < ROUNDS_MAX && !tls_is_open(&pair->client); round++) {
        if (tls_pump(&pair->client, pair->client_fd) < 0)
            return -1;
        pair_serve(pair);
        if (br_ssl_engine_current_state(&pair->server.eng) == BR_SSL_CLOSED)
            pair_cut(pair);
    }
    REQUIRE(tls_is_open(&pair->client));
    return 0;
}
