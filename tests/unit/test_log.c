#include "base/buf.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/timestamp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* ---- write(2), as told ---- */

/* Results to come, ended by 0: so many bytes, or -errno; NULL: the system's. */
static const ssize_t *write_results;

ssize_t write(int fd, const void *data, size_t n)
{
    if (write_results != NULL && *write_results == 0)
        write_results = NULL;
    if (write_results != NULL) {
        ssize_t result = *write_results++;
        if (result < 0) {
            errno = (int)-result;
            return -1;
        }
        n = (size_t)result < n ? (size_t)result : n;
    }
    return syscall(SYS_write, fd, data, n);
}

/* ---- A pipe in place of stdout ---- */

static int pipe_in, pipe_out;

static int setup(void **state)
{
    int fds[2];

    (void)state;
    if (pipe2(fds, O_CLOEXEC) != 0)
        return -1;
    pipe_in = fds[0];
    pipe_out = fds[1];
    log_init(LOG_INFO, LOG_JSON);
    log_to(pipe_out);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    log_to(-1);
    return close(pipe_in) | close(pipe_out);
}

/* What was logged since, as a string. */
static const char *logged(int fd)
{
    static char text[3 * LOG_LINE_MAX];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    size_t n = 0;

    while (n < sizeof(text) - 1 && poll(&p, 1, 0) == 1 && (p.revents & POLLIN) != 0) {
        ssize_t got = read(fd, text + n, sizeof(text) - 1 - n);
        assert_true(got > 0);
        n += (size_t)got;
    }
    text[n] = '\0';
    return text;
}

/* One line of JSON with these members in this order after the timestamp. */
static void assert_logged(const char *expected)
{
    static const char begin[] = "{\"timestamp\":\"";
    const char *line = logged(pipe_in);
    int64_t ms;

    assert_memory_equal(line, begin, sizeof(begin) - 1);
    line += sizeof(begin) - 1;
    assert_int_equal(timestamp_parse((struct span){line, TIMESTAMP_SIZE - 1}, &ms), 0);
    line += TIMESTAMP_SIZE - 1;
    assert_string_equal(line, expected);
}

static void test_fields(void **state)
{
    (void)state;
    LOG(LOG_INFO, "event_taken", LOG_STR("node", "a\"\x1b"), LOG_INT("count", -5),
        LOG_BOOL("ok", true), LOG_BOOL("bad", false), LOG_STR("none", NULL),
        LOG_SPAN("part", ((struct span){"a\0b", 3})));
    assert_logged("\",\"level\":\"info\",\"event\":\"event_taken\",\"node\":\"a\\\"\\u001b\","
                  "\"count\":-5,\"ok\":true,\"bad\":false,\"none\":\"\",\"part\":\"a\\u0000b\"}\n");
    log_fields(LOG_ERROR, "bare", NULL, 0);
    assert_logged("\",\"level\":\"error\",\"event\":\"bare\"}\n");
    LOG(LOG_WARNING, "failed", LOG_ERRNO(ENOENT));
    assert_logged("\",\"level\":\"warning\",\"event\":\"failed\",\"error\":"
                  "\"No such file or directory\"}\n");
}

static void test_levels(void **state)
{
    (void)state;
    log_fields(LOG_DEBUG, "quiet", NULL, 0);
    assert_string_equal(logged(pipe_in), "");
    log_init(LOG_DEBUG, LOG_JSON);
    log_fields(LOG_DEBUG, "loud", NULL, 0);
    assert_logged("\",\"level\":\"debug\",\"event\":\"loud\"}\n");
    log_init(LOG_ERROR, LOG_JSON);
    log_fields(LOG_WARNING, "quiet", NULL, 0);
    assert_string_equal(logged(pipe_in), "");
    log_to(-1);
    log_fields(LOG_ERROR, "nowhere", NULL, 0);
    assert_string_equal(logged(pipe_in), "");
}

