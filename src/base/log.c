#include "base/log.h"

#include "base/clock.h"
#include "base/escape.h"
#include "base/json_write.h"
#include "base/limits.h"
#include "base/timestamp.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A pipe that polls writable takes so much without blocking. */
_Static_assert(LOG_LINE_MAX <= PIPE_BUF, "a line is one atomic write");

/* Room kept for the fields that the logger adds itself, and the end of the line. */
#define TAIL_MAX sizeof(",\"cut\":true,\"dropped\":9223372036854775807}\n")
#define FIELD_LEAST 32 /* bytes; a field that has no room for so much is left out */

static struct {
    enum log_level least;
    enum log_format format;
    int fd;          /* -1: nowhere */
    bool text;       /* what format means for fd */
    bool journal;    /* fd is the journal's */
    bool broken;     /* the last line went out in part */
    bool stuck;      /* its reader did not make room within LOG_WAIT_MS */
    int64_t dropped; /* lines since the last one that went out */
} logger = {.least = LOG_INFO, .format = LOG_JSON, .fd = STDOUT_FILENO};

/* The variable is inherited by whoever has a stdout of its own: device and inode must be those. */
bool log_is_journal(int fd)
{
    char text[2 * 20 + 2];
    struct stat st;
    struct buf b;

    if (fstat(fd, &st) != 0)
        return false;
    buf_init(&b, text, sizeof(text));
    buf_int(&b, (int64_t)st.st_dev);
    buf_char(&b, ':');
    buf_int(&b, (int64_t)st.st_ino);
    return span_eq(buf_view(&b), span_of(getenv("JOURNAL_STREAM")));
}

static void choose_format(void)
{
    logger.journal = logger.fd >= 0 && log_is_journal(logger.fd);
    logger.text = logger.format == LOG_TEXT ||
                  (logger.format == LOG_AUTO && logger.fd >= 0 && isatty(logger.fd) == 1);
}

void log_init(enum log_level least, enum log_format format)
{
    logger.least = least;
    logger.format = format;
    choose_format();
}

void log_to(int fd)
{
    logger.fd = fd;
    logger.broken = false;
    logger.stuck = false;
    logger.dropped = 0;
    choose_format();
}

const char *log_errno(int error)
{
    return strerror(error);
}

static const char *level_text(enum log_level level)
{
    switch (level) {
    case LOG_DEBUG:
        return "debug";
    case LOG_INFO:
        return "info";
    case LOG_WARNING:
        return "warning";
    case LOG_ERROR:
        return "error";
    }
    return "error";
}

/* ---- One line ---- */

struct line {
    struct buf buf;
    struct json_write json;
    bool text;
};

static void put_text_span(struct buf *b, struct span s)
{
    bool quote = s.n == 0 || span_has(s, ' ') || span_has(s, '"');

    if (!quote) {
        escape_text(b, s);
        return;
    }
    buf_char(b, '"');
    while (s.n > 0) {
        bool more = span_has(s, '"');
        escape_text(b, span_split(&s, '"'));
        buf_str(b, more ? "\\\"" : "");
    }
    buf_char(b, '"');
}

/* What a field's key begins with; any other letter: a span. */
enum { KIND_TEXT = 't', KIND_NUMBER = 'n', KIND_BOOL = 'b' };

static void put_text_field(struct buf *b, const struct log_field *f)
{
    buf_char(b, ' ');
    buf_str(b, f->key + 1);
    buf_char(b, '=');
    if (*f->key == KIND_NUMBER)
        buf_int(b, f->number);
    else if (*f->key == KIND_BOOL)
        buf_str(b, f->number != 0 ? "true" : "false");
    else
        put_text_span(b, f->span);
}

static void put_json_field(struct json_write *w, const struct log_field *f)
{
    const char *key = f->key + 1;

    if (*f->key == KIND_NUMBER)
        json_write_int(w, key, f->number);
    else if (*f->key == KIND_BOOL)
        json_write_bool(w, key, f->number != 0);
    else
        json_write_span(w, key, f->span);
}

