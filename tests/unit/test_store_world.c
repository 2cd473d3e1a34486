#include "store/world.h"

#include "base/log.h"

#include "scratch.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define SERVICES "world/services.json"
#define INCIDENTS "world/incidents.json"

static int make_tree(void **state)
{
    static struct tree tree;

    log_to(-1);
    scratch_open(&tree);
    *state = &tree;
    return 0;
}

static int remove_tree(void **state)
{
    scratch_close(*state);
    return 0;
}

static const struct world_facts *look(const struct tree *tree)
{
    static struct world_facts facts;

    memset(&facts, 'x', sizeof(facts));
    world_look(tree, "solaria/web", "solaria", "web", &facts);
    return &facts;
}

struct world_case {
    const char *text;
    const char *expected; /* "" = not known */
};

static const struct world_case services[] = {
    {"{}", "null"},
    {"[]", "null"},
    {"{\"solaria/web\":{\"status\":\"healthy\"}}", "{\"status\":\"healthy\"}"},
    {"{\"solaria\\/web\":7}", "7"},
    {"{\"services\":{\"solaria/web\":{\"a\":1}},\"updated_at\":1}", "{\"a\":1}"},
    {"{\"services\":[{\"node\":\"solaria\",\"service\":\"db\"},"
     "{\"node\":\"solaria\",\"service\":\"web\",\"up\":false}]}",
     "{\"node\":\"solaria\",\"service\":\"web\",\"up\":false}"},
    {"[{\"key\":\"solaria/web\",\"x\":1}]", "{\"key\":\"solaria/web\",\"x\":1}"},
    {"[{\"svc_key\":\"solaria/web\"}]", "{\"svc_key\":\"solaria/web\"}"},
    {"{\"a\":{\"host\":\"solaria\",\"container\":\"web\"}}",
     "{\"host\":\"solaria\",\"container\":\"web\"}"},
    {"[{\"node\":\"solaria\",\"service\":7},{\"node\":7},[],7,null]", "null"},
    {"{\"solaria/webx\":1,\"xsolaria/web\":1}", "null"},
    /* No world at all. */
    {"", ""},
    {"7", ""},
    {"\"solaria/web\"", ""},
    {"{\"solaria/web\":{\"status\":\"healthy\"}", ""}, /* half written */
    {"{\"solaria/web\":1,}", ""},
    {"{\"solaria/web\":\"\xff\"}", ""},
    {"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", ""},
};

static const struct world_case incidents[] = {
    {"[]", "[]"},
    {"{}", "[]"},
    {"{\"incidents\":[]}", "[]"},
    {"[{\"key\":\"solaria/web\",\"status\":\"open\"}]",
     "[{\"key\":\"solaria/web\",\"status\":\"open\"}]"},
    {"[{\"key\":\"solaria/web\"},{\"key\":\"solaria/"
     "db\"},{\"node\":\"solaria\",\"service\":\"web\"}]",
     "[{\"key\":\"solaria/web\"},{\"node\":\"solaria\",\"service\":\"web\"}]"},
    {"{\"incidents\":{\"i1\":{\"key\":\"solaria/web\",\"n\":1},\"solaria/web\":{\"n\":2}}}",
     "[{\"key\":\"solaria/web\",\"n\":1},{\"n\":2}]"},
    {"[{\"key\":\"solaria/web\",\"status\":\"Resolved\"}]", "[]"},
    {"[{\"key\":\"solaria/web\",\"state\":\"closed\"}]", "[]"},
    {"[{\"key\":\"solaria/web\",\"resolved_at\":\"2026-01-01T00:00:00Z\"}]", "[]"},
    {"[{\"key\":\"solaria/web\",\"ended_at\":1780000000}]", "[]"},
    {"[{\"key\":\"solaria/web\",\"resolved_at\":null}]",
     "[{\"key\":\"solaria/web\",\"resolved_at\":null}]"},
    {"[{\"key\":\"solaria/web\",\"active\":false}]", "[]"},
    {"[{\"key\":\"solaria/web\",\"resolved\":true}]", "[]"},
    {"[{\"key\":\"solaria/web\",\"resolved\":false}]",
     "[{\"key\":\"solaria/web\",\"resolved\":false}]"},
    {"[{\"key\":\"solaria/web\"", ""},
    {"null", ""},
};

