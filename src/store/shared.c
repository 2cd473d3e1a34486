#include "store/shared.h"

#include "base/buf.h"
#include "base/log.h"

#include <hiredis/hiredis.h>

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Arguments of an EVAL: the word, the script, the number of keys; a cooldown's key and those of
 * events; and what a script is told, four at most. */
#define KEYS_MAX (1 + WORK_IDENTITIES_MAX)
#define ARGS_MAX (3 + KEYS_MAX + 4)

/* All their bytes: a script has less than a thousand, a key and its value less than 500 each. */
#define TEXT_MAX 3072

_Static_assert(ARGS_MAX <= REDIS_ARGS_MAX, "a command has room for them");

/* ---- What the server carries out ---- */

/* Every script begins so: k is the cooldown's key, v what stands there (false: nothing), r[2] what
 * stands at the first event's; n the first argument. A key that is no string ends it, named. */
static const char script_start[] =
    "local r={}"
    "for i,k in ipairs(KEYS)do local v=redis.pcall('GET',k)"
    "if type(v)=='table'then return{err=v.err..' '..k}end r[i]=v end "
    "local k,v,n,p=KEYS[1],r[1],ARGV[1],ARGV[2]";

/* Whose done x is (nil: it is none), and its rank: one that names no severity we know is above all
 * that do. */
static const char script_rank[] = "local m={info=1,warning=2,error=3,critical=4}"
                                  "local function w(x)local d,s=x:match('^done:(.*):(.*)')"
                                  "return d or x:match('^done:(.*)'),m[s]or 9 end ";

/* n: our node, p: the claim's time, third: the event's severity. */
static const char script_claim[] =
    "if r[2]and r[2]~=n then return{'seen',r[2]}end local t "
    "if v and v~='claim:'..n then "
    "t=redis.call('PTTL',k)if t<0 then redis.call('PEXPIRE',k,p)t=p+0 end "
    "local o=v:match('^claim:(.*)')if o then return{'taken',o,t}end "
    "local d,s=w(v)if d~=n and s>=(m[ARGV[3]]or 0)then return{'done',d or''}end "
    "end redis.call('SET',k,'claim:'..n,'PX',p)if t then return{'ours',v,t}end return{'ours'}";

/* n: our claim or done, p: its time, third: our claim, where n may take its place. A done of ours
 * is ours whatever its severity is. */
static const char script_keep[] = "if not v or v==ARGV[3]then "
                                  "return redis.call('SET',k,n,'PX',p)end "
                                  "local function o(x)return x:match('^done:.*:')or x end "
                                  "if o(v)==o(n)then return redis.call('PEXPIRE',k,p)end";

/* n: our done, p: its time, then our node and the events' time. */
static const char script_done[] =
    "for i=2,#KEYS do redis.call('SET',KEYS[i],ARGV[3],'PX',ARGV[4])end "
    "local d,s=w(v or'')local _,o=w(n)if d and d~=ARGV[3]and s>=o then return end "
    "return redis.call('SET',k,n,'PX',p)";

/* n: our claim; p, and third: what stood there before it, and its time. */
static const char script_drop[] = "if v~=n then return end "
                                  "if p then return redis.call('SET',k,p,'PX',ARGV[3])end "
                                  "return redis.call('DEL',k)";

/* One is put together at a time. */
static struct {
    struct buf text;
    size_t from[ARGS_MAX]; /* in text, where each argument begins; it ends where the next does */
    size_t count;
    char bytes[TEXT_MAX];
} eval;

/* Where the next argument is to be put together. */
static struct buf *next(void)
{
    eval.from[eval.count++] = eval.text.n;
    return &eval.text;
}

static void add_identity(uint64_t identity)
{
    uint8_t bytes[sizeof(identity)];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(identity >> 8 * (sizeof(bytes) - 1 - i));
    buf_str(next(), "planner:event:");
    buf_hex(&eval.text, bytes, sizeof(bytes));
}

