#include "cmd/command.h"
#include "cmd/commands.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "cmd/print.h"
#include "store/heartbeat.h"

#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>

#define MAX_AGE_S 300 /* the platform's own limit */

int healthcheck_command(const struct command *self, int argc, char **argv)
{
    const char *max_age = NULL;
    const struct option options[] = {
        COMMAND_TREE_OPTIONS,
        {"--max-age", NULL, &max_age},
        COMMAND_OPTIONS_END,
    };
    const struct config *config;
    struct tree tree;
    int64_t limit_s = MAX_AGE_S;

    int code = command_options(self, options, &argc, argv);
    if (code != 0)
        return code;
    if (max_age != NULL && number_int(span_of(max_age), 0, 30 * 24 * 3600, &limit_s) != 0)
        return command_usage(self, "--max-age takes seconds, up to 2592000", NULL);
    if ((code = command_open(self, &config, &tree)) != 0)
        return code;
    int64_t last_ms = heartbeat_last(&tree);
    if (last_ms < 0)
        return command_fail(self, EXIT_FAILURE, "no heartbeat", log_errno(errno));
    int64_t age_s = (clock_now().wall_ms - last_ms) / 1000;
    /* A heartbeat from the future: the clock was set back, and nobody has touched it since. */
    if (age_s >= limit_s || age_s <= -limit_s)
        return command_fail(self, EXIT_FAILURE, "the heartbeat is too old", NULL);
    print_str("healthy, last heartbeat ");
    print_age(age_s);
    print_str(" ago\n");
    return print_end(EX_OK);
}
