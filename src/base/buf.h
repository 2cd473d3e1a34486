#ifndef BASE_BUF_H
#define BASE_BUF_H
/* A builder of bytes in storage of fixed size. Errors stick: build everything, then ask once
 * with buf_done(). What would overflow is left out whole and fails the builder. */

#include "base/span.h"

#include <stdint.h>

struct buf {
    char *p;
    size_t cap;
    size_t n;
    bool failed;
};

/* storage stays the caller's; cap is its size in bytes. */
void buf_init(struct buf *b, char *storage, size_t cap);
/* Forgets the content and the error, keeps the storage. */
void buf_reset(struct buf *b);

void buf_bytes(struct buf *b, const void *data, size_t n);
void buf_span(struct buf *b, struct span s);
void buf_str(struct buf *b, const char *text);
void buf_char(struct buf *b, char c);
void buf_int(struct buf *b, int64_t value);
/* The bytes as lower-case hexadecimal digits. */
void buf_hex(struct buf *b, const void *data, size_t n);

/* What was built so far. */
struct span buf_view(const struct buf *b);
/* 0 where everything fitted, else -1. */
int buf_done(const struct buf *b);
/* Appends a NUL and returns the content as a string; NULL where anything did not fit. */
const char *buf_text(struct buf *b);

#endif
