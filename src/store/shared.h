#ifndef STORE_SHARED_H
#define STORE_SHARED_H
/* The cooldown that all planners on one Redis share, so that of N of them one asks a model for a
 * fault. The key planner:cooldown:<svc_key> holds "claim:<node>" while a planner is at it and
 * "done:<node>:<severity>" after; planner:event:<16 hex digits> tells for SHARED_EVENT_MS which
 * planner has handled the event of that identity. All changes are atomic on the server (EVAL).
 *
 *   what stands there              | a claim gets
 *   (of the event) another's node  | SHARED_SEEN, whatever else stands there
 *   nothing, our own claim or done | SHARED_OURS; the key is our claim then
 *   another's claim                | SHARED_TAKEN, and how long it still lasts
 *   another's done or other text   | SHARED_OURS: done, of a lower severity; else SHARED_DONE
 * A cooldown's key without a time to live gets one; what is no string is left alone. A claim that
 * took the place of a done and is dropped gives it back, for the rest of its time. */

#include "base/table.h"
#include "net/redis.h"

#define SHARED_VALUE_MAX (NAME_MAX_BYTES + 16) /* "done:", a name, a colon, a severity */
enum shared_view { SHARED_OURS, SHARED_ALONE, SHARED_TAKEN, SHARED_DONE, SHARED_SEEN };
struct shared_answer {
    enum shared_view view;
    int64_t wait_ms;                /* SHARED_TAKEN: until that claim is over, at least 1 */
    int64_t ends_ms;                /* SHARED_OURS: boot clock, it lasts until then at least */
    char owner[NAME_MAX_BYTES + 1]; /* of TAKEN, DONE, SEEN, where it is known; else "" */
};
struct shared_settings {
    const char *node;    /* NODE_NAME */
    int64_t claim_ms;    /* as long as the chain may take, and SHARED_MARGIN_MS */
    int64_t cooldown_ms; /* COOLDOWN_SECONDS: a done lasts this, or claim_ms where that is more */
};

struct shared {
    struct redis *redis;
    struct shared_settings settings;
    void (*answered)(void *arg, unsigned slot, const struct shared_answer *answer);
    void *arg;
    bool refused; /* the server does not carry out what it is asked: logged once a change */
    struct shared_question { /* OWING: cancelled, and what is granted is to be given back */
        struct shared *shared;
        enum { SHARED_FREE, SHARED_WAITING, SHARED_OWING } state;
        unsigned slot;
        int64_t ends_ms;
        char key[TABLE_KEY_MAX + 1];
    } questions[SHARED_QUESTIONS_MAX];
    struct shared_before { /* a done that a claim of ours took the place of */
        int64_t ends_ms;   /* boot clock; 0 = none */
        char key[TABLE_KEY_MAX + 1];
        char value[SHARED_VALUE_MAX + 1];
    } before[SHARED_BEFORE_MAX];
};

/* *s is zeroed; what is not used of it is not touched. redis is the commands' connection; answered
 * comes from where its answers do only. */
void shared_init(struct shared *s, struct redis *redis,
                 void (*answered)(void *arg, unsigned slot, const struct shared_answer *answer),
                 void *arg);
void shared_configure(struct shared *s, const struct shared_settings *settings);
int64_t shared_done_ms(const struct shared *s); /* how long a done lasts */

/* Asks for the key, for an event of this severity ("info" to "critical") and identity (0 = none).
 * 0: answered() comes, with SHARED_ALONE where the connection is lost (after REDIS_ANSWER_MS it
 * is), or the server refuses to carry it out. -1: it was not sent, and no answer comes. */
int shared_claim(struct shared *s, unsigned slot, struct span key, const char *severity,
                 uint64_t identity);
/* Nobody waits any more; a claim that is granted later is given back then. */
void shared_cancel(struct shared *s, unsigned slot);
/* Without an answer; not connected they do nothing. Ours or gone, the claim lasts anew: */
void shared_renew(struct shared *s, struct span key);
/* Decided: done, with this severity, but where another's done has it or a higher one; the
 * identities (0 = none) are ours. */
void shared_done(struct shared *s, struct span key, const char *severity,
                 const uint64_t *identities, size_t count);
/* Not decided: the claim is taken away where it is ours. */
void shared_drop(struct shared *s, struct span key);
/* A restart or redeploy of ours is open: its done, ours or gone, or a claim of ours whose answer
 * nobody waits for (that done was lost), lasts its whole time again. 0, or -1: it was not sent. */
int shared_prolong(struct shared *s, struct span key, const char *severity);

#endif