/* Its keys: the cooldown's, and those of the events that have an identity. */
static void begin(const char *script, struct span key, const uint64_t *identities, size_t count)
{
    int64_t keys = 1;

    for (size_t i = 0; i < count; i++)
        keys += identities[i] != 0;
    buf_init(&eval.text, eval.bytes, sizeof(eval.bytes));
    eval.count = 0;
    buf_str(next(), "EVAL");
    buf_str(next(), script_start);
    buf_char(&eval.text, ' ');
    if (script == script_claim || script == script_done)
        buf_str(&eval.text, script_rank);
    buf_str(&eval.text, script);
    buf_int(next(), keys);
    buf_str(next(), "planner:cooldown:");
    buf_span(&eval.text, key);
    for (size_t i = 0; i < count; i++)
        if (identities[i] != 0)
            add_identity(identities[i]);
}

static void add_claim(const struct shared *s)
{
    buf_str(next(), "claim:");
    buf_str(&eval.text, s->settings.node);
}

static void add_done(const struct shared *s, const char *severity)
{
    buf_str(next(), "done:");
    buf_str(&eval.text, s->settings.node);
    buf_char(&eval.text, ':');
    buf_str(&eval.text, severity);
    buf_int(next(), shared_done_ms(s));
}

static int evaluate(struct shared *s, redis_answer *answer, void *arg)
{
    struct span args[ARGS_MAX];

    if (buf_done(&eval.text) != 0)
        return -1;
    for (size_t i = 0; i < eval.count; i++) {
        size_t to = i + 1 < eval.count ? eval.from[i + 1] : eval.text.n;
        args[i] = (struct span){eval.bytes + eval.from[i], to - eval.from[i]};
    }
    return redis_command(s->redis, args, eval.count, 0, answer, arg);
}

/* ---- What it says ---- */

static void works(struct shared *s)
{
    if (s->refused)
        log_fields(LOG_INFO, "shared_cooldown_works", NULL, 0);
    s->refused = false;
}

/* One key of another type is no state of the server's, and says which it is. */
static void failed(struct shared *s, struct span error)
{
    static const char type[] = "WRONGTYPE";
    bool foreign = error.n >= sizeof(type) - 1 && memcmp(error.p, type, sizeof(type) - 1) == 0;

    if (foreign || !s->refused)
        LOG(LOG_WARNING, foreign ? "shared_cooldown_foreign" : "shared_cooldown_refused",
            LOG_SPAN("error", error));
    s->refused = s->refused || !foreign;
}

/* Of a string, status or error. */
static struct span text_of(const struct redisReply *reply)
{
    return (struct span){reply->str, reply->len};
}

/* Of a change that nobody waits for. A null says that nothing had to be changed, and so nothing of
 * whether the server would. */
static void changed(void *arg, const struct redisReply *reply)
{
    struct shared *s = arg;

    if (reply == NULL || reply->type == REDIS_REPLY_NIL)
        return;
    if (redis_did(reply))
        works(s);
    else
        failed(s, text_of(reply));
}

static int64_t now_ms(const struct shared *s)
{
    return s->redis->loop->now.boot_ms;
}

/* What is no array has no elements. */
static const struct redisReply *element(const struct redisReply *reply, size_t i, int type)
{
    return i < reply->elements && reply->element[i]->type == type ? reply->element[i] : NULL;
}

/* SHARED_WAIT_MS, but not less than our own claims last. */
static int64_t bounded_wait(const struct shared *s, int64_t wait_ms)
{
    int64_t most_ms = s->settings.claim_ms > SHARED_WAIT_MS ? s->settings.claim_ms : SHARED_WAIT_MS;

    if (wait_ms < 1)
        return 1;
    return wait_ms < most_ms ? wait_ms : most_ms;
}

/* A time that a server made up ends some day. */
static int64_t bounded_left(int64_t left_ms)
{
    return left_ms < SHARED_EVENT_MS ? left_ms : SHARED_EVENT_MS;
}

/* The claim script's answer: 0, or -1 where it is none. An owner's name that is too long to be
 * passed on has become a null. */
