#include "rig.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

struct rig rig;
const struct llm_server rig_server = {.key = "", .local = true};

static char trace[4096];
static int log_fd = -1;
static struct llm_call *under_way[ASKS_MAX + WARMUPS_MAX];

static void note(const char *what, const char *whom)
{
    size_t n = strlen(trace);
    int added = snprintf(trace + n, sizeof(trace) - n, "%s%s%s", n > 0 ? " " : "", what, whom);
    assert_true(added > 0 && (size_t)added < sizeof(trace) - n);
}

const char *rig_trace(void)
{
    static char seen[sizeof(trace)];
    memcpy(seen, trace, sizeof(trace));
    trace[0] = '\0';
    return seen;
}

/* ---- The loop ---- */

int loop_timer_set(struct loop *l, struct loop_timer *timer, int64_t deadline_ms)
{
    loop_timer_clear(l, timer);
    if (rig.no_timers)
        return -1;
    assert_true(l->timer_count < LOOP_TIMERS_MAX);
    timer->deadline_ms = deadline_ms;
    timer->set = true;
    l->timers[l->timer_count++] = timer;
    return 0;
}

void loop_timer_clear(struct loop *l, struct loop_timer *timer)
{
    unsigned kept = 0;
    timer->set = false;
    for (unsigned i = 0; i < l->timer_count; i++)
        if (l->timers[i] != timer)
            l->timers[kept++] = l->timers[i];
    l->timer_count = kept;
}

void rig_one_turn(int64_t ms)
{
    struct loop_timer *due[LOOP_TIMERS_MAX];
    unsigned count = 0;
    rig.loop.now.boot_ms = RIG_T0 + ms;
    for (unsigned i = 0; i < rig.loop.timer_count; i++)
        if (rig.loop.timers[i]->deadline_ms <= rig.loop.now.boot_ms)
            due[count++] = rig.loop.timers[i];
    for (unsigned i = 0; i < count; i++) {
        if (!due[i]->set || due[i]->deadline_ms > rig.loop.now.boot_ms)
            continue;
        loop_timer_clear(&rig.loop, due[i]);
        due[i]->due(&rig.loop, due[i]->arg);
    }
}

static bool is_due(void)
{
    for (unsigned i = 0; i < rig.loop.timer_count; i++)
        if (rig.loop.timers[i]->deadline_ms <= rig.loop.now.boot_ms)
            return true;
    return false;
}

void rig_at(int64_t ms)
{
    int turns = 0;
    do {
        rig_one_turn(ms);
        assert_true(++turns < 100);
    } while (is_due());
}

/* ---- Providers ---- */

static const char *const purposes[] = {"ask:", "look:", "warm:", "probe:"};

static void look_at_new_call(const struct llm_call *call)
{
    note(purposes[call->purpose], call->model);
    assert_ptr_equal(call->loop, &rig.loop);
    assert_int_equal(call->text_len, 0);
    assert_int_equal(call->status, 0);
    assert_int_equal(call->again_ms, -1);
    assert_string_equal(call->error, "");
    assert_false(call->reached);
    assert_non_null(call->done);
    assert_true(call->deadline_ms > rig.loop.now.boot_ms);
    assert_ptr_equal(call->request, call->purpose == LLM_WARM ? NULL : &rig.request);
}

static enum llm_start slow_start(struct llm_call *call)
{
    unsigned i = 0;
    look_at_new_call(call);
    while (under_way[i] != NULL) {
        assert_ptr_not_equal(under_way[i], call);
        assert_true(++i < ASKS_MAX + WARMUPS_MAX);
    }
    under_way[i] = call;
    return LLM_STARTED;
}

static void take_out(const struct llm_call *call)
{
    unsigned i = 0;
    while (under_way[i] != call)
        assert_true(++i < ASKS_MAX + WARMUPS_MAX);
    under_way[i] = NULL;
}

static void slow_cancel(struct llm_call *call)
{
    note("cancel:", call->model);
    take_out(call);
}

