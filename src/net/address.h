#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H
/* Addresses as text (RFC 5952): what inet_ntop(3) does, without the printf that it brings. */

#include "base/buf.h"
#include "net/resolve.h"

void address_text(struct buf *out, const union resolve_address *address);

#endif
