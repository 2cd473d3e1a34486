#include "store/actions.h"

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

static int make_tree(void **state)
{
    static struct tree tree;

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

#define PENDING "actions/pending/"

/* What was synced: this stands before libc's. */
static int files_synced;
static int dirs_synced;
static int dir_fsync_error;

int fsync(int fd)
{
    static int (*real)(int);
    struct stat st;

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "fsync");
    assert_int_equal(fstat(fd, &st), 0);
    if (S_ISDIR(st.st_mode) && dir_fsync_error != 0) {
        errno = dir_fsync_error;
        return -1;
    }
    files_synced += S_ISREG(st.st_mode);
    dirs_synced += S_ISDIR(st.st_mode);
    return real(fd);
}

static const char full[] =
    "{\"action_id\":\"container-restart-solaria-web\",\"service\":\"web\",\"node\":\"solaria\","
    "\"type\":\"container_restart\",\"risk\":\"guarded\",\"status\":\"pending\","
    "\"created_at\":1780000000,\"updated_at\":1780000001,\"correlation_id\":\"c-1\","
    "\"proposed_by\":\"planner-agent\",\"details\":{\"reason\":\"it \\u0119 died\","
    "\"confidence\":0.860,\"requires_human\":true,\"action\":\"restart\","
    "\"model\":\"ollama/qwen2.5:7b\",\"event\":{\"type\":\"service_unhealthy\","
    "\"severity\":\"error\",\"timestamp\":\"2026-05-28T20:26:40Z\"}},\"transition_history\":[]}";

static enum action_look parse(const char *text, const char *id, struct action_facts *facts)
{
    return actions_parse(span_of(text), id, facts);
}

static void test_facts(void **state)
{
    struct action_facts facts;

    (void)state;
    memset(&facts, 'x', sizeof(facts));
    assert_int_equal(parse(full, "container-restart-solaria-web", &facts), ACTION_FOUND);
    assert_string_equal(facts.id, "container-restart-solaria-web");
    assert_string_equal(facts.node, "solaria");
    assert_string_equal(facts.service, "web");
    assert_string_equal(facts.type, "container_restart");
    assert_string_equal(facts.risk, "guarded");
    assert_string_equal(facts.correlation_id, "c-1");
    assert_string_equal(facts.action, "restart");
    assert_string_equal(facts.model, "ollama/qwen2.5:7b");
    assert_string_equal(facts.confidence, "0.860");
    assert_string_equal(facts.reason, "it \xc4\x99 died");
    assert_true(facts.requires_human);
    assert_string_equal(facts.event_type, "service_unhealthy");
    assert_string_equal(facts.event_severity, "error");
    assert_string_equal(facts.event_timestamp, "2026-05-28T20:26:40Z");
    assert_int_equal(facts.created_at, 1780000000);
    assert_int_equal(facts.updated_at, 1780000001);
    assert_int_equal(parse(full, NULL, &facts), ACTION_FOUND);
    assert_int_equal(parse(full, "container-restart-solaria", &facts), ACTION_FOREIGN);
}

static void test_absent_and_of_another_type(void **state)
{
    static const char *const texts[] = {
        "{\"action_id\":\"a\"}",
        "{\"action_id\":\"a\",\"node\":5,\"service\":null,\"type\":[\"x\"],\"risk\":{},"
        "\"correlation_id\":true,\"created_at\":\"1780000000\",\"updated_at\":-1,\"details\":[1]}",
        "{\"action_id\":\"a\",\"created_at\":1e99,\"updated_at\":253402300800,\"details\":{"
        "\"confidence\":\"0.9\",\"requires_human\":\"true\",\"reason\":7,\"event\":\"x\"}}",
    };
    struct action_facts facts, none;

    (void)state;
    memset(&none, 0, sizeof(none));
    memcpy(none.id, "a", 2);
    for (size_t i = 0; i < COUNT(texts); i++) {
        memset(&facts, 'x', sizeof(facts));
        assert_int_equal(parse(texts[i], "a", &facts), ACTION_FOUND);
        assert_memory_equal(&facts, &none, sizeof(none));
    }
    assert_int_equal(parse("{\"action_id\":\"a\",\"created_at\":1780000000.75}", "a", &facts),
                     ACTION_FOUND);
    assert_int_equal(facts.created_at, 1780000000);
}

