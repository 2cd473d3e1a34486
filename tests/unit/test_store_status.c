#include "store/status.h"

#include "base/file.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int make_tree(void **state)
{
    static struct tree tree;

    scratch_open(&tree);
    scratch_dirs(&tree, TREE_STATE);
    *state = &tree;
    return 0;
}

static int remove_tree(void **state)
{
    scratch_close(*state);
    return 0;
}

#define STATUS TREE_STATE "/status.json"

static char data[STATUS_SIZE];
static char large[STATUS_SIZE + 2];

static off_t size_of(const struct tree *tree)
{
    struct stat st;

    assert_int_equal(stat(scratch_path(tree, STATUS), &st), 0);
    return st.st_size;
}

static void expect(const struct tree *tree, const char *text)
{
    struct span object;

    assert_int_equal(status_read(tree, data, &object), 0);
    assert_true(span_is(object, text));
    assert_int_equal(size_of(tree), STATUS_SIZE);
}

/* {"a":"xxx..."} of n bytes. */
static struct span object_of(size_t n)
{
    memset(large, 'x', n);
    memcpy(large, "{\"a\":\"", 6);
    memcpy(large + n - 2, "\"}", 2);
    large[n] = '\0';
    return (struct span){large, n};
}

static void test_round_trip(void **state)
{
    static const size_t sizes[] = {8, 100, STATUS_SIZE, 4096, STATUS_SIZE - 1, 8};
    const struct tree *tree = *state;
    struct stat first, last;

    assert_int_equal(status_write(tree, span_of("{}")), 0);
    assert_int_equal(scratch_mode(tree, STATUS), 0600);
    assert_int_equal(stat(scratch_path(tree, STATUS), &first), 0);
    expect(tree, "{}");
    for (size_t i = 0; i < COUNT(sizes); i++) {
        assert_int_equal(status_write(tree, object_of(sizes[i])), 0);
        expect(tree, large);
    }
    assert_int_equal(status_write(tree, object_of(STATUS_SIZE + 1)), -1);
    assert_int_equal(errno, EFBIG);
    /* In place: a full disk has no room for another file. */
    assert_int_equal(stat(scratch_path(tree, STATUS), &last), 0);
    assert_int_equal(first.st_ino, last.st_ino);
}

/* Flash: what is blank and was is not written again. */
static void test_blocks(void **state)
{
    static const struct {
        size_t n;
        int64_t written;
    } cases[] = {
        {100, STATUS_SIZE}, {100, 4096},    {4096, 4096}, {4097, 8192}, {100, 8192},
        {100, 4096},        {20000, 20480}, {8, 20480},   {8, 4096},
    };
    const struct tree *tree = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct file_writes before = file_writes();
        if (i == 0)
            scratch_put(tree, STATUS, "");
        assert_int_equal(status_write(tree, object_of(cases[i].n)), 0);
        assert_int_equal(file_writes().count - before.count, 1);
        assert_int_equal(file_writes().bytes - before.bytes, cases[i].written);
        expect(tree, large);
    }
    /* Another file in its place. */
    scratch_put(tree, STATUS, "{\"a\":");
    assert_int_equal(status_write(tree, span_of("{}")), 0);
    expect(tree, "{}");
}