static int read_claim(const struct shared *s, const struct redisReply *reply,
                      struct shared_answer *out)
{
    static const struct {
        char word[6];
        enum shared_view view;
    } words[] = {{"ours", SHARED_OURS},
                 {"taken", SHARED_TAKEN},
                 {"done", SHARED_DONE},
                 {"seen", SHARED_SEEN}};
    const struct redisReply *word, *owner, *wait;
    size_t i = 0;

    word = element(reply, 0, REDIS_REPLY_STRING);
    if (word == NULL)
        return -1;
    while (i < COUNT(words) && !span_is(text_of(word), words[i].word))
        i++;
    if (i == COUNT(words))
        return -1;
    out->view = words[i].view;
    owner = element(reply, 1, REDIS_REPLY_STRING);
    if (owner != NULL && out->view != SHARED_OURS)
        span_cut(out->owner, sizeof(out->owner), text_of(owner));
    if (out->view != SHARED_TAKEN)
        return 0;
    wait = element(reply, 2, REDIS_REPLY_INTEGER);
    if (wait == NULL)
        return -1;
    out->wait_ms = bounded_wait(s, wait->integer);
    return 0;
}

/* A null is a connection that was lost. */
static struct shared_answer answer_of(struct shared *s, const struct redisReply *reply)
{
    static const struct shared_answer alone = {.view = SHARED_ALONE};
    struct shared_answer answer = alone;

    if (reply == NULL)
        return alone;
    if (reply->type == REDIS_REPLY_ERROR) {
        failed(s, text_of(reply));
        return alone;
    }
    if (read_claim(s, reply, &answer) != 0) {
        failed(s, span_of("no answer of the claim script"));
        return alone;
    }
    /* The other answers may come from a server that can only be read. */
    if (answer.view == SHARED_OURS)
        works(s);
    return answer;
}

/* ---- Claims ---- */

void shared_init(struct shared *s, struct redis *redis,
                 void (*answered)(void *arg, unsigned slot, const struct shared_answer *answer),
                 void *arg)
{
    s->redis = redis;
    s->answered = answered;
    s->arg = arg;
}

void shared_configure(struct shared *s, const struct shared_settings *settings)
{
    s->settings = *settings;
}

int64_t shared_done_ms(const struct shared *s)
{
    const struct shared_settings *settings = &s->settings;

    return settings->cooldown_ms > settings->claim_ms ? settings->cooldown_ms : settings->claim_ms;
}

/* What a claim of this key took the place of, and is not over; NULL: nothing. */
static struct shared_before *before(struct shared *s, struct span key)
{
    for (unsigned i = 0; i < SHARED_BEFORE_MAX; i++)
        if (s->before[i].ends_ms > now_ms(s) && span_is(key, s->before[i].key))
            return &s->before[i];
    return NULL;
}

static void forget(struct shared *s, struct span key)
{
    struct shared_before *b = before(s, key);

    if (b != NULL)
        b->ends_ms = 0;
}

static struct shared_before *first_to_end(struct shared *s)
{
    struct shared_before *first = &s->before[0];

    for (unsigned i = 1; i < SHARED_BEFORE_MAX; i++)
        if (s->before[i].ends_ms < first->ends_ms)
            first = &s->before[i];
    return first;
}

/* In place of what is known of the key, or of what ends first. */
static void remember(struct shared *s, const char *key, const struct redisReply *reply)
{
    const struct redisReply *value = element(reply, 1, REDIS_REPLY_STRING);
    const struct redisReply *left = element(reply, 2, REDIS_REPLY_INTEGER);
    struct shared_before *b = before(s, span_of(key));

    if (value == NULL || left == NULL || left->integer < 1)
        return;
    if (b == NULL)
        b = first_to_end(s);
    b->ends_ms = 0;
    if (span_copy(b->key, sizeof(b->key), span_of(key)) == 0 &&
        span_copy(b->value, sizeof(b->value), text_of(value)) == 0)
        b->ends_ms = now_ms(s) + bounded_left(left->integer);
}

