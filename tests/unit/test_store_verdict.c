#include "store/verdict.h"

#include "base/log.h"
#include "base/sha256.h"

#include "calls.h"
#include "scratch.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

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

static const char plain[] =
    "{\"action_id\":\"a\",\"created_at\":1780000000,\"correlation_id\":\"c\"}";
static const char plain_approved[] =
    "{\"action_id\":\"a\",\"created_at\":1780000000,\"correlation_id\":\"c\","
    "\"status\":\"approved\",\"updated_at\":1780000100,\"transition_history\":["
    "{\"from\":\"pending\",\"to\":\"approved\",\"timestamp\":1780000100,"
    "\"by\":\"operator-cli:ania\"}]}\n";
static const char older[] =
    "{\"action_id\":\"a\",\"created_at\":1770000000,\"correlation_id\":\"older\"}";

/* The tree of the running test, for hooks. */
static const struct tree *here;
static char why[VERDICT_WHY_SIZE];

static struct verdict verdict_of(bool approve)
{
    return (struct verdict){
        .approve = approve, .id = "a", .user = "ania", .now_s = INT64_C(1780000100)};
}

static enum verdict_result give(const struct tree *tree, bool approve)
{
    struct verdict v = verdict_of(approve);

    here = tree;
    memset(why, 'x', sizeof(why));
    enum verdict_result result = verdict_give(tree, &v, why, sizeof(why));
    assert_non_null(memchr(why, '\0', sizeof(why)));
    assert_true((result == VERDICT_DONE) == (why[0] == '\0'));
    return result;
}

static enum verdict_result approve(const struct tree *tree)
{
    return give(tree, true);
}

static enum verdict_result reject(const struct tree *tree)
{
    return give(tree, false);
}

/* Nothing was done: the action stands in pending/ as text says, and there is nothing else. */
static void expect_untouched(const struct tree *tree, const char *text)
{
    assert_string_equal(scratch_get(tree, PENDING), text);
    assert_int_equal(scratch_count(tree, "actions/pending"), 1);
    assert_false(scratch_has(tree, APPROVED));
    assert_false(scratch_has(tree, REJECTED));
}

/* ---- The new file ---- */

static void test_members_are_kept_as_they_stand(void **state)
{
    static const char before[] =
        "{ \"node\" : \"solaria\",\n\"big\":12345678901234567890123, \"real\":1.50,\n"
        " \"status\":\"pending\", \"st\\u0061tus2\":[ 1 , {\"a\" : null} "
        "],\"e\\u0301\":\"\\u0119\\/\","
        "\"created_at\":1780000000,\"updated_at\":1780000000,\"transition_history\":[ "
        "{\"from\":null, \"to\":\"pending\",\"timestamp\":1780000000,\"by\":\"supervisor\"} ],"
        "\"action_id\":\"\\u0061\",\"status_\":true }\n";
    static const char after[] =
        "{\"node\":\"solaria\",\"big\":12345678901234567890123,\"real\":1.50,"
        "\"st\\u0061tus2\":[ 1 , {\"a\" : null} ],\"e\\u0301\":\"\\u0119\\/\","
        "\"created_at\":1780000000,\"action_id\":\"\\u0061\",\"status_\":true,"
        "\"status\":\"rejected\",\"updated_at\":1780000100,\"transition_history\":["
        "{\"from\":null, \"to\":\"pending\",\"timestamp\":1780000000,\"by\":\"supervisor\"},"
        "{\"from\":\"pending\",\"to\":\"rejected\",\"timestamp\":1780000100,"
        "\"by\":\"operator-cli:o\\u0007\\\"x\",\"note\":\"nie \xc4\x99 \\\"teraz\\\"\\n\"}]}\n";
    const struct tree *tree = *state;
    struct verdict v = verdict_of(false);

    scratch_put(tree, PENDING, before);
    v.user = "o\a\"x";
    v.note = span_of("nie \xc4\x99 \"teraz\"\n");
    assert_int_equal(verdict_give(tree, &v, why, sizeof(why)), VERDICT_DONE);
    assert_string_equal(why, "");
    assert_string_equal(scratch_get(tree, REJECTED), after);
    assert_int_equal(scratch_mode(tree, REJECTED), 0640);
    assert_int_equal(scratch_mode(tree, "actions/rejected"), 0755);
    assert_int_equal(scratch_count(tree, "actions/rejected"), 1);
    assert_int_equal(scratch_count(tree, "actions/pending"), 0);
    assert_false(scratch_has(tree, "actions/approved"));
}

