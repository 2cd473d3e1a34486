/* In place of hiredis' net.c: it gets connections that are open, reads and writes them by the table
 * of functions it is given, and has no time limits. So none of these is called, but the first two,
 * with no time to set. */
#include "net.h"

int redisContextUpdateConnectTimeout(redisContext *c, const struct timeval *timeout)
{
    return timeout == NULL ? REDIS_OK : REDIS_ERR;
}

int redisContextUpdateCommandTimeout(redisContext *c, const struct timeval *timeout)
{
    return timeout == NULL ? REDIS_OK : REDIS_ERR;
}

void redisNetClose(redisContext *c)
{
}

ssize_t redisNetRead(redisContext *c, char *buf, size_t bufcap)
{
    return REDIS_ERR;
}

ssize_t redisNetWrite(redisContext *c)
{
    return REDIS_ERR;
}

int redisContextConnectBindTcp(redisContext *c, const char *addr, int port,
                               const struct timeval *timeout, const char *source_addr)
{
    return REDIS_ERR;
}

int redisContextConnectUnix(redisContext *c, const char *path, const struct timeval *timeout)
{
    return REDIS_ERR;
}

int redisCheckConnectDone(redisContext *c, int *completed)
{
    return REDIS_ERR;
}

int redisCheckSocketError(redisContext *c)
{
    return REDIS_ERR;
}

int redisContextSetTimeout(redisContext *c, const struct timeval tv)
{
    return REDIS_ERR;
}

int redisSetTcpNoDelay(redisContext *c)
{
    return REDIS_ERR;
}

int redisKeepAlive(redisContext *c, int interval)
{
    return REDIS_ERR;
}

int redisContextSetTcpUserTimeout(redisContext *c, unsigned int timeout)
{
    return REDIS_ERR;
}
