#include "planner_bed.h"

#include "base/log.h"
#include "base/timestamp.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define STREAM_REFS (UINT64_C(1) << 32)

struct bed bed;

/* ---- Store ---- */

static int writable(void *ctx)
{
    (void)ctx;
    return bed.no_room;
}

static void world(void *ctx, const struct event *event, struct world_facts *facts)
{
    (void)ctx;
    (void)event;
    *facts = (struct world_facts){0};
}

static struct action_facts *find_action(enum action_place place, const char *id)
{
    for (unsigned i = 0; i < bed.action_count; i++)
        if (bed.actions[i].place == place && strcmp(bed.actions[i].facts.id, id) == 0)
            return &bed.actions[i].facts;
    return NULL;
}

static unsigned present(void *ctx, enum action_place place, const char *const *ids, size_t count)
{
    unsigned found = 0;

    (void)ctx;
    for (size_t i = 0; i < count; i++)
        if (bed.unreadable || find_action(place, ids[i]) != NULL)
            found |= 1U << i;
    return found;
}

static enum action_look look(void *ctx, enum action_place place, const char *id,
                             struct action_facts *facts)
{
    const struct action_facts *found = find_action(place, id);

    (void)ctx;
    if (bed.unreadable) {
        errno = EIO;
        return ACTION_FAULT;
    }
    if (found == NULL)
        return ACTION_ABSENT;
    *facts = *found;
    return ACTION_FOUND;
}

static struct action_facts *new_action(enum action_place place)
{
    if (bed.action_count == BED_ACTIONS) {
        bed.action_count--;
        memmove(&bed.actions[0], &bed.actions[1], bed.action_count * sizeof(bed.actions[0]));
    }
    bed.actions[bed.action_count].place = place;
    struct action_facts *facts = &bed.actions[bed.action_count++].facts;
    memset(facts, 0, sizeof(*facts));
    return facts;
}

static enum file_result propose(void *ctx, const char *id, struct span body)
{
    struct action_facts facts;

    (void)ctx;
    if (bed.disk_full) {
        errno = ENOSPC;
        return FILE_FAULT;
    }
    if (find_action(ACTION_PENDING, id) != NULL)
        return FILE_EXISTS;
    assert_int_equal(actions_parse(body, id, &facts), ACTION_FOUND);
    *new_action(ACTION_PENDING) = facts;
    memcpy(bed.body, body.p, body.n);
    bed.body[body.n] = '\0';
    return FILE_OK;
}

static int settle(void *ctx)
{
    (void)ctx;
    return 0;
}

static int audit(void *ctx, const struct audit *event)
{
    (void)ctx;
    (void)event;
    if (bed.audit_fails) {
        errno = ENOSPC;
        return -1;
    }
    bed.audits++;
    return 0;
}

/* ---- Bus and chain ---- */

static char *our_claim(const char *key)
{
    for (unsigned i = 0; i < ASKS_MAX; i++)
        if (strcmp(bed.ours[i], key) == 0)
            return bed.ours[i];
    return NULL;
}

static int claim(void *ctx, unsigned slot, const struct event *event)
{
    (void)ctx;
    assert_false(bed.claiming[slot]);
    assert_null(bed.asked[slot]);
    assert_null(our_claim(event->key));
    bed.may_ask[slot] = !bed.bus;
    if (!bed.bus)
        return -1;
    bed.claims++;
    bed.claiming[slot] = true;
    span_cut(bed.claim_key[slot], sizeof(bed.claim_key[slot]), span_of(event->key));
    bed.claim_identity[slot] = event->identity;
    bed.claim_severity[slot] = event->severity;
    return 0;
}

static void claim_ended(void *ctx, const struct event *event, enum claim_end end,
                        const uint64_t *identities, size_t count)
{
    char *ours = our_claim(event->key);

    (void)ctx;
    if (end != CLAIM_DECIDED) {
        assert_non_null(ours);
        assert_int_equal(count, 0);
    }
    bed.renews += end == CLAIM_RENEW;
    bed.drops += end == CLAIM_DROP;
    bed.dones += end == CLAIM_DECIDED;
    if (end == CLAIM_DECIDED) {
        assert_in_range(count, 0, WORK_IDENTITIES_MAX);
        memcpy(bed.done_identities, identities, count * sizeof(identities[0]));
        bed.done_count = count;
    }
    if (end != CLAIM_RENEW && ours != NULL)
        ours[0] = '\0';
}