static void test_history(void **state)
{
    static const struct {
        const char *member;
        const char *history; /* NULL: refused */
    } cases[] = {
        {"", "[#]"},
        {",\"transition_history\":null", "[#]"},
        {",\"transition_history\":[]", "[#]"},
        {",\"transition_history\":[ ]", "[#]"},
        {",\"transition_history\":[1,\"x\",[2]]", "[1,\"x\",[2],#]"},
        {",\"transition\\u005fhistory\":[1]", "[1,#]"},
        {",\"transition_history\":{}", NULL},
        {",\"transition_history\":\"[]\"", NULL},
        {",\"transition_history\":0", NULL},
        {",\"transition_history\":true", NULL},
        {",\"transition_history\":[],\"transition_history\":[]", NULL},
        {",\"transition_history\":[],\"transition\\u005fhistory\":[]", NULL},
    };
    static const char entry[] =
        "{\"from\":\"pending\",\"to\":\"approved\",\"timestamp\":1780000100,"
        "\"by\":\"operator-cli:ania\"}";
    const struct tree *tree = *state;
    char text[512];
    char wanted[512];

    for (size_t i = 0; i < COUNT(cases); i++) {
        (void)snprintf(text, sizeof(text), "{\"action_id\":\"a\"%s}", cases[i].member);
        scratch_put(tree, PENDING, text);
        if (cases[i].history == NULL) {
            if (approve(tree) != VERDICT_INVALID)
                fail_msg("%s", text);
            expect_untouched(tree, text);
            continue;
        }
        assert_int_equal(approve(tree), VERDICT_DONE);
        (void)snprintf(wanted, sizeof(wanted),
                       "{\"action_id\":\"a\",\"status\":\"approved\",\"updated_at\":1780000100,"
                       "\"transition_history\":%.*s%s]}\n",
                       (int)strcspn(cases[i].history, "#"), cases[i].history, entry);
        assert_string_equal(scratch_get(tree, APPROVED), wanted);
        assert_int_equal(unlink(scratch_path(tree, APPROVED)), 0);
    }
}

static void test_new_inode(void **state)
{
    const struct tree *tree = *state;
    struct stat before, after;

    scratch_put(tree, PENDING, plain);
    int kept = open(scratch_path(tree, PENDING), O_WRONLY | O_CLOEXEC);
    assert_true(kept >= 0);
    assert_int_equal(fstat(kept, &before), 0);
    assert_int_equal(approve(tree), VERDICT_DONE);
    assert_int_equal(pwrite(kept, "{\"evil\":1}", 10, 0), 10);
    assert_int_equal(close(kept), 0);
    assert_int_equal(stat(scratch_path(tree, APPROVED), &after), 0);
    assert_int_not_equal(before.st_ino, after.st_ino);
    assert_string_equal(scratch_get(tree, APPROVED), plain_approved);
}

static void test_owner(void **state)
{
    static const char *const ours[] = {"actions/approved", APPROVED};
    const struct tree *tree = *state;
    struct stat st;

    if (geteuid() != 0)
        skip();
    scratch_put(tree, PENDING, plain);
    assert_int_equal(chown(scratch_path(tree, "actions"), 1234, 2345), 0);
    assert_int_equal(approve(tree), VERDICT_DONE);
    for (size_t i = 0; i < COUNT(ours); i++) {
        assert_int_equal(stat(scratch_path(tree, ours[i]), &st), 0);
        assert_int_equal(st.st_uid, 1234);
        assert_int_equal(st.st_gid, 2345);
    }
}

/* ---- What is refused ---- */

static void test_hostile_files(void **state)
{
    static const char *const texts[] = {
        "",
        "not JSON",
        "[]",
        "null",
        "{\"action_id\":\"a\"",
        "{\"action_id\":\"a\"}{}",
        "{}",
        "{\"action_id\":\"b\"}",
        "{\"action_id\":\"a\\u0000\"}",
        "{\"action_id\":[\"a\"]}",
        "{\"action_id\":\"a\",\"action_id\":\"a\"}",
        "{\"action_id\":\"a\",\"type\":\"alert_only\",\"type\":\"redeploy\"}",
        "{\"action_id\":\"a\",\"type\":\"alert_only\",\"typ\\u0065\":\"redeploy\"}",
        "{\"action_id\":\"a\",\"status\":1,\"status\":2}",
        "{\"action_id\":\"a\",\"node\":\"\x01\"}",
        "{\"action_id\":\"a\",\"node\":\"\n\"}",
        "{\"action_id\":\"a\",\"node\":\"\xff\"}",
        "{\"action_id\":\"a\",\"node\":\"\xed\xa0\x80\"}",
    };
    const struct tree *tree = *state;

    for (size_t i = 0; i < COUNT(texts); i++) {
        scratch_put(tree, PENDING, texts[i]);
        if (approve(tree) != VERDICT_INVALID || reject(tree) != VERDICT_INVALID)
            fail_msg("%s", texts[i]);
        expect_untouched(tree, texts[i]);
    }
    /* Escaped control characters are somebody's text: kept, escaped. */
    scratch_put(tree, PENDING, "{\"action_id\":\"a\",\"node\":\"\\u0007\\u0000\\ud800\"}");
    assert_int_equal(approve(tree), VERDICT_DONE);
    assert_non_null(strstr(scratch_get(tree, APPROVED), "\"node\":\"\\u0007\\u0000\\ud800\","));
}

