#include "net/url.h"

#include "base/number.h"

#include <arpa/inet.h>
#include <string.h>

#define PORT_HTTP 80
#define PORT_HTTPS 443
#define PORT_OLLAMA 11434

#define LABEL_MAX 63 /* bytes between two dots of a name (RFC 1035) */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int refuse(char *why, const char *reason)
{
    span_cut_text(why, URL_WHY_MAX, reason);
    return -1;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    c = span_lower(c);
    return is_digit(c) || (c >= 'a' && c <= 'f');
}

static bool is_alnum(char c)
{
    c = span_lower(c);
    return is_digit(c) || (c >= 'a' && c <= 'z');
}

/* ---- Host ---- */

/* text fits and holds no NUL. */
static void set_host(struct url *out, enum url_host kind, struct span text)
{
    for (size_t i = 0; i < text.n; i++)
        out->host[i] = span_lower(text.p[i]);
    out->host[text.n] = '\0';
    out->kind = kind;
}

static int parse_ipv6(struct url *out, struct span text, char *why)
{
    char whole[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (span_has(text, '%'))
        return refuse(why, "an IPv6 address with a zone (%) is not supported");
    if (span_copy(whole, sizeof(whole), text) != 0 || inet_pton(AF_INET6, whole, &address) != 1)
        return refuse(why, "what is between [ and ] is no IPv6 address");
    set_host(out, URL_IPV6, text);
    return 0;
}

/* Letters, digits, dashes, and the underscores that container names have. */
static int check_label(struct span label, char *why)
{
    if (label.n == 0)
        return refuse(why, "the host has an empty part: a dot too many");
    if (label.n > LABEL_MAX)
        return refuse(why, "the host has a part of over 63 bytes");
    for (size_t i = 0; i < label.n; i++) {
        if ((label.p[i] & 0x80) != 0)
            return refuse(why, "the host is not ASCII: write it in its xn-- form");
        if (!is_alnum(label.p[i]) && label.p[i] != '-' && label.p[i] != '_')
            return refuse(why, "the host has a character that no host name has");
    }
    if (label.p[0] == '-' || label.p[label.n - 1] == '-')
        return refuse(why, "the host has a part that begins or ends with a dash");
    return 0;
}

/* Would anybody take a name with this last part for an IPv4 address? Some resolvers read 127.1,
 * 2130706433 and 0x7f000001 as one. */
static bool is_number(struct span label)
{
    bool hex = label.n > 1 && label.p[0] == '0' && span_lower(label.p[1]) == 'x';

    for (size_t i = hex ? 2 : 0; i < label.n; i++)
        if (hex ? !is_hex(label.p[i]) : !is_digit(label.p[i]))
            return false;
    return true;
}

static int parse_name(struct url *out, struct span text, char *why)
{
    struct span rest = text, last = text;
    struct in_addr address;

    if (text.n > URL_HOST_MAX)
        return refuse(why, "the host is longer than 253 bytes");
    /* What is behind the last dot counts too, where nothing is. */
    for (bool more = true; more;) {
        more = span_has(rest, '.');
        last = span_split(&rest, '.');
        if (check_label(last, why) != 0)
            return -1;
    }
    set_host(out, URL_NAME, text);
    if (!is_number(last))
        return 0;
    if (inet_pton(AF_INET, out->host, &address) != 1)
        return refuse(why, "an IPv4 address is four numbers from 0 to 255 with dots between");
    out->kind = URL_IPV4;
    return 0;
}

/* ---- The rest ---- */

static int parse_port(struct url *out, struct span text, char *why)
{
    int64_t port;

    if (number_int(text, 1, UINT16_MAX, &port) != 0)
        return refuse(why, "the port must be a number from 1 to 65535");
    out->port = (uint16_t)port;
    return 0;
}

/* host, host:port, [address], [address]:port */
static int parse_authority(struct url *out, struct span text, char *why)
{
    struct span host = text;
    int failed;

    if (text.n > 0 && text.p[0] == '[') {
        const char *close = memchr(text.p, ']', text.n);
        if (close == NULL)
            return refuse(why, "there is a [ without its ]");
        host = (struct span){text.p + 1, (size_t)(close - text.p) - 1};
        text = (struct span){close + 1, text.n - host.n - 2};
        if (text.n > 0 && text.p[0] != ':')
            return refuse(why, "behind the ] there may only be a colon and a port");
        failed = parse_ipv6(out, host, why);
    } else {
        const char *colon = text.n > 0 ? memchr(text.p, ':', text.n) : NULL;
        host.n = colon != NULL ? (size_t)(colon - text.p) : text.n;
        text = (struct span){text.p + host.n, text.n - host.n};
        if (host.n == 0)
            return refuse(why, "the host is missing");
        if (text.n > 0 && span_has((struct span){text.p + 1, text.n - 1}, ':'))
            return refuse(why, "an IPv6 address must stand between [ and ]");
        failed = parse_name(out, host, why);
    }
    if (failed != 0 || text.n == 0)
        return failed;
    return parse_port(out, (struct span){text.p + 1, text.n - 1}, why);
}

/* pchar and slashes of RFC 3986, section 3.3; escapes are left as they are. */
static bool is_path(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '%') {
            if (s.n - i < 3 || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2]))
                return false;
        } else if (!is_alnum(s.p[i]) &&
                   (s.p[i] == '\0' || strchr("-._~!$&'()*+,;=:/", s.p[i]) == NULL)) {
            return false;
        }
    }
    return true;
}

