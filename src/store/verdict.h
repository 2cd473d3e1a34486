#ifndef STORE_VERDICT_H
#define STORE_VERDICT_H
/* The operator's approve and reject: the only code that moves an action on. Steps and what a kill
 * between them leaves: see verdict.c and claim.h, and the table of crashes in README.md. */

#include "base/limits.h"
#include "base/span.h"

#include <stdint.h>

struct tree;

#define VERDICT_WHY_SIZE 256

struct verdict {
    bool approve;     /* else reject */
    const char *id;   /* whole */
    struct span hash; /* 8 to 64 hexadecimal digits the file's SHA-256 must begin with; or empty */
    struct span note; /* up to NOTE_MAX bytes of UTF-8; or empty */
    const char *user; /* goes into "by": operator-cli:<user>, up to NAME_MAX_BYTES, cut */
    int64_t now_s;    /* Unix seconds */
};

enum verdict_result {
    VERDICT_DONE,
    VERDICT_ABSENT,  /* no such action in pending/ */
    VERDICT_LOST,    /* another took it first */
    VERDICT_CHANGED, /* its hash is not the expected one, or it changed while it was taken */
    VERDICT_TAKEN,   /* approved/ already holds this id; nothing was changed */
    VERDICT_INVALID, /* the file is no action that we can pass on */
    VERDICT_DENIED,  /* no permission */
    VERDICT_FAULT,   /* errno; EINVAL too for a hash or a note outside the limits above */
};

/* Holds flock(2) on pending/ for the whole time (and waits for it); resolves left-over claims
 * first. why (at least VERDICT_WHY_SIZE bytes) gets a sentence for the operator in every case but
 * VERDICT_DONE. approved/ and rejected/ are made where they are missing. */
enum verdict_result verdict_give(const struct tree *tree, const struct verdict *verdict, char *why,
                                 size_t why_size);

/* Puts back or removes the claims that killed commands left, under the lock. The number resolved,
 * or -1 with errno where any could not be (the others are resolved all the same). */
int verdict_resolve_claims(const struct tree *tree);

#endif
