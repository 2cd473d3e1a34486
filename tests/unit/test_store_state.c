#include "store/state.h"

#include "base/limits.h"
#include "base/log.h"

#include "scratch.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define NAME "cooldowns"
#define FILE_PATH TREE_STATE "/" NAME
#define ASIDE_PATH FILE_PATH ".damaged"
#define FIRST "{\"kind\":\"cooldowns\",\"version\":1}\n"

/* Faults of the disk: these stand before libc's. */
static int pread_error;
static int fsync_error;

ssize_t pread(int fd, void *to, size_t n, off_t offset)
{
    static ssize_t (*real)(int, void *, size_t, off_t);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "pread");
    if (pread_error == 0)
        return real(fd, to, n, offset);
    errno = pread_error;
    return -1;
}

int fsync(int fd)
{
    static int (*real)(int);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "fsync");
    if (fsync_error == 0)
        return real(fd);
    errno = fsync_error;
    return -1;
}

/* What is logged, to be read back. */
static int log_fd = -1;

static void open_log(void)
{
    FILE *file = tmpfile();

    assert_non_null(file);
    if (log_fd >= 0)
        assert_int_equal(close(log_fd), 0);
    log_fd = fcntl(fileno(file), F_DUPFD_CLOEXEC, 0);
    assert_int_equal(fclose(file), 0);
    log_init(LOG_DEBUG, LOG_JSON);
    log_to(log_fd);
}

static const char *logged(void)
{
    static char text[8192];
    ssize_t n = 0;

    assert_int_equal(lseek(log_fd, 0, SEEK_SET), 0);
    n = read(log_fd, text, sizeof(text) - 1);
    assert_true(n >= 0);
    text[n] = '\0';
    assert_int_equal(ftruncate(log_fd, 0), 0);
    assert_int_equal(lseek(log_fd, 0, SEEK_SET), 0);
    return text;
}

static int make_tree(void **state)
{
    static struct tree tree;

    scratch_open(&tree);
    scratch_dirs(&tree, TREE_STATE);
    pread_error = fsync_error = 0;
    open_log();
    *state = &tree;
    return 0;
}

static int remove_tree(void **state)
{
    scratch_close(*state);
    return 0;
}

/* What a load brought: the lines, joined by '|'. */
static char brought[4096];
static int64_t lines;
static const char *refused;

static int take(void *arg, struct span object)
{
    size_t used = strlen(brought);

    assert_string_equal(arg, "arg");
    lines++;
    if (refused != NULL && span_is(object, refused))
        return -1;
    if (object.n + 2 < sizeof(brought) - used) {
        memcpy(brought + used, object.p, object.n);
        memcpy(brought + used + object.n, "|", 2);
    }
    return 0;
}

static enum state_result load(const struct tree *tree)
{
    static char arg[] = "arg";

    brought[0] = '\0';
    lines = 0;
    return state_load(tree, NAME, take, arg);
}

static int save(const struct tree *tree, const char *const *texts, size_t count)
{
    struct state_out out;

    assert_int_equal(state_begin(&out, tree, NAME), 0);
    for (size_t i = 0; i < count; i++)
        state_line(&out, span_of(texts[i]));
    return state_save(&out);
}

static void test_round_trip(void **state)
{
    static const char *const texts[] = {"{\"a\":1}", "{}", "{\"b\":\"x y\"}"};
    const struct tree *tree = *state;

    assert_int_equal(load(tree), STATE_ABSENT);
    assert_int_equal(save(tree, texts, COUNT(texts)), 0);
    assert_string_equal(scratch_get(tree, FILE_PATH),
                        FIRST "{\"a\":1}\n{}\n{\"b\":\"x y\"}\n{\"lines\":3}\n");
    assert_int_equal(scratch_mode(tree, FILE_PATH), 0600);
    assert_int_equal(load(tree), STATE_LOADED);
    assert_string_equal(brought, "{\"a\":1}|{}|{\"b\":\"x y\"}|");
    assert_int_equal(save(tree, NULL, 0), 0);
    assert_string_equal(scratch_get(tree, FILE_PATH), FIRST "{\"lines\":0}\n");
    assert_int_equal(load(tree), STATE_LOADED);
    assert_int_equal(lines, 0);
    assert_int_equal(scratch_count(tree, TREE_STATE), 1);
    assert_string_equal(logged(), "");
}

/* Lines of every length up to the longest, so that each border of the window is crossed. */
static void test_many_lines(void **state)
{
    static char text[STATE_LINE_MAX + 1];
    const struct tree *tree = *state;
    struct state_out out;
    int64_t written = 0;

    memset(text, 'x', sizeof(text));
    assert_int_equal(state_begin(&out, tree, NAME), 0);
    for (size_t n = 1; n <= STATE_LINE_MAX; n = n * 3 / 2 + 1, written++)
        state_line(&out, (struct span){text, n});
    for (int i = 0; i < 3; i++, written++)
        state_line(&out, (struct span){text, STATE_LINE_MAX});
    for (int i = 0; i < 20000; i++, written++)
        state_line(&out, span_of("{\"key\":\"solaria/web\"}"));
    assert_int_equal(state_save(&out), 0);
    assert_int_equal(load(tree), STATE_LOADED);
    assert_int_equal(lines, written);
}

