#include "daemon/confine.h"

#include "base/log.h"
#include "daemon/bus.h"
#include "daemon/confine_filter.h"
#include "daemon/named_file.h"
#include "daemon/parts.h"
#include "net/tls.h"
#include "store/heartbeat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- The kernel's numbers: linux/landlock.h, linux/capability.h ---- */

enum { /* accesses to files, by ABI 1 but for the last three */
       WRITE_FILE = 1 << 1,
       READ_FILE = 1 << 2,
       READ_DIR = 1 << 3,
       REMOVE_FILE = 1 << 5,
       MAKE_DIR = 1 << 7,
       MAKE_REG = 1 << 8,
       REFER = 1 << 13,     /* ABI 2 */
       TRUNCATE = 1 << 14,  /* ABI 3 */
       IOCTL_DEV = 1 << 15, /* ABI 5 */
};
#define BIND_AND_CONNECT_TCP 3 /* ABI 4 */
#define CONNECT_TCP 2
#define ABSTRACT_SOCKETS_AND_SIGNALS 3 /* ABI 6 */

struct ruleset {
    uint64_t files;
    uint64_t ports;
    uint64_t scoped;
};

struct beneath {
    uint64_t access;
    int32_t dir;
} __attribute__((packed));

struct port {
    uint64_t access;
    uint64_t port;
};

enum { RULE_BENEATH = 1, RULE_PORT = 2 };
#define ASK_FOR_ABI 1U

#define CAPABILITIES_V3 0x20080522U
#define CAPABILITIES_KEPT 0xfU /* CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER */

#define READ (READ_FILE | READ_DIR)
#define WRITE (READ | WRITE_FILE | REMOVE_FILE | MAKE_REG)

/* ---- What it is for ---- */

#define PORTS_MAX (CHAIN_HOPS_MAX + 2)

struct needs {
    bool names; /* are looked up */
    bool tls;
    unsigned count;
    uint16_t ports[PORTS_MAX];
};

static struct {
    bool privileges; /* no_new_privs */
    bool filter;
    bool no_world;    /* when the rules were made */
    int abi;          /* of Landlock, 0 = it is not in force */
    uint64_t handled; /* accesses to files that it knows of */
    struct needs needs;
} confine;

static void need(struct needs *needs, const struct url *url)
{
    if (url->kind == URL_UNIX)
        return;
    needs->names |= url->kind == URL_NAME && strcmp(url->host, "localhost") != 0;
    needs->ports[needs->count++] = url->port;
}

static void collect(struct needs *needs, const struct config *config, const struct models *models)
{
    const struct url *redis = bus_server();

    needs->count = 0;
    needs->names = false;
    for (unsigned i = 0; i < models->chain.count; i++)
        if (models->chain.hops[i].server != NULL)
            need(needs, &models->chain.hops[i].server->url);
    if (redis != NULL)
        need(needs, redis);
    if (needs->names)
        needs->ports[needs->count++] = 53;
    needs->tls = models_want_tls(models, config, redis != NULL);
}

static bool has_port(const struct needs *needs, uint16_t port)
{
    unsigned i = 0;

    while (i < needs->count && needs->ports[i] != port)
        i++;
    return i < needs->count;
}

bool confine_blocks(const struct config *config, const struct models *models)
{
    struct needs new;

    if (confine.abi == 0)
        return false;
    collect(&new, config, models);
    for (unsigned i = 0; i < new.count &&confine.abi >= 4; i++)
        if (!has_port(&confine.needs, new.ports[i]))
            return true;
    return (new.names && !confine.needs.names) || (new.tls && !confine.needs.tls);
}

/* ---- Landlock ---- */

int confine_landlock(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, ASK_FOR_ABI);
}

