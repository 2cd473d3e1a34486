#include "cmd/command.h"
#include "cmd/commands.h"

#include "cmd/print.h"
#include "cmd/text.h"
#include "daemon/version.h"

#include <sysexits.h>

int version_command(const struct command *self, int argc, char **argv)
{
    bool licenses = false;
    const struct option options[] = {
        {"--licenses", &licenses, NULL},
        COMMAND_OPTIONS_END,
    };
    const struct version_part *part;

    int code = command_options(self, options, &argc, argv);
    if (code != 0)
        return code;
    if (licenses) {
        text_print("licenses");
        return print_end(EX_OK);
    }
    print_str("planner-agent ");
    print_str(version_text());
    print_str("\n");
    for (unsigned i = 0; (part = version_part(i)) != NULL; i++) {
        print_str("  ");
        print_str(part->name);
        print_str(" ");
        print_str(part->version);
        print_str("\n");
    }
    return print_end(EX_OK);
}
