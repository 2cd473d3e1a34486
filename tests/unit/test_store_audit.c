#include "store/audit.h"

#include "base/limits.h"

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
    scratch_dirs(&tree, "events");
    *state = &tree;
    return 0;
}

static int remove_tree(void **state)
{
    scratch_close(*state);
    return 0;
}

#define DIR_PATH "events/2026-05-28/solaria"
#define ID "evt-solaria-1780000000000-2008e095"
#define FILE_PATH DIR_PATH "/" ID ".json"

/* The directories that were synced: this stands before libc's. */
static int dirs_synced;

int fsync(int fd)
{
    static int (*real)(int);
    struct stat st;

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "fsync");
    assert_int_equal(fstat(fd, &st), 0);
    dirs_synced += S_ISDIR(st.st_mode);
    return real(fd);
}

static const struct audit sample = {
    .node_name = "solaria",
    .created_at = 1780000000,
    .action_id = "container-restart-solaria-web",
    .correlation_id = "c-1",
    .action = "restart",
    .target_node = "solaria",
    .target_service = "web",
    .model = "ollama/qwen2.5:7b",
    .confidence = "0.86",
    .requires_human = false,
};

static const char expected[] =
    "{\"timestamp\":\"2026-05-28T20:26:40.000Z\",\"node\":\"solaria\","
    "\"type\":\"remediation_started\",\"severity\":\"info\",\"source\":\"planner-agent\","
    "\"service\":\"web\",\"correlation_id\":\"c-1\",\"id\":\"" ID "\",\"payload\":{"
    "\"action_id\":\"container-restart-solaria-web\",\"action\":\"restart\","
    "\"target_node\":\"solaria\",\"target_service\":\"web\",\"model\":\"ollama/qwen2.5:7b\","
    "\"confidence\":0.86,\"requires_human\":false}}\n";

static void test_name_and_body(void **state)
{
    const struct tree *tree = *state;
    mode_t before = umask(077);

    /* The date is UTC's, whatever the zone: 22:26 in Warsaw, and the next day in Tokyo. */
    assert_int_equal(setenv("TZ", "Asia/Tokyo", 1), 0);
    tzset();
    assert_int_equal(audit_put(tree, &sample), 0);
    (void)umask(before);
    assert_string_equal(scratch_get(tree, FILE_PATH), expected);
    assert_int_equal(scratch_mode(tree, FILE_PATH), 0644);
    assert_int_equal(scratch_mode(tree, DIR_PATH), 0755);
    assert_int_equal(scratch_mode(tree, "events/2026-05-28"), 0755);
    assert_int_equal(scratch_count(tree, DIR_PATH), 1);
}

static void test_twice_is_once(void **state)
{
    const struct tree *tree = *state;

    assert_int_equal(audit_put(tree, &sample), 0);
    scratch_put(tree, FILE_PATH, "as the first wrote it");
    dirs_synced = 0;
    assert_int_equal(audit_put(tree, &sample), 0);
    /* Who wrote it may have been killed before it was durable. */
    assert_int_equal(dirs_synced, 1);
    assert_string_equal(scratch_get(tree, FILE_PATH), "as the first wrote it");
    assert_int_equal(scratch_count(tree, DIR_PATH), 1);
}

static void test_another_action_another_file(void **state)
{
    const struct tree *tree = *state;
    struct audit audit = sample;

    assert_int_equal(audit_put(tree, &audit), 0);
    audit.correlation_id = "c-2";
    assert_int_equal(audit_put(tree, &audit), 0);
    audit.action_id = "container-restart-solaria-db";
    assert_int_equal(audit_put(tree, &audit), 0);
    audit.created_at++;
    assert_int_equal(audit_put(tree, &audit), 0);
    assert_int_equal(scratch_count(tree, DIR_PATH), 4);
    audit.created_at = 1780012800;
    assert_int_equal(audit_put(tree, &audit), 0);
    assert_int_equal(scratch_count(tree, "events/2026-05-29/solaria"), 1);
    /* The NUL between them belongs to the hash. */
    audit.action_id = "a";
    audit.correlation_id = "bc";
    assert_int_equal(audit_put(tree, &audit), 0);
    audit.action_id = "ab";
    audit.correlation_id = "c";
    assert_int_equal(audit_put(tree, &audit), 0);
    assert_int_equal(scratch_count(tree, "events/2026-05-29/solaria"), 3);
}