/* Takes dir; what is not there needs no rule. 0, or -1 with errno. */
static int allow(int rules, int dir, uint64_t access)
{
    const struct beneath beneath = {.access = access & confine.handled, .dir = dir};

    if (dir < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -1;
    int result = (int)syscall(SYS_landlock_add_rule, rules, RULE_BENEATH, &beneath, 0);
    tree_close(dir);
    return result;
}

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Is it the tree, or above it? Also where that cannot be told. */
static bool holds_tree(int dir, const struct tree *tree)
{
    char path[PATH_LEN_MAX];
    struct stat own, at, below = {0};
    struct buf b;

    if (fstat(dir, &own) != 0)
        return true;
    buf_init(&b, path, sizeof(path));
    buf_str(&b, tree->path);
    for (;;) {
        const char *text = buf_text(&b);
        if (text == NULL || stat(text, &at) != 0 || same(&at, &own))
            return true;
        if (same(&at, &below)) /* the root is above itself */
            return false;
        below = at;
        buf_str(&b, "/..");
    }
}

/* What has this name, also after it was replaced: its directory; but the file alone where the tree
 * lies below that directory. */
static int allow_beside(int rules, const struct tree *tree, const char *path)
{
    char dir[PATH_LEN_MAX + 1];
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - path) + 1;

    if (span_copy(dir, sizeof(dir), n > 0 ? (struct span){path, n} : span_of(".")) != 0)
        return 0;
    int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && holds_tree(fd, tree)) {
        tree_close(fd);
        fd = open(path, O_PATH | O_CLOEXEC);
    }
    return allow(rules, fd, READ_FILE);
}

/* A file that is read by name; where it is a link, what that leads to as well. */
static int allow_file(int rules, const struct tree *tree, const char *path)
{
    if (path == NULL || path[0] == '\0')
        return 0;
    if (allow_beside(rules, tree, path) != 0)
        return -1;
    path = named_file_resolve(path);
    return path == NULL || strcmp(path, "/dev/null") == 0 ? 0 : allow_beside(rules, tree, path);
}

/* The first bundle that is there: the one that is read. */
static const char *find_bundle(void)
{
    const char *const *path = tls_system_bundles();

    while (*path != NULL && access(*path, F_OK) != 0)
        path++;
    return *path;
}

static int allow_configured(int rules, const struct daemon *d)
{
    const char *env_file = d->options->sources.env_file;
    const char *roots = config_text(d->config, SETTING_SSL_CERT_FILE);
    const char *credentials = getenv(CONFIG_CREDENTIALS);
    const char *const files[] = {
        env_file != NULL ? env_file : CONFIG_ENV_FILE,
        config_text(d->config, SETTING_ANTHROPIC_API_KEY_FILE),
        config_text(d->config, SETTING_TOPOLOGY_FILE),
        roots[0] == '\0' && confine.needs.tls ? find_bundle() : roots,
        confine.needs.names ? "/etc/resolv.conf" : NULL,
        confine.needs.names ? "/etc/hosts" : NULL,
    };

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (allow_file(rules, &d->tree, files[i]) != 0)
            return -1;
    return credentials == NULL
               ? 0
               : allow(rules, open(credentials, O_PATH | O_DIRECTORY | O_CLOEXEC), READ_FILE);
}

/* Those written to come first. */
static const struct {
    char path[sizeof(TREE_STATE)];
    uint16_t access;
} dirs[] = {
    {"actions/pending", WRITE},
    {TREE_STATE, WRITE | TRUNCATE},
    {TREE_EVENTS, WRITE | MAKE_DIR},
    {"actions", READ},
    {TREE_WORLD, READ},
};
enum { EVENTS = 2, WRITTEN };

static int allow_tree(int rules, const struct tree *tree)
{
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        int dir = tree_look(tree, dirs[i].path);
        confine.no_world = dir < 0; /* of the last one */
        if (allow(rules, dir, dirs[i].access) != 0)
            return -1;
    }
    return 0;
}

static int allow_ports(int rules)
{
    for (unsigned i = 0; i < confine.needs.count; i++) {
        const struct port port = {CONNECT_TCP, confine.needs.ports[i]};
        if (syscall(SYS_landlock_add_rule, rules, RULE_PORT, &port, 0) != 0)
            return -1;
    }
    return 0;
}