static void test_services(void **state)
{
    for (size_t i = 0; i < COUNT(services); i++) {
        scratch_put(*state, SERVICES, services[i].text);
        assert_string_equal(look(*state)->service, services[i].expected);
        assert_string_equal(look(*state)->incidents, "");
    }
}

static void test_incidents(void **state)
{
    for (size_t i = 0; i < COUNT(incidents); i++) {
        scratch_put(*state, INCIDENTS, incidents[i].text);
        assert_string_equal(look(*state)->incidents, incidents[i].expected);
        assert_string_equal(look(*state)->service, "");
    }
}

static void test_nothing_there_is_not_known(void **state)
{
    assert_string_equal(look(*state)->service, "");
    assert_string_equal(look(*state)->incidents, "");
    scratch_dirs(*state, "world");
    assert_string_equal(look(*state)->service, "");
}

static void test_no_symlink_is_followed(void **state)
{
    scratch_put(*state, "elsewhere.json", "{\"solaria/web\":1}");
    scratch_dirs(*state, "world");
    assert_int_equal(symlink("../elsewhere.json", scratch_path(*state, SERVICES)), 0);
    assert_string_equal(look(*state)->service, "");
}

static void test_a_fifo_does_not_hold_us(void **state)
{
    scratch_dirs(*state, "world");
    assert_int_equal(mkfifo(scratch_path(*state, SERVICES), 0644), 0);
    assert_string_equal(look(*state)->service, "");
}

/* An array of strings of this length in all, around an entry. */
static void put_large(const struct tree *tree, size_t n)
{
    static char text[WORLD_BYTES_MAX + 2];
    static const char head[] = "{\"solaria/web\":1,\"fill\":\"";

    memset(text, 'a', n);
    memcpy(text, head, sizeof(head) - 1);
    memcpy(text + n - 2, "\"}", 2);
    text[n] = '\0';
    scratch_put(tree, SERVICES, text);
}

static void test_sizes(void **state)
{
    char entry[2 * WORLD_SERVICE_MAX];

    put_large(*state, WORLD_BYTES_MAX);
    assert_string_equal(look(*state)->service, "1");
    put_large(*state, WORLD_BYTES_MAX + 1);
    assert_string_equal(look(*state)->service, "");
    for (int more = 0; more < 2; more++) {
        snprintf(entry, sizeof(entry), "{\"solaria/web\":\"%0*d\"}", WORLD_SERVICE_MAX - 2 + more,
                 0);
        scratch_put(*state, SERVICES, entry);
        assert_int_equal(strlen(look(*state)->service), more ? 0 : WORLD_SERVICE_MAX);
    }
}

static void test_of_many_incidents_those_that_fit(void **state)
{
    static char text[8192];
    size_t n = 0;

    text[n++] = '[';
    for (int i = 0; i < 100; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n,
                              "%s{\"key\":\"solaria/web\",\"number\":%d}", i > 0 ? "," : "", i);
    snprintf(text + n, sizeof(text) - n, "]");
    scratch_put(*state, INCIDENTS, text);
    const char *found = look(*state)->incidents;
    assert_in_range(strlen(found), WORLD_INCIDENTS_MAX - 40, WORLD_INCIDENTS_MAX);
    assert_int_equal(found[strlen(found) - 1], ']');
    assert_non_null(strstr(found, "\"number\":0}"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, make_tree, remove_tree)
    const struct CMUnitTest tests[] = {
        TEST(services),
        TEST(incidents),
        TEST(nothing_there_is_not_known),
        TEST(no_symlink_is_followed),
        TEST(a_fifo_does_not_hold_us),
        TEST(sizes),
        TEST(of_many_incidents_those_that_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
