#ifndef PLANNER_EVENT_PACK_H
#define PLANNER_EVENT_PACK_H
/* Events in hand, in as much memory as they have text: a pack is a chain of small blocks of one
 * pool, so that what is given back is of use to any other, whatever their sizes. Severity and at_ms
 * are not in it: who keeps the pack needs them at hand. The key is made again from the names. */

#include "planner/event.h"

struct event_block {
    uint16_t next; /* the next one's number + 1; 0 = the last */
    char bytes[EVENT_BLOCK_BYTES];
};

/* All zero = empty. */
struct event_blocks {
    uint16_t used;  /* blocks that were ever in use: the memory of the others is not touched */
    uint16_t free;  /* a chain */
    uint16_t taken; /* by packs */
    struct event_block blocks[EVENT_BLOCKS_MAX];
};

struct event_pack {
    uint16_t first; /* its number + 1; 0 = nothing is packed */
    uint16_t count; /* of its blocks */
};

/* The numbers that go before the texts, and the longest texts. */
#define EVENT_PACK_HEAD 40
#define EVENT_PACK_MAX                                                                             \
    (EVENT_PACK_HEAD + 5 * NAME_MAX_BYTES + CORRELATION_MAX + EVENT_TIMESTAMP_MAX +                \
     EVENT_MESSAGE_MAX + EVENT_DETAILS_MAX)
/* No event takes more blocks. */
#define EVENT_PACK_BLOCKS ((EVENT_PACK_MAX + EVENT_BLOCK_BYTES - 1) / EVENT_BLOCK_BYTES)

/* How many blocks it takes. */
size_t event_pack_blocks(const struct event *event);
/* In the place of what the pack holds. 0, or -1 and that stays, where there is no room. */
int event_pack_put(struct event_blocks *b, struct event_pack *pack, const struct event *event);
/* All but severity and at_ms. */
void event_pack_get(const struct event_blocks *b, const struct event_pack *pack,
                    struct event *event);
/* It has no identity any more. */
void event_pack_forget_identity(struct event_blocks *b, const struct event_pack *pack);
/* Gives its blocks back; it is empty then. */
void event_pack_free(struct event_blocks *b, struct event_pack *pack);

#endif