static void test_long_values_are_cut(void **state)
{
    static char text[3 * PROPOSAL_REASON_MAX];
    static char many[2 * PROPOSAL_REASON_MAX];
    struct action_facts facts;

    (void)state;
    memset(many, '7', sizeof(many) - 1);
    int n = snprintf(text, sizeof(text),
                     "{\"action_id\":\"a\",\"node\":\"%.200s\",\"details\":{\"confidence\":0.%.40s,"
                     "\"reason\":\"%.1200s\",\"event\":{\"severity\":\"%.100s\"}}}",
                     many, many, many, many);
    assert_true(n > 0 && (size_t)n < sizeof(text));
    assert_int_equal(parse(text, "a", &facts), ACTION_FOUND);
    assert_int_equal(strlen(facts.node), NAME_MAX_BYTES);
    assert_int_equal(strlen(facts.reason), PROPOSAL_REASON_MAX);
    assert_string_equal(facts.reason + PROPOSAL_REASON_MAX - 4, "7...");
    assert_int_equal(strlen(facts.event_severity), sizeof(facts.event_severity) - 1);
    assert_string_equal(facts.confidence, "");
}

/* Nesting of n arrays inside the root. */
static const char *nested(size_t n)
{
    static char text[256];
    size_t at = (size_t)snprintf(text, sizeof(text), "{\"action_id\":\"a\",\"deep\":");

    for (size_t i = 0; i < n; i++)
        text[at++] = '[';
    for (size_t i = 0; i < n; i++)
        text[at++] = ']';
    text[at++] = '}';
    text[at] = '\0';
    return text;
}

static void test_what_is_no_action(void **state)
{
    static const char *const texts[] = {
        "",
        "garbage",
        "{\"action_id\":\"a\"",
        "{\"action_id\":\"a\"}x",
        "{\"action_id\":\"a\",}",
        "[\"action_id\",\"a\"]",
        "\"a\"",
        "null",
        "{}",
        "{\"id\":\"a\"}",
        "{\"action_id\":null}",
        "{\"action_id\":7}",
        "{\"action_id\":\"b\"}",
        "{\"action_id\":\"A\"}",
        "{\"action_id\":\"a \"}",
        "{\"action_id\":\"a\\u0000\"}",
        "{\"action_id\":\"a\\u0000b\"}",
        "{\"action_id\":\"\"}",
        "{\"action_id\":\"a\",\"action_id\":\"a\"}",
        "{\"action_id\":\"a\",\"action\\u005fid\":\"b\"}",
        "{\"action_id\":\"a\",\"type\":\"x\",\"type\":\"y\"}",
        "{\"action_id\":\"a\",\"node\":\"raw \x01 control\"}",
        "{\"action_id\":\"a\",\"node\":\"raw \n newline\"}",
        "{\"action_id\":\"a\",\"node\":\"\xff\"}",
        "{'action_id':'a'}",
    };
    struct action_facts facts;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        if (parse(texts[i], "a", &facts) != ACTION_FOREIGN)
            fail_msg("%s", texts[i]);
    assert_int_equal(actions_parse((struct span){"{\"action_id\":\"a\"}\0", 18}, "a", &facts),
                     ACTION_FOREIGN);
    assert_int_equal(parse(nested(ACTION_DEPTH_MAX - 1), "a", &facts), ACTION_FOUND);
    assert_int_equal(parse(nested(ACTION_DEPTH_MAX), "a", &facts), ACTION_FOREIGN);
    /* An id must be one, whoever asks. */
    assert_int_equal(parse("{\"action_id\":\"../a\"}", NULL, &facts), ACTION_FOREIGN);
    assert_int_equal(parse("{\"action_id\":\"../a\"}", "../a", &facts), ACTION_FOREIGN);
}

static void test_ids(void **state)
{
    static char longest[ACTION_ID_MAX + 2];
    static const struct {
        const char *id;
        bool valid;
    } cases[] = {
        {"a", true},     {"container-restart-solaria-web_1.2", true},
        {"", false},     {".", false},
        {"..", false},   {".a", false},
        {"-a", false},   {"_a", true},
        {"a/b", false},  {"a b", false},
        {"a\n", false},  {"a\xc4\x99", false},
        {"a:b", false},  {"a*", false},
        {"a..b-", true}, {longest, false},
    };

    (void)state;
    memset(longest, 'a', ACTION_ID_MAX + 1);
    for (size_t i = 0; i < COUNT(cases); i++)
        if (actions_id_valid(span_of(cases[i].id)) != cases[i].valid)
            fail_msg("%s", cases[i].id);
    assert_true(actions_id_valid((struct span){longest, ACTION_ID_MAX}));
    assert_false(actions_id_valid((struct span){"a\0b", 3}));
    assert_false(actions_id_valid((struct span){NULL, 0}));
}

