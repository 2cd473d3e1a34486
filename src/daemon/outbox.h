#ifndef DAEMON_OUTBOX_H
#define DAEMON_OUTBOX_H
/* What of the action files goes out over Redis. ACTIONS_STREAM gets every new action (fields
 * action_id and action: its JSON), at least once: as it is written, and all of pending/ whenever
 * the connection becomes ready or the server had refused one. And while a restart or redeploy of
 * ours is open (pending/, claimed there, approved/, running/), the shared cooldown of its key is
 * prolonged. For both the directories are walked, a few files a turn. */

#include "base/dir.h"
#include "store/actions.h"
#include "store/shared.h"

struct outbox {
    const struct tree *tree;
    struct redis *redis;
    struct shared *shared;
    struct loop *loop;
    const char *stream; /* ACTIONS_STREAM; "" = none */
    /* Its own: */
    struct loop_timer timer;
    int64_t prolong_ms; /* boot clock: when next; INT64_MAX = nothing to prolong */
    int64_t add_ms;     /* boot clock: when all of pending/ is added again; INT64_MAX = not */
    uint64_t added;
    uint64_t refused;
    unsigned unanswered;     /* additions, */
    size_t unanswered_bytes; /* and bytes since there was none */
    bool refusing;           /* the server takes none: logged once a change */
    bool unread;             /* files or directories cannot be read: logged once a change */
    bool open; /* a restart or redeploy is, by this walk, or an action was written since */
    struct outbox_walk {
        unsigned stage;               /* of its directories */
        bool on, adds, unread;        /* under way; adds to the stream; could not read all */
        struct dir dir;               /* fd -1: the stage's directory has not been opened */
        char name[FILE_NAME_MAX + 1]; /* what could not be sent, and comes first; "" = none */
    } walk;
};

/* The first five members stand before. */
void outbox_open(struct outbox *o);
void outbox_close(struct outbox *o);
/* The commands' connection became ready, or was lost. */
void outbox_ready(struct outbox *o, bool ready);
/* An action was written. */
void outbox_action(struct outbox *o, const char *id, struct span body);

#endif
