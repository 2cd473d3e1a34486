#ifndef SOURCE_STREAM_PARTS_H
#define SOURCE_STREAM_PARTS_H
/* What the files of the stream source share: redis_stream.c (its life), stream_group.c (the group,
 * our own pending entries, those of dead consumers), stream_read.c (entries come, and are offered),
 * stream_end.c (they are acknowledged, buried, claimed anew). */

#include "loop/loop.h"
#include "source/redis_stream.h"
#include "source/stream_command.h"
#include "source/stream_entries.h"

#define STREAM_GROUP "planner"
#define STREAM_FETCHES_MAX STREAM_READ_MAX

/* In this order; from READS back to WALKS (what else is ours?) and LOOKS (is the group there?). */
enum stream_stage {
    STREAM_LOOKS,    /* for the group */
    STREAM_COMPARES, /* the newest id with the last that was seen: there is no group any more */
    STREAM_MAKES,    /* the group, from `from` */
    STREAM_WALKS,    /* over our own pending entries: those behind `walked` are still to come */
    STREAM_READS
};

struct stream {
    struct streams *all;
    unsigned number, troubles; /* bits */
    char name[STREAM_NAME_MAX + 1];
    enum stream_stage stage;
    enum stream_stage question;
    bool asked;            /* the command of stage `question` is under way */
    bool made, gone;       /* the group was, and nobody has found it yet; is, says the server */
    bool known;            /* `last` is: it was read before */
    struct stream_id last; /* the greatest that was ever given to us as new */
    const char *from;      /* "$", "0", or "#": last */
    struct stream_id walked;
    bool whole;              /* A walk came to its end: all that was ours is in the table. */
    bool walk_from;          /* `walked` itself is still to come, too */
    bool walk_again;         /* from the start, once this walk is over */
    bool taking, take, took; /* XAUTOCLAIM: under way; to be sent; gave us this and more: */
    struct stream_id least, cursor;
    unsigned rounds;
    bool acking; /* Below, on the boot clock: not before; 0 = at once. */
    int64_t group_retry_ms, fetch_retry_ms, ack_retry_ms, bury_retry_ms;
};

struct streams {
    bool open, once;
    struct loop *loop;
    struct redis *reader, *commands;
    const struct redis_stream_ops *ops;
    void *ctx;
    const char *consumer;
    unsigned count;
    struct stream streams[STREAMS_MAX];
    struct redis_stream_counts counts;
    struct span names;         /* of all streams, as they were given */
    bool reading, read_failed; /* XREADGROUP: is under way; the last one */
    unsigned read, drained;    /* bits: the streams that it was about; that it came to the end of */
    unsigned read_count, read_most; /* entries of each; fewer after a loss over one */
    int64_t read_retry_ms, lost_ms; /* boot clock; as above; the server has given up a lost read */
    bool no_slot;                   /* an entry found none, */
    unsigned no_slot_free;          /* while so many were said to be free, */
    int64_t no_slot_ms;             /* then */
    bool suspect;                   /* the fetch that the connection was lost over is known */
    int64_t take_ms;                /* boot clock: when the next look at others' entries is due, */
    int64_t renew_ms;               /* and the next claim of ours */
    uint32_t renew_stream, renew_entry; /* where that stands: STREAMS_MAX = it is over */
    int64_t both_ms; /* boot clock: both connections were ready then, or the start */
    struct loop_timer timer;
    struct stream_command command;
    struct stream_fetch { /* XRANGE, XCLAIM or XADD of an entry under way */
        struct streams *all;
        uint32_t ref;
        bool used;
    } fetches[STREAM_FETCHES_MAX];
    struct stream_entries entries;
    char document[EVENT_BYTES_MAX];
};

#endif
