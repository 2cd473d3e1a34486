#include "daemon/privileges.h"

#include "base/buf.h"
#include "base/dir.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/number.h"
#include "store/heartbeat.h"
#include "store/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static int say(char *why, size_t size, const char *what, const char *user, const char *error,
               int code)
{
    struct buf b;

    buf_init(&b, why, size);
    buf_str(&b, what);
    escape_text(&b, span_of(user));
    if (error != NULL) {
        buf_str(&b, ": ");
        buf_str(&b, error);
    }
    if (buf_text(&b) == NULL)
        (void)span_copy(why, size, span_of("--user cannot be used"));
    return code;
}

/* Root's own regular file becomes the user's; another's stays, and so does what a link leads to. */
static int give(int dir, const char *name, const struct passwd *user)
{
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? 0 : -1;
    if (st.st_uid != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1)
        return 0;
    return fchownat(dir, name, user->pw_uid, user->pw_gid, AT_SYMLINK_NOFOLLOW);
}

static int give_state(const struct tree *tree, const struct passwd *user)
{
    struct dir d;
    struct dir_entry entry;
    struct stat st;
    int result = 0;
    int more = 0;
    int fd = tree_open(tree, TREE_STATE);

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) != 0 || dir_open(&d, fd, ".") != 0) {
        tree_close(fd);
        return -1;
    }
    if (st.st_uid == 0)
        result = fchown(fd, user->pw_uid, user->pw_gid);
    while (result == 0 && (more = dir_next(&d, &entry)) == 1)
        result = give(fd, entry.name, user);
    dir_close(&d);
    tree_close(fd);
    return more < 0 ? -1 : result;
}

/* state/ itself may stay root's: the heartbeat only has to be touched. */
static int give_heartbeat(const struct tree *tree, const struct passwd *user)
{
    int dir = tree_open(tree, "state");

    if (dir < 0 || heartbeat_beat(tree) != 0) {
        tree_close(dir);
        return -1;
    }
    int result = give(dir, "planner-agent.heartbeat", user);
    tree_close(dir);
    return result;
}

/* Where the planner writes; NULL, or where the user may not. */
static const char *find_forbidden(const struct tree *tree)
{
    static const char *const written[] = {"actions/pending", TREE_EVENTS, TREE_STATE};

    for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
        int dir = tree_open(tree, written[i]);
        bool allowed = dir >= 0 && faccessat(dir, ".", W_OK | X_OK, 0) == 0;
        bool denied = !allowed && errno == EACCES;
        tree_close(dir);
        if (denied)
            return written[i];
    }
    return NULL;
}

int privileges_drop(const struct tree *tree, const char *user, char *why, size_t size)
{
    int64_t number;

    errno = 0;
    const struct passwd *entry = number_int(span_of(user), 0, INT32_MAX, &number) == 0
                                     ? getpwuid((uid_t)number)
                                     : getpwnam(user);

    if (entry == NULL)
        return say(why, size, "--user: no such user: ", user, NULL, EX_CONFIG);
    if (geteuid() == entry->pw_uid && getuid() == entry->pw_uid)
        return 0;
    if (geteuid() != 0)
        return say(why, size, "--user: only root can become ", user, NULL, EX_NOPERM);
    if (give_state(tree, entry) != 0 || give_heartbeat(tree, entry) != 0)
        return say(why, size, "state/planner-agent cannot be given to ", user, log_errno(errno),
                   EX_NOPERM);
    if (initgroups(entry->pw_name, entry->pw_gid) != 0 || setgid(entry->pw_gid) != 0 ||
        setuid(entry->pw_uid) != 0)
        return say(why, size, "--user: cannot become ", user, log_errno(errno), EX_NOPERM);
    if (entry->pw_uid != 0 && setuid(0) == 0)
        return say(why, size, "--user: root came back after becoming ", user, NULL, EX_NOPERM);
    const char *forbidden = find_forbidden(tree);
    if (forbidden != NULL)
        return say(why, size, "--user: not allowed to write where it must: ", user, forbidden,
                   EX_NOPERM);
    return 0;
}
