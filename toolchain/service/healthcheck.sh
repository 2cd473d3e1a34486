#!/bin/sh
# Exit code 0 while the planner's loop turns, else 1.
exec @BINARY@ healthcheck --runtime @TREE@ "$@"
