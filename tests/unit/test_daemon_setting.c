#include "daemon/setting.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_table(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SETTINGS; i++) {
        const struct setting *s = setting_table_at((enum setting_key)i);
        struct setting_value value;
        char why[SETTING_WHY_MAX];
        assert_non_null(s->name);
        assert_non_null(s->summary);
        assert_int_equal(setting_table_find(span_of(s->name)), i);
        /* A default that would be refused is no default. */
        if (s->fallback[0] != '\0')
            assert_int_equal(setting_read(s, span_of(s->fallback), &value, why), 0);
    }
    assert_int_equal(setting_table_find(span_of("PATH")), SETTINGS);
    assert_int_equal(setting_table_find(span_of("")), SETTINGS);
    assert_int_equal(setting_table_find(span_of("node_name")), SETTINGS);
}

static void test_read(void **state)
{
    static const struct {
        enum setting_key key;
        const char *text;
        int result;
        int64_t number;
    } cases[] = {
        {SETTING_RUNTIME_PATH, "/srv", 0, 0},
        {SETTING_RUNTIME_PATH, "srv", -1, 0},
        {SETTING_NODE_NAME, "solaria", 0, 0},
        {SETTING_NODE_NAME, "two words", -1, 0},
        {SETTING_NODE_NAME, "esc\x1b[31m", -1, 0},
        {SETTING_NODE_NAME, "bad\xff", -1, 0},
        {SETTING_COOLDOWN_SECONDS, "0", 0, 0},
        {SETTING_COOLDOWN_SECONDS, "604800", 0, 604800},
        {SETTING_COOLDOWN_SECONDS, "604801", -1, 0},
        {SETTING_COOLDOWN_SECONDS, "-1", -1, 0},
        {SETTING_COOLDOWN_SECONDS, "5m", -1, 0},
        {SETTING_COOLDOWN_SECONDS, " 5", -1, 0},
        {SETTING_EVENT_DEADLINE_SECONDS, "0", -1, 0},
        {SETTING_HEARTBEAT_SECONDS, "0", -1, 0},
        {SETTING_LLM_CONCURRENCY, "8", 0, 8},
        {SETTING_LLM_CONCURRENCY, "9", -1, 0},
        {SETTING_LOCAL_ONLY, "1", 0, 1},
        {SETTING_LOCAL_ONLY, "True", 0, 1},
        {SETTING_LOCAL_ONLY, "off", 0, 0},
        {SETTING_LOCAL_ONLY, "2", -1, 0},
        {SETTING_LOG_LEVEL, "debug", 0, 0},
        {SETTING_LOG_LEVEL, "error", 0, 3},
        {SETTING_LOG_LEVEL, "Error", -1, 0},
        {SETTING_LOG_LEVEL, "err", -1, 0},
        {SETTING_LOG_FORMAT, "text", 0, 2},
        {SETTING_WATCH_NODES, "sol*, orion", 0, 0},
        {SETTING_WATCH_NODES, "a\nb", -1, 0},
        {SETTING_OLLAMA_API_BASE, "http://10.0.0.2:11434", 0, 0},
        {SETTING_OLLAMA_API_BASE, "HTTPS://ollama.lan/sub", 0, 0},
        {SETTING_OLLAMA_API_BASE, "ollama.lan", 0, 0},
        {SETTING_OLLAMA_API_BASE, ":11434", 0, 0},
        {SETTING_OLLAMA_API_BASE, "[::1]:11434", 0, 0},
        {SETTING_OLLAMA_API_BASE, "ollama:0", -1, 0},
        {SETTING_OLLAMA_API_BASE, "ftp://ollama", -1, 0},
        {SETTING_OLLAMA_API_BASE, ":", -1, 0},
        {SETTING_ANTHROPIC_API_BASE, "https://api.anthropic.com", 0, 0},
        {SETTING_ANTHROPIC_API_BASE, "https://", -1, 0},
        {SETTING_ANTHROPIC_API_BASE, "https://user:pw@host", -1, 0},
        {SETTING_ANTHROPIC_API_BASE, "https://host:99999", -1, 0},
        {SETTING_ANTHROPIC_API_BASE, "host", -1, 0},
        {SETTING_ANTHROPIC_API_KEY, "sk-ant-0123456789", 0, 0},
        {SETTING_ANTHROPIC_API_KEY, "short", -1, 0},
        {SETTING_ANTHROPIC_API_KEY, "sk-ant with blanks", -1, 0},
        {SETTING_REDIS_URL, "redis://host", 0, 0},
        {SETTING_REDIS_URL, "rediss://user:p%40ss@host:6380/3", 0, 0},
        {SETTING_REDIS_URL, "rediss://user:p@ss@host:6380/3", -1, 0},
        {SETTING_REDIS_URL, "redis://:secret@[fd00::1]:6379", 0, 0},
        {SETTING_REDIS_URL, "unix:///run/redis.sock", 0, 0},
        {SETTING_REDIS_URL, "unix://", -1, 0},
        {SETTING_REDIS_URL, "redis://host/x", -1, 0},
        {SETTING_REDIS_URL, "redis://", -1, 0},
        {SETTING_REDIS_URL, "host:6379", -1, 0},
        {SETTING_REDIS_URL, "redis://host:0", -1, 0},
        {SETTING_REDIS_URL, "redis://host/65536", -1, 0},
        {SETTING_REDIS_STREAM, "homelab:events", 0, 0},
        {SETTING_REDIS_STREAM, "homelab:events,other", 0, 0},
        {SETTING_REDIS_STREAM, "homelab:events,homelab:events", -1, 0},
        {SETTING_REDIS_STREAM, "a,,b", -1, 0},
        {SETTING_REDIS_STREAM, "two words", -1, 0},
        {SETTING_REDIS_STREAM, "a,b,c,d,e,f,g,h", 0, 0},
        {SETTING_REDIS_STREAM, "a,b,c,d,e,f,g,h,i", -1, 0},
        {SETTING_ACTIONS_STREAM, "homelab:actions", 0, 0},
        {SETTING_ACTIONS_STREAM, "a,b", -1, 0},
        {SETTING_CONFIDENCE_FLOOR, "1", 0, 0},
        {SETTING_CONFIDENCE_FLOOR, "1.01", -1, 0},
        {SETTING_CONFIDENCE_FLOOR, ".5", -1, 0},
        {SETTING_CONFIDENCE_FLOOR, "nan", -1, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct setting_value value;
        char why[SETTING_WHY_MAX];
        int result =
            setting_read(setting_table_at(cases[i].key), span_of(cases[i].text), &value, why);
        if (result != cases[i].result)
            print_message("%s\n", cases[i].text);
        assert_int_equal(result, cases[i].result);
        if (result == 0)
            assert_int_equal(value.number, cases[i].number);
    }
}

/* What helps to mend it, and never the password. */
static void test_why(void **state)
{
    static const struct {
        enum setting_key key;
        const char *text;
        bool told;
    } cases[] = {
        {SETTING_REDIS_URL, "redis://u:s3cr3t@host/x", true},
        {SETTING_REDIS_URL, "redis://u:s3cr%t@host", true},
        {SETTING_REDIS_URL, "redis://u:s3cr3t@host:0", true},
        {SETTING_REDIS_URL, "http://u:s3cr3t@host", true},
        {SETTING_REDIS_STREAM, "a,,b", true},
        {SETTING_COOLDOWN_SECONDS, "x", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct setting_value value;
        char why[SETTING_WHY_MAX];
        assert_int_equal(
            setting_read(setting_table_at(cases[i].key), span_of(cases[i].text), &value, why), -1);
        assert_int_equal(why[0] != '\0', cases[i].told);
        assert_null(strstr(why, "s3cr"));
    }
}

static void test_accepts(void **state)
{
    static const struct {
        enum setting_key key;
        const char *text;
    } cases[] = {
        {SETTING_COOLDOWN_SECONDS, "a whole number from 0 to 604800"},
        {SETTING_LOG_LEVEL, "one of debug, info, warning, error"},
        {SETTING_CONFIDENCE_FLOOR, "a number from 0 to 1"},
        {SETTING_LOCAL_ONLY, "0 or 1"},
        {SETTING_RUNTIME_PATH, "an absolute path of up to 512 bytes"},
        {SETTING_REDIS_STREAM, "a comma list of up to 8 names of streams"},
        {SETTING_ACTIONS_STREAM, "the name of a stream, up to 128 bytes"},
    };
    char storage[512];
    struct buf b;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        buf_init(&b, storage, sizeof(storage));
        setting_accepts(setting_table_at(cases[i].key), &b);
        assert_string_equal(buf_text(&b), cases[i].text);
    }
    for (unsigned i = 0; i < SETTINGS; i++) {
        buf_init(&b, storage, sizeof(storage));
        setting_accepts(setting_table_at((enum setting_key)i), &b);
        assert_int_equal(buf_done(&b), 0);
        assert_true(b.n > 0);
    }
}

static void test_show(void **state)
{
    static const struct {
        enum setting_key key;
        const char *text;
        const char *shown;
    } cases[] = {
        {SETTING_NODE_NAME, "solaria", "solaria"},
        {SETTING_NODE_NAME, "a\x1b[0m", "a\\x1b[0m"},
        {SETTING_ANTHROPIC_API_KEY, "sk-ant-secret", "(hidden)"},
        {SETTING_OPENAI_API_KEY, "sk-secret", "(hidden)"},
        {SETTING_REDIS_URL, "redis://host/0", "redis://host/0"},
        {SETTING_REDIS_URL, "redis://u:secret@host/0", "(hidden)@host/0"},
        {SETTING_REDIS_URL, "u:sec@ret@host", "(hidden)@host"},
        {SETTING_ANTHROPIC_API_BASE, "https://u:secret@host", "(hidden)@host"},
        {SETTING_OLLAMA_HOST, "http://u:secret@host", "(hidden)@host"},
        {SETTING_REDIS_URL, "unix:///run/redis.sock?db=2", "unix:///run/redis.sock?db=2"},
        {SETTING_REDIS_URL, "unix:///run/redis.sock?password=s3cr3t",
         "unix:///run/redis.sock?(hidden)"},
        {SETTING_REDIS_URL, "unix:///a?db=1&password=s3cr3t", "unix:///a?(hidden)"},
        {SETTING_REDIS_URL, "redis://u:secret@h/0?auth=x", "(hidden)@h/0?(hidden)"},
        {SETTING_REDIS_URL, "redis://h/0?auth=a@b", "(hidden)"},
        {SETTING_REDIS_URL, "redis://u:sec?ret@h/0", "(hidden)"},
        {SETTING_REDIS_URL, "?", "?(hidden)"},
        /* What is hidden is looked for in all of it. */
        {SETTING_REDIS_URL, "redis://user:secret-secret-secret-secret-secret@host",
         "(hidden)@host"},
        {SETTING_REDIS_URL, "redis://a.host.of.many.many.letters/0?auth=secret",
         "redis://a.host.of.many.many.letters/0?(hidden)"},
        {SETTING_NODE_NAME, "0123456789012345678901234567890123456789x",
         "0123456789012345678901234567890123456..."},
    };
    char storage[512];
    struct buf b;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        buf_init(&b, storage, sizeof(storage));
        setting_show(setting_table_at(cases[i].key), span_of(cases[i].text), 40, &b);
        assert_string_equal(buf_text(&b), cases[i].shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),   cmocka_unit_test(test_read), cmocka_unit_test(test_why),
        cmocka_unit_test(test_accepts), cmocka_unit_test(test_show),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
