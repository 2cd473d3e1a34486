#ifndef PLANNER_CONCLUDE_H
#define PLANNER_CONCLUDE_H
/* From the queue to the end: the question, the answer, the action file, the audit event. */

#include "planner/planner.h"

/* Counts and tells what became of an event. */
void conclude_tell(struct planner *p, const struct decision *decision);
/* The same for an event that is not in the queue; PLANNER_ENDED. */
enum planner_took conclude_newcomer(struct planner *p, enum outcome outcome,
                                    const struct event *event, const char *reason);
/* Tells what became of the piece's event; the piece stays. */
void conclude_event(struct planner *p, const struct work *work, enum outcome outcome,
                    const char *reason);
/* The sources may forget the events; the chain is empty then. Or only the one behind a loose
 * handle. */
void conclude_release(struct planner *p, struct handles_chain *refs);
void conclude_release_loose(struct planner *p, struct handles_chain *refs);
/* These events are at their end: a copy of one that comes later is a duplicate. */
void conclude_note(struct planner *p, const struct joined *joined);

/* Ends a piece: takes back its claim or question, tells, releases, frees. What waited behind it
 * goes its own way. Not for a piece whose action file is, or may be, there: conclude_is_written().
 */
void conclude_drop(struct planner *p, struct work *work, enum outcome outcome, const char *reason,
                   struct now now);
bool conclude_is_written(const struct planner *p, const struct work *work, struct now now);
/* Takes back its claim or question: the piece is queued again. */
void conclude_take_back(struct planner *p, struct work *work);

/* The piece's turn has come, in a free slot: looks once more for an open action, claims its
 * key where there is a bus, then asks the chain, or the rules table where the chain is no longer of
 * use. */
void conclude_begin(struct planner *p, struct work *work, unsigned slot, struct now now);
void conclude_claimed(struct planner *p, unsigned slot, const struct claim_answer *answer,
                      struct now now);
void conclude_answer(struct planner *p, unsigned slot, const struct llm_answer *answer,
                     struct now now);
/* Writes what was decided, or what is missing of it. */
void conclude_write(struct planner *p, unsigned slot, struct now now);

#endif
