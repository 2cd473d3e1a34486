#include "net/redis.h"

#include "base/log.h"

#include <hiredis/hiredis.h>

#include <string.h>

/* Invariants:
 * 1. conn is in use (not CONN_CLOSED) in CONNECTING, GREETING and READY, the adapter in the last
 *    two.
 * 2. Calls are there in GREETING (the log-in's) and READY only.
 * 3. The timer is set in all states but OFF and CONNECTING, where conn has its own.
 * 4. The connection may be closed, lost or opened again in each callback: what follows one asks
 *    lives, or the adapter, whether it goes on. */

#define SERVER_MAX 320 /* bytes: scheme, host or path, port, database */

/* ---- What changes is told ---- */

static void set_state(struct redis *r, enum redis_state state)
{
    r->state = state;
    r->since_ms = r->loop->now.wall_ms;
}

/* field.key NULL: there is nothing more to say. */
static void log_change(const struct redis *r, enum log_level level, const char *event,
                       struct log_field field)
{
    char storage[SERVER_MAX];
    struct buf server;

    buf_init(&server, storage, sizeof(storage));
    redis_url_text(r->target, &server);
    const struct log_field fields[] = {LOG_STR("connection", r->name),
                                       LOG_SPAN("server", buf_view(&server)), field};
    log_fields(level, event, fields, field.key != NULL ? 3 : 2);
}

/* ---- Ends ---- */

static void push(struct redis *r, struct redis_call call)
{
    redis_calls_push(&r->calls, r->outstanding++, call, r->loop->now.boot_ms);
}

static struct redis_call pop(struct redis *r)
{
    r->outstanding--;
    return redis_calls_pop(&r->calls, r->loop->now.boot_ms);
}

/* What waited for an answer is told that none comes. False: in that, another life began. */
static bool drop_calls(struct redis *r)
{
    unsigned life = r->lives;

    while (r->lives == life && r->outstanding > 0) {
        struct redis_call call = pop(r);
        if (call.answer != NULL)
            call.answer(call.arg, NULL);
    }
    return r->lives == life;
}

static void disconnect(struct redis *r)
{
    r->lives++;
    r->more = false;
    loop_timer_clear(r->loop, &r->timer);
    redis_adapter_end(&r->adapter);
    conn_close(&r->conn);
}

/* From 0 to the cap, which doubles: clients that lost the same server come back scattered. */
static int64_t next_wait(struct redis *r)
{
    int64_t cap = r->wait_ms;

    r->wait_ms = cap < REDIS_RETRY_LAST_MS / 2 ? 2 * cap : REDIS_RETRY_LAST_MS;
    r->jitter = r->jitter * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((r->jitter >> 33) % (uint64_t)(cap + 1));
}

/* A server may repeat what it was given. */
static void hide_password(const struct redis *r, char *text)
{
    const char *password = r->target->password;
    size_t n = strlen(password);

    while (n > 0 && (text = strstr(text, password)) != NULL) {
        memset(text, '*', n);
        text += n;
    }
}

/* why may lie in what ends here. refused: only an operator can help. */
static void fail(struct redis *r, const char *why, bool refused)
{
    bool was_ready = r->state == REDIS_READY;
    int64_t now = r->loop->now.boot_ms;
    char before[sizeof(r->why)];

    memcpy(before, r->why, sizeof(before));
    span_cut_text(r->why, sizeof(r->why), why);
    hide_password(r, r->why);
    disconnect(r);
    /* One that takes connections and drops them is not hammered. */
    if (was_ready && now - r->ready_ms >= REDIS_STEADY_MS)
        r->wait_ms = REDIS_RETRY_FIRST_MS;
    set_state(r, REDIS_WAITING);
    /* The loop has room for every timer that there is. */
    (void)loop_timer_set(r->loop, &r->timer, now + (refused ? REDIS_REFUSED_MS : next_wait(r)));
    if (was_ready) {
        r->losses++;
        r->broke = r->adapter.resp.error != NULL;
        log_change(r, LOG_WARNING, "redis_lost", LOG_STR("error", r->why));
    } else if (strcmp(before, r->why) != 0) {
        log_change(r, refused ? LOG_ERROR : LOG_WARNING,
                   refused ? "redis_refused" : "redis_unreachable", LOG_STR("error", r->why));
    }
    if (drop_calls(r) && was_ready && r->ops->lost != NULL)
        r->ops->lost(r->arg);
}

void redis_close(struct redis *r)
{
    if (r->state == REDIS_OFF)
        return;
    disconnect(r);
    set_state(r, REDIS_OFF);
    (void)drop_calls(r);
}