static void drop(struct shared *s, struct span key)
{
    const struct shared_before *b = before(s, key);

    begin(script_drop, key, NULL, 0);
    add_claim(s);
    if (b != NULL) {
        buf_str(next(), b->value);
        buf_int(next(), b->ends_ms - now_ms(s));
    }
    /* Where it is not sent, the claim ends by itself. */
    if (evaluate(s, changed, s) == 0)
        forget(s, key);
}

static bool is_asked(const struct shared *s, struct span key)
{
    for (unsigned i = 0; i < SHARED_QUESTIONS_MAX; i++)
        if (s->questions[i].state == SHARED_WAITING && span_is(key, s->questions[i].key))
            return true;
    return false;
}

static void claimed(void *arg, const struct redisReply *reply)
{
    struct shared_question *q = arg;
    struct shared *s = q->shared;
    struct shared_answer answer = answer_of(s, reply);
    bool waiting = q->state == SHARED_WAITING;

    q->state = SHARED_FREE;
    if (answer.view == SHARED_OURS) {
        answer.ends_ms = q->ends_ms;
        remember(s, q->key, reply);
    }
    if (waiting)
        s->answered(s->arg, q->slot, &answer);
    else if (answer.view == SHARED_OURS && !is_asked(s, span_of(q->key)))
        /* Where another slot has asked for the key since, the claim is its. */
        drop(s, span_of(q->key));
}

/* It is given back when its answer says what it took the place of. */
void shared_cancel(struct shared *s, unsigned slot)
{
    for (unsigned i = 0; i < SHARED_QUESTIONS_MAX; i++)
        if (s->questions[i].state == SHARED_WAITING && s->questions[i].slot == slot)
            s->questions[i].state = SHARED_OWING;
}

int shared_claim(struct shared *s, unsigned slot, struct span key, const char *severity,
                 uint64_t identity)
{
    unsigned i = 0;

    shared_cancel(s, slot);
    while (i < SHARED_QUESTIONS_MAX && s->questions[i].state != SHARED_FREE)
        i++;
    if (i == SHARED_QUESTIONS_MAX)
        return -1;
    struct shared_question *q = &s->questions[i];
    if (span_copy(q->key, sizeof(q->key), key) != 0)
        return -1;
    q->shared = s;
    begin(script_claim, key, &identity, 1);
    buf_str(next(), s->settings.node);
    buf_int(next(), s->settings.claim_ms);
    buf_str(next(), severity);
    if (evaluate(s, claimed, q) != 0)
        return -1;
    q->state = SHARED_WAITING;
    q->slot = slot;
    /* The server has it later than that. */
    q->ends_ms = now_ms(s) + s->settings.claim_ms;
    return 0;
}

/* ---- Changes that nobody waits for ---- */

void shared_renew(struct shared *s, struct span key)
{
    begin(script_keep, key, NULL, 0);
    add_claim(s);
    buf_int(next(), s->settings.claim_ms);
    (void)evaluate(s, changed, s);
}

void shared_done(struct shared *s, struct span key, const char *severity,
                 const uint64_t *identities, size_t count)
{
    static const uint64_t none = 0;
    size_t done = 0;

    if (count == 0)
        identities = &none;
    do {
        size_t n = count - done < WORK_IDENTITIES_MAX ? count - done : WORK_IDENTITIES_MAX;
        begin(script_done, key, identities + done, n);
        add_done(s, severity);
        buf_str(next(), s->settings.node);
        buf_int(next(), SHARED_EVENT_MS);
        if (evaluate(s, changed, s) == 0)
            forget(s, key);
        done += n;
    } while (done < count);
}

void shared_drop(struct shared *s, struct span key)
{
    drop(s, key);
}

int shared_prolong(struct shared *s, struct span key, const char *severity)
{
    begin(script_keep, key, NULL, 0);
    add_done(s, severity);
    if (!is_asked(s, key))
        add_claim(s);
    return evaluate(s, changed, s);
}
