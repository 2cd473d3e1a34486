#ifndef DAEMON_VERSION_H
#define DAEMON_VERSION_H
/* What this binary was built from; the Makefile says. */

struct version_part {
    const char *name;
    const char *version;
};

/* Ours. */
const char *version_text(void);
/* Each library linked in; NULL behind the last. */
const struct version_part *version_part(unsigned i);

#endif