static void test_node_names(void **state)
{
    static char longest[NAME_MAX_BYTES + 1];
    static char too_long[NAME_MAX_BYTES + 2];
    static const struct {
        const char *name;
        const char *dir;
        const char *written;
    } cases[] = {
        {"../../../etc", "_._.._.._etc", "\"node\":\"../../../etc\""},
        {"-rf", "_rf", "\"node\":\"-rf\""},
        {".", "_", "\"node\":\".\""},
        {"a.b-c_D9", "a.b-c_D9", "\"node\":\"a.b-c_D9\""},
        {"w\xc4\x99ze\xc5\x82 \"1\"", "w__ze____1_", "\"node\":\"w\xc4\x99ze\xc5\x82 \\\"1\\\"\""},
        {longest, longest, longest},
    };
    const struct tree *tree = *state;
    struct audit audit = sample;
    char path[1024];

    memset(longest, 'n', NAME_MAX_BYTES);
    memset(too_long, 'n', NAME_MAX_BYTES + 1);
    for (size_t i = 0; i < COUNT(cases); i++) {
        audit.node_name = cases[i].name;
        assert_int_equal(audit_put(tree, &audit), 0);
        (void)snprintf(path, sizeof(path),
                       "events/2026-05-28/%s/evt-%s-1780000000000-2008e095.json", cases[i].dir,
                       cases[i].dir);
        const char *text = scratch_get(tree, path);
        if (text == NULL || strstr(text, cases[i].written) == NULL)
            fail_msg("%s", path);
    }
    assert_int_equal(scratch_count(tree, "events/2026-05-28"), COUNT(cases));
    audit.node_name = "";
    assert_int_equal(audit_put(tree, &audit), -1);
    assert_int_equal(errno, EINVAL);
    audit.node_name = too_long;
    assert_int_equal(audit_put(tree, &audit), -1);
    assert_int_equal(errno, EINVAL);
}

static void test_confidence_is_a_number_or_null(void **state)
{
    static const struct {
        const char *confidence;
        const char *written;
    } cases[] = {
        {"0.86", "\"confidence\":0.86,"}, {"1", "\"confidence\":1,"},
        {"", "\"confidence\":null,"},     {NULL, "\"confidence\":null,"},
        {"0.9,", "\"confidence\":null,"}, {"1,\"x\":2", "\"confidence\":null,"},
        {"NaN", "\"confidence\":null,"},  {"01", "\"confidence\":null,"},
    };
    const struct tree *tree = *state;
    struct audit audit = sample;

    for (size_t i = 0; i < COUNT(cases); i++) {
        audit.confidence = cases[i].confidence;
        assert_int_equal(audit_put(tree, &audit), 0);
        assert_non_null(strstr(scratch_get(tree, FILE_PATH), cases[i].written));
        assert_int_equal(unlink(scratch_path(tree, FILE_PATH)), 0);
    }
}

static void test_limits(void **state)
{
    static char worst[CORRELATION_MAX + 1];
    static char huge[8192];
    const struct tree *tree = *state;
    struct audit audit = sample;

    /* Every byte of every field escaped: it fits. */
    memset(worst, 1, sizeof(worst) - 1);
    audit.action_id = audit.correlation_id = audit.action = worst;
    audit.target_node = audit.target_service = audit.model = worst;
    assert_int_equal(audit_put(tree, &audit), 0);
    memset(huge, '"', sizeof(huge) - 1);
    audit.model = huge;
    assert_int_equal(audit_put(tree, &audit), -1);
    assert_int_equal(errno, EMSGSIZE);
    audit = sample;
    audit.created_at = -1;
    assert_int_equal(audit_put(tree, &audit), -1);
    assert_int_equal(errno, EINVAL);
    audit.created_at = ACTION_TIME_MAX_S + 1;
    assert_int_equal(audit_put(tree, &audit), -1);
    assert_int_equal(errno, EINVAL);
    audit.created_at = ACTION_TIME_MAX_S;
    assert_int_equal(audit_put(tree, &audit), 0);
    assert_int_equal(scratch_count(tree, "events/9999-12-31/solaria"), 1);
}

