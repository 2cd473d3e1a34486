#include "kept_log.h"

#include "base/log.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static int file = -1;

void kept_log_open(void)
{
    file = memfd_create("log", MFD_CLOEXEC);
    assert_true(file >= 0);
    log_init(LOG_DEBUG, LOG_JSON);
    log_to(file);
}

void kept_log_close(void)
{
    log_to(-1);
    assert_int_equal(close(file), 0);
    file = -1;
}

unsigned kept_log_has(const char *text)
{
    static char all[262144];
    ssize_t n = pread(file, all, sizeof(all) - 1, 0);
    unsigned found = 0;

    assert_true(n >= 0 && n < (ssize_t)sizeof(all) - 1);
    all[n] = '\0';
    for (const char *at = all; (at = strstr(at, text)) != NULL; at++)
        found++;
    return found;
}

unsigned kept_log_lines(void)
{
    return kept_log_has("\n");
}
