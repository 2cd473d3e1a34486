#ifndef NET_TLS_ERROR_H
#define NET_TLS_ERROR_H
/* What BearSSL's error numbers mean to who runs this program. */

#include "net/tls.h"

/* Appends why the engine of t failed; error is its number, not BR_ERR_OK. */
void tls_error_put(struct buf *b, const struct tls *t, int error);

#endif
