#include "cmd/redis_call.h"

#include "base/log.h"
#include "daemon/config.h"
#include "daemon/models.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <string.h>

struct visit {
    struct redis redis;
    struct redis_target target;
    struct loop loop;
    const struct span *args;
    size_t count;
    bool over;
    struct redis_called *out;
};

static void end(struct visit *v, const char *why)
{
    v->over = true;
    (void)span_cut_text(v->out->why, sizeof(v->out->why), why);
}

static void answered(void *arg, const struct redisReply *reply)
{
    struct visit *v = arg;

    if (v->over)
        return;
    if (reply == NULL) {
        end(v, v->redis.why[0] != '\0' ? v->redis.why : "the connection was lost");
        return;
    }
    if (!redis_did(reply)) {
        v->over = true;
        (void)span_cut(v->out->why, sizeof(v->out->why), (struct span){reply->str, reply->len});
        return;
    }
    v->over = true;
    v->out->integer = reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;
}

static void ready(void *arg)
{
    struct visit *v = arg;

    if (v->over)
        return;
    if (v->count == 0)
        v->over = true;
    else if (redis_command(&v->redis, v->args, v->count, 0, answered, v) != 0)
        end(v, "the command is too long");
}

static void lost(void *arg)
{
    (void)arg;
}

static const struct redis_ops visit_ops = {.ready = ready, .lost = lost};

/* Its first failure is the end: who waits at a terminal does not want a second try. */
static void turn(struct visit *v, int64_t until_ms)
{
    while (!v->over) {
        if (loop_turn(&v->loop, until_ms - v->loop.now.boot_ms) != 0)
            end(v, log_errno(errno));
        else if (!v->over && v->redis.why[0] != '\0')
            end(v, v->redis.why);
        else if (!v->over && v->loop.now.boot_ms >= until_ms)
            end(v, "no answer in time");
    }
}

int redis_call(struct redis_called *out, const struct config *config, const struct span *args,
               size_t count)
{
    static struct visit v;
    const char *bundle;
    char why[CHAIN_WHY_MAX];
    struct buf url;

    *out = (struct redis_called){.why = ""};
    v.args = args;
    v.count = count;
    v.out = out;
    if (redis_url_parse(&v.target, config_span(config, SETTING_REDIS_URL), why) != 0) {
        end(&v, why);
        return -1;
    }
    buf_init(&url, out->url, sizeof(out->url));
    redis_url_text(&v.target, &url);
    if (buf_text(&url) == NULL)
        out->url[0] = '\0';
    if (v.target.url.tls && models_read_roots(config, true, &bundle, why) != 0) {
        end(&v, why);
        return -1;
    }
    loop_init(&v.loop);
    v.redis.name = "command";
    v.redis.target = &v.target;
    v.redis.ops = &visit_ops;
    v.redis.arg = &v;
    int64_t began_ms = v.loop.now.boot_ms;
    redis_open(&v.redis, &v.loop, (uint64_t)began_ms);
    turn(&v, began_ms + REDIS_CONNECT_MS + REDIS_ANSWER_MS);
    out->took_ms = v.loop.now.boot_ms - began_ms;
    redis_close(&v.redis);
    explicit_bzero(&v.target, sizeof(v.target));
    return out->why[0] == '\0' ? 0 : -1;
}