static void test_what_a_killed_process_left_is_swept(void **state)
{
    const struct tree *tree = *state;
    char name[128];

    (void)snprintf(name, sizeof(name), DIR_PATH "/.tmp-00-0-%d", (int)getpid());
    scratch_put(tree, name, "half");
    scratch_put(tree, DIR_PATH "/other.json", "{}");
    assert_int_equal(audit_put(tree, &sample), 0);
    assert_int_equal(scratch_count(tree, DIR_PATH), 2);
    assert_true(scratch_has(tree, FILE_PATH));
}

static void test_directories_inherit_the_owner(void **state)
{
    static const char *const made[] = {"events/2026-05-28", DIR_PATH, FILE_PATH};
    const struct tree *tree = *state;
    struct stat st;

    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(scratch_path(tree, "events"), 1234, 2345), 0);
    assert_int_equal(audit_put(tree, &sample), 0);
    for (size_t i = 0; i < COUNT(made); i++) {
        assert_int_equal(stat(scratch_path(tree, made[i]), &st), 0);
        assert_int_equal(st.st_uid, 1234);
        assert_int_equal(st.st_gid, 2345);
    }
}

static int put_errno(const struct tree *tree)
{
    return audit_put(tree, &sample) == 0 ? 0 : errno;
}

static int put_full(const struct tree *tree)
{
    const struct rlimit none = {0, 0};

    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &none) != 0)
        return 255;
    return put_errno(tree);
}

static void test_failures(void **state)
{
    const struct tree *tree = *state;

    assert_int_equal(scratch_in_child(put_full, tree), EFBIG);
    assert_int_equal(scratch_count(tree, DIR_PATH), 0);
    assert_int_equal(chmod(scratch_path(tree, DIR_PATH), 0555), 0);
    assert_int_equal(scratch_as_user(put_errno, tree), EACCES);
    assert_int_equal(rmdir(scratch_path(tree, DIR_PATH)), 0);
    scratch_put(tree, DIR_PATH, "a file");
    assert_int_equal(put_errno(tree), ENOTDIR);
    /* events/ itself is made anew where somebody took it away. */
    assert_int_equal(unlink(scratch_path(tree, DIR_PATH)), 0);
    assert_int_equal(rmdir(scratch_path(tree, "events/2026-05-28")), 0);
    assert_int_equal(rmdir(scratch_path(tree, "events")), 0);
    assert_int_equal(put_errno(tree), 0);
    assert_true(scratch_has(tree, FILE_PATH));
}

/* events may lie on another disk; what is below it is what it says. */
static void test_symlinks(void **state)
{
    const struct tree *tree = *state;

    scratch_dirs(tree, "disk");
    (void)rmdir(scratch_path(tree, "events"));
    assert_int_equal(symlink("disk", scratch_path(tree, "events")), 0);
    assert_int_equal(put_errno(tree), 0); /* its directories are made */
    assert_int_equal(unlink(scratch_path(tree, FILE_PATH)), 0);
    assert_int_equal(put_errno(tree), 0); /* and there */
    assert_true(scratch_has(tree, "disk/2026-05-28/solaria/" ID ".json"));
    assert_int_equal(rename(scratch_path(tree, DIR_PATH), scratch_path(tree, "node")), 0);
    assert_int_equal(unlink(scratch_path(tree, "node/" ID ".json")), 0);
    assert_int_equal(symlink("../../node", scratch_path(tree, DIR_PATH)), 0);
    assert_int_equal(put_errno(tree), ENOTDIR);
    assert_int_equal(unlink(scratch_path(tree, DIR_PATH)), 0);
    assert_int_equal(rmdir(scratch_path(tree, "events/2026-05-28")), 0);
    assert_int_equal(symlink("..", scratch_path(tree, "events/2026-05-28")), 0);
    scratch_dirs(tree, "solaria");
    assert_int_equal(put_errno(tree), ENOTDIR);
    assert_int_equal(scratch_count(tree, "node"), 0);
    assert_int_equal(scratch_count(tree, "solaria"), 0);
}

