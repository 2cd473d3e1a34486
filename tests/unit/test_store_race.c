#include "store/verdict.h"

#include "base/log.h"

#include "scratch.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
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

/* Several processes decide on one action at the same moment: one of them wins, one file results,
 * and everybody knows what they did. */

enum { ROUNDS = 200, RACERS_MAX = 4 };

enum racer { APPROVE, REJECT, RENAME /* another program's approve, which takes no lock */ };

struct shared {
    atomic_int ready[ROUNDS];
    int results[ROUNDS][RACERS_MAX];
};

static void id_of(int round, char *id, size_t cap)
{
    (void)snprintf(id, cap, "redeploy-solaria-web%d", round);
}

static int rename_away(const struct tree *tree, const char *id)
{
    char from[256], to[256];

    (void)snprintf(from, sizeof(from), "actions/pending/%s.json", id);
    (void)snprintf(to, sizeof(to), "actions/approved/%s.json", id);
    if (rename(scratch_path(tree, from), scratch_path(tree, to)) == 0)
        return VERDICT_DONE;
    return errno == ENOENT ? VERDICT_LOST : VERDICT_FAULT;
}

static void race(const struct tree *tree, struct shared *shared, const enum racer *racers,
                 int count, int own)
{
    char why[VERDICT_WHY_SIZE];
    char id[64];

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
    for (int round = 0; round < ROUNDS; round++) {
        struct verdict v = {.approve = racers[own] == APPROVE,
                            .id = id,
                            .user = "ania",
                            .now_s = INT64_C(1780000100)};
        id_of(round, id, sizeof(id));
        (void)atomic_fetch_add(&shared->ready[round], 1);
        while (atomic_load(&shared->ready[round]) < count)
            (void)sched_yield();
        /* A rename takes no time: it comes now before, now in the middle of, now after the others.
         */
        if (racers[own] == RENAME)
            (void)usleep((useconds_t)(round * 7919 % 4000));
        shared->results[round][own] = racers[own] == RENAME
                                          ? rename_away(tree, id)
                                          : (int)verdict_give(tree, &v, why, sizeof(why));
    }
    _exit(0);
}

static void run(const struct tree *tree, const enum racer *racers, int count)
{
    struct shared *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char path[256], text[256], id[64];
    int won[RACERS_MAX] = {0};
    int status;

    assert_ptr_not_equal(shared, MAP_FAILED);
    scratch_dirs(tree, "actions/approved");
    for (int round = 0; round < ROUNDS; round++) {
        id_of(round, id, sizeof(id));
        (void)snprintf(path, sizeof(path), "actions/pending/%s.json", id);
        (void)snprintf(text, sizeof(text),
                       "{\"action_id\":\"%s\",\"created_at\":1780000000,\"correlation_id\":\"c\"}",
                       id);
        scratch_put(tree, path, text);
    }
    for (int own = 0; own < count; own++)
        if (fork() == 0)
            race(tree, shared, racers, count, own);
    for (int own = 0; own < count; own++) {
        assert_true(wait(&status) > 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_int_equal(scratch_count(tree, "actions/pending"), 0);
    for (int round = 0; round < ROUNDS; round++) {
        int winner = -1;
        for (int own = 0; own < count; own++) {
            int result = shared->results[round][own];
            if (result == VERDICT_DONE) {
                assert_int_equal(winner, -1);
                winner = own;
            } else if (result != VERDICT_LOST && result != VERDICT_ABSENT) {
                fail_msg("round %d, racer %d: %d", round, own, result);
            }
        }
        assert_int_not_equal(winner, -1);
        won[winner]++;
        id_of(round, id, sizeof(id));
        (void)snprintf(path, sizeof(path), "actions/approved/%s.json", id);
        assert_int_equal(scratch_has(tree, path), racers[winner] != REJECT);
        (void)snprintf(path, sizeof(path), "actions/rejected/%s.json", id);
        assert_int_equal(scratch_has(tree, path), racers[winner] == REJECT);
    }
    int files = scratch_count(tree, "actions/approved") + scratch_count(tree, "actions/rejected");
    assert_int_equal(files, ROUNDS);
    /* For who reads the log: no racer should win always. */
    for (int own = 0; own < count; own++)
        print_message("racer %d won %d of %d\n", own, won[own], ROUNDS);
    assert_int_equal(munmap(shared, sizeof(*shared)), 0);
}

static void test_approve_against_reject(void **state)
{
    static const enum racer racers[] = {APPROVE, REJECT};

    run(*state, racers, COUNT(racers));
}

static void test_approve_against_approve(void **state)
{
    static const enum racer racers[] = {APPROVE, APPROVE};

    run(*state, racers, COUNT(racers));
}

static void test_against_a_program_without_the_lock(void **state)
{
    static const enum racer racers[] = {APPROVE, REJECT, RENAME};

    run(*state, racers, COUNT(racers));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_tree, remove_tree)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_approve_against_reject),
        TEST(test_approve_against_approve),
        TEST(test_against_a_program_without_the_lock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
