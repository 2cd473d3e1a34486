#include "fake_redis.h"

#include <hiredis/hiredis.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define FAKES_MAX 8

struct command {
    char *text;
    char *bytes; /* of the arguments */
    struct span args[REDIS_ARGS_MAX];
    size_t count;
    int64_t limit_ms;
    redis_answer *answer;
    void *arg;
};

static struct fake {
    struct redis *redis;
    struct command *commands[REDIS_CALLS_MAX];
    unsigned count;
    unsigned room;
    bool full; /* but for the claims' */
    unsigned opens, closes;
} fakes[FAKES_MAX];

static struct fake *fake_of(const struct redis *r)
{
    for (size_t i = 0; i < FAKES_MAX; i++) {
        if (fakes[i].redis == NULL)
            fakes[i] = (struct fake){.redis = (struct redis *)(uintptr_t)r, .room = UINT_MAX};
        if (fakes[i].redis == r)
            return &fakes[i];
    }
    fail_msg("more than %d connections", FAKES_MAX);
    return NULL;
}

/* ---- Growing text ---- */

struct text {
    char *p;
    size_t n, cap;
};

static void put(struct text *t, const void *bytes, size_t n)
{
    if (t->n + n + 1 > t->cap) {
        t->cap = (t->n + n + 1) * 2;
        t->p = realloc(t->p, t->cap);
        assert_non_null(t->p);
    }
    if (n > 0)
        memcpy(t->p + t->n, bytes, n);
    t->n += n;
    t->p[t->n] = '\0';
}

static void put_str(struct text *t, const char *s)
{
    put(t, s, strlen(s));
}

/* ---- Commands ---- */

static void drop(struct command *c)
{
    free(c->text);
    free(c->bytes);
    free(c);
}

static struct command *take(struct fake *f)
{
    struct command *c = f->commands[0];

    assert_true(f->count > 0);
    f->count--;
    memmove(f->commands, f->commands + 1, f->count * sizeof(f->commands[0]));
    return c;
}

static struct command *copy(const struct span *args, size_t count)
{
    struct command *c = calloc(1, sizeof(*c));
    struct text text = {NULL, 0, 0}, bytes = {NULL, 0, 0};

    assert_non_null(c);
    for (size_t i = 0; i < count; i++) {
        bool quoted = args[i].n == 0 || memchr(args[i].p, ' ', args[i].n) != NULL;
        put_str(&text, i > 0 ? " " : "");
        put_str(&text, quoted ? "'" : "");
        put(&text, args[i].p, args[i].n);
        put_str(&text, quoted ? "'" : "");
        put(&bytes, args[i].p, args[i].n);
        put(&bytes, "", 1);
    }
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        c->args[i] = (struct span){bytes.p + at, args[i].n};
        at += args[i].n + 1;
    }
    c->count = count;
    c->text = text.p;
    c->bytes = bytes.p;
    return c;
}

/* ---- In place of net/redis.c ---- */

const char *redis_state_text(enum redis_state state)
{
    static const char *const texts[] = {"off", "waiting", "connecting", "logging in", "ready"};

    return texts[state];
}

void redis_open(struct redis *r, struct loop *loop, uint64_t seed)
{
    struct fake *f = fake_of(r);

    (void)seed;
    assert_int_equal(r->state, REDIS_OFF);
    assert_non_null(r->name);
    assert_non_null(r->target);
    r->loop = loop;
    r->state = REDIS_CONNECTING;
    r->since_ms = loop->now.wall_ms;
    f->opens++;
}

static void answer_all(struct fake *f)
{
    while (f->count > 0) {
        struct command *c = take(f);
        if (c->answer != NULL)
            c->answer(c->arg, NULL);
        drop(c);
    }
}

void redis_close(struct redis *r)
{
    struct fake *f = fake_of(r);

    r->state = REDIS_OFF;
    f->closes++;
    answer_all(f);
}

bool redis_is_ready(const struct redis *r)
{
    return r->state == REDIS_READY;
}

bool redis_has_room(const struct redis *r)
{
    return r->state == REDIS_READY && fake_of(r)->room > 0 && !fake_of(r)->full;
}

int redis_command(struct redis *r, const struct span *args, size_t count, int64_t limit_ms,
                  redis_answer *answer, void *arg)
{
    struct fake *f = fake_of(r);

    assert_in_range(count, 1, REDIS_ARGS_MAX);
    assert_true(limit_ms >= 0);
    if (r->state != REDIS_READY || f->room == 0 || f->count == REDIS_CALLS_MAX)
        return -1;
    f->room -= f->room != UINT_MAX;
    struct command *c = copy(args, count);
    c->limit_ms = limit_ms;
    c->answer = answer;
    c->arg = arg;
    f->commands[f->count++] = c;
    return 0;
}

bool redis_did(const struct redisReply *reply)
{
    return reply != NULL && reply->type != REDIS_REPLY_ERROR;
}

/* ---- The test's side ---- */

int fake_redis_reset(void **state)
{
    (void)state;
    for (size_t i = 0; i < FAKES_MAX; i++) {
        while (fakes[i].count > 0)
            drop(take(&fakes[i]));
        fakes[i].redis = NULL;
    }
    return 0;
}

void fake_redis_ready(struct redis *r)
{
    (void)fake_of(r);
    assert_int_not_equal(r->state, REDIS_READY);
    r->state = REDIS_READY;
    if (r->ops != NULL && r->ops->ready != NULL)
        r->ops->ready(r->arg);
}