static void test_no_regular_file(void **state)
{
    const struct tree *tree = *state;

    scratch_put(tree, "elsewhere.json", plain);
    assert_int_equal(symlink("../../elsewhere.json", scratch_path(tree, PENDING)), 0);
    assert_int_equal(approve(tree), VERDICT_INVALID);
    assert_int_equal(unlink(scratch_path(tree, PENDING)), 0);
    assert_int_equal(mkfifo(scratch_path(tree, PENDING), 0644), 0);
    assert_int_equal(approve(tree), VERDICT_INVALID);
    assert_int_equal(unlink(scratch_path(tree, PENDING)), 0);
    scratch_dirs(tree, PENDING);
    assert_int_equal(approve(tree), VERDICT_INVALID);
    assert_true(scratch_has(tree, PENDING));
    assert_false(scratch_has(tree, CLAIM));
    assert_int_equal(scratch_count(tree, "actions/approved"), 0);
}

/* An action of n bytes. */
static const char *padded(size_t n)
{
    static char text[ACTION_BYTES_MAX + 2];
    static const char head[] = "{\"action_id\":\"a\",\"pad\":\"";

    memset(text, 'p', n);
    memcpy(text, head, sizeof(head) - 1);
    memcpy(text + n - 2, "\"}", 2);
    text[n] = '\0';
    return text;
}

static void test_sizes(void **state)
{
    const struct tree *tree = *state;
    const size_t added = sizeof(plain_approved) - sizeof(plain);

    /* What is passed on must be readable by the limits it was read by: claims are resolved so. */
    scratch_put(tree, PENDING, padded(ACTION_BYTES_MAX + 1));
    assert_int_equal(approve(tree), VERDICT_INVALID);
    scratch_put(tree, PENDING, padded(ACTION_BYTES_MAX));
    assert_int_equal(approve(tree), VERDICT_INVALID);
    scratch_put(tree, PENDING, padded(ACTION_BYTES_MAX - added + 1));
    assert_int_equal(approve(tree), VERDICT_INVALID);
    assert_int_equal(scratch_count(tree, "actions/pending"), 1);
    assert_int_equal(scratch_count(tree, "actions/approved"), 0);
    scratch_put(tree, PENDING, padded(ACTION_BYTES_MAX - added));
    assert_int_equal(approve(tree), VERDICT_DONE);
    assert_int_equal(strlen(scratch_get(tree, APPROVED)), ACTION_BYTES_MAX);
}