static void expect_damage(const struct tree *tree, const char *what)
{
    char wanted[] = "\"event\":\"state_damaged\"";

    if (load(tree) != STATE_DAMAGED || scratch_has(tree, FILE_PATH) ||
        !scratch_has(tree, ASIDE_PATH))
        fail_msg("not seen or not put aside: %s", what);
    const char *line = logged();
    assert_non_null(strstr(line, wanted));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    assert_int_equal(load(tree), STATE_ABSENT);
}

static void test_every_truncation_is_seen(void **state)
{
    static const char whole[] = FIRST "{\"a\":1}\n{\"lines\":1}\n{\"lines\":2}\n";
    const struct tree *tree = *state;

    for (size_t n = 0; n < sizeof(whole) - 1; n++) {
        /* Cut here it is a whole file of one line. */
        if (n == sizeof(whole) - sizeof("{\"lines\":2}\n"))
            continue;
        scratch_put_bytes(tree, FILE_PATH, whole, n);
        expect_damage(tree, "truncated");
    }
    scratch_put(tree, FILE_PATH, whole);
    assert_int_equal(load(tree), STATE_LOADED);
    assert_string_equal(brought, "{\"a\":1}|{\"lines\":1}|");
}

static void test_every_changed_byte_outside_the_lines_is_seen(void **state)
{
    const struct tree *tree = *state;
    static const char whole[] = FIRST "{\"a\":1}\n{\"lines\":1}\n";
    char text[sizeof(whole)];

    for (size_t i = 0; i < sizeof(whole) - 1; i++) {
        if (i >= sizeof(FIRST) - 1 && i < sizeof(FIRST "{\"a\":1}") - 1)
            continue;
        memcpy(text, whole, sizeof(whole));
        text[i] ^= 1;
        scratch_put(tree, FILE_PATH, text);
        expect_damage(tree, text);
    }
}

static void test_damage(void **state)
{
    static char huge[STATE_LINE_MAX + 2];
    static const char *const cases[] = {
        "",
        "\n",
        "garbage",
        "{\"lines\":0}\n",
        FIRST,
        FIRST "{\"a\":1}\n",
        FIRST "{\"a\":1}\n{\"lines\":2}\n",
        FIRST "{\"a\":1}\n{\"lines\":0}\n",
        FIRST "{\"a\":1}\n{\"lines\":1}",
        FIRST "{\"a\":1}\n{\"lines\":1}\n\n",
        FIRST "{\"a\":1}\n{\"lines\":1}\n{\"a\":1}\n",
        FIRST "{\"a\":1}\n{\"lines\":1}\n" FIRST,
        FIRST "{\"lines\": 0}\n",
        FIRST "{\"lines\":00}\n",
        FIRST "{\"lines\":-0}\n",
        "{\"kind\":\"progress\",\"version\":1}\n{\"lines\":0}\n",
        "{\"kind\":\"cooldowns\",\"version\":2}\n{\"lines\":0}\n",
        "{\"kind\":\"cooldowns\",\"version\":1} \n{\"lines\":0}\n",
        FIRST "{\"bad\":1}\n{\"lines\":1}\n",
        FIRST "{\"a\":1}\n{\"bad\":1}\n{\"lines\":2}\n",
        huge,
    };
    const struct tree *tree = *state;

    refused = "{\"bad\":1}";
    memset(huge, 'x', sizeof(huge) - 1);
    for (size_t i = 0; i < COUNT(cases); i++) {
        scratch_put(tree, FILE_PATH, cases[i]);
        expect_damage(tree, cases[i]);
        assert_string_equal(scratch_get(tree, ASIDE_PATH), cases[i]);
    }
    /* A line that is too long in the middle, NULs at the end as some file systems leave them. */
    memcpy(huge, FIRST, sizeof(FIRST) - 1);
    scratch_put(tree, FILE_PATH, huge);
    expect_damage(tree, "a line that is too long");
    scratch_put_bytes(tree, FILE_PATH, FIRST "{\"lines\":0}\n\0\0\0", sizeof(FIRST) + 14);
    expect_damage(tree, "NULs at the end");
    memset(huge, 0, sizeof(huge));
    scratch_put_bytes(tree, FILE_PATH, huge, 300);
    expect_damage(tree, "nothing but NULs");
    refused = NULL;
}

