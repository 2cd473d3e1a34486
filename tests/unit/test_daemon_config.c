#include "daemon/config.h"

#include "scratch.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct tree tree;
static struct config config;
static char why[CONFIG_LINE_MAX];
static char warnings[2048];

static void warn(void *arg, const char *line)
{
    assert_ptr_equal(arg, &config);
    assert_true(strlen(warnings) + strlen(line) + 2 < sizeof(warnings));
    memcpy(warnings + strlen(warnings), line, strlen(line) + 1);
    memcpy(warnings + strlen(warnings), "\n", 2);
}

static struct config_sources sources;

static int load(void)
{
    warnings[0] = '\0';
    return config_load(&config, &sources, why);
}

/* An env-file with this text and mode stands as --env-file. */
static void put_env_file(const char *text, mode_t mode)
{
    scratch_put(&tree, "env", text);
    sources.env_file = scratch_path(&tree, "env");
    assert_int_equal(chmod(sources.env_file, mode), 0);
}

static int setup(void **state)
{
    (void)state;
    scratch_open(&tree);
    assert_int_equal(clearenv(), 0);
    sources = (struct config_sources){.env_file = "/dev/null", .warn = warn, .arg = &config};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    config_wipe(&config);
    scratch_close(&tree);
    return 0;
}

static void test_defaults(void **state)
{
    char host[256];

    (void)state;
    assert_int_equal(load(), 0);
    assert_string_equal(warnings, "");
    assert_string_equal(config_text(&config, SETTING_RUNTIME_PATH), "/opt/homelab");
    assert_int_equal(gethostname(host, sizeof(host)), 0);
    assert_string_equal(config_text(&config, SETTING_NODE_NAME), host);
    assert_int_equal(config_number(&config, SETTING_COOLDOWN_SECONDS), 300);
    assert_int_equal(config_number(&config, SETTING_LOG_LEVEL), 1);
    assert_true(config.entry[SETTING_CONFIDENCE_FLOOR].value.real == 0.7);
    assert_false(config_is_set(&config, SETTING_REDIS_URL));
    assert_string_equal(config_text(&config, SETTING_REDIS_URL), "");
    assert_int_equal(config.aliases.count, 0);
    for (unsigned i = 0; i < SETTINGS; i++)
        assert_int_equal(config.entry[i].origin, CONFIG_DEFAULT);
}

/* Flag, then environment, then env-file, then default. */
static void test_order(void **state)
{
    (void)state;
    put_env_file("RUNTIME_PATH=/file\nNODE_NAME=file\nCOOLDOWN_SECONDS=1\nLOCAL_ONLY=1\n", 0600);
    assert_int_equal(setenv("RUNTIME_PATH", "/environment", 1), 0);
    assert_int_equal(setenv("NODE_NAME", "environment", 1), 0);
    assert_int_equal(setenv("COOLDOWN_SECONDS", "2", 1), 0);
    sources.runtime = "/flag";
    assert_int_equal(load(), 0);
    assert_string_equal(config_text(&config, SETTING_RUNTIME_PATH), "/flag");
    assert_int_equal(config.entry[SETTING_RUNTIME_PATH].origin, CONFIG_FLAG);
    assert_string_equal(config_text(&config, SETTING_NODE_NAME), "environment");
    assert_int_equal(config.entry[SETTING_NODE_NAME].origin, CONFIG_ENVIRONMENT);
    assert_int_equal(config_number(&config, SETTING_COOLDOWN_SECONDS), 2);
    assert_int_equal(config_number(&config, SETTING_LOCAL_ONLY), 1);
    assert_int_equal(config.entry[SETTING_LOCAL_ONLY].origin, CONFIG_FILE);
    assert_int_equal(config_number(&config, SETTING_HEARTBEAT_SECONDS), 120);
    sources.node = "flag";
    assert_int_equal(load(), 0);
    assert_string_equal(config_text(&config, SETTING_NODE_NAME), "flag");
}

static void test_empty_is_unset(void **state)
{
    (void)state;
    put_env_file("COOLDOWN_SECONDS=5\nHUMAN_ONLY_NODES=\n", 0600);
    assert_int_equal(setenv("COOLDOWN_SECONDS", "", 1), 0);
    assert_int_equal(setenv("NODE_NAME", "", 1), 0);
    assert_int_equal(load(), 0);
    assert_int_equal(config_number(&config, SETTING_COOLDOWN_SECONDS), 5);
    assert_string_equal(config_text(&config, SETTING_HUMAN_ONLY_NODES), "chelsty*");
    assert_true(config_is_set(&config, SETTING_NODE_NAME));
}