static int parse_path(struct url *out, struct span text, char *why)
{
    while (text.n > 0 && text.p[text.n - 1] == '/')
        text.n--;
    if (text.n > URL_PATH_MAX)
        return refuse(why, "the path is longer than 255 bytes");
    if (!is_path(text))
        return refuse(why, "the path has a character that must be written as % and two digits");
    for (struct span rest = text; rest.n > 0;) {
        struct span segment = span_split(&rest, '/');
        if (span_is(segment, ".") || span_is(segment, ".."))
            return refuse(why, "the path must not have . or .. in it");
    }
    return span_copy(out->path, sizeof(out->path), text);
}

/* What stands behind the scheme; out->tls and the scheme's port are there. */
static int parse_rest(struct url *out, struct span text, char *why)
{
    size_t n = 0;

    if (span_has(text, '@'))
        return refuse(why, "it holds an @: put the key into its variable, not into the URL");
    if (span_has(text, '?') || span_has(text, '#'))
        return refuse(why, "a base URL has no ? and no #");
    while (n < text.n && text.p[n] != '/')
        n++;
    if (parse_authority(out, (struct span){text.p, n}, why) != 0)
        return -1;
    return parse_path(out, (struct span){text.p + n, text.n - n}, why);
}

static bool take_scheme(struct url *out, struct span *text)
{
    out->tls = span_take_nocase(text, "https://");
    out->port = out->tls ? PORT_HTTPS : PORT_HTTP;
    return out->tls || span_take_nocase(text, "http://");
}

static bool is_unspecified(const struct url *url)
{
    static const struct in6_addr zero;
    struct in6_addr address;

    if (url->kind == URL_IPV6)
        return inet_pton(AF_INET6, url->host, &address) == 1 &&
               memcmp(&address, &zero, sizeof(zero)) == 0;
    return strcmp(url->host, "0.0.0.0") == 0;
}

int url_parse(struct url *out, struct span text, char *why)
{
    *out = (struct url){0};
    if (!take_scheme(out, &text))
        return refuse(why, "it must begin with http:// or https://");
    if (parse_rest(out, text, why) != 0)
        return -1;
    if (is_unspecified(out))
        return refuse(why, "this address is for listening: name the one to connect to");
    return 0;
}

/* ---- Ollama's form ---- */

static bool has_scheme(struct span text)
{
    for (size_t i = 0; i + 2 < text.n; i++)
        if (memcmp(text.p + i, "://", 3) == 0)
            return true;
    return false;
}

/* The host[:port] that Ollama itself takes: an IPv6 address without brackets too, or a port alone.
 */
static int parse_ollama_rest(struct url *out, struct span text, char *why)
{
    char whole[INET6_ADDRSTRLEN];
    struct in6_addr address;

    out->port = PORT_OLLAMA;
    if (span_copy(whole, sizeof(whole), text) == 0 && inet_pton(AF_INET6, whole, &address) == 1)
        return parse_ipv6(out, text, why);
    if (text.n > 1 && text.p[0] == ':') {
        set_host(out, URL_IPV4, span_of("127.0.0.1"));
        return parse_port(out, (struct span){text.p + 1, text.n - 1}, why);
    }
    return parse_rest(out, text, why);
}

int url_parse_ollama(struct url *out, struct span text, char *why)
{
    *out = (struct url){0};
    int failed;

    if (take_scheme(out, &text))
        failed = parse_rest(out, text, why);
    else if (has_scheme(text))
        failed = refuse(why, "it must begin with http:// or https://, or with the host");
    else
        failed = parse_ollama_rest(out, text, why);
    if (failed != 0)
        return -1;
    if (is_unspecified(out))
        set_host(out, out->kind, span_of(out->kind == URL_IPV6 ? "::1" : "127.0.0.1"));
    return 0;
}

/* ---- What others ask ---- */

void url_authority(const struct url *url, struct buf *out)
{
    if (url->kind == URL_IPV6)
        buf_char(out, '[');
    buf_str(out, url->host);
    if (url->kind == URL_IPV6)
        buf_char(out, ']');
    if (url->port != (url->tls ? PORT_HTTPS : PORT_HTTP)) {
        buf_char(out, ':');
        buf_int(out, url->port);
    }
}

static bool is_local_ipv4(const uint8_t *b)
{
    return b[0] == 127 || b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16) ||
           (b[0] == 192 && b[1] == 168) || (b[0] == 169 && b[1] == 254) ||
           (b[0] == 100 && (b[1] & 0xc0) == 64);
}

static bool is_local_ipv6(const uint8_t *b)
{
    static const uint8_t loopback[16] = {[15] = 1};
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (memcmp(b, mapped, sizeof(mapped)) == 0)
        return is_local_ipv4(b + sizeof(mapped));
    return memcmp(b, loopback, sizeof(loopback)) == 0 || (b[0] & 0xfe) == 0xfc ||
           (b[0] == 0xfe && (b[1] & 0xc0) == 0x80);
}

static bool is_local_name(const char *host)
{
    static const char *const zones[] = {".localhost", ".local",       ".lan",       ".home",
                                        ".internal",  ".localdomain", ".home.arpa", ".ts.net"};
    size_t n = strlen(host);

    if (strchr(host, '.') == NULL)
        return true;
    for (size_t i = 0; i < COUNT(zones); i++) {
        size_t zone = strlen(zones[i]);
        if (n > zone && strcmp(host + n - zone, zones[i]) == 0)
            return true;
    }
    return false;
}

bool url_is_local(const struct url *url)
{
    uint8_t bytes[sizeof(struct in6_addr)];

    switch (url->kind) {
    case URL_NAME:
        return is_local_name(url->host);
    case URL_IPV4:
        return inet_pton(AF_INET, url->host, bytes) == 1 && is_local_ipv4(bytes);
    case URL_IPV6:
        return inet_pton(AF_INET6, url->host, bytes) == 1 && is_local_ipv6(bytes);
    case URL_UNIX:
        return true;
    }
    return false;
}