/* ---- What a killed planner owes ---- */

#define NOW INT64_C(1780000000)
#define DAY (24 * 3600)

static void put_action(const struct tree *tree, const char *place, const char *id,
                       const char *members, int64_t created_at)
{
    char path[512], text[1024];

    (void)snprintf(path, sizeof(path), "actions/%s/%s", place, id);
    id += strncmp(id, ".claim-", 7) == 0 ? 7 : 0;
    (void)snprintf(text, sizeof(text),
                   "{\"action_id\":\"%.*s\",\"node\":\"solaria\",\"service\":\"web\","
                   "\"type\":\"container_restart\",\"correlation_id\":\"c-1\",%s,"
                   "\"created_at\":%lld,\"details\":{\"action\":\"restart\","
                   "\"model\":\"ollama/qwen2.5:7b\",\"confidence\":0.86,"
                   "\"requires_human\":false}}",
                   (int)strcspn(id, "."), id, members, (long long)created_at);
    scratch_put(tree, path, text);
}

#define OURS "\"proposed_by\":\"planner-agent\""
#define PLAIN "container-restart-solaria-web"

/* Whom it was told of. */
static unsigned found;
static char found_id[ACTION_ID_MAX + 1];

static void take(void *arg, const struct action_facts *facts)
{
    assert_ptr_equal(arg, &found);
    assert_true(facts->ours);
    found++;
    (void)snprintf(found_id, sizeof(found_id), "%s", facts->id);
}

static int mend(const struct tree *tree, int64_t last_s)
{
    found = 0;
    return audit_mend(tree, "solaria", last_s, take, &found);
}

static int audits(const struct tree *tree)
{
    return scratch_count(tree, "events/2026-05-27/solaria") + scratch_count(tree, DIR_PATH) +
           scratch_count(tree, "events/2026-05-29/solaria");
}

static void test_mend_writes_what_was_owed(void **state)
{
    const struct tree *tree = *state;

    put_action(tree, "pending", PLAIN ".json", OURS, NOW);
    scratch_dirs(tree, DIR_PATH);
    dirs_synced = 0;
    assert_int_equal(mend(tree, NOW), 0);
    /* As it would have been written, and durable as the action is. */
    assert_string_equal(scratch_get(tree, FILE_PATH), expected);
    assert_int_equal(dirs_synced, 2);
    assert_int_equal(audits(tree), 1);
}

static void test_mend_touches_nothing_where_all_is_there(void **state)
{
    const struct tree *tree = *state;

    put_action(tree, "pending", PLAIN ".json", OURS, NOW);
    scratch_put(tree, FILE_PATH, "as it was written");
    scratch_put(tree, DIR_PATH "/.tmp-00-0-1", "");
    assert_int_equal(chmod(scratch_path(tree, DIR_PATH), 0555), 0);
    dirs_synced = 0;
    assert_int_equal(mend(tree, NOW), 0);
    assert_int_equal(dirs_synced, 0);
    assert_string_equal(scratch_get(tree, FILE_PATH), "as it was written");
    assert_int_equal(audits(tree), 2);
    /* Something else may be. */
    assert_int_equal(found, 1);
    assert_string_equal(found_id, PLAIN);
}