static void test_what_is_no_status(void **state)
{
    const struct tree *tree = *state;
    struct span object;

    assert_int_equal(status_read(tree, data, &object), -1);
    assert_int_equal(errno, ENOENT);
    scratch_put(tree, STATUS, "{\"a\":");
    assert_int_equal(status_read(tree, data, &object), -1);
    assert_int_equal(errno, EBADMSG);
    scratch_put(tree, STATUS, "");
    assert_int_equal(status_read(tree, data, &object), -1);
    assert_int_equal(errno, EBADMSG);
    scratch_put_bytes(tree, STATUS, large, sizeof(large));
    assert_int_equal(status_read(tree, data, &object), -1);
    assert_int_equal(errno, EFBIG);
    assert_int_equal(status_write(tree, span_of("{\"b\":1}")), 0);
    expect(tree, "{\"b\":1}");
    assert_int_equal(unlink(scratch_path(tree, STATUS)), 0);
    assert_int_equal(symlink("../../victim", scratch_path(tree, STATUS)), 0);
    assert_int_equal(status_read(tree, data, &object), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(status_write(tree, span_of("{}")), -1);
    assert_int_equal(errno, EINVAL);
    assert_false(scratch_has(tree, "victim"));
}

/* Another program that writes while we read: at each of the reader's pauses the next step of a
 * script. 'h' is the first half of another state, 't' the second, 'w' all of it, '.' nothing. What
 * is torn is JSON, too. */
static struct {
    int fd;
    int turn;
    const char *step;
    const char *again; /* after the last step */
} writer;

static void write_step(char step)
{
    static char image[STATUS_SIZE];

    writer.turn += step == 'h' || step == 'w';
    memset(image, ' ', sizeof(image));
    (void)snprintf(image, 32, "{\"from\":1%08d,\"to\":", writer.turn);
    (void)snprintf(image + STATUS_SIZE - 16, 16, "1%08d", writer.turn);
    image[strlen(image)] = ' ';
    memset(image + STATUS_SIZE - 7, ' ', 7);
    image[STATUS_SIZE - 7] = '}';
    size_t from = step == 't' ? STATUS_SIZE / 2 : 0;
    size_t end = step == 'h' ? STATUS_SIZE / 2 : STATUS_SIZE;
    if (step != '.')
        assert_int_equal(pwrite(writer.fd, image + from, end - from, (off_t)from), end - from);
}

/* The reader's pause; where nobody writes, it is none. */
int nanosleep(const struct timespec *time, struct timespec *rest)
{
    if (writer.step == NULL)
        return 0;
    assert_int_equal(time->tv_nsec, STATUS_READ_PAUSE_MS * 1000000L);
    assert_null(rest);
    if (*writer.step == '\0') {
        assert_non_null(writer.again);
        writer.step = writer.again;
    }
    write_step(*writer.step++);
    return 0;
}

static void test_torn_writes_are_not_seen(void **state)
{
    static const struct {
        const char *before;
        const char *during;
        int turn; /* of what is read; 0 = it never ends */
    } cases[] = {
        {"w", ".", 1},      {"wh", "t.", 2}, {"w", "ht.", 2}, {"w", "w.", 2},
        {"w", "hthtw.", 4}, {"w", "ht", 0},  {"wh", "th", 0}, {"w", "w", 0},
    };
    const struct tree *tree = *state;
    struct span object;
    char number[16];

    scratch_put(tree, STATUS, "");
    writer.fd = open(scratch_path(tree, STATUS), O_WRONLY | O_CLOEXEC);
    for (size_t i = 0; i < COUNT(cases); i++) {
        writer.turn = 0;
        for (const char *step = cases[i].before; *step != '\0'; step++)
            write_step(*step);
        writer.step = cases[i].during;
        writer.again = cases[i].turn == 0 ? writer.step : NULL;
        int result = status_read(tree, data, &object);
        if (cases[i].turn == 0) {
            assert_int_equal(result, -1);
            assert_int_equal(errno, EBADMSG);
            continue;
        }
        assert_int_equal(result, 0);
        assert_int_equal(*writer.step, '\0');
        (void)snprintf(number, sizeof(number), "1%08d", cases[i].turn);
        assert_memory_equal(object.p + 8, number, 9);
        assert_memory_equal(object.p + object.n - 10, number, 9);
    }
    writer.step = NULL;
    assert_int_equal(close(writer.fd), 0);
}

enum { WORKS, CANNOT_MOUNT, NOT_FULL, FAILS, READS_WRONG };

static int write_on_full_disk(const struct tree *tree)
{
    static char block[4096];
    struct span object;

    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", scratch_path(tree, TREE_STATE), "tmpfs", 0, "size=128k,mode=700") != 0)
        return CANNOT_MOUNT;
    if (status_write(tree, span_of("{\"disk\":\"empty\"}")) != 0)
        return FAILS;
    int fd = open(scratch_path(tree, TREE_STATE "/filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    while (write(fd, block, sizeof(block)) > 0)
        continue;
    if (fd < 0 || errno != ENOSPC || tree_probe(tree, TREE_STATE) != ENOSPC)
        return NOT_FULL;
    if (status_write(tree, object_of(STATUS_SIZE - 10)) != 0)
        return FAILS;
    if (status_read(tree, data, &object) != 0 || !span_is(object, large))
        return READS_WRONG;
    return WORKS;
}

static void test_full_disk(void **state)
{
    int result = geteuid() == 0 ? scratch_in_child(write_on_full_disk, *state) : CANNOT_MOUNT;

    if (result == CANNOT_MOUNT)
        skip();
    assert_int_equal(result, WORKS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, make_tree, remove_tree),
        cmocka_unit_test_setup_teardown(test_blocks, make_tree, remove_tree),
        cmocka_unit_test_setup_teardown(test_what_is_no_status, make_tree, remove_tree),
        cmocka_unit_test_setup_teardown(test_torn_writes_are_not_seen, make_tree, remove_tree),
        cmocka_unit_test_setup_teardown(test_full_disk, make_tree, remove_tree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
