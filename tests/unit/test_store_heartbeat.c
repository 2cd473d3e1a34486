#include "store/heartbeat.h"

#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

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

static int64_t wall_ms(void)
{
    struct timespec t;

    assert_int_equal(clock_gettime(CLOCK_REALTIME, &t), 0);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void make_old(const char *path)
{
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000, .tv_nsec = 250000000}};

    assert_int_equal(utimensat(AT_FDCWD, path, old, AT_SYMLINK_NOFOLLOW), 0);
}

static void test_beat(void **state)
{
    const struct tree *tree = *state;
    const char *path = scratch_path(tree, TREE_HEARTBEAT);
    const int64_t tick = 100; /* a file's clock may be behind by a tick of the kernel's */

    assert_int_equal(heartbeat_last(tree), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(heartbeat_beat(tree), 0);
    assert_int_equal(scratch_mode(tree, TREE_HEARTBEAT), 0644);
    assert_string_equal(scratch_get(tree, TREE_HEARTBEAT), "");
    make_old(path);
    assert_int_equal(heartbeat_last(tree), 1000250);
    int64_t before = wall_ms() - tick;
    assert_int_equal(heartbeat_beat(tree), 0);
    assert_in_range(heartbeat_last(tree), before, wall_ms());
}

/* It is there for the beats to come, and is none. */
static void test_make(void **state)
{
    const struct tree *tree = *state;

    assert_int_equal(heartbeat_make(tree), 0);
    assert_int_equal(scratch_mode(tree, TREE_HEARTBEAT), 0644);
    assert_int_equal(heartbeat_last(tree), 0);
    make_old(scratch_path(tree, TREE_HEARTBEAT));
    assert_int_equal(heartbeat_make(tree), 0);
    assert_int_equal(heartbeat_last(tree), 1000250);
}

static void test_symlink_is_not_followed(void **state)
{
    const struct tree *tree = *state;
    struct stat st;

    scratch_put(tree, "victim", "");
    make_old(scratch_path(tree, "victim"));
    assert_int_equal(symlink("../victim", scratch_path(tree, TREE_HEARTBEAT)), 0);
    assert_int_equal(heartbeat_beat(tree), 0);
    assert_int_equal(stat(scratch_path(tree, "victim"), &st), 0);
    assert_int_equal(st.st_mtime, 1000);
    assert_int_equal(heartbeat_last(tree), -1);
    assert_int_equal(errno, EINVAL);
}

static void test_no_directory(void **state)
{
    const struct tree *tree = *state;

    assert_int_equal(rmdir(scratch_path(tree, TREE_STATE)), 0);
    assert_int_equal(rmdir(scratch_path(tree, "state")), 0);
    assert_int_equal(heartbeat_beat(tree), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(heartbeat_last(tree), -1);
    assert_int_equal(errno, ENOENT);
}

static int beat_errno(const struct tree *tree)
{
    return heartbeat_beat(tree) == 0 ? 0 : errno;
}

static void test_denied(void **state)
{
    const struct tree *tree = *state;

    assert_int_equal(chmod(scratch_path(tree, "state"), 0555), 0);
    assert_int_equal(scratch_as_user(beat_errno, tree), EACCES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_beat, make_tree, remove_tree),
        cmocka_unit_test_setup_teardown(test_make, make_tree, remove_tree),
        cmocka_unit_test_setup_teardown(test_symlink_is_not_followed, make_tree, remove_tree),
        cmocka_unit_test_setup_teardown(test_no_directory, make_tree, remove_tree),
        cmocka_unit_test_setup_teardown(test_denied, make_tree, remove_tree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
