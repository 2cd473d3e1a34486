#ifndef NET_CURVES_H
#define NET_CURVES_H
/* The elliptic curves of our TLS: X25519, P-256, P-384 and P-521. BearSSL's own set has faster code
 * for two of them, 10 KB more of it: it would save a millisecond or two a handshake. */

#include <bearssl.h>

extern const br_ec_impl curves_all;

#endif