/* Behind its priority where JOURNAL_STREAM names this very descriptor, which others inherit. */
static void test_journal(void **state)
{
    static const struct {
        const char *format; /* D and I: device and inode */
        bool is_journal;
    } cases[] = {
        {"D:I", true},  {"D:I ", false}, {" D:I", false}, {"D:", false},
        {":I", false},  {"DI", false},   {"", false},     {":", false},
        {"I:D", false}, {"D:I1", false}, {"1:I", false},  {"D:I:", false},
    };
    static const char *const priorities[] = {"<7>{", "<6>{", "<4>{", "<3>{"};
    struct stat st;

    (void)state;
    assert_int_equal(fstat(pipe_out, &st), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[128];
        struct buf b;
        buf_init(&b, text, sizeof(text));
        for (const char *c = cases[i].format; *c != '\0'; c++) {
            if (*c == 'D')
                buf_int(&b, (int64_t)st.st_dev);
            else if (*c == 'I')
                buf_int(&b, (int64_t)st.st_ino);
            else
                buf_char(&b, *c);
        }
        assert_int_equal(setenv("JOURNAL_STREAM", buf_text(&b), 1), 0);
        log_init(LOG_DEBUG, LOG_JSON);
        assert_true(log_is_journal(pipe_out) == cases[i].is_journal);
        assert_false(log_is_journal(-1));
        for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
            log_fields((enum log_level)level, "line", NULL, 0);
            const char *begin = cases[i].is_journal ? priorities[level] : "{\"ti";
            assert_memory_equal(logged(pipe_in), begin, 4);
        }
    }
    assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
    log_init(LOG_DEBUG, LOG_JSON);
    assert_false(log_is_journal(pipe_out));
}

static void test_text(void **state)
{
    const char *line;

    (void)state;
    log_init(LOG_INFO, LOG_TEXT);
    LOG(LOG_WARNING, "event_refused", LOG_STR("why", "not valid\n"), LOG_STR("node", "a\x1b[1m"),
        LOG_STR("empty", ""), LOG_STR("forged", "x\" b=false"), LOG_INT("n", 3),
        LOG_BOOL("b", true), LOG_BOOL("c", false));
    line = logged(pipe_in);
    assert_int_equal(line[2], ':');
    assert_int_equal(line[5], ':');
    assert_string_equal(line + sizeof("00:00:00") - 1,
                        " warning event_refused why=\"not valid\\n\" node=a\\x1b[1m empty=\"\""
                        " forged=\"x\\\" b=false\" n=3"
                        " b=true c=false\n");
}

/* LOG_AUTO is text on a terminal, JSON elsewhere. */
static void test_auto(void **state)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    (void)state;
    assert_true(terminal >= 0);
    assert_int_equal(grantpt(terminal) | unlockpt(terminal), 0);
    int side = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(side >= 0);
    log_init(LOG_INFO, LOG_AUTO);
    log_to(side);
    log_fields(LOG_INFO, "shown", NULL, 0);
    assert_non_null(strstr(logged(terminal), " info shown\r\n"));
    log_to(pipe_out);
    log_fields(LOG_INFO, "piped", NULL, 0);
    assert_logged("\",\"level\":\"info\",\"event\":\"piped\"}\n");
    log_to(side);
    log_init(LOG_INFO, LOG_JSON);
    log_fields(LOG_INFO, "shown", NULL, 0);
    assert_int_equal(logged(terminal)[0], '{');
    log_to(-1);
    assert_int_equal(close(side) | close(terminal), 0);
}

/* ---- Bounds ---- */

/* A member of the one line that is there. */
static int member_length(const char *line, const char *name)
{
    static jsmntok_t tokens[64];
    static char text[LOG_LINE_MAX];
    struct json doc;

    assert_int_equal(json_read(&doc, line, strlen(line), tokens, 64, 2), JSON_OK);
    return json_string(&doc, json_member(&doc, JSON_ROOT, name), text, sizeof(text));
}

