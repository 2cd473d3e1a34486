#ifndef BASE_LOG_H
#define BASE_LOG_H
/* One line an occurrence on stdout: a JSON object (`timestamp`, `level`, `event`, then fields), or
 * text on a terminal, never with colours; to the journal behind its priority (sd-daemon(3)), "<6>".
 * Fields longer than LOG_FIELD_MAX are cut. A line for which a
 * full pipe has no room within LOG_WAIT_MS is dropped and counted, and so are the next ones,
 * without a wait, until there is room again; the next line that goes out says how many. */

#include "base/span.h"

#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
enum log_format { LOG_AUTO, LOG_JSON, LOG_TEXT };

void log_init(enum log_level least, enum log_format format);
/* Where lines go instead of stdout: a descriptor, or -1 for nowhere (tests, commands that print).
 */
void log_to(int fd);

/* A field of a line; make them with the macros below. */
struct log_field {
    const char *key;
    enum { LOG_FIELD_SPAN, LOG_FIELD_INT, LOG_FIELD_BOOL } kind;
    struct span span;
    int64_t number;
};

#define LOG_SPAN(k, s) ((struct log_field){.key = (k), .kind = LOG_FIELD_SPAN, .span = (s)})
#define LOG_STR(k, s) LOG_SPAN(k, span_of(s))
#define LOG_INT(k, n) ((struct log_field){.key = (k), .kind = LOG_FIELD_INT, .number = (n)})
#define LOG_BOOL(k, b) ((struct log_field){.key = (k), .kind = LOG_FIELD_BOOL, .number = (b)})
/* The system's text for an errno value. */
#define LOG_ERRNO(e) LOG_STR("error", log_errno(e))

/* Is this descriptor the journal's, as JOURNAL_STREAM says (systemd.exec(5))? */
bool log_is_journal(int fd);

/* Are lines of this level written at all? */
bool log_shows(enum log_level level);
void log_fields(enum log_level level, const char *event, const struct log_field *fields,
                size_t count);
const char *log_errno(int error);

/* At least one field; without any: log_fields(level, event, NULL, 0). The fields are evaluated only
 * where the line is shown. */
#define LOG(level, event, ...)                                                                     \
    do {                                                                                           \
        if (log_shows(level))                                                                      \
            log_fields(level, event, (const struct log_field[]){__VA_ARGS__},                      \
                       sizeof((const struct log_field[]){__VA_ARGS__}) /                           \
                           sizeof(struct log_field));                                              \
    } while (0)

#endif
