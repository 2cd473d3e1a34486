#include "base/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static char root[64];
static int base;

static int setup(void **state)
{
    (void)state;
    strncpy(root, "/tmp/test-dir-XXXXXX", sizeof(root) - 1);
    if (mkdtemp(root) == NULL)
        return -1;
    base = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return base >= 0 ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return close(base) | nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void make_file(const char *name)
{
    assert_int_equal(close(openat(base, name, O_WRONLY | O_CREAT, 0600)), 0);
}

/* More names than one read of the directory holds. */
enum { FILES = 500 };

static void make_files(void)
{
    char name[] = "an-event-with-a-rather-long-name-000";

    for (int i = 0; i < FILES; i++) {
        char *digits = name + sizeof(name) - sizeof("000");
        digits[0] = (char)('0' + i / 100);
        digits[1] = (char)('0' + i / 10 % 10);
        digits[2] = (char)('0' + i % 10);
        make_file(name);
    }
}

static void read_all(struct dir *d)
{
    static bool seen[FILES];
    struct dir_entry entry;
    struct stat st;
    int count = 0;

    memset(seen, 0, sizeof(seen));
    for (; dir_next(d, &entry) == 1; count++) {
        long number = strtol(strrchr(entry.name, '-') + 1, NULL, 10);
        assert_in_range(number, 0, FILES - 1);
        assert_false(seen[number]);
        seen[number] = true;
        assert_true(entry.type == DIR_REGULAR || entry.type == DIR_UNKNOWN);
        assert_int_equal(fstatat(d->fd, entry.name, &st, 0), 0);
        assert_true(st.st_ino == entry.inode);
    }
    assert_int_equal(count, FILES);
}

static void test_entries(void **state)
{
    struct dir d;
    struct dir_entry entry;

    (void)state;
    assert_int_equal(dir_open(&d, base, "."), 0);
    assert_int_equal(fcntl(d.fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(dir_next(&d, &entry), 0);
    assert_int_equal(dir_next(&d, &entry), 0);
    make_files();
    dir_rewind(&d);
    read_all(&d);
    dir_rewind(&d);
    assert_int_equal(dir_next(&d, &entry), 1);
    dir_rewind(&d); /* from the middle */
    read_all(&d);
    dir_close(&d);
    assert_int_equal(d.fd, -1);
}

static void test_errors(void **state)
{
    struct dir d;
    struct dir_entry entry;

    (void)state;
    assert_int_equal(dir_open(&d, base, "none"), -1);
    assert_int_equal(errno, ENOENT);
    dir_close(&d);
    assert_int_equal(dir_open(&d, base, "."), 0);
    dir_close(&d);
    assert_int_equal(dir_next(&d, &entry), -1);
    assert_int_equal(errno, EBADF);
    errno = 0;
    assert_int_equal(dir_next(&d, &entry), -1);
    assert_int_equal(errno, EBADF);
    dir_rewind(&d);
    errno = 0;
    assert_int_equal(dir_next(&d, &entry), -1);
    assert_int_equal(errno, EBADF);
    dir_close(&d);
}

static void test_types(void **state)
{
    static const char *const no_directories[] = {"regular", "link", "fifo"};
    struct dir d;
    struct dir_entry entry;
    int found = 0;

    (void)state;
    make_file("regular");
    assert_int_equal(mkdirat(base, "directory", 0700), 0);
    assert_int_equal(symlinkat("directory", base, "link"), 0);
    assert_int_equal(mkfifoat(base, "fifo", 0600), 0);
    for (size_t i = 0; i < sizeof(no_directories) / sizeof(no_directories[0]); i++)
        assert_int_equal(dir_open(&d, base, no_directories[i]), -1);
    assert_int_equal(dir_open(&d, AT_FDCWD, root), 0);
    for (; dir_next(&d, &entry) == 1; found++) {
        enum dir_type expected = DIR_OTHER;
        if (strcmp(entry.name, "directory") == 0)
            expected = DIR_DIRECTORY;
        if (strcmp(entry.name, "regular") == 0)
            expected = DIR_REGULAR;
        assert_true(entry.type == expected || entry.type == DIR_UNKNOWN);
    }
    assert_int_equal(found, 4);
    dir_close(&d);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_entries),
        TEST(test_errors),
        TEST(test_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
