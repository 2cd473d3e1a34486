#include "store/claim.h"

#include "store/actions.h"
#include "store/verdict.h"

#include "base/log.h"

#include "calls.h"
#include "scratch.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int make_tree(void **state)
{
    static struct tree tree;

    calls_before = NULL;
    log_to(-1);
    scratch_open(&tree);
    scratch_dirs(&tree, "actions/pending");
    *state = &tree;
    return 0;
}

static int remove_tree(void **state)
{
    scratch_close(*state);
    return 0;
}

#define PENDING "actions/pending/a.json"
#define CLAIM "actions/pending/.claim-a"
#define APPROVED "actions/approved/a.json"
#define REJECTED "actions/rejected/a.json"

/* The claimed action, and others of its id. */
#define CREATED "\"created_at\":1780000000"
#define CORRELATION "\"correlation_id\":\"c\""
static const char ours[] = "{\"action_id\":\"a\"," CREATED "," CORRELATION "}";
static const char passed[] = "{\"status\":\"x\"," CORRELATION "," CREATED ",\"action_id\":\"a\"}";
static const char other_time[] = "{\"action_id\":\"a\",\"created_at\":1780000001," CORRELATION "}";
static const char other_correlation[] =
    "{\"action_id\":\"a\"," CREATED ",\"correlation_id\":\"d\"}";
static const char only_time[] = "{\"action_id\":\"a\"," CREATED "}";
static const char only_correlation[] = "{\"action_id\":\"a\"," CORRELATION "}";
static const char neither[] = "{\"action_id\":\"a\"}";
static const char garbage[] = "{";

/* One row of the table of crashes: what is on disk (NULL: nothing), what is there afterwards. */
struct row {
    const char *claim;
    const char *place; /* of the other file */
    const char *other;
    const char *pending;
    enum claim_result result;
};

static const struct row rows[] = {
    {NULL, NULL, NULL, NULL, CLAIM_GONE},
    {NULL, APPROVED, ours, ours, CLAIM_GONE},
    {ours, NULL, NULL, NULL, CLAIM_PUT_BACK},
    {ours, APPROVED, passed, NULL, CLAIM_PASSED_ON},
    {ours, REJECTED, passed, NULL, CLAIM_PASSED_ON},
    {ours, "actions/running/a.json", passed, NULL, CLAIM_PASSED_ON},
    {ours, "actions/completed/a.json", passed, NULL, CLAIM_PASSED_ON},
    {ours, "actions/failed/a.json", passed, NULL, CLAIM_PASSED_ON},
    {ours, "actions/cancelled/a.json", passed, NULL, CLAIM_PASSED_ON},
    {ours, APPROVED, other_time, NULL, CLAIM_PUT_BACK},
    {ours, REJECTED, other_time, NULL, CLAIM_PUT_BACK},
    {ours, APPROVED, other_correlation, NULL, CLAIM_PUT_BACK},
    {ours, APPROVED, only_time, NULL, CLAIM_PUT_BACK},
    {ours, APPROVED, only_correlation, NULL, CLAIM_PUT_BACK},
    {ours, APPROVED, neither, NULL, CLAIM_PUT_BACK},
    {ours, APPROVED, garbage, NULL, CLAIM_PUT_BACK},
    {ours, APPROVED, "{\"action_id\":\"b\"," CREATED "," CORRELATION "}", NULL, CLAIM_PUT_BACK},
    {only_time, APPROVED, only_time, NULL, CLAIM_PASSED_ON},
    {only_correlation, APPROVED, only_correlation, NULL, CLAIM_PASSED_ON},
    {neither, APPROVED, neither, NULL, CLAIM_PUT_BACK},
    {garbage, NULL, NULL, NULL, CLAIM_PUT_BACK},
    {garbage, APPROVED, garbage, NULL, CLAIM_PUT_BACK},
    /* A new file of the same id in pending/. */
    {ours, NULL, NULL, other_time, CLAIM_SUPERSEDED},
    {ours, NULL, NULL, garbage, CLAIM_SUPERSEDED},
    {ours, APPROVED, passed, other_time, CLAIM_PASSED_ON},
    {ours, APPROVED, other_time, other_correlation, CLAIM_SUPERSEDED},
    {ours, REJECTED, passed, passed, CLAIM_PASSED_ON},
};

static void lay_out(const struct tree *tree, const struct row *row)
{
    if (row->claim != NULL)
        scratch_put(tree, CLAIM, row->claim);
    if (row->other != NULL)
        scratch_put(tree, row->place, row->other);
    if (row->pending != NULL)
        scratch_put(tree, PENDING, row->pending);
}

static void expect_resolved(const struct tree *tree, const struct row *row)
{
    const char *pending = row->result == CLAIM_PUT_BACK ? row->claim : row->pending;

    assert_false(scratch_has(tree, CLAIM));
    if (pending != NULL)
        assert_string_equal(scratch_get(tree, PENDING), pending);
    assert_int_equal(scratch_count(tree, "actions/pending"), pending != NULL);
    if (row->other != NULL)
        assert_string_equal(scratch_get(tree, row->place), row->other);
}