static void test_last_in_file_wins(void **state)
{
    (void)state;
    put_env_file("LOG_LEVEL=debug\nLOG_LEVEL=error\n", 0600);
    assert_int_equal(load(), 0);
    assert_int_equal(config_number(&config, SETTING_LOG_LEVEL), 3);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *name, *value, *why;
    } cases[] = {
        {"COOLDOWN_SECONDS", "soon",
         "COOLDOWN_SECONDS=soon (from the environment) is refused: accepted is a whole number "
         "from 0 to 604800"},
        {"LOG_LEVEL", "loud",
         "LOG_LEVEL=loud (from the environment) is refused: accepted is one of debug, info, "
         "warning, error"},
        {"NODE_NAME", "a\x1b[31m b",
         "NODE_NAME=a\\x1b[31m b (from the environment) is refused: accepted is 1 to 128 "
         "printable bytes without blanks"},
        {"ANTHROPIC_API_KEY", "sk ant secret",
         "ANTHROPIC_API_KEY=(hidden) (from the environment) is refused: accepted is 8 to 512 "
         "printable bytes without blanks"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(setenv(cases[i].name, cases[i].value, 1), 0);
        assert_int_equal(load(), -1);
        assert_string_equal(why, cases[i].why);
        assert_int_equal(unsetenv(cases[i].name), 0);
    }
    put_env_file("# first\nREDIS_URL=redis://u:secret@\n", 0600);
    assert_int_equal(load(), -1);
    assert_non_null(strstr(why, "REDIS_URL=(hidden)@ (from the env-file) is refused"));
    assert_null(strstr(why, "secret"));
}

static void test_aliases(void **state)
{
    (void)state;
    put_env_file("NODE_ALIAS_MAP={\"sol\":\"solaria\"}\n", 0600);
    assert_int_equal(load(), 0);
    assert_true(span_is(alias_of(&config.aliases, span_of("sol")), "solaria"));
    put_env_file("NODE_ALIAS_MAP=[1]\n", 0600);
    assert_int_equal(load(), -1);
    assert_non_null(strstr(why, "NODE_ALIAS_MAP=[1] (from the env-file) is refused"));
}

static void test_values_too_long(void **state)
{
    static char value[CONFIG_TEXT_MAX + 1];

    (void)state;
    memset(value, 'a', CONFIG_TEXT_MAX);
    assert_int_equal(setenv("WATCH_NODES", value, 1), 0);
    assert_int_equal(load(), -1);
    assert_non_null(strstr(why, "WATCH_NODES=aaaa"));
    assert_non_null(strstr(why, "all values together are too long"));
}

static void test_bad_files(void **state)
{
    (void)state;
    put_env_file("NODE_NAME=a\nnonsense\n", 0600);
    assert_int_equal(load(), -1);
    assert_non_null(strstr(why, "env, line 2: it is not KEY=value"));
    sources.env_file = scratch_path(&tree, "absent");
    assert_int_equal(load(), -1);
    assert_non_null(strstr(why, "absent: no such file"));
    sources.env_file = tree.path;
    assert_int_equal(load(), -1);
    assert_non_null(strstr(why, "not a regular file"));
}

/* As secrets are mounted. */
static void test_file_behind_a_symlink(void **state)
{
    (void)state;
    put_env_file("NODE_NAME=linked\n", 0600);
    const char *link = scratch_path(&tree, "link");
    assert_int_equal(symlink("env", link), 0);
    sources.env_file = link;
    assert_int_equal(load(), 0);
    assert_string_equal(config_text(&config, SETTING_NODE_NAME), "linked");
}

static void test_warnings(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
        const char *warning; /* NULL = none */
    } cases[] = {
        {"COOLDOWN_SECOND=1\n", 0600, "not a variable of planner-agent: COOLDOWN_SECOND\n"},
        {"OPENAI_API_KEY=sk-secret\n", 0600, NULL},
        {"OPENAI_API_KEY=sk-secret\n", 0660, NULL},
        {"OPENAI_API_KEY=sk-secret\n", 0604, "open to others: chmod o= FILE\n"},
        {"OPENAI_API_KEY=sk-secret\n", 0602, "open to others: chmod o= FILE\n"},
        {"OPENAI_API_KEY=\n", 0644, NULL},
        {"REDIS_URL=redis://:secret@host\n", 0644, "open to others"},
        {"REDIS_URL=redis://host\n", 0644, NULL},
        {"NODE_NAME=solaria\n", 0644, NULL},
        {"REDIS_STREAM=a\n", 0644, "REDIS_URL: it is not set"},
        {"ACTIONS_STREAM=a\n", 0644, "REDIS_URL: it is not set"},
        {"REDIS_URL=redis://h\nREDIS_STREAM=a\n", 0644, NULL},
        {"REDIS_URL=redis://h\nREDIS_STREAM=a\nWATCH_NODES=nas*\n", 0644, "WATCH_NODES: with"},
        {"REDIS_URL=redis://h\nWATCH_NODES=nas*\n", 0644, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        put_env_file(cases[i].text, cases[i].mode);
        assert_int_equal(load(), 0);
        if (cases[i].warning == NULL)
            assert_string_equal(warnings, "");
        else
            assert_non_null(strstr(warnings, cases[i].warning));
        assert_null(strstr(warnings, "secret@"));
        assert_null(strstr(warnings, "sk-secret"));
    }
    sources.warn = NULL;
    put_env_file("FOO=1\n", 0600);
    assert_int_equal(load(), 0);
}

