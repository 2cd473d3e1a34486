#include "net/lookup.h"

#include <netdb.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

static enum lookup_result result_of(int error)
{
    switch (error) {
    case 0:
        return LOOKUP_FOUND;
    case EAI_NONAME:
    case EAI_NODATA:
        return LOOKUP_NO_NAME;
    case EAI_AGAIN:
        return LOOKUP_NO_ANSWER;
    default:
        return LOOKUP_FAILED;
    }
}

/* Adds the addresses of one family. */
static enum lookup_result ask(const char *host, int family, union resolve_address *found,
                              unsigned cap, unsigned *count)
{
    /* AI_ADDRCONFIG: no question for IPv6 addresses where the kernel has no IPv6. musl asks for no
     * more than a loopback address, so that the names of a machine without a network stay. */
    const struct addrinfo hints = {
        .ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    enum lookup_result result = result_of(getaddrinfo(host, NULL, &hints, &list));
    unsigned before = *count;

    for (const struct addrinfo *a = list; result == LOOKUP_FOUND && a != NULL; a = a->ai_next) {
        if (*count == cap || a->ai_addrlen > sizeof(*found))
            continue;
        memset(&found[*count], 0, sizeof(*found));
        memcpy(&found[*count], a->ai_addr, a->ai_addrlen);
        ++*count;
    }
    /* The list is left to the end of the process, which is near. */
    return result == LOOKUP_FOUND && *count == before ? LOOKUP_NO_NAME : result;
}

static sigjmp_buf over;

static void time_is_over(int number)
{
    (void)number;
    siglongjmp(over, 1);
}

/* What comes within LOOKUP_MORE_MS: it is cut off wherever it is, which in a process that only
 * writes its answer and ends is as good as any end. */
static void ask_for_more(const char *host, int family, union resolve_address *found, unsigned cap,
                         unsigned *count)
{
    const struct itimerval limit = {
        .it_value = {.tv_sec = LOOKUP_MORE_MS / 1000, .tv_usec = LOOKUP_MORE_MS % 1000 * 1000}};
    const struct sigaction cut_off = {.sa_handler = time_is_over};
    const struct sigaction too_late = {.sa_handler = SIG_IGN};

    if (sigsetjmp(over, 1) != 0)
        return; /* the timer rings once */
    if (sigaction(SIGALRM, &cut_off, NULL) != 0 || setitimer(ITIMER_REAL, &limit, NULL) != 0)
        return;
    (void)ask(host, family, found, cap, count);
    (void)sigaction(SIGALRM, &too_late, NULL);
}

/* The families one after the other: asked for both at once, musl has no answer where a name server
 * fails for one of them, as those of many home routers do for IPv6. */
enum lookup_result lookup_name(const char *host, union resolve_address *found, unsigned cap,
                               unsigned *count)
{
    *count = 0;
    enum lookup_result first = ask(host, AF_INET, found, cap, count);
    if (first == LOOKUP_FOUND) {
        ask_for_more(host, AF_INET6, found, cap, count);
        return LOOKUP_FOUND;
    }
    enum lookup_result second = ask(host, AF_INET6, found, cap, count);
    return second == LOOKUP_FOUND || second > first ? second : first;
}
