#include "planner/handles.h"

_Static_assert(HELD_REFS_MAX < UINT16_MAX, "numbers of entries, and 0");

static struct handles_entry *entry_at(struct handles *r, uint16_t number)
{
    return &r->entries[number - 1];
}

int handles_start(struct handles *r, struct handles_chain *chain, uint64_t ref, bool holds)
{
    uint16_t number = r->free;

    if (number != 0)
        r->free = entry_at(r, number)->next;
    else if (r->used < HELD_REFS_MAX)
        number = ++r->used;
    else
        return -1;
    *entry_at(r, number) = (struct handles_entry){.ref = ref, .holds = holds};
    chain->first = number;
    return 0;
}

bool handles_empty(const struct handles_chain *chain)
{
    return chain->first == 0;
}

uint64_t handles_take(struct handles *r, struct handles_chain *chain)
{
    uint16_t number = chain->first;

    if (number == 0)
        return NO_REF;
    struct handles_entry *entry = entry_at(r, number);
    chain->first = entry->next;
    entry->next = r->free;
    r->free = number;
    return entry->ref;
}

static bool has_loose(struct handles *r, const struct handles_chain *chain)
{
    return chain->first != 0 && !entry_at(r, chain->first)->holds;
}

uint64_t handles_take_loose(struct handles *r, struct handles_chain *chain)
{
    return has_loose(r, chain) ? handles_take(r, chain) : NO_REF;
}

/* Puts all of *from behind the first of *chain where that is loose, else before it. */
static void splice(struct handles *r, struct handles_chain *chain, struct handles_chain *from)
{
    uint16_t *place = has_loose(r, chain) ? &entry_at(r, chain->first)->next : &chain->first;
    struct handles_entry *last = entry_at(r, from->first);

    while (last->next != 0)
        last = entry_at(r, last->next);
    last->next = *place;
    *place = from->first;
    from->first = 0;
}

void handles_move(struct handles *r, struct handles_chain *chain, struct handles_chain *from,
                  bool leads)
{
    struct handles_chain moved = *from;

    if (handles_empty(from))
        return;
    if (leads || handles_empty(chain) || !has_loose(r, from)) {
        from->first = 0;
    } else {
        struct handles_entry *loose = entry_at(r, from->first);
        moved.first = loose->next;
        loose->next = 0;
    }
    if (!handles_empty(&moved))
        splice(r, chain, &moved);
}