static void test_paths(void **state)
{
    static const struct {
        enum action_place place;
        const char *text;
        const char *path;
    } cases[] = {
        {ACTION_PENDING, "pending", "actions/pending/x.json"},
        {ACTION_CLAIMED, "claimed", "actions/pending/.claim-x"},
        {ACTION_APPROVED, "approved", "actions/approved/x.json"},
        {ACTION_RUNNING, "running", "actions/running/x.json"},
        {ACTION_REJECTED, "rejected", "actions/rejected/x.json"},
        {ACTION_COMPLETED, "completed", "actions/completed/x.json"},
        {ACTION_FAILED, "failed", "actions/failed/x.json"},
        {ACTION_CANCELLED, "cancelled", "actions/cancelled/x.json"},
    };
    char path[64];

    (void)state;
    assert_int_equal(COUNT(cases), ACTION_PLACES);
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_string_equal(actions_place_text(cases[i].place), cases[i].text);
        assert_int_equal(actions_path(path, sizeof(path), cases[i].place, "x"), 0);
        assert_string_equal(path, cases[i].path);
        const char *name = strrchr(cases[i].path, '/') + 1;
        assert_int_equal(actions_name(path, strlen(name) + 1, cases[i].place, "x"), 0);
        assert_string_equal(path, name);
        assert_int_equal(actions_name(path, strlen(name), cases[i].place, "x"), -1);
        assert_string_equal(path, "");
    }
    assert_int_equal(actions_path(path, 10, ACTION_PENDING, "x"), -1);
    assert_string_equal(path, "");
}

static void put_plain(const struct tree *tree, const char *path, const char *id)
{
    char text[512];

    (void)snprintf(text, sizeof(text), "{\"action_id\":\"%s\",\"node\":\"n-%s\"}", id, id);
    scratch_put(tree, path, text);
}

/* One of everything that may have an action's name. */
static void put_strange(const struct tree *tree)
{
    static char large[ACTION_BYTES_MAX + 1];

    put_plain(tree, PENDING "good.json", "good");
    put_plain(tree, PENDING "mismatch.json", "other");
    scratch_put(tree, PENDING "garbage.json", "{");
    scratch_put(tree, PENDING "empty.json", "");
    memset(large, ' ', sizeof(large));
    memcpy(large, "{\"action_id\":\"large\"}", 21);
    scratch_put_bytes(tree, PENDING "large.json", large, sizeof(large));
    memcpy(large, "{\"action_id\":\"limit\"}", 21);
    scratch_put_bytes(tree, PENDING "limit.json", large, ACTION_BYTES_MAX);
    scratch_dirs(tree, PENDING "directory.json");
    put_plain(tree, "elsewhere", "symlink");
    assert_int_equal(symlink("../../elsewhere", scratch_path(tree, PENDING "symlink.json")), 0);
    assert_int_equal(mkfifo(scratch_path(tree, PENDING "fifo.json"), 0644), 0);
    put_plain(tree, PENDING "sp ace.json", "sp ace");
    put_plain(tree, PENDING ".hidden.json", "hidden");
    put_plain(tree, PENDING "good.json.bak", "good");
    put_plain(tree, PENDING ".json", "");
    put_plain(tree, PENDING ".claim-taken", "taken");
    put_plain(tree, PENDING ".claim-", "");
    put_plain(tree, PENDING ".claim--x", "-x");
    put_plain(tree, PENDING ".tmp-00-0-1", "good");
}

