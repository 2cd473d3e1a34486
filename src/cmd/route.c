#include "cmd/command.h"
#include "cmd/commands.h"

#include "base/clock.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/utf8.h"
#include "cmd/print.h"
#include "daemon/models.h"
#include "llm/metrics.h"
#include "llm/router.h"
#include "planner/mask.h"
#include "planner/prompt.h"
#include "planner/proposal.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define OUTPUT_MAX 65536 /* bytes: a text, escaped, and the attempts */

/* Bytes of a conversation masked: a mask may be longer than what it hides. */
#define MASKED_MAX (2 * ROUTE_INPUT_MAX)

struct route {
    const char *prompt;
    const char *schema;
    const char *context;
    const struct config *config;
    struct tree tree;
    struct models models;
    struct loop loop;
    struct router router;
    struct llm_request request;
    struct llm_message messages[LLM_MESSAGES_MAX];
    struct buf texts;  /* of the messages */
    struct buf masked; /* the same, masked */
    bool over;
    int code;
};

/* ---- The conversation ---- */

/* The whole of stdin: its bytes, or -1 with errno (EFBIG: more than cap). */
static ssize_t read_input(char *data, size_t cap)
{
    size_t n = 0;

    for (;;) {
        ssize_t got = read(STDIN_FILENO, data + n, cap - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0 ? (ssize_t)n : -1;
        n += (size_t)got;
        if (n == cap) {
            errno = EFBIG;
            return -1;
        }
    }
}

static struct span masked_of(struct route *r, struct span text)
{
    size_t from = r->masked.n;

    mask_text(&r->masked, text);
    return (struct span){r->masked.p + from, r->masked.n - from};
}

/* A reason where it is no message. Instructions come first, and once. */
static const char *take_message(struct route *r, struct span role, struct span text)
{
    struct llm_request *request = &r->request;
    bool assistant = span_is(role, "assistant");

    if (span_is(role, "system")) {
        if (request->message_count > 0 || request->system.n > 0)
            return "one system message may come, and it comes first";
        request->system = text;
        request->system_masked = masked_of(r, text);
        return NULL;
    }
    if (!assistant && !span_is(role, "user"))
        return "a role is system, user or assistant";
    if (request->message_count == LLM_MESSAGES_MAX)
        return "at most 16 messages";
    r->messages[request->message_count++] =
        (struct llm_message){.assistant = assistant, .text = text, .masked = masked_of(r, text)};
    return NULL;
}

_Static_assert(LLM_MESSAGES_MAX == 16, "the number in the message");

/* {"role": ..., "content": ...} */
static const char *read_message(struct route *r, const struct json *doc, json_ref message)
{
    json_ref content = json_member(doc, message, "content");
    char role[16];
    char *at = r->texts.p + r->texts.n;

    if (json_string(doc, json_member(doc, message, "role"), role, sizeof(role)) < 0)
        return "a message has no role";
    int n = json_string(doc, content, at, r->texts.cap - r->texts.n);
    if (n <= 0)
        return "a message's content is a text that is not empty";
    r->texts.n += (size_t)n;
    return take_message(r, span_of(role), (struct span){at, (size_t)n});
}

/* An array of messages, or an object that has one under "messages". */
static const char *read_messages(struct route *r, struct span input)
{
    static jsmntok_t tokens[ROUTE_INPUT_MAX / 2 + 2];
    const char *why = NULL;
    struct json doc;

    enum json_error error = json_read(&doc, input.p, input.n, tokens,
                                      sizeof(tokens) / sizeof(tokens[0]), EVENT_DEPTH_MAX);
    if (error != JSON_OK)
        return json_error_text(error);
    json_ref list = json_member(&doc, JSON_ROOT, "messages");
    if (list == JSON_NONE)
        list = JSON_ROOT;
    if (json_type(&doc, list) != JSON_ARRAY)
        return "neither an array of messages nor an object with one";
    for (json_ref at = json_first(&doc, list); at != JSON_NONE && why == NULL;
         at = json_next(&doc, list, at))
        why = read_message(r, &doc, at);
    if (why != NULL)
        return why;
    unsigned count = r->request.message_count;
    if (count == 0 || r->messages[0].assistant || r->messages[count - 1].assistant)
        return "the first and the last message are the user's";
    return NULL;
}

static int read_conversation(const struct command *self, struct route *r)
{
    static char input[ROUTE_INPUT_MAX];
    const char *why;

    if (r->prompt != NULL) {
        why = utf8_is_text(span_of(r->prompt)) && r->prompt[0] != '\0'
                  ? take_message(r, span_of("user"), span_of(r->prompt))
                  : "a text in UTF-8 that is not empty";
        return why == NULL ? 0 : command_usage(self, "--prompt", why);
    }
    ssize_t n = read_input(input, sizeof(input));
    if (n < 0)
        return command_fail(self, EX_USAGE, "messages on stdin", log_errno(errno));
    why = read_messages(r, (struct span){input, (size_t)n});
    return why == NULL ? 0 : command_fail(self, EX_USAGE, "messages on stdin", why);
}

/* ---- The question ---- */

static int check_proposal(void *arg, struct span object, char *why)
{
    struct proposal proposal;

    (void)arg;
    return proposal_parse(&proposal, object, why);
}

/* With the proposal's schema a conversation that brings no instructions gets the planner's own. */
static void want_proposal(struct route *r)
{
    static struct prompt_system system;
    struct planner_settings settings;

    r->request.schema = prompt_schema();
    r->request.schema_plain = prompt_schema_plain();
    r->request.check = check_proposal;
    if (r->request.system.n > 0)
        return;
    config_planner(r->config, true, &settings);
    prompt_system(&system, settings.topology, &settings.policy);
    r->request.system = system.plain;
    r->request.system_masked = system.masked;
}

static void print_answer(const struct route *r, const struct llm_answer *answer)
{
    static char storage[OUTPUT_MAX];
    struct json_write w;
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    json_write_init(&w, &b);
    json_write_object(&w, NULL);
    if (!answer->success)
        json_write_null(&w, "answer");
    else if (r->request.schema.n > 0)
        json_write_raw(&w, "answer", answer->object);
    else
        json_write_span(&w, "answer", answer->object);
    metrics_write(&w, &(struct metrics){
                          .wall_ms = r->loop.now.wall_ms,
                          .node = config_text(r->config, SETTING_NODE_NAME),
                          .context = r->request.context,
                          .answer = answer,
                          .hops = r->router.hops,
                          .hop_count = r->router.hop_count,
                      });
    json_write_end_object(&w);
    buf_char(&b, '\n');
    print_span(buf_view(&b));
}

static void answered(void *arg, unsigned slot, const struct llm_answer *answer)
{
    struct route *r = arg;

    (void)slot;
    print_answer(r, answer);
    r->code = answer->success ? EX_OK : EX_UNAVAILABLE;
    r->over = true;
}

static enum router_pay pay(void *arg, char *why)
{
    const struct route *r = arg;

    return models_pay(&r->tree, r->config, r->loop.now.wall_ms, why);
}

static const struct router_ops router_ops = {.answered = answered, .pay = pay};

/* The rules table reads an event's facts, and here there are none. */
static void leave_out_rules(struct chain *chain)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < chain->count; i++)
        if (chain->hops[i].server != NULL)
            chain->hops[kept++] = chain->hops[i];
    chain->count = kept;
}