void fake_redis_lose(struct redis *r)
{
    struct fake *f = fake_of(r);

    assert_int_equal(r->state, REDIS_READY);
    r->state = REDIS_WAITING;
    r->losses++;
    answer_all(f);
    if (r->ops != NULL && r->ops->lost != NULL)
        r->ops->lost(r->arg);
}

void fake_redis_room(struct redis *r, unsigned commands)
{
    fake_of(r)->room = commands;
}

void fake_redis_full(struct redis *r, bool full)
{
    fake_of(r)->full = full;
}

unsigned fake_redis_waiting(struct redis *r)
{
    return fake_of(r)->count;
}

const char *fake_redis_command(struct redis *r)
{
    struct fake *f = fake_of(r);

    return f->count > 0 ? f->commands[0]->text : "";
}

int64_t fake_redis_limit(struct redis *r)
{
    struct fake *f = fake_of(r);

    assert_true(f->count > 0);
    return f->commands[0]->limit_ms;
}

const struct span *fake_redis_args(struct redis *r, size_t *count)
{
    struct fake *f = fake_of(r);

    assert_true(f->count > 0);
    *count = f->commands[0]->count;
    return f->commands[0]->args;
}

/* '*' in pattern is any number of any bytes. */
static bool matches(const char *pattern, const char *text)
{
    const char *star = NULL, *from = text;

    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            from = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

void fake_redis_expect(struct redis *r, const char *command)
{
    const char *text = fake_redis_command(r);

    if (!matches(command, text))
        fail_msg("%s: \"%s\" was sent, not \"%s\"", r->name, text, command);
}

void fake_redis_quiet(struct redis *r)
{
    if (fake_redis_waiting(r) > 0)
        fail_msg("%s: \"%s\" was sent", r->name, fake_redis_command(r));
}

static void give(struct redis *r, const char *resp, size_t n)
{
    struct fake *f = fake_of(r);
    void *reply = NULL;

    assert_int_equal(r->state, REDIS_READY);
    struct command *c = take(f);
    redisReader *reader = redisReaderCreate();
    assert_non_null(reader);
    assert_int_equal(redisReaderFeed(reader, resp, n), REDIS_OK);
    if (redisReaderGetReply(reader, &reply) != REDIS_OK || reply == NULL)
        fail_msg("no reply: %.*s", (int)n, resp);
    if (c->answer != NULL)
        c->answer(c->arg, reply);
    freeReplyObject(reply);
    redisReaderFree(reader);
    drop(c);
}

void fake_redis_answer_resp(struct redis *r, const char *resp, size_t n)
{
    give(r, resp, n);
}

/* ---- From the short form to RESP ---- */

static const char *skip_blanks(const char *at)
{
    while (*at == ' ' || *at == '\n')
        at++;
    return at;
}

static void put_bulk(struct text *out, const char *p, size_t n)
{
    char head[32];

    (void)snprintf(head, sizeof(head), "$%zu\r\n", n);
    put_str(out, head);
    put(out, p, n);
    put_str(out, "\r\n");
}

static void put_line(struct text *out, const char *p, size_t n)
{
    put(out, p, n);
    put_str(out, "\r\n");
}

static const char *to_resp(struct text *out, const char *at);

static const char *array_to_resp(struct text *out, const char *at)
{
    struct text inside = {NULL, 0, 0};
    size_t count = 0;
    char head[32];

    put(&inside, "", 0);
    for (at = skip_blanks(at); *at != ']'; at = skip_blanks(at), count++) {
        assert_int_not_equal(*at, '\0');
        at = to_resp(&inside, at);
    }
    (void)snprintf(head, sizeof(head), "*%zu\r\n", count);
    put_str(out, head);
    put(out, inside.p, inside.n);
    free(inside.p);
    return at + 1;
}

static const char *to_resp(struct text *out, const char *at)
{
    size_t n;

    at = skip_blanks(at);
    assert_int_not_equal(*at, '\0');
    if (*at == '[')
        return array_to_resp(out, at + 1);
    if (*at == '\'' || *at == '"') {
        const char *end = strchr(at + 1, *at);
        assert_non_null(end);
        put_bulk(out, at + 1, (size_t)(end - at - 1));
        return end + 1;
    }
    n = *at == '-' ? strlen(at) : strcspn(at, " \n]");
    if (*at == '+' || *at == ':' || *at == '-')
        put_line(out, at, n);
    else if (*at == '_' && n == 1)
        put_str(out, "$-1\r\n");
    else
        put_bulk(out, at, n);
    return at + n;
}

void fake_redis_answer(struct redis *r, const char *answer)
{
    struct text resp = {NULL, 0, 0};
    const char *end = to_resp(&resp, answer);

    assert_int_equal(*skip_blanks(end), '\0');
    give(r, resp.p, resp.n);
    free(resp.p);
}

void fake_redis_expect_answer(struct redis *r, const char *command, const char *answer)
{
    fake_redis_expect(r, command);
    fake_redis_answer(r, answer);
}

void fake_redis_message(struct redis *r, const char *channel, const char *payload)
{
    struct span bytes = span_of(payload);

    assert_int_equal(r->state, REDIS_READY);
    r->ops->message(r->arg, span_of(channel), payload != NULL ? &bytes : NULL);
}

unsigned fake_redis_opens(struct redis *r)
{
    return fake_of(r)->opens;
}

unsigned fake_redis_closes(struct redis *r)
{
    return fake_of(r)->closes;
}
