#include "cmd/service_text.h"

#include "cmd/service.h"
#include "cmd/text.h"

#include "base/buf.h"

#include <string.h>

#define PREFIX "service/"
#define NAME_MAX_CHARS 64 /* of a text's name, behind it */

/* RUN, "run" with its options, is made of others. */
static const char fact_names[SERVICE_FACTS + 1][8] = {"BINARY", "TREE", "USER", "UID", "GID",
                                                      "GROUP",  "ENV",  "NODE", "RUN"};

struct span service_text_find(struct span name)
{
    static char text[sizeof(PREFIX) + NAME_MAX_CHARS];

    memcpy(text, PREFIX, sizeof(PREFIX) - 1);
    /* Where it is too long, what is left is no text's name. */
    (void)span_copy(text + sizeof(PREFIX) - 1, NAME_MAX_CHARS, name);
    return text_of(span_of(text));
}

/* Only characters that mean nothing to a shell, to YAML or to systemd, wherever they stand. */
static int put_plain(const struct service *s, unsigned fact, struct buf *out)
{
    const char *text = s->fact[fact];

    buf_str(out, text);
    if (text[0] != '\0' && text[strspn(text, "abcdefghijklmnopqrstuvwxyz"
                                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                             "0123456789/._-+")] == '\0')
        return 0;
    return command_fail(s->self, -1, "cannot be put into a service's file", text);
}

static int put_run(const struct service *s, struct buf *out)
{
    buf_str(out, "run --runtime ");
    if (put_plain(s, SERVICE_TREE, out) != 0)
        return -1;
    if (strcmp(s->fact[SERVICE_ENV], CONFIG_ENV_FILE) == 0)
        return 0;
    buf_str(out, " --env-file ");
    return put_plain(s, SERVICE_ENV, out);
}

/* Behind an '@': takes NAME@ off *rest and fills in what it stands for. Any other '@' is one. */
static int fill(const struct service *s, struct span *rest, struct buf *out)
{
    struct span behind = *rest;
    struct span name = span_split(&behind, '@');
    unsigned fact = 0;

    while (fact <= SERVICE_FACTS && !span_is(name, fact_names[fact]))
        fact++;
    if (fact > SERVICE_FACTS) {
        buf_char(out, '@');
        return 0;
    }
    *rest = behind;
    return fact < SERVICE_FACTS ? put_plain(s, fact, out) : put_run(s, out);
}

/* `env` ends with the table of the variables. */
static void put_settings(const struct service *s, struct buf *out)
{
    for (unsigned i = 0; i < SETTINGS; i++) {
        const struct setting *setting = setting_table_at((enum setting_key)i);
        const char *value = setting->fallback;
        buf_str(out, "\n# ");
        buf_str(out, setting->summary);
        buf_char(out, '\n');
        if (i == SETTING_RUNTIME_PATH && strcmp(value, s->fact[SERVICE_TREE]) != 0)
            value = s->fact[SERVICE_TREE];
        else
            buf_char(out, '#');
        buf_str(out, setting->name);
        buf_char(out, '=');
        buf_str(out, value);
        buf_char(out, '\n');
    }
}

struct span service_text_make(const struct service *s, struct span name)
{
    static char storage[SERVICE_TEXT_MAX];
    const struct span none = {NULL, 0};
    struct span rest = service_text_find(name);
    struct buf out;

    if (rest.p == NULL) {
        (void)command_usage(s->self, "no such file; see", "planner-agent service list");
        return none;
    }
    buf_init(&out, storage, sizeof(storage));
    while (rest.n > 0) {
        buf_span(&out, span_split(&rest, '@'));
        if (rest.n > 0 && fill(s, &rest, &out) != 0)
            return none;
    }
    if (span_is(name, "env"))
        put_settings(s, &out);
    return buf_view(&out);
}
