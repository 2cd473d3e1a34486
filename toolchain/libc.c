/* Parts of the C library, smaller than musl's, which are made for threads, locales and any input:
 * here is one thread, texts are short, and lists to sort have some thousand entries at most.
 * 10 KB less. */

#include "base/word.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- One thread: what musl does in all of them, and keeps out of fork(2)'s way ---- */

void in_all_threads(void (*call)(void *), void *argument) __asm__("__synccall");
void inhibit_threads(void) __asm__("__inhibit_ptc");
void acquire_threads(void) __asm__("__acquire_ptc");
void release_threads(void) __asm__("__release_ptc");

void in_all_threads(void (*call)(void *), void *argument)
{
    call(argument);
}

void inhibit_threads(void)
{
}

void acquire_threads(void)
{
}

void release_threads(void)
{
}

/* ---- Texts of a few bytes: here for speed, not for size ---- */

/* A word that begins where words do is in one page, whatever part of it belongs to the text. */
typedef size_t __attribute__((may_alias)) text_word;

__attribute__((no_sanitize("address"))) size_t strlen(const char *text)
{
    size_t before = (uintptr_t)text % sizeof(text_word);
    const text_word *at = (const void *)(text - before);
    size_t zeros = word_zeros(*at | (((size_t)1 << (CHAR_BIT * before)) - 1));

    while (zeros == 0)
        zeros = word_zeros(*++at);
    return (size_t)((const char *)at - text) + (size_t)__builtin_ctzl(zeros) / CHAR_BIT;
}

/* ---- Search: in proportion to the product of both lengths at worst ---- */

void *memmem(const void *text, size_t n, const void *wanted, size_t wanted_n)
{
    const unsigned char *from = text;

    if (wanted_n == 0)
        return (void *)from;
    while (n >= wanted_n) {
        const unsigned char *p = memchr(from, *(const unsigned char *)wanted, n - wanted_n + 1);

        if (p == NULL || memcmp(p, wanted, wanted_n) == 0)
            return (void *)p;
        n -= (size_t)(p - from) + 1;
        from = p + 1;
    }
    return NULL;
}

char *strstr(const char *text, const char *wanted)
{
    return memmem(text, strlen(text), wanted, strlen(wanted));
}

/* ---- Characters of a set, or not of it ---- */

size_t strspn(const char *text, const char *set)
{
    const char *p = text;

    while (*p != '\0' && strchr(set, *p) != NULL)
        p++;
    return (size_t)(p - text);
}

size_t strcspn(const char *text, const char *set)
{
    const char *p = text;

    while (strchr(set, *p) == NULL) /* a NUL is in every set */
        p++;
    return (size_t)(p - text);
}

/* ---- Sort: a heap, whose largest goes behind it ---- */

typedef int (*order)(const void *, const void *);

static void swap(unsigned char *a, unsigned char *b, size_t size)
{
    while (size-- > 0) {
        unsigned char byte = a[size];

        a[size] = b[size];
        b[size] = byte;
    }
}

/* Both of the heap's subtrees at i are in order: it as a whole, then. */
static void sink(unsigned char *base, size_t i, size_t count, size_t size, order compare)
{
    size_t child;

    while ((child = 2 * i + 1) < count) {
        if (child + 1 < count && compare(base + child * size, base + (child + 1) * size) < 0)
            child++;
        if (compare(base + i * size, base + child * size) >= 0)
            return;
        swap(base + i * size, base + child * size, size);
        i = child;
    }
}

void qsort(void *base, size_t count, size_t size, order compare)
{
    for (size_t i = count / 2; i-- > 0;)
        sink(base, i, count, size, compare);
    while (count > 1) {
        count--;
        swap(base, (unsigned char *)base + count * size, size);
        sink(base, 0, count, size, compare);
    }
}

/* ---- Numbers ---- */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static unsigned digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'z' ? (unsigned)(c - 'a') + 10 : UINT_MAX;
}

/* 0x and 0 of base 16, 8 and 0 (which then is 16, 8 or 10). */
static const char *skip_prefix(const char *text, unsigned *base)
{
    if ((*base == 0 || *base == 16) && text[0] == '0' && (text[1] | 0x20) == 'x' &&
        digit(text[2]) < 16) {
        *base = 16;
        return text + 2;
    }
    if (*base == 0)
        *base = text[0] == '0' ? 8 : 10;
    return text;
}

/* As strtoull(3), with another largest value: beyond it is that, and ERANGE. */
static unsigned long long scan(const char *text, char **end, unsigned base, unsigned long long max)
{
    const char *p = text;
    unsigned long long value = 0;
    bool minus, none = true, over = false;

    while (is_blank(*p))
        p++;
    minus = *p == '-';
    if (*p == '-' || *p == '+')
        p++;
    for (p = skip_prefix(p, &base); digit(*p) < base; p++, none = false) {
        over = over || value > (max - digit(*p)) / base;
        value = value * base + digit(*p);
    }
    if (end != NULL)
        *end = (char *)(none ? text : p);
    if (over) {
        errno = ERANGE;
        return max;
    }
    return minus ? 0 - value : value;
}

unsigned long long strtoull(const char *text, char **end, int base)
{
    return scan(text, end, (unsigned)base, ULLONG_MAX);
}

unsigned long strtoul(const char *text, char **end, int base)
{
    return (unsigned long)scan(text, end, (unsigned)base, ULONG_MAX);
}

long strtol(const char *text, char **end, int base)
{
    return (long)scan(text, end, (unsigned)base, LONG_MAX);
}

