#ifndef CMD_PRINT_H
#define CMD_PRINT_H
/* What commands print: buffered to stdout, errors at once to stderr. A stdout that does not take it
 * is noticed at the end. */

#include "base/buf.h"

void print_str(const char *text);
void print_span(struct span s);
/* Text from outside: escaped. */
void print_safe(struct span s);
void print_int(int64_t n);
void print_repeat(char c, size_t n);

/* A duration as people say it: "5 s", "12 min", "3 h", "2 d". */
void print_age(int64_t seconds);
void print_age_to(struct buf *out, int64_t seconds);

/* Flushes. code, or EXIT_FAILURE (told on stderr) where stdout failed. */
int print_end(int code);

/* Columns of the terminal, or what COLUMNS says; 0 = no limit. */
size_t print_width(void);

/* One line on stderr, "planner-agent command: what: detail", escaped; command and detail may be
 * NULL. */
void print_error(const char *command, const char *what, const char *detail);

#endif
