#ifndef DAEMON_BUS_PARTS_H
#define DAEMON_BUS_PARTS_H
/* All parts of the bus, for bus.c and bus_status.c. */

#include "daemon/outbox.h"
#include "source/redis_pubsub.h"
#include "source/redis_stream.h"
#include "store/shared.h"

#define STREAMS_TEXT_MAX (STREAMS_MAX * (STREAM_NAME_MAX + 1))

/* Texts are copies: the configuration's go with the next reload. */
struct bus {
    bool open;
    bool tried; /* the first try to connect has ended, well or not */
    bool once;
    int64_t opened_ms; /* boot clock */
    struct redis_target target;
    char node[NAME_MAX_BYTES + 1];
    char client[NAME_MAX_BYTES + 16];
    char streams[STREAMS_TEXT_MAX];           /* "" = none */
    char actions_stream[STREAM_NAME_MAX + 1]; /* "" = none */
    struct redis commands;
    struct redis reader; /* of streams */
    struct redis_pubsub pubsub;
    struct shared shared;
    struct outbox outbox;
    struct loop_timer status_timer;
    uint64_t metrics_sent;
    uint64_t metrics_lost;
    uint32_t shown; /* what the status told last, in bits */
};

#endif