/* Wherever it has gone since. */
static void test_mend_by_place(void **state)
{
    static const struct {
        const char *place;
        const char *id;
        int audits;
    } cases[] = {
        {"pending", "x.json", 1},  {"pending", ".claim-x", 1},  {"approved", "x.json", 1},
        {"running", "x.json", 1},  {"rejected", "x.json", 1},   {"completed", "x.json", 1},
        {"failed", "x.json", 1},   {"cancelled", "x.json", 1},  {"pending", "x.part", 0},
        {"pending", ".x.json", 0}, {"approved", ".claim-x", 0},
    };
    const struct tree *tree = *state;
    char path[64];

    for (size_t i = 0; i < COUNT(cases); i++) {
        put_action(tree, cases[i].place, cases[i].id, OURS, NOW);
        assert_int_equal(mend(tree, NOW), 0);
        if (audits(tree) != cases[i].audits || (int)found != cases[i].audits)
            fail_msg("%s/%s", cases[i].place, cases[i].id);
        (void)snprintf(path, sizeof(path), "actions/%s/%s", cases[i].place, cases[i].id);
        assert_true(scratch_has(tree, path));
        assert_int_equal(unlink(scratch_path(tree, path)), 0);
        (void)unlink(scratch_path(tree, DIR_PATH "/evt-solaria-1780000000000-a6694c00.json"));
        assert_int_equal(audits(tree), 0);
    }
}

static void test_mend_by_proposer(void **state)
{
    static const struct {
        const char *members;
        int audits;
    } cases[] = {
        {"\"proposed_by\":\"supervisor\"", 0},
        {"\"proposed_by\":\"planner-agent2\"", 0},
        {"\"proposed_by\":[\"planner-agent\"]", 0},
        {"\"proposed_by\":null", 0},
        {"\"x\":" OURS, 0}, /* no JSON */
        {OURS ",\"node\":\"again\"", 0},
        {OURS, 1},
    };
    const struct tree *tree = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        put_action(tree, "pending", "x.json", cases[i].members, NOW);
        assert_int_equal(mend(tree, NOW), 0);
        if (audits(tree) != cases[i].audits || (int)found != cases[i].audits)
            fail_msg("%s", cases[i].members);
    }
}

static void test_mend_by_age(void **state)
{
    static const struct {
        int64_t created_at;
        int audits;
    } cases[] = {
        {NOW - DAY - 1, 0}, {NOW - DAY, 1}, {NOW - 1, 1},           {NOW, 1}, {NOW + DAY, 1},
        {NOW + DAY + 1, 0}, {0, 0},         {ACTION_TIME_MAX_S, 0}, {-1, 0},
    };
    const struct tree *tree = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        int before = audits(tree);
        put_action(tree, "pending", "x.json", OURS, cases[i].created_at);
        assert_int_equal(mend(tree, NOW), 0);
        if (audits(tree) - before != cases[i].audits || (int)found != cases[i].audits)
            fail_msg("%lld", (long long)cases[i].created_at);
    }
}

/* Without one of an earlier planner nothing was written, whatever the clock said. */
static void test_mend_by_sign_of_life(void **state)
{
    static const struct {
        int64_t last_s;
        int64_t created_at;
        int audits;
    } cases[] = {{-1, NOW + 1, 0}, {-1, 1, 0}, {0, 1, 0}, {1, 1, 1}};
    const struct tree *tree = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        put_action(tree, "pending", "x.json", OURS, cases[i].created_at);
        assert_int_equal(mend(tree, cases[i].last_s), 0);
        if (scratch_count(tree, "events") != cases[i].audits || (int)found != cases[i].audits)
            fail_msg("%lld %lld", (long long)cases[i].last_s, (long long)cases[i].created_at);
    }
}

/* Such a file is not even read: its time says enough. */
static void test_mend_does_not_read_old_files(void **state)
{
    const struct timespec times[2] = {{.tv_sec = NOW - DAY - 1}, {.tv_sec = NOW - DAY - 1}};
    const struct tree *tree = *state;

    put_action(tree, "pending", "x.json", OURS, NOW);
    const char *path = scratch_path(tree, "actions/pending/x.json");
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_int_equal(mend(tree, NOW), 0);
    assert_int_equal(audits(tree), 0);
}

