#ifndef NET_RESP_H
#define NET_RESP_H
/* The guard before hiredis' reader: RESP2 (redis.io, "Redis serialization protocol specification")
 * is checked as it streams in, so that the reader sees only what it and its callers can bear. What
 * is no RESP2, or over the limits below, ends the connection; a bulk string that is too large is
 * passed over and told as a null ($-1), its connection lives on. Pure, no allocation.
 *
 *   RESP_LINE_MAX      bytes of a status or an error: the rest is left out
 *   RESP_DEPTH_MAX     nesting of arrays
 *   RESP_ELEMENTS_MAX  elements of one reply, those of its arrays too
 *   RESP_BULK_MAX      bytes of a bulk string that is passed on
 *   RESP_REPLY_MAX     bytes of all bulk strings of one reply; what does not fit becomes a null
 *   RESP_PASSED_MAX    bytes of a bulk string, or of a line, that is passed over: more is a broken
 *                      stream
 *
 * For a subscriber the messages, which are the arrays of three elements or more at the top, have
 * what hiredis asserts of them: four elements at most, the first two are strings, and the third of
 * a "[p]subscribe" or "[p]unsubscribe" is an integer.
 *
 * How the input and the room for output are cut makes no difference, but for how much of a stream
 * that is no RESP an error can show. */

#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESP_ROOM_MIN 24   /* bytes: the longest integer fits, as a line */
#define RESP_ERROR_MAX 159 /* bytes */

/* 1. Between two calls at most one of held_n, in_text and bulk_left is not 0. 2. left[d] > 0 for d
 * from 1 to depth. 3. Not to be copied: error points into it. */
struct resp {
    bool subscriber;   /* set by the owner */
    const char *error; /* why it failed; NULL: it did not */
    unsigned depth;
    uint32_t left[RESP_DEPTH_MAX + 1]; /* elements still to come, by level; [0] is not used */
    uint32_t elements;                 /* of the reply in hand, */
    uint32_t kept_bytes;               /* and of its strings */
    uint32_t place;                    /* of the value in the root array */
    bool is_message;                   /* the root array is one, to a subscriber */
    bool in_text;                      /* in a status or an error */
    bool after_cr;                     /* of it */
    bool passing_over;                 /* the bulk string in hand */
    uint32_t text_n;                   /* bytes of the status or error */
    uint32_t bulk_left;                /* bytes of the bulk string in hand, with its CR LF */
    uint32_t held_n;
    char held[RESP_ROOM_MIN]; /* the start of a line with a number */
    uint32_t kind_n;
    char kind[16]; /* the start of a message's first element */
    char error_text[RESP_ERROR_MAX + 1];
};

void resp_init(struct resp *r, bool subscriber);

/* Takes n bytes from the wire; what the reader may see goes to out, which has room for cap bytes
 * (RESP_ROOM_MIN at least), its length to *out_n. Returns the bytes taken, or -1 and r->error (what
 * went to out before is sound). Less than n: out has no room for more, which is never so where cap
 * is n + RESP_ROOM_MIN. All of n: nothing of them is kept back that the reader could use. */
ptrdiff_t resp_feed(struct resp *r, const char *bytes, size_t n, char *out, size_t cap,
                    size_t *out_n);

#endif