void bed_claimed(unsigned slot, enum claim_view view, int64_t wait_ms, const char *owner)
{
    struct claim_answer answer = {
        .view = view, .wait_ms = wait_ms, .lasts_ms = BED_CLAIM_MS, .owner = owner};

    if (bed.claiming[slot] && view == CLAIM_OURS)
        span_cut(our_claim(""), sizeof(bed.ours[0]), span_of(bed.claim_key[slot]));
    if (bed.claiming[slot])
        bed.may_ask[slot] = view == CLAIM_OURS || view == CLAIM_ALONE;
    bed.claiming[slot] = false;
    planner_claimed(&bed.planner, slot, &answer, bed.now);
}

static int ask(void *ctx, unsigned slot, const struct llm_request *request)
{
    (void)ctx;
    assert_true(bed.may_ask[slot]);
    assert_false(bed.claiming[slot]);
    assert_null(bed.asked[slot]);
    bed.may_ask[slot] = false;
    bed.asked[slot] = request;
    bed.asks++;
    return 0;
}

static void cancel(void *ctx, unsigned slot)
{
    (void)ctx;
    assert_true(bed.claiming[slot] != (bed.asked[slot] != NULL));
    bed.claiming[slot] = false;
    bed.asked[slot] = NULL;
    bed.cancels++;
}

void bed_answer(unsigned slot, const char *object)
{
    struct llm_answer answer = {.success = object != NULL, .attempt_count = 1};

    assert_non_null(bed.asked[slot]);
    bed.asked[slot] = NULL;
    span_cut(answer.model, sizeof(answer.model), span_of("fake/model"));
    if (object != NULL)
        answer.object = span_of(object);
    span_cut(answer.attempts[0].model, sizeof(answer.attempts[0].model), span_of("fake/model"));
    answer.attempts[0].outcome = object != NULL ? LLM_SUCCESS : LLM_TIMEOUT;
    planner_answered(&bed.planner, slot, &answer, bed.now);
}

/* ---- Sources ---- */

static uint64_t ref_of(unsigned n)
{
    if (bed.events[n].way == BY_MESSAGE)
        return NO_REF;
    return bed.events[n].way == BY_STREAM ? STREAM_REFS | n : n;
}

static void finished(void *ctx, uint64_t ref)
{
    unsigned n = (uint32_t)ref;

    (void)ctx;
    assert_true(n < bed.event_count);
    assert_true(ref == ref_of(n));
    assert_int_equal(bed.events[n].state, BED_KEPT);
    bed.events[n].state = BED_FINISHED;
    bed.kept--;
}

static void decided(void *ctx, const struct decision *decision)
{
    (void)ctx;
    bed.last = decision->outcome;
    bed.suppressed = decision->suppressed;
    span_cut(bed.reason, sizeof(bed.reason), span_of(decision->reason));
    if (bed.told != NULL)
        bed.told(decision);
}

static const struct planner_ops ops = {
    .writable = writable,
    .world = world,
    .ask = ask,
    .claim = claim,
    .cancel = cancel,
    .claim_ended = claim_ended,
    .present = present,
    .look = look,
    .propose = propose,
    .settle = settle,
    .audit = audit,
    .finished = finished,
    .decided = decided,
};

static size_t write_event(char *text, size_t size, const struct bed_event *e)
{
    char when[TIMESTAMP_SIZE];
    char id[32] = "";
    char message[1001];

    memset(message, 'm', sizeof(message));
    timestamp_format(when, e->at_ms);
    if (e->id != 0)
        snprintf(id, sizeof(id), ",\"id\":\"id-%u\"", e->id);
    int n = snprintf(text, size,
                     "{\"type\":\"%s\",\"node\":\"solaria\",\"service\":\"s%u\",\"severity\":"
                     "\"%s\",\"timestamp\":\"%s\"%s,\"message\":\"%.*s\"}",
                     e->type, e->service, e->severity, when, id, (int)e->more, message);
    assert_true(n > 0 && (size_t)n < size);
    return (size_t)n;
}

enum planner_took bed_offer(unsigned n)
{
    struct bed_event *e = &bed.events[n];
    char text[1536], origin[32];
    size_t size = write_event(text, sizeof(text), e);

