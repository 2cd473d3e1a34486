#ifndef DAEMON_GLUE_H
#define DAEMON_GLUE_H
/* What joins sources, planner, chain and store. Every ctx and arg is the struct daemon. */

#include "llm/router.h"
#include "planner/ops.h"
#include "source/files.h"
#include "source/redis_pubsub.h"
#include "source/redis_stream.h"

extern const struct planner_ops glue_planner_ops;
extern const struct files_ops glue_files_ops;
extern const struct redis_pubsub_ops glue_pubsub_ops;
extern const struct redis_stream_ops glue_stream_ops;

extern const struct router_ops glue_router_ops;

#endif