/* ---- Deadlines ---- */

/* Sets the timer for the first thing that has to be done without being called. */
static void set_timer(struct redis *r)
{
    int64_t at = r->heard_ms + REDIS_QUIET_MS;

    if (r->more)
        at = r->loop->now.boot_ms;
    else if (r->state == REDIS_GREETING)
        at = r->deadline_ms;
    else if (r->outstanding > 0)
        at = redis_calls_deadline(&r->calls);
    if (!r->timer.set || r->timer.deadline_ms != at)
        (void)loop_timer_set(r->loop, &r->timer, at); /* there is room, as above */
}

/* What was appended goes out, all of a turn in one piece. */
static void flush(struct redis *r)
{
    if (redis_adapter_flush(&r->adapter) != 0)
        fail(r, r->adapter.error, false);
    else
        set_timer(r);
}

/* ---- Commands ---- */

static int send_command(struct redis *r, const struct span *args, size_t count,
                        struct redis_call call)
{
    if (r->outstanding == REDIS_CALLS_MAX || redis_adapter_send(&r->adapter, args, count) != 0)
        return -1;
    push(r, call);
    return 0;
}

int redis_command(struct redis *r, const struct span *args, size_t count, int64_t limit_ms,
                  redis_answer *answer, void *arg)
{
    struct redis_call call = {answer, arg, limit_ms != 0 ? limit_ms : REDIS_ANSWER_MS};

    if (r->state != REDIS_READY || count == 0 || count > REDIS_ARGS_MAX)
        return -1;
    int result = send_command(r, args, count, call);
    /* It goes out in the next turn with all that follows, or with what a reply sets off. */
    if (!r->timer.set || r->timer.deadline_ms > r->loop->now.boot_ms)
        (void)loop_timer_set(r->loop, &r->timer, r->loop->now.boot_ms); /* there is room */
    return result;
}

static void ping(struct redis *r)
{
    const struct span args[] = {span_of("PING")};

    /* Nothing waits: it fails where there is no memory only, and then flush() says so. */
    (void)send_command(r, args, 1, (struct redis_call){NULL, NULL, REDIS_PONG_MS});
}

/* ---- Logging in ---- */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* It comes back by itself. */
static bool is_passing(const char *text)
{
    static const char *const errors[] = {"LOADING",  "MASTERDOWN",  "BUSY",
                                         "TRYAGAIN", "CLUSTERDOWN", "ERR max number of clients"};

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (begins(text, errors[i]))
            return true;
    return false;
}

/* What an operator has to look at; NULL: nothing. */
static const char *help_for(const char *text)
{
    static const struct {
        const char *error, *help;
    } known[] = {
        {"WRONGPASS", "the password or user in REDIS_URL is wrong: "},
        {"NOAUTH", "the server wants a password, and REDIS_URL has none: "},
        {"NOPERM", "the user in REDIS_URL lacks a permission: "},
        {"DENIED", "the server is in protected mode: "},
        {"ERR AUTH <password> called without", "REDIS_URL has a password, the server has none: "},
        {"ERR Client sent AUTH", "REDIS_URL has a password, the server has none: "},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (begins(text, known[i].error))
            return known[i].help;
    return NULL;
}

/* A server that does not know AUTH repeats the start of what it was given, in quotes. */
static struct span shown(const char *error)
{
    if (begins(error, "ERR unknown command"))
        return (struct span){error, strcspn(error, "`'\"")};
    return span_of(error);
}

/* The server said no at this step. */
static void refuse(struct redis *r, const redisReply *error, const char *help, bool refused)
{
    char storage[REDIS_WHY_MAX + RESP_LINE_MAX + 1];
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    buf_str(&b, help);
    buf_span(&b, shown(error->str));
    const char *text = buf_text(&b);
    fail(r, text != NULL ? text : help, refused);
}

/* help: what any error means at this step; NULL: it is not looked at. True: go on. */
static bool accepted(struct redis *r, const redisReply *reply, const char *help)
{
    if (reply == NULL || redis_did(reply))
        return reply != NULL;
    if (is_passing(reply->str)) {
        refuse(r, reply, "the server is not ready: ", false);
        return false;
    }
    const char *known = help_for(reply->str);
    if (known != NULL || help != NULL)
        refuse(r, reply, known != NULL ? known : help, true);
    return known == NULL && help == NULL;
}

static void auth_answered(void *arg, const redisReply *reply)
{
    (void)accepted(arg, reply, "the password or user in REDIS_URL is wrong: ");
}

static void select_answered(void *arg, const redisReply *reply)
{
    (void)accepted(arg, reply, "the database in REDIS_URL is not there: ");
}

/* A user need not have the permission; all else that is wrong, PING finds too. */
static void name_answered(void *arg, const redisReply *reply)
{
    if (reply != NULL && !redis_did(reply) &&
        (is_passing(reply->str) || begins(reply->str, "DENIED")))
        (void)accepted(arg, reply, NULL);
}

/* Other errors than those: it is alive, as with -MISCONF, which refuses even PING. */
static void ping_answered(void *arg, const redisReply *reply)
{
    (void)accepted(arg, reply, NULL);
}

static bool is_word(const redisReply *reply, const char *word)
{
    return reply->type == REDIS_REPLY_STRING &&
           span_is((struct span){reply->str, reply->len}, word);
}

/* Is it an array of three that begins with that word? */
static bool is_push(const redisReply *reply, const char *word)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 &&
           is_word(reply->element[0], word);
}

