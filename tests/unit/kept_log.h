#ifndef KEPT_LOG_H
#define KEPT_LOG_H
/* The log of a test, kept in memory. */

/* From now on, JSON from debug up; what was kept before is gone. */
void kept_log_open(void);
void kept_log_close(void);
/* How often this text stands in it. */
unsigned kept_log_has(const char *text);
/* Its lines. */
unsigned kept_log_lines(void);

#endif
