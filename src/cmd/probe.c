#include "cmd/probe.h"

#include "cmd/redis_call.h"

#define DETAIL_MAX 512 /* bytes of a line */

static void done(struct llm_call *call)
{
    bool *over = call->arg;

    *over = true;
}

/* "0.5.7, model pulled (12 ms, TLS 1.2, ECDHE_...)", or why not. */
static const char *detail_of(const struct llm_call *call, int64_t took_ms, struct buf *b)
{
    if (call->outcome == LLM_SUCCESS)
        buf_span(b, (struct span){call->text, call->text_len});
    else
        buf_str(b, call->error);
    buf_str(b, " (");
    buf_int(b, took_ms);
    buf_str(b, " ms, ");
    if (call->http.tls_version != NULL) {
        buf_str(b, call->http.tls_version);
        buf_str(b, ", ");
        buf_str(b, call->http.tls_suite);
    } else {
        buf_str(b, call->server->url.tls ? "TLS not established" : "no TLS");
    }
    buf_char(b, ')');
    const char *text = buf_text(b);
    return text != NULL ? text : "its answer is too long";
}

int probe_hops(const struct models *models,
               void (*told)(const char *label, bool well, const char *detail))
{
    static struct llm_call call;
    static struct loop loop;
    char storage[DETAIL_MAX];

    loop_init(&loop);
    for (unsigned i = 0; i < models->chain.count; i++) {
        const struct router_hop *hop = &models->chain.hops[i];
        struct buf b;
        bool over = false;
        if (hop->server == NULL)
            continue;
        int64_t began_ms = loop.now.boot_ms;
        llm_call_reset(&call, &loop);
        call.purpose = LLM_PROBE;
        call.server = hop->server;
        call.model = hop->model;
        call.deadline_ms = began_ms + PROBE_LIMIT_MS;
        call.done = done;
        call.arg = &over;
        over = hop->provider->start(&call) == LLM_ENDED;
        while (!over)
            if (loop_turn(&loop, -1) != 0)
                return -1;
        buf_init(&b, storage, sizeof(storage));
        told(hop->label, call.outcome == LLM_SUCCESS,
             detail_of(&call, loop.now.boot_ms - began_ms, &b));
    }
    return 0;
}

bool probe_redis(const struct config *config,
                 void (*told)(const char *label, bool well, const char *detail))
{
    static struct redis_called called;
    char storage[DETAIL_MAX];
    struct buf b;

    bool well = redis_call(&called, config, NULL, 0) == 0;
    buf_init(&b, storage, sizeof(storage));
    buf_str(&b, well ? "logged in (" : called.why);
    buf_str(&b, well ? "" : " (");
    buf_int(&b, called.took_ms);
    buf_str(&b, " ms)");
    const char *text = buf_text(&b);
    told(called.url, well, text != NULL ? text : called.why);
    return well;
}
