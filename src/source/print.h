#ifndef SOURCE_PRINT_H
#define SOURCE_PRINT_H
/* What a log looks like up to an offset: enough to tell it from another one, or to know its copy.
 * Read through a descriptor of the log; all calls: -1 with errno where that fails. */

#include <stdint.h>

struct print {
    int64_t offset;
    uint64_t tail;       /* digest of up to LOG_TAIL_MAX bytes before the offset */
    uint64_t head;       /* digest of the first head_bytes */
    uint32_t head_bytes; /* whole lines where they fit into LOG_HEAD_MAX, never beyond offset */
};

/* Fills in what belongs to print->offset. 0. */
int print_make(int fd, struct print *print);

/* Do the same bytes stand before the offset; at the start (of which at least one is known)? 1 or
 * 0. */
int print_has_tail(int fd, const struct print *print);
int print_has_head(int fd, const struct print *print);

#endif