static void test_hash(void **state)
{
    const struct tree *tree = *state;
    const struct span parts[] = {span_of(plain)};
    struct verdict v = verdict_of(true);
    char hex[SHA256_HEX_SIZE];
    char wrong[SHA256_HEX_SIZE + 1];

    sha256_hex(hex, SHA256_HEX_SIZE - 1, parts, 1);
    for (size_t n = 0; n <= SHA256_HEX_SIZE; n++) {
        bool sound = n == 0 || (n >= 8 && n < SHA256_HEX_SIZE);
        memcpy(wrong, hex, sizeof(hex));
        wrong[SHA256_HEX_SIZE - 1] = '0';
        if (n > 0) {
            scratch_put(tree, PENDING, plain);
            wrong[n - 1] = (char)(wrong[n - 1] == '0' ? '1' : '0');
            v.hash = (struct span){wrong, n};
            assert_int_equal(verdict_give(tree, &v, why, sizeof(why)),
                             sound ? VERDICT_CHANGED : VERDICT_FAULT);
            assert_string_not_equal(why, "");
            expect_untouched(tree, plain);
        }
        if (!sound)
            continue;
        scratch_put(tree, PENDING, plain);
        for (size_t i = 0; i < n; i++) /* as people write it */
            wrong[i] = (char)(hex[i] >= 'a' && i % 2 == 0 ? hex[i] - 'a' + 'A' : hex[i]);
        v.hash = (struct span){wrong, n};
        assert_int_equal(verdict_give(tree, &v, why, sizeof(why)), VERDICT_DONE);
        assert_int_equal(unlink(scratch_path(tree, APPROVED)), 0);
    }
    scratch_put(tree, PENDING, plain);
    v.hash = span_of("zzzzzzzz");
    assert_int_equal(verdict_give(tree, &v, why, sizeof(why)), VERDICT_CHANGED);
    v = verdict_of(true);
    static char note[NOTE_MAX + 1];
    memset(note, 'n', sizeof(note));
    v.note = (struct span){note, sizeof(note)};
    assert_int_equal(verdict_give(tree, &v, why, sizeof(why)), VERDICT_FAULT);
    assert_int_equal(errno, EINVAL);
    expect_untouched(tree, plain);
    v.note.n--;
    assert_int_equal(verdict_give(tree, &v, why, sizeof(why)), VERDICT_DONE);
}

static void test_absent(void **state)
{
    static char too_long[ACTION_ID_MAX + 2];
    static const char *const ids[] = {"", ".", "..", "../pending/a", "a/b", "-a", too_long};
    const struct tree *tree = *state;
    struct verdict v = verdict_of(true);

    memset(too_long, 'a', sizeof(too_long) - 1);
    scratch_put(tree, PENDING, plain);
    for (size_t i = 0; i < COUNT(ids); i++) {
        v.id = ids[i];
        assert_int_equal(verdict_give(tree, &v, why, sizeof(why)), VERDICT_ABSENT);
        assert_string_not_equal(why, "");
    }
    assert_int_equal(rename(scratch_path(tree, PENDING), scratch_path(tree, "x")), 0);
    assert_int_equal(approve(tree), VERDICT_ABSENT);
    assert_null(strstr(why, "actions/"));
    scratch_put(tree, "actions/running/a.json", plain);
    assert_int_equal(approve(tree), VERDICT_ABSENT);
    assert_non_null(strstr(why, "actions/running"));
    assert_int_equal(rmdir(scratch_path(tree, "actions/pending")), 0);
    assert_int_equal(approve(tree), VERDICT_ABSENT);
    assert_int_equal(verdict_resolve_claims(tree), 0);
}

/* ---- What is there already ---- */

static int no_claim(enum call call, int fd, const char *name)
{
    (void)fd;
    if (call == CALL_RENAMEAT && strcmp(name, ".claim-a") == 0)
        fail_msg("claimed");
    return 0;
}

static void test_approved_is_never_overwritten(void **state)
{
    const struct tree *tree = *state;

    scratch_put(tree, PENDING, plain);
    scratch_put(tree, APPROVED, older);
    calls_before = no_claim;
    assert_int_equal(approve(tree), VERDICT_TAKEN);
    calls_before = NULL;
    assert_string_equal(scratch_get(tree, APPROVED), older);
    assert_string_equal(scratch_get(tree, PENDING), plain);
    assert_int_equal(scratch_count(tree, "actions/pending"), 1);
    assert_int_equal(unlink(scratch_path(tree, APPROVED)), 0);
    assert_int_equal(symlink("nowhere", scratch_path(tree, APPROVED)), 0);
    assert_int_equal(approve(tree), VERDICT_TAKEN);
    assert_false(scratch_has(tree, "actions/approved/nowhere"));
    assert_string_equal(scratch_get(tree, PENDING), plain);
    /* It may be rejected all the same. */
    assert_int_equal(reject(tree), VERDICT_DONE);
}

/* A new file gets its name, or the claim the action's, by a rename or a link that overwrites
 * nothing. */
static bool names_action(enum call call, const char *name)
{
    return (call == CALL_RENAMEAT2 || call == CALL_LINKAT) && strcmp(name, "a.json") == 0;
}

static int approved_appears(enum call call, int fd, const char *name)
{
    (void)fd;
    if (names_action(call, name))
        scratch_put(here, APPROVED, older);
    return 0;
}

static void test_approved_appears_after_the_claim(void **state)
{
    const struct tree *tree = *state;

    scratch_put(tree, PENDING, plain);
    calls_before = approved_appears;
    assert_int_equal(approve(tree), VERDICT_TAKEN);
    assert_string_equal(scratch_get(tree, APPROVED), older);
    assert_string_equal(scratch_get(tree, PENDING), plain);
    assert_int_equal(scratch_count(tree, "actions/pending"), 1);
    assert_int_equal(scratch_count(tree, "actions/approved"), 1);
}

