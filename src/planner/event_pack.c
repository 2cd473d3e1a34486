#include "planner/event_pack.h"

#include <stddef.h>
#include <string.h>

_Static_assert(EVENT_BLOCKS_MAX < UINT16_MAX, "numbers of blocks, and 0");
_Static_assert(sizeof(struct event_block) == sizeof(uint16_t) + EVENT_BLOCK_BYTES, "no gaps");

/* The texts of an event. */
static const uint16_t texts[] = {
    offsetof(struct event, type),      offsetof(struct event, node_as_came),
    offsetof(struct event, node),      offsetof(struct event, service),
    offsetof(struct event, source),    offsetof(struct event, correlation_id),
    offsetof(struct event, timestamp), offsetof(struct event, message),
    offsetof(struct event, details),
};
#define TEXTS (sizeof(texts) / sizeof(texts[0]))

/* What goes before them. */
struct head {
    uint64_t identity; /* the first */
    int64_t arrived_ms;
    uint16_t n[TEXTS];
    bool dated;
};
_Static_assert(sizeof(struct head) == EVENT_PACK_HEAD, "no more and no less");
_Static_assert(sizeof(uint64_t) <= EVENT_BLOCK_BYTES, "the identity is in the first block");

/* ---- Bytes in blocks ---- */

static struct event_block *block_at(struct event_blocks *b, uint16_t number)
{
    return &b->blocks[number - 1];
}

/* Where the next byte is. */
struct place {
    const struct event_blocks *blocks;
    uint16_t number; /* of the block + 1 */
    size_t at;
};

/* The next byte; *part: of n bytes as many as there are in its block. */
static const char *next_part(struct place *place, size_t n, size_t *part)
{
    if (place->at == EVENT_BLOCK_BYTES) {
        place->number = place->blocks->blocks[place->number - 1].next;
        place->at = 0;
    }
    const char *bytes = place->blocks->blocks[place->number - 1].bytes + place->at;
    *part = n < EVENT_BLOCK_BYTES - place->at ? n : EVENT_BLOCK_BYTES - place->at;
    place->at += *part;
    return bytes;
}

static void put(struct place *place, const void *bytes, size_t n)
{
    const char *from = bytes;

    for (size_t part; n > 0; n -= part, from += part) {
        char *to = (char *)(uintptr_t)next_part(place, n, &part); /* put() is given its own */
        memcpy(to, from, part);
    }
}

static void get(struct place *place, void *bytes, size_t n)
{
    char *to = bytes;

    for (size_t part; n > 0; n -= part, to += part) {
        const char *from = next_part(place, n, &part);
        memcpy(to, from, part);
    }
}

/* ---- Events ---- */

size_t event_pack_blocks(const struct event *event)
{
    size_t n = sizeof(struct head) + EVENT_BLOCK_BYTES - 1;

    for (size_t i = 0; i < TEXTS; i++)
        n += strlen((const char *)event + texts[i]);
    return n / EVENT_BLOCK_BYTES;
}

/* A chain of so many blocks, which there are. */
static uint16_t take(struct event_blocks *b, size_t count)
{
    uint16_t first = 0;

    b->taken = (uint16_t)(b->taken + count);
    for (; count > 0; count--) {
        uint16_t number = b->free;
        if (number != 0)
            b->free = block_at(b, number)->next;
        else
            number = ++b->used;
        block_at(b, number)->next = first;
        first = number;
    }
    return first;
}

int event_pack_put(struct event_blocks *b, struct event_pack *pack, const struct event *event)
{
    struct head head = {
        .identity = event->identity, .arrived_ms = event->arrived_ms, .dated = event->dated};
    size_t count = event_pack_blocks(event);

    if (count > (size_t)EVENT_BLOCKS_MAX - b->taken + pack->count)
        return -1;
    for (size_t i = 0; i < TEXTS; i++)
        head.n[i] = (uint16_t)strlen((const char *)event + texts[i]);
    event_pack_free(b, pack);
    *pack = (struct event_pack){.first = take(b, count), .count = (uint16_t)count};
    struct place place = {.blocks = b, .number = pack->first};
    put(&place, &head, sizeof(head));
    for (size_t i = 0; i < TEXTS; i++)
        put(&place, (const char *)event + texts[i], head.n[i]);
    return 0;
}

void event_pack_get(const struct event_blocks *b, const struct event_pack *pack,
                    struct event *event)
{
    struct place place = {.blocks = b, .number = pack->first};
    struct head head;

    get(&place, &head, sizeof(head));
    event->identity = head.identity;
    event->arrived_ms = head.arrived_ms;
    event->dated = head.dated;
    for (size_t i = 0; i < TEXTS; i++) {
        char *text = (char *)event + texts[i];
        get(&place, text, head.n[i]);
        text[head.n[i]] = '\0';
    }
    event_make_key(event->key, event->node, event->service);
}

void event_pack_forget_identity(struct event_blocks *b, const struct event_pack *pack)
{
    memset(block_at(b, pack->first)->bytes, 0, sizeof(uint64_t));
}

void event_pack_free(struct event_blocks *b, struct event_pack *pack)
{
    uint16_t last = pack->first;

    if (last == 0)
        return;
    while (block_at(b, last)->next != 0)
        last = block_at(b, last)->next;
    block_at(b, last)->next = b->free;
    b->free = pack->first;
    b->taken = (uint16_t)(b->taken - pack->count);
    *pack = (struct event_pack){0};
}
