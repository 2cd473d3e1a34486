/* What is taken is within its limits, can stand in a request line and a Host header, and reads the
 * same again as it is written there. */
#include "net/url.c"

#include <stdlib.h>

#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct url *url)
{
    char storage[sizeof("https://[]:65535") + URL_HOST_MAX + URL_PATH_MAX], why[URL_WHY_MAX];
    struct buf b;
    struct url again;

    buf_init(&b, storage, sizeof(storage));
    buf_str(&b, url->tls ? "https://" : "http://");
    url_authority(url, &b);
    buf_str(&b, url->path);
    REQUIRE(buf_done(&b) == 0);
    REQUIRE(url_parse(&again, buf_view(&b), why) == 0);
    REQUIRE(again.tls == url->tls && again.kind == url->kind && again.port == url->port);
    REQUIRE(strcmp(again.host, url->host) == 0 && strcmp(again.path, url->path) == 0);
    REQUIRE(url_is_local(&again) == url_is_local(url));
}

static void check_url(const struct url *url)
{
    size_t host = strnlen(url->host, sizeof(url->host));
    size_t path = strnlen(url->path, sizeof(url->path));

    REQUIRE(host > 0 && host <= URL_HOST_MAX && path <= URL_PATH_MAX && url->port > 0);
    for (size_t i = 0; i < host; i++)
        REQUIRE((url->host[i] >= 'a' && url->host[i] <= 'z') || is_digit(url->host[i]) ||
                strchr("-_.:", url->host[i]) != NULL);
    REQUIRE(path == 0 || (url->path[0] == '/' && url->path[path - 1] != '/'));
    for (size_t i = 0; i < path; i++)
        REQUIRE(url->path[i] > ' ' && url->path[i] <= '~');
    REQUIRE(strpbrk(url->path, "?#@\\\"<>") == NULL);
    REQUIRE(strcmp(url->host, "0.0.0.0") != 0 && strcmp(url->host, "::") != 0);
    check_again(url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int (*const parsers[])(struct url *, struct span, char *) = {url_parse,
                                                                        url_parse_ollama};
    struct span text = {(const char *)data, size};
    struct url url[COUNT(parsers)];
    bool taken[COUNT(parsers)];
    char why[URL_WHY_MAX];

    for (size_t i = 0; i < COUNT(parsers); i++) {
        memset(why, '#', sizeof(why));
        taken[i] = parsers[i](&url[i], text, why) == 0;
        if (taken[i]) {
            check_url(&url[i]);
        } else {
            size_t n = strnlen(why, sizeof(why));
            REQUIRE(n > 0 && n < sizeof(why));
        }
    }
    /* Ollama's form takes whatever the other takes, for the same. */
    REQUIRE(!taken[0] || (taken[1] && memcmp(&url[0], &url[1], sizeof(url[0])) == 0));
    return 0;
}
