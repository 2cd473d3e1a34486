#include "daemon/version.h"

#include <stddef.h>

#ifndef PLANNER_VERSION
#define PLANNER_VERSION "unknown"
#endif
#ifndef MUSL_VERSION
#define MUSL_VERSION "unknown"
#endif
#ifndef BEARSSL_VERSION
#define BEARSSL_VERSION "unknown"
#endif
#ifndef HIREDIS_VERSION
#define HIREDIS_VERSION "unknown"
#endif
#ifndef JSMN_VERSION
#define JSMN_VERSION "unknown"
#endif

static const struct version_part parts[] = {
    {"musl", MUSL_VERSION},
    {"BearSSL", BEARSSL_VERSION},
    {"hiredis", HIREDIS_VERSION},
    {"jsmn", JSMN_VERSION},
};

const char *version_text(void)
{
    return PLANNER_VERSION;
}

const struct version_part *version_part(unsigned i)
{
    return i < sizeof(parts) / sizeof(parts[0]) ? &parts[i] : NULL;
}
