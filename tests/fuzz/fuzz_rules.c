/* Whatever the facts are, the rules' answer is a proposal that asks a human. The input: six lengths
 * of two bytes (low byte first), then the facts. */
#include "llm/rules.c"

#include "planner/proposal.h"

#include <stdlib.h>
#include <string.h>

#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span take(struct span *rest, const uint8_t *length)
{
    size_t n = (size_t)(length[0] | length[1] << 8);
    struct span part = {rest->p, n < rest->n ? n : rest->n};

    *rest = (struct span){rest->p + part.n, rest->n - part.n};
    return part;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[PROPOSAL_BYTES_MAX], again[PROPOSAL_BYTES_MAX];
    char why[PROPOSAL_WHY_MAX];
    struct proposal proposal;
    struct buf out;

    if (size < 12)
        return 0;
    struct span rest = {(const char *)data + 12, size - 12};
    struct llm_facts facts = {
        .type = take(&rest, data),
        .severity = take(&rest, data + 2),
        .node = take(&rest, data + 4),
        .service = take(&rest, data + 6),
        .message = take(&rest, data + 8),
        .details = take(&rest, data + 10),
    };
    buf_init(&out, text, sizeof(text));
    rules_propose(&out, &facts);
    REQUIRE(buf_done(&out) == 0);
    size_t n = out.n;
    REQUIRE(proposal_parse(&proposal, buf_view(&out), why) == 0);
    REQUIRE(proposal.requires_human && proposal.confidence >= 0.4 && proposal.confidence <= 0.6);
    REQUIRE(proposal.action != PROPOSAL_IGNORE);
    REQUIRE(proposal.action == PROPOSAL_NOTIFY || !is_whole_node(&facts));
    for (const char *p = proposal.reason; *p != '\0'; p++)
        REQUIRE((unsigned char)*p >= ' ' && *p != 0x7f);
    buf_init(&out, again, sizeof(again));
    rules_propose(&out, &facts);
    REQUIRE(out.n == n && memcmp(text, again, n) == 0);
    return 0;
}