static int both_appear(enum call call, int fd, const char *name)
{
    if (names_action(call, name))
        scratch_put(here, PENDING, "{\"action_id\":\"a\",\"newer\":1}");
    return approved_appears(call, fd, name);
}

static void test_put_back_overwrites_nothing(void **state)
{
    const struct tree *tree = *state;

    scratch_put(tree, PENDING, plain);
    calls_before = both_appear;
    assert_int_equal(approve(tree), VERDICT_CHANGED);
    assert_string_equal(scratch_get(tree, APPROVED), older);
    assert_string_equal(scratch_get(tree, PENDING), "{\"action_id\":\"a\",\"newer\":1}");
    assert_int_equal(scratch_count(tree, "actions/pending"), 1);
}

static void test_an_older_rejected_is_replaced(void **state)
{
    const struct tree *tree = *state;

    scratch_put(tree, PENDING, plain);
    scratch_put(tree, REJECTED, older);
    assert_int_equal(reject(tree), VERDICT_DONE);
    assert_non_null(strstr(scratch_get(tree, REJECTED), "\"created_at\":1780000000"));
    assert_int_equal(scratch_count(tree, "actions/rejected"), 1);
    assert_int_equal(scratch_count(tree, "actions/pending"), 0);
}

/* ---- What happens at the same time ---- */

static int is_claim(enum call call, const char *name)
{
    return call == CALL_RENAMEAT && strcmp(name, ".claim-a") == 0;
}

static int replaced_before_claim(enum call call, int fd, const char *name)
{
    (void)fd;
    if (is_claim(call, name)) {
        /* The very same bytes, but another file: whose, nobody read. */
        scratch_put(here, "new", plain);
        assert_int_equal(rename(scratch_path(here, "new"), scratch_path(here, PENDING)), 0);
    }
    return 0;
}

static int written_before_claim(enum call call, int fd, const char *name)
{
    (void)fd;
    if (is_claim(call, name))
        scratch_put(here, PENDING, older);
    return 0;
}

static int one_byte_before_claim(enum call call, int fd, const char *name)
{
    char text[sizeof(plain)];

    (void)fd;
    if (is_claim(call, name)) {
        memcpy(text, plain, sizeof(plain));
        text[sizeof(plain) - 4] = 'd'; /* the correlation_id */
        scratch_put(here, PENDING, text);
    }
    return 0;
}

static int appended_before_claim(enum call call, int fd, const char *name)
{
    char text[sizeof(plain) + 1];

    (void)fd;
    if (is_claim(call, name)) {
        (void)snprintf(text, sizeof(text), "%s ", plain);
        scratch_put(here, PENDING, text);
    }
    return 0;
}

static void test_changed_between_reading_and_claim(void **state)
{
    const struct tree *tree = *state;
    char longer[sizeof(plain) + 1];

    scratch_put(tree, PENDING, plain);
    calls_before = replaced_before_claim;
    assert_int_equal(approve(tree), VERDICT_CHANGED);
    expect_untouched(tree, plain);
    calls_before = written_before_claim;
    assert_int_equal(approve(tree), VERDICT_CHANGED);
    expect_untouched(tree, older);
    scratch_put(tree, PENDING, plain);
    calls_before = one_byte_before_claim;
    assert_int_equal(approve(tree), VERDICT_CHANGED);
    assert_int_equal(strlen(scratch_get(tree, PENDING)), strlen(plain));
    assert_int_equal(scratch_count(tree, "actions/approved"), 0);
    scratch_put(tree, PENDING, plain);
    calls_before = appended_before_claim;
    assert_int_equal(reject(tree), VERDICT_CHANGED);
    (void)snprintf(longer, sizeof(longer), "%s ", plain);
    expect_untouched(tree, longer);
}

static int written_after_claim(enum call call, int fd, const char *name)
{
    (void)fd;
    if (names_action(call, name))
        scratch_put(here, CLAIM, older);
    return 0;
}

static void test_changed_after_the_claim_is_not_approved(void **state)
{
    const struct tree *tree = *state;

    scratch_put(tree, PENDING, plain);
    calls_before = written_after_claim;
    assert_int_equal(approve(tree), VERDICT_DONE);
    assert_string_equal(scratch_get(tree, APPROVED), plain_approved);
}