static void test_look(void **state)
{
    static const struct {
        enum action_place place;
        const char *id;
        enum action_look look;
    } cases[] = {
        {ACTION_PENDING, "good", ACTION_FOUND},
        {ACTION_PENDING, "limit", ACTION_FOUND},
        {ACTION_CLAIMED, "taken", ACTION_FOUND},
        {ACTION_PENDING, "taken", ACTION_ABSENT},
        {ACTION_CLAIMED, "good", ACTION_ABSENT},
        {ACTION_APPROVED, "good", ACTION_ABSENT},
        {ACTION_PENDING, "absent", ACTION_ABSENT},
        {ACTION_PENDING, "mismatch", ACTION_FOREIGN},
        {ACTION_PENDING, "garbage", ACTION_FOREIGN},
        {ACTION_PENDING, "empty", ACTION_FOREIGN},
        {ACTION_PENDING, "large", ACTION_FOREIGN},
        {ACTION_PENDING, "directory", ACTION_FOREIGN},
        {ACTION_PENDING, "symlink", ACTION_FOREIGN},
        {ACTION_PENDING, "fifo", ACTION_FOREIGN},
        {ACTION_PENDING, "sp ace", ACTION_ABSENT},
        {ACTION_PENDING, ".hidden", ACTION_ABSENT},
        {ACTION_APPROVED, "../pending/good", ACTION_ABSENT},
        {ACTION_PENDING, "", ACTION_ABSENT},
    };
    const struct tree *tree = *state;
    struct action_facts facts;

    put_strange(tree);
    scratch_dirs(tree, "actions/approved");
    for (size_t i = 0; i < COUNT(cases); i++)
        if (actions_look(tree, cases[i].place, cases[i].id, &facts) != cases[i].look)
            fail_msg("%s", cases[i].id);
    assert_int_equal(actions_look(tree, ACTION_PENDING, "good", &facts), ACTION_FOUND);
    assert_string_equal(facts.node, "n-good");
}

/* One at a time: an id is absent to both, or worth a look. */
static void test_present(void **state)
{
    static const char *const ids[] = {"good",      "limit",   "absent",    "garbage", "empty",
                                      "large",     "taken",   "directory", "symlink", "fifo",
                                      "elsewhere", "good.js", "goo",       "GOOD",    "dangling"};
    static const struct {
        enum action_place place;
        const char *found; /* '1' for each id that is */
    } cases[] = {
        {ACTION_PENDING, "110111011100001"},  {ACTION_CLAIMED, "000000100000000"},
        {ACTION_APPROVED, "100000000000000"}, {ACTION_RUNNING, "000000000000000"},
        {ACTION_REJECTED, "000000000000000"}, {ACTION_FAILED, "000000000000000"},
    };
    const struct tree *tree = *state;
    struct action_facts facts;

    put_strange(tree);
    assert_int_equal(symlink("nothing", scratch_path(tree, PENDING "dangling.json")), 0);
    put_plain(tree, "actions/approved/good.json", "good");
    scratch_dirs(tree, "actions/running");
    scratch_put(tree, "actions/failed", "a file in its place");
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned found = actions_present(tree, cases[i].place, ids, COUNT(ids));
        for (size_t k = 0; k < COUNT(ids); k++) {
            unsigned one = actions_present(tree, cases[i].place, &ids[k], 1);
            bool absent = actions_look(tree, cases[i].place, ids[k], &facts) == ACTION_ABSENT;
            if (one != (found >> k & 1) || (one == 0) != absent ||
                (one != 0) != (cases[i].found[k] == '1'))
                fail_msg("%s in %s", ids[k], actions_place_text(cases[i].place));
        }
        assert_int_equal(found >> COUNT(ids), 0);
    }
    assert_int_equal(actions_present(tree, ACTION_PENDING, ids, 0), 0);
    int next = dup(0);
    assert_int_equal(close(next), 0);
    (void)actions_present(tree, ACTION_PENDING, ids, COUNT(ids));
    assert_int_equal(dup(0), next); /* no descriptor is left open */
    assert_int_equal(close(next), 0);
}

/* What cannot be told is left to a look. */
static void test_present_is_unknown(void **state)
{
    static char longest[FILE_NAME_MAX + 2];
    static const char *const strange[] = {"../pending/good", "absent", "good/../good", longest};
    static struct tree deep;
    const struct tree *tree = *state;

    memset(longest, 'a', sizeof(longest) - 1);
    put_plain(tree, PENDING "good.json", "good");
    assert_int_equal(actions_present(tree, ACTION_PENDING, strange, COUNT(strange)), 13);
    assert_int_equal(symlink("rejected", scratch_path(tree, "actions/rejected")), 0);
    assert_int_equal(actions_present(tree, ACTION_REJECTED, strange, COUNT(strange)), 15);
    assert_int_equal(rename(scratch_path(tree, "actions/pending"), scratch_path(tree, "other")), 0);
    assert_int_equal(symlink("../other", scratch_path(tree, "actions/pending")), 0);
    assert_int_equal(actions_present(tree, ACTION_PENDING, strange + 1, 1), 0);
    assert_int_equal(symlink("nowhere", scratch_path(tree, "actions/running")), 0);
    assert_int_equal(actions_present(tree, ACTION_RUNNING, strange, COUNT(strange)), 0);
    memset(deep.path, '/', sizeof(deep.path) - 1);
    assert_int_equal(actions_present(&deep, ACTION_PENDING, strange, COUNT(strange)), 0);
    memset(deep.path, 'x', sizeof(deep.path) - 1);
    deep.path[0] = '/';
    assert_int_equal(actions_present(&deep, ACTION_PENDING, strange, COUNT(strange)), 15);
}

