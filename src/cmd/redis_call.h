#ifndef CMD_REDIS_CALL_H
#define CMD_REDIS_CALL_H
/* A short visit to the server of REDIS_URL, for commands that are no planner. One a process. */

#include "net/redis.h"

struct config;

#define REDIS_CALL_URL_MAX (URL_HOST_MAX + URL_PATH_MAX + 32) /* bytes of a URL as it is shown */

struct redis_called {
    int64_t took_ms;
    int64_t integer;              /* that the server answered; 0 where it was none */
    char url[REDIS_CALL_URL_MAX]; /* without user and password */
    char why[REDIS_WHY_MAX + 1];  /* "" = all went well */
};

/* Connects, logs in, sends one command (count 0: none) and waits for its answer: REDIS_CONNECT_MS
 * and REDIS_ANSWER_MS at most. REDIS_URL is set. 0, or -1 and out->why. */
int redis_call(struct redis_called *out, const struct config *config, const struct span *args,
               size_t count);

#endif
