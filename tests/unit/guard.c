#include "guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    abort();
}

void guard_open(struct guard *g, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    g->room = (n + page - 1) / page * page;
    g->map_size = g->room + page;
    g->map = mmap(NULL, g->map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g->map == MAP_FAILED)
        die("mmap");
    g->page = (char *)g->map + g->room;
    if (mprotect(g->page, page, PROT_NONE) != 0)
        die("mprotect");
}

char *guard_put(struct guard *g, const void *data, size_t n)
{
    if (n > g->room)
        die("guard_put");
    memset(g->map, '#', g->room);
    if (n > 0)
        memcpy(g->page - n, data, n);
    return g->page - n;
}

void guard_close(struct guard *g)
{
    if (munmap(g->map, g->map_size) != 0)
        die("munmap");
}
