#include "planner/severity.h"

const char *severity_text(enum severity severity)
{
    static const char *const texts[] = {
        [SEVERITY_INFO] = "info",
        [SEVERITY_WARNING] = "warning",
        [SEVERITY_ERROR] = "error",
        [SEVERITY_CRITICAL] = "critical",
    };

    return texts[severity];
}

enum severity severity_of(struct span text)
{
    static const struct {
        const char *word;
        enum severity severity;
    } words[] = {
        {"info", SEVERITY_INFO},   {"warning", SEVERITY_WARNING},   {"warn", SEVERITY_WARNING},
        {"error", SEVERITY_ERROR}, {"critical", SEVERITY_CRITICAL}, {"fatal", SEVERITY_CRITICAL},
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (span_is_nocase(text, words[i].word))
            return words[i].severity;
    return SEVERITY_WARNING;
}
