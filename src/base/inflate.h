#ifndef BASE_INFLATE_H
#define BASE_INFLATE_H
/* Deflate, the other way (RFC 1951), all at once. Pure. */

#include "base/buf.h"

/* Appends what a whole raw deflate stream holds to out, which is its window, too: what lies before
 * it in out is never looked at. Bytes behind its last block are ignored. 0; or -1 where it is cut
 * short, says what no stream may, or does not fit: then out has got some of it. */
int inflate_all(struct span stream, struct buf *out);

#endif