/* Paid calls are counted in the state of the tree, which the first run of the planner makes, or we
 * do. Where it cannot be made, the attempt says why. */
static void prepare_to_pay(const struct route *r)
{
    for (unsigned i = 0; i < r->models.chain.count; i++)
        if (r->models.chain.hops[i].cloud) {
            int dir = tree_open_made(&r->tree, TREE_STATE, 0700);
            if (dir >= 0)
                tree_close(dir);
            return;
        }
}

static int ask(const struct command *self, struct route *r)
{
    char why[CHAIN_WHY_MAX];

    if (models_read(&r->models, r->config, false, models_log_skipped, why) != 0)
        return command_fail(self, EX_CONFIG, "LLM_CHAIN", why);
    leave_out_rules(&r->models.chain);
    if (r->models.chain.count == 0)
        return command_fail(self, EX_UNAVAILABLE, "the chain has no model that can be asked",
                            config_text(r->config, SETTING_LLM_CHAIN));
    prepare_to_pay(r);
    loop_init(&r->loop);
    router_init(&r->router, &r->loop, &router_ops, r, (uint64_t)r->loop.now.boot_ms);
    router_set_chain(&r->router, &r->models.chain, r->models.cold_ms);
    models_renew(&r->models, r->config, false);
    if (router_ask(&r->router, 0, &r->request) != 0)
        return command_fail(self, EX_TEMPFAIL, "the loop is full", NULL);
    while (!r->over)
        if (loop_turn(&r->loop, -1) != 0)
            return command_fail(self, EX_TEMPFAIL, "poll", log_errno(errno));
    return r->code;
}

static int check_options(const struct command *self, struct route *r)
{
    if (r->schema == NULL)
        r->schema = "proposal";
    if (r->context == NULL)
        r->context = "route";
    if (strcmp(r->schema, "proposal") != 0 && strcmp(r->schema, "none") != 0)
        return command_usage(self, "--schema takes proposal or none", r->schema);
    if (!utf8_is_text(span_of(r->context)) || strlen(r->context) > NAME_MAX_BYTES)
        return command_usage(self, "--context takes up to 128 bytes of UTF-8", NULL);
    return 0;
}

_Static_assert(NAME_MAX_BYTES == 128, "the number in the message");

int route_command(const struct command *self, int argc, char **argv)
{
    static char texts[ROUTE_INPUT_MAX];
    static char masked[MASKED_MAX];
    static struct route r;
    const struct option options[] = {
        COMMAND_TREE_OPTIONS,          {"--prompt", NULL, &r.prompt},
        {"--schema", NULL, &r.schema}, {"--context", NULL, &r.context},
        COMMAND_OPTIONS_END,
    };

    buf_init(&r.texts, texts, sizeof(texts));
    buf_init(&r.masked, masked, sizeof(masked));
    int code = command_options(self, options, &argc, argv);
    if (code == 0)
        code = check_options(self, &r);
    if (code == 0) {
        command_sources.may_skip_env_file = false;
        code = command_open(self, &r.config, &r.tree);
    }
    if (code == 0)
        code = read_conversation(self, &r);
    if (code != 0)
        return code;
    r.request.context = span_of(r.context);
    r.request.messages = r.messages;
    if (strcmp(r.schema, "proposal") == 0)
        want_proposal(&r);
    /* What cannot be masked does not leave the home lab. */
    r.request.free_only = buf_done(&r.masked) != 0;
    log_init((enum log_level)config_number(r.config, SETTING_LOG_LEVEL),
             (enum log_format)config_number(r.config, SETTING_LOG_FORMAT));
    log_to(STDERR_FILENO);
    return print_end(ask(self, &r));
}