static int taken_before_claim(enum call call, int fd, const char *name)
{
    (void)fd;
    if (is_claim(call, name)) {
        scratch_dirs(here, "actions/rejected");
        assert_int_equal(rename(scratch_path(here, PENDING), scratch_path(here, REJECTED)), 0);
    }
    return 0;
}

static int taken_before_lock(enum call call, int fd, const char *name)
{
    (void)fd;
    (void)name;
    if (call == CALL_FLOCK && scratch_has(here, PENDING)) {
        scratch_dirs(here, "actions/rejected");
        assert_int_equal(rename(scratch_path(here, PENDING), scratch_path(here, REJECTED)), 0);
    }
    return 0;
}

/* Another program's approve, which takes no lock, after we have read the file. */
static int approved_before_claim(enum call call, int fd, const char *name)
{
    if (call == CALL_FSTATAT && strcmp(name, "a.json") == 0 &&
        calls_is_dir(fd, scratch_path(here, "actions/approved")) && scratch_has(here, PENDING))
        assert_int_equal(rename(scratch_path(here, PENDING), scratch_path(here, APPROVED)), 0);
    return 0;
}

static void test_lost_and_absent_are_told_apart(void **state)
{
    const struct tree *tree = *state;

    scratch_put(tree, PENDING, plain);
    calls_before = taken_before_claim;
    assert_int_equal(approve(tree), VERDICT_LOST);
    assert_non_null(strstr(why, "actions/rejected"));
    assert_string_equal(scratch_get(tree, REJECTED), plain);
    assert_int_equal(scratch_count(tree, "actions/pending"), 0);

    scratch_put(tree, PENDING, plain);
    calls_before = taken_before_lock;
    assert_int_equal(approve(tree), VERDICT_LOST);
    assert_non_null(strstr(why, "actions/rejected"));
    calls_before = NULL;
    assert_int_equal(approve(tree), VERDICT_ABSENT);
    assert_non_null(strstr(why, "actions/rejected"));
    assert_int_equal(scratch_count(tree, "actions/approved"), 0);

    scratch_put(tree, PENDING, plain);
    calls_before = approved_before_claim;
    assert_int_equal(approve(tree), VERDICT_LOST);
    assert_non_null(strstr(why, "actions/approved"));
    assert_string_equal(scratch_get(tree, APPROVED), plain);
}

static void test_waits_for_the_lock(void **state)
{
    const struct timespec moment = {.tv_nsec = 100000000};
    const struct tree *tree = *state;
    int status;

    scratch_put(tree, PENDING, plain);
    int dir = tree_open(tree, "actions/pending");
    assert_int_equal(flock(dir, LOCK_EX), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct verdict v = verdict_of(true);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
        tree_close(dir);
        _exit((int)verdict_give(tree, &v, why, sizeof(why)));
    }
    assert_int_equal(nanosleep(&moment, NULL), 0);
    assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
    expect_untouched(tree, plain);
    /* The child has a copy of the descriptor no more: this lets go of the lock. */
    tree_close(dir);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), VERDICT_DONE);
    assert_string_equal(scratch_get(tree, APPROVED), plain_approved);
}

static int interrupted;

static int interrupt_lock(enum call call, int fd, const char *name)
{
    (void)fd;
    (void)name;
    return call == CALL_FLOCK && interrupted++ < 3 ? EINTR : 0;
}

static void test_interrupted_lock(void **state)
{
    const struct tree *tree = *state;

    scratch_put(tree, PENDING, plain);
    interrupted = 0;
    calls_before = interrupt_lock;
    assert_int_equal(approve(tree), VERDICT_DONE);
    assert_int_equal(interrupted, 4);
}

static int always_locked(enum call call, int fd, const char *name)
{
    (void)fd;
    (void)name;
    return call == CALL_FLOCK ? EWOULDBLOCK : 0;
}

static void test_a_lock_that_is_never_let_go_is_told(void **state)
{
    const struct tree *tree = *state;

    scratch_put(tree, PENDING, plain);
    calls_before = always_locked;
    assert_int_equal(approve(tree), VERDICT_FAULT);
    assert_non_null(strstr(why, "try again"));
    calls_before = NULL;
    expect_untouched(tree, plain);
}

/* ---- Faults ---- */

static enum call failing;
static const char *failing_dir; /* a directory's sync; NULL: a file's */
static const char *failing_name;
static int failures; /* so many, then it works */