static void subscribed(void *arg, const redisReply *reply)
{
    if (accepted(arg, reply, "subscribing is refused: ") && !is_push(reply, "subscribe"))
        fail(arg, "SUBSCRIBE has no sensible answer", false);
}

/* 0, or -1. Each channel of SUBSCRIBE is answered by itself. */
static int subscribe(struct redis *r)
{
    struct span args[REDIS_ARGS_MAX] = {span_of("SUBSCRIBE")};
    const struct redis_call call = {subscribed, r, REDIS_CONNECT_MS};
    size_t count = 1;

    if (r->channels == NULL)
        return 0;
    for (; r->channels[count - 1] != NULL && count < REDIS_ARGS_MAX; count++)
        args[count] = span_of(r->channels[count - 1]);
    if (send_command(r, args, count, call) != 0)
        return -1;
    for (size_t i = 2; i < count; i++)
        push(r, call);
    return 0;
}

/* All steps go out at once: it takes one round trip. 0, or -1. */
static int log_in(struct redis *r)
{
    const struct redis_target *t = r->target;
    char digits[24];
    struct buf number;
    const struct span auth[] = {span_of("AUTH"), span_of(t->user), span_of(t->password)};
    const struct span auth_default[] = {auth[0], auth[2]};
    const bool has_user = t->user[0] != '\0';

    buf_init(&number, digits, sizeof(digits));
    buf_int(&number, t->database);
    const struct span database[] = {span_of("SELECT"), buf_view(&number)};
    const struct span name[] = {span_of("CLIENT"), span_of("SETNAME"), span_of(r->client_name)};
    const struct span alive[] = {span_of("PING")};
    const struct {
        bool needed;
        const struct span *args;
        size_t count;
        redis_answer *answer;
    } steps[] = {
        {t->password[0] != '\0', has_user ? auth : auth_default, has_user ? 3 : 2, auth_answered},
        {t->database != 0, database, 2, select_answered},
        {r->client_name != NULL, name, 3, name_answered},
        {true, alive, 1, ping_answered},
    };

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        const struct redis_call call = {steps[i].answer, r, REDIS_CONNECT_MS};
        if (steps[i].needed && send_command(r, steps[i].args, steps[i].count, call) != 0)
            return -1;
    }
    return subscribe(r);
}

static void logged_in(struct redis *r)
{
    set_state(r, REDIS_READY);
    r->ready_ms = r->loop->now.boot_ms;
    r->why[0] = '\0';
    log_change(r, LOG_INFO, "redis_ready",
               r->conn.secured ? LOG_STR("tls", tls_version_text(&r->conn.tls))
                               : (struct log_field){.key = NULL});
    if (r->ops->ready != NULL)
        r->ops->ready(r->arg);
}

/* ---- Replies ---- */

static void message(struct redis *r, const redisReply *reply)
{
    const redisReply *channel = reply->element[1], *text = reply->element[2];
    const struct span payload = {text->str, text->len};

    if (channel->type == REDIS_REPLY_STRING && r->ops->message != NULL)
        r->ops->message(r->arg, (struct span){channel->str, channel->len},
                        text->type == REDIS_REPLY_STRING ? &payload : NULL);
}

static void unasked(struct redis *r, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR)
        refuse(r, reply, "the server says: ", false);
    else
        fail(r, "the server answers what nobody asked", false);
}

