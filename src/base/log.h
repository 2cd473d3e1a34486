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

/* A field of a line; make them with the macros below, which put its kind before its key's name. */
struct log_field {
    const char *key;
    union {
        struct span span;
        const char *text;
        int64_t number;
    };
};

#define LOG_FIELD(kind, k, member, value) ((struct log_field){.key = kind k, .member = (value)})
#define LOG_SPAN(k, s) LOG_FIELD("s", k, span, s)
#define LOG_STR(k, s) LOG_FIELD("t", k, text, s)
#define LOG_INT(k, n) LOG_FIELD("n", k, number, n)
#define LOG_BOOL(k, b) LOG_FIELD("b", k, number, b)
/* The system's text for an errno value. */
#define LOG_ERRNO(e) LOG_STR("error", log_errno(e))

/* Is this descriptor the journal's, as JOURNAL_STREAM says (systemd.exec(5))? */
bool log_is_journal(int fd);

/* Are lines of this level written at all? */
bool log_shows(enum log_level level);
void log_fields(enum log_level level, const char *event, const struct log_field *fields,
                size_t count);
const char *log_errno(int error);

/* At least one field; without any: log_fields(level, event, NULL, 0). The fields of a LOG_DEBUG
 * line are evaluated only where it is shown; level may be evaluated more than once. */
#define LOG(level, event, ...)                                                                     \
    do {                                                                                           \
        if ((level) != LOG_DEBUG || log_shows(level))                                              \
            log_fields(level, event, (const struct log_field[]){__VA_ARGS__},                      \
                       sizeof((const struct log_field[]){__VA_ARGS__}) /                           \
                           sizeof(struct log_field));                                              \
    } while (0)

#endif