static int fail_some(enum call call, int fd, const char *name)
{
    if (call != failing || failures == 0)
        return 0;
    if (call == CALL_FSYNC &&
        (failing_dir != NULL ? !calls_is_dir(fd, scratch_path(here, failing_dir))
                             : calls_is_dir(fd, scratch_path(here, "actions/pending"))))
        return 0;
    if (call != CALL_FSYNC && strcmp(name, failing_name) != 0)
        return 0;
    failures--;
    return EIO;
}

static void fail_at(enum call call, const char *dir_or_name, int times)
{
    failing = call;
    failing_dir = failing_name = dir_or_name;
    failures = times;
    calls_before = fail_some;
}

static void test_faults_leave_it_pending(void **state)
{
    static const struct {
        enum call call;
        const char *what;
    } cases[] = {
        {CALL_FLOCK, ""},   {CALL_RENAMEAT, ".claim-a"}, {CALL_FSYNC, "actions/pending"},
        {CALL_FSYNC, NULL}, {CALL_RENAMEAT2, "a.json"},
    };
    const struct tree *tree = *state;

    scratch_dirs(tree, "actions/approved");
    for (size_t i = 0; i < COUNT(cases); i++) {
        scratch_put(tree, PENDING, plain);
        fail_at(cases[i].call, cases[i].what, 1);
        assert_int_equal(approve(tree), VERDICT_FAULT);
        assert_int_equal(errno, EIO);
        assert_int_equal(failures, 0);
        expect_untouched(tree, plain);
        assert_int_equal(scratch_count(tree, "actions/approved"), 0);
    }
}

static void test_named_but_not_durable(void **state)
{
    const struct tree *tree = *state;

    scratch_dirs(tree, "actions/approved");
    scratch_put(tree, PENDING, plain);
    fail_at(CALL_FSYNC, "actions/approved", 1);
    assert_int_equal(approve(tree), VERDICT_DONE);
    assert_int_equal(failures, 0);
    assert_int_equal(scratch_count(tree, "actions/pending"), 0);
    assert_int_equal(unlink(scratch_path(tree, APPROVED)), 0);

    /* For good: the claim stays until the name is durable. */
    scratch_put(tree, PENDING, plain);
    fail_at(CALL_FSYNC, "actions/approved", 100);
    assert_int_equal(approve(tree), VERDICT_FAULT);
    assert_int_equal(errno, EIO);
    assert_string_equal(scratch_get(tree, APPROVED), plain_approved);
    assert_true(scratch_has(tree, CLAIM));
    assert_false(scratch_has(tree, PENDING));
    assert_int_equal(verdict_resolve_claims(tree), -1);
    assert_int_equal(errno, EIO);
    assert_true(scratch_has(tree, CLAIM));
    calls_before = NULL;
    assert_int_equal(verdict_resolve_claims(tree), 1);
    assert_int_equal(scratch_count(tree, "actions/pending"), 0);
    assert_string_equal(scratch_get(tree, APPROVED), plain_approved);
}

static void test_a_claim_that_stays_after_the_verdict(void **state)
{
    const struct tree *tree = *state;

    scratch_put(tree, PENDING, plain);
    fail_at(CALL_UNLINKAT, ".claim-a", 1);
    assert_int_equal(approve(tree), VERDICT_DONE);
    assert_true(scratch_has(tree, CLAIM));
    calls_before = NULL;
    assert_int_equal(approve(tree), VERDICT_LOST);
    assert_int_equal(scratch_count(tree, "actions/pending"), 0);
    assert_string_equal(scratch_get(tree, APPROVED), plain_approved);
}

static void test_a_claim_in_the_way_is_not_overwritten(void **state)
{
    const struct tree *tree = *state;

    scratch_put(tree, PENDING, plain);
    scratch_put(tree, CLAIM, older);
    fail_at(CALL_UNLINKAT, ".claim-a", 1);
    assert_int_equal(approve(tree), VERDICT_FAULT);
    assert_int_equal(errno, EEXIST);
    assert_string_equal(scratch_get(tree, PENDING), plain);
    assert_string_equal(scratch_get(tree, CLAIM), older);
}

/* Claim as a file system without renameat2(2) puts it back. */
static int no_renameat2(enum call call, int fd, const char *name)
{
    return call == CALL_RENAMEAT2 ? ENOSYS : approved_appears(call, fd, name);
}

static int no_renameat2_and_both(enum call call, int fd, const char *name)
{
    return call == CALL_RENAMEAT2 ? EINVAL : both_appear(call, fd, name);
}

