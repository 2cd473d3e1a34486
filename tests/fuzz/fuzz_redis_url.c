/* What is taken is within its limits, and reads the same again as it is shown, without its secrets;
 * of what is refused nothing stays. */
#include "net/redis_url.c"

#include <stdlib.h>

#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct redis_target *t)
{
    char storage[2048], why[URL_WHY_MAX];
    struct redis_target again;
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    redis_url_text(t, &b);
    REQUIRE(buf_done(&b) == 0 && !span_has(buf_view(&b), '@'));
    for (size_t i = 0; i < b.n; i++)
        REQUIRE((unsigned char)b.p[i] > ' ' && b.p[i] != 0x7f);
    REQUIRE(redis_url_parse(&again, buf_view(&b), why) == 0);
    REQUIRE(memcmp(&again.url, &t->url, sizeof(t->url)) == 0 && again.database == t->database);
    REQUIRE(again.user[0] == '\0' && again.password[0] == '\0');
}

static void check_target(const struct redis_target *t)
{
    const struct url *url = &t->url;

    REQUIRE(strnlen(t->user, sizeof(t->user)) <= REDIS_USER_MAX);
    REQUIRE(strnlen(t->password, sizeof(t->password)) <= REDIS_PASSWORD_MAX);
    REQUIRE(t->user[0] == '\0' || t->password[0] != '\0');
    REQUIRE(t->database <= REDIS_DATABASE_MAX);
    if (url->kind == URL_UNIX) {
        REQUIRE(url->path[0] == '/' && strnlen(url->path, sizeof(url->path)) <= URL_SOCKET_MAX);
        REQUIRE(url->host[0] == '\0' && url->port == 0 && !url->tls);
    } else {
        REQUIRE(url->host[0] != '\0' && url->port > 0 && url->path[0] == '\0');
        REQUIRE(strnlen(url->host, sizeof(url->host)) <= URL_HOST_MAX);
    }
    check_again(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct redis_target nothing;
    struct redis_target target;
    char why[URL_WHY_MAX];

    memset(why, '#', sizeof(why));
    if (redis_url_parse(&target, (struct span){(const char *)data, size}, why) == 0) {
        check_target(&target);
        return 0;
    }
    size_t n = strnlen(why, sizeof(why));
    REQUIRE(n > 0 && n < sizeof(why));
    REQUIRE(memcmp(&target, &nothing, sizeof(nothing)) == 0);
    return 0;
}