static void clear(const struct tree *tree, const struct row *row)
{
    (void)unlink(scratch_path(tree, CLAIM));
    (void)unlink(scratch_path(tree, PENDING));
    if (row->place != NULL)
        (void)unlink(scratch_path(tree, row->place));
}

static void test_table_of_crashes(void **state)
{
    const struct tree *tree = *state;
    int pending = tree_open(tree, "actions/pending");

    assert_true(pending >= 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        lay_out(tree, &rows[i]);
        if (claim_resolve(tree, pending, "a") != rows[i].result)
            fail_msg("row %zu", i);
        expect_resolved(tree, &rows[i]);
        clear(tree, &rows[i]);

        lay_out(tree, &rows[i]);
        assert_int_equal(verdict_resolve_claims(tree), rows[i].result != CLAIM_GONE);
        expect_resolved(tree, &rows[i]);
        clear(tree, &rows[i]);
    }
    tree_close(pending);
}

/* The same rows, met by the command itself. */
static void test_the_next_command(void **state)
{
    const struct tree *tree = *state;
    struct verdict v = {.id = "a", .user = "ania", .now_s = INT64_C(1780000100)};
    char why[VERDICT_WHY_SIZE];

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *row = &rows[i];
        const char *pending = row->result == CLAIM_PUT_BACK ? row->claim : row->pending;
        lay_out(tree, row);
        enum verdict_result wanted = pending == NULL
                                         ? row->claim != NULL ? VERDICT_LOST : VERDICT_ABSENT
                                     : pending == garbage ? VERDICT_INVALID
                                                          : VERDICT_DONE;
        v.approve = false;
        if (verdict_give(tree, &v, why, sizeof(why)) != wanted)
            fail_msg("row %zu: %s", i, why);
        assert_false(scratch_has(tree, CLAIM));
        clear(tree, row);
        (void)unlink(scratch_path(tree, REJECTED));
    }
}

/* Put back by link and unlink, killed in between. */
static void test_claim_and_action_are_one_file(void **state)
{
    const struct tree *tree = *state;
    int pending = tree_open(tree, "actions/pending");

    scratch_put(tree, PENDING, ours);
    assert_int_equal(link(scratch_path(tree, PENDING), scratch_path(tree, CLAIM)), 0);
    assert_int_equal(claim_resolve(tree, pending, "a"), CLAIM_PUT_BACK);
    assert_int_equal(claim_put_back(pending, "a"), CLAIM_GONE);
    assert_int_equal(claim_remove(pending, "a"), -1);
    assert_int_equal(errno, ENOENT);
    assert_string_equal(scratch_get(tree, PENDING), ours);
    assert_int_equal(scratch_count(tree, "actions/pending"), 1);
    tree_close(pending);
}

static void test_no_file_at_all(void **state)
{
    const struct tree *tree = *state;

    scratch_dirs(tree, CLAIM);
    assert_int_equal(verdict_resolve_claims(tree), 1);
    assert_true(scratch_has(tree, PENDING));
    assert_int_equal(rmdir(scratch_path(tree, PENDING)), 0);
    assert_int_equal(symlink("nowhere", scratch_path(tree, CLAIM)), 0);
    assert_int_equal(verdict_resolve_claims(tree), 1);
    assert_true(scratch_has(tree, PENDING));
    /* A directory cannot give way to the newer file: it stays, and is said. */
    scratch_dirs(tree, CLAIM);
    assert_int_equal(verdict_resolve_claims(tree), -1);
    assert_true(scratch_has(tree, PENDING));
    assert_true(scratch_has(tree, CLAIM));
}

static void test_many_and_none_of_ours(void **state)
{
    const struct tree *tree = *state;

    scratch_put(tree, "actions/pending/.claim-", "{}");
    scratch_put(tree, "actions/pending/.claim--x", "{}");
    scratch_put(tree, "actions/pending/.claim-.x", "{}");
    scratch_put(tree, "actions/pending/.claimed", "{}");
    scratch_put(tree, "actions/pending/b.json", "{\"action_id\":\"b\"}");
    assert_int_equal(verdict_resolve_claims(tree), 0);
    scratch_put(tree, CLAIM, ours);
    scratch_put(tree, "actions/pending/.claim-c", "{\"action_id\":\"c\",\"created_at\":1}");
    scratch_put(tree, "actions/approved/c.json", "{\"action_id\":\"c\",\"created_at\":1}");
    scratch_put(tree, "actions/pending/.claim-d.json", "{\"action_id\":\"d.json\"}");
    assert_int_equal(verdict_resolve_claims(tree), 3);
    assert_true(scratch_has(tree, PENDING));
    assert_true(scratch_has(tree, "actions/pending/d.json.json"));
    assert_false(scratch_has(tree, "actions/pending/c.json"));
    assert_int_equal(scratch_count(tree, "actions/pending"), 7);
}

