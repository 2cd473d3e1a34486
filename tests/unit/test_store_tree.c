#include "store/tree.h"

#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
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
    *state = &tree;
    return 0;
}

static int remove_tree(void **state)
{
    scratch_close(*state);
    return 0;
}

static void test_init(void **state)
{
    static char longest[RUNTIME_PATH_MAX + 1];
    static char too_long[RUNTIME_PATH_MAX + 2];
    static const struct {
        const char *path;
        int result;
        const char *kept;
    } cases[] = {
        {"/opt/homelab", 0, "/opt/homelab"},
        {"/opt/homelab//", 0, "/opt/homelab"},
        {"/", 0, "/"},
        {"///", 0, "/"},
        {"", -1, ""},
        {"opt", -1, ""},
        {"./opt", -1, ""},
        {longest, 0, longest},
        {too_long, -1, ""},
    };
    struct tree tree;

    (void)state;
    memset(longest, 'a', sizeof(longest) - 1);
    memset(too_long, 'a', sizeof(too_long) - 1);
    longest[0] = too_long[0] = '/';
    for (size_t i = 0; i < COUNT(cases); i++) {
        memset(&tree, 'x', sizeof(tree));
        assert_int_equal(tree_init(&tree, cases[i].path), cases[i].result);
        assert_string_equal(tree.path, cases[i].kept);
    }
    assert_int_equal(tree_init(&tree, NULL), -1);
}