/* The tree was another planner's, or NODE_NAME another. */
static void test_mend_knows_another_planners(void **state)
{
    const struct tree *tree = *state;

    put_action(tree, "pending", PLAIN ".json", OURS, NOW);
    scratch_put(tree, "events/2026-05-28/a-file", "");
    scratch_dirs(tree, "events/2026-05-28/node-agent-only");
    scratch_put(tree, "events/2026-05-28/other/evt-other-1780000000000-2008e095.json", "{}");
    assert_int_equal(mend(tree, NOW), 0);
    assert_int_equal(audits(tree), 0);
    assert_int_equal(rename(scratch_path(tree, "events/2026-05-28/other"),
                            scratch_path(tree, "events/2026-05-28/neither")),
                     0);
    assert_int_equal(mend(tree, NOW), 0);
    assert_int_equal(audits(tree), 1);
}

static void test_mend_takes_so_many_at_once(void **state)
{
    const struct tree *tree = *state;
    char id[32];

    for (int i = 0; i < 2 * AUDITS_MENDED_MAX; i++) {
        (void)snprintf(id, sizeof(id), "x%d.json", i);
        put_action(tree, "pending", id, OURS, NOW);
    }
    assert_int_equal(mend(tree, NOW), EAGAIN);
    assert_int_equal(audits(tree), AUDITS_MENDED_MAX);
    /* Of the others it is told, all the same. */
    assert_int_equal(found, 2 * AUDITS_MENDED_MAX);
    assert_int_equal(mend(tree, NOW), 0);
    assert_int_equal(audits(tree), 2 * AUDITS_MENDED_MAX);
}

static int mend_errno(const struct tree *tree)
{
    return mend(tree, NOW);
}

static int mend_full(const struct tree *tree)
{
    const struct rlimit none = {0, 0};

    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &none) != 0)
        return 255;
    return mend_errno(tree);
}

static void test_mend_fails(void **state)
{
    const struct tree *tree = *state;

    put_action(tree, "approved", PLAIN ".json", OURS, NOW);
    /* Where the action cannot be made durable, nothing is told of it. */
    assert_int_equal(mend_errno(tree), ENOENT);
    assert_int_equal(audits(tree), 0);
    scratch_dirs(tree, "actions/pending");
    assert_int_equal(scratch_in_child(mend_full, tree), EFBIG);
    assert_int_equal(audits(tree), 0);
    assert_int_equal(chmod(scratch_path(tree, DIR_PATH), 0555), 0);
    assert_int_equal(scratch_as_user(mend_errno, tree), EACCES);
    /* Of a directory that cannot be listed nothing is known, and that is no fault. */
    assert_int_equal(chmod(scratch_path(tree, "actions/approved"), 0711), 0);
    assert_int_equal(scratch_as_user(mend_errno, tree), 0);
    scratch_put(tree, "actions/running", "a file");
    assert_int_equal(scratch_as_user(mend_errno, tree), 0);
    assert_int_equal(rmdir(scratch_path(tree, DIR_PATH)), 0);
    scratch_put(tree, DIR_PATH, "a file");
    put_action(tree, "approved", "second.json", OURS, NOW);
    assert_int_equal(mend_errno(tree), ENOTDIR);
    assert_int_equal(found, 2);
    assert_int_equal(unlink(scratch_path(tree, "actions/approved/second.json")), 0);
    assert_int_equal(unlink(scratch_path(tree, DIR_PATH)), 0);
    assert_int_equal(mend_errno(tree), 0);
    assert_string_equal(scratch_get(tree, FILE_PATH), expected);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_tree, remove_tree)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_name_and_body),
        TEST(test_twice_is_once),
        TEST(test_another_action_another_file),
        TEST(test_node_names),
        TEST(test_confidence_is_a_number_or_null),
        TEST(test_limits),
        TEST(test_what_a_killed_process_left_is_swept),
        TEST(test_directories_inherit_the_owner),
        TEST(test_failures),
        TEST(test_symlinks),
        TEST(test_mend_writes_what_was_owed),
        TEST(test_mend_touches_nothing_where_all_is_there),
        TEST(test_mend_by_place),
        TEST(test_mend_by_proposer),
        TEST(test_mend_by_age),
        TEST(test_mend_by_sign_of_life),
        TEST(test_mend_does_not_read_old_files),
        TEST(test_mend_knows_another_planners),
        TEST(test_mend_takes_so_many_at_once),
        TEST(test_mend_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
