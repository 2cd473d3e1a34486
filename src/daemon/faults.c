#include "daemon/faults.h"

#include "base/log.h"

const char *faults_text(enum fault_kind kind)
{
    switch (kind) {
    case FAULT_PROPOSE:
        return "write actions/pending";
    case FAULT_LOOK:
        return "read actions";
    case FAULT_AUDIT:
        return "write the audit event";
    case FAULT_MEND:
        return "write missing audit events";
    case FAULT_EVENTS:
        return "read events";
    case FAULT_STATE:
        return "save state/planner-agent";
    case FAULT_STATUS:
        return "write the status file";
    case FAULT_HEARTBEAT:
        return "touch the heartbeat";
    case FAULTS:
        break;
    }
    return "unknown";
}

void faults_tried(struct faults *faults, enum fault_kind kind, int error, int64_t wall_ms)
{
    struct fault *fault = &faults->of[kind];

    if (error != 0)
        fault->count++;
    if (fault->error == error)
        return;
    if (error == 0)
        LOG(LOG_INFO, "disk_fault_over", LOG_STR("what", faults_text(kind)),
            LOG_INT("failures", (int64_t)fault->count));
    else
        LOG(LOG_ERROR, "disk_fault", LOG_STR("what", faults_text(kind)), LOG_ERRNO(error));
    fault->error = error;
    fault->since_ms = wall_ms;
    faults->changed = true;
}