/* The ABI in force, or -1 with errno. */
static int restrict_access(const struct daemon *d)
{
    int abi = confine_landlock();

    if (abi < 0)
        return -1;
    confine.handled = (REFER - 1) | (abi >= 2 ? REFER : 0) | (abi >= 3 ? TRUNCATE : 0) |
                      (abi >= 5 ? IOCTL_DEV : 0);
    const struct ruleset all = {
        .files = confine.handled,
        .ports = abi >= 4 ? BIND_AND_CONNECT_TCP : 0,
        .scoped = abi >= 6 ? ABSTRACT_SOCKETS_AND_SIGNALS : 0,
    };
    int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
    if (rules < 0)
        return -1;
    bool done = allow_tree(rules, &d->tree) == 0 && allow_configured(rules, d) == 0 &&
                (abi < 4 || allow_ports(rules) == 0) &&
                syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    tree_close(rules);
    return done ? abi : -1;
}

/* ---- All of it ---- */

/* Fewer capabilities than there are is always granted. */
static void drop_capabilities(void)
{
    struct {
        uint32_t version;
        int pid;
    } head = {CAPABILITIES_V3, 0};
    struct {
        uint32_t effective, permitted, inheritable;
    } sets[2];

    if (syscall(SYS_capget, &head, sets) != 0)
        return;
    uint32_t kept = sets[0].permitted & CAPABILITIES_KEPT;
    memset(sets, 0, sizeof(sets));
    sets[0].effective = kept;
    sets[0].permitted = kept;
    (void)syscall(SYS_capset, &head, sets);
}

static void tell(int error)
{
    const struct log_field fields[] = {
        LOG_INT("landlock", confine.abi),
        LOG_BOOL("seccomp", confine.filter),
        LOG_ERRNO(error),
    };

    if (error == 0)
        log_fields(LOG_INFO, "confined", fields, 2);
    else
        log_fields(LOG_WARNING, "confined_in_part", fields, 3);
}

void confine_enter(const struct daemon *d)
{
    if (d->options->unconfined) {
        LOG(LOG_WARNING, "unconfined", LOG_STR("reason", "--unconfined"));
        return;
    }
    collect(&confine.needs, d->config, d->models);
    /* Afterwards it could not be made. A failure will be told with the first beat. */
    (void)heartbeat_make(&d->tree);
    confine.privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    drop_capabilities();
    int abi = restrict_access(d);
    int error = abi < 0 ? errno : 0;
    confine.abi = abi < 0 ? 0 : abi;
    const struct url *redis = bus_server();
    confine.filter = confine_filter_set(redis != NULL && redis->kind == URL_UNIX) == 0;
    tell(confine.filter || error != 0 ? error : errno);
}

/* ---- Afterwards ---- */

bool confine_hides(const char *path)
{
    if (confine.abi == 0)
        return false;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    bool refused = fd < 0 && errno == EACCES;
    tree_close(fd);
    return refused && access(path, R_OK) == 0;
}

/* By mode and owner it may be used. */
static bool is_open_to_us(const struct tree *tree, const char *relative)
{
    int dir = tree_look(tree, relative);
    bool open = dir >= 0 && faccessat(dir, ".", R_OK | W_OK | X_OK, 0) == 0;

    tree_close(dir);
    return open;
}

bool confine_is_outdated(const struct tree *tree)
{
    /* Without the tree itself a new start would not do. */
    if (confine.abi == 0 || access(tree->path, X_OK) != 0)
        return false;
    for (unsigned i = 0; i < WRITTEN; i++) {
        int error = tree_takes(tree, dirs[i].path);
        /* A start makes them; but events may be a link to a disk that has to be mounted again. */
        if ((error == ENOENT && i != EVENTS) ||
            (error == EACCES && is_open_to_us(tree, dirs[i].path)))
            return true;
    }
    return heartbeat_last(tree) < 0 && errno == ENOENT;
}

bool confine_misses_world(const struct tree *tree)
{
    int dir = confine.abi > 0 && confine.no_world ? tree_look(tree, TREE_WORLD) : -1;

    tree_close(dir);
    return dir >= 0;
}

void confine_report(struct json_write *w)
{
    json_write_object(w, "confinement");
    json_write_bool(w, "no_new_privs", confine.privileges);
    json_write_int(w, "landlock", confine.abi);
    json_write_bool(w, "seccomp", confine.filter);
    json_write_end_object(w);
}