static int resolve_errno(const struct tree *tree)
{
    return verdict_resolve_claims(tree) == -1 ? errno : 0;
}

static void test_what_cannot_be_resolved_stays(void **state)
{
    const struct tree *tree = *state;

    scratch_put(tree, CLAIM, ours);
    scratch_put(tree, "actions/pending/.claim-b", "{\"action_id\":\"b\",\"created_at\":1}");
    assert_int_equal(chmod(scratch_path(tree, "actions/pending"), 0777), 0);
    assert_int_equal(chmod(scratch_path(tree, CLAIM), 0), 0);
    assert_int_equal(scratch_as_user(resolve_errno, tree), EACCES);
    assert_true(scratch_has(tree, CLAIM));
    assert_true(scratch_has(tree, "actions/pending/b.json")); /* the others are resolved */
    /* Whether it was passed on cannot be seen. */
    assert_int_equal(chmod(scratch_path(tree, CLAIM), 0644), 0);
    scratch_put(tree, "actions/running/a.json", passed);
    assert_int_equal(chmod(scratch_path(tree, "actions/running"), 0), 0);
    assert_int_equal(scratch_as_user(resolve_errno, tree), EACCES);
    assert_true(scratch_has(tree, CLAIM));
    assert_int_equal(chmod(scratch_path(tree, "actions/running"), 0755), 0);
    assert_int_equal(scratch_as_user(resolve_errno, tree), 0);
    assert_false(scratch_has(tree, CLAIM));
    assert_false(scratch_has(tree, PENDING));
}

/* ---- Killed at every call ---- */

static int calls_left;

static int kill_at(enum call call, int fd, const char *name)
{
    (void)fd;
    (void)name;
    if (call != CALL_FSTATAT && calls_left-- == 0) /* which changes nothing */
        (void)raise(SIGKILL);
    return 0;
}

/* A verdict in a child that is killed before its n-th call. Did it come to its end? */
static bool give_and_kill(const struct tree *tree, bool approve, int n)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct verdict v = {
            .approve = approve, .id = "a", .user = "ania", .now_s = INT64_C(1780000100)};
        char why[VERDICT_WHY_SIZE];
        calls_left = n;
        calls_before = kill_at;
        _exit((int)verdict_give(tree, &v, why, sizeof(why)));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        return false;
    assert_int_equal(WEXITSTATUS(status), VERDICT_DONE);
    return true;
}

static void test_killed_at_every_call(void **state)
{
    static const char *const places[] = {REJECTED, APPROVED};
    static const char *const dirs[] = {"actions/rejected", "actions/approved"};
    const struct tree *tree = *state;
    struct verdict v = {.id = "a", .user = "ania", .now_s = INT64_C(1780000200)};
    char why[VERDICT_WHY_SIZE];

    for (size_t approve = 0; approve <= 1; approve++) {
        bool ended = false;
        int put_back = 0;
        int passed_on = 0;
        int n = 0;
        for (; !ended; n++) {
            scratch_put(tree, PENDING, ours);
            if (approve == 0) /* an older one of that id is replaced, or stays */
                scratch_put(tree, REJECTED, other_time);
            ended = give_and_kill(tree, approve == 1, n);
            assert_in_range(verdict_resolve_claims(tree), 0, 1);
            bool pending = scratch_has(tree, PENDING);
            const char *there = scratch_get(tree, places[approve]);
            bool there_is_ours = there != NULL && strstr(there, CREATED) != NULL;
            /* In one place, whole, and nothing lies about. */
            assert_int_equal(pending, !there_is_ours);
            assert_int_equal(scratch_count(tree, "actions/pending"), pending);
            if (there_is_ours)
                assert_non_null(strstr(there, "1780000100"));
            put_back += pending;
            passed_on += !pending;
            if (pending) {
                assert_string_equal(scratch_get(tree, PENDING), ours);
                v.approve = approve == 1;
                assert_int_equal(verdict_give(tree, &v, why, sizeof(why)), VERDICT_DONE);
                assert_int_equal(scratch_count(tree, dirs[approve]), 1);
            }
            (void)unlink(scratch_path(tree, places[approve]));
        }
        /* The lock, the claim and its sync, the file's sync, its name, the removal of two names,
         * two syncs: fewer would mean that a step was left out. */
        assert_in_range(n, 8, 12);
        assert_in_range(put_back, 4, n);
        assert_in_range(passed_on, 4, n);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_tree, remove_tree)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_table_of_crashes),
        TEST(test_the_next_command),
        TEST(test_claim_and_action_are_one_file),
        TEST(test_no_file_at_all),
        TEST(test_many_and_none_of_ours),
        TEST(test_what_cannot_be_resolved_stays),
        TEST(test_killed_at_every_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