static void replied(void *arg, const redisReply *reply)
{
    struct redis *r = arg;

    if (r->state == REDIS_READY && r->channels != NULL && is_push(reply, "message")) {
        message(r, reply);
        return;
    }
    if (r->outstanding == 0) {
        unasked(r, reply);
        return;
    }
    /* A short password may be a part of any error, which would not be known without its words. */
    if (reply->type == REDIS_REPLY_ERROR && strlen(r->target->password) >= REDIS_HIDDEN_MIN)
        hide_password(r, reply->str);
    struct redis_call call = pop(r);
    if (call.answer != NULL)
        call.answer(call.arg, reply);
    if (r->state == REDIS_GREETING && r->outstanding == 0)
        logged_in(r);
}

/* ---- The connection ---- */

static void work(struct redis *r)
{
    enum redis_adapter_read got = redis_adapter_read(&r->adapter);

    if (got == REDIS_ADAPTER_ENDED)
        return;
    if (r->adapter.heard)
        r->heard_ms = r->loop->now.boot_ms;
    r->more = got == REDIS_ADAPTER_MORE;
    if (got == REDIS_ADAPTER_FAILED)
        fail(r, r->adapter.error, false);
    else
        flush(r);
}

static void greet(struct redis *r)
{
    r->heard_ms = r->loop->now.boot_ms;
    r->adapter.conn = &r->conn;
    r->adapter.subscriber = r->channels != NULL;
    r->adapter.reply = replied;
    r->adapter.arg = r;
    set_state(r, REDIS_GREETING);
    if (redis_adapter_start(&r->adapter) != 0)
        fail(r, r->adapter.error, false);
    else if (log_in(r) != 0)
        fail(r, "the log-in finds no room", false);
    else
        flush(r);
}

static void changed(void *arg)
{
    struct redis *r = arg;

    if (r->state != REDIS_CONNECTING)
        work(r);
    else if (r->conn.stage == CONN_OPEN)
        greet(r);
    else
        fail(r, r->conn.error, false);
}

static void begin(struct redis *r)
{
    r->deadline_ms = r->loop->now.boot_ms + REDIS_CONNECT_MS;
    r->conn.changed = changed;
    r->conn.arg = r;
    set_state(r, REDIS_CONNECTING);
    if (conn_open(&r->conn, r->loop, &r->target->url, r->deadline_ms) != 0)
        fail(r, r->conn.error, false);
}

/* By so much at least? */
static bool is_late(const struct redis *r, int64_t by_ms)
{
    int64_t now = r->loop->now.boot_ms - by_ms;

    if (r->state == REDIS_GREETING)
        return now >= r->deadline_ms;
    return r->outstanding > 0 && now >= redis_calls_deadline(&r->calls);
}

static void due(struct loop *loop, void *arg)
{
    struct redis *r = arg;

    (void)loop;
    if (r->state == REDIS_WAITING) {
        begin(r);
    } else if (r->more && !is_late(r, REDIS_CONNECT_MS)) {
        /* The answer may be in it; but a reply without an end is none. */
        work(r);
    } else if (is_late(r, 0)) {
        fail(r,
             r->state == REDIS_GREETING ? "no answer to the log-in in time" : "no answer in time",
             false);
    } else {
        if (r->outstanding == 0 && r->loop->now.boot_ms - r->heard_ms >= REDIS_QUIET_MS)
            ping(r);
        flush(r);
    }
}

void redis_open(struct redis *r, struct loop *loop, uint64_t seed)
{
    r->loop = loop;
    r->lives++;
    r->losses = 0;
    r->broke = false;
    r->why[0] = '\0';
    r->more = false;
    r->wait_ms = REDIS_RETRY_FIRST_MS;
    r->jitter = seed;
    r->timer.due = due;
    r->timer.arg = r;
    begin(r);
}

bool redis_is_ready(const struct redis *r)
{
    return r->state == REDIS_READY;
}

bool redis_has_room(const struct redis *r)
{
    return r->state == REDIS_READY && r->outstanding < REDIS_CALLS_MAX - REDIS_KEPT_CALLS &&
           redis_adapter_waiting(&r->adapter) < REDIS_OUTPUT_MAX - REDIS_KEPT_BYTES;
}

bool redis_did(const struct redisReply *reply)
{
    return reply != NULL && reply->type != REDIS_REPLY_ERROR;
}

const char *redis_state_text(enum redis_state state)
{
    switch (state) {
    case REDIS_OFF:
        return "off";
    case REDIS_WAITING:
        return "waiting";
    case REDIS_CONNECTING:
        return "connecting";
    case REDIS_GREETING:
        return "logging in";
    case REDIS_READY:
        return "ready";
    }
    return "";
}