    snprintf(origin, sizeof(origin), "%s-%u", e->way == BY_MESSAGE ? "message" : "ref", n);
    struct arrival arrival = {
        .origin = span_of(origin),
        .wall_ms = e->arrived_ms,
        .boot_ms = bed.now.boot_ms - (bed.now.wall_ms - e->arrived_ms),
        .ref = ref_of(n),
        .holds = e->way == BY_STREAM,
        .complete = true,
    };
    assert_int_equal(e->state, BED_UNREAD);
    enum planner_took took =
        planner_event(&bed.planner, (struct span){text, size}, &arrival, bed.now);
    bed.took = took;
    assert_int_equal(e->state, BED_UNREAD); /* not finished from inside */
    assert_true(took != PLANNER_UNSURE && (took != PLANNER_NO_SLOT || e->way != BY_MESSAGE));
    if (took == PLANNER_KEEPS && e->way != BY_MESSAGE) {
        e->state = BED_KEPT;
        bed.kept++;
    } else if (took != PLANNER_NO_SLOT) {
        e->state = BED_ENDED;
    }
    return took;
}

unsigned bed_say(const struct bed_event *event)
{
    unsigned n = bed.event_count++;

    assert_true(n < BED_EVENTS);
    bed.events[n] = *event;
    if (event->type == NULL)
        bed.events[n].type = "service_unhealthy";
    bed.events[n].at_ms = bed.now.wall_ms - event->age_s * 1000;
    bed.events[n].arrived_ms = bed.now.wall_ms;
    bed.events[n].state = BED_UNREAD;
    bed_offer(n);
    return n;
}

uint64_t bed_identity(unsigned n)
{
    struct event event;
    char text[1536];
    size_t size = write_event(text, sizeof(text), &bed.events[n]);

    assert_int_equal(event_parse(&event, (struct span){text, size}, &bed.aliases, span_of("x"), 0),
                     EVENT_OK);
    return event.identity;
}

/* ---- The bed ---- */

static void start(void)
{
    memset(&bed.planner, 0, sizeof(bed.planner));
    memset(bed.asked, 0, sizeof(bed.asked));
    memset(bed.claiming, 0, sizeof(bed.claiming));
    memset(bed.ours, 0, sizeof(bed.ours)); /* our own claim is taken over */
    bed.kept = 0;
    planner_init(&bed.planner, &bed.settings, &ops, NULL, 1);
    bed.planner.queue.refs.used = bed.refs_taken;
    bed.planner.queue.events.taken = bed.blocks_taken;
}

int bed_open(void **state)
{
    (void)state;
    log_to(-1);
    uint32_t checks = bed.checks;
    memset(&bed, 0, sizeof(bed));
    bed.checks = checks;
    bed.now = (struct now){.boot_ms = BED_BOOT, .wall_ms = BED_WALL};
    bed.settings = (struct planner_settings){
        .node_name = "hub",
        .watch_nodes = span_of("*"),
        .policy = {span_of("chelsty*"), span_of("disk_pressure*"), 0.7},
        .aliases = &bed.aliases,
        .cooldown_ms = 300000,
        .repropose_ms = 3600000,
        .deadline_ms = 3600000,
        .concurrency = 2,
    };
    bed.bus = true;
    start();
    return 0;
}

void bed_crash(void)
{
    for (unsigned i = 0; i < bed.event_count; i++)
        if (bed.events[i].state == BED_KEPT)
            bed.events[i].state = BED_UNREAD;
    start();
}

void bed_later(int64_t ms)
{
    bed.now.boot_ms += ms;
    bed.now.wall_ms += ms;
}

int64_t bed_turn(void)
{
    return planner_turn(&bed.planner, bed.now, false);
}

static struct action_facts *put(enum action_place place, unsigned service)
{
    struct action_facts *facts = new_action(place);

    snprintf(facts->id, sizeof(facts->id), "container-restart-solaria-s%u", service);
    snprintf(facts->service, sizeof(facts->service), "s%u", service);
    span_cut(facts->node, sizeof(facts->node), span_of("solaria"));
    span_cut(facts->type, sizeof(facts->type), span_of("container_restart"));
    span_cut(facts->event_severity, sizeof(facts->event_severity), span_of("critical"));
    facts->created_at = bed.now.wall_ms / 1000;
    facts->updated_at = facts->created_at;
    return facts;
}

