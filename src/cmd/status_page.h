#ifndef CMD_STATUS_PAGE_H
#define CMD_STATUS_PAGE_H
/* The status, for people. */

#include "base/clock.h"
#include "base/json_read.h"
#include "planner/cooldown.h"

#define STATUS_PAGE_PROBES 2
#define STATUS_PAGE_FRESH_S 300 /* an older heartbeat is no sign of life: as healthcheck has it */

struct status_page {
    const char *tree;
    struct now now;
    int64_t beat_age_s; /* -1 = no heartbeat */
    struct {
        const char *path;
        int error; /* of writing there, by whoever asks; 0 = it works */
    } probe[STATUS_PAGE_PROBES];
    const struct cooldowns *cooldowns;
    int cooldowns_error;
    int64_t cooldown_ms; /* the caller's, until the status says what is in force */
    int status_error;    /* 0 = there is a status */
    /* Filled in by status_page_read(). */
    struct json doc;
    bool running; /* so it said when it wrote its status */
    bool alive;   /* and the heartbeat is fresh */
};

/* Takes what the planner wrote (empty: nothing); object lives as long as the page. */
void status_page_read(struct status_page *page, struct span object);
/* Prints it; the exit code. */
int status_page_print(const struct status_page *page);

/* How long a cooldown will go on. */
int64_t status_page_remaining_s(const struct status_page *page, const struct cooldown *entry);

#endif