static void test_open(void **state)
{
    const struct tree *tree = *state;
    char name[PATH_LEN_MAX];

    scratch_dirs(tree, "a/b");
    scratch_put(tree, "a/file", "");
    int fd = tree_open(tree, "a/b");
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    errno = EXDEV;
    tree_close(fd);
    assert_int_equal(errno, EXDEV);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    errno = EXDEV;
    tree_close(fd); /* which is closed: EBADF */
    assert_int_equal(errno, EXDEV);
    tree_close(-1);
    assert_int_equal(errno, EXDEV);

    assert_int_equal(tree_open(tree, "a/c"), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(tree_open(tree, "a/file"), -1);
    assert_int_equal(errno, ENOTDIR);
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(tree_open(tree, name), -1);
    assert_int_equal(errno, ENAMETOOLONG);
}

static void test_open_made_keeps_a_symlink(void **state)
{
    const struct tree *tree = *state;

    scratch_dirs(tree, "disk");
    assert_int_equal(symlink("disk", scratch_path(tree, "events")), 0);
    int fd = tree_open_made(tree, "events", 0755);
    assert_true(fd >= 0);
    tree_close(fd);
    fd = tree_open_made(tree, "x/y", 0750);
    assert_true(fd >= 0);
    tree_close(fd);
    assert_int_equal(scratch_mode(tree, "x/y"), 0750);
    scratch_put(tree, "plain", "");
    assert_int_equal(tree_open_made(tree, "plain", 0755), -1);
    assert_int_equal(errno, ENOTDIR);
}

/* Others write there, too, with their group. */
static void test_open_made_below_events(void **state)
{
    static const char *const made[] = {"disk/2026-05-28", "disk/2026-05-28/planner"};
    const struct tree *tree = *state;
    mode_t before = umask(022);

    scratch_dirs(tree, "disk");
    assert_int_equal(chmod(scratch_path(tree, "disk"), 02775), 0);
    assert_int_equal(symlink("disk", scratch_path(tree, "events")), 0);
    int fd = tree_open_made(tree, "events/2026-05-28/planner", 0755);
    assert_true(fd >= 0);
    tree_close(fd);
    for (size_t i = 0; i < COUNT(made); i++)
        assert_int_equal(scratch_mode(tree, made[i]), 02775);
    /* Where there is no such directory, it is made first; any other has the mode as told. */
    assert_int_equal(unlink(scratch_path(tree, "events")), 0);
    assert_int_equal(chmod(tree->path, 0770), 0);
    fd = tree_open_made(tree, "events/2026-05-28", 0751);
    assert_true(fd >= 0);
    tree_close(fd);
    assert_int_equal(scratch_mode(tree, "events"), 0751);
    assert_int_equal(scratch_mode(tree, "events/2026-05-28"), 0751);
    fd = tree_open_made(tree, "eventsx/y", 0755);
    assert_true(fd >= 0);
    tree_close(fd);
    assert_int_equal(scratch_mode(tree, "eventsx/y"), 0755);
    (void)umask(before);
}

/* Who may write to the tree must not lead us, perhaps as root, to where he may not. */
static void test_symlinks_below_the_tree_are_not_followed(void **state)
{
    static const char *const links[] = {"actions", "actions/pending", "state",
                                        "state/planner-agent"};
    static const char *const opened[] = {"actions/pending", "actions/pending",
                                         "state/planner-agent", "state/planner-agent"};
    const struct tree *tree = *state;

    for (size_t i = 0; i < COUNT(links); i++) {
        scratch_dirs(tree, "elsewhere/pending");
        scratch_dirs(tree, "elsewhere/planner-agent");
        scratch_dirs(tree, "actions");
        scratch_dirs(tree, "state");
        (void)rmdir(scratch_path(tree, links[i]));
        assert_int_equal(symlink(scratch_path(tree, "elsewhere"), scratch_path(tree, links[i])), 0);
        errno = 0;
        assert_int_equal(tree_open(tree, opened[i]), -1);
        assert_true(errno == ENOTDIR || errno == ELOOP);
        assert_int_equal(tree_open_made(tree, opened[i], 0755), -1);
        assert_int_equal(unlink(scratch_path(tree, links[i])), 0);
    }
}

static void test_prepare_makes_what_is_missing(void **state)
{
    static const struct {
        const char *path;
        mode_t mode;
    } made[] = {
        {"events", 0755},
        {"actions", 0755},
        {"actions/pending", 0755},
        {"state", 0755},
        {"state/planner-agent", 0700},
    };
    const struct tree *tree = *state;
    const char *failed = "x";
    mode_t before = umask(077);

    assert_int_equal(tree_prepare(tree, &failed), 0);
    (void)umask(before);
    assert_null(failed);
    for (size_t i = 0; i < COUNT(made); i++)
        assert_int_equal(scratch_mode(tree, made[i].path), made[i].mode);
    /* The daemon makes nothing that only an operator's command may write to. */
    assert_int_equal(scratch_count(tree, "actions"), 1);
    /* What is there stays as it is. */
    assert_int_equal(chmod(scratch_path(tree, "actions/pending"), 02770), 0);
    assert_int_equal(tree_prepare(tree, &failed), 0);
    assert_int_equal(scratch_mode(tree, "actions/pending"), 02770);
}

static void test_prepare_inherits_the_owner(void **state)
{
    const struct tree *tree = *state;
    const char *failed;
    struct stat st;

    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(tree->path, 1234, 2345), 0);
    assert_int_equal(tree_prepare(tree, &failed), 0);
    assert_int_equal(stat(scratch_path(tree, "actions/pending"), &st), 0);
    assert_int_equal(st.st_uid, 1234);
    assert_int_equal(st.st_gid, 2345);
    int dir = tree_open(tree, "state");
    int fd = tree_file(dir, "file", 0600);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_uid, 1234);
    assert_int_equal(st.st_gid, 2345);
    tree_close(fd);
    tree_close(dir);
}

/* A pid that was a process's and is nobody's now. */
static pid_t dead_pid(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return pid;
}

static void test_prepare_sweeps_what_the_dead_left(void **state)
{
    static const char *const swept[] = {"actions/pending", "state/planner-agent"};
    const struct tree *tree = *state;
    const char *failed;
    char name[128];

    for (size_t i = 0; i < COUNT(swept); i++) {
        (void)snprintf(name, sizeof(name), "%s/.tmp-00-0-%d", swept[i], (int)dead_pid());
        scratch_put(tree, name, "half");
        (void)snprintf(name, sizeof(name), "%s/.tmp-00-0-%d", swept[i], (int)getppid());
        scratch_put(tree, name, "of the living");
        (void)snprintf(name, sizeof(name), "%s/.claim-x", swept[i]);
        scratch_put(tree, name, "{}");
    }
    assert_int_equal(tree_prepare(tree, &failed), 0);
    for (size_t i = 0; i < COUNT(swept); i++)
        assert_int_equal(scratch_count(tree, swept[i]), 2);
}

