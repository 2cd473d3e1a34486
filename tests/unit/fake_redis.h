#ifndef FAKE_REDIS_H
#define FAKE_REDIS_H
/* Stands in for net/redis.c: connections that the test makes, loses and answers for.
 *
 * A command is shown as its arguments with a blank between them; an argument that is empty or has a
 * blank in it stands in '...'. In what a test expects, '*' is any number of any bytes.
 *
 * An answer is written as
 *   +OK  a status        :5  an integer       _  a null      [a b [c :1]]  an array
 *   -ERR and so on, up to the end: an error   anything else: a string, 'so' or "so" where it has
 *   blanks, brackets or any of these signs at its start */

#include "net/redis.h"

struct redisReply;

/* Forgets all connections and commands. A cmocka set-up or tear-down, too. */
int fake_redis_reset(void **state);

/* The connection becomes READY; ops->ready. */
void fake_redis_ready(struct redis *r);
/* It is WAITING; all answers with NULL, the oldest first, then ops->lost. */
void fake_redis_lose(struct redis *r);
/* From now on redis_command() finds room for so many commands more. UINT_MAX: any. */
void fake_redis_room(struct redis *r, unsigned commands);
/* Has it room for what is sent again, or only for claims? */
void fake_redis_full(struct redis *r, bool full);

/* Commands without an answer. */
unsigned fake_redis_waiting(struct redis *r);
/* The oldest of them, "" where there is none, and its limit. */
const char *fake_redis_command(struct redis *r);
int64_t fake_redis_limit(struct redis *r);
/* Its arguments; each ends with a NUL as well. */
const struct span *fake_redis_args(struct redis *r, size_t *count);
/* It is this. */
void fake_redis_expect(struct redis *r, const char *command);
/* There is none. */
void fake_redis_quiet(struct redis *r);

/* Answers the oldest. */
void fake_redis_answer(struct redis *r, const char *answer);
/* The same from n bytes of RESP2. */
void fake_redis_answer_resp(struct redis *r, const char *resp, size_t n);
/* Expects it, and answers it. */
void fake_redis_expect_answer(struct redis *r, const char *command, const char *answer);

/* A message of a channel; payload NULL: none that could be read. */
void fake_redis_message(struct redis *r, const char *channel, const char *payload);

/* How often redis_open() and redis_close() were called. */
unsigned fake_redis_opens(struct redis *r);
unsigned fake_redis_closes(struct redis *r);

#endif
