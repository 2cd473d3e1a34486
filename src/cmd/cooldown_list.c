#include "cmd/cooldown_list.h"

#include "base/file.h"
#include "store/tree.h"

#include <errno.h>
#include <string.h>

/* COOLDOWNS_MAX lines of a key whose every byte may be escaped to six, and three numbers. */
#define FILE_MAX (COOLDOWNS_MAX * 2048)

int cooldown_list_read(const struct tree *tree, int64_t length_ms, struct now now,
                       struct cooldowns *out)
{
    static char data[FILE_MAX];
    size_t n = 0;

    cooldown_init(out);
    int dir = tree_open(tree, TREE_STATE);
    if (dir < 0)
        return -1;
    enum file_result result = file_read(dir, "cooldowns", data, sizeof(data), &n, NULL);
    tree_close(dir);
    if (result != FILE_OK) {
        if (result == FILE_IRREGULAR || result == FILE_TOO_LARGE)
            errno = EINVAL;
        return -1;
    }
    struct span rest = {data, n};
    while (rest.n > 0)
        /* The first and the last line are no entries, and refused as such. */
        (void)cooldown_load(out, span_split(&rest, '\n'), length_ms, now);
    return 0;
}