static enum llm_start quick_start(struct llm_call *call)
{
    look_at_new_call(call);
    if (call->purpose != LLM_ASK) {
        call->outcome = call->purpose == LLM_WARM ? rig.quick_warm : rig.quick_look;
        return LLM_ENDED;
    }
    call->reached = true;
    call->outcome = rig.quick.outcome;
    call->again = rig.quick.again;
    call->again_ms = rig.quick.again_ms;
    call->status = rig.quick.status;
    call->input_tokens = rig.quick.input_tokens;
    call->output_tokens = rig.quick.output_tokens;
    call->text_len = rig.quick.text_len;
    memcpy(call->text, rig.quick.text, rig.quick.text_len);
    memcpy(call->error, rig.quick.error, sizeof(call->error));
    return LLM_ENDED;
}

const struct llm_provider rig_slow = {
    .name = "slow", .limit_ms = 8000, .start = slow_start, .cancel = slow_cancel};
const struct llm_provider rig_slow_warm = {
    .name = "warm", .limit_ms = 8000, .can_warm = true, .start = slow_start, .cancel = slow_cancel};
const struct llm_provider rig_quick = {.name = "quick", .limit_ms = 1000, .start = quick_start};
const struct llm_provider rig_quick_warm = {
    .name = "quick", .limit_ms = 1000, .can_warm = true, .start = quick_start};

struct llm_call *rig_call(const char *model, enum llm_purpose purpose)
{
    for (unsigned i = 0; i < ASKS_MAX + WARMUPS_MAX; i++) {
        struct llm_call *call = under_way[i];
        if (call != NULL && call->purpose == purpose && strcmp(call->model, model) == 0)
            return call;
    }
    return NULL;
}

void rig_end(const char *model, enum llm_purpose purpose, enum llm_outcome outcome,
             const char *text)
{
    struct llm_call *call = rig_call(model, purpose);
    assert_non_null(call);
    take_out(call);
    call->outcome = outcome;
    call->text_len = strlen(text);
    memcpy(call->text, text, call->text_len);
    call->done(call);
}

void rig_fault(const char *model, enum llm_outcome outcome, enum llm_again again, int64_t again_ms)
{
    struct llm_call *call = rig_call(model, LLM_ASK);
    assert_non_null(call);
    call->again = again;
    call->again_ms = again_ms;
    rig_end(model, LLM_ASK, outcome, "");
}

void rig_timeout(const char *model)
{
    struct llm_call *call = rig_call(model, LLM_ASK);
    assert_non_null(call);
    call->reached = true;
    rig_end(model, LLM_ASK, LLM_TIMEOUT, "");
}

void rig_resident(const char *model, bool resident)
{
    struct llm_call *call = rig_call(model, LLM_RESIDENT);
    assert_non_null(call);
    call->resident = resident;
    rig_end(model, LLM_RESIDENT, LLM_SUCCESS, "");
}

/* ---- The asker ---- */

static int check(void *arg, struct span object, char *why)
{
    assert_ptr_equal(arg, &rig);
    if (span_is(object, RIG_GOOD))
        return 0;
    assert_true(snprintf(why, 128, "it is not good") > 0);
    return -1;
}

static enum router_pay pay(void *arg, char *why)
{
    assert_ptr_equal(arg, &rig);
    note("pay", "");
    if (rig.pay != ROUTER_MAY_PAY)
        assert_true(snprintf(why, LLM_ERROR_MAX + 1, "no money") > 0);
    return rig.pay;
}

static void answered(void *arg, unsigned slot, const struct llm_answer *answer)
{
    char number[2] = {(char)('0' + slot), '\0'};
    assert_ptr_equal(arg, &rig);
    assert_true(rig.router.asks[slot].state == ROUTER_FREE);
    if (rig.ask_again) {
        rig.ask_again = false;
        assert_int_equal(router_ask(&rig.router, slot, &rig.request), 0);
    }
    if (rig.cancels)
        router_cancel(&rig.router, 1);
    note("answer:", number);
    rig.answers++;
    rig.slot = slot;
    rig.answer = *answer;
    assert_int_equal(span_copy(rig.object, sizeof(rig.object), answer->object), 0);
}

