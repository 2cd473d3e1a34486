#include "planner/event.h"

#include <string.h>

#define TEXT(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

/* The first pattern that the type matches tells the kind. '*' stands at one end only. */
static const struct {
    struct span pattern;
    enum event_kind kind;
} kinds[] = {
    {TEXT("node_online"), EVENT_NODE_ONLINE},
    {TEXT("deployment_started"), EVENT_DEPLOYMENT_STARTED},
    {TEXT("deployment_completed"), EVENT_DEPLOYMENT_COMPLETED},
    {TEXT("deployment_failed"), EVENT_DEPLOYMENT_FAILED},
    {TEXT("remediation_started"), EVENT_BENIGN},
    {TEXT("remediation_completed"), EVENT_BENIGN},
    {TEXT("node_health"), EVENT_BENIGN},
    {TEXT("service_healthy"), EVENT_RECOVERY},
    {TEXT("*_recovered"), EVENT_RECOVERY},
    {TEXT("*_healthy"), EVENT_RECOVERY},
    {TEXT("*_resolved"), EVENT_RECOVERY},
    {TEXT("service_unhealthy"), EVENT_FAULT},
    {TEXT("healthcheck_failed"), EVENT_FAULT},
    {TEXT("node_offline"), EVENT_FAULT},
    {TEXT("disk_pressure"), EVENT_FAULT},
    {TEXT("disk_pressure_*"), EVENT_FAULT},
    {TEXT("disk_usage_high"), EVENT_FAULT},
    {TEXT("high_memory"), EVENT_FAULT},
    {TEXT("high_cpu"), EVENT_FAULT},
    {TEXT("containers_not_running"), EVENT_FAULT},
    {TEXT("mqtt_unreachable"), EVENT_FAULT},
    {TEXT("ha_websocket_dead"), EVENT_FAULT},
    {TEXT("ha_integration_failed"), EVENT_FAULT},
    {TEXT("ha_entity_unavailable_long"), EVENT_FAULT},
    {TEXT("ha_automation_failing"), EVENT_FAULT},
    {TEXT("ha_recorder_lag"), EVENT_FAULT},
};

static bool matches(struct span type, struct span pattern)
{
    if (pattern.p[0] == '*') {
        pattern = (struct span){pattern.p + 1, pattern.n - 1};
        return type.n >= pattern.n &&
               memcmp(type.p + type.n - pattern.n, pattern.p, pattern.n) == 0;
    }
    if (pattern.p[pattern.n - 1] == '*')
        return type.n >= pattern.n - 1 && memcmp(type.p, pattern.p, pattern.n - 1) == 0;
    return span_eq(type, pattern);
}

enum event_kind event_kind(const struct event *event)
{
    struct span type = span_of(event->type);

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (matches(type, kinds[i].pattern))
            return kinds[i].kind;
    return event->severity == SEVERITY_INFO ? EVENT_BENIGN : EVENT_FAULT;
}
