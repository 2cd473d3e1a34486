#ifndef GUARD_H
#define GUARD_H
/* Bytes that end where an unreadable page begins: who reads past them dies. */

#include <stddef.h>

struct guard {
    char *page; /* the unreadable one */
    size_t room;
    void *map;
    size_t map_size;
};

/* Room for n bytes. Fails the program where there is no memory. */
void guard_open(struct guard *g, size_t n);
/* Copies data to the end of the room, in place of what was there. */
char *guard_put(struct guard *g, const void *data, size_t n);
void guard_close(struct guard *g);

#endif