static const struct router_ops ops = {.answered = answered, .pay = pay};

int rig_open(void **state)
{
    (void)state;
    memset(&rig, 0, sizeof(rig));
    memset(under_way, 0, sizeof(under_way));
    /* Of what was not used yet only this needs to be zero. */
    memset(&rig.router, 0xa5, sizeof(rig.router));
    for (unsigned i = 0; i < ASKS_MAX; i++) {
        rig.router.asks[i].state = ROUTER_FREE;
        rig.router.asks[i].timer = (struct loop_timer){.set = false};
    }
    for (unsigned i = 0; i < WARMUPS_MAX; i++) {
        rig.router.warmups.pool[i].hop = NULL;
        rig.router.warmups.pool[i].timer = (struct loop_timer){.set = false};
    }
    trace[0] = '\0';
    rig.loop.now.boot_ms = RIG_T0;
    router_init(&rig.router, &rig.loop, &ops, &rig, 7);
    rig.request = (struct llm_request){
        .context = span_of("n/s"), .schema = span_of("{}"), .check = check, .check_arg = &rig};
    rig.request.facts.type = span_of("service_unhealthy");
    rig.request.facts.node = span_of("n");
    rig.request.facts.service = span_of("s");
    rig.request.facts.severity = span_of("error");
    rig.pay = ROUTER_MAY_PAY;
    llm_call_reset(&rig.quick, &rig.loop);
    rig.quick.outcome = LLM_SUCCESS;
    rig.quick.text_len = strlen(RIG_GOOD);
    memcpy(rig.quick.text, RIG_GOOD, rig.quick.text_len);
    log_fd = memfd_create("log", MFD_CLOEXEC);
    assert_true(log_fd >= 0);
    log_init(LOG_DEBUG, LOG_JSON);
    log_to(log_fd);
    return 0;
}

int rig_close(void **state)
{
    (void)state;
    log_to(-1);
    return close(log_fd);
}

struct router_hop *rig_hop(const struct llm_provider *provider, const char *model, int64_t limit_ms,
                           bool cloud)
{
    struct router_hop *hop = &rig.chain.hops[rig.chain.count++];
    *hop = (struct router_hop){.provider = provider,
                               .server = provider == &rig_quick ? NULL : &rig_server,
                               .limit_ms = limit_ms,
                               .cloud = cloud};
    assert_true(snprintf(hop->model, sizeof(hop->model), "%s", model) >= 0);
    assert_true(snprintf(hop->label, sizeof(hop->label), "%s", model) >= 0);
    return hop;
}

void rig_set_chain(int64_t cold_ms)
{
    router_set_chain(&rig.router, &rig.chain, cold_ms);
}

void rig_ask(unsigned slot)
{
    assert_int_equal(router_ask(&rig.router, slot, &rig.request), 0);
}

unsigned rig_logged(const char *a, const char *b)
{
    static char text[65536];
    unsigned lines = 0;
    ssize_t n = pread(log_fd, text, sizeof(text) - 1, 0);
    assert_true(n >= 0 && (size_t)n < sizeof(text) - 1);
    text[n] = '\0';
    for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        if (strstr(line, a) != NULL && strstr(line, b) != NULL)
            lines++;
    }
    return lines;
}

const char *rig_attempts(void)
{
    static char text[4096];
    size_t n = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < rig.answer.attempt_count; i++) {
        const struct llm_attempt *attempt = &rig.answer.attempts[i];
        int added = snprintf(text + n, sizeof(text) - n, "%s%s %s", n > 0 ? ", " : "",
                             attempt->model, llm_outcome_text(attempt->outcome));
        assert_true(added > 0 && (size_t)added < sizeof(text) - n);
        n += (size_t)added;
    }
    return text;
}
