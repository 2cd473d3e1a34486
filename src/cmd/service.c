#include "cmd/service.h"

#include "cmd/commands.h"
#include "cmd/print.h"
#include "cmd/service_install.h"
#include "cmd/service_text.h"

#include "base/log.h"
#include "base/number.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#define COPIED_TO "/usr/local/bin/planner-agent"
#define GROUPS_MAX 64      /* of a user; who has more gets his own */
#define RESOLVE_IN_ROOT 16 /* of openat2(2) */

/* Where Linux (before 5.6) or a container's filter has no such call, no symlink is followed. */
int service_open(const struct service *s, const char *path)
{
    static const uint64_t how[] = {O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0, RESOLVE_IN_ROOT};

    if (s->root[0] == '\0')
        return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int fd = (int)syscall(SYS_openat2, s->top_fd, path, how, sizeof(how));
    return fd < 0 && (errno == ENOSYS || errno == EPERM) ? tree_open(&s->top, path + 1) : fd;
}

/* Where it stays, where it is meant to be: /home and /tmp are neither for services nor for long. */
static bool is_in_place(const char *path)
{
    return strncmp(path, "/usr/", 5) == 0 || strncmp(path, "/opt/", 5) == 0;
}

static int find_binary(struct service *s, const char *told, bool in_place)
{
    static char path[PATH_LEN_MAX];

    s->fact[SERVICE_BINARY] = told != NULL ? told : path;
    if (told != NULL)
        return 0;
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (n <= 0)
        return command_fail(s->self, EX_UNAVAILABLE, "which binary is this? --binary says it",
                            log_errno(errno));
    if (in_place && (s->root[0] != '\0' || !is_in_place(path))) {
        s->copy = true;
        s->fact[SERVICE_BINARY] = COPIED_TO;
    }
    return 0;
}

/* The owner of actions/pending, or else of the tree, and the group; where there is none, the first
 * user that people have. */
static uid_t find_owner(struct service *s)
{
    struct stat st = {.st_uid = 1000, .st_gid = 1000};
    int dir = tree_look(&s->tree, "actions/pending");

    if (dir < 0)
        dir = tree_look(&s->tree, ".");
    s->has_tree = fstat(dir, &st) == 0;
    tree_close(dir);
    s->gid = st.st_gid;
    return st.st_uid;
}

static bool is_member(const struct passwd *user, gid_t gid)
{
    static gid_t groups[GROUPS_MAX];
    int n = GROUPS_MAX;

    if (getgrouplist(user->pw_name, user->pw_gid, groups, &n) < 0)
        return false;
    while (n > 0 && groups[n - 1] != gid)
        n--;
    return n > 0;
}

static void set_numbers(struct service *s, const unsigned *numbers)
{
    static char texts[3][16];
    struct buf b;

    for (size_t i = 0; i < 3; i++) {
        buf_init(&b, texts[i], sizeof(texts[i]));
        buf_int(&b, numbers[i]);
        s->fact[SERVICE_UID + i] = buf_text(&b);
    }
}

static int find_user(struct service *s, const char *told)
{
    const struct passwd *user = NULL;
    int64_t number;

    uid_t uid = find_owner(s);
    gid_t group = s->gid;
    if (told != NULL && number_int(span_of(told), 0, INT32_MAX, &number) == 0) {
        uid = (uid_t)number;
    } else if (told != NULL) {
        user = getpwnam(told);
        if (user == NULL)
            return command_fail(s->self, EX_USAGE, "no such user", told);
    }
    /* The users of a tree elsewhere have names of its own. */
    if (user == NULL && s->root[0] == '\0')
        user = getpwuid(uid);
    s->has_user = user != NULL || s->root[0] != '\0';
    if (user != NULL) {
        uid = user->pw_uid;
        s->gid = user->pw_gid;
        /* Of actions/pending: who approves is to read what he puts there. */
        if (!is_member(user, group))
            group = s->gid;
    } else if (told != NULL) {
        s->gid = group = uid;
    }
    set_numbers(s, (const unsigned[]){uid, s->gid, group});
    s->fact[SERVICE_USER] = user != NULL ? user->pw_name : s->fact[SERVICE_UID];
    return 0;
}

/* What is known of the tree, below --root. */
static int find_tree(struct service *s)
{
    const struct config *config;
    struct buf b;

    const char *env = command_sources.env_file;
    if (env != NULL && access(env, F_OK) != 0)
        command_sources.env_file = NULL; /* it is to be written yet */
    int code = command_open(s->self, &config, &s->tree);
    if (code != 0)
        return code;
    s->fact[SERVICE_ENV] = env != NULL ? env : CONFIG_ENV_FILE;
    s->fact[SERVICE_TREE] = config_text(config, SETTING_RUNTIME_PATH);
    s->fact[SERVICE_NODE] = config_text(config, SETTING_NODE_NAME);
    s->top_fd =
        tree_init(&s->top, s->root[0] != '\0' ? s->root : "/") == 0 ? tree_open(&s->top, ".") : -1;
    if (s->top_fd < 0)
        return command_fail(s->self, EX_USAGE, "no directory, or not an absolute path", s->root);
    if (s->root[0] == '\0')
        return 0;
    s->root = s->top.path;
    /* Where the tree is in there is found once. */
    buf_init(&b, s->tree.path, sizeof(s->tree.path));
    buf_str(&b, "/proc/self/fd/");
    buf_int(&b, service_open(s, s->fact[SERVICE_TREE]));
    (void)buf_text(&b);
    return 0;
}

static int print_file(const struct service *s, const char *name)
{
    struct span text = service_text_make(s, span_of(name));

    print_span(text);
    return text.p != NULL ? print_end(EX_OK) : EX_USAGE;
}

int service_command(const struct command *self, int argc, char **argv)
{
    static struct service s;
    const char *binary = NULL;
    const char *user = NULL;
    const char *init = NULL;
    const char *root = NULL;
    const struct option options[] = {
        COMMAND_TREE_OPTIONS,    {"--binary", NULL, &binary}, {"--user", NULL, &user},
        {"--root", NULL, &root}, {"--init", NULL, &init},     {"--force", &s.force, NULL},
        COMMAND_OPTIONS_END,
    };

    int code = command_options(self, options, &argc, argv);
    if (code != 0)
        return code;
    const char *name = argc > 0 ? argv[0] : "list";
    bool install = strcmp(name, "install") == 0;
    bool uninstall = strcmp(name, "uninstall") == 0;
    s.self = self;
    s.init = span_of(init);
    s.root = root != NULL ? root : "";
    if ((code = find_tree(&s)) != 0 ||
        (code = find_binary(&s, binary, install || uninstall)) != 0 ||
        (code = find_user(&s, user)) != 0)
        return code;
    if (s.fact[SERVICE_BINARY][0] != '/' || s.fact[SERVICE_ENV][0] != '/')
        return command_usage(self, "not an absolute path", "--binary, --env-file");
    if (install)
        return service_install_put(&s);
    return uninstall ? service_install_remove(&s) : print_file(&s, name);
}
