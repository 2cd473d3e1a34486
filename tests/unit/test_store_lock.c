#include "store/lock.h"

#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

#define LOCK TREE_STATE "/lock"

static void test_one_holder(void **state)
{
    const struct tree *tree = *state;
    long holder = -1;

    int fd = lock_take(tree, &holder);
    assert_true(fd >= 0);
    assert_int_equal(holder, 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(scratch_mode(tree, LOCK), 0600);
    assert_int_equal(atol(scratch_get(tree, LOCK)), getpid());
    assert_int_equal(lock_take(tree, &holder), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    assert_int_equal(holder, getpid());
    assert_int_equal(close(fd), 0);
    fd = lock_take(tree, &holder);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
}

static void test_what_the_file_says(void **state)
{
    static const struct {
        const char *text;
        long holder;
    } cases[] = {
        {"123\n", 123}, {"", 0},      {"123", 0},   {"\n", 0},
        {"x\n", 0},     {"-5\n", 0},  {"0\n", 0},   {"99999999999999999999999999999\n", 0},
        {"12 \n", 0},   {"12\n3", 0}, {" 12\n", 0},
    };
    const struct tree *tree = *state;
    long holder;

    int fd = lock_take(tree, &holder);
    assert_true(fd >= 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        scratch_put(tree, LOCK, cases[i].text);
        holder = -1;
        assert_int_equal(lock_take(tree, &holder), -1);
        assert_int_equal(errno, EWOULDBLOCK);
        assert_int_equal(holder, cases[i].holder);
    }
    assert_int_equal(close(fd), 0);
    /* Of a longer text nothing stays. */
    scratch_put(tree, LOCK, "12345678901234\n12345678901234\n");
    fd = lock_take(tree, &holder);
    assert_true(fd >= 0);
    char own[32];
    (void)snprintf(own, sizeof(own), "%d\n", (int)getpid());
    assert_string_equal(scratch_get(tree, LOCK), own);
    assert_int_equal(close(fd), 0);
}

static void test_no_file(void **state)
{
    const struct tree *tree = *state;
    long holder;

    scratch_put(tree, "victim", "precious");
    assert_int_equal(symlink("../../victim", scratch_path(tree, LOCK)), 0);
    assert_int_equal(lock_take(tree, &holder), -1);
    assert_int_equal(errno, EINVAL);
    assert_string_equal(scratch_get(tree, "victim"), "precious");
    assert_int_equal(unlink(scratch_path(tree, LOCK)), 0);
    assert_int_equal(rmdir(scratch_path(tree, TREE_STATE)), 0);
    assert_int_equal(lock_take(tree, &holder), -1);
    assert_int_equal(errno, ENOENT);
}

/* Many start at once in a new tree: one gets it, the others are told so, and a kill ends it. */
static void test_processes(void **state)
{
    const struct tree *tree = *state;
    enum { PROCESSES = 8, ROUNDS = 20 };
    long holder;

    for (int round = 0; round < ROUNDS; round++) {
        pid_t pids[PROCESSES];
        int go[2], told[2];
        char results[PROCESSES];
        int held = 0;
        (void)unlink(scratch_path(tree, LOCK));
        assert_int_equal(pipe2(go, O_CLOEXEC), 0);
        assert_int_equal(pipe2(told, O_CLOEXEC), 0);
        for (size_t i = 0; i < PROCESSES; i++) {
            pids[i] = fork();
            if (pids[i] != 0)
                continue;
            char c;
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
            (void)close(go[1]);
            (void)!read(go[0], &c, 1);
            int fd = lock_take(tree, &holder);
            c = fd >= 0 ? 'y' : errno == EWOULDBLOCK ? 'n' : '?';
            (void)!write(told[1], &c, 1);
            for (;;)
                (void)pause();
        }
        assert_int_equal(close(go[1]), 0);
        for (size_t i = 0; i < PROCESSES; i++)
            assert_int_equal(read(told[0], &results[i], 1), 1);
        for (size_t i = 0; i < PROCESSES; i++) {
            assert_int_not_equal(results[i], '?');
            held += results[i] == 'y';
        }
        assert_int_equal(held, 1);
        for (size_t i = 0; i < PROCESSES; i++) {
            assert_int_equal(kill(pids[i], SIGKILL), 0);
            assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
        }
        int fd = lock_take(tree, &holder);
        assert_true(fd >= 0);
        assert_int_equal(close(fd), 0);
        assert_int_equal(close(go[0]) | close(told[0]) | close(told[1]), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_holder, make_tree, remove_tree),
        cmocka_unit_test_setup_teardown(test_what_the_file_says, make_tree, remove_tree),
        cmocka_unit_test_setup_teardown(test_no_file, make_tree, remove_tree),
        cmocka_unit_test_setup_teardown(test_processes, make_tree, remove_tree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