static void test_default_chain(void **state)
{
    static const char network[] = "ollama,anthropic/claude-haiku-4-5,anthropic/claude-sonnet-4-6";

    (void)state;
    assert_int_equal(load(), 0);
    assert_true(span_is(config_chain(&config, true), "rules"));
    struct span chain = config_chain(&config, false);
    assert_int_equal(chain.n, strlen(network) + strlen(",rules"));
    assert_memory_equal(chain.p, network, strlen(network));
    assert_memory_equal(chain.p + strlen(network), ",rules", strlen(",rules"));

    assert_int_equal(setenv("REDIS_URL", "redis://host", 1), 0);
    assert_int_equal(load(), 0);
    assert_true(span_is(config_chain(&config, false), network));

    assert_int_equal(setenv("LLM_CHAIN", "openai/x@3", 1), 0);
    assert_int_equal(load(), 0);
    assert_true(span_is(config_chain(&config, false), "openai/x@3"));
    assert_int_equal(unsetenv("REDIS_URL"), 0);
    assert_int_equal(load(), 0);
    assert_true(span_is(config_chain(&config, false), "openai/x@3"));
    assert_true(span_is(config_chain(&config, true), "rules"));
}

static void test_chain_is_checked_apart(void **state)
{
    static const char *const bad[] = {"nobody", "rules,,rules", "rules@0", "rules/model"};

    (void)state;
    log_to(-1);
    assert_int_equal(load(), 0);
    assert_int_equal(config_check(&config, why), 0);
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(setenv("LLM_CHAIN", bad[i], 1), 0);
        assert_int_equal(load(), 0);
        assert_int_equal(config_check(&config, why), -1);
        assert_non_null(strstr(why, "LLM_CHAIN="));
        assert_non_null(strstr(why, bad[i]));
        assert_non_null(strstr(why, "accepted is a comma list"));
    }
}

static void test_for_the_planner(void **state)
{
    struct planner_settings settings;

    (void)state;
    put_env_file("NODE_NAME=solaria\nWATCH_NODES=sol*\nHUMAN_ONLY_NODES=x\n"
                 "NOTIFY_ONLY_EVENTS=y\nCONFIDENCE_FLOOR=0.25\nCOOLDOWN_SECONDS=7\n"
                 "REPROPOSE_AFTER_SECONDS=8\nEVENT_DEADLINE_SECONDS=9\nLLM_CONCURRENCY=3\n",
                 0600);
    assert_int_equal(load(), 0);
    config_planner(&config, true, &settings);
    assert_string_equal(settings.node_name, "solaria");
    assert_true(span_is(settings.watch_nodes, "sol*"));
    assert_true(span_is(settings.policy.human_only_nodes, "x"));
    assert_true(span_is(settings.policy.notify_only_events, "y"));
    assert_true(settings.policy.confidence_floor == 0.25);
    assert_ptr_equal(settings.aliases, &config.aliases);
    assert_int_equal(settings.cooldown_ms, 7000);
    assert_int_equal(settings.repropose_ms, 8000);
    assert_int_equal(settings.deadline_ms, 9000);
    assert_int_equal(settings.concurrency, 3);
    assert_true(settings.once);
}

static void test_wipe(void **state)
{
    static const char secret[] = "sk-ant-secret";

    (void)state;
    assert_int_equal(setenv("ANTHROPIC_API_KEY", secret, 1), 0);
    assert_int_equal(load(), 0);
    assert_string_equal(config_text(&config, SETTING_ANTHROPIC_API_KEY), secret);
    config_wipe(&config);
    assert_null(memmem(config.storage, sizeof(config.storage), secret, strlen(secret)));
    assert_false(config_is_set(&config, SETTING_ANTHROPIC_API_KEY));
    /* A load that is refused leaves nothing behind either. */
    assert_int_equal(setenv("LOG_LEVEL", "x", 1), 0);
    assert_int_equal(load(), -1);
    assert_null(memmem(config.storage, sizeof(config.storage), secret, strlen(secret)));
    assert_null(strstr(why, secret));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),          TEST(test_order),         TEST(test_empty_is_unset),
        TEST(test_last_in_file_wins), TEST(test_refusals),      TEST(test_aliases),
        TEST(test_values_too_long),   TEST(test_bad_files),     TEST(test_file_behind_a_symlink),
        TEST(test_warnings),          TEST(test_default_chain), TEST(test_chain_is_checked_apart),
        TEST(test_for_the_planner),   TEST(test_wipe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
