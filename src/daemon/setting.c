#include "daemon/setting.h"

#include "base/escape.h"
#include "base/limits.h"
#include "base/number.h"
#include "base/utf8.h"
#include "net/redis_url.h"
#include "source/redis_stream.h"

#include <string.h>

_Static_assert(SETTING_WHY_MAX >= URL_WHY_MAX && SETTING_WHY_MAX > REDIS_WHY_MAX,
               "any reason fits");

/* ---- Forms ---- */

static bool is_shown_whole(struct span s, bool blanks)
{
    uint32_t cp;

    while (s.n > 0) {
        size_t n = utf8_next(s, &cp);
        if (n == 0 || utf8_hidden(cp) || (cp == ' ' && !blanks))
            return false;
        s.p += n;
        s.n -= n;
    }
    return true;
}

static bool reads_as(struct span s, int (*parse)(struct url *, struct span, char *))
{
    char why[URL_WHY_MAX];
    struct url url;

    return is_shown_whole(s, false) && parse(&url, s, why) == 0;
}

static bool is_redis(struct span s, char *why)
{
    struct redis_target target;

    bool good = is_shown_whole(s, false) && redis_url_parse(&target, s, why) == 0;
    explicit_bzero(&target, sizeof(target));
    return good;
}

static bool is_streams(const struct setting *setting, struct span s, char *why)
{
    if (setting->kind == SETTING_STREAM && span_has(s, ','))
        return false;
    return is_shown_whole(s, setting->kind == SETTING_STREAMS) && redis_stream_check(s, why) == 0;
}

static int read_choice(const char *choices, struct span text, int64_t *number)
{
    struct span rest = span_of(choices);

    for (*number = 0; rest.n > 0; (*number)++) {
        struct span choice = span_split(&rest, ' ');
        if (span_eq(choice, text))
            return 0;
    }
    return -1;
}

