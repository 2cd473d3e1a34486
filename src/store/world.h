#ifndef STORE_WORLD_H
#define STORE_WORLD_H
/* What the observer knows of a service: world/services.json and world/incidents.json, read only,
 * bounded, and checked. A file that is not there, unreadable, too large or half written says
 * nothing; that is not the same as a world in which the service does not occur. */

#include "base/limits.h"

struct tree;

/* JSON texts. */
struct world_facts {
    char service[WORLD_SERVICE_MAX + 1];     /* its entry; "null" = not listed; "" = not known */
    char incidents[WORLD_INCIDENTS_MAX + 1]; /* an array of the active ones; "" = not known */
};

/* key: "node/service". Entries that are too long to be shown are not known. */
void world_look(const struct tree *tree, const char *key, const char *node, const char *service,
                struct world_facts *facts);

#endif