static int present_of_two(const struct tree *tree)
{
    static const char *const ids[] = {"good", "absent"};

    return (int)actions_present(tree, ACTION_PENDING, ids, COUNT(ids));
}

static void test_present_denied(void **state)
{
    const struct tree *tree = *state;

    put_plain(tree, PENDING "good.json", "good");
    assert_int_equal(chmod(scratch_path(tree, PENDING "good.json"), 0), 0);
    assert_int_equal(scratch_as_user(present_of_two, tree), 1);
    assert_int_equal(chmod(scratch_path(tree, "actions/pending"), 0711), 0);
    assert_int_equal(scratch_as_user(present_of_two, tree), 1);
    assert_int_equal(chmod(scratch_path(tree, "actions/pending"), 0744), 0);
    assert_int_equal(scratch_as_user(present_of_two, tree), 3);
    assert_int_equal(chmod(scratch_path(tree, "actions"), 0), 0);
    assert_int_equal(scratch_as_user(present_of_two, tree), 3);
}

static int look_denied(const struct tree *tree)
{
    struct action_facts facts;

    if (actions_look(tree, ACTION_PENDING, "good", &facts) != ACTION_FAULT)
        return 255;
    return errno;
}

static void test_look_denied(void **state)
{
    const struct tree *tree = *state;

    put_plain(tree, PENDING "good.json", "good");
    assert_int_equal(chmod(scratch_path(tree, PENDING "good.json"), 0), 0);
    assert_int_equal(scratch_as_user(look_denied, tree), EACCES);
    assert_int_equal(chmod(scratch_path(tree, "actions/pending"), 0), 0);
    assert_int_equal(scratch_as_user(look_denied, tree), EACCES);
}

/* What each was called with: "name=look " in order of names. */
static char seen[64][300];
static size_t seen_count;
static size_t stop_after;