/* ---- Errors: those that files and sockets have ---- */

static const unsigned char errors[] = {
    EPERM,        ENOENT,      EINTR,        EIO,          ENXIO,        EBADF,      EAGAIN,
    ENOMEM,       EACCES,      EBUSY,        EEXIST,       EXDEV,        ENODEV,     ENOTDIR,
    EISDIR,       EINVAL,      ENFILE,       EMFILE,       ETXTBSY,      EFBIG,      ENOSPC,
    EROFS,        EMLINK,      EPIPE,        ENAMETOOLONG, ENOSYS,       ENOTEMPTY,  ELOOP,
    EPROTO,       EBADMSG,     EMSGSIZE,     EOPNOTSUPP,   EAFNOSUPPORT, EADDRINUSE, EADDRNOTAVAIL,
    ENETDOWN,     ENETUNREACH, ECONNABORTED, ECONNRESET,   ENOBUFS,      ENOTCONN,   ETIMEDOUT,
    ECONNREFUSED, EHOSTDOWN,   EHOSTUNREACH, ESTALE,       EDQUOT};

/* In the same order. */
static const char error_texts[] = "Operation not permitted\0"
                                  "No such file or directory\0"
                                  "Interrupted system call\0"
                                  "Input/output error\0"
                                  "No such device or address\0"
                                  "Bad file descriptor\0"
                                  "Resource temporarily unavailable\0"
                                  "Cannot allocate memory\0"
                                  "Permission denied\0"
                                  "Device or resource busy\0"
                                  "File exists\0"
                                  "Invalid cross-device link\0"
                                  "No such device\0"
                                  "Not a directory\0"
                                  "Is a directory\0"
                                  "Invalid argument\0"
                                  "Too many open files in system\0"
                                  "Too many open files\0"
                                  "Text file busy\0"
                                  "File too large\0"
                                  "No space left on device\0"
                                  "Read-only file system\0"
                                  "Too many links\0"
                                  "Broken pipe\0"
                                  "File name too long\0"
                                  "Function not implemented\0"
                                  "Directory not empty\0"
                                  "Too many levels of symbolic links\0"
                                  "Protocol error\0"
                                  "Bad message\0"
                                  "Message too long\0"
                                  "Operation not supported\0"
                                  "Address family not supported by protocol\0"
                                  "Address already in use\0"
                                  "Cannot assign requested address\0"
                                  "Network is down\0"
                                  "Network is unreachable\0"
                                  "Software caused connection abort\0"
                                  "Connection reset by peer\0"
                                  "No buffer space available\0"
                                  "Transport endpoint is not connected\0"
                                  "Connection timed out\0"
                                  "Connection refused\0"
                                  "Host is down\0"
                                  "No route to host\0"
                                  "Stale file handle\0"
                                  "Disk quota exceeded\0";

_Static_assert(EDQUOT <= UCHAR_MAX, "a byte holds each of them");

char *strerror(int number)
{
    static char other[] = "error     ";
    const char *text = error_texts;

    for (size_t i = 0; i < sizeof(errors); i++, text += strlen(text) + 1)
        if (errors[i] == number)
            return (char *)text;
    for (size_t i = sizeof(other) - 2; i > 5; i--, number /= 10)
        other[i] = (char)('0' + number % 10);
    return other;
}

/* ---- Names: getaddrinfo(3) is asked for addresses of hosts in ASCII, for TCP, without a service
 * ---- */

struct service {
    uint16_t port;
    unsigned char protocol, socket_type;
};

int look_up_service(struct service *found, const char *name, int protocol, int socket_type,
                    int flags) __asm__("__lookup_serv");

int look_up_service(struct service *found, const char *name, int protocol, int socket_type,
                    int flags)
{
    (void)name;
    (void)protocol;
    (void)flags;
    found->port = 0;
    found->protocol = IPPROTO_TCP;
    found->socket_type = (unsigned char)socket_type;
    return 1;
}

/* musl asks by a socket of this machine, which the confined planner may not make. */
unsigned if_nametoindex(const char *name)
{
    struct ifreq request = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return 0;
    for (size_t i = 0; i < sizeof(request.ifr_name) - 1 && name[i] != '\0'; i++)
        request.ifr_name[i] = name[i];
    int result = ioctl(fd, SIOCGIFINDEX, &request);
    (void)close(fd);
    return result == 0 ? (unsigned)request.ifr_ifindex : 0;
}

/* Only how long it would be is asked. */
size_t mbstowcs(wchar_t *out, const char *text, size_t n)
{
    (void)out;
    (void)n;
    return strlen(text);
}

/* ---- Users: those of /etc/passwd and /etc/group, and no name service's ---- */

FILE *ask_name_service(int32_t request, const char *key, int32_t *answer, size_t size,
                       int *swapped) __asm__("__nscd_query");

/* An answer that says: not found. */
FILE *ask_name_service(int32_t request, const char *key, int32_t *answer, size_t size, int *swapped)
{
    (void)request;
    (void)key;
    (void)swapped;
    memset(answer, 0, size);
    return fopen("/dev/null", "re");
}

/* ---- The system ---- */

/* Who asks is the real user; musl can ask for the effective one, in a child. */
int faccessat(int dir, const char *path, int mode, int flags)
{
    if (flags != 0) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_faccessat, dir, path, mode);
}

/* Of those that end the program in order. */
char *strsignal(int number)
{
    static char names[][11] = {"Terminated", "Interrupt", "A signal"};

    return names[number == SIGTERM ? 0 : number == SIGINT ? 1 : 2];
}