static void test_no_regular_file(void **state)
{
    const struct tree *tree = *state;

    scratch_put(tree, "victim", FIRST "{\"lines\":0}\n");
    assert_int_equal(symlink("../../victim", scratch_path(tree, FILE_PATH)), 0);
    expect_damage(tree, "a symlink");
    assert_int_equal(mkfifo(scratch_path(tree, FILE_PATH), 0600), 0);
    expect_damage(tree, "a FIFO");
    assert_int_equal(unlink(scratch_path(tree, ASIDE_PATH)), 0);
    scratch_dirs(tree, FILE_PATH);
    expect_damage(tree, "a directory");
    /* It cannot be put aside: it is said, and the load ends. */
    scratch_put(tree, FILE_PATH, "garbage");
    assert_int_equal(load(tree), STATE_DAMAGED);
    assert_non_null(strstr(logged(), "\"error\":"));
}

static void test_fault_is_no_damage(void **state)
{
    static const char *const texts[] = {"{}"};
    const struct tree *tree = *state;

    assert_int_equal(save(tree, texts, 1), 0);
    pread_error = EIO;
    assert_int_equal(load(tree), STATE_FAULT);
    assert_int_equal(errno, EIO);
    pread_error = 0;
    assert_false(scratch_has(tree, ASIDE_PATH));
    assert_int_equal(load(tree), STATE_LOADED);
    assert_string_equal(logged(), "");
}

static int load_errno(const struct tree *tree)
{
    return load(tree) == STATE_FAULT ? errno : 0;
}

static void test_denied_is_no_damage(void **state)
{
    const struct tree *tree = *state;

    assert_int_equal(save(tree, NULL, 0), 0);
    assert_int_equal(chmod(scratch_path(tree, FILE_PATH), 0), 0);
    assert_int_equal(scratch_as_user(load_errno, tree), EACCES);
    assert_int_equal(chmod(scratch_path(tree, TREE_STATE), 0), 0);
    assert_int_equal(scratch_as_user(load_errno, tree), EACCES);
    assert_int_equal(chmod(scratch_path(tree, TREE_STATE), 0700), 0);
    assert_true(scratch_has(tree, FILE_PATH));
}

static void test_a_failed_save_keeps_the_old(void **state)
{
    static const char *const old[] = {"{\"old\":1}"};
    static const char *const broken[] = {"{\"a\":1}", "{\"b\"\n:1}", "{\"c\":1}"};
    static const char *const empty[] = {""};
    static char large[STATE_LINE_MAX + 2];
    static const char *const too_large[] = {large};
    const struct tree *tree = *state;

    memset(large, 'x', sizeof(large) - 1);
    assert_int_equal(save(tree, old, 1), 0);
    assert_int_equal(save(tree, broken, COUNT(broken)), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(save(tree, empty, 1), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(save(tree, too_large, 1), -1);
    assert_int_equal(errno, EINVAL);
    fsync_error = EIO;
    assert_int_equal(save(tree, broken, 1), -1);
    assert_int_equal(errno, EIO);
    fsync_error = 0;
    assert_int_equal(load(tree), STATE_LOADED);
    assert_string_equal(brought, "{\"old\":1}|");
    assert_int_equal(scratch_count(tree, TREE_STATE), 1);
}

static int save_full(const struct tree *tree)
{
    static const char *const texts[] = {"{\"new\":1}"};
    const struct rlimit none = {0, 0};

    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &none) != 0)
        return 255;
    return save(tree, texts, 1) == -1 ? errno : 0;
}

static int begin_errno(const struct tree *tree)
{
    struct state_out out;

    return state_begin(&out, tree, NAME) == 0 ? 0 : errno;
}

static void test_no_room_no_right_no_directory(void **state)
{
    static const char *const old[] = {"{\"old\":1}"};
    const struct tree *tree = *state;
    struct state_out out;

    assert_int_equal(save(tree, old, 1), 0);
    assert_int_equal(scratch_in_child(save_full, tree), EFBIG);
    assert_int_equal(chmod(scratch_path(tree, TREE_STATE), 0555), 0);
    assert_int_equal(scratch_as_user(begin_errno, tree), EACCES);
    assert_int_equal(chmod(scratch_path(tree, TREE_STATE), 0755), 0);
    assert_int_equal(load(tree), STATE_LOADED);
    assert_string_equal(brought, "{\"old\":1}|");
    assert_int_equal(scratch_count(tree, TREE_STATE), 1);

    assert_int_equal(state_begin(&out, tree, "a-name-of-more-than-31-characters"), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(unlink(scratch_path(tree, FILE_PATH)), 0);
    assert_int_equal(rmdir(scratch_path(tree, TREE_STATE)), 0);
    assert_int_equal(state_begin(&out, tree, NAME), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(load(tree), STATE_ABSENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_tree, remove_tree)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_round_trip),
        TEST(test_many_lines),
        TEST(test_every_truncation_is_seen),
        TEST(test_every_changed_byte_outside_the_lines_is_seen),
        TEST(test_damage),
        TEST(test_no_regular_file),
        TEST(test_fault_is_no_damage),
        TEST(test_denied_is_no_damage),
        TEST(test_a_failed_save_keeps_the_old),
        TEST(test_no_room_no_right_no_directory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
