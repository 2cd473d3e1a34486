/* What proposal_parse() takes is whole and within its limits, and keeps the rules once they were
 * applied, whatever it said. */
#include "planner/proposal.c"

#include "base/number.h"
#include "base/utf8.h"
#include "planner/policy.h"

#include <math.h>
#include <stdlib.h>

#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_proposal(const struct proposal *p)
{
    double confidence;

    REQUIRE(p->action <= PROPOSAL_NOTIFY);
    size_t n = strnlen(p->reason, sizeof(p->reason));
    REQUIRE(n >= 1 && n <= PROPOSAL_REASON_MAX && utf8_is_text((struct span){p->reason, n}));
    REQUIRE(p->confidence >= 0 && p->confidence <= 1);
    REQUIRE(number_real(span_of(p->confidence_text), 0, 1, &confidence) == 0);
    REQUIRE(fabs(confidence - p->confidence) < 1e-6);
}

static void check_policy(struct proposal p, const struct event *event)
{
    const struct policy_settings settings = {
        .human_only_nodes = span_of("chelsty*"),
        .notify_only_events = span_of("disk_pressure*"),
        .confidence_floor = 0.7,
    };

    policy_apply(&settings, event, &p);
    bool changes = p.action == PROPOSAL_RESTART || p.action == PROPOSAL_REDEPLOY;
    REQUIRE(p.requires_human || !policy_human_only(&settings, event));
    REQUIRE(p.requires_human || p.confidence >= 0.7);
    REQUIRE(!changes || strcmp(event->service, "all") != 0);
    REQUIRE(p.action != PROPOSAL_IGNORE || event->severity != SEVERITY_CRITICAL);
    REQUIRE(policy_apply(&settings, event, &p) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct event events[] = {
        {.type = "x", .node = "n", .node_as_came = "n", .service = "web"},
        {.type = "x", .node = "chelsty-1", .node_as_came = "n", .service = "web"},
        {.type = "disk_pressure", .node = "n", .node_as_came = "n", .service = "all"},
        {.type = "x",
         .node = "n",
         .node_as_came = "n",
         .service = "all",
         .severity = SEVERITY_CRITICAL},
    };
    struct span text = {(const char *)data, size};
    struct proposal p, cut;
    char why[PROPOSAL_WHY_MAX];

    memset(why, '#', sizeof(why));
    if (proposal_parse(&p, text, why) != 0) {
        size_t n = strnlen(why, sizeof(why));
        REQUIRE(n > 0 && n < sizeof(why) && utf8_is_text((struct span){why, n}));
        return 0;
    }
    REQUIRE(size <= PROPOSAL_BYTES_MAX);
    check_proposal(&p);
    for (size_t i = 0; i < COUNT(events); i++)
        check_policy(p, &events[i]);
    /* Nothing is missing that could be cut off, but white space. */
    if (data[size - 1] == '}')
        REQUIRE(proposal_parse(&cut, (struct span){text.p, size - 1}, why) != 0);
    return 0;
}
