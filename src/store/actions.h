#ifndef STORE_ACTIONS_H
#define STORE_ACTIONS_H
/* Action files: actions/<place>/<action_id>.json. The daemon puts new ones into pending/ and only
 * reads elsewhere; what moves them on is store/verdict.h, for the operator's commands alone. */

#include "base/file.h"
#include "base/limits.h"

struct tree;

enum action_place {
    ACTION_PENDING,
    ACTION_CLAIMED, /* in pending/, taken by an approve or reject that has not ended */
    ACTION_APPROVED,
    ACTION_RUNNING,
    ACTION_REJECTED,
    ACTION_COMPLETED,
    ACTION_FAILED,
    ACTION_CANCELLED,
    ACTION_PLACES
};
#define ACTION_CLAIM_PREFIX ".claim-" /* no .json at its end: nobody takes it for an action */

/* What we read of an action file, untrusted. Absent or of another type: "" or 0. Too long: cut. */
struct action_facts {
    char id[ACTION_ID_MAX + 1];
    char node[NAME_MAX_BYTES + 1];
    char service[NAME_MAX_BYTES + 1];
    char type[NAME_MAX_BYTES + 1]; /* container_restart, redeploy, alert_only, or another's */
    char risk[NAME_MAX_BYTES + 1];
    char correlation_id[CORRELATION_MAX + 1];
    char action[NAME_MAX_BYTES + 1];      /* details.action: what the model proposed */
    char model[NAME_MAX_BYTES + 1];       /* details.model */
    char confidence[32];                  /* details.confidence, a JSON number's text, or "" */
    char reason[PROPOSAL_REASON_MAX + 1]; /* details.reason */
    bool requires_human;
    bool ours;                           /* proposed_by is planner-agent */
    char event_type[NAME_MAX_BYTES + 1]; /* details.event.type */
    char event_severity[16];             /* details.event.severity */
    char event_timestamp[64];            /* details.event.timestamp */
    int64_t created_at, updated_at;      /* Unix seconds */
};

/* ACTION_FOREIGN: something of that name that is no action file. ACTION_FAULT: errno says why. */
enum action_look { ACTION_ABSENT, ACTION_FOUND, ACTION_FOREIGN, ACTION_FAULT };

/* Reads actions/<place>/<id>.json (a claim: its dot name). */
enum action_look actions_look(const struct tree *tree, enum action_place place, const char *id,
                              struct action_facts *facts);
/* Which ids are worth a look? Bit i is 0 where ids[i] is absent, 1 where something has its name or
 * that cannot be told; count is at most the bits. Much cheaper than a look at each. */
unsigned actions_present(const struct tree *tree, enum action_place place, const char *const *ids,
                         size_t count);
/* The same from bytes in memory: ACTION_FOUND or ACTION_FOREIGN; id NULL = not compared. */
enum action_look actions_parse(struct span bytes, const char *id, struct action_facts *facts);

/* Puts a new action into pending/, durable, mode 0640. FILE_EXISTS where the id is taken.
 * FILE_FAULT may leave it there without being durable: look again, then actions_settle(), which
 * makes what stands in pending/ durable (0, or -1 with errno). */
enum file_result actions_put(const struct tree *tree, const char *id, struct span body);
int actions_settle(const struct tree *tree);

/* Calls each for every *.json of a place (ACTION_CLAIMED: the claims' dot names) written since_s
 * (Unix seconds; 0 = ever) or later; facts is NULL for ACTION_FOREIGN and ACTION_FAULT. Stops where
 * each returns non-zero, and returns that. -1: errno, the directory cannot be read (absent =
 * empty). */
int actions_each(const struct tree *tree, enum action_place place, int64_t since_s,
                 int (*each)(void *arg, const char *name, enum action_look look,
                             const struct action_facts *facts),
                 void *arg);

const char *actions_place_text(enum action_place place); /* "pending", "claimed", ... */
/* "actions/pending", and "<id>.json" (a claim: ".claim-<id>"), and both: 0, or -1 (too long). */
const char *actions_dir(enum action_place place);
int actions_name(char *out, size_t cap, enum action_place place, const char *id);
int actions_path(char *out, size_t cap, enum action_place place, const char *id);

bool actions_id_valid(struct span id); /* 1 to ACTION_ID_MAX of [A-Za-z0-9._-], not first . or - */

#endif
