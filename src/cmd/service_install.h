#ifndef CMD_SERVICE_INSTALL_H
#define CMD_SERVICE_INSTALL_H
/* `service install` and `service uninstall`: all of it or nothing, as far as there is a way. */

struct service;

/* Writes what the init system needs, and an env-file where there is none. An exit code, told. */
int service_install_put(struct service *s);

/* Removes what install wrote, but for an env-file that was changed, and the binary. An exit code,
 * told. */
int service_install_remove(struct service *s);

#endif
