#ifndef STORE_CLAIM_H
#define STORE_CLAIM_H
/* Claims: actions/pending/.claim-<id>, an action in the hands of an approve or reject. Every call
 * is made with flock(2) on pending/ held, so a claim that the caller did not make itself was left
 * by a command that was killed. pending is the directory's descriptor.
 *
 *   on disk                                           what is done
 *   claim alone                                       put back
 *   claim, and its action in another place            removed: the action was passed on
 *   claim, and another action of that id elsewhere    put back
 *   ... and a newer file of that id in pending/       that one stands, the claim is removed
 *
 * Its action: the same created_at and correlation_id, not both absent. Another place: approved/ and
 * rejected/, and where the executor or the supervisor may have moved it to since. */

struct tree;

enum claim_result {
    CLAIM_GONE,       /* there is none */
    CLAIM_PUT_BACK,   /* it stands in pending/ again */
    CLAIM_SUPERSEDED, /* removed; pending/ holds a newer action of that id */
    CLAIM_PASSED_ON,  /* removed; the action is in its next place */
    CLAIM_FAULT,      /* errno; the claim is still there */
};

/* Makes the claim: 0, or -1 with errno (ENOENT: another took it first; EEXIST: a claim of that id
 * is there, which claim_resolve() could not resolve). Durable. */
int claim_take(int pending, const char *id);

/* Never over a file that appeared in the meantime. */
enum claim_result claim_put_back(int pending, const char *id);

/* Ends a claim whose action is in its next place. 0, or -1 with errno. */
int claim_remove(int pending, const char *id);

/* Does what the table says for one claim, or for all of them: the number resolved, or -1 with errno
 * where any could not be (the others are resolved all the same). */
enum claim_result claim_resolve(const struct tree *tree, int pending, const char *id);
int claim_resolve_all(const struct tree *tree, int pending);

#endif
