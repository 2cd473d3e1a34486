#include "source/print.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/limits.h"

_Static_assert(LOG_TAIL_MAX <= LOG_HEAD_MAX, "one buffer does for both");

static int digest_at(int fd, int64_t offset, size_t n, uint64_t *digest)
{
    char bytes[LOG_HEAD_MAX];
    ssize_t got = file_read_at(fd, bytes, n, offset);

    if (got < 0)
        return -1;
    *digest = (size_t)got == n ? hash_fixed(bytes, n) : 0;
    return 0;
}

static size_t least(int64_t offset, size_t n)
{
    return offset < (int64_t)n ? (size_t)offset : n;
}

/* The first lines, as many as tell one log from another: a copy may have been cut short after. */
static int make_head(int fd, struct print *print)
{
    char bytes[LOG_HEAD_MAX];
    size_t n = least(print->offset, LOG_HEAD_MAX);
    size_t head = 0;
    ssize_t got = file_read_at(fd, bytes, n, 0);

    if (got < 0)
        return -1;
    if ((size_t)got < n)
        return 0; /* it is being truncated */
    while (head < n && (head < LOG_HEAD_MIN || bytes[head - 1] != '\n'))
        head++;
    print->head_bytes = (uint32_t)head;
    print->head = hash_fixed(bytes, head);
    return 0;
}

int print_make(int fd, struct print *print)
{
    size_t n = least(print->offset, LOG_TAIL_MAX);

    if (digest_at(fd, print->offset - (int64_t)n, n, &print->tail) != 0)
        return -1;
    return print->head_bytes < LOG_HEAD_MIN ? make_head(fd, print) : 0;
}

int print_has_tail(int fd, const struct print *print)
{
    size_t n = least(print->offset, LOG_TAIL_MAX);
    uint64_t tail;

    if (n == 0)
        return 1;
    if (digest_at(fd, print->offset - (int64_t)n, n, &tail) != 0)
        return -1;
    return tail == print->tail;
}

int print_has_head(int fd, const struct print *print)
{
    uint64_t head;

    if (print->head_bytes == 0)
        return 0;
    if (digest_at(fd, 0, print->head_bytes, &head) != 0)
        return -1;
    return head == print->head;
}
