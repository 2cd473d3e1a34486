#include "net/redis_url.h"

#include <string.h>

#define SOCKET_SCHEME "unix://"

static int refuse(char *why, const char *reason)
{
    span_cut_text(why, URL_WHY_MAX, reason);
    return -1;
}

/* Takes what is before the last c, and c, off the start of *s, where there is one. */
static bool take_to_last(struct span *s, char c, struct span *before)
{
    size_t n = s->n;

    while (n > 0 && s->p[n - 1] != c)
        n--;
    if (n == 0)
        return false;
    *before = (struct span){s->p, n - 1};
    *s = (struct span){s->p + n, s->n - n};
    return true;
}

/* ---- Percent-encoding ---- */

/* -1: no digit. */
static int hex_digit(char c)
{
    c = span_lower(c);
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum decoded { DECODED, DECODED_BAD, DECODED_TOO_LONG };

/* To dst with a NUL. Bad: half an escape, a byte of bad as it stands, a control character or blank
 * as it stands, NUL also escaped. */
static enum decoded decode(char *dst, size_t cap, struct span s, const char *bad)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            int high = s.n - i > 2 ? hex_digit(s.p[i + 1]) : -1;
            int low = s.n - i > 2 ? hex_digit(s.p[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0))
                return DECODED_BAD;
            c = (char)(high << 4 | low);
            i += 2;
        } else if ((unsigned char)c <= ' ' || c == 0x7f || strchr(bad, c) != NULL) {
            return DECODED_BAD;
        }
        if (n + 1 == cap)
            return DECODED_TOO_LONG;
        dst[n++] = c;
    }
    dst[n] = '\0';
    return DECODED;
}

/* ---- Parts ---- */

static int parse_secret(char *dst, size_t cap, struct span s, const char *too_long, char *why)
{
    switch (decode(dst, cap, s, "/?#@")) {
    case DECODED:
        return 0;
    case DECODED_TOO_LONG:
        return refuse(why, too_long);
    case DECODED_BAD:
        break;
    }
    return refuse(why, "user and password must be percent-encoded: @ is %40, / is %2F, ? is %3F, "
                       "# is %23, % is %25");
}

/* [user]:password. Whatever is before the last @ belongs to it, so that no part of a password is
 * ever taken for a host, and shown. */
static int parse_login(struct redis_target *out, struct span text, char *why)
{
    if (!span_has(text, ':'))
        return refuse(why, "before the @ there must be user:password, or :password alone");
    struct span user = span_split(&text, ':');
    if (user.n > 0 && text.n == 0)
        return refuse(why, "there is a user without a password");
    if (parse_secret(out->user, sizeof(out->user), user, "the user is longer than 128 bytes",
                     why) != 0)
        return -1;
    return parse_secret(out->password, sizeof(out->password), text,
                        "the password is longer than 512 bytes", why);
}

static int parse_database(struct redis_target *out, struct span digits, char *why)
{
    unsigned value = 0;

    for (size_t i = 0; i < digits.n && value <= REDIS_DATABASE_MAX; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '9')
            return refuse(why, "the database must be a number from 0 to 65535");
        value = value * 10 + (unsigned)(digits.p[i] - '0');
    }
    if (digits.n == 0 || value > REDIS_DATABASE_MAX)
        return refuse(why, "the database must be a number from 0 to 65535");
    out->database = value;
    return 0;
}

/* host[:port]: what an http URL has there, but for the port that it need not name. */
static int parse_host(struct url *url, bool tls, struct span text, char *why)
{
    char storage[sizeof("https://[]:65535") + URL_HOST_MAX];
    struct span rest = text, before;
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    buf_str(&b, tls ? "https://" : "http://");
    buf_span(&b, text);
    if (buf_done(&b) != 0)
        return refuse(why, "the host is longer than 253 bytes");
    if (url_parse(url, buf_view(&b), why) != 0)
        return -1;
    (void)take_to_last(&rest, ']', &before);
    if (!span_has(rest, ':'))
        url->port = REDIS_PORT;
    return 0;
}

/* host[:port][/database] */
static int parse_server(struct redis_target *out, bool tls, struct span text, char *why)
{
    struct span host;

    if (span_has(text, '?') || span_has(text, '#'))
        return refuse(why, "there must be no ? and no #: the database stands behind a slash");
    host = span_split(&text, '/');
    if (parse_host(&out->url, tls, host, why) != 0)
        return -1;
    return text.n > 0 ? parse_database(out, text, why) : 0;
}

/* /path[?db=N] */
static int parse_socket(struct redis_target *out, struct span text, char *why)
{
    bool asks = span_has(text, '?');
    struct span path = span_split(&text, '?');

    out->url.kind = URL_UNIX;
    if (path.n == 0 || path.p[0] != '/')
        return refuse(why, "the socket's path must begin with a slash: unix:///run/redis.sock");
    switch (decode(out->url.path, URL_SOCKET_MAX + 1, path, "#@")) {
    case DECODED:
        break;
    case DECODED_TOO_LONG:
        return refuse(why, "the socket's path is longer than 107 bytes");
    case DECODED_BAD:
        return refuse(
            why, "the path has a character that must be written as % and two digits, or a NUL");
    }
    if (!asks)
        return 0;
    if (!span_take_nocase(&text, "db="))
        return refuse(why, "behind the ? there may only be db= and a number");
    return parse_database(out, text, why);
}

static int parse(struct redis_target *out, struct span text, char *why)
{
    struct span login;
    bool tls = span_take_nocase(&text, "rediss://");
    bool is_socket = !tls && span_take_nocase(&text, SOCKET_SCHEME);

    if (!tls && !is_socket && !span_take_nocase(&text, "redis://"))
        return refuse(why, "it must begin with redis://, rediss:// or unix:///");
    if (take_to_last(&text, '@', &login) && parse_login(out, login, why) != 0)
        return -1;
    return is_socket ? parse_socket(out, text, why) : parse_server(out, tls, text, why);
}

int redis_url_parse(struct redis_target *out, struct span text, char *why)
{
    *out = (struct redis_target){0};
    if (parse(out, text, why) == 0)
        return 0;
    explicit_bzero(out, sizeof(*out)); /* half a secret is one */
    return -1;
}

/* ---- Text ---- */

/* So that it is read as the same path again. */
static void put_path(struct buf *out, const char *path)
{
    for (; *path != '\0'; path++) {
        unsigned char c = (unsigned char)*path;
        if (c > ' ' && c != 0x7f && strchr("%?#@", c) == NULL) {
            buf_char(out, *path);
        } else {
            buf_char(out, '%');
            buf_hex(out, &c, 1);
        }
    }
}

static void put_database(struct buf *out, const char *before, unsigned database)
{
    if (database == 0)
        return;
    buf_str(out, before);
    buf_int(out, database);
}

void redis_url_text(const struct redis_target *target, struct buf *out)
{
    const struct url *url = &target->url;
    bool is_v6 = url->kind == URL_IPV6;

    if (url->kind == URL_UNIX) {
        buf_str(out, SOCKET_SCHEME);
        put_path(out, url->path);
        put_database(out, "?db=", target->database);
        return;
    }
    buf_str(out, url->tls ? "rediss://" : "redis://");
    buf_str(out, is_v6 ? "[" : "");
    buf_str(out, url->host);
    buf_str(out, is_v6 ? "]:" : ":");
    buf_int(out, url->port);
    put_database(out, "/", target->database);
}
