#include "cmd/print.h"

#include "base/escape.h"
#include "base/log.h"
#include "base/number.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048 /* of an error; longer ones are cut */
#define ESCAPED_MAX 16      /* bytes of one escaped character */
#define COLUMNS_MAX 10000   /* a terminal wider than this is none */

static struct {
    int error; /* errno of the first failure */
    size_t n;
    char data[4096];
} out;

static int write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -1;
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

static void flush(void)
{
    if (out.error == 0 && write_all(STDOUT_FILENO, out.data, out.n) != 0)
        out.error = errno;
    out.n = 0;
}

void print_span(struct span s)
{
    while (s.n > 0) {
        if (out.n == sizeof(out.data))
            flush();
        size_t n = sizeof(out.data) - out.n;
        if (n > s.n)
            n = s.n;
        memcpy(out.data + out.n, s.p, n);
        out.n += n;
        s.p += n;
        s.n -= n;
    }
}

void print_str(const char *text)
{
    print_span(span_of(text));
}

void print_safe(struct span s)
{
    char storage[ESCAPED_MAX];
    uint32_t cp;

    while (s.n > 0) {
        struct buf b;
        size_t n = utf8_next(s, &cp);
        if (n == 0)
            n = 1;
        buf_init(&b, storage, sizeof(storage));
        escape_text(&b, (struct span){s.p, n});
        print_span(buf_view(&b));
        s.p += n;
        s.n -= n;
    }
}

void print_int(int64_t n)
{
    char storage[32];
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    buf_int(&b, n);
    print_span(buf_view(&b));
}

void print_repeat(char c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        print_span((struct span){&c, 1});
}

void print_age_to(struct buf *b, int64_t seconds)
{
    static const struct {
        int64_t below; /* seconds */
        int64_t unit;
        const char *name;
    } units[] = {
        {120, 1, " s"},
        {2 * 3600, 60, " min"},
        {2 * 24 * 3600, 3600, " h"},
        {0, 24 * 3600, " d"},
    };
    unsigned i = 0;

    if (seconds < 0)
        seconds = 0;
    while (units[i].below != 0 && seconds >= units[i].below)
        i++;
    buf_int(b, seconds / units[i].unit);
    buf_str(b, units[i].name);
}

void print_age(int64_t seconds)
{
    char storage[32];
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    print_age_to(&b, seconds);
    print_span(buf_view(&b));
}

int print_end(int code)
{
    flush();
    if (out.error == 0)
        return code;
    print_error(NULL, "cannot write to stdout", log_errno(out.error));
    return EXIT_FAILURE;
}

size_t print_width(void)
{
    struct winsize size;
    int64_t columns = 0;

    if (isatty(STDOUT_FILENO) == 1 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
        size.ws_col > 0)
        return size.ws_col;
    if (number_int(span_of(getenv("COLUMNS")), 1, COLUMNS_MAX, &columns) != 0)
        return 0;
    return (size_t)columns;
}

/* Appends s escaped, cut to what fits. */
static void put_cut(struct buf *b, const char *text)
{
    char cut[LINE_MAX_BYTES / 8];

    escape_text(b, (struct span){cut, span_cut_text(cut, sizeof(cut), text)});
}

void print_error(const char *command, const char *what, const char *detail)
{
    char storage[LINE_MAX_BYTES];
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    buf_str(&b, log_is_journal(STDERR_FILENO) ? "<3>planner-agent" : "planner-agent");
    if (command != NULL) {
        buf_char(&b, ' ');
        put_cut(&b, command);
    }
    buf_str(&b, ": ");
    put_cut(&b, what);
    if (detail != NULL) {
        buf_str(&b, ": ");
        put_cut(&b, detail);
    }
    buf_char(&b, '\n');
    struct span line = buf_view(&b);
    /* Where stderr fails there is nobody left to tell. */
    (void)write_all(STDERR_FILENO, line.p, line.n);
}