static int see(void *arg, const char *name, enum action_look look, const struct action_facts *facts)
{
    static const char *const texts[] = {"absent", "found", "foreign", "fault"};

    assert_string_equal(arg, "arg");
    assert_true((look == ACTION_FOUND) == (facts != NULL));
    (void)snprintf(seen[seen_count++], sizeof(seen[0]), "%s=%s%s", name, texts[look],
                   facts != NULL && strstr(name, facts->id) == NULL ? "!" : "");
    return stop_after != 0 && seen_count == stop_after ? 42 : 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static const char *each_of(const struct tree *tree, enum action_place place, int result)
{
    static char all[2048];
    static char arg[] = "arg";

    seen_count = 0;
    assert_int_equal(actions_each(tree, place, 0, see, arg), result);
    qsort(seen, seen_count, sizeof(seen[0]), compare);
    all[0] = '\0';
    for (size_t i = 0; i < seen_count; i++) {
        strncat(all, seen[i], sizeof(all) - strlen(all) - 1);
        strncat(all, " ", sizeof(all) - strlen(all) - 1);
    }
    return all;
}

static void test_each(void **state)
{
    const struct tree *tree = *state;

    put_strange(tree);
    assert_string_equal(each_of(tree, ACTION_PENDING, 0),
                        "directory.json=foreign empty.json=foreign fifo.json=foreign "
                        "garbage.json=foreign good.json=found large.json=foreign limit.json=found "
                        "mismatch.json=foreign sp ace.json=foreign symlink.json=foreign ");
    assert_string_equal(each_of(tree, ACTION_CLAIMED, 0), ".claim--x=foreign .claim-taken=found ");
    assert_string_equal(each_of(tree, ACTION_APPROVED, 0), "");
    stop_after = 3;
    (void)each_of(tree, ACTION_PENDING, 42);
    assert_int_equal(seen_count, 3);
    stop_after = 0;
    scratch_put(tree, "actions/failed", "");
    (void)each_of(tree, ACTION_FAILED, -1);
    assert_int_equal(errno, ENOTDIR);
}

static int touch(const struct tree *tree, const char *path, int64_t at_s)
{
    const struct timespec times[2] = {{.tv_sec = at_s}, {.tv_sec = at_s}};

    return utimensat(AT_FDCWD, scratch_path(tree, path), times, AT_SYMLINK_NOFOLLOW);
}

/* What was written earlier is not read, let alone told of. */
static void test_each_since(void **state)
{
    static char arg[] = "arg";
    const struct tree *tree = *state;

    scratch_put(tree, PENDING "older.json", "garbage");
    scratch_put(tree, PENDING "then.json", "{\"action_id\":\"then\"}");
    scratch_put(tree, PENDING "later.json", "{\"action_id\":\"later\"}");
    assert_int_equal(touch(tree, PENDING "older.json", 999), 0);
    assert_int_equal(touch(tree, PENDING "then.json", 1000), 0);
    assert_int_equal(touch(tree, PENDING "later.json", 1001), 0);
    seen_count = 0;
    assert_int_equal(actions_each(tree, ACTION_PENDING, 1000, see, arg), 0);
    assert_int_equal(seen_count, 2);
    assert_true(seen[0][0] != 'o' && seen[1][0] != 'o');
    /* A time before 1970 is as good as any where none is asked for. */
    assert_int_equal(touch(tree, PENDING "older.json", -5), 0);
    assert_string_equal(each_of(tree, ACTION_PENDING, 0),
                        "later.json=found older.json=foreign then.json=found ");
}

static void test_put(void **state)
{
    const struct tree *tree = *state;
    mode_t before = umask(077);

    files_synced = dirs_synced = 0;
    assert_int_equal(actions_put(tree, "a", span_of("{\"action_id\":\"a\"}")), FILE_OK);
    (void)umask(before);
    assert_int_equal(files_synced, 1);
    assert_int_equal(dirs_synced, 1);
    assert_int_equal(scratch_mode(tree, PENDING "a.json"), 0640);
    assert_string_equal(scratch_get(tree, PENDING "a.json"), "{\"action_id\":\"a\"}");
    assert_int_equal(actions_put(tree, "a", span_of("other")), FILE_EXISTS);
    assert_string_equal(scratch_get(tree, PENDING "a.json"), "{\"action_id\":\"a\"}");
    assert_int_equal(symlink("nowhere", scratch_path(tree, PENDING "b.json")), 0);
    assert_int_equal(actions_put(tree, "b", span_of("{}")), FILE_EXISTS);
    assert_int_equal(actions_put(tree, "../b", span_of("{}")), FILE_FAULT);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(scratch_count(tree, "actions/pending"), 2);

    dirs_synced = 0;
    assert_int_equal(actions_settle(tree), 0);
    assert_int_equal(dirs_synced, 1);
    dir_fsync_error = EIO;
    assert_int_equal(actions_put(tree, "c", span_of("{}")), FILE_FAULT);
    assert_int_equal(errno, EIO);
    assert_int_equal(actions_settle(tree), -1);
    assert_int_equal(errno, EIO);
    dir_fsync_error = 0;
    assert_true(scratch_has(tree, PENDING "c.json"));
    assert_int_equal(scratch_count(tree, "actions/pending"), 3);
}

static int put_result(const struct tree *tree)
{
    return (int)actions_put(tree, "a", span_of("{}"));
}

static int put_full(const struct tree *tree)
{
    const struct rlimit none = {0, 0};

    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &none) != 0)
        return 255;
    return put_result(tree) == FILE_FAULT ? errno : 254;
}

static void test_put_fails(void **state)
{
    const struct tree *tree = *state;

    assert_int_equal(scratch_in_child(put_full, tree), EFBIG);
    assert_int_equal(chmod(scratch_path(tree, "actions/pending"), 0555), 0);
    assert_int_equal(scratch_as_user(put_result, tree), FILE_DENIED);
    assert_int_equal(chmod(scratch_path(tree, "actions/pending"), 0), 0);
    assert_int_equal(scratch_as_user(put_result, tree), FILE_DENIED);
    assert_int_equal(chmod(scratch_path(tree, "actions/pending"), 0755), 0);
    assert_int_equal(scratch_count(tree, "actions/pending"), 0);
    assert_int_equal(rmdir(scratch_path(tree, "actions/pending")), 0);
    assert_int_equal(put_result(tree), FILE_ABSENT);
    assert_int_equal(actions_settle(tree), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_tree, remove_tree)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_absent_and_of_another_type),
        cmocka_unit_test(test_long_values_are_cut),
        cmocka_unit_test(test_what_is_no_action),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_paths),
        TEST(test_look),
        TEST(test_look_denied),
        TEST(test_present),
        TEST(test_present_is_unknown),
        TEST(test_present_denied),
        TEST(test_each),
        TEST(test_each_since),
        TEST(test_put),
        TEST(test_put_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