static int read_switch(struct span text, int64_t *number)
{
    static const char *const words[] = {"0", "1", "false", "true", "no", "yes", "off", "on"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (span_is_nocase(text, words[i])) {
            *number = (int64_t)(i % 2);
            return 0;
        }
    return -1;
}

static int verdict(bool good)
{
    return good ? 0 : -1;
}

int setting_read(const struct setting *setting, struct span text, struct setting_value *value,
                 char *why)
{
    *value = (struct setting_value){0};
    why[0] = '\0';
    switch (setting->kind) {
    case SETTING_PATH:
        return verdict(text.p[0] == '/' && (int64_t)text.n <= setting->max &&
                       !span_has(text, '\0'));
    case SETTING_NAME:
        return verdict((int64_t)text.n >= setting->min && (int64_t)text.n <= setting->max &&
                       is_shown_whole(text, false));
    case SETTING_NUMBER:
        return number_int(text, setting->min, setting->max, &value->number);
    case SETTING_SWITCH:
        return read_switch(text, &value->number);
    case SETTING_REAL:
        return number_real(text, 0.0, 1.0, &value->real);
    case SETTING_GLOBS:
        return verdict(is_shown_whole(text, true));
    case SETTING_CHOICE:
        return read_choice(setting->choices, text, &value->number);
    case SETTING_ALIASES:
        return verdict(span_trim(text).n > 0);
    case SETTING_CHAIN:
        return verdict(is_shown_whole(text, true));
    case SETTING_HTTP:
        return verdict(reads_as(text, url_parse));
    case SETTING_OLLAMA:
        return verdict(reads_as(text, url_parse_ollama));
    case SETTING_REDIS:
        return verdict(is_redis(text, why));
    case SETTING_STREAMS:
    case SETTING_STREAM:
        return verdict(is_streams(setting, text, why));
    }
    return -1;
}

/* ---- Told to people ---- */

static void accepts_range(const struct setting *setting, const char *what, const char *unit,
                          struct buf *out)
{
    buf_str(out, what);
    buf_int(out, setting->min);
    buf_str(out, " to ");
    buf_int(out, setting->max);
    buf_str(out, unit);
}

static void accepts_path(const struct setting *setting, struct buf *out)
{
    buf_str(out, "an absolute path of up to ");
    buf_int(out, setting->max);
    buf_str(out, " bytes");
}

static void accepts_choice(const struct setting *setting, struct buf *out)
{
    struct span rest = span_of(setting->choices);

    buf_str(out, "one of ");
    while (rest.n > 0) {
        buf_span(out, span_split(&rest, ' '));
        if (rest.n > 0)
            buf_str(out, ", ");
    }
}

void setting_accepts(const struct setting *setting, struct buf *out)
{
    switch (setting->kind) {
    case SETTING_PATH:
        accepts_path(setting, out);
        break;
    case SETTING_NAME:
        accepts_range(setting, "", " printable bytes without blanks", out);
        break;
    case SETTING_NUMBER:
        accepts_range(setting, "a whole number from ", "", out);
        break;
    case SETTING_SWITCH:
        buf_str(out, "0 or 1");
        break;
    case SETTING_REAL:
        buf_str(out, "a number from 0 to 1");
        break;
    case SETTING_GLOBS:
        buf_str(out, "a comma list of names, which may hold * and ?");
        break;
    case SETTING_CHOICE:
        accepts_choice(setting, out);
        break;
    case SETTING_ALIASES:
        buf_str(out, "a JSON object {\"alias\":\"node\",...}");
        break;
    case SETTING_CHAIN:
        buf_str(out, "a comma list of up to ");
        buf_int(out, CHAIN_HOPS_MAX);
        buf_str(out,
                " provider[/model][@seconds], provider one of ollama, anthropic, openai, rules");
        break;
    case SETTING_HTTP:
        buf_str(out, "http://host[:port][/path] or https://...");
        break;
    case SETTING_OLLAMA:
        buf_str(out, "http://host[:port][/path], https://... or host[:port]");
        break;
    case SETTING_REDIS:
        buf_str(out, "redis://[[user]:password@]host[:port][/db], rediss://... or unix:///path");
        break;
    case SETTING_STREAMS:
        buf_str(out, "a comma list of up to ");
        buf_int(out, STREAMS_MAX);
        buf_str(out, " names of streams");
        break;
    case SETTING_STREAM:
        buf_str(out, "the name of a stream, up to ");
        buf_int(out, STREAM_NAME_MAX);
        buf_str(out, " bytes");
        break;
    }
}

/* Is it all that a URL of ours may have behind its path? */
static bool is_database(struct span query)
{
    int64_t database;

    return span_take_nocase(&query, "?db=") &&
           number_int(query, 0, REDIS_DATABASE_MAX, &database) == 0;
}

static void put_cut(struct span text, size_t most, struct buf *out)
{
    char cut[SETTING_SHOWN_MAX + 1];

    escape_text(out, (struct span){cut, span_cut(cut, most + 1, text)});
}

/* Without what may be a password, also where it is no URL that we take. */
static void show_url(struct span text, size_t most, struct buf *out)
{
    const char *at = memrchr(text.p, '@', text.n);
    const char *mark = memchr(text.p, '?', text.n);
    struct span query = {mark, mark != NULL ? (size_t)(text.p + text.n - mark) : 0};
    bool hidden = query.n > 0 && !is_database(query);

    if (at != NULL)
        buf_str(out, "(hidden)");
    if (at != NULL && (mark == NULL || mark > at))
        text = (struct span){at, text.n - (size_t)(at - text.p)};
    else if (at != NULL)
        return;
    if (hidden)
        text.n -= query.n;
    put_cut(text, most, out);
    if (hidden)
        buf_str(out, "?(hidden)");
}

void setting_show(const struct setting *setting, struct span text, size_t most, struct buf *out)
{
    bool is_url = setting->kind == SETTING_REDIS || setting->kind == SETTING_HTTP ||
                  setting->kind == SETTING_OLLAMA;

    if (setting->secret)
        buf_str(out, "(hidden)");
    else if (is_url && text.n > 0)
        show_url(text, most, out);
    else
        put_cut(text, most, out);
}