static void test_long_fields(void **state)
{
    static char longest[3 * LOG_FIELD_MAX];
    const struct span s = {longest, sizeof(longest)};
    const struct span fits = {longest, LOG_FIELD_MAX};

    (void)state;
    memset(longest, 'x', sizeof(longest));
    LOG(LOG_INFO, "long", LOG_SPAN("a", s), LOG_SPAN("b", fits), LOG_INT("after", 1));
    const char *line = logged(pipe_in);
    assert_int_equal(member_length(line, "a"), LOG_FIELD_MAX);
    assert_int_equal(member_length(line, "b"), LOG_FIELD_MAX);
    assert_null(strstr(line, "\"cut\""));

    /* Six bytes for each: only a quarter of the field goes in, and what comes later still does. */
    memset(longest, '\x01', sizeof(longest));
    LOG(LOG_INFO, "long", LOG_SPAN("a", s), LOG_INT("after", 1));
    line = logged(pipe_in);
    assert_int_equal(member_length(line, "a"), LOG_FIELD_MAX / 2);
    assert_non_null(strstr(line, "\"after\":1}\n"));

    LOG(LOG_INFO, "long", LOG_SPAN("a", s), LOG_SPAN("b", s), LOG_SPAN("c", s), LOG_SPAN("d", s),
        LOG_SPAN("e", s), LOG_SPAN("f", s), LOG_SPAN("g", s), LOG_SPAN("h", s), LOG_SPAN("i", s),
        LOG_INT("z", 1));
    line = logged(pipe_in);
    assert_true(strlen(line) <= LOG_LINE_MAX);
    assert_int_equal(member_length(line, "i"), -1);
    assert_non_null(strstr(line, ",\"z\":1,\"cut\":true}\n"));

    /* Whatever room is left: the line has its end, and says what it lacks. */
    memset(longest, 'x', sizeof(longest));
    for (size_t n = LOG_FIELD_MAX / 2; n <= LOG_FIELD_MAX; n++) {
        LOG(LOG_INFO, "long", LOG_SPAN("a", fits), LOG_SPAN("b", fits), LOG_SPAN("c", fits),
            LOG_SPAN("d", ((struct span){longest, n})), LOG_SPAN("e", fits));
        line = logged(pipe_in);
        assert_true(strlen(line) <= LOG_LINE_MAX);
        assert_true(member_length(line, "d") >= LOG_FIELD_MAX / 2);
        assert_true(member_length(line, "e") > 0 || strstr(line, ",\"cut\":true}\n") != NULL);
    }
}

/* ---- A reader that does not read ---- */

static void fill_pipe(void)
{
    static const char zeros[4096];
    int flags = fcntl(pipe_out, F_GETFL);

    assert_int_equal(fcntl(pipe_out, F_SETFL, flags | O_NONBLOCK), 0);
    while (write(pipe_out, zeros, sizeof(zeros)) > 0)
        continue;
    while (write(pipe_out, zeros, 1) > 0)
        continue;
    assert_int_equal(fcntl(pipe_out, F_SETFL, flags), 0);
}

static void drain_pipe(void)
{
    static char sink[4096];
    struct pollfd p = {.fd = pipe_in, .events = POLLIN};

    while (poll(&p, 1, 0) == 1)
        assert_true(read(pipe_in, sink, sizeof(sink)) > 0);
}

static void test_stuck_reader(void **state)
{
    (void)state;
    fill_pipe();
    (void)alarm(10); /* a write that blocks ends the test */
    errno = EBADF;
    log_fields(LOG_INFO, "lost", NULL, 0);
    assert_int_equal(errno, EBADF);
    log_fields(LOG_INFO, "lost", NULL, 0);
    (void)alarm(0);
    drain_pipe();
    log_fields(LOG_INFO, "seen", NULL, 0);
    assert_logged("\",\"level\":\"info\",\"event\":\"seen\",\"dropped\":2}\n");
    log_fields(LOG_INFO, "seen", NULL, 0);
    assert_logged("\",\"level\":\"info\",\"event\":\"seen\"}\n");
}

/* A descriptor somebody made non-blocking takes part of a line: the next begins on a new one. */
static void test_partial_line(void **state)
{
    (void)state;
    write_results = (const ssize_t[]){-EINTR, 10, -EINTR, 7, -EAGAIN, -EAGAIN, 0};
    errno = EBADF;
    log_fields(LOG_INFO, "half", NULL, 0);
    assert_int_equal(errno, EBADF);
    log_fields(LOG_INFO, "none", NULL, 0);
    write_results = NULL;
    assert_string_equal(logged(pipe_in), "{\"timestamp\":\"202");
    log_fields(LOG_INFO, "seen", NULL, 0);
    const char *line = logged(pipe_in);
    assert_int_equal(line[0], '\n');
    assert_non_null(strstr(line, "\"event\":\"seen\",\"dropped\":2}\n"));
    log_fields(LOG_INFO, "seen", NULL, 0);
    assert_logged("\",\"level\":\"info\",\"event\":\"seen\"}\n");
}

/* Parts that all go out make one line. */
static void test_line_in_parts(void **state)
{
    (void)state;
    write_results = (const ssize_t[]){10, 1, 20, 0};
    log_fields(LOG_INFO, "whole", NULL, 0);
    assert_logged("\",\"level\":\"info\",\"event\":\"whole\"}\n");
}

static void test_broken_pipe(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(close(fds[0]), 0);
    log_to(fds[1]);
    log_fields(LOG_INFO, "lost", NULL, 0); /* POLLERR, and no SIGPIPE */
    log_to(-1);
    assert_int_equal(close(fds[1]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_journal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_auto, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stuck_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(test_partial_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_line_in_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_pipe, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