void bed_put_own(enum action_place place, unsigned n)
{
    const struct bed_event *e = &bed.events[n];
    struct action_facts *facts = put(place, e->service);

    facts->ours = true;
    snprintf(facts->correlation_id, sizeof(facts->correlation_id), "ref-%u", n);
    span_cut(facts->event_type, sizeof(facts->event_type), span_of(e->type));
    timestamp_format(facts->event_timestamp, e->at_ms);
}

void bed_put_foreign(enum action_place place, unsigned service)
{
    put(place, service);
}

/* ---- Invariants ---- */

/* Marks the handle; it was in no chain before. */
static void check_ref(uint64_t ref, uint32_t *marks)
{
    unsigned n = (uint32_t)ref;

    assert_true(n < bed.event_count);
    assert_true(ref == ref_of(n));
    assert_int_equal(bed.events[n].state, BED_KEPT);
    assert_int_not_equal(marks[n], bed.checks);
    marks[n] = bed.checks;
}

static unsigned check_work(const struct work *work, uint32_t *marks)
{
    const struct planner *p = &bed.planner;
    const struct handles *refs = &p->queue.refs;
    unsigned count = 0, leader = 0;
    struct event room;
    const struct event *event = queue_event(&p->queue, work, &room);
    bool durable = sscanf(event->correlation_id, "ref-%u", &leader) == 1;
    bool found = false;

    assert_int_not_equal(work->state, WORK_FREE);
    for (uint16_t at = work->refs.first; at != 0; at = refs->entries[at - 1].next) {
        const struct handles_entry *entry = &refs->entries[at - 1];
        check_ref(entry->ref, marks);
        assert_int_equal(entry->holds, (entry->ref & STREAM_REFS) != 0);
        assert_true(entry->holds || count == 0); /* the loose one is the first */
        found |= (uint32_t)entry->ref == leader;
        count++;
    }
    assert_true(!durable || found);
    assert_true(!work->claimed || work->state == WORK_ASKED || work->state == WORK_DECIDED);
    assert_int_equal(work->claimed, work->claimed && our_claim(event->key) != NULL);
    if (queue_is_busy(work))
        assert_ptr_equal(p->slots[work->slot].work, work);
    assert_in_range(work->joined.identity_count, 0, WORK_IDENTITIES_MAX);
    return count;
}

static unsigned blocks_in(const struct event_blocks *b, uint16_t first)
{
    unsigned count = 0;

    for (uint16_t at = first; at != 0; at = b->blocks[at - 1].next)
        count++;
    return count;
}

static unsigned free_refs(const struct handles *refs)
{
    unsigned count = 0;

    for (uint16_t at = refs->free; at != 0; at = refs->entries[at - 1].next)
        count++;
    return count;
}

void bed_check(void)
{
    static uint32_t marks[BED_EVENTS]; /* the number of the check that has seen it */
    const struct queue *q = &bed.planner.queue;
    unsigned chained = 0, claimed = 0, ours = 0, blocks = 0;

    bed.checks++;
    for (uint32_t i = 0; i < q->count; i++) {
        const struct work *work = queue_at(q, i);
        chained += check_work(work, marks);
        claimed += work->claimed;
        assert_int_equal(work->pack.count, blocks_in(&q->events, work->pack.first));
        blocks += work->pack.count;
        if (work->next != NULL) {
            assert_true(queue_is_busy(work) || queue_is_unsure(work));
            assert_false(queue_is_busy(work->next));
            assert_null(work->next->next);
            chained += check_work(work->next, marks);
            blocks += blocks_in(&q->events, work->next->pack.first);
        }
    }
    for (unsigned slot = 0; slot < ASKS_MAX; slot++) {
        const struct work *work = bed.planner.slots[slot].work;
        ours += bed.ours[slot][0] != '\0';
        assert_int_equal(bed.claiming[slot], work != NULL && work->state == WORK_CLAIMING);
        assert_int_equal(bed.asked[slot] != NULL, work != NULL && work->state == WORK_ASKED);
        assert_true(work == NULL || (queue_is_busy(work) && work->slot == slot));
    }
    assert_int_equal(chained, bed.kept);
    assert_int_equal(claimed, ours);
    assert_int_equal(bed.blocks_taken + blocks, q->events.taken);
    assert_int_equal(blocks + blocks_in(&q->events, q->events.free), q->events.used);
    assert_int_equal(bed.refs_taken + free_refs(&q->refs) + bed.kept, q->refs.used);
}