static void test_put_back_without_renameat2(void **state)
{
    const struct tree *tree = *state;
    struct stat st;

    scratch_put(tree, PENDING, plain);
    calls_before = no_renameat2;
    assert_int_equal(approve(tree), VERDICT_TAKEN);
    assert_string_equal(scratch_get(tree, PENDING), plain);
    assert_int_equal(stat(scratch_path(tree, PENDING), &st), 0);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(scratch_count(tree, "actions/pending"), 1);
    assert_int_equal(unlink(scratch_path(tree, APPROVED)), 0);
    calls_before = no_renameat2_and_both;
    assert_int_equal(approve(tree), VERDICT_CHANGED);
    assert_string_equal(scratch_get(tree, PENDING), "{\"action_id\":\"a\",\"newer\":1}");
    assert_int_equal(scratch_count(tree, "actions/pending"), 1);
}

static int approve_result(const struct tree *tree)
{
    struct verdict v = verdict_of(true);

    return (int)verdict_give(tree, &v, why, sizeof(why));
}

static void test_denied(void **state)
{
    static const struct {
        const char *path;
        mode_t mode;
    } cases[] = {
        {PENDING, 0},
        {"actions/pending", 0},
        {"actions/pending", 0555},
        {"actions/approved", 0555},
        {"actions/approved", 0},
    };
    const struct tree *tree = *state;

    for (size_t i = 0; i <= COUNT(cases); i++) {
        scratch_put(tree, PENDING, plain);
        scratch_dirs(tree, "actions/approved");
        assert_int_equal(chmod(scratch_path(tree, "actions/approved"), 0777), 0);
        assert_int_equal(chmod(scratch_path(tree, "actions/pending"), 0777), 0);
        assert_int_equal(chmod(scratch_path(tree, PENDING), 0644), 0);
        if (i == COUNT(cases))
            break;
        assert_int_equal(chmod(scratch_path(tree, cases[i].path), cases[i].mode), 0);
        assert_int_equal(scratch_as_user(approve_result, tree), VERDICT_DENIED);
        assert_int_equal(chmod(scratch_path(tree, cases[i].path), 0755), 0);
        expect_untouched(tree, plain);
        assert_int_equal(scratch_count(tree, "actions/approved"), 0);
    }
    /* An ordinary user who may write to both directories approves. */
    assert_int_equal(scratch_as_user(approve_result, tree), VERDICT_DONE);
    assert_string_equal(scratch_get(tree, APPROVED), plain_approved);
    /* The directory is missing, and may not be made. */
    assert_int_equal(unlink(scratch_path(tree, APPROVED)), 0);
    assert_int_equal(rmdir(scratch_path(tree, "actions/approved")), 0);
    assert_int_equal(chmod(scratch_path(tree, "actions"), 0555), 0);
    scratch_put(tree, PENDING, plain);
    assert_int_equal(scratch_as_user(approve_result, tree), VERDICT_DENIED);
    expect_untouched(tree, plain);
}

static int approve_full(const struct tree *tree)
{
    const struct rlimit none = {0, 0};

    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &none) != 0)
        return 255;
    return approve_result(tree) == VERDICT_FAULT ? errno : 254;
}

static void test_no_room(void **state)
{
    const struct tree *tree = *state;

    scratch_put(tree, PENDING, plain);
    assert_int_equal(scratch_in_child(approve_full, tree), EFBIG);
    expect_untouched(tree, plain);
    assert_int_equal(scratch_count(tree, "actions/approved"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_tree, remove_tree)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_members_are_kept_as_they_stand),
        TEST(test_history),
        TEST(test_new_inode),
        TEST(test_owner),
        TEST(test_hostile_files),
        TEST(test_no_regular_file),
        TEST(test_sizes),
        TEST(test_hash),
        TEST(test_absent),
        TEST(test_approved_is_never_overwritten),
        TEST(test_approved_appears_after_the_claim),
        TEST(test_put_back_overwrites_nothing),
        TEST(test_an_older_rejected_is_replaced),
        TEST(test_changed_between_reading_and_claim),
        TEST(test_changed_after_the_claim_is_not_approved),
        TEST(test_lost_and_absent_are_told_apart),
        TEST(test_waits_for_the_lock),
        TEST(test_interrupted_lock),
        TEST(test_a_lock_that_is_never_let_go_is_told),
        TEST(test_faults_leave_it_pending),
        TEST(test_named_but_not_durable),
        TEST(test_a_claim_that_stays_after_the_verdict),
        TEST(test_a_claim_in_the_way_is_not_overwritten),
        TEST(test_put_back_without_renameat2),
        TEST(test_denied),
        TEST(test_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