/* Adds the field whole or not at all. */
static int put_field(struct line *l, const struct log_field *f)
{
    struct line before = *l;

    if (l->text)
        put_text_field(&l->buf, f);
    else
        put_json_field(&l->json, f);
    if (buf_done(&l->buf) == 0)
        return 0;
    *l = before;
    return -1;
}

/* Adds a field, cut until it fits. -1 where nothing of it did. */
static int put_cut_field(struct line *l, const struct log_field *f)
{
    char cut[LOG_FIELD_MAX + 1];
    struct log_field shown = *f;

    if (*f->key == KIND_NUMBER || *f->key == KIND_BOOL)
        return put_field(l, f);
    if (*f->key == KIND_TEXT)
        shown.span = span_of(f->text);
    const struct span whole = shown.span;
    for (size_t room = LOG_FIELD_MAX; room >= FIELD_LEAST; room /= 2) {
        if (whole.n > room)
            shown.span = (struct span){cut, span_cut(cut, room + 1, whole)};
        if (put_field(l, &shown) == 0)
            return 0;
    }
    return -1;
}

static const char priorities[][sizeof("<7>")] = {"<7>", "<6>", "<4>", "<3>"};

static void begin_line(struct line *l, enum log_level level, const char *event)
{
    char stamp[TIMESTAMP_SIZE];

    timestamp_format(stamp, clock_now().wall_ms);
    if (logger.journal)
        buf_str(&l->buf, priorities[level]);
    if (l->text) {
        struct span clock = {stamp + sizeof("2026-01-01T") - 1, sizeof("00:00:00") - 1};
        buf_span(&l->buf, clock);
        buf_char(&l->buf, ' ');
        buf_str(&l->buf, level_text(level));
        buf_char(&l->buf, ' ');
        buf_str(&l->buf, event);
        return;
    }
    json_write_init(&l->json, &l->buf);
    json_write_object(&l->json, NULL);
    json_write_str(&l->json, "timestamp", stamp);
    json_write_str(&l->json, "level", level_text(level));
    json_write_str(&l->json, "event", event);
}

static void end_line(struct line *l, bool cut)
{
    if (cut)
        (void)put_field(l, &LOG_BOOL("cut", true));
    if (logger.dropped > 0)
        (void)put_field(l, &LOG_INT("dropped", logger.dropped));
    if (!l->text)
        json_write_end_object(&l->json);
    buf_char(&l->buf, '\n');
}

/* ---- Out ---- */

/* A reader that is only slow is waited for, once; one that is stuck is not waited for again. */
static bool writable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int ready = poll(&p, 1, logger.stuck ? 0 : LOG_WAIT_MS);

    logger.stuck = ready == 0;
    /* Not with POLLERR or POLLHUP beside it: nobody is left to read. */
    return ready == 1 && p.revents == POLLOUT;
}

static int write_now(int fd, struct span s)
{
    size_t whole = s.n;

    while (s.n > 0) {
        if (!writable(fd))
            break;
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        s.p += n;
        s.n -= (size_t)n;
    }
    if (s.n > 0 && s.n < whole)
        logger.broken = true;
    return s.n == 0 ? 0 : -1;
}

static void write_line(struct span s)
{
    if (logger.broken) {
        if (write_now(logger.fd, span_of("\n")) != 0) {
            logger.dropped++;
            return;
        }
        logger.broken = false;
    }
    if (write_now(logger.fd, s) != 0)
        logger.dropped++;
    else
        logger.dropped = 0;
}

bool log_shows(enum log_level level)
{
    return level >= logger.least && logger.fd >= 0;
}

void log_fields(enum log_level level, const char *event, const struct log_field *fields,
                size_t count)
{
    char storage[LOG_LINE_MAX];
    struct line l = {.text = logger.text};
    bool cut = false;

    if (!log_shows(level))
        return;
    int saved = errno;
    buf_init(&l.buf, storage, sizeof(storage) - TAIL_MAX);
    begin_line(&l, level, event);
    for (size_t i = 0; i < count; i++)
        cut |= put_cut_field(&l, &fields[i]) != 0;
    l.buf.cap = sizeof(storage);
    end_line(&l, cut);
    if (buf_done(&l.buf) == 0)
        write_line(buf_view(&l.buf));
    else
        logger.dropped++;
    errno = saved;
}
