#ifndef NET_ROOTS_H
#define NET_ROOTS_H
/* The certificates that a server's chain may end at: the built-in ones (toolchain/roots.list), and
 * those of a PEM bundle: SSL_CERT_FILE's, or the machine's own. A root is the mark of a name and a
 * key; neither its dates nor constraints are known.
 *
 * The table is static: it stays where it is, but loading changes what is in it. */

#include "base/limits.h"
#include "net/dn.h"

const br_x509_trust_anchor *roots_list(unsigned *count);
/* How many there are, and how many of them are built in. */
unsigned roots_count(unsigned *built_in);

#define ROOTS_WHY_MAX 128

/* The built-in ones and those of a PEM bundle ("" = none). 0: why is "", or says what was left out
 * of it; or -1 and the reason in why (ROOTS_WHY_MAX bytes): the roots then are the built-in ones.
 */
int roots_load(const char *path, char *why);

/* The built-in ones, and what can be used of the machine's own bundle: of the first of paths (NULL
 * is behind the last) that has certificates. Its name, or NULL: none has. why as above: what has
 * expired by now_ms, or what there was no room for, is no fault. */
const char *roots_load_system(const char *const *paths, int64_t now_ms, char *why);

#endif
