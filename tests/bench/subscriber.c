/* subscriber SOCKET CHANNEL...: what a planner is measured against: hiredis' asynchronous context
 * in a loop of poll(2), on a Redis server's socket; each message is counted and nothing else. Says
 * "subscribed" when it is, and how many came each time a line is written to it; ends with its
 * input. */

#include <async.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct connection {
    redisAsyncContext *context;
    short events;
    int wanted; /* channels that are not subscribed to yet */
    unsigned long messages;
};

static void say(const char *format, unsigned long number)
{
    printf(format, number);
    fflush(stdout);
}

static void add_read(void *arg)
{
    ((struct connection *)arg)->events |= POLLIN;
}

static void del_read(void *arg)
{
    ((struct connection *)arg)->events &= ~POLLIN;
}

static void add_write(void *arg)
{
    ((struct connection *)arg)->events |= POLLOUT;
}

static void del_write(void *arg)
{
    ((struct connection *)arg)->events &= ~POLLOUT;
}

static void arrived(redisAsyncContext *context, void *reply, void *arg)
{
    struct connection *c = arg;
    const redisReply *r = reply;

    (void)context;
    if (r == NULL || r->type != REDIS_REPLY_ARRAY || r->elements != 3) {
        fprintf(stderr, "subscriber: the connection is lost\n");
        exit(1);
    }
    if (r->element[0]->str[0] == 'm')
        c->messages++;
    else if (--c->wanted == 0)
        say("subscribed\n", 0);
}

static int subscribe(struct connection *c, char **channels, int count)
{
    c->wanted = count;
    c->context->ev.data = c;
    c->context->ev.addRead = add_read;
    c->context->ev.delRead = del_read;
    c->context->ev.addWrite = add_write;
    c->context->ev.delWrite = del_write;
    for (int i = 0; i < count; i++)
        if (redisAsyncCommand(c->context, arrived, c, "SUBSCRIBE %s", channels[i]) != REDIS_OK)
            return -1;
    return 0;
}

/* False at the input's end. */
static int answer(const struct connection *c)
{
    char line[64];

    if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
        return 0;
    say("%lu\n", c->messages);
    return 1;
}

int main(int argc, char **argv)
{
    struct connection c = {.events = POLLIN};

    if (argc < 3)
        return 64;
    c.context = redisAsyncConnectUnix(argv[1]);
    if (c.context == NULL || c.context->err != 0 || subscribe(&c, argv + 2, argc - 2) != 0)
        return 1;
    for (;;) {
        struct pollfd fds[2] = {{.fd = c.context->c.fd, .events = c.events},
                                {.fd = STDIN_FILENO, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0)
            return 1;
        if (fds[0].revents & POLLOUT)
            redisAsyncHandleWrite(c.context);
        if (fds[0].revents & ~POLLOUT)
            redisAsyncHandleRead(c.context);
        if (fds[1].revents != 0 && !answer(&c))
            return 0;
    }
}
