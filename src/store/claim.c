#include "store/claim.h"

#include "store/actions.h"
#include "store/tree.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NO_REPLACE 1U /* RENAME_NOREPLACE of renameat2(2), which musl 1.2.5 does not have */

struct names {
    char action[FILE_NAME_MAX + 1];
    char claim[FILE_NAME_MAX + 1];
};

static int name_both(struct names *names, const char *id)
{
    if (actions_name(names->action, sizeof(names->action), ACTION_PENDING, id) == 0 &&
        actions_name(names->claim, sizeof(names->claim), ACTION_CLAIMED, id) == 0)
        return 0;
    errno = ENAMETOOLONG;
    return -1;
}

int claim_take(int pending, const char *id)
{
    struct names names;
    struct stat st;

    if (name_both(&names, id) != 0)
        return -1;
    /* Only the holder of the lock makes claims, so this cannot change before the rename. */
    if (fstatat(pending, names.claim, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    if (errno != ENOENT)
        return -1;
    if (renameat(pending, names.action, pending, names.claim) != 0)
        return -1;
    if (tree_sync(pending) == 0)
        return 0;
    int error = errno;
    (void)claim_put_back(pending, id); /* else it is a left-over like any other */
    errno = error;
    return -1;
}

static int move_back(int pending, const struct names *names)
{
    if (syscall(SYS_renameat2, pending, names->claim, pending, names->action, NO_REPLACE) == 0)
        return 0;
    if (errno != ENOSYS && errno != EINVAL)
        return -1;
    /* A file system without it. Killed in between, the claim and the action are one inode. */
    if (linkat(pending, names->claim, pending, names->action, 0) != 0)
        return -1;
    return unlinkat(pending, names->claim, 0);
}

static bool same_inode(int pending, const struct names *names)
{
    struct stat a, b;

    return fstatat(pending, names->claim, &a, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstatat(pending, names->action, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

enum claim_result claim_put_back(int pending, const char *id)
{
    enum claim_result result = CLAIM_PUT_BACK;
    struct names names;

    if (name_both(&names, id) != 0)
        return CLAIM_FAULT;
    if (move_back(pending, &names) != 0) {
        if (errno == ENOENT)
            return CLAIM_GONE;
        if (errno != EEXIST)
            return CLAIM_FAULT;
        if (!same_inode(pending, &names)) {
            /* One id, one button: the newer file says how things are now, and putting the claim
             * back later would bring an action back that was decided meanwhile. */
            LOG(LOG_WARNING, "claim_superseded", LOG_STR("action_id", id));
            result = CLAIM_SUPERSEDED;
        }
        if (unlinkat(pending, names.claim, 0) != 0)
            return CLAIM_FAULT;
    }
    return tree_sync(pending) == 0 ? result : CLAIM_FAULT;
}

int claim_remove(int pending, const char *id)
{
    struct names names;

    if (name_both(&names, id) != 0 || unlinkat(pending, names.claim, 0) != 0)
        return -1;
    return tree_sync(pending);
}

static bool same_action(const struct action_facts *a, const struct action_facts *b)
{
    if (a->created_at == 0 && a->correlation_id[0] == '\0')
        return false; /* nothing proves it */
    return a->created_at == b->created_at && strcmp(a->correlation_id, b->correlation_id) == 0;
}

/* Makes what stands in a place durable. */
static int settle(const struct tree *tree, enum action_place place)
{
    int dir = tree_open(tree, actions_dir(place));

    if (dir < 0)
        return -1;
    int result = tree_sync(dir);
    tree_close(dir);
    return result;
}

enum claim_result claim_resolve(const struct tree *tree, int pending, const char *id)
{
    struct action_facts claimed, other;

    switch (actions_look(tree, ACTION_CLAIMED, id, &claimed)) {
    case ACTION_ABSENT:
        return CLAIM_GONE;
    case ACTION_FAULT:
        return CLAIM_FAULT;
    case ACTION_FOREIGN:
        return claim_put_back(pending, id);
    case ACTION_FOUND:
        break;
    }
    for (enum action_place place = ACTION_APPROVED; place < ACTION_PLACES; place++) {
        enum action_look look = actions_look(tree, place, id, &other);
        if (look == ACTION_FAULT)
            return CLAIM_FAULT;
        if (look != ACTION_FOUND || !same_action(&claimed, &other))
            continue;
        /* Whoever wrote it may have been killed before it was durable. */
        if (settle(tree, place) != 0 || claim_remove(pending, id) != 0)
            return CLAIM_FAULT;
        return CLAIM_PASSED_ON;
    }
    return claim_put_back(pending, id);
}

struct resolving {
    const struct tree *tree;
    int pending;
    int resolved;
    int error; /* of the first that could not be resolved */
};

static int resolve_one(void *arg, const char *name, enum action_look look,
                       const struct action_facts *facts)
{
    struct resolving *r = arg;
    struct span text = span_of(name + sizeof(ACTION_CLAIM_PREFIX) - 1);
    char id[ACTION_ID_MAX + 1];

    (void)look;
    (void)facts;
    if (span_copy(id, sizeof(id), text) != 0)
        return 0; /* no claim of ours; what is no id is none to claim_resolve() */
    enum claim_result result = claim_resolve(r->tree, r->pending, id);
    if (result == CLAIM_FAULT && r->error == 0)
        r->error = errno != 0 ? errno : EIO;
    if (result != CLAIM_FAULT && result != CLAIM_GONE)
        r->resolved++;
    return 0;
}

int claim_resolve_all(const struct tree *tree, int pending)
{
    struct resolving r = {.tree = tree, .pending = pending};

    if (actions_each(tree, ACTION_CLAIMED, 0, resolve_one, &r) != 0)
        return -1;
    if (r.error == 0)
        return r.resolved;
    errno = r.error;
    return -1;
}
