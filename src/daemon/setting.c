#include "daemon/setting.h"

#include "base/escape.h"
#include "base/limits.h"
#include "base/number.h"
#include "base/utf8.h"
#include "net/url.h"

#include <string.h>

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

static bool is_port(struct span text)
{
    int64_t port;

    return number_int(text, 1, 65535, &port) == 0;
}

/* host, host:port, [address]:port */
static bool is_authority(struct span s)
{
    size_t host = 0;

    if (s.n > 0 && s.p[0] == '[') {
        const char *close = memchr(s.p, ']', s.n);
        if (close == NULL || close == s.p + 1)
            return false;
        host = (size_t)(close - s.p) + 1;
    } else {
        while (host < s.n && s.p[host] != ':')
            host++;
    }
    if (host == 0)
        return false;
    if (host == s.n)
        return true;
    return s.p[host] == ':' && is_port((struct span){s.p + host + 1, s.n - host - 1});
}

static bool is_url(struct span s, int (*parse)(struct url *, struct span, char *))
{
    char why[URL_WHY_MAX];
    struct url url;

    return is_shown_whole(s, false) && parse(&url, s, why) == 0;
}

/* [[user]:password@]host[:port][/db] */
static bool is_redis(struct span s)
{
    int64_t db;

    if (span_take_nocase(&s, "unix://"))
        return s.n > 1 && s.p[0] == '/';
    if (!span_take_nocase(&s, "redis://") && !span_take_nocase(&s, "rediss://"))
        return false;
    const char *at = memrchr(s.p, '@', s.n);
    if (at != NULL)
        s = (struct span){at + 1, s.n - (size_t)(at + 1 - s.p)};
    bool has_db = memchr(s.p, '/', s.n) != NULL;
    struct span authority = span_split(&s, '/');
    if (has_db && s.n > 0 && number_int(s, 0, 65535, &db) != 0)
        return false;
    return is_authority(authority);
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

int setting_read(const struct setting *setting, struct span text, struct setting_value *value)
{
    *value = (struct setting_value){0};
    switch (setting->kind) {
    case SETTING_PATH:
        return verdict(text.p[0] == '/' && (int64_t)text.n <= setting->max &&
                       memchr(text.p, '\0', text.n) == NULL);
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
        return verdict(is_url(text, url_parse));
    case SETTING_OLLAMA:
        return verdict(is_url(text, url_parse_ollama));
    case SETTING_REDIS:
        return verdict(is_shown_whole(text, false) && is_redis(text));
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
    }
}

void setting_show(const struct setting *setting, struct span text, struct buf *out)
{
    if (setting->secret) {
        buf_str(out, "(hidden)");
        return;
    }
    bool may_hold_user = setting->kind == SETTING_REDIS || setting->kind == SETTING_HTTP ||
                         setting->kind == SETTING_OLLAMA;
    const char *at = may_hold_user && text.n > 0 ? memrchr(text.p, '@', text.n) : NULL;
    if (at != NULL) {
        buf_str(out, "(hidden)");
        text = (struct span){at, text.n - (size_t)(at - text.p)};
    }
    escape_text(out, text);
}