static void test_prepare_names_what_failed(void **state)
{
    const struct tree *tree = *state;
    struct tree absent;
    const char *failed = NULL;

    scratch_put(tree, "state", "a file");
    assert_int_equal(tree_prepare(tree, &failed), -1);
    assert_int_equal(errno, ENOTDIR);
    assert_string_equal(failed, "state");

    /* An empty mount point's parent is not filled. */
    assert_int_equal(tree_init(&absent, scratch_path(tree, "absent")), 0);
    assert_int_equal(tree_prepare(&absent, &failed), -1);
    assert_int_equal(errno, ENOENT);
    assert_string_equal(failed, "events");
    assert_false(scratch_has(tree, "absent"));
}

static void test_file(void **state)
{
    const struct tree *tree = *state;
    mode_t before = umask(077);

    int dir = tree_open(tree, ".");
    assert_true(dir >= 0);
    int fd = tree_file(dir, "new", 0644);
    (void)umask(before);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(fd, "x", 1), 1);
    tree_close(fd);
    assert_int_equal(scratch_mode(tree, "new"), 0644);
    assert_int_equal(chmod(scratch_path(tree, "new"), 0640), 0);
    fd = tree_file(dir, "new", 0600);
    assert_true(fd >= 0);
    tree_close(fd);
    assert_int_equal(scratch_mode(tree, "new"), 0640);
    assert_string_equal(scratch_get(tree, "new"), "x");

    scratch_dirs(tree, "directory");
    assert_int_equal(symlink("new", scratch_path(tree, "symlink")), 0);
    assert_int_equal(symlink("nowhere", scratch_path(tree, "dangling")), 0);
    assert_int_equal(mkfifo(scratch_path(tree, "fifo"), 0600), 0);
    static const char *const others[] = {"directory", "symlink", "dangling", "fifo"};
    for (size_t i = 0; i < COUNT(others); i++) {
        assert_int_equal(tree_file(dir, others[i], 0600), -1);
        assert_int_equal(errno, EINVAL);
    }
    assert_false(scratch_has(tree, "nowhere"));
    tree_close(dir);
}

static int probe_state(const struct tree *tree)
{
    return tree_probe(tree, "state");
}

static int probe_full(const struct tree *tree)
{
    const struct rlimit none = {0, 0};

    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &none) != 0)
        return 255;
    return tree_probe(tree, "state");
}

static void test_probe(void **state)
{
    const struct tree *tree = *state;

    assert_int_equal(tree_probe(tree, "state"), ENOENT);
    scratch_dirs(tree, "state");
    assert_int_equal(tree_probe(tree, "state"), 0);
    assert_int_equal(scratch_in_child(probe_full, tree), EFBIG);
    assert_int_equal(scratch_count(tree, "state"), 0);
    assert_int_equal(chmod(scratch_path(tree, "state"), 0555), 0);
    assert_int_equal(scratch_as_user(probe_state, tree), EACCES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init),
        cmocka_unit_test_setup_teardown(test_open, make_tree, remove_tree),
        cmocka_unit_test_setup_teardown(test_open_made_keeps_a_symlink, make_tree, remove_tree),
        cmocka_unit_test_setup_teardown(test_open_made_below_events, make_tree, remove_tree),
        cmocka_unit_test_setup_teardown(test_symlinks_below_the_tree_are_not_followed, make_tree,
                                        remove_tree),
        cmocka_unit_test_setup_teardown(test_prepare_makes_what_is_missing, make_tree, remove_tree),
        cmocka_unit_test_setup_teardown(test_prepare_inherits_the_owner, make_tree, remove_tree),
        cmocka_unit_test_setup_teardown(test_prepare_sweeps_what_the_dead_left, make_tree,
                                        remove_tree),
        cmocka_unit_test_setup_teardown(test_prepare_names_what_failed, make_tree, remove_tree),
        cmocka_unit_test_setup_teardown(test_file, make_tree, remove_tree),
        cmocka_unit_test_setup_teardown(test_probe, make_tree, remove_tree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
