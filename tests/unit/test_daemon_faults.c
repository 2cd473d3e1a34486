#include "daemon/faults.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* The log lines of one try, in static memory. */
static const char *tried(struct faults *f, enum fault_kind kind, int error, int64_t wall_ms)
{
    static char lines[4096];
    int fd[2];

    assert_int_equal(pipe(fd), 0);
    log_init(LOG_DEBUG, LOG_JSON);
    log_to(fd[1]);
    errno = ERANGE;
    faults_tried(f, kind, error, wall_ms);
    assert_int_equal(errno, ERANGE);
    log_to(-1);
    assert_int_equal(close(fd[1]), 0);
    ssize_t n = read(fd[0], lines, sizeof(lines) - 1);
    assert_true(n >= 0);
    lines[n] = '\0';
    assert_int_equal(close(fd[0]), 0);
    return lines;
}

static void test_logged_once_a_change(void **state)
{
    static struct faults f;

    (void)state;
    assert_string_equal(tried(&f, FAULT_PROPOSE, 0, 1), "");
    assert_false(f.changed);
    const char *line = tried(&f, FAULT_PROPOSE, ENOSPC, 2);
    assert_non_null(strstr(line, "\"event\":\"disk_fault\""));
    assert_non_null(strstr(line, "write actions/pending"));
    assert_non_null(strstr(line, strerror(ENOSPC)));
    assert_true(f.changed);
    assert_string_equal(tried(&f, FAULT_PROPOSE, ENOSPC, 3), "");
    assert_non_null(strstr(tried(&f, FAULT_PROPOSE, EROFS, 4), strerror(EROFS)));
    assert_int_equal(f.of[FAULT_PROPOSE].count, 3);
    assert_int_equal(f.of[FAULT_PROPOSE].since_ms, 4);
    /* One kind of work says nothing of another. */
    assert_string_equal(tried(&f, FAULT_AUDIT, 0, 5), "");
    assert_int_equal(f.of[FAULT_PROPOSE].error, EROFS);
    f.changed = false;
    assert_non_null(strstr(tried(&f, FAULT_PROPOSE, 0, 6), "\"event\":\"disk_fault_over\""));
    assert_true(f.changed);
    assert_int_equal(f.of[FAULT_PROPOSE].error, 0);
    assert_int_equal(f.of[FAULT_PROPOSE].since_ms, 6);
    assert_string_equal(tried(&f, FAULT_PROPOSE, 0, 7), "");
}

static void test_texts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FAULTS; i++)
        assert_string_not_equal(faults_text((enum fault_kind)i), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logged_once_a_change),
        cmocka_unit_test(test_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
